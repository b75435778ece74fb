"""Where the strip of a text line lies in its picture, cutting it out, and the way back."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.page import Box
from edgedigits.strips import HEIGHT, prepare
from edgedigits.ways.characters import INK, Cell


@dataclass(frozen=True)
class StripSettings:
    """How a strip is cut out and looked at; lengths in heights of the line's glyphs."""

    above: float = 0.2
    """Paper above and below the writing. 0…2."""
    beside: float = 0.4
    """Paper to the left and the right of it. 0…5."""
    edge: float = 0.35
    """What lies so near to the picture's own edge is taken along: the picture is the strip. 0…5."""
    fills: float = 0.5
    """A line as high as this part of the picture is all there is in it: the strip is as wide as the picture,
    so that what the glyphs were too faint for is read, too. 0…2."""
    widest: float = 40.0
    """It is not where that is longer than so many heights of a digit: there is room for several numbers side
    by side. 0…1,000."""
    level: float = 0.05
    """A line that slopes by more than this (height by length) is turned level. 0…1."""
    looks: tuple[float, ...] = (1.0, 0.55)
    """The strip is looked at so many times, made so much narrower. The more the widths differ, the less the
    looks err alike, and what holds in both is surer; these were chosen on the tuning part of the cheques.
    Each 0.1…2."""
    sure: float = 0.95
    """Where the first look finds a text so probable, it is the only one: of the tuning part as many strips
    are read right as with all looks. 0…2."""
    likely: float = 0.8
    """Where the first look finds a text so probable, it may be enough for one who asks others, too. 0…2."""
    longest: int = 30_000
    """Longest strip in pixels of the network; a longer one is not read as a strip. 1…1,000,000."""
    readings: int = 8
    """So many readings of a line are told, and looked into again. 1…100."""
    checked_beam: int = 100
    """Beginnings kept from step to step where the best text fails a check, and others are looked for.
    1…10,000."""
    lone_beam: int = 4
    """The same where nothing but the best text is wanted. 1…10,000."""


@dataclass(frozen=True)
class Region:
    """Where a strip lies in its picture, in pixels: its middle (x, y), its size along and across the line.

    `angle` is that of the line, in radians, positive where it falls to the right.
    """

    middle: tuple[float, float]
    width: float
    height: float
    angle: float = 0.0

    def holds(self, boxes: Sequence[Box]) -> bool:
        """Return whether most of these boxes, by their middles, lie in the strip."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        inside = 0
        for x, y, w, h in boxes:
            dx, dy = x + w / 2 - self.middle[0], y + h / 2 - self.middle[1]
            along, over = dx * cos + dy * sin, dy * cos - dx * sin
            inside += abs(along) <= self.width / 2 and abs(over) <= self.height / 2
        return 2 * inside > len(boxes)


def region_of(
    boxes: Sequence[Box], size: tuple[int, int], settings: StripSettings = StripSettings()
) -> Region:
    """Return the strip around the glyphs of a line; `boxes` and `size` in pixels of the picture."""
    tall = float(statistics.median([b[3] for b in boxes]))
    slope = 0.0
    middles = [b[0] + b[2] / 2 for b in boxes]
    if len(boxes) > 2 and max(middles) - min(middles) > 3 * tall:
        # That of the line nearest to the middles of the boxes: least squares.
        across = np.array(middles)
        apart = across - across.mean()
        slope = float(apart @ np.array([2.0 * b[1] + b[3] for b in boxes]) / (apart @ apart)) / 2
    if abs(slope) <= settings.level:
        left = min(b[0] for b in boxes) - settings.beside * tall
        top = min(b[1] for b in boxes) - settings.above * tall
        end = max(b[0] + b[2] for b in boxes) + settings.beside * tall
        low = max(b[1] + b[3] for b in boxes) + settings.above * tall
        left = 0.0 if left < settings.edge * tall else left
        top = 0.0 if top < settings.edge * tall else top
        end = size[0] if size[0] - end < settings.edge * tall else end
        low = size[1] if size[1] - low < settings.edge * tall else low
        if low - top >= settings.fills * size[1] and size[0] <= settings.widest * tall:
            left, end = 0.0, size[0]
        return Region(((left + end) / 2, (top + low) / 2), end - left, low - top)
    angle = math.atan(slope)
    cos, sin = math.cos(angle), math.sin(angle)
    # The corners of the boxes, along and across the line.
    xs = np.array([b[0] + right * b[2] for b in boxes for right in (0, 1, 0, 1)], float)
    ys = np.array([b[1] + low * b[3] for b in boxes for low in (0, 0, 1, 1)], float)
    along, over = xs * cos + ys * sin, ys * cos - xs * sin
    # A box turned with its line is higher than its glyph; what stands above the line is its slope's doing.
    spare = abs(sin) * float(statistics.median([b[2] for b in boxes]))
    u0, u1 = along.min() - settings.beside * tall, along.max() + settings.beside * tall
    v0, v1 = over.min() + spare - settings.above * tall, over.max() - spare + settings.above * tall
    u, v = (u0 + u1) / 2, (v0 + v1) / 2
    return Region((u * cos - v * sin, u * sin + v * cos), u1 - u0, max(v1 - v0, tall), angle)


@dataclass(frozen=True)
class Back:
    """The way from pixels of a strip to those of its picture: a 2×3 matrix."""

    matrix: NDArray[np.float64]

    def along(self, points: Sequence[tuple[float, float]]) -> list[float]:
        """Return where points (x, y) of the picture lie along the strip, in its pixels."""
        linear, shift = self.matrix[:, :2], self.matrix[:, 2]
        found: list[float] = np.linalg.solve(linear, (np.array(points) - shift).T)[0].tolist()
        return found

    def boxes(self, boxes: Sequence[tuple[float, float, float, float]], shape: tuple[int, ...]) -> list[Box]:
        """Return the boxes around boxes (x0, y0, x1, y1) of the strip, in whole pixels inside the picture."""
        height, width = shape[:2]
        corners = [[x, y, 1.0] for x0, y0, x1, y1 in boxes for y in (y0, y1) for x in (x0, x1)]
        seen = (np.array(corners) @ self.matrix.T).reshape(len(boxes), 4, 2)
        found = []
        for (x0, y0), (x1, y1) in zip(seen.min(axis=1).tolist(), seen.max(axis=1).tolist(), strict=True):
            left, top = (max(0, min(n - 1, math.floor(v))) for n, v in ((width, x0), (height, y0)))
            right, bottom = min(width, math.ceil(x1)), min(height, math.ceil(y1))
            found.append((left, top, max(1, right - left), max(1, bottom - top)))
        return found


def cut_out(
    grey: NDArray[np.uint8], region: Region, settings: StripSettings = StripSettings()
) -> tuple[NDArray[np.uint8], Back] | None:
    """Return a region as the network takes it, and the way back to the picture; None if too long."""
    (x, y), width, height = region.middle, region.width, region.height
    if width * HEIGHT > settings.longest * height:
        return None
    if region.angle == 0.0:
        left, top = max(0, round(x - region.width / 2)), max(0, round(y - height / 2))
        piece = grey[top : max(top + 1, round(y + height / 2)), left : max(left + 1, round(left + width))]
        strip = prepare(np.ascontiguousarray(piece))
        across, down = piece.shape[1] / strip.shape[1], piece.shape[0] / HEIGHT
        return strip, Back(np.array([[across, 0.0, left], [0.0, down, top]]))
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    size = max(1, round(width)), max(1, round(height))
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    matrix[:, 2] = np.array([x, y]) - matrix[:, :2] @ (np.array(size) / 2)
    seen, within = grey, matrix
    if max(grey.shape) > _MAPPED:
        around = math.hypot(width, height) / 2 + 2
        left, top = max(0, math.floor(x - around)), max(0, math.floor(y - around))
        seen = grey[top : math.ceil(y + around), left : math.ceil(x + around)]
        within = matrix - [[0, 0, left], [0, 0, top]]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = np.asarray(
        cv2.warpAffine(seen, within, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    strip = prepare(piece)
    scale = np.diag([piece.shape[1] / strip.shape[1], piece.shape[0] / HEIGHT])
    return strip, Back(np.hstack([matrix[:, :2] @ scale, matrix[:, 2:]]))


_MAPPED = 32_000
"""What OpenCV maps has sides of less than 32,767 pixels, or is mapped less exactly."""


def boxes_in(strip: NDArray[np.uint8], cells: Sequence[Cell]) -> list[tuple[float, float, float, float]]:
    """Return a box (x0, y0, x1, y1) for the character in each cell, in pixels of the strip.

    The network answers in the middle of a character; between two of them the border is half-way, and the ink
    between the borders tells the rest.
    """
    ink = (strip > INK).view(np.uint8)
    found = []
    for least, most in cells:
        x0, x1 = int(least), max(int(least) + 1, math.ceil(most))
        x, y, w, h = cv2.boundingRect(ink[:, x0:x1])
        if w:
            found.append((float(x0 + x), float(y), float(x0 + x + w), float(y + h)))
        else:
            found.append((float(x0), 0.0, float(x1), float(HEIGHT)))
    return found
