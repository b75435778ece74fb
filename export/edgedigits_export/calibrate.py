"""The sample pictures from which quantization learns the ranges of the activations.

The sample is pinned: the same seed and the same data give the same pictures, and the card of a model
records a checksum of their numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError

COUNT = 500
"""How many pictures are drawn unless told otherwise."""


@dataclass(frozen=True)
class Sample:
    """Pictures to calibrate with: `images` uint8, N×28×28, and what the card says of where they came from."""

    images: NDArray[np.uint8]
    origin: Mapping[str, Any]


def draw_sample(pictures: Pictures, seed: int = 0, count: int = COUNT) -> Sample:
    """Draw `count` of the pictures, each at most once, with a generator seeded by `seed`.

    Raises `DataError` where there are fewer pictures than that.
    """
    if len(pictures) < count:
        raise DataError(
            f"{pictures.name}: {len(pictures)} pictures where {count} are to be drawn for calibration; "
            "name the whole set"
        )
    indices = np.random.default_rng(seed).choice(len(pictures), count, replace=False).astype("<u4")
    return Sample(
        pictures.images[indices],
        {
            "source": pictures.name,
            "md5": pictures.md5,
            "seed": seed,
            "count": count,
            "indices_sha256": hashlib.sha256(indices.tobytes()).hexdigest(),
        },
    )
