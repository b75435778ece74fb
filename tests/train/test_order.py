"""The order of an epoch: a permutation, a pure function, and that of a shuffle buffer."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest

from edgedigits_train.order import epoch_order


@pytest.mark.parametrize("shuffle", [1, 7, 1024, 5000, "full"])
def test_every_picture_once(shuffle: int | Literal["full"]) -> None:
    order = epoch_order(5000, shuffle, seed=3, epoch=2)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order), np.arange(5000))


@pytest.mark.parametrize("shuffle", [1024, "full"])
def test_a_function_of_seed_and_epoch(shuffle: int | Literal["full"]) -> None:
    order = epoch_order(5000, shuffle, seed=3, epoch=2)
    np.testing.assert_array_equal(epoch_order(5000, shuffle, seed=3, epoch=2), order)
    assert (epoch_order(5000, shuffle, seed=4, epoch=2) != order).mean() > 0.9
    assert (epoch_order(5000, shuffle, seed=3, epoch=3) != order).mean() > 0.9


def test_a_buffer_of_one_keeps_the_order() -> None:
    np.testing.assert_array_equal(epoch_order(100, 1, seed=0, epoch=1), np.arange(100))


def test_none_comes_before_it_is_in_the_buffer() -> None:
    order = epoch_order(60_000, 1024, seed=0, epoch=1)
    early = order - np.arange(60_000)
    assert early.max() == 1023
    # A picture waits in the buffer for 1,024 steps in the mean, and some for very long.
    assert early.min() < -5000


def buffer_orders(buffer: tuple[int, ...], rest: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every order a shuffle buffer can give, with its probability, from the definition."""
    if not buffer:
        yield (), 1.0
        return
    for slot, chosen in enumerate(buffer):
        kept = (*buffer[:slot], *rest[:1], *buffer[slot + 1 :])
        for order, probability in buffer_orders(kept, rest[1:]):
            yield (chosen, *order), probability / len(buffer)


def test_orders_are_as_likely_as_with_a_buffer() -> None:
    likely: Counter[tuple[int, ...]] = Counter()
    for order, probability in buffer_orders((0, 1), (2, 3, 4)):
        likely[order] += probability
    assert math.isclose(sum(likely.values()), 1)
    assert len(likely) < math.factorial(5)
    draws = 8000
    found = Counter(tuple(epoch_order(5, 2, seed, 1).tolist()) for seed in range(draws))
    for order in itertools.permutations(range(5)):
        expected = likely[order] * draws
        assert abs(found[order] - expected) <= 5 * math.sqrt(expected), order
