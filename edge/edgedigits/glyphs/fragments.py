"""Pieces of one digit that don't touch are joined: the flag of a 5, what a pen that skips or a rule parts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.colons import colons_among
from edgedigits.glyphs.components import Components, typical_height
from edgedigits.glyphs.glyph import Box, box_around


def join_fragments(components: Components) -> None:
    """Join pieces that lie above one another closely enough to be one digit."""
    _, _, w, h = components.boxes.T
    heights = h[np.maximum(h, w // 2) >= components.settings.least_height]
    if not heights.size:
        return
    tall = typical_height(heights)
    order = np.argsort(components.boxes[:, 0], kind="stable")
    x, y, w, h = components.boxes[order].T
    found: list[Box] = [(left, top, width, height) for left, top, width, height in components.boxes.tolist()]
    # Of which group each piece is, by the number of one of its pieces; at that number is the box around it.
    roots = np.arange(len(found))
    bounds = components.boxes.copy()
    # The points of a colon are no pieces of a digit, though the upper one stands like the flag of a 5.
    apart = np.zeros(len(found), bool)
    apart[[point for colon in colons_among(components.boxes, tall) for point in colon]] = True
    # Only pieces that begin before this one ends (and a little after, for the flag of a 5) can join it.
    reach = np.searchsorted(x, x + w + 0.12 * tall, side="right").tolist()
    middles = y + h / 2
    for position, i in enumerate(order.tolist()):
        if reach[position] == position + 1 or apart[i]:
            continue
        window = slice(position + 1, reach[position])
        near = np.abs(middles[window] - middles[position]) < 1.35 * tall
        left = order[window][near & ~apart[order[window]]]
        own = int(roots[i])
        while left.size:
            others = roots[left]
            places: Iterable[int] = range(left.size)
            if left.size > _MANY:
                may_be = _may_belong_together(found[own], bounds[others], tall, components.lifted)
                places = np.flatnonzero(may_be & (others != own)).tolist()
            for k in places:
                other = int(others[k])
                if other != own and _belong_together(found[own], found[other], tall, components.lifted):
                    roots[roots == other] = own
                    bounds[own] = found[own] = box_around((found[own], found[other]))
                    left = left[k + 1 :]
                    break
            else:
                break
    gathered: dict[int, list[int]] = {}
    for i, root in enumerate(roots.tolist()):
        gathered.setdefault(root, []).append(i)
    if len(gathered) < len(found):
        components.join(list(gathered.values()))


_MANY = 24
"""Of more pieces than this those that can't belong to another one are left out at once."""
_LOWEST = 0.15
"""One of two pieces that are parts of a digit is as high as this, in heights of a digit, or they overlap, or
a line was lifted off between them."""


def _may_belong_together(
    a: Box, others: NDArray[np.int64], tall: float, lifted: NDArray[np.uint8] | None
) -> NDArray[np.bool_]:
    """Return for which boxes (N×4) it is to be asked whether they belong to a: most specks belong to none."""
    left, top, wide, high = others.T
    right, bottom = np.maximum(left + wide, a[0] + a[2]), np.maximum(top + high, a[1] + a[3])
    overlap = np.minimum(left + wide, a[0] + a[2]) - np.maximum(left, a[0])
    gap = np.maximum(top, a[1]) - np.minimum(top + high, a[1] + a[3])
    parts = (np.maximum(high, a[3]) >= _LOWEST * tall) | ((overlap > 0) & (gap < 0))
    if lifted is not None:
        parts |= 2 * overlap >= np.minimum(wide, a[2])
    fits = (bottom - np.minimum(top, a[1]) <= _HIGHEST * tall) & (
        right - np.minimum(left, a[0]) <= _WIDEST * tall
    )
    return np.asarray(parts & fits)


_HIGHEST = 1.35
"""A digit is no higher than this, in heights of a digit, …"""
_WIDEST = 1.5
"""… and no wider."""


def _belong_together(a: Box, b: Box, tall: float, lifted: NDArray[np.uint8] | None) -> bool:
    overlap = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    gap = max(a[1], b[1]) - min(a[1] + a[3], b[1] + b[3])
    union = box_around((a, b))
    if union[3] > _HIGHEST * tall or union[2] > _WIDEST * tall:
        return False
    small, large = (a, b) if a[3] * a[2] < b[3] * b[2] else (b, a)
    inside = overlap >= 0.8 * small[2] and gap < 0
    # Two marks one above the other are a colon or an equals sign, not a digit.
    above = overlap >= 0.45 * min(a[2], b[2]) and gap <= 0.2 * tall and max(a[3], b[3]) > 0.42 * tall
    # The flag of a 5 hangs to the right of its body's top, often with no overlap at all.
    flag = (
        small[3] < 0.35 * tall
        and large[3] > 0.5 * tall
        and small[1] <= large[1] + 0.25 * large[3]
        and -overlap <= 0.12 * tall
        and small[0] >= large[0] + 0.3 * large[2]
        and gap <= 0.1 * tall
    )
    return inside or above or flag or _is_low_5(a, b, tall) or _were_one(a, b, lifted)


def _is_low_5(a: Box, b: Box, tall: float) -> bool:
    """Return whether two pieces are the body of a 5 and its flag, both as low as marks, aslant above it.

    The points of a colon and the strokes of an equals sign stand straight above one another.
    """
    upper, lower = (a, b) if a[1] < b[1] else (b, a)
    whole = box_around((a, b))[3]
    return (
        whole >= 0.45 * tall
        and min(a[3], b[3]) >= 0.35 * whole
        and abs(lower[1] - upper[1] - upper[3]) <= 0.15 * whole
        and 0.1 * lower[2] <= upper[0] - lower[0] <= lower[2] + 0.15 * whole
        and upper[0] + upper[2] > lower[0] + lower[2]
    )


_PARTED = 0.6
"""So much of what lies between two pieces was lifted off where the line that was lifted parted them."""


def _were_one(a: Box, b: Box, lifted: NDArray[np.uint8] | None) -> bool:
    """Return whether a line that was lifted off parts two pieces all along, as one does a low 5 or 2.

    The strokes of an equals sign keep clear of the line between them.
    """
    if lifted is None:
        return False
    upper, lower = (a, b) if a[1] < b[1] else (b, a)
    left, right = max(a[0], b[0]), min(a[0] + a[2], b[0] + b[2])
    if 2 * (right - left) < min(a[2], b[2]):
        return False
    between = lifted[upper[1] + upper[3] : lower[1], left:right]
    return bool(between.size and between.mean() >= _PARTED)
