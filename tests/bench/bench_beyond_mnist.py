"""How well models read digits that MNIST's writers did not write.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_beyond_mnist.py [--models NAME|FILE …] [--json FILE]

MNIST's test digits go to the models as they are; every other picture goes the way a picture goes on the
device: `find_ink`, `find_lines`, the largest glyph, `normalize`, and `Model.probabilities`. A picture in
which no glyph is found counts as read wrong (and, where it shows no digit, as refused).

Accuracies are of the digits alone: the most probable character, whatever the class "not a digit" says.
"Refused" is what the device refuses: that class is the most probable, or the best character is below the
model's own threshold. None of the sets but MNIST's training part is trained on; of `negatives` only the part
that is not is measured. Of a cell with pencil marks the largest mark is looked at; marks that stand alone
are digits to any reader of single glyphs, and counted all the same.

The expected calibration error is that of the confidence the device gives, in 15 bins of equal width (Guo et
al. 2017, equation 3), over the glyphs found in `pen`, `usps` and `ardis` together.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import is_character
from edgedigits.glyphs import find_lines
from edgedigits.ink import find_ink
from edgedigits.model import Model, shipped_models
from edgedigits.normalize import SIZE, normalize
from edgedigits_train.data import load_mnist, negatives_part

DIGITS = {
    "pen": "pen/pen.npz",
    "usps": "usps/usps_train.npz",
    "ardis": "ardis/ardis_train.npz",
    "cells": "cells/cells.npz",
}
POOLED = ("pen", "usps", "ardis")
TARGETS = {"pen": 0.975, "usps": 0.97, "ardis": 0.96, "cells": 0.985}
"""Accuracies to reach, for compact-int8."""
BINS = 15

Crops = NDArray[np.uint8]


def device_crop(picture: NDArray[np.uint8]) -> Crops:
    """Return the crop of a picture's largest glyph, uint8 28×28; all 0 where there is no glyph."""
    glyphs = [glyph for line in find_lines(find_ink(picture)) for glyph in line.glyphs]
    if not glyphs:
        return np.zeros((SIZE, SIZE), np.uint8)
    return normalize(max(glyphs, key=lambda glyph: glyph.box[2] * glyph.box[3]).ink)


def device_crops(pictures: NDArray[np.uint8]) -> Crops:
    """Return the crops of many pictures, uint8 N×28×28."""
    with ProcessPoolExecutor(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        return np.array(list(pool.map(device_crop, pictures, chunksize=100)), np.uint8)


def read(model: Model, crops: Crops) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the best digit, its confidence (0…1) and whether the device refuses it, for each crop.

    Where a crop is empty the digit is −1, the confidence 0, and it is refused.
    """
    found = crops.any(axis=(1, 2))
    probabilities = model.probabilities(crops)
    characters = [k for k, label in enumerate(model.card.labels) if is_character(label)]
    best = np.asarray(characters)[probabilities[:, characters].argmax(axis=1)]
    confidence = probabilities[np.arange(len(crops)), best]
    refused = (probabilities.argmax(axis=1) != best) | (confidence < model.card.min_digit_confidence) | ~found
    return np.where(found, best, -1), np.where(found, confidence, np.float32(0)), refused


def calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error (0…1)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(float(right[bins == b].mean() - confidence[bins == b].mean())) for b in np.unique(bins)]
    weights = [float((bins == b).mean()) for b in np.unique(bins)]
    return float(np.dot(gaps, weights))


def load(folder: Path) -> tuple[dict[str, tuple[Crops, NDArray[np.integer]]], dict[str, Crops]]:
    """Return crops and labels of the digits, and crops of what is no digit, by the name of the set."""
    mnist = load_mnist(folder)
    digits: dict[str, tuple[Crops, NDArray[np.integer]]] = {"mnist": (mnist.test_images, mnist.test_labels)}
    for name, file in DIGITS.items():
        with np.load(folder / file) as arrays:
            digits[name] = device_crops(arrays["images"]), arrays["labels"]
    with np.load(folder / "negatives" / "fashion.npz") as arrays:
        things = arrays["images"]
    with np.load(folder / "cells" / "cells.npz") as arrays:
        blank, marked = arrays["blank_cells"], arrays["candidate_cells"]
    held_out = things[negatives_part(len(things), training=False)]
    others = {"negatives": held_out, "blank cells": blank, "pencil-mark cells": marked}
    return digits, {name: device_crops(pictures) for name, pictures in others.items()}


def measure(
    model: Model, digits: dict[str, tuple[Crops, NDArray[np.integer]]], others: dict[str, Crops]
) -> dict[str, Any]:
    """Return every figure of one model; shares are 0…1."""
    result: dict[str, Any] = {"accuracy": {}, "digits_refused": {}, "others_refused": {}}
    confidences, rights = [], []
    for name, (crops, labels) in digits.items():
        best, confidence, refused = read(model, crops)
        right = best == labels
        result["accuracy"][name] = float(right.mean())
        result["digits_refused"][name] = float(refused.mean())
        if name in POOLED:
            confidences.append(confidence[best >= 0])
            rights.append(right[best >= 0])
    refusals = {name: read(model, crops)[2] for name, crops in others.items()}
    result["others_refused"] = {name: float(refused.mean()) for name, refused in refusals.items()}
    result["others_refused"]["together"] = float(np.concatenate(list(refusals.values())).mean())
    result["calibration_error"] = calibration_error(np.concatenate(confidences), np.concatenate(rights))
    return result


def table(results: dict[str, dict[str, Any]], counts: dict[str, int], found: dict[str, int]) -> str:
    """Return the figures as a Markdown table, one column for each model."""
    rows: list[tuple[str, Callable[[dict[str, Any]], float]]] = []
    for name in ("mnist", *DIGITS):
        label = f"{name}, read right ({counts[name]} digits, {found[name]} with a glyph)"
        rows.append((label, lambda r, name=name: r["accuracy"][name]))  # type: ignore[misc]
    rows.append(("mnist, refused", lambda r: r["digits_refused"]["mnist"]))
    for name in ("negatives", "blank cells", "pencil-mark cells", "together"):
        label = f"{name}, refused" + (
            f" ({counts[name]}, {found[name]} with a glyph)" if name in counts else ""
        )
        rows.append((label, lambda r, name=name: r["others_refused"][name]))  # type: ignore[misc]
    rows.append((f"calibration error, {' + '.join(POOLED)}", lambda r: r["calibration_error"]))
    lines = ["| % | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    for label, value in rows:
        lines.append(f"| {label} | " + " | ".join(f"{100 * value(r):.2f}" for r in results.values()) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write the figures where --json says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(shipped_models()), metavar="NAME|FILE")
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    digits, others = load(Path(options.data))
    counts = {name: len(labels) for name, (_, labels) in digits.items()}
    counts |= {name: len(crops) for name, crops in others.items()}
    every = {name: crops for name, (crops, _) in digits.items()} | others
    found = {name: int(crops.any(axis=(1, 2)).sum()) for name, crops in every.items()}
    results = {Path(name).stem: measure(Model(name), digits, others) for name in options.models}
    print(table(results, counts, found))
    if options.json:
        content = {"counts": counts, "with_a_glyph": found, "targets": TARGETS, "models": results}
        options.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
