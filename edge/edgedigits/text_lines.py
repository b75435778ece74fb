"""Ink → text lines: components joined to glyphs, told apart by size and shape, gathered into lines.

A component is a connected piece of ink. Most digits are one; the detached top of a 5 is a second that must
be joined; dots, commas and dashes are marks, specks are nothing, and the edge of the desk, a ruled line or
a frame is not text at all.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
import statistics
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.across import AcrossSettings, thickness_across
from edgedigits.bars import is_struck_out, without_underlines
from edgedigits.chains import interleaved, parted_at, parted_by_room
from edgedigits.columns import Row, part_cells
from edgedigits.glyphs import Box, Fault, Glyph, GlyphSettings, Mark, TextLine, box_around
from edgedigits.ink import SLENDER, Ink
from edgedigits.outlines import find_outlines
from edgedigits.pale import is_of_pale_line
from edgedigits.unprinted import Pieces, pieces_of, without_print

Span = tuple[float, float, float, float]

_LEVELS = np.arange(256, dtype=np.float32)


def find_lines(ink: Ink, settings: GlyphSettings = GlyphSettings()) -> list[TextLine]:
    """Gather the ink of a picture into text lines, from the top down and from left to right."""
    return find_lines_in(ink, settings)[1]


def find_lines_in(ink: Ink, settings: GlyphSettings = GlyphSettings()) -> tuple[Ink, list[TextLine]]:
    """Return what `find_lines` does, and the ink that it knows of then: what was lifted off as print."""
    if ink.strong >= 255:
        return ink, []
    ink, mask, lifted, pieces = without_print(ink)
    lines = _Components(ink, settings, pieces, lifted).lines()
    bare = without_underlines(mask, [_standing(line) for line in lines])
    if bare is not mask:
        lines = _Components(ink, settings, pieces_of(bare), lifted).lines()
    return ink, lines


def _standing(line: TextLine) -> tuple[Span, float]:
    """Return where the glyphs of a line stand (left, top, right, bottom), and how high they are."""
    left, top, width, height = box_around([glyph.box for glyph in line.glyphs])
    tall = statistics.median([glyph.box[3] for glyph in line.glyphs])
    return (left, top, left + width, top + height), tall


class _Components:
    """The connected pieces of ink of one picture, and what becomes of them."""

    def __init__(
        self, ink: Ink, settings: GlyphSettings, pieces: Pieces, lifted: NDArray[np.uint8] | None
    ) -> None:
        self.ink = ink
        self.lifted = lifted
        self.settings = settings
        count, self.labels, stats = pieces
        areas = stats[:, cv2.CC_STAT_AREA]
        sure = np.bincount(self.labels[ink.contrast >= ink.strong], minlength=count)
        certain = sure > 0
        certain[0] = False
        solid = sure >= settings.sure_share * areas
        large = areas >= settings.speck_area
        self.passed_over = int(areas[certain & ~(solid & large)].sum())
        """Pixels of ink in what is texture, or too small to be looked at."""
        faint = large & ~(certain & solid) & (stats[:, cv2.CC_STAT_HEIGHT] >= settings.least_height)
        faint[0] = False
        self.faint = np.flatnonzero(faint)
        """Which labels are writing only if others like them are."""
        self.stats = stats
        certain &= solid & large
        ids = np.flatnonzero(certain)
        order = np.argsort(-stats[ids, cv2.CC_STAT_AREA], kind="stable")
        self.too_many = ids[order[settings.most_components :]]
        """Which labels are not looked at."""
        if self.too_many.size:
            ids = ids[order[: settings.most_components]]
        self.members: list[list[int]] = [[int(i)] for i in ids]
        self.dropped = np.zeros(count, bool)
        """Which labels, by number, were taken for no writing …"""
        self.drawn: list[int] = []
        """… and which of them for drawings."""
        self.boxes = stats[ids, :4].astype(np.int64)
        self.areas = stats[ids, cv2.CC_STAT_AREA].astype(np.int64)

    def _keep(self, wanted: NDArray[np.bool_]) -> None:
        self.dropped[[label for m, w in zip(self.members, wanted, strict=True) if not w for label in m]] = (
            True
        )
        self.members = [m for m, w in zip(self.members, wanted, strict=True) if w]
        self.boxes, self.areas = self.boxes[wanted], self.areas[wanted]

    def lines(self) -> list[TextLine]:
        self._drop_what_is_no_writing()
        self._leave_out_pale_lines()
        self._drop_drawings()
        self._join_fragments()
        _, _, widths, heights = self.boxes.T
        extents = np.maximum(heights, widths // 2)
        body = extents >= self.settings.least_height
        if not body.any():
            return []
        tall = _typical_height(heights[body])
        # Beside digits that are hardly higher a lower one is a digit, too.
        body |= extents >= max(_LEAST_BESIDE, 0.6 * tall)
        body = self._with_neighbours(body & (heights >= self.settings.speck_height * tall), body)
        if self.areas[body].sum() < self.settings.least_share * (self.areas.sum() + self.passed_over):
            return []  # noise, wood: a few of countless pieces look like digits by chance
        chains, marks = self._part_marks(self._chains(np.flatnonzero(body)))
        chains = self._with_low_digits(interleaved(chains, self.boxes), marks)
        chains = self._parted_by_columns(chains)
        others = np.concatenate([np.array(marks, np.intp), np.flatnonzero(~body)])
        if self._is_page:
            chains = parted_by_room(chains, self.boxes, others)
            chains = [part for chain in chains for part in self._parted_by_bars(chain)]
        return [self._line(chain, others) for chain in self._reading_order(chains)]

    def _drop_what_is_no_writing(self) -> None:
        """Drop frames, ruled lines and the desk around the sheet."""
        height, width = self.labels.shape
        x, y, w, h = self.boxes.T
        touches = (x == 0).astype(int) + (y == 0) + (x + w == width) + (y + h == height)
        reach = np.maximum(w / width, h / height)
        fill = self.areas / np.maximum(1, w * h)
        long = np.maximum(w / (self.settings.widest * h), h / (self.settings.tallest * w))
        low = np.minimum(w, h) <= np.maximum(
            6, 0.12 * np.minimum(height, width)
        )  # many digits that touch are not
        rule = (long > 1) & low & ((reach > 0.3) | (touches > 0) | (long > 1.5))
        hollow_or_solid = (touches > 2) & ((fill < 0.2) | (fill > 0.75))
        edge = (touches > 0) & (reach > 0.5) & (((2 * long > 1) & low) | ((touches > 1) & (fill > 0.6)))
        edge |= (touches > 0) & (reach > 0.5) & hollow_or_solid
        edge |= (touches == 4) & (min(height, width) >= 120)  # a net or noise: no writing fills a page so
        # What fills a picture alone may well be its only digit, cut to size.
        drop = (rule | edge) if len(self.members) > 1 else (edge & (rule | hollow_or_solid))
        across = np.minimum(w / width, h / height)
        large = ~drop & ((across > 0.85) | ((touches > 0) & (reach > 0.5)))
        # The edge of a sheet that lies whole on a darker desk: around several pieces of some height.
        high = h >= self.settings.least_height
        for i in np.flatnonzero(~drop & ~large & (across > 0.4)):
            within = (x > x[i]) & (y > y[i]) & (x + w < x[i] + w[i]) & (y + h < y[i] + h[i])
            large[i] = np.count_nonzero(within & high) >= 3
        if height <= self.ink.strip_height and width >= SLENDER * height:
            # On a picture cut to one line what is slender and slants is a 1 that is as high, and no frame.
            large &= (2.5 * w >= h) | (fill > 0.5)
        if len(self.members) == 1:
            # A picture cut to its digit, maybe a 0; from top to bottom in the middle goes a 1, and no frame.
            # Through a camera's frame, which is wider than high, goes a cable or the edge of a door.
            middle = (x + w / 2) / width
            through = (h == height) & (touches == 2) & (middle > 0.25) & (middle < 0.75)
            through &= width <= 1.2 * height
            drop &= ~through
            large &= ~through & (min(height, width) >= 40)
        if large.any():
            # Where there is next to nothing else, what runs out of the picture on one side only, from well
            # inside, is a digit cut off.
            few = np.count_nonzero(~drop & (3 * h >= h[~drop].max(initial=0))) <= 2
            for i in np.flatnonzero(large):
                cut_off = few and touches[i] == 1 and self._reaches_inside(int(i))
                drop[i] = not cut_off and self._runs_along_the_border(int(i))
        # What stands clear of the border tells how high writing is here. Beside it, what touches the border
        # and is far larger is the desk; slivers there, smaller, are cut-off ends of neighbours and frames.
        clear = ~drop & (touches == 0) & (h >= self.settings.least_height)
        if clear.sum() >= 3:
            tall = _typical_height(h[clear])
            # On a picture cut to one line of writing there is no desk; what is clear there may be dirt.
            if min(height, width) >= 7 * tall:
                drop |= (touches > 0) & (np.maximum(h, w / 3) > 2.5 * tall)
                # Nor is writing a strip of desk along the border, or what lies along a sheet's edge; but the
                # edge of a shadow goes through digits, and few are as slender.
                slender = np.minimum(w, h) < 0.5 * tall
                drop |= (self._flush() > 0.5) | (slender & (self._beside_edges() > 0.5))
        if not drop.all():
            tall = _typical_height(h[clear if clear.any() else ~drop])
            drop |= (
                (touches > 0)
                & ((touches > 1) | (3 * long > 1))
                & (h < 0.8 * tall)
                & (np.minimum(w, h) < 0.4 * tall)
            )
        if drop.any():
            self._keep(~drop)

    def _leave_out_pale_lines(self) -> None:
        """Leave out what is ink here and there of a line that goes down the page palely."""
        _, _, w, h = self.boxes.T
        slender = (h >= self.settings.least_height) & (h >= _UPRIGHT * w)
        if not self._is_page or not slender.any():
            return
        tall = _typical_height(h[h >= self.settings.least_height])
        of_line = np.zeros(len(h), bool)
        for i in np.flatnonzero(slender).tolist():
            left, top, width, height = self.boxes[i].tolist()
            box = left, top, width, height
            of_line[i] = is_of_pale_line(self.ink.contrast, self.ink.strong, box, tall)
        if of_line.any():
            self.members = [m for m, own in zip(self.members, of_line, strict=True) if not own]
            self.boxes, self.areas = self.boxes[~of_line], self.areas[~of_line]

    def _drop_drawings(self) -> None:
        """Drop what is drawn: outlines that digits touch, and what is far higher than the writing."""
        if not self._is_page:
            return
        around = {label for label, is_free in find_outlines(self.labels, self.stats) if not is_free}
        drawn = np.array([members[0] in around for members in self.members], bool)
        drawn |= self._are_far_higher(~drawn)
        if drawn.any():
            self.passed_over += int(self.areas[drawn].sum())
            self.drawn = [label for k in np.flatnonzero(drawn).tolist() for label in self.members[k]]
            self._keep(~drawn)

    def _are_far_higher(self, of: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which few pieces are far higher than all the others: a cup's ring, a pen, an arrow.

        By them alone the many would be specks. A large number has more ink than small writing below it.
        """
        heights = self.boxes[:, 3]
        found = np.zeros(len(heights), bool)
        high = np.flatnonzero(of & (heights >= self.settings.least_height))
        high = high[np.argsort(heights[high], kind="stable")]
        for few in range(1, 1 + high.size // (1 + _TO_ONE_DRAWING)):
            writing, few_highest = high[:-few], high[-few:]
            tall = _typical_height(heights[writing])
            if heights[few_highest[0]] <= _DRAWING * tall:
                continue
            # What is inside it may be its own, as the eyes of a face are.
            beside = writing[(heights[writing] >= 0.5 * tall) & self._are_outside(writing, few_highest)]
            enough = beside.size >= _BESIDE_DRAWINGS * few
            if enough and self.areas[beside].sum() >= _INK_OF_DRAWINGS * self.areas[few_highest].sum():
                found[few_highest] = True
        return found

    def _are_outside(self, pieces: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which pieces have their middle outside the boxes of others."""
        x, y, w, h = self.boxes[pieces].T
        left, top, wide, tall = self.boxes[others].T[:, :, None]
        across, down = x + w / 2, y + h / 2
        inside = (left <= across) & (across <= left + wide) & (top <= down) & (down <= top + tall)
        return np.asarray(~inside.any(axis=0))

    def _runs_along_the_border(self, i: int) -> bool:
        """Return whether a component's ink lies along the sides of its box, like a frame's or the desk's."""
        x, y, w, h = (int(v) for v in self.boxes[i])
        band = max(2, round(0.08 * max(min(w, 1.8 * h), h)))  # a string of digits is wide, and no frame
        inside = self.labels[y + band : y + h - band, x + band : x + w - band] == self.members[i][0]
        return bool(np.count_nonzero(inside) < 0.35 * self.areas[i])

    def _flush(self) -> NDArray[np.float64]:
        """Return of each component what part of its height (or width) lies on the picture's border, 0…1."""
        size = self.dropped.size
        columns, rows = (
            np.maximum(*(np.bincount(side, minlength=size) for side in sides))
            for sides in (
                (self.labels[:, 0], self.labels[:, -1]),
                (self.labels[0], self.labels[-1]),
            )
        )
        ids = [member[0] for member in self.members]
        return np.asarray(np.maximum(columns[ids] / self.boxes[:, 3], rows[ids] / self.boxes[:, 2]))

    def _beside_edges(self) -> NDArray[np.float64]:
        """Return of each component what part of its ink lies beside the edge of a sheet, 0…1."""
        if not self.ink.edges.any():
            return np.zeros(len(self.members))
        edges = cv2.resize(self.ink.edges, self.labels.shape[::-1], interpolation=cv2.INTER_NEAREST)
        beside = np.bincount(self.labels[edges > 0], minlength=self.dropped.size)
        ids = [member[0] for member in self.members]
        return np.asarray(beside[ids] / self.areas)

    def _reaches_inside(self, i: int) -> bool:
        """Return whether a component's ink lies well inside the picture, and not along its border."""
        height, width = self.labels.shape
        dx, dy = width // 8, height // 8
        inside = self.labels[dy : height - dy, dx : width - dx] == self.members[i][0]
        return bool(np.count_nonzero(inside) >= 0.5 * self.areas[i])

    def _join_fragments(self) -> None:
        """Join pieces that lie above one another closely enough to be one digit."""
        _, _, w, h = self.boxes.T
        heights = h[np.maximum(h, w // 2) >= self.settings.least_height]
        if not heights.size:
            return
        tall = _typical_height(heights)
        order = np.argsort(self.boxes[:, 0], kind="stable")
        x, y, w, h = self.boxes[order].T
        parent = list(range(len(self.members)))
        merged: list[Box] = [(left, top, width, height) for left, top, width, height in self.boxes.tolist()]

        def root(i: int) -> int:
            while parent[i] != i:
                i = parent[i]
            return i

        # Only pieces that begin before this one ends (and a little after, for the flag of a 5) can join it.
        reach = np.searchsorted(x, x + w + 0.12 * tall, side="right").tolist()
        middles = y + h / 2
        places = order.tolist()
        for position, i in enumerate(places):
            if reach[position] == position + 1:
                continue
            window = slice(position + 1, reach[position])
            near = np.flatnonzero(np.abs(middles[window] - middles[position]) < 1.35 * tall)
            for k in near.tolist():
                a, b = root(i), root(places[position + 1 + k])
                if a != b and self._belong_together(merged[a], merged[b], tall):
                    parent[b] = a
                    merged[a] = box_around((merged[a], merged[b]))
        gathered: dict[int, list[int]] = {}
        for i in range(len(self.members)):
            gathered.setdefault(root(i), []).append(i)
        if len(gathered) == len(self.members):
            return
        self.members = [[m for i in group for m in self.members[i]] for group in gathered.values()]
        self.areas = np.array([self.areas[group].sum() for group in gathered.values()])
        self.boxes = np.array([merged[a] for a in gathered], np.int64)

    def _belong_together(self, a: Box, b: Box, tall: float) -> bool:
        overlap = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
        gap = max(a[1], b[1]) - min(a[1] + a[3], b[1] + b[3])
        union = box_around((a, b))
        if union[3] > 1.35 * tall or union[2] > 1.5 * tall:
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
        return inside or above or flag or _is_low_5(a, b, tall) or self._were_one(a, b)

    def _were_one(self, a: Box, b: Box) -> bool:
        """Return whether a line that was lifted off parts two pieces all along, as one does a low 5 or 2.

        The strokes of an equals sign keep clear of the line between them.
        """
        if self.lifted is None:
            return False
        upper, lower = (a, b) if a[1] < b[1] else (b, a)
        left, right = max(a[0], b[0]), min(a[0] + a[2], b[0] + b[2])
        if 2 * (right - left) < min(a[2], b[2]):
            return False
        between = self.lifted[upper[1] + upper[3] : lower[1], left:right]
        return bool(between.size and between.mean() >= _PARTED)

    def _with_neighbours(self, body: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return what is as high as a digit, with what of the others is beside it and hardly lower.

        Some digits of a small number may be as high as is asked for, and some not quite.
        """
        left = np.flatnonzero(others & ~body)
        if not left.size or not body.any():
            return body
        body = body.copy()
        x, y, w, h = self.boxes.T
        found = True
        while found and left.size:
            found = False
            known = np.flatnonzero(body)
            for i in left.tolist():
                level = (
                    np.minimum(y[known] + h[known], y[i] + h[i]) - np.maximum(y[known], y[i]) >= 0.5 * h[i]
                )
                gap = np.maximum(x[known] - x[i] - w[i], x[i] - x[known] - w[known])
                near = (gap <= 0.8 * h[known]) & (h[i] >= _HARDLY_LOWER * h[known])
                if (level & near).any():
                    body[i] = found = True
            left = left[~body[left]]
        return body

    def _chains(self, candidates: NDArray[np.intp]) -> list[list[int]]:
        """Chain pieces to their nearest right neighbours on the same level and of like height."""
        order = candidates[np.argsort(self.boxes[candidates, 0], kind="stable")]
        x, y, w, h = self.boxes[order].T
        # Nothing to the right of this place can be a neighbour of what is at most 2.4 times as high.
        reach = np.searchsorted(x, x + w + 2.4 * self.settings.line_gap * h, side="right")
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
                (overlap >= 0.4 * lower)
                & (higher <= 2.4 * lower)
                & (gap <= self.settings.line_gap * higher)
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

    def _with_low_digits(self, chains: list[list[int]], marks: list[int]) -> list[list[int]]:
        """Return chains with what is as low as a mark beside them and none by its shape; `marks` lose it.

        A 2 may be as low and wide as a dash, and holds more strokes than one.
        """
        for i in [i for i in marks if not self._is_single_stroke(i)]:
            x, y, w, h = self.boxes[i].tolist()
            nearest: tuple[float, list[int]] | None = None
            for chain in chains:
                tall = _median(self.boxes[chain, 3])
                _, top, _, bottom = self._span(chain)
                if min(y + h, bottom) - max(y, top) < _ON_LEVEL * h or max(w, h) < _LOW_DIGIT * tall:
                    continue
                left, _, wide, _ = self.boxes[chain].T
                gap = float(np.maximum(left - x - w, x - left - wide).min()) / tall
                if gap <= _BESIDE_LOW and (nearest is None or gap < nearest[0]):
                    nearest = gap, chain
            if nearest is not None:
                nearest[1].append(i)
                nearest[1].sort(key=lambda k: int(self.boxes[k, 0]))
                marks.remove(i)
        return chains

    def _is_single_stroke(self, i: int) -> bool:
        """Return whether a piece is one stroke along its length, as a dash or a comma is, or a dot."""
        x, y, w, h = self.boxes[i].tolist()
        own = np.isin(self.labels[y : y + h, x : x + w], self.members[i])
        across = own if w >= h else own.T
        edges = np.diff(np.pad(across, ((1, 0), (0, 0))).view(np.int8), axis=0) == 1
        return bool(np.mean(np.count_nonzero(edges, axis=0) > 1) <= _TWICE)

    def _parted_by_bars(self, chain: list[int]) -> list[list[int]]:
        """Part a chain where one number is struck out and the one beside it is not."""
        tall = _median(self.boxes[chain, 3])
        parts = parted_at(chain, self.boxes, _SPACE * tall)
        if len(parts) == 1:
            return parts
        found: list[tuple[bool, list[int]]] = []
        for part in parts:
            x, y, w, h = self.boxes[part].T
            span = float(x.min()), float(y.min()), float((x + w).max()), float((y + h).max())
            # A digit by itself is as likely a low 0, whose sides are two bars beside higher digits.
            several = span[2] - span[0] >= _TWO_DIGITS * tall
            struck = several and is_struck_out(self.ink.mask, span, tall)
            if found and found[-1][0] == struck:
                found[-1][1].extend(part)
            else:
                found.append((struck, part))
        return [part for _, part in found]

    def _parted_by_columns(self, chains: list[list[int]]) -> list[list[int]]:
        """Part the chains of digits that go from one cell of a table to the next."""
        # What a picture was cut to is one number, if its form has a line in it or not.
        if not self._is_page or not chains:
            return chains
        # A few digits tell how dark a pen writes; one has nothing beside it.
        rows = [
            Row(
                [(x, y, w, h) for x, y, w, h in self.boxes[chain].tolist()],
                self._ink_of(chain[:3]) if len(chain) > 1 else 0.0,
            )
            for chain in chains
        ]
        high = self.stats[:, cv2.CC_STAT_HEIGHT] >= _COLUMN * statistics.median(row.tall for row in rows)
        high[[0, *(label for members in self.members for label in members)]] = False
        lines = high[self.labels].view(np.uint8) if high.any() else np.zeros_like(self.ink.mask)
        if self.lifted is not None:
            lines |= self.lifted
        found = part_cells(rows, lines, self.ink.contrast)
        return [
            [chain[k] for k in cell] for chain, cells in zip(chains, found, strict=True) for cell in cells
        ]

    @property
    def _is_page(self) -> bool:
        """Whether the picture is more than what a line of writing was cut to."""
        return min(self.labels.shape) > self.ink.strip_height

    @functools.cached_property
    def _goes_down(self) -> NDArray[np.bool_]:
        """Return which labels are as slender as a column's line is."""
        return np.asarray(
            self.stats[:, cv2.CC_STAT_HEIGHT] >= self.settings.tallest * self.stats[:, cv2.CC_STAT_WIDTH]
        )

    def _part_marks(self, chains: list[list[int]]) -> tuple[list[list[int]], list[int]]:
        """Part the chains of digits from what is only a mark beside one of them.

        What is a mark is a matter of its neighbours: a dot beside a headline may be as high as a digit of
        the small print.
        """
        if len(chains) == 1:
            return chains, []
        tall = np.array([_median(self.boxes[chain, 3]) for chain in chains])
        spans = np.array([self._span(chain) for chain in chains])
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
            lower = beside & (tall[k] < self.settings.mark_height * tall)
            if len(chain) >= _SEVERAL:
                # Beside a single stroke a row of pieces is what is written there, if they are no dots.
                _, _, w, h = self.boxes[chain].T
                filled = float(np.median(self.areas[chain] / (w * h))) >= _SOLID
                lower &= ((tall[k] < _DOT * tall) & filled) | (counts > 1)
            if lower.any():
                marks.extend(chain)
            else:
                digits.append(chain)
        return digits, marks

    def _span(self, chain: list[int]) -> tuple[float, float, float, float]:
        """Return left, median top, right and median bottom of a chain."""
        x, y, w, h = self.boxes[chain].T
        return float(x.min()), _median(y), float((x + w).max()), _median(y + h)

    def _reading_order(self, chains: list[list[int]]) -> list[list[int]]:
        """Sort chains from the top down; those on one level (columns) from left to right."""
        if len(chains) == 1:
            return chains
        spans = [self._span(chain) for chain in chains]
        middles = [(top + bottom) / 2 for _, top, _, bottom in spans]
        rows: list[list[int]] = []
        for k in sorted(range(len(chains)), key=middles.__getitem__):
            if rows and spans[rows[-1][0]][1] <= middles[k] <= spans[rows[-1][0]][3]:
                rows[-1].append(k)
            else:
                rows.append([k])
        return [chains[k] for row in rows for k in sorted(row, key=lambda k: spans[k][0])]

    def _line(self, digits: list[int], others: NDArray[np.intp]) -> TextLine:
        tall = _median(self.boxes[digits, 3])
        left, top, right, bottom = span = self._span(digits)
        marks = []
        if others.size:
            x, y, w, h = self.boxes[others].T
            middle, across = y + h / 2, x + w / 2
            beside = (
                (top - 0.1 * tall <= middle)
                & (middle <= bottom + 0.35 * tall)
                & (left - tall <= across)
                & (across <= right + tall)
            )
            for x1, y1, w1, h1 in self.boxes[others[beside]].tolist():
                text = _mark(w1, h1, (y1 + h1 / 2 - top) / max(1.0, bottom - top), tall)
                if text is not None and not self._is_left_of_line((x1, y1, w1, h1)):
                    marks.append(Mark(text, (x1, y1, w1, h1)))
        marks = _with_equals_signs(marks)
        highest = int(self.boxes[digits, 1].min())
        lowest = int((self.boxes[digits, 1] + self.boxes[digits, 3]).max())
        around = (left - tall, top, right + tall, bottom)
        left_out = self._left_out(around, tall)
        across = self._line_across(digits, tall)
        on_page = lowest - highest < _OF_PAGE * min(self.labels.shape)
        faults: dict[Fault, bool] = {
            "struck-out": is_struck_out(self.ink.mask, (left, highest, right, lowest), tall),
            "ruled-through": across >= _ACROSS.bold,
            "stroke-lost": math.isinf(left_out) or self._went_with_a_line(around, tall),
            "cut-off": on_page and self._is_cut_off(digits, span, tall),
            "too-much": bool(
                self._beside(self.too_many, span, self.settings.line_gap * tall, _LIKE_WRITING * tall).size
            ),
            "drawn-over": self._is_drawn_over(span, tall),
            "crossed": _ACROSS.hides <= across < _ACROSS.bold,
        }
        left_out = 0.0 if math.isinf(left_out) else left_out
        left_out += self._left_faint(digits, span, tall)
        glyphs = tuple(self._glyph(i) for i in digits)
        return TextLine(glyphs, tuple(marks), left_out, frozenset(k for k, found in faults.items() if found))

    def _line_across(self, digits: list[int], tall: float) -> float:
        """Return how thick a line is, in heights of a digit, that was lifted off from a number's middle."""
        if self.lifted is None:
            return 0.0
        boxes = [(x, y, w, h) for x, y, w, h in self.boxes[digits].tolist()]
        return thickness_across(self.lifted, self.ink.contrast, boxes, tall, self._ink_of(digits), _ACROSS)

    def _is_left_of_line(self, box: Box) -> bool:
        """Return whether a narrow piece is left of a line that was lifted off on both sides of it.

        Noise makes a line thicker there, by a pixel or two. A comma goes on farther.
        """
        x, y, w, h = box
        if self.lifted is None or 2 * w > h or x == 0 or x + w == self.lifted.shape[1]:
            return False
        return bool((self.lifted[y : y + h, [x - 1, x + w]].mean(axis=0) >= _PARTED).all())

    def _left_out(self, span: tuple[float, float, float, float], tall: float) -> float:
        """Return how much dropped ink in a span (left, top, right, bottom) is as tall as strokes are.

        What goes from the picture's upper edge to its lower one, past a line well inside it, is a frame's
        side and no stroke, but for the strokes that hang on it; nor is what goes down a page as a column's
        line does.
        """
        dropped = self.dropped
        high = self.stats[:, cv2.CC_STAT_HEIGHT] >= _COLUMN * tall
        if self._is_page:
            # A line with a digit that touches it is too high to be read with the others.
            dropped = dropped | high
            dropped[0] = False
        if not dropped.any():
            return 0.0
        left, top, right, bottom = (max(0, round(edge)) for edge in span)
        here = self.labels[top:bottom, left:right]
        if not dropped[here].any():
            return 0.0
        bare = dropped & ~(self._goes_down & high) if self._is_page else dropped
        region = bare[here].view(np.uint8)
        hanging = 0.0
        if bottom - top <= _WITHIN * len(self.labels):
            _, pieces, stats = pieces_of(dropped[self.labels[:, left:right]].view(np.uint8))
            through = stats[:, cv2.CC_STAT_HEIGHT] >= len(pieces) - 2
            through[0] = False
            region = np.where(through[pieces[top:bottom]], 0, region).astype(np.uint8)
            if self._is_page:
                hanging = _on_lines(pieces, stats[:, cv2.CC_STAT_HEIGHT], (top, bottom), tall)
        upright = np.ones((max(3, round(0.3 * tall)), 1), np.uint8)
        standing = cv2.morphologyEx(
            region, cv2.MORPH_OPEN, upright, borderType=cv2.BORDER_CONSTANT, borderValue=0
        )
        return float(np.count_nonzero(standing)) / tall**2 + hanging

    def _is_drawn_over(self, span: Span, tall: float) -> bool:
        """Return whether a drawing goes through a span, or so close by that digits may have gone with it."""
        if not self.drawn:
            return False
        left, top, right, bottom = (max(0, round(edge)) for edge in span)
        aside = round(_DRAWN_BESIDE * tall)
        here = np.isin(self.labels[top:bottom, max(0, left - aside) : right + aside], self.drawn)
        return bool(np.count_nonzero(here.any(axis=1)) >= _DRAWN_ACROSS * tall)

    def _went_with_a_line(self, span: Span, tall: float) -> bool:
        """Return whether a line that goes down at an end of a span was lifted off with a stroke along it.

        It is thicker there, by a stroke, for most of a digit's height.
        """
        if self.lifted is None or not self._is_page:
            return False
        left, top, right, bottom = (round(edge) for edge in span)
        aside, beyond = round(tall), round(_BEYOND * tall)
        rows = slice(max(0, top - beyond), bottom + beyond)
        first, last = left + aside, right - aside
        for start, end in ((left, first), (last, right)):
            begins = max(0, start - beyond)
            band = self.lifted[rows, begins : max(0, end + beyond)]
            if not band.any():
                continue
            x, _, w, h, _ = pieces_of(np.ascontiguousarray(band))[2].T
            # What the band cuts off is as thick as that leaves it.
            whole = (x > 0) & (x + w < band.shape[1]) & (h >= _GOES_ON * len(band))
            # A stroke that is left beside the line is the number's first digit, or its last.
            away = np.maximum(first - begins - x - w, begins + x - last)
            for label in np.flatnonzero(whole & (away >= _BESIDE * tall)).tolist():
                near = round(_BESIDE * tall)
                around = band[:, max(0, x[label] - near) : x[label] + w[label] + near]
                thick = np.count_nonzero(around, axis=1)
                if np.percentile(thick, 25) > _LINE * tall:
                    continue
                usual = float(np.percentile(thick[thick > 0], 25))
                more = thick >= usual + max(2.0, _STROKE * tall)
                # Level lines are longer than any stroke is thick.
                more &= thick < usual + _LINE * tall
                if np.count_nonzero(more) >= _MOST_OF * tall:
                    return True
        return False

    def _beside(self, ids: NDArray[np.intp], span: Span, reach: float, least: float) -> NDArray[np.intp]:
        """Return which labels, as high as `least`, stand on a line's level, `reach` beside it at most."""
        left, top, right, bottom = span
        x, y, w, h = self.stats[ids, :4].T
        level = np.minimum(y + h, bottom) - np.maximum(y, top) >= _ON_LEVEL * h
        return ids[level & (x + w > left - reach) & (x < right + reach) & (h >= least)]

    def _left_faint(self, digits: list[int], span: Span, tall: float) -> float:
        """Return how much ink, in squared heights of a line, is as dark as it and was not sure by itself."""
        beside = self._beside(self.faint, span, self.settings.line_gap * tall, _LIKE_WRITING * tall)
        if not beside.size:
            return 0.0
        least = _AS_DARK * self._ink_of(digits)
        dark = [label for label in beside.tolist() if self._darkness(label) >= least]
        return float(self.stats[dark, cv2.CC_STAT_AREA].sum()) / tall**2

    def _darkness(self, label: int) -> float:
        """Return the median contrast of a label's pixels."""
        x, y, w, h = self.stats[label, :4].tolist()
        part = np.s_[y : y + h, x : x + w]
        return float(np.median(self.ink.contrast[part][self.labels[part] == label]))

    def _ink_of(self, digits: list[int]) -> float:
        """Return the contrast of a line's strokes."""
        return statistics.median(self._darkness(label) for i in digits for label in self.members[i][:1])

    def _is_cut_off(self, digits: list[int], span: Span, tall: float) -> bool:
        """Return whether the picture ends in a digit of a line, or in a piece of ink at one end of it."""
        at_border, at_sides = self._border
        if not at_border and not at_sides.size:
            return False
        members = [label for i in digits for label in self.members[i]]
        if max(at_border.get(label, 0) for label in members) >= max(2.0, _STROKE * tall):
            return True
        return bool(np.setdiff1d(self._beside(at_sides, span, tall, _STROKE * tall), members).size)

    @functools.cached_property
    def _border(self) -> tuple[dict[int, int], NDArray[np.intp]]:
        """Return how many pixels of sure ink a label has on one side, and which labels are left and right."""
        longest: dict[int, int] = {}
        for side in (np.s_[:, 0], np.s_[:, -1], np.s_[0], np.s_[-1]):
            sure = self.ink.contrast[side] >= self.ink.strong
            labels, counts = np.unique(self.labels[side][sure], return_counts=True)
            for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
                longest[label] = max(count, longest.get(label, 0))
        sides = np.unique(self.labels[:, [0, -1]])
        return longest, sides[sides > 0].astype(np.intp)

    def _glyph(self, i: int) -> Glyph:
        x, y, w, h = self.boxes[i].tolist()
        region = self.labels[y : y + h, x : x + w]
        contrast = self.ink.contrast[y : y + h, x : x + w]
        member = region == self.members[i][0]
        for other in self.members[i][1:]:
            member |= region == other
        own = contrast[member]
        quartile = 3 * own.size // 4
        own.partition(quartile)
        full = float(own[quartile])
        floor = 0.5 * self.ink.weak
        greys = (_LEVELS - floor) * (255.0 / max(1.0, full - floor))
        table = np.minimum(np.maximum(greys, 0, out=greys), 255, out=greys).astype(np.uint8)
        return Glyph((x, y, w, h), np.asarray(cv2.LUT(contrast, table) * member, np.uint8))


_UPRIGHT = 2.5
"""A piece of an upright line is so many times as high as wide, or higher."""
_DRAWING = 4.0
"""A drawing is more than so many times as high as writing; of so many times as many pieces is writing …"""
_TO_ONE_DRAWING = 8
_BESIDE_DRAWINGS = 4
"""… so many of them outside its box …"""
_INK_OF_DRAWINGS = 0.25
"""… which have so much of its ink, or more."""
_DRAWN_BESIDE = 0.8
"""Digits that touch a drawing go with it: nothing is known so far beside it, in heights of a digit …"""
_DRAWN_ACROSS = 0.3
"""… where it goes down through so much of the line, in heights of a digit, or more."""
_HARDLY_LOWER = 0.6
"""Digits of one number are as high as this part of those beside them, or higher."""
_LOW_DIGIT = 0.35
"""A digit that is as low as a mark is so wide, in heights of those beside it …"""
_BESIDE_LOW = 1.0
"""… and no farther from them."""
_TWICE = 0.25
"""In no more than this part of its length a mark goes to and fro."""
_TWO_DIGITS = 1.5
"""Two digits, and the bar that strikes them out, are so wide, in heights of a digit, or wider."""
_SPACE = 0.5
"""So much room, in heights of a digit, is between a number that is struck out and the one beside it."""
_PARTED = 0.6
"""So much of what lies between two pieces was lifted off where the line that was lifted parted them."""
_ACROSS = AcrossSettings()
_COLUMN = 3.0
"""A column's line goes down by so many heights of what stands beside it, or more."""
_LEAST_BESIDE = 5
"""Nothing lower than so many pixels is a digit, whatever stands beside it."""
_SEVERAL = 3
"""So many pieces are a row."""
_DOT = 0.3
"""A dot beside a single stroke is lower than this, in heights of the stroke."""
_SOLID = 0.5
"""So much of a dot's box is ink, or more."""
_ON_LEVEL = 0.7
"""So much of a piece's height lies on a line's level if it belongs there."""
_LIKE_WRITING = 0.3
"""What is lower than this, in heights of the line, is no digit's piece."""
_AS_DARK = 0.7
"""The same pen's ink is as dark as this part of a line's, or darker."""
_OF_PAGE = 0.35
"""A line lower than this part of the picture's shorter side is one of a page, and not what it was cut to."""
_STROKE = 0.04
"""A stroke that ends at the border is as wide as this, in heights of the line; a rounding touches it."""
_HANGING = 0.08
"""Strokes are more than this, in squared heights of a line; a thin 1 holds about 0.1."""
_LINE = 0.3
"""A line, or a stroke, is no thicker than this, in heights of a digit."""
_GOES_ON = 0.9
"""It goes down through this part of where it is looked at, or more."""
_BESIDE = 0.12
"""What stands beside a line is no farther from it, in heights of a digit."""
_BEYOND = 0.35
"""A line is looked at so far beyond a number, in heights of a digit."""
_MOST_OF = 0.55
"""A stroke along a line is so long, in heights of a digit, or longer."""
_WITHIN = 0.85
"""A line no higher than this part of the picture's height stands well inside it."""


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


def _on_lines(
    pieces: NDArray[np.int32], heights: NDArray[np.int32], rows: tuple[int, int], tall: float
) -> float:
    """Return how much ink, in squared heights of a line, hangs on what goes down past its rows.

    `pieces` (int32, H×W) are the labels of what goes down, and of other ink that was dropped, beside the line
    and up to a height away at its ends, and `heights` how high they are. Infinite where more than a stroke
    hangs on it at an end: beyond that nothing is read.
    """
    hanging, aside = 0.0, round(tall)
    for label in np.flatnonzero(heights >= _COLUMN * tall).tolist():
        if not label:
            continue
        own = pieces == label
        thick = np.count_nonzero(own, axis=1)
        usual = float(np.median(thick[thick > 0]))
        here, left, right = (
            _thicker(np.count_nonzero(part[slice(*rows)], axis=1) - usual, tall)
            for part in (own, own[:, :aside], own[:, -aside:])
        )
        if max(left, right) > _HANGING:
            return math.inf
        hanging += here
    return hanging


def _thicker(more: NDArray[np.float64], tall: float) -> float:
    """Return how much ink that is, in squared heights of a line, of by how many pixels a row has more."""
    return float(more[more >= max(2.0, _STROKE * tall)].sum()) / tall**2


def _mark(width: int, height: int, level: float, tall: float) -> Literal[".", ",", "-"] | None:
    """Name a small piece of ink by its shape and its level (0 the digits' top, 1 their base)."""
    if width >= 1.6 * height and width >= 0.2 * tall and 0.2 <= level <= 0.85:
        return "-"
    if level < 0.65 or max(width, height) < 0.06 * tall:
        return None
    if height > 1.4 * width or level > 1.05:
        return ","
    return "."


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


# Of a handful of numbers, as most pictures have, Python's own functions need a tenth of NumPy's time.


def _typical_height(heights: NDArray[np.int64]) -> float:
    """Return the height of a digit: the median of the heights, each weighted by itself.

    The weight keeps a handful of digits from being outvoted by a host of dots.
    """
    order = sorted(heights.tolist())
    weights = list(itertools.accumulate(height**2 for height in order))
    return float(order[bisect.bisect_left(weights, weights[-1] / 2)])


def _median(values: NDArray[np.int64]) -> float:
    return float(statistics.median(values.tolist()))
