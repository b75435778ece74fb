"""A picture → its ink and its text lines, at a size that suits them.

What tells a pen from the paper's pattern, and rules from strokes, knows them by the few pixels that they are
wide where a scanner or a camera sees a line of writing as high as is needed to read it. A picture that is cut
to one line, or to some bold digits, and has many more pixels is shrunk; a page is looked at as it is.

In such a picture pieces that stand beside one another are one line, too, be they as unlike in height and
level as a large first digit and small ones behind it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs import Box, GlyphSettings, Mark, TextLine, box_around
from edgedigits.glyphs.text_lines import find_lines_in
from edgedigits.ink import SLENDER, Ink, InkSettings, dark_on_light, find_ink
from edgedigits.ink.polarity import is_sheet
from edgedigits.page import scaled
from edgedigits.shrink import shrunk

_HEIGHT = 100
"""Pixels that a picture cut to one line of writing is high when it was shrunk …"""
_HIGHEST = 128
"""… and that it is higher than before."""
_MORE_SLENDER = 2.0
"""So many times as wide as high is what such a line is looked for in: no camera's frame is (16:9 are 1.8)."""
_SIDE = 72
"""Pixels at most that the shorter side of any other has when it was shrunk, lest it be a digit or two …"""
_LONGEST = 100
"""… and that it is longer than before."""
_FILLS = 0.45
"""The line is as high as this part of the picture, or more."""
_BOLD = 0.72
"""A bold digit covers this part of its box at most, if it is not slender."""
_THICK = 0.044
"""Half the width of a bold stroke, as a part of the picture's shorter side. Drawings are of thin strokes, and
fewer of them are taken for digits in all the pixels that there are."""
_MARGIN = 0.15
"""A frame lies no farther inside a picture than this part of it."""
_ROOM = 0.1
"""What reaches one side of the picture and leaves more than this part of it at the other is cut off."""
_BESIDE = 0.05
"""Beside one line there is this much ink at most, in comparison to its own."""


class Writing:
    """The writing in a picture: the picture as it is looked at, its ink, and its text lines in reading order.

    `image` is uint8, H×W grey or H×W×3 BGR; `ink` and the boxes of `lines` are in working pixels.
    """

    def __init__(self, image: NDArray[np.uint8], ink: Ink, lines: Sequence[TextLine]) -> None:
        self.image, self.ink, self.lines = image, ink, lines

    @functools.cached_property
    def grey(self) -> NDArray[np.uint8]:
        """The greys of the picture: uint8, H×W, all ink dark, no print or shadows, slashes or dollars."""
        grey = dark_on_light(self.image, self.ink)
        signs = [mark for line in self.lines for mark in line.marks if mark.ink is not None]
        return _without(grey, signs, self.across(self.size)) if signs else grey

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, pixels."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def working_size(self) -> tuple[int, int]:
        """Width and height of what the ink was found in, working pixels."""
        return self.ink.contrast.shape[1], self.ink.contrast.shape[0]

    @property
    def is_strip(self) -> bool:
        """Whether the picture may be cut to one line of writing: low, and wide."""
        width, height = self.working_size
        return height <= self.ink.strip_height and width >= SLENDER * height

    def across(self, size: tuple[int, int]) -> tuple[float, float]:
        """Return how many pixels a view of this width and height has per working pixel (x, y)."""
        width, height = self.working_size
        return size[0] / width, size[1] / height

    def boxes(self, line: TextLine) -> list[Box]:
        """Return the boxes of a line's glyphs in pixels of the picture."""
        across = self.across(self.size)
        return [scaled(glyph.box, across, self.size) for glyph in line.glyphs]


def find_writing(
    image: NDArray[np.uint8], ink: InkSettings = InkSettings(), glyphs: GlyphSettings = GlyphSettings()
) -> Writing:
    """Return the writing in a picture (uint8, H×W grey or H×W×3 BGR), which is shrunk where that helps."""
    height, width = image.shape[:2]
    slender = width >= _MORE_SLENDER * height
    if slender and height > _HIGHEST:
        size = round(width * _HEIGHT / height), _HEIGHT
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        found, lines = find_lines_in(find_ink(small, ink), glyphs)
        if _is_one_line(lines, size):
            return Writing(small, found, _joined(lines, glyphs.line_gap))
    elif not slender and min(height, width) > _LONGEST:
        small = shrunk(image, -(-min(height, width) // _SIDE))
        seen = find_ink(small, ink)
        found, lines = find_lines_in(seen, glyphs) if _may_fill(seen.mask) else (seen, [])
        if (
            len(lines) == 1
            and _is_one_line(lines, found.mask.shape[::-1])
            and _is_bold(lines[0], _THICK * min(found.mask.shape))
            and _is_alone(lines[0], found.mask)
            # Its writing is lost in so few pixels, and it passes for a bold digit in chalk.
            and not any(is_sheet(np.pad(glyph.ink > 0, 1)) for glyph in lines[0].glyphs)
        ):
            whole = find_ink(image, ink)
            if whole.shaded is None:
                return Writing(small, found, lines)
            found, lines = find_lines_in(whole, glyphs)
            return Writing(image, found, lines)
    found, lines = find_lines_in(find_ink(image, ink), glyphs)
    if width >= SLENDER * height and len(lines) > 1 and _is_one_line(lines, found.mask.shape[::-1]):
        lines = _joined(lines, glyphs.line_gap)
    return Writing(image, found, lines)


_AROUND = 0.05
"""A stroke's edges are washed out so far, in lengths of it, and are taken out with it."""


def _without(
    grey: NDArray[np.uint8], marks: Sequence[Mark], across: tuple[float, float]
) -> NDArray[np.uint8]:
    """Return greys with paper in the place of marks, `across` pixels per working pixel (x, y)."""
    grey = grey.copy()
    height, width = grey.shape
    for mark in marks:
        assert mark.ink is not None
        x, y, w, h = scaled(mark.box, across, (width, height))
        edge = 1 + math.ceil(_AROUND * h)
        gone = np.zeros((h + 4 * edge, w + 4 * edge), np.uint8)
        gone[2 * edge : -2 * edge, 2 * edge : -2 * edge] = cv2.resize(mark.ink, (w, h)) > 0
        gone = np.asarray(cv2.dilate(gone, np.ones((2 * edge + 1, 2 * edge + 1))), np.uint8)
        left, top = max(0, x - 2 * edge), max(0, y - 2 * edge)
        place = grey[top : y + h + 2 * edge, left : x + w + 2 * edge]
        seen = gone[top - y + 2 * edge :, left - x + 2 * edge :][: place.shape[0], : place.shape[1]]
        # What is brighter than most of what stands around it is paper there.
        free = np.where(seen, 0, place).astype(np.float32)
        paper = (free >= np.median(place[seen == 0], axis=None)).astype(np.float32)
        size = (place.shape[1] | 1, place.shape[0] | 1)
        light = cv2.boxFilter(free * paper, cv2.CV_32F, size, normalize=False)
        count = cv2.boxFilter(paper, cv2.CV_32F, size, normalize=False)
        place[seen > 0] = (light / np.maximum(count, 1))[seen > 0]
    return grey


_PART = 0.2
"""Of a digit that fills a picture one of its pieces is as high as this part of it, or higher."""


def _may_fill(mask: NDArray[np.uint8]) -> bool:
    """Return whether a piece of ink is so high that its line may fill the picture: of most pages none is."""
    stats = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)[2]
    return bool((stats[1:, cv2.CC_STAT_HEIGHT] >= _PART * mask.shape[0]).any())


def _is_one_line(lines: Sequence[TextLine], size: tuple[int, ...]) -> bool:
    """Return whether one line fills a picture of this width and height, and all else stands on its level."""
    if not lines:
        return False
    main = max(lines, key=lambda line: _box(line)[2] * _box(line)[3])
    _, top, wide, tall = _box(main)
    if tall < _FILLS * size[1]:
        return False
    # Writing leaves more paper free than it covers, a slate on a sheet less; but a lone digit may be bold.
    inked = _inked(main)
    lone = len(main.glyphs) == 1
    most = (_BOLD if 2.5 * wide > tall else 1.0) if lone else 0.5
    return inked <= most * wide * tall and all(
        top <= y + h / 2 <= top + tall for _, y, _, h in map(_box, lines)
    )


def _is_bold(line: TextLine, least: float) -> bool:
    """Return whether a line has strokes so thick that they are better seen in fewer pixels.

    `least` is half their width, in pixels.
    """
    inks = (np.pad(glyph.ink > 0, 1).view(np.uint8) for glyph in line.glyphs)
    return any(cv2.distanceTransform(ink, cv2.DIST_L2, 3).max() >= least for ink in inks)


def _is_alone(line: TextLine, mask: NDArray[np.uint8]) -> bool:
    """Return whether a line is all there is: little ink lies beside it, and it runs out of no side.

    Along the border there may be ink, for a box has its frame there; and a picture that is cut to its digits
    has no room on either side.
    """
    height, width = mask.shape
    dy, dx = round(_MARGIN * height), round(_MARGIN * width)
    x, y, w, h = _box(line)
    for before, behind, side in ((x, width - x - w, width), (y, height - y - h, height)):
        if min(before, behind) == 0 and max(before, behind) > _ROOM * side:
            return False
    others = mask.copy()
    others[y : y + h, x : x + w] = 0
    beside = int(np.count_nonzero(others[dy : height - dy, dx : width - dx]))
    return beside <= _BESIDE * _inked(line)


def _joined(lines: Sequence[TextLine], gap: float) -> list[TextLine]:
    """Return lines on one level with those no farther apart than `gap` heights made one, left to right."""
    groups: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: _box(line)[0]):
        x, _, _, h = _box(line)
        before = [_box(other) for other in groups[-1]] if groups else []
        end = max((left + w for left, _, w, _ in before), default=-np.inf)
        if x - end <= gap * max([h, *(tall for *_, tall in before)]):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [group[0] if len(group) == 1 else _one(group) for group in groups]


def _one(lines: Sequence[TextLine]) -> TextLine:
    glyphs = sorted((glyph for line in lines for glyph in line.glyphs), key=lambda glyph: glyph.box[0])
    marks = dict.fromkeys(mark for line in lines for mark in line.marks)
    return TextLine.of(lines, glyphs, list(marks))


def _inked(line: TextLine) -> int:
    return sum(int(np.count_nonzero(glyph.ink)) for glyph in line.glyphs)


def _box(line: TextLine) -> Box:
    return box_around([glyph.box for glyph in line.glyphs])
