"""Bars drawn by hand through a number, which strike it out, and under it.

A bar is lifted off with the rulings, or read past by a network that has learnt to read on rules. What tells
it from a ruling is where it ends: the writer's bar just outside the number, a ruling far beyond it, at the
border of the picture or at the frame of a box.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.ink.runs import standing

Mask = NDArray[np.uint8]
Span = tuple[float, float, float, float]
"""Where a number stands: left, top, right and bottom, in pixels."""
Path = NDArray[np.intp]
"""A bar's row in every column of a number."""


@dataclass(frozen=True)
class BarSettings:
    """What is taken for a bar; lengths in heights of a digit unless said otherwise."""

    least_width: float = 1.2
    """Of a lone digit its network tells whether it is struck out. 0…100."""
    through: tuple[float, float] = (0.28, 0.68)
    """A bar that strikes out goes through here, from the top of the number to its base: what is farther up
    joins digits. 0…1."""
    under: float = 0.75
    """One that underlines is as low, or lower. 0…1."""
    inked: float = 0.9
    """Where it may be so much of the number's width is inked. 0…1."""
    covered: float = 0.975
    """So much of the number's width has the bar. 0…1."""
    another: float = 0.9
    """So much has a second one beside it. 0…1."""
    thin: float = 0.3
    """In so much of its width the bar is all there is near it: a stroke's way through others is not. 0…1."""
    thickness: float = 0.25
    """A bar is no thicker …"""
    together: float = 0.5
    """… nor are two that strike a number out and run together. 0…1."""
    waves: float = 0.09
    """Beside its slope it rises and falls by no more than this part of its length …"""
    waving: float = 0.45
    """… and by no more than this if it strikes the number out. 0…1."""
    least_end: float = 0.2
    """So much of it stands free on either side of the number, and its digits' own bars do not. 0…10."""
    longest_end: float = 1.5
    """One that goes on farther on either side is a ruling. 0…10."""


_ROWS = 20
"""A digit is looked at in so many rows."""
_STEEPEST = 4
"""A line that slopes so that it is as many times as high as its digits is not looked at."""
_TURN = 0.6
"""To rise or fall by a row costs as much as so many columns without ink."""


def is_struck_out(mask: Mask, span: Span, tall: float, settings: BarSettings = BarSettings()) -> bool:
    """Return whether a number is struck out by a bar or two, level or slanting.

    `mask` is uint8, H×W, 0 or 1: the picture's ink, its rulings not yet lifted off. `tall` is the height of
    the number's digits.
    """
    seen = _Number.seen(mask, span, tall, _MIDDLE, settings)
    if seen is None or not seen.may_be_covered(settings.covered):
        return False
    # What is looser in both takes digits that are joined for a bar.
    together = dataclasses.replace(settings, thickness=settings.together)
    waving = dataclasses.replace(settings, waves=settings.waving)
    return any(_strikes_out(seen, each) for each in (settings, together, waving))


def _strikes_out(seen: _Number, settings: BarSettings) -> bool:
    path = seen.path(settings)
    if path is None:
        return False
    # Who strikes out with two bars has both ends of each beside the other's.
    other = seen.without(path, settings).another(settings)
    paths = [path] if other is None else [path, other]
    low, high = settings.through
    if not low <= float(np.median(np.mean(paths, axis=0))) / len(seen.ink) <= high:
        return False
    return _is_drawn(seen.free_ends(paths, settings), settings)


_MIDDLE = (0.2, 0.8)
"""Nothing goes through a number that has no ink here, from its top to its base; if aslant, it goes on."""


def without_underlines(
    mask: Mask, spans: Sequence[tuple[Span, float]], settings: BarSettings = BarSettings()
) -> Mask:
    """Return a mask (uint8, H×W, 0 or 1) without the bars under numbers; the mask itself if there are none.

    `spans` tell where each number stands, and how high its digits are. Strokes that end in such a bar, or
    cross it, stay.
    """
    lifted = mask
    for span, tall in spans:
        seen = _Number.seen(mask, span, tall, (settings.under, 1.0), settings)
        path = None if seen is None else seen.path(settings)
        if seen is None or path is None or np.median(path) < settings.under * len(seen.ink):
            continue
        if not _is_drawn(seen.free_ends([path], settings), settings):
            continue
        lifted = mask.copy() if lifted is mask else lifted
        seen.lift(lifted, path, settings)
    return lifted


def _is_drawn(ends: tuple[float, float], settings: BarSettings) -> bool:
    """Return whether a bar ends as one that a writer drew does."""
    return all(settings.least_end <= end < settings.longest_end for end in ends)


@dataclass(frozen=True)
class _Number:
    """What is looked at of a number and of what is beside it, in about `_ROWS` rows for a digit.

    `ink` is a mask; the number's columns are those from `first` to `last`. `corner` is the row and column in
    the picture that it begins at, `scale` its pixels for each pixel there; `tall` is the height of a digit in
    it.
    """

    ink: Mask
    first: int
    last: int
    corner: tuple[int, int]
    scale: float
    tall: float

    @classmethod
    def seen(
        cls, mask: Mask, span: Span, tall: float, band: tuple[float, float], settings: BarSettings
    ) -> _Number | None:
        """Return the number in a span; None where no bar can lie in a band of it (0 its top … 1 its base)."""
        left, top, right, bottom = (max(0, round(edge)) for edge in span)
        right, bottom = min(right, mask.shape[1]), min(bottom, mask.shape[0])
        height = bottom - top
        if right - left < settings.least_width * tall or not 4 <= height <= _STEEPEST * tall:
            return None
        low, high = top + int(band[0] * height), top + math.ceil(band[1] * height)
        if mask[low:high, left:right].any(axis=0).mean() < settings.inked:
            return None
        reach = round((settings.longest_end + 0.2) * tall)
        start, stop = max(0, left - reach), min(mask.shape[1], right + reach)
        scale = min(1.0, _ROWS / tall)
        ink = _smaller(mask[top:bottom, start:stop], scale)
        first, last = round((left - start) * scale), min(ink.shape[1], round((right - start) * scale))
        if last - first < 4:
            return None
        return cls(ink, first, last, (top, start), scale, tall * scale)

    def _thickest(self, settings: BarSettings) -> int:
        return max(2, round(settings.thickness * self.tall))

    def path(self, settings: BarSettings) -> Path | None:
        """Return the row of a bar in each column of the number; None where there is none."""
        path = self._covered(settings.covered, settings.waves)
        if path is None:
            return None
        number = self.ink[:, self.first : self.last]
        alone = number - standing(number, self._thickest(settings) + 1)
        return path if alone[path, np.arange(len(path))].mean() >= settings.thin else None

    def another(self, settings: BarSettings) -> Path | None:
        """Return the row of a second bar in each column, when the first is gone; None where there is none."""
        return self._covered(settings.another, settings.waves)

    def _covered(self, covered: float, waves: float) -> Path | None:
        """Return the rows of a bar that covers so much of the number and waves no more; None for none."""
        if not self.may_be_covered(covered):
            return None
        line, inked = self._line
        if inked < covered:
            return None
        path, inked, turned = self._way
        if turned > waves * len(path) or inked < covered:
            return None
        return np.clip(path + line, 0, len(self.ink) - 1)

    def may_be_covered(self, covered: float) -> bool:
        """Return whether a line may be near ink in so many of the columns: all lines together are.

        As a rule there is too much room between digits.
        """
        near, at = self._near
        return bool(near[:, at].any(axis=0).mean() >= covered)

    @functools.cached_property
    def _near(self) -> tuple[Mask, NDArray[np.intp]]:
        """What is no farther than two rows from the number's ink, and the columns that are looked at."""
        number = self.ink[:, self.first : self.last]
        width = number.shape[1]
        near = np.asarray(cv2.dilate(number, np.ones((5, 1), np.uint8)), np.uint8)
        return near, np.linspace(0, width - 1, min(width, 48)).astype(np.intp)

    @functools.cached_property
    def _line(self) -> tuple[Path, float]:
        """The straight line that a bar would be near: its rows, beginning at 0, and how much is inked."""
        return _straight(*self._near)

    @functools.cached_property
    def _way(self) -> tuple[Path, float, int]:
        """The way of a bar along that line: its rows beside it, how much is inked, how many rows it turns."""
        number = self.ink[:, self.first : self.last]
        # As if the bar lay level: what it turns beside its slope are waves.
        rows = np.arange(len(number))[:, None] + self._line[0]
        columns = np.arange(number.shape[1])
        level = number[np.clip(rows, 0, len(number) - 1), columns] * ((rows >= 0) & (rows < len(number)))
        path = _best_path(level)
        return path, float(level[path, columns].mean()), int(np.abs(np.diff(path)).sum())

    def without(self, path: Path, settings: BarSettings) -> _Number:
        """Return the number without a bar."""
        ink = self.ink.copy()
        rows = np.arange(len(ink))[:, None]
        ink[:, self.first : self.last][np.abs(rows - path) <= self._thickest(settings) // 2] = 0
        return dataclasses.replace(self, ink=ink)

    def whole(self, path: Path) -> tuple[int, Path]:
        """Return the column where a bar begins, in the number or before it, and its rows from there on."""
        rows = path.tolist()
        before = _ahead(self.ink[:, self.first - 1 :: -1] if self.first else self.ink[:, :0], rows[0])
        behind = _ahead(self.ink[:, self.last :], rows[-1])
        return self.first - len(before), np.array([*reversed(before), *rows, *behind], np.intp)

    def free_ends(self, paths: Sequence[Path], settings: BarSettings) -> tuple[float, float]:
        """Return how far a bar's ends stand free, in heights of a digit: left and right.

        The first of `paths` is its; there is nothing above or below but the others. Infinite where it goes on
        to the border of what is looked at.
        """
        start, bar = self.whole(paths[0])
        columns = np.arange(start, start + len(bar))
        off = np.abs(np.arange(len(self.ink))[:, None] - bar)
        for path in paths[1:]:
            beside = path[np.clip(columns - self.first, 0, len(path) - 1)]
            off = np.minimum(off, np.abs(np.arange(len(self.ink))[:, None] - beside))
        beyond = off > self._thickest(settings) // 2 + 1
        crossed = np.flatnonzero((self.ink[:, columns] & beyond).any(axis=0))
        left, right = (int(crossed[0]), len(bar) - 1 - int(crossed[-1])) if crossed.size else (len(bar),) * 2
        ends_within = start > 0, start + len(bar) < self.ink.shape[1]
        return (
            left / self.tall if ends_within[0] else math.inf,
            right / self.tall if ends_within[1] else math.inf,
        )

    def lift(self, mask: Mask, path: Path, settings: BarSettings) -> None:
        """Take a bar off the picture's mask that it was seen in, but where a stroke crosses it."""
        start, bar = self.whole(path)
        top, left = self.corner
        at = left + np.arange(round(start / self.scale), round((start + len(bar)) / self.scale))
        at = at[at < mask.shape[1]]
        rows = np.interp((at - left + 0.5) * self.scale - 0.5, start + np.arange(len(bar)), bar)
        reach = math.ceil(2 * self._thickest(settings) / self.scale)
        middle = np.rint(top + (rows + 0.5) / self.scale - 0.5).astype(np.intp)
        places = middle + np.arange(-reach, reach + 1)[:, None]
        inked = (mask[np.clip(places, 0, len(mask) - 1), at] > 0) & (places >= 0) & (places < len(mask))
        above, below = (np.cumprod(side, axis=0).sum(axis=0) for side in (inked[reach::-1], inked[reach:]))
        thick = above + below - 1
        found = above > 0
        if not found.any():
            return
        # Alone, the bar is thinner than where a stroke stands on it; in between it goes on as it is there.
        alone = np.flatnonzero(found & (thick <= np.percentile(thick[found], 25) + 1))
        columns = np.arange(len(at))
        upper = np.rint(np.interp(columns, alone, middle[alone] - above[alone] + 1))
        lower = np.rint(np.interp(columns, alone, middle[alone] + below[alone] - 1))
        # A bar is jagged by a part of its thickness; what is farther below is a stroke that crosses it.
        beyond = lower + 2 + (lower - upper) // 2
        goes_on = mask[np.clip(beyond, 0, len(mask) - 1).astype(np.intp), at] > 0
        own = (places >= upper) & (places <= lower + 1) & ~goes_on & inked
        mask[places[own], np.broadcast_to(at, places.shape)[own]] = 0


def _smaller(mask: Mask, scale: float) -> Mask:
    """Return a mask in fewer pixels, thin lines kept."""
    if scale == 1.0:
        return mask
    height, width = mask.shape
    size = max(8, round(scale * width)), max(4, round(scale * height))
    grey = cv2.resize(255 * mask, size, interpolation=cv2.INTER_AREA)
    return (np.asarray(grey) > 90).view(np.uint8)


def _straight(near: Mask, at: NDArray[np.intp]) -> tuple[Path, float]:
    """Return the straight line along which most is `near` ink, and how much of it is (0…1).

    Its rows begin at 0. It is looked at in some columns, `at`.
    """
    height, width = near.shape
    rows = np.arange(0, height, 2)
    along = np.linspace(0.0, 1.0, len(at))
    lines = rows[:, None, None] * (1 - along) + rows[None, :, None] * along
    inked = near[np.rint(lines).astype(np.intp), at].mean(axis=2)
    # Of several the most level one: a thick bar has room for others.
    steep = np.abs(rows[:, None] - rows[None, :])
    first, last = np.unravel_index(np.argmax(inked - 1e-4 * steep), inked.shape)
    line = np.rint(np.linspace(0, rows[last] - rows[first], width)).astype(np.intp)
    return line, float(inked[first, last])


def _best_path(ink: Mask) -> Path:
    """Return the row in each column of the way through that has the most ink and turns least."""
    height, width = ink.shape
    best = ink[:, 0].astype(np.float32)
    steps = np.empty((width, height), np.intp)
    ways = np.full((3, height), -np.inf, np.float32)
    for column in range(1, width):
        ways[0] = best
        ways[1, 1:] = best[:-1] - _TURN
        ways[2, :-1] = best[1:] - _TURN
        steps[column] = ways.argmax(axis=0)
        best = ways.max(axis=0) + ink[:, column]
    path = np.empty(width, np.intp)
    row = int(best.argmax())
    for column in range(width - 1, 0, -1):
        path[column] = row
        row += (0, -1, 1)[steps[column, row]]
    path[0] = row
    return path


def _ahead(ink: Mask, row: int) -> list[int]:
    """Return the rows of a bar that goes on from a row before the first column of some ink, until it ends."""
    height, width = ink.shape
    rows = [row]
    for column in range(width):
        near = [each for each in (rows[-1], rows[-1] - 1, rows[-1] + 1) if 0 <= each < height]
        inked = [each for each in near if ink[each, column]]
        if not inked:
            break
        rows.append(inked[0])
    return rows[1:]
