"""`Reader`, the façade: a picture in, a `Page` of `Line`s of `Digit`s out."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import RejectRule, Separator, decode_digit, decode_line, is_character
from edgedigits.errors import PictureError
from edgedigits.glyphs import GlyphSettings, TextLine, find_lines
from edgedigits.hypotheses import Asked, LineHypotheses
from edgedigits.ink import InkSettings, find_ink
from edgedigits.lattice import best_readings
from edgedigits.model import Model
from edgedigits.normalize import normalize_all
from edgedigits.page import Box, Line, Page

DEFAULT_MODEL = "compact-int8"

_LEFT_OUT = 0.04
"""So much ink left out, in squared heights, takes a line's confidence to a third."""


class Reader:
    """Reads handwritten digits in pictures.

    `model` is the name of a shipped model or the path of a `.tflite` file made by `edgedigits-export`.
    `min_digit_confidence` and `min_line_confidence` (0…1) replace the thresholds of the model's card.
    `threads` is the number of CPU threads a call of the network may use, `delegate` what `Model` takes. A
    `Reader` serves one thread at a time; open one for each.

    Raises `ModelError` for a model that can't be used and `ValueError` for a threshold outside 0…1.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        min_digit_confidence: float | None = None,
        min_line_confidence: float | None = None,
        threads: int = 1,
        delegate: str | os.PathLike[str] | None = None,
        ink: InkSettings = InkSettings(),
        glyphs: GlyphSettings = GlyphSettings(),
    ) -> None:
        self.model = Model(model, threads=threads, delegate=delegate)
        card = self.model.card
        self.rule = RejectRule(
            min_digit_confidence=_in_range(min_digit_confidence, card.min_digit_confidence),
            min_line_confidence=_in_range(min_line_confidence, card.min_line_confidence),
        )
        self._ink, self._glyphs = ink, glyphs
        self._characters = [(k, label) for k, label in enumerate(card.labels) if is_character(label)]
        self._can_doubt = len(self._characters) < len(card.labels)

    def read(self, image: NDArray[np.uint8], size: tuple[int, int] | None = None) -> Page:
        """Read a picture.

        `image` is uint8, H×W grey or H×W×3 BGR, upright. Where it is a reduced copy of a larger picture,
        `size` is that picture's width and height in pixels, and the boxes are in its pixels.

        Raises `PictureError` for an array of another kind.

        >>> import numpy as np
        >>> blank = np.full((120, 200), 255, np.uint8)
        >>> Reader().read(blank).lines
        ()
        """
        started = time.perf_counter()
        _check_image(image)
        height, width = image.shape[:2]
        size = (width, height) if size is None else size
        ink = find_ink(image, self._ink)
        text_lines = find_lines(ink, self._glyphs)
        across = size[0] / ink.contrast.shape[1], size[1] / ink.contrast.shape[0]
        lines = [self._line(hypotheses, across, size) for hypotheses in self._hypotheses(text_lines)]
        return Page(
            tuple(line for line in lines if line is not None),
            size,
            (time.perf_counter() - started) * 1000,
        )

    def _hypotheses(self, text_lines: list[TextLine]) -> list[LineHypotheses]:
        """Ask the network twice: about every glyph as it is, then about the parts of those in doubt."""
        hypotheses = [LineHypotheses(line, self._characters, self._can_doubt) for line in text_lines]
        self._classify([part for each in hypotheses for part in each.glyphs()])
        self._classify([part for each in hypotheses for part in each.parts()])
        return hypotheses

    def _classify(self, asked: list[Asked]) -> None:
        if asked:
            rows = self.model.probabilities(normalize_all([part.ink for part in asked]))
            for part, row in zip(asked, rows, strict=True):
                part.probabilities = row

    def _line(
        self, hypotheses: LineHypotheses, across: tuple[float, float], size: tuple[int, int]
    ) -> Line | None:
        """Return the best reading of a line; None where nothing in it can be a glyph."""
        readings = best_readings(*hypotheses.lattice())
        best = next((reading for reading in readings if reading.text), None)
        if best is None:
            return None
        labels = self.model.card.labels
        digits, separators = [], []
        for arc in best.arcs:
            if arc.separator is None:
                probabilities = hypotheses.asked[arc.row].probabilities
                assert probabilities is not None
                digits.append(decode_digit(probabilities, labels, _scaled(arc.box, across, size), self.rule))
            elif arc.separator:
                separators.append(Separator(arc.separator, _scaled(arc.box, across, size)))
        for mark in hypotheses.line.marks:
            separators.append(Separator(mark.text, _scaled(mark.box, across, size)))
        # A reading that leaves ink unexplained is not trusted.
        complete = math.exp(-hypotheses.line.left_out / _LEFT_OUT)
        told = [(reading.text, reading.probability * complete) for reading in readings if reading.text]
        return decode_line(digits, separators, self.rule, told)


def _in_range(value: float | None, otherwise: float) -> float:
    if value is None:
        return otherwise
    if not 0 <= value <= 1:
        raise ValueError(f"a confidence lies in 0…1, not {value}")
    return value


def _check_image(image: Any) -> None:
    if not isinstance(image, np.ndarray):
        raise PictureError(f"a picture is a NumPy array, not {type(image).__name__}; read the file first")
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise PictureError(
            f"a picture is uint8 of shape H×W (grey) or H×W×3 (BGR), not {image.dtype} of shape "
            f"{'×'.join(map(str, image.shape))}; convert it first"
        )
    if not image.size:
        raise PictureError("the picture has no pixels; check where it came from")


def _scaled(box: Box, across: tuple[float, float], size: tuple[int, int]) -> Box:
    """Return a box of working pixels in pixels of the picture, at least 1×1 and inside it."""
    x, y, w, h = box
    left, top = int(x * across[0]), int(y * across[1])
    right = min(size[0], max(left + 1, round((x + w) * across[0])))
    bottom = min(size[1], max(top + 1, round((y + h) * across[1])))
    return left, top, right - left, bottom - top
