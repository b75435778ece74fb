"""Zeros among digits that touch, by the paper they enclose.

Zeros written in one go hook into each other, overlap and share their sides: whatever is cut out between two
of them has lost a side, or drags a stroke along that makes a 6, a 2 or a 9 of it. But each encloses paper,
and what ink runs around that paper is the zero, whole and alone, wherever it was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.cuts import INKED, Cut, Part
from edgedigits.glyphs.glyph import Box


@dataclass(frozen=True)
class RingSettings:
    """What is taken for a ring; lengths in heights of the line. Chosen as `LatticeSettings` is."""

    lowest: float = 0.3
    """The enclosed paper is so high …"""
    narrowest: float = 0.08
    """… and so wide."""
    within_paper: float = 0.05
    """Ink that the paper encloses in turn is no more than this part of it: a face has eyes, a wheel a hub."""
    within: float = 0.65
    """So much of the enclosed paper lies in the part whose ring it is. 0…1."""
    height: float = 0.7
    """The ring is so high, in heights of its part: a 6 or a 9 is higher than its loop."""


@dataclass(frozen=True, eq=False)
class Ring:
    """A ring of ink.

    `box` is x, y, width, height within the writing, `ink` uint8, height×width of the box. `stroke` is what
    was taken for its stroke, bool, height×width of the box `around` it: beyond that there is none of it.
    `before` is the part of the enclosed paper, 0…1, that lies to the left of the writing's left edge, of each
    cut, and of the right edge.
    """

    box: Box
    ink: NDArray[np.uint8]
    around: Box
    stroke: NDArray[np.bool_]
    before: tuple[float, ...]

    def stroke_in(self, box: Box) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        """Return which rows and columns of a box of the writing may have the ring's stroke, and it there."""
        (x, y, w, h), (left, top, wide, high) = box, self.around
        x0, y0 = max(x, left), max(y, top)
        x1, y1 = max(x0, min(x + w, left + wide)), max(y0, min(y + h, top + high))
        stroke = self.stroke[y0 - top : y1 - top, x0 - left : x1 - left]
        return np.s_[y0 - y : y1 - y, x0 - x : x1 - x], stroke


def find_rings(
    ink: NDArray[np.uint8], cuts: Sequence[Cut], tall: float, settings: RingSettings = RingSettings()
) -> list[Ring]:
    """Return the rings in a piece of writing.

    `ink` is uint8, H×W, 0 paper … 255 full ink, `cuts` what `find_cuts` offered for it, `tall` the height of
    the line it stands in, in pixels.
    """
    inked = (ink > INKED).view(np.uint8)
    paper = cv2.copyMakeBorder(1 - inked, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    # Paper that only touches at corners is parted by a stroke.
    count, labels, stats, _ = cv2.connectedComponentsWithStats(paper, connectivity=4)
    enclosed = [
        k
        for k in range(1, count)
        if k != labels[0, 0]
        and stats[k, cv2.CC_STAT_HEIGHT] >= settings.lowest * tall
        and stats[k, cv2.CC_STAT_WIDTH] >= settings.narrowest * tall
    ]
    if not enclosed:
        return []
    # As far as a stroke is wide; where two cross, some ink is farther from paper.
    depth = cv2.distanceTransform(inked, cv2.DIST_L2, 3)[inked > 0]
    reach = max(1, round(2 * float(np.percentile(depth, 90)) + 0.5))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    rings = []
    height, width = ink.shape
    for k in enclosed:
        # Only what is near it is looked at: a long chain of zeros has hundreds.
        x, y, w, h = stats[k, : cv2.CC_STAT_HEIGHT + 1].tolist()
        x, y = x - 1, y - 1
        left, top = max(0, x - reach), max(0, y - reach)
        right, bottom = min(width, x + w + reach), min(height, y + h + reach)
        hole = (labels[1 + top : 1 + bottom, 1 + left : 1 + right] == k).view(np.uint8)
        outline, _ = cv2.findContours(hole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = cv2.drawContours(hole.copy(), outline, -1, 1, cv2.FILLED)
        area = int(np.count_nonzero(hole))
        if np.count_nonzero(filled) > (1 + settings.within_paper) * area:
            continue
        stroke = np.asarray(cv2.dilate(hole, disk), np.uint8)
        own = np.asarray(ink[top:bottom, left:right] * stroke, np.uint8)
        inner_x, inner_y, wide, high = cv2.boundingRect((own > INKED // 2).view(np.uint8))
        ring = own[inner_y : inner_y + high, inner_x : inner_x + wide]
        rings.append(
            Ring(
                (left + inner_x, top + inner_y, wide, high),
                ring,
                (left, top, right - left, bottom - top),
                stroke.view(np.bool_),
                # The left edge has nothing to its left, the right edge all.
                (0.0, *_shares_before(hole, area, cuts, (left, top)), 1.0),
            )
        )
    return rings


def _shares_before(
    hole: NDArray[np.uint8], area: int, cuts: Sequence[Cut], corner: tuple[int, int]
) -> list[float]:
    """Return what part of a hole (uint8, H×W, 0 or 1) lies to the left of each cut, 0…1.

    `corner` is the column and row of the writing that it begins at.
    """
    rows = np.arange(len(hole))
    before = np.zeros((len(hole), hole.shape[1] + 1), np.int32)
    np.cumsum(hole, axis=1, out=before[:, 1:])
    shares = []
    for cut in cuts:
        columns = np.clip(cut.path[corner[1] : corner[1] + len(hole)] - corner[0], 0, hole.shape[1])
        shares.append(float(before[rows, columns].sum()) / area)
    return shares


def rings_of(
    part: Part, rings: Sequence[Ring], settings: RingSettings = RingSettings()
) -> list[tuple[int, int]]:
    """Return the rings that a part of the writing may be: each by its number, with the ink it leaves out.

    That is what of the part's ink lies beside the ring, in pixels, and is not of another ring elsewhere.
    """
    shares = [ring.before[part.stop] - ring.before[part.start] for ring in rings]
    own_rings = [
        number
        for number, share in enumerate(shares)
        if share >= settings.within and rings[number].box[3] >= settings.height * part.box[3]
    ]
    if not own_rings:
        return []
    own = part.ink > INKED
    for ring, share in zip(rings, shares, strict=True):
        if share <= 1 - settings.within:
            here, stroke = ring.stroke_in(part.box)
            own[here] &= ~stroke
    whole = int(np.count_nonzero(own))
    found = []
    for number in own_rings:
        here, stroke = rings[number].stroke_in(part.box)
        found.append((number, whole - int(np.count_nonzero(own[here] & stroke))))
    return found
