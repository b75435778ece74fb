"""What the guard against turned paper refuses, and what it costs where the paper lies upright.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_turned.py [--way strip|auto|glyph ...] [--max-error E]
        [--part tune|devtest] [--every N] [--model NAME|FILE] [--strip-model NAME|FILE] [--json FILE]

Every strip of the cheque amounts upright, upside down and on its side (clockwise), and short numbers and
columns in MNIST's kept-out digits (`kept_out`) upright, through `Reader.read` with the guard off
(`upright=True`) and on. Given are the pictures with an accepted line, those of them with a
wrong one, and the median CPU milliseconds of a picture, off and on in turns, one thread. Hardly a turned
strip is read right (1001, say). What is accepted is decided by the thresholds that ship, or, with
`--max-error`, by those that keep that promise.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
from tests.bench.bench_reading import Picture, lines
from tests.bench.kept_out import kept_out_digits
from tests.edge.drawing import IN_ROWS, in_rows

from edgedigits import Reader
from edgedigits.reader import DEFAULT_MODEL
from edgedigits.ways.line_reading import READING_WAYS

TURNS = {0: None, 180: cv2.ROTATE_180, 90: cv2.ROTATE_90_CLOCKWISE}
"""By how many degrees clockwise the strips are turned."""


def measure_upright(reader: Reader, rows: int, count: int, slender: float, pages: int) -> tuple[int, int]:
    """Return on how many pages of numbers in rows, upright, all is accepted with the guard off, and on."""
    random = np.random.default_rng(8)
    digits = kept_out_digits()
    accepted = [0, 0]
    for _ in range(pages):
        page = in_rows(digits, random, rows, count, slender)
        for guard in (0, 1):
            read = reader.read(page, upright=not guard).lines
            accepted[guard] += bool(read) and all(line.accepted for line in read)
    return accepted[0], accepted[1]


def measure(reader: Reader, pictures: list[Picture], turn: int | None) -> dict[str, dict[str, float]]:
    """Read all pictures, turned so, with the guard off and on, and return the figures of both."""
    accepted, wrong = {"off": 0, "on": 0}, {"off": 0, "on": 0}
    spent: dict[str, list[float]] = {"off": [], "on": []}
    for image, true in pictures:
        lying = image if turn is None else np.asarray(cv2.rotate(image, turn), np.uint8)
        reader.read(lying, upright=True)  # the first to see a picture pays for it
        for guard in accepted:
            started = time.process_time()
            page = reader.read(lying, upright=guard == "off")
            spent[guard].append((time.process_time() - started) * 1000)
            said = [line.text for line in page.lines if line.accepted]
            accepted[guard] += bool(said)
            wrong[guard] += any(text not in true for text in said)
    return {
        guard: {"accepted": accepted[guard], "wrong": wrong[guard], "ms": float(np.median(spent[guard]))}
        for guard in accepted
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--strip-model", metavar="NAME|FILE")
    parser.add_argument("--way", nargs="+", default=["strip", "auto", "glyph"], choices=READING_WAYS)
    parser.add_argument("--max-error", type=float, metavar="E", help="accept what keeps this promise")
    parser.add_argument("--part", default="tune", choices=["tune", "devtest"], help="of the cheques")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="read every Nth strip")
    parser.add_argument("--pages", type=int, default=200, metavar="N", help="of each kind of short numbers")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    cv2.setNumThreads(1)
    pictures = list(lines(options.data, "cheques", options.part))[:: options.every]
    rule = "the thresholds that ship" if options.max_error is None else f"--max-error {options.max_error:g}"
    print(f"{len(pictures)} strips ({options.part}), {rule}; the guard off → on")
    print(f"{'way':<8}{'turned':>7}{'accepted':>14}{'of them wrong':>16}{'CPU ms':>16}")
    results = {}
    for way in options.way:
        strip_model = None if way == "glyph" else options.strip_model
        reader = Reader(options.model, way=way, strip_model=strip_model, max_error=options.max_error)
        for degrees, turn in TURNS.items():
            figures = results[f"{way} {degrees}"] = measure(reader, pictures, turn)
            off, on = figures["off"], figures["on"]
            accepted, wrong = (f"{off[of]} → {on[of]}" for of in ("accepted", "wrong"))
            ms = f"{off['ms']:.2f} → {on['ms']:.2f}"
            print(f"{way:<8}{degrees:>6}°{accepted:>14}{wrong:>16}{ms:>16}", flush=True)
        for kind, (rows, count, slender) in IN_ROWS.items():
            before, after = measure_upright(reader, rows, count, slender, options.pages)
            results[f"{way} {kind}"] = {"off": {"accepted": before}, "on": {"accepted": after}}
            print(f"{way:<8}{kind}, upright: {before} → {after} of {options.pages} accepted", flush=True)
    if options.json:
        about = {"part": options.part, "strips": len(pictures), "max_error": options.max_error}
        options.json.write_text(json.dumps(about | {"figures": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
