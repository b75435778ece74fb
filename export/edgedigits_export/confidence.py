"""Whether a model's confidence means what it says, and what that is worth.

A reading that is sure and wrong costs more than one that is refused; so beside accuracy it counts how well
confidence and truth go together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Of equal width, as in Guo et al. 2017."""


@dataclass(frozen=True)
class Bin:
    """The readings whose confidence lies within one bin."""

    low: float
    high: float
    count: int
    confidence: float
    """Their mean confidence, 0…1; 0 where there are none."""
    accuracy: float
    """Share of them that is right."""


@dataclass(frozen=True)
class Calibration:
    """How far confidence is from the truth."""

    ece: float
    """Expected calibration error: mean distance of confidence from accuracy over the bins, weighted by count.
    Source: C. Guo et al., "On Calibration of Modern Neural Networks", 2017, equation 3."""
    brier: float
    """Mean squared distance of the probabilities from the truth, summed over the classes; 0…2.
    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950."""
    bins: tuple[Bin, ...]


def calibration_of(probabilities: NDArray[np.float32], truth: NDArray[np.intp]) -> Calibration:
    """Measure probabilities (float32, N×classes) against the true classes (N)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    places = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)  # bins are open on the left
    bins = []
    for place in range(BINS):
        inside = places == place
        count = int(inside.sum())
        mean, share = (confidence[inside].mean(), right[inside].mean()) if count else (0.0, 0.0)
        bins.append(Bin(place / BINS, (place + 1) / BINS, count, float(mean), float(share)))
    ece = sum(b.count * abs(b.confidence - b.accuracy) for b in bins) / len(truth)
    wanted = np.eye(probabilities.shape[1])[truth]
    brier = float(((probabilities - wanted) ** 2).sum(axis=1).mean())
    return Calibration(ece=float(ece), brier=brier, bins=tuple(bins))


@dataclass(frozen=True)
class Selection:
    """What can be read when the least confident readings are refused.

    Source: R. El-Yaniv and Y. Wiener, "On the foundations of noise-free selective classification", 2010.
    """

    curve: tuple[tuple[float, float], ...]
    """Coverage (share of the digits that is read) and risk (share of those that is wrong), by coverage."""
    coverage_at_1_percent: float
    """Largest coverage at which at most 1 % of what is read is wrong; 0 where there is none."""
    threshold_at_1_percent: float
    """The confidence from which on digits are read then; 1 where none may be."""


def selection_of(probabilities: NDArray[np.float32], truth: NDArray[np.intp], points: int = 101) -> Selection:
    """Measure probabilities (float32, N×classes) against the true classes (N)."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence = confidence[order]
    wrong = np.cumsum(probabilities.argmax(axis=1)[order] != truth[order])
    count = np.arange(1, len(truth) + 1)
    # A threshold can't part readings of the same confidence; only where it changes can the line be drawn.
    ends = np.flatnonzero(np.append(sorted_confidence[1:] != sorted_confidence[:-1], True))
    coverage, risk = count[ends] / len(truth), wrong[ends] / count[ends]
    allowed = np.flatnonzero(wrong[ends] <= 0.01 * count[ends] + 1e-9)
    last = int(allowed[-1]) if len(allowed) else None
    shown = np.unique(np.searchsorted(coverage, np.linspace(0, 1, points)).clip(max=len(ends) - 1))
    return Selection(
        curve=tuple((float(coverage[i]), float(risk[i])) for i in shown),
        coverage_at_1_percent=float(coverage[last]) if last is not None else 0.0,
        threshold_at_1_percent=float(sorted_confidence[ends[last]]) if last is not None else 1.0,
    )
