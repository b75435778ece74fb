"""The two points of a colon, which by themselves would be a decimal point and dirt, or the flag of a 5."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ColonSettings:
    """What is a colon; lengths in heights of a digit."""

    point: tuple[float, float] = (0.06, 0.3)
    """A point is so large, at least and at most …"""
    round: float = 1.7
    """… and no more than so many times as long as thick, unlike the flag of a 5."""
    room: tuple[float, float] = (0.12, 0.6)
    """So much is free between the points …"""
    aslant: float = 0.15
    """… which stand above one another but for this …"""
    alike: float = 3.0
    """… and the larger has no more than so many times the box of the other."""
    digit: float = 0.42
    """What is higher may be a digit, and has no colon in it."""
    clear: float = 0.3
    """Nor is what has a third small piece so near: among specks there are always two."""
    most: int = 100
    """Among more pieces of this size no colon is looked for: they are specks."""


def colons_among(
    boxes: NDArray[np.int64], tall: float, settings: ColonSettings = ColonSettings()
) -> list[tuple[int, int]]:
    """Return the pairs of pieces that are colons, by their numbers, the upper one first.

    `boxes` is int64, N×4: x, y, width, height in working pixels; `tall` is how high digits are there.
    """
    if len(boxes) < 2:
        return []
    x, y, w, h = boxes.T
    long, thick = np.maximum(w, h), np.minimum(w, h)
    least, most = settings.point
    points = np.flatnonzero((long >= least * tall) & (long <= most * tall) & (long <= settings.round * thick))
    if not 2 <= points.size <= settings.most:
        return []
    middles, across = y + h / 2, x + w / 2
    left, top, wide, high = boxes[h > settings.digit * tall].T[:, :, None]
    inside = (left < across) & (across < left + wide) & (top < middles) & (middles < top + high)
    points = points[~inside.any(axis=0)[points]]
    upper, lower = points[:, None], points[None, :]
    room = y[lower] - y[upper] - h[upper]
    sizes = (w * h).astype(np.float64)
    pairs = (
        (room >= settings.room[0] * tall)
        & (room <= settings.room[1] * tall)
        & (np.abs(across[lower] - across[upper]) <= settings.aslant * tall)
        & (np.maximum(sizes[lower] / sizes[upper], sizes[upper] / sizes[lower]) <= settings.alike)
    )
    # Of three points above one another none is told to belong to another.
    partners = pairs.sum(axis=1) + pairs.sum(axis=0)
    found = [(i, k) for i, k in np.argwhere(pairs).tolist() if partners[i] == partners[k] == 1]
    low = boxes[h <= settings.digit * tall]
    told = [(int(points[i]), int(points[k])) for i, k in found]
    return [(i, k) for i, k in told if _clear(low, boxes[[i, k]], tall, settings)]


def _clear(
    pieces: NDArray[np.int64], points: NDArray[np.int64], tall: float, settings: ColonSettings
) -> bool:
    """Return whether no more of some pieces (N×4) than two points (2×4) themselves are near these."""
    x, y, w, h = pieces.T
    near = np.zeros(len(pieces), bool)
    for left, top, wide, high in points.tolist():
        apart = np.maximum(x, left) - np.minimum(x + w, left + wide)
        below = np.maximum(y, top) - np.minimum(y + h, top + high)
        near |= np.maximum(apart, below) <= settings.clear * tall
    return int(np.count_nonzero(near)) == len(points)
