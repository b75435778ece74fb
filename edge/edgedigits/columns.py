"""Columns of a table: numbers in neighbouring cells stand side by side, and are not one number.

A printed line goes down between them, as between the digits in a comb: but there each cell has one digit.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.across import slope_of

Box = tuple[int, int, int, int]
"""Left, top, width and height, in pixels."""


@dataclass(frozen=True)
class ColumnSettings:
    """What is taken for a column's line; lengths in heights of a digit."""

    beyond: float = 0.15
    """It goes on so far above and below the digits beside it. 0…1."""
    aside: float = 0.15
    """A digit's box reaches so far across it at most: strokes slant. 0…1."""
    drawn: float = 0.85
    """So much of its length is inked; strokes that cross it stay, and hide it. 0…1."""
    thick: float = 0.25
    """It is no thicker than this. 0…1."""
    straight: float = 0.03
    """Half of it lies no farther than this off a straight line: a pattern's does. 0…1."""
    room: float = 0.2
    """A pale one has so much room …"""
    pale: float = 0.12
    """… and is as dark as this part of the strokes, or darker. 0…1."""
    wide: float = 1.35
    """Wider than this is more than one digit that touch. 0…10."""
    apart: float = 1.75
    """Columns are so wide, or wider: the squares of squared paper are narrower. 0…100."""
    around: float = 2.5
    """Lines are looked for so far to either side of a number. 0…100."""
    band: tuple[float, float] = (0.03, 0.22)
    """From so far to so far above and below the digits. 0…10."""
    leans: float = 0.15
    """From above a line to below it they go aside by this part of that at most. 0…1."""
    alike: float = 0.5
    """They are as dark as this part of those between the digits, or darker. 0…1."""
    several: float = 0.5
    """So many of a page's cells hold more than one digit, or more, if they are a table's and no comb's …"""
    several_here: float = 0.3
    """… and so many of those of one text line. 0…1."""


@dataclass(frozen=True)
class Cells:
    """The digits of a text line, as lines part them."""

    parts: tuple[tuple[int, ...], ...]
    """Which digits, by their places, stand between two lines, from left to right."""
    several: int
    """How many of the parts hold more than one digit."""


def find_cells(
    lines: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    boxes: Sequence[Box],
    darkness: float,
    settings: ColumnSettings = ColumnSettings(),
) -> Cells:
    """Return which digits of a text line stand in a cell together, if it is one of a table.

    `lines` (uint8, H×W, 0 or 1) are printed ones that were left out, `contrast` (uint8, H×W) is how much of
    the light is missing; `boxes` are those of the digits, one or more, and `darkness` is the contrast of
    their strokes. All stand together where no line goes down between them, or those of squares do.
    """
    order = sorted(range(len(boxes)), key=lambda k: boxes[k][0])
    tall = statistics.median(box[3] for box in boxes)
    parts = [[order[0]]]
    for k, following in itertools.pairwise(order):
        if _is_left_out(lines, boxes[k], boxes[following], tall, settings) or _is_pale(
            contrast, boxes[k], boxes[following], tall, darkness, settings
        ):
            parts.append([following])
        else:
            parts[-1].append(following)
    gaps = [
        (boxes[before[-1]][0] + boxes[before[-1]][2], boxes[behind[0]][0])
        for before, behind in itertools.pairwise(parts)
    ]
    if gaps and not _are_columns(contrast, boxes, gaps, tall, settings):
        parts = [order]
    several = [len(part) > 1 or boxes[part[0]][2] > settings.wide * tall for part in parts]
    return Cells(tuple(tuple(part) for part in parts), sum(several))


def are_of_a_table(found: Sequence[Cells], settings: ColumnSettings = ColumnSettings()) -> list[bool]:
    """Return of each of a page's text lines whether its cells are a table's, and no comb's."""
    parted = [len(cells.parts) > 1 for cells in found]
    several = sum(cells.several for cells in itertools.compress(found, parted))
    if several < settings.several * sum(len(cells.parts) for cells in itertools.compress(found, parted)):
        return [False] * len(found)
    return [
        own and cells.several >= settings.several_here * len(cells.parts)
        for own, cells in zip(parted, found, strict=True)
    ]


def _are_columns(
    contrast: NDArray[np.uint8],
    boxes: Sequence[Box],
    gaps: Sequence[tuple[int, int]],
    tall: float,
    settings: ColumnSettings,
) -> bool:
    """Return whether upright lines are as far apart as a table's: not those of squares.

    They are looked for above and below the digits of a line; in `gaps` (left and right) some are known to be.
    """
    x, y, w, h = np.array(boxes, np.float64).T
    slope = slope_of(x + w / 2, y + h / 2)
    middle = y + h / 2 - slope * (x + w / 2)
    top, bottom = float((middle - h / 2).min()), float((middle + h / 2).max())
    reach = settings.around * tall
    columns = np.arange(max(0, int(x.min() - reach)), min(contrast.shape[1], int((x + w).max() + reach)))
    deep = np.arange(round(settings.band[0] * tall), round(settings.band[1] * tall))[:, None]
    along = np.round(slope * columns).astype(np.intp)
    ridges = []
    for rows in (round(top) - deep + along, round(bottom) + deep + along):
        inside = (rows >= 0) & (rows < len(contrast))
        band = np.where(inside, contrast[np.clip(rows, 0, len(contrast) - 1), columns], 0)
        # Level lines in the band are everywhere in it.
        level = band.sum(axis=0) / np.maximum(1, inside.sum(axis=0))
        ridge = level - _median_along(level, 2 * round(settings.apart * tall / 4) + 1)
        ridges.append(cv2.dilate(ridge[None].astype(np.float32), _ACROSS)[0])
    # A line is seen in both, and what is written above or below in one of them, at most. Strokes lean on
    # their own, so how the lines do is told by those that are known.
    first, aside = int(columns[0]), round(settings.aside * tall)
    known = [slice(max(0, left - aside - first), max(0, right + aside - first)) for left, right in gaps]
    above, below = ridges
    best, both = 0.0, below
    most = round(settings.leans * (bottom - top))
    for leans in range(-most, most + 1):
        seen = np.minimum(np.roll(above, leans), below)
        plain = statistics.median(float(seen[gap].max(initial=0)) for gap in known)
        if plain > best:
            best, both = plain, seen
    if best < _FAINTEST:
        return False
    lines = np.concatenate([[0], (both >= settings.alike * best).view(np.int8)])
    starts = np.flatnonzero(np.diff(lines) == 1)
    return bool(starts.size < 2 or np.median(np.diff(starts)) >= settings.apart * tall)


def _median_along(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the median around each of the values, so many of them."""
    padded = np.pad(values, width // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1))


def _between(left: Box, right: Box, beyond: float, aside: float) -> tuple[slice, slice]:
    """Return the rows and columns between two digits."""
    rows = slice(
        max(0, min(left[1], right[1]) - round(beyond)),
        max(left[1] + left[3], right[1] + right[3]) + round(beyond),
    )
    return rows, slice(max(0, left[0] + left[2] - round(aside)), max(0, right[0] + round(aside)))


def _is_left_out(
    lines: NDArray[np.uint8], left: Box, right: Box, tall: float, settings: ColumnSettings
) -> bool:
    """Return whether a line that was left out goes down between two digits."""
    between = lines[_between(left, right, settings.beyond * tall, settings.aside * tall)]
    thick = np.count_nonzero(between, axis=1)
    rows = np.flatnonzero(thick)
    if not rows.size or rows.size < settings.drawn * len(between):
        return False
    if np.median(thick[rows]) > settings.thick * tall:
        return False
    middles = (between @ np.arange(between.shape[1]))[rows] / thick[rows]
    return _is_straight(rows, middles, tall, settings)


def _is_pale(
    contrast: NDArray[np.uint8],
    left: Box,
    right: Box,
    tall: float,
    darkness: float,
    settings: ColumnSettings,
) -> bool:
    """Return whether a line that is too pale to be ink goes down between two digits."""
    gap = right[0] - left[0] - left[2]
    if gap < max(_FEWEST, settings.room * tall):
        return False
    between = contrast[_between(left, right, settings.beyond * tall, -_EDGE)]
    least = settings.pale * darkness
    # A line that leans is spread over some columns here.
    if not between.size or np.ptp(between.mean(axis=0)) < least / 4:
        return False
    peak = between.max(axis=1)
    above = peak - np.median(between, axis=1) >= least
    rows = np.flatnonzero(above)
    if rows.size < settings.drawn * len(between):
        return False
    return _is_straight(rows, between.argmax(axis=1)[rows], tall, settings)


def _is_straight(
    rows: NDArray[np.intp], columns: NDArray[np.number], tall: float, settings: ColumnSettings
) -> bool:
    off = columns - np.polyval(np.polyfit(rows, columns, 1), rows)
    return bool(np.median(np.abs(off)) <= max(1.0, settings.straight * tall))


_ACROSS = np.ones((1, 3), np.uint8)
_FAINTEST = 1.0
"""A line takes so much of the light, of 255, or there is none."""
_EDGE = 2
"""The blur of a digit's edge goes on so far, in pixels."""
_FEWEST = 6
"""In fewer columns noise is as straight as a line."""
