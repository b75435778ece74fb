"""Pictures of digits for tests, drawn with OpenCV's stroke font."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def paper(height: int = 240, width: int = 640, level: int = 225) -> NDArray[np.uint8]:
    """Return an empty sheet, H×W×3."""
    return np.full((height, width, 3), level, np.uint8)


def write(
    image: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    size: float = 1.5,
    ink: tuple[int, int, int] = (40, 30, 30),
    thickness: int = 3,
    spacing: int = 14,
) -> NDArray[np.uint8]:
    """Write `text` character by character, baseline and left end at `at` (x, y), well spaced."""
    x, y = at
    for character in text:
        (width, _), _ = cv2.getTextSize(character, cv2.FONT_HERSHEY_SIMPLEX, size, thickness)
        cv2.putText(image, character, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, thickness, cv2.LINE_AA)
        x += width + spacing
    return image
