"""Whether ink is darker than what it is on, in a picture and in its parts: pen on paper, chalk on a board.

A part of a picture is the other way round where a slate lies on paper or a sheet is pinned to a blackboard.
Such a part is one where the ground is much darker than elsewhere, over an area far wider than any stroke, and
where bright strokes stand on it. A dark desk around a sheet has none, and stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

Polarity = Literal["dark", "light"]
"""What ink is, beside what it is on."""

_SMALL = 200
"""Short side in pixels of the picture that strokes are looked for in …"""
_TINY = 33
"""… and of the one in which the ground is."""


@dataclass(frozen=True)
class PolaritySettings:
    """What makes a part of a picture one of the other polarity; brightness is 0…255."""

    least_side: int = 120
    """A picture with a side shorter than this is cut to one line or digit, and is of one kind. Pixels."""
    apart: int = 70
    """Its ground is so much darker than the other …"""
    least_area: float = 0.04
    """… over this part of the picture."""
    contrast: int = 45
    """Strokes on it are so much brighter than it, …"""
    least_ink: float = 0.003
    """… cover this part of it …"""
    most_ink: float = 0.25
    """… and no more than this …"""
    even: int = 25
    """… and are more than all else on it that departs so much from its median."""
    stroke_height: int = 8
    """One stroke at least is this many pixels high where the picture's short side is 200."""
    clearance: float = 4.0
    """The ground is so many times as wide as the thickest stroke on it, in one place at least: what is
    narrower is a bold stroke itself, and what is bright in it the hole of a digit."""


_WINDOWS = (1, 2, 4, 8)
"""Windows in which ink is told from paper, as multiples of the smallest."""
CUT_TO_A_DIGIT = 40
"""A picture with a side shorter than this is cut to one digit. Pixels."""
_PLAIN = 0.55
"""The skewness at which a window decides: no page, cheque or puzzle that we tune with is below it in the
smallest, and half of all single digits that are 200 pixels high are."""
_SURE = 1.5
"""The skewness that needs no support: strokes that are thicker than the window mislead to less."""
_WIDE = 0.15
"""The skewness that the widest window must have to support another."""
_OF_ONE_KIND = 0.65
"""The picture's border tells what paper is where so much of it, or more, is on one side of the level between
the picture's bright and dark. 0…1."""
_SHEET = 0.93
"""A sheet fills this part of the four-sided figure around it. 0…1."""
_MARKED = 0.003
"""What is written on a sheet covers this part of it, or more. 0…1."""
_MOMENTS = np.stack([(np.arange(256.0) - 128) ** power for power in (2, 3)])


def polarity_of(grey: Grey) -> Polarity:
    """Return whether ink is darker or brighter than what it is on; `grey` is uint8, H×W.

    Ink is the minority, so its departures from the local mean are the larger ones: their skewness has its
    sign. In a window no wider than the strokes it is near 0 or misleads, and they are that thick where one
    digit fills the picture; there a wider window decides, or the picture's border, which is paper as a rule.
    """
    height, width = grey.shape
    step = max(1, min(height, width) // _SMALL)
    small = np.ascontiguousarray(grey[::step, ::step])
    # A window of a few strokes: in a larger one the sheet itself, light on a dark desk, would pass for ink.
    side = max(15, min(small.shape) // 20)
    together = 0.0
    for times in _WINDOWS:
        skewness = _skewness(small, side * times | 1)
        together += skewness
        if abs(skewness) >= _PLAIN:
            break
    plain = abs(skewness) >= _PLAIN
    found: Polarity = "dark" if (skewness if plain else together) <= 0 else "light"
    if abs(skewness) >= _SURE:
        return found
    level, _ = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = np.asarray(small <= level)
    around = np.concatenate([dark[0], dark[-1], dark[1:-1, 0], dark[1:-1, -1]])
    share = np.count_nonzero(around) / around.size
    by_border: Polarity = "light" if share > 0.5 else "dark"
    if by_border == found or max(share, 1 - share) < _OF_ONE_KIND:
        return found
    if plain:
        # A box's frame is not paper either, nor is the desk around a sheet.
        widest = _skewness(small, side * _WINDOWS[-1] | 1)
        if abs(widest) > _WIDE and (widest > 0) == (skewness > 0):
            return found
        if is_sheet(dark if by_border == "dark" else ~dark):
            return found
    return by_border


def _skewness(small: Grey, window: int) -> float:
    """Return the skewness of the departures from the mean in a window of so many pixels around."""
    # Were the picture not reflected at its border, a frame that runs along it would be all there is beyond;
    # reflected, the strokes of a small one that is cut to a digit would.
    border = cv2.BORDER_REPLICATE if min(small.shape) < CUT_TO_A_DIGIT else cv2.BORDER_REFLECT
    mean = cv2.blur(small, (window, window), borderType=border)
    departure = np.asarray(cv2.addWeighted(small, 0.5, mean, -0.5, 128), np.uint8)
    histogram = cv2.calcHist([departure], [0], None, [256], [0, 256]).ravel()
    second, third = (_MOMENTS @ histogram / small.size).tolist()
    return float(third / max(second, 1e-9) ** 1.5)


def is_sheet(mask: NDArray[np.bool_]) -> bool:
    """Return whether the largest thing in a mask (bool, H×W) is four-sided, with marks in it."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None:
        return False
    hull = cv2.convexHull(largest)
    corners = cv2.approxPolyDP(hull, 0.03 * cv2.arcLength(hull, True), True)
    filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), [largest], -1, 1, cv2.FILLED)
    area = int(np.count_nonzero(filled))
    marks = area - int(np.count_nonzero(filled.astype(bool) & mask))
    is_whole = bool(area >= _SHEET * cv2.contourArea(corners))
    return len(corners) == 4 and is_whole and _MARKED * area <= marks <= 0.5 * area


def inverse_parts(grey: Grey, settings: PolaritySettings = PolaritySettings()) -> Grey | None:
    """Return where a picture has bright strokes on dark ground, elsewhere having dark ones on bright.

    `grey` is uint8, H×W. The mask is uint8, H×W, 0 or 255; None where there is no such part.
    """
    height, width = grey.shape
    if min(height, width) < settings.least_side:
        return None
    step = max(1, min(height, width) // _SMALL)
    # By a whole number, the rest cut off: any other factor costs several times as much.
    shrink = max(1, -(-min(height, width) // step) // _TINY)
    size = -(-width // step) // shrink, -(-height // step) // shrink
    rows, columns = size[1] * shrink * step, size[0] * shrink * step
    small = np.ascontiguousarray(grey[:rows:step, :columns:step])
    ground = cv2.blur(cv2.resize(small, size, interpolation=cv2.INTER_AREA), (5, 5))
    lowest, highest, _, _ = cv2.minMaxLoc(ground)
    if highest - lowest < settings.apart:
        return None
    level, below = cv2.threshold(ground, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    dark = np.asarray(below, np.uint8)
    area = int(np.count_nonzero(dark))
    if not settings.least_area * dark.size <= area < dark.size:
        return None
    is_dark = dark.astype(bool)
    if float(ground[~is_dark].mean()) - float(ground[is_dark].mean()) < settings.apart:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(dark)
    found = np.zeros_like(dark)
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_AREA] >= settings.least_area * dark.size:
            here = np.asarray(labels == part).astype(np.uint8)
            if _is_written_on(small, here, settings):
                found |= here
    if not found.any():
        return None
    return _at_full_size(grey, found, level)


def turn_parts(grey: Grey, parts: Grey) -> Grey:
    """Return a picture with `parts` (uint8, H×W, 0 or 255) inverted, so that all its ink is dark."""
    turned = cv2.bitwise_xor(grey, parts)
    # The seam is neither: it takes the brightness of the ground beside it.
    side = max(3, min(grey.shape) // 100) | 1
    seam = cv2.morphologyEx(parts, cv2.MORPH_GRADIENT, np.ones((side, side), np.uint8))
    around = cv2.dilate(turned, np.ones((2 * side + 1, 2 * side + 1), np.uint8))
    cv2.copyTo(around, seam, turned)
    return np.asarray(turned, np.uint8)


def _is_written_on(small: Grey, part: Grey, settings: PolaritySettings) -> bool:
    """Return whether bright strokes, and little else, stand on a dark part, well inside it."""
    size = small.shape[1], small.shape[0]
    inner = cv2.erode(part, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    inside = cv2.resize(inner, size, interpolation=cv2.INTER_NEAREST) > 0
    area = int(np.count_nonzero(inside))
    if not area:
        return False
    own = small[inside]
    ground = int(np.partition(own, area // 2)[area // 2])
    bright = small >= min(255, ground + settings.contrast)
    # What reaches the edge of the part, or of the picture, is something else that lies there.
    inside[[0, -1]] = inside[:, [0, -1]] = False
    count, labels, stats, _ = cv2.connectedComponentsWithStats((bright | ~inside).view(np.uint8))
    clear = np.ones(count, bool)
    clear[labels[~inside]] = False
    clear[0] = False
    strokes = int(stats[clear, cv2.CC_STAT_AREA].sum())
    odd = np.abs(small.astype(np.int16) - ground) >= settings.even
    others = int(np.count_nonzero(odd & inside & (clear[labels] | (labels == 0)))) - strokes
    if not settings.least_ink * area <= strokes <= settings.most_ink * area or others > strokes:
        return False
    if not (stats[clear, cv2.CC_STAT_HEIGHT] >= settings.stroke_height).any():
        return False
    on_it = clear[labels]
    widest, thickest = (_thickness(each) for each in (inside & ~on_it, on_it))
    return widest >= settings.clearance * thickest


def _thickness(mask: NDArray[np.bool_]) -> float:
    """Return half the width of a mask where it is thickest, in pixels; its border is the picture's."""
    return float(cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 3).max())


def _at_full_size(grey: Grey, part: Grey, level: float) -> Grey:
    """Return a part with its outline where the brightness really changes, and the strokes on it."""
    size = grey.shape[1], grey.shape[0]
    outer = cv2.resize(cv2.dilate(part, np.ones((3, 3), np.uint8)), size, interpolation=cv2.INTER_NEAREST) > 0
    dark = grey <= level
    # What is bright and reaches out of the part, or to the picture's border, is not on it but beside it.
    outer[[0, -1]] &= dark[[0, -1]]
    outer[:, [0, -1]] &= dark[:, [0, -1]]
    count, labels = cv2.connectedComponents((~dark).view(np.uint8))
    enclosed = np.ones(count, bool)
    enclosed[labels[~outer]] = False
    enclosed[0] = True
    return np.where(outer & enclosed[labels], 255, 0).astype(np.uint8)
