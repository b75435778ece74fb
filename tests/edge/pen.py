"""Digits as pens write them: strokes in two hands, wobbled by a seed, and the centre lines of real ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

# Control points in a box 0.7 wide and 1 high, y down; a stroke is the smooth curve through its points.
HANDS: dict[str, list[list[list[tuple[float, float]]]]] = {
    "0": [
        [
            [
                (0.36, 0),
                (0.1, 0.15),
                (0, 0.5),
                (0.12, 0.86),
                (0.36, 1),
                (0.6, 0.85),
                (0.7, 0.5),
                (0.6, 0.14),
                (0.35, 0),
            ]
        ],
        [
            [
                (0.4, 0.02),
                (0.15, 0.1),
                (0.04, 0.55),
                (0.25, 0.98),
                (0.5, 0.9),
                (0.62, 0.45),
                (0.5, 0.08),
                (0.38, 0),
            ]
        ],
    ],
    "1": [[[(0.36, 0), (0.35, 0.5), (0.33, 1)]], [[(0.42, 0), (0.34, 0.5), (0.25, 1)]]],
    "2": [
        [
            [
                (0.05, 0.22),
                (0.3, 0),
                (0.6, 0.12),
                (0.58, 0.4),
                (0.3, 0.72),
                (0.02, 0.98),
                (0.35, 0.96),
                (0.7, 0.98),
            ]
        ],
        [
            [(0.02, 0.25), (0.2, 0.02), (0.52, 0.05), (0.6, 0.3), (0.38, 0.65), (0, 1)],
            [(0, 1), (0.35, 0.98), (0.68, 1)],
        ],
    ],
    "3": [
        [
            [
                (0.05, 0.1),
                (0.35, 0),
                (0.6, 0.15),
                (0.5, 0.4),
                (0.25, 0.48),
                (0.55, 0.55),
                (0.68, 0.78),
                (0.4, 1),
                (0.02, 0.9),
            ]
        ],
        [
            [(0.08, 0.08), (0.4, 0.01), (0.58, 0.22), (0.3, 0.46)],
            [(0.3, 0.46), (0.62, 0.6), (0.58, 0.9), (0.25, 1), (0, 0.88)],
        ],
    ],
    "4": [
        [
            [(0.18, 0), (0.1, 0.3), (0.02, 0.6), (0.35, 0.58), (0.7, 0.56)],
            [(0.52, 0.1), (0.5, 0.55), (0.48, 1)],
        ],
        [
            [(0.12, 0.02), (0.1, 0.3), (0.12, 0.52), (0.4, 0.54), (0.62, 0.48)],
            [(0.6, 0.02), (0.6, 0.5), (0.56, 1)],
        ],
    ],
    "5": [
        [
            [
                (0.12, 0.02),
                (0.1, 0.2),
                (0.08, 0.42),
                (0.35, 0.36),
                (0.66, 0.55),
                (0.6, 0.88),
                (0.3, 1),
                (0, 0.9),
            ],
            [(0.11, 0.02), (0.35, 0.02), (0.65, 0)],
        ],
        [
            [(0.62, 0.01), (0.35, 0.02), (0.14, 0.04)],
            [(0.14, 0.04), (0.1, 0.25), (0.09, 0.45)],
            [(0.09, 0.45), (0.4, 0.38), (0.64, 0.62), (0.5, 0.94), (0.05, 0.96)],
        ],
    ],
    "6": [
        [
            [
                (0.55, 0),
                (0.25, 0.25),
                (0.06, 0.62),
                (0.2, 0.97),
                (0.5, 0.95),
                (0.62, 0.72),
                (0.42, 0.54),
                (0.14, 0.68),
            ]
        ],
        [
            [
                (0.48, 0.02),
                (0.2, 0.3),
                (0.03, 0.7),
                (0.2, 1),
                (0.52, 0.9),
                (0.54, 0.66),
                (0.3, 0.58),
                (0.06, 0.76),
            ]
        ],
    ],
    "7": [
        [[(0.02, 0.04), (0.35, 0.03), (0.68, 0.02)], [(0.68, 0.02), (0.48, 0.45), (0.28, 1)]],
        [[(0.04, 0.06), (0.3, 0.03), (0.62, 0.02)], [(0.62, 0.02), (0.45, 0.4), (0.32, 1)]],
    ],
    "8": [
        [
            [
                (0.6, 0.12),
                (0.3, 0),
                (0.08, 0.18),
                (0.3, 0.45),
                (0.62, 0.72),
                (0.5, 0.96),
                (0.2, 0.98),
                (0.06, 0.78),
                (0.3, 0.48),
                (0.58, 0.25),
                (0.6, 0.12),
            ]
        ],
        [
            [
                (0.34, 0.48),
                (0.1, 0.24),
                (0.34, 0),
                (0.58, 0.2),
                (0.34, 0.48),
                (0.06, 0.78),
                (0.34, 1),
                (0.64, 0.78),
                (0.34, 0.48),
            ]
        ],
    ],
    "9": [
        [
            [(0.58, 0.18), (0.35, 0.02), (0.1, 0.2), (0.15, 0.46), (0.42, 0.48), (0.58, 0.2)],
            [(0.58, 0.2), (0.56, 0.6), (0.5, 1)],
        ],
        [
            [
                (0.56, 0.12),
                (0.26, 0.02),
                (0.06, 0.28),
                (0.24, 0.5),
                (0.52, 0.34),
                (0.57, 0.1),
                (0.54, 0.55),
                (0.38, 1),
            ]
        ],
    ],
}


def smooth(points: list[tuple[float, float]], steps: int = 6) -> Points:
    """Return the Catmull-Rom curve through points, `steps` to each piece."""
    p = np.array(points, np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        pieces.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        )
    return np.concatenate([*pieces, p[-2:-1]])


def digit(label: str, hand: int, seed: int) -> list[Points]:
    """Return the strokes of a digit in a box 0.7×1, leaning, stretched and wobbled as `seed` says."""
    draw = np.random.default_rng([int(label), hand, seed])
    lean, stretch = draw.normal(0, 0.08), draw.normal(1, 0.07)
    strokes = []
    for points in HANDS[label][hand]:
        curve = smooth([(x + draw.normal(0, 0.012), y + draw.normal(0, 0.012)) for x, y in points])
        x, y = curve.T
        strokes.append(np.column_stack([0.35 + (x - 0.35) * stretch + lean * (0.5 - y), y]))
    return strokes


def number(text: str, height: float, seed: int = 0, at: tuple[float, float] = (0, 0)) -> list[Points]:
    """Return the strokes of a number `height` units high, well spaced, its top left corner at `at`."""
    found = []
    for k, label in enumerate(text):
        for stroke in digit(label, (seed + k) % 2, seed):
            found.append(stroke * height + np.array([at[0] + 1.05 * height * k, at[1]]))
    return found


def centre_lines(image: NDArray[np.uint8]) -> list[Points]:
    """Return the strokes that a scanned digit (H×W, bright ink) may have been written with.

    Its skeleton (Zhang and Suen 1984), followed from its ends, straight on where it branches.
    """
    left = {(int(y), int(x)) for y, x in np.argwhere(_thinned((image > 110).astype(np.uint8)))}

    def beside(p: tuple[int, int]) -> list[tuple[int, int]]:
        steps = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
        return [(p[0] + dy, p[1] + dx) for dy, dx in steps]

    whole, strokes = set(left), []
    while left:
        path = [min([p for p in left if sum(q in left for q in beside(p)) <= 1] or left)]
        left.discard(path[0])
        while following := [q for q in beside(path[-1]) if q in left]:
            if len(path) > 3:
                ahead = np.subtract(path[-1], path[-4])
                following.sort(key=lambda q: -float(np.dot(np.subtract(q, path[-1]), ahead)))
            path.append(following[0])
            left.discard(path[-1])
        for end, near in ((0, path[:3]), (len(path), path[-3:])):
            joint = [q for q in beside(near[0] if end == 0 else near[-1]) if q in whole and q not in near]
            path[end:end] = joint[:1]
        if len(path) >= 3 or not strokes:
            strokes.append(np.array(path, np.float64)[:, ::-1])
    return strokes


def _thinned(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    ink = ink.copy()
    changed = True
    while changed:
        changed = False
        for odd in (False, True):
            padded = np.pad(ink, 1)
            steps = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
            around = [np.roll(padded, (-dy, -dx), (0, 1))[1:-1, 1:-1].astype(int) for dy, dx in steps]
            turns = sum((a == 0) & (b == 1) for a, b in zip(around, [*around[1:], around[0]], strict=True))
            count = sum(around)
            north, east, south, west = around[0], around[2], around[4], around[6]
            first, second = (
                (north * east * west, north * south * west)
                if odd
                else (north * east * south, east * south * west)
            )
            gone = (ink == 1) & (count >= 2) & (count <= 6) & (turns == 1) & (first == 0) & (second == 0)
            ink[gone] = 0
            changed |= bool(gone.any())
    return ink
