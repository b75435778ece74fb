"""What each part of the strip network's synthesis brings: trained without it, measured on real amounts.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_strip_synthesis.py [--steps N] [--json FILE]

The network and the training are smaller than the published ones (half the filters, few steps, batches of 32,
12,000 of MNIST's digits), so that all of them are trained in a quarter of an hour on two cores: what counts
is the difference between the rows. Measured on the tuning part of the cheque amounts, in float, every strip
taken whole, the likeliest label of each step; separators are not counted.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgedigits.strips import prepare
from edgedigits_train.data import DataSet, load
from edgedigits_train.strip.recipe import Composition, StripRecipe, load_strip_recipe

WITHOUT: dict[str, dict[str, float]] = {
    "all of it": {},
    "digits never touch": {"touching": 0.0},
    "no slant": {"slant": 0.0},
    "no separators": {"separators": 0.0},
    "plain paper, no rules": {"background": 0.0, "rules": 0.0},
    "MNIST's forms alone": {"forms": 0.0},
    "no rests of other writing": {"clutter": 0.0},
}


def strips_of(folder: Path, part: str) -> list[tuple[np.ndarray, str]]:
    """Return the labelled strips of a part as the network takes them."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == part]
    found = []
    for row in rows:
        grey = cv2.imread(str(folder / "images" / row["file"]), cv2.IMREAD_GRAYSCALE)
        assert grey is not None
        found.append((prepare(grey.astype(np.uint8, copy=False)), row["text"]))
    return found


def smaller(recipe: StripRecipe, steps: int, changes: dict[str, float]) -> StripRecipe:
    """Return the recipe with half the network and a short training, and the synthesis changed."""
    network = dataclasses.replace(
        recipe.network,
        filters=tuple(n // 2 for n in recipe.network.filters),
        along=tuple(n // 2 for n in recipe.network.along),
    )
    training = dataclasses.replace(recipe.training, steps=steps, batch=32, checkpoint=steps)
    averaging = dataclasses.replace(recipe.averaging, decay=0.99)
    digits = dataclasses.replace(recipe.data, train=12_000)
    composition = dataclasses.replace(recipe.composition or Composition(), **changes)
    return dataclasses.replace(
        recipe,
        data=digits,
        network=network,
        training=training,
        averaging=averaging,
        composition=composition,
    )


def measured(
    recipe: StripRecipe, data: DataSet, strips: Sequence[tuple[np.ndarray, str]]
) -> dict[str, float]:
    """Train, and return exact strings and character error rate on real strips, 0…1."""
    import tensorflow as tf

    from edgedigits_train.strip.compose import LABELS
    from edgedigits_train.strip.run import distance, greedy, run

    with tempfile.TemporaryDirectory() as folder:
        run(recipe, data, Path(folder) / "run", 0)
        network = tf.saved_model.load(str(Path(folder) / "run" / "model")).signatures["logits"]
    wrong = exact = count = 0
    for strip, text in strips:
        wide = np.zeros((1, strip.shape[0], -(-strip.shape[1] // 32) * 32, 1), np.float32)
        wide[0, :, : strip.shape[1], 0] = strip / 255
        logits = network(strips=tf.constant(wide))["logits"].numpy()[:, 0, : -(-strip.shape[1] // 2)]
        read = "".join(LABELS[k] for k in greedy(logits)[0] if LABELS[k].isdigit())
        wrong += distance([ord(c) for c in read], [ord(c) for c in text])
        exact += read == text
        count += len(text)
    return {"exact": exact / len(strips), "character_error_rate": wrong / count}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = Path(os.environ["EDGEDIGITS_DATA"]) / "cheques"
    recipe, data, strips = load_strip_recipe("strip-first"), load("mnist", None), strips_of(folder, "tune")
    rows: dict[str, Any] = {}
    print(f"{'trained with':28}{'exact':>8}{'CER':>8}   of {len(strips)} strips, {options.steps} steps")
    for name, changes in WITHOUT.items():
        rows[name] = measured(smaller(recipe, options.steps, changes), data, strips)
        print(f"{name:28}{rows[name]['exact']:8.1%}{rows[name]['character_error_rate']:8.1%}", flush=True)
        if options.json is not None:
            options.json.write_text(json.dumps({"steps": options.steps, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
