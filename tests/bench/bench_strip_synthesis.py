"""What each part of the strip network's synthesis brings: trained without it, on real and on composed strips.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_strip_synthesis.py [--steps N] [--json FILE]

The network and the training are smaller than the published ones (half the filters, batches of 32, fewer
steps, @@

- the tuning part of the cheque amounts, every strip taken whole: strips read exactly and character error
  rate, taking the likeliest label of each step, separators not counted; and log p, the mean logarithm of the
  probability, at least 0.001, of the true digits, which hangs on all strips and not on those at the margin;
- held-out digits composed with all parts (`composed`) and with every digit touching the next (`touching`):
  character error rate, separators counted.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rapidfuzz.distance import Levenshtein

from edgedigits.files import write_atomically
from edgedigits.strips import prepare
from edgedigits_train.data import DataSet, load
from edgedigits_train.strip.compose import Composer
from edgedigits_train.strip.recipe import Composition, StripRecipe, load_strip_recipe
from edgedigits_train.strip.source import Strips, composed, held_out_digits

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


def digit_logits(logits: np.ndarray) -> np.ndarray:
    """Return logits [n, steps, labels + 1] with the separators taken for blanks: [n, steps, 11]."""
    blanks = np.logaddexp.reduce(logits[..., 10:], axis=-1, keepdims=True)
    return np.concatenate([logits[..., :10], blanks], axis=-1)


def on_amounts(network: Any, strips: Sequence[tuple[np.ndarray, str]]) -> dict[str, float]:
    """Return what a network, strips [n, 40, width, 1] → logits, makes of real strips."""
    import tensorflow as tf

    from edgedigits_train.strip.run import ctc_losses, greedy

    wrong = exact = count = 0
    told = []
    for strip, text in strips:
        wide = np.zeros((1, strip.shape[0], -(-strip.shape[1] // 32) * 32, 1), np.float32)
        wide[0, :, : strip.shape[1], 0] = strip / 255
        logits = digit_logits(network(wide)[:, : -(-strip.shape[1] // 2)])
        read = "".join(map(str, greedy(logits)[0]))
        wrong += Levenshtein.distance(read, text)
        exact += read == text
        count += len(text)
        said = tf.constant([[int(c) for c in text]])
        told.append(-float(ctc_losses(tf.constant(logits), said)[0]))
    least = math.log(0.001)
    return {
        "exact": exact / len(strips),
        "character_error_rate": wrong / count,
        "log_probability": float(np.mean(np.maximum(told, least))),
    }


def measured(
    recipe: StripRecipe,
    data: DataSet,
    strips: Sequence[tuple[np.ndarray, str]],
    held_out: dict[str, Strips],
) -> dict[str, float]:
    """Train, and return what is told of real strips, and the error rates on composed ones."""
    import tensorflow as tf

    from edgedigits_train.strip.run import errors, greedy, run

    with tempfile.TemporaryDirectory() as folder:
        run(recipe, data, Path(folder) / "run", 0)
        loaded = tf.saved_model.load(str(Path(folder) / "run" / "model")).signatures["logits"]

    def network(images: np.ndarray) -> np.ndarray:
        logits = loaded(strips=tf.constant(images))["logits"].numpy()
        return np.asarray(logits[:, 0])

    found = on_amounts(network, strips)
    for name, those in held_out.items():
        images = those.images[..., None].astype(np.float32) / 255
        read = [greedy(network(images[i : i + 200])) for i in range(0, len(images), 200)]
        found[name] = errors([row for part in read for row in part], those)[0]
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, metavar="N", help="of each row's training")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the figures here, and go on from them"
    )
    options = parser.parse_args()
    if "EDGEDIGITS_DATA" not in os.environ:
        parser.error("set EDGEDIGITS_DATA to the folder that holds the sets")
    folder = Path(os.environ["EDGEDIGITS_DATA"]) / "cheques"
    recipe, data, strips = load_strip_recipe("strip-first"), load("mnist", None), strips_of(folder, "tune")
    digits, all_of_it = held_out_digits(data, recipe), recipe.composition
    held_out = {
        name: composed(
            Composer(digits, settings), 2000, max(recipe.training.widths), np.random.default_rng(5)
        )
        for name, settings in {
            "composed": all_of_it,
            "touching": dataclasses.replace(all_of_it, touching=1.0),
        }.items()
    }
    rows: dict[str, dict[str, float]] = {}
    if options.json is not None and options.json.exists():
        kept = json.loads(options.json.read_text())
        rows = kept["rows"] if kept["steps"] == options.steps else {}
    print(f"{options.steps} steps; {len(strips)} amounts, {len(held_out['composed'])} composed strings")
    print(f"{'trained with':28}{'exact':>8}{'CER':>8}{'log p':>8}{'composed':>10}{'touching':>10}")
    for name, changes in WITHOUT.items():
        if name not in rows:
            rows[name] = measured(smaller(recipe, options.steps, changes), data, strips, held_out)
        row = rows[name]
        print(
            f"{name:28}{row['exact']:8.1%}{row['character_error_rate']:8.1%}{row['log_probability']:8.3f}"
            f"{row['composed']:10.1%}{row['touching']:10.1%}",
            flush=True,
        )
        if options.json is not None:
            content = {"steps": options.steps, "rows": rows}
            write_atomically(options.json, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
