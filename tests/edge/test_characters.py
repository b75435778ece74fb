"""The characters of a strip, one by one: where they stand, what is seen of them, what that says of a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgedigits.errors import ModelError
from edgedigits.model import Model
from edgedigits.reader import Reader
from edgedigits.runtime import shipped_models
from edgedigits.strip_model import StripModel
from edgedigits.strips import HEIGHT, prepare
from edgedigits.ways.characters import SIDE, cells_of, ink_of, window
from edgedigits.ways.ctc import best_texts
from edgedigits.ways.strip_cutting import Region
from edgedigits.ways.verifier import Verifier, place_texts


@pytest.fixture(scope="module")
def model() -> Model:
    return Model("character-int8", way="character")


@pytest.fixture(scope="module")
def paper(data_set: Callable[[str], Path]) -> np.ndarray:
    """Grey paper that says 40718, in digits of MNIST's test part."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    row = [mnist.test_images[np.flatnonzero(mnist.test_labels == int(digit))[3]] for digit in "40718"]
    written = 225 - (0.7 * np.hstack(row)).astype(np.uint8)
    return np.asarray(cv2.resize(written, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.uint8)


@pytest.fixture(scope="module")
def strip(paper: np.ndarray) -> np.ndarray:
    return prepare(paper)


def test_a_cell_reaches_half_way_to_the_neighbours() -> None:
    # Steps are two pixels wide; the first and the last cell end within the strip.
    assert cells_of([(2, 4), (10, 12), (30, 32)], 64) == [(0.0, 14.0), (14.0, 42.0), (42.0, 64.0)]
    # Far from the ends they are 0.6 heights long there.
    (cell,) = cells_of([(50, 52)], 400)
    assert cell == pytest.approx((102 - 0.6 * HEIGHT, 102 + 0.6 * HEIGHT))
    assert cells_of([], 100) == []


def test_cells_of_any_width_fill_their_windows_alike() -> None:
    strip = np.zeros((HEIGHT, 200), np.uint8)
    for least, most in ((20, 60), (100, 120)):
        strip[:, least:most] = 255
        seen = window(strip, (least, most))
        assert seen.shape == (SIDE, SIDE)
        assert seen.dtype == np.uint8
        inked = np.flatnonzero(seen[SIDE // 2] > 127)
        # The cell takes two thirds of the window, in its middle.
        assert abs(len(inked) - SIDE / 1.5) <= 1
        assert abs(inked.mean() - (SIDE - 1) / 2) <= 0.6


def test_beyond_the_ends_of_a_strip_there_is_paper() -> None:
    strip = np.full((HEIGHT, 30), 200, np.uint8)
    seen = window(strip, (-10.0, 30.0))
    assert not seen[:, :9].any()
    assert (seen[:, 11:22] == 200).all()
    assert not seen[:, 25:].any()
    assert not window(strip, (60.0, 80.0)).any()


def test_the_ink_of_a_character_is_its_own() -> None:
    strip = np.zeros((HEIGHT, 60), np.uint8)
    cv2.ellipse(strip, (30, 20), (8, 14), 0, 0, 360, 200, 3)
    alone = strip[:, 20:42].copy()
    strip[3:8, 15:22] = 220  # a neighbour's end
    strip[36:38, 38:40] = 220  # a speck
    strip[:, 20:42] = np.maximum(strip[:, 20:42], 60)  # paper that is not clean
    assert np.array_equal(ink_of(strip, (20.0, 42.0)), alone)
    # Cells of no width, beyond the ends, without ink.
    for cell in ((59.8, 60.2), (-9.0, 0.2), (0.0, 10.0)):
        assert not ink_of(strip, cell).any()
        assert ink_of(strip, cell).shape[1] >= 1


def test_the_right_text_outweighs_every_other_of_its_length(model: Model, strip: np.ndarray) -> None:
    reader = StripModel()
    answers = reader.log_probabilities(strip)
    right = best_texts(answers, 1)[0].text
    assert right == (4, 0, 7, 1, 8)
    others = {
        f"{place}{digit}": (*right[:place], digit, *right[place + 1 :])
        for place in range(5)
        for digit in range(10)
        if digit != right[place]
    }
    verifier = Verifier(model, reader.card.labels)
    weights = verifier.weights(strip, place_texts(answers, {"right": right, **others}, strip.shape[1]))
    assert weights.pop("right") > 0.9
    assert max(weights.values()) < 0.6


def test_separators_are_not_looked_at_and_texts_without_room_have_no_place(
    model: Model, strip: np.ndarray
) -> None:
    reader = StripModel()
    answers = reader.log_probabilities(strip)
    verifier = Verifier(model, reader.card.labels)
    dot = reader.card.labels.index(".")
    texts = {"dot": (dot,), "long": (1,) * 500, "right": (4, 0, 7, 1, 8)}
    placed = place_texts(answers, texts, strip.shape[1])
    assert placed.keys() == {"dot", "right"}
    weights = verifier.weights(strip, placed)
    assert weights["dot"] == verifier.unseen < weights["right"]
    assert verifier.weights(strip, {}) == {}


def test_models_for_characters_are_no_models_for_glyphs() -> None:
    assert shipped_models("character") == ("character-int8",)
    with pytest.raises(ModelError, match="a model for characters, where one for glyphs is needed"):
        Reader("character-int8")
    for way in ("strip", "glyph"):
        with pytest.raises(ModelError, match="a model for glyphs, where one for characters is needed"):
            Reader(way=way, character_model="compact-int8")  # type: ignore[arg-type]


def test_a_reader_may_do_without(paper: np.ndarray) -> None:
    for model in (None, "character-int8"):
        (line,) = Reader(way="strip", character_model=model).read(paper).lines
        assert line.text == "40718"


def test_where_no_character_is_believed_a_strip_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scribble of which the strip network says 1, and that there may be nothing."""
    random = np.random.default_rng(19)
    grey = np.full((40, 70), 225, np.uint8)
    scribble = np.cumsum(random.normal(0, [9, 7], (5, 2)), 0) + np.array([30, 20])
    cv2.polylines(grey, [np.rint(scribble).astype(np.int32)], False, 60, 2)
    strips = Reader(way="strip").strips
    region = Region((35, 20), 70, 40)
    line = strips.read(grey, region)
    assert line is not None
    assert "" in dict(line.readings)
    monkeypatch.setattr(Verifier, "weights", lambda *given: dict.fromkeys(given[-1], 0.0))
    assert strips.read(grey, region) is None
