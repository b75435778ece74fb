"""What is left of printed lines when they were lifted off: slivers along them, and their ends."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""Left, top, width and height, in pixels."""


@dataclass(frozen=True)
class RestSettings:
    """What is taken for the rest of a line."""

    sliver: int = 3
    """A sliver is so many pixels thick at most …"""
    along: float = 0.5
    """… and so many of its pixels lie beside what was lifted off. 0…1."""
    crossing: int = 8
    """Where two lines cross a piece so small stays at most, in pixels …"""
    around: float = 0.6
    """… and so much of its edge lies beside what was lifted off: a dot's on a line does not. 0…1."""
    slender: float = 2.0
    """A line's end is so many times as long as it is thick, or longer …"""
    thicker: int = 2
    """… so many pixels thicker than the line it goes on from, at most …"""
    goes_on: float = 0.8
    """… which is as long as it, or longer, so much of that being inked …"""
    ends: float = 0.3
    """… and at its other end is nothing, or less than so much. 0…1."""


def without_rests(
    lifted: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    settings: RestSettings = RestSettings(),
) -> NDArray[np.uint8]:
    """Return a mask without what is left of the lines that were lifted off it; itself where that is nothing.

    `lifted` (uint8, H×W, 0 or 1) is what was lifted off, `mask` (the same) what is not, `labels` (int32,
    H×W) and `stats` (int32, N×5) its connected pieces as OpenCV gives them, the first being paper.
    """
    touched = np.bincount(labels[cv2.dilate(lifted, np.ones((3, 3), np.uint8)) > 0], minlength=len(stats))
    w, h, area = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_AREA]
    rest = (np.minimum(w, h) <= settings.sliver) & (touched >= settings.along * area)
    rest |= (np.maximum(w, h) <= settings.crossing) & (touched >= settings.around * (2 * (w + h) - 4))
    upright, level = h >= settings.slender * w, w >= settings.slender * h
    rest[0] = False
    for k in np.flatnonzero((touched > 0) & (upright | level) & ~rest).tolist():
        if k:
            x, y, width, height, _ = stats[k].tolist()
            if upright[k]:
                rest[k] = _goes_on(lifted, (x, y, width, height), settings)
            else:
                rest[k] = _goes_on(lifted.T, (y, x, height, width), settings)
    return np.where(rest[labels], 0, mask).astype(np.uint8) if rest.any() else mask


def _goes_on(lifted: NDArray[np.uint8], box: Box, settings: RestSettings) -> bool:
    """Return whether an upright piece is the end of a line that was lifted off above it or below it.

    Where the line goes on at both ends, the piece is something that is written on it.
    """
    x, y, w, h = box
    beside = lifted[:, max(0, x - _ASIDE) : x + w + _ASIDE]
    inked = [np.count_nonzero(end, axis=1) for end in (beside[max(0, y - h) : y], beside[y + h : y + 2 * h])]
    less, more = sorted(inked, key=np.count_nonzero)
    if np.count_nonzero(more) < settings.goes_on * h or np.count_nonzero(less) >= settings.ends * h:
        return False
    return w <= float(np.median(more[more > 0])) + settings.thicker


_ASIDE = 2
"""By so many pixels a line lies aside of its end: it is not quite upright."""
