"""Calibration and selection, on cases small enough to be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edgedigits_export.confidence import calibration_of, selection_of
from edgedigits_export.statistics import mcnemar_exact


def two(first: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Probabilities of two classes by that of the first."""
    return np.array([[p, 1 - p] for p in first], np.float32)


def test_a_forecast_worked_out_by_hand() -> None:
    probabilities, truth = two([0.9, 0.9, 0.8, 0.3]), np.array([0, 1, 0, 1])
    c = calibration_of(probabilities, truth)
    # confidences .9 .9 .8 .7; right: yes no yes yes; bins of a fifteenth: .9 (twice), .8, .7
    assert c.ece == pytest.approx((2 * abs(0.9 - 0.5) + abs(0.8 - 1) + abs(0.7 - 1)) / 4, abs=1e-6)
    assert c.brier == pytest.approx((2 * 0.01 + 2 * 0.81 + 2 * 0.04 + 2 * 0.09) / 4, abs=1e-6)
    assert sum(b.count for b in c.bins) == 4


def test_the_ends_of_the_scale_have_bins() -> None:
    c = calibration_of(np.array([[1.0, 0.0], [0.5, 0.5]], np.float32), np.array([0, 0]))
    assert c.bins[-1].count == 1
    assert c.ece == pytest.approx(0.25)


def test_true_confidence_has_little_error() -> None:
    generator = np.random.default_rng(0)
    p = generator.uniform(0.5, 1, 100_000)
    truth = (generator.random(100_000) > p).astype(np.intp)
    assert calibration_of(two(list(p)), truth).ece < 0.01


def test_selection_worked_out_by_hand() -> None:
    sure = [0.99] * 150 + [0.95] * 40 + [0.6] * 10
    truth = np.array([0] * 150 + [0] * 39 + [1] + [0] * 5 + [1] * 5)
    s = selection_of(two(sure), truth)
    # 150 of 200 without an error; 190 with one, 0.53 %; 200 with six, 3 %
    assert s.coverage_at_1_percent == pytest.approx(0.95)
    assert s.threshold_at_1_percent == pytest.approx(0.95)
    assert np.array(s.curve) == pytest.approx(np.array([[0.75, 0.0], [0.95, 1 / 190], [1.0, 0.03]]))


def test_readings_of_one_confidence_stand_or_fall_together() -> None:
    s = selection_of(two([0.9] * 10), np.array([0] * 9 + [1]))
    assert (s.coverage_at_1_percent, s.threshold_at_1_percent) == (0.0, 1.0)
    assert np.array(s.curve) == pytest.approx(np.array([[1.0, 0.1]]))


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 2, 0.5), (5, 0, 2 / 32), (1, 9, 22 / 1024), (7, 7, 1.0)],
)
def test_mcnemar_by_counting_tosses(first: int, second: int, p: float) -> None:
    assert mcnemar_exact(first, second) == pytest.approx(p)
    assert mcnemar_exact(second, first) == pytest.approx(p)


def test_mcnemar_of_many() -> None:
    assert 0 < mcnemar_exact(4000, 4500) < 1e-6
