"""Ruled and squared paper: its lines are lifted off a page's ink.

A ruling goes on through the page, thin and nearly straight, level or upright as the sheet lies, and bent as
the lens and the sheet bend it. It is found as a chain of thin pieces, interrupted where strokes cross it, and
followed along a smooth curve: a sheet that is turned by some degrees, or seen at an angle, is none the worse
for it. What is thicker there than the ruling, or darker, is a stroke that crosses it, and stays.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.ink.runs import bridged, level_runs, standing


@dataclass(frozen=True)
class RulingSettings:
    """What is taken for a ruling.

    Said of level ones, whose length goes along the picture's width; upright ones likewise.
    """

    alone: float = 0.9
    """One of a few is so long, in the picture's shorter sides: longer than the base of a 2 that fills it …"""
    among_level: float = 0.35
    """… and one of many this part of the width …"""
    among_upright: float = 0.6
    """… or of the height: thin 1s in large writing are no rulings …"""
    further: float = 0.08
    """… and on a sheet where many were found, what is left of others is so long, as a part of the width."""
    many: int = 4
    thickness: float = 0.005
    """It is thinner than this part of the picture's longest side (but 3 pixels always pass) …"""
    bold: tuple[float, ...] = (0.01, 0.02, 0.035)
    """… or, printed to be written on and seen close by, than the first of these that it is. 0…1."""
    alone_bold: float = 0.6
    """Such a one is so long, in the picture's shorter sides: it may end beside what is written on it. 0…1."""
    piece: int = 7
    """Pieces of it are so long, in pixels, or longer: where others cross it, they part it …"""
    gap: float = 0.08
    """… and no farther apart than this part of the width, where digits stand on it."""
    covered: float = 0.8
    """So much of its length is inked: digits side by side leave paper between them. 0…1."""
    thin: float = 0.5
    """So much of what is inked is thin. 0…1."""
    solid: float = 0.45
    """So much of it is inked, all of its thickness taken. 0…1."""
    beside: float = 0.5
    """What lies along it on either side is inked this part as much, at most: noise is so everywhere. 0…1."""
    darker: float = 1.4
    """Ink on it that is so many times as plain is of a pen."""
    longest_side: int = 1000
    """A larger page is looked at in so many pixels at most; what is found is lifted off it as it is."""
    ticks: int = 4
    """So many ticks that stand on it, all of one height, make it the base of a comb: it stays, with them."""
    tick: float = 0.15
    """By this part their heights differ, at most …"""
    tallest_tick: float = 0.12
    """… and they are no higher than this part of the picture."""
    strike: float = 0.15
    """A line that strokes cross this near both its ends, as a part of its length, strikes them out."""
    steepest: float = 0.2
    """It rises or falls by this part of its length at most."""
    rounds: int = 5
    """So often is looked for more, in one direction: those that run together far off have many slopes."""


@dataclass(frozen=True)
class _Ruling:
    """A level ruling: its leftmost column and its row in each column from there."""

    left: int
    path: NDArray[np.float64]


@dataclass(frozen=True)
class _Lifted:
    """What is lifted off as a ruling: its pixels, by row and column, its length and how thick it is."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    length: int
    thickness: int


def lift_rulings(
    mask: NDArray[np.uint8], contrast: NDArray[np.uint8], settings: RulingSettings = RulingSettings()
) -> NDArray[np.uint8]:
    """Return a page's mask (uint8, H×W, 0 or 1) without its rulings; the mask itself where there are none.

    `contrast` is uint8, H×W, 0 paper … 255 full ink.
    """
    height, width = mask.shape
    alone = settings.alone * min(height, width)
    lifted, count = lift_level(mask, contrast, settings.among_level * width, alone, settings)
    # A margin's line goes down a sheet that has others; but nothing else does that is one of a few.
    alone = settings.among_upright * height if count >= settings.many else np.inf
    # Where two rulings cross, neither is thin before the other is gone.
    upright, count = lift_level(
        np.ascontiguousarray(lifted.T), contrast.T, settings.among_upright * height, alone, settings
    )
    return np.ascontiguousarray(upright.T) if count else lifted


def lift_bold(
    mask: NDArray[np.uint8], contrast: NDArray[np.uint8], settings: RulingSettings = RulingSettings()
) -> NDArray[np.uint8]:
    """Return a mask without level lines about as thick as a pen, its rulings gone; arguments as above.

    They may end inside it. Of the bases of digits that stand on such a line something is lifted, too.
    """
    alone, side = settings.alone_bold * min(mask.shape), max(mask.shape)
    for thickness in settings.bold:
        *_, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_GRANA)
        _, y, w, h, _ = stats[1:].T
        # The bar of a 7 that fills the picture is as long, and the 7 as high.
        wide = (w >= alone) & (w >= _LOW * h)
        if not wide.any():
            break
        room = round(4 * thickness * side) + 8
        rows = slice(max(0, int(y[wide].min()) - room), int((y + h)[wide].max()) + room)
        band = mask[rows]
        # Each is one of a few, however many there are: nothing shorter goes with them.
        bold = dataclasses.replace(settings, thickness=thickness * side / max(band.shape), many=sys.maxsize)
        lifted, count = lift_level(band, contrast[rows], alone, alone, bold)
        if count:
            mask = mask.copy()
            mask[rows] = lifted
    return mask


def lift_level(
    mask: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    among: float,
    alone: float,
    settings: RulingSettings,
) -> tuple[NDArray[np.uint8], int]:
    """Return a mask (uint8, H×W, 0 or 1) without its level rulings, and how many there were.

    They are longer than `alone` pixels or, where there are many, than `among`. `contrast` is uint8, H×W.
    """
    lifted, least = mask, among
    known: list[_Lifted] = []
    for _ in range(settings.rounds):
        many = len(known) >= settings.many
        # The thinner the rulings of a sheet are, the sooner what is left of others may be a stroke.
        thickest = statistics.median(own.thickness for own in known) + 1 if many else np.inf
        found = [
            own
            for ruling in _find_level(lifted, least, settings)
            if (own := _own_pixels(lifted, ruling, contrast, settings, many)) is not None
            and own.thickness <= thickest
        ]
        if len(known) + len(found) < settings.many:
            found = [own for own in found if own.length >= alone]
        if not found:
            break
        lifted = mask.copy() if lifted is mask else lifted
        for own in found:
            lifted[own.rows, own.columns] = 0
        known += found
        if len(known) >= settings.many:
            least = settings.further * mask.shape[1]
    return lifted, len(known)


def _find_level(mask: NDArray[np.uint8], least: float, settings: RulingSettings) -> Iterator[_Ruling]:
    """Yield what may be rulings of about one slope, the commonest one: `least` pixels long or longer.

    What lies along the border is the edge of the sheet, or the desk beside it.
    """
    step = -(-max(mask.shape) // settings.longest_side)
    small = _reduced(mask, step)
    height, width = small.shape
    thickest = _thickest(small, settings)
    thin = np.asarray(small & ~standing(small, thickest), np.uint8)
    pieces = _pieces(thin, settings)
    slope = _slope(pieces, settings.steepest)
    drop = round(max(0.0, slope * width))
    if slope:
        # As if the sheet lay straight: the pieces of one ruling are on one level then.
        straight = np.array([[1, 0, 0], [-slope, 1, drop]])
        size = width, height + round(abs(slope) * width)
        thin = np.asarray(cv2.warpAffine(thin, straight, size, flags=cv2.INTER_NEAREST), np.uint8)
        pieces = _pieces(thin, settings)
    chains = bridged(pieces, round(settings.gap * width))
    # Grana's algorithm: the statistics cost three times as much with OpenCV's default, Bolelli's.
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(chains, 8, cv2.CV_32S, cv2.CCL_GRANA)
    for k in np.flatnonzero(step * stats[:, cv2.CC_STAT_WIDTH] >= least).tolist():
        if k == 0:
            continue
        x, y, w, h, _ = stats[k].tolist()
        here = np.s_[y : y + h, x : x + w]
        rows, columns = np.nonzero((labels[here] == k) & (thin[here] > 0))
        if rows.size < _FEWEST:
            continue
        at = np.arange(step * w) / step
        path = _smooth(columns, rows, w)(at) + y - drop + slope * (x + at)
        if 2 * thickest < np.median(path) < height - 2 * thickest:
            yield _Ruling(step * x, step * path + (step - 1) / 2)


_LOW = 2.5
"""A line with what is written on it is so many times as long as it is high."""
_FEWEST = 8
"""Fewer pixels than this say nothing of a curve."""


def _reduced(mask: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return a mask with one pixel in place of `step` by `step`: ink where there is any."""
    if step == 1:
        return mask
    # Beyond the edges there is paper.
    below, right = (-side % step for side in mask.shape)
    padded = cv2.copyMakeBorder(mask, 0, below, 0, right, cv2.BORDER_CONSTANT, value=0)
    rows = functools.reduce(np.bitwise_or, (padded[k::step] for k in range(step)))
    return np.ascontiguousarray(functools.reduce(np.bitwise_or, (rows[:, k::step] for k in range(step))))


def _pieces(thin: NDArray[np.uint8], settings: RulingSettings) -> NDArray[np.uint8]:
    # A slope breaks a line into steps of one pixel, which the dilation bridges.
    return level_runs(np.asarray(cv2.dilate(thin, _UPRIGHT_3), np.uint8), settings.piece)


_UPRIGHT_3 = np.ones((3, 1), np.uint8)
_STEP = 0.005
"""Slopes are looked at so far apart: what is left of one bends no piece away from the next."""
_SAMPLE = 3000
"""So many pixels tell the slope …"""
_POINTS = 500
"""… and so many a curve."""


def _slope(pieces: NDArray[np.uint8], steepest: float) -> float:
    """Return the slope (rows by columns) along which what there is lies on the fewest lines."""
    rows, columns = np.nonzero(pieces)
    if not rows.size:
        return 0.0
    every = -(-rows.size // _SAMPLE)
    rows, columns = rows[::every], columns[::every]
    most = int(steepest / _STEP)
    best, slope = -1.0, 0.0
    for k in sorted(range(-most, most + 1), key=abs):
        levels = rows - k * _STEP * columns
        on_each = np.bincount(((levels - levels.min()) / 3).astype(np.intp))
        concentration = float(np.square(on_each.astype(np.float64)).sum())
        if concentration > best:
            best, slope = concentration, k * _STEP
    return slope


def _smooth(
    columns: NDArray[np.intp], rows: NDArray[np.intp], width: int
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return a smooth curve, from columns (0…`width`) to rows, through most of the points given."""
    every = -(-columns.size // _POINTS)
    columns, rows = columns[::every], rows[::every]
    powers = _powers(columns, width)
    weights: NDArray[np.floating] = np.ones_like(powers[:, 0])
    fit = np.zeros(4)
    for _ in range(4):
        # Too few columns for a cubic leave its higher powers next to nothing.
        fit = np.linalg.lstsq(powers * weights[:, None], rows * weights, rcond=1e-6)[0]
        # What lies off the curve, a stroke's end, has ever less weight.
        off = np.abs(rows - powers @ fit)
        weights = 1 / np.sqrt(np.maximum(1.0, off))
    return lambda at: np.asarray(_powers(at, width) @ fit)


def _powers(columns: NDArray[np.intp] | NDArray[np.float64], width: int) -> NDArray[np.float64]:
    return np.vander(2 * columns / width - 1, 4, increasing=True)


def _thickest(mask: NDArray[np.uint8], settings: RulingSettings) -> int:
    """Return how many pixels thick a stroke is at least that is no ruling."""
    return max(4, round(settings.thickness * max(mask.shape)))


def _own_pixels(
    mask: NDArray[np.uint8],
    ruling: _Ruling,
    contrast: NDArray[np.uint8],
    settings: RulingSettings,
    among_many: bool,
) -> _Lifted | None:
    """Return the pixels of a ruling: not what is thicker than it, or darker.

    None if it is none. `among_many` says that there are others, as on a sheet full of them.
    """
    height, width = mask.shape
    thickest = _thickest(mask, settings)
    path = ruling.path[: width - ruling.left]
    margin = thickest // 2 + 4
    rows = np.floor(path + 0.5).astype(np.intp) + np.arange(-margin, margin + 1)[:, None]
    top, bottom = max(0, int(rows.min()) - thickest), int(rows.max()) + thickest
    off = np.abs(rows - path)
    off[(rows < 0) | (rows >= height)] = np.inf
    np.clip(rows, 0, height - 1, out=rows)
    columns = np.broadcast_to(np.arange(ruling.left, ruling.left + len(path)), rows.shape)
    ink = mask[rows, columns] > 0
    around = mask[top:bottom]
    thin = ink & (off <= 0.5 * thickest + 1) & (standing(around, thickest)[rows - top, columns] == 0)
    counts = np.count_nonzero(thin, axis=0)
    if not counts.any():
        return None
    thickness = round(float(np.percentile(counts[counts > 0], 80)))
    reach = 0.5 * thickness + 1.5
    inked = ink & (off <= reach)
    on, beside = ink[off <= max(0.5, 0.5 * thickness)], ink[(off > reach) & (off <= reach + 2)]
    if on.mean() < settings.solid or beside.mean() > settings.beside * on.mean():
        return None
    thin = inked & (standing(around, thickness + 2)[rows - top, columns] == 0)
    covered, own = np.count_nonzero(inked.any(axis=0)), thin.any(axis=0)
    if covered < settings.covered * len(path) or np.count_nonzero(own) < settings.thin * covered:
        return None
    beyond = math.ceil(reach) + 1
    above, below = ink[margin - beyond], ink[margin + beyond]
    if _has_ticks(mask, ruling.left, rows[margin], above, below, thickness, settings):
        return None
    # Strokes cross it, or end there, and not only other rulings, which are as thin.
    crossing = np.flatnonzero(level_runs((above | below)[None].view(np.uint8), thickness + 2)[0])
    ends = settings.strike * len(path)
    if not among_many and crossing.size and crossing[0] < ends and crossing[-1] >= len(path) - ends:
        return None
    plainest = np.where(thin, contrast[rows, columns], 0).max(axis=0).astype(np.float32)
    level = float(np.median(plainest[own]))
    # A stroke is some columns wide, and what is darker in one of them is noise.
    plainest = cv2.blur(plainest[None], (5, 1))[0]
    thin &= plainest <= settings.darker * level
    return _Lifted(rows[thin], columns[thin], len(path), thickness)


def _has_ticks(
    mask: NDArray[np.uint8],
    left: int,
    rows: NDArray[np.intp],
    above: NDArray[np.bool_],
    below: NDArray[np.bool_],
    thickness: int,
    settings: RulingSettings,
) -> bool:
    """Return whether ticks of one height stand on a line, or hang from it: it is a comb's, or a scale's.

    `rows` are the line's, from the column `left` on; `above` and `below` tell where there is ink beside it.
    """
    for side, other, step in ((above, below, -1), (below, above, 1)):
        starts, ends = _runs(side)
        # Not what goes on beyond the line: another ruling, or a stroke across it, be they aslant.
        through = np.concatenate([[0], np.cumsum(other)])
        beyond = through[np.minimum(ends + _ASLANT, len(other))] - through[np.maximum(starts - _ASLANT, 0)]
        thin = (ends - starts <= thickness + 1) & (beyond == 0)
        heights = []
        for column in ((starts + ends) // 2)[thin].tolist():
            # From side to side a tick may lean by a pixel or two.
            x = left + column
            near = mask[:, max(0, x - 2) : x + 3].max(axis=1)
            start = int(rows[column]) + step * (thickness + 2)
            along = near[start::step] if 0 <= start < len(near) else near[:0]
            gap = np.flatnonzero(along == 0)
            tall = int(gap[0]) if gap.size else along.size
            # A tick ends on the paper, and not at another line.
            last = start + step * (tall - 1)
            free = tall > 1 and mask[last, max(0, x - 8) : x + 9].sum() <= thickness + 3
            if free and 2 * thickness < tall <= settings.tallest_tick * len(mask):
                heights.append(tall)
        if len(heights) < settings.ticks:
            continue
        middle = statistics.median(heights)
        off = max(2.0, settings.tick * middle)
        alike = sum(abs(height - middle) <= off for height in heights)
        if alike >= max(settings.ticks, _MOST * len(heights)):
            return True
    return False


_MOST = 0.8
"""So much of what stands on a comb's line is ticks."""
_ASLANT = 4
"""What crosses a line aslant is so many columns farther on at most."""


def _runs(inked: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where runs of ink start, and where they end (the place behind)."""
    steps = np.diff(np.concatenate([[0], inked.view(np.int8), [0]]))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
