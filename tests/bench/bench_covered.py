"""What is read where something hides a part of a page, or stands on it that is no number.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_covered.py [--seeds N]

Photographed sudokus (those of the data set `sudoku` that things were tuned on, so many times each): a finger
or a note lies on the grid, or a lamp is mirrored in it (`glare`, its edge `sharp` or `soft`). Given are, of
the written fields of which a tenth or more is hidden, those read right, refused, told to be blank (`lost`)
and read wrong; of such blank ones those told to be blank, refused and read as a digit; and of all other
fields how many are refused.

Cheque amounts (every other one of the tuning part of the data set `cheques`), cut to strips: the same lies on
them. Given are those accepted and right, and those accepted otherwise.

Pages of numbers in digits of MNIST that no network was trained on (eight times as many): a finger on them,
glare, punched holes, a face drawn on them, boxes and rings to tick. Given are, of the numbers, those accepted
and right, those accepted otherwise, whether misread or hidden in part, and lines accepted where there is no
number. Everything is seeded.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench_sudoku import TEST_PUZZLES, load
from kept_out import kept_out_digits
from tests.edge import lying
from tests.edge.drawing import number
from tests.edge.lying import Mask, Picture

from edgedigits.errors import RegistrationError
from edgedigits.forms import FormReader
from edgedigits.forms.form_file import load_form
from edgedigits.page import Box
from edgedigits.reader import Reader

Hide = Callable[[Picture, tuple[float, float], float, np.random.Generator], tuple[Picture, Mask]]


def _glare(soft: tuple[float, float]) -> Hide:
    def hide(
        image: Picture, middle: tuple[float, float], unit: float, draw: np.random.Generator
    ) -> tuple[Picture, Mask]:
        wide, high = draw.uniform(0.5, 2, 2) * unit
        degrees, light = draw.uniform(0, 180), draw.uniform(180, 350)
        return lying.glare(image, middle, (wide, high), degrees, draw.uniform(*soft) * unit, light)

    return hide


def _finger(
    image: Picture, middle: tuple[float, float], unit: float, draw: np.random.Generator
) -> tuple[Picture, Mask]:
    skin = np.array([110, 140, 185]) * draw.uniform(0.5, 1)
    return lying.finger(
        image, middle, draw.uniform(1, 2) * unit, draw.uniform(0, 360), draw, (skin[0], skin[1], skin[2])
    )


def _note(
    image: Picture, middle: tuple[float, float], unit: float, draw: np.random.Generator
) -> tuple[Picture, Mask]:
    return lying.note(image, middle, 2.3 * unit, draw.uniform(0, 90), draw)


HIDDEN: dict[str, Hide] = {
    "finger": _finger,
    "note": _note,
    "glare, sharp": _glare((0.05, 0.15)),
    "glare, soft": _glare((0.2, 0.5)),
}
"""What lies on a page whose cells, or digits, are about so many pixels high."""


def sudokus(folder: Path, seeds: int) -> None:
    """Read the photos, and print a table."""
    photos = [photo for photo in load(folder) if photo["puzzle"] not in TEST_PUZZLES]
    reader = FormReader(load_form("sudoku"))
    print(
        f"{'sudokus':<14}{'found':>10}{'written':>9}{'right':>7}{'refused':>9}{'lost':>6}{'wrong':>7}"
        f"{'blank':>8}{'refused':>9}{'read':>6}{'others':>8}{'refused':>9}"
    )
    for row, (name, hide) in enumerate(HIDDEN.items()):
        count: Counter[str] = Counter()
        for number_of, photo in enumerate(photos):
            image = np.asarray(cv2.imread(str(folder / "images" / photo["file"])), np.uint8)
            corners = photo["corners"]
            cell = float(np.linalg.norm(corners[1] - corners[0])) / 9
            for seed in range(seeds):
                draw = np.random.default_rng([row, number_of, seed])
                x, y = corners.mean(axis=0) + draw.uniform(-3, 3, 2) * cell
                seen, hidden = hide(image, (x, y), cell, draw)
                count["pages"] += 1
                try:
                    reading = reader.read(seen)
                except RegistrationError:
                    continue
                count["found"] += 1
                for k, (field, label) in enumerate(zip(reading.fields, photo["cells"], strict=True)):
                    if label == "c":
                        continue
                    kind = "blank" if label == "." else "written"
                    if _share(hidden, _cell(corners, k)) < 0.1:
                        count["others"] += 1
                        count["others refused"] += field.error is not None
                        continue
                    count[kind] += 1
                    if field.value is not None:
                        count["right" if field.value == label else f"{kind} read"] += 1
                    else:
                        count[f"{kind} refused" if field.error is not None else f"{kind} told blank"] += 1
        found = f"{count['found']} of {count['pages']}"
        print(
            f"{name:<14}{found:>10}{count['written']:>9}{count['right']:>7}"
            f"{count['written refused']:>9}{count['written told blank']:>6}{count['written read']:>7}"
            f"{count['blank told blank']:>8}{count['blank refused']:>9}{count['blank read']:>6}"
            f"{count['others']:>8}{count['others refused']:>9}",
            flush=True,
        )


def _cell(corners: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the corners (4×2) of a cell of a grid of nine by nine."""
    row, column = divmod(k, 9)
    sides = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
    top, bottom = (
        [corners[a] + (corners[b] - corners[a]) * u / 9 for u, _ in sides] for a, b in ((0, 1), (3, 2))
    )
    return np.array([t + (b - t) * v / 9 for t, b, (_, v) in zip(top, bottom, sides, strict=True)])


def _share(hidden: Mask, cell: NDArray[np.float64]) -> float:
    own = cv2.fillConvexPoly(np.zeros(hidden.shape, np.uint8), cell.astype(np.int32), 1) > 0
    return float(np.count_nonzero(hidden & own)) / max(1, np.count_nonzero(own))


def strips(folder: Path) -> None:
    """Read cheque amounts, and print a table."""
    reader = Reader()
    with (folder / "labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "tune"][::2]
    print(f"\n{'strips':<14}{'amounts':>9}{'right':>7}{'wrong':>7}")
    for place, (name, hide) in enumerate({"as they are": None, **HIDDEN}.items()):
        count: Counter[str] = Counter()
        for number_of, row in enumerate(rows):
            image = np.asarray(cv2.imread(str(folder / "images" / row["file"])), np.uint8)
            height, width = image.shape[:2]
            if hide is not None:
                draw = np.random.default_rng([place, number_of])
                at = draw.uniform(0.15, 0.85) * width, draw.uniform(0.3, 0.7) * height
                image, _ = hide(image, at, 0.45 * height, draw)
            for line in reader.read(image).lines:
                if line.accepted:
                    count["right" if line.text == row["text"] else "wrong"] += 1
        print(f"{name:<14}{len(rows):>9}{count['right']:>7}{count['wrong']:>7}", flush=True)


def _holes(image: Picture, draw: np.random.Generator) -> Picture:
    return lying.holes(
        image,
        draw.uniform(30, 60),
        draw.uniform(8, 22),
        int(draw.integers(2, 5)),
        int(draw.integers(30, 150)),
    )


def _face(image: Picture, draw: np.random.Generator) -> Picture:
    return lying.face(image, (430, draw.uniform(120, 560)), draw.uniform(20, 50), int(draw.integers(2, 5)))


def _to_tick(is_ring: bool) -> Callable[[Picture, np.random.Generator], Picture]:
    def printed(image: Picture, draw: np.random.Generator) -> Picture:
        side, thickness = int(draw.integers(16, 44)), int(draw.integers(1, 4))
        for y in range(100, 620, 3 * side):
            for x in (85, 470):
                image = lying.to_tick(image, (x, y), side, thickness, is_ring)
        return image

    return printed


def _over(hide: Hide) -> Callable[[Picture, np.random.Generator], Picture]:
    def lie(image: Picture, draw: np.random.Generator) -> Picture:
        return hide(image, (draw.uniform(150, 750), draw.uniform(100, 600)), 60.0, draw)[0]

    return lie


ON_PAGES: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "as they are": lambda image, draw: image,
    **{name: _over(hide) for name, hide in HIDDEN.items()},
    "holes": _holes,
    "a face": _face,
    "boxes": _to_tick(is_ring=False),
    "rings": _to_tick(is_ring=True),
}


def page(
    digits: tuple[NDArray[np.uint8], NDArray[np.integer]], draw: np.random.Generator
) -> tuple[Picture, list[tuple[str, Box]]]:
    """Return a page of numbers, 700×900, and their texts and boxes."""
    ink, written = np.zeros((700, 900), np.float32), []
    high = int(draw.integers(24, 45))
    for y in range(110, 600, round(3.2 * high)):
        for x in (120, 510):
            text, own = number(digits, draw, int(draw.integers(3, 6)))
            if draw.random() < 0.2:
                continue
            scale = high / 40  # MNIST's digits are 20 of 28 pixels high, here 40 of 56
            own = cv2.resize(own, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            h, w = own.shape
            ink[y : y + h, x : x + w] = own
            written.append((text, (x, y, w, h)))
    paper = draw.uniform(190, 240) * (1 + np.linspace(-1, 1, 900) * draw.uniform(-0.08, 0.08))
    grey = paper * (1 - 0.75 * ink / 255)
    tinted = grey[..., None] + draw.normal(0, 5, 3) + draw.normal(0, draw.uniform(1, 4), (700, 900, 3))
    return np.clip(tinted, 0, 255).astype(np.uint8), written


def pages(count: int) -> None:
    """Read pages of numbers, and print a table."""
    digits, reader = kept_out_digits(), Reader()
    print(f"\n{'pages':<14}{'numbers':>9}{'right':>7}{'wrong':>7}{'no number':>11}")
    for name, add in ON_PAGES.items():
        found: Counter[str] = Counter()
        for seed in range(count):
            image, written = page(digits, np.random.default_rng(seed))
            seen = add(image, np.random.default_rng([1, seed]))
            found["numbers"] += len(written)
            for line in reader.read(np.asarray(cv2.GaussianBlur(seen, (0, 0), 0.7), np.uint8)).lines:
                if line.accepted:
                    text = max(written, key=lambda each: _shared(line.box, each[1]))
                    of_it = _shared(line.box, text[1]) > 0.3
                    found[("right" if line.text == text[0] else "wrong") if of_it else "none"] += 1
        print(
            f"{name:<14}{found['numbers']:>9}{found['right']:>7}{found['wrong']:>7}{found['none']:>11}",
            flush=True,
        )


def _shared(one: Box, other: Box) -> float:
    """Return the part of a box that another has of it, 0…1."""
    x, y = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = (min(one[k] + one[k + 2], other[k] + other[k + 2]) for k in (0, 1))
    return max(0, right - x) * max(0, bottom - y) / (one[2] * one[3])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4, metavar="N", help="pictures of each photo")
    options = parser.parse_args()
    if "EDGEDIGITS_DATA" not in os.environ:
        parser.error("set EDGEDIGITS_DATA to the folder that holds mnist/, sudoku/ and cheques/")
    data = Path(os.environ["EDGEDIGITS_DATA"])
    sudokus(data / "sudoku", options.seeds)
    strips(data / "cheques")
    pages(8 * options.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
