"""A glyph's ink → 28×28 as MNIST made it.

The recipe is the reconstruction published with QMNIST (Yadav and Bottou 2019, "Cold Case: The Lost MNIST
Digits", section 2): the ink's bounding box padded to a square, area resampling to 20×20 with the greys
kept, a stretch so that the brightest pixel is 255, and an integer shift that puts the centre of mass at
pixel index 14.0 of a 28×28 field. Applied to MNIST's own pictures it gives them back unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

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
_LARGEST_SIDE = 4000
"""A longer piece of ink, as is found along a strip, is shrunk first: the square around it may take gigabytes.
Pixels."""


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
    return normalize_all([ink])[0]


def normalize_all(inks: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Centre glyphs, each as `normalize` does; returns uint8, N×28×28."""
    squares = np.zeros((len(inks), BOX, BOX), np.float32)
    for square, ink in zip(squares, inks, strict=True):
        _fill(square, ink)
    peaks = squares.reshape(len(inks), BOX * BOX).max(axis=1)
    squares *= (255 / np.where(peaks > 0, peaks, 1))[:, None, None]
    np.rint(squares, out=squares)
    # A product by ones adds up as well as a sum does, and costs a third; whole numbers are exact in floats.
    shifts = _shifts(np.concatenate([_ONES @ squares, squares @ _ONES])) + BOX
    left, top = shifts.reshape(2, len(inks)).tolist()
    # A shift may carry the box's empty margin out of the field.
    around = np.zeros((len(inks), BOX + SIZE + BOX, BOX + SIZE + BOX), np.uint8)
    for place, glyph, x, y in zip(around, squares.astype(np.uint8), left, top, strict=True):
        place[y : y + BOX, x : x + BOX] = glyph
    return np.ascontiguousarray(around[:, BOX : BOX + SIZE, BOX : BOX + SIZE])


def _fill(square: NDArray[np.float32], ink: NDArray[np.uint8]) -> None:
    """Fit a glyph's ink into the middle of a square (float32, 20×20, all 0)."""
    x, y, width, height = cv2.boundingRect(ink)
    if not width or not height:
        return
    own = ink[y : y + height, x : x + width]
    if max(width, height) > _LARGEST_SIDE:
        step = -(-max(width, height) // _LARGEST_SIDE)
        width, height = max(1, width // step), max(1, height // step)
        own = np.asarray(cv2.resize(own, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    side = max(width, height, SMALLEST_SIDE)
    left, top = (side - width) // 2, (side - height) // 2
    padded = np.zeros((side, side), np.float32)
    padded[top : top + height, left : left + width] = own
    # Area resampling is the average over the pixel's footprint when shrinking; there is no footprint to
    # average over when enlarging, and OpenCV's area mode would then give blocks.
    mode = cv2.INTER_AREA if side > BOX else cv2.INTER_LINEAR
    cv2.resize(padded, (BOX, BOX), dst=square, interpolation=mode)


_INDEX = np.arange(BOX, dtype=np.float32)
_ONES = np.ones(BOX, np.float32)


def _shifts(mass: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the whole-pixel shifts that bring centres of mass to `CENTRE` and cut no ink off.

    `mass` is N×20, the ink in each column (or row) of N glyphs: whole numbers, so that their sums are exact.
    """
    centre = (mass @ _INDEX).astype(np.float64) / np.maximum(1, mass @ _ONES)
    inked = mass > 0
    first, behind = inked.argmax(axis=1), BOX - inked[:, ::-1].argmax(axis=1)
    return np.clip(np.floor(CENTRE + 0.5 - centre).astype(np.intp), -first, SIZE - behind)
