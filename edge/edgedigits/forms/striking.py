"""A straight line drawn through what is written in a field."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_UPRIGHT = np.ones((3, 1), np.uint8)

_STEEPEST = 0.7
"""Lines that strike out are looked for so steep: pixels down for each to the right …"""
_OFF = 3.2
"""… and in such steps that over its length no line is missed by more than half so many pixels."""


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
