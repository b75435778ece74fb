"""Prefix beam search against the definition: every way through a few steps, added up."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

from edgedigits.ways import ctc
from edgedigits.ways.ctc import Constraint, best_texts, probabilities_of, spans, spans_of_all

STEPS, LABELS = 6, 3  # two characters and the blank: 729 ways


def answers(seed: int, steps: int = STEPS, labels: int = LABELS) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 1.5, (steps, labels))
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def text_of(way: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(label for label, _ in itertools.groupby(way) if label != blank)


def all_texts(log_probabilities: np.ndarray) -> dict[tuple[int, ...], float]:
    steps, labels = log_probabilities.shape
    found: dict[tuple[int, ...], float] = {}
    for way in itertools.product(range(labels), repeat=steps):
        text = text_of(way, labels - 1)
        found[text] = found.get(text, 0.0) + float(np.exp(log_probabilities[np.arange(steps), way].sum()))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_the_best_texts_have_the_probability_of_all_their_ways(seed: int) -> None:
    rows = answers(seed)
    expected = sorted(all_texts(rows).items(), key=lambda item: -item[1])[:5]
    found = best_texts(rows, 5, beam=1000)
    assert [h.text for h in found] == [text for text, _ in expected]
    np.testing.assert_allclose([h.probability for h in found], [p for _, p in expected], rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_any_text_has_the_probability_of_all_its_ways(seed: int) -> None:
    rows = answers(seed)
    expected = all_texts(rows)
    found = probabilities_of(rows, list(expected))
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-9)
    # Where there is no room for it, it has none.
    assert probabilities_of(rows, [(0,) * STEPS]) == [0.0]


def test_what_is_unsaid_may_stand_anywhere() -> None:
    rows = answers(1, labels=4)
    expected: dict[tuple[int, ...], float] = {}
    for text, probability in all_texts(rows).items():
        said = tuple(label for label in text if label != 1)
        expected[said] = expected.get(said, 0.0) + probability
    assert (0, 0) in expected
    found = probabilities_of(rows, list(expected), [1])
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-9)


def test_many_blank_steps_change_no_probability() -> None:
    rows = answers(2)
    nothing = np.log(np.array([1e-9, 1e-9, 1 - 2e-9]))
    apart = np.insert(rows, [0, 3, 3, 3, 6, 6], nothing, axis=0)
    texts = [(), (0,), (1,), (0, 1), (1, 1)]
    found = probabilities_of(apart, texts)
    assert found[0] == pytest.approx(np.exp(rows[:, -1].sum()), rel=1e-6)
    # Across the blank steps in its middle a character can't go on.
    before, after = probabilities_of(rows[:3], texts), probabilities_of(rows[3:], texts)
    assert found[1] == pytest.approx(before[1] * after[0] + before[0] * after[1], rel=1e-6)
    assert found[4] == pytest.approx(
        before[2] * after[2] + before[4] * after[0] + before[0] * after[4], rel=1e-6
    )


def test_a_long_strip_takes_little_memory() -> None:
    rows = answers(3, 4000, 11)
    texts = [tuple(np.random.default_rng(k).integers(0, 10, 300)) for k in range(12)]
    tracemalloc.start()
    try:
        probabilities_of(rows, texts)
        of_all = tracemalloc.get_traced_memory()[1]
        spans_of_all(rows, texts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # All states of all steps would be 230 MB; where each came from is a byte, 29 MB.
    assert of_all < 20e6, of_all
    assert peak < 60e6, peak


@pytest.mark.filterwarnings("error")
def test_a_short_text_beside_a_long_one_overflows_nothing() -> None:
    """Behind a short text's last blank there are more ways through further blanks than can be counted."""
    rows = answers(3, 2000, 11)
    rows[:, -1] = np.log(0.99)
    rows[:, :-1] = np.log(0.001)
    long = (0, 1) * 400
    together = probabilities_of(rows, [(1,), long])
    assert together == [probabilities_of(rows, [(1,)])[0], probabilities_of(rows, [long])[0]]


def test_steps_that_are_blank_for_sure_are_passed_over_exactly() -> None:
    """The probability of a text is the sum over its ways through them, too."""
    faint = 4e-4  # what is tried nowhere
    rows = np.full((7, 3), faint)
    rows[:, 2] = 1 - 2 * faint
    rows[2] = (0.6, 0.1, 0.3)
    expected = all_texts(np.log(rows))
    for hypothesis in best_texts(np.log(rows), 3):
        assert hypothesis.probability == pytest.approx(expected[hypothesis.text], abs=0.005)
    # A character that goes on at such a step goes on: (0,) has the ways of 0 0 2 …, not only those of 0 2 ….
    certain = np.log(np.array([[1 - 2 * faint, faint, faint], [faint, faint, 1 - 2 * faint]] + [rows[0]] * 5))
    assert best_texts(certain)[0].probability == pytest.approx(
        (1 - 2 * faint) ** 7 + faint * (1 - 2 * faint) ** 6
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_beam_finds_the_best_text_of_sure_answers(seed: int) -> None:
    rows = answers(seed, 12, 5) * 3
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    assert best_texts(rows)[0].text == best_texts(rows, beam=100_000)[0].text


def test_the_same_character_twice_needs_a_blank_between() -> None:
    sure = np.log(np.full((4, 3), 0.001))
    for step, label in enumerate((0, 0, 2, 0)):
        sure[step, label] = np.log(0.998)
    assert best_texts(sure)[0].text == (0, 0)
    sure[2] = sure[1]
    assert best_texts(sure)[0].text == (0,)


def test_nothing_but_blanks_is_the_empty_text() -> None:
    blank = np.log(np.tile([0.001, 0.001, 0.998], (40, 1)))
    best = best_texts(blank)[0]
    assert best.text == ()
    assert best.probability == pytest.approx(0.998**40, rel=1e-6)


def test_a_constraint_is_part_of_the_search() -> None:
    rows = answers(3)
    two = Constraint(lambda prefix, _: len(prefix) < 2, lambda prefix: len(prefix) == 2)
    expected = {text: p for text, p in all_texts(rows).items() if len(text) == 2}
    found = best_texts(rows, 9, two, beam=1000)
    assert {h.text: pytest.approx(h.probability) for h in found} == expected
    nothing = Constraint(lambda prefix, _: False, lambda prefix: bool(prefix))
    assert best_texts(rows, 5, nothing) == []


@pytest.mark.parametrize("count", [30, 150, 300, 1300])
def test_a_long_text_is_found_though_none_of_its_characters_is_sure(count: int) -> None:
    """However small its probability is: of 1,300 characters it is no floating-point number any more."""
    text = tuple(k % 10 for k in range(count))
    rows = np.full((4 * count, 11), 1e-5)
    rows[:, -1] = 1 - 10e-5
    for k, label in enumerate(text):
        rows[4 * k + 1] = 1e-5
        rows[4 * k + 1, [label, (label + 3) % 10, -1]] = 0.55, 0.3, 0.15 - 8e-5
    found = best_texts(np.log(rows), 3)
    assert found[0].text == text
    assert [len(hypothesis.text) for hypothesis in found] == [count] * 3
    (expected,) = probabilities_of(np.log(rows), [text])
    assert found[0].probability == pytest.approx(expected, rel=0.02)
    assert found[0].probability == pytest.approx(0.55**count, rel=0.5)


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("seed", range(8))
def test_spans_are_those_of_the_likeliest_way(seed: int, place: int) -> None:
    rows = answers(seed)
    text = best_texts(rows, 3)[place].text
    ways = [w for w in itertools.product(range(LABELS), repeat=STEPS) if text_of(w, LABELS - 1) == text]
    best = max(ways, key=lambda way: rows[np.arange(STEPS), way].sum())
    expected, step = [], 0
    for label, run in itertools.groupby(best):
        length = len(list(run))
        if label != LABELS - 1:
            expected.append((step, step + length))
        step += length
    assert spans(rows, text) == expected


@pytest.mark.parametrize("seed", range(8))
def test_spans_of_several_texts_are_those_of_each(seed: int) -> None:
    rows = answers(seed)
    texts = [(), *(hypothesis.text for hypothesis in best_texts(rows, 6)), (0, 1, 2), (1, 1, 1, 1)]
    found = spans_of_all(rows, texts)
    assert found[-1] is None
    assert found[:-1] == [spans(rows, text) for text in texts[:-1]]
    assert spans_of_all(rows, []) == []


@pytest.mark.parametrize("seed", range(12))
def test_spans_are_the_same_where_surely_blank_steps_are_taken_for_one(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = answers(seed, steps=30)
    sure = np.full(LABELS, np.log(1e-5))
    sure[-1] = np.log(1 - 2e-5)
    for start, stop in ((0, 4), (7, 8), (11, 19), (26, 30)):
        rows[start:stop] = sure
    starts = ctc._starts(rows, 1)
    assert starts.tolist() == [0, 4, 5, 6, 7, 8, 9, 10, 11, *range(19, 27)]
    texts = [h.text for h in best_texts(rows, 5)]
    found = spans_of_all(rows, texts)
    monkeypatch.setattr(ctc, "_starts", lambda rows, least: np.arange(len(rows)))
    assert found == spans_of_all(rows, texts)


def test_a_text_that_is_too_long_has_no_spans() -> None:
    with pytest.raises(ValueError, match="4 characters don't fit into 6 steps"):
        spans(answers(0), (1, 1, 1, 1))


def test_a_text_of_hundreds_of_characters_has_its_spans() -> None:
    """As of a strip of 10,000 pixels. The likeliest labels say another text, so that a way is searched."""
    text = [0, 1] * 150
    answers = np.log(np.full((1200, 3), 0.1))
    for number, label in enumerate(text):
        answers[4 * number + 1, label] = np.log(0.8)
        answers[[4 * number, 4 * number + 2, 4 * number + 3], 2] = np.log(0.8)
    answers[2, 0], answers[2, 2] = np.log(0.5), np.log(0.4)
    answers[3, 1], answers[3, 2] = np.log(0.5), np.log(0.4)
    found = spans(answers, text)
    assert [first for first, _ in found[2:]] == [4 * number + 1 for number in range(2, 300)]
