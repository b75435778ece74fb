"""Numbers in the cells of tables: how many are read, and what is accepted that stands in none.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_tables.py [--tables N] [--model NAME|FILE] [--way WAY]

Tables of 24 numbers of two to four of MNIST's kept-out digits (`kept_out`); their lines, thin, bold or pale,
go down alone or across, too, close to the digits or not, turned by 0, 2 and −4 degrees. Then pages of
six numbers that stand anywhere on such lines, which are those of squares, or one alone, and part no number.
Everything is seeded.
"""

from __future__ import annotations

import argparse
import collections
import functools
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.kept_out import kept_out_digits
from tests.edge.drawing import lines_down, photo, table

from edgedigits import Reader
from edgedigits.reader import DEFAULT_MODEL, DEFAULT_WAY
from edgedigits.ways.line_reading import READING_WAYS

LINES = {"thin": (60, 2), "bold": (60, 5), "pale": (160, 2)}
"""How bright they are, 0…255 on paper of 228, and how thick, in pixels beside digits 40 high."""
TURNS = (0, 2, -4)
PITCHES = (26, 72, 80, 100, 0)
"""Pixels from line to line; 0 for one alone."""


def main() -> int:
    """Measure; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", type=int, default=2, metavar="N", help="of each kind, for each turn")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--way", choices=READING_WAYS, default=DEFAULT_WAY)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    digits = kept_out_digits()
    reader = Reader(options.model, way=options.way)

    def measure(name: str, draw: Callable[..., tuple[np.ndarray, list[str]]]) -> None:
        right = others = written = 0
        for turn, seed in itertools.product(TURNS, range(options.tables)):
            random = np.random.default_rng(seed)
            page, texts = draw(random=random)
            lines = reader.read(photo(page, turn, random), upright=True).lines
            accepted = collections.Counter(line.text for line in lines if line.accepted)
            found = (accepted & collections.Counter(texts)).total()
            right, written = right + found, written + len(texts)
            others += accepted.total() - found
        print(f"{name:46} {right:4} of {written} read and accepted, {others:3} others accepted", flush=True)

    for (kind, (grey, thick)), level, margin in itertools.product(LINES.items(), (True, False), (6, 14, 40)):
        measure(
            f"{kind}, {'level ones, too' if level else 'columns only'}, {margin} px from the digits",
            functools.partial(table, digits, grey=grey, thick=thick, level=level, margin=margin),
        )
    for (kind, (grey, thick)), pitch, level in itertools.product(LINES.items(), PITCHES, (True, False)):
        measure(
            f"no table: {kind}, {f'every {pitch} px' if pitch else 'one'}{', and across' if level else ''}",
            functools.partial(lines_down, digits, grey=grey, thick=thick, pitch=pitch, level=level),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
