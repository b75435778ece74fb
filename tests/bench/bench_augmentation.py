"""Which part of the augmentation moves what: short trainings, each with one part left out.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_augmentation.py [--digits N] [--epochs N] [--json FILE]

The network of the recipe `compact`, with ten outputs, learns from the first N training digits of MNIST, drawn
as the recipe says but for one part, for a few epochs and with one seed: the differences are to be compared
with each other, not with the published model. Percentages read right, on the same crops as in
bench_beyond_mnist.py; differences below about 0.3 are noise.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bench_beyond_mnist import DIGITS, load

from edgedigits_train.data import load_mnist
from edgedigits_train.recipe import Augmentation, Averaging, Distillation, Recipe, Start, load_recipe

WITHOUT: dict[str, dict[str, float]] = {
    "everything": {},
    "no pen": {"pen": 0.0},
    "no other widths": {"pen": 0.0, "bolder": 0.0, "pressure": 0.0, "broken": 0.0},
    "no other hands": {"strokes": 0.0, "forms": 0.0},
    "none of the drawn forms": {"forms": 0.0},
    "no slant": {"slant": 0.0, "lean": 0.0},
    "no elastic": {"elastic": 0.0},
    "no camera": {"camera": 0.0, "residue": 0.0},
    "nothing coarse": {"coarse": 0.0},
    "nothing plain": {"plain": 0.0},
    "nothing fresh": {"fresh": 0.0},
    "no augmentation": {field.name: 0 for field in dataclasses.fields(Augmentation)},
}


def accuracies(
    recipe: Recipe, folder: Path, digits: dict[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, float]:
    """Train a recipe with seed 0 and return its accuracy (0…1) on each set."""
    # Not at the top: the processes that draw load this file again, and need no TensorFlow.
    from edgedigits_train import networks, run
    from edgedigits_train.loop import Loop, train

    data = load_mnist(folder)
    parts = run.part_data(data, recipe)
    loop = Loop(networks.build(recipe.network, 784, 10, 0), recipe, 10)
    with run.pictures_of(recipe, data, parts.train, 0) as pictures:
        train(loop, pictures, {}, 0)
    found = {}
    for name, (crops, labels) in digits.items():
        part = dataclasses.replace(parts.test, images=crops.reshape(len(crops), -1), targets=labels)
        right = run.logits_of(loop.network, part).argmax(axis=1) == labels
        found[name] = float((right & crops.any(axis=(1, 2))).mean())
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the table, and write the figures where --json says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--digits", type=int, default=12_000, metavar="N")
    parser.add_argument("--epochs", type=int, default=8, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    folder = Path(options.data)
    sets = load(folder)
    digits = {name: (sets[name].crops, sets[name].labels) for name in ("mnist", *DIGITS)}
    base = load_recipe("compact").with_epochs(options.epochs)
    base = dataclasses.replace(base, data=dataclasses.replace(base.data, train=options.digits))
    augmentation = dataclasses.replace(base.augmentation, junk=0, pieces=0, variants=2, reuse=1)
    # An average over so few steps would still hold much of the first weights; teachers and earlier trainings
    # would know what is left out here.
    base = dataclasses.replace(
        base,
        augmentation=augmentation,
        averaging=Averaging(),
        distillation=Distillation(),
        start=Start(),
    )
    print("| % read right | " + " | ".join(digits) + " |")
    print("|---" * (len(digits) + 1) + "|")
    results = {}
    for title, changes in WITHOUT.items():
        augmentation = dataclasses.replace(base.augmentation, **changes)
        results[title] = accuracies(dataclasses.replace(base, augmentation=augmentation), folder, digits)
        print(
            f"| {title} | " + " | ".join(f"{100 * v:.1f}" for v in results[title].values()) + " |", flush=True
        )
    if options.json:
        content = {"digits": options.digits, "epochs": options.epochs, "accuracy": results}
        options.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
