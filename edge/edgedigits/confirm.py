"""A strip's reading confirmed digit by digit: where two networks agree, nothing has to be cut.

The glyph way earns its time where the two ways of reading differ, or one of them doubts. Of most lines the
strip network is sure, and tells where each digit stands: the glyph network, asked about what stands there,
either agrees, and the line is read, or it doesn't, and the line is cut and read glyph by glyph as well.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import RejectRule, combine_readings
from edgedigits.page import Box, Line


@dataclass(frozen=True)
class ConfirmSettings:
    """When a line is confirmed. Chosen on the tuning part of the cheque amounts, and ten views of it."""

    sure: float = 0.995
    """The line is that probable by both networks together. 0…1."""
    weight: float = 0.6
    """Exponent of each digit's probability beside that of the whole text: a cell shows neighbours, too, and
    a digit that is cut off there is nothing that the network has learnt."""
    least: float = 0.001
    """No digit is thought less probable. 0…1."""
    refused: float = 0.9
    """What the glyph network takes for no digit with more than this probability is a doubt: a letter, which
    the strip network knows nothing of. 0…1."""


_FEWEST = 2
"""A lone digit is cut out as quickly as it is asked about."""


def confirmed(
    line: Line,
    rows: NDArray[np.float32],
    columns: Mapping[str, int],
    rule: RejectRule,
    complete: float = 1.0,
    refused: Sequence[Box] = (),
    settings: ConfirmSettings = ConfirmSettings(),
) -> Line | None:
    """Return a line, read as a strip, as both networks hold it; None where they are not sure of it together.

    `rows` is what the glyph network says of each of the line's digits: float32, N×classes, calibrated, each
    row summing to 1; `columns` are the classes of digits, all others are none. `complete` (0…1) is how much
    the line is believed where the ink beside it is left unexplained. `refused` are pieces of ink that the
    glyph network, asked about them as they stand, takes for no digit: several digits that touch are none, but
    what is no more than one of the line's digits is a doubt.
    """
    text = line.readings[0][0]
    if len(text) < _FEWEST or len(text) != len(rows) or line.unsure:
        return None
    if any(_digits_in(box, line) <= 1 for box in refused):
        return None
    of_digits = rows[:, list(columns.values())]
    if (1.0 - of_digits.sum(axis=1)).max() > settings.refused:
        return None
    values = np.maximum(rows, settings.least).tolist()
    held = [
        (
            told,
            complete
            * math.prod(row[columns[digit]] for digit, row in zip(told, values, strict=True))
            ** settings.weight,
        )
        for told, _ in line.readings
        if len(told) == len(text)
    ]
    readings = combine_readings(held, line.readings)
    best, confidence = readings[0]
    if best != text or confidence < settings.sure:
        return None
    accepted = confidence >= rule.min_line_confidence
    return dataclasses.replace(line, confidence=confidence, accepted=accepted, readings=tuple(readings))


def _digits_in(box: Box, line: Line) -> int:
    """Return how many of a line's digits have their middles above, in or below a box."""
    left, _, width, _ = box
    return sum(left <= x + w / 2 <= left + width for x, _, w, _ in (digit.box for digit in line.digits))


def digit_columns(characters: Sequence[tuple[int, str]]) -> dict[str, int]:
    """Return the classes of characters, by what they are."""
    return {label: k for k, label in characters}
