"""Ink → text lines: components joined to glyphs, told apart by size and shape, gathered into lines.

A component is a connected piece of ink. Most digits are one; the detached top of a 5 is a second that must
be joined; dots, commas, dashes and slashes are marks, specks are nothing, and the edge of the desk, a ruled
line or a frame is not text at all.
"""

from __future__ import annotations

import statistics

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.bars import is_struck_out, without_underlines
from edgedigits.glyphs.chains import (
    Span,
    bounds_of,
    chained,
    in_reading_order,
    interleaved,
    parted_at,
    parted_by_room,
    span_of,
    tall_of,
    with_neighbours,
)
from edgedigits.glyphs.columns import Row, part_cells
from edgedigits.glyphs.components import COLUMN, Components, typical_height
from edgedigits.glyphs.dollars import begins_with_dollar
from edgedigits.glyphs.fragments import join_fragments
from edgedigits.glyphs.glyph import Glyph, GlyphSettings, Mark, TextLine, box_around
from edgedigits.glyphs.line_faults import faults_of
from edgedigits.glyphs.not_writing import drop_what_is_no_writing
from edgedigits.glyphs.separators import commas_among, marks_beside, part_marks, with_low_digits
from edgedigits.glyphs.slashes import slashes_among
from edgedigits.ink import Ink
from edgedigits.ink.unprinted import pieces_of, without_print


def find_lines(ink: Ink, settings: GlyphSettings = GlyphSettings()) -> list[TextLine]:
    """Gather the ink of a picture into text lines, from the top down and from left to right."""
    return find_lines_in(ink, settings)[1]


def find_lines_in(ink: Ink, settings: GlyphSettings = GlyphSettings()) -> tuple[Ink, list[TextLine]]:
    """Return what `find_lines` does, and the ink that it knows of then: what was lifted off as print."""
    if ink.strong >= 255:
        return ink, []
    ink, mask, lifted, pieces = without_print(ink)
    lines = _lines(Components(ink, settings, pieces, lifted))
    bare = without_underlines(mask, [_standing(line) for line in lines])
    if bare is not mask:
        lines = _lines(Components(ink, settings, pieces_of(bare), lifted))
    return ink, lines


def _standing(line: TextLine) -> tuple[Span, float]:
    """Return where the glyphs of a line stand (left, top, right, bottom), and how high they are."""
    left, top, width, height = box_around([glyph.box for glyph in line.glyphs])
    tall = statistics.median([glyph.box[3] for glyph in line.glyphs])
    return (left, top, left + width, top + height), tall


def _lines(components: Components) -> list[TextLine]:
    drop_what_is_no_writing(components)
    join_fragments(components)
    large = _as_large_as_digits(components)
    if not large.any():
        return []
    boxes, line_gap = components.boxes, components.settings.line_gap
    digits = np.flatnonzero(large)
    large[digits[commas_among(boxes[digits])]] = False
    chains, marks = part_marks(components, chained(np.flatnonzero(large), boxes, line_gap))
    chains = with_low_digits(components, interleaved(chains, boxes), marks)
    others = np.concatenate([np.array(marks, np.intp), np.flatnonzero(~large)])
    # What a picture was cut to is one number, if its form has a line in it or not.
    if components.is_page:
        chains = _parted_by_columns(components, chains)
        chains = parted_by_room(chains, boxes, others)
        chains = [part for chain in chains for part in _parted_by_bars(components, chain)]
    return [_line(components, chain, others) for chain in in_reading_order(chains, boxes)]


_LEAST_BESIDE = 5
"""Nothing lower than so many pixels is a digit, whatever stands beside it."""


def _as_large_as_digits(components: Components) -> NDArray[np.bool_]:
    """Return which components are digits by their size: bool, N; none if they hold too little of the ink."""
    settings = components.settings
    _, _, widths, heights = components.boxes.T
    extents = np.maximum(heights, widths // 2)
    large = extents >= settings.least_height
    if not large.any():
        return large
    tall = typical_height(heights[large])
    # Beside digits that are hardly higher a lower one is a digit, too.
    large |= extents >= max(_LEAST_BESIDE, 0.6 * tall)
    large = with_neighbours(large & (heights >= settings.speck_height * tall), large, components.boxes)
    ink = components.areas.sum() + components.passed_over
    if components.areas[large].sum() < settings.least_share * ink:
        # Noise, wood: a few of countless pieces look like digits by chance.
        return np.zeros_like(large)
    return large


def _parted_by_columns(components: Components, chains: list[list[int]]) -> list[list[int]]:
    """Part the chains of digits that go from one cell of a table to the next."""
    if not chains:
        return chains
    # A few digits tell how dark a pen writes; one has nothing beside it.
    rows = [
        Row(
            [(x, y, w, h) for x, y, w, h in components.boxes[chain].tolist()],
            components.ink_of(chain[:3]) if len(chain) > 1 else 0.0,
        )
        for chain in chains
    ]
    typical = statistics.median(row.tall for row in rows)
    high = components.stats[:, cv2.CC_STAT_HEIGHT] >= COLUMN * typical
    high[[0, *(label for members in components.members for label in members)]] = False
    labels, mask = components.labels, components.ink.mask
    lines = high[labels].view(np.uint8) if high.any() else np.zeros_like(mask)
    if components.lifted is not None:
        lines |= components.lifted
    found = part_cells(rows, lines, components.ink.contrast)
    return [[chain[k] for k in cell] for chain, cells in zip(chains, found, strict=True) for cell in cells]


_SPACE = 0.5
"""So much room, in heights of a digit, is between a number that is struck out and the one beside it."""
_TWO_DIGITS = 1.5
"""Two digits, and the bar that strikes them out, are so wide, in heights of a digit, or wider."""


def _parted_by_bars(components: Components, chain: list[int]) -> list[list[int]]:
    """Part a chain where one number is struck out and the one beside it is not."""
    tall = tall_of(chain, components.boxes)
    parts = parted_at(chain, components.boxes, _SPACE * tall)
    if len(parts) == 1:
        return parts
    found: list[tuple[bool, list[int]]] = []
    for part in parts:
        left, _, right, _ = bounds = bounds_of(part, components.boxes)
        # A digit by itself is as likely a low 0, whose sides are two bars beside higher digits.
        several = right - left >= _TWO_DIGITS * tall
        struck = several and is_struck_out(components.ink.mask, bounds, tall)
        if found and found[-1][0] == struck:
            found[-1][1].extend(part)
        else:
            found.append((struck, part))
    return [part for _, part in found]


def _line(components: Components, digits: list[int], others: NDArray[np.intp]) -> TextLine:
    """Return the text line of a chain; `others` are components that may be marks beside it."""
    span, tall = span_of(digits, components.boxes), tall_of(digits, components.boxes)
    marks = marks_beside(components, span, tall, others)
    left_out, faults = faults_of(components, digits, span, tall)
    glyphs = [_glyph(components, i) for i in digits]
    for k in reversed(slashes_among(glyphs)):
        slash = glyphs.pop(k)
        marks.append(Mark("/", slash.box, slash.ink))
    if begins_with_dollar(glyphs):
        sign = glyphs.pop(0)
        marks.append(Mark("$", sign.box, sign.ink))
    return TextLine(tuple(glyphs), tuple(marks), left_out, faults)


_LEVELS = np.arange(256, dtype=np.float32)


def _glyph(components: Components, i: int) -> Glyph:
    """Return a component as a glyph: of its ink's contrast the upper quartile is 255, half the least is 0."""
    ink = components.ink
    x, y, w, h = components.boxes[i].tolist()
    region = components.labels[y : y + h, x : x + w]
    contrast = ink.contrast[y : y + h, x : x + w]
    member = region == components.members[i][0]
    for other in components.members[i][1:]:
        member |= region == other
    own = contrast[member]
    quartile = 3 * own.size // 4
    own.partition(quartile)
    full = float(own[quartile])
    floor = 0.5 * ink.weak
    greys = (_LEVELS - floor) * (255.0 / max(1.0, full - floor))
    table = np.minimum(np.maximum(greys, 0, out=greys), 255, out=greys).astype(np.uint8)
    return Glyph((x, y, w, h), np.asarray(cv2.LUT(contrast, table) * member, np.uint8))
