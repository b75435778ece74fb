"""Empty boxes and rings that are printed to be ticked: they read as 0s, also of a number beside them.

A box is as square as no digit is, outside and inside; a 0 may be round, but two on a page are hardly alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.components import Components

_ALIKE = 0.03
"""Rings are alike where their radii differ by no more than this part, or half a pixel, …"""
_LEAST_RINGS = 2
"""… and printed where so many are: of MNIST's 0s one in a thousand is as round as each of them."""
_SQUARE, _SQUARE_INSIDE = 0.88, 0.78
"""A box, and its inside, fill so much of the rectangle around them: no digit of MNIST's does …"""
_ROUNDED, _ROUNDED_INSIDE = 0.82, 0.6
"""… or so much, where it is blurred, beside another of its size, to a pixel and this part of it."""
_OF_ITS_SIZE = 0.08
_SQUARE_TO = 0.08
"""Both are as wide as high, to a pixel and this part."""
_INSIDE = ((0.5, 0.5), (0.35, 0.35), (0.35, 0.65), (0.65, 0.35), (0.65, 0.65))
"""There is paper at these points of both, in parts of their height and width."""


def leave_out_boxes_to_tick(components: Components) -> None:
    """Leave out empty boxes, and rings that are alike, as if they weren't there."""
    x, y, w, h = components.boxes.T
    hollow = (h >= components.settings.least_height) & (np.abs(w - h) <= 1 + _SQUARE_TO * np.maximum(w, h))
    for down, across in _INSIDE:
        hollow &= components.labels[(y + down * h).astype(np.intp), (x + across * w).astype(np.intp)] == 0
    fills, radii = np.zeros((len(h), 2)), np.zeros(len(h))
    for i in np.flatnonzero(hollow).tolist():
        left, top, width, height = components.boxes[i].tolist()
        own = components.labels[top : top + height, left : left + width] == components.members[i][0]
        contours, _ = cv2.findContours(np.pad(own, 1).view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        if len(contours) == 2:  # the second is the hole in the first
            fills[i] = _fills(own, contours)
            radii[i] = _radius(contours)
    boxes = np.asarray((fills >= (_SQUARE, _SQUARE_INSIDE)).all(axis=1))
    for i in np.flatnonzero((fills >= (_ROUNDED, _ROUNDED_INSIDE)).all(axis=1) & ~boxes).tolist():
        near = 1 + _OF_ITS_SIZE * h[i]
        boxes[i] = (boxes & (np.abs(w - w[i]) <= near) & (np.abs(h - h[i]) <= near)).any()
    rings = np.flatnonzero(radii)
    rings = rings[np.argsort(radii[rings])]
    sizes = radii[rings]  # of a sheet of circles there are thousands
    apart = np.maximum(0.5, _ALIKE * sizes)
    alike = np.searchsorted(sizes, sizes + apart, "right") - np.searchsorted(sizes, sizes - apart, "left")
    boxes[rings[alike >= _LEAST_RINGS]] = True
    if boxes.any():
        components.leave_out(boxes)


def _fills(own: NDArray[np.bool_], contours: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Return how much of the rectangles around them ink (bool, H×W) with its hole, and the hole, fill, 0…1.

    `contours` are those around the ink and around its hole, N×1×2.
    """
    (wide, high), (wide_inside, high_inside) = (cv2.minAreaRect(contour)[1] for contour in contours)
    hole = cv2.contourArea(contours[1]) - len(contours[1]) / 2 + 1
    area = np.count_nonzero(own) + hole
    # What is around a hole is a pixel wider on each side.
    inside = hole / max(1.0, (wide_inside - 1) * (high_inside - 1))
    return area / ((wide + 1) * (high + 1)), inside


def _radius(contours: Sequence[NDArray[Any]]) -> float:
    """Return the radius of a ring, as round inside as outside, in pixels, 0 for none.

    `contours` are those around it and around its hole, N×1×2.
    """
    (outer, off, middle), (inner, inner_off, inner_middle) = (_circle(contour[:, 0]) for contour in contours)
    is_round = off <= 0.02 * outer + 0.35 and inner_off <= 0.03 * inner + 0.5
    return outer if is_round and np.hypot(*(middle - inner_middle)) <= 0.05 * outer + 0.5 else 0.0


def _circle(points: NDArray[Any]) -> tuple[float, float, NDArray[np.float64]]:
    """Return the radius of a circle through points (N×2), how far off they are, and where its middle is."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    away = np.linalg.norm(points - middle, axis=1)
    return float(away.mean()), float(away.std()), middle
