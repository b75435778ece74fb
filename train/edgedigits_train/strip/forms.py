"""Digits as a pen draws them: forms that many hands write and MNIST's seldom do.

Each form is one or more strokes through a few points of a unit box (x to the right, y down). A digit is
drawn by moving every point a little, laying a smooth line through them, and taking the distance from it, in
the code that `augment.fields` gives the middle lines of MNIST's digits.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edgedigits_train.augment import FIELD, UNIT

Stroke = tuple[tuple[float, float], ...]
Form = tuple[float, tuple[Stroke, ...]]
"""Width by height, and the strokes."""

FORMS: dict[int, tuple[Form, ...]] = {
    0: (
        # With a loop that leaves to the right, open at the top, with its ends crossed.
        (0.7, (((0.6, 0.02), (0.2, 0.15), (0.02, 0.55), (0.35, 1.0), (0.8, 0.85), (0.95, 0.4), (0.65, 0.02),
                (0.4, 0.12), (0.65, 0.25), (1.2, 0.1)),)),
        (0.7, (((0.5, 0.0), (0.1, 0.25), (0.05, 0.7), (0.45, 1.0), (0.9, 0.7), (0.9, 0.3), (0.65, 0.08)),)),
        (0.75, (((0.3, 0.1), (0.05, 0.5), (0.3, 0.97), (0.75, 0.9), (0.97, 0.4), (0.7, 0.0), (0.25, 0.05),
                 (0.1, 0.2)),)),
        (0.8, (((0.75, 0.12), (0.4, 0.0), (0.05, 0.4), (0.2, 0.95), (0.7, 0.97), (1.0, 0.5), (0.8, 0.1),
                (0.55, 0.05), (1.1, -0.05)),)),
    ),
    1: (
        (0.35, (((0.0, 0.5), (0.75, 0.0)), ((0.75, 0.0), (0.7, 1.0)))),
        (0.45, (((0.0, 0.75), (0.8, 0.0)), ((0.8, 0.0), (0.75, 1.0)))),
        (0.3, (((0.1, 0.25), (0.7, 0.0)), ((0.7, 0.0), (0.65, 1.0)))),
        (0.5, (((0.1, 0.3), (0.55, 0.0)), ((0.55, 0.0), (0.5, 1.0)), ((0.05, 1.0), (1.0, 0.98)))),
        (0.5, (((0.0, 0.45), (0.35, 0.25), (0.8, 0.0)), ((0.8, 0.0), (0.7, 1.0)))),
        (0.6, (((0.0, 0.9), (0.85, 0.0)), ((0.85, 0.0), (0.8, 1.0)))),
        (0.15, (((0.6, 0.0), (0.4, 1.0)),)),
    ),
    2: (
        (0.75, (((0.1, 0.25), (0.45, 0.0), (0.85, 0.25), (0.5, 0.7), (0.1, 0.97), (0.08, 0.8), (0.35, 0.82),
                 (0.7, 1.0), (1.05, 0.85)),)),
        (0.7, (((0.05, 0.12), (0.5, 0.0), (0.85, 0.15), (0.45, 0.6), (0.02, 1.0)),
               ((0.02, 1.0), (0.5, 0.95), (1.0, 1.0)))),
        (0.8, (((0.15, 0.3), (0.3, 0.02), (0.75, 0.05), (0.75, 0.4), (0.3, 0.85), (0.0, 1.0)),
               ((0.0, 1.0), (0.4, 0.9), (0.75, 1.0), (1.1, 0.9)))),
    ),
    3: (
        (0.65, (((0.05, 0.05), (0.85, 0.02)), ((0.85, 0.02), (0.35, 0.4)),
                ((0.35, 0.4), (0.85, 0.55), (0.8, 0.9), (0.4, 1.0), (0.0, 0.9)))),
        (0.6, (((0.1, 0.12), (0.5, 0.0), (0.85, 0.2), (0.45, 0.45)),
               ((0.45, 0.45), (0.95, 0.65), (0.7, 0.97), (0.3, 1.0), (0.0, 0.85)))),
    ),
    4: (
        (0.75, (((0.3, 0.0), (0.05, 0.6)), ((0.05, 0.6), (1.0, 0.55)), ((0.7, 0.25), (0.6, 1.0)))),
        (0.7, (((0.1, 0.0), (0.05, 0.4), (0.4, 0.5), (0.85, 0.38)), ((0.9, 0.0), (0.75, 1.0)))),
        (0.7, (((0.7, 0.0), (0.0, 0.65)), ((0.0, 0.65), (1.0, 0.65)), ((0.7, 0.0), (0.68, 1.0)))),
        (0.8, (((0.45, 0.0), (0.0, 0.6), (0.5, 0.62), (1.0, 0.5)), ((0.75, 0.1), (0.55, 1.0)))),
    ),
    5: (
        (0.65, (((0.95, 0.0), (0.3, 0.05)), ((0.3, 0.05), (0.2, 0.42)),
                ((0.2, 0.42), (0.6, 0.38), (0.85, 0.65), (0.6, 0.97), (0.05, 0.93)))),
        # The root sign: the bowl is but a bend of one line from below left up to the bar.
        (0.75, (((0.0, 0.8), (0.2, 1.0), (0.42, 0.85), (0.45, 0.5), (0.4, 0.05)),
                ((0.4, 0.05), (1.05, 0.0)))),
        (0.75, (((0.0, 0.85), (0.25, 1.0), (0.55, 0.8), (0.5, 0.52), (0.32, 0.42), (0.4, 0.05)),
                ((0.4, 0.05), (1.1, 0.05)))),
        (0.7, (((0.05, 0.9), (0.35, 1.0), (0.65, 0.75), (0.45, 0.45), (0.2, 0.45), (0.3, 0.08)),
               ((0.3, 0.1), (1.2, 0.0)))),
        (0.6, (((0.9, 0.02), (0.4, 0.05), (0.15, 0.3), (0.6, 0.5), (0.8, 0.75), (0.5, 1.0), (0.05, 0.9)),)),
        # The bar stands off the body.
        (0.7, (((0.25, 0.1), (0.2, 0.45), (0.65, 0.42), (0.85, 0.7), (0.55, 1.0), (0.05, 0.92)),
               ((0.4, 0.0), (1.15, -0.04)))),
    ),
    6: (
        (0.6, (((0.8, 0.0), (0.3, 0.3), (0.05, 0.7), (0.35, 1.0), (0.85, 0.85), (0.75, 0.58), (0.4, 0.55),
                (0.1, 0.75)),)),
        (0.5, (((0.45, 0.0), (0.1, 0.45), (0.1, 0.85), (0.5, 1.0), (0.9, 0.8), (0.6, 0.6), (0.15, 0.75)),)),
    ),
    7: (
        (0.65, (((0.0, 0.05), (0.95, 0.02)), ((0.95, 0.02), (0.5, 0.5), (0.4, 1.0)),
                ((0.2, 0.5), (0.85, 0.45)))),
        (0.7, (((0.0, 0.18), (0.2, 0.0), (0.6, 0.1), (1.0, 0.0)), ((1.0, 0.0), (0.55, 0.5), (0.4, 1.0)))),
        (0.7, (((0.0, 0.18), (0.2, 0.0), (0.6, 0.1), (1.0, 0.0)), ((1.0, 0.0), (0.55, 0.5), (0.4, 1.0)),
               ((0.25, 0.5), (0.9, 0.5)))),
        (0.55, (((0.05, 0.15), (0.05, 0.0)), ((0.05, 0.02), (0.95, 0.0)), ((0.95, 0.0), (0.6, 1.0)))),
    ),
    8: (
        # Open at the top right, where the second stroke ends.
        (0.6, (((0.9, 0.12), (0.5, 0.0), (0.15, 0.2), (0.5, 0.45), (0.85, 0.75), (0.5, 1.0), (0.15, 0.78),
                (0.5, 0.45), (0.95, 0.02)),)),
        (0.55, (((0.6, 0.05), (0.2, 0.05), (0.2, 0.3), (0.6, 0.55), (0.8, 0.85), (0.45, 1.0), (0.2, 0.8),
                 (0.55, 0.45), (0.85, 0.15), (0.5, 0.0)),)),
        (0.55, (((0.1, 0.05), (0.35, 0.45), (0.75, 0.8), (0.5, 1.0), (0.2, 0.85), (0.5, 0.5), (0.9, 0.0)),)),
    ),
    9: (
        # With the loop left open at the right; with a hook; with a long tail.
        (0.6, (((0.7, 0.08), (0.3, 0.0), (0.05, 0.22), (0.3, 0.45), (0.7, 0.3)),
               ((0.9, 0.0), (0.8, 0.5), (0.5, 1.0)))),
        (0.6, (((0.85, 0.1), (0.4, 0.0), (0.08, 0.22), (0.35, 0.45), (0.75, 0.3), (0.88, 0.08)),
               ((0.88, 0.05), (0.85, 0.6), (0.6, 0.97), (0.05, 0.92)))),
        (0.55, (((0.8, 0.08), (0.35, 0.0), (0.05, 0.2), (0.3, 0.4), (0.75, 0.2)),
                ((0.82, 0.05), (0.5, 1.0)))),
        (0.6, (((0.9, 0.15), (0.5, 0.0), (0.05, 0.15), (0.25, 0.42), (0.8, 0.25), (0.9, 0.1), (0.75, 0.6),
                (0.35, 1.0)),)),
    ),
}  # fmt: skip


def smooth(points: npt.NDArray[np.float64], each: int = 6) -> npt.NDArray[np.float64]:
    """Return points on a smooth line through points, [N, 2] both (a Catmull-Rom spline)."""
    if len(points) < 3:
        return points
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, each, endpoint=False)[None, :, None]
    line = 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return np.concatenate([line.reshape(-1, 2), points[-1:]])


def middle_line(strokes: list[npt.NDArray[np.float64]], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return the distance from strokes (points x, y in pixels) as `augment.fields` codes it.

    `size` is width and height; uint8, H×W: 128 on the line, `UNIT` less for each pixel away from it.
    """
    mask = np.full((size[1], size[0]), 255, np.uint8)
    lines = [np.rint(stroke * 16).astype(np.int32) for stroke in strokes]
    cv2.polylines(mask, lines, False, 0, 1, cv2.LINE_8, shift=4)
    away = cv2.GaussianBlur(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5), (0, 0), 0.6)
    return np.clip(np.rint(128 - UNIT * (away - 0.3)), 0, 255).astype(np.uint8)


def draw(digit: int, form: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return a form of a digit, drawn by an unsteady hand: uint8, `FIELD`², coded as above.

    `form`, 0 or more, says which one; they come round again.
    """
    forms = FORMS[digit]
    aspect, strokes = forms[form % len(forms)]
    aspect *= float(np.exp(random.normal(0, 0.15)))
    # Strokes that meet stay together: points at the same place move alike.
    moved: dict[tuple[float, float], npt.NDArray[np.float64]] = {}
    lines = []
    for stroke in strokes:
        for point in stroke:
            if point not in moved:
                moved[point] = np.array(point) + random.normal(0, 0.045, 2)
        line = smooth(np.array([moved[point] for point in stroke]))
        tall = FIELD - 16.0
        lines.append((line - 0.5) * [tall * aspect, tall] + FIELD / 2)
    return middle_line(lines, (FIELD, FIELD))
