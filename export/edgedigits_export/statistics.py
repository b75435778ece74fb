"""What can be said of a proportion that was measured on some pictures only."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution: intervals are two-sided, 95 %."""

Interval = tuple[float, float]


def wilson_interval(hits: int, count: int, z: float = Z95) -> Interval:
    """Return Wilson's score interval of a proportion, each end 0…1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    Unlike the textbook interval it stays within 0…1 and is sound close to its ends, where accuracies lie.
    """
    if count == 0:
        return 0.0, 1.0
    share = hits / count
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    width = 1 + z * z / count
    low, high = (centre - spread) / width, (centre + spread) / width
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)


def paired_interval(both: int, first: int, second: int, neither: int, z: float = Z95) -> Interval:
    """Return the interval of a difference between two proportions measured on the same pictures.

    `both` counts the pictures that both models read rightly, `first` and `second` those that only the one
    did, `neither` the rest. The difference is that of the shares read rightly, first minus second.

    Source: R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", 1998, method 10: Wilson's intervals of the two shares, put together with the
    correlation between them, that with a continuity correction.
    """
    count = both + first + second + neither
    if count == 0:
        return -1.0, 1.0
    share_1, share_2 = (both + first) / count, (both + second) / count
    (low_1, high_1), (low_2, high_2) = (wilson_interval(both + n, count, z) for n in (first, second))
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    covariance = float(both * neither - first * second)
    if covariance > 0:
        covariance = max(covariance - count / 2, 0.0)
    phi = covariance / math.sqrt(margins) if margins else 0.0

    def spread(towards: float, away: float) -> float:
        return math.sqrt(max(towards * towards - 2 * phi * towards * away + away * away, 0.0))

    difference = share_1 - share_2
    return (
        difference - spread(share_1 - low_1, high_2 - share_2),
        difference + spread(high_1 - share_1, share_2 - low_2),
    )


def mcnemar_exact(first: int, second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    `first` and `second` count the pictures that only the one or only the other model reads rightly. Where
    the models are equally good, each of these is a coin's toss.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947;
    the exact binomial form.
    """
    count = first + second
    # Python's integers are exact at any size, so the sum of the binomials needs no logarithms.
    tail = term = 1
    for k in range(min(first, second)):
        term = term * (count - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / 2**count)


def upper_bound(hits: int, count: int, level: float = 0.95) -> float:
    """Return the upper bound of a proportion at a one-sided confidence level; 1 where nothing was counted.

    Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case
    of the binomial", 1934: the largest proportion under which so few hits are not improbable.
    """
    if hits >= count:
        return 1.0
    logs = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(hits + 1)]

    def tail(p: float) -> float:
        hit, miss = math.log(p), math.log1p(-p)
        return sum(math.exp(log + k * hit + (count - k) * miss) for k, log in enumerate(logs))

    low, high = hits / count, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle) > 1 - level else (low, middle)
    return (low + high) / 2
