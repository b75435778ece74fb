"""How probable the true texts are to a sequence network, and the temperature that makes them most so.

Sources: A. Graves et al., "Connectionist temporal classification", 2006, section 4.1, for the sum over all
ways of saying a text; C. Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2, for the
temperature.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgedigits.minimum import minimum

COLDEST, HOTTEST = 0.25, 4.0
"""Bounds of the search for a temperature."""


def negative_log_likelihoods(
    logits: NDArray[np.floating], labels: NDArray[np.integer], temperature: float = 1.0
) -> NDArray[np.float64]:
    """Return −log p(text) of each strip in nats, float64 [n]; infinite where the steps don't suffice.

    `logits` are [n, steps, labels + 1], the blank last; `labels` integers [n, longest], −1 behind the end.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=2, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=2, keepdims=True))
    count, steps, width = scaled.shape
    longest = labels.shape[1]
    # Blank, label, blank, …, label, blank; what lies behind a text's end leads nowhere and is never read.
    states = np.full((count, 2 * longest + 1), width - 1)
    states[:, 1::2] = np.where(labels >= 0, labels, width - 1)
    jumps = np.zeros(states.shape, bool)
    jumps[:, 3::2] = (labels[:, 1:] >= 0) & (labels[:, 1:] != labels[:, :-1])
    rows = np.arange(count)
    forward = np.full(states.shape, -np.inf)
    forward[:, :2] = np.take_along_axis(scaled[:, 0], states[:, :2], 1)
    forward[labels[:, 0] < 0, 1] = -np.inf
    for step in range(1, steps):
        sums = forward.copy()
        sums[:, 1:] = np.logaddexp(sums[:, 1:], forward[:, :-1])
        jumped = np.where(jumps[:, 2:], forward[:, :-2], -np.inf)
        sums[:, 2:] = np.logaddexp(sums[:, 2:], jumped)
        forward = sums + np.take_along_axis(scaled[:, step], states, 1)
    ends = 2 * (labels >= 0).sum(axis=1)
    before = np.where(ends > 0, forward[rows, np.maximum(ends - 1, 0)], -np.inf)
    return -np.logaddexp(forward[rows, ends], before)


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the temperature of the smallest mean −log p(text), within `COLDEST`…`HOTTEST`.

    Arguments as above, of strips that were not trained on. Texts that no steps suffice for are left out: no
    temperature reaches them. The search is over the temperature's logarithm.
    """
    possible = np.isfinite(negative_log_likelihoods(logits, labels))
    logits, labels = logits[possible], labels[possible]

    def cost(position: float) -> float:
        return float(negative_log_likelihoods(logits, labels, math.exp(position)).mean())

    return round(math.exp(minimum(cost, math.log(COLDEST), math.log(HOTTEST), tolerance=2e-3)), 4)
