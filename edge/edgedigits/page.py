"""What one picture says: `Page`, `Line` and `Digit`, the results of reading, placed in any view of it."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of the upright picture; x to the right, y down."""

REJECTED = "?"
"""The label of a digit that can't be read."""


@dataclass(frozen=True)
class Digit:
    """One glyph as it was read.

    `label` is a digit, or `?` for a rejected one, whose guess then stands first among the `alternatives`.
    `confidence` is the probability (0…1) of the best guess, whatever the line's other digits are. Of a glyph
    read by itself it is the network's, calibrated. Of a line of n digits read as a strip it is the share that
    has it there of the readings of n digits, times the n-th root of what is believed of all these.
    `alternatives` are the next guesses with their probabilities, best first. The best guess is that of the
    line's best reading: others may be more probable by themselves.
    """

    label: str
    confidence: float
    box: Box
    alternatives: tuple[tuple[str, float], ...] = ()

    @property
    def rejected(self) -> bool:
        """Whether the digit can't be read."""
        return self.label == REJECTED


Reason = Literal[
    "struck-out",
    "ruled-through",
    "drawn-over",
    "stroke-lost",
    "cut-off",
    "too-much",
    "hidden",
    "glare",
    "turned",
    "passed-over",
    "sign",
    "digit",
    "doubtful",
    "surroundings",
    "edge",
    "crossed",
    "confidence",
]
"""Why a line is not accepted."""
REASONS: dict[Reason, str] = {
    "struck-out": "struck out",
    "ruled-through": "a bold line goes through it",
    "drawn-over": "something drawn, or lying there, goes through it or touches it",
    "stroke-lost": "strokes at its end went with a printed line",
    "cut-off": "the picture ends in it",
    "too-much": "there is more ink than is looked at",
    "hidden": "it may go on under something that lies there",
    "glare": "light may wash out a part of it",
    "turned": "upside down or on its side",
    "passed-over": "something in it was not read",
    "sign": "a bracket, a plus or what may be a slash among its digits",
    "digit": "a digit can't be read",
    "doubtful": "a digit is doubtful in one of two ways of reading",
    "surroundings": "it stands among what is no digit",
    "edge": "an edge between light and dark",
    "crossed": "a dark line goes through it",
    "confidence": "not sure enough",
}
"""What each says to a person; the gravest come first."""


@dataclass(frozen=True)
class Line:
    """A line of text: `text` has digits and `?` only, `raw` also the separators.

    `confidence` is the probability (0…1) that the whole line is right, considering what stands around it, and
    the same at any threshold for lines unless `turned` is not 0; it is 0 where strokes of the number may be
    gone, or it is struck out. `accepted` says whether it reaches the threshold in force, no digit of the line
    was rejected and, where it was read in two ways, none is `doubtful`; if not, `reasons` say why.
    """

    text: str
    raw: str
    confidence: float
    accepted: bool
    box: Box
    digits: tuple[Digit, ...]
    readings: tuple[tuple[str, float], ...] = ()
    """The n best readings with their probabilities (0…1), best first, before any digit was rejected.

    Where two ways of reading have both second what is then the best, and neither has digits in as many
    places, the first is the best of those that one of them has digits for.
    """
    turned: int = 0
    """By how many degrees clockwise the paper seems to lie turned, 0, 90, 180 or 270. Where it is not 0, the
    line reads as well or better the other way up, and is not accepted. It is looked into only where a line of
    the picture would be accepted: of one that holds none it is 0."""
    doubtful: tuple[int, ...] = ()
    """Places, from 0, of digits that may be likely by themselves, but for which the readings of the line as a
    strip that have them there sum to less than the threshold for digits: it says some other line as well, or
    none. What only another way of reading confirms then is not accepted."""
    reasons: tuple[Reason, ...] = ()
    """Why the line is not accepted, the gravest first (see `REASONS`); none where it is. `confidence` stands
    there where nothing else does."""

    @property
    def unsure(self) -> frozenset[int]:
        """Places, from 0, of the digits that are rejected or doubtful."""
        rejected = (place for place, digit in enumerate(self.digits) if digit.rejected)
        return frozenset([*self.doubtful, *rejected])


@dataclass(frozen=True)
class Page:
    """What one picture says: its lines in reading order.

    `size` is width and height of the upright picture in pixels, `elapsed_ms` the time from the picture in
    memory to the reading in milliseconds.
    """

    lines: tuple[Line, ...]
    size: tuple[int, int]
    elapsed_ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return the page as the JSON object of the output contract, less `schema`, `source` and `page`.

        Probabilities are rounded to four digits, milliseconds to three.
        """
        return {
            "size": list(self.size),
            "lines": [_line_as_dict(line) for line in self.lines],
            "elapsed_ms": round(self.elapsed_ms, 3),
        }


def scaled(box: Box, across: tuple[float, float], size: tuple[int, int]) -> Box:
    """Return a box in pixels of another view of its picture, at least 1×1 and inside it.

    `across` are that view's pixels per pixel of the box (x, y), `size` is its width and height.
    """
    x, y, w, h = box
    left, top = int(x * across[0]), int(y * across[1])
    right = min(size[0], max(left + 1, round((x + w) * across[0])))
    bottom = min(size[1], max(top + 1, round((y + h) * across[1])))
    return left, top, right - left, bottom - top


def digit_height(line: Line) -> float:
    """Return how high a line's digits are, the median, in pixels; it has one or more."""
    return statistics.median(digit.box[3] for digit in line.digits)


def refuse(line: Line, reason: Reason) -> Line:
    """Return a line that is not accepted, for a reason beside those it has."""
    reasons = line.reasons if reason in line.reasons else (*line.reasons, reason)
    return dataclasses.replace(line, accepted=False, reasons=reasons)


def with_reasons(line: Line) -> Line:
    """Return a line with all its reasons in their order, what its digits tell among them."""
    if line.accepted:
        return dataclasses.replace(line, reasons=()) if line.reasons else line
    found = set(line.reasons)
    if line.doubtful:
        found.add("doubtful")
    if any(digit.rejected for digit in line.digits):
        found.add("digit")
    reasons = tuple(reason for reason in REASONS if reason in found)
    return dataclasses.replace(line, reasons=reasons or ("confidence",))


def placed(line: Line, place: Callable[[Box], Box]) -> Line:
    """Return a line with its box and its digits' where `place` puts them."""
    digits = tuple(dataclasses.replace(digit, box=place(digit.box)) for digit in line.digits)
    return dataclasses.replace(line, digits=digits, box=place(line.box))


def _line_as_dict(line: Line) -> dict[str, Any]:
    return {
        "text": line.text,
        "raw": line.raw,
        "confidence": round(line.confidence, 4),
        "accepted": line.accepted,
        "reasons": list(line.reasons),
        "turned": line.turned,
        "box": list(line.box),
        "digits": [
            {
                "label": digit.label,
                "confidence": round(digit.confidence, 4),
                "box": list(digit.box),
                "alternatives": [[label, round(value, 4)] for label, value in digit.alternatives],
            }
            for digit in line.digits
        ],
    }
