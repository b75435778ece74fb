"""What was read in a field, held against what may stand there: the next best after the best."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgedigits.decode import RejectRule
from edgedigits.forms.layout import Field
from edgedigits.forms.numbers import counted, told_to, value_of
from edgedigits.page import REJECTED, Line

Readings = tuple[tuple[str, float], ...]
"""Texts with their probabilities, best first."""

MOST_READINGS = 200
"""So many next-best readings are tried before a failed check rejects."""

_UNLISTED = 0.01
"""Where a rule proves the best reading wrong, what was not listed is at least this probable, whatever the
listed ones sum to."""


@dataclass(frozen=True)
class Judged:
    """What a field says, as in its `FieldReading`."""

    raw: str
    value: str | None
    confidence: float
    error: str | None = None
    reason: str | None = None
    instead_of: str | None = None


def refused(raw: str, confidence: float, reason: str, error: str, instead_of: str | None = None) -> Judged:
    """Return what is said of a field that has no value, and why."""
    return Judged(raw, None, confidence, error, reason, instead_of)


def judge(
    field: Field,
    raw: str,
    readings: Readings,
    decimals: int | None,
    rule: RejectRule,
    unsure: bool = False,
) -> Judged:
    """Choose the best reading that satisfies a field.

    `raw` is what was read, of which the last `decimals` digits are decimals; `rule` says what is sure enough.
    `unsure` says that a digit is in doubt, be it shown in `raw` or not.
    """
    low, high = field.digits
    if not low <= len(readings[0][0]) <= high:
        due = f"{low}" if low == high else f"{low} to {high}"
        error = f"{counted(len(readings[0][0]), 'digit')} where {due} are due"
        return refused(raw, readings[0][1], "count", error)
    # Given that what was written satisfies the rules, readings that don't are out, and their share goes
    # to the others. What was never listed counts as if it satisfied them: rather doubtful than too sure.
    # So does a reading with a digit that is none, which only a check digit proves wrong.
    numbers = [reading for reading in readings if REJECTED not in reading[0]]
    passing, tried, failed = [], 0, ""
    for reading, chance in numbers:
        if not low <= len(reading) <= high:
            continue
        tried += 1
        value = value_of(reading, field, decimals)
        failing = (each.name for each in field.rules if not each.test(told_to(each, reading, value)))
        broken = next(failing, None)
        if broken is None:
            passing.append((reading, value, chance))
        failed = failed or broken or ""
    if not passing:
        others = f"; so do the {tried - 1} next-best readings" if tried > 1 else ""
        error = f"{readings[0][0]} fails {failed}{others}"
        return refused(raw, readings[0][1], "check", error)
    reading, value, chance = passing[0]
    proven = any(each.proves(told_to(each, reading, value)) for each in field.rules)
    unlisted = max(0.0, 1.0 - sum(chance for _, chance in (readings if proven else numbers)))
    if reading != readings[0][0]:
        unlisted = max(unlisted, _UNLISTED)
    confidence = min(1.0, chance / max(1e-12, sum(p[2] for p in passing) + unlisted))
    instead_of = readings[0][0] if reading != readings[0][0] else None
    least = rule.min_line_confidence
    unsure = unsure or REJECTED in raw
    if unsure:
        # Where all digits together are as sure as one must be, each of them is.
        least = max(least, rule.min_digit_confidence)
    if confidence < least:
        if instead_of is not None:
            error = f"{instead_of} fails {failed}, and {reading} is not sure enough ({confidence:.0%})"
            return refused(raw, confidence, "check", error, instead_of)
        error = f"not sure enough ({confidence:.0%}; {least:.0%} is asked for)"
        return refused(raw, confidence, "confidence", error)
    if unsure and field.style == "free" and not proven:
        error = "a digit can't be read for sure, and no check digit tells what it is"
        return refused(raw, confidence, "not-digits", error, instead_of)
    return Judged(raw, value, confidence, instead_of=instead_of)


def believed(line: Line) -> Readings:
    """Return the readings of a line as far as it is believed, best first.

    That it stands among what is no digit, or is a row of bars, is held against the line and not against its
    readings.
    """
    best = line.readings[0][1]
    share = line.confidence / best if best > 0 else 0.0
    return tuple((text, chance * share) for text, chance in line.readings)


def best_first(guesses: Sequence[Sequence[tuple[str, float]]]) -> Readings:
    """Return the most probable combinations of independent guesses, each best first, in order."""
    costs = [[-math.log(max(chance, 1e-12)) for _, chance in cell] for cell in guesses]
    start = (0,) * len(guesses)
    heap = [(sum(cost[0] for cost in costs), start)]
    seen = {start}
    found: list[tuple[str, float]] = []
    while heap and len(found) < MOST_READINGS:
        cost, choice = heapq.heappop(heap)
        found.append(("".join(cell[k][0] for cell, k in zip(guesses, choice, strict=True)), math.exp(-cost)))
        for place, k in enumerate(choice):
            if k + 1 < len(guesses[place]):
                following = (*choice[:place], k + 1, *choice[place + 1 :])
                if following not in seen:
                    seen.add(following)
                    heapq.heappush(heap, (cost + costs[place][k + 1] - costs[place][k], following))
    return tuple(found)
