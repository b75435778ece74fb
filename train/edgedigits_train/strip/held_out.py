"""Strips of digits that are not trained on, in a file: for calibration and validation of exported models.

images   uint8 [n, 40, width], as the network takes them
labels   int32 [n, 24], indices of `LABELS`, −1 behind the end
about    JSON: seed, labels, data set and its checksums
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np

from edgedigits.files import write_atomically
from edgedigits_train.data import DataSet
from edgedigits_train.strip.compose import LABELS, Composer
from edgedigits_train.strip.recipe import StripRecipe
from edgedigits_train.strip.source import composed, held_out_digits

_APART = (1 << 30) + 1
"""Parts the random numbers from those of the strips that a run composes for itself."""


def write(recipe: StripRecipe, data: DataSet, seed: int, count: int, path: Path) -> None:
    """Compose `count` strips of the recipe's held-out digits, drawn by `seed`, into an `.npz` file.

    The same recipe, data and seed give the same bytes. Raises `OutputError` where the file can't be written.
    """
    cv2.setNumThreads(1)
    random = np.random.default_rng((seed, _APART))
    strips = composed(
        Composer(held_out_digits(data, recipe), recipe.composition),
        count,
        max(recipe.training.widths),
        random,
    )
    about = {
        "seed": seed,
        "recipe": recipe.name,
        "labels": list(LABELS),
        "set": data.name,
        "checksums": dict(data.checksums),
    }
    file = io.BytesIO()
    np.savez_compressed(file, images=strips.images, labels=strips.labels, about=np.array(json.dumps(about)))
    write_atomically(path, file.getvalue())
