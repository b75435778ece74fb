"""How much of the light is missing where on the flattened page of a form.

Beside the edge of a shadow smoothed paper runs out over what is darker, and passes for a stroke there, or for
a printed line. But such an edge is longer than any stroke.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
_SQUARE_3 = np.ones((3, 3), np.uint8)


def darkness(grey: Grey, kernel: int) -> Grey:
    """Return how much of the light is missing (uint8, H×W): 0 as bright as paper … 255 black.

    `kernel` (odd, pixels) is above the width of a stroke.
    """
    return _missing(grey, paper_of(grey, kernel))


def paper_of(grey: Grey, kernel: int) -> Grey:
    """Return how bright the paper is, 1…255, under ink, too; `kernel` (odd) is above a stroke."""
    return _smoothed(_closed(grey, kernel), kernel)


def darkness_in_shadows(grey: Grey, kernel: int, weak: int, long: float) -> Grey:
    """Return what `darkness` does, but that the edges of shadows are none.

    These are where paper is as dark as `weak` (1…255), no ink being there, for `long` pixels or more.
    """
    closed = _closed(grey, kernel)
    paper = _smoothed(closed, kernel)
    # Within a pixel of an edge the paper is neither side's.
    level = np.maximum(cv2.erode(closed, _SQUARE_3), 1)
    beside = cv2.compare(cv2.convertScaleAbs(paper, alpha=1 - _FOLLOWED * weak / 255), level, cv2.CMP_GT)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(beside, connectivity=8)
    edges = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= long
    edges[0] = False
    if not edges.any():
        return _missing(grey, paper)
    near = cv2.dilate(edges[labels].view(np.uint8), np.ones((_window(kernel),) * 2, np.uint8)) > 0
    return _missing(grey, np.where(near, np.minimum(paper, level), paper).astype(np.uint8))


_FOLLOWED = 0.7
"""The edge of a shadow is followed down to this part of what would pass for ink, for it may fade."""


def _closed(grey: Grey, kernel: int) -> Grey:
    smooth = cv2.GaussianBlur(grey, (3, 3), 0)
    window = cv2.getStructuringElement(cv2.MORPH_RECT, (kernel, kernel))
    return np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, window), np.uint8)


def _smoothed(paper: Grey, kernel: int) -> Grey:
    return np.maximum(cv2.blur(paper, (_window(kernel),) * 2), 1).astype(np.uint8, copy=False)


def _window(kernel: int) -> int:
    """Return the width of the window that paper is smoothed in."""
    return kernel // 2 | 1


def _missing(grey: Grey, paper: Grey) -> Grey:
    return np.asarray(cv2.bitwise_not(cv2.divide(grey, paper, scale=255)), np.uint8)
