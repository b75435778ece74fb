"""Dates, times and amounts: how many are read with their signs as written, and what else is accepted.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_signs.py [--count N] [--way WAY …]

N dates in MNIST's kept-out digits (`kept_out`) for each way in which their slashes are drawn: how far they
reach above and below the digits, and how wide they are, in heights of the digits. N times and amounts of
each kind. And of the cheque amounts, which have no slashes, in how many one is seen. Everything is seeded.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_reading import lines
from tests.bench.kept_out import kept_out_digits
from tests.edge.drawing import with_signs

from edgedigits import Reader
from edgedigits.ways.line_reading import READING_WAYS
from edgedigits.writing import find_writing

BEYOND = (0.0, 0.05, 0.1, 0.2, 0.3)
WIDE = (0.25, 0.5, 0.8)
KINDS = ("dd:dd", "dd:dd:dd", "-ddd", "ddd-", "ddd,-", "dd.dd", "d.ddd,dd", "dd-dd-dddd", "$dd.dd")
"""Where a d stands there is a digit."""


def main() -> int:
    """Measure; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=50, metavar="N")
    parser.add_argument("--way", nargs="+", choices=READING_WAYS, default=["auto"])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    digits = kept_out_digits()
    for way in options.way:
        reader = Reader(way=way)
        for beyond in BEYOND:
            random = np.random.default_rng(7)
            right = other = 0
            for k in range(options.count * len(WIDE)):
                day, month, year = random.integers(1, 32), random.integers(1, 13), random.integers(1950, 2030)
                date = f"{day:02}/{month:02}/{year}"
                read = reader.read(with_signs(date, digits, random, beyond, WIDE[k % len(WIDE)])).lines
                accepted = [line.raw for line in read if line.accepted]
                right += accepted == [date]
                other += bool(accepted) and accepted != [date]
            print(
                f"{way}, {beyond:.2f} beyond: {right} of {options.count * len(WIDE)} read and accepted, "
                f"{other} others accepted",
                flush=True,
            )
        for kind in KINDS:
            random = np.random.default_rng(7)
            right = other = 0
            for _ in range(options.count):
                text = "".join(str(random.integers(10)) if sign == "d" else sign for sign in kind)
                read = reader.read(with_signs(text, digits, random)).lines
                accepted = [line.raw for line in read if line.accepted]
                right += accepted == [text]
                other += bool(accepted) and accepted != [text]
            print(
                f"{way}, {kind}: {right} of {options.count} read and accepted, {other} others accepted",
                flush=True,
            )
    folder = Path(os.environ["EDGEDIGITS_DATA"])
    amounts = [image for part in ("tune", "devtest") for image, _ in lines(folder, "cheques", part)]
    seen = sum(any(m.text == "/" for w in find_writing(image).lines for m in w.marks) for image in amounts)
    print(f"{seen} of {len(amounts)} amounts with a slash")
    return 0


if __name__ == "__main__":
    sys.exit(main())
