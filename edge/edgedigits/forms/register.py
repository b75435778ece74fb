"""Where a form's page is in a picture, and the proof that it is there.

Each way of finding a page proposes homographies, from fractions of the page to pixels of the picture. None
is believed: what counts is whether the lines that the form says are printed are found where it would have
them. The lines then also correct it, for a sheet that is not quite flat, by a smooth displacement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import RegistrationError, SeveralPagesError
from edgedigits.forms.features import Features, match
from edgedigits.forms.layout import ArucoMarks, CornerMarks, Form, Frame, Reference, Sheet
from edgedigits.forms.marks import detect_aruco, quads_of_marks, solid_marks
from edgedigits.forms.printed_lines import (
    PrintedLines,
    PrintedLineSettings,
    Segment,
    basis_of,
    bend_sum,
    printed_segments,
)
from edgedigits.geometry import (
    UNIT_SQUARE,
    Floats,
    at_the_border,
    homography,
    plausible,
    project,
    quarter_turns,
    to_quarter_turns,
    within,
)
from edgedigits.ink import to_grey
from edgedigits.sheet.quads import QuadSettings, frame_quads, sheet_quads

Grey = NDArray[np.uint8]

_SMALLEST = 16
"""A picture of fewer pixels a side is none of a form."""


@dataclass(frozen=True)
class RegistrationSettings:
    """What is believed."""

    quads: QuadSettings = field(default_factory=QuadSettings)
    """Where frames and sheets are looked for."""
    lines: PrintedLineSettings = field(default_factory=PrintedLineSettings)
    """When a printed line is found."""
    most_candidates: int = 12
    """So many quadrilaterals of a kind are tried."""
    least_lines: float = 0.75
    """Part of the printed lines that must be found. 0…1."""
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

    @property
    def strain(self) -> float:
        """How far the bend takes a point of the page at most, in fractions of the page."""
        points = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 2), axis=-1).reshape(-1, 2)
        bent = basis_of(points, len(self.bend)) @ self.bend
        return float(np.linalg.norm(bent, axis=1).max())

    @property
    def credit(self) -> float:
        """The part of the printed lines that were found, less what the page had to be bent for."""
        return (self.lines_found or 0.0) - self.strain

    def to_picture(self, points: Floats) -> Floats:
        """Take fractions of the page (…×2) to pixels of the picture."""
        points = np.asarray(points, np.float64)
        flat = points.reshape(-1, 2)
        return project(self.matrix, flat + basis_of(flat, len(self.bend)) @ self.bend).reshape(points.shape)


def register(
    image: NDArray[np.uint8], form: Form, settings: RegistrationSettings = RegistrationSettings()
) -> Registration:
    """Find a form's page in a picture as a `Registrar` does; for more than one picture make a `Registrar`."""
    return Registrar(form, settings).find(image)


class Registrar:
    """Finds a form's page in pictures."""

    def __init__(self, form: Form, settings: RegistrationSettings = RegistrationSettings()) -> None:
        """Keep what is the same in every picture."""
        self.form, self.settings = form, settings
        self.segments = printed_segments(form, settings.lines)
        """What the form says is printed."""
        self.symmetry = _symmetry(self.segments)
        """How many quarter turns of the page its printed lines tell apart: 1, 2 or 4."""

    def find(self, image: NDArray[np.uint8], known: Registration | None = None) -> Registration:
        """Find the page in a picture (uint8, H×W or H×W×3 BGR, upright).

        Where a page is `known`, as from the same picture in another light, others are looked for beside it.

        Raises `RegistrationError`, one line without the picture's name, where the page is not found, is cut
        off, or where what was found is not this form, and `SeveralPagesError` where it is there twice.
        """
        grey = to_grey(image)
        if min(grey.shape) < _SMALLEST:
            raise RegistrationError(
                f"the picture is only {grey.shape[1]}×{grey.shape[0]} pixels; take a larger one"
            )
        return _Search(self, grey, known).find()

    @cached_property
    def reference(self) -> Features:
        """The features of the form's reference picture; raises `RegistrationError` where it can't be read."""
        assert isinstance(self.form.finder, Reference)
        picture = self.form.finder.picture
        grey = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise RegistrationError(f"the reference {picture.name} can't be read; save it as PNG or JPEG")
        return Features(np.asarray(grey, np.uint8), self.settings.features)


class _Search:
    """The search for a form's page in one picture."""

    def __init__(self, registrar: Registrar, grey: Grey, known: Registration | None) -> None:
        self.form, self.settings = registrar.form, registrar.settings
        self.registrar, self.grey, self.known = registrar, grey, known
        self.height, self.width = grey.shape
        size = self.form.size
        self.ratio = self.width / self.height if size is None else size[0] / size[1]

    def find(self) -> Registration:
        finder = self.form.finder
        if isinstance(finder, Frame):
            return self._by_frame(finder)
        if isinstance(finder, Sheet):
            return self._by_sheet()
        if isinstance(finder, CornerMarks):
            return self._by_corner_marks(finder)
        if self.known is not None:
            return self.known  # these ways see more than one in any light
        if isinstance(finder, ArucoMarks):
            return self._by_aruco(finder)
        if isinstance(finder, Reference):
            return self._by_reference()
        whole = UNIT_SQUARE * [self.width, self.height]
        return self._prove(homography(UNIT_SQUARE, whole), "none", 0)

    # --- ways of finding ----------------------------------------------------------------------------------

    def _by_frame(self, finder: Frame) -> Registration:
        x, y, w, h = finder.box
        quads = frame_quads(self.grey, self.settings.quads)[: self.settings.most_candidates]
        nothing = (
            f"no printed frame found; photograph the whole page of form '{self.form.name}', in focus, on a "
            "plain background"
        )
        return self._the_one(quads, UNIT_SQUARE * [w, h] + [x, y], "frame", nothing)

    def _by_sheet(self) -> Registration:
        kinds = sheet_quads(self.grey, self.settings.quads)
        quads = [quad for kind in kinds for quad in kind[: self.settings.most_candidates]]
        nothing = (
            f"no sheet of paper found; photograph the whole page of form '{self.form.name}', in focus, on a "
            "darker background"
        )
        return self._the_one(quads, UNIT_SQUARE, "sheet", nothing)

    def _by_corner_marks(self, finder: CornerMarks) -> Registration:
        marks = solid_marks(self.grey)
        own = np.array(finder.centres)
        span = float(np.linalg.norm((own[1] - own[0]) * [self.ratio, 1]))
        due = finder.side * self.ratio / span  # the mark's side beside the distance of two
        nothing = (
            f"the four corner marks of form '{self.form.name}' were not found (marks that could be: "
            f"{len(marks)}); photograph the whole page, in focus"
        )
        return self._the_one(quads_of_marks(marks, due), own, "corners", nothing)

    def _the_one(self, quads: Sequence[Floats], own: Floats, by: str, nothing: str) -> Registration:
        """Return the one page that quadrilaterals (4×2, pixels) lead to; `own` is its like on the page.

        Raises `RegistrationError` where that are several or none; `nothing` says what is amiss if there is
        no quadrilateral at all.
        """
        reasons: list[str] = []
        proven = [] if self.known is None else [self.known]
        for quad in quads:
            same = next((p for p in proven if within(quad.mean(axis=0), p.corners)), None)
            if same is not None and (same is self.known or not _may_be_better(quad, same)):
                continue  # the same page once more, or a part of it
            # What touches the border is most likely the page cut off, whatever else is wrong.
            cut_off = by != "corners" and at_the_border(quad, self.width, self.height)
            attempts = []
            for turn in self._turns(quad, own):
                try:
                    matrix = homography(own, np.roll(quad, -turn, axis=0))
                    attempts.append(self._prove(matrix, by, 90 * turn))
                except RegistrationError as error:
                    reasons.append(_CUT_OFF if cut_off else str(error))
            if not attempts:
                continue
            best = _most_certain(attempts, self.registrar.symmetry)
            if same is None:
                proven.append(best)
            elif best.credit > same.credit:
                proven[proven.index(same)] = best
        if len(proven) > 1:
            raise self._several(len(proven))
        if not proven:
            raise RegistrationError(reasons[0] if reasons else nothing)
        return proven[0]

    def _several(self, count: int) -> SeveralPagesError:
        return SeveralPagesError(f"{count} pages of form '{self.form.name}'; photograph one at a time")

    def _turns(self, quad: Floats, own: Floats) -> Iterator[int]:
        """Yield the quarter turns in which a quadrilateral has roughly the frame's shape."""
        wide = np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])
        high = np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])
        due = self.ratio * (own[1, 0] - own[0, 0]) / (own[3, 1] - own[0, 1])
        for turn in range(self.registrar.symmetry):
            seen = wide / high if turn % 2 == 0 else high / wide
            if 1 / 1.9 < seen / due < 1.9:  # perspective shortens one side by so much at most
                yield turn

    def _by_aruco(self, finder: ArucoMarks) -> Registration:
        corners, numbers = detect_aruco(self.grey, finder.dictionary)
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
        return self._prove(matrix, "aruco", to_quarter_turns(first[1] - first[0]), certain=True)

    def _by_reference(self) -> Registration:
        least, most = self.settings.least_inliers, self.settings.features
        first = match(self.registrar.reference, Features(self.grey, most), least)
        if first is None:
            raise RegistrationError(
                f"the page does not look like the reference of form '{self.form.name}'; is it another form, "
                "cut off or out of focus?"
            )
        found = self._prove(first, "reference", quarter_turns(first), certain=True)
        # A picture has so many features and no more: a page in the light leaves few to one in the shadow.
        beside = np.full_like(self.grey, 255)
        cv2.fillConvexPoly(beside, found.corners.round().astype(np.int32), 0)
        # Fewer features will do to suspect a second one where its printed lines then tell.
        least = least // 2 if self.registrar.segments else least
        second = match(self.registrar.reference, Features(self.grey, most, beside), least)
        if second is None or within(project(second, np.array([[0.5, 0.5]]))[0], found.corners):
            return found
        try:
            self._prove(second, "reference", quarter_turns(second))
        except RegistrationError:
            return found
        raise self._several(2)

    # --- the proof ----------------------------------------------------------------------------------------

    def _prove(self, matrix: Floats, by: str, turned: int, certain: bool = False) -> Registration:
        """Return the registration that a homography leads to; raises `RegistrationError` if it is none."""
        corners = project(matrix, UNIT_SQUARE)
        if not plausible(corners):
            raise RegistrationError(
                "what was found has no shape a page can have; hold the camera above the page"
            )
        if by != "none":
            self._check_extent(corners, matrix)
        bend = np.zeros((1, 2))
        found, width = None, 0.0
        if self.registrar.segments:
            # The nearer the lines are to where they are sought, the less else is taken for them.
            for reach in (1.0, 0.6, 0.3, 0.3):
                lines = self._lines(matrix, bend, reach)
                found, width, bend = lines.found, lines.width, bend_sum(bend, lines.bend)
                settled = reach == 0.3 and np.abs(lines.bend).sum() < _SETTLED
                if found < 0.4 * self.settings.least_lines or settled:
                    break
            if found is not None and found < self.settings.least_lines:
                raise RegistrationError(
                    f"not form '{self.form.name}': {found:.0%} of its printed lines are where they belong; "
                    "photograph the right form, flat and in focus"
                )
        registration = Registration(by, matrix, bend, corners, found, turned, certain, width)
        corners = registration.to_picture(UNIT_SQUARE)
        return Registration(by, matrix, bend, corners, found, turned, certain, width)

    def _lines(self, matrix: Floats, bend: Floats, reach: float) -> PrintedLines:
        segments, settings = self.registrar.segments, self.settings.lines
        return PrintedLines(self.grey, segments, self.ratio, matrix, bend, reach, settings)

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


_SETTLED = 0.0005
"""Where the bend has changed by no more than this, lines are where they are. In fractions of the page."""

_MOST_STRAIN = 0.015
"""A page whose lines lie farther from where its corners have them is bent, or its corners are something
else's, as the sheet's where the frame is printed near to its edges. In fractions of the page."""


def _may_be_better(quad: Floats, proven: Registration) -> bool:
    """Return whether a quadrilateral may be the page's where one around the same place proved to be it."""
    if proven.strain <= _MOST_STRAIN:
        return False
    own, other = (cv2.contourArea(points.astype(np.float32)) for points in (quad, proven.corners))
    return own > 0.5 * other


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
