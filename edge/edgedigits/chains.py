"""Chains of digits, each from left to right: which of them are one number, and which are several.

Pure functions of boxes (int64, N×4: x, y, width, height in working pixels); a chain holds rows of them.
"""

from __future__ import annotations

import itertools
import statistics

import numpy as np
from numpy.typing import NDArray

_HIGHER = 2.4
"""Digits of one number are no more than so many times as high as those beside them."""
_LEVEL = 0.4
"""So much of the lower one's height is on the other's level."""
_BELOW = 0.5
"""What has more than this part of its width in common with another piece is above it or below."""
_ROOM = 1.2
"""Two numbers stand so far apart, in heights of a digit, or farther …"""
_MORE_ROOM = 3.0
"""… and have so many times as much room as there is between the digits of each …"""
_CLOSE = 0.15
"""… be these closer than this or not."""
_MARK = 0.06
"""Nothing smaller is a mark, in heights of a digit …"""
_UNDER = 0.35
"""… nor what is farther below the digits."""


def interleaved(chains: list[list[int]], boxes: NDArray[np.int64]) -> list[list[int]]:
    """Return chains with those made one that stand between each other's pieces, on one level.

    A piece that is low for its neighbour is passed over for the next one, and begins a chain of its own. Read
    as two lines, each would be a number with digits left out.
    """
    if len(chains) < 2:
        return chains
    merged: list[list[int]] = []
    # Left, top, right and bottom of these; 0 of those to come.
    spans = np.zeros((len(chains), 4), np.int64)
    for chain in sorted(chains, key=len, reverse=True):
        left, top, right, bottom = span = _span(chain, boxes)
        # Of a page's many chains hardly any two have room in common: the others are not looked at.
        meets = (spans[:, 0] < right) & (left < spans[:, 2]) & (spans[:, 1] < bottom) & (top < spans[:, 3])
        for number in np.flatnonzero(meets).tolist():
            other = merged[number]
            if _stand_between(chain, other, boxes):
                other.extend(chain)
                other.sort(key=lambda k: int(boxes[k, 0]))
                spans[number] = _span(other, boxes)
                break
        else:
            spans[len(merged)] = span
            merged.append(list(chain))
    return merged


def _span(chain: list[int], boxes: NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a chain's boxes."""
    x, y, w, h = boxes[chain].T
    return int(x.min()), int(y.min()), int((x + w).max()), int((y + h).max())


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


def parted_by_room(
    chains: list[list[int]], boxes: NDArray[np.int64], others: NDArray[np.intp]
) -> list[list[int]]:
    """Part the chains where there is much more room than between their other digits, and nothing in it.

    `others` may be marks: behind a dash a number goes on.
    """
    parted = []
    for chain in chains:
        x, _, w, h = boxes[chain].T
        tall = float(statistics.median(h.tolist()))
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


def _is_between(ends: NDArray[np.int64], others: NDArray[np.int64], tall: float) -> bool:
    """Return whether one of `others` stands between two digits, all of them boxes, on their level."""
    x, y, w, h = others.T
    top, bottom = ends[:, 1].min(), (ends[:, 1] + ends[:, 3]).max() + _UNDER * tall
    across, down = x + w / 2, y + h / 2
    here = (across > ends[0, 0] + ends[0, 2]) & (across < ends[1, 0]) & (down > top) & (down < bottom)
    return bool((here & (np.maximum(w, h) >= _MARK * tall)).any())
