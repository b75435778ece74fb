"""How much alike digits look, and what that says of the readings of a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgedigits import Reader
from edgedigits.lattice import Reading, best_readings
from edgedigits.likeness import LikenessSettings, consistencies, likenesses
from edgedigits.normalize import normalize
from edgedigits.prior import PriorSettings
from edgedigits.strips import prepare
from edgedigits.verifier import place_texts


def shape(*points: tuple[int, int], closed: bool = False) -> np.ndarray:
    ink = np.zeros((60, 60), np.uint8)
    cv2.polylines(ink, [np.array(points, np.int32)], closed, 255, 5, cv2.LINE_AA)
    return normalize(ink)


SQUARE = shape((15, 10), (40, 10), (40, 50), (15, 50), closed=True)
WRITTEN_AGAIN = shape((14, 12), (41, 10), (39, 50), (16, 49), closed=True)
HOOK = shape((15, 10), (40, 10), (28, 50))


def test_a_glyph_is_like_itself_and_less_like_others() -> None:
    alike = likenesses(np.stack([SQUARE, WRITTEN_AGAIN, HOOK]))
    assert alike.shape == (3, 3)
    assert alike.dtype == np.float32
    assert np.allclose(np.diag(alike), 1, atol=1e-5)
    assert np.array_equal(alike, alike.T)
    assert alike[0, 1] > 0.85
    assert max(alike[0, 2], alike[1, 2]) < 0.6


def test_two_pixels_to_the_side_do_not_matter() -> None:
    moved = np.roll(SQUARE, (2, -2), (0, 1))
    assert likenesses(np.stack([SQUARE, moved]))[0, 1] > 0.95


def test_a_picture_without_ink_is_like_nothing() -> None:
    alike = likenesses(np.stack([SQUARE, np.zeros_like(SQUARE)]))
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
    alike = likenesses(np.stack([SQUARE, WRITTEN_AGAIN, HOOK]))
    usual = LikenessSettings().usual
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

    monkeypatch.setattr("edgedigits.reader.best_readings", equally_likely)
    (line,) = Reader(way="glyph", prior=PriorSettings(weight=0)).read(paper, upright=True).lines
    assert line.readings[0][0] == line.text == "4474"
    assert line.readings[0][1] > 1.2 * line.readings[1][1]


def test_of_equally_likely_readings_of_a_strip_the_one_that_takes_likes_for_likes_is_best(
    paper: np.ndarray,
) -> None:
    strips = Reader(way="strip").strips
    strip = prepare(paper)
    spelt = {text: tuple(int(digit) for digit in text) for text in TEXTS}
    placed = place_texts(strips.model.log_probabilities(strip), spelt, strip.shape[1])
    found = strips._consistencies(strip, placed)
    assert max(found, key=found.__getitem__) == "4474"
    assert found["4474"] > max(nats for text, nats in found.items() if text != "4474") + 0.2


def test_a_sure_reading_is_left_as_it_is(paper: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("edgedigits.reader.consistencies", lambda *given: asked.append(given) or {})
    (line,) = Reader(way="glyph").read(paper, upright=True).lines
    assert line.readings[0][1] > LikenessSettings().sure
    assert not asked
