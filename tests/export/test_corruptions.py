"""Corruptions: seeded, in range, worse with severity, and none that does nothing."""

from __future__ import annotations

import numpy as np
import pytest

from edgedigits.model import Model
from edgedigits_export.corruptions import CORRUPTIONS, SEVERITIES, Corruption, corrupt
from edgedigits_export.data import Pictures


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: c.name)
def test_the_same_seed_spoils_the_same_way(test_pictures: Pictures, corruption: Corruption) -> None:
    images = test_pictures.images[:300]
    before = images.copy()
    distances = []
    for severity in SEVERITIES:
        spoilt = corrupt(images, corruption, severity)
        assert (spoilt.dtype, spoilt.shape) == (np.uint8, images.shape)
        assert np.array_equal(spoilt, corrupt(images, corruption, severity))
        distances.append(np.abs(spoilt.astype(float) - images).mean())
    assert np.array_equal(images, before)
    assert 0 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: c.name)
def test_the_worst_is_harder_to_read_and_still_readable(
    test_pictures: Pictures, corruption: Corruption
) -> None:
    images, truth = test_pictures.images[:1000], test_pictures.labels[:1000]
    model = Model("paper-int8")
    clean, worst = (
        (model.probabilities(pictures).argmax(axis=1) == truth).mean()
        for pictures in (images, corrupt(images, corruption, 3))
    )
    assert 0.3 < worst < clean


def test_names_are_unique() -> None:
    assert len({c.name for c in CORRUPTIONS}) == len(CORRUPTIONS) == 12
