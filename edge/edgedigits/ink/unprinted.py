"""A picture's ink without what was printed: frames, boxes, combs, rules and rulings are lifted off."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.ink.boxes import BoxSettings, lift_boxes
from edgedigits.ink.finding import SLENDER, Ink
from edgedigits.ink.outlines import lift_outlines
from edgedigits.ink.rests import without_rests
from edgedigits.ink.rules import RuleSettings, lift_frame, lift_rules, may_be_ruled
from edgedigits.ink.rulings import RulingSettings, lift_bold

Pieces = tuple[int, NDArray[np.int32], NDArray[np.int32]]
"""The number of labels, the label of each pixel (0 paper) and OpenCV's statistics by label."""


def pieces_of(mask: NDArray[np.uint8]) -> Pieces:
    """Return the connected pieces of a mask: uint8, H×W, 0 or 1."""
    # Grana's algorithm: the statistics cost three times as much with OpenCV's default, Bolelli's.
    count, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask, 8, cv2.CV_32S, cv2.CCL_GRANA
    )
    return count, np.asarray(labels, np.int32), np.asarray(stats, np.int32)


def without_print(ink: Ink) -> tuple[Ink, NDArray[np.uint8], NDArray[np.uint8] | None, Pieces]:
    """Return ink that knows what was lifted off as print, its mask without that, and its connected pieces.

    Third is what was lifted off as boxes and rules: uint8, H×W, 0 or 1, None for nothing.
    """
    boxes = BoxSettings(strip_height=ink.strip_height)
    rules = RuleSettings(strip_height=ink.strip_height)
    mask = lift_frame(ink.mask)
    pieces = pieces_of(mask)
    free = mask
    if min(mask.shape) > ink.strip_height:
        free = lift_outlines(mask, *pieces[1:])
        if free is not mask:
            pieces = pieces_of(free)
    lifted = lift_boxes(free, ink.contrast, *pieces[1:], boxes)
    printed = mask - lifted
    if lifted is not free:
        pieces = pieces_of(lifted)
    if may_be_ruled(*pieces[1:], ink.edges, rules):
        page = min(mask.shape) > ink.strip_height
        before, lifted = lifted, lift_rules(lifted, ink.contrast, rules)
        if page and lifted is not before:
            # The strip network has learnt to read on a rule; but not on a sheet full of them.
            printed = mask - lifted
        # Bold lines lie far apart: the strip network may see one.
        if page or mask.shape[1] < SLENDER * len(mask):
            lifted = lift_bold(lifted, ink.contrast, RulingSettings() if page else _OF_A_STRIP)
        if lifted is not before:
            pieces = pieces_of(lifted)
        if page:
            # A table whose lines are too bold for rulings is a frame of boxes, however large.
            before = lifted
            tables = dataclasses.replace(boxes, largest=1.0)
            lifted = lift_boxes(lifted, ink.contrast, *pieces[1:], tables)
            if lifted is not before:
                pieces = pieces_of(lifted)
            before = lifted
            if lifted is not mask:
                lifted = without_rests(mask - lifted, lifted, *pieces[1:])
            if lifted is not before:
                pieces = pieces_of(lifted)
    if printed.any():
        ink = dataclasses.replace(ink, printed=printed)
    return ink, lifted, None if lifted is mask else mask - lifted, pieces


_OF_A_STRIP = RulingSettings(alone_bold=RulingSettings.alone)
"""What is shorter in a strip may be the bar that strikes its number out."""
