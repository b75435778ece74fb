"""What is read in a form's fields where a line runs across the page, or cells are blackened out.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_spoilt_forms.py [--seeds N]

The mark grid and the sudoku, some of their fields filled in with MNIST's test digits, are drawn and
photographed as they are (`plain`), with a `fold` or a pen's `line` across the page in three places each,
upright, level or slanting, and with three of their fields `blackened`, filled with ink or scribbled over
densely. Given are, of the fields of pages that are found, those read right, blank ones told to be blank,
those refused, written ones told to be blank (`lost`), those read wrong, and of the latter those that are
blank. A blackened field should be refused, whatever was written. Everything is seeded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.edge.form_pages import Pens, Picture, fill_in, photograph, print_form

from edgedigits.errors import RegistrationError
from edgedigits.forms import FormReader
from edgedigits.forms.form_file import load_form
from edgedigits.forms.layout import Form

KINDS = ("plain", "fold", "line", "blackened")


def with_line(image: Picture, corners: NDArray[np.float64], pen: bool, draw: np.random.Generator) -> Picture:
    """Draw a line across a page and on, a fold's or a pen's."""
    middle, wide = corners.mean(axis=0), float(np.linalg.norm(corners[1] - corners[0]))
    angle = np.radians(draw.choice([0, 90, draw.uniform(0, 180)]) + draw.normal(0, 2))
    along = np.array([np.cos(angle), np.sin(angle)])
    middle = middle + draw.uniform(-0.35, 0.35) * wide * np.array([-along[1], along[0]])
    ends = [tuple((middle + side * 1.2 * wide * along).astype(int).tolist()) for side in (-1, 1)]
    line = np.zeros(image.shape[:2], np.float32)
    cv2.line(line, *ends, 1, max(1, round(wide / 250 * draw.uniform(0.7, 2))), cv2.LINE_AA)
    dark = draw.uniform(0.5, 0.8) if pen else draw.uniform(0.2, 0.5)
    return (image * (1 - dark * cv2.GaussianBlur(line, (0, 0), 1))[..., None]).astype(np.uint8)


def blacken(page: Picture, form: Form, draw: np.random.Generator) -> set[str]:
    """Fill three fields of a page, which is changed, and return their names."""
    high, wide = page.shape
    spoilt = [form.fields[k] for k in draw.choice(len(form.fields), 3, replace=False)]
    for field in spoilt:
        sides = zip(field.box, (wide, high, wide, high), strict=True)
        x, y, w, h = (round(part * side) for part, side in sides)
        level = int(draw.integers(10, 110))
        if draw.random() < 0.5:
            page[y + 4 : y + h - 4, x + 4 : x + w - 4] = level
        else:
            steps = int(18 * w / h)
            turns = [[x + 4 + (w - 8) * k / steps, y + 5 + (h - 10) * (k % 2)] for k in range(steps + 1)]
            cv2.polylines(page, [np.array(turns, np.int32)], False, level, 5, cv2.LINE_AA)
    return {field.name for field in spoilt}


def pages(
    form: Form, kind: str, pens: Pens, seeds: int
) -> Iterator[tuple[Picture, dict[str, str], set[str]]]:
    """Yield photographs, what is written in their fields, and the names of those blackened out."""
    for seed in range(seeds):
        draw = np.random.default_rng([seed, KINDS.index(kind)])
        values = {
            f.name: str(draw.integers(1, 10)) for f in form.fields if f.cells == 1 and draw.random() < 0.5
        }
        page = fill_in(print_form(form), form, values, pens, seed)
        spoilt = blacken(page, form, draw) if kind == "blackened" else set()
        if form.name == "sudoku":
            page = np.pad(page, 300, constant_values=235)
            image, corners = photograph(page, seed, size=(1120, 1400), share=1.4)
        else:
            image, corners = photograph(page, seed)
        for _ in range(3 if kind in ("fold", "line") else 1):
            seen = with_line(image, corners, kind == "line", draw) if kind in ("fold", "line") else image
            yield seen, values, spoilt


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=8, metavar="N", help="pages of each kind")
    options = parser.parse_args()
    if "EDGEDIGITS_DATA" not in os.environ:
        parser.error("set EDGEDIGITS_DATA to the folder that holds mnist/")
    pens = Pens(Path(os.environ["EDGEDIGITS_DATA"]) / "mnist")
    print(
        f"{'form':<12}{'':<11}{'found':>10}{'fields':>8}{'right':>7}{'blank':>7}{'refused':>9}{'lost':>6}"
        f"{'wrong':>7}{'of blank':>10}"
    )
    for name in ("exam-marks", "sudoku"):
        form = load_form(name)
        reader = FormReader(form)
        for kind in KINDS:
            count: Counter[str] = Counter()
            for image, values, spoilt in pages(form, kind, pens, options.seeds):
                count["pages"] += 1
                try:
                    reading = reader.read(image)
                except RegistrationError:
                    continue
                count["found"] += 1
                for field in reading.fields:
                    if kind == "blackened" and field.name not in spoilt:
                        continue
                    true = None if field.name in spoilt else values.get(field.name)
                    count["fields"] += 1
                    if field.value is not None:
                        count["right" if field.value == true else "wrong"] += 1
                        count["wrong blank"] += true is None
                    else:
                        is_blank = field.reason in (None, "blank")
                        written = true is not None or field.name in spoilt
                        count[("lost" if written else "blank") if is_blank else "refused"] += 1
            found = f"{count['found']} of {count['pages']}"
            print(
                f"{name:<12}{kind:<11}{found:>10}{count['fields']:>8}{count['right']:>7}{count['blank']:>7}"
                f"{count['refused']:>9}{count['lost']:>6}{count['wrong']:>7}{count['wrong blank']:>10}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
