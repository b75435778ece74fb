"""Where touching digits may be parted.

A cut is a path from the top of a piece of writing to its bottom that crosses as little ink as it can, free to
lean with the slant of the hand (the drop-fall of Congedo et al. 1995 and Dey 1999, made exact: the least
path is found by dynamic programming, as seams are in Avidan and Shamir 2007). Where digits stand apart the
path costs nothing; where they touch it crosses the joint. Every local minimum along the middle of the
writing is offered. Where the sides of two zeros have grown together, every way through the hollow of one
crosses less ink than the way along the joint; but the outline has a notch above the joint and another below,
and from notch to notch is offered, too (Chen and Wang 2000 look for such valleys of the background). Which of
the cuts are real is decided by what can be read between them.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

INKED = 100
"""What is darker than this belongs to the outline, in 1/255 of full ink."""
_BESIDE = 0.6
"""A notch lies between writing within so many heights to its left and to its right."""


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
    notch: float = 0.12
    """A notch in the outline is so deep."""
    notch_lean: float = 0.4
    """The notches above and below a joint are no farther apart than this, from left to right."""
    longest_joint: float = 0.6
    """A cut from notch to notch crosses at most so much ink …"""
    joint_price: float = 0.3
    """… and each pixel of that costs only this part: where two notches are, a joint is likely."""
    alike: float = 0.05
    """Of a cut from notch to notch and another so near it on average, the cheaper stays."""

    narrowest_joined: float = 0.9
    """What is narrower than this holds no two digits side by side: no notches are looked for."""
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
    cuts = _least_cuts(ink, settings)
    if width < settings.narrowest_joined * height:
        return cuts
    near = settings.alike * height
    means = [float(cut.path.mean()) for cut in cuts]
    for joint in _joints(ink, settings):
        # Paths are no nearer to each other than their means, which are compared at once.
        mean = float(joint.path.mean())
        alike = [
            k
            for k, (cut, other) in enumerate(zip(cuts, means, strict=True))
            if abs(other - mean) < near + 1 and np.abs(cut.path - joint.path).mean() < near
        ]
        # A free way, or one that is cheap as it is, needs no second one beside it.
        if not any(cuts[k].cost <= max(joint.cost, 0.5) for k in alike):
            cuts = [cut for k, cut in enumerate(cuts) if k not in alike] + [joint]
            means = [own for k, own in enumerate(means) if k not in alike] + [mean]
    cuts = sorted(cuts, key=lambda cut: cut.cost)[: settings.most]
    cuts.sort(key=lambda cut: int(cut.path[height // 2]))
    return cuts


def _joints(ink: NDArray[np.uint8], settings: CutSettings) -> list[Cut]:
    """Return the cuts from a notch in the upper outline to one in the lower, each by the least ink."""
    height = len(ink)
    inked = ink > INKED
    some = inked.any(axis=0)
    from_above = np.where(some, inked.argmax(axis=0), height)
    from_below = np.where(some, inked[::-1].argmax(axis=0), height)
    below = _notches(from_below.tolist(), settings, height)
    lean = settings.notch_lean * height
    places = [x for x, _ in below]
    rows = np.arange(height)
    joints = []
    for x, depth in _notches(from_above.tolist(), settings, height) if below else []:
        top = min(depth, height - 1)
        ways = [
            np.rint(np.interp(rows, [top, bottom], [x, other])).astype(np.intp)
            for other, deep in below[
                bisect.bisect_left(places, x - lean) : bisect.bisect_right(places, x + lean)
            ]
            if (bottom := max(height - 1 - deep, 0)) > top
        ]
        crossed = [float(ink[rows, way].sum()) / 255 for way in ways]
        if crossed and min(crossed) <= settings.longest_joint * height:
            least = min(crossed)
            joints.append(Cut(ways[crossed.index(least)], settings.joint_price * least))
    return joints


def _notches(outline: list[int], settings: CutSettings, height: int) -> list[tuple[int, int]]:
    """Return where an outline has notches, and how far in they reach.

    `outline` tells for every column how far the paper reaches in from the edge, in pixels. To either side of
    a notch, within a digit's width, there is writing that stands out beyond it.
    """
    reach, deep = max(3, int(_BESIDE * height)), settings.notch * height
    last = len(outline) - 1
    notches = []
    start = 0
    while start <= last:
        level, stop = outline[start], start
        while stop < last and outline[stop + 1] == level:
            stop += 1
        if start > 0 and stop < last and outline[start - 1] < level > outline[stop + 1]:
            left = min(outline[max(0, start - reach) : start])
            right = min(outline[stop + 1 : stop + 1 + reach])
            if level - max(left, right) >= deep:
                notches.append(((start + stop) // 2, level))
        start = stop + 1
    return notches


def _least_cuts(ink: NDArray[np.uint8], settings: CutSettings) -> list[Cut]:
    """Return the local minima among the ways from the top to the bottom."""
    height, width = ink.shape
    # A column of paper on each side lets a path lean out of the box.
    cost = np.full((height, width + 2), settings.paper_cost, np.float32)
    cost[:, 1:-1] += ink.astype(np.float32) * (1 / 255)
    # From the top and from the bottom to the middle at once, side by side with a wall between them. Where
    # the lower half is the shorter one, a row that costs nothing goes before it.
    middle, across = height // 2, width + 2
    both = np.zeros((middle + 1, 2 * across + 1), np.float32)
    both[:, :across], both[:, across] = cost[: middle + 1], np.inf
    both[2 * middle + 1 - height :, across + 1 :] = cost[: middle - 1 : -1]
    sums, came = _least(both, settings)
    through = sums[:across] + sums[across + 1 :] - cost[middle]
    dearest = settings.dearest * height + settings.paper_cost * height
    ends = np.array(_minima(through, dearest, settings, height), np.intp)
    paths = _follow(came, np.concatenate([ends, ends + (across + 1)]))
    down, up = paths[:, : ends.size], paths[: height - middle, ends.size :] - (across + 1)
    ways = np.concatenate([down[::-1], up[1:]])
    crossed = cost[np.arange(height)[:, None], ways].sum(axis=0) - settings.paper_cost * height
    ways = np.clip(ways - 1, 0, width).astype(np.intp)
    return [Cut(ways[:, k], max(0.0, ink_crossed)) for k, ink_crossed in enumerate(crossed.tolist())]


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
    left_of = [(columns < edge[:, None]).view(np.uint8) for edge in edges]
    first, last = [int(edge.min()) for edge in edges], [int(edge.max()) for edge in edges]
    parts = []
    for start in range(len(edges) - 1):
        right_side = ink * (1 - left_of[start])
        for stop in range(start + 1, len(edges)):
            across = slice(first[start], last[stop])
            own = right_side[:, across] * left_of[stop][:, across]
            x, y, w, h = cv2.boundingRect(own)
            too_wide = w > settings.widest * tall
            if stop > start + 1 and (too_wide or w < settings.narrowest * tall):
                if too_wide:
                    break
                continue
            box = (first[start] + x, y, w, h) if w else (0, 0, 0, 0)
            parts.append(Part(start, stop, box, own[y : y + h, x : x + w], (costs[start] + costs[stop]) / 2))
    return parts


def _least(cost: NDArray[np.float32], settings: CutSettings) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the cost of the least path from the first row to each pixel of the last, and whence it came.

    The second array is int32, H×W: the column in the row above that led to each pixel; its first row is none.
    """
    height, width = cost.shape
    lean = np.float32(settings.lean_cost)
    # The sums of all rows, with a wall on both sides.
    sums = np.full((height, width + 2), np.inf, np.float32)
    sums[0, 1:-1] = cost[0]
    for before, after, here in zip(sums, sums[1:, 1:-1], cost[1:], strict=False):
        np.minimum(before[:-2], before[2:], out=after)
        after += lean
        np.minimum(after, before[1:-1], out=after)
        after += here
    straight, left, right = sums[:-1, 1:-1], sums[:-1, :-2] + lean, sums[:-1, 2:] + lean
    came = np.empty((height, width), np.int32)
    came[:] = np.arange(width)
    came[1:] -= (left < straight) & (left <= right)
    came[1:] += right < np.minimum(left, straight)
    return sums[-1, 1:-1], came


def _follow(came: NDArray[np.int32], ends: NDArray[np.intp]) -> NDArray[np.int32]:
    """Return the columns of the paths that end at `ends` in the last row, from the last row to the first.

    The result is int32, H×N for N ends.
    """
    paths = np.empty((len(came), ends.size), np.int32)
    paths[0] = ends
    for below, path, row in zip(paths, paths[1:], came[:0:-1], strict=False):
        row.take(below, out=path, mode="clip")  # none is out of range; to raise, NumPy would fill a copy
    return paths


def _minima(through: NDArray[np.float32], dearest: float, settings: CutSettings, height: int) -> list[int]:
    """Return the local minima of the cost, cheapest kept where they crowd, from left to right."""
    inner = through[1:-1].tolist()
    last = len(inner) - 1
    # The middle of a flat valley, not its edge.
    candidates = []
    start = 0
    while start <= last:
        level = inner[start]
        stop = start
        while stop < last and abs(inner[stop + 1] - level) < 1e-6:
            stop += 1
        if start > 0 and stop < last and inner[start - 1] > level < inner[stop + 1] and level <= dearest:
            candidates.append((level, (start + stop) // 2 + 1))
        start = stop + 1
    distance = settings.least_distance * height
    kept: list[int] = []
    for _, x in sorted(candidates):
        if all(abs(x - other) >= distance for other in kept):
            kept.append(x)
        if len(kept) == settings.most:
            break
    return sorted(kept)
