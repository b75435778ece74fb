"""What is wrong with a text line that was found, whatever can be read of it, and what ink it leaves out.

A line's digits are places in the `Components` it was found in; `tall` is their median height and a span its
left, median top, right and median bottom, in working pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.across import AcrossSettings, thickness_across
from edgedigits.glyphs.bars import is_struck_out
from edgedigits.glyphs.chains import Span, bounds_of, onward
from edgedigits.glyphs.components import COLUMN, ON_LEVEL, Components
from edgedigits.glyphs.glyph import Fault
from edgedigits.ink.unprinted import pieces_of

_ACROSS = AcrossSettings()
_OF_PAGE = 0.35
"""A line lower than this part of the picture's shorter side is one of a page, and not what it was cut to."""


def faults_of(
    components: Components, digits: list[int], span: Span, tall: float
) -> tuple[float, frozenset[Fault]]:
    """Return how much ink a line leaves out, in squared heights of it, and what is wrong with it."""
    left, top, right, bottom = span
    _, highest, _, lowest = bounds = bounds_of(digits, components.boxes)
    around = left - tall, top, right + tall, bottom
    left_out = _left_out(components, around, tall)
    across = _line_across(components, digits, tall)
    on_page = lowest - highest < _OF_PAGE * min(components.labels.shape)
    faults: dict[Fault, bool] = {
        "struck-out": is_struck_out(components.ink.mask, bounds, tall),
        "ruled-through": across >= _ACROSS.bold,
        "stroke-lost": math.isinf(left_out) or _went_with_a_line(components, around, tall),
        "cut-off": on_page and _is_cut_off(components, digits, span, tall),
        "too-much": _like_writing(components, components.too_many, span, tall).size > 0,
        "drawn-over": _is_drawn_over(components, span, tall) or _is_covered(components, digits, span, tall),
        "crossed": _ACROSS.hides <= across < _ACROSS.bold,
    }
    left_out = 0.0 if math.isinf(left_out) else left_out
    left_out += _left_faint(components, digits, span, tall)
    return left_out, frozenset(fault for fault, found in faults.items() if found)


def _line_across(components: Components, digits: list[int], tall: float) -> float:
    """Return how thick a line is, in heights of a digit, that was lifted off from a number's middle."""
    if components.lifted is None:
        return 0.0
    boxes = [(x, y, w, h) for x, y, w, h in components.boxes[digits].tolist()]
    contrast, darkness = components.ink.contrast, components.ink_of(digits)
    return thickness_across(components.lifted, contrast, boxes, tall, darkness, _ACROSS)


_WITHIN = 0.85
"""A line no higher than this part of the picture's height stands well inside it."""


def _left_out(components: Components, span: Span, tall: float) -> float:
    """Return how much dropped ink in a span is as tall as strokes are, in squared heights of the line.

    What goes from the picture's upper edge to its lower one, past a line well inside it, is a frame's
    side and no stroke, but for the strokes that hang on it; nor is what goes down a page as a column's
    line does.
    """
    dropped, labels = components.dropped, components.labels
    high = components.stats[:, cv2.CC_STAT_HEIGHT] >= COLUMN * tall
    if components.is_page:
        # A line with a digit that touches it is too high to be read with the others.
        dropped = dropped | high
        dropped[0] = False
    if not dropped.any():
        return 0.0
    left, top, right, bottom = (max(0, round(edge)) for edge in span)
    here = labels[top:bottom, left:right]
    if not dropped[here].any():
        return 0.0
    bare = dropped & ~(components.goes_down & high) if components.is_page else dropped
    region = bare[here].view(np.uint8)
    hanging = 0.0
    if bottom - top <= _WITHIN * len(labels):
        _, pieces, stats = pieces_of(dropped[labels[:, left:right]].view(np.uint8))
        through = stats[:, cv2.CC_STAT_HEIGHT] >= len(pieces) - 2
        through[0] = False
        region = np.where(through[pieces[top:bottom]], 0, region).astype(np.uint8)
        if components.is_page:
            hanging = _on_lines(pieces, stats, (top, bottom), tall)
    upright = np.ones((max(3, round(0.3 * tall)), 1), np.uint8)
    standing = cv2.morphologyEx(
        region, cv2.MORPH_OPEN, upright, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return float(np.count_nonzero(standing)) / tall**2 + hanging


_HANGING = 0.08
"""Strokes are more than this, in squared heights of a line; a thin 1 holds about 0.1."""
_STROKE = 0.04
"""A stroke is as wide as this, in heights of a line, or wider: at the border a rounding only touches it."""


def _on_lines(
    pieces: NDArray[np.int32], stats: NDArray[np.int32], rows: tuple[int, int], tall: float
) -> float:
    """Return how much ink, in squared heights of a line, hangs on what goes down past its rows.

    `pieces` (int32, H×W) are the labels of what goes down, and of other ink that was dropped, beside the line
    and up to a height away at its ends, and `stats` (int32, N×5) OpenCV's of these. Infinite where more than
    a stroke hangs on it at an end: beyond that nothing is read.
    """
    hanging, aside = 0.0, round(tall)
    for label in np.flatnonzero(stats[:, cv2.CC_STAT_HEIGHT] >= COLUMN * tall).tolist():
        if not label:
            continue
        # Of a line's hundreds of rules each is looked at where it is.
        x, y, w, h, _ = stats[label].tolist()
        own = pieces[y : y + h, x : x + w] == label
        thick = np.count_nonzero(own, axis=1)
        usual = float(np.median(thick))
        beside = own[max(0, rows[0] - y) : max(0, rows[1] - y)]
        ends = max(0, aside - x), max(0, pieces.shape[1] - aside - x)
        here, left, right = (
            _thicker(np.count_nonzero(part, axis=1) - usual, tall)
            for part in (beside, beside[:, : ends[0]], beside[:, ends[1] :])
        )
        if max(left, right) > _HANGING:
            return math.inf
        hanging += here
    return hanging


def _thicker(more: NDArray[np.float64], tall: float) -> float:
    """Return how much ink that is, in squared heights of a line, of by how many pixels a row has more."""
    return float(more[more >= max(2.0, _STROKE * tall)].sum()) / tall**2


_GOES_ON = 0.9
"""A line that goes down an end of a number has this part of the height where it is looked at, or more."""
_BESIDE = 0.12
"""What stands beside it is no farther from it, in heights of a digit."""
_BEYOND = 0.35
"""It is looked at so far beyond the number, in heights of a digit."""


def _went_with_a_line(components: Components, span: Span, tall: float) -> bool:
    """Return whether a line that goes down at an end of a span was lifted off with a stroke along it.

    It is thicker there, by a stroke, for most of a digit's height.
    """
    lifted = components.lifted
    if lifted is None or not components.is_page:
        return False
    left, top, right, bottom = (round(edge) for edge in span)
    aside, beyond = round(tall), round(_BEYOND * tall)
    rows = slice(max(0, top - beyond), bottom + beyond)
    first, last = left + aside, right - aside
    for start, end in ((left, first), (last, right)):
        begins = max(0, start - beyond)
        band = lifted[rows, begins : max(0, end + beyond)]
        if band.any() and any(
            _has_stroke_along(line, tall) for line in _lines_down(band, first - begins, last - begins, tall)
        ):
            return True
    return False


def _lines_down(band: NDArray[np.uint8], first: int, last: int, tall: float) -> Iterator[NDArray[np.uint8]]:
    """Yield of the lines that go down a band (uint8, H×W, 0 or 1) each with what is close beside it.

    A stroke that is left beside one, between the columns `first` and `last`, is the number's first digit, or
    its last: such lines are left out.
    """
    x, _, w, h, _ = pieces_of(np.ascontiguousarray(band))[2].T
    # What the band cuts off is as thick as that leaves it.
    whole = (x > 0) & (x + w < band.shape[1]) & (h >= _GOES_ON * len(band))
    away = np.maximum(first - x - w, x - last)
    near = round(_BESIDE * tall)
    for label in np.flatnonzero(whole & (away >= _BESIDE * tall)).tolist():
        yield band[:, max(0, x[label] - near) : x[label] + w[label] + near]


_LINE = 0.3
"""A line, or a stroke, is no thicker than this, in heights of a digit."""
_MOST_OF = 0.55
"""A stroke along a line is so long, in heights of a digit, or longer."""


def _has_stroke_along(line: NDArray[np.uint8], tall: float) -> bool:
    """Return whether a line that goes down (uint8, H×W, 0 or 1) has a stroke along it."""
    thick = np.count_nonzero(line, axis=1)
    if np.percentile(thick, 25) > _LINE * tall:
        return False
    usual = float(np.percentile(thick[thick > 0], 25))
    more = thick >= usual + max(2.0, _STROKE * tall)
    # Level lines are longer than any stroke is thick.
    more &= thick < usual + _LINE * tall
    return bool(np.count_nonzero(more) >= _MOST_OF * tall)


def _is_cut_off(components: Components, digits: list[int], span: Span, tall: float) -> bool:
    """Return whether the picture ends in a digit of a line, or in a piece of ink at one end of it."""
    at_border, at_sides = components.border
    if not at_border and not at_sides.size:
        return False
    members = [label for i in digits for label in components.members[i]]
    if max(at_border.get(label, 0) for label in members) >= max(2.0, _STROKE * tall):
        return True
    return bool(np.setdiff1d(_beside(components, at_sides, span, tall, _STROKE * tall), members).size)


_DRAWN_BESIDE = 0.8
"""Digits that touch a drawing go with it: nothing is known so far beside it, in heights of a digit …"""
_DRAWN_ACROSS = 0.3
"""… where it goes down through so much of the line, in heights of a digit, or more."""


def _is_drawn_over(components: Components, span: Span, tall: float) -> bool:
    """Return whether a drawing goes through a span, around it, or so near that digits may be part of it."""
    if not components.drawn:
        return False
    left, top, right, bottom = (max(0, round(edge)) for edge in span)
    if any(x <= left and right <= x + w and y <= top and bottom <= y + h for x, y, w, h in components.faces):
        return True
    aside = round(_DRAWN_BESIDE * tall)
    here = np.isin(components.labels[top:bottom, max(0, left - aside) : right + aside], components.drawn)
    return bool(np.count_nonzero(here.any(axis=1)) >= _DRAWN_ACROSS * tall)


_OBJECT = 1.6
"""What lies on paper, as a finger does, is so wide and so high, or more, in heights of a digit, …"""
_MASSIVE = 0.36
"""… and so thick in one place, or more."""


def _is_covered(components: Components, digits: list[int], span: Span, tall: float) -> bool:
    """Return whether something massive, and far larger than digits, stands at an end of a span.

    What touches it goes with it: the number's next digit. Of what is wider than any stroke only the edge is
    known.
    """
    if not components.is_page:
        return False
    aside, _ = onward([(x, x + w) for x, _, w, _ in components.boxes[digits].tolist()], tall)
    if _ends_at_an_edge(components, span, aside):
        return True
    left, top, right, bottom = (max(0, round(edge)) for edge in span)
    ends = (
        components.labels[top:bottom, max(0, round(left - aside)) : left],
        components.labels[top:bottom, right : round(right + aside)],
    )
    beside = np.unique(np.concatenate([end.ravel() for end in ends]))
    sides = components.stats[beside, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1]
    large = beside[(beside > 0) & (sides.min(axis=1) >= _OBJECT * tall)]
    return any(components.thickness(label) >= _MASSIVE * tall for label in large.tolist())


_AT_EDGE = 0.6
"""Beside so much of a number's height, or more, such an edge runs …"""
_STRAIGHT = 0.12
"""… and is no printed panel's, which stands upright: it leans by more than this, and a pixel."""


def _ends_at_an_edge(components: Components, span: Span, aside: float) -> bool:
    """Return whether the edge of something dark runs down an end of a span, so many pixels aside at most."""
    edges = components.ink.edges
    if not edges.any():
        return False
    down, across = edges.shape[0] / components.labels.shape[0], edges.shape[1] / components.labels.shape[1]
    left, top, right, bottom = span
    rows = slice(max(0, round(down * top)), max(0, round(down * bottom)) + 1)
    for start, end in ((left - aside, left), (right, right + aside)):
        beside = edges[rows, max(0, math.floor(across * start)) : max(0, math.ceil(across * end))]
        if not beside.size:
            continue
        seen = (beside > 0).any(axis=1)
        runs = beside[seen].argmax(axis=1)
        if np.mean(seen) >= _AT_EDGE and np.ptp(runs) > 1 + _STRAIGHT * len(runs):
            return True
    return False


_AS_DARK = 0.7
"""The same pen's ink is as dark as this part of a line's, or darker."""


def _left_faint(components: Components, digits: list[int], span: Span, tall: float) -> float:
    """Return how much ink, in squared heights of a line, is as dark as it and was not sure by itself."""
    beside = _like_writing(components, components.faint, span, tall)
    if not beside.size:
        return 0.0
    least = _AS_DARK * components.ink_of(digits)
    dark = [label for label in beside.tolist() if components.darkness(label) >= least]
    return float(components.stats[dark, cv2.CC_STAT_AREA].sum()) / tall**2


_LIKE_WRITING = 0.3
"""What is lower than this, in heights of the line, is no digit's piece."""


def _like_writing(components: Components, ids: NDArray[np.intp], span: Span, tall: float) -> NDArray[np.intp]:
    """Return which labels may be digits of a line, or pieces of them, by where they are and how high."""
    if not ids.size:
        return ids
    return _beside(components, ids, span, components.settings.line_gap * tall, _LIKE_WRITING * tall)


def _beside(
    components: Components, ids: NDArray[np.intp], span: Span, reach: float, least: float
) -> NDArray[np.intp]:
    """Return which labels, as high as `least`, stand on a line's level, `reach` beside it at most."""
    left, top, right, bottom = span
    x, y, w, h = components.stats[ids, :4].T
    level = np.minimum(y + h, bottom) - np.maximum(y, top) >= ON_LEVEL * h
    return ids[level & (x + w > left - reach) & (x < right + reach) & (h >= least)]
