"""Frames as a browser can show them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def jpeg(image: NDArray[np.uint8], longest_side: int, quality: int) -> bytes:
    """Return a picture (uint8, H×W grey or H×W×3 BGR) as a JPEG of at most so many pixels a side."""
    height, width = image.shape[:2]
    scale = longest_side / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError("a picture that can't be written as a JPEG")
    return bytes(data)
