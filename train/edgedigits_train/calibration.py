"""The temperature: one number by which logits are divided so that a probability means what it says.

Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", 2017, 4.2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of the search. A network that gets everything right has no best temperature; it ends at a bound."""


def negative_log_likelihood(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], temperature: float = 1.0
) -> float:
    """Return the mean of −log p(label), in nats, where p = softmax(logits / temperature).

    Logits are float [n, classes], labels integers [n].
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(scaled).sum(axis=1))
    return float(np.mean(log_sum - scaled[np.arange(len(labels)), labels]))


def fit_temperature(logits: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> float:
    """Return the temperature of the smallest negative log-likelihood, within `COLDEST`…`HOTTEST`.

    Logits are float [n, classes], labels integers [n], of pictures that were not trained on. The
    likelihood is a convex function of 1 / temperature, so that a golden-section search over it finds the
    one minimum.
    """
    low, high = 1 / HOTTEST, 1 / COLDEST
    shrink = (np.sqrt(5) - 1) / 2

    def cost(inverse: float) -> float:
        return negative_log_likelihood(logits, labels, 1 / inverse)

    left, right = high - shrink * (high - low), low + shrink * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    while high - low > 1e-5:
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - shrink * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + shrink * (high - low)
            cost_right = cost(right)
    return float(2 / (low + high))
