"""How similar digits are, and what that says of the readings of a line."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgedigits import Reader
from edgedigits.decode.consistency import (
    ConsistencySettings,
    consistencies,
    consistency_weights,
    similarities,
)
from edgedigits.decode.lattice import Reading, best_readings
from edgedigits.decode.prior import PriorSettings
from edgedigits.normalize import normalize
from edgedigits.ways.ctc import Hypothesis
from edgedigits.ways.strip_cutting import Region


def shape(*points: tuple[int, int], closed: bool = False) -> np.ndarray:
    ink = np.zeros((60, 60), np.uint8)
    cv2.polylines(ink, [np.array(points, np.int32)], closed, 255, 5, cv2.LINE_AA)
    return normalize(ink)


SQUARE = shape((15, 10), (40, 10), (40, 50), (15, 50), closed=True)
WRITTEN_AGAIN = shape((14, 12), (41, 10), (39, 50), (16, 49), closed=True)
HOOK = shape((15, 10), (40, 10), (28, 50))


def test_a_glyph_is_like_itself_and_less_like_others() -> None:
    alike = similarities(np.stack([SQUARE, WRITTEN_AGAIN, HOOK]))
    assert alike.shape == (3, 3)
    assert alike.dtype == np.float32
    assert np.allclose(np.diag(alike), 1, atol=1e-5)
    assert np.array_equal(alike, alike.T)
    assert alike[0, 1] > 0.85
    assert max(alike[0, 2], alike[1, 2]) < 0.6


def test_two_pixels_to_the_side_do_not_matter() -> None:
    moved = np.roll(SQUARE, (2, -2), (0, 1))
    assert similarities(np.stack([SQUARE, moved]))[0, 1] > 0.95


def test_a_picture_without_ink_is_like_nothing() -> None:
    alike = similarities(np.stack([SQUARE, np.zeros_like(SQUARE)]))
    assert np.isfinite(alike).all()
    assert alike[0, 1] == 0


def test_the_same_digits_count_as_they_look_alike() -> None:
    pictures = {"a": SQUARE, "b": WRITTEN_AGAIN, "c": HOOK}
    asked: list[list[str]] = []

    def given(keys: list[str]) -> np.ndarray:
        asked.append(keys)
        return np.stack([pictures[key] for key in keys])

    texts = {
        "447": [("4", "a"), ("4", "b"), ("7", "c")],
        "477": [("4", "a"), ("7", "b"), ("7", "c")],
        "444": [("4", "a"), ("4", "b"), ("4", "c")],
        "417": [("4", "a"), ("1", "b"), ("7", "c")],
        "411": [("4", "a"), ("1", "b"), ("1", "c")],
        "?4?": [("?", "a"), ("4", "b"), ("?", "c")],
        "": [],
    }
    found = consistencies(texts, given)
    alike = similarities(np.stack([SQUARE, WRITTEN_AGAIN, HOOK]))
    usual = ConsistencySettings().usual
    assert found["447"] == pytest.approx(2 * (alike[0, 1] - usual))
    assert found["477"] == pytest.approx(2 * (alike[1, 2] - usual))
    # Each with the mean of both others.
    assert found["444"] == pytest.approx(alike[0, 1] + alike[0, 2] + alike[1, 2] - 3 * usual, abs=1e-6)
    assert found["477"] < found["444"] < found["447"]
    # One of its kind, a 1 and what is not read tell nothing.
    assert found["417"] == found["411"] == found["?4?"] == found[""] == 0
    assert asked == [["a", "b", "c"]]
    assert consistencies({"12": [("1", "a"), ("2", "b")]}, given) == {"12": 0.0}
    assert len(asked) == 1  # nothing was needed


@pytest.fixture(scope="module")
def paper(data_set: Callable[[str], Path]) -> np.ndarray:
    """Grey paper that says 4474, with the very same 4 three times, a digit of MNIST's test part."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    four, seven = (mnist.test_images[np.flatnonzero(mnist.test_labels == digit)[1]] for digit in (4, 7))
    written = 225 - (0.7 * np.hstack([four, four, seven, four])).astype(np.uint8)
    return np.asarray(cv2.resize(written, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.uint8)


TEXTS = ("4974", "4974"[::-1], "4474", "9479")


def test_of_equally_likely_readings_of_glyphs_the_one_that_takes_likes_for_likes_is_best(
    paper: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def equally_likely(*given: Any) -> list[Reading]:
        (best, *_) = best_readings(*given)
        assert best.text == "4474"
        return [Reading(text, 0.25, best.arcs) for text in TEXTS]

    monkeypatch.setattr("edgedigits.ways.glyph_reading.best_readings", equally_likely)
    reader = Reader(way="glyph", character_model=None, prior=PriorSettings(weight=0))
    (line,) = reader.read(paper, upright=True).lines
    assert line.readings[0][0] == line.text == "4474"
    assert line.readings[0][1] > 1.2 * line.readings[1][1]


def test_of_equally_likely_readings_of_a_strip_the_one_that_takes_likes_for_likes_is_best(
    paper: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def equally_likely(*given: Any) -> list[Hypothesis]:
        return [Hypothesis(tuple(map(int, text)), 0.24) for text in TEXTS]

    monkeypatch.setattr("edgedigits.ways.strip_reading.best_texts", equally_likely)
    reader = Reader(way="strip", character_model=None, prior=PriorSettings(weight=0))
    line = reader.strips.read(paper, Region((paper.shape[1] / 2, 28), paper.shape[1], 56))
    assert line is not None
    assert line.readings[0][0] == "4474"
    assert line.readings[0][1] > 1.2 * line.readings[1][1]


def test_nothing_becomes_likelier_and_nothing_impossible() -> None:
    settings = ConsistencySettings()
    weights = consistency_weights({"like": 0.4, "less": 0.1, "unlike": -300.0}, 0.4)
    assert weights["like"] == 1
    assert weights["less"] == pytest.approx(math.exp(-0.3 * settings.weight))
    assert weights["unlike"] == pytest.approx(math.exp(-settings.most * settings.weight))
    assert consistency_weights({"later": 0.9}, 0.4) == {"later": 1.0}


def test_a_long_line_by_many_hands_keeps_what_the_networks_say(
    data_set: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each digit is unlike the others of its kind; that makes no reading better that has fewer of them."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    row = np.hstack([mnist.test_images[k] for k in range(100, 140)])
    grey = np.full((56, 2 * row.shape[1]), 225, np.uint8)
    grey -= (0.6 * cv2.resize(row, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)).astype(np.uint8)
    strips = Reader(way="strip", character_model=None, prior=PriorSettings(weight=0)).strips
    region = Region((grey.shape[1] / 2, 28), grey.shape[1], 56)
    weighed = strips.read(grey, region)
    monkeypatch.setattr(strips, "consistency", ConsistencySettings(weight=0))
    plain = strips.read(grey, region)
    assert weighed is not None
    assert plain is not None
    assert len(plain.readings[0][0]) == 40
    likely = [text for text, p in plain.readings if p > 0.1 * plain.readings[0][1]]
    assert weighed.readings[0][0] in likely


def test_a_sure_reading_is_left_as_it_is(paper: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        "edgedigits.ways.glyph_reading.consistencies", lambda *given: asked.append(given) or {}
    )
    (line,) = Reader(way="glyph").read(paper, upright=True).lines
    assert line.readings[0][1] > ConsistencySettings().sure
    assert not asked


def test_readings_of_a_line_are_found_once(paper: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the paper's turn is looked into, too, with the digits of the best."""
    found = []

    def counted(*given: Any) -> list[Reading]:
        found.append(best_readings(*given))
        return found[-1]

    monkeypatch.setattr("edgedigits.ways.glyph_reading.best_readings", counted)
    (line,) = Reader(way="glyph").read(paper).lines
    assert line.accepted
    assert len(found) == 1
