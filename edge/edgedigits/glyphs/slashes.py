"""Slashes between digits, as in dates: straight strokes that lean, and reach beyond the digits beside them.

By itself a slash is a 1 to any network. What is a slash for certain is a separator, and not read; what may be
one, or a 1 (see `edgedigits.decode.signs`), is no digit that can be trusted.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.glyph import Box, Glyph, box_around


@dataclass(frozen=True)
class SlashSettings:
    """What is a slash and no 1; lengths in heights of the digits.

    Of 63 strokes so straight between the digits of the tuning part's cheque amounts none reaches beyond both
    ends of these by more than 0.02.
    """

    beyond: float = 0.06
    """It reaches so far beyond them, above and below …"""
    beyond_in_all: float = 0.18
    """… and both together so far."""
    straight: float = 0.2
    """It is so wide across its length at most, in lengths of its own."""
    lean: tuple[float, float] = (8.0, 65.0)
    """By so many degrees it leans to the right: a bracket or a bar stands upright."""
    alone: float = 15.0
    """The same, at least, of the only slash in a line: two, as in a date, are hardly both 1s …"""
    parallel: float = 12.0
    """… if they lean alike but for this."""
    apart: float = 0.04
    """So far it stands from their ink, where the stroke of an open 4 is nearer."""


_INK = 100
"""What is darker belongs to the stroke, of 255."""
_FEWEST = 8
"""Of fewer pixels no direction is told."""


def slashes_among(glyphs: Sequence[Glyph], settings: SlashSettings = SlashSettings()) -> list[int]:
    """Return which glyphs of a line, from left to right, are slashes: between two that are none.

    Of several, as in a date, each is held against the whole line, for a digit beside it may be large. The
    only one is held against the digits beside it.
    """
    if len(glyphs) < 3:
        return []
    tops, bases = [glyph.box[1] for glyph in glyphs], [glyph.box[1] + glyph.box[3] for glyph in glyphs]
    line = int(statistics.median(tops)), int(statistics.median(bases))
    strokes: dict[int, float] = {}
    alone: list[int] = []
    for k in range(1, len(glyphs) - 1):
        before, glyph, behind = glyphs[k - 1 : k + 2]
        _, top, _, tall = box_around((before.box, behind.box))
        beyond_both = _reaches_beyond(glyph.box, top, top + tall, settings)
        if k - 1 in strokes or not (beyond_both or _reaches_beyond(glyph.box, *line, settings)):
            continue
        lean = _lean(glyph.ink, settings)
        if lean is not None and _gap(glyph, (before, behind)) >= settings.apart * tall:
            strokes[k] = lean
            if beyond_both and lean >= settings.alone:
                alone.append(k)
    several = len(strokes) > 1 and max(strokes.values()) - min(strokes.values()) <= settings.parallel
    return list(strokes) if several else alone


def _reaches_beyond(box: Box, top: int, base: int, settings: SlashSettings) -> bool:
    above, below = (top - box[1]) / (base - top), (box[1] + box[3] - base) / (base - top)
    return min(above, below) >= settings.beyond and above + below >= settings.beyond_in_all


def _lean(ink: NDArray[np.uint8], settings: SlashSettings) -> float | None:
    """Return by how many degrees one straight stroke leans to the right; None for any other ink."""
    points = np.array(np.nonzero(ink > _INK), np.float64)
    if points.shape[1] < _FEWEST:
        return None
    # The variances of a bar's points are its squared width and length, divided by 12.
    (across, along), axes = np.linalg.eigh(np.cov(points))
    if across > settings.straight**2 * along:
        return None
    down, right = axes[:, 1]
    lean = math.degrees(math.atan2(right, -down)) % 180
    return lean if settings.lean[0] <= lean <= settings.lean[1] else None


def _gap(glyph: Glyph, others: Sequence[Glyph]) -> float:
    """Return how many pixels are between the ink of a glyph and that of others."""
    left, top, width, height = box_around([glyph.box, *(other.box for other in others)])
    free = np.ones((height, width), np.uint8)
    for other in others:
        x, y, w, h = other.box
        free[y - top :, x - left :][:h, :w][other.ink > 0] = 0
    x, y, w, h = glyph.box
    away = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(away[y - top :, x - left :][:h, :w][glyph.ink > _INK].min())
