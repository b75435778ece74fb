"""A line that was read in two ways as one: what both hold of its readings, and whose digits are shown.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from edgedigits.decode import RejectRule, best_guess, digit_at, with_digits
from edgedigits.page import Digit, Line, refuse

_UNHEARD = 0.001
"""What is thought of a text that a reader does not list among its best."""
_GLYPH_WEIGHT = 0.6
"""How much the glyph way counts beside the strip way, as an exponent; chosen on the tuning part of the cheque
amounts (`tests/bench/bench_reading.py --sets cheques --way auto --thorough`)."""


def combine_readings(
    of_glyphs: Sequence[tuple[str, float]], of_strip: Sequence[tuple[str, float]]
) -> list[tuple[str, float]]:
    """Return the readings of a line in two ways as those of both, best first.

    The probability of a text is in proportion to the product of what the two hold of it, the glyph way's
    weighed, as if they were independent; a text that neither lists keeps a share. Where they agree, that
    makes both surer.
    """
    first, second = dict(of_glyphs), dict(of_strip)

    def share(text: str | None) -> float:
        own, other = (first.get(text, 0.0), second.get(text, 0.0)) if text is not None else (0.0, 0.0)
        return float(max(own, _UNHEARD) ** _GLYPH_WEIGHT * max(other, _UNHEARD))

    joint = {text: share(text) for text in (*first, *second)}
    whole = sum(joint.values()) + share(None)
    return sorted(((text, p / whole) for text, p in joint.items()), key=lambda item: -item[1])


def combine_lines(of_glyphs: Line | None, of_strip: Line | None, rule: RejectRule) -> Line | None:
    """Return a line that was read in two ways as one; None where neither found anything.

    Digits and boxes are those of the way whose best reading is the best of both together. Where that way by
    itself doubts a digit, the other's word is not enough for the line to be accepted. Nor is the strip's of a
    line that is cut off, which the glyphs tell by readings that hold nothing, or of part of the glyphs.
    """
    if of_glyphs is None or of_strip is None:
        return of_glyphs or of_strip
    readings = combine_readings(of_glyphs.readings, of_strip.readings)
    lines = (of_strip, of_glyphs)
    # Both ways may have it second; one of them may then have its digits where the text has them.
    shown = [reading for reading in readings if _can_say(lines, reading[0])]
    text = shown[0][0]
    readings = [shown[0], *(reading for reading in readings if reading is not shown[0])]
    saying = [line for line in lines if line.readings[0][0] == text]
    if not saying:
        alike = next(line for line in lines if len(line.digits) == len(text))
        saying = [_saying(alike, readings, rule)]
    best = min(saying, key=lambda line: len(line.unsure))
    nothing = not any(probability for _, probability in of_glyphs.readings)
    if nothing:
        readings = [(text, 0.0) for text, _ in readings]
    confidence = readings[0][1]
    accepted = confidence >= rule.min_line_confidence and not best.unsure
    line = dataclasses.replace(best, confidence=confidence, accepted=accepted, readings=tuple(readings))
    return line if nothing or not _passes_over(best, of_glyphs.digits) else passed_over(line)


def passed_over(line: Line) -> Line:
    """Return a line that says nothing of something written in it: next to nothing is thought of it."""
    return refuse(less_sure(line, _PASSED_OVER), "passed-over")


def less_sure(line: Line, factor: float) -> Line:
    """Return a line with the probabilities of its readings, its own among them, multiplied by 0…1.

    Whether it is accepted is left as it is.
    """
    readings = tuple((text, factor * probability) for text, probability in line.readings)
    return dataclasses.replace(line, confidence=factor * line.confidence, readings=readings)


_PASSED_OVER = 0.01
_AS_TALL = 0.75
_OVERLAP = 0.1


def _passes_over(line: Line, glyphs: Sequence[Digit]) -> bool:
    """Return whether a line has nothing to say of glyphs that are as tall as its digits.

    It hasn't of a currency sign at one end. But one between digits, or two, are digits or letters: what is
    read of a word, or of digits of another kind, is not the number that stands there. Glyphs that overlap the
    digits by a tenth of the narrower of the two are these, or parts of them.
    """
    boxes = np.array([digit.box for digit in line.digits], np.float64)
    left, width = boxes[:, 0], boxes[:, 2]
    tall = _AS_TALL * float(np.median(boxes[:, 3]))
    apart = []
    for x, _, w, h in (glyph.box for glyph in glyphs):
        common = np.minimum(left + width, x + w) - np.maximum(left, x)
        if h >= tall and (common <= _OVERLAP * np.minimum(width, w)).all():
            apart.append(x + w / 2)
    between = any(left.min() < middle < (left + width).max() for middle in apart)
    return between or len(apart) > 1


def _can_say(lines: Sequence[Line], text: str) -> bool:
    """Return whether one of the lines says a text, or has a digit in each of its places."""
    return any(line.readings[0][0] == text or len(line.digits) == len(text) for line in lines)


def _saying(line: Line, readings: Sequence[tuple[str, float]], rule: RejectRule) -> Line:
    """Return a line with the digits of the best of `readings`, which has as many; those that agree stay."""
    text = readings[0][0]
    agreed = [best_guess(digit) == label for digit, label in zip(line.digits, text, strict=True)]
    digits = [
        digit if agreed[place] else digit_at(place, digit.box, readings, rule)
        for place, digit in enumerate(line.digits)
    ]
    doubtful = tuple(place for place in line.doubtful if agreed[place])
    return dataclasses.replace(with_digits(line, digits), doubtful=doubtful)
