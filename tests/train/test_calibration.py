"""The temperature: found where it is known, and bounded where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from edgedigits_train.calibration import COLDEST, fit_temperature, negative_log_likelihood


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels(temperature: float) -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 3, (20_000, 10))
    scores = logits / temperature + random.gumbel(size=logits.shape)  # a draw from the softmax
    assert fit_temperature(logits, scores.argmax(axis=1)) == pytest.approx(temperature, rel=0.03)


def test_the_likelihood_by_hand() -> None:
    logits = np.array([[0.0, np.log(3.0)]])
    assert negative_log_likelihood(logits, np.array([1])) == pytest.approx(-np.log(0.75))
    assert negative_log_likelihood(1000 * logits, np.array([0])) == pytest.approx(1000 * np.log(3))


def test_never_wrong_ends_at_the_bound() -> None:
    logits = 5 * np.eye(10)
    assert fit_temperature(logits, np.arange(10)) == pytest.approx(COLDEST, rel=0.01)
