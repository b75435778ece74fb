"""How well whole pictures are read, and what that costs beside the least OpenCV could do.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_reading.py [--model NAME|FILE] [--part tune|devtest]
        [--sets pages cheques pen usps ardis cells painted] [--every N] [--character-model NAME|FILE|none]
        [--prior-weight W] [--unconfirmed] [--json FILE]

Everything goes through `Reader.read`, one thread. For sets of single digits a picture is right when exactly
one digit is found and it is the right one; `painted` are MNIST's test digits made ten times as large, as one
paints a digit on a pad: bold, and filling the picture. For text lines: exact lines, character error rate
(Levenshtein distance over the true length), and the share of lines that can be accepted, by confidence, while
at most 1 % of the accepted ones are wrong; of pictures of one line also `log p`, the mean natural logarithm
of the probability, at least 0.001, that is told of the true text (nearer to 0 is better). `uncut` is the
share of lines that are not cut into glyphs because the glyph network confirms their strip; `--unconfirmed`
cuts them all. The floor is grey conversion, adaptive threshold and connected components on the same picture;
ratios to it are medians within one run.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from edgedigits import Page, Reader
from edgedigits.decode.prior import PriorSettings
from edgedigits.reader import DEFAULT_CHARACTER_MODEL, DEFAULT_MODEL, DEFAULT_WAY
from edgedigits.ways.confirm import ConfirmSettings
from edgedigits.ways.line_reading import READING_WAYS
from edgedigits_train.data import load

Picture = tuple[NDArray[np.uint8], list[str]]

SINGLE = {
    "pen": "pen/pen.npz",
    "usps": "usps/usps_train.npz",
    "ardis": "ardis/ardis_train.npz",
    "cells": "cells/cells.npz",
}
LARGE = 10
"""How many times as large as MNIST's the painted digits are."""


def single(folder: Path, name: str, every: int) -> Iterator[Picture]:
    """Yield pictures of one digit, every so many of the set."""
    with np.load(folder / SINGLE[name]) as file:
        images, labels = file["images"][::every], file["labels"][::every]
    for image, label in zip(images, labels, strict=True):
        yield image, [str(label)]


def painted(folder: Path, every: int) -> Iterator[Picture]:
    """Yield MNIST's test digits, every so many of them, large."""
    data = load("mnist", folder)
    for image, label in zip(data.test_images[::every], data.test_labels[::every], strict=True):
        large = cv2.resize(image, None, fx=LARGE, fy=LARGE, interpolation=cv2.INTER_CUBIC)
        yield np.asarray(large, np.uint8), [str(label)]


def lines(folder: Path, name: str, part: str) -> Iterator[Picture]:
    """Yield pictures of text lines with their true lines."""
    with (folder / name / "labels.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row.get("part", part) == part:
                image = cv2.imread(str(folder / name / "images" / row["file"]))
                assert image is not None
                yield np.asarray(image, np.uint8), row["text"].split("\n")


def guesses(page: Page) -> list[tuple[str, float]]:
    """Return the text of every line, rejected digits by their best guess, and the line's confidence."""
    return [
        ("".join(d.alternatives[0][0] if d.rejected else d.label for d in line.digits), line.confidence)
        for line in page.lines
    ]


def floor(image: NDArray[np.uint8]) -> None:
    """Do the least that finding digits in a picture takes."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    mask = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 15)
    cv2.connectedComponentsWithStats(mask)


def milliseconds(work: object, *arguments: object) -> float:
    started = time.perf_counter()
    work(*arguments)  # type: ignore[operator]
    return (time.perf_counter() - started) * 1000


def accepted(rows: list[tuple[float, bool]], most_wrong: float) -> float:
    """Return the largest share of lines that can be accepted with at most `most_wrong` of them wrong."""
    best = wrong = 0
    for count, (_, right) in enumerate(sorted(rows, key=lambda row: -row[0]), 1):
        wrong += not right
        if wrong <= most_wrong * count:
            best = count
    return best / max(1, len(rows))


class CountingReader(Reader):
    """A reader that counts the lines that the glyph network confirmed, and that were not cut."""

    confirmed = 0

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        see_as_strip = self.line_reader.see_as_strip

        def counted(*line: Any) -> Any:
            seen, held = see_as_strip(*line)
            self.confirmed += held is not None
            return seen, held

        self.line_reader.see_as_strip = counted  # type: ignore[method-assign]


def measure(reader: CountingReader, pictures: Iterator[Picture], one_line: bool) -> dict[str, float]:
    """Read pictures and return the figures."""
    total = exact = characters = errors = 0
    rows: list[tuple[float, bool]] = []
    ours, least = [], []
    told: list[float] = []
    taken = mistaken = confirmed = 0
    for image, true in pictures:
        reader.confirmed = 0
        page = reader.read(image)
        confirmed += reader.confirmed
        taken += sum(line.accepted for line in page.lines)
        mistaken += sum(line.accepted and line.text not in true for line in page.lines)
        ours.append(min(milliseconds(reader.read, image) for _ in range(2)))
        least.append(min(milliseconds(floor, image) for _ in range(2)))
        read = guesses(page)
        if one_line:  # a picture of one line: what was read of it, in reading order
            readings = dict(page.lines[0].readings) if len(page.lines) == 1 else {}
            told.append(math.log(max(1e-3, readings.get(true[0], 0.0))))
            confidence = min((c for _, c in read), default=0.0)
            read = [("".join(text for text, _ in read), confidence)]
        read += [("", 0.0)] * (len(true) - len(read))
        for (text, confidence), wanted in zip(read, true, strict=False):
            right = text == wanted
            total += 1
            exact += right
            characters += len(wanted)
            errors += Levenshtein.distance(text, wanted)
            rows.append((confidence, right))
        errors += sum(len(text) for text, _ in read[len(true) :])
    return {
        "pictures": len(ours),
        "lines": total,
        "exact": exact / total,
        "cer": errors / characters,
        **({"log_p": sum(told) / len(told)} if told else {}),
        "accepted_at_1_percent": accepted(rows, 0.01),
        "accepted": taken,
        "accepted_wrong": mistaken,
        "confirmed": confirmed / total,
        "ms": float(np.median(ours)),
        "floors": float(np.median(np.array(ours) / np.array(least))),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--way", default=DEFAULT_WAY, choices=READING_WAYS)
    parser.add_argument("--thorough", action="store_true", help="on the way auto: every line in both ways")
    parser.add_argument("--strip-model", metavar="NAME|FILE")
    parser.add_argument("--character-model", default=DEFAULT_CHARACTER_MODEL, metavar="NAME|FILE|none")
    parser.add_argument(
        "--prior-weight",
        type=float,
        default=PriorSettings().weight,
        metavar="W",
        help="0: all are alike",
    )
    parser.add_argument("--unconfirmed", action="store_true", help="cut every line into glyphs")
    parser.add_argument("--max-error", type=float, metavar="E", help="count also what a reader then accepts")
    parser.add_argument("--part", default="tune", choices=["tune", "devtest"], help="of the cheques")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="read every Nth single digit")
    parser.add_argument(
        "--sets",
        nargs="+",
        default=["pages", "cheques", *SINGLE, "painted"],
        choices=["pages", "cheques", *SINGLE, "painted"],
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    cv2.setNumThreads(1)
    reader = CountingReader(
        options.model,
        way=options.way,
        strip_model=options.strip_model,
        character_model=None if options.character_model == "none" else options.character_model,
        thorough=options.thorough,
        max_error=options.max_error,
        prior=PriorSettings(weight=options.prior_weight),
        confirm=ConfirmSettings(sure=1.0) if options.unconfirmed else ConfirmSettings(),
    )
    results = {}
    print(f"{options.model}, way {options.way}{', thorough' if options.thorough else ''}, one thread")
    heads = ("exact", "CER", "log p", "at 1 %", "uncut", "ms", "floors")
    print(f"{'set':<10}{'lines':>7}{''.join(f'{head:>8}' for head in heads)}")
    for name in options.sets:
        one_line = name != "pages"
        if name in SINGLE:
            pictures = single(options.data, name, options.every)
        elif name == "painted":
            pictures = painted(options.data, options.every)
        else:
            pictures = lines(options.data, name, options.part)
        figures = results[name] = measure(reader, pictures, one_line)
        print(
            f"{name:<10}{figures['lines']:>7.0f}{figures['exact']:>8.3f}{figures['cer']:>8.3f}"
            f"{format(figures['log_p'], '.3f') if one_line else '':>8}"
            f"{figures['accepted_at_1_percent']:>8.3f}{figures['confirmed']:>8.3f}"
            f"{figures['ms']:>8.2f}{figures['floors']:>8.1f}"
        )
        if options.max_error is not None:
            print(f"{'':<10}{figures['accepted']} lines accepted, {figures['accepted_wrong']} of them wrong")
    if options.json:
        options.json.write_text(
            json.dumps({"model": options.model, "way": options.way, "sets": results}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
