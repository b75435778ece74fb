"""What hides parts of a picture: other sheets are painted over, and numbers that may go on there refused.

What is seen of a number that other paper lies on, or that light washes out, reads well, and is another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.decode.line import RejectRule, if_sure
from edgedigits.geometry import Floats, shared_area
from edgedigits.glyphs import TextLine
from edgedigits.glyphs.chains import onward
from edgedigits.ink import Ink
from edgedigits.page import Line, Reason, digit_height

_EDGE = 0.008
"""How far the edges of other sheets and their shadows reach, as a part of the picture's longer side."""
_COARSE = 100
"""Pixels that the longer side has where only the light matters, …"""
_SMOOTH = 6.0
"""… and how far what is seen tells of the light where nothing is (standard deviation), there."""
_FARTHEST = 30_000
"""OpenCV draws no farther."""


def painted_over(image: NDArray[np.uint8], hidden: Sequence[Floats]) -> NDArray[np.uint8]:
    """Return a picture (uint8, H×W grey or H×W×3 BGR) with the paper around in place of what is hidden.

    `hidden` are convex quadrilaterals, 4×2, in pixels of the picture. What lies along their edges goes, too.
    """
    height, width = image.shape[:2]
    seen = np.full((height, width), 255, np.uint8)
    edge = 2 * round(_EDGE * max(height, width)) + 1
    for quad in hidden:
        corners = np.rint(quad).clip(-_FARTHEST, _FARTHEST).astype(np.int32)
        cv2.fillConvexPoly(seen, corners, 0)
        cv2.polylines(seen, [corners], True, 0, edge)
    if seen.all() or not seen.any():
        return image
    step = max(1, max(height, width) // _COARSE)
    size = max(1, width // step), max(1, height // step)
    # Less what is hidden and divided by how much is seen, an average is that of what is seen.
    light, share = (
        cv2.GaussianBlur(
            cv2.resize(each, size, interpolation=cv2.INTER_AREA).astype(np.float32), (0, 0), _SMOOTH
        )
        for each in (cv2.bitwise_and(image, image, mask=seen), seen)
    )
    share = np.maximum(share if light.ndim == 2 else share[..., None], 1e-30)
    paint = (255 * light / share).clip(0, 255).astype(np.uint8)
    painted = cv2.resize(paint, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.copyTo(image, seen, painted), np.uint8)


_FAR = 1.0
"""A number may go on where other paper lies near (see `onward`), or a gap and so much away, in heights of its
digits, if something is seen in between: the next digit may be dropped for being cut. …"""
_REST = 0.01
"""This is what is seen of it at least, as a part of the square of their height. …"""
_ABOVE = 0.1
"""… Digits may be cut off where other paper lies as near above or below."""
_WHOLE = 1e-4
"""Hardly any such number is whole."""


def refuse_cut(
    lines: Sequence[Line],
    hidden: Sequence[Floats],
    rule: RejectRule,
    ink: Ink,
    across: tuple[float, float] = (1.0, 1.0),
    reason: Reason = "hidden",
) -> tuple[Line, ...]:
    """Return lines, those that may go on where something is hidden with their confidence lowered.

    `hidden` are convex polygons, N×2, clockwise, in pixels of the lines' boxes; `ink` is what the lines were
    found in, and `across` those pixels per working pixel, across and down. `reason` is why those are refused.
    """
    if not hidden:
        return tuple(lines)
    seen = (ink.mask > 0) & (ink.contrast >= ink.strong)
    return tuple(
        as_cut(line, rule, reason) if _may_go_on(line, hidden, seen, across) else line for line in lines
    )


def _may_go_on(
    line: Line, hidden: Sequence[Floats], seen: NDArray[np.bool_], across: tuple[float, float]
) -> bool:
    x, y, w, h = line.box
    tall = digit_height(line)
    near, gap = onward([(digit.box[0], digit.box[0] + digit.box[2]) for digit in line.digits], tall)
    dy = _ABOVE * tall
    if _is_hidden((x - near, y - dy, x + w + near, y + h + dy), hidden):
        return True
    far = max(0.0, gap) + _FAR * tall
    for left, right in ((x - far, x - 1), (x + w + 1, x + w + far)):
        if _is_hidden((left, y, right, y + h), hidden):
            columns, rows = (
                slice(*(round(max(0.0, end) / scale) for end in ends))
                for ends, scale in zip(((left, right), (y, y + h)), across, strict=True)
            )
            if np.count_nonzero(seen[rows, columns]) * across[0] * across[1] >= _REST * tall**2:
                return True
    return False


def _is_hidden(box: tuple[float, float, float, float], hidden: Sequence[Floats]) -> bool:
    """Return whether something is hidden of a box: left, top, right, bottom."""
    left, top, right, bottom = box
    around = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    return any(shared_area(around, quad) > 0 for quad in hidden)


def legible(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return which of the lines found on a desk are numbers: of more than one digit, most of them read.

    Coins and pens lie there, and shadows fall on it: for a single digit, and for 1s alone, these pass, too.
    """
    return tuple(
        line
        for line in lines
        if len(line.digits) > 1 and 2 * len(line.unsure) < len(line.digits) and set(line.text) != {"1"}
    )


def is_grain(lines: Sequence[TextLine]) -> bool:
    """Return whether what was found on a desk is its grain: a lot that hardly makes up lines of writing."""
    return len(lines) > _MANY and sum(len(line.glyphs) for line in lines) < _SPARSE * len(lines)


_MANY = 12
"""More lines than this are many; grain has fewer glyphs than …"""
_SPARSE = 2.0
"""… this in each, on average."""


def as_cut(line: Line, rule: RejectRule, reason: Reason) -> Line:
    """Return a line of which a part may be missing, for a reason, with its confidence lowered."""
    line = dataclasses.replace(line, confidence=_WHOLE * line.confidence)
    return if_sure(line, rule, reason)
