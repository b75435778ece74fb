"""How much of the light is missing where on the flattened page of a form.

Beside the edge of a shadow smoothed paper runs out over what is darker, and passes for a stroke there, or for
a printed line. But such an edge is longer than any stroke.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.ink.shadows import Ground, contrast_of, ground_of

Grey = NDArray[np.uint8]


def darkness(grey: Grey, kernel: int) -> Grey:
    """Return how much of the light is missing (uint8, H×W): 0 as bright as paper … 255 black.

    `grey` is uint8, H×W; `kernel` (odd, pixels) is above the width of a stroke.
    """
    return contrast_of(grey, paper_of(grey, kernel))


def paper_of(grey: Grey, kernel: int) -> Grey:
    """Return how bright the paper is (uint8, H×W), 1…255, under ink, too; takes what `darkness` does."""
    return np.maximum(_ground(grey, kernel).paper, 1)


def darkness_in_shadows(grey: Grey, kernel: int, weak: int, long: float) -> tuple[Grey, Grey]:
    """Return what `darkness` does, but that the edges of shadows are none, and that itself.

    These are where paper is as dark as `weak` (1…255), no ink being there, for `long` pixels or more.
    """
    ground = _ground(grey, kernel, _FOLLOWED * weak / 255)
    paper = np.maximum(ground.paper, 1)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ground.edges, connectivity=8)
    edges = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= long
    edges[0] = False
    dark = contrast_of(grey, paper)
    if not edges.any():
        return dark, dark
    # The smoothed paper is too bright as far from an edge as it was smoothed.
    window = np.ones((kernel // 2 | 1,) * 2, np.uint8)
    near = cv2.dilate(edges[labels].view(np.uint8), window) > 0
    lit = np.where(near, np.minimum(paper, np.maximum(ground.level, 1)), paper).astype(np.uint8)
    return contrast_of(grey, lit), dark


_FOLLOWED = 0.7
"""The edge of a shadow is followed down to this part of what would pass for ink, for it may fade."""


def _ground(grey: Grey, kernel: int, step: float = 0.0) -> Ground:
    return ground_of(np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8), kernel, step)
