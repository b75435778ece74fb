"""Corruptions: seeded, in range, worse with severity, and none that does nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgedigits.model import Model
from edgedigits_export.comparison import hardest, under_corruptions
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


def test_each_model_has_its_figures_beside_those_of_the_first() -> None:
    truth = np.array(["1", "2", "3", "4"])
    said = [np.array(list("1239")), np.array(list("1777"))]
    first, second = under_corruptions(CORRUPTIONS[:2], truth, lambda corruption, severity: said)
    assert [(row.corruption, row.severity) for row in second] == [
        (corruption.name, severity) for corruption in CORRUPTIONS[:2] for severity in SEVERITIES
    ]
    for row in first:
        assert (row.baseline_accuracy, row.accuracy, row.agreement, row.drop) == (0.75, 0.75, 1.0, 0.0)
    for row in second:
        assert (row.baseline_accuracy, row.accuracy, row.agreement, row.drop) == (0.75, 0.25, 0.25, 0.5)
    worse = dataclasses.replace(second[3], accuracy=0.0)
    assert hardest([*second, worse]) == [worse]
    assert hardest([]) == []
