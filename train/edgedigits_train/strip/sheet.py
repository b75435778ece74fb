"""A contact sheet of the strips a recipe composes, to be looked at."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from edgedigits.files import write_atomically
from edgedigits.strips import HEIGHT
from edgedigits_train.data import DataSet
from edgedigits_train.strip.compose import LABELS, Composer, Digits
from edgedigits_train.strip.recipe import StripRecipe
from edgedigits_train.strip.source import check_digits

COLUMNS, ROWS = 6, 16
_DIGITS = 2000


def write(recipe: StripRecipe, data: DataSet, seed: int, path: Path) -> None:
    """Draw strips with what they say below them, dark on light, as a PNG file.

    Raises `RecipeError` as `check_digits` does, `OutputError` where the file can't be written.
    """
    check_digits(data, recipe, seed)
    digits = Digits.of_pictures(data.train_images[:_DIGITS], data.train_labels[:_DIGITS])
    composer, random = Composer(digits, recipe.composition), np.random.default_rng(seed)
    width = max(recipe.training.widths)
    rows = []
    for _ in range(ROWS):
        row = []
        for _ in range(COLUMNS):
            strip, text = composer.strip(width, random)
            tile = np.full((HEIGHT + 18, width + 4), 255, np.uint8)
            tile[:HEIGHT, :width] = 255 - strip
            said = "".join(LABELS[label] for label in text)
            cv2.putText(tile, said, (2, HEIGHT + 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 0, 1, cv2.LINE_AA)
            row.append(tile)
        rows.append(np.hstack(row))
    sheet = np.vstack(rows)
    _, png = cv2.imencode(".png", sheet)
    write_atomically(path, png.tobytes())
    print(f"{os.fspath(path)}: {sheet.shape[1]}×{sheet.shape[0]} pixels")
