"""A lone upright stroke is a 1, whatever it is a piece of: nothing is learnt from one that is called none."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

NARROW = 0.4
"""A stroke is no wider than this part of its length."""


def is_upright_stroke(ink: npt.NDArray[np.uint8]) -> bool:
    """Say whether a picture shows one upright or leaning stroke: uint8, height × width, ink bright on 0."""
    inked = (ink > 110).view(np.uint8)
    if not inked.any():
        return False
    corners = cv2.boxPoints(cv2.minAreaRect(cv2.findNonZero(inked)))
    sides = sorted(
        (corners[1] - corners[0], corners[2] - corners[1]), key=lambda side: float(np.hypot(*side))
    )
    (across, along) = (float(np.hypot(*side)) + 1 for side in sides)
    return across <= NARROW * along and abs(sides[1][1]) >= abs(sides[1][0])
