"""What each means of the glyph way brings on cheque amounts: all of them, and each left out in turn.

    EDGEDIGITS_DATA=… python tests/bench/bench_glyphs.py [--part tune|devtest] [--model NAME|FILE]

Exact strings, and what can be accepted while 1 or 2 % of it is wrong, in % of all strings. That they are
upright is told.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from bench_reading import accepted, guesses, lines
from numpy.typing import NDArray

from edgedigits import Reader
from edgedigits.decode.prior import PriorSettings
from edgedigits.glyphs.cuts import CutSettings, find_cuts
from edgedigits.ink import InkSettings
from edgedigits.ink.rules import RuleSettings, lift_rules
from edgedigits.reader import DEFAULT_MODEL

Settings = dict[str, Any]
Patches = dict[str, Any]

LEFT_OUT: dict[str, tuple[Settings, Patches]] = {
    "all": ({}, {}),
    "no rings offered as zeros": ({}, {"edgedigits.decode.hypotheses.find_rings": lambda *_: []}),
    "no cuts from notch to notch": (
        {},
        {"edgedigits.decode.hypotheses.find_cuts": lambda ink, _: find_cuts(ink, CutSettings(notch=10))},
    ),
    "all numbers equally likely": ({"prior": PriorSettings(weight=0)}, {}),
    "separators anywhere": ({"prior": PriorSettings(ungrouped=1, by_chance=1)}, {}),
    "style consistency not weighed": (
        {},
        {"edgedigits.ways.glyph_reading._consistent": lambda _, readings, __: readings},
    ),
    "digits of any size equally likely": ({}, {"edgedigits.decode.lattice._unusual": lambda *_: 0.0}),
    "writing not told from a pattern": ({"ink": InkSettings(pattern_share=1)}, {}),
    "rules as thick as strokes stay": (
        {},
        {
            "edgedigits.ink.unprinted.lift_rules": lambda mask, contrast, _: lift_rules(
                mask, contrast, RuleSettings(long=9)
            )
        },
    ),
    "digits not looked at again": ({"character_model": None}, {}),
}
"""What is left out, and how: settings of the `Reader`, and what is put in the place of what."""


def measured(reader: Reader, pictures: list[tuple[NDArray[np.uint8], list[str]]]) -> tuple[float, ...]:
    """Return the shares (0…1) of exact strings and of those that can be accepted at 1 and at 2 % wrong."""
    rows = []
    for image, true in pictures:
        read = guesses(reader.read(image, upright=True))
        rows.append((min((c for _, c in read), default=0.0), ["".join(text for text, _ in read)] == true))
    return sum(right for _, right in rows) / len(rows), accepted(rows, 0.01), accepted(rows, 0.02)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=os.environ.get("EDGEDIGITS_DATA"), metavar="DIR")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--part", choices=("tune", "devtest"), default="tune", help="of the cheques")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data sets with --data or EDGEDIGITS_DATA")
    cv2.setNumThreads(1)
    pictures = list(lines(Path(options.data), "cheques", options.part))
    print(f"{options.model}, way glyph, {len(pictures)} strings of {options.part}")
    for name, (settings, patches) in LEFT_OUT.items():
        started = [mock.patch(place, instead) for place, instead in patches.items()]
        for each in started:
            each.start()
        exact, *shares = measured(Reader(options.model, way="glyph", **settings), pictures)
        for each in started:
            each.stop()
        print(f"{name:42}{100 * exact:6.1f}" + "".join(f"{100 * share:6.0f}" for share in shares), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
