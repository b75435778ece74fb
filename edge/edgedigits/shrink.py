"""A picture made smaller: by a whole number if that will do, which costs a fraction of any other factor."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def shrunk(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return a picture (uint8, H×W or H×W×3) so many times smaller, averaged; the rest is cut off.

    `step` is ≥ 1, and no more than the picture's shorter side.
    """
    if step == 1:
        return image
    width, height = image.shape[1] // step, image.shape[0] // step
    whole = image[: height * step, : width * step]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def within_side(grey: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """Return a grey picture (uint8, H×W) in at most so many pixels a side, and the factor it was shrunk by.

    The factor is 1 where it is that small in any case, and else below 1.
    """
    scale = min(1.0, side / max(grey.shape))
    if scale == 1:
        return grey, 1.0
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8), scale
