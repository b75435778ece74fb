"""Digits crossed out: what is drawn over them, and what is left out because it is a digit still."""

import numpy as np
import pytest

from edgedigits_train import junk, struck
from edgedigits_train.data import load_mnist


@pytest.fixture(scope="module")
def digits(small_mnist):
    mnist = load_mnist(small_mnist)
    return mnist.train_images[:200], mnist.train_labels[:200]


def test_what_crosses_a_digit_out_reaches_beyond_it(digits):
    random = np.random.default_rng(0)
    for image, label in zip(*digits, strict=True):
        over = struck.struck_out(image, int(label), random)
        rows, columns = (np.flatnonzero(over.any(axis=k) > 0) for k in (1, 0))
        own = [np.flatnonzero((image > 110).any(axis=k)) for k in (1, 0)]
        # The picture is four times as fine as the digit.
        assert np.ptp(columns) > 4 * np.ptp(own[1]) or np.ptp(rows) > 4 * np.ptp(own[0])


def test_what_is_drawn_comes_from_the_generator(digits):
    one, again, other = (
        struck.struck_out(digits[0][0], int(digits[1][0]), np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("label", range(10))
def test_a_slashed_zero_and_a_seven_with_a_bar_are_left_out(label, digits, monkeypatch):
    seen = set()

    def recorded(name, way):
        def drawn(random):
            seen.add(name)
            return way(random)

        return drawn

    ways = {name: recorded(name, way) for name, way in struck.WAYS.items()}
    monkeypatch.setattr(struck, "WAYS", ways)
    images, labels = digits
    for seed in range(60):
        struck.struck_out(images[labels == label][0], label, np.random.default_rng(seed))
    assert seen == {name for name in ways if label not in struck.UNTOLD.get(name, ())}
    assert label not in {0, 1, 7} or "slash" not in seen
    assert label not in {4, 7} or "bar" not in seen


def test_a_share_of_the_junk_is_struck_out_and_none_of_it_without(digits, monkeypatch):
    calls = []

    def counted(image, label, random):
        calls.append(label)
        return struck.struck_out(image, label, random)

    monkeypatch.setattr(junk, "struck_out", counted)
    before = junk.drawings(*digits, 100, np.random.default_rng(0))
    assert not calls
    assert before.any(axis=(1, 2)).all()
    some = junk.drawings(*digits, 100, np.random.default_rng(0), struck=0.4)
    assert 25 < len(calls) < 55
    assert some.any(axis=(1, 2)).all()
