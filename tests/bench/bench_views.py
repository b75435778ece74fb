"""How much what is read depends on how a picture was taken.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_views.py [--sets cheques pen usps ardis cells mnist]
        [--part tune|devtest] [--model MODEL] [--way WAY] [--prior-weight W] [--every N] [--views NAME …]
        [--json FILE]

The same pictures in other sizes, light and contrast, with noise, blur and compression, sheared, and pasted
onto white paper; single digits also with bolder strokes. Given are, as in `bench_reading.py`, the share of
pictures that are read exactly, the mean logarithm of what is told of the true text, and the share that can be
accepted while 1 % is wrong; of every view, and of all together, `as it is` (the picture itself) among them.
Noise is seeded. Everything goes through `Reader.read`, one thread.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from bench_reading import SINGLE, Picture, accepted, guesses, lines, single

from edgedigits import Reader
from edgedigits.decode.prior import PriorSettings
from edgedigits.reader import DEFAULT_MODEL, DEFAULT_WAY
from edgedigits.ways.line_reading import READING_WAYS
from edgedigits_train.data import load

Image = NDArray[np.uint8]
View = Callable[[Image], Image]


def scaled(across: float, down: float | None = None) -> View:
    """Return what makes a picture so many times as wide and as high."""
    down = across if down is None else down
    mode = cv2.INTER_AREA if min(across, down) < 1 else cv2.INTER_CUBIC
    return lambda image: np.asarray(cv2.resize(image, None, fx=across, fy=down, interpolation=mode), np.uint8)


def sized(side: int, bolder: float = 0.0) -> View:
    """Return what makes a square picture so many pixels large, its strokes wider by a part of that."""

    def view(image: Image) -> Image:
        large = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        if bolder:
            bright = float(np.median(large)) < 128
            window = np.ones((max(1, round(bolder * side)),) * 2, np.uint8)
            large = (cv2.dilate if bright else cv2.erode)(large, window)
        return np.asarray(large, np.uint8)

    return view


def levels(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> View:
    """Return what changes the levels of a picture, 0…255."""
    return lambda image: np.clip(change(image.astype(np.float64)), 0, 255).astype(np.uint8)


def noisy(sigma: float) -> View:
    def view(image: Image) -> Image:
        random = np.random.default_rng(image.size)
        grain = random.normal(0, sigma, image.shape[:2])
        return np.clip(image + (grain if image.ndim == 2 else grain[..., None]), 0, 255).astype(np.uint8)

    return view


def compressed(quality: int) -> View:
    def view(image: Image) -> Image:
        _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(code, cv2.IMREAD_UNCHANGED), np.uint8)

    return view


def lit(light: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> View:
    """Return what lights a picture, from left (0) to right (1), by a share of its light."""

    def view(image: Image) -> Image:
        across = light(np.linspace(0, 1, image.shape[1]))
        return (image * (across if image.ndim == 2 else across[:, None])).astype(np.uint8)

    return view


def pasted(image: Image) -> Image:
    """Paste a picture onto white paper."""
    tall, wide = image.shape[0] // 2, image.shape[0]
    white = (250,) * 3
    return np.asarray(
        cv2.copyMakeBorder(image, tall, tall, wide, wide, cv2.BORDER_CONSTANT, value=white), np.uint8
    )


def sheared(slope: float) -> View:
    """Return what makes level lines rise (height by length), paper continued at the edges."""

    def view(image: Image) -> Image:
        height, width = image.shape[:2]
        grown = height + round(abs(slope) * width)
        matrix = np.array([[1, 0, 0], [-slope, 1, max(0.0, slope) * width]])
        return np.asarray(
            cv2.warpAffine(
                image, matrix, (width, grown), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )

    return view


VIEWS: dict[str, View] = {
    "as it is": lambda image: image,
    "half size": scaled(0.5),
    "0.7 × size": scaled(0.7),
    "1.5 × size": scaled(1.5),
    "4 × size": scaled(4),
    "0.8 × width": scaled(0.8, 1),
    "1.25 × width": scaled(1.25, 1),
    "JPEG 30": compressed(30),
    "noise 8": noisy(8),
    "noise 16": noisy(16),
    "blur 1": lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 1), np.uint8),
    "light 0.3": levels(lambda values: 0.3 * values),
    "gamma 0.6": levels(lambda values: 255 * (values / 255) ** 0.6),
    "gamma 1.7": levels(lambda values: 255 * (values / 255) ** 1.7),
    "half contrast": levels(lambda values: 0.5 * values + 100),
    "negative": lambda image: 255 - image,
    "light falls off": lit(lambda x: 0.5 + 0.5 * x),
    "edge of a shadow": lit(lambda x: np.where(x < 0.4, 0.6, 1.0)),
    "on white paper": pasted,
    "rises by 5 %": sheared(0.05),
    "falls by 10 %": sheared(-0.1),
}
DIGIT_VIEWS: dict[str, View] = {
    "as it is": lambda image: image,
    **{f"{side} px": sized(side) for side in (64, 128, 300, 1000)},
    **{f"{side} px, bold": sized(side, 1 / 28) for side in (64, 128, 300, 1000)},
}
SETS = ("cheques", *SINGLE, "mnist")


def pictures(folder: Path, name: str, part: str, every: int) -> list[Picture]:
    if name == "mnist":
        data = load("mnist", folder)
        images, labels = data.test_images[::every], data.test_labels[::every]
        return [(image, [str(label)]) for image, label in zip(images, labels, strict=True)]
    if name in SINGLE:
        return list(single(folder, name, every))
    return list(lines(folder, name, part))[::every]


@dataclass
class Tally:
    """What was read of one view's pictures, or of several views'."""

    rows: list[tuple[float, bool]] = field(default_factory=list)
    """Confidence of each, and whether it was read exactly."""
    told: list[float] = field(default_factory=list)
    """Logarithm of the probability of each true text."""

    def read(self, reader: Reader, image: Image, true: str) -> None:
        page = reader.read(image)
        read = guesses(page)
        confidence = min((confidence for _, confidence in read), default=0.0)
        readings = dict(page.lines[0].readings) if len(page.lines) == 1 else {}
        self.rows.append((confidence, [text for text, _ in read] == [true]))
        self.told.append(math.log(max(1e-3, readings.get(true, 0.0))))

    def figures(self) -> dict[str, float]:
        count = len(self.rows)
        return {
            "exact": sum(right for _, right in self.rows) / count,
            "log_p": sum(self.told) / count,
            "accepted_at_1_percent": accepted(self.rows, 0.01),
        }


def show(view: str, figures: dict[str, float]) -> None:
    at_1 = figures["accepted_at_1_percent"]
    print(f"  {view:<18}{figures['exact']:7.3f}{figures['log_p']:8.3f}{at_1:8.3f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, metavar="SET")
    parser.add_argument("--part", choices=["tune", "devtest"], default="tune")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--way", choices=READING_WAYS, default=DEFAULT_WAY)
    parser.add_argument("--prior-weight", type=float, default=PriorSettings().weight, metavar="W")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every so many pictures only")
    parser.add_argument("--views", nargs="+", metavar="NAME", help="these only")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    folder = os.environ.get("EDGEDIGITS_DATA")
    if not folder:
        print("bench_views: set EDGEDIGITS_DATA to the folder that holds the sets", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    reader = Reader(options.model, way=options.way, prior=PriorSettings(weight=options.prior_weight))
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.sets:
        found = pictures(Path(folder), name, options.part, options.every)
        print(f"{name}, {len(found)} pictures, way {options.way}", flush=True)
        print(f"  {'view':<18}{'exact':>7}{'log p':>8}{'at 1 %':>8}")
        together = Tally()
        of_set = results.setdefault(name, {})
        for view, see in (VIEWS if name == "cheques" else DIGIT_VIEWS).items():
            if options.views and view not in options.views:
                continue
            tally = Tally()
            for image, (true, *_) in found:
                tally.read(reader, see(image), true)
            together.rows += tally.rows
            together.told += tally.told
            show(view, of_set.setdefault(view, tally.figures()))
        if together.rows:
            show("together", of_set.setdefault("together", together.figures()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
