"""A picture of the blank page, found again in a photograph by features that both have."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import UNIT_SQUARE, Floats, plausible, project
from edgedigits.shrink import within_side

Grey = NDArray[np.uint8]

_SIDE = 1600
"""Features are taken from a copy of at most so many pixels a side."""


class Features:
    """ORB features of a picture, or of the part of it where `where` is not 0; places in its pixels."""

    def __init__(self, grey: Grey, most: int, where: Grey | None = None) -> None:
        small, scale = within_side(grey, _SIDE)
        mask = (
            None if where is None else cv2.resize(where, small.shape[::-1], interpolation=cv2.INTER_NEAREST)
        )
        orb = cv2.ORB_create(most, fastThreshold=7)  # type: ignore[attr-defined]
        points, descriptors = orb.detectAndCompute(small, mask)
        self.places = (np.array([p.pt for p in points], np.float64).reshape(-1, 2) + 0.5) / scale
        self.descriptors = descriptors
        self.size = np.array(grey.shape[::-1], np.float64)


def match(reference: Features, picture: Features, least_inliers: int) -> Floats | None:
    """Return the homography from fractions of the reference to the picture, None where it is not there."""
    if reference.descriptors is None or picture.descriptors is None or len(picture.places) < 4:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(reference.descriptors, picture.descriptors, k=2)
    # One to one: many features matched to one point would agree on a page shrunk to that point.
    best: dict[int, Any] = {}
    for pair in pairs:
        if len(pair) == 2 and pair[0].distance < 0.8 * pair[1].distance:
            rival = best.get(pair[0].trainIdx)
            if rival is None or pair[0].distance < rival.distance:
                best[pair[0].trainIdx] = pair[0]
    good = list(best.values())
    if len(good) < least_inliers:
        return None
    own = np.array([reference.places[m.queryIdx] / reference.size for m in good])
    seen = np.array([picture.places[m.trainIdx] for m in good])
    limit = 0.004 * float(picture.size.max())
    cv2.setRNGSeed(0)  # RANSAC draws from OpenCV's own generator
    found, inliers = cv2.findHomography(own, seen, cv2.RANSAC, limit, maxIters=5000, confidence=0.999)
    if found is None or int(inliers.sum()) < least_inliers:
        return None
    matrix = np.asarray(found, np.float64)
    fitting = own[inliers.ravel() > 0]
    spread = cv2.contourArea(cv2.convexHull(fitting.astype(np.float32)))
    if spread < 0.12:
        return None  # a letterhead alone, as on every form of the house
    return matrix if plausible(project(matrix, UNIT_SQUARE)) else None
