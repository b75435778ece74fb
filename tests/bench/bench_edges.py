"""Edges between light and dark, and digits in any light: what is taken for a digit, what for an edge.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_edges.py [--count N] [--digits N]

N drawn edges (`tests.edge.junk.edge`), as of doors and shadows, and N of MNIST's kept-out digits
(`kept_out`), each alone in a picture: 20 to 400 pixels high, cut tight or with room, pale or dark, in
slanting light, with noise, blurred, and of either polarity. Given are the pictures in which a line is
accepted, and those with a line that nothing speaks against but that it seems to be an edge. All is seeded.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.kept_out import kept_out_digits
from tests.edge.junk import edge

from edgedigits import Page, Reader


def in_some_light(digit: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture (uint8, H×W) of a digit (uint8, 28×28, ink bright on 0) alone."""
    x, y, w, h = cv2.boundingRect((digit > 40).view(np.uint8))
    own = digit[y : y + h, x : x + w] if rng.random() < 0.5 else digit
    side = int(rng.choice([20, 28, 40, 80, 200, 400]))
    size = max(1, round(side * own.shape[1] / 28)), max(1, round(side * own.shape[0] / 28))
    drawn = np.pad(
        cv2.resize(own, size, interpolation=cv2.INTER_CUBIC), int(side * rng.choice([0, 0.1, 0.5, 2]))
    )
    grey = rng.uniform(150, 255) * (1 - rng.uniform(0.3, 0.95) * drawn / 255)
    if rng.random() < 0.3:
        grey = grey * np.linspace(1, rng.uniform(0.5, 1), grey.shape[1])
    grey = np.clip(grey + rng.normal(0, rng.choice([0, 2, 4]), grey.shape), 0, 255)
    if rng.random() < 0.3:
        grey = 255 - grey
    if rng.random() < 0.3:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.04 * side)
    return grey.astype(np.uint8)


def told(pages: list[Page]) -> str:
    """Return in how many pictures a line is accepted, and in how many one is refused as an edge alone."""
    accepted = sum(any(line.accepted for line in page.lines) for page in pages)
    edges = sum(any(line.reasons == ("edge",) for line in page.lines) for page in pages)
    return f"{accepted} accepted, {edges} refused as edges alone, of {len(pages)}"


def main() -> None:
    """Draw, read, count, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=960, metavar="N", help="edges")
    parser.add_argument("--digits", type=int, default=1000, metavar="N", help="digits, at most 2,000")
    options = parser.parse_args()
    digits, _ = kept_out_digits()
    rng = np.random.default_rng(0)
    reader = Reader()
    print("edges: ", told([reader.read(edge(seed)) for seed in range(options.count)]))
    print("digits:", told([reader.read(in_some_light(digit, rng)) for digit in digits[: options.digits]]))


if __name__ == "__main__":
    main()
