"""A picture made smaller by a whole number: any other factor costs several times as much."""

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
