"""What a form says: where its fields are, what may stand in them, and how its page is found.

A `Form` is read from a file by `form_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgedigits.forms.checks import Rule

Box = tuple[float, float, float, float]
"""x, y, width, height in fractions of the page: 0…1, x to the right, y down."""
Point = tuple[float, float]

Style = Literal["comb", "free"]
Printed = Literal["boxes", "box", "line", "none"]
Unit = Literal["mm", "fraction"]

STYLES: tuple[Style, ...] = ("comb", "free")
PRINTED: tuple[Printed, ...] = ("boxes", "box", "line", "none")
UNITS: tuple[Unit, ...] = ("mm", "fraction")
MOST_DIGITS = 40
"""No field has more."""


@dataclass(frozen=True)
class Field:
    """One field: where it is, what may stand in it, what its number must satisfy."""

    name: str
    box: Box
    digits: tuple[int, int]
    """Fewest and most digits, both ≥ 1."""
    style: Style
    """`comb`: a cell for each digit. `free`: a line of writing."""
    cells: int
    """Cells of a comb, side by side and of one width; 1 for a free field."""
    gap: float
    """What lies between two cells of a comb, in fractions of the page's width; 0 where they share a line."""
    printed: Printed
    """What is printed around it: a box around every cell, one around the field, a base line, nothing."""
    required: bool
    """Whether a blank field is an error."""
    decimal: str | None
    """The decimal separator as it is written (`.` or `,`); None where none is."""
    decimals: int | None
    """Digits after the separator; without a separator, so many of the last digits are decimals."""
    least_height: float
    """Writing lower than this part of the field's height is no digit. 0…1."""
    notes: bool
    """Whether small writing in a corner of a cell is a note to be passed over, as in a sudoku."""
    rules: tuple[Rule, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether leading zeros mean nothing: a number, and not a code."""
        in_range = any(rule.kind == "range" for rule in self.rules)
        return self.decimal is not None or self.decimals is not None or in_range


@dataclass(frozen=True)
class WholePicture:
    """The picture is the page, as a strip cut from a cheque is."""

    name: str = "none"


@dataclass(frozen=True)
class Frame:
    """The page is found by a printed frame: the largest quadrilateral of lines that proves to be it."""

    box: Box
    name: str = "frame"


@dataclass(frozen=True)
class Sheet:
    """The page is found by its own edges: light paper on a darker desk."""

    name: str = "sheet"


@dataclass(frozen=True)
class CornerMarks:
    """The page is found by four solid dark marks, squares or discs.

    `centres` are those of the marks at top left, top right, bottom right, bottom left, in fractions of the
    page; `side` is that of a mark (the diameter of a disc) in fractions of the page's width.
    """

    centres: tuple[Point, Point, Point, Point]
    side: float
    name: str = "corners"


@dataclass(frozen=True)
class ArucoMarks:
    """The page is found by ArUco marks of a dictionary of OpenCV's, such as `4x4_50`.

    `corners` gives for each mark's number its four corners in fractions of the page: top left, top right,
    bottom right, bottom left of the upright mark.
    """

    dictionary: str
    corners: Mapping[int, tuple[Point, Point, Point, Point]]
    name: str = "aruco"


@dataclass(frozen=True)
class Reference:
    """The page is found by the features it shares with a picture of the blank page, cut to the page."""

    picture: Path
    name: str = "reference"


Finder = WholePicture | Frame | Sheet | CornerMarks | ArucoMarks | Reference
FINDERS = ("frame", "sheet", "corners", "aruco", "reference", "none")


@dataclass(frozen=True)
class Form:
    """A form: its page and its fields.

    `size` is the page's width and height in millimetres (or, with the `unit` "fraction", in any unit: only
    their ratio counts then); None, where the picture is the page, leaves the ratio to the picture.
    """

    name: str
    title: str
    size: tuple[float, float] | None
    finder: Finder
    fields: tuple[Field, ...]
    printed: tuple[Box, ...] = ()
    """Boxes, or horizontal lines (of height 0), that are printed beside the fields' own: they help to find
    the page and to prove that it is this one."""
    unit: Unit = "mm"
    """What `size` is in."""

    def cell_boxes(self, field: Field) -> list[Box]:
        """Return the boxes of a field's cells from left to right; of a free field, its own."""
        x, y, w, h = field.box
        wide = (w - (field.cells - 1) * field.gap) / field.cells
        return [(x + k * (wide + field.gap), y, wide, h) for k in range(field.cells)]
