"""A registered page → the ink of each field, what is printed lifted off.

The page is flattened once, its ink measured against one threshold (a blank cell must not be judged by its
own noise), the printed lines are taken away where no stroke crosses them, and each piece of ink goes to the
cell that most of it lies in, so that a tail may reach over the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.forms.covering import covered_fields, washed_out_fields
from edgedigits.forms.flat import Flat
from edgedigits.forms.layout import Field, Form
from edgedigits.forms.lifting import lift_printed
from edgedigits.forms.light import darkness_in_shadows, paper_of
from edgedigits.forms.printed_lines import Segment, flattened, printed_segments
from edgedigits.forms.register import Registration
from edgedigits.forms.striking import goes_on, is_blackened, is_struck
from edgedigits.ink import to_grey

Grey = NDArray[np.uint8]


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
    shade: float = 2.0
    """The noise in the shade is at most this many times that of most of the page: more is writing."""
    shadow: float = 1.5
    """Where paper without a stroke is as dark as one for so long, that is the edge of a shadow."""
    weak_part: float = 0.55
    """A stroke is followed down to this part of the threshold from where it exceeds it. 0…1."""
    faintest: float = 0.35
    """What is fainter than this part of the page's typical writing is rubbed out, or shows through. 0…1."""
    larger: float = 1.5
    """What is faint and larger than this is no writing, but may be joined with some …"""
    inked: float = 0.01
    """… where this part of a cell is as dark as writing. 0…1."""
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
    crossing: float = 1.3
    """A stroke that goes on above and below a field for so long is none of it …"""
    spanning: float = 0.3
    """… if it is as high as this in it, both in heights of the field."""
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
        dark = self._find_ink()
        segments = printed_segments(form)
        # Along the edge of a shadow what is no ink hides no printed line.
        self.covered = set(covered_fields(dark, segments, form, self._flat))
        """The names of the fields that something lies on …"""
        self.washed_out = washed_out_fields(self.grey, form, self._flat)
        """… and of those that light washes out."""
        self._lift(segments)
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
        _, top, _, bottom = self._flat.pixels(field.box)
        return bottom - top

    def picture(self, field: Field) -> Grey:
        """Return a field as a clean picture (uint8, dark on 255) for the reader, with some paper around.

        Without anything printed around it, it is the flattened page itself that is cut.
        """
        left, top, right, bottom = self._flat.pixels(field.box)
        if field.printed == "none":
            return self.grey[top:bottom, left:right]
        ink = self._own(self._first[field.name])
        pad = round(0.3 * (bottom - top))
        return np.pad(np.asarray(255 - ink, np.uint8), pad, constant_values=255)

    def pieces(self, field: Field) -> list[tuple[int, int, int, int]]:
        """Return where the pieces of a field's ink are in its `picture`: x, y, width, height in pixels.

        What a blur joins is apart: they are as dark as half a stroke.
        """
        left, top, _, bottom = self._flat.pixels(field.box)
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
        _, top, _, bottom = self._flat.pixels(field.box)
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
        left, top, right, bottom = self._flat.pixels(field.box)
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
        within = max(2.0, self._flat.line_width)
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
        """Return whether a straight line is drawn through what is written in a field."""
        left, top, right, bottom = self._flat.pixels(field.box)
        rows, columns = self._around(self._first[field.name], field.cells)
        own = self._pieces(field)
        if not len(own):
            return False
        pieces = np.zeros(len(self._stats), bool)
        pieces[own] = True
        # By the pen that wrote: what was rubbed out is fainter.
        full = 0.5 * float(np.median(self._peak[own]))
        mask = (pieces[self._labels[rows, columns]] & (self._dark[rows, columns] >= full)).astype(np.uint8)
        sides = left - columns.start, right - columns.start
        return is_struck(mask, sides, bottom - top, field.cells, round(self._flat.line_width) + 3)

    def crossed(self, field: Field) -> bool:
        """Return whether a line that comes from far above or below a field runs into it, or through it."""
        first, high = self._first[field.name], self.height(field)
        _, top, _, bottom = self._flat.pixels(field.box)
        rows, columns = self._around(first, field.cells)
        place = self._place[rows, columns]
        within = (place > first) & (place <= first + field.cells)
        labels = np.where(within, self._labels[rows, columns], 0)
        for label in self._pieces(field).tolist():
            down, across = np.nonzero(labels == label)
            if np.ptp(down) < self._settings.spanning * high:
                continue
            y, h = self._stats[label, [cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT]].tolist()
            stroke = np.column_stack([across + columns.start, down + rows.start])
            far = max(0, top - y) + max(0, y + h - bottom) >= self._settings.crossing * high
            if far or goes_on(self._dark, self.weak, stroke, high):
                return True
        return False

    def blackened(self, field: Field) -> bool:
        """Return whether a field, or a cell of it, is blackened out: what was written can't be seen."""
        first = self._first[field.name]
        cells = [self._flat.pixels(box) for _, box in self._boxes[first : first + field.cells]]
        return is_blackened(self.grey, cells)

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
        size = max(8, round(wide * scale)), max(8, round(high * scale))
        cell_height = float(np.median([box[3] for _, box in self._boxes])) * size[1]
        whole = registration.by == "none"
        margin = 0 if whole else max(4, round(0.35 * cell_height))
        self._flat = Flat(size, margin, cell_height, registration.line_width * scale)
        if whole and size == grey.shape[::-1] and not registration.bend.any():
            self.grey = grey
        else:
            self.grey, _ = flattened(grey, registration.matrix, registration.bend, size, margin)

    def _find_ink(self) -> Grey:
        """Find how much of the light is missing in ink; return how much is missing in anything."""
        settings = self._settings
        kernel = (
            max(9, round(settings.stroke * self._flat.cell_height), round(2.5 * self._flat.line_width)) | 1
        )
        grey, least = self.grey, 255 * settings.least_contrast
        floor = self._above_noise(grey, kernel)
        if floor > least:
            # Averaged over its neighbours a pixel has half the noise, and a stroke its darkness.
            grey = np.asarray(cv2.GaussianBlur(grey, (5, 5), 0), np.uint8)
            floor = self._above_noise(grey, kernel)
        self.strong = int(min(254, np.ceil(max(floor, least))))
        self.weak = max(1, round(settings.weak_part * self.strong))
        long = settings.shadow * self._flat.cell_height
        self._dark, dark = darkness_in_shadows(grey, kernel, self.weak, long)
        return dark

    def _above_noise(self, grey: Grey, kernel: int) -> float:
        """Return the darkness, 0…255, that the noise of the paper doesn't reach, where most of it is dim."""
        # Noise makes half of the paper brighter than it is: as `darkness` has it, that would all be 0.
        brightness = cv2.divide(grey, paper_of(grey, kernel), dtype=cv2.CV_32F)
        floors = []
        for _, box in self._boxes:  # the margin may be anything
            left, top, right, bottom = self._flat.pixels(box)
            dx, dy = (right - left) // 6, (bottom - top) // 6
            inside = brightness[top + dy : bottom - dy, left + dx : right - dx]
            if inside.size:
                low, quarter = 255 * (1 - np.percentile(inside, (95, 75)))
                sigma = max(1.0, (quarter - low) / 0.97)
                floors.append(quarter + (0.67 + self._settings.noise_factor) * sigma)
        if not floors:
            return 0.0
        # In the shade there is more of it for the light; one field alone may have a pattern, and bold digits
        # in narrow cells leave no paper in a few of them.
        usual, most = np.percentile(floors, (50, 90))
        return float(min(most, self._settings.shade * usual))

    def _lift(self, segments: Sequence[Segment]) -> None:
        """Tell the pieces of ink apart, the printed lines taken out but for the strokes that cross them."""
        lines = [box for field, box in self._boxes if field.printed == "line"]
        left, band = lift_printed(self._dark, self.weak, self.strong, segments, lines, self._flat)
        # What is left within the lines' own bands (crossings of two lines, their frayed edges) is no stroke.
        count, labels, stats, _ = cv2.connectedComponentsWithStats(left, connectivity=8)
        inside = np.bincount(labels.ravel(), weights=band.ravel(), minlength=count)
        self._remnant = inside >= 0.9 * np.maximum(1, stats[:, cv2.CC_STAT_AREA])
        self._remnant[0] = True
        self._labels, self._stats = labels, stats

    def _share_out(self) -> None:
        """Give each piece of ink to the cell that it lies in."""
        place = np.zeros(self._labels.shape, np.int32)
        for k, (_, box) in enumerate(self._boxes):
            left, top, right, bottom = self._flat.pixels(box)
            place[top:bottom, left:right] = k + 1
        strong = np.zeros(len(self._stats), bool)
        strong[self._labels[self._dark >= self.strong]] = True
        strong &= ~self._remnant
        self._peak = self._peaks()
        # In fields: in the margin there may be a desk's grain, or what else lies on it.
        written = np.zeros(len(self._stats), bool)
        written[self._labels[place > 0]] = True
        least = self._settings.faintest * self._typical_peak(strong & written)
        faint = strong & (self._peak < least)
        strong &= ~faint
        self.covered |= self._joined_with(faint, place, least)
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

    def _joined_with(self, faint: NDArray[np.bool_], place: NDArray[np.int32], least: float) -> set[str]:
        """Return the names of fields that large faint pieces have writing in: a finger with what it touches.

        `place` (int32, H×W) is one more than a pixel's cell, 0 outside; writing is as dark as `least`.
        """
        large = np.maximum(self._stats[:, cv2.CC_STAT_WIDTH], self._stats[:, cv2.CC_STAT_HEIGHT])
        faint = faint & (large >= self._settings.larger * self._flat.cell_height)
        if not faint.any():
            return set()
        dark = place[faint[self._labels] & (self._dark >= least)]
        counts = np.bincount(dark, minlength=len(self._boxes) + 1)[1:]
        area = np.bincount(place.ravel(), minlength=len(self._boxes) + 1)[1:]
        written = np.flatnonzero(counts >= self._settings.inked * np.maximum(1, area))
        return {self._boxes[k][0].name for k in written.tolist()}

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
        tall = pieces & (self._stats[:, cv2.CC_STAT_HEIGHT] >= 0.3 * self._flat.cell_height)
        return float(np.median(self._peak[tall])) if tall.any() else 0.0

    # --- cutting ------------------------------------------------------------------------------------------

    def _around(self, k: int, count: int = 1) -> tuple[slice, slice]:
        """Return rows and columns of a cell, or a `count` of them, and of what may reach out."""
        left, top, right, bottom = self._flat.pixels(self._boxes[k][1])
        right = self._flat.pixels(self._boxes[k + count - 1][1])[2]
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
        left, top, right, bottom = self._flat.pixels(self._boxes[k][1])
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
