"""Numbers with a letter among their digits: how many are accepted as numbers.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_letters.py [--count N] [--model NAME|FILE] [--way WAY]

Each letter stands printed in the place of a digit, neither first nor last, of N numbers of four or five of
MNIST's kept-out digits (`kept_out`). A line of as many digits as the number has, or more than half of them,
counts. Letters that are a digit's likeness in print, too (O, o, D, Q, I, l, S, s, Z, z, g, q, b), are in a
row of their own.
Everything is seeded.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.kept_out import kept_out_digits
from tests.edge.drawing import in_a_row, printed

from edgedigits import Reader
from edgedigits.reader import DEFAULT_MODEL, DEFAULT_WAY
from edgedigits.ways.line_reading import READING_WAYS

LETTERS = "ABCEFGHJKLMNPRTUVWXYacdefhkmnprtuvwxy"
LIKE_DIGITS = "OoDQIlSsZzgqb"


def main() -> int:
    """Measure; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=12, metavar="N")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--way", choices=READING_WAYS, default=DEFAULT_WAY)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    digits, _ = kept_out_digits()
    reader = Reader(options.model, way=options.way)
    for letters in (LETTERS, LIKE_DIGITS):
        random = np.random.default_rng(6)
        told, whole = [], 0
        for letter in letters:
            accepted = 0
            for _ in range(options.count):
                pictures = [digits[k] for k in random.integers(len(digits), size=random.integers(4, 6))]
                pictures[int(random.integers(1, len(pictures) - 1))] = printed(letter)
                lines = reader.read(in_a_row(pictures, int(random.integers(2, 6))), upright=True).lines
                accepted += any(line.accepted and 2 * len(line.text) > len(pictures) for line in lines)
            whole += accepted
            told.append(f"{letter} {accepted}")
        print(f"{whole} of {len(letters) * options.count} accepted: {', '.join(told)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
