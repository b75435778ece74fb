"""The one minimum of a function is found, or the bound beyond which it would lie."""

from __future__ import annotations

import pytest

from edgedigits.minimum import minimum


@pytest.mark.parametrize(("where", "found"), [(0.3, 0.3), (-1.7, -1.7), (9.0, 5.0), (-9.0, -2.0)])
def test_the_minimum_is_found(where: float, found: float) -> None:
    assert minimum(lambda x: (x - where) ** 2, -2.0, 5.0, 1e-3) == pytest.approx(found, abs=5e-4)


def test_each_step_costs_a_call() -> None:
    calls: list[float] = []

    def cost(x: float) -> float:
        calls.append(x)
        return abs(x)

    minimum(cost, -1.0, 1.0, 1e-3)
    assert len(calls) == 2 + 16  # 2 · 0.618¹⁶ is the first below 0.001
