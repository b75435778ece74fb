"""Glare: where the light of a lamp or a window is mirrored in paper, and washes out what is written there.

It is as bright as the picture can be, without a mark in it, and fades out over the darker paper around. A
white box that is printed on a tinted page, a label or a sheet has a sharp edge, or straight sides, or writing
on it; paper that is overexposed has paper around it that is nearly as bright.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Floats = NDArray[np.float64]
_SQUARE_3 = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class GlareSettings:
    """What is taken for glare; brightness is 0…255, lengths are parts of the picture's shorter side, 0…1."""

    least_side: int = 64
    """A picture with a shorter side is cut to a digit: there is no glare. Pixels."""
    side: int = 200
    """It is looked for in a copy whose shorter side has about so many pixels."""
    clipped: int = 250
    """It is so bright, or brighter, …"""
    paper: int = 236
    """… and the paper around it so dark, or darker, …"""
    around: float = 0.1
    """… so far from it, …"""
    stroke: float = 0.25
    """… strokes no thicker than this being no paper."""
    least: float = 0.015
    """It is so wide and so high, or more."""
    most: int = 100
    """Of so many bright places, the largest, it is asked whether they are glare."""
    soft: float = 1.0
    """Its edge is so wide, or wider, in pixels of the copy."""
    straight: float = 0.93
    """It fills less than this part of the rectangle around it. 0…1."""
    clean: float = 0.0005
    """Less than this part of it is darker than the paper around. 0…1."""


def find_glare(
    image: NDArray[np.uint8], darkest: int = 0, settings: GlareSettings = GlareSettings()
) -> list[Floats]:
    """Return where there is glare in a picture (uint8, H×W grey or H×W×3 BGR).

    Each is a convex polygon, N×2, clockwise, in pixels of the picture. The paper around it is as bright as
    `darkest` (0…255) at least: beside what is darker, bright things are chalk on a board.
    """
    if min(image.shape[:2]) < settings.least_side:
        return []
    step = max(1, min(image.shape[:2]) // settings.side)
    # A pixel here and there, each in the middle of its neighbours, tells what is bright everywhere.
    small = np.ascontiguousarray(image[step // 2 :: step, step // 2 :: step])
    if small.ndim == 3:
        small = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    bright = (small >= settings.clipped).view(np.uint8)
    side = min(small.shape)
    least = max(3.0, settings.least * side)
    if np.count_nonzero(bright) < least**2 / 2:
        return []
    _, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
    wide, high = stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT]
    large = 1 + np.flatnonzero((wide >= least) & (high >= least))
    if not large.size:
        return []
    # Patterns and noise have thousands, and seldom glare beside them.
    large = large[np.argsort(-stats[large, cv2.CC_STAT_AREA], kind="stable")[: settings.most]]
    reach = max(3, round(settings.around * side))
    # In the hole of a digit on white paper it is as bright, and what is around it is its stroke. Grain is
    # averaged first: of it, too, a closing takes the brightest.
    stroke = np.ones((round(settings.stroke * side) | 1,) * 2, np.uint8)
    paper = np.asarray(cv2.morphologyEx(cv2.blur(small, (5, 5)), cv2.MORPH_CLOSE, stroke), np.uint8)
    found = []
    for label in np.sort(large).tolist():
        x, y, w, h = stats[label, :4].tolist()
        rows, columns = (slice(max(0, at - reach), at + size + reach) for at, size in ((y, h), (x, w)))
        own = (labels[rows, columns] == label).view(np.uint8)
        outline = _outline(small[rows, columns], paper[rows, columns], own, reach, darkest, settings)
        if outline is not None:
            found.append((outline + [columns.start, rows.start] + 0.5) * step)
    return found


def _outline(
    grey: Grey, paper: Grey, bright: Grey, reach: int, darkest: int, settings: GlareSettings
) -> Floats | None:
    """Return the convex outline (N×2) of what is `bright` (uint8, H×W, 0 or 1), None where it is no glare.

    `grey` is the picture there, and `paper` the same without strokes, uint8, H×W.
    """
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    whole = cv2.drawContours(np.zeros_like(bright), contours, -1, 1, cv2.FILLED)
    away = cv2.distanceTransform(1 - whole, cv2.DIST_L2, 3)
    around = (away > reach / 2) & (away <= reach)
    if not around.any() or np.percentile(grey[around], 10) < darkest:
        return None
    level = float(np.median(paper[around]))
    if level > settings.paper:
        return None
    if np.count_nonzero(grey[whole > 0] < level) >= settings.clean * np.count_nonzero(whole):
        return None
    _, (wide, high), _ = cv2.minAreaRect(np.concatenate(contours))
    if np.count_nonzero(whole) >= settings.straight * (wide + 1) * (high + 1):
        return None
    # Between a quarter and three quarters of the way from the paper to the light.
    quarter = (255 - level) / 4
    fading = (grey > level + quarter) & (grey < 255 - quarter) & (away <= reach)
    length = sum(cv2.arcLength(contour, True) for contour in contours)
    if np.count_nonzero(fading) < settings.soft * length / 2:
        return None
    washed = np.asarray((grey > level + 2 * quarter) & (away <= reach)) | (whole > 0)
    hull = cv2.convexHull(cv2.findNonZero(cv2.dilate(washed.view(np.uint8), _SQUARE_3)))
    return np.asarray(hull[:, 0], np.float64)
