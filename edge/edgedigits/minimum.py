"""Where a function of one number is smallest; training and export fit temperatures with it.

Source: J. Kiefer, "Sequential minimax search for a maximum", 1953: the golden-section search.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_SHRINK = (math.sqrt(5) - 1) / 2


def minimum(cost: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Return where `cost`, which has one minimum, is smallest within `low`…`high`, to half of `tolerance`.

    Without a minimum in between it is the bound that is lower, as nearly. Each step costs one call.
    """
    left, right = high - _SHRINK * (high - low), low + _SHRINK * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    while high - low > tolerance:
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - _SHRINK * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + _SHRINK * (high - low)
            cost_right = cost(right)
    return (low + high) / 2
