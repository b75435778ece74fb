"""Where other sheets of paper lie in a picture: painted over, and numbers that may go on beneath refused.

What is seen of a number that other paper lies on reads well, and is another number.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import RejectRule
from edgedigits.geometry import Floats, shared_area
from edgedigits.glyphs import TextLine
from edgedigits.page import Line

_EDGE = 0.008
"""How far the edges of other sheets and their shadows reach, as a part of the picture's longer side."""
_COARSE = 100
"""Pixels that the longer side has where only the light matters, …"""
_SMOOTH = 6.0
"""… and how far what is seen tells of the light where nothing is (standard deviation), there."""
_FAR = 30_000
"""OpenCV draws no farther."""


def painted_over(image: NDArray[np.uint8], hidden: Sequence[Floats]) -> NDArray[np.uint8]:
    """Return a picture (uint8, H×W grey or H×W×3 BGR) with the paper around in place of what is hidden.

    `hidden` are convex quadrilaterals, 4×2, in pixels of the picture. What lies along their edges goes, too.
    """
    height, width = image.shape[:2]
    seen = np.full((height, width), 255, np.uint8)
    edge = 2 * round(_EDGE * max(height, width)) + 1
    for quad in hidden:
        corners = np.rint(quad).clip(-_FAR, _FAR).astype(np.int32)
        cv2.fillConvexPoly(seen, corners, 0)
        cv2.polylines(seen, [corners], True, 0, edge)
    if seen.all() or not seen.any():
        return image
    step = max(1, max(height, width) // _COARSE)
    size = max(1, width // step), max(1, height // step)
    # Less what is hidden and divided by how much is seen, an average is that of what is seen.
    light, share = (
        cv2.GaussianBlur(
            cv2.resize(each, size, interpolation=cv2.INTER_AREA).astype(np.float32), (0, 0), _SMOOTH
        )
        for each in (cv2.bitwise_and(image, image, mask=seen), seen)
    )
    share = np.maximum(share if light.ndim == 2 else share[..., None], 1e-30)
    paint = (255 * light / share).clip(0, 255).astype(np.uint8)
    painted = cv2.resize(paint, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.copyTo(image, seen, painted), np.uint8)


_ALONG = 1.0
"""A number may go on where other paper lies no farther from its end than its digits do from one another, and
this more, in their heights: the next one may be seen nearly whole, and is dropped for touching an edge. …"""
_SPACING = 0.5
"""So far apart they are where there is but one …"""
_ABOVE = 0.1
"""… and digits may be cut off where it lies as near above or below."""
_WHOLE = 1e-4
"""Hardly any such number is whole."""


def refuse_cut(lines: Sequence[Line], hidden: Sequence[Floats], rule: RejectRule) -> tuple[Line, ...]:
    """Return lines, those that may go on where something is hidden with their confidence lowered.

    `hidden` are convex quadrilaterals, 4×2, in pixels of the lines' boxes.
    """
    return tuple(_refused(line, rule) if _may_go_on(line, hidden) else line for line in lines)


def _may_go_on(line: Line, hidden: Sequence[Floats]) -> bool:
    x, y, w, h = line.box
    tall = float(np.median([digit.box[3] for digit in line.digits]))
    edges = sorted((digit.box[0], digit.box[0] + digit.box[2]) for digit in line.digits)
    gaps = [right - left for (_, left), (right, _) in itertools.pairwise(edges)]
    dx, dy = _ALONG * tall + max(0.0, *gaps) if gaps else (_ALONG + _SPACING) * tall, _ABOVE * tall
    left, top, right, bottom = x - dx, y - dy, x + w + dx, y + h + dy
    around = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    return any(shared_area(around, quad) > 0 for quad in hidden)


def refuse_bare(lines: Sequence[Line], rule: RejectRule) -> tuple[Line, ...]:
    """Return lines, those of a single digit or of nothing but 1s with their confidence lowered.

    On a desk coins and pens lie, and these are what they pass for.
    """
    return tuple(
        _refused(line, rule) if len(line.digits) == 1 or set(line.text) == {"1"} else line for line in lines
    )


def is_grain(lines: Sequence[TextLine]) -> bool:
    """Return whether what was found on a desk is its grain: a lot that hardly makes up lines of writing."""
    return len(lines) > _MANY and sum(len(line.glyphs) for line in lines) < _SPARSE * len(lines)


_MANY = 12
"""More lines than this are many; grain has fewer glyphs than …"""
_SPARSE = 2.0
"""… this in each, on average."""


def _refused(line: Line, rule: RejectRule) -> Line:
    confidence = _WHOLE * line.confidence
    return dataclasses.replace(
        line, confidence=confidence, accepted=line.accepted and confidence >= rule.min_line_confidence
    )
