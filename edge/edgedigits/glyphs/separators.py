"""Which low pieces beside digits are marks, and which: points, commas, colons, dashes and equals signs.

What is a mark is a matter of its neighbours: a dot beside a headline may be as high as a digit of the small
print.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.chains import Span, span_of, tall_of
from edgedigits.glyphs.colons import colons_among
from edgedigits.glyphs.components import ON_LEVEL, Components
from edgedigits.glyphs.glyph import Box, Mark, box_around

_SEVERAL = 3
"""So many pieces are a row."""
_DOT = 0.3
"""A dot beside a single stroke is lower than this, in heights of the stroke."""
_SOLID = 0.5
"""So much of a dot's box is ink, or more."""


def part_marks(components: Components, chains: list[list[int]]) -> tuple[list[list[int]], list[int]]:
    """Part the chains of digits from what is only a mark beside one of them, and return both."""
    if len(chains) == 1:
        return chains, []
    boxes, areas = components.boxes, components.areas
    tall = np.array([tall_of(chain, boxes) for chain in chains])
    spans = np.array([span_of(chain, boxes) for chain in chains])
    counts = np.array([len(chain) for chain in chains])
    digits, marks = [], []
    for k, chain in enumerate(chains):
        left, top, right, bottom = spans[k]
        beside = (
            (spans[:, 0] - tall < right)
            & (left < spans[:, 2] + tall)
            & (spans[:, 1] - 0.1 * tall < bottom)
            & (top < spans[:, 3] + 0.35 * tall)
        )
        lower = beside & (tall[k] < components.settings.mark_height * tall)
        if len(chain) >= _SEVERAL:
            # Beside a single stroke a row of pieces is what is written there, if they are no dots.
            _, _, w, h = boxes[chain].T
            filled = float(np.median(areas[chain] / (w * h))) >= _SOLID
            lower &= ((tall[k] < _DOT * tall) & filled) | (counts > 1)
        if lower.any():
            marks.extend(chain)
        else:
            digits.append(chain)
    return digits, marks


_LOW_DIGIT = 0.35
"""A digit that is as low as a mark is so wide, in heights of those beside it …"""
_BESIDE_LOW = 1.0
"""… and no farther from them."""


def with_low_digits(components: Components, chains: list[list[int]], marks: list[int]) -> list[list[int]]:
    """Return chains with what is as low as a mark beside them and none by its shape; `marks` lose it.

    A 2 may be as low and wide as a dash, and holds more strokes than one.
    """
    boxes = components.boxes
    for i in [i for i in marks if not _is_single_stroke(components, i)]:
        x, y, w, h = boxes[i].tolist()
        nearest: tuple[float, list[int]] | None = None
        for chain in chains:
            tall = tall_of(chain, boxes)
            _, top, _, bottom = span_of(chain, boxes)
            if min(y + h, bottom) - max(y, top) < ON_LEVEL * h or max(w, h) < _LOW_DIGIT * tall:
                continue
            left, _, wide, _ = boxes[chain].T
            gap = float(np.maximum(left - x - w, x - left - wide).min()) / tall
            if gap <= _BESIDE_LOW and (nearest is None or gap < nearest[0]):
                nearest = gap, chain
        if nearest is not None:
            nearest[1].append(i)
            nearest[1].sort(key=lambda k: int(boxes[k, 0]))
            marks.remove(i)
    return chains


_COMMA = (0.2, 0.62)
"""A comma that is as high as a digit may be is so high, in heights of the digit before it, …"""
_THIN = 0.4
"""… no wider than this, …"""
_BEGINS = (0.6, 1.15)
"""… begins so far below that one's top, no farther, …"""
_HANGS = 0.1
"""… and ends so far below its base …"""
_BEHIND = 0.6
"""… and no farther behind it."""
_AROUND = 2.0
"""Nothing so near, in its own heights, …"""
_AS_HIGH = 1.5
"""… is about as high as it, by this factor, and on its level: small digits have others beside them …"""
_ABOVE = 0.25
"""… nor has anything that is no higher more than this of its width above it, as the flag of a 5 is."""


def commas_among(boxes: NDArray[np.int64]) -> list[int]:
    """Return which of some pieces as large as digits hang below one as a comma does, by their numbers.

    `boxes` is int64, N×4: x, y, width, height in working pixels. Such a one is a 1 to any network, and
    digits on either side of it, chained to it or not, are numbers of their own.
    """
    order = np.argsort(boxes[:, 0], kind="stable")
    x, y, w, h = boxes[order].T
    highest = int(h.max(initial=0))
    middle = x + w / 2
    # What a comma hangs on begins to its left, and no farther from it than the highest and its room are wide.
    first = np.searchsorted(x, middle - (2 + _BEHIND) * highest)
    hanging = np.zeros(len(x), bool)
    for i in np.flatnonzero(h <= _COMMA[1] * highest).tolist():
        k = slice(int(first[i]), i)
        high = h[k]
        hanging[i] = (
            (_COMMA[0] * high <= h[i])
            & (h[i] <= _COMMA[1] * high)
            & (w[i] <= _THIN * high)
            & (y[i] >= y[k] + _BEGINS[0] * high)
            & (y[i] <= y[k] + _BEGINS[1] * high)
            & (y[i] + h[i] >= y[k] + (1 + _HANGS) * high)
            & (middle[k] <= middle[i])
            & (middle[i] <= x[k] + w[k] + _BEHIND * high)
        ).any()
    found = []
    for i in np.flatnonzero(hanging).tolist():
        alike = (h <= _AS_HIGH * h[i]) & (h[i] <= _AS_HIGH * h) & ~hanging
        level = 2 * (np.minimum(y + h, y[i] + h[i]) - np.maximum(y, y[i])) >= np.minimum(h, h[i])
        gap = np.maximum(x, x[i]) - np.minimum(x + w, x[i] + w[i])
        flag = (h <= _AS_HIGH * h[i]) & (y < y[i]) & (y + h >= y[i] - h[i]) & (gap <= -_ABOVE * w[i])
        if not ((alike & level & (gap <= _AROUND * h[i])) | flag).any():
            found.append(int(order[i]))
    return found


_TWICE = 0.25
"""In no more than this part of its length a mark goes to and fro."""


def _is_single_stroke(components: Components, i: int) -> bool:
    """Return whether a piece is one stroke along its length, as a dash or a comma is, or a dot."""
    x, y, w, h = components.boxes[i].tolist()
    own = np.isin(components.labels[y : y + h, x : x + w], components.members[i])
    across = own if w >= h else own.T
    edges = np.diff(np.pad(across, ((1, 0), (0, 0))).view(np.int8), axis=0) == 1
    return bool(np.mean(np.count_nonzero(edges, axis=0) > 1) <= _TWICE)


def marks_beside(components: Components, span: Span, tall: float, others: NDArray[np.intp]) -> list[Mark]:
    """Return which of `others` (components) are marks before, between and behind a line's digits.

    `span` is where these stand, `tall` their median height in working pixels.
    """
    if not others.size:
        return []
    left, top, right, bottom = span
    x, y, w, h = components.boxes[others].T
    middle, across = y + h / 2, x + w / 2
    level = (top - 0.1 * tall <= middle) & (middle <= bottom + 0.35 * tall) & (left - tall <= across)
    beside = level & (across <= right + tall)
    near = components.boxes[others[beside]]
    colons = [
        (upper, lower)
        for upper, lower in colons_among(near, tall)
        if left < near[upper, 0] and near[lower, 0] + near[lower, 2] < right and near[upper, 1] > top
    ]
    marks = [Mark(":", box_around([_box(near[upper]), _box(near[lower])])) for upper, lower in colons]
    points = {point for colon in colons for point in colon}

    def named(rows: NDArray[np.int64]) -> list[Mark]:
        found = []
        for box in map(_box, rows):
            text = _mark(*box[2:], (box[1] + box[3] / 2 - top) / max(1.0, bottom - top), tall)
            if text is not None and not _is_left_of_line(box, components.lifted):
                found.append(Mark(text, box))
        return found

    marks += named(np.delete(near, list(points), axis=0))
    behind = [mark.box for mark in marks if mark.text in (".", ",") and mark.box[0] >= right]
    if behind:
        # The dash of an amount without cents stands behind its comma.
        end = min(x + w for x, _, w, _ in behind)
        farther = components.boxes[others[level & (right + tall < across) & (across <= end + tall)]]
        marks += [mark for mark in named(farther) if mark.text == "-"]
    return _with_equals_signs(marks)


def _box(row: NDArray[np.int64]) -> Box:
    x, y, w, h = row.tolist()
    return x, y, w, h


def _mark(width: int, height: int, level: float, tall: float) -> Literal[".", ",", "-"] | None:
    """Name a small piece of ink by its shape and its level (0 the digits' top, 1 their base).

    Its size and that of the digits beside it, `tall`, are in the same pixels; None for what is no mark.
    """
    if width >= 1.6 * height and width >= 0.2 * tall and 0.2 <= level <= 0.85:
        return "-"
    if level < 0.65 or max(width, height) < 0.06 * tall:
        return None
    if height > 1.4 * width or level > 1.05:
        return ","
    return "."


_BOTH_SIDES = 0.6
"""So much of what lies along either side of a line's rest was lifted off."""


def _is_left_of_line(box: Box, lifted: NDArray[np.uint8] | None) -> bool:
    """Return whether a narrow piece is left of a line that was lifted off on both sides of it.

    A line is thicker where another crosses it, or by a pixel or two from noise. A comma goes on farther.
    """
    x, y, w, h = box
    if lifted is None or 2 * w > h or x == 0 or x + w == lifted.shape[1]:
        return False
    return bool((lifted[y : y + h, [x - 1, x + w]].mean(axis=0) >= _BOTH_SIDES).all())


def _with_equals_signs(marks: list[Mark]) -> list[Mark]:
    """Return marks, two dashes one above the other being one equals sign."""
    left = [mark for mark in marks if mark.text == "-"]
    found = [mark for mark in marks if mark.text != "-"]
    while left:
        mark = left.pop()
        x, _, w, _ = mark.box
        for other in left:
            ox, _, ow, _ = other.box
            if 2 * (min(x + w, ox + ow) - max(x, ox)) > max(w, ow):
                left.remove(other)
                mark = Mark("=", box_around((mark.box, other.box)))
                break
        found.append(mark)
    return found
