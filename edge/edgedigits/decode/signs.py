"""Slashes, brackets and plus signs among digits: told by where they stand, for by itself each looks like one.

The network judges a glyph by itself; a slash is a 1 to it, and so is a bracket, a plus a 7.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from edgedigits.decode.line import RejectRule, best_guess, with_digits, with_odds
from edgedigits.page import REJECTED, Line, refuse

_BEYOND = 0.06
"""A slash reaches this far above and below both digits beside it, in heights of these; so does one of 300 1s
of the tuning part's cheque amounts."""
_BEYOND_AT_ALL = 0.02
"""One of several does where all of them together reach that far."""
_HANGS = 0.08
"""A plus ends so far below the top and above the base of what stands beside it …"""
_LOW = 0.72
"""… is so high at most, by the same …"""
_LIKE_A_PLUS = ("4", "7")
"""… and is taken for one of these; of 360 in the tuning part's cheque amounts none is written so."""
_SIGNS = 1e-3


def without_signs(line: Line, rule: RejectRule) -> Line:
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
    return refuse(with_odds(with_digits(line, digits), _SIGNS, rule, "sign"), "sign")


def _signs(line: Line) -> list[int]:
    """Return the places of slashes, brackets and plus signs among the digits of a line."""
    if len(line.digits) < 2:
        return []
    labels = [best_guess(digit) for digit in line.digits]
    beyond, within, high = _reaches(line)
    signs: list[int] = []
    last = len(labels) - 1
    upright = [k for k, label in enumerate(labels) if label == "1" and beyond[k] >= _BEYOND_AT_ALL]
    between = [k for k in upright if 0 < k < last]
    ends = [k for k in upright if k in (0, last)]
    if sum(beyond[k] for k in between) >= _BEYOND:
        signs += between
    # One large digit at an end is a hand's way of beginning or ending a number.
    if last > 1 and len(ends) == 2 and sum(beyond[k] for k in ends) >= _BEYOND:
        signs += ends
    # Beside what reaches beyond everything all digits hang.
    hang = (
        k
        for k, label in enumerate(labels)
        if label in _LIKE_A_PLUS and within[k] >= _HANGS and high[k] <= _LOW
    )
    return signs + [k for k in hang if not {k - 1, k + 1} & {*signs}]


def _reaches(line: Line) -> tuple[list[float], list[float], list[float]]:
    """Return how far each digit reaches beyond those beside it, how far it stays within, and its height.

    The less of what it does above and below, by the height of what those beside it span together. A line that
    slopes is made level.
    """
    x, y, w, h = np.array([digit.box for digit in line.digits], np.float64).T
    middles = x + w / 2
    if len(x) > 2 and middles[-1] - middles[0] > 3 * h.mean():
        apart = middles - middles.mean()
        y = y - apart * (apart @ (y + h / 2)) / (apart @ apart)
    # At either end there is nothing on one side.
    tops, bases = np.full(len(y) + 2, np.inf), np.full(len(y) + 2, -np.inf)
    tops[1:-1], bases[1:-1] = y, y + h
    highest, lowest = np.minimum(tops[:-2], tops[2:]), np.maximum(bases[:-2], bases[2:])
    tall = lowest - highest
    beyond = np.minimum(highest - y, y + h - lowest) / tall
    tops[[0, -1]], bases[[0, -1]] = -np.inf, np.inf
    lower, higher = np.maximum(tops[:-2], tops[2:]), np.minimum(bases[:-2], bases[2:])
    within = np.minimum(y - lower, higher - y - h) / tall
    return beyond.tolist(), within.tolist(), (h / tall).tolist()
