"""Where a form's page is in a picture, and the proof that it is there.

Each way of finding a page proposes homographies, from fractions of the page to pixels of the picture. None
is believed: what counts is whether the lines that the form says are printed are found where it would have
them. The lines then also correct it, for a sheet that is not quite flat, by a smooth displacement.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import RegistrationError, SeveralPagesError
from edgedigits.ink import to_grey
from edgedigits.layout import ArucoMarks, CornerMarks, Form, Frame, Reference, Sheet

Floats = NDArray[np.float64]
Grey = NDArray[np.uint8]

_UNIT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


_SMALLEST = 16
"""A picture of fewer pixels a side is none of a form."""

_FEATURE_SIDE = 1600
"""Features are taken from a copy of at most so many pixels a side."""

_FRAME_REACH = 0.03
"""What belongs to no cell is looked for so far from where it should be, in fractions of the page."""


@dataclass(frozen=True)
class RegistrationSettings:
    """What is believed; lengths in fractions of a cell unless said otherwise."""

    working_side: int = 1000
    """Frames, sheets and marks are looked for in a copy of at most so many pixels a side."""
    least_area: float = 0.04
    """A page covers at least this part of the picture. 0…1."""
    most_candidates: int = 12
    """So many quadrilaterals are tried."""
    cell_pixels: int = 32
    """Printed lines are looked for in a copy whose cells are about this high, in pixels …"""
    longest_side: int = 1600
    """… but whose longer side is at most this, in pixels."""
    reach: float = 0.25
    """A printed line is looked for this far from where it should be."""
    tolerance: float = 0.07
    """A line counts as found so near to the smooth displacement of all."""
    least_lines: float = 0.75
    """Part of the printed lines that must be found. 0…1."""
    most_beside: float = 0.6
    """Beside most printed lines it is nowhere darker than this part of the line; else it is texture. 0…1."""
    least_contrast: float = 0.04
    """A printed line takes away at least this part of the light. 0…1."""
    least_cell: float = 12.0
    """Cells lower than this in the picture, in pixels, can't be read."""
    features: int = 3000
    """Features taken from the picture and from the reference."""
    least_inliers: int = 25
    """Features of the reference that must agree on one place."""


@dataclass(frozen=True, eq=False)
class Registration:
    """Where a page is.

    `matrix` (3×3) takes fractions of the page to pixels of the picture; `bend` (terms×2) is what is added
    to the fractions first, a polynomial in them. `corners` are the page's corners in pixels of the picture,
    4×2: top left, top right, bottom right, bottom left of the upright page. `lines_found` is the part of
    the printed lines that were found (0…1), None where the form has none. `turned` says by how many
    degrees (0, 90, 180, 270) the page lies turned clockwise in the picture. `certain` is False where a
    turned page would look the same.
    """

    by: str
    matrix: Floats
    bend: Floats
    corners: Floats
    lines_found: float | None
    turned: int
    certain: bool
    line_width: float
    """Median width of the printed lines, in pixels of the picture; 0 where none are printed."""

    def to_picture(self, points: Floats) -> Floats:
        """Take fractions of the page (…×2) to pixels of the picture."""
        points = np.asarray(points, np.float64)
        flat = points.reshape(-1, 2)
        return project(self.matrix, flat + _basis(flat, len(self.bend)) @ self.bend).reshape(points.shape)


@dataclass(frozen=True)
class Segment:
    """A piece of a printed line in fractions of the page, and how far from it may be looked."""

    horizontal: bool
    at: float
    start: float
    end: float
    reach: float


def printed_segments(form: Form, settings: RegistrationSettings = RegistrationSettings()) -> list[Segment]:
    """Return what the form says is printed, cut to pieces no longer than a cell."""
    found: dict[tuple[object, ...], Segment] = {}

    def add(horizontal: bool, at: float, start: float, end: float, across: float, piece: float) -> None:
        count = max(1, round((end - start) / piece))
        for k in range(count):
            a, b = (start + (end - start) * j / count for j in (k, k + 1))
            key = (horizontal, round(at, 3), round(a, 3), round(b, 3))
            found.setdefault(key, Segment(horizontal, at, a, b, settings.reach * across))

    if isinstance(form.finder, Frame):
        x, y, w, h = form.finder.box
        for at in (y, y + h):
            add(True, at, x, x + w, _FRAME_REACH / settings.reach, w / 9)
        for at in (x, x + w):
            add(False, at, y, y + h, _FRAME_REACH / settings.reach, h / 9)
    ratio = 1.0 if form.size is None else form.size[0] / form.size[1]
    for x, y, w, h in form.printed:
        for at in {y, y + h}:
            add(True, at, x, x + w, _FRAME_REACH / settings.reach, w / 6)
        for at in (x, x + w) if h else ():
            add(False, at, y, y + h, _FRAME_REACH / settings.reach, h / 6)
    for field in form.fields:
        if field.printed == "none":
            continue
        boxes = form.cell_boxes(field) if field.printed == "boxes" else [field.box]
        for x, y, w, h in boxes:
            smaller = min(w * ratio, h)  # in heights of the page
            for at in (y, y + h) if field.printed != "line" else (y + h,):
                add(True, at, x, x + w, smaller, max(smaller / ratio, w / 12))
            if field.printed != "line":
                for at in (x, x + w):
                    add(False, at, y, y + h, smaller / ratio, max(smaller, h / 12))
    # A frame's pieces and a field's may lie on one line: what is looked for more closely counts.
    segments = sorted(found.values(), key=lambda s: s.reach)
    kept: list[Segment] = []
    for segment in segments:
        middle = (segment.start + segment.end) / 2
        if not any(
            k.horizontal == segment.horizontal
            and abs(k.at - segment.at) < 1e-3
            and k.start <= middle <= k.end
            for k in kept
        ):
            kept.append(segment)
    return kept


def register(
    image: NDArray[np.uint8], form: Form, settings: RegistrationSettings = RegistrationSettings()
) -> Registration:
    """Find a form's page in a picture (uint8, H×W or H×W×3 BGR, upright).

    Raises `RegistrationError`, one line without the picture's name, where the page is not found, is cut
    off, is there twice, or where what was found is not this form.
    """
    grey = to_grey(image)
    if min(grey.shape) < _SMALLEST:
        raise RegistrationError(
            f"the picture is only {grey.shape[1]}×{grey.shape[0]} pixels; take a larger one"
        )
    return _Registrar(grey, form, settings).find()


class _Registrar:
    def __init__(self, grey: Grey, form: Form, settings: RegistrationSettings) -> None:
        self.grey, self.form, self.settings = grey, form, settings
        self.height, self.width = grey.shape
        self.ratio = self.width / self.height if form.size is None else form.size[0] / form.size[1]
        self.segments = printed_segments(form, settings)
        self.symmetry = _symmetry(self.segments)

    def find(self) -> Registration:
        finder = self.form.finder
        if isinstance(finder, Frame):
            return self._by_quadrilaterals(frame_quads(self.grey, self.settings), finder.box, "frame")
        if isinstance(finder, Sheet):
            return self._by_quadrilaterals(sheet_quads(self.grey, self.settings), (0, 0, 1, 1), "sheet")
        if isinstance(finder, CornerMarks):
            return self._by_corner_marks(finder)
        if isinstance(finder, ArucoMarks):
            return self._by_aruco(finder)
        if isinstance(finder, Reference):
            return self._by_reference(finder)
        whole = _UNIT * [self.width, self.height]
        return self._prove(homography(_UNIT, whole), "none", 0)

    # --- ways of finding ----------------------------------------------------------------------------------

    def _by_quadrilaterals(
        self, quads: Sequence[Floats], box: tuple[float, float, float, float], by: str
    ) -> Registration:
        x, y, w, h = box
        own = _UNIT * [w, h] + [x, y]
        reasons: list[str] = []
        proven: list[Registration] = []
        for quad in quads[: self.settings.most_candidates]:
            if any(_within(quad.mean(axis=0), p.corners) for p in proven):
                continue  # the same page once more, or a part of it
            cut_off = _at_the_border(quad, self.width, self.height)
            attempts = []
            for turn in self._turns(quad, own):
                try:
                    matrix = homography(own, np.roll(quad, -turn, axis=0))
                    attempts.append(self._prove(matrix, by, 90 * turn))
                except RegistrationError as error:
                    # What touches the border is most likely the page cut off, whatever else is wrong.
                    reasons.append(_CUT_OFF if cut_off else str(error))
            if attempts:
                proven.append(_most_certain(attempts, self.symmetry))
        if len(proven) > 1:
            raise SeveralPagesError(
                f"{len(proven)} pages of form '{self.form.name}'; photograph one at a time"
            )
        if not proven:
            thing = "printed frame" if by == "frame" else "sheet of paper"
            nothing = (
                f"no {thing} found; photograph the whole page of form '{self.form.name}', in focus, on a "
                f"{'plain' if by == 'frame' else 'darker'} background"
            )
            raise RegistrationError(reasons[0] if reasons else nothing)
        return proven[0]

    def _turns(self, quad: Floats, own: Floats) -> Iterator[int]:
        """Yield the quarter turns in which a quadrilateral has roughly the frame's shape."""
        wide = np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])
        high = np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])
        due = self.ratio * (own[1, 0] - own[0, 0]) / (own[3, 1] - own[0, 1])
        for turn in range(self.symmetry):
            seen = wide / high if turn % 2 == 0 else high / wide
            if 1 / 1.9 < seen / due < 1.9:  # perspective shortens one side by so much at most
                yield turn

    def _by_corner_marks(self, finder: CornerMarks) -> Registration:
        marks = _solid_marks(self.grey, self.settings)
        own = np.array(finder.centres)
        span = float(np.linalg.norm((own[1] - own[0]) * [self.ratio, 1]))
        due = finder.side * self.ratio / span  # the mark's side beside the distance of two
        proven: list[Registration] = []
        reasons: list[str] = []
        for quad in _quads_of_marks(marks, due):
            attempts = []
            for turn in self._turns(quad, own):
                try:
                    attempts.append(
                        self._prove(homography(own, np.roll(quad, -turn, axis=0)), "corners", 90 * turn)
                    )
                except RegistrationError as error:
                    reasons.append(str(error))
            if attempts and not any(_within(quad.mean(axis=0), p.corners) for p in proven):
                proven.append(_most_certain(attempts, self.symmetry))
        if len(proven) > 1:
            raise SeveralPagesError(
                f"{len(proven)} pages of form '{self.form.name}'; photograph one at a time"
            )
        if not proven:
            nothing = (
                f"the four corner marks of form '{self.form.name}' were not found (marks that could be: "
                f"{len(marks)}); photograph the whole page, in focus"
            )
            raise RegistrationError(reasons[0] if reasons else nothing)
        return proven[0]

    def _by_aruco(self, finder: ArucoMarks) -> Registration:
        corners, numbers = _detect_aruco(self.grey, finder.dictionary)
        ours = [(n, c) for n, c in zip(numbers, corners, strict=True) if n in finder.corners]
        seen = [n for n, _ in ours]
        twice = sorted({n for n in seen if seen.count(n) > 1})
        if twice:
            raise SeveralPagesError(
                f"ArUco mark {twice[0]} is there more than once: two pages of form '{self.form.name}'; "
                "photograph one at a time"
            )
        if len(ours) < 2:
            others = f", but {len(numbers)} of another form" if numbers and not ours else ""
            raise RegistrationError(
                f"{len(ours)} of {len(finder.corners)} ArUco marks of form '{self.form.name}' found{others}; "
                "at least two must be seen, in focus and not cut off"
            )
        own = np.concatenate([np.array(finder.corners[n]) for n, _ in ours])
        seen_at = np.concatenate([c for _, c in ours])
        matrix = homography(own, seen_at)
        # Each mark must be where the others say: one that has been stuck elsewhere, or is of another form,
        # leaves a misfit of the order of the marks' own side.
        misfit = np.linalg.norm(project(matrix, own) - seen_at, axis=1).reshape(-1, 4).max(axis=1)
        sides = np.array([np.linalg.norm(c[1] - c[0]) for _, c in ours])
        if (misfit > 0.15 * sides + 1.5).any():
            raise RegistrationError(
                f"the ArUco marks are not where form '{self.form.name}' has them; is it another form?"
            )
        first = ours[0][1]
        angle = np.degrees(np.arctan2(*(first[1] - first[0])[::-1]))
        return self._prove(matrix, "aruco", int(round(angle / 90) * 90) % 360, certain=True)

    def _by_reference(self, finder: Reference) -> Registration:
        reference = cv2.imread(str(finder.picture), cv2.IMREAD_GRAYSCALE)
        if reference is None:
            raise RegistrationError(
                f"the reference {finder.picture.name} can't be read; save it as PNG or JPEG"
            )
        here, there = (
            _Features(self.grey, self.settings),
            _Features(np.asarray(reference, np.uint8), self.settings),
        )
        first = _match(there, here, self.settings, self.ratio)
        if first is None:
            raise RegistrationError(
                f"the page does not look like the reference of form '{self.form.name}'; is it another form, "
                "cut off or out of focus?"
            )
        matrix, inside = first
        found = self._prove(matrix, "reference", _turned_by(matrix), certain=True)
        second = _match(there, here.without(inside), self.settings, self.ratio)
        if second is not None and not _within(project(second[0], np.array([[0.5, 0.5]]))[0], found.corners):
            raise SeveralPagesError(f"2 pages of form '{self.form.name}'; photograph one at a time")
        return found

    # --- the proof ----------------------------------------------------------------------------------------

    def _prove(self, matrix: Floats, by: str, turned: int, certain: bool = False) -> Registration:
        """Return the registration that a homography leads to; raises `RegistrationError` if it is none."""
        corners = project(matrix, _UNIT)
        if not _plausible(corners):
            raise RegistrationError(
                "what was found has no shape a page can have; hold the camera above the page"
            )
        if by != "none":
            self._check_extent(corners, matrix)
        bend = np.zeros((1, 2))
        found, width = None, 0.0
        if self.segments:
            # The nearer the lines are to where they are sought, the less else is taken for them.
            for reach in (1.0, 0.6, 0.3, 0.3):
                lines = _Lines(self, matrix, bend, reach)
                found, width, bend = lines.found, lines.width, bend_sum(bend, lines.bend)
                if found < 0.4 * self.settings.least_lines:
                    break
            if found is not None and found < self.settings.least_lines:
                raise RegistrationError(
                    f"not form '{self.form.name}': {found:.0%} of its printed lines are where they belong; "
                    "photograph the right form, flat and in focus"
                )
        registration = Registration(by, matrix, bend, corners, found, turned, certain, width)
        corners = registration.to_picture(_UNIT)
        return Registration(by, matrix, bend, corners, found, turned, certain, width)

    def _check_extent(self, corners: Floats, matrix: Floats) -> None:
        boxes = np.array([field.box for field in self.form.fields])
        edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        low, high = edges.min(axis=0), edges.max(axis=0)
        fields = project(matrix, np.array([low, [high[0], low[1]], high, [low[0], high[1]]]))
        slack = 0.01 * max(self.width, self.height)
        limit = np.array([self.width, self.height]) + slack
        if (fields < -slack).any() or (fields > limit).any():
            raise RegistrationError(_CUT_OFF)
        heights = boxes[:, 3]
        smallest = float(np.median(heights)) * float(
            np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])
        )
        if smallest / 2 < self.settings.least_cell:
            raise RegistrationError(
                f"the fields are only {smallest / 2:.0f} pixels high; photograph the page from nearer"
            )


_CUT_OFF = "what could be the page is cut off at the picture's border; photograph the whole page"


def _most_certain(attempts: Sequence[Registration], symmetry: int) -> Registration:
    """Return the best of the turns in which a page proved right, and whether it is beyond doubt.

    Where another turn, or one that was left out for looking the same, does nearly as well, it is not.
    """
    best = max(attempts, key=lambda a: a.lines_found or 0)
    rivals = [a for a in attempts if a is not best and (best.lines_found or 0) - (a.lines_found or 0) < 0.12]
    if rivals:
        best = min([best, *rivals], key=lambda a: a.turned)
    return replace(best, certain=not rivals and symmetry == 4 and best.lines_found is not None)


def _symmetry(segments: Sequence[Segment]) -> int:
    """Return how many quarter turns a page's printed lines tell apart: 4, 2 (half turns look alike) or 1."""

    def key(horizontal: bool, at: float, start: float, end: float) -> tuple[object, ...]:
        return horizontal, round(at, 2), round(start, 2), round(end, 2)

    own = {key(s.horizontal, s.at, s.start, s.end) for s in segments}
    half = {key(s.horizontal, 1 - s.at, 1 - s.end, 1 - s.start) for s in segments}
    quarter = {
        key(False, 1 - s.at, s.start, s.end) if s.horizontal else key(True, s.at, 1 - s.end, 1 - s.start)
        for s in segments
    }
    if own != half:
        return 4
    return 1 if own == quarter and own else 2


# --- printed lines ------------------------------------------------------------------------------------


class _Lines:
    """The printed lines of a form, as a homography and a bend would have them in a picture."""

    def __init__(self, owner: _Registrar, matrix: Floats, bend: Floats, reach: float) -> None:
        settings, segments = owner.settings, owner.segments
        lengths = [
            (s.end - s.start) * (owner.ratio if s.horizontal else 1.0) for s in segments
        ]  # in heights of the page
        high = settings.cell_pixels / float(np.median(lengths))
        high = min(high, settings.longest_side / max(1.0, owner.ratio))
        self.margin = max(8, round(0.03 * high))
        self.size = round(high * owner.ratio), round(high)
        flat, self.scale = flattened(owner.grey, matrix, bend, self.size, self.margin)
        kernel = max(9, round(0.4 * settings.cell_pixels)) | 1
        self.darkness = darkness(flat, kernel)
        self.tolerance = settings.tolerance * settings.cell_pixels
        self._measure(segments, reach)
        self._fit(segments, settings)

    def _measure(self, segments: Sequence[Segment], reach: float) -> None:
        (w, h), m = self.size, self.margin
        dark = {True: _spread(self.darkness, 1), False: _spread(self.darkness.T, 1)}
        offsets: list[float] = []
        heights: list[float] = []
        widths: list[float] = []
        beside: list[float] = []
        for s in segments:
            across, along = (h, w) if s.horizontal else (w, h)
            half = max(4, round(s.reach * across))
            at = s.at * across + m
            first = max(0, round(at) - half)
            trim = 0.15 * (s.end - s.start)
            left, right = round((s.start + trim) * along) + m, round((s.end - trim) * along) + m
            strip = dark[s.horizontal][first : round(at) + half + 1, left : max(left + 2, right)]
            if strip.shape[0] < 5 or strip.shape[1] < 2:
                for values in (offsets, heights, widths):
                    values.append(0.0)
                beside.append(1.0)
                continue
            # A line is dark nearly everywhere along it, the strokes of a digit are not.
            profile = np.sort(strip, axis=1)[:, strip.shape[1] * 3 // 10].astype(np.float64)
            rise = np.maximum(profile - np.sort(profile)[len(profile) // 4], 0)
            whole = rise.copy()
            rise[np.abs(np.arange(first, first + len(rise)) + 0.5 - at) > max(2.0, reach * half)] = 0
            peak = int(np.argmax(rise))
            near = slice(max(0, peak - 3), peak + 4)
            weight = rise[near] * (rise[near] >= 0.5 * rise[peak])
            centre = float(
                (np.arange(near.start, near.start + weight.size) * weight).sum() / max(weight.sum(), 1e-9)
            )
            offsets.append(first + centre + 0.5 - at)
            heights.append(float(rise[peak]))
            whole[max(0, peak - 4) : peak + 5] = 0
            beside.append(float(whole.max()) / max(1.0, float(rise[peak])))
            # The brightest of three rows makes a line two rows wider than it is.
            widths.append(float((rise >= 0.5 * rise[peak]).sum()) - 2)
        self.offsets, self.heights = np.array(offsets), np.array(heights)
        self._widths, self._beside = np.array(widths), np.array(beside)

    def _fit(self, segments: Sequence[Segment], settings: RegistrationSettings) -> None:
        (w, h) = self.size
        horizontal = np.array([s.horizontal for s in segments])
        middle = np.array([(s.start + s.end) / 2 for s in segments])
        at = np.array([s.at for s in segments])
        points = np.where(horizontal[:, None], np.column_stack([middle, at]), np.column_stack([at, middle]))
        strong = float(np.percentile(self.heights, 60))
        least = max(255 * settings.least_contrast, 0.2 * strong)
        seen = self.heights >= least
        agreeing = np.zeros(len(segments), bool)
        terms = {}
        for way, across in ((True, h), (False, w)):
            chosen = seen & (horizontal == way)
            coefficients, good = _robust_fit(points[chosen], self.offsets[chosen], self.tolerance)
            agreeing[np.flatnonzero(chosen)[good]] = True
            terms[way] = coefficients / across
        size = max(len(t) for t in terms.values())
        self.bend = np.zeros((size, 2))
        self.bend[: len(terms[False]), 0] = terms[False]
        self.bend[: len(terms[True]), 1] = terms[True]
        # Lines that are all found in one direction and none in the other are ruled paper.
        shares = [agreeing[horizontal == way].mean() for way in (True, False) if (horizontal == way).any()]
        self.found = float(min(shares))
        if agreeing.any() and np.median(self._beside[agreeing]) > settings.most_beside:
            self.found = 0.0
        self.width = float(np.median(self._widths[agreeing]) / self.scale) if agreeing.any() else 0.0


def _robust_fit(points: Floats, values: Floats, tolerance: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Fit a polynomial of the degree that so many values bear; return it and which of them agree with it."""
    count = len(values)
    if count == 0:
        return np.zeros(1), np.zeros(0, bool)
    terms = next(t for t, least in ((10, 60), (6, 24), (3, 8), (1, 1)) if count >= least)
    basis = _basis(points, terms)
    coefficients: Floats = np.zeros(terms)
    coefficients[0] = np.median(values)
    scale = max(tolerance, 2.0 * float(np.median(np.abs(values - coefficients[0]))))
    for _ in range(8):
        # Cauchy's weights, ever narrower: what crosses the page smoothly wins over what merely is dark.
        weight = 1 / (1 + ((values - basis @ coefficients) / scale) ** 2)
        weighted = basis * weight[:, None]
        # A little ridge, so that values on one line don't let the others' terms run wild.
        normal = basis.T @ weighted + 1e-3 * count * np.eye(terms)
        coefficients = np.asarray(np.linalg.solve(normal, weighted.T @ values), np.float64)
        scale = max(0.5 * tolerance, 0.7 * scale)
    return coefficients, np.abs(values - basis @ coefficients) <= tolerance


def _basis(points: Floats, terms: int) -> Floats:
    """Return the first 1, 3, 6 or 10 monomials of fractions of the page, each seen from its middle."""
    u, v = (2 * points - 1).T
    # Beyond the page the bend goes on as it is at its edge, rather than as a cubic would.
    u, v = np.clip(u, -1.1, 1.1), np.clip(v, -1.1, 1.1)
    one = np.ones_like(u)
    columns = [one, u, v, u * u, u * v, v * v, u**3, u * u * v, u * v * v, v**3]
    return np.column_stack(columns[:terms])


def bend_sum(a: Floats, b: Floats) -> Floats:
    """Return the sum of two bends."""
    total = np.zeros((max(len(a), len(b)), 2))
    total[: len(a)] += a
    total[: len(b)] += b
    return total


def flattened(
    grey: Grey, matrix: Floats, bend: Floats, size: tuple[int, int], margin: int
) -> tuple[Grey, float]:
    """Return the flattened page (`size` and a margin), and its pixels per pixel of the picture."""
    w, h = size
    corners = project(matrix, _UNIT)
    native = max(np.linalg.norm(corners[(k + 1) % 4] - corners[k]) / (w, h, w, h)[k] for k in range(4))
    if native > 1.5:
        # What would be skipped in sampling is averaged first.
        factor = float(1 / native)
        grey = np.asarray(
            cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
        matrix = np.diag([factor, factor, 1.0]) @ matrix
    x, y = page_map(matrix, bend, size, margin)
    mode = cv2.INTER_CUBIC if native < 1 else cv2.INTER_LINEAR
    flat = cv2.remap(grey, x, y, mode, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8), 1 / float(native)


def page_map(
    matrix: Floats, bend: Floats, size: tuple[int, int], margin: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the maps for `cv2.remap` that flatten a page to width×height pixels plus a margin around it."""
    w, h = size
    # A homography bent by a cubic is smooth: it is worked out on a coarse lattice and interpolated.
    step = 8
    columns, rows = -(-(w + 2 * margin) // step) + 1, -(-(h + 2 * margin) // step) + 1
    u, v = np.meshgrid(
        (np.arange(columns) * step + 0.5 - margin) / w, (np.arange(rows) * step + 0.5 - margin) / h
    )
    points = np.column_stack([u.ravel(), v.ravel()])
    # Pixel centres: coordinate 0.5 of the page's raster is pixel 0.
    where = project(matrix, points + _basis(points, len(bend)) @ bend) - 0.5
    xs, ys = (where[:, k].reshape(u.shape).astype(np.float32) for k in (0, 1))
    full = _upsampling(columns, rows, w + 2 * margin, h + 2 * margin, step)
    return tuple(cv2.remap(a, *full, cv2.INTER_LINEAR) for a in (xs, ys))  # type: ignore[return-value]


def _upsampling(
    columns: int, rows: int, width: int, height: int, step: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x = np.broadcast_to(np.arange(width, dtype=np.float32) / step, (height, width))
    y = np.broadcast_to((np.arange(height, dtype=np.float32) / step)[:, None], (height, width))
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def darkness(grey: Grey, kernel: int) -> Grey:
    """Return how much of the paper's light is missing: 0 none … 255 all; `kernel` (odd) is above a stroke."""
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    paper = cv2.morphologyEx(
        smooth, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_RECT, (kernel, kernel))
    )
    paper = np.maximum(cv2.blur(paper, (kernel // 2 | 1, kernel // 2 | 1)), 1)
    return np.asarray(cv2.bitwise_not(cv2.divide(grey, paper, scale=255)), np.uint8)


def _spread(values: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    """Return the brightest of each pixel and its neighbours above and below."""
    return np.asarray(cv2.dilate(np.ascontiguousarray(values), np.ones((2 * by + 1, 1), np.uint8)), np.uint8)


# --- quadrilaterals -----------------------------------------------------------------------------------


def _reduced(grey: Grey, side: int) -> tuple[Grey, float]:
    scale = min(1.0, side / max(grey.shape))
    if scale == 1:
        return grey, 1.0
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def frame_quads(grey: Grey, settings: RegistrationSettings) -> list[Floats]:
    """Return quadrilaterals of dark lines in pixels of the picture, the largest first."""
    small, scale = _reduced(grey, settings.working_side)
    quads: list[_Rough] = []
    for block, offset in ((31, 10), (15, 6), (61, 14)):
        mask = cv2.adaptiveThreshold(
            small, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, offset
        )
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        quads += _quads_in(mask, settings)
    return _distinct(((area, _sharpened(contour, quad)) for area, contour, quad in quads), scale)


def sheet_quads(grey: Grey, settings: RegistrationSettings) -> list[Floats]:
    """Return quadrilaterals of light paper on a darker desk in pixels of the picture, the largest first."""
    quads, scale = _rough_sheets(grey, settings)
    return _distinct(((area, _sharpened(contour, quad)) for area, contour, quad in quads), scale)


def each_sheet_quad(
    grey: Grey, settings: RegistrationSettings, likely: Callable[[Floats], bool]
) -> Iterator[Floats]:
    """Yield the same one by one, some of them twice, and only those that are `likely` by their rough corners.

    Nearly all of the work is in making the corners sharp.
    """
    quads, scale = _rough_sheets(grey, settings)
    for _, contour, quad in sorted(quads, key=lambda rough: -rough[0]):
        if likely((quad + 0.5) / scale):
            yield (_sharpened(contour, quad) + 0.5) / scale


def _rough_sheets(grey: Grey, settings: RegistrationSettings) -> tuple[list[_Rough], float]:
    small, scale = _reduced(grey, settings.working_side)
    smooth = cv2.GaussianBlur(small, (0, 0), 2)
    # Writing and printed lines are closed away; what is left are the sheet and the desk.
    side = max(9, round(0.02 * max(small.shape))) | 1
    smooth = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    level, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    quads: list[_Rough] = []
    for shift in (0, -0.15, 0.15):
        mask = (smooth > level + shift * level).astype(np.uint8) * 255
        quads += _quads_in(mask, settings)
    return quads, scale


_Rough = tuple[float, Floats, Floats]
"""A quadrilateral's area, the contour it was found in, its corners by and large."""


def _quads_in(mask: NDArray[Any], settings: RegistrationSettings) -> Iterator[_Rough]:
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    least = settings.least_area * mask.shape[0] * mask.shape[1]
    for contour in contours:
        if len(contour) < 40:
            continue
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        if area < least:
            continue
        quad = _quad_of(hull)
        if quad is None or abs(cv2.contourArea(quad.astype(np.float32)) / area - 1) > 0.12:
            continue
        yield area, contour.reshape(-1, 2).astype(np.float64), quad


def _quad_of(hull: NDArray[Any]) -> Floats | None:
    around = cv2.arcLength(hull, True)
    for part in (0.01, 0.015, 0.02, 0.03, 0.04, 0.06):
        corners = cv2.approxPolyDP(hull, part * around, True)
        if len(corners) == 4:
            return _clockwise(corners.reshape(4, 2).astype(np.float64))
        if len(corners) < 4:
            return None
    return None


def _sharpened(contour: Floats, quad: Floats) -> Floats:
    """Return the corners where straight lines through the contour's sides meet, where that is near."""
    lines = []
    for k in range(4):
        a, b = quad[k], quad[(k + 1) % 4]
        length = float(np.linalg.norm(b - a))
        along = (contour - a) @ (b - a) / length**2
        away = np.abs((contour - a) @ np.array([a[1] - b[1], b[0] - a[0]])) / length
        # Near the corners: a side may be bowed, and it is the corners that are sought.
        near = contour[(away < 0.02 * length + 2) & ((along > 0.02) & (along < 0.98))]
        if len(near) < 10:
            return quad
        vx, vy, x, y = cv2.fitLine(near.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        lines.append((np.array([x, y], np.float64), np.array([vx, vy], np.float64)))
    corners = []
    for k in range(4):
        (p, d), (q, e) = lines[k - 1], lines[k]
        system = np.column_stack([d, -e])
        if abs(np.linalg.det(system)) < 0.1:
            return quad
        corners.append(p + d * np.linalg.solve(system, q - p)[0])
    sharp = np.array(corners)
    side = float(np.linalg.norm(quad[1] - quad[0]))
    return sharp if np.linalg.norm(sharp - quad, axis=1).max() < 0.05 * side else quad


def _distinct(quads: Iterable[tuple[float, Floats]], scale: float) -> list[Floats]:
    kept: list[Floats] = []
    for _, quad in sorted(quads, key=lambda pair: -pair[0]):
        side = float(np.linalg.norm(quad[1] - quad[0]))
        if all(np.linalg.norm(quad - other, axis=1).max() > 0.02 * side for other in kept):
            kept.append(quad)
    return [(quad + 0.5) / scale for quad in kept]


def _clockwise(quad: Floats) -> Floats:
    """Order four corners clockwise (y down) from the one nearest to the top left."""
    middle = quad.mean(axis=0)
    angles = np.arctan2(*(quad - middle).T[::-1])
    quad = quad[np.argsort(angles)]
    return np.roll(quad, -int(np.argmin(quad.sum(axis=1))), axis=0)


def _plausible(corners: Floats) -> bool:
    """Return whether four corners are a page seen by a camera: convex, not mirrored, not at grazing light."""
    if not np.isfinite(corners).all():
        return False
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(sides, axis=1)
    if lengths.min() < 8:
        return False
    following = np.roll(sides, -1, axis=0)
    sines = (sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]) / (lengths * np.roll(lengths, -1))
    opposite = lengths[[0, 1]] / lengths[[2, 3]]
    return bool((sines > 0.5).all() and (opposite > 0.4).all() and (opposite < 2.5).all())


def _at_the_border(quad: Floats, width: int, height: int) -> bool:
    slack = 0.006 * max(width, height) + 1
    x, y = quad.T
    return bool(
        (x < slack).any() or (y < slack).any() or (x > width - slack).any() or (y > height - slack).any()
    )


def _within(point: Floats, corners: Floats) -> bool:
    shape = corners.astype(np.float32).reshape(-1, 1, 2)
    return cv2.pointPolygonTest(shape, (float(point[0]), float(point[1])), False) >= 0


# --- marks and features -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Mark:
    centre: Floats
    side: float


def _solid_marks(grey: Grey, settings: RegistrationSettings) -> list[_Mark]:
    """Return solid dark squares and discs."""
    small, scale = _reduced(grey, 2 * settings.working_side)
    block = max(51, round(0.12 * max(small.shape))) | 1
    mask = cv2.adaptiveThreshold(small, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, 25)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    marks = []
    for contour in contours:
        if len(contour) < 16:
            continue
        _, (w, h), _ = cv2.minAreaRect(contour)
        area = cv2.contourArea(contour)
        if min(w, h) < 5 or max(w, h) > 2.2 * min(w, h) or area < 0.7 * w * h:
            continue
        x0, y0, w0, h0 = cv2.boundingRect(contour)
        own = np.zeros((h0, w0), np.uint8)
        cv2.drawContours(own, [contour], -1, 255, cv2.FILLED, offset=(-x0, -y0))
        solid = cv2.bitwise_and(mask[y0 : y0 + h0, x0 : x0 + w0], own)
        if cv2.countNonZero(solid) < 0.95 * cv2.countNonZero(own):
            continue  # a ring, a zero, a box
        moments = cv2.moments(contour)
        centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
        marks.append(_Mark((centre + 0.5) / scale, float(np.sqrt(w * h)) / scale))
    return sorted(marks, key=lambda m: -m.side)[:40]


def _quads_of_marks(marks: Sequence[_Mark], due: float) -> Iterator[Floats]:
    """Yield quadrilaterals of marks whose size suits their distance (`due`: side by the upper distance)."""
    found = []
    for four in itertools.combinations(marks, 4):
        sides = np.array([m.side for m in four])
        if sides.max() > 2 * sides.min():
            continue
        quad = _clockwise(np.array([m.centre for m in four]))
        spans = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
        misfit = float(np.log(np.median(sides) / spans / due).min())
        if not _plausible(quad) or abs(misfit) > np.log(2.2):
            continue
        # The sides of a page opposite one another are seen about as long.
        uneven = float(np.abs(np.log(spans[:2] / spans[2:])).max())
        found.append((abs(misfit) + uneven, quad))
    found.sort(key=lambda pair: pair[0])
    yield from (quad for _, quad in found[:30])


def _detect_aruco(grey: Grey, dictionary: str) -> tuple[list[Floats], list[int]]:
    """Return the corners (4×2, pixels) and the numbers of the ArUco marks in a picture."""
    aruco: Any = getattr(cv2, "aruco", None)
    if aruco is None:
        raise RegistrationError(
            "this OpenCV finds no ArUco marks; install opencv-python-headless 4.7 or later, or Debian's "
            "python3-opencv"
        )
    name = "DICT_ARUCO_ORIGINAL" if dictionary == "original" else f"DICT_{dictionary.upper()}"
    words = aruco.getPredefinedDictionary(getattr(aruco, name))
    if hasattr(aruco, "ArucoDetector"):  # OpenCV 4.7 and later
        parameters = aruco.DetectorParameters()
        parameters.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
        corners, numbers, _ = aruco.ArucoDetector(words, parameters).detectMarkers(grey)
    else:
        parameters = aruco.DetectorParameters_create()
        parameters.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
        corners, numbers, _ = aruco.detectMarkers(grey, words, parameters=parameters)
    if numbers is None:
        return [], []
    # A pixel's centre is at its index here, and half a pixel further in ours.
    return [np.asarray(c, np.float64).reshape(4, 2) + 0.5 for c in corners], [int(n) for n in numbers.ravel()]


class _Features:
    """ORB features of a picture; places in fractions of it for a reference, see `_match`."""

    def __init__(self, grey: Grey, settings: RegistrationSettings) -> None:
        small, scale = _reduced(grey, _FEATURE_SIDE)
        orb = cv2.ORB_create(settings.features, fastThreshold=7)  # type: ignore[attr-defined]
        points, descriptors = orb.detectAndCompute(small, None)
        self.places = (np.array([p.pt for p in points], np.float64).reshape(-1, 2) + 0.5) / scale
        self.descriptors = descriptors
        self.size = np.array(grey.shape[::-1], np.float64)

    def without(self, gone: NDArray[np.bool_]) -> _Features:
        """Return the features that are not marked."""
        rest = object.__new__(_Features)
        rest.places, rest.size = self.places[~gone], self.size
        rest.descriptors = None if self.descriptors is None else self.descriptors[~gone]
        return rest


def _match(
    reference: _Features, picture: _Features, settings: RegistrationSettings, ratio: float
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """Return the homography from fractions of the reference to the picture, and which features lie in it."""
    if reference.descriptors is None or picture.descriptors is None or len(picture.places) < 4:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(reference.descriptors, picture.descriptors, k=2)
    # One to one: many features matched to one point would agree on a page shrunk to that point.
    best: dict[int, Any] = {}
    for pair in pairs:
        if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance:
            rival = best.get(pair[0].trainIdx)
            if rival is None or pair[0].distance < rival.distance:
                best[pair[0].trainIdx] = pair[0]
    good = list(best.values())
    if len(good) < settings.least_inliers:
        return None
    own = np.array([reference.places[m.queryIdx] / reference.size for m in good])
    seen = np.array([picture.places[m.trainIdx] for m in good])
    limit = 0.004 * float(picture.size.max())
    cv2.setRNGSeed(0)  # RANSAC draws from OpenCV's own generator
    found, inliers = cv2.findHomography(own, seen, cv2.RANSAC, limit, maxIters=5000, confidence=0.999)
    if found is None or int(inliers.sum()) < settings.least_inliers:
        return None
    matrix = np.asarray(found, np.float64)
    fitting = own[inliers.ravel() > 0]
    spread = cv2.contourArea(cv2.convexHull(fitting.astype(np.float32)))
    if spread < 0.12:
        return None  # a letterhead alone, as on every form of the house
    corners = project(matrix, _UNIT)
    if not _plausible(corners):
        return None
    inside = np.array([_within(p, corners) for p in picture.places], bool)
    return matrix, inside


def _turned_by(matrix: Floats) -> int:
    corners = project(matrix, _UNIT)
    angle = np.degrees(np.arctan2(*(corners[1] - corners[0])[::-1]))
    return int(round(angle / 90) * 90) % 360


# --- geometry -----------------------------------------------------------------------------------------


def homography(own: Floats, seen: Floats) -> Floats:
    matrix, _ = cv2.findHomography(np.asarray(own, np.float64), np.asarray(seen, np.float64), 0)
    if matrix is None:
        raise RegistrationError("what was found has no shape a page can have; hold the camera above the page")
    return np.asarray(matrix, np.float64)


def project(matrix: Floats, points: Floats) -> Floats:
    lifted = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    depth = lifted[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.abs(depth) < 1e-12, np.nan, lifted[:, :2] / depth), np.float64)
