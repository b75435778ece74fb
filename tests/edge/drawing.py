"""Pictures of digits for tests: in OpenCV's font, and of pictures of digits in a row."""

from __future__ import annotations

from collections.abc import Sequence

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


def printed(letter: str) -> NDArray[np.uint8]:
    """Return a character in print, as high as MNIST's digits: 28×28, ink bright on 0."""
    picture = np.zeros((28, 28), np.uint8)
    cv2.putText(picture, letter, (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2, cv2.LINE_AA)
    return picture


def in_a_row(pictures: Sequence[NDArray[np.uint8]], gap: int) -> NDArray[np.uint8]:
    """Return pictures (28×28, ink bright), `gap` pixels apart, on a strip of paper, three times as large."""
    inks = [picture[:, x : x + w] for picture in pictures for x, _, w, _ in [cv2.boundingRect(picture)]]
    paper = np.zeros((40, 20 + sum(ink.shape[1] + gap for ink in inks)), np.uint8)
    x = 10
    for ink in inks:
        place = paper[6:34, x : x + ink.shape[1]]
        np.maximum(place, ink, out=place)
        x += ink.shape[1] + gap
    large = cv2.resize(paper, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    return np.asarray(225 - 0.8 * large.astype(np.float32), np.float32).astype(np.uint8)
