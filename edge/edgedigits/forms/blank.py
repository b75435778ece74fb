"""A form → its blank page, to be printed at its true size and filled in.

Drawn is what the form says is printed, and no more than that but the names of its fields, small, where they
stand clear of everything: a name is lower than any digit that counts, and is no writing.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import FormError
from edgedigits.forms.layout import ArucoMarks, Box, CornerMarks, Form, Frame, Reference
from edgedigits.forms.marks import draw_aruco

Grey = NDArray[np.uint8]

_MARGIN = 5.0
"""So much paper is left around a frame or a mark, in millimetres: printers don't print to the edge, and marks
are told from what is white around them."""
_FRAME, _LINE = 0.6, 0.3
"""Widths of the frame and of all other lines, in millimetres."""
_LABEL = 2.0
"""Height of a field's name, in millimetres, at most …"""
_LABEL_PART = 0.2
"""… this part of the lowest field's height: by what is so low no digit is measured …"""
_LEAST_LABEL, _LEAST_PIXELS = 1.0, 7
"""… and at least this, in millimetres and in pixels: a lower one can't be read and is left out."""
_APART = 0.15
"""A name is so far from every field, in the field's heights, and at least a millimetre."""
_LEAST, _MOST = 5.0, 100_000_000
"""Shortest side of a page in millimetres, and most pixels of one."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
INCH = 25.4
"""In millimetres."""


@dataclass(frozen=True)
class Paper:
    """What a form is printed on: the page's `width` and `height` and the `margin` around it, millimetres."""

    width: float
    height: float
    margin: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the whole, in millimetres."""
        return self.width + 2 * self.margin, self.height + 2 * self.margin

    def pixels(self, dpi: float) -> tuple[int, int]:
        """Return width and height of the whole in pixels."""
        wide, high = (max(1, round(side * dpi / INCH)) for side in self.size)
        return wide, high


def paper_for(form: Form, width: float | None = None) -> Paper:
    """Return the paper for a form; `width` is the page's in millimetres, where the form has only a ratio.

    The page itself, and some paper around it where a frame or a mark lies at its edge.

    Raises `FormError`, one line without the form's name, where the page's size is not known, known twice, or
    no paper's.
    """
    if form.size is None:
        raise FormError(
            "the picture is the page, of any size, so there is no page to print; give its file a 'size'"
        )
    wide, high = form.size
    if form.unit == "mm" and width is not None:
        raise FormError(f"its page is {wide:g} mm wide; leave --width out, or change 'size' in its file")
    if form.unit == "fraction":
        if width is None:
            raise FormError("its file says nothing of millimetres; give the page's width with --width MM")
        wide, high = width, width * high / wide
    if min(wide, high) < _LEAST:
        raise FormError(f"the page is {wide:g} × {high:g} mm; print one of {_LEAST:g} mm or more a side")
    boxes: list[Box] = []
    if isinstance(form.finder, Frame):
        boxes = [form.finder.box]
    elif isinstance(form.finder, CornerMarks):
        boxes = [_mark_box(centre, form.finder.side, wide / high) for centre in form.finder.centres]
    elif isinstance(form.finder, ArucoMarks):
        boxes = [(*c[0], c[2][0] - c[0][0], c[2][1] - c[0][1]) for c in form.finder.corners.values()]
    # Not to a hair: 5 mm are 5 mm whatever a fraction of the page makes of them.
    left = [
        room for x, y, w, h in boxes for room in (x * wide, (1 - x - w) * wide, y * high, (1 - y - h) * high)
    ]
    return Paper(wide, high, max(0.0, round(_MARGIN - min(left, default=_MARGIN), 3)))


def draw_blank(form: Form, paper: Paper, dpi: int, reference: Grey | None = None) -> Grey:
    """Return the blank page of a form on its paper: uint8, H×W, 0 black … 255 white.

    `dpi` is pixels per inch; `reference` is the form's picture of the blank page (uint8, H×W), where it has
    one: that is the page then, and nothing is drawn on it.

    Raises `FormError`, one line without the form's name, where that would be more than 100 million pixels,
    or where the reference is missing, and `RegistrationError` where this OpenCV knows no ArUco marks.
    """
    wide, high = paper.pixels(dpi)
    if wide * high > _MOST:
        size, millions = f"{paper.size[0]:g} × {paper.size[1]:g} mm at {dpi} dpi", wide * high / 1e6
        raise FormError(
            f"{size} are {millions:.0f} million pixels, more than {_MOST / 1e6:.0f}; choose a lower --dpi"
        )
    if isinstance(form.finder, Reference):
        if reference is None:
            raise FormError(f"the reference {form.finder.picture.name} can't be read; save it as PNG or JPEG")
        smaller = wide < reference.shape[1]
        way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(reference, (wide, high), interpolation=way), np.uint8)
    drawing = _Drawing(form, paper, dpi)
    drawing.print_all()
    drawing.name_fields()
    return drawing.page


def _mark_box(centre: tuple[float, float], side: float, ratio: float) -> Box:
    """Return a square mark's box; `side` is in fractions of the page's width, `ratio` width over height."""
    return centre[0] - side / 2, centre[1] - side * ratio / 2, side, side * ratio


class _Drawing:
    """A page that is being drawn."""

    def __init__(self, form: Form, paper: Paper, dpi: int) -> None:
        self._form, self._paper = form, paper
        wide, high = paper.pixels(dpi)
        self.page: Grey = np.full((high, wide), 255, np.uint8)
        # Each way has its own: the whole is a whole number of pixels.
        self._across, self._down = wide / paper.size[0], high / paper.size[1]

    def print_all(self) -> None:
        form, finder = self._form, self._form.finder
        if isinstance(finder, Frame):
            self._box(finder.box, _FRAME)
        elif isinstance(finder, CornerMarks):
            for centre in finder.centres:
                box = _mark_box(centre, finder.side, self._paper.width / self._paper.height)
                self.page[self._area(box)] = 0
        elif isinstance(finder, ArucoMarks):
            for number, corners in finder.corners.items():
                (x, y), (right, bottom) = corners[0], corners[2]
                place = self.page[self._area((x, y, right - x, bottom - y))]
                place[:] = draw_aruco(finder.dictionary, number, place.shape[1], place.shape[0])
        for box in form.printed:
            self._box(box, _LINE)
        for field in form.fields:
            if field.printed == "line":
                x, y, w, h = field.box
                self._box((x, y + h, w, 0.0), _LINE)
            elif field.printed != "none":
                for box in form.cell_boxes(field) if field.printed == "boxes" else [field.box]:
                    self._box(box, _LINE)

    def name_fields(self) -> None:
        """Write the names of the fields above them, or left of them, where there is room for them."""
        heights = [field.box[3] * self._paper.height for field in self._form.fields]
        high = min(_LABEL, _LABEL_PART * min(heights))
        if high < _LEAST_LABEL or high * self._down < _LEAST_PIXELS:
            return
        taken = (self.page < 255).astype(np.uint8)
        for field in self._form.fields:
            taken[self._area(field.box)] = 1
        scale = high * self._down / cv2.getTextSize("0", _FONT, 1.0, 1)[0][1]
        weight = max(1, round(high * self._down / 9))
        # All stand on one line, with a tail below it or without.
        (_, h), below = cv2.getTextSize("bq", _FONT, scale, weight)
        h, below = h + weight, below + weight
        for field, height in zip(self._form.fields, heights, strict=True):
            # The stroke font has no other letters; an accent is worth less than its letter.
            letters = unicodedata.normalize("NFKD", field.name)
            letters = "".join(c for c in letters if not unicodedata.combining(c))
            text = letters.encode("ascii", "replace").decode()
            (w, _), _ = cv2.getTextSize(text, _FONT, scale, weight)
            apart = max(1.0, _APART * height)
            dx, dy = round(apart * self._across), round(apart * self._down)
            line = round(_LINE * self._across) + 1  # half of its own is outside of a field
            rows, columns = self._area(field.box)
            for x, y in (
                (columns.start, rows.start - line - dy - below - h),
                (columns.start - line - dx - w, (rows.start + rows.stop - h - below) // 2),
            ):
                # As far from everything else as from its own field.
                top, left = y - dy, x - dx
                around = np.s_[max(0, top) : y + h + below + dy, max(0, left) : x + w + dx]
                if top < 0 or left < 0 or x + w + dx > self.page.shape[1] or taken[around].any():
                    continue
                cv2.putText(self.page, text, (x, y + h), _FONT, scale, 0, weight, cv2.LINE_AA)
                taken[y : y + h + below, x : x + w] = 1
                break

    def _area(self, box: Box) -> tuple[slice, slice]:
        """Return the rows and columns of a box, one of each at least."""
        (top, left), (bottom, right) = (
            self._pixels(box[0], box[1]),
            self._pixels(box[0] + box[2], box[1] + box[3]),
        )
        most = self.page.shape
        top, left = min(max(0, round(top)), most[0] - 1), min(max(0, round(left)), most[1] - 1)
        return slice(top, max(top + 1, round(bottom))), slice(left, max(left + 1, round(right)))

    def _pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return the row and the column of a point of the page."""
        margin = self._paper.margin
        return (y * self._paper.height + margin) * self._down, (x * self._paper.width + margin) * self._across

    def _box(self, box: Box, width: float) -> None:
        """Draw a box, or where its height is 0 a line; its lines are `width` mm wide, their middles on it."""
        x, y, w, h = box
        (top, left), (bottom, right) = self._pixels(x, y), self._pixels(x + w, y + h)
        thick = max(1, round(width * self._across))

        def run(start: float, end: float) -> slice:
            first, last = round(start - thick / 2), round(end - thick / 2) + thick
            return slice(max(0, first), max(0, last))

        for at in {top, bottom}:
            self.page[run(at, at), run(left, right)] = 0
        for at in (left, right) if h else ():
            self.page[run(top, bottom), run(at, at)] = 0
