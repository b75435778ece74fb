"""Pieces of strings: what each is said to show it does show, and wrong cuts are among them."""

from __future__ import annotations

import numpy as np
import pytest

from edgedigits_train import pieces
from edgedigits_train.data import DataSet, load_mnist
from edgedigits_train.distance_fields import Fields, fields
from edgedigits_train.strip.compose import LABELS, Composer, Digits
from edgedigits_train.strip.recipe import Composition
from edgedigits_train.strokes import is_upright_stroke


@pytest.fixture(scope="module")
def shapes(small_mnist) -> tuple[Fields, np.ndarray]:
    data: DataSet = load_mnist(small_mnist)
    return fields(data.train_images[:300]), data.train_labels[:300]


def test_pieces_are_centred_labelled_and_follow_from_the_seed(shapes):
    images, labels = pieces.crops(*shapes, 200, 10, np.random.default_rng(2))
    assert images.shape == (200, 28, 28)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    assert set(labels.tolist()) == set(range(11))
    assert 0.1 < (labels == 10).mean() < 0.6  # most cuts are wrong, and a fifth of these is kept
    rows, columns = images.max(axis=2) > 0, images.max(axis=1) > 0
    assert max(rows.sum(axis=1).max(), columns.sum(axis=1).max()) <= 20
    again, same = pieces.crops(*shapes, 200, 10, np.random.default_rng(2))
    assert np.array_equal(again, images)
    assert np.array_equal(same, labels)
    assert not np.array_equal(pieces.crops(*shapes, 200, 10, np.random.default_rng(3))[0], images)


def test_a_photograph_tells_whose_ink_is_whose(shapes):
    """Ink of a digit lies where the digit stands in the text: the middles follow one another."""
    digits = Digits.of_fields(*shapes)
    plain = Composition(touching=0, slant=0, separators=0, background=0, rules=0, clutter=0, empty=0, clear=1)
    composer, random = Composer(digits, plain), np.random.default_rng(4)
    seen = 0
    for _ in range(20):
        picture, ink, owners, text = composer.photograph(150, 6, random)
        assert picture.shape == ink.shape == owners.shape
        assert (ink[:6] == 0).all()
        assert (ink[-6:] == 0).all()
        assert all(LABELS[label].isdigit() for label in text)
        # Hardly any ink is nobody's, and where ink is owned the photograph is darker than the paper.
        assert (owners[ink > 0.5] >= 0).mean() > 0.99
        assert picture[ink > 0.9].mean() < picture[ink == 0].mean() - 20
        middles = [np.flatnonzero((owners == place).any(axis=0)).mean() for place in range(len(text))]
        assert middles == sorted(middles)
        seen += len(text)
    assert seen > 40


def test_a_lone_stroke_is_never_said_to_be_no_digit(shapes):
    images, labels = pieces.crops(*shapes, 300, 10, np.random.default_rng(5))
    wrong = images[labels == 10]
    assert len(wrong) > 30
    assert not [1 for image in wrong if is_upright_stroke(image)]


def test_a_whole_digit_is_found_among_the_pieces_of_touching_ones(shapes):
    """Of the digits that are written, the right cuts are among those offered for most."""
    digits = Digits.of_fields(*shapes)
    settings = Composition(touching=1, separators=0, background=0, rules=0, clutter=0, empty=0, clear=1)
    composer, random = Composer(digits, settings), np.random.default_rng(6)
    written, whole = 0, 0
    for _ in range(30):
        picture, ink, owners, text = composer.photograph(150, 6, random)
        shown = [label for _, label in pieces._pieces(picture, ink, owners, text) if label is not None]
        written += len(text)
        whole += sum(min(shown.count(digit), text.count(digit)) for digit in set(text))
    assert whole > 0.75 * written
