"""What stands around a line and beside its digits, and what that says of them.

The network judges a glyph by itself. That it stands among much that is no digit, as on a printed page, a
photograph or a page of specks, is for the rules here to weigh.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode.line import RejectRule, with_odds
from edgedigits.decode.signs import without_signs
from edgedigits.page import Box, Line, digit_height

_REACH = 6.0
_MOST_REFUSED = 12.0
_SHARPNESS = 4
"""Chosen on pages of specks (`bench_junk.py`): with 3, five times as many of them are taken for digits (25 in
place of 5), and of the samples and 150 of the tuning part's cheque amounts no line more is accepted."""


def weigh_surroundings(
    lines: Sequence[Line], rule: RejectRule, refused: Sequence[Box] = ()
) -> tuple[Line, ...]:
    """Return lines with their confidences lowered where they stand among what is no digit, or are bars.

    What surrounds a line tells how likely a digit is there before the network is asked: with n digits of its
    own and r rejected or doubtful ones of other lines within 6 heights of it, the odds of the line are
    multiplied by (n / (n + r))⁴. (Saerens, Latinne and Decaestecker 2002 shift a classifier's priors so; the
    power is for what stands around a digit being of one kind.) A glyph smaller than the line's counts by the
    share of its area, and r is never more than 12: a long number, surely read, is accepted in the midst of
    print. All lines are weighed, accepted or not: which of two is the surer one does not depend on the
    threshold.

    `refused` are glyphs that were rejected where another way of reading then found text; they count for the
    lines around, and not for the one they stand in. Nor does what is a sign by where it stands in its line (a
    slash, a bracket, a plus) say of the lines around it that they are none: its digit is rejected in the end.
    """
    weighed = _among_rejected(lines, rule, refused)
    return tuple(without_signs(line, rule) for line in weighed)


def _among_rejected(lines: Sequence[Line], rule: RejectRule, refused: Sequence[Box]) -> tuple[Line, ...]:
    lines = tuple(with_odds(line, _BARS, rule, "surroundings") if _are_bars(line) else line for line in lines)
    rejected = [(line.digits[place].box, k) for k, line in enumerate(lines) for place in line.unsure]
    known = {box for box, _ in rejected}
    rejected += [(box, _NOBODYS) for box in refused if box not in known]
    if not rejected:
        return lines
    boxes = np.array([box for box, _ in rejected], np.float64)
    owners = np.array([owner for _, owner in rejected])
    return tuple(
        _weighed(line, boxes[_of_others(k, line, boxes, owners)], rule) for k, line in enumerate(lines)
    )


_NOBODYS = -1


def _of_others(
    number: int, line: Line, boxes: NDArray[np.float64], owners: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return which boxes are those of other lines, or nobody's with their middle outside the line."""
    left, top, width, height = line.box
    x, y, w, h = boxes.T
    inside = (np.abs(x + w / 2 - left - width / 2) <= width / 2) & (
        np.abs(y + h / 2 - top - height / 2) <= height / 2
    )
    return np.where(owners == _NOBODYS, ~inside, owners != number)


_BARS = 1e-4


def _are_bars(line: Line) -> bool:
    """Return whether a line is a barcode: six 1s or more, as even in height as no hand writes them."""
    if len(line.digits) < 6 or line.text.strip("1"):
        return False
    heights = [digit.box[3] for digit in line.digits]
    return max(heights) - min(heights) <= 1 + 0.02 * max(heights)


def _weighed(line: Line, rejected: NDArray[np.float64], rule: RejectRule) -> Line:
    """Return a line with its odds lowered for rejected glyphs: their boxes, N×4."""
    left, top, width, height = line.box
    tall = digit_height(line)
    x, y, w, h = rejected.T
    apart_x = np.maximum(x - (left + width), left - (x + w))
    apart_y = np.maximum(y - (top + height), top - (y + h))
    near = np.maximum(apart_x, apart_y) <= _REACH * tall
    if not near.any():
        return line
    refused = min(_MOST_REFUSED, float((np.minimum(1.0, h[near] / tall) ** 2).sum()))
    count = len(line.digits)
    return with_odds(line, (count / (count + refused)) ** _SHARPNESS, rule, "surroundings")
