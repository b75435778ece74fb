"""A twentieth of the soaks in `tests/bench/bench_live.py`."""

from __future__ import annotations

import pytest
from tests.bench import bench_live

from edgedigits.reader import Reader

pytestmark = pytest.mark.slow


def test_memory_stays_flat() -> None:
    growth, events, expected = bench_live.memory(5000)
    assert events == expected
    assert growth <= 5


def test_nothing_is_lost_to_outages_and_sigkill() -> None:
    last, sequences = bench_live.outage(500, kills=2)
    first = list(dict.fromkeys(sequences))
    assert first == list(range(1, len(first) + 1))
    assert len(first) >= last >= 500


def test_every_sheet_is_one_event() -> None:
    """The text is the network's affair: right is what at most one digit of a hundred spoils."""
    right, wrong = bench_live.sheets(Reader(), seed=1, count=10)
    assert right >= 9, wrong
    assert len(wrong) + right == 10


def test_where_nothing_is_held_still_there_is_no_event() -> None:
    assert bench_live.empty(Reader(), seed=1, count=500) == []
