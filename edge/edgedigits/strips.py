"""A strip of paper with a line of writing → the picture the strip network takes.

The strip is scaled to a height of 40 pixels, its greys are stretched so that the paper is 0 and the darkest
ink 255, and that is all: pattern, rules and shadows are left in, for the network has learnt to overlook
them. Training composes its strips and passes them through the same function.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT = 40
"""Height of the strip the network takes, in pixels."""
WINDOW = 192
"""Width that the network takes at once, in pixels; longer strips are read in windows that overlap."""
STEP = 2
"""Pixels from one of the network's answers to the next."""
SEEN = 32
"""Pixels to either side on which an answer may depend, at most; a multiple of `STEP`."""
FAINTEST = 24.0
"""Grey levels between paper and darkest ink below which the stretch grows no further: noise is not ink."""

_LEVELS = np.arange(256)
_SHARES = np.array([0.01, 0.7], np.float32)
"""The darkest ink is darker than all but so much of the strip, its paper brighter than so much."""


def prepare(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a strip as the network takes it: uint8, 40×W, dark ink bright on paper of 0.

    `grey` is uint8, H×W, dark ink on light paper, H and W ≥ 1; its proportions are kept.
    """
    height, width = grey.shape
    size = (max(1, round(width * HEIGHT / height)), HEIGHT)
    # Area resampling averages when shrinking; when enlarging, OpenCV's area mode would give blocks.
    mode = cv2.INTER_AREA if height > HEIGHT else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(grey, size, interpolation=mode), np.uint8) if height != HEIGHT else grey
    return stretch(scaled)


def stretch(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the greys stretched from paper → 0 to the darkest ink → 255; uint8, H×W, both."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().cumsum()
    dark, light = counts.searchsorted(counts[-1] * _SHARES).tolist()
    levels = (light - _LEVELS) * (255.0 / max(light - dark, FAINTEST))
    table = np.minimum(np.maximum(np.rint(levels), 0), 255).astype(np.uint8)
    return np.asarray(cv2.LUT(grey, table), np.uint8)
