"""Probabilities become a reading, and doubt becomes `?`."""

from __future__ import annotations

import numpy as np
import pytest

from edgedigits.decode import RejectRule, Separator, decode_digit, decode_line
from edgedigits.page import Digit

DIGITS = tuple("0123456789")
RULE = RejectRule(min_digit_confidence=0.5, min_line_confidence=0.6)
BOX = (0, 0, 10, 20)


def row(**probabilities: float) -> np.ndarray:
    values = np.zeros(10, np.float32)
    for name, value in probabilities.items():
        values[int(name[1:])] = value
    return values


def test_the_most_probable_label_wins_and_the_rest_are_told() -> None:
    digit = decode_digit(row(d7=0.9, d1=0.08, d4=0.02), DIGITS, BOX, RULE)
    assert (digit.label, digit.confidence) == ("7", pytest.approx(0.9))
    assert [label for label, _ in digit.alternatives] == ["1", "4"]


def test_a_tie_goes_to_the_first_label() -> None:
    digit = decode_digit(row(d9=0.5, d4=0.5), DIGITS, BOX, RULE)
    assert digit.label == "4"


def test_doubt_is_a_question_mark_with_its_guess_first() -> None:
    digit = decode_digit(row(d3=0.45, d8=0.4, d5=0.15), DIGITS, BOX, RULE)
    assert digit.rejected
    assert digit.label == "?"
    assert digit.confidence == pytest.approx(0.45)
    assert [label for label, _ in digit.alternatives] == ["3", "8", "5"]


def test_not_a_digit_is_refused_and_never_text() -> None:
    labels = (*DIGITS, "not a digit")
    probabilities = np.append(row(d6=0.2), np.float32(0.8))
    digit = decode_digit(probabilities, labels, BOX, RejectRule(0.0, 0.0))
    assert digit.label == "?"
    assert [label for label, _ in digit.alternatives] == ["6"]


def test_a_line_is_as_sure_as_all_its_digits_together() -> None:
    digits = [Digit("4", 0.9, (0, 0, 10, 20)), Digit("2", 0.8, (20, 2, 10, 20))]
    line = decode_line(digits, [Separator(".", (14, 16, 3, 3)), Separator("-", (40, 10, 8, 2))], RULE)
    assert (line.text, line.raw) == ("42", "4.2-")
    assert line.confidence == pytest.approx(0.72)
    assert line.accepted
    assert line.box == (0, 0, 30, 22)


def test_one_rejected_digit_refuses_the_line() -> None:
    digits = [Digit("4", 0.99, BOX), Digit("?", 0.7, BOX, (("1", 0.7),))]
    assert not decode_line(digits, [], RejectRule(0.8, 0.1)).accepted


def test_a_line_needs_digits() -> None:
    with pytest.raises(ValueError, match="at least one"):
        decode_line([], [], RULE)
