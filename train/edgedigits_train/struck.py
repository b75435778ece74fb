"""Digits crossed out: what a writer strikes out is no digit any more.

Crosses, bars, hatching and scribbles over a digit. What is another way to write the digit is left out: a
slashed 0, a 7 with a bar, a 4 whose bar is drawn twice; and so is what turns it into another: a 1 hatched in
its own direction is a bolder 1. What crosses a digit out reaches beyond it, or a bold pen would swallow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edgedigits_train.strokes import is_upright_stroke

Picture = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
"""Corners of a line drawn in one go: N×2, column and row, in widths and heights of the digit."""

_FINE = 4
"""Pixels that are drawn for each pixel of the digit."""
_ROUND = 16
"""Room around the digit for what reaches beyond it, in pixels of the digit."""
_BESIDE = 0.6
"""So much of what crosses a digit out lies beside its ink: what lies along a stroke strikes nothing."""


def struck_out(
    image: Picture, label: int, random: np.random.Generator, ways: Sequence[str] | None = None
) -> Picture:
    """Return a digit crossed out: uint8, 240×240, ink bright on 0.

    `image` is the digit (uint8, 28×28, ink bright on 0), `label` which; `ways` are those of `WAYS` that it
    may be crossed out in, without it any that leaves no digit. Whatever is drawn comes from `random` alone.
    """
    padded = np.pad(image, _ROUND)
    digit = np.asarray(cv2.resize(padded, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_CUBIC), np.uint8)
    x, y, width, height = cv2.boundingRect((digit > 110).view(np.uint8))
    names = ways or [name for name in WAYS if label not in UNTOLD.get(name, ())]
    # A 1 is as broad as its pen: what crosses it out is broader.
    broad = max(width, round(random.uniform(0.45, 0.8) * height))
    x -= (broad - width) // 2
    while True:
        lines = WAYS[names[int(random.integers(len(names)))]](random)
        over = np.zeros_like(digit)
        thick = max(4, round(height * random.uniform(0.06, 0.16)))
        for line in lines:
            places = np.rint(line * (broad, height) + (x, y)).astype(np.int32)
            cv2.polylines(over, [places], False, 255, thick, cv2.LINE_AA)
        drawn = np.count_nonzero(over)
        if np.count_nonzero(over[digit < 110]) >= _BESIDE * drawn:
            result = np.maximum(digit, over)
            if not is_upright_stroke(result):
                return result


def _line(ends: tuple[tuple[float, float], tuple[float, float]], random: np.random.Generator) -> Points:
    """Return a line between two places, bent a little in the middle."""
    (ax, ay), (bx, by) = ends
    middle = ((ax + bx) / 2 + random.normal(0, 0.03), (ay + by) / 2 + random.normal(0, 0.03))
    return np.array([(ax, ay), middle, (bx, by)])


def _rising(random: np.random.Generator) -> Points:
    """Return a slash from the lower left to the upper right, beyond the digit at either end."""
    left, right = random.uniform(-0.5, -0.1), random.uniform(1.1, 1.5)
    return _line(((left, random.uniform(0.8, 1.25)), (right, random.uniform(-0.25, 0.2))), random)


def _falling(random: np.random.Generator) -> Points:
    line = _rising(random)
    line[:, 0] = 1 - line[:, 0]
    return line


def _level(row: float, random: np.random.Generator) -> Points:
    left, right = random.uniform(-0.6, -0.2), random.uniform(1.2, 1.6)
    tilt = random.normal(0, 0.07)
    return _line(((left, row + tilt), (right, row - tilt)), random)


def _cross(random: np.random.Generator) -> list[Points]:
    return [_rising(random), _falling(random)]


def _slash(random: np.random.Generator) -> list[Points]:
    return [_rising(random) if random.random() < 0.7 else _falling(random)]


def _bar(random: np.random.Generator) -> list[Points]:
    return [_level(random.uniform(0.38, 0.62), random)]


def _bars(random: np.random.Generator) -> list[Points]:
    first, apart = random.uniform(0.22, 0.45), random.uniform(0.16, 0.35)
    return [_level(first, random), _level(first + apart, random)]


def _hatching(random: np.random.Generator) -> list[Points]:
    """Two or three slashes side by side."""
    line, count = _rising(random), int(random.integers(2, 4))
    apart = random.uniform(0.2, 0.45)
    steps = [((i - (count - 1) / 2) * apart, random.normal(0, 0.05)) for i in range(count)]
    return [line + np.array(step) for step in steps]


def _scribble(random: np.random.Generator) -> list[Points]:
    """To and fro, down or along the digit."""
    count = int(random.integers(7, 15))
    along = np.linspace(random.uniform(-0.1, 0.1), random.uniform(0.9, 1.1), count)
    across = np.where(np.arange(count) % 2, 1.0, 0.0) + random.normal(0, 0.12, count)
    across += np.where(np.arange(count) % 2, 1, -1) * random.uniform(0.0, 0.25)
    along = along + random.normal(0, 0.03, count)
    columns, rows = (along, across) if random.random() < 0.3 else (across, along)
    return [np.stack([columns, rows], axis=1)]


WAYS: Mapping[str, Callable[[np.random.Generator], list[Points]]] = {
    "cross": _cross,
    "slash": _slash,
    "bar": _bar,
    "bars": _bars,
    "hatching": _hatching,
    "scribble": _scribble,
}
UNTOLD: Mapping[str, tuple[int, ...]] = {"slash": (0, 1, 4, 7, 8), "bar": (1, 4, 7), "hatching": (1,)}
"""Digits that are still one, or another one, with what crosses out the others."""
