"""Glyphs and their probabilities → the reading of a line; the reject rule.

Pure functions: nothing here knows of a model file or a picture.

The network judges a glyph by itself. That it stands among much that is no digit, as on a printed page, a
photograph or a page of specks, or is itself a drawing in many pieces, is for the rules here to weigh.
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


def _middle(box: Box) -> float:
    return box[0] + box[2] / 2


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
    if not any(probability for _, probability in of_glyphs.readings):
        readings = [(text, 0.0) for text, _ in readings]
    elif _passes_over(best, of_glyphs.digits):
        readings = [(text, _PASSED_OVER * probability) for text, probability in readings]
    confidence = readings[0][1]
    accepted = confidence >= rule.min_line_confidence and not best.unsure
    return dataclasses.replace(best, confidence=confidence, accepted=accepted, readings=tuple(readings))


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
    agreed = [_best_guess(digit) == label for digit, label in zip(line.digits, text, strict=True)]
    digits = [
        digit if agreed[place] else digit_at(place, digit.box, readings, rule)
        for place, digit in enumerate(line.digits)
    ]
    doubtful = tuple(place for place in line.doubtful if agreed[place])
    told = iter(digit.label for digit in digits)
    # What stands in `raw` and not in `text` is a separator.
    raw = "".join(next(told) if sign in line.text else sign for sign in line.raw)
    new = "".join(digit.label for digit in digits)
    return dataclasses.replace(line, text=new, raw=raw, digits=tuple(digits), doubtful=doubtful)


def _best_guess(digit: Digit) -> str:
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
    if said == _best_guess(digit) or (said == REJECTED and digit.rejected):
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


_REACH = 6.0
_MOST_REFUSED = 12.0
_SHARPNESS = 4
"""Chosen on pages of specks (`bench_junk.py`): with 3, five times as many of them are taken for digits (25 in
place of 5), and of the samples and 150 of the tuning part's cheque amounts no line more is accepted."""


def weigh_surroundings(
    lines: Sequence[Line], rule: RejectRule, refused: Sequence[Box] = ()
) -> tuple[Line, ...]:
    """Return lines with their confidences lowered where they stand among what is no digit, or are bars.

    What surrounds a line tells how likely a digit is there before the network is asked: with n digits of its
    own and r rejected or doubtful ones of other lines within 6 heights of it, the odds of the line are
    multiplied by (n / (n + r))⁴. (Saerens, Latinne and Decaestecker 2002 shift a classifier's priors so; the
    power is for what stands around a digit being of one kind.) A glyph smaller than the line's counts by the
    share of its area, and r is never more than 12: a long number, surely read, is accepted in the midst of
    print. All lines are weighed, accepted or not: which of two is the surer one does not depend on the
    threshold.

    `refused` are glyphs that were rejected where another way of reading then found text; they count for the
    lines around, and not for the one they stand in. Nor does what is a sign by where it stands in its line (a
    slash, a bracket, a plus) say of the lines around it that they are none: its digit is rejected in the end.
    """
    weighed = _among_rejected(lines, rule, refused)
    return tuple(_without_signs(line, rule) for line in weighed)


def _among_rejected(lines: Sequence[Line], rule: RejectRule, refused: Sequence[Box]) -> tuple[Line, ...]:
    lines = tuple(_with_odds(line, _BARS, rule) if _are_bars(line) else line for line in lines)
    rejected = [(line.digits[place].box, k) for k, line in enumerate(lines) for place in line.unsure]
    known = {box for box, _ in rejected}
    rejected += [(box, _NOBODYS) for box in refused if box not in known]
    if not rejected:
        return lines
    boxes = np.array([box for box, _ in rejected], np.float64)
    owners = np.array([owner for _, owner in rejected])
    return tuple(
        _weighed(line, boxes[_of_others(k, line, boxes, owners)], rule) for k, line in enumerate(lines)
    )


_NOBODYS = -1


def _of_others(
    number: int, line: Line, boxes: NDArray[np.float64], owners: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return which boxes are those of other lines, or nobody's with their middle outside the line."""
    left, top, width, height = line.box
    x, y, w, h = boxes.T
    inside = (np.abs(x + w / 2 - left - width / 2) <= width / 2) & (
        np.abs(y + h / 2 - top - height / 2) <= height / 2
    )
    return np.where(owners == _NOBODYS, ~inside, owners != number)


_BARS = 1e-4


def _are_bars(line: Line) -> bool:
    """Return whether a line is a barcode: six 1s or more, as even in height as no hand writes them."""
    if len(line.digits) < 6 or line.text.strip("1"):
        return False
    heights = [digit.box[3] for digit in line.digits]
    return max(heights) - min(heights) <= 1 + 0.02 * max(heights)


_BEYOND = 0.06
"""A slash reaches this far above and below both digits beside it, in heights of these; so does one of 300 1s
of the tuning part's cheque amounts."""
_BEYOND_AT_ALL = 0.02
"""One of several does where all of them together reach that far."""
_HANGS = 0.08
"""A plus ends so far below the top and above the base of what stands beside it …"""
_LIKE_A_PLUS = ("4", "7")
"""… and is taken for one of these; of 360 in the tuning part's cheque amounts none is written so."""
_SIGNS = 1e-3


def _without_signs(line: Line, rule: RejectRule) -> Line:
    """Return a line with the digits rejected that are none by where they stand: it is not accepted then.

    By itself a slash looks like a 1, as does a bracket, and a plus like a 7. But 1s rarely reach beyond the
    digits on either side of them both above and below, and few digits hang half-way up.
    """
    signs = _signs(line)
    if not signs:
        return line
    digits = list(line.digits)
    for place in signs:
        digit = digits[place]
        if not digit.rejected:
            guesses = ((digit.label, digit.confidence), *digit.alternatives)[: rule.alternatives]
            digits[place] = dataclasses.replace(digit, label=REJECTED, alternatives=guesses)
    told = iter(digits)
    raw = "".join(next(told).label if sign in line.text else sign for sign in line.raw)
    text = "".join(digit.label for digit in digits)
    line = _with_odds(line, _SIGNS, rule)
    return dataclasses.replace(line, text=text, raw=raw, digits=tuple(digits), accepted=False)


def _signs(line: Line) -> list[int]:
    """Return the places of slashes, brackets and plus signs among the digits of a line."""
    if len(line.digits) < 2:
        return []
    labels = [_best_guess(digit) for digit in line.digits]
    beyond, within = _reaches(line)
    signs = [k for k, label in enumerate(labels) if label in _LIKE_A_PLUS and within[k] >= _HANGS]
    last = len(labels) - 1
    upright = [k for k, label in enumerate(labels) if label == "1" and beyond[k] >= _BEYOND_AT_ALL]
    between = [k for k in upright if 0 < k < last]
    ends = [k for k in upright if k in (0, last)]
    if sum(beyond[k] for k in between) >= _BEYOND:
        signs += between
    # One large digit at an end is a hand's way of beginning or ending a number.
    if last > 1 and len(ends) == 2 and sum(beyond[k] for k in ends) >= _BEYOND:
        signs += ends
    return signs


def _reaches(line: Line) -> tuple[list[float], list[float]]:
    """Return how far each digit reaches beyond those beside it, and how far it stays within their height.

    The less of what it does above and below, by the height of what those beside it span together. A line that
    slopes is made level.
    """
    x, y, w, h = np.array([digit.box for digit in line.digits], np.float64).T
    middles = x + w / 2
    if len(x) > 2 and middles[-1] - middles[0] > 3 * h.mean():
        apart = middles - middles.mean()
        y = y - apart * (apart @ (y + h / 2)) / (apart @ apart)
    # At either end there is nothing on one side.
    tops, bases = np.pad(y, 1, constant_values=np.inf), np.pad(y + h, 1, constant_values=-np.inf)
    highest, lowest = np.minimum(tops[:-2], tops[2:]), np.maximum(bases[:-2], bases[2:])
    tall = lowest - highest
    beyond = np.minimum(highest - y, y + h - lowest) / tall
    tops[[0, -1]], bases[[0, -1]] = -np.inf, np.inf
    lower, higher = np.maximum(tops[:-2], tops[2:]), np.minimum(bases[:-2], bases[2:])
    within = np.minimum(y - lower, higher - y - h) / tall
    return beyond.tolist(), within.tolist()


def _with_odds(line: Line, odds: float, rule: RejectRule) -> Line:
    """Return a line whose odds of being right are multiplied by `odds` (0…1)."""
    right = line.confidence * odds
    confidence = right / (right + (1.0 - line.confidence)) if line.confidence < 1 else 1.0
    return dataclasses.replace(
        line, confidence=confidence, accepted=line.accepted and confidence >= rule.min_line_confidence
    )


_TURNED = 1e-4


def refuse_turned(lines: Sequence[Line], degrees: int, rule: RejectRule) -> tuple[Line, ...]:
    """Return lines of a paper that seems to lie turned by so many degrees clockwise: none is accepted."""
    return tuple(
        dataclasses.replace(_with_odds(line, _TURNED, rule), accepted=False, turned=degrees) for line in lines
    )


def _weighed(line: Line, rejected: NDArray[np.float64], rule: RejectRule) -> Line:
    """Return a line with its odds lowered for rejected glyphs: their boxes, N×4."""
    left, top, width, height = line.box
    tall = float(np.median([digit.box[3] for digit in line.digits]))
    x, y, w, h = rejected.T
    apart_x = np.maximum(x - (left + width), left - (x + w))
    apart_y = np.maximum(y - (top + height), top - (y + h))
    near = np.maximum(apart_x, apart_y) <= _REACH * tall
    if not near.any():
        return line
    refused = min(_MOST_REFUSED, float((np.minimum(1.0, h[near] / tall) ** 2).sum()))
    count = len(line.digits)
    return _with_odds(line, (count / (count + refused)) ** _SHARPNESS, rule)
