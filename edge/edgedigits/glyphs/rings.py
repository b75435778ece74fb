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
    was taken for its stroke (bool, H×W of the writing), `before` the part of the enclosed paper, 0…1, that
    lies to the left of the writing's left edge, of each cut, and of the right edge.
    """

    box: tuple[int, int, int, int]
    ink: NDArray[np.uint8]
    stroke: NDArray[np.bool_]
    before: tuple[float, ...]


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
    for k in enclosed:
        hole = (labels[1:-1, 1:-1] == k).view(np.uint8)
        outline, _ = cv2.findContours(hole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = cv2.drawContours(hole.copy(), outline, -1, 1, cv2.FILLED)
        area = np.count_nonzero(hole)
        if np.count_nonzero(filled) > (1 + settings.within_paper) * area:
            continue
        stroke = np.asarray(cv2.dilate(hole, disk), np.uint8)
        own = np.asarray(ink * stroke, np.uint8)
        x, y, w, h = cv2.boundingRect((own > INKED // 2).view(np.uint8))
        # The left edge has nothing to its left, the right edge all.
        rows, columns = np.nonzero(hole)
        shares = [float(np.count_nonzero(columns < cut.path[rows])) / rows.size for cut in cuts]
        ring = own[y : y + h, x : x + w]
        rings.append(Ring((x, y, w, h), ring, stroke.view(np.bool_), (0.0, *shares, 1.0)))
    return rings


def rings_of(
    part: Part, rings: Sequence[Ring], settings: RingSettings = RingSettings()
) -> list[tuple[int, int]]:
    """Return the rings that a part of the writing may be: each by its number, with the ink it leaves out.

    That is what of the part's ink lies beside the ring, in pixels, and is not of another ring elsewhere.
    """
    x, y, w, h = part.box
    shares = [ring.before[part.stop] - ring.before[part.start] for ring in rings]
    own_rings = [
        number
        for number, share in enumerate(shares)
        if share >= settings.within and rings[number].box[3] >= settings.height * h
    ]
    if not own_rings:
        return []
    here = np.s_[y : y + h, x : x + w]
    own = part.ink > INKED
    for ring, share in zip(rings, shares, strict=True):
        if share <= 1 - settings.within:
            own &= ~ring.stroke[here]
    return [(number, int(np.count_nonzero(own & ~rings[number].stroke[here]))) for number in own_rings]
