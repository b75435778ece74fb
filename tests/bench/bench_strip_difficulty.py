"""How hard composed strips are: the strip network's errors on held-out ones, with less and less in their way.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_strip_difficulty.py [--count N] [--model FILE] [--json FILE]

Composed as the recipe `strip` says, of digits it does not train on, with a seed of their own; then without
what makes them hard, one thing after the other. Given are the strips read exactly, the character error rate
(Levenshtein distance over the length of the true texts), and that of the digits alone, separators left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from pathlib import Path

import cv2
import numpy as np
from rapidfuzz.distance import Levenshtein

import edgedigits
from edgedigits.strip_model import StripModel
from edgedigits_export.validate_strips import read_strip
from edgedigits_train.data import load
from edgedigits_train.strip.compose import LABELS, Composer
from edgedigits_train.strip.recipe import load_strip_recipe
from edgedigits_train.strip.source import composed, held_out_digits

SEED = 5
SHIPPED = Path(edgedigits.__file__).parent / "models" / "strips" / "strip-int8.tflite"
LESS: dict[str, dict[str, float]] = {
    "as they are trained on": {},
    "none seen narrow, none empty": {"narrow": 0.0, "empty": 0.0},
    "no rests of other writing": {"clutter": 0.0},
    "plain paper, no rules": {"background": 0.0, "rules": 0.0},
    "sharp": {"clear": 1.0},
    "no separators": {"separators": 0.0},
    "digits apart": {"touching": 0.0},
    "upright": {"slant": 0.0},
}
"""What is taken away, each on top of those before it."""


def digits_of(text: str) -> str:
    """Return a text without its separators."""
    return "".join(c for c in text if c.isdigit())


def main() -> None:
    """Compose, read, count, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="strips a row")
    parser.add_argument("--model", default=str(SHIPPED), metavar="FILE", help="another strip model")
    parser.add_argument("--json", metavar="FILE", help="also write the figures here")
    options = parser.parse_args()
    if "EDGEDIGITS_DATA" not in os.environ:
        parser.error("set EDGEDIGITS_DATA to the folder that holds the sets")
    cv2.setNumThreads(1)
    recipe = load_strip_recipe("strip")
    digits = held_out_digits(load(recipe.data.set), recipe)
    model = StripModel(options.model)
    settings = recipe.composition
    rows = []
    for name, change in LESS.items():
        settings = dataclasses.replace(settings, **change)
        strips = composed(
            Composer(digits, settings),
            options.count,
            max(recipe.training.widths),
            np.random.default_rng(SEED),
        )
        true = ["".join(LABELS[k] for k in row if k >= 0) for row in strips.labels]
        read = [read_strip(model, image, digits_only=False).text for image in strips.images]
        row: dict[str, str | float] = {
            "strips": name,
            "exact": float(np.mean([a == b for a, b in zip(read, true, strict=True)])),
            "character_error_rate": sum(map(Levenshtein.distance, read, true)) / sum(map(len, true)),
            "digit_error_rate": sum(
                Levenshtein.distance(digits_of(a), digits_of(b)) for a, b in zip(read, true, strict=True)
            )
            / sum(len(digits_of(text)) for text in true),
        }
        rows.append(row)
        figures = "  ".join(f"{100 * float(v):6.2f}" for k, v in row.items() if k != "strips")
        print(f"{name:30} {figures}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
