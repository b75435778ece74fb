"""Intervals, against the published examples and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from edgedigits_export.statistics import paired_interval, upper_bound, wilson_interval


def test_wilson_as_published() -> None:
    """R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(7, 7)[1] == 1.0


def test_paired_as_published() -> None:
    """Newcombe, "… based on paired data", 1998, the first example of its table, method 10."""
    assert paired_interval(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_paired_turns_about_when_the_models_do() -> None:
    low, high = paired_interval(9000, 31, 17, 952)
    assert paired_interval(9000, 17, 31, 952) == pytest.approx((-high, -low))
    assert low < (31 - 17) / 10000 < high


def test_models_that_never_differ_still_leave_doubt() -> None:
    low, high = paired_interval(9770, 0, 0, 230)
    assert -0.001 < low < 0 < high < 0.001
    assert paired_interval(0, 0, 0, 0) == (-1.0, 1.0)
    assert all(map(np.isfinite, paired_interval(10, 0, 0, 0)))


def test_paired_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(7)
    shares = np.array([0.95, 0.02, 0.01, 0.02])  # a true difference of 0.01
    tables = generator.multinomial(2000, shares, 4000)
    covered = sum(low <= 0.01 <= high for low, high in (paired_interval(*map(int, t)) for t in tables))
    assert 0.94 <= covered / len(tables) <= 0.965


def test_the_upper_bound_is_where_so_few_hits_become_improbable() -> None:
    """With no hit it is 1 − 0.05^(1/n); with some, the binomial's lower tail there is 5 %."""
    for count in (1, 59, 400):
        assert upper_bound(0, count) == pytest.approx(1 - 0.05 ** (1 / count))
    assert upper_bound(3, 3) == upper_bound(0, 0) == 1.0
    bound = upper_bound(4, 400)
    draws = np.random.default_rng(0).binomial(400, bound, 200_000)
    assert np.mean(draws <= 4) == pytest.approx(0.05, abs=0.002)
