"""`Reader`, the façade: a picture in, a `Page` of `Line`s of `Digit`s out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the upright picture; x to the right, y down."""


@dataclass(frozen=True)
class Digit:
    """One glyph as it was read.

    `label` is a digit, or `?` for a rejected one, whose guess then stands first among the `alternatives`.
    `confidence` is the calibrated probability (0…1) of the best guess. `alternatives` are the next
    guesses with their probabilities, best first.
    """

    label: str
    confidence: float
    box: Box
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Line:
    """A line of text: `text` has digits and `?` only, `raw` also the separators.

    `confidence` is the probability (0…1) that the whole line is right; `accepted` says whether it reaches
    the threshold in force and no digit of the line was rejected.
    """

    text: str
    raw: str
    confidence: float
    accepted: bool
    box: Box
    digits: tuple[Digit, ...]


@dataclass(frozen=True)
class Page:
    """What one picture says: its lines in reading order.

    `size` is width and height of the upright picture in pixels, `elapsed_ms` the time from the picture in
    memory to the reading.
    """

    lines: tuple[Line, ...]
    size: tuple[int, int]
    elapsed_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return the page as the JSON object of the output contract, less `schema`, `source` and `page`."""
        raise NotImplementedError


class Reader:
    """Reads handwritten digits in pictures. `model` is the name of a shipped model or a `.tflite` file."""

    def __init__(self, model: str = "paper-int8") -> None:
        raise NotImplementedError

    def read(self, image: NDArray[np.uint8]) -> Page:
        """Read a picture: uint8, H×W grey or H×W×3 BGR, upright."""
        raise NotImplementedError
