"""The best way through what could be read: exact on small lattices, n best, bounded."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edgedigits.decode.hypotheses import LineHypotheses
from edgedigits.decode.lattice import Arc, LatticeSettings, Reading, best_readings, glyph_labels, weighed
from edgedigits.glyphs import Glyph, TextLine

BOX = (0, 0, 10, 20)
CHARACTERS = [(k, str(k)) for k in range(10)]
GENEROUS = LatticeSettings(readings=10_000, bound=1e9)


def arc(start: int, stop: int, prior: float = 0.0, **labels: float) -> Arc:
    told = tuple((name[1:], math.log(p)) for name, p in labels.items())
    return Arc(start, stop, BOX, prior, labels=told)


def all_ways(arcs: list[Arc], node: int, last: int) -> list[tuple[str, float]]:
    """Enumerate every reading the slow way."""
    if node == last:
        return [("", 0.0)]
    found = []
    for a in arcs:
        if a.start == node:
            options = a.labels if a.separator is None else (("", 0.0),)
            for (label, p), (rest, q) in itertools.product(options, all_ways(arcs, a.stop, last)):
                found.append((label + rest, p + a.log_prior + q))
    return found


def test_it_agrees_with_full_enumeration() -> None:
    rng = np.random.default_rng(0)
    arcs = []
    for start in range(6):
        for stop in range(start + 1, min(start + 4, 7)):
            p = rng.dirichlet([0.3] * 3)
            names = rng.choice(10, 3, replace=False)
            labels = tuple((str(n), math.log(v + 1e-9)) for n, v in zip(names, p, strict=True))
            arcs.append(Arc(start, stop, BOX, float(-rng.exponential()), labels=labels))
    true: dict[str, float] = {}
    for text, score in all_ways(arcs, 0, 6):
        true[text] = true.get(text, 0.0) + math.exp(score)
    whole = sum(true.values())
    readings = best_readings(arcs, 6, GENEROUS)
    assert {r.text for r in readings} == set(true)
    for reading in readings:
        assert reading.probability == pytest.approx(true[reading.text] / whole)
    assert [r.probability for r in readings] == sorted((r.probability for r in readings), reverse=True)


def test_texts_that_are_wanted_are_told_however_many_are_better() -> None:
    arcs = [arc(k, k + 1, _1=0.6, _7=0.3, _4=0.1 * 0.1**k) for k in range(4)]
    few = LatticeSettings(readings=3)
    best = best_readings(arcs, 4, few)
    assert len(best) == 3
    told = best_readings(arcs, 4, few, ["7777", "7717", "9999", "4444"])
    assert [r.text for r in told[:3]] == [r.text for r in best]
    # The last is less likely than the best by more than the bound, and no glyph can be a 9.
    found = {r.text: r.probability for r in told}
    assert set(found) - {r.text for r in best} == {"7777", "7717"}
    assert found["7717"] / found["7777"] == pytest.approx(2)
    assert [r.probability for r in told] == sorted(found.values(), reverse=True)
    assert sum(found.values()) == pytest.approx(1)


def test_one_digit_or_two_is_decided_by_what_can_be_read() -> None:
    halves = [arc(0, 1, _1=0.4), arc(1, 2, _1=0.5)]
    assert best_readings([arc(0, 2, _0=0.9), *halves], 2)[0].text == "0"
    assert best_readings([arc(0, 2, _0=0.1), *halves], 2)[0].text == "11"


def test_ways_that_spell_the_same_add_up() -> None:
    arcs = [arc(0, 2, _7=0.5), arc(0, 1, _1=0.6), arc(0, 1, _1=0.6), arc(1, 2, _2=0.5)]
    readings = {r.text: r.probability for r in best_readings(arcs, 2)}
    assert readings["12"] == pytest.approx(0.6 / 1.1)


def test_the_arcs_of_a_text_are_those_of_its_likeliest_way() -> None:
    """Where a text can be cut in two ways, its digits' boxes are those of the better cut."""
    cut, other = arc(0, 1, _1=0.6), arc(0, 1, prior=-1.0, _1=0.6)
    behind = arc(1, 2, _2=0.5)
    for arcs in ([cut, other, behind], [other, cut, behind]):
        (reading,) = best_readings(arcs, 2)
        assert reading.arcs == (cut, behind)


def test_what_no_way_reaches_is_not_read() -> None:
    (reading,) = best_readings([arc(0, 2, _7=0.1), arc(1, 2, _2=0.9)], 2)
    assert (reading.text, reading.probability) == ("7", 1)


def test_separators_and_dirt_spell_nothing_but_are_on_the_way() -> None:
    dot = Arc(1, 2, BOX, -0.1, separator=".")
    best = best_readings([arc(0, 1, _3=0.9), dot, arc(2, 3, _5=0.9)], 3)[0]
    assert best.text == "35"
    assert [a.separator for a in best.arcs] == [None, ".", None]


def test_no_way_through_is_no_reading() -> None:
    assert best_readings([arc(0, 1, _3=0.9)], 2) == []


def test_what_is_no_text_counts_only_for_a_glyph_on_its_own() -> None:
    probabilities = np.array([0.1] + [0.0] * 9 + [0.9])
    assert dict(glyph_labels(probabilities, CHARACTERS, True))["?"] == pytest.approx(math.log(0.9))
    assert "?" not in dict(glyph_labels(probabilities, CHARACTERS, False))


def test_a_digit_of_an_unusual_size_is_less_likely() -> None:
    probabilities = np.array([0.0, 0.55, 0, 0, 0, 0, 0, 0.45, 0, 0, 0])
    probabilities[0] = 1e-3

    def told(size: tuple[float, float] | None) -> dict[str, float]:
        labels = glyph_labels(probabilities, CHARACTERS, False, size=size)
        assert [p for _, p in labels] == sorted((p for _, p in labels), reverse=True)
        return dict(labels)

    plain = told(None)
    assert plain == told((0.4, 1.0)) == told((0.8, 0.9))
    wide, wider, low = told((1.1, 1.0)), told((1.5, 1.0)), told((0.4, 0.5))
    for label in "17":
        assert wider[label] < wide[label] < plain[label]
        assert low[label] < plain[label]
    # A 0 may be as wide as high, and is often small.
    assert plain["0"] == told((1.1, 0.65))["0"]
    assert low["0"] - plain["0"] > low["1"] - plain["1"]


def test_of_other_characters_only_very_small_ones_are_less_likely() -> None:
    letters = [(0, "a"), (1, "b")]
    probabilities = np.array([0.7, 0.3])
    plain = glyph_labels(probabilities, letters, False)
    assert glyph_labels(probabilities, letters, False, size=(3.0, 0.65)) == plain
    small = dict(glyph_labels(probabilities, letters, False, size=(1.0, 0.3)))
    assert all(small[label] < p - 1 for label, p in plain)


@pytest.mark.parametrize(("wide", "likelier"), [(26, "50"), (12, "10")])
def test_in_a_line_a_wide_1_is_less_likely_than_alone(wide: int, likelier: str) -> None:
    """Two pieces of ink, of which the network says 1 or 5 of one and 0 of the other."""
    ink = np.full((20, wide), 255, np.uint8)
    round_ink = np.full((20, 18), 255, np.uint8)
    glyphs = (Glyph((0, 0, wide, 20), ink), Glyph((wide + 12, 0, 18, 20), round_ink))
    hypotheses = LineHypotheses(TextLine(glyphs, ()), CHARACTERS, True)
    said = ({"1": 0.55, "5": 0.45}, {"0": 1.0})
    for glyph, labels in zip(hypotheses.glyphs(), said, strict=True):
        glyph.probabilities = np.array([labels.get(str(k), 0.0) for k in range(10)] + [0.0], np.float32)
    for part in hypotheses.parts():
        part.probabilities = np.array([0.0] * 10 + [1.0], np.float32)
        if part.box == (0, 0, wide, 20):
            part.probabilities = np.array([0, 0.55, 0, 0, 0, 0.45, 0, 0, 0, 0, 0], np.float32)
    assert best_readings(*hypotheses.lattice())[0].text == likelier


def test_readings_are_weighed_and_sum_to_what_they_did() -> None:
    readings = [Reading("12", 0.6, ()), Reading("17", 0.3, ())]
    found = weighed(readings, [0.25, 1.0])
    assert [(each.text, each.probability) for each in found] == [
        ("17", pytest.approx(0.6)),
        ("12", pytest.approx(0.3)),
    ]
    assert weighed([], []) == []


def test_a_long_line_stays_bounded() -> None:
    """Three labels at each of 500 places are 3⁵⁰⁰ readings; the work grows with the places alone.

    Nor are their probabilities, each of which is less than a number can be, lost.
    """
    arcs = [arc(k, k + 1, _1=0.2, _7=0.15, _4=0.1) for k in range(500)]
    readings = best_readings(arcs, 500)
    assert readings[0].text == "1" * 500
    assert len(readings) <= LatticeSettings().readings
    assert sum(reading.probability for reading in readings) == pytest.approx(1)
