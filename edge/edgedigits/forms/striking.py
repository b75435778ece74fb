"""What is struck out in a field: by a straight line through it or across the page, or blackened out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_UPRIGHT = np.ones((3, 1), np.uint8)

_STEEPEST = 0.7
"""Lines that strike out are looked for so steep: pixels down for each to the right …"""
_OFF = 3.2
"""… and in such steps that over its length no line is missed by more than half so many pixels."""

_FILLED = 0.6
"""A cell that is blackened out has less than this part of the light beside it: tints that are printed in one
have more."""
_PAPER = 80
"""No paper is left in it: so many in a hundred of its pixels are as dark."""
_SIDES = 3
"""On so many of its four sides, or more, it is bright beside it."""
_INSIDE, _BESIDE, _AS_WIDE = 0.2, 0.12, 0.3
"""The middle of a cell, which is looked at, is so far from its sides, what is beside it so far away and so
wide, in parts of its shorter side."""

_THIN, _STRAIGHT = 2.0, 0.05
"""Nearly all of a straight stroke is no farther from its middle, in pixels or heights of its field."""
_POINTS = 100
"""About so many of its pixels, or more, tell where it runs."""
_BAND, _ONWARD = 0.15, 1.2
"""So far beyond a stroke, in heights of its field, it is looked whether it goes on as a line …"""
_MOSTLY = 0.9
"""… which is so much of what is there on one side, or half as far on both."""


def is_struck(mask: NDArray[np.uint8], sides: tuple[int, int], height: int, cells: int, gap: int) -> bool:
    """Return whether a straight line is drawn through what is written in a field.

    `mask` is its ink (uint8, H×W, 0 or 1), which is changed; `sides` are the columns of its left and right
    side, `height` is its height in pixels, `cells` how many it has. Where a printed line was lifted out of a
    stroke, it may lack `gap` pixels.

    The line goes through most of the writing, is longer than the field is high, and in a comb longer than a
    cell is wide, as no stroke of a digit is, and is about half way up: what joins digits at their tops or
    feet is not.
    """
    left, right = sides
    # A stroke goes on where a printed line was lifted out of it. Where there is one such line alone, what
    # stands left of it and what stands right of it may only look like one.
    pitch = (right - left) / cells
    for k in range(1, cells if cells > 2 else 0):
        at = round(left + k * pitch)
        near = mask[:, max(0, at - 2 * gap) : at + 2 * gap]
        near[:] = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, 2 * gap), np.uint8))
    x, y, w, h = cv2.boundingRect(mask)
    length = round(max(height, 1.6 * pitch if cells > 1 else 0, 0.75 * w))
    if w < length:
        return False
    # Half the pixels a side show a line as well; a hand draws none quite straight.
    written = cv2.dilate(mask[y : y + h, x : x + w], _UPRIGHT)
    written = np.ascontiguousarray(written[::2, ::2])
    h, w = written.shape
    length = max(1, length // 2)
    along = np.ones((1, length), np.uint8)
    # The longer a line, the less it may rise, and the finer are the steps in which it is met.
    steepest, step = min(_STEEPEST, h / length), min(0.1, _OFF / length)
    count = int(steepest / step)
    for slope in [step * k for k in range(-count, count + 1)]:
        room = int(abs(slope) * w) + 1
        level = np.array([[1, 0, 0], [-slope, 1, room if slope > 0 else 0]])
        sheared = cv2.warpAffine(written, level, (w, h + room), flags=cv2.INTER_NEAREST)
        # What goes on beyond the writing is paper.
        line = cv2.erode(sheared, along, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        down, across = np.nonzero(line)
        if not len(down):
            continue
        # Lines at the top and at the foot, as a box's, are no line between them.
        lines = cv2.connectedComponents(line)[1][down, across]
        for number in range(1, int(lines.max()) + 1):
            own = lines == number
            middle = float(np.median(down[own] + slope * across[own]) - level[1, 2])
            if 0.2 * h < middle < 0.8 * h:
                return True
    return False


def goes_on(dark: NDArray[np.uint8], weak: int, stroke: NDArray[np.int64], height: int) -> bool:
    """Return whether a stroke is part of a straight line that goes on beyond its field.

    `dark` (uint8, H×W) is how much of the page's light is missing, also in what is printed: ink from `weak`
    on. `stroke` are the pixels of the stroke (N×2, across and down), `height` is the field's, in pixels.
    """
    stroke = stroke[:: max(1, len(stroke) // _POINTS)]
    x, y, x0, y0 = cv2.fitLine(stroke.astype(np.float32), cv2.DIST_L1, 0, 0.01, 0.01).ravel().tolist()
    way, middle = np.array([x, y]), np.array([x0, y0])
    off = stroke - middle
    if np.percentile(np.abs(off @ np.array([-y, x])), 85) > max(_THIN, _STRAIGHT * height):
        return False
    along = off @ way
    # A printed line lies between the stroke and what it goes on as, and is dark in any case.
    beyond = np.arange(round(_BAND * height), round(_ONWARD * height) + 1)
    ends = ((1, float(along.max())), (-1, float(along.min())))
    seen = [_darkest(dark, middle + np.outer(end + sign * beyond, way)) for sign, end in ends]
    half = len(beyond) // 2
    one_side = max(np.mean(part >= weak) for part in seen)
    both_sides = min(np.mean(part[:half] >= weak) for part in seen)
    return bool(max(one_side, both_sides) >= _MOSTLY)


def _darkest(dark: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return how dark it is at points (N×2, across and down), or beside them, 0 off the page."""
    high, wide = dark.shape
    found = np.zeros(len(points), np.uint8)
    for beside in itertools.product((-1, 0, 1), repeat=2):
        across, down = (points.round().astype(np.int64) + np.array(beside)).T
        inside = (across >= 0) & (across < wide) & (down >= 0) & (down < high)
        found[inside] = np.maximum(found[inside], dark[down[inside], across[inside]])
    return found


def is_blackened(grey: NDArray[np.uint8], cells: Sequence[tuple[int, int, int, int]]) -> bool:
    """Return whether one or more of a field's cells, side by side, are filled with ink, or with a colour.

    `grey` is the flattened page (uint8, H×W), `cells` are left, top, right, bottom of each in its pixels. A
    shadow goes on beyond them, on two sides at least.
    """
    filled = [False, *(bool(_darker_than(grey, cell)[:2].any()) for cell in cells), False]
    starts = [k for k in range(len(cells)) if filled[k + 1] and not filled[k]]
    ends = [k for k in range(len(cells)) if filled[k + 1] and not filled[k + 2]]
    runs = [(*cells[k][:2], *cells[j][2:]) for k, j in zip(starts, ends, strict=True)]
    return any(np.count_nonzero(_darker_than(grey, run)) >= _SIDES for run in runs)


def _darker_than(grey: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Return of what a box (left, top, right, bottom) is far darker: above, below, left, right of it."""
    left, top, right, bottom = box
    side = min(right - left, bottom - top)
    inside, beside = round(_INSIDE * side), round(_BESIDE * side)
    wide = beside + max(1, round(_AS_WIDE * side))
    across, down = slice(left + inside, right - inside), slice(top + inside, bottom - inside)
    around = (
        grey[max(0, top - wide) : max(0, top - beside), across],
        grey[bottom + beside : bottom + wide, across],
        grey[down, max(0, left - wide) : max(0, left - beside)],
        grey[down, right + beside : right + wide],
    )
    least = _level(grey[down, across]) / _FILLED
    return np.array([_level(part) > least for part in around])


def _level(part: NDArray[np.uint8]) -> float:
    """Return how bright the paper of a part of the page is, NaN where that has no pixels."""
    values = part[::2, ::2].ravel()
    at = len(values) * _PAPER // 100
    return float(np.partition(values, at)[at]) if len(values) else math.nan
