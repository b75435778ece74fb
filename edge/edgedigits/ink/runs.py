"""Straight runs: of ink along the rows and columns of a mask, and of flags."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def standing(mask: NDArray[np.uint8], least: int) -> NDArray[np.uint8]:
    """Return the pixels of a mask (uint8, H×W, 0 or 1) that lie in upright runs of `least` pixels or more."""
    upright = np.ones((least, 1), np.uint8)
    # Beyond the border there is paper, or every rule along it would stand.
    border = cv2.BORDER_CONSTANT
    return np.asarray(
        cv2.morphologyEx(mask, cv2.MORPH_OPEN, upright, borderType=border, borderValue=0), np.uint8
    )


def level_runs(mask: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """Return the pixels of a mask (uint8, H×W, 0 or 1) that lie in level runs of `length` pixels or more.

    An opening by a line. Runs are doubled up to the length, so that a long one costs little more than a short
    one; OpenCV's opening costs as much as the line is long.
    """
    runs = np.zeros_like(mask)
    if length > mask.shape[1]:
        return runs
    steps = []
    starts, reach = mask, 1
    while reach < length:
        steps.append(min(reach, length - reach))
        starts = starts[:, steps[-1] :] & starts[:, : -steps[-1]]
        reach += steps[-1]
    if starts.any():
        runs[:, : starts.shape[1]] = starts
        for step in steps:
            runs[:, step:] |= runs[:, :-step]
    return runs


def bridged(mask: NDArray[np.uint8], gap: int) -> NDArray[np.uint8]:
    """Return a mask (uint8, H×W, 0 or 1) with level gaps between ink filled that are shorter than `gap` ≥ 1.

    A closing by a line, paper beyond the border.
    """
    paper = cv2.copyMakeBorder(1 - mask, 0, 0, gap, gap, cv2.BORDER_CONSTANT, value=1)
    return np.ascontiguousarray(1 - level_runs(np.asarray(paper, np.uint8), gap)[:, gap:-gap])


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Return how many of the flags (bool, N) are True one after the other, at most."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((ends[1::2] - ends[::2]).max(initial=0))
