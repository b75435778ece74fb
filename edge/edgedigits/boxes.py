"""Boxes and combs that digits are written into, one in each: their lines are lifted off the ink.

A box encloses paper that is rectangular, as no digit does. Its lines are looked for within each frame alone,
and may be as short as its boxes are wide and high; what touches them, a digit that found too little room,
stays as it does on a ruling.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.ink import InkSettings
from edgedigits.rulings import RulingSettings, lift_level


@dataclass(frozen=True)
class BoxSettings:
    """What is taken for a box."""

    least_side: int = 14
    """A box is so many pixels high and wide."""
    inked: float = 0.2
    """A frame covers this part of the room that it takes, at most: few digits do …"""
    inked_in_a_row: float = 0.35
    """… or, if it is wider than digits are, this part. 0…1."""
    row: float = 1.5
    """Wider than digits is what is so many times as wide as high."""
    rectangular: float = 0.88
    """The paper in a box, with what is written there, fills this part of a rectangle. 0…1."""
    turned: float = 15.0
    """A box is turned by so many degrees at most."""
    blank: int = 3
    """So many boxes in one frame, or more, may all be blank: fewer may be a 0 or an 8 in straight strokes."""
    side: float = 0.8
    """A line of a frame is as long as this part of its boxes, or longer."""
    largest: float = 0.35
    """What takes more than this part of a page, both ways, is no box but ruled."""
    fewest_of_strip: int = 2
    """In a picture cut to one line, or to one box, that is so many boxes in one frame, or more."""


def lift_boxes(
    mask: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    settings: BoxSettings = BoxSettings(),
) -> NDArray[np.uint8]:
    """Return a mask (uint8, H×W, 0 or 1) without boxes; the mask itself where there are none.

    `contrast` is uint8, H×W, 0 paper … 255 full ink; `labels` (int32, H×W) and `stats` are OpenCV's of the
    mask's connected pieces, the paper's first.
    """
    height, width = mask.shape
    x, y, w, h, area = stats.T
    inked = np.where(w >= settings.row * h, settings.inked_in_a_row, settings.inked)
    frames = (np.minimum(w, h) >= settings.least_side) & (area <= inked * w * h)
    page = min(height, width) > InkSettings.strip_height
    if page:
        frames &= (w <= settings.largest * width) | (h <= settings.largest * height)
    frames[0] = False
    lifted = mask
    for k in np.flatnonzero(frames).tolist():
        here = np.s_[y[k] : y[k] + h[k], x[k] : x[k] + w[k]]
        frame = (labels[here] == k).view(np.uint8)
        boxes = list(_boxes(frame, settings))
        if len(boxes) < (1 if page else settings.fewest_of_strip) or (
            len(boxes) < settings.blank and not _is_written_in(boxes, mask[here] - frame)
        ):
            continue
        thickest = RulingSettings.thickness * max(height, width)
        lines = frame - _without_lines(frame, contrast[here], boxes, thickest, settings)
        if lifted is mask:
            lifted = mask.copy()
        lifted[here] -= lines
    return lifted


def _boxes(frame: NDArray[np.uint8], settings: BoxSettings) -> Iterator[NDArray[Any]]:
    """Yield the outlines of the paper that a frame encloses in rectangles."""
    outlines, hierarchy = cv2.findContours(frame, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for outline, (*_, parent) in zip(outlines, hierarchy[0], strict=True):
        if parent < 0 or len(outline) < 4 * settings.least_side:
            continue
        _, (across, down), angle = cv2.minAreaRect(outline)
        if (
            min(across, down) >= settings.least_side
            and abs((angle + 45) % 90 - 45) <= settings.turned
            and cv2.contourArea(outline) >= settings.rectangular * across * down
        ):
            yield outline


def _is_written_in(boxes: Sequence[NDArray[Any]], others: NDArray[np.uint8]) -> bool:
    """Return whether any of the other ink of a picture (uint8, H×W, 0 or 1) lies in boxes."""
    inside = np.zeros_like(others)
    cv2.drawContours(inside, boxes, -1, 1, cv2.FILLED)
    return bool((inside & others).any())


def _without_lines(
    frame: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    boxes: Sequence[NDArray[Any]],
    thickest: float,
    settings: BoxSettings,
) -> NDArray[np.uint8]:
    """Return what is left of a frame (uint8, H×W, 0 or 1) without its lines."""
    margin = 3 * max(4, round(thickest))  # along a picture's border there are no rulings
    sizes = [cv2.boundingRect(box)[2:] for box in boxes]
    rest, greys = np.pad(frame, margin), np.pad(contrast, margin)
    for axis in (0, 1):
        least = settings.side * statistics.median(size[axis] for size in sizes)
        lines = dataclasses.replace(
            RulingSettings(),
            many=1,
            further=least / rest.shape[1],
            gap=0.5 * least / rest.shape[1],
            thickness=thickest / max(rest.shape),
        )
        rest, _ = lift_level(rest, greys, least, least, lines)
        rest, greys = np.ascontiguousarray(rest.T), greys.T
    return rest[margin:-margin, margin:-margin]
