"""A strip of paper as the strip network takes it."""

from __future__ import annotations

import numpy as np
import pytest

from edgedigits.strips import HEIGHT, prepare


def strip(height: int, width: int, paper: int = 200, ink: int = 60) -> np.ndarray:
    grey = np.full((height, width), paper, np.uint8)
    grey[height // 4 : 3 * height // 4, width // 3 : width // 2] = ink
    return grey


@pytest.mark.parametrize(("height", "width"), [(40, 100), (80, 200), (20, 50), (3, 30), (1, 1), (7, 10_000)])
def test_the_height_is_the_networks_and_the_proportions_stay(height: int, width: int) -> None:
    prepared = prepare(strip(height, width))
    assert prepared.dtype == np.uint8
    assert prepared.shape == (HEIGHT, max(1, round(width * HEIGHT / height)))


@pytest.mark.parametrize(("paper", "ink"), [(250, 20), (120, 60), (200, 150)])
def test_paper_is_0_and_ink_255_whatever_the_light(paper: int, ink: int) -> None:
    prepared = prepare(strip(40, 120, paper, ink))
    assert prepared[0, 0] == 0
    assert prepared[20, 50] == 255


def test_the_noise_of_blank_paper_is_not_stretched_to_ink() -> None:
    grey = np.random.default_rng(0).normal(200, 2, (40, 160)).clip(0, 255).astype(np.uint8)
    assert prepare(grey).max() < 100
