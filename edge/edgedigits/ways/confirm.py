"""A strip's reading held against what the glyph network says: confirmed digit by digit, or doubted.

The glyph way earns its time where the two ways of reading differ, or one of them doubts. Of most lines the
strip network is sure, and tells where each digit stands: the glyph network, asked about what stands there,
either agrees, and the line is read, or it doesn't, and the line is cut and read glyph by glyph as well. What
stands apart it was shown already; of digits that touch, it is shown what the strip has between their borders.

What the strip network does not know is that something is no digit. It reads 12B4 as 1284; the glyph network,
which was shown letters, refuses the B as it stands.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import RejectRule, reject
from edgedigits.page import Box, Line, digit_height
from edgedigits.ways.combine import combine_readings, passed_over


class Seen(NamedTuple):
    """A glyph as it stands, and what the glyph network says of it."""

    box: Box
    row: NDArray[np.float32]
    """float32, the probability of each class, 0…1, summing to 1."""
    refused: float
    """The probability that it is no digit, 0…1."""


@dataclass(frozen=True)
class ConfirmSettings:
    """When a line is confirmed.

    Chosen on the tuning part of the cheque amounts and ten views of it, `weight` on that part as it is.
    """

    sure: float = 0.995
    """The line is that probable by both networks together. 0…1."""
    weight: float = 1.0
    """Exponent of each digit's probability beside that of the whole text. 0…10."""
    weight_of_cell: float = 0.6
    """The same of a digit that is cut out of the strip: its cell shows neighbours, too, and a digit that is
    cut off there is nothing that the network has learnt. 0…10."""
    least: float = 0.001
    """No digit is thought less probable. 0…1."""
    contrary: float = 0.95
    """What the glyph network says of a digit that is not the strip network's word, another digit or none, is
    heard from this probability on: it may be the fault of the digit's cell. 0…1."""
    refused: float = 0.8
    """A glyph as it stands that is no digit with more than this probability is a doubt. 0…1."""
    as_high: float = 0.6
    """A glyph that is refused as it stands is no piece of a digit, and no mark, from this part of the height
    of the line's digits on, 0…1."""
    as_tall: float = 0.75
    """Where the line says nothing of it, it is no comma either from this part. 0…1."""


_FEWEST = 2
"""A lone digit is cut out as quickly as it is asked about."""


def standing_alone(
    line: Line, glyphs: Sequence[Seen], settings: ConfirmSettings = ConfirmSettings()
) -> dict[int, int] | None:
    """Return which digits of a line are one glyph each, by place: the number of that glyph.

    None where the line, read as a strip, is not to be confirmed whatever is said of its digits. `glyphs` are
    those of the line, in the same pixels: one that the network refuses as it stands is a doubt, and so is one
    of which the line says nothing.
    """
    text = line.readings[0][0]
    if len(text) < _FEWEST or len(text) != len(line.digits) or line.unsure:
        return None
    found: dict[int, list[int]] = {}
    for number, covered in _covered(line, glyphs, settings):
        # Several digits that touch are no digit either, and no doubt.
        if not covered or (len(covered) == 1 and glyphs[number].refused > 0.5):
            return None
        if len(covered) == 1:
            found.setdefault(covered[0], []).append(number)
    return {place: numbers[0] for place, numbers in found.items() if len(numbers) == 1}


def confirmed(
    line: Line,
    rows: NDArray[np.float32],
    alone: Container[int],
    columns: Mapping[str, int],
    rule: RejectRule,
    settings: ConfirmSettings = ConfirmSettings(),
) -> Line | None:
    """Return a line, read as a strip, as both networks hold it; None where they are not sure of it together.

    The line is one of which `standing_alone` tells the places `alone`. `rows` is what the glyph network says
    of each of its digits, float32, N×classes, calibrated, each row summing to 1: at these places of the glyph
    as it stands, elsewhere of the strip's cell. `columns` are the classes of digits, all others are none.
    `rule` says whether the line is accepted.
    """
    text = line.readings[0][0]
    of_digits = rows[:, list(columns.values())]
    if (1.0 - of_digits.sum(axis=1)).max() > settings.contrary:
        return None
    # What the glyph network is sure of itself is heard, too, whether the strip network lists it or not.
    labels = list(columns)
    own = "".join(
        labels[int(row.argmax())] if row.max() > settings.contrary else digit
        for row, digit in zip(of_digits, text, strict=True)
    )
    values = np.maximum(of_digits, settings.least).tolist()
    places = {label: k for k, label in enumerate(labels)}
    held = []
    weights = [settings.weight if k in alone else settings.weight_of_cell for k in range(len(text))]
    for told in dict.fromkeys([*(told for told, _ in line.readings), own]):
        if len(told) == len(text):
            each = (row[places[digit]] for digit, row in zip(told, values, strict=True))
            held.append((told, math.prod(map(pow, each, weights))))
    readings = combine_readings(held, line.readings)
    best, confidence = readings[0]
    if best != text or confidence < settings.sure:
        return None
    accepted = confidence >= rule.min_line_confidence
    return dataclasses.replace(line, confidence=confidence, accepted=accepted, readings=tuple(readings))


def doubted(line: Line, glyphs: Sequence[Seen], settings: ConfirmSettings = ConfirmSettings()) -> Line:
    """Return a line, read as a strip, with its digits rejected that the glyph network refuses as they stand.

    `glyphs` are those of the line, in the same pixels. The line is no surer than that the glyph is a digit
    after all. Where one stands between two digits, and the line says nothing of it, it is not accepted.
    """
    between, tall = _between(line), settings.as_tall * digit_height(line)
    for number, places in _covered(line, glyphs, settings):
        (left, _, width, height), refused = glyphs[number].box, glyphs[number].refused
        if refused <= settings.refused:
            continue
        if len(places) == 1:
            line = reject(line, places[0], 1.0 - refused)
        elif not places and height >= tall and between[0] < left + width / 2 < between[1]:
            line = passed_over(line)
    return line


def _between(line: Line) -> tuple[float, float]:
    """Return the middles of a line's first and last digits, along it."""
    first, last = line.digits[0].box, line.digits[-1].box
    return first[0] + first[2] / 2, last[0] + last[2] / 2


def _covered(
    line: Line, glyphs: Sequence[Seen], settings: ConfirmSettings
) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of each glyph as high as a line's digits, and the places it covers."""
    tall = settings.as_high * digit_height(line)
    middles = [digit.box[0] + digit.box[2] / 2 for digit in line.digits]
    for number, glyph in enumerate(glyphs):
        left, _, width, height = glyph.box
        if height >= tall:
            yield number, [k for k, middle in enumerate(middles) if left <= middle <= left + width]
