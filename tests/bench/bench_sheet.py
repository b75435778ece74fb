"""What flattening brings: sheets of MNIST's test digits on a desk, photographed at growing angles.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_sheet.py [--count N] [--shadow PIXELS]
        [--two touching|overlapping|cut-off|uncovered] [--model NAME|FILE] [--json FILE]

Each sheet has five lines of seven digits; the camera is tilted about both axes by up to the angle, and turned
by up to 12°. Given are the lines read exactly and the character error rate (Levenshtein distance of the whole
text over its length), each with the picture read as it is and with the sheet flattened where it is found, and
how many other lines are accepted on a sheet. With --shadow a straight shadow falls across sheet and desk, its
edge so many pixels wide (standard deviation), and leaves 0.35 to 0.65 of the light.

With --two there are two sheets of four lines of two to four digits: edge to edge, one partly on the other,
one running out of the picture, or one of paper hardly brighter than the desk, on which no outline is found.
Given are how many of the lines that are seen whole are read exactly and accepted, and how many other lines
are accepted a picture: numbers cut off by the other sheet or by the picture's border, and those misread.
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
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

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
    matrix = camera(rng, most)
    desk = rng.uniform(40, 100) + 8 * rng.normal(size=(1080, 1440))
    picture = cv2.GaussianBlur(desk.astype(np.float32), (0, 0), 2)
    cv2.warpPerspective(sheet, matrix, (1440, 1080), picture, borderMode=cv2.BORDER_TRANSPARENT)
    picture *= np.linspace(rng.uniform(0.75, 1), 1, 1440, dtype=np.float32)
    picture = cv2.GaussianBlur(picture + rng.normal(0, 2.5, picture.shape).astype(np.float32), (0, 0), 0.8)
    return np.clip(picture, 0, 255).astype(np.uint8), lines


def camera(rng: np.random.Generator, most: float) -> NDArray[np.float64]:
    """Return the matrix (3×3) from a plane of WIDTH×HEIGHT to a picture of it at up to `most` degrees."""
    a, b, c = np.radians([rng.uniform(-most, most), rng.uniform(-most, most), rng.uniform(-12, 12)])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    own = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], np.float64)
    flat = np.column_stack([own - (WIDTH / 2, HEIGHT / 2), np.zeros(4)])
    x3, y3, z3 = about_z @ about_x @ about_y @ flat.T
    seen = np.column_stack([x3, y3]) / (z3[:, None] + 1.9 * WIDTH) * 1.3 * WIDTH + (720, 540)
    return cv2.getPerspectiveTransform(own.astype(np.float32), seen.astype(np.float32))


TWO = ("touching", "overlapping", "cut-off", "uncovered")


def photograph_two(
    digits: NDArray[np.uint8], labels: NDArray[np.uint8], most: float, seed: int, how: str
) -> tuple[NDArray[np.uint8], list[str]]:
    """Return a picture, 1080×1440, of two sheets at up to `most` degrees, and their lines seen whole."""
    rng = np.random.default_rng([seed, 2, TWO.index(how)])
    desk, light = rng.uniform(60, 100), rng.uniform(200, 240)
    picture = cv2.GaussianBlur((desk + 8 * rng.normal(size=(1080, 1440))).astype(np.float32), (0, 0), 2)
    matrix = camera(rng, most)
    sizes = [(int(rng.uniform(520, 600)), int(rng.uniform(480, 600))) for _ in range(2)]
    (left, _), (right, _) = sizes
    scale = 1.45
    apart = {
        "touching": (left + right) / 2 + rng.choice([0, 0, 2]),
        "overlapping": (left + right) / 2 - rng.uniform(60, 200),
        "cut-off": 660,
        "uncovered": 640,
    }[how] * scale
    turns = (rng.uniform(-10, 10), rng.uniform(-10, 10)) if how != "touching" else (0.0, 0.0)
    places = [(-apart / 2, rng.uniform(-60, 60)), (apart / 2, rng.uniform(-60, 60))]
    if how == "cut-off":
        places = [(x + 350, y) for x, y in places]
    whole: list[tuple[NDArray[np.float64], str]] = []
    for k in rng.permutation(2):  # the second lies on the first
        width, height = sizes[k]
        brightness = (
            desk * rng.uniform(1.1, 1.22) if how == "uncovered" and k else light * rng.uniform(0.92, 1)
        )
        sheet = np.full((height, width), brightness, np.float32)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), turns[k], scale)
        turn[:, 2] += (WIDTH / 2 + places[k][0] - width / 2, HEIGHT / 2 + places[k][1] - height / 2)
        own = matrix @ np.vstack([turn, (0, 0, 1)])
        written = []
        for row in range(4):
            count = int(rng.integers(2, 5))
            x, y, text = int(rng.integers(35, width - 95 * count - 25)), 40 + 110 * row, ""
            places_of = []
            for _ in range(count):
                d = rng.integers(len(labels))
                ink = cv2.resize(digits[d], (76, 76), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
                sheet[y : y + 76, x : x + 76] *= 1 - 0.8 * ink.clip(0, 1)
                text += str(labels[d])
                places_of += [(x + 10, y + 8), (x + 66, y + 8), (x + 66, y + 68), (x + 10, y + 68)]
                x += int(rng.integers(72, 95))
            points = cv2.perspectiveTransform(np.array([places_of], np.float64), own)[0]
            if ((points > 4) & (points < (1436, 1076))).all():
                written.append((points, text))
        cover = cv2.warpPerspective(np.ones_like(sheet), own, (1440, 1080), flags=cv2.INTER_LINEAR)
        fall = np.array([[1, 0, 3], [0, 1, 4]], np.float32)
        shade = cv2.GaussianBlur(cv2.warpAffine(cover, fall, (1440, 1080)), (0, 0), 3)
        picture *= 1 - rng.choice([0, 0.1, 0.25]) * shade
        laid = cv2.warpPerspective(sheet, own, (1440, 1080), borderMode=cv2.BORDER_REPLICATE)
        picture = picture * (1 - cover) + laid * cover
        seen = [(points, text) for points, text in whole if not _under(points, cover)]
        whole = seen + written
    picture *= np.linspace(rng.uniform(0.75, 1), 1, 1440, dtype=np.float32)
    picture = cv2.GaussianBlur(picture + rng.normal(0, 2.5, picture.shape).astype(np.float32), (0, 0), 0.8)
    return np.clip(picture, 0, 255).astype(np.uint8), [text for _, text in whole]


def _under(points: NDArray[np.float64], cover: NDArray[np.float32]) -> bool:
    """Return whether a sheet lies on any of the digits that have these corners (4n×2)."""
    drawn = np.zeros(cover.shape, np.uint8)
    for quad in points.reshape(-1, 4, 2):
        cv2.fillConvexPoly(drawn, np.rint(quad).astype(np.int32), 1)
    return bool((cover[drawn > 0] > 0).any())


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


def two(
    options: argparse.Namespace,
    digits: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    readers: dict[str, Reader],
) -> int:
    """Measure two sheets in a picture."""
    results = []
    print(f"{'angle':>6}" + "".join(f"{name + ': accepted':>21}{'others':>8}" for name in readers))
    for most in (0, 10, 20):
        right, others = (dict.fromkeys(readers, 0) for _ in range(2))
        count = 0
        for seed in range(options.count):
            picture, lines = photograph_two(digits, labels, most, seed, options.two)
            if options.shadow:
                picture = shaded(picture, options.shadow, seed)
            count += len(lines)
            for name, reader in readers.items():
                left = list(lines)
                for line in reader.read(picture).lines:
                    if line.accepted and line.text in left:
                        left.remove(line.text)
                    elif line.accepted:
                        others[name] += 1
                right[name] += len(lines) - len(left)
        row = {
            name: {"accepted": right[name] / count, "others": others[name] / options.count}
            for name in readers
        }
        results.append({"degrees": most, **row})
        print(f"{most:>6}" + "".join(f"{v['accepted']:>21.3f}{v['others']:>8.2f}" for v in row.values()))
    if options.json:
        options.json.write_text(
            json.dumps({"model": options.model, "two": options.two, "angles": results}, indent=1) + "\n"
        )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="sheets for each angle")
    parser.add_argument(
        "--shadow", type=float, metavar="PIXELS", help="let a shadow with such an edge fall on it"
    )
    parser.add_argument("--two", choices=TWO, help="lay two sheets on the desk, so")
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
    if options.two:
        return two(options, digits, labels, readers)
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
                errors[name] += Levenshtein.distance("\n".join(read), "\n".join(lines))
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
