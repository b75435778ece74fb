"""Chains of digits, each from left to right: which of them are one number, and which are several.

Pure functions of boxes (int64, N×4: x, y, width, height in working pixels); a chain holds rows of them.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Span = tuple[float, float, float, float]
"""Where a chain stands: left, top, right and bottom, in working pixels."""


def span_of(chain: list[int], boxes: NDArray[np.int64]) -> Span:
    """Return left, median top, right and median bottom of a chain."""
    x, y, w, h = boxes[chain].T
    return float(x.min()), _median(y), float((x + w).max()), _median(y + h)


def bounds_of(chain: list[int], boxes: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of all of a chain."""
    x, y, w, h = boxes[chain].T
    return int(x.min()), int(y.min()), int((x + w).max()), int((y + h).max())


def tall_of(chain: list[int], boxes: NDArray[np.int64]) -> float:
    """Return the median height of a chain's digits."""
    return _median(boxes[chain, 3])


def _median(values: NDArray[np.int64]) -> float:
    # Of a handful of numbers, as most chains have, NumPy's takes ten times as long.
    return float(statistics.median(values.tolist()))


_HARDLY_LOWER = 0.6
"""Digits of one number are as high as this part of those beside them, or higher."""


def with_neighbours(
    digits: NDArray[np.bool_], others: NDArray[np.bool_], boxes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return what is as high as a digit, with what of the others is beside it and hardly lower: bool, N.

    Some digits of a small number may be as high as is asked for, and some not quite.
    """
    left = np.flatnonzero(others & ~digits)
    if not left.size or not digits.any():
        return digits
    digits = digits.copy()
    # What is beside one that was found last may be found next: a row of them is gone along once.
    known = np.flatnonzero(digits)
    while known.size and left.size:
        if left.size <= known.size:
            found = np.array([_continues(boxes[i], boxes[known]).any() for i in left.tolist()])
        else:
            found = np.zeros(left.size, bool)
            for k in known.tolist():
                found |= _continues(boxes[left], boxes[k])
        known, left = left[found], left[~found]
        digits[known] = True
    return digits


def _continues(pieces: NDArray[np.int64], digits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pieces stand beside digits and are hardly lower; boxes, N×4 the ones, 4 the other."""
    (x, y, w, h), (left, top, wide, tall) = pieces.T, digits.T
    level = np.minimum(top + tall, y + h) - np.maximum(top, y) >= 0.5 * h
    gap = np.maximum(left - x - w, x - left - wide)
    return np.asarray(level & (gap <= 0.8 * tall) & (h >= _HARDLY_LOWER * tall))


_HIGHER = 2.4
"""Digits of one number are no more than so many times as high as those beside them."""
_LEVEL = 0.4
"""So much of the lower one's height is on the other's level."""


def chained(digits: NDArray[np.intp], boxes: NDArray[np.int64], line_gap: float) -> list[list[int]]:
    """Chain digits to their nearest right neighbours on the same level and of like height.

    These are no farther off than `line_gap` heights of a digit.
    """
    order = digits[np.argsort(boxes[digits, 0], kind="stable")]
    x, y, w, h = boxes[order].T
    # Nothing to the right of this place can be a neighbour of what is no higher than it may be.
    reach = np.searchsorted(x, x + w + _HIGHER * line_gap * h, side="right")
    taken = np.zeros(order.size, bool)
    chain_of: dict[int, list[int]] = {k: [k] for k in range(order.size)}
    bottom = y + h
    for k in range(order.size):
        if reach[k] == k + 1:
            continue
        right = slice(k + 1, reach[k])
        gap = x[right] - (x[k] + w[k])
        lower, higher = np.minimum(h[right], h[k]), np.maximum(h[right], h[k])
        overlap = np.minimum(bottom[right], bottom[k]) - np.maximum(y[right], y[k])
        neighbour = (
            (overlap >= _LEVEL * lower)
            & (higher <= _HIGHER * lower)
            & (gap <= line_gap * higher)
            & ~taken[right]
        )
        found = np.flatnonzero(neighbour)
        if found.size:
            nearest = k + 1 + int(found[np.argmin(gap[found])])
            taken[nearest] = True
            chain = chain_of[k]
            chain.append(nearest)
            chain_of[nearest] = chain
    chains = {id(chain): chain for chain in chain_of.values()}
    return [order[chain].tolist() for chain in chains.values()]


_BELOW = 0.5
"""What has more than this part of its width in common with another piece is above it or below."""


def interleaved(chains: list[list[int]], boxes: NDArray[np.int64]) -> list[list[int]]:
    """Return chains with those made one that stand between each other's pieces, on one level.

    A piece that is low for its neighbour is passed over for the next one, and begins a chain of its own. Read
    as two lines, each would be a number with digits left out.
    """
    if len(chains) < 2:
        return chains
    merged: list[list[int]] = []
    # The bounds of these; 0 of those to come.
    spans = np.zeros((len(chains), 4), np.int64)
    for chain in sorted(chains, key=len, reverse=True):
        left, top, right, bottom = span = bounds_of(chain, boxes)
        # Of a page's many chains hardly any two have room in common: the others are not looked at.
        meets = (spans[:, 0] < right) & (left < spans[:, 2]) & (spans[:, 1] < bottom) & (top < spans[:, 3])
        for number in np.flatnonzero(meets).tolist():
            other = merged[number]
            if _stand_between(chain, other, boxes):
                other.extend(chain)
                other.sort(key=lambda k: int(boxes[k, 0]))
                spans[number] = bounds_of(other, boxes)
                break
        else:
            spans[len(merged)] = span
            merged.append(list(chain))
    return merged


def _stand_between(chain: list[int], other: list[int], boxes: NDArray[np.int64]) -> bool:
    """Return whether pieces of a chain stand between those of another one, and each beside these."""
    x, y, w, h = boxes[other].T
    between = [k for k in chain if x[0] < boxes[k, 0] < x[-1]]
    for left, top, wide, tall in boxes[between].tolist():
        lower, higher = np.minimum(h, tall), np.maximum(h, tall)
        level = np.minimum(y + h, top + tall) - np.maximum(y, top) >= _LEVEL * lower
        shared = np.minimum(x + w, left + wide) - np.maximum(x, left)
        nearest = np.argsort(np.abs(x + w / 2 - left - wide / 2))[:2]
        beside = level & (higher <= _HIGHER * lower)
        if not beside[nearest].all() or (shared > _BELOW * np.minimum(w, wide)).any():
            return False
    return bool(between)


def parted_at(chain: list[int], boxes: NDArray[np.int64], gap: float) -> list[list[int]]:
    """Part a chain wherever its pieces stand `gap` pixels apart or farther."""
    x, _, w, _ = boxes[chain].T
    wide = np.flatnonzero(x[1:] - np.maximum.accumulate(x + w)[:-1] >= gap) + 1
    edges = [0, *wide.tolist(), len(chain)]
    return [chain[start:stop] for start, stop in itertools.pairwise(edges)]


_ROOM = 1.2
"""Two numbers stand so far apart, in heights of a digit, or farther …"""
_MORE_ROOM = 3.0
"""… and have so many times as much room as there is between the digits of each …"""
_CLOSE = 0.15
"""… be these closer than this or not."""


def parted_by_room(
    chains: list[list[int]], boxes: NDArray[np.int64], others: NDArray[np.intp]
) -> list[list[int]]:
    """Part the chains where there is much more room than between their other digits, and nothing in it.

    `others` may be marks: behind a dash a number goes on.
    """
    parted = []
    for chain in chains:
        x, _, w, _ = boxes[chain].T
        tall = tall_of(chain, boxes)
        gaps = (x[1:] - np.maximum.accumulate(x + w)[:-1]) / tall
        close = gaps[gaps < _ROOM]
        start = 0
        for k in np.flatnonzero(gaps >= _ROOM).tolist() if close.size else ():
            least = _MORE_ROOM * max(float(np.median(close)), _CLOSE)
            if gaps[k] >= least and not _is_between(boxes[chain[k : k + 2]], boxes[others], tall):
                parted.append(chain[start : k + 1])
                start = k + 1
        parted.append(chain[start:])
    return parted


_MARK = 0.06
"""Nothing smaller is a mark, in heights of a digit …"""
_UNDER = 0.35
"""… nor what is farther below the digits."""


def _is_between(ends: NDArray[np.int64], others: NDArray[np.int64], tall: float) -> bool:
    """Return whether one of `others` stands between two digits, all of them boxes, on their level."""
    x, y, w, h = others.T
    top, bottom = ends[:, 1].min(), (ends[:, 1] + ends[:, 3]).max() + _UNDER * tall
    across, down = x + w / 2, y + h / 2
    here = (across > ends[0, 0] + ends[0, 2]) & (across < ends[1, 0]) & (down > top) & (down < bottom)
    return bool((here & (np.maximum(w, h) >= _MARK * tall)).any())


def in_reading_order(chains: list[list[int]], boxes: NDArray[np.int64]) -> list[list[int]]:
    """Sort chains from the top down; those on one level (columns) from left to right."""
    if len(chains) == 1:
        return chains
    spans = [span_of(chain, boxes) for chain in chains]
    middles = [(top + bottom) / 2 for _, top, _, bottom in spans]
    rows: list[list[int]] = []
    for k in sorted(range(len(chains)), key=middles.__getitem__):
        if rows and spans[rows[-1][0]][1] <= middles[k] <= spans[rows[-1][0]][3]:
            rows[-1].append(k)
        else:
            rows.append([k])
    return [chains[k] for row in rows for k in sorted(row, key=lambda k: spans[k][0])]


_LOOSER, _NEAR = 1.2, (0.5, 1.0)
"""A number goes on no farther from its end than so many times what its digits lie from one another, at least
and at most so many of their heights."""


def onward(spans: Sequence[tuple[float, float]], tall: float) -> tuple[float, float]:
    """Return how far beyond its end a number may go on, and the widest gap between its digits, in pixels.

    `spans` are where its digits begin and end, one or more in any order; they are `tall` pixels high. Of a
    lone digit the gap is taken to be as wide as it is high.
    """
    pairs = itertools.pairwise(sorted(spans))
    gap = max((right - left for (_, left), (right, _) in pairs), default=tall)
    return min(max(_LOOSER * gap, _NEAR[0] * tall), _NEAR[1] * tall), gap
