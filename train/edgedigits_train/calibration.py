"""The temperature: one number by which logits are divided so that a probability means what it says.

Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", 2017, 4.2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgedigits.minimum import minimum

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
    likelihood is a convex function of 1 / temperature, so that a search over it finds the one minimum.
    """

    def cost(inverse: float) -> float:
        return negative_log_likelihood(logits, labels, 1 / inverse)

    return 1 / minimum(cost, 1 / HOTTEST, 1 / COLDEST, tolerance=1e-5)
