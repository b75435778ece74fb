"""Fields printed in another tint than the paper around them: found, and made as bright as it.

The edge of a grey or coloured field on a white form is as plain as a stroke, and beside it the field itself
is darker than the paper. Levelled, the field is paper, and what is written in it stands out as elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.shrink import shrunk

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class TintSettings:
    """What is taken for a field of another tint; brightness as a share of the paper's, 0…1."""

    lightest: float = 0.94
    """A field is darker than this …"""
    darkest: float = 0.35
    """… and brighter than this: what is darker is ink."""
    least_side: int = 24
    """It is so many pixels wide and high, or more, …"""
    least_area: float = 0.004
    """… and this part of the picture."""
    widest: float = 0.6
    """It is narrower, or lower, than this part of the picture's shorter side: there is paper beside it."""
    filled: float = 0.9
    """It fills this part of the level box around it, or more."""
    ink: float = 0.8
    """What is darker than the field by this factor is ink, …"""
    least_ink: float = 0.005
    """… and covers this part of it, or more: a bold stroke is no field …"""
    most_ink: float = 0.5
    """… and this, or less."""
    plain: float = 0.75
    """Along each of its sides it is this far, or farther, darker than what is beyond. 0…1."""


@dataclass(frozen=True)
class Tint:
    """A field, from its first column and row to those behind its last, in pixels."""

    left: int
    top: int
    right: int
    bottom: int
    level: float
    """Brightness of its ground, 0…255, …"""
    paper: float
    """… and of the paper around it."""

    def scaled(self, across: float, down: float) -> Tint:
        """Return the field in a picture `across` times as wide and `down` times as high."""
        x0, x1 = round(self.left * across), round(self.right * across)
        y0, y1 = round(self.top * down), round(self.bottom * down)
        return Tint(x0, y0, x1, y1, self.level, self.paper)


_FEWEST = 73
"""In a picture with a shorter side, cut to its field or shrunk to its digits, none is looked for. Pixels."""
_SMALL = 200
"""Short side in pixels of the picture that fields are looked for in …"""
_TINY = 50
"""… and of the one in which the paper is."""
_LEAST = 8
"""In the first of these a field is so many pixels wide and high, or more."""
_SOFT = 4
"""A field's edge is looked for so many pixels to either side of where it seems to be, and the picture goes on
for so many beyond it."""
_OFF = 3
"""Pixels from a field's edge where it is compared with what is beyond."""


def find_tints(grey: Grey, settings: TintSettings = TintSettings()) -> tuple[Tint, ...]:
    """Return the fields of another tint in a picture (uint8, H×W, dark ink on light), in its pixels."""
    if min(grey.shape) < _FEWEST:
        return ()
    step = max(1, min(grey.shape) // _SMALL)
    small = np.ascontiguousarray(grey[::step, ::step])
    tiny = shrunk(small, max(1, min(small.shape) // _TINY))
    side = max(3, round(settings.widest * min(tiny.shape))) | 1
    # Continued beyond its border: where light falls off, what is brighter inside would go on to the border.
    closed = cv2.copyMakeBorder(tiny, side, side, side, side, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(closed, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    closed = np.ascontiguousarray(closed[side:-side, side:-side])
    if not (tiny < settings.lightest * closed).any():
        return ()
    size = small.shape[1], small.shape[0]
    paper = np.asarray(cv2.resize(closed, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    ground = cv2.blur(small, (3, 3))
    darker = cv2.compare(ground, cv2.convertScaleAbs(paper, alpha=settings.lightest), cv2.CMP_LT)
    darker = cv2.morphologyEx(darker, cv2.MORPH_OPEN, np.ones((_LEAST - 1, _LEAST - 1), np.uint8))
    outlines, _ = cv2.findContours(darker, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for outline in outlines:
        x, y, w, h = cv2.boundingRect(outline)
        if min(w, h) < max(_LEAST, settings.least_side / step) or w * h < settings.least_area * small.size:
            continue
        # The outline goes through the middles of pixels.
        if cv2.contourArea(outline) >= settings.filled * (w - 1) * (h - 1):
            beside = float(np.median(paper[y : y + h, x : x + w]))
            box = x * step, y * step, (x + w) * step, (y + h) * step
            field = _field(grey, box, beside, _SOFT + step, settings)
            if field is not None:
                found.append(field)
    return tuple(found)


def level_tints(grey: Grey, tints: Sequence[Tint]) -> Grey:
    """Return a picture (uint8, H×W, dark ink on bright paper) whose fields are as bright as its paper."""
    levelled = grey.copy()
    for tint in tints:
        inside = np.s_[tint.top : tint.bottom, tint.left : tint.right]
        levelled[inside] = cv2.convertScaleAbs(grey[inside], alpha=tint.paper / tint.level)
        # Its edge is neither.
        edge = 2 + min(grey.shape) // 500
        corners = (tint.left, tint.top), (tint.right - 1, tint.bottom - 1)
        cv2.rectangle(levelled, *corners, round(tint.paper), 2 * edge - 1)
    return levelled


def _field(
    grey: Grey, box: tuple[int, int, int, int], paper: float, soft: int, settings: TintSettings
) -> Tint | None:
    """Return the field in a box (left, top, right, bottom), if there is one.

    Its edges are looked for so many pixels around.
    """
    height, width = grey.shape
    if min(box[:2]) < soft or box[2] > width - soft or box[3] > height - soft:
        return None  # there is to be paper all around
    left, top, right, bottom = _edges(grey, box, soft)
    inside = grey[top:bottom, left:right]
    if min(inside.shape) < settings.least_side:
        return None
    # Its ground is brighter than most of it, as that of any strip.
    level = float(np.partition(inside.ravel(), place := int(0.7 * inside.size))[place])
    if not settings.darkest * paper <= level <= settings.lightest * paper:
        return None
    ink = np.count_nonzero(inside < settings.ink * level) / inside.size
    if not settings.least_ink <= ink <= settings.most_ink:
        return None
    sides = (
        (grey[top - _OFF, left:right], grey[top + _OFF - 1, left:right]),
        (grey[bottom + _OFF - 1, left:right], grey[bottom - _OFF, left:right]),
        (grey[top:bottom, left - _OFF], grey[top:bottom, left + _OFF - 1]),
        (grey[top:bottom, right + _OFF - 1], grey[top:bottom, right - _OFF]),
    )
    drop = 0.4 * (paper - level)
    if any(np.mean(np.subtract(out, within, dtype=float) > drop) < settings.plain for out, within in sides):
        return None
    return Tint(left, top, right, bottom, level, paper)


def _edges(grey: Grey, box: tuple[int, int, int, int], soft: int) -> tuple[int, int, int, int]:
    """Return a box with its sides where the brightness really changes, so many pixels around."""
    left, top, right, bottom = box
    columns = grey[top:bottom, left - soft : right + soft].mean(axis=0)
    rows = grey[top - soft : bottom + soft, left:right].mean(axis=1)
    around = 2 * soft + 1
    return (
        left - soft + 1 + int(np.diff(columns[:around]).argmin()),
        top - soft + 1 + int(np.diff(rows[:around]).argmin()),
        right + soft - around + 1 + int(np.diff(columns[-around:]).argmax()),
        bottom + soft - around + 1 + int(np.diff(rows[-around:]).argmax()),
    )
