"""Shadows on paper: what is in them is paper, too, and their edges are no ink.

A shadow's edge is a step from bright paper to something darker that is too wide for a stroke. So is that of a
sheet on a desk, of a hand, and of a stroke bolder than any pen's. In a shadow there is paper: it is even, and
what is written there is like what is written beside it. A desk has grain, or other things on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
_SQUARE_3, _SQUARE_5 = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)


@dataclass(frozen=True)
class ShadowSettings:
    """What is taken for a shadow; lengths beside the picture's shorter side, parts 0…1."""

    least_side: int = 120
    """A picture with a shorter side is cut to its writing: no shadow's edge is looked for. Pixels,
    1…32,000."""
    least_length: float = 0.08
    """An edge that is asked about is so long, 0…10."""
    most: int = 12
    """Of so many edges, the longest, it is asked whether they are shadows', 0…1,000."""
    as_dark: float = 1.15
    """What is no brighter than the dark side of an edge, by this factor, lies beyond it, 1…100."""
    beside: float = 0.1
    """But only if it makes up this part of what the edge borders on there, or more, 0…1."""
    uneven: float = 0.10
    """Where what lies beyond lacks more than this part of its light, it is uneven, or written on. 0…1."""
    grain: float = 0.1
    """Of paper this part is so at most. 0…1."""
    around_ink: float = 5.0
    """And as much again as there is ink, so many times, for strokes have soft edges and paper may be ruled.
    0…1,000."""
    most_uneven: float = 0.35
    """But never more than this part of it, 0…1."""
    plain: float = 0.25
    """Ink that lacks more than this part of the paper's light is plain: rests of an edge seldom are.
    0…1."""
    least_ink: float = 0.002
    """It is written on if this part of it, or more, is plain ink away from all edges. 0…1."""
    width: float = 0.08
    """Then it is so wide in one place at least, as all shadows are where there is one. 0…10."""
    around: float = 0.8
    """A sheet lies on a desk where this part of the picture's border, or more, is dark; above 1 none
    does. 0…2."""
    as_bright: float = 1.3
    """The sheet is brighter by this factor. No shadows are looked for there. 1…100."""
    as_deep: float = 1.5
    """What is darker than all that surely is a shadow, by this factor, is none: a mark, a bold stroke.
    1…100."""
    strokes: int = 2
    """So many strokes at least stand in shadows, plain and away from edges (0: none needs to). 0…1,000."""
    as_plain: float = 1.3
    """In comparison to those elsewhere they are as plain by this factor. 1…100."""
    as_high: float = 2.0
    """And as high by this one, 1…100."""
    from_border: bool = False
    """Whether a shadow has to reach the picture's border. A bold stroke doesn't."""
    narrower: float = 0.45
    """Where much that is thicker than this part of the thickest stroke passes for ink, narrow shadows are
    looked for, too, such as a finger's. 0…1."""
    narrow: float = 0.03
    """So wide are narrow ones, 0…10."""


ANY_SHADOW = ShadowSettings(least_ink=0, strokes=0, around=2, from_border=True)
"""For where little but a sheet of paper is to be seen: what lies beyond an edge on it needs no proof, if it
reaches the picture's border, as no stroke does."""


@dataclass(frozen=True)
class Ground:
    """What writing stands on, in one picture: all uint8, H×W, in fewer pixels than it has."""

    grey: Grey
    """The picture itself."""
    paper: Grey
    """The brightness of the paper, smoothed: beside a step it is neither side's …"""
    level: Grey
    """… and that of the darker side, within a pixel."""
    edges: Grey
    """255 on the darker side of such a step, else 0."""


def ground_of(grey: Grey, side: int, step: float) -> Ground:
    """Return the ground in a picture (uint8, H×W) whose strokes are thinner than `side` pixels.

    A step takes more than the part `step` of the light, 0…1.
    """
    side = max(3, side) | 1
    paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    level = cv2.erode(paper, _SQUARE_3)
    paper = cv2.blur(paper, (_smoothing(side),) * 2)
    # Smoothed, the brighter paper runs out over what is darker beside it, which passes for ink there.
    edges = cv2.compare(cv2.convertScaleAbs(paper, alpha=1 - step), level, cv2.CMP_GT)
    return Ground(grey, np.asarray(paper, np.uint8), np.asarray(level, np.uint8), np.asarray(edges, np.uint8))


def _smoothing(side: int) -> int:
    """Return the width of the window that paper is smoothed in whose strokes are thinner than `side`."""
    return side // 2 | 1


def contrast_of(grey: Grey, paper: Grey) -> Grey:
    """Return how much darker than paper each pixel is: 0 where it is as bright … 255 where it is black.

    Both are uint8, H×W.
    """
    return np.asarray(cv2.bitwise_not(cv2.divide(grey, paper, scale=255)), np.uint8)


def without_shadows(
    ground: Ground,
    side: int,
    step: float,
    threshold: Callable[[Grey], int],
    settings: ShadowSettings = ShadowSettings(),
) -> Ground | None:
    """Return the ground, the paper in shadows as dark as it is, their edges none; None without shadows.

    `side` (pixels of the ground) and `step` (0…1) are what `ground_of` found it with; `threshold` tells of a
    contrast (uint8, H×W) from which of its values on it is ink, 0…255.
    """
    if _lies_on_a_desk(ground.grey, settings):
        return None
    wide = _find(ground, threshold, settings.width, settings)
    if wide is not None and settings.strokes and not _are_cast(wide, ground, side, threshold, settings):
        wide = None
    lit = ground if wide is None else _with(ground, ground, wide, side)
    contrast = contrast_of(lit.grey, lit.paper)
    narrower = max(3, round(settings.narrower * side)) | 1
    ink = np.asarray(contrast >= _FAINT * threshold(contrast))
    thick = cv2.morphologyEx(ink.view(np.uint8), cv2.MORPH_OPEN, np.ones((narrower, narrower), np.uint8))
    if np.count_nonzero(thick) >= _SQUARES * narrower * narrower:
        closer = ground_of(ground.grey, narrower, step)
        narrow = _find(closer, threshold, settings.narrow, settings)
        if narrow is not None and (
            not settings.strokes or _are_cast(narrow, closer, side, threshold, settings)
        ):
            return _with(lit, closer, narrow, side)
    return None if wide is None else lit


_FAINT = 0.55
"""Ink is as faint as this part of the threshold where it is followed."""
_SQUARES = 4
"""So many squares of the narrower window are much that is thick."""


@dataclass(frozen=True)
class _Shadows:
    """Where shadows have their edges, on the dark side, and what lies beyond these: bool, H×W."""

    edges: Mask
    inside: Mask


def _find(
    ground: Ground, threshold: Callable[[Grey], int], least: float, settings: ShadowSettings
) -> _Shadows | None:
    """Return the shadows that are at least so wide, where they are written on; None where there are none."""
    if not ground.edges.any():
        return None
    number, bands, stats, _ = cv2.connectedComponentsWithStats(ground.edges, connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    long = [k for k in range(1, number) if longest[k] >= settings.least_length * min(bands.shape)]
    # To judge an edge, every other pixel of a large ground is enough.
    step = 2 if min(bands.shape) >= _LARGE else 1
    edges, level, paper, grey = (
        np.ascontiguousarray(each[::step, ::step])
        for each in (ground.edges, ground.level, ground.paper, ground.grey)
    )
    own = bands[::step, ::step]
    contrast = contrast_of(grey, np.where(edges > 0, level, paper).astype(np.uint8))
    strong = threshold(contrast)
    # Beside an edge there may be rests of it, as in a bold stroke.
    away = cv2.dilate(edges, _SQUARE_3) == 0
    beyond: dict[int, Mask] = {}
    found: set[int] = set()
    for band in sorted(long, key=lambda k: -longest[k])[: settings.most]:
        here = _beyond(own == band, edges, level, settings)
        if settings.from_border and not _reaches_border(here):
            continue
        part = _judged(here, away, contrast, strong, settings)
        if part.width < (least if part.is_written_on else settings.width):
            continue
        beyond[band] = here
        if part.is_written_on:
            found.add(band)
    if not found:
        return None
    levels = {band: float(np.median(level[here])) for band, here in beyond.items()}
    deepest = min(levels[band] for band in found) / settings.as_deep
    shadows = [band for band, dark in levels.items() if dark >= deepest]
    inside = np.logical_or.reduce([beyond[band] for band in shadows])
    whole = cv2.resize(inside.view(np.uint8), bands.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return _Shadows(np.isin(bands, shadows), np.asarray(whole > 0))


_LARGE = 100
"""Shorter side of a ground that is large. Pixels."""


def _are_cast(
    shadows: _Shadows, ground: Ground, side: int, threshold: Callable[[Grey], int], settings: ShadowSettings
) -> bool:
    """Return whether shadows fall on what is written: what stands in them is like what stands beside them."""
    contrast = contrast_of(ground.grey, np.where(shadows.edges, ground.level, ground.paper).astype(np.uint8))
    ink = np.asarray(contrast >= max(threshold(contrast), settings.plain * 255))
    ink &= cv2.dilate(ground.edges, np.ones((_smoothing(side),) * 2, np.uint8)) == 0
    # What lies along the border is a box's frame, or something else that is cut off.
    ink[[0, -1]] = ink[:, [0, -1]] = True
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.view(np.uint8))
    areas = stats[:, cv2.CC_STAT_AREA]
    strokes = areas >= _STROKE
    strokes[[0, labels[0, 0]]] = False
    within = strokes & (2 * np.bincount(labels[shadows.inside], minlength=count) >= areas)
    beside = strokes & ~within
    if np.count_nonzero(within) < settings.strokes:
        return False
    if np.count_nonzero(beside) < settings.strokes:
        return bool(np.count_nonzero(within) >= _ALL)
    darkness = np.bincount(labels.ravel(), contrast.ravel(), count) / np.maximum(1, areas)
    heights = stats[:, cv2.CC_STAT_HEIGHT]
    return all(
        1 / most <= float(np.percentile(values[within], q) / np.percentile(values[beside], q)) <= most
        for values, q, most in ((darkness, 50, settings.as_plain), (heights, 75, settings.as_high))
    )


_ALL = 4
"""So many strokes, or more, stand in shadows where hardly any stands beside them."""
_STROKE = 8
"""Pixels of a stroke, or more, in a ground."""


def _with(ground: Ground, seen: Ground, shadows: _Shadows, side: int) -> Ground:
    """Return a ground with shadows that were `seen` in it, be it with other windows."""
    # The smoothed paper is too bright as far from an edge as it was smoothed.
    near = cv2.dilate(shadows.edges.view(np.uint8), np.ones((_smoothing(side),) * 2, np.uint8)) > 0
    darker = np.where(near, np.minimum(seen.level, seen.paper), seen.paper)
    at = near if seen is ground else near | shadows.inside
    return Ground(
        ground.grey,
        np.where(at, np.minimum(ground.paper, darker), ground.paper).astype(np.uint8),
        np.minimum(ground.level, seen.level),
        np.where(at, 0, ground.edges).astype(np.uint8),
    )


def _beyond(band: Mask, edges: Grey, level: Grey, settings: ShadowSettings) -> Mask:
    """Return what lies beyond an edge, on its dark side."""
    own = level[band]
    if not own.size:
        return band
    dark = settings.as_dark * float(np.partition(own, own.size // 4)[own.size // 4])
    parts = (level <= dark) & (edges == 0)
    count, labels = cv2.connectedComponents(parts.view(np.uint8), connectivity=4)
    touching = np.bincount(labels[cv2.dilate(band.view(np.uint8), _SQUARE_5) > 0], minlength=count)
    touching[0] = 0
    beside = touching >= max(1.0, settings.beside * touching.sum())
    return np.asarray(labels == beside.argmax() if np.count_nonzero(beside) == 1 else beside[labels])


def _reaches_border(here: Mask) -> bool:
    """Return whether a part of the picture reaches its border, or nearly so, for an edge may run along it."""
    near = max(1, round(_NEAR * min(here.shape)))
    return bool(here[:near].any() or here[-near:].any() or here[:, :near].any() or here[:, -near:].any())


_NEAR = 0.02
"""What is no farther from the border reaches it, beside the picture's shorter side."""


@dataclass(frozen=True)
class _Part:
    """What lies beyond an edge: how wide it is, 0 where it is uneven, and what is on it."""

    width: float
    is_written_on: bool


def _judged(here: Mask, away: Mask, contrast: Grey, strong: int, settings: ShadowSettings) -> _Part:
    """Return what a part of the ground is; what is written on it is plain, and `away` from all edges."""
    own = contrast[here]
    if not own.size:
        return _Part(0.0, False)
    ink = np.count_nonzero(own >= strong) / own.size
    uneven = np.count_nonzero(own >= settings.uneven * 255) / own.size
    if uneven > min(settings.most_uneven, settings.grain + settings.around_ink * ink):
        return _Part(0.0, False)
    width = 2 * float(cv2.distanceTransform(here.view(np.uint8), cv2.DIST_L2, 3).max())
    plain = np.count_nonzero(contrast[here & away] >= max(strong, settings.plain * 255)) / own.size
    return _Part(width / min(here.shape), bool(plain >= settings.least_ink))


def _lies_on_a_desk(grey: Grey, settings: ShadowSettings) -> bool:
    """Return whether the picture is dark along its border, as where a sheet lies on a desk."""
    border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    bright = float(np.partition(grey, place := 9 * grey.size // 10, axis=None)[place])
    dark = float(np.median(border))
    if bright < settings.as_bright * dark:
        return False
    return bool(np.count_nonzero(border <= math.sqrt(dark * bright)) >= settings.around * border.size)
