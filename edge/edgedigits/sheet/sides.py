"""What lies along the sides of a quadrilateral: paper within, the desk outside, a shadow across both.

Pictures are uint8, H×W; a quadrilateral is 4×2 float64, corners clockwise, in their pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import Floats

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_LENIENCY = 0.15
"""How much less is asked of a sheet whose corners are known by and large only."""


def without_writing(grey: Grey) -> Grey:
    """Return a picture of some hundred pixels a side less what is written or printed there."""
    return np.asarray(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)), np.uint8)


def is_sheet(grey: Grey, paper: Grey, quad: Floats, least_contrast: float, roughly: bool = False) -> bool:
    """Return whether four corners are a sheet: whole, as a camera may see one, and brighter on every side.

    `paper` is the picture without writing; a sheet is `least_contrast` times as bright as what is beside it.
    Less is asked where the corners are known `roughly`.
    """
    leniency = _LENIENCY if roughly else 0.0
    height, width = grey.shape
    x, y = quad.T
    least = 1 - 20 * leniency
    if x.min() < least or y.min() < least or x.max() > width - 1 - least or y.max() > height - 1 - least:
        return False
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.linalg.norm(sides, axis=1)
    following = np.roll(sides, -1, axis=0)
    sines = (sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]) / (lengths * np.roll(lengths, -1))
    opposite = lengths[[0, 1]] / lengths[[2, 3]]
    if not ((sines > 0.7 - leniency).all() and (np.abs(np.log2(opposite)) < 1 + leniency).all()):
        return False
    light, dark = _beside(paper, quad)[0], _beside(grey, quad)[1]
    enough = _medians(light) >= (least_contrast - leniency) * _medians(dark)
    return bool(enough.all() and (np.mean(light > 1.1 * dark, axis=1) >= 0.9 - leniency).all())


def paper_and_desk(
    grey: Grey, paper: Grey, quad: Floats, points: Floats, brightness: float, least_contrast: float
) -> tuple[Mask, Mask]:
    """Return at which points along the sides (4×n×2) paper lies within, and at which the desk outside.

    The paper is about so bright (0…255), and `least_contrast` times as bright as the desk.
    """
    outward = _outward(grey, quad, points)
    light, dark = _sampled(paper, points - outward), _sampled(grey, points + outward)
    return light >= _AS_BRIGHT * brightness, light >= least_contrast * dark


_AS_BRIGHT = 0.7
"""Paper has this part at least of the brightness of most of it."""


def is_shaded(grey: Grey, quad: Floats, least: float, as_alike: float) -> bool:
    """Return whether a shadow falls on a sheet: it takes the same part of the light from the desk beside.

    The light along its edges differs by `least` times, and that inside from that outside by no more than the
    part `as_alike` of that, in logarithms.
    """
    inside, outside = (np.log(np.maximum(values, 1)) for values in _beside(grey, quad))
    # Not the least and the most: writing may reach there, and things may lie there.
    light = float(np.subtract(*np.percentile(inside, (95, 5))))
    # Its edge may cross the sheet's at a slant: what is outside is looked at a little farther along, too.
    aside = np.pad(outside, ((0, 0), (_ASIDE, _ASIDE)), constant_values=np.inf)
    ratio = float(np.median(inside - outside))
    count = inside.shape[1]
    off = [np.abs(inside - aside[:, k : k + count] - ratio) for k in range(2 * _ASIDE + 1)]
    unlike = 2 * float(np.percentile(np.min(off, axis=0), 80))
    return light > np.log(least) and unlike <= as_alike * light


_ASIDE = 3
"""So many of a side's points along what is outside is looked at."""


def _beside(grey: Grey, quad: Floats) -> tuple[Floats, Floats]:
    """Return the brightness at points along each side, 4×24 each: a little inside of it, and outside."""
    sides = np.roll(quad, -1, axis=0) - quad
    along = quad[:, None] + np.linspace(0.1, 0.9, 24)[:, None] * sides[:, None]
    outward = _outward(grey, quad, along)
    return _sampled(grey, along - outward), _sampled(grey, along + outward)


def _outward(grey: Grey, quad: Floats, points: Floats) -> Floats:
    """Return a little step away from the middle of a quadrilateral, at points along its sides."""
    outward = points - quad.mean(axis=0)
    outward *= 0.02 * sum(grey.shape) / 2 / np.linalg.norm(outward, axis=2, keepdims=True)
    return outward


def _medians(rows: Floats) -> Floats:
    middle = np.sort(rows, axis=1)
    count = rows.shape[1]
    return np.asarray((middle[:, (count - 1) // 2] + middle[:, count // 2]) / 2, np.float64)


def _sampled(grey: Grey, points: Floats) -> Floats:
    x, y = np.moveaxis(np.rint(points).astype(int), -1, 0)
    height, width = grey.shape
    return grey[y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.float64)
