"""How well photographed sudokus are registered and read.

    EDGEDIGITS_DATA=… python tests/bench/bench_sudoku.py [--model NAME|FILE]
        [--shadow LEFT DEGREES [AT SHARP]] [--json FILE] [--verbose]

Phone photos of calendar sudokus (the data set `sudoku`, 26 photos of 13 puzzles) through the shipped form:
how far the grid's corners are from the true ones, filled cells (printed and handwritten) accepted and right,
blank cells read as blank, pencil marks never read as a digit. Puzzles 01_25 and 01_26 are for testing
(`test`), on the others things were tuned (`tune`). Figures to reach, on all photos: 25 of 26 registered (a
page found but more than a quarter of a cell off is none), filled cells right ≥ 0.97 of those accepted with
≥ 0.95 accepted, blank ≥ 0.995, pencil marks ≥ 0.97. Exit status 1 where one is missed.

With --shadow part of every grid is in a shadow that leaves so much of the light (0…1) and whose lit side lies
so many degrees below the right. Its edge goes AT widths of the grid beside the grid's middle (0: through it)
and is SHARP pixels wide (standard deviation; 0.8: as sharp as the photo).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import RegistrationError
from edgedigits.forms import FormReader
from edgedigits.forms.form_file import load_form
from edgedigits.reader import Reader

TEST_PUZZLES = ("01_25", "01_26")
FIGURES = {"registered": 25 / 26, "right": 0.97, "accepted": 0.95, "blank": 0.995, "pencil": 0.97}


def load(folder: Path) -> list[dict[str, Any]]:
    """Return the photos: file, puzzle, 81 labels (`.` blank, `c` pencil marks), the grid's corners (4×2)."""
    with (folder / "corners.csv").open(newline="") as file:
        corners = {
            row["file"]: [[float(row[f"{c}_{k}"]) for k in "xy"] for c in ("tl", "tr", "br", "bl")]
            for row in csv.DictReader(file)
        }
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {
            "file": r["file"],
            "puzzle": r["puzzle"],
            "cells": r["text"].split(),
            "corners": np.array(corners[r["file"]]),
        }
        for r in rows
    ]


def shaded(
    image: NDArray[np.uint8],
    corners: NDArray[np.float64],
    left: float,
    degrees: float,
    at: float = 0.0,
    sharp: float = 0.8,
) -> Any:
    """Return a photo, H×W×3, part of whose grid is in a shadow."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    angle, (middle_x, middle_y) = np.radians(degrees), corners.mean(axis=0)
    at *= float(np.linalg.norm(corners[1] - corners[0]))
    beyond = (x - middle_x) * np.cos(angle) + (y - middle_y) * np.sin(angle) < at
    shade = cv2.GaussianBlur(beyond.astype(np.float64), (0, 0), sharp)
    return (image * (1 - (1 - left) * shade)[..., None]).astype(np.uint8)


def measure(
    forms: FormReader,
    folder: Path,
    photos: list[dict[str, Any]],
    verbose: bool,
    shadow: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Read the photos and count."""
    count: Counter[str] = Counter()
    misfits, times = [], []
    for photo in photos:
        count["photos"] += 1
        image = np.asarray(cv2.imread(str(folder / "images" / photo["file"])), np.uint8)
        if shadow is not None:
            image = shaded(image, photo["corners"], *shadow)
        try:
            reading = forms.read(image)
        except RegistrationError as error:
            print(f"{photo['file']}: {error}")
            continue
        misfit = float(np.linalg.norm(np.array(reading.corners) - photo["corners"], axis=1).max())
        cell = float(np.linalg.norm(photo["corners"][1] - photo["corners"][0])) / 9
        count["registered"] += misfit < cell / 4
        misfits.append(misfit / cell)
        times.append(reading.elapsed_ms)
        for field, label in zip(reading.fields, photo["cells"], strict=True):
            kind = {".": "blank", "c": "pencil"}.get(label, "filled")
            count[kind] += 1
            if kind == "filled":
                count["accepted"] += field.value is not None
                count["right"] += field.value == label
            elif kind == "blank":
                count["blank right"] += field.value is None and field.error is None
                count["blank read"] += field.value is not None
            else:
                count["pencil right"] += field.value is None
            if verbose and field.value is not None and field.value != label:
                print(f"{photo['file']} {field.name}: {label} read as {field.value} ({field.confidence:.3f})")
    return {
        "photos": count["photos"],
        "registered": count["registered"] / count["photos"],
        "corner_misfit_median_cells": statistics.median(misfits) if misfits else None,
        "corner_misfit_worst_cells": max(misfits, default=None),
        "filled": count["filled"],
        "accepted": count["accepted"] / max(1, count["filled"]),
        "right": count["right"] / max(1, count["accepted"]),
        "blanks": count["blank"],
        "blank": count["blank right"] / max(1, count["blank"]),
        "blanks_read": count["blank read"],
        "pencils": count["pencil"],
        "pencil": count["pencil right"] / max(1, count["pencil"]),
        "ms_median": statistics.median(times) if times else None,
    }


def main() -> int:
    """Measure, print a table, and compare with the figures to reach."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", metavar="NAME|FILE", help="default: the reader's own")
    parser.add_argument(
        "--shadow", type=float, nargs="+", metavar="N", help="LEFT DEGREES [AT SHARP]: let one fall on it"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--verbose", action="store_true", help="list the cells that were misread")
    arguments = parser.parse_args()
    if arguments.shadow is not None and len(arguments.shadow) not in (2, 4):
        parser.error("--shadow takes two numbers or four")
    if "EDGEDIGITS_DATA" not in os.environ:
        parser.error("set EDGEDIGITS_DATA to the folder that holds sudoku/")
    folder = Path(os.environ["EDGEDIGITS_DATA"]) / "sudoku"
    reader = Reader() if arguments.model is None else Reader(arguments.model)
    forms = FormReader(load_form("sudoku"), reader)
    photos = load(folder)
    parts = {
        "tune": [p for p in photos if p["puzzle"] not in TEST_PUZZLES],
        "test": [p for p in photos if p["puzzle"] in TEST_PUZZLES],
    }
    results = {
        part: measure(forms, folder, chosen, arguments.verbose, arguments.shadow)
        for part, chosen in parts.items()
    }
    results["all"] = measure(forms, folder, photos, False, arguments.shadow)
    for part, result in results.items():
        print(
            f"{part:5}", "  ".join(f"{k} {v:.4g}" if v is not None else f"{k} –" for k, v in result.items())
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    missed = [name for name, least in FIGURES.items() if results["all"][name] < least]
    print(
        "missed: " + ", ".join(f"{n} {results['all'][n]:.4f} < {FIGURES[n]:.4f}" for n in missed)
        if missed
        else "all reached"
    )
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
