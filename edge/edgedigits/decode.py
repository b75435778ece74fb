"""Glyphs and their probabilities → the reading of a line; the reject rule.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.page import REJECTED, Box, Digit, Line


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
    probabilities: NDArray[np.floating], labels: Sequence[str], box: Box, rule: RejectRule
) -> Digit:
    """Read one glyph.

    `probabilities`: calibrated, one per label, summing to 1. Ties go to the label that stands first. A
    glyph is rejected when no character reaches the rule's threshold or when the class "not a digit" is the
    most probable; its best guess then leads the alternatives.
    """
    ranked = [
        (labels[k], float(probabilities[k]))
        for k in np.argsort(-probabilities, kind="stable")
        if is_character(labels[k])
    ]
    label, confidence = ranked[0]
    further = [guess for guess in ranked[1 : rule.alternatives + 1] if guess[1] >= rule.least_alternative]
    refused = not is_character(labels[int(np.argmax(probabilities))])
    if refused or confidence < rule.min_digit_confidence:
        return Digit(REJECTED, confidence, box, ((label, confidence), *further[: rule.alternatives - 1]))
    return Digit(label, confidence, box, tuple(further))


def decode_line(
    digits: Sequence[Digit],
    separators: Sequence[Separator],
    rule: RejectRule,
    readings: Sequence[tuple[str, float]] = (),
) -> Line:
    """Put the digits of a line together, from left to right, with the separators where they stand.

    The line's confidence is the product of its digits', the probability that all are right, were they
    independent; it is no more than the best reading's probability among all `readings` (texts with their
    probabilities, best first), where another way to cut the line is nearly as good.

    Raises `ValueError` for a line without digits.
    """
    if not digits:
        raise ValueError("a line has at least one digit")
    pieces = [(digit.box, digit.label) for digit in digits] + [(mark.box, mark.text) for mark in separators]
    pieces.sort(key=lambda piece: piece[0][0] + piece[0][2] / 2)
    text = "".join(digit.label for digit in digits)
    confidence = float(np.prod([digit.confidence for digit in digits]))
    if readings:
        confidence = min(confidence, readings[0][1])
    return Line(
        text=text,
        raw="".join(text for _, text in pieces),
        confidence=confidence,
        accepted=confidence >= rule.min_line_confidence and not any(digit.rejected for digit in digits),
        box=_around([digit.box for digit in digits]),
        digits=tuple(digits),
        readings=tuple(readings) or ((text, confidence),),
    )


def _around(boxes: Sequence[Box]) -> Box:
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    right, bottom = max(b[0] + b[2] for b in boxes), max(b[1] + b[3] for b in boxes)
    return left, top, right - left, bottom - top
