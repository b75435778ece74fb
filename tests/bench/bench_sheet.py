"""What flattening brings: sheets of MNIST's test digits on a desk, photographed at growing angles.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_sheet.py [--count N] [--shadow PIXELS]
        [--model NAME|FILE] [--json FILE]

Each sheet has five lines of seven digits; the camera is tilted about both axes by up to the angle, and turned
by up to 12°. Given are the lines read exactly and the character error rate (Levenshtein distance of the whole
text over its length), each with the picture read as it is and with the sheet flattened where it is found, and
how many other lines are accepted on a sheet. With --shadow a straight shadow falls across sheet and desk, its
edge so many pixels wide (standard deviation), and leaves 0.35 to 0.65 of the light.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from bench_reading import distance
from numpy.typing import NDArray

from edgedigits import Reader
from edgedigits.sheet import SheetSettings

HEIGHT, WIDTH = 900, 1270


def photograph(
    digits: NDArray[np.uint8], labels: NDArray[np.uint8], most: float, seed: int
) -> tuple[NDArray[np.uint8], list[str]]:
    """Return a picture, 1080×1440, of a sheet at up to `most` degrees, and its lines."""
    rng = np.random.default_rng(seed)
    sheet = np.full((HEIGHT, WIDTH), rng.uniform(200, 240), np.float32)
    lines = []
    for row in range(5):
        x, y, text = 90, 90 + 155 * row, ""
        for _ in range(7):
            k = rng.integers(len(labels))
            ink = cv2.resize(digits[k], (100, 100), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
            sheet[y : y + 100, x : x + 100] *= 1 - 0.8 * ink
            text += str(labels[k])
            x += int(rng.integers(105, 150))
        lines.append(text)
    a, b, c = np.radians([rng.uniform(-most, most), rng.uniform(-most, most), rng.uniform(-12, 12)])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    own = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float64)
    flat = np.column_stack([own - (WIDTH / 2, HEIGHT / 2), np.zeros(4)])
    x3, y3, z3 = about_z @ about_x @ about_y @ flat.T
    seen = np.column_stack([x3, y3]) / (z3[:, None] + 1.9 * WIDTH) * 1.3 * WIDTH + (720, 540)
    matrix = cv2.getPerspectiveTransform(own.astype(np.float32), seen.astype(np.float32))
    desk = rng.uniform(40, 100) + 8 * rng.normal(size=(1080, 1440))
    picture = cv2.GaussianBlur(desk.astype(np.float32), (0, 0), 2)
    cv2.warpPerspective(sheet, matrix, (1440, 1080), picture, borderMode=cv2.BORDER_TRANSPARENT)
    picture *= np.linspace(rng.uniform(0.75, 1), 1, 1440, dtype=np.float32)
    picture = cv2.GaussianBlur(picture + rng.normal(0, 2.5, picture.shape).astype(np.float32), (0, 0), 0.8)
    return np.clip(picture, 0, 255).astype(np.uint8), lines


def shaded(picture: NDArray[np.uint8], soft: float, seed: int) -> NDArray[np.uint8]:
    """Return a picture with the edge of a shadow across it, through somewhere near its middle."""
    rng = np.random.default_rng([seed, 1])
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width]
    angle, left = rng.uniform(0, np.pi), rng.uniform(0.35, 0.65)
    middle = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height
    shade = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle) > 0
    light = 1 - (1 - left) * cv2.GaussianBlur(shade.astype(np.float32), (0, 0), soft)
    return (picture * (light if picture.ndim == 2 else light[..., None])).astype(np.uint8)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="sheets for each angle")
    parser.add_argument(
        "--shadow", type=float, metavar="PIXELS", help="let a shadow with such an edge fall on it"
    )
    parser.add_argument("--model", default="compact-int8", metavar="NAME|FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    folder = Path(options.data) / "mnist"
    pixels, values = (
        np.frombuffer(gzip.decompress((folder / f"t10k-{name}-ubyte.gz").read_bytes()), np.uint8)
        for name in ("images-idx3", "labels-idx1")
    )
    digits, labels = pixels[16:].reshape(-1, 28, 28), values[8:]
    readers = {
        "as it is": Reader(options.model, sheet=SheetSettings(search=False)),
        "flattened": Reader(options.model),
    }
    results = []
    print(f"{'angle':>6}" + "".join(f"{name + ': exact':>18}{'CER':>8}{'others':>8}" for name in readers))
    for most in (0, 15, 25, 35):
        exact, errors, others = (dict.fromkeys(readers, 0) for _ in range(3))
        for seed in range(options.count):
            picture, lines = photograph(digits, labels, most, seed)
            if options.shadow:
                picture = shaded(picture, options.shadow, seed)
            for name, reader in readers.items():
                found = reader.read(picture).lines
                read = [line.text for line in found]
                others[name] += sum(line.accepted and line.text not in lines for line in found)
                exact[name] += sum(line in read for line in lines)
                errors[name] += distance("\n".join(read), "\n".join(lines))
        row = {
            name: {
                "exact": exact[name] / (5 * options.count),
                "cer": errors[name] / (39 * options.count),
                "others": others[name] / options.count,
            }
            for name in readers
        }
        results.append({"degrees": most, **row})
        print(
            f"{most:>6}"
            + "".join(f"{v['exact']:>18.3f}{v['cer']:>8.3f}{v['others']:>8.2f}" for v in row.values())
        )
    if options.json:
        options.json.write_text(json.dumps({"model": options.model, "angles": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
