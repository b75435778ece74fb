"""Points, quadrilaterals and homographies in the plane.

Quadrilaterals are 4×2 float64, corners clockwise with y down.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import RegistrationError

Floats = NDArray[np.float64]

UNIT_SQUARE: Floats = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


def homography(own: Floats, seen: Floats) -> Floats:
    """Return the 3×3 matrix that takes points (n×2, n ≥ 4) to others, by least squares where n > 4.

    Raises `RegistrationError` where no matrix does, as where all points are one. What comes of points on one
    line is not `plausible`.
    """
    matrix, _ = cv2.findHomography(np.asarray(own, np.float64), np.asarray(seen, np.float64), 0)
    if matrix is None:
        raise RegistrationError("what was found has no shape a page can have; hold the camera above the page")
    return np.asarray(matrix, np.float64)


def project(matrix: Floats, points: Floats) -> Floats:
    """Return where a homography (3×3) takes points (n×2); NaN for what it takes to infinity."""
    lifted = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    depth = lifted[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.abs(depth) < 1e-12, np.nan, lifted[:, :2] / depth), np.float64)


def clockwise(quads: Floats) -> Floats:
    """Order the corners of quadrilaterals (…×4×2) clockwise (y down) from the one nearest to the top left."""
    away = quads - quads.mean(axis=-2, keepdims=True)
    order = np.argsort(np.arctan2(away[..., 1], away[..., 0]), axis=-1)
    quads = np.take_along_axis(quads, order[..., None], axis=-2)
    first = np.argmin(quads.sum(axis=-1), axis=-1)
    turned = (np.arange(4) + first[..., None]) % 4
    return np.take_along_axis(quads, turned[..., None], axis=-2)


def plausible(quads: Floats) -> NDArray[np.bool_]:
    """Return which quadrilaterals (…×4×2) are a page seen by a camera.

    Those are convex, not mirrored, and not seen at a grazing angle; lengths in pixels.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sides = np.roll(quads, -1, axis=-2) - quads
        lengths = np.linalg.norm(sides, axis=-1)
        following = np.roll(sides, -1, axis=-2)
        cross = sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0]
        sines = cross / (lengths * np.roll(lengths, -1, axis=-1))
        opposite = lengths[..., :2] / lengths[..., 2:]
        return np.asarray(
            # Not all of this holds for a corner at infinity, or NaN.
            (lengths.min(axis=-1) >= 8)
            & (sines > 0.5).all(axis=-1)
            & ((opposite > 0.4) & (opposite < 2.5)).all(axis=-1)
        )


def within(point: Floats, quad: Floats) -> bool:
    """Return whether a point (2) lies in a quadrilateral or on its border."""
    shape = quad.astype(np.float32).reshape(-1, 1, 2)
    return cv2.pointPolygonTest(shape, (float(point[0]), float(point[1])), False) >= 0


def inside_by(points: Floats, quad: Floats) -> Floats:
    """Return by how much points (…×2) lie in a convex quadrilateral, clockwise; negative outside of it."""
    steps = np.roll(quad, -1, axis=0) - quad
    inward = np.stack([-steps[:, 1], steps[:, 0]], axis=1) / np.linalg.norm(steps, axis=1, keepdims=True)
    return np.asarray((points @ inward.T - (quad * inward).sum(axis=1)).min(axis=-1), np.float64)


def area_of(quad: Floats) -> float:
    """Return the area of a quadrilateral."""
    return float(cv2.contourArea(quad.astype(np.float32)))


def shared_area(one: Floats, other: Floats) -> float:
    """Return the area that two convex quadrilaterals have in common.

    OpenCV's `intersectConvexConvex` finds none for some that have a side in common.
    """
    left: list[tuple[float, float]] = [(float(x), float(y)) for x, y in one]
    corners = [(float(x), float(y)) for x, y in other]
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        # What lies beyond this side is cut off (Sutherland and Hodgman 1974).
        depths = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for x, y in left]
        kept = []
        for k, (here, depth) in enumerate(zip(left, depths, strict=True)):
            before, earlier = left[k - 1], depths[k - 1]
            if (depth >= 0) != (earlier >= 0):
                part = earlier / (earlier - depth)
                kept.append(
                    (before[0] + part * (here[0] - before[0]), before[1] + part * (here[1] - before[1]))
                )
            if depth >= 0:
                kept.append(here)
        left = kept
    return abs(sum(left[k - 1][0] * y - x * left[k - 1][1] for k, (x, y) in enumerate(left))) / 2


def at_the_border(quad: Floats, width: int, height: int) -> bool:
    """Return whether a quadrilateral touches the border of a picture, or goes beyond it."""
    slack = 0.006 * max(width, height) + 1
    x, y = quad.T
    return bool(
        (x < slack).any() or (y < slack).any() or (x > width - slack).any() or (y > height - slack).any()
    )


def quarter_turns(matrix: Floats) -> int:
    """Return by how many degrees (0, 90, 180, 270) a homography turns the unit square clockwise, roughly."""
    corners = project(matrix, UNIT_SQUARE)
    return to_quarter_turns(corners[1] - corners[0])


def to_quarter_turns(rightwards: Floats) -> int:
    """Return the direction (2; y down) that a page's upper edge runs in as 0, 90, 180 or 270 degrees."""
    angle = np.degrees(np.arctan2(rightwards[1], rightwards[0]))
    return int(round(angle / 90) * 90) % 360
