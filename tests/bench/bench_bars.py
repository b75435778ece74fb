"""Numbers underlined and struck out, and single digits crossed out: what is accepted of them.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_bars.py [--count N] [--model NAME|FILE] [--way WAY …]
        [--only numbers|digits]

Numbers of three to six of MNIST's kept-out digits (`kept_out`), on grey paper, with a bar under them, through
them (level, slanting, two, waving), a cross or a zigzag over them, on or across printed lines, or without any
of it. Given is how many are accepted, and how many of these are as they were written: of a number struck out
none should be. Single digits are crossed out as in `edgedigits_train.struck`, and the same are seen without.
Everything is seeded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
from numpy.typing import NDArray
from tests.bench.kept_out import kept_out_digits

from edgedigits import Reader
from edgedigits.reader import DEFAULT_MODEL, READING_WAYS
from edgedigits_train import struck

Image = NDArray[np.uint8]
Random = np.random.Generator
Digits = tuple[Image, NDArray[np.integer]]

MARGIN = 40
"""Pixels of paper around a number; its digits are 20 high, and seen twice as large."""
PEN = 2


def number(digits: Digits, random: Random) -> tuple[Image, str]:
    """Return a number's ink (uint8, height × width, bright on 0), its digits 20 pixels high, and its text."""
    images, labels = digits
    paper = np.zeros((2 * MARGIN + 20, 700), np.uint8)
    gap, x, text = int(random.integers(1, 6)), MARGIN, ""
    for k in random.integers(len(images), size=random.integers(3, 7)).tolist():
        left, _, width, _ = cv2.boundingRect(images[k])
        top = MARGIN - 4 + int(random.integers(-1, 2))
        place = paper[top : top + 28, x : x + width]
        np.maximum(place, images[k][:, left : left + width], out=place)
        x += width + gap
        text += str(labels[k])
    return paper[:, : x - gap + MARGIN], text


def stroke(
    paper: Image,
    rows: NDArray[np.float64],
    random: Random,
    beyond: float | None = None,
    pen: int = PEN,
    ink: int = 220,
) -> None:
    """Draw a line through rows (0 the digits' top, 1 their base), from before the number to behind it."""
    beyond = random.uniform(3, 12) if beyond is None else beyond
    x = np.linspace(MARGIN - beyond, paper.shape[1] - MARGIN + beyond, len(rows))
    points = np.stack([x, MARGIN + 20 * rows], axis=1).round().astype(np.int32)
    line = np.zeros_like(paper)
    cv2.polylines(line, [points], False, ink, pen, cv2.LINE_AA)
    np.maximum(paper, line, out=paper)


def level(paper: Image, random: Random, low: float, high: float) -> None:
    stroke(paper, random.uniform(low, high) + random.uniform(-0.1, 0.1, 2), random)


def two(paper: Image, random: Random) -> None:
    first, apart = random.uniform(0.25, 0.4), random.uniform(0.2, 0.35)
    for row in (first, first + apart):
        stroke(paper, row + random.uniform(-0.07, 0.07, 2), random)


def aslant(paper: Image, random: Random, both: bool) -> None:
    stroke(paper, np.array([0.95, 0.05]), random)
    if both:
        stroke(paper, np.array([0.05, 0.95]), random)


def zigzag(paper: Image, random: Random) -> None:
    stroke(paper, np.where(np.arange(paper.shape[1] // 6) % 2, 0.15, 0.85), random)


def wave(paper: Image, random: Random) -> None:
    along = np.arange(paper.shape[1])
    stroke(paper, 0.5 + 0.15 * np.sin(along / 5), random)


def ruling(paper: Image, random: Random, low: float, high: float, pen: int = PEN, ink: int = 220) -> None:
    """Draw a printed line, from border to border."""
    stroke(paper, np.full(2, random.uniform(low, high)), random, MARGIN, pen, ink)


KINDS: Mapping[str, Callable[[Image, Random], None]] = {
    "plain": lambda paper, random: None,
    "underlined": lambda paper, random: level(paper, random, 1.1, 1.25),
    "underlined, touching": lambda paper, random: level(paper, random, 1.0, 1.1),
    "on a bold line": lambda paper, random: ruling(paper, random, 1.0, 1.1),
    "across a bold line": lambda paper, random: ruling(paper, random, 0.4, 0.6),
    "across a thin line": lambda paper, random: ruling(paper, random, 0.4, 0.6, 1),
    "across a pale line": lambda paper, random: ruling(paper, random, 0.4, 0.6, 1, 120),
    "a bar through it": lambda paper, random: level(paper, random, 0.38, 0.62),
    "two bars": two,
    "a slanting bar": lambda paper, random: aslant(paper, random, both=False),
    "a waving bar": wave,
    "a cross": lambda paper, random: aslant(paper, random, both=True),
    "a zigzag": zigzag,
}


def photo(ink: Image, random: Random) -> Image:
    """Return ink on grey paper, twice as large, a little blurred and noisy."""
    grey = cv2.resize(225 - 0.75 * ink, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    seen = cv2.GaussianBlur(grey, (0, 0), 0.7) + random.normal(0, 2, grey.shape)
    return np.clip(seen, 0, 255).astype(np.uint8)


def numbers(reader: Reader, digits: Digits, count: int) -> None:
    """Print what is accepted of each kind of number."""
    for kind, draw in KINDS.items():
        random = np.random.default_rng(5)
        accepted = right = 0
        for _ in range(count):
            paper, text = number(digits, random)
            draw(paper, random)
            found = [
                line.text for line in reader.read(photo(paper, random), upright=True).lines if line.accepted
            ]
            accepted += any(len(each) > 1 for each in found)
            right += text in found
        print(f"  {kind:22} {accepted:4} accepted, {right:4} of them as written, of {count}", flush=True)


def lone(reader: Reader, digits: Digits, count: int) -> None:
    """Print what is accepted of single digits, crossed out in each way and as they were."""
    images, labels = digits
    for name in (*struck.WAYS, "not crossed out"):
        random = np.random.default_rng(7)
        told = [k for k in range(len(labels)) if labels[k] not in struck.UNTOLD.get(name, ())][:count]
        accepted = right = 0
        for k in told:
            if name in struck.WAYS:
                ink = struck.struck_out(images[k], int(labels[k]), random, ways=(name,))
            else:
                ink = np.asarray(cv2.resize(np.pad(images[k], 16), None, fx=4, fy=4), np.uint8)
            small = np.asarray(cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
            lines = reader.read(photo(small, random), upright=True).lines
            found = [line.text for line in lines if line.accepted]
            accepted += bool(found)
            right += found == [str(labels[k])]
        print(f"  {name:22} {accepted:4} accepted, {right:4} of them as written, of {len(told)}", flush=True)


def main() -> int:
    """Measure; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, metavar="N")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--way", nargs="+", choices=READING_WAYS, default=READING_WAYS)
    parser.add_argument("--only", choices=["numbers", "digits"])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    digits = kept_out_digits()
    for way in options.way if options.only != "digits" else ():
        print(f"numbers, {way}")
        numbers(Reader(options.model, way=way), digits, options.count)
    if options.only != "numbers":
        print("single digits")
        lone(Reader(options.model), digits, options.count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
