"""How the page of a form was flattened: how many pixels it has, and where a box of the form is in them."""

from __future__ import annotations

from dataclasses import dataclass

from edgedigits.forms.layout import Box


@dataclass(frozen=True)
class Flat:
    """A flattened page; lengths in pixels."""

    size: tuple[int, int]
    """Width and height of the page, without its margin."""
    margin: int
    """What of the picture is taken along on each side of it."""
    cell_height: float
    """The median of its cells'."""
    line_width: float
    """That of its printed lines."""

    @property
    def reach(self) -> int:
        """How far from where it should be a printed line is looked for."""
        return max(4, round(0.1 * self.cell_height + 0.6 * self.line_width))

    def pixels(self, box: Box) -> tuple[int, int, int, int]:
        """Return where a box of the page, in its fractions, is: left, top, right and bottom."""
        (w, h), m = self.size, self.margin
        x, y, bw, bh = box
        # At least one pixel of the page, however thin the box and near to the page's edge.
        left, top = min(round(x * w), w - 1) + m, min(round(y * h), h - 1) + m
        return left, top, max(left + 1, round((x + bw) * w) + m), max(top + 1, round((y + bh) * h) + m)
