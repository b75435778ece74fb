"""How well models read digits that MNIST's writers did not write.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_beyond_mnist.py [--models NAME|FILE …] [--json FILE]

MNIST's test digits go to the models as they are; every other picture goes the way a picture of one digit
goes on the device: `find_ink`, `find_lines`, the glyphs taken together, `normalize`, `Model.probabilities`. A
picture in which no glyph is found counts as read wrong (and, where it shows no digit, as refused).

Accuracies are of the digits alone: the most probable character, whatever the class "not a digit" says.
"Refused" is what the device refuses: that class is the most probable, or the best character is below the
model's own threshold. Nothing of `pen`, `usps`, `ardis` and `cells` (nor of its blank cells and pencil marks)
is trained on; of `negatives` only the part that is not is measured. A pencil mark that stands alone is a
digit to whoever sees nothing but its crop. Whoever reads a box knows more: "in a box" is what the fields of
forms refuse (`cutout.cell_of`, `forms.trouble_in`) where the picture is the box and a digit at least half as
high as it: rests of the frame along its border are no writing, and several digits not one.

The expected calibration error is that of the confidence the device gives, in 15 bins of equal width (Guo et
al. 2017, equation 3), over the glyphs found in `pen`, `usps` and `ardis` together.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import is_character
from edgedigits.forms import trouble_in
from edgedigits.forms.cutout import cell_of
from edgedigits.glyphs.text_lines import find_lines
from edgedigits.ink import find_ink
from edgedigits.model import Model, shipped_models
from edgedigits.normalize import normalize
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
LEAST_HEIGHT = 0.5
"""Digits are at least this part of their box high."""
BINS = 15

Crops = NDArray[np.uint8]


def device_crop(picture: NDArray[np.uint8]) -> tuple[Crops, Crops]:
    """Return the crop of a picture of one digit, and that of its writing were the picture a box.

    They are uint8 28×28, all 0 where no glyph is found, or none that may be a digit in a box. Where several
    are found they are taken together: a pen that skips leaves a digit in pieces.
    """
    glyphs = [glyph for line in find_lines(find_ink(picture)) for glyph in line.glyphs]
    together = np.zeros(picture.shape[:2], np.uint8)
    for glyph in glyphs:
        x, y, width, height = glyph.box
        place = together[y : y + height, x : x + width]
        np.maximum(place, glyph.ink, out=place)
    cell = cell_of(together, (0, 0, *together.shape[::-1]))
    fits = not cell.blank and trouble_in(cell, True, LEAST_HEIGHT) is None
    return normalize(together), normalize(cell.ink if fits else np.zeros_like(together))


def device_crops(pictures: NDArray[np.uint8]) -> tuple[Crops, Crops]:
    """Return the crops of many pictures, uint8 N×28×28, and those of what may be a digit were they boxes."""
    with ProcessPoolExecutor(initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        crops, boxed = zip(*pool.map(device_crop, pictures, chunksize=100), strict=True)
    return np.array(crops, np.uint8), np.array(boxed, np.uint8)


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


@dataclass(frozen=True)
class Set:
    """Pictures of one kind as crops; `labels` are None where they show no digit.

    `boxed`, where the pictures are cells, are the crops of their writing as the reader of a box takes them.
    """

    crops: Crops
    boxed: Crops | None = None
    labels: NDArray[np.integer] | None = None

    @property
    def found(self) -> int:
        """How many have a glyph."""
        return int(self.crops.any(axis=(1, 2)).sum())


def load(folder: Path) -> dict[str, Set]:
    """Return all sets by name."""
    mnist = load_mnist(folder)
    sets = {"mnist": Set(mnist.test_images, labels=mnist.test_labels)}
    for name, file in DIGITS.items():
        with np.load(folder / file) as arrays:
            crops, boxed = device_crops(arrays["images"])
            sets[name] = Set(crops, boxed if name == "cells" else None, arrays["labels"])
    with np.load(folder / "negatives" / "fashion.npz") as arrays:
        things = arrays["images"]
    sets["negatives"] = Set(*device_crops(things[negatives_part(len(things), training=False)]))
    with np.load(folder / "cells" / "cells.npz") as arrays:
        for name, key in (("blank cells", "blank_cells"), ("pencil-mark cells", "candidate_cells")):
            sets[name] = Set(*device_crops(arrays[key]))
    return sets


def measure(model: Model, sets: dict[str, Set]) -> dict[str, Any]:
    """Return every figure of one model; shares are 0…1."""
    accuracy, refused, in_box, wrong_in_box = {}, {}, {}, {}
    confidences, rights, others, boxed_others = [], [], [], []
    for name, some in sets.items():
        best, confidence, not_read = read(model, some.crops)
        refused[name] = float(not_read.mean())
        if some.boxed is not None:
            boxed_best, _, not_read_boxed = read(model, some.boxed)
            in_box[name] = float(not_read_boxed.mean())
            if some.labels is None:
                boxed_others.append(not_read_boxed)
            else:
                wrong_in_box[name] = float((~not_read_boxed & (boxed_best != some.labels)).mean())
        if some.labels is None:
            others.append(not_read)
            continue
        right = best == some.labels
        accuracy[name] = float(right.mean())
        if name in POOLED:
            confidences.append(confidence[best >= 0])
            rights.append(right[best >= 0])
    refused["no digits together"] = float(np.concatenate(others).mean())
    in_box["no digits together"] = float(np.concatenate(boxed_others).mean())
    error = calibration_error(np.concatenate(confidences), np.concatenate(rights))
    return {
        "accuracy": accuracy,
        "refused": refused,
        "refused_in_box": in_box,
        "wrong_in_box": wrong_in_box,
        "calibration_error": error,
    }


def table(results: dict[str, dict[str, Any]], sets: dict[str, Set]) -> str:
    """Return the figures as a Markdown table, one column for each model."""
    rows: list[tuple[str, list[float]]] = []
    for kind, title in (
        ("accuracy", "read right"),
        ("refused", "refused"),
        ("refused_in_box", "refused in a box"),
        ("wrong_in_box", "accepted in a box, and wrong"),
    ):
        for name in next(iter(results.values()))[kind]:
            count = f" ({len(sets[name].crops)}, {sets[name].found} with a glyph)" if name in sets else ""
            rows.append((f"{name}{count}: {title}", [result[kind][name] for result in results.values()]))
    errors = [result["calibration_error"] for result in results.values()]
    rows.append((f"{' + '.join(POOLED)}: calibration error", errors))
    lines = ["| % | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    lines += [
        f"| {title} | " + " | ".join(f"{100 * value:.2f}" for value in values) + " |"
        for title, values in rows
    ]
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
    sets = load(Path(options.data))
    results = {Path(name).stem: measure(Model(name), sets) for name in options.models}
    print(table(results, sets))
    if options.json:
        counts = {
            name: {"pictures": len(some.crops), "with_a_glyph": some.found} for name, some in sets.items()
        }
        content = {"sets": counts, "targets": TARGETS, "models": results}
        options.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
