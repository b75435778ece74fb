"""Probabilities become a reading, and doubt becomes `?`."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from edgedigits.decode import (
    RejectRule,
    Separator,
    as_read,
    decode_digit,
    decode_line,
    is_drawing,
)
from edgedigits.decode.surroundings import weigh_surroundings
from edgedigits.page import REJECTED, Digit, Line

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


def test_a_drawing_is_refused_however_sure_the_network_is() -> None:
    digit = decode_digit(row(d0=0.99, d6=0.01), DIGITS, BOX, RULE, drawn=True)
    assert digit.rejected
    assert digit.alternatives[0] == ("0", pytest.approx(0.99))


def test_a_digit_is_what_the_best_reading_says_it_is() -> None:
    """A text that can be cut in two ways may beat the one that the network likes best glyph by glyph."""
    digit = decode_digit(row(d9=0.54, d1=0.43, d4=0.03), DIGITS, BOX, RULE)
    readings = [("194", 0.52), ("994", 0.4), ("94", 0.05)]
    changed = as_read(digit, 0, readings, RULE)
    assert (changed.label, changed.confidence, changed.box) == ("1", 0.52, BOX)
    assert changed.alternatives == (("9", 0.4),)
    assert as_read(digit, 1, readings, RULE) == digit
    unsure = as_read(digit, 0, [("194", 0.42), ("994", 0.4)], RULE)
    assert unsure.rejected
    assert unsure.alternatives == (("1", 0.42), ("9", 0.4))
    refused = as_read(digit, 0, [("?94", 0.6), ("994", 0.4)], RULE)
    assert refused.rejected
    assert refused.alternatives[0] == ("9", digit.confidence)
    # A reading makes no digit of what the network took for none.
    stays = as_read(refused, 0, readings, RULE)
    assert stays.rejected
    assert stays.confidence == 0.52
    assert stays.alternatives == (("1", 0.52), ("9", 0.4))


def test_a_line_is_as_sure_as_all_its_digits_together() -> None:
    digits = [Digit("4", 0.9, (0, 0, 10, 20)), Digit("2", 0.8, (20, 2, 10, 20))]
    line = decode_line(digits, [Separator(".", (14, 16, 3, 3)), Separator("-", (40, 10, 8, 2))], RULE)
    assert (line.text, line.raw) == ("42", "4.2-")
    assert line.confidence == pytest.approx(0.72)
    assert line.accepted
    assert line.box == (0, 0, 30, 22)


def test_overlapping_digits_stay_in_the_order_in_which_they_are_read() -> None:
    """A 7 whose bar reaches over the 1 behind it: the middle of its box lies to the right of the 1's."""
    digits = [
        Digit("7", 0.9, (0, 0, 60, 80)),
        Digit("1", 0.9, (5, 30, 8, 50)),
        Digit(REJECTED, 0.4, (80, 30, 20, 50)),
    ]
    line = decode_line(digits, [Separator("-", (110, 40, 10, 3)), Separator(".", (66, 74, 5, 5))], RULE)
    assert (line.text, line.raw) == ("71?", "71.?-")
    assert line.box == (0, 0, 100, 80)
    before = decode_line(digits, [Separator(",", (-10, 70, 4, 8))], RULE)
    assert before.raw == ",71?"


def test_one_rejected_digit_refuses_the_line() -> None:
    digits = [Digit("4", 0.99, BOX), Digit("?", 0.7, BOX, (("1", 0.7),))]
    assert not decode_line(digits, [], RejectRule(0.8, 0.1)).accepted


def test_a_line_that_can_be_cut_otherwise_is_less_sure() -> None:
    digits = [Digit("3", 0.9, BOX, ()), Digit("5", 0.9, BOX, ())]
    assert decode_line(digits, [], RULE).confidence == pytest.approx(0.81)
    assert decode_line(digits, [], RULE, [("35", 0.95), ("8", 0.05)]).confidence == pytest.approx(0.81)
    rivalled = decode_line(digits, [], RULE, [("35", 0.4), ("8", 0.6)])
    assert rivalled.confidence == pytest.approx(0.4)
    # So does a doubt of all readings, and ink that is left unexplained.
    doubted = decode_line(digits, [], RULE, [("35", 0.9), ("8", 0.05)])
    assert doubted.confidence == pytest.approx(0.95 * 0.81)
    torn = decode_line(digits, [], RULE, [("35", 0.95)], complete=0.1)
    assert torn.confidence == pytest.approx(0.95 * 0.081)
    assert torn.readings == (("35", pytest.approx(0.095)),)


def test_a_line_needs_digits() -> None:
    with pytest.raises(ValueError, match="at least one"):
        decode_line([], [], RULE)


def line_at(text: str, x: int, confidence: float) -> Line:
    digits = [
        Digit(c, 0.4 if c == REJECTED else confidence ** (1 / len(text)), (x + 30 * k, 100, 20, 40))
        for k, c in enumerate(text)
    ]
    return decode_line(digits, [], RULE)


def test_a_lone_digit_among_what_is_no_digit_is_doubted_and_far_away_it_is_not() -> None:
    for x, doubted in ((60, True), (900, False)):
        digit, junk = weigh_surroundings([line_at("1", x, 0.97), line_at("???", 100, 0.1)], RULE)
        assert digit.accepted != doubted
        assert (digit.confidence < 0.97) == doubted
        assert junk == line_at("???", 100, 0.1)


def test_which_line_is_surer_does_not_depend_on_the_threshold() -> None:
    """A doubtful line beside the same junk is not told to be surer for not being accepted."""
    sure, doubtful, junk = line_at("4", 60, 0.97), line_at("7", 60, 0.5), line_at("?" * 4, 100, 0.1)
    bars, further = line_at("1" * 20, 100, 0.99), line_at("1" * 20, 100, 0.3)
    told = []
    for least in (0.0, 0.4, 0.6, 0.98, 1.0):
        rule = RejectRule(RULE.min_digit_confidence, least)
        lines = [
            dataclasses.replace(line, accepted=line.confidence >= least and "?" not in line.text)
            for line in (sure, doubtful, bars, further)
        ]
        weighed = [weigh_surroundings([line, junk], rule)[0] for line in lines[:2]]
        weighed += [weigh_surroundings([line], rule)[0] for line in lines[2:]]
        assert [line.accepted for line in weighed] == [line.confidence >= least for line in weighed]
        told.append([line.confidence for line in weighed])
    assert all(each == told[0] for each in told)
    first, second, third, fourth = told[0]
    assert second < first < 0.9
    assert fourth < third < 0.1


def test_its_own_rejected_digits_do_not_count_as_a_lines_surroundings() -> None:
    """They have made it less sure already."""
    line = line_at("12?4", 100, 0.9)
    assert weigh_surroundings([line], RULE, [line.digits[0].box]) == (line,)
    beside = weigh_surroundings([line, line_at("?", 230, 0.1)], RULE)[0]
    assert beside.confidence < line.confidence


def test_a_long_number_surely_read_stands_up_to_print_around_it() -> None:
    lines = [line_at("04821", 100, 0.997), line_at("?" * 40, 280, 0.1)]
    long, _ = weigh_surroundings(lines, RULE)
    assert long.accepted
    assert 0.6 < long.confidence < 0.997
    short, _ = weigh_surroundings([line_at("0", 220, 0.997), lines[1]], RULE)
    assert not short.accepted


def test_surroundings_never_raise_a_confidence_and_specks_count_little() -> None:
    digit = line_at("7", 100, 0.9)
    speck = Line("?", "?", 0.1, False, (140, 130, 3, 3), (Digit(REJECTED, 0.1, (140, 130, 3, 3)),))
    weighed, _ = weigh_surroundings([digit, speck], RULE)
    assert digit.confidence - 0.02 < weighed.confidence < digit.confidence
    assert weigh_surroundings([digit], RULE) == (digit,)
    for confidence in (0.0, 1.0):
        rule = RejectRule(0.0, 0.0)
        certain = Line("1", "1", confidence, True, (100, 100, 20, 40), digit.digits)
        assert weigh_surroundings([certain, speck], rule)[0].confidence == confidence


def test_what_is_in_many_pieces_is_a_drawing() -> None:
    ring = np.zeros((120, 100), np.uint8)
    cv2.ellipse(ring, (50, 60), (40, 50), 0, 0, 360, 255, 4)
    assert not is_drawing(ring)
    face = ring.copy()
    for x in (35, 65):
        cv2.ellipse(face, (x, 45), (9, 6), 0, 0, 360, 255, 3)
    cv2.line(face, (50, 50), (46, 70), 255, 4)
    cv2.ellipse(face, (50, 80), (18, 10), 0, 20, 160, 255, 4)
    assert is_drawing(face)
    # In few pixels, a digit may be in as many pieces.
    assert not is_drawing(cv2.resize(face, (100, 60), interpolation=cv2.INTER_AREA).astype(np.uint8))
    # A 5 with its flag apart and dirt around it is a digit.
    five = np.zeros((120, 100), np.uint8)
    cv2.ellipse(five, (50, 80), (30, 30), 0, -120, 140, 255, 5)
    cv2.line(five, (40, 20), (80, 20), 255, 5)
    five[::20, ::20] = 255
    assert not is_drawing(five)


def test_a_ring_with_something_in_it_is_a_drawing() -> None:
    """As is the face of a clock; but not a zero with a dot in it, nor one that is crossed."""
    ring = np.zeros((200, 200), np.uint8)
    cv2.circle(ring, (100, 100), 90, 255, 5)
    clock = ring.copy()
    cv2.polylines(clock, [np.array([(60, 100), (100, 100), (130, 50)])], False, 255, 6)
    assert is_drawing(clock)
    dotted, crossed = ring.copy(), ring.copy()
    cv2.circle(dotted, (100, 100), 6, 255, -1)
    cv2.line(crossed, (40, 160), (160, 40), 255, 5)
    assert not is_drawing(dotted)
    assert not is_drawing(crossed)


def standing(text: str, places: dict[int, tuple[int, int]], rise: int = 0) -> Line:
    """Return a sure line of digits from 100 to 140 pixels down; some `places` have another top and base.

    Each stands `rise` pixels higher than the one before.
    """
    digits = []
    for k, label in enumerate(text):
        top, base = places.get(k, (100, 140))
        digits.append(Digit(label, 0.999, (30 * k, top - rise * k, 20, base - top)))
    return decode_line(digits, [Separator("-", (32, 118, 10, 4))], RULE)


@pytest.mark.parametrize(
    ("text", "places", "rise", "read"),
    [
        ("26111193", {2: (96, 143), 5: (97, 144)}, 0, "26?11?93"),  # slashes
        ("26111193", {2: (96, 143), 5: (97, 144)}, 4, "26?11?93"),
        ("6130", {1: (94, 146)}, 0, "6?30"),
        ("4127", {1: (90, 150)}, 0, "4?27"),
        ("917", {1: (90, 150)}, 0, "9?7"),
        ("17081", {0: (94, 146), 4: (95, 146)}, 0, "?708?"),  # brackets
        ("237448", {2: (114, 134)}, 0, "23?448"),  # a plus
        ("237448", {2: (114, 134)}, 3, "23?448"),
        ("749", {0: (112, 133)}, 0, "?49"),
    ],
)
def test_what_is_a_sign_by_where_it_stands_is_no_digit(
    text: str, places: dict[int, tuple[int, int]], rise: int, read: str
) -> None:
    line = standing(text, places, rise)
    assert line.accepted
    (told,) = weigh_surroundings([line], RULE)
    assert (told.text, told.accepted) == (read, False)
    assert told.raw.replace("-", "") == read
    assert told.confidence < 0.6
    assert [d.alternatives[0][0] for d in told.digits if d.rejected] == [
        label for label, now in zip(text, read, strict=True) if now == REJECTED
    ]
    # A date beside numbers says nothing against these.
    other = dataclasses.replace(line_at("58", 100, 0.99), box=(100, 150, 50, 40))
    assert weigh_surroundings([line, other], RULE)[1] == other


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("1000", {0: (80, 146)}),  # a large first digit
        ("2741", {3: (94, 150)}),
        ("2141", {1: (90, 140)}),  # taller, on the same base
        ("2141", {1: (100, 155)}),
        ("2171", {2: (94, 146)}),
        ("3005", {1: (112, 130), 2: (112, 130)}),  # small zeros
        ("2115", {1: (95, 145), 2: (95, 145)}),  # one beside the other
        ("11", {0: (94, 146)}),
        ("40", {0: (104, 136)}),  # a small 4, higher than a plus
    ],
)
def test_digits_of_unlike_height_stay_digits(text: str, places: dict[int, tuple[int, int]]) -> None:
    line = standing(text, places)
    assert weigh_surroundings([line], RULE) == (line,)


def test_a_barcode_is_no_row_of_ones() -> None:
    bars = line_at("1" * 20, 100, 0.99)
    assert not weigh_surroundings([bars], RULE)[0].accepted
    digits = [
        Digit("1", 0.999, (100 + 30 * k, 100, 8, height)) for k, height in enumerate([40, 43, 38, 41, 44, 40])
    ]
    written = decode_line(digits, [], RULE)
    assert weigh_surroundings([written], RULE) == (written,)
    short = line_at("1111", 100, 0.99)
    assert weigh_surroundings([short], RULE) == (short,)
