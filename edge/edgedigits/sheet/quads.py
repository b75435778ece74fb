"""Quadrilaterals in a picture that could be a page: printed frames, and sheets of paper on a darker desk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import Floats, clockwise
from edgedigits.shrink import within_side

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class QuadSettings:
    """Where quadrilaterals are looked for."""

    frame_side: int = 1000
    """Frames, whose lines are thin, are looked for in a copy of at most so many pixels a side. ≥ 100."""
    sheet_side: int = 600
    """Sheets are: a desk has less grain in fewer pixels. ≥ 100."""
    least_area: float = 0.04
    """A page covers at least this part of the picture. 0…1."""


def frame_quads(grey: Grey, settings: QuadSettings) -> list[Floats]:
    """Return quadrilaterals of dark lines in pixels of the picture, the largest first."""
    small, scale = within_side(grey, settings.frame_side)
    quads: list[_Rough] = []
    for block, offset in ((31, 10), (15, 6), (61, 14)):
        mask = cv2.adaptiveThreshold(
            small, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, offset
        )
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        quads += _quads_in(mask, settings)
        quads += _quads_in(_without_tails(mask, settings), settings)
    return _distinct(quads, scale)


def _without_tails(mask: NDArray[Any], settings: QuadSettings) -> Grey:
    """Return what lines are around (uint8, 0 or 255), without those that run on: a pen's, a fold's."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    least = settings.least_area * mask.shape[0] * mask.shape[1]
    large = [contour for contour in contours if cv2.contourArea(contour) >= least]
    whole = cv2.drawContours(np.zeros(mask.shape, np.uint8), large, -1, 255, cv2.FILLED)
    return np.asarray(cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((_TAIL, _TAIL), np.uint8)), np.uint8)


_TAIL = 9
"""What is no wider is no page. Pixels."""


def sheet_quads(grey: Grey, settings: QuadSettings) -> tuple[list[Floats], list[Floats]]:
    """Return quadrilaterals of paper on a desk in pixels of the picture, the largest first.

    The first ones are those that have an outline, the second those that are brighter than most of the
    picture: where the desk has a pattern, an outline joins its lines.
    """
    smooth, scale = _without_writing(grey, settings)
    outlined, bright = (
        _distinct((rough for mask in masks for rough in _quads_in(mask, settings)), scale)
        for masks in (_outlines(smooth), _bright_parts(smooth))
    )
    return outlined, bright


def sheet_masks(grey: Grey, settings: QuadSettings) -> tuple[Iterator[Grey], float]:
    """Return masks (uint8, 0 or 255) of what could be sheets of paper, and their pixels per picture's pixel.

    The first has sheets as a whole, the second their outlines and those of what is on them, the others what
    is bright. Each is made when it is asked for.
    """
    smooth, scale = _without_writing(grey, settings)
    return itertools.chain(_outlines(smooth), _bright_parts(smooth)), scale


def each_quad_in(
    mask: Grey, scale: float, settings: QuadSettings, likely: Callable[[Floats], bool]
) -> Iterator[Floats]:
    """Yield the quadrilaterals in a mask of `sheet_masks` in pixels of the picture, the largest first.

    Only those are given that are `likely` by their rough corners, some of them twice: nearly all of the work
    is in making the corners sharp.
    """
    for _, contour, quad in sorted(_quads_in(mask, settings), key=lambda rough: -rough[0]):
        if likely((quad + 0.5) / scale):
            yield (_sharpened(contour, quad) + 0.5) / scale


def _without_writing(grey: Grey, settings: QuadSettings) -> tuple[Grey, float]:
    """Return the picture made smaller, writing and printed lines closed away, and by how much."""
    small, scale = within_side(grey, settings.sheet_side)
    smooth = cv2.GaussianBlur(small, (0, 0), 2)
    side = max(9, round(0.02 * max(small.shape))) | 1
    smooth = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    return np.asarray(smooth, np.uint8), scale


_LOGARITHM = (1000 * np.log(np.arange(256) + 4)).astype(np.int16)
"""That of each brightness, in thousandths: a shadow leaves the step from desk to paper as in the light."""


def _outlines(smooth: Grey) -> Iterator[Grey]:
    log = _LOGARITHM[smooth]
    dx, dy = (cv2.Sobel(log, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
    edges = cv2.Canny(dx, dy, 50, 150, L2gradient=True)
    edges = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    # The edge of a shadow runs on over the desk: a line that is around nothing is no part of a sheet.
    around, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = cv2.drawContours(np.zeros_like(edges), around, -1, 255, cv2.FILLED)
    # In logarithms a blurred edge is steepest on its dark side, a pixel out.
    whole = cv2.dilate(cv2.erode(whole, np.ones((9, 9), np.uint8)), np.ones((7, 7), np.uint8))
    yield np.asarray(whole, np.uint8)
    yield np.asarray(edges, np.uint8)


def _bright_parts(smooth: Grey) -> Iterator[Grey]:
    level, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    for shift in (0, -0.15, 0.15):
        yield (smooth > level + shift * level).astype(np.uint8) * 255


_Rough = tuple[float, Floats, Floats]
"""A quadrilateral's area, the contour it was found in, its corners by and large."""


def _quads_in(mask: NDArray[Any], settings: QuadSettings) -> Iterator[_Rough]:
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    least = settings.least_area * mask.shape[0] * mask.shape[1]
    for contour in contours:
        if len(contour) < 40:
            continue
        hull = cv2.convexHull(contour)
        area = cv2.contourArea(hull)
        if area < least:
            continue
        quad = _quad_of(hull)
        if quad is None or abs(cv2.contourArea(quad.astype(np.float32)) / area - 1) > 0.12:
            continue
        yield area, contour.reshape(-1, 2).astype(np.float64), quad


def _quad_of(hull: NDArray[Any]) -> Floats | None:
    around = cv2.arcLength(hull, True)
    for part in (0.01, 0.015, 0.02, 0.03, 0.04, 0.06):
        corners = cv2.approxPolyDP(hull, part * around, True)
        if len(corners) == 4:
            return clockwise(corners.reshape(4, 2).astype(np.float64))
        if len(corners) < 4:
            return None
    return None


def _sharpened(contour: Floats, quad: Floats) -> Floats:
    """Return the corners where straight lines through the contour's sides meet, where that is near."""
    lines = []
    for k in range(4):
        a, b = quad[k], quad[(k + 1) % 4]
        length = float(np.linalg.norm(b - a))
        along = (contour - a) @ (b - a) / length**2
        away = np.abs((contour - a) @ np.array([a[1] - b[1], b[0] - a[0]])) / length
        # Near the corners: a side may be bowed, and it is the corners that are sought.
        near = contour[(away < 0.02 * length + 2) & ((along > 0.02) & (along < 0.98))]
        if len(near) < 10:
            return quad
        vx, vy, x, y = cv2.fitLine(near.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
        lines.append((np.array([x, y], np.float64), np.array([vx, vy], np.float64)))
    corners = []
    for k in range(4):
        (p, d), (q, e) = lines[k - 1], lines[k]
        system = np.column_stack([d, -e])
        if abs(np.linalg.det(system)) < 0.1:
            return quad
        corners.append(p + d * np.linalg.solve(system, q - p)[0])
    sharp = np.array(corners)
    side = float(np.linalg.norm(quad[1] - quad[0]))
    return sharp if np.linalg.norm(sharp - quad, axis=1).max() < 0.05 * side else quad


def _distinct(quads: Iterable[_Rough], scale: float) -> list[Floats]:
    """Return quadrilaterals, their corners made sharp, in pixels of the picture, the largest first."""
    kept: list[Floats] = []
    for _, contour, rough in sorted(quads, key=lambda each: -each[0]):
        quad = _sharpened(contour, rough)
        side = float(np.linalg.norm(quad[1] - quad[0]))
        if all(np.linalg.norm(quad - other, axis=1).max() > 0.02 * side for other in kept):
            kept.append(quad)
    return [(quad + 0.5) / scale for quad in kept]
