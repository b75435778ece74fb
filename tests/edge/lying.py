"""What hides a part of a page, for tests and benches: a finger, a note, a lamp's light; holes, boxes to tick.

Each takes a picture, H×W×3 uint8, and returns another; the second result of what hides something is where
(bool, H×W). Points are x, y in pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Point = tuple[float, float]


def glare(
    image: Picture,
    middle: Point,
    axes: tuple[float, float],
    degrees: float = 0.0,
    soft: float = 6.0,
    light: float = 300.0,
) -> tuple[Picture, Mask]:
    """Add so much light in an ellipse, its edge so soft (standard deviation, pixels); white is 255."""
    spot = np.zeros(image.shape[:2], np.float32)
    cv2.ellipse(spot, _whole(middle), _whole(axes), degrees, 0, 360, 1, cv2.FILLED)
    added = light * cv2.GaussianBlur(spot, (0, 0), soft)
    return np.clip(image + added[..., None], 0, 255).astype(np.uint8), added > 0.4 * light


def finger(
    image: Picture,
    tip: Point,
    width: float,
    degrees: float,
    draw: np.random.Generator,
    skin: tuple[float, float, float] = (110, 140, 185),
) -> tuple[Picture, Mask]:
    """Lay a finger on, its end at `tip`, from beyond the picture in a direction (0: from the right)."""
    height, across = image.shape[:2]
    way = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    far = np.array(tip) + (height + across) * way
    shape = np.zeros((height, across), np.uint8)
    cv2.line(shape, _whole(tip), _whole((float(far[0]), float(far[1]))), 255, round(width), cv2.LINE_AA)
    away = cv2.distanceTransform((shape > 127).view(np.uint8), cv2.DIST_L2, 3) / (width / 2)
    colour = np.array(skin) * (0.65 + 0.35 * np.clip(1.5 * away, 0, 1))[..., None]
    colour = colour + draw.normal(0, 3, image.shape)
    return _laid(image, shape, colour, 0.1 * width), shape > 127


def note(
    image: Picture, middle: Point, side: float, degrees: float, draw: np.random.Generator
) -> tuple[Picture, Mask]:
    """Lay a square of yellow paper on, so many pixels wide."""
    shape = np.zeros(image.shape[:2], np.uint8)
    corners = cv2.boxPoints((middle, (side, side), degrees))
    cv2.fillConvexPoly(shape, corners.astype(np.int32), 255, cv2.LINE_AA)
    bright = float(np.percentile(image, 80)) * draw.uniform(0.85, 1.05)
    colour = bright * np.array([0.6, 1.0, 1.0]) + draw.normal(0, 2, image.shape)
    return _laid(image, shape, colour, 0.04 * side), shape > 127


def holes(image: Picture, left: float, radius: float, count: int, level: int) -> Picture:
    """Punch so many holes down a page, the desk below being as dark as `level`."""
    image = image.copy()
    for k in range(count):
        middle = left, image.shape[0] * (k + 0.5) / count
        cv2.circle(image, _whole(middle), round(radius), (level,) * 3, cv2.FILLED, cv2.LINE_AA)
    return image


def face(image: Picture, middle: Point, radius: float, thickness: int = 3) -> Picture:
    """Draw a face in pen."""
    image, ink = image.copy(), (50, 40, 40)
    cv2.circle(image, _whole(middle), round(radius), ink, thickness, cv2.LINE_AA)
    for side in (-0.4, 0.4):
        eye = middle[0] + side * radius, middle[1] - 0.3 * radius
        cv2.circle(image, _whole(eye), max(2, thickness), ink, cv2.FILLED, cv2.LINE_AA)
    smile = _whole((0.55 * radius, 0.55 * radius))
    cv2.ellipse(image, _whole(middle), smile, 0, 20, 160, ink, thickness, cv2.LINE_AA)
    return image


def to_tick(image: Picture, at: Point, side: int, thickness: int, is_ring: bool) -> Picture:
    """Print an empty box, or a ring, around a point."""
    image, ink = image.copy(), (50, 40, 40)
    x, y = _whole(at)
    half = side // 2
    if is_ring:
        cv2.circle(image, (x, y), half, ink, thickness, cv2.LINE_AA)
    else:
        cv2.rectangle(image, (x - half, y - half), (x + half, y + half), ink, thickness)
    return image


def _laid(image: Picture, shape: Picture, colour: NDArray[np.float64], shadow: float) -> Picture:
    """Return a picture with something of a colour (H×W×3) on it that casts a shadow so wide, in pixels."""
    cast = cv2.GaussianBlur(np.roll(shape, round(shadow), axis=1), (0, 0), shadow)
    share = cv2.GaussianBlur(shape, (0, 0), 0.9).astype(np.float64)[..., None] / 255
    seen = image * (1 - 0.35 * cast.astype(np.float64)[..., None] / 255) * (1 - share) + colour * share
    return np.clip(seen, 0, 255).astype(np.uint8)


def _whole(point: Point) -> tuple[int, int]:
    return round(point[0]), round(point[1])
