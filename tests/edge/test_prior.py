"""What is thought of numbers before they are looked at, and what comes of it in a strip."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
import pytest

from edgedigits import Reader
from edgedigits.decode.lattice import Arc, Reading
from edgedigits.decode.prior import (
    PriorSettings,
    expected_prior,
    grouping_weight,
    prior_weight,
    weigh_readings,
)
from edgedigits.glyphs import Mark
from edgedigits.ways.ctc import Hypothesis
from edgedigits.ways.expected import Expected
from edgedigits.ways.strip_cutting import Region

FULL = PriorSettings(weight=1)


@pytest.mark.parametrize("length", [2, 3, 4])
def test_neither_long_nor_short_numbers_are_favoured(length: int) -> None:
    texts = ("".join(digits) for digits in itertools.product("0123456789", repeat=length))
    assert math.fsum(prior_weight(text, FULL) for text in texts) == pytest.approx(10**length)


def test_low_first_digits_and_round_numbers_are_likelier() -> None:
    firsts = [prior_weight(f"{digit}37", FULL) for digit in "123456789"]
    assert firsts == sorted(firsts, reverse=True)
    assert prior_weight("137", FULL) / prior_weight("237", FULL) == pytest.approx(math.log(2, 1.5))
    rounder = [prior_weight(text, FULL) for text in ("4137", "4130", "4100", "4000")]
    assert rounder == sorted(rounder)
    assert prior_weight("0137", FULL) < prior_weight("9137", FULL)


def test_the_weight_is_an_exponent_and_nought_switches_it_off() -> None:
    half = PriorSettings(weight=0.5)
    assert prior_weight("9100", half) == pytest.approx(prior_weight("9100", FULL) ** 0.5)
    assert prior_weight("1000", PriorSettings(weight=0)) == 1


@pytest.mark.parametrize("text", ["", "0", "9"])
def test_less_than_two_digits_say_nothing(text: str) -> None:
    assert prior_weight(text, FULL) == 1


def test_separators_part_thousands() -> None:
    grouped = grouping_weight("1.234.567", FULL)
    for raw in ("12.345", "123,456,-", "=1.234-.", ".123.456", "1.2?4"):
        assert grouping_weight(raw, FULL) == grouped > 1
    ungrouped = grouping_weight("58.2433", FULL)
    for raw in ("1234.567", "1.23.456", "1.2345", ",1,2,3", "12.3456.-", "1.?345"):
        assert grouping_weight(raw, FULL) == ungrouped < 1
    half = PriorSettings(weight=0.5)
    assert grouping_weight("58.2433", half) == pytest.approx(ungrouped**0.5)
    assert grouping_weight("58.2433", PriorSettings(weight=0)) == 1
    assert grouping_weight("58.2433", PriorSettings(weight=1, ungrouped=0)) == 0


def test_hundreds_of_zeros_are_a_number_like_any_other() -> None:
    strongest = PriorSettings(weight=9, round=1, rounder=1)
    for settings in (PriorSettings(), FULL, strongest):
        assert (
            1 < prior_weight("1" + "0" * 30, settings) <= prior_weight("1" + "0" * 1000, settings) < math.inf
        )


@pytest.mark.parametrize(
    "raw",
    [
        *("1234567", "500.-", "", ".", "?"),
        *("98.6", "1234.5", "12,50", "1.234,50", "1.234.567.89"),
        *("24/12/2026", "24.12.2026", "4.12.26", "2026-12-24", "12:30", "555-1234", "12=34", "030/123.456"),
    ],
)
def test_separators_of_other_kinds_say_nothing(raw: str) -> None:
    assert grouping_weight(raw, FULL) == 1


def test_a_digit_that_cannot_be_read_gains_nothing_from_separators() -> None:
    arcs = tuple(Arc(k, k + 1, (20 * k, 0, 10, 20), 0.0, k) for k in range(5))
    readings = [Reading("12345", 0.9, arcs), Reading("12?45", 0.1, arcs)]
    settings = PriorSettings(weight=0.5, of_glyphs=1.0)
    plain, parted = (
        {each.text: each.probability for each in weigh_readings(readings, marks, settings=settings)}
        for marks in ((), (Mark(".", (14, 16, 3, 3)),))
    )
    assert parted["12?45"] / parted["12345"] == pytest.approx(plain["12?45"] / plain["12345"])


def test_a_strip_with_a_separator_is_the_number_that_it_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """`58.433`, whose 4 is an H: the network finds an H as good as a 2 and a 4."""
    labels = {sign: k for k, sign in enumerate("0123456789.")}
    grey = np.full((40, 150), 235, np.uint8)
    for left in range(15, 150, 20):
        cv2.line(grey, (left, 7), (left, 33), 40, 2)

    def told(settings: PriorSettings, *raws: tuple[str, float]) -> dict[str, float]:
        hypotheses = [Hypothesis(tuple(labels[sign] for sign in raw), p) for raw, p in raws]
        held: dict[str, float] = {}
        for raw, p in raws:
            text = raw.replace(".", "")
            held[text] = held.get(text, 0.0) + p
        monkeypatch.setattr("edgedigits.ways.strip_reading.best_texts", lambda *given: hypotheses)
        monkeypatch.setattr(
            "edgedigits.ways.strip_reading.probabilities_of",
            lambda _, texts, signs: [held["".join(map(str, text))] for text in texts],
        )
        strips = Reader(way="strip", character_model=None, prior=settings).strips
        line = strips.read(grey, Region((75, 20), 150, 40))
        assert line is not None
        return dict(line.readings)

    given = (("58.2433", 0.4), ("58.433", 0.3), ("582433", 0.2))
    anywhere = PriorSettings(weight=1, ungrouped=1, by_chance=1)
    before, after = told(anywhere, *given), told(FULL, *given)
    # Two thirds of what is thought of the first have a dot, at a place where it parts no thousands.
    weight = (2 * grouping_weight("58.2433", FULL) + 1) / 3
    gain = grouping_weight("58.433", FULL) / weight
    ratio = before["58433"] / before["582433"]
    assert after["58433"] / after["582433"] == pytest.approx(gain * ratio, rel=1e-3)
    assert max(after, key=after.__getitem__) == "58433"
    # A share of none, and what has next to no probability, are no reason to fail.
    never = told(PriorSettings(weight=1, ungrouped=0), *given)
    assert never["58433"] > never["582433"] > 0
    assert told(FULL, ("58.433", 0.9), ("11", 0.0))["58433"] > 0.9


def test_readings_of_glyphs_are_weighed_by_where_their_separators_stand() -> None:
    """Where a dot stands, as a mark or as a part of a reading, tells `13.370` from `13.3750`."""

    def arcs(*pieces: tuple[int, str | None]) -> tuple[Arc, ...]:
        return tuple(
            Arc(k, k + 1, (left, 0, 10, 20), 0.0, k, (), sign) for k, (left, sign) in enumerate(pieces)
        )

    few = arcs((0, None), (20, None), (60, None), (80, None), (110, None))
    more = arcs((0, None), (20, None), (60, None), (80, None), (95, None), (110, None))
    readings = [Reading("133750", 0.5, more), Reading("13370", 0.4, few)]
    settings = PriorSettings(weight=0.5, of_glyphs=1.0)

    def ratio(marks: tuple[Mark, ...]) -> float:
        told = {each.text: each.probability for each in weigh_readings(readings, marks, settings=settings)}
        assert math.fsum(told.values()) == pytest.approx(0.9)
        return told["13370"] / told["133750"]

    bare = ratio(())
    better = grouping_weight("13.370", settings) / grouping_weight("13.3750", settings)
    assert ratio((Mark(".", (40, 16, 4, 4)),)) == pytest.approx(bare * better)
    # A mark behind the number parts nothing.
    assert ratio((Mark(".", (140, 16, 4, 4)),)) == pytest.approx(bare)
    dotted = [Reading(each.text, each.probability, (*each.arcs, *arcs((40, "."))[:1])) for each in readings]
    told = {each.text: each.probability for each in weigh_readings(dotted, settings=settings)}
    assert told["13370"] / told["133750"] == pytest.approx(bare * better)


def test_a_strip_that_could_be_two_numbers_is_the_likelier_one() -> None:
    """The last digit is open at the top: a 0 nearly as well as a 6."""
    grey = np.full((40, 150), 235, np.uint8)
    for left in (30, 60, 90):
        cv2.ellipse(grey, (left, 20), (9, 13), 0, 0, 360, 40, 2, cv2.LINE_AA)
    cv2.line(grey, (12, 7), (10, 33), 40, 2, cv2.LINE_AA)
    cv2.ellipse(grey, (120, 20), (9, 13), 0, -50, 270, 40, 2, cv2.LINE_AA)

    def told(weight: float, count: tuple[int, int] | None = None) -> dict[str, float]:
        strips = Reader(way="strip", prior=PriorSettings(weight=weight)).strips
        line = strips.read(grey, Region((75, 20), 150, 40), Expected(count))
        assert line is not None
        return dict(line.readings)

    even, weighed = told(0.0), told(1.0)
    shared = [text for text in even if text in weighed and even[text] > 0]
    assert "10000" in shared
    assert len(shared) > 1
    for text in shared:
        # What holds between two texts changes by the weights of the two, and by nothing else.
        before, after = even[text] / even["10000"], weighed[text] / weighed["10000"]
        expected = prior_weight(text, FULL) / prior_weight("10000", FULL)
        assert after / before == pytest.approx(expected, rel=1e-3)
    # A number of so many digits and no others is a name, and begins with any digit.
    assert told(1.0, (5, 5)) == told(0.0, (5, 5))
    assert told(1.0, (4, 5)) != told(0.0, (4, 5))


def test_readings_of_glyphs_are_weighed_and_keep_their_sum() -> None:
    readings = [Reading("12600", 0.5, ()), Reading("12000", 0.3, ()), Reading("1?000", 0.15, ())]
    settings = PriorSettings(weight=0.5, of_glyphs=2.0)
    weighed = {each.text: each.probability for each in weigh_readings(readings, settings=settings)}
    assert next(iter(weighed)) == "12000"
    assert math.fsum(weighed.values()) == pytest.approx(0.95)
    expected = prior_weight("12000", FULL) / prior_weight("12600", FULL)
    assert weighed["12000"] / weighed["12600"] == pytest.approx(0.3 / 0.5 * expected)
    # Nothing is thought of what is not all digits, nor of a number that has so many digits and no others.
    assert weighed["1?000"] / weighed["12600"] == pytest.approx(0.15 / 0.5 / prior_weight("12600", FULL))
    assert weigh_readings(readings, settings=expected_prior((5, 5), settings)) == readings
    assert weigh_readings([], settings=settings) == []
