"""Printed lines through the middle of a number: what is thin may hide a stroke, what is bold strikes it out.

Such a line was lifted off before the number was found, and some of its strokes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""Left, top, width and height, in pixels."""


@dataclass(frozen=True)
class AcrossSettings:
    """What is taken for a line through a number; chosen on MNIST's training digits."""

    through: tuple[float, float] = (0.3, 0.7)
    """It goes through here, from the top of the number to its base. 0…1."""
    beyond: float = 0.5
    """Beside the number it is looked at so far, in heights of a digit …"""
    goes_on: float = 0.8
    """… and goes on, on one side or both, if so much of that is inked: the bars of 4s in a row don't. 0…1."""
    seen: float = 0.35
    """So much of the number's width has the line; where strokes cross it, it is not seen. 0…1."""
    as_dark: float = 0.7
    """It is so many times as dark as the strokes, or darker. 0…1."""
    hides: float = 0.05
    """So thick, in heights of a digit, is one that may hide a stroke …"""
    bold: float = 0.125
    """… and so thick one that may hide all of them, or strike them out. 0…1."""
    steepest: float = 0.2
    """A number rises or falls by this part of its length at most. 0…1."""


def thickness_across(
    lifted: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    boxes: Sequence[Box],
    tall: float,
    darkness: float,
    settings: AcrossSettings = AcrossSettings(),
) -> float:
    """Return how thick a line is that goes through the middle of a number, in heights of a digit; 0 for none.

    `lifted` (uint8, H×W, 0 or 1) is what was lifted off as print, `contrast` (uint8, H×W) how much of the
    light is missing. `boxes` are those of the number's glyphs, `tall` is the height of a digit and `darkness`
    the contrast of its strokes.
    """
    x, y, w, h = np.array(boxes, np.float64).T
    # As if the number stood level: where a long one slopes, the line under it goes through the box around it.
    slope = slope_of(x + w / 2, y + h / 2, settings.steepest)
    tops = y - slope * (x + w / 2)
    top, bottom = float(tops.min()), float((tops + h).max())
    low, high = (round(top + part * (bottom - top)) for part in settings.through)
    left, right, reach = int(x.min()), int((x + w).max()), round(settings.beyond * tall)
    height, width = lifted.shape
    columns = np.arange(max(0, left - reach), min(width, right + reach))
    rows = np.arange(low, high)[:, None] + np.round(slope * columns).astype(np.intp)
    band = np.clip(rows, 0, height - 1), columns
    line = lifted[band]
    inked = line.max(axis=0, initial=0) > 0
    beside = (inked[columns < left], inked[columns >= right])
    if not any(side.size == 0 or np.mean(side) >= settings.goes_on for side in beside):
        return 0.0
    thick = np.count_nonzero(line, axis=0)[(columns >= left) & (columns < right)]
    if np.count_nonzero(thick) < settings.seen * len(thick):
        return 0.0
    if float(np.median(contrast[band][line > 0])) < settings.as_dark * darkness:
        return 0.0
    return float(np.percentile(thick[thick > 0], 60)) / tall


def slope_of(
    across: NDArray[np.float64], down: NDArray[np.float64], steepest: float = AcrossSettings.steepest
) -> float:
    """Return by how many rows points go down in each column, on the whole, as far as a number slopes.

    `across` and `down` are the points' columns and rows (float64, N, in pixels); the slope is −`steepest` to
    `steepest`.
    """
    off = across - across.mean()
    # The pieces of a lone digit may lie one above the other.
    return float(np.clip(off @ down / max(1.0, off @ off), -steepest, steepest))
