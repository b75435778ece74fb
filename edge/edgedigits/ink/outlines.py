"""Rings and boxes drawn by hand around numbers: lifted off where no digit touches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class OutlineSettings:
    """What is taken for an outline."""

    largest: float = 0.5
    """It is no wider and no higher than this part of the picture. 0…1."""
    least: int = 20
    """It is so many pixels high and wide, or more."""
    fill: float = 0.3
    """So much of its box is its ink, at most: a zero is bolder for its height. 0…1."""
    enclosed: tuple[float, float] = (0.25, 0.85)
    """What is written in it is so high, as a part of its height: the eyes of a face are lower. 0…1."""
    lone: float = 0.85
    """Around one piece alone it is so many times as wide as high: a zero with a stroke in it is narrower."""
    covered: float = 0.8
    """It goes so far around: so much of its convex hull's edge has it. 0…1."""
    band: float = 0.08
    """Twice its stroke and this part of its shorter side it goes astray inwards …"""
    inside: float = 2.0
    """… and farther inside it has no more ink than so many squares of its stroke. 0…100."""


def lift_outlines(
    mask: Mask,
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    settings: OutlineSettings = OutlineSettings(),
) -> Mask:
    """Return a mask (uint8, H×W, 0 or 1) without outlines that no digit touches; itself where none are.

    `labels` (int32, H×W) and `stats` (int32, N×5) are its connected pieces as OpenCV gives them, the paper's
    first.
    """
    free = [k for k, is_free in find_outlines(labels, stats, settings) if is_free]
    return np.where(np.isin(labels, free), 0, mask).astype(np.uint8) if free else mask


def find_outlines(
    labels: NDArray[np.int32], stats: NDArray[np.int32], settings: OutlineSettings = OutlineSettings()
) -> Iterator[tuple[int, bool]]:
    """Yield the labels of outlines around writing, and whether nothing inside touches them."""
    height, width = labels.shape
    x, y, w, h, area = stats.T
    large = (np.minimum(w, h) >= settings.least) & (area <= settings.fill * w * h)
    large &= (w <= settings.largest * width) & (h <= settings.largest * height)
    large[0] = False
    lowest, highest = settings.enclosed
    for k in np.flatnonzero(large).tolist():
        inside = (x > x[k]) & (y > y[k]) & (x + w < x[k] + w[k]) & (y + h < y[k] + h[k])
        inside &= (h >= lowest * h[k]) & (h <= highest * h[k])
        count = np.count_nonzero(inside)
        if not count or (count == 1 and w[k] < settings.lone * h[k]):
            continue
        own = labels[y[k] : y[k] + h[k], x[k] : x[k] + w[k]] == k
        is_free = _is_free(own.view(np.uint8), settings)
        if is_free is not None:
            yield k, is_free


def _is_free(own: Mask, settings: OutlineSettings) -> bool | None:
    """Return whether a piece that goes around along its convex hull goes nowhere else; else None."""
    hull = cv2.convexHull(cv2.findNonZero(own))
    stroke = float(np.count_nonzero(own)) / cv2.arcLength(hull, True)
    whole = np.pad(cv2.fillConvexPoly(np.zeros_like(own), hull, 1), 1)
    deep = np.asarray(cv2.distanceTransform(whole, cv2.DIST_L2, 3))[1:-1, 1:-1]
    band = 2 * stroke + settings.band * min(own.shape)
    edge = cv2.polylines(np.zeros_like(own), [hull], True, 1)
    near = cv2.dilate(own, np.ones((3, 3), np.uint8), iterations=max(1, round(band / 2)))
    if near[edge > 0].mean() < settings.covered:
        return None
    return bool(np.count_nonzero(own[deep > band]) <= settings.inside * stroke**2)
