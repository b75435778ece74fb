"""The calibration sample is pinned."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edgedigits_export.calibrate import draw_sample
from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError

NUMBERED = Pictures(
    "numbered",
    np.repeat(np.arange(1000, dtype=np.uint16).view(np.uint8), 392).reshape(1000, 28, 28),
    np.zeros(1000, np.uint8),
    "md5 of the file",
)


def numbers(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[int]:
    flat = images.reshape(len(images), 784).astype(int)
    return (flat[:, 0] + 256 * flat[:, 392]).tolist()


def test_the_same_seed_draws_the_same_pictures_and_says_which() -> None:
    sample, again, other = draw_sample(NUMBERED, 0), draw_sample(NUMBERED, 0), draw_sample(NUMBERED, 1)
    drawn = numbers(sample.images)
    assert len(drawn) == len(set(drawn)) == 500
    assert np.array_equal(sample.images, again.images)
    assert sorted(drawn) != sorted(numbers(other.images))
    assert sample.origin == {
        "source": "numbered",
        "md5": "md5 of the file",
        "seed": 0,
        "count": 500,
        "indices_sha256": hashlib.sha256(np.array(drawn, "<u4").tobytes()).hexdigest(),
    }


def test_too_few_pictures() -> None:
    with pytest.raises(DataError, match="1000 pictures where 1001"):
        draw_sample(NUMBERED, 0, 1001)
