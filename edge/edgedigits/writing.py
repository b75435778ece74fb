"""A picture → its ink and its text lines, at a size that suits them.

What tells a pen from the paper's pattern, and rules from strokes, knows them by the few pixels that they are
wide where a scanner or a camera sees a line of writing as high as is needed to read it. A picture that is cut
to one line and has many more pixels is shrunk; a page is looked at as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs import GlyphSettings, TextLine, box_around, find_lines
from edgedigits.ink import Ink, InkSettings, find_ink

_HEIGHT = 100
"""Pixels that a picture cut to one line of writing is high when it was shrunk …"""
_HIGHEST = 128
"""… and that it is higher than before."""
_SLENDER = 1.5
"""So many times as wide as high is a picture of one line, or more."""
_FILLS = 0.45
"""The line is as high as this part of the picture, or more."""


def find_writing(
    image: NDArray[np.uint8], ink: InkSettings = InkSettings(), glyphs: GlyphSettings = GlyphSettings()
) -> tuple[NDArray[np.uint8], Ink, list[TextLine]]:
    """Return a picture (uint8, H×W grey or H×W×3 BGR), shrunk where that helps, its ink and its lines."""
    height, width = image.shape[:2]
    if height > _HIGHEST and width >= _SLENDER * height:
        size = (round(width * _HEIGHT / height), _HEIGHT)
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        found = find_ink(small, ink)
        lines = find_lines(found, glyphs)
        if _is_one_line(lines):
            return small, found, lines
    found = find_ink(image, ink)
    return image, found, find_lines(found, glyphs)


def _is_one_line(lines: Sequence[TextLine]) -> bool:
    """Return whether one line fills a picture of `_HEIGHT`, and all else stands on its level."""
    boxes = [box_around([glyph.box for glyph in line.glyphs]) for line in lines]
    if not boxes:
        return False
    _, top, _, height = max(boxes, key=lambda box: box[2] * box[3])
    return height >= _FILLS * _HEIGHT and all(top <= y + h / 2 <= top + height for _, y, _, h in boxes)
