"""Straight lines in a picture of paper: where sheets end, be it only by a faint step or a thin shadow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import UNIT_SQUARE, Floats, homography

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]
Shades = NDArray[np.float32]


@dataclass(frozen=True)
class StraightSettings:
    """What is a line; lengths in pixels of the picture."""

    darkest: float = 0.35
    """Lines are looked for in paper at most so much darker than most of it, …"""
    brightest: float = 0.1
    """… and so much brighter (in natural logarithms): the desk beyond is all one."""
    shortest: float = 16.0
    """Writing is made of shorter pieces."""
    apart: float = 2.0
    """The pieces of a line lie no farther from it, …"""
    askew: float = 2.5
    """… and no more askew. Degrees."""
    most: int = 20
    """So many lines are returned, the longest."""
    step: float = 0.025
    """There is an edge where it is darker by this part on one side, or in between."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight lines: a point of each and its direction, n×2 both, and what is seen along them.

    `drawn` and `edges` tell for each pixel along a line, its point in the middle, whether there is a piece of
    a line, and whether there is a step or a valley across: n×m, bool.
    """

    at: Floats
    along: Floats
    drawn: Mask
    edges: Mask

    def crossings(self, one: Indices, other: Indices) -> Floats:
        """Return where lines cross others, M×2; they are not parallel."""
        (px, py), (dx, dy) = self.at[one].T, self.along[one].T
        (qx, qy), (ex, ey) = self.at[other].T, self.along[other].T
        steps = ((qx - px) * ey - (qy - py) * ex) / (dx * ey - dy * ex)
        return np.asarray(self.at[one] + steps[:, None] * self.along[one])

    def seen(self, points: Floats, lines: Indices) -> tuple[Mask, Mask]:
        """Return at which points (M×k×n×2) of lines (M×k) something is seen, and where that is a piece."""
        reach = self.drawn.shape[1] // 2
        away = points - self.at[lines][:, :, None]
        steps = np.rint((away * self.along[lines][:, :, None]).sum(axis=-1)).astype(np.intp) + reach
        drawn = self.drawn[lines[:, :, None], steps]
        return np.asarray(drawn | self.edges[lines[:, :, None], steps]), np.asarray(drawn)


def find_lines(grey: Grey, paper: float, settings: StraightSettings = StraightSettings()) -> Lines:
    """Return the straight lines in a picture (uint8, H×W) of paper, most of which is so bright (0…255)."""
    levels = np.log((np.arange(256) + 4) / (paper + 4)) + settings.darkest
    levels = (255 * levels / (settings.darkest + settings.brightest)).clip(0, 255).astype(np.uint8)
    found = cv2.createLineSegmentDetector().detect(levels[grey])[0]
    pieces = np.zeros((0, 2, 2)) if found is None else np.asarray(found, np.float64).reshape(-1, 2, 2)
    lengths = np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1)
    order = np.argsort(-lengths, kind="stable")
    pieces = pieces[order[lengths[order] >= settings.shortest]]
    axes = _axes(pieces, settings)
    at, along = (np.array([axis[k] for axis in axes], np.float64).reshape(-1, 2) for k in (0, 1))
    reach = int(np.hypot(*grey.shape)) + 2
    drawn = np.zeros((len(axes), 2 * reach), bool)
    for row, axis in enumerate(axes):
        # A thin shadow is two lines: either is seen where the other is.
        for piece in pieces[_off(pieces, *axis).max(axis=1, initial=0) <= 1.5 * settings.apart]:
            first, last = np.sort((piece - axis[0]) @ axis[1]) + reach
            drawn[row, max(0, int(first) - 2) : int(last) + 3] = True
    return Lines(at, along, drawn, _edges(grey, at, along, reach, settings.step))


def is_crossed(grey: Grey, quad: Floats, settings: StraightSettings = StraightSettings()) -> bool:
    """Return whether one line may cross a sheet from side to side, parallel to its edges: several are rules.

    `grey` is uint8, H×W, `quad` the sheet's corners, 4×2. To know costs a small part of `find_lines`.
    """
    size = np.array([_FLAT, _FLAT])
    flat = cv2.warpPerspective(
        grey,
        homography(UNIT_SQUARE * size, quad),
        size.tolist(),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    level = _level(np.asarray(flat, np.uint8))
    lines, crossing = 0, False
    beside = np.array([[0.5, 0.5, 0, 0, 0, 0, 0, 0, 0]], np.float32)
    for each in (level, np.ascontiguousarray(level.T)):
        one, other = (
            np.asarray(cv2.filter2D(each, -1, kernel), np.float32) for kernel in (beside, beside[:, ::-1])
        )
        between = np.asarray(cv2.erode(each, np.ones((1, 3), np.uint8)), np.float32)
        found = _is_edge(one, between, other, settings.step)
        # The line may lie a little askew.
        wide = cv2.dilate(found.view(np.uint8), np.ones((1, 5), np.uint8))
        part = wide.mean(axis=0)[_FLAT // 8 : -_FLAT // 8]
        crossing |= bool((part >= _CROSSES).any())
        lines += int(np.count_nonzero(np.diff(np.flatnonzero(part >= _RULES), prepend=-_FLAT) > _FLAT // 40))
    return crossing and lines == 1


_FLAT = 160
"""Pixels a side of a sheet in which it is looked whether a line crosses it: it does …"""
_CROSSES = 0.9
"""… if it is seen along this part of it. …"""
_RULES = 0.7
"""… If others are along this part, they are rules."""


def _axes(pieces: Floats, settings: StraightSettings) -> list[tuple[Floats, Floats]]:
    """Return a point and the direction of each line that pieces (n×2×2), the longest first, make up."""
    groups: list[list[Floats]] = []
    # All axes so far are looked at at once: of hatching there are thousands of pieces.
    at, along = np.empty((len(pieces), 1, 2)), np.empty((len(pieces), 2))
    sine = np.sin(np.radians(settings.askew))
    for piece in pieces:
        length, count = float(np.linalg.norm(piece[1] - piece[0])), len(groups)
        off = _off(piece, at[:count], along[:count].T[..., None]).max(axis=1)
        askew = _off(piece[1] - piece[0], np.zeros(2), along[:count].T)
        own = np.flatnonzero((off <= settings.apart) & (askew <= sine * length))
        k = int(own[0]) if own.size else count
        if k == count:
            groups.append([])
        groups[k].append(piece)
        at[k], along[k] = _axis(groups[k])
    lengths = [sum(float(np.linalg.norm(b - a)) for a, b in group) for group in groups]
    longest = sorted(range(len(groups)), key=lambda k: -lengths[k])[: settings.most]
    return [(at[k, 0], along[k]) for k in longest]


def _axis(pieces: list[Floats]) -> tuple[Floats, Floats]:
    """Return a point of the line through pieces, and its direction, by least squares."""
    weights = np.repeat([np.linalg.norm(b - a) for a, b in pieces], 2)
    ends = np.concatenate(pieces)
    middle = np.average(ends, axis=0, weights=weights)
    away = (ends - middle) * np.sqrt(weights)[:, None]
    return middle, np.linalg.svd(away, full_matrices=False)[2][0]


def _off(points: Floats, at: Floats, along: Floats) -> Floats:
    """Return how far points (…×2) are from a line."""
    away = points - at
    return np.asarray(np.abs(away[..., 1] * along[0] - away[..., 0] * along[1]))


def _edges(grey: Grey, at: Floats, along: Floats, reach: int, step: float) -> Mask:
    """Return at which pixels along lines there is a step in brightness across, or a valley."""
    height, width = grey.shape
    level = _level(grey)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    on = at[:, None] + np.arange(-reach, reach)[:, None] * along[:, None]
    points = on[:, :, None] + np.array([-4, -3, -1, 0, 1, 3, 4])[:, None] * across[:, None, None]
    x, y = np.moveaxis(np.rint(points).astype(np.intp), -1, 0)
    inside = ((x >= 0) & (y >= 0) & (x < width) & (y < height)).all(axis=2)
    values = level[y.clip(0, height - 1), x.clip(0, width - 1)]
    one, between, other = values[..., :2], values[..., 2:5], values[..., 5:]
    found = _is_edge(one.mean(axis=2), between.min(axis=2), other.mean(axis=2), step)
    return np.asarray(found & inside)


def _level(grey: Grey) -> Shades:
    """Return the logarithm of the brightness: a shadow leaves steps in it as they are."""
    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.7))
    return np.log(np.arange(256, dtype=np.float32) + 4)[smooth]


def _is_edge(one: Shades, between: Shades, other: Shades, step: float) -> Mask:
    """Return where one side is darker than the other, or what lies between them darker than both."""
    return np.asarray((np.abs(one - other) >= step) | (np.minimum(one, other) - between >= step))
