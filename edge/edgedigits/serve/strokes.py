"""Pen strokes → a picture like a scan of them, and what the reader makes of it.

What a finger or a pen writes on a screen comes as vectors. They are drawn with a round pen whose width is
that of MNIST's digits (about 2 pixels on a digit 20 pixels high, see `normalize`), at a size that leaves
the normaliser something to average, and then take the way of every other picture.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.page import Box, Page
from edgedigits.reader import Reader

MOST_STROKES = 400
MOST_POINTS = 40_000
LARGEST = 1e6
"""Coordinates lie within ±this, in whatever unit they come."""


@dataclass(frozen=True)
class PenSettings:
    """How strokes are drawn."""

    height: int = 48
    """Pixels that a digit is drawn high."""
    width: float = 0.125
    """Width of the pen in heights of a digit."""
    pressure: float = 0.5
    """So much of the width pressure takes away or adds: 0 none; at 0.5 no pressure draws half the width."""
    margin: float = 0.6
    """Paper around the writing, in heights of a digit."""
    most_pixels: int = 4_000_000
    """Of more writing than fits into so many pixels, everything is drawn smaller."""
    supersampling: int = 4
    """Each pixel is the average of this number squared: the greys at a stroke's edge."""


@dataclass(frozen=True, eq=False)
class Stroke:
    """What a pen leaves between touching the surface and leaving it.

    `points` is float64, N×2, N ≥ 1: x to the right, y down, in any unit, the same for all strokes.
    `pressure` is float64, N, 0…1, where the pen tells it; 0.5 is a pen's usual one.
    """

    points: NDArray[np.float64]
    pressure: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Writing:
    """Strokes drawn as ink.

    `ink` is uint8, H×W, 0 paper … 255 full ink. A pixel (u, v) of it lies at (u, v) / scale + origin in the
    strokes' own unit.
    """

    ink: NDArray[np.uint8]
    scale: float
    origin: tuple[float, float]


def strokes_of(values: object) -> list[Stroke]:
    """Take strokes from plain lists, as JSON has them: a list of strokes, each a list of points.

    A point is [x, y], [x, y, pressure] or [x, y, pressure, milliseconds]; pressure may be null where it is
    not known, and the time, by which nothing is read today, anything. A stroke without points is passed
    over.

    Raises `ValueError`, one line, for anything else, for coordinates beyond ±`LARGEST`, for more than
    `MOST_STROKES` strokes or `MOST_POINTS` points.
    """
    if not isinstance(values, list):
        raise ValueError("strokes are a list of strokes, each a list of points [x, y]")
    if len(values) > MOST_STROKES:
        raise ValueError(f"{len(values)} strokes; send at most {MOST_STROKES}")
    strokes: list[Stroke] = []
    count = 0
    for number, stroke in enumerate(values, 1):
        if not isinstance(stroke, list):
            raise ValueError(f"stroke {number} is no list of points [x, y]")
        count += len(stroke)
        if count > MOST_POINTS:
            raise ValueError(f"more than {MOST_POINTS} points; send fewer")
        if stroke:
            strokes.append(_stroke(number, stroke))
    return strokes


def _stroke(number: int, points: list[object]) -> Stroke:
    places: list[tuple[float, float]] = []
    pressures: list[float] = []
    for point in points:
        if not isinstance(point, list) or not 2 <= len(point) <= 4 or not all(map(_is_number, point[:2])):
            raise ValueError(f"stroke {number} has a point that is not [x, y] or [x, y, pressure, time]")
        x, y = float(point[0]), float(point[1])
        if not (abs(x) <= LARGEST and abs(y) <= LARGEST):
            raise ValueError(f"stroke {number} has a point beyond ±{LARGEST:g}")
        places.append((x, y))
        if len(point) > 2 and point[2] is not None:
            if not _is_number(point[2]) or not 0 <= point[2] <= 1:
                raise ValueError(f"stroke {number} has a pressure outside 0…1")
            pressures.append(float(point[2]))
    known = len(pressures) == len(places)
    return Stroke(np.array(places, np.float64), np.array(pressures, np.float64) if known else None)


def _is_number(value: object) -> bool:
    # A whole number may be too long for a float: it is compared before it is converted.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= LARGEST if isinstance(value, int) else math.isfinite(value)


def render(strokes: Sequence[Stroke], settings: PenSettings = PenSettings()) -> Writing:
    """Draw strokes as anti-aliased ink.

    Their size and place are free: a digit is drawn `settings.height` pixels high wherever it stands. Raises
    `ValueError` where there is no stroke.
    """
    if not strokes:
        raise ValueError("no stroke; write something")
    low = np.min([stroke.points.min(axis=0) for stroke in strokes], axis=0)
    high = np.max([stroke.points.max(axis=0) for stroke in strokes], axis=0)
    tall = _digit_height(strokes)
    margin = settings.margin * tall
    extent = high - low + 2 * margin
    scale = settings.height / tall
    scale = min(
        scale, math.sqrt(settings.most_pixels / float(extent[0] * extent[1])), 8000 / float(extent.max())
    )
    width, height = (max(8, math.ceil(side * scale)) for side in extent)
    origin = low - margin
    fine = settings.supersampling
    # A large sheet is drawn coarser rather than taking the memory of a small board.
    while fine > 1 and width * height * fine**2 > 4 * settings.most_pixels:
        fine -= 1
    canvas = np.zeros((height * fine, width * fine), np.uint8)
    pen = settings.width * tall * scale * fine
    for stroke in strokes:
        _draw(canvas, (stroke.points - origin) * (scale * fine), stroke.pressure, pen, settings.pressure)
    ink = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) if fine > 1 else canvas
    return Writing(np.asarray(ink, np.uint8), scale, (float(origin[0]), float(origin[1])))


def _digit_height(strokes: Sequence[Stroke]) -> float:
    """Return the height of a digit in the strokes' unit.

    Most digits are one stroke, and those that are more have a tall one: the median of the strokes' heights,
    each weighted by its square, which leaves dots and crossbars no say.
    """
    spans = np.array([np.ptp(stroke.points, axis=0) for stroke in strokes])
    heights = np.sort(np.maximum(spans[:, 1], spans[:, 0] / 2))
    weights = np.cumsum(heights**2)
    if weights[-1] == 0:
        return 1.0  # nothing but dots
    return max(float(heights[np.searchsorted(weights, weights[-1] / 2)]), 1e-6 * LARGEST)


_SHIFT = 4  # OpenCV takes coordinates in sixteenths of a pixel


def _draw(
    canvas: NDArray[np.uint8],
    points: NDArray[np.float64],
    pressure: NDArray[np.float64] | None,
    pen: float,
    sway: float,
) -> None:
    if pressure is None:
        width = max(1, round(pen))
        _disc(canvas, points[0], pen)
        if len(points) > 1:
            at = np.rint(_rounded(points) * 2**_SHIFT).astype(np.int32)
            cv2.polylines(canvas, [at[:, None]], False, 255, width, cv2.LINE_8, _SHIFT)
            _disc(canvas, points[-1], pen)
        return
    widths = pen * (1 + sway * (2 * pressure - 1))
    at = np.rint(points * 2**_SHIFT).astype(int)
    for k, width in enumerate(widths):
        _disc(canvas, points[k], float(width))
        if k:
            middle = max(1, round((width + widths[k - 1]) / 2))
            cv2.line(canvas, at[k - 1].tolist(), at[k].tolist(), 255, middle, cv2.LINE_8, _SHIFT)


def _disc(canvas: NDArray[np.uint8], centre: NDArray[np.float64], width: float) -> None:
    x, y = (round(float(v) * 2**_SHIFT) for v in centre)
    cv2.circle(canvas, (x, y), max(1, round(width * 2 ** (_SHIFT - 1))), 255, cv2.FILLED, cv2.LINE_8, _SHIFT)


def _rounded(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round the corners off once (Chaikin 1974): a screen gives a fast hand only a few points a stroke."""
    if len(points) < 3:
        return points
    ahead = 0.75 * points[:-1] + 0.25 * points[1:]
    behind = 0.25 * points[:-1] + 0.75 * points[1:]
    inner = np.stack([ahead, behind], axis=1).reshape(-1, 2)
    return np.concatenate([points[:1], inner, points[-1:]])


def read_strokes(
    reader: Reader,
    strokes: Sequence[Stroke],
    size: tuple[int, int],
    settings: PenSettings = PenSettings(),
) -> Page:
    """Read strokes: a `Page` of `size` (width, height) whose boxes are in the strokes' own unit.

    Where there is no stroke the page has no lines.
    """
    if not strokes:
        return Page((), size, 0.0)
    writing = render(strokes, settings)
    page = reader.read(255 - writing.ink)

    def placed(box: Box) -> Box:
        x, y = (box[i] / writing.scale + writing.origin[i] for i in (0, 1))
        return (
            round(x),
            round(y),
            max(1, round(box[2] / writing.scale)),
            max(1, round(box[3] / writing.scale)),
        )

    lines = tuple(
        dataclasses.replace(
            line,
            box=placed(line.box),
            digits=tuple(dataclasses.replace(digit, box=placed(digit.box)) for digit in line.digits),
        )
        for line in page.lines
    )
    return dataclasses.replace(page, lines=lines, size=size)
