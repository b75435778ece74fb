"""The digits of the virtual camera: clearly written ones of the MNIST test set, in one small picture.

A digit is clearly written if those most like it among the other 9,999 are of its own class: they are
ranked by the distance to the nearest of another class over that to the nearest of its own, with no network
taking part, and drawn by the seed from the better half.

    python -m edgedigits_train.sprites --out edge/edgedigits/frames/demo/digits.png

The picture is grey: a row of tiles of 28×28 for each class, ink bright, in 16 levels, the number of columns
by choice.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgedigits_train.data import load_mnist

MAX_BYTES = 60_000


def clarity(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how clearly each digit is written: > 1 where its own class is nearer than any other.

    `images` uint8 [n, 28, 28], `labels` uint8 [n]; every class has two digits or more.
    """
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    squares = (flat * flat).sum(axis=1)
    result = np.empty(len(flat), np.float32)
    for start in range(0, len(flat), 500):
        part = slice(start, start + 500)
        distances = np.sqrt(np.maximum(0, squares[part, None] + squares - 2 * flat[part] @ flat.T))
        distances[np.arange(len(distances)), np.arange(start, start + len(distances))] = np.inf
        own = labels[part, None] == labels
        nearest = np.where(own, distances, np.inf).min(axis=1)
        other = np.where(own, np.inf, distances).min(axis=1)
        result[part] = other / np.maximum(nearest, 1e-6)
    return result


def choose(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], columns: int, seed: int
) -> NDArray[np.uint8]:
    """Return the digits chosen, uint8 [10, columns, 28, 28]; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    clear = clarity(images, labels)
    rows = []
    for digit in range(10):
        own = np.flatnonzero(labels == digit)
        better = own[clear[own] >= np.median(clear[own])]
        rows.append(images[rng.choice(better, columns, replace=False)])
    return np.stack(rows)


def as_png(digits: NDArray[np.uint8]) -> bytes:
    """Return the digits as the picture described above."""
    rows, columns = digits.shape[:2]
    levels = np.asarray(np.rint(digits / 17), np.uint8)
    tiles = levels.transpose(0, 2, 1, 3).reshape(rows * 28, columns * 28)
    picture = Image.fromarray(tiles, "P")
    picture.putpalette([value for level in range(16) for value in (17 * level,) * 3])
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, bits=4)
    return file.getvalue()


def main(argv: Sequence[str] | None = None) -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="edgedigits_train.sprites", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--data", type=Path, help="folder with the four MNIST files")
    parser.add_argument("--columns", type=int, default=24, help="digits of each class")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    mnist = load_mnist(arguments.data)
    data = as_png(choose(mnist.test_images, mnist.test_labels, arguments.columns, arguments.seed))
    if len(data) > MAX_BYTES:
        parser.error(f"{len(data)} bytes, more than {MAX_BYTES}; take fewer columns")
    arguments.out.write_bytes(data)
    print(f"{arguments.out}: {10 * arguments.columns} digits, {len(data) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
