"""Sheets of paper that touch or lie partly on one another, told apart by the straight lines they end in.

Together they have an outline that is no quadrilateral. Each ends in straight lines for all that: against the
desk, and by a faint step or a thin shadow against other paper. Four such lines are a sheet that lies whole in
view if there is one along all of each side, and one that is partly covered if there is wherever no other
sheet lies.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import Floats, area_of, clockwise, inside_by, shared_area
from edgedigits.sheet.straight import Lines, find_lines

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class PileSettings:
    """When four lines are a sheet; lengths in pixels of the picture that they are found in, parts 0…1."""

    parallel: float = 25.0
    """Opposite sides of a sheet differ by fewer degrees, …"""
    square: float = 0.7
    """… the sines of its corners are more than this, …"""
    opposite: float = 2.0
    """… and no side is as many times as long as the one opposite."""
    least_side: float = 40.0
    """No side is shorter."""
    seen: float = 0.9
    """This part of each side, less what is covered, is seen: there is a line, or a step."""
    line: float = 0.3
    """This part of each side is a line, …"""
    line_covered: float = 0.1
    """… or this, where another sheet lies on it; as much of each is uncovered."""
    paper: float = 0.95
    """Paper lies along this part of the sides, within."""
    desk: float = 0.25
    """The desk lies along this part of the sides, outside."""
    own: float = 0.1
    """A side along which this part is desk is the sheet's own edge, and not that of one that lies on it."""
    touching: float = 0.25
    """Sheets lie side by side where the sides that meet are both such edges, along this part."""
    shared: float = 0.08
    """Sheets that lie whole in view have no more than this part of the smaller one in common."""
    covered: float = 0.6
    """No more than this part of a sheet is covered."""
    most: int = 300
    """So many quadrilaterals at most are looked at, those that most is seen of."""


@dataclass(frozen=True, eq=False)
class Piled:
    """A sheet in a pile: its corners, 4×2, and those of the sheets that lie on it, or may."""

    quad: Floats
    under: tuple[Floats, ...]


Look = Callable[[Floats, Floats], tuple[Mask, Mask]]
"""Tells of points along the sides of a quadrilateral (4×24×2), and of its corners (4×2), at which paper lies
within and at which the desk lies outside: both 4×24."""


def sheets_in_pile(
    grey: Grey, paper: float, least_area: float, look: Look, settings: PileSettings = PileSettings()
) -> list[Piled]:
    """Return the sheets in a pile.

    `grey` is uint8, H×W, `paper` how bright most of the pile is, 0…255; a sheet has `least_area` pixels or
    more.
    """
    lines = find_lines(grey, paper)
    pile = _Pile(lines, grey.shape, least_area, look, settings)
    pile.find()
    return pile.sheets()


class _Pile:
    """The quadrilaterals that the lines of a pile make, and which of them are sheets."""

    def __init__(
        self, lines: Lines, shape: tuple[int, ...], least_area: float, look: Look, settings: PileSettings
    ) -> None:
        self.settings = settings
        self.look = look
        self.least_area = least_area
        quads, sides = _quadrilaterals(lines, shape, least_area, settings)
        points = points_along(quads)
        self.seen, self.drawn = lines.seen(points, sides)
        kept = np.flatnonzero(self.drawn.mean(axis=2).min(axis=1) >= settings.line_covered)
        kept = kept[np.argsort(-self.seen[kept].mean(axis=(1, 2)), kind="stable")][: settings.most]
        self.quads, self.points = quads[kept], points[kept]
        self.seen, self.drawn = self.seen[kept], self.drawn[kept]
        self.areas = np.array([area_of(quad) for quad in self.quads])
        self.found: list[int] = []
        self.covered: set[int] = set()
        self.desk: dict[int, Mask] = {}

    def find(self) -> None:
        """Find the sheets: first those that are beyond doubt."""
        # What ends at the desk on each side is more surely one sheet than what ends at other paper, and what
        # is seen all along than what is not.
        gaps = self.seen.mean(axis=2).min(axis=1) < (1 + self.settings.seen) / 2
        whole = sorted(
            self._whole(), key=lambda k: (np.count_nonzero(self._doubtful(k)), gaps[k], -self.areas[k])
        )
        edged = [k for k in whole if not self._doubtful(k).any()]
        self._add(edged)
        self._add_covered()
        self._add(whole[len(edged) :])
        self._add_covered()

    def sheets(self) -> list[Piled]:
        """Return the sheets that were found."""
        return [Piled(self.quads[k], tuple(self._on(k))) for k in self.found]

    def _whole(self) -> list[int]:
        """Return what may lie whole in view, less what is two sheets side by side."""
        settings = self.settings
        whole = (self.seen.mean(axis=2).min(axis=1) >= settings.seen) & (
            self.drawn.mean(axis=2).min(axis=1) >= settings.line
        )
        kept = [k for k in map(int, np.flatnonzero(whole)) if self._is_paper(k, np.ones_like(self.seen[k]))]
        return [k for k in kept if not self._is_two(k, kept)]

    def _is_two(self, whole: int, others: Sequence[int]) -> bool:
        """Return whether a line parts a quadrilateral in two sheets; several lines are a ruled sheet's."""
        area = self.areas[whole]
        shares: list[float] = []
        depths = inside_by(self.quads[others], self.quads[whole]).min(axis=1)
        parts = [k for k, depth in zip(others, depths, strict=True) if depth >= -_NEAR and k != whole]
        if len(parts) > _RULED:
            return False
        for a, b in itertools.combinations(parts, 2):
            smaller = min(self.areas[a], self.areas[b]) / area
            if (
                smaller >= _PART
                and abs(self.areas[a] + self.areas[b] - area) <= _SAME * area
                and shared_area(self.quads[a], self.quads[b]) <= _SAME * area
            ):
                shares.append(smaller)
                if max(shares) - min(shares) > _SAME:
                    return False
        return bool(shares)

    def _doubtful(self, k: int) -> NDArray[np.bool_]:
        """Return which sides have no desk beside them: another sheet may end there, that lies on this one."""
        return np.asarray(self.desk[k].mean(axis=1) < self.settings.own)

    def _is_paper(self, k: int, free: Mask) -> bool:
        """Return whether paper lies within the sides, and the desk outside of many, where they are free."""
        paper, desk = self.look(self.points[k], self.quads[k])
        self.desk[k] = desk
        count = np.count_nonzero(free)
        return bool(
            np.count_nonzero(paper & free) >= self.settings.paper * count
            and np.count_nonzero(desk & free) >= self.settings.desk * count
        )

    def _add(self, candidates: Iterable[int]) -> None:
        for k in candidates:
            if all(self._shared(k, other) <= self.settings.shared for other in self.found):
                self.found.append(k)

    def _shared(self, one: int, other: int) -> float:
        """Return what two have in common, as a part of the smaller one."""
        both = shared_area(self.quads[one], self.quads[other])
        return both / float(min(self.areas[one], self.areas[other]))

    def _add_covered(self) -> None:
        """Find sheets that those already found lie on."""
        settings = self.settings
        if not self.found or not len(self.quads):
            return
        free = np.ones_like(self.seen)
        for k in self.found:
            free &= inside_by(self.points, self.quads[k]) < -_NEAR
        open_part = free.mean(axis=2)
        missed = (free & ~self.seen).mean(axis=2)
        likely = (open_part.min(axis=1) >= settings.line_covered) & (
            missed <= (1 - settings.seen) * open_part
        ).all(axis=1)
        some = np.flatnonzero(likely & ~free.all(axis=(1, 2)))
        for k in map(int, some[np.argsort(-open_part[some].mean(axis=1), kind="stable")]):
            shared = [shared_area(self.quads[k], self.quads[other]) for other in self.found]
            hidden = [both / self.areas[other] for both, other in zip(shared, self.found, strict=True)]
            if (
                sum(shared) <= settings.covered * self.areas[k]
                and self.areas[k] - sum(shared) >= self.least_area
                and max(hidden) <= settings.covered
                and self._is_paper(k, free[k])
            ):
                self.found.append(k)
                self.covered.add(k)

    def _on(self, k: int) -> Iterator[Floats]:
        """Yield the sheets that lie on one, and what lies beyond sides that may be the edges of others."""
        place = self.found.index(k)
        beneath = []
        for at, other in enumerate(self.found):
            if at == place or shared_area(self.quads[k], self.quads[other]) < _COMMON * self.areas[k]:
                continue
            # What is covered was found by what lies on it.
            if k in self.covered and at < place:
                yield self.quads[other]
            elif other in self.covered and at > place:
                beneath.append(self.quads[other])
        for side in range(4):
            points = self.points[k][side]
            known = np.logical_or.reduce(
                [inside_by(points, quad) >= -_NEAR for quad in beneath], initial=False
            )
            doubtful = points[~self.desk[k][side] & ~known]
            if len(doubtful) >= self.settings.own * len(points) and not self._touches(k, side, doubtful):
                yield _beyond(doubtful[0], doubtful[-1])

    def _touches(self, k: int, side: int, points: Floats) -> bool:
        """Return whether a side lies along one of another sheet, both seen to end there at the desk."""
        if self.desk[k][side].mean() < self.settings.touching:
            return False
        for other in self.found:
            ends = zip(self.quads[other], np.roll(self.quads[other], -1, axis=0), strict=True)
            for (a, b), desk in zip(ends, self.desk[other], strict=True):
                across = np.array([a[1] - b[1], b[0] - a[0]]) / np.linalg.norm(b - a)
                near = bool((np.abs((points - a) @ across) <= 2 * _NEAR).all())
                if other != k and near and desk.mean() >= self.settings.touching:
                    return True
        return False


_NEAR = 2.0
"""As near to a sheet as this, one that it lies on may be covered. Pixels."""
_RULED = 16
"""More quadrilaterals than this within another are made by rules."""
_PART = 0.15
"""Each of two sheets side by side is this part of them, or more, …"""
_SAME = 0.06
"""… and areas are the same but for this part."""
_COMMON = 0.01
"""Sheets lie on one another if they have this part in common, be it for their corners not being exact."""


def _beyond(a: Floats, b: Floats) -> Floats:
    """Return what lies beyond a part of a side, from a to b clockwise, as far as it is long: 4×2."""
    outward = np.array([b[1] - a[1], a[0] - b[0]])
    return np.array([a + outward, b + outward, b, a])


def points_along(quads: Floats) -> Floats:
    """Return points along each side of quadrilaterals (…×4×2), …×4×24×2."""
    steps = np.roll(quads, -1, axis=-2) - quads
    return np.asarray(quads[..., None, :] + np.linspace(0.05, 0.95, 24)[:, None] * steps[..., None, :])


def _quadrilaterals(
    lines: Lines, shape: tuple[int, ...], least_area: float, settings: PileSettings
) -> tuple[Floats, Indices]:
    """Return the quadrilaterals that lines make (M×4×2) and a sheet may be, and the lines of their sides."""
    x, y = lines.along.T
    sines = np.abs(x[:, None] * y - y[:, None] * x)
    one, other = np.triu_indices(len(x), 1)
    alike = sines[one, other] <= np.sin(np.radians(settings.parallel))
    one, other = one[alike], other[alike]
    a, b = np.triu_indices(len(one), 1)
    square = np.minimum.reduce([sines[p[a], q[b]] for p in (one, other) for q in (one, other)])
    a, b = a[square > settings.square], b[square > settings.square]
    around = np.stack([one[a], one[b], other[a], other[b]], axis=1)
    corners = np.stack([lines.crossings(around[:, k - 1], around[:, k]) for k in range(4)], axis=1)
    height, width = shape
    inside = ((corners >= 0) & (corners <= np.array([width - 1, height - 1]))).all(axis=(1, 2))
    corners, around = corners[inside], around[inside]
    # The lines stand in their order around; but which way around, and from which corner on?
    quads = clockwise(corners)
    at = np.argmin(np.linalg.norm(quads[:, :, None] - corners[:, None], axis=3), axis=2)
    forward = (at[:, 1:2] - at[:, :1]) % 4 == 1
    sides = np.take_along_axis(around, np.where(forward, at, (at - 1) % 4), axis=1)
    steps = np.roll(quads, -1, axis=1) - quads
    lengths = np.linalg.norm(steps, axis=2)
    x, y = np.moveaxis(quads, 2, 0)
    areas = 0.5 * (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)
    ratios = np.abs(np.log2(lengths[:, :2] / np.maximum(lengths[:, 2:], 1e-9))).max(axis=1, initial=0)
    good = (
        (lengths.min(axis=1, initial=np.inf) >= settings.least_side)
        & (areas >= least_area)
        & (ratios < np.log2(settings.opposite))
    )
    return quads[good], sides[good]
