"""The characters of a strip, one by one: where they stand, and what is seen of each.

What the strip network says of a text tells where its characters stand; each gets a cell, from half-way to
the character before it to half-way to the next. A second network looks at them through windows. A window
shows the cell in its middle and something of the neighbours, all cells as wide as one another: what a wide 0
and a narrow 1 have alike is then at the same place, and a neighbour's strokes lie where no stroke of the
character's own does. That is another view than the strip network's, so it errs elsewhere.

Pure functions: nothing here knows of a model file. Training cuts its windows with them, too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.strips import HEIGHT, STEP

SIDE = 28
"""Pixels along a window's side."""
_SHOWN = 1.5
"""Width of a window, in widths of its cell …"""
_NARROWEST = 14.0
"""… and at least this, in pixels of the strip."""
_REACH = 0.6
"""The first cell begins, and the last one ends, so many heights from the character's middle, at most."""

INK = 110
"""What is brighter than this in a strip is ink."""
_REST = 0.3
"""What is at the edge of its cell, and less than this part of the largest piece, is a neighbour's …"""
_SPECK = 12
"""… and dirt what has fewer pixels."""

Cell = tuple[float, float]
"""Where a character's cell begins and ends, in pixels along its strip."""


def cells_of(places: Sequence[tuple[int, int]], width: int) -> list[Cell]:
    """Return the cells of characters that stand at `places` (steps: first, last + 1) in a strip's width."""
    return cells_around([STEP * (first + last) / 2 for first, last in places], width)


def cells_around(middles: Sequence[float], width: int) -> list[Cell]:
    """Return the cells of characters with these middles, in pixels along a strip of some width."""
    borders = [(a + b) / 2 for a, b in itertools.pairwise(middles)]
    found = []
    for number, middle in enumerate(middles):
        least = borders[number - 1] if number else max(0.0, middle - _REACH * HEIGHT)
        most = borders[number] if number < len(borders) else min(float(width), middle + _REACH * HEIGHT)
        found.append((least, most))
    return found


def window(strip: NDArray[np.uint8], cell: Cell) -> NDArray[np.uint8]:
    """Return the window of a cell in a strip: uint8, 28×28, ink bright.

    `strip` is uint8, 40×W, as `strips.prepare` gives it; what lies beyond its ends is paper.
    """
    least, most = cell
    half, middle = max(_NARROWEST, _SHOWN * (most - least)) / 2, (least + most) / 2
    left, right = math.floor(middle - half), math.ceil(middle + half)
    seen = np.zeros((HEIGHT, right - left), np.uint8)
    begin, end = max(0, left), min(strip.shape[1], right)
    if begin < end:
        seen[:, begin - left : end - left] = strip[:, begin:end]
    # Area resampling averages when shrinking; when enlarging, OpenCV's area mode would give blocks.
    mode = cv2.INTER_AREA if right - left >= SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(seen, (SIDE, SIDE), interpolation=mode), np.uint8)


def ink_of(strip: NDArray[np.uint8], cell: Cell) -> NDArray[np.uint8]:
    """Return the ink of a character alone: uint8, 40×W, bright, 0 where there is none.

    `strip` is as `window` takes it. What reaches in from the neighbours, and what is too small to be a part
    of a digit, is left out.
    """
    least = min(max(0, round(cell[0])), strip.shape[1] - 1)
    seen = strip[:, least : max(least + 1, round(cell[1]))]
    inked = (seen > INK).view(np.uint8)
    count, places, stats, _ = cv2.connectedComponentsWithStats(inked)
    if count > 2:
        areas = stats[:, cv2.CC_STAT_AREA]
        begins, widths = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_WIDTH]
        at_edge = (begins == 0) | (begins + widths == seen.shape[1])
        small = areas < _REST * areas[1:].max()
        inked[(small & (at_edge | (areas < _SPECK)))[places]] = 0
    return np.asarray(seen * inked, np.uint8)
