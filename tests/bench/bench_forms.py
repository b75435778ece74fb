"""Whether the page of a form is found where it lies alone, and refused where it lies there twice.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_forms.py [--seeds N] [--shadow PIXELS]

The shipped forms and two more, with marks at the corners and with a reference picture, are filled in with
MNIST's test digits and laid on desks of three brightnesses, in five arrangements of two: in a row or
column, one of them smaller, turned by a quarter, upside down. Each page is seen alone, then both. With
--shadow a shadow with a straight edge, so many pixels wide (standard deviation), falls across sheets and
desk and leaves 0.35 to 0.65 of the light; without, somebody's soft shadow does. Given are, by form, the
pages found of those that lie alone, and the pairs that are read as if one page lay there, which none should
be. Everything is seeded.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from bench_sheet import shaded
from tests.edge.form_pages import (
    MARKED,
    Pens,
    Picture,
    fill_in,
    photograph_apart,
    print_form,
    referenced,
)

from edgedigits import Reader
from edgedigits.errors import RegistrationError
from edgedigits.forms import FormReader
from edgedigits.forms.form_file import load_form
from edgedigits.forms.layout import Form

DESKS = (60, 100, 150)
Place = tuple[float, float, float, float]


def forms(folder: Path) -> Iterator[tuple[Form, Picture]]:
    """Yield forms and their blank pages."""
    for name in ("cheque", "meter-card", "exam-marks", "sudoku"):
        form = load_form(name)
        yield form, print_form(form)
    yield MARKED, print_form(MARKED)
    yield referenced(folder)


def arrangements(ratio: float, draw: np.random.Generator) -> Iterator[tuple[Place, Place]]:
    """Yield places for two pages whose height is `ratio` of their width in a picture of 1440×1080."""
    level = ratio < 0.8
    share = min(0.5, 0.4 * 0.75 / ratio) if level else min(0.38, 0.8 * 0.75 / ratio)
    first, second = ((0.5, 0.27), (0.5, 0.73)) if level else ((0.27, 0.5), (0.73, 0.5))

    def turn() -> float:
        return float(draw.uniform(-6, 6))

    yield (*first, share, turn()), (*second, share, turn())
    yield (*first, share, turn()), (*second, share, 180 + turn())
    yield (*first, share, turn()), (*second, 0.65 * share, turn())
    small = min(0.38, 0.36 * 0.75 / ratio)
    yield (0.28, 0.28, small, turn()), (0.7, 0.72, small, turn())
    side = min(0.4, 0.4 / ratio)
    yield (0.25, 0.5, min(share, 0.42), turn() / 2), (0.95 - side * ratio / 2, 0.5, side, 90 + turn() / 2)


def filled(form: Form, page: Picture, pens: Pens, seed: int) -> Picture:
    """Return a page with every field filled in."""
    draw = np.random.default_rng(seed)
    values = {f.name: "".join(map(str, draw.integers(1, 10, min(f.digits[1], 6)))) for f in form.fields}
    page = fill_in(page, form, values, pens, seed)
    return np.pad(page, 100, constant_values=235) if form.name == "sudoku" else page


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="pictures of each kind")
    parser.add_argument(
        "--shadow", type=float, metavar="PIXELS", help="let a shadow with such an edge fall on it"
    )
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    cv2.setNumThreads(1)
    pens, reader = Pens(Path(options.data) / "mnist"), Reader()
    print(f"{'form':<12}{'found alone':>14}{'two read as one':>17}")
    with tempfile.TemporaryDirectory() as folder:
        for form, page in forms(Path(folder)):
            finder = FormReader(form, reader)
            found = alone = as_one = pairs = 0
            for seed in range(options.seeds):
                pages = [filled(form, page, pens, seed), filled(form, page, pens, seed + 50)]
                for desk in DESKS:
                    ratio = pages[0].shape[0] / pages[0].shape[1]
                    for number, places in enumerate(arrangements(ratio, np.random.default_rng([seed, desk]))):
                        for which in ([0], [1], [0, 1]):
                            image = photograph_apart(
                                [pages[k] for k in which],
                                [places[k] for k in which],
                                desk,
                                seed,
                                shadow=options.shadow is None,
                            )
                            if options.shadow is not None:
                                image = shaded(image, options.shadow, 100 * seed + 10 * number + desk)
                            try:
                                finder.find(image)
                                is_found = 1
                            except RegistrationError:
                                is_found = 0
                            if len(which) == 1:
                                found, alone = found + is_found, alone + 1
                            else:
                                as_one, pairs = as_one + is_found, pairs + 1
            print(f"{form.name:<12}{f'{found} of {alone}':>14}{f'{as_one} of {pairs}':>17}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
