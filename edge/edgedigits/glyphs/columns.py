"""Columns of a table: numbers in neighbouring cells stand side by side, and are not one number.

A printed line goes down between them, as between the digits in a comb: but there each cell has one digit.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.across import slope_of

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
    lone: float = 1.5
    """The only line that there is has so many times as much room as is between digits. 0…100."""
    through: float = 0.15
    """Of a page's lines so many go through the middle of a digit, at most: squares do anywhere. 0…1."""
    several: float = 0.5
    """So many of a page's cells hold more than one digit, or more, if they are a table's and no comb's …"""
    several_here: float = 0.3
    """… and so many of those of one text line. 0…1."""


@dataclass(frozen=True)
class Row:
    """The digits of a text line: their boxes, and the contrast of their strokes, 0…255."""

    boxes: Sequence[Box]
    darkness: float

    @functools.cached_property
    def tall(self) -> float:
        """The height of a digit, in pixels."""
        return statistics.median(box[3] for box in self.boxes)


def part_cells(
    rows: Sequence[Row],
    lines: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    settings: ColumnSettings = ColumnSettings(),
) -> list[list[list[int]]]:
    """Return of each of a page's text lines which of its digits stand in a cell together.

    Digits are told by their places in the row's boxes, from left to right; all of a row stand together if its
    cells are no table's. `lines` (uint8, H×W, 0 or 1) are printed ones that were left out, `contrast` (uint8,
    H×W) is how much of the light is missing.
    """
    found = [_parts(row, lines, contrast, settings) for row in rows]
    whole = [[[k for part in parts for k in part]] for parts in found]
    parted = [k for k, parts in enumerate(found) if len(parts) > 1]
    several = {k: sum(_is_several(part, rows[k], settings) for part in found[k]) for k in parted}
    if not parted or sum(several.values()) < settings.several * sum(len(found[k]) for k in parted):
        return whole
    uprights = {k: _Uprights.seen(rows[k], found[k], contrast, settings) for k in parted}
    known = [upright for upright in uprights.values() if upright is not None]
    if not known:
        return whole
    # Lines that go through digits anywhere on the page are those of squares.
    plain = settings.alike * statistics.median(upright.plain for upright in known)
    leans = statistics.median(upright.leans for upright in known)
    through = between = 0
    for k, row in enumerate(rows):
        at = (uprights.get(k) or _Uprights.of(row, contrast, settings)).places(plain, leans)
        crossed, free = _crossed(at, row)
        through, between = through + crossed, between + free
    if through > settings.through * (through + between):
        return whole
    return [
        found[k]
        if k in uprights
        and several[k] >= settings.several_here * len(found[k])
        and _are_apart(uprights[k], row, found[k], settings)
        else whole[k]
        for k, row in enumerate(rows)
    ]


def _parts(
    row: Row, lines: NDArray[np.uint8], contrast: NDArray[np.uint8], settings: ColumnSettings
) -> list[list[int]]:
    """Return which digits have no line between them."""
    boxes = row.boxes
    order = sorted(range(len(boxes)), key=lambda k: boxes[k][0])
    parts = [[order[0]]]
    for k, following in itertools.pairwise(order):
        if _is_left_out(lines, boxes[k], boxes[following], row.tall, settings) or _is_pale(
            contrast, boxes[k], boxes[following], row.tall, row.darkness, settings
        ):
            parts.append([following])
        else:
            parts[-1].append(following)
    return parts


def _is_several(part: Sequence[int], row: Row, settings: ColumnSettings) -> bool:
    """Return whether more than one digit stands in a cell."""
    return len(part) > 1 or row.boxes[part[0]][2] > settings.wide * row.tall


def _crossed(at: NDArray[np.float64], row: Row) -> tuple[int, int]:
    """Return how many lines go through the middle of a digit, and how many between two.

    What is slender may be what is left of a line, and tells nothing.
    """
    left, right = min(x for x, _, _, _ in row.boxes), max(x + w for x, _, w, _ in row.boxes)
    inside = [line for line in at.tolist() if left < line < right]
    through = sum(
        any(x + _EDGES * w < line < x + (1 - _EDGES) * w for x, _, w, h in row.boxes if w > _SLENDER * h)
        for line in inside
    )
    return through, len(inside) - through


def _are_apart(
    upright: _Uprights | None, row: Row, parts: Sequence[Sequence[int]], settings: ColumnSettings
) -> bool:
    """Return whether the lines beside a row are as far apart as columns are."""
    if upright is None:
        return False
    at = upright.places(settings.alike * upright.plain, upright.leans)
    if at.size > 1:
        return bool(np.median(np.diff(at)) >= settings.apart * row.tall)
    # A margin, a fold, the side of a box: what goes on beyond a lone line may be the same number.
    spaces = [_space(row, k, following) for part in parts for k, following in itertools.pairwise(part)]
    if not spaces:
        return False
    room = min(_space(row, before[-1], behind[0]) for before, behind in itertools.pairwise(parts))
    return at.size == 1 and room >= settings.lone * max(1.0, statistics.median(spaces))


def _space(row: Row, left: int, right: int) -> int:
    x, _, w, _ = row.boxes[left]
    return row.boxes[right][0] - x - w


@dataclass(frozen=True)
class _Uprights:
    """What is seen of upright lines above the digits of a row, and below them.

    Both are float32, a value for each column from `first` on: by how much it is darker than those around.
    """

    above: NDArray[np.float32]
    below: NDArray[np.float32]
    first: int
    high: float
    """From the one to the other, in pixels."""
    plain: float = 0.0
    """How plain the lines are that are known to be there …"""
    leans: float = 0.0
    """… and by what part of their height they go aside."""

    @classmethod
    def of(cls, row: Row, contrast: NDArray[np.uint8], settings: ColumnSettings) -> _Uprights:
        tall = row.tall
        x, y, w, h = np.array(row.boxes, np.float64).T
        slope = slope_of(x + w / 2, y + h / 2)
        middle = y + h / 2 - slope * (x + w / 2)
        top, bottom = float((middle - h / 2).min()), float((middle + h / 2).max())
        reach = settings.around * tall
        columns = np.arange(max(0, int(x.min() - reach)), min(contrast.shape[1], int((x + w).max() + reach)))
        deep = np.arange(round(settings.band[0] * tall), max(1, round(settings.band[1] * tall)))[:, None]
        along = np.round(slope * columns).astype(np.intp)
        ridges = []
        for rows in (round(top) - deep + along, round(bottom) + deep + along):
            inside = (rows >= 0) & (rows < len(contrast))
            band = np.where(inside, contrast[np.clip(rows, 0, len(contrast) - 1), columns], 0)
            # Level lines in the band are everywhere in it.
            level = band.sum(axis=0) / np.maximum(1, inside.sum(axis=0))
            ridge = level - _median_along(level, 2 * round(settings.apart * tall / 4) + 1)
            ridges.append(cv2.dilate(ridge[None].astype(np.float32), _ACROSS)[0])
        return cls(ridges[0], ridges[1], int(columns[0]), bottom - top)

    @classmethod
    def seen(
        cls,
        row: Row,
        parts: Sequence[Sequence[int]],
        contrast: NDArray[np.uint8],
        settings: ColumnSettings,
    ) -> _Uprights | None:
        """Return the same, and how the lines between the parts are; None where they are not seen there.

        Strokes lean on their own, so how the lines do is told by those that are known.
        """
        own = cls.of(row, contrast, settings)
        aside = round(settings.aside * row.tall)
        gaps = []
        for before, behind in itertools.pairwise(parts):
            x, _, w, _ = row.boxes[before[-1]]
            left, right = x + w - aside - own.first, row.boxes[behind[0]][0] + aside - own.first
            gaps.append(slice(max(0, left), max(0, right)))
        most = round(settings.leans * own.high)
        best, leans = 0.0, 0
        for lean in range(-most, most + 1):
            both = own.both(lean)
            plain = statistics.median(float(both[gap].max(initial=0)) for gap in gaps)
            if plain > best:
                best, leans = plain, lean
        if best < _FAINTEST:
            return None
        return dataclasses.replace(own, plain=best, leans=leans / own.high)

    def both(self, lean: int) -> NDArray[np.float32]:
        """Return what is seen above and below at once, if lines go so many pixels aside in between.

        What is written above or below is seen in one of them, at most.
        """
        above = np.pad(self.above, abs(lean))[abs(lean) - lean :][: len(self.below)]
        return np.minimum(above, self.below)

    def places(self, least: float, leans: float) -> NDArray[np.float64]:
        """Return where lines as plain as `least` cross the row's middle, from left to right."""
        lean = round(leans * self.high)
        steps = np.diff(np.concatenate([[0], (self.both(lean) >= least).view(np.int8), [0]]))
        starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
        return self.first + (starts + ends - 1 - lean) / 2


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
    if not between.any():
        return False
    thick = np.count_nonzero(between, axis=1)
    rows = np.flatnonzero(thick)
    if rows.size < settings.drawn * len(between) or np.median(thick[rows]) > settings.thick * tall:
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
    rows = np.flatnonzero(between.max(axis=1) - between.mean(axis=1) >= least)
    if rows.size < settings.drawn * len(between):
        return False
    return _is_straight(rows, between.argmax(axis=1)[rows], tall, settings)


def _is_straight(
    rows: NDArray[np.intp], columns: NDArray[np.number], tall: float, settings: ColumnSettings
) -> bool:
    """Return whether half of the points, or more, lie on a line; fewer than three tell nothing."""
    if rows.size < 3:
        return False
    down, across = rows - rows.mean(), columns - columns.mean()
    off = np.abs(across - down * (down @ across) / (down @ down))
    half = off.size // 2
    return bool(np.partition(off, half)[half] <= max(1.0, settings.straight * tall))


_ACROSS = np.ones((1, 3), np.uint8)
_FAINTEST = 1.0
"""A line takes so much of the light, of 255, or there is none."""
_SLENDER = 0.35
"""As a part of its height, the width of a 1, or of a line's rest."""
_EDGES = 0.2
"""This part of a digit's width, on either side, is not its middle."""
_EDGE = 2
"""The blur of a digit's edge goes on so far, in pixels."""
_FEWEST = 6
"""In fewer columns noise is as straight as a line."""
