"""What is read of writing on ruled and squared paper, in a table, in boxes, on dots.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_paper.py [--pages N] [--way WAY] [--papers NAME …]
        [--lies NAME …] [--cut]

Pages of numbers in MNIST's test digits, on paper with print that is pale, plain or nearly as dark as the
pen, are read by `Reader.read`, one thread, however they lie. Given are, by the paper, its print and how it
lies, the share of the numbers that are read and accepted, and how many other lines are accepted in a hundred
pages (misread numbers, print taken for digits). Everything is seeded.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from edgedigits import Reader
from edgedigits.page import Box
from edgedigits.reader import DEFAULT_WAY
from edgedigits.ways.line_reading import READING_WAYS
from edgedigits_train.data import load

Light = NDArray[np.float64]
HEIGHT, WIDTH = 1000, 760
ROOM = 18
PRINTED = {"pale": 0.15, "plain": 0.35, "dark": 0.6}
"""How much of its light a line takes from the paper."""


@dataclass(frozen=True)
class Written:
    """A page: how much of its light is left (H×W, 0…1), its numbers, and the box of each of their digits."""

    light: Light
    numbers: list[str]
    boxes: list[list[Box]]


def written(random: np.random.Generator, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Written:
    """Write numbers of three to eight digits, a line each."""
    light = np.ones((HEIGHT, WIDTH))
    numbers, boxes = [], []
    y = int(random.integers(60, 110))
    dark = random.uniform(0.65, 0.9)
    while y < HEIGHT - 130:
        tall = int(random.integers(42, 64))
        gap = int(tall * random.uniform(0.15, 0.5))
        x = int(random.integers(50, 120))
        picked = random.integers(0, len(images), int(random.integers(3, 9)))
        places: list[Box] = []
        for k in picked:
            left, top, w, h = cv2.boundingRect((images[k] > 40).view(np.uint8))
            scale = tall / 20
            tile = images[k][top : top + h, left : left + w]
            size = max(3, round(w * scale)), max(3, round(h * scale))
            drawn = cv2.resize(tile, size, interpolation=cv2.INTER_CUBIC) / 255.0
            at = y + (tall - size[1]) // 2
            if x + size[0] > WIDTH - 50:
                break
            light[at : at + size[1], x : x + size[0]] *= 1 - dark * np.clip(drawn, 0, 1)
            places.append((x, at, *size))
            x += size[0] + gap
        numbers.append("".join(str(labels[k]) for k in picked[: len(places)]))
        boxes.append(places)
        y += int(tall * random.uniform(1.9, 2.6))
    return Written(light, numbers, boxes)


def lines(rows: list[float], columns: list[float], thick: float) -> Light:
    """Return lines through a page, level and upright (H×W, 0…1)."""
    fine = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    for y in rows:
        cv2.line(fine, (0, round(4 * y)), (4 * WIDTH, round(4 * y)), 255, round(4 * thick))
    for x in columns:
        cv2.line(fine, (round(4 * x), 0), (round(4 * x), 4 * HEIGHT), 255, round(4 * thick))
    return np.asarray(cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)) / 255.0


def _every(apart: float, length: int, random: np.random.Generator) -> list[float]:
    return list(np.arange(random.uniform(0, apart), length, apart))


def plain(page: Written, random: np.random.Generator) -> Light:
    return np.zeros((HEIGHT, WIDTH))


def ruled(page: Written, random: np.random.Generator) -> Light:
    return lines(_every(random.uniform(28, 80), HEIGHT, random), [], random.uniform(1, 2))


def margin(page: Written, random: np.random.Generator) -> Light:
    return lines(
        _every(random.uniform(28, 80), HEIGHT, random), [random.uniform(20, 45)], random.uniform(1, 2)
    )


def squared(page: Written, random: np.random.Generator) -> Light:
    apart = random.uniform(16, 45)
    return lines(_every(apart, HEIGHT, random), _every(apart, WIDTH, random), random.uniform(0.8, 1.6))


def dotted(page: Written, random: np.random.Generator) -> Light:
    apart = random.uniform(18, 40)
    fine = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    for y in _every(apart, HEIGHT, random):
        for x in _every(apart, WIDTH, np.random.default_rng(0)):
            cv2.circle(fine, (round(4 * x), round(4 * y)), 5, 255, cv2.FILLED)
    return np.asarray(cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)) / 255.0


def table(page: Written, random: np.random.Generator) -> Light:
    """One number in each row."""
    edges = (
        [min(y for _, y, _, _ in row) for row in page.boxes],
        [max(y + h for _, y, _, h in row) for row in page.boxes],
    )
    between = [(a + b) / 2 for a, b in zip(edges[1], edges[0][1:], strict=False)]
    rows = [edges[0][0] - 15, *between, edges[1][-1] + 15]
    right = max(x + w for row in page.boxes for x, _, w, _ in row) + 20
    drawn = lines(rows, [30, right], random.uniform(1, 2.5))
    drawn[:, :29] = drawn[:, math.ceil(right) + 2 :] = 0
    drawn[: int(rows[0]) - 1] = drawn[math.ceil(rows[-1]) + 2 :] = 0
    return drawn


def boxed(page: Written, random: np.random.Generator) -> Light:
    """A box around each digit."""
    fine = np.zeros((4 * HEIGHT, 4 * WIDTH), np.uint8)
    thick = round(4 * random.uniform(1, 2))
    for row in page.boxes:
        top, bottom = min(y for _, y, _, _ in row) - 8, max(y + h for _, y, _, h in row) + 8
        for k, (x, _, w, _) in enumerate(row):
            left = x - 6 if k == 0 else (x + row[k - 1][0] + row[k - 1][2]) / 2
            right = x + w + 6 if k + 1 == len(row) else (x + w + row[k + 1][0]) / 2
            cv2.rectangle(fine, (round(4 * left), 4 * top), (round(4 * right), 4 * bottom), 255, thick)
    return np.asarray(cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)) / 255.0


PAPERS: dict[str, Callable[[Written, np.random.Generator], Light]] = {
    "plain": plain,
    "ruled": ruled,
    "ruled, a margin": margin,
    "squared": squared,
    "dotted": dotted,
    "a table": table,
    "boxes": boxed,
}


def _warped(light: Light, matrix: NDArray[np.float64]) -> Light:
    return np.asarray(
        cv2.warpPerspective(
            light,
            matrix,
            (WIDTH, HEIGHT),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=1,
        )
    )


def turned(degrees: float) -> Callable[[Light], Light]:
    matrix = np.vstack([cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1), [0, 0, 1]])
    return lambda light: _warped(light, matrix)


def slanting(light: Light) -> Light:
    """See a page from below."""
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    seen = corners + np.array([[50, 0], [-50, 0], [0, 0], [0, 0]], np.float32)
    return _warped(light, cv2.getPerspectiveTransform(corners, seen))


def bent(light: Light) -> Light:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    down = np.asarray(y + 12 * np.sin(3 * x / WIDTH), np.float32)
    return np.asarray(
        cv2.remap(light, x, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1)
    )


LIES: dict[str, Callable[[Light], Light]] = {
    "level": lambda light: light,
    "turned by 2°": turned(2),
    "turned by -7°": turned(-7),
    "seen from below": slanting,
    "bent": bent,
}


def pictures(
    image: NDArray[np.uint8], page: Written, cut: bool
) -> Iterator[tuple[NDArray[np.uint8], list[str]]]:
    """Yield what is read with its true lines: the page, or each number cut out of it, with some room."""
    if not cut:
        yield image, page.numbers
        return
    for number, boxes in zip(page.numbers, page.boxes, strict=True):
        left, top = min(x for x, *_ in boxes) - ROOM, min(y for _, y, *_ in boxes) - ROOM
        right, bottom = max(x + w for x, _, w, _ in boxes) + ROOM, max(y + h for _, y, _, h in boxes) + ROOM
        yield np.ascontiguousarray(image[top:bottom, left:right]), [number]


@dataclass
class Counts:
    """Numbers that were read and accepted, all of them, other accepted lines, pictures, seconds."""

    right: int = 0
    numbers: int = 0
    others: int = 0
    pictures: int = 0
    seconds: float = 0.0


def count(
    counts: dict[str, Counts], keys: Iterable[str], reader: Reader, image: Light, page: Written, cut: bool
) -> None:
    """Read a page (H×W, 0…255), or its numbers one by one, and count under each of the keys."""
    for picture, true in pictures(np.clip(image, 0, 255).astype(np.uint8), page, cut):
        started = time.perf_counter()
        read = reader.read(picture)
        took = time.perf_counter() - started
        accepted = [line.text for line in read.lines if line.accepted]
        right = sum(text in accepted for text in true)
        for key in keys:
            own = counts[key]
            own.right += right
            own.numbers += len(true)
            own.others += len(accepted) - right
            own.pictures += 1
            own.seconds += took


def show(counts: dict[str, Counts]) -> None:
    print(f"{'':28}numbers  read and accepted  others, 100 pages  ms each")
    for key, own in counts.items():
        share, each = own.right / own.numbers, 1e3 * own.seconds / own.pictures
        print(f"{key:28}{own.numbers:7}{share:19.3f}{100 * own.others / own.pictures:19.0f}{each:9.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=4, help="pages of each kind")
    parser.add_argument("--way", choices=READING_WAYS, default=DEFAULT_WAY)
    parser.add_argument("--papers", nargs="+", choices=PAPERS, default=list(PAPERS))
    parser.add_argument("--lies", nargs="+", choices=LIES, default=list(LIES))
    parser.add_argument("--cut", action="store_true", help="every number as a strip of its own, cut level")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    data = load("mnist")
    reader = Reader(way=options.way)
    counts: dict[str, Counts] = defaultdict(Counts)
    cases = [
        (paper, plainness, printed, lie, number)
        for paper in options.papers
        for plainness, printed in (PRINTED.items() if paper != "plain" else [("unprinted", 0.0)])
        for lie in (["level"] if options.cut else options.lies)
        for number in range(options.pages)
    ]
    for paper, plainness, printed, lie, number in cases:
        random = np.random.default_rng(number)
        page = written(random, data.test_images, data.test_labels)
        light = LIES[lie](page.light * (1 - printed * PAPERS[paper](page, random)))
        image = light * np.linspace(230, 190, WIDTH) + random.normal(0, 3, light.shape)
        count(counts, ("all", paper, f"{paper}: {plainness}", lie), reader, image, page, options.cut)
    show(counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
