"""What is read of writing that the light falls on unevenly: shadows, stripes, a lamp's spot, glare.

    EDGEDIGITS_DATA=DIR python tests/bench/bench_light.py [--pages N] [--way WAY] [--papers NAME …]
        [--lights NAME …] [--soft PIXELS …] [--cut]

Pages of numbers in MNIST's test digits (those of `bench_paper.py`, 1000×760), on plain and on ruled paper.
Shadows leave 0.7, 0.5 or 0.35 of the light, and their edges are so many pixels wide (the standard deviation
of what they are blurred with): those of a hand on the paper are sharp, those of one that holds a phone not.
Given are, by light, by edge and by what is left of the light, the share of the numbers that are read and
accepted, and how many other lines are accepted in a hundred pages. Everything is seeded.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from bench_paper import HEIGHT, PAPERS, WIDTH, Counts, Light, count, show, written

from edgedigits import Reader
from edgedigits.reader import DEFAULT_WAY
from edgedigits.ways.line_reading import READING_WAYS
from edgedigits_train.data import load

SOFT = (0.6, 1.5, 4.0, 12.0)
LEFT = (0.7, 0.5, 0.35)
PRINTED = 0.35
"""How much of its light a ruled line takes from the paper."""
Shade = Callable[[np.random.Generator], Light]
"""What is in the shade: 1, elsewhere 0 (H×W)."""


def half_plane(random: np.random.Generator, degrees: float) -> Light:
    """What lies beyond a straight line near the middle, whose normal points so many degrees below level."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    angle = np.radians(degrees)
    middle = WIDTH * random.uniform(0.35, 0.65), HEIGHT * random.uniform(0.35, 0.65)
    return ((x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle) > 0).astype(np.float64)


def hand(random: np.random.Generator) -> Light:
    """A blob with a few fingers that reaches in from the right."""
    shade = np.zeros((HEIGHT, WIDTH), np.uint8)
    y = int(HEIGHT * random.uniform(0.4, 0.7))
    cv2.ellipse(shade, (WIDTH - 80, y), (260, 180), 10, 0, 360, 1, cv2.FILLED)
    for finger in range(4):
        tip = int(WIDTH * random.uniform(0.2, 0.4)), y - 190 + 90 * finger + int(random.integers(-20, 20))
        cv2.line(shade, (WIDTH - 260, y - 90 + 60 * finger), tip, 1, 50)
    return shade.astype(np.float64)


def blinds(random: np.random.Generator) -> Light:
    """Stripes, slanting."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    apart = random.uniform(150, 240)
    return ((0.35 * x + y + random.uniform(0, apart)) % apart < apart / 2).astype(np.float64)


SHADES: dict[str, Shade] = {
    "beside an upright edge": lambda random: half_plane(random, random.uniform(-8, 8)),
    "below a level edge": lambda random: half_plane(random, 90 + random.uniform(-8, 8)),
    "beyond a slanting edge": lambda random: half_plane(random, random.uniform(25, 65)),
    "a hand": hand,
    "stripes": blinds,
}


def _falls_off(least: float) -> Light:
    return np.tile(np.linspace(1, least, WIDTH), (HEIGHT, 1))


def _spot(random: np.random.Generator) -> Light:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.asarray(0.3 + 0.7 * np.exp(-((x - 300) ** 2 + (y - 420) ** 2) / (2 * 280.0**2)))


LIGHTS: dict[str, Shade] = {
    "even": lambda random: np.ones((HEIGHT, WIDTH)),
    "falls to a half": lambda random: _falls_off(0.5),
    "falls to a fifth": lambda random: _falls_off(0.2),
    "a spot": _spot,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=3, help="pages of each kind")
    parser.add_argument("--way", choices=READING_WAYS, default=DEFAULT_WAY)
    parser.add_argument("--papers", nargs="+", choices=PAPERS, default=["plain", "ruled"])
    parser.add_argument("--lights", nargs="+", choices=[*LIGHTS, *SHADES], default=[*LIGHTS, *SHADES])
    parser.add_argument("--soft", nargs="+", type=float, default=SOFT, metavar="PIXELS")
    parser.add_argument("--cut", action="store_true", help="every number as a strip of its own")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    data = load("mnist")
    reader = Reader(way=options.way)
    counts: dict[str, Counts] = defaultdict(Counts)
    cases = [
        (paper, light, soft, left, number)
        for paper in options.papers
        for light in options.lights
        for soft, left in (
            [(soft, left) for soft in options.soft for left in LEFT] if light in SHADES else [(0.0, 1.0)]
        )
        for number in range(options.pages)
    ]
    for paper, name, soft, left, number in cases:
        random = np.random.default_rng(number)
        page = written(random, data.test_images, data.test_labels)
        seen = page.light * (1 - PRINTED * PAPERS[paper](page, random))
        keys = ["all", paper, name]
        if name in SHADES:
            shade = cv2.GaussianBlur(SHADES[name](random), (0, 0), soft)
            seen = seen * (1 - (1 - left) * shade)
            keys += ["shadows", f"{name}: {soft:g}", f"edges of {soft:g}", f"{left:g} of the light"]
        else:
            seen = seen * LIGHTS[name](random)
        # A lens is no sharper than this.
        image = cv2.GaussianBlur(225 * seen, (0, 0), 0.6) + random.normal(0, 2.5, seen.shape)
        count(counts, keys, reader, image, page, options.cut)
    show(counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
