"""Boxes and combs that digits are written into, one in each: their lines are lifted off the ink.

A box encloses paper that is rectangular, as no digit does. Its lines are looked for within each frame alone,
and may be as short as its boxes are wide and high; what touches them, a digit that found too little room,
stays as it does on a ruling.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.ink.finding import InkSettings
from edgedigits.ink.rulings import RulingSettings, lift_level


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
    thickness: float = 0.12
    """Its lines are as thick as this part of its shorter side: those of boxes side by side run together."""
    largest: float = 0.35
    """What takes more than this part of a page, both ways, is no box but ruled."""
    fewest_of_strip: int = 2
    """In a picture cut to one line, or to one box, that is so many boxes in one frame, or more."""
    strip_height: int = InkSettings.strip_height
    """A picture no higher (or wider) than this may be such a one. Pixels."""


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
    _, _, w, h, area = stats.T
    inked = np.where(w >= settings.row * h, settings.inked_in_a_row, settings.inked)
    frames = (np.minimum(w, h) >= settings.least_side) & (area <= inked * w * h)
    page = min(height, width) > settings.strip_height
    if page:
        frames &= (w <= settings.largest * width) | (h <= settings.largest * height)
    frames[0] = False
    if not frames.any():
        return mask
    fewest = 1 if page else settings.fewest_of_strip
    lifted = mask
    # Lines of boxes of about one size are looked for together, whatever their number.
    for size, alike in _by_size(_boxed(labels, stats, frames, fewest, settings)).items():
        chosen = np.zeros(len(stats), bool)
        chosen[alike] = True
        frame = chosen[labels].view(np.uint8)
        rest = _without_lines(frame, contrast, size, settings)
        # A side that is left would be a 1: such a frame stays whole, and refuses what is in it.
        for label in _with_sides(rest, labels, size, settings):
            chosen[label] = False
        lifted = lifted - ((frame - rest) & chosen[labels].view(np.uint8))
    return lifted


def _boxed(
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    frames: NDArray[np.bool_],
    fewest: int,
    settings: BoxSettings,
) -> dict[int, tuple[float, float]]:
    """Return, by label, how wide and high the boxes are in those of the `frames` that enclose any."""
    drawn = frames[labels].view(np.uint8)
    outlines, hierarchy = cv2.findContours(drawn, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    boxes: dict[int, list[NDArray[Any]]] = {}
    for outline, (*_, parent) in zip(outlines, hierarchy[0], strict=True):
        if parent >= 0 and _is_rectangle(outline, settings):
            x, y = outlines[parent][0, 0]
            boxes.setdefault(int(labels[y, x]), []).append(outline)
    sizes: dict[int, tuple[float, float]] = {}
    for label, own in boxes.items():
        if len(own) < fewest:
            continue
        if len(own) < settings.blank and not any(_is_written_in(box, labels, stats, label) for box in own):
            continue
        wide, tall = zip(*(cv2.boundingRect(box)[2:] for box in own), strict=True)
        sizes[label] = statistics.median(wide), statistics.median(tall)
    return sizes


def _is_rectangle(outline: NDArray[Any], settings: BoxSettings) -> bool:
    """Return whether the paper that an outline surrounds fills a box."""
    *_, wide, tall = cv2.boundingRect(outline)
    if min(wide, tall) < settings.least_side:
        return False
    _, (across, down), angle = cv2.minAreaRect(outline)
    return bool(
        abs((angle + 45) % 90 - 45) <= settings.turned
        and cv2.contourArea(outline) >= settings.rectangular * across * down
    )


def _is_written_in(
    box: NDArray[Any], labels: NDArray[np.int32], stats: NDArray[np.int32], frame: int
) -> bool:
    """Return whether in a box there is more than a speck of other ink than that of its frame, by label."""
    x, y, w, h = cv2.boundingRect(box)
    # Of a box that lies turned the corners lie beside it.
    inside = labels[y + h // 5 : y + h - h // 5, x + w // 5 : x + w - w // 5]
    others = np.setdiff1d(inside, [0, frame])
    return bool((stats[others, cv2.CC_STAT_HEIGHT] >= _WRITTEN * h).any())


def _by_size(sizes: dict[int, tuple[float, float]]) -> dict[tuple[float, float], list[int]]:
    """Return labels by the size of their boxes, those of about one size together under the least."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for label, size in sizes.items():
        groups.setdefault(tuple(round(math.log(side, _ALIKE)) for side in size), []).append(label)
    return {
        (min(sizes[label][0] for label in alike), min(sizes[label][1] for label in alike)): alike
        for alike in sorted(groups.values(), key=len, reverse=True)[:_SIZES]
    }


_WRITTEN = 0.3
"""What is written in a box is so high, as a part of it."""
_ALIKE = 1.5
"""Sizes within this ratio are about the same."""
_SIZES = 8
"""Boxes of so many sizes are looked at, the commonest: no sheet has more."""


def _with_sides(
    rest: NDArray[np.uint8],
    labels: NDArray[np.int32],
    size: tuple[float, float],
    settings: BoxSettings,
) -> list[int]:
    """Return the frames, by label, of which lines are left: slender pieces as long as the side of a box."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(rest)
    sides = np.zeros(len(stats), bool)
    for along, across in ((0, 1), (1, 0)):
        long = stats[:, cv2.CC_STAT_WIDTH + along] >= settings.side * size[along]
        sides |= long & (stats[:, cv2.CC_STAT_WIDTH + across] <= _SLENDER * size[across])
    sides[0] = False
    counts: dict[int, int] = {}
    for k in np.flatnonzero(sides).tolist():
        x, y, w, h, _ = stats[k].tolist()
        label = int(labels[y : y + h, x : x + w][pieces[y : y + h, x : x + w] == k][0])
        counts[label] = counts.get(label, 0) + 1
    return [label for label, count in counts.items() if count > 1]


_NO_TICKS = 10**6
"""The sides of boxes end at their lines, as ticks do."""
_SLENDER = 0.3
"""What is as long as the side of a box and no wider than this part of it is a side, and seldom a digit."""


def _without_lines(
    frame: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    size: tuple[float, float],
    settings: BoxSettings,
) -> NDArray[np.uint8]:
    """Return what is left of frames (uint8, H×W, 0 or 1) without the lines of their boxes, of such a size."""
    rulings = RulingSettings()
    thickest = max(rulings.thickness * max(frame.shape), settings.thickness * min(size))
    margin = 3 * max(6, round(thickest))  # along a picture's border there are no rulings
    rest, greys = np.pad(frame, margin), np.pad(contrast, margin)
    for side in size:
        least = settings.side * side
        lines = dataclasses.replace(
            rulings,
            many=1,
            ticks=_NO_TICKS,
            further=least / rest.shape[1],
            gap=0.5 * least / rest.shape[1],
            thickness=thickest / max(rest.shape),
        )
        rest, _ = lift_level(rest, greys, least, least, lines)
        rest, greys = np.ascontiguousarray(rest.T), greys.T
    return rest[margin:-margin, margin:-margin]
