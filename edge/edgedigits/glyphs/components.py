"""The connected pieces of ink of one picture, and what becomes of them on the way to text lines."""

from __future__ import annotations

import bisect
import functools
import itertools
import statistics

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.glyph import Box, GlyphSettings, box_around
from edgedigits.ink import Ink
from edgedigits.ink.unprinted import Pieces

COLUMN = 3.0
"""A column's line goes down by so many heights of what stands beside it, or more."""
ON_LEVEL = 0.7
"""So much of a piece's height lies on a line's level if it belongs there."""


class Components:
    """The connected pieces of ink that may be writing, each of one label or, once joined, of several.

    `pieces` are those of the picture's mask, and `lifted` (uint8, H×W, 0 or 1, None for nothing) is what was
    lifted off it as print. All measures are working pixels.
    """

    members: list[list[int]]
    """The labels of each component."""
    boxes: NDArray[np.int64]
    """The box around each: N×4, x, y, width and height."""
    areas: NDArray[np.int64]
    """How many pixels of ink each has: N."""
    labels: NDArray[np.int32]
    """The label of each pixel: H×W, 0 paper."""
    stats: NDArray[np.int32]
    """OpenCV's statistics of every label: L×5."""
    dropped: NDArray[np.bool_]
    """Which labels, by number, were taken for no writing …"""
    drawn: list[int]
    """… and which of them for drawings."""
    faces: list[Box]
    """Where drawings have pieces in them, as a face has its eyes."""
    faint: NDArray[np.intp]
    """Which labels are writing only if others like them are."""
    too_many: NDArray[np.intp]
    """Which labels are not looked at."""
    passed_over: int
    """Pixels of ink in what is texture, too small to be looked at, or drawn."""

    def __init__(
        self, ink: Ink, settings: GlyphSettings, pieces: Pieces, lifted: NDArray[np.uint8] | None
    ) -> None:
        self.ink, self.settings, self.lifted = ink, settings, lifted
        count, self.labels, self.stats = pieces
        areas = self.stats[:, cv2.CC_STAT_AREA]
        sure = np.bincount(self.labels[ink.contrast >= ink.strong], minlength=count)
        certain = sure > 0
        certain[0] = False
        solid = sure >= settings.sure_share * areas
        large = areas >= settings.speck_area
        self.passed_over = int(areas[certain & ~(solid & large)].sum())
        faint = large & ~(certain & solid) & (self.stats[:, cv2.CC_STAT_HEIGHT] >= settings.least_height)
        faint[0] = False
        self.faint = np.flatnonzero(faint)
        ids = np.flatnonzero(certain & solid & large)
        self.too_many = np.zeros(0, np.intp)
        if ids.size > settings.most_components:
            order = np.argsort(-areas[ids], kind="stable")
            self.too_many = ids[order[settings.most_components :]]
            ids = ids[order[: settings.most_components]]
        self.members = [[int(i)] for i in ids]
        self.boxes = self.stats[ids, :4].astype(np.int64)
        self.areas = areas[ids].astype(np.int64)
        self.dropped = np.zeros(count, bool)
        self.drawn, self.faces = [], []
        self._thickness: dict[int, float] = {}

    def drop(self, unwanted: NDArray[np.bool_]) -> None:
        """Take components (bool, N) for no writing."""
        self.dropped[self.labels_of(unwanted)] = True
        self.leave_out(unwanted)

    def leave_out(self, unwanted: NDArray[np.bool_]) -> None:
        """Leave out components (bool, N) as if they weren't there."""
        self.members = [m for m, out in zip(self.members, unwanted, strict=True) if not out]
        self.boxes, self.areas = self.boxes[~unwanted], self.areas[~unwanted]

    def join(self, groups: list[list[int]]) -> None:
        """Make one component of those of each group, which together hold all of them."""
        boxes: list[Box] = [(x, y, w, h) for x, y, w, h in self.boxes.tolist()]
        self.members = [[label for i in group for label in self.members[i]] for group in groups]
        self.areas = np.array([self.areas[group].sum() for group in groups])
        self.boxes = np.array([box_around([boxes[i] for i in group]) for group in groups], np.int64)

    def labels_of(self, chosen: NDArray[np.bool_]) -> list[int]:
        """Return the labels of components (bool, N)."""
        return [label for i in np.flatnonzero(chosen).tolist() for label in self.members[i]]

    @property
    def is_page(self) -> bool:
        """Whether the picture is more than what a line of writing was cut to."""
        return min(self.labels.shape) > self.ink.strip_height

    @functools.cached_property
    def goes_down(self) -> NDArray[np.bool_]:
        """Which labels are as slender as a column's line is."""
        return np.asarray(
            self.stats[:, cv2.CC_STAT_HEIGHT] >= self.settings.tallest * self.stats[:, cv2.CC_STAT_WIDTH]
        )

    @functools.cached_property
    def border(self) -> tuple[dict[int, int], NDArray[np.intp]]:
        """How many pixels of sure ink a label has on one side, and which labels are left and right."""
        longest: dict[int, int] = {}
        for side in (np.s_[:, 0], np.s_[:, -1], np.s_[0], np.s_[-1]):
            sure = self.ink.contrast[side] >= self.ink.strong
            labels, counts = np.unique(self.labels[side][sure], return_counts=True)
            for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
                longest[label] = max(count, longest.get(label, 0))
        sides = np.unique(self.labels[:, [0, -1]])
        return longest, sides[sides > 0].astype(np.intp)

    def darkness(self, label: int) -> float:
        """Return the median contrast of a label's pixels, 0…255."""
        x, y, w, h = self.stats[label, :4].tolist()
        part = np.s_[y : y + h, x : x + w]
        return float(np.median(self.ink.contrast[part][self.labels[part] == label]))

    def thickness(self, label: int) -> float:
        """Return how thick a label's ink is where it is thickest, in pixels."""
        if label not in self._thickness:  # a frame may stand beside every line of a page
            x, y, w, h = self.stats[label, :4].tolist()
            own = np.pad(self.labels[y : y + h, x : x + w] == label, 1).view(np.uint8)
            self._thickness[label] = 2 * float(cv2.distanceTransform(own, cv2.DIST_L2, 3).max())
        return self._thickness[label]

    def ink_of(self, digits: list[int]) -> float:
        """Return the contrast of the strokes of components, 0…255."""
        return statistics.median(self.darkness(label) for i in digits for label in self.members[i][:1])


# Of a handful of numbers, as most pictures have, Python's own functions need a tenth of NumPy's time.
def typical_height(heights: NDArray[np.int64]) -> float:
    """Return the height of a digit: the median of heights (one or more), each weighted by itself.

    The weight keeps a handful of digits from being outvoted by a host of dots.
    """
    order = sorted(heights.tolist())
    weights = list(itertools.accumulate(height**2 for height in order))
    return float(order[bisect.bisect_left(weights, weights[-1] / 2)])
