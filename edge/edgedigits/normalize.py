"""A glyph's ink → 28×28 as MNIST made it.

The recipe is the reconstruction published with QMNIST (Yadav and Bottou 2019, "Cold Case: The Lost MNIST
Digits", section 2): the ink's bounding box padded to a square, area resampling to 20×20 with the greys
kept, a stretch so that the brightest pixel is 255, and an integer shift that puts the centre of mass at
pixel index 14.0 of a 28×28 field. Applied to MNIST's own pictures it gives them back unchanged.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 28
"""Side of the field in pixels."""
BOX = 20
"""Longest side of the ink within the field in pixels."""
CENTRE = 14.0
"""Pixel index of the centre of mass, in both directions (13.5 would be the middle of the field)."""
SMALLEST_SIDE = 10
"""A speck of fewer pixels a side is not blown up to the size of a digit."""


def ink_box(ink: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return x, y, width, height of the pixels that are not 0; all 0 where there are none.

    `ink` is uint8, H×W.
    """
    x, y, width, height = cv2.boundingRect(ink)
    return x, y, width, height


def normalize(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Centre one glyph as MNIST does.

    `ink` is uint8, H×W, bright ink (up to 255) on a background of exactly 0; its size is free. Returns
    uint8, 28×28. A picture without ink gives all zeros.
    """
    field = np.zeros((SIZE, SIZE), np.uint8)
    x, y, width, height = ink_box(ink)
    if not width or not height:
        return field
    side = max(width, height, SMALLEST_SIDE)
    square = np.zeros((side, side), np.float32)
    left, top = (side - width) // 2, (side - height) // 2
    square[top : top + height, left : left + width] = ink[y : y + height, x : x + width]
    if side != BOX:
        # Area resampling is the average over the pixel's footprint when shrinking; there is no footprint to
        # average over when enlarging, and OpenCV's area mode would then give blocks.
        mode = cv2.INTER_AREA if side > BOX else cv2.INTER_LINEAR
        square = np.asarray(cv2.resize(square, (BOX, BOX), interpolation=mode), np.float32)
    square *= 255.0 / float(square.max())
    glyph = np.rint(square).astype(np.uint8)
    moments = cv2.moments(glyph)
    x, y, width, height = ink_box(glyph)
    left = _shift(moments["m10"] / moments["m00"], x, width)
    top = _shift(moments["m01"] / moments["m00"], y, height)
    field[top + y : top + y + height, left + x : left + x + width] = glyph[y : y + height, x : x + width]
    return field


def _shift(centre_of_mass: float, start: int, length: int) -> int:
    """Return the whole-pixel shift that brings the centre of mass to `CENTRE` and cuts no ink off."""
    shift = math.floor(CENTRE + 0.5 - centre_of_mass)
    return min(max(shift, -start), SIZE - start - length)
