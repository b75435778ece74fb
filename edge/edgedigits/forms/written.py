"""What is wrong with a line of writing as a field's one number, whatever its digits are read as."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

from edgedigits.decode import RejectRule
from edgedigits.page import Box, Digit, Line

_WIDE_GAP = 1.3
"""Digits farther apart than this, in heights of theirs, and three times as far as any others of the number,
are of two numbers."""

_WIDEST_GAP = 2.0
"""So far apart are two digits of which each is a number."""

_DASH = 0.2
"""A dash is at least as long as this part of the digits' height."""


def is_none(digit: Digit, rule: RejectRule) -> bool:
    """Return whether the reader took a digit for none, or for a drawing, and was not only unsure which it is.

    It was sure enough and yet rejected, or all that was guessed leaves more than the best guess has.
    """
    left = 1.0 - sum(chance for _, chance in digit.alternatives)
    return digit.rejected and (digit.confidence >= rule.min_digit_confidence or digit.confidence < left)


def dash_trouble(line: Line, pieces: Sequence[Box]) -> str | None:
    """Return what is wrong with the dashes before and behind a number; None where nothing is.

    `pieces` are the boxes of the ink, x, y, width, height in pixels. A way of reading may have taken a dash
    for a part of the first digit.
    """
    places = [place for place, sign in enumerate(line.raw) if sign in line.text]
    before, behind = line.raw[: places[0]], line.raw[places[-1] + 1 :]
    tall = float(np.median([digit.box[3] for digit in line.digits]))
    top = min(digit.box[1] for digit in line.digits)
    large = [piece for piece in pieces if max(piece[2:]) >= _DASH * tall]
    ends = [min(large), max(large, key=lambda p: p[0] + p[2])] if large else []
    seen = [_is_dash(piece, large, top, tall) for piece in ends] or [False, False]
    minus, closed = seen[0] or "-" in before, seen[1] or "-" in behind or "=" in behind
    # With one behind it, too, it is there to protect the number.
    if minus and not closed:
        return "a minus sign stands before the number; a field holds none below 0"
    # What is left of a digit that runs over the box's side may look like one.
    if not minus and behind[:1] in ("-", "=") and "=" not in before:
        return f"a '{behind[0]}' stands behind the number"
    return None


def _is_dash(piece: Box, pieces: Sequence[Box], top: float, tall: float) -> bool:
    """Return whether a piece of ink is a dash beside digits that are so tall and begin at `top`.

    It is flat and half way up, and none of the others is above or below it.
    """
    x, y, w, h = piece
    level = (y + h / 2 - top) / tall
    alone = all(p == piece or p[0] >= x + w - 0.25 * w or p[0] + p[2] <= x + 0.25 * w for p in pieces)
    return w >= 1.5 * h and w <= 1.2 * tall and h <= 0.35 * tall and 0.25 <= level <= 0.8 and alone


def is_in_two(line: Line) -> bool:
    """Return whether the digits of a line stand in two groups so far apart that they are two numbers.

    A gap is that wide beside the digits' height and beside the other gaps; a separator may stand in it.
    """
    boxes = [digit.box for digit in line.digits]
    gaps = [b[0] - a[0] - a[2] for a, b in itertools.pairwise(boxes)]
    if not gaps:
        return False
    high = float(np.median([box[3] for box in boxes]))
    widest = int(np.argmax(gaps))
    others = gaps[:widest] + gaps[widest + 1 :]
    least = _WIDE_GAP * high if others else _WIDEST_GAP * high
    if gaps[widest] < max(least, 3 * max(0.0, *others) if others else 0):
        return False
    # What stands between them: separators alone lie between two digits, or letters, of `raw`.
    between = re.split(f"[{re.escape(line.text)}]", line.raw)[1:-1]
    return not between[widest].strip()
