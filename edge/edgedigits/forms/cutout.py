"""A registered page → the ink of each field, what is printed lifted off.

The page is flattened once, its ink measured against one threshold (a blank cell must not be judged by its
own noise), the printed lines are taken away where no stroke crosses them, and each piece of ink goes to the
cell that most of it lies in, so that a tail may reach over the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.forms.layout import Box, Field, Form
from edgedigits.forms.printed_lines import Segment, darkness, flattened, paper_of, printed_segments
from edgedigits.forms.register import Registration
from edgedigits.ink import to_grey

Grey = NDArray[np.uint8]

_UPRIGHT = np.ones((3, 1), np.uint8)

_STEEPEST = 0.7
"""Lines that strike out are looked for so steep: pixels down for each to the right …"""
_OFF = 3.2
"""… and in such steps that over its length no line is missed by more than half so many pixels."""


@dataclass(frozen=True)
class CutoutSettings:
    """How fields are cut out; lengths in heights of a cell unless said otherwise."""

    cell_pixels: int = 64
    """Height in pixels that the smallest cells are flattened to …"""
    longest_side: int = 2400
    """… unless the page's longer side would exceed this many pixels."""
    most_enlarged: float = 3.0
    """Nor is the picture enlarged by more than this."""
    stroke: float = 0.35
    """Twice the thickest stroke, and more than the thickest printed line."""
    least_contrast: float = 0.10
    """Fainter than this against the paper is never ink. 0…1."""
    noise_factor: float = 5.0
    """Ink stands this many standard deviations of the paper's noise above the paper."""
    weak_part: float = 0.55
    """A stroke is followed down to this part of the threshold from where it exceeds it. 0…1."""
    faintest: float = 0.35
    """What is fainter than this part of the page's typical writing is rubbed out, or shows through. 0…1."""
    speck: float = 0.2
    """A cell whose ink is smaller than this is blank."""
    border: float = 0.12
    """What lies along the border of its cell, no farther inside than this part of its height, or of its width
    if that is less …"""
    along: float = 0.8
    """… by this part of its ink is left of the frame, and no writing. 0…1."""
    share: float = 0.75
    """A piece of ink belongs to a cell alone if this part of it lies in it; else each gets its part. 0…1."""
    tall: float = 0.6
    """What stands around a field may belong to it if it is as high as this part of what is written in it, as
    printed words hardly are. 0…1."""
    near: float = 0.35
    """Beside a line of writing, what goes on is as near as this …"""
    onward: float = 1.0
    """… and as near to the line as this, in heights of its digits …"""
    next_cell: float = 0.7
    """… and beside a comb, as this part of the way from one cell to the next."""
    above: float = 0.25
    """A correction above or below a field is as near as this."""
    small: float = 0.25
    """What is lower than this in a field doesn't tell how high its digits are. 0…1."""
    pale: float = 0.6
    """What shows through, or was rubbed out, is fainter than this part of the field's writing. 0…1."""
    towering: float = 1.3
    """A printed line or box of no field is mostly higher than this many digits, or than the field …"""
    broad: float = 2.0
    """… or broader than this many heights of the field."""
    cut: float = 0.25
    """A number runs out of its field where so much of a piece's width lies beyond the side. 0…1."""
    least_cell: float = 4.0
    """What is written in a cell lower or narrower than this can't be read. Pixels of the picture."""


@dataclass(frozen=True, eq=False)
class Cell:
    """The ink of one cell.

    `ink` is uint8, H×W, 0 paper … 255 full ink, cut to the ink (0×0 where the cell is blank). `height` is
    the ink's height in heights of the cell, `off_centre` how far its middle is from the cell's, in the same
    unit. `apart` says that it is several pieces of like size side by
    side, which no one digit is.
    """

    ink: Grey
    height: float
    off_centre: float
    apart: bool

    @property
    def blank(self) -> bool:
        """Whether there is no writing in the cell."""
        return self.ink.size == 0


class FlatPage:
    """The flattened page of a form in one picture.

    `grey` is uint8, H×W, with a margin around the page; `ink` (uint8, same size) is 0 where there is paper
    or something printed, and else how much of the light is missing.
    """

    def __init__(
        self,
        image: NDArray[np.uint8],
        form: Form,
        registration: Registration,
        settings: CutoutSettings = CutoutSettings(),
    ) -> None:
        self._settings = settings
        self._boxes = [(field, box) for field in form.fields for box in form.cell_boxes(field)]
        self._first: dict[str, int] = {}
        for k, (field, _) in enumerate(self._boxes):
            self._first.setdefault(field.name, k)
        self._flatten(to_grey(image), registration)
        self._find_ink()
        self._lift(printed_segments(form))
        self._share_out()

    def cells(self, field: Field) -> list[Cell]:
        """Return a field's cells from left to right (of a free field: the one)."""
        first = self._first[field.name]
        return [self._cell(k) for k in range(first, first + field.cells)]

    def too_small(self, field: Field) -> bool:
        """Return whether there are too few pixels in a field's cells for a digit."""
        _, _, wide, high = self._boxes[self._first[field.name]][1]
        across, down = self._extent
        return min(wide * across, high * down) < self._settings.least_cell

    def height(self, field: Field) -> int:
        """Return a field's height in pixels of the flattened page."""
        _, top, _, bottom = self._pixels(field.box)
        return bottom - top

    def picture(self, field: Field) -> Grey:
        """Return a field as a clean picture (uint8, dark on 255) for the reader, with some paper around.

        Without anything printed around it, it is the flattened page itself that is cut.
        """
        left, top, right, bottom = self._pixels(field.box)
        if field.printed == "none":
            return self.grey[top:bottom, left:right]
        ink = self._own(self._first[field.name])
        pad = round(0.3 * (bottom - top))
        return np.pad(np.asarray(255 - ink, np.uint8), pad, constant_values=255)

    def pieces(self, field: Field) -> list[tuple[int, int, int, int]]:
        """Return where the pieces of a field's ink are in its `picture`: x, y, width, height in pixels.

        What a blur joins is apart: they are as dark as half a stroke.
        """
        left, top, _, bottom = self._pixels(field.box)
        first = self._first[field.name]
        across = down = round(0.3 * (bottom - top))
        if field.printed == "none":
            rows, columns = self._around(first)
            across, down = columns.start - left, rows.start - top
        dark = (self._own(first) >= 128).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
        return [(x + across, y + down, w, h) for x, y, w, h, _ in stats[1:].tolist()]

    def glyphs(self, field: Field) -> list[Grey]:
        """Return what in a field may be a digit by its size: ink, uint8, 0 paper … 255 full ink."""
        _, top, _, bottom = self._pixels(field.box)
        own = self._pieces(field)
        w, h = self._stats[own, cv2.CC_STAT_WIDTH], self._stats[own, cv2.CC_STAT_HEIGHT]
        like = (h >= self._settings.small * (bottom - top)) & (w <= 1.5 * h)
        return [self._piece(int(k)) for k in own[like]]

    def around(self, field: Field) -> tuple[list[Grey], bool]:
        """Return what stands around a field and may belong to its number, and whether that runs out of it.

        The first is ink (uint8, 0 paper … 255 full ink, cut to it) that belongs to no field and is about as
        high as the field's own: beside it, where its number goes on, and above or below it, where a
        correction stands. The second says that a piece of its ink is cut at its left or right side. There is
        neither around a blank field.
        """
        own, settings = self._pieces(field), self._settings
        left, top, right, bottom = self._pixels(field.box)
        high = bottom - top
        x, y, w, h = self._stats[:, :4].T.astype(np.float64)
        own = own[h[own] >= settings.small * high]
        if not len(own):
            return [], False
        digit = float(np.median(h[own]))
        like = self._strong & (h >= settings.tall * digit) & (w < settings.broad * high)
        like &= (self._peak >= settings.pale * np.median(self._peak[own])) & (
            h < settings.towering * max(high, digit)
        )
        across, down = x + w / 2, y + h / 2
        level, over = (down > top) & (down < bottom), (across > left) & (across < right)
        like &= (self._owner == 0) | (self._owner < 0) & np.isin(np.arange(len(h)), own)
        within = max(2.0, self._line_width)
        runs_out = like & level & (x < right - within) & (x + w > right + settings.cut * w)
        runs_out |= like & level & (x + w > left + within) & (x < left - settings.cut * w)
        like &= self._owner == 0
        pitch = (right - left) / field.cells
        reach = settings.next_cell * pitch if field.cells > 1 else settings.near * high
        aside = (across > right) & (x < right + reach) | (across < left) & (x + w > left - reach)
        if field.cells == 1:
            # A unit may be printed as near to the field, but seldom to the number.
            onward = settings.onward * digit
            aside &= (x < (x + w)[own].max() + onward) & (x + w > x[own].min() - onward)
        reach = settings.above * high
        found = [np.flatnonzero(like & level & aside)]
        for beyond in ((down < top) & (y + h > top - reach), (down > bottom) & (y < bottom + reach)):
            pieces = np.flatnonzero(like & over & beyond)
            if len(pieces) <= 2:  # a row of them is a line of its own
                found.append(pieces)
        return [self._piece(int(k)) for k in np.concatenate(found)], bool(runs_out.any())

    def struck(self, field: Field) -> bool:
        """Return whether a straight line is drawn through what is written in a field.

        It goes through most of the writing, is longer than the field is high, and in a comb longer than a
        cell is wide, as no stroke of a digit is, and is about half way up: what joins digits at their tops or
        feet is not.
        """
        left, top, right, bottom = self._pixels(field.box)
        rows, columns = self._around(self._first[field.name], field.cells)
        own = self._pieces(field)
        if not len(own):
            return False
        pieces = np.zeros(len(self._stats), bool)
        pieces[own] = True
        # By the pen that wrote: what was rubbed out is fainter.
        full = 0.5 * float(np.median(self._peak[own]))
        mask = (pieces[self._labels[rows, columns]] & (self._dark[rows, columns] >= full)).astype(np.uint8)
        left, right = left - columns.start, right - columns.start
        # A stroke goes on where a printed line was lifted out of it. Where there is one such line alone, what
        # stands left of it and what stands right of it may only look like one.
        gap = round(self._line_width) + 3
        pitch = (right - left) / field.cells
        for k in range(1, field.cells if field.cells > 2 else 0):
            at = round(left + k * pitch)
            near = mask[:, at - 2 * gap : at + 2 * gap]
            near[:] = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, 2 * gap), np.uint8))
        x, y, w, h = cv2.boundingRect(mask)
        length = round(max(bottom - top, 1.6 * pitch if field.cells > 1 else 0, 0.75 * w))
        if w < length:
            return False
        # Half the pixels a side show a line as well; a hand draws none quite straight.
        mask = cv2.dilate(mask[y : y + h, x : x + w], _UPRIGHT)
        mask = np.ascontiguousarray(_bytes(mask)[::2, ::2])
        h, w = mask.shape
        length = max(1, length // 2)
        along = np.ones((1, length), np.uint8)
        # The longer a line, the less it may rise, and the finer are the steps in which it is met.
        steepest, step = min(_STEEPEST, h / length), min(0.1, _OFF / length)
        count = int(steepest / step)
        for slope in [step * k for k in range(-count, count + 1)]:
            room = int(abs(slope) * w) + 1
            level = np.array([[1, 0, 0], [-slope, 1, room if slope > 0 else 0]])
            sheared = cv2.warpAffine(mask, level, (w, h + room), flags=cv2.INTER_NEAREST)
            # What goes on beyond the writing is paper.
            line = cv2.erode(sheared, along, borderType=cv2.BORDER_CONSTANT, borderValue=0)
            down, across = np.nonzero(line)
            if not len(down):
                continue
            # Lines at the top and at the foot, as a box's, are no line between them.
            lines = cv2.connectedComponents(line)[1][down, across]
            for number in range(1, int(lines.max()) + 1):
                own = lines == number
                middle = float(np.median(down[own] + slope * across[own]) - level[1, 2])
                if 0.2 * h < middle < 0.8 * h:
                    return True
        return False

    def _pieces(self, field: Field) -> NDArray[np.int64]:
        """Return the labels of the pieces of ink that a field has at least a part of."""
        first = self._first[field.name]
        where = self._around(first, field.cells)
        place = self._place[where]
        found = np.bincount(self._labels[where][(place > first) & (place <= first + field.cells)])
        return np.flatnonzero(found)

    def _piece(self, label: int) -> Grey:
        x, y, w, h = self._stats[label, :4].tolist()
        where = np.s_[y : y + h, x : x + w]
        return self._stretched(self._dark[where], self._labels[where] == label)

    # --- making it ----------------------------------------------------------------------------------------

    def _flatten(self, grey: Grey, registration: Registration) -> None:
        corners = registration.corners
        sides = [float(np.linalg.norm(corners[(k + 1) % 4] - corners[k])) for k in range(4)]
        # Of the page, in pixels of the picture.
        self._extent = wide, high = max(sides[0], sides[2]), max(sides[1], sides[3])
        smallest = min(box[3] for _, box in self._boxes)
        scale = min(
            self._settings.cell_pixels / (smallest * high),
            self._settings.most_enlarged,
            self._settings.longest_side / max(wide, high),
        )
        self.size = max(8, round(wide * scale)), max(8, round(high * scale))
        self._cell_height = float(np.median([box[3] for _, box in self._boxes])) * self.size[1]
        self.margin = max(4, round(0.35 * self._cell_height))
        whole = registration.by == "none"
        if whole:
            self.margin = 0
        if whole and self.size == grey.shape[::-1] and not registration.bend.any():
            self.grey = grey
        else:
            self.grey, _ = flattened(grey, registration.matrix, registration.bend, self.size, self.margin)
        self._line_width = registration.line_width * scale

    def _find_ink(self) -> None:
        settings = self._settings
        kernel = max(9, round(settings.stroke * self._cell_height), round(2.5 * self._line_width)) | 1
        grey, least = self.grey, 255 * settings.least_contrast
        floor = self._above_noise(grey, kernel)
        if floor > least:
            # Averaged over its neighbours a pixel has half the noise, and a stroke its darkness.
            grey = np.asarray(cv2.GaussianBlur(grey, (5, 5), 0), np.uint8)
            floor = self._above_noise(grey, kernel)
        self._dark = darkness(grey, kernel)
        self.strong = int(min(254, np.ceil(max(floor, least))))
        self.weak = max(1, round(settings.weak_part * self.strong))

    def _above_noise(self, grey: Grey, kernel: int) -> float:
        """Return the darkness, 0…255, that the noise of the paper doesn't reach, where most of it is dim."""
        # Noise makes half of the paper brighter than it is: as `darkness` has it, that would all be 0.
        brightness = cv2.divide(grey, paper_of(grey, kernel), dtype=cv2.CV_32F)
        floors = []
        for _, box in self._boxes:  # the margin may be anything
            left, top, right, bottom = self._pixels(box)
            dx, dy = (right - left) // 6, (bottom - top) // 6
            inside = brightness[top + dy : bottom - dy, left + dx : right - dx]
            if inside.size:
                low, quarter = 255 * (1 - np.percentile(inside, (95, 75)))
                sigma = max(1.0, (quarter - low) / 0.97)
                floors.append(quarter + (0.67 + self._settings.noise_factor) * sigma)
        # In the shade there is more of it for the light; one field alone may have a pattern.
        return float(np.percentile(floors, 90)) if floors else 0.0

    def _lift(self, segments: Sequence[Segment]) -> None:
        """Take the printed lines out of the ink, but for the strokes that cross them."""
        mask = (self._dark >= self.weak).astype(np.uint8)
        lifted = np.zeros_like(mask)
        band = np.zeros_like(mask)
        dotted = self._dotted_lines()
        for segment in segments:
            if segment.horizontal:
                rows = next((rows for box, rows in dotted if _lies_under(segment, box)), None)
                self._lift_one(mask, lifted, band, segment, rows)
            else:
                self._lift_one(mask.T, lifted.T, band.T, segment)
        left = mask & (1 - lifted)
        # What is left within the lines' own bands (crossings of two lines, their frayed edges) is no stroke.
        count, labels, stats, _ = cv2.connectedComponentsWithStats(left, connectivity=8)
        inside = np.bincount(labels.ravel(), weights=band.ravel(), minlength=count)
        self._remnant = inside >= 0.9 * np.maximum(1, stats[:, cv2.CC_STAT_AREA])
        self._remnant[0] = True
        self._labels, self._stats = labels, stats

    def _dotted_lines(self) -> list[tuple[Box, tuple[int, int]]]:
        """Return the boxes of fields whose line to write on is dotted, and its rows (first, last + 1)."""
        found = []
        for field, box in self._boxes:
            if field.printed != "line":
                continue
            left, _, right, at = self._pixels(box)
            first = max(0, at - self._reach)
            strip = self._dark[first : at + self._reach + 1, left:right]
            # A blur joins the dots; their middles are darker than what is between them.
            for level in (self.weak, self.strong, 1.6 * self.strong, 2.4 * self.strong):
                rows = _row_of_dots((strip >= level).astype(np.uint8))
                if rows is not None:
                    found.append((box, (first + rows[0] - 1, first + rows[1] + 1)))
                    break
        return found

    @property
    def _reach(self) -> int:
        return max(4, round(0.1 * self._cell_height + 0.6 * self._line_width))

    def _lift_one(
        self,
        mask: Grey,
        lifted: Grey,
        band: Grey,
        segment: Segment,
        dotted: tuple[int, int] | None = None,
    ) -> None:
        """Take a piece of a line out of the ink: a level one, or in what is turned; `dotted` are its rows."""
        w, h = self.size
        along, across = (w, h) if segment.horizontal else (h, w)
        m = self.margin
        start, end = round(segment.start * along) + m, round(segment.end * along) + m
        at = segment.at * across + m
        reach = self._reach
        first, last = max(0, round(at) - reach), min(mask.shape[0], round(at) + reach + 1)
        strip = mask[first:last, max(0, start) : end + 1]
        if strip.size == 0:
            return
        # Where the line really runs, and how thick it is here: the rows that are dark nearly everywhere.
        filled = strip.mean(axis=1)
        # The nearest of those: the line of the next cell may be within reach, too.
        away = np.abs(np.arange(first, last) + 0.5 - at)
        peak = int(np.argmin(np.where(filled >= 0.8 * filled.max(), away, np.inf)))
        if dotted is None and filled[peak] < 0.4:
            return
        rows = _run_around(filled >= 0.6 * filled[peak], peak)
        top, bottom = (first + rows[0], first + rows[1]) if dotted is None else dotted
        thick = bottom - top
        # A run of ink across the line that is hardly longer than the line is thick is the line; a longer one
        # is a stroke that crosses it. Only what hangs on the line's core counts, not a stroke close by.
        room = max(3, round(0.06 * self._cell_height))
        lo, hi = max(0, top - 2 * room - thick), min(mask.shape[0], bottom + 2 * room + thick)
        left, right = max(0, start - 2), end + 3
        area = np.ascontiguousarray(mask[lo:hi, left:right])
        kernel = np.ones((thick + room + 1, 1), np.uint8)
        long = _bytes(cv2.morphologyEx(area, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE))
        short = area & (1 - long)
        core = slice(top - lo, bottom - lo)
        line = np.zeros_like(area)
        line[core] = short[core]
        # What stands on a dotted line may be a point.
        for _ in range(room if dotted is None else 0):
            line = _bytes(cv2.dilate(line, _UPRIGHT)) & short
        line = _without_strokes_along(line)
        # A stroke that comes from one side only ends in the line.
        beside = max(2, room // 2)
        above, below = (long[max(0, core.start - beside)], long[min(len(long), core.stop + beside) - 1])
        lean = np.ones((1, 2 * (thick + beside) + 1), np.uint8)
        through = _bytes(cv2.dilate(above[None], lean)) & _bytes(cv2.dilate(below[None], lean))
        line[core] |= area[core] & (1 - through)
        lifted[lo:hi, left:right] |= line
        frayed = room if dotted is None else 1
        band[max(0, top - frayed) : bottom + frayed, left:right] = 1

    def _share_out(self) -> None:
        """Give each piece of ink to the cell that it lies in."""
        place = np.zeros(self._labels.shape, np.int32)
        for k, (_, box) in enumerate(self._boxes):
            left, top, right, bottom = self._pixels(box)
            place[top:bottom, left:right] = k + 1
        strong = np.zeros(len(self._stats), bool)
        strong[self._labels[self._dark >= self.strong]] = True
        strong &= ~self._remnant
        self._peak = self._peaks()
        strong &= self._peak >= self._settings.faintest * self._typical_peak(strong)
        owner = np.zeros(len(self._stats), np.int64)
        labels, places = self._labels[self._labels > 0], place[self._labels > 0]
        pairs, counts = np.unique(
            labels.astype(np.int64) * (len(self._boxes) + 1) + places, return_counts=True
        )
        best: dict[int, tuple[int, int]] = {}
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            label, cell = divmod(pair, len(self._boxes) + 1)
            if count > best.get(label, (0, 0))[0]:
                best[label] = (count, cell)
        for label, (count, cell) in best.items():
            whole = count >= self._settings.share * self._stats[label, cv2.CC_STAT_AREA]
            owner[label] = cell if whole else -1
        owner[~strong] = 0
        self._strong, self._owner = strong, owner
        owned = owner[self._labels]
        # Pieces that lie in several cells are cut at the cells' borders.
        self._place = np.where(owned < 0, place, owned)
        self._place[(self._labels == 0)] = 0
        self.ink = np.where(self._place > 0, self._dark, 0).astype(np.uint8)

    def _peaks(self) -> NDArray[np.float64]:
        """Return for each piece of ink how dark its darkest tenth is."""
        labels = self._labels.ravel()
        order = np.flatnonzero(labels)
        order = order[np.lexsort((self._dark.ravel()[order], labels[order]))]
        last = np.cumsum(np.bincount(labels[order], minlength=len(self._stats)))
        areas = self._stats[:, cv2.CC_STAT_AREA].astype(np.int64)
        areas[0] = 0
        values = self._dark.ravel()[order]
        if not len(values):
            return np.zeros(len(self._stats))
        return np.asarray(values[np.clip(last - 1 - areas // 10, 0, len(values) - 1)], np.float64)

    def _typical_peak(self, pieces: NDArray[np.bool_]) -> float:
        tall = pieces & (self._stats[:, cv2.CC_STAT_HEIGHT] >= 0.3 * self._cell_height)
        return float(np.median(self._peak[tall])) if tall.any() else 0.0

    # --- cutting ------------------------------------------------------------------------------------------

    def _pixels(self, box: Box) -> tuple[int, int, int, int]:
        (w, h), m = self.size, self.margin
        x, y, bw, bh = box
        # At least one pixel of the page, however thin the box and near to the page's edge.
        left, top = min(round(x * w), w - 1) + m, min(round(y * h), h - 1) + m
        return left, top, max(left + 1, round((x + bw) * w) + m), max(top + 1, round((y + bh) * h) + m)

    def _around(self, k: int, count: int = 1) -> tuple[slice, slice]:
        """Return rows and columns of a cell, or a `count` of them, and of what may reach out."""
        left, top, right, bottom = self._pixels(self._boxes[k][1])
        right = self._pixels(self._boxes[k + count - 1][1])[2]
        out = round(0.35 * (bottom - top))
        rows, columns = self._place.shape
        return (
            slice(max(0, top - out), min(rows, bottom + out)),
            slice(max(0, left - out), min(columns, right + out)),
        )

    def _own(self, k: int) -> Grey:
        """Return the stretched ink of a cell and its surroundings: 0 paper … 255 full ink."""
        where = self._around(k)
        return self._stretched(self._dark[where], self._place[where] == k + 1)

    def _stretched(self, dark: Grey, own: NDArray[np.bool_]) -> Grey:
        if not own.any():
            return np.zeros(own.shape, np.uint8)
        full = float(np.percentile(dark[own], 75))
        floor = 0.5 * self.weak
        grey = (dark.astype(np.float32) - floor) * (255.0 / max(1.0, full - floor))
        return np.where(own, np.clip(grey, 0, 255), 0).astype(np.uint8)

    def _cell(self, k: int) -> Cell:
        left, top, right, bottom = self._pixels(self._boxes[k][1])
        rows, columns = self._around(k)
        box = (left - columns.start, top - rows.start, right - left, bottom - top)
        return cell_of(self._own(k), box, self._settings)


def cell_of(ink: Grey, box: tuple[int, int, int, int], settings: CutoutSettings = CutoutSettings()) -> Cell:
    """Return what is written in one box.

    `ink` is uint8, H×W, 0 paper … 255 full ink: the box and what of its writing reaches over its border.
    `box` is x, y, width, height of the box in it, in pixels. Specks are left out, and so are strokes that
    lie along the border: what is left of the box's frame.
    """
    x0, y0, wide, high = box
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > 0).astype(np.uint8), connectivity=8)
    # A field as wide as a line of writing has no wider a frame than a cell of its height.
    dx, dy = (round(settings.border * min(side, high)) for side in (wide, high))
    inner = np.s_[max(0, y0 + dy) : max(0, y0 + high - dy), max(0, x0 + dx) : max(0, x0 + wide - dx)]
    within = np.bincount(labels[inner].ravel(), minlength=count)
    written = within > (1 - settings.along) * stats[:, cv2.CC_STAT_AREA]
    small = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    small[~written] = 0
    small[0] = 0
    if small.max() < settings.speck * high:
        return Cell(np.zeros((0, 0), np.uint8), 0.0, 0.0, False)
    keep = small >= max(0.25 * settings.speck * high, 2)
    ink = np.where(keep[labels], ink, 0).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(ink)
    across, down = x + w / 2 - (x0 + wide / 2), y + h / 2 - (y0 + high / 2)
    apart = _side_by_side(np.asarray(stats[keep], np.int32))
    return Cell(ink[y : y + h, x : x + w], h / high, float(np.hypot(across, down)) / high, apart)


def _bytes(image: Any) -> Grey:
    """Return an image of OpenCV's, of whose type it says less than it knows."""
    return np.asarray(image, np.uint8)


def _without_strokes_along(line: Grey) -> Grey:
    """Return the mask of a printed line (H×W, along W) without the strokes that run along it.

    Where it is far thicker than elsewhere, as the foot of a 2 makes it that stands on it, it is taken to go
    on as it runs left and right of there.
    """
    thick = line.sum(axis=0, dtype=np.int64)
    seen = thick > 0
    if seen.sum() < 8:
        return line
    # A wide foot covers most of a cell's line.
    usual = float(np.sort(thick[seen])[int(0.2 * seen.sum())])
    swollen = thick > usual + max(2.0, 0.5 * usual)
    plain = seen & ~swollen
    if not swollen.any() or plain.sum() < 4:
        return line
    rows, columns = np.arange(len(line))[:, None], np.arange(line.shape[1])
    middle = (line * rows).sum(axis=0) / np.maximum(thick, 1)
    slope, height = np.polyfit(columns[plain], middle[plain], 1)
    near = np.abs(rows - (height + slope * columns)) <= 0.5 * usual + 1
    return np.where(swollen & ~near, 0, line).astype(np.uint8)


def _lies_under(segment: Segment, box: Box) -> bool:
    """Return whether a piece of a printed line is of the line to write on in a box."""
    x, y, w, h = box
    return segment.horizontal and abs(segment.at - y - h) < 1e-6 and x <= segment.start + 1e-6 <= x + w


def _row_of_dots(strip: Grey) -> tuple[int, int] | None:
    """Return the rows (first, last + 1) of a dotted line in a strip (H×W, 0 or 1, along W) of a mask.

    Its dots are of one size and stand in a row, at like distances; None where there are none.
    """
    _, _, stats, middles = cv2.connectedComponentsWithStats(np.ascontiguousarray(strip), connectivity=8)
    x, y, w, h, _ = stats.T
    # A digit's foot goes on beyond the strip.
    clear = (y > 0) & (y + h < len(strip)) & (x > 0) & (x + w < strip.shape[1])
    clear[0] = False
    if clear.sum() < 4:
        return None
    size = np.maximum(w, h)
    usual = float(np.median(size[clear]))
    clear &= size <= 1.5 * usual
    clear &= np.abs(middles[:, 1] - np.median(middles[clear, 1])) <= 0.5 * usual + 1
    apart = np.diff(np.sort(middles[clear, 0]))
    if len(apart) < 3 or np.median(apart) < 2 or np.ptp(middles[clear, 0]) < 0.4 * strip.shape[1]:
        return None
    # Where a foot touches one, the next is two of their distances away.
    apart /= np.median(apart)
    if np.mean(np.abs(apart - np.round(apart)) <= 0.25) < 0.8:
        return None
    return int(np.median(y[clear])), int(np.median((y + h)[clear]))


def _run_around(flags: NDArray[np.bool_], k: int) -> tuple[int, int]:
    """Return the first index of the run of True that `k` lies in, and the one after its last."""
    first = last = k
    while first > 0 and flags[first - 1]:
        first -= 1
    while last < len(flags) - 1 and flags[last + 1]:
        last += 1
    return first, last + 1


def _side_by_side(stats: NDArray[np.int32]) -> bool:
    """Return whether two pieces of like height stand clear beside one another."""
    x, y, w, h = stats[:, :4].T
    tall = int(h.max())
    for i in np.flatnonzero(h > 0.6 * tall):
        for j in np.flatnonzero(h > 0.6 * tall):
            level = min(y[i] + h[i], y[j] + h[j]) - max(y[i], y[j])
            if x[i] + w[i] < x[j] and level > 0.5 * tall:
                return True
    return False
