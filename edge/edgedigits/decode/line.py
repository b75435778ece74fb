"""Glyphs and their probabilities → the reading of a line; the reject rule.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs import box_around
from edgedigits.page import REJECTED, Box, Digit, Line, Reason, refuse


@dataclass(frozen=True)
class RejectRule:
    """What is not trusted, and how much of the doubt is told. Probabilities are calibrated, 0…1."""

    min_digit_confidence: float
    """A digit whose best guess is below this is rejected."""
    min_line_confidence: float
    """A line whose probability of being right as a whole is below this is not accepted."""
    alternatives: int = 3
    """So many further guesses are told with each digit …"""
    least_alternative: float = 0.001
    """… of those that are at least this probable."""


@dataclass(frozen=True)
class Separator:
    """A mark between digits, its text and its box in pixels."""

    text: str
    box: Box


def is_character(label: str) -> bool:
    """Return whether a class is text; the class "not a digit" has a longer name and is none."""
    return len(label) == 1


def decode_digit(
    probabilities: NDArray[np.floating],
    labels: Sequence[str],
    box: Box,
    rule: RejectRule,
    drawn: bool = False,
) -> Digit:
    """Read one glyph.

    `probabilities`: calibrated, one per label, summing to 1. Ties go to the label that stands first. A
    glyph is rejected when no character reaches the rule's threshold, when the class "not a digit" is the
    most probable or when it is known to be `drawn` and not written; its best guess then leads the
    alternatives.
    """
    values = probabilities.tolist()
    order = sorted(range(len(values)), key=values.__getitem__, reverse=True)
    ranked = [(labels[k], values[k]) for k in order if is_character(labels[k])]
    label, confidence = ranked[0]
    further = [guess for guess in ranked[1 : rule.alternatives + 1] if guess[1] >= rule.least_alternative]
    refused = not is_character(labels[order[0]])
    if refused or drawn or confidence < rule.min_digit_confidence:
        return Digit(REJECTED, confidence, box, ((label, confidence), *further[: rule.alternatives - 1]))
    return Digit(label, confidence, box, tuple(further))


def decode_line(
    digits: Sequence[Digit],
    separators: Sequence[Separator],
    rule: RejectRule,
    readings: Sequence[tuple[str, float]] = (),
    complete: float = 1.0,
) -> Line:
    """Put the digits of a line together, in their order, with the separators where they stand.

    `digits` are in the order in which they are read. The line's confidence is the product of its digits', the
    probability that all are right, were they independent, or the share of the best of `readings` (texts with
    their probabilities, best first) in all of them, where that is lower: the line could be cut otherwise.
    What they sum to, where that is less than 1, says how much all of them are believed, and `complete` (0…1),
    how much a reading is that leaves ink unexplained: the confidence is multiplied by both.

    Raises `ValueError` for a line without digits.
    """
    if not digits:
        raise ValueError("a line has at least one digit")
    text = "".join(digit.label for digit in digits)
    confidence = math.prod(digit.confidence for digit in digits)
    if readings:
        believed = min(1.0, math.fsum(probability for _, probability in readings))
        confidence = min(confidence * believed, readings[0][1])
    confidence *= complete
    told = [(text, probability * complete) for text, probability in readings]
    return Line(
        text=text,
        raw=_with_separators(digits, separators),
        confidence=confidence,
        accepted=confidence >= rule.min_line_confidence and not any(digit.rejected for digit in digits),
        box=box_around([digit.box for digit in digits]),
        digits=tuple(digits),
        readings=tuple(told) or ((text, confidence),),
    )


def _with_separators(digits: Sequence[Digit], separators: Sequence[Separator]) -> str:
    """Return the labels of digits, which stay in their order, each behind the separators to its left."""
    # Where digits overlap, the middles of their boxes need not be in the order in which they are read.
    marks = sorted(separators, key=lambda mark: _middle(mark.box))
    signs: list[str] = []
    told = 0
    for digit in digits:
        while told < len(marks) and _middle(marks[told].box) < _middle(digit.box):
            signs.append(marks[told].text)
            told += 1
        signs.append(digit.label)
    return "".join([*signs, *(mark.text for mark in marks[told:])])


_ONCE = ({"-", "="}, {"$"})
"""One of each of these is told at either end of a line."""


def with_signs(line: Line, signs: Sequence[Separator]) -> Line:
    """Return a line with signs in its `raw` that were seen beside its digits.

    Between two digits they replace what stands there. Before the first digit and behind the last a dash is
    told that the line doesn't have, and a dollar: a strip ends close to the digits. Specks are common there.
    """
    if not signs:
        return line
    gaps = [""]
    for character in line.raw:
        if character in line.text:
            gaps.append("")
        else:
            gaps[-1] += character
    middles = [_middle(digit.box) for digit in line.digits]
    last = len(gaps) - 1
    for sign in signs:
        place = sum(middle < _middle(sign.box) for middle in middles)
        if 0 < place < last:
            gaps[place] = sign.text
        elif any(not {*gaps[place]} & once for once in _ONCE if sign.text in once):
            gaps[place] = sign.text + gaps[place] if place == 0 else gaps[place] + sign.text
    raw = "".join(gap + label for gap, label in zip(gaps, [*line.text, ""], strict=True))
    return dataclasses.replace(line, raw=raw)


def _middle(box: Box) -> float:
    return box[0] + box[2] / 2


def with_digits(line: Line, digits: Sequence[Digit]) -> Line:
    """Return a line with as many digits in place of its own."""
    told = iter(digit.label for digit in digits)
    # What stands in `raw` and not in `text` is a separator.
    raw = "".join(next(told) if sign in line.text else sign for sign in line.raw)
    text = "".join(digit.label for digit in digits)
    return dataclasses.replace(line, text=text, raw=raw, digits=tuple(digits))


def reject(line: Line, place: int, confidence: float) -> Line:
    """Return a line whose digit at a place (from 0) can't be read: both are no surer than `confidence`, 0…1.

    The line is not accepted.
    """
    digit = line.digits[place]
    guesses = digit.alternatives
    if not digit.rejected:
        guesses = ((digit.label, digit.confidence), *guesses[:2])
    confidence = min(confidence, digit.confidence)
    guesses = tuple((label, min(value, confidence)) for label, value in guesses)
    digits = list(line.digits)
    digits[place] = Digit(REJECTED, confidence, digit.box, guesses)
    line = with_digits(line, digits)
    return dataclasses.replace(line, confidence=min(line.confidence, confidence), accepted=False)


def best_guess(digit: Digit) -> str:
    """Return what a digit is taken for, rejected or not."""
    return digit.alternatives[0][0] if digit.rejected and digit.alternatives else digit.label


def digit_at(place: int, box: Box, readings: Sequence[tuple[str, float]], rule: RejectRule) -> Digit:
    """Return the best reading's digit at a place (from 0), rejected where it is too doubtful.

    `readings` are texts with their probabilities (0…1), best first. A digit is as probable as the readings
    of that length that have it there; the alternatives are what the others have. `box` is the digit's.
    """
    length = len(readings[0][0])
    shares: dict[str, float] = {}
    for text, probability in readings:
        if len(text) == length:
            shares[text[place]] = shares.get(text[place], 0.0) + probability
    label = readings[0][0][place]
    confidence = min(1.0, shares.pop(label))
    others = sorted(shares.items(), key=lambda item: -item[1])
    further = [guess for guess in others[: rule.alternatives] if guess[1] >= rule.least_alternative]
    if confidence < rule.min_digit_confidence:
        return Digit(REJECTED, confidence, box, ((label, confidence), *further[: rule.alternatives - 1]))
    return Digit(label, confidence, box, tuple(further))


def as_read(digit: Digit, place: int, readings: Sequence[tuple[str, float]], rule: RejectRule) -> Digit:
    """Return the digit at a place (from 0) as the best of `readings` has it.

    The network's best guess of a glyph need not be what the line's best reading says there: texts that can be
    cut in several ways count as the sum of these. A line is to say one thing, so the reading decides; but
    what the network refused stays refused.
    """
    said = readings[0][0][place]
    if said == best_guess(digit) or (said == REJECTED and digit.rejected):
        return digit
    if said == REJECTED:
        guesses = ((digit.label, digit.confidence), *digit.alternatives[: rule.alternatives - 1])
        return Digit(REJECTED, digit.confidence, digit.box, guesses)
    decided = digit_at(place, digit.box, readings, rule)
    if not digit.rejected or decided.rejected:
        return decided
    guesses = ((decided.label, decided.confidence), *decided.alternatives[: rule.alternatives - 1])
    return Digit(REJECTED, decided.confidence, decided.box, guesses)


_PIECES = 4
_PIECE_SHARE = 0.03
_APART_SHARE = 0.25
_ENCLOSED_SHARE = 0.1
_LEGIBLE = 64


def is_drawing(ink: NDArray[np.uint8]) -> bool:
    """Return whether a glyph is in too many pieces for a digit: a face is a 0 with eyes, nose and mouth.

    `ink` is uint8, H×W, 0 paper. A digit is one stroke or two, and what a poor pen or the paper's pattern
    parts from it is little; in a drawing four pieces or more hold 3 % of the ink each, and a quarter of it
    lies outside the largest. Nor is a ring with a tenth of the ink inside it, not joined to it, as is the
    face of a clock. Less than 64 pixels high that is not to be told.
    """
    if ink.shape[0] < _LEGIBLE:
        return False
    mask = ink > 0
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    if count > 2 and _enclosed(mask) >= _ENCLOSED_SHARE * np.count_nonzero(mask):
        return True
    if count <= _PIECES:
        return False
    areas = stats[1:, cv2.CC_STAT_AREA]
    whole = int(areas.sum())
    return (
        int(np.count_nonzero(areas >= _PIECE_SHARE * whole)) >= _PIECES
        and whole - int(areas.max()) >= _APART_SHARE * whole
    )


def _enclosed(mask: NDArray[np.bool_]) -> int:
    """Return how many pixels of ink its largest piece encloses that are not its own."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    around = np.pad((labels == largest).view(np.uint8), 1)
    cv2.floodFill(around, None, (0, 0), 2)
    return int(np.count_nonzero((around[1:-1, 1:-1] == 0) & mask))


def with_odds(line: Line, odds: float, rule: RejectRule, reason: Reason) -> Line:
    """Return a line whose odds of being right are multiplied by `odds` (0…1), for a reason."""
    right = line.confidence * odds
    confidence = right / (right + (1.0 - line.confidence)) if line.confidence < 1 else 1.0
    return if_sure(dataclasses.replace(line, confidence=confidence), rule, reason)


def if_sure(line: Line, rule: RejectRule, reason: Reason) -> Line:
    """Return a line that became less sure for a reason: accepted where it was, if it is sure enough still."""
    return refuse(line, reason) if line.accepted and line.confidence < rule.min_line_confidence else line


_TURNED = 1e-4


def refuse_turned(lines: Sequence[Line], degrees: int, rule: RejectRule) -> tuple[Line, ...]:
    """Return lines of a paper that seems to lie turned by so many degrees clockwise: none is accepted."""
    return tuple(
        refuse(dataclasses.replace(with_odds(line, _TURNED, rule, "turned"), turned=degrees), "turned")
        for line in lines
    )
