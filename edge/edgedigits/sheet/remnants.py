"""Paper of which too little is seen to know its shape: it runs out of the picture, or other sheets lie on it.

Its longest straight edge tells by how much it is turned, which is enough to read what is written there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import Floats, inside_by, shared_area
from edgedigits.sheet.piles import Piled

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class RemnantSettings:
    """What is looked at as a remnant; lengths in pixels of the picture."""

    least_contrast: float = 1.3
    """Paper is so many times as bright as the desk."""
    around: float = 4.0
    """What lies so near to a sheet, or to the picture's border, is no edge of the paper's own."""
    thin: int = 13
    """What is thinner is no paper, but an edge of one."""
    straight: float = 3.0
    """An edge is straight within this, …"""
    shortest: float = 40.0
    """… and this long."""


def remnants(
    paper: Grey, found: Sequence[Piled], least_area: float, settings: RemnantSettings = RemnantSettings()
) -> Iterator[Piled]:
    """Yield what is as bright as paper and no part of the sheets that were found, as turned boxes around it.

    `paper` is the picture without writing, uint8, H×W; a remnant has `least_area` pixels or more.
    """
    height, width = paper.shape
    level, _ = cv2.threshold(paper, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    bright = (paper > level).view(np.uint8)
    for each in found:
        corners = np.rint(each.quad).astype(np.int32)
        cv2.fillConvexPoly(bright, corners, 0)
        cv2.polylines(bright, [corners], True, 0, 2 * round(settings.around))
    if np.count_nonzero(bright) < least_area:
        return
    bright = np.asarray(cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((settings.thin,) * 2, np.uint8)))
    if np.count_nonzero(bright) < least_area:
        return
    dark = float(np.median(paper[paper <= level])) if (paper <= level).any() else 255.0
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    others = [*(each.quad for each in found), *_beyond_borders(width, height)]
    for contour in contours:
        if cv2.contourArea(contour) < least_area:
            continue
        here = cv2.drawContours(np.zeros_like(bright), [contour], -1, 1, cv2.FILLED) > 0
        outline = contour.reshape(-1, 2).astype(np.float64)
        angle = _turned_by(outline, found, (width, height), settings)
        if angle is not None and np.median(paper[here]) >= settings.least_contrast * dark:
            box = _box_around(outline, angle)
            yield Piled(box, tuple(quad for quad in others if shared_area(box, quad) > 0))


def _turned_by(
    contour: Floats, found: Sequence[Piled], size: tuple[int, int], settings: RemnantSettings
) -> float | None:
    """Return the angle, −45…45°, of the longest straight edge of a contour that is the paper's own."""
    polygon = cv2.approxPolyDP(contour.astype(np.int32), settings.straight, True).reshape(-1, 2)
    best, angle = settings.shortest, None
    for a, b in zip(polygon.astype(np.float64), np.roll(polygon, -1, axis=0).astype(np.float64), strict=True):
        length = float(np.linalg.norm(b - a))
        middle = (a + b) / 2
        near = min(middle[0], middle[1], size[0] - 1 - middle[0], size[1] - 1 - middle[1])
        own = near > settings.around and all(
            float(inside_by(middle, each.quad)) < -3 * settings.around for each in found
        )
        if own and length > best:
            best = length
            angle = (np.degrees(np.arctan2(b[1] - a[1], b[0] - a[0])) + 45) % 90 - 45
    return None if angle is None else float(angle)


def _box_around(points: Floats, angle: float) -> Floats:
    """Return the corners of the box around points whose sides are turned by an angle."""
    turn = np.radians(angle)
    axes = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    own = points @ axes.T
    (left, top), (right, bottom) = own.min(axis=0), own.max(axis=0)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ axes


def _beyond_borders(width: int, height: int) -> list[Floats]:
    """Return what lies beyond each border of a picture, as far as anything reaches: 4×2 each."""
    far = 2.0 * max(width, height)
    boxes = (
        (-far, -far, width + far, 0.0),
        (-far, float(height), width + far, height + far),
        (-far, -far, 0.0, height + far),
        (float(width), -far, width + far, height + far),
    )
    return [np.array([(a, b), (c, b), (c, d), (a, d)], np.float64) for a, b, c, d in boxes]
