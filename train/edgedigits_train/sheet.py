"""A contact sheet of what a recipe's augmentation makes of the training digits, to be looked at."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edgedigits.errors import EdgeDigitsError
from edgedigits.files import write_atomically
from edgedigits.normalize import SIZE
from edgedigits_train import arguments, augment, junk, pieces
from edgedigits_train.data import SETTING, DataSet, load, with_negatives
from edgedigits_train.distance_fields import fields
from edgedigits_train.recipe import Augmentation, load_recipe
from edgedigits_train.versions import check

COLUMNS = 20
ZOOM = 2


def contact_sheet(data: DataSet, settings: Augmentation, seed: int) -> npt.NDArray[np.uint8]:
    """Return a sheet: uint8, H×W, ink bright on 0.

    For each class, a row of digits of the training part as they are above a row of the same drawn anew; at
    the end, where the recipe has any, rows of what is no digit, and of pieces of strings, these by what they
    show.
    """
    random = np.random.default_rng(seed)
    rows = []
    for label in np.unique(data.train_labels):
        chosen = random.choice(np.flatnonzero(data.train_labels == label), COLUMNS)
        images = data.train_images[chosen]
        rows += [images, augment.draw(fields(images), data.train_labels[chosen], settings, random)]
    if settings.junk:
        some = random.integers(len(data.train_images), size=1000)
        images, labels = data.train_images[some], data.train_labels[some]
        others = junk.crops(images, labels, data.negatives, 8 * COLUMNS, settings, random)
        rows += list(others.reshape(8, COLUMNS, SIZE, SIZE))
    if settings.pieces:
        some = random.integers(len(data.train_images), size=1000)
        images, labels = data.train_images[some], data.train_labels[some]
        cut, shown = pieces.crops(fields(images), labels, 8 * COLUMNS, 10, random)
        rows += list(cut[np.argsort(shown, kind="stable")].reshape(8, COLUMNS, SIZE, SIZE))
    sheet = np.vstack([np.hstack(list(row)) for row in rows])
    return np.kron(sheet, np.ones((ZOOM, ZOOM), np.uint8))


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sheet; returns 0. Raises `EdgeDigitsError` where recipe, data or file can't be used."""
    parser = argparse.ArgumentParser("edgedigits-train augment", description=__doc__)
    parser.add_argument("recipe", help="a published recipe or a .toml file")
    parser.add_argument("--sheet", type=Path, required=True, metavar="FILE.png", help="where the sheet goes")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help=f"folder of the data sets (else the setting {SETTING})"
    )
    parser.add_argument(
        "--seed", type=arguments.seed, default=0, metavar="N", help="seed of everything random (0)"
    )
    options = parser.parse_args(argv)
    recipe = load_recipe(options.recipe)
    if not recipe.augmentation.variants:
        raise EdgeDigitsError(
            f"{options.recipe}: the recipe augments nothing; set variants in [augmentation]"
        )
    data = load(recipe.data.set, options.data)
    if recipe.augmentation.junk:
        data = with_negatives(data, options.data)
    check(recipe, data, data.train_labels)
    sheet = contact_sheet(data, recipe.augmentation, options.seed)
    _, png = cv2.imencode(".png", sheet)
    write_atomically(options.sheet, png.tobytes())
    print(f"{os.fspath(options.sheet)}: {sheet.shape[1]}×{sheet.shape[0]} pixels")
    return 0
