"""Pictures of forms: the fields with their names, or with what was read in them.

The colours are those of `annotate`: blue for what is well, orange and dashed for what is doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.forms.reading import FormReading

_BLUE = (178, 114, 0)  # BGR
_ORANGE = (0, 159, 230)
_GREY = (150, 150, 150)
_WHITE = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Outline:
    """A field to draw: its corners in pixels (from top left clockwise), a text, and whether it is well.

    `good` is None for a field of which there is nothing to say.
    """

    corners: tuple[tuple[int, int], ...]
    text: str
    good: bool | None = True


def draw_outlines(image: NDArray[np.uint8], outlines: Sequence[Outline]) -> NDArray[np.uint8]:
    """Return a BGR copy of a picture (uint8, H×W or H×W×3) with fields drawn into it."""
    colour_image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
    canvas = np.array(colour_image, np.uint8)
    stroke = max(1, round(max(canvas.shape) / 900))
    for outline in outlines:
        colour = {True: _BLUE, False: _ORANGE, None: _GREY}[outline.good]
        points = np.array(outline.corners, np.int32)
        cv2.polylines(canvas, [points], True, _WHITE, stroke + 2, cv2.LINE_AA)
        cv2.polylines(canvas, [points], True, colour, stroke, cv2.LINE_AA)
    for outline in outlines:
        if outline.text:
            _label(canvas, outline, {True: _BLUE, False: _ORANGE, None: _GREY}[outline.good])
    return canvas


def draw_reading(image: NDArray[np.uint8], reading: FormReading) -> NDArray[np.uint8]:
    """Return a BGR copy of a picture with the page, its fields and their values drawn into it.

    `image` may be a reduced copy of the picture that was read.
    """
    across = image.shape[1] / reading.size[0]

    def scaled(corners: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((round(x * across), round(y * across)) for x, y in corners)

    outlines = [Outline(scaled(reading.corners), "", None)]
    for field in reading.fields:
        blank = field.value is None and field.error is None
        text = "" if blank else field.value if field.value is not None else f"{field.raw.strip()} ?"
        outlines.append(Outline(scaled(field.corners), text, None if blank else field.error is None))
    return draw_outlines(image, outlines)


def _label(canvas: NDArray[np.uint8], outline: Outline, colour: tuple[int, int, int]) -> None:
    """Write a text small at the top left of a field, inside if it would leave the picture."""
    points = np.array(outline.corners)
    wide, high = np.ptp(points[:, 0]), np.ptp(points[:, 1])
    text = outline.text.encode("ascii", "replace").decode()  # the stroke font has no other letters
    height = float(np.clip(0.22 * high, 9, 0.03 * max(canvas.shape)))
    scale = height / cv2.getTextSize("0", _FONT, 1.0, 1)[0][1]
    (w, h), _ = cv2.getTextSize(text, _FONT, scale, 1)
    if w > max(wide, 30):
        scale *= max(0.5, max(wide, 30) / w)
        (w, h), _ = cv2.getTextSize(text, _FONT, scale, 1)
    # Across the upper line, where it hides least.
    x, y = int(points[:, 0].min()) + 1, int(points[:, 1].min()) - h // 2 - 2
    x = int(np.clip(x, 0, max(0, canvas.shape[1] - w - 4)))
    y = int(np.clip(y, 0, max(0, canvas.shape[0] - h - 4)))
    cv2.rectangle(canvas, (x, y), (x + w + 3, y + h + 3), colour, cv2.FILLED)
    weight = max(1, round(height / 14))
    cv2.putText(canvas, text, (x + 2, y + h + 1), _FONT, scale, _WHITE, weight, cv2.LINE_AA)
