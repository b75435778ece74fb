"""Ruled lines and frames: what is printed to be written on or in is lifted off the ink.

Strokes that cross a line, or stand on it, stay whole; the crossbar of a 4 or a 7 is too short to be a rule. A
strip that is cut to one line of writing may have a rule or two, from side to side; a page has rulings (see
`edgedigits.ink.rulings`), and a picture of one box what is left of its frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.ink.finding import SLENDER, InkSettings
from edgedigits.ink.polarity import CUT_TO_A_DIGIT
from edgedigits.ink.rulings import lift_rulings
from edgedigits.ink.runs import level_runs, standing


@dataclass(frozen=True)
class RuleSettings:
    """What is taken for the rule of a strip."""

    strip_height: int = InkSettings.strip_height
    """A picture no higher (or wider) than this may be cut to one line of writing. Pixels."""
    length: float = 0.35
    """A rule is straight for at least this part of the picture's width."""
    thickness: float = 0.005
    """It is thinner than this part of the longest side (but 3 pixels always pass) …"""
    long: float = 0.7
    """… or, where it goes on for this part of the width …"""
    thick: float = 0.13
    """… no thicker than this part of the height."""


def may_be_ruled(
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    edges: NDArray[np.uint8],
    settings: RuleSettings = RuleSettings(),
) -> bool:
    """Return whether there are pieces of ink as long as rules: looking at these costs next to nothing.

    `labels` (int32, H×W) and `stats` are OpenCV's of the connected pieces of a mask, the paper's first;
    `edges` are those of its `Ink`.
    """
    height, width = labels.shape
    _, y, w, h, area = stats.T
    if min(height, width) <= settings.strip_height:
        return bool((w[1:] >= 0.5 * width).any())
    # The desk beside a sheet runs along the border.
    inside = labels[height // 10 : height - height // 10, width // 10 : width - width // 10]
    long = (w >= 0.5 * width) | (h >= 0.5 * height)
    # A rule in a poor light is broken, but no thicker.
    thickest = max(4, settings.thickness * max(height, width))
    broken = (w >= 6 * h) & (w >= 0.04 * width) & (area <= thickest * w)
    broken &= (y >= 0.05 * height) & (y + h <= 0.95 * height)
    long[0] = broken[0] = False

    def is_rule() -> bool:
        return bool(w[broken].sum() >= 0.5 * width or (long.any() and long[inside].any()))

    if not is_rule():
        return False
    if not edges.any():
        return True
    # Nor are the edges of a sheet rules.
    beside = cv2.resize(edges, labels.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    of_paper = np.bincount(labels[beside], minlength=len(stats)) > _OF_A_SHEET * area
    long &= ~of_paper
    broken &= ~of_paper
    return is_rule()


_OF_A_SHEET = 0.2
"""So much of a piece of ink lies beside the edge of a sheet if it is one; of rules next to nothing does."""


def lift_rules(
    mask: NDArray[np.uint8], contrast: NDArray[np.uint8], settings: RuleSettings = RuleSettings()
) -> NDArray[np.uint8]:
    """Return a mask (uint8, H×W, 0 or 1) without its rules; the mask itself where there are none.

    `contrast` is uint8, H×W, 0 paper … 255 full ink; `settings` are for strips, a page has its own.
    """
    height, width = mask.shape
    if min(height, width) > settings.strip_height:
        return lift_rulings(mask, contrast)
    return _lifted_off_strip(mask, settings)


def _lifted_off_strip(mask: NDArray[np.uint8], settings: RuleSettings) -> NDArray[np.uint8]:
    height, width = mask.shape
    if min(height, width) < CUT_TO_A_DIGIT and width < 2 * height:
        return mask  # its strokes span it
    # Longer than the base of a 2 that fills the picture, too.
    length = round(max(settings.length * width, 0.9 * min(height, width)))
    thickness = max(4, round(settings.thickness * max(height, width)))
    tall = standing(mask, thickness)
    lifted = mask
    # A slope of a few degrees breaks a line into steps of one pixel, which the dilation bridges.
    runs = level_runs(np.asarray(cv2.dilate(mask, np.ones((3, 1), np.uint8)), np.uint8), length)
    if runs.any():
        # A chain of digits that touch may hold a long run too, but most of it belongs to taller strokes.
        at = (runs & mask).view(np.bool_)
        count, labels = cv2.connectedComponents(runs)
        run, thin = labels[at], tall[at] == 0
        if width >= SLENDER * height:
            # What goes along a line of writing for most of its length may be as thick as the strokes.
            *_, stats, _ = cv2.connectedComponentsWithStats(runs)
            across = stats[:, cv2.CC_STAT_WIDTH] >= settings.long * width
            thick = max(thickness, round(settings.thick * height))
            thin |= across[run] & (standing(mask, thick)[at] == 0)
        whole = np.bincount(run, minlength=count)
        is_rule = np.bincount(run[thin], minlength=count) > 0.6 * whole
        thin &= is_rule[run]
        if thin.any():
            lifted = mask.copy()
            lifted[at] = ~thin
    # A slope that is nothing on a page breaks the rule of a strip to pieces; the search for sloping lines is
    # cheap here.
    gap = max(4, round(0.03 * width))
    # Even the steepest goes on level for so many pixels, and most of the writing nowhere does.
    steps = level_runs(lifted, int(1 / _STEEPEST))
    sloping = cv2.HoughLinesP(
        steps, 1, np.pi / 180, round(0.6 * length), minLineLength=length, maxLineGap=gap
    )
    for x1, y1, x2, y2 in [] if sloping is None else sloping.reshape(-1, 4)[:12].tolist():
        if abs(y2 - y1) > _STEEPEST * abs(x2 - x1):
            continue
        line = np.zeros_like(mask)
        slope = (y2 - y1) / (x2 - x1)
        ends = (0, round(y1 - slope * x1)), (width - 1, round(y1 + slope * (width - 1 - x1)))
        cv2.line(line, *ends, 1, thickness + 1)
        on = line & lifted
        if on.any(axis=0).mean() < settings.long:
            # It does not go on from side to side: what was found is all there is of it.
            on[:, : min(x1, x2)] = 0
            on[:, max(x1, x2) + 1 :] = 0
        thin = on & (1 - tall)
        if thin.sum() > 0.6 * on.sum():
            lifted = lifted & (1 - thin)
    return lifted


_STEEPEST = 0.2
"""Height by length of the steepest line that is taken for a rule."""


def lift_frame(mask: NDArray[np.uint8], settings: RuleSettings = RuleSettings()) -> NDArray[np.uint8]:
    """Return the mask of a picture of one box (uint8, H×W, 0 or 1) without what is in it of the box's frame.

    That are straight lines along the picture's border, from end to end of it. The bar of a digit that is cut
    to size may be one: a single line passes for a frame only where the rest keeps clear of both its ends.
    """
    height, width = mask.shape
    if not (
        min(height, width) >= 40 and max(height, width) <= min(settings.strip_height, 2 * min(mask.shape))
    ):
        return mask
    lifted = mask.copy()
    fullest, sides, clear = 0.0, 0, False
    for turns in range(4):
        from_side, rest = np.rot90(mask, turns), np.rot90(lifted, turns)
        filled = from_side[: max(2, round(0.1 * len(from_side)))].mean(axis=1)
        full = np.flatnonzero(filled >= 0.85)
        # A digit is round, or thin, at the corners of its box.
        if full.size and from_side[:2, :2].any() and from_side[:2, -2:].any():
            rest[: full[-1] + 1] = 0
            sides += 1
            fullest = max(fullest, float(filled.max()))
            clear = not rest[:, [0, -1]].any()
    if not sides or (sides == 1 and not (clear and fullest > 0.97)):
        return mask
    return lifted
