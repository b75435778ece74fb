"""Where touching digits may be parted.

A cut is a path from the top of a piece of writing to its bottom that crosses as little ink as it can, free to
lean with the slant of the hand (the drop-fall of Congedo et al. 1995 and Dey 1999, made exact: the least
path is found by dynamic programming, as seams are in Avidan and Shamir 2007). Where digits stand apart the
path costs nothing; where they touch it crosses the joint. Every local minimum along the middle of the
writing is offered; which of the cuts are real is decided by what can be read between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CutSettings:
    """Which cuts are offered; lengths in heights of the piece."""

    paper_cost: float = 0.03
    """What a step over paper costs, in pixels of full ink: the shortest of free ways is taken."""
    lean_cost: float = 0.02
    """What a step to the side costs beyond that."""
    dearest: float = 0.45
    """A cut crosses at most so much ink; through a stroke along its length is no cut."""
    least_distance: float = 0.09
    """Two cuts keep this distance at the middle of the writing; of those closer, the cheaper stays."""
    most: int = 40
    """Never more cuts than this in one piece, the cheapest."""

    narrowest: float = 0.05
    widest: float = 1.35
    """What is read between two cuts is this wide; wider than this are two digits."""


@dataclass(frozen=True)
class Cut:
    """A way through a piece of writing from top to bottom.

    `path` is intp, H: the first column of each row that belongs to the right side. `cost` is the ink it
    crosses, in pixels of full ink.
    """

    path: NDArray[np.intp]
    cost: float


def find_cuts(ink: NDArray[np.uint8], settings: CutSettings = CutSettings()) -> list[Cut]:
    """Offer the cuts of a piece of writing from left to right, its outer edges not among them.

    `ink` is uint8, H×W, 0 paper … 255 full ink, cropped to the writing's box.
    """
    height, width = ink.shape
    if width < 3 or height < 3:
        return []
    # A column of paper on each side lets a path lean out of the box.
    cost = np.pad(ink.astype(np.float32) * (1 / 255), ((0, 0), (1, 1))) + np.float32(settings.paper_cost)
    middle = height // 2
    down, came_down = _least(cost[: middle + 1], settings)
    up, came_up = _least(cost[middle:][::-1], settings)
    through = down + up - cost[middle]
    paths: list[Cut] = []
    for x in _minima(through, settings.dearest * height + settings.paper_cost * height, settings, height):
        above = _follow(came_down, x)
        below = _follow(came_up, x)
        path = np.concatenate([above[::-1], below[1:]])
        rows = np.arange(height)
        crossed = float(cost[rows, path].sum()) - settings.paper_cost * height
        paths.append(Cut(np.clip(path - 1, 0, width), max(0.0, crossed)))
    return paths


@dataclass(frozen=True)
class Part:
    """What stands between two cuts of a piece of writing.

    `start` and `stop` count the cuts, the writing's left edge being 0 and its right edge the last. `box` is
    x, y, width, height within the writing; `ink` is uint8, height×width of the box. `cost` is the ink that
    the cuts on both sides cross, in pixels of full ink, each counted half.
    """

    start: int
    stop: int
    box: tuple[int, int, int, int]
    ink: NDArray[np.uint8]
    cost: float


def parts_between(
    ink: NDArray[np.uint8], cuts: list[Cut], tall: float = 0.0, settings: CutSettings = CutSettings()
) -> list[Part]:
    """Return everything that could be a digit between any two cuts of a piece of writing.

    `ink` is uint8, H×W, as given to `find_cuts`; `tall` is the height of the line it stands in, in pixels,
    where that is known: a digit that lies low may be wider than it is high. Between neighbouring cuts there
    is always a part, be it empty (its box is then 0×0), so that there is a way from the left edge to the
    right one.
    """
    height, width = ink.shape
    tall = max(tall, height)
    edges = [np.zeros(height, np.intp), *(cut.path for cut in cuts), np.full(height, width, np.intp)]
    costs = [0.0, *(cut.cost for cut in cuts), 0.0]
    columns = np.arange(width)
    parts = []
    for start in range(len(edges) - 1):
        right_of = columns >= edges[start][:, None]
        for stop in range(start + 1, len(edges)):
            own = np.where(right_of & (columns < edges[stop][:, None]), ink, 0).astype(np.uint8)
            x, y, w, h = cv2.boundingRect(own)
            too_wide = w > settings.widest * tall
            if stop > start + 1 and (too_wide or w < settings.narrowest * tall):
                if too_wide:
                    break
                continue
            parts.append(
                Part(start, stop, (x, y, w, h), own[y : y + h, x : x + w], (costs[start] + costs[stop]) / 2)
            )
    return parts


def _least(cost: NDArray[np.float32], settings: CutSettings) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return the cost of the least path from the first row to each pixel of the last, and whence it came.

    The second array is int8, H×W: the step to the side (−1, 0, 1) that led from the row above.
    """
    height, width = cost.shape
    came = np.zeros((height, width), np.int8)
    total = cost[0].copy()
    lean = np.float32(settings.lean_cost)
    for row in range(1, height):
        best = total.copy()
        step = came[row]
        from_left = np.empty_like(total)
        from_left[0], from_left[1:] = np.inf, total[:-1] + lean
        from_right = np.empty_like(total)
        from_right[-1], from_right[:-1] = np.inf, total[1:] + lean
        left = from_left < best
        best[left], step[left] = from_left[left], -1
        right = from_right < best
        best[right], step[right] = from_right[right], 1
        total = best + cost[row]
    return total, came


def _follow(came: NDArray[np.int8], x: int) -> NDArray[np.intp]:
    """Return the columns of the path that ends at `x` in the last row, from the last row to the first."""
    path = np.empty(len(came), np.intp)
    for k, row in enumerate(range(len(came) - 1, -1, -1)):
        path[k] = x
        x += int(came[row, x])
    return path


def _minima(through: NDArray[np.float32], dearest: float, settings: CutSettings, height: int) -> list[int]:
    """Return the local minima of the cost, cheapest kept where they crowd, from left to right."""
    inner = through[1:-1]
    # The middle of a flat valley, not its edge.
    candidates = []
    start = 0
    while start < inner.size:
        stop = start
        while stop + 1 < inner.size and abs(inner[stop + 1] - inner[start]) < 1e-6:
            stop += 1
        lower_left = start == 0 or inner[start - 1] > inner[start]
        lower_right = stop == inner.size - 1 or inner[stop + 1] > inner[start]
        if lower_left and lower_right and start > 0 and stop < inner.size - 1 and inner[start] <= dearest:
            candidates.append((float(inner[start]), (start + stop) // 2 + 1))
        start = stop + 1
    distance = settings.least_distance * height
    kept: list[int] = []
    for _, x in sorted(candidates):
        if all(abs(x - other) >= distance for other in kept):
            kept.append(x)
        if len(kept) == settings.most:
            break
    return sorted(kept)
