"""Printed lines that go down a page too palely to be ink all along.

A margin's pale red straddles the threshold: here and there a piece of it is ink, as slender and upright as a
1, and as a whole it is too broken to be lifted off. The contrast shows it going on above and below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class PaleSettings:
    """What is taken for a piece of a pale line."""

    plainest: float = 1.35
    """It is so many times as plain as sure ink has to be, at most: a pen, or a pencil, is plainer …"""
    goes_on: float = 0.6
    """… and the line goes on as plain as this part of it, or plainer …"""
    length: float = 3.0
    """… over so many heights of a digit in all, or more: 1s below one another have room between them …"""
    inked: float = 0.8
    """… and for so much of that. 0…1."""
    window: int = 9
    """It ends where less than half of so many rows has it."""
    beside: int = 6
    """So many pixels beside it there is less than half of it, on both sides."""


def is_of_pale_line(
    contrast: NDArray[np.uint8],
    strong: int,
    box: Box,
    tall: float,
    settings: PaleSettings = PaleSettings(),
) -> bool:
    """Return whether a slender upright piece of ink is part of a line that goes down the page palely.

    `contrast` is uint8, H×W, 0 paper … 255 full ink, `strong` what sure ink exceeds, `box` around the piece,
    in pixels, and `tall` the height of a digit.
    """
    x, y, w, h = box
    own = contrast[y : y + h, x : x + w]
    plain = float(np.median(own.max(axis=1)))
    if plain > settings.plainest * strong:
        return False
    least = settings.goes_on * plain
    reach = round(settings.length * max(tall, h))
    above = _followed(contrast[max(0, y - reach) : y][::-1], x + int(own[0].argmax()), least, settings)
    below = _followed(contrast[y + h : y + h + reach], x + int(own[-1].argmax()), least, settings)
    inked, rows = above[0] + h + below[0], above[1] + h + below[1]
    return rows >= settings.length * max(tall, h) and inked >= settings.inked * rows


def _followed(
    contrast: NDArray[np.uint8], column: int, least: float, settings: PaleSettings
) -> tuple[int, int]:
    """Return in how many rows a line is seen that goes on from a column down, and after how many it ends."""
    left = max(0, column - _ASIDE)
    rows = contrast[:, left : column + _ASIDE + 1].tolist()
    at, seen, ends = column - left, [], 0
    for k, row in enumerate(rows):
        last = len(row) - 1
        at = max((at, max(0, at - 1), min(last, at + 1)), key=row.__getitem__)
        sides = max(row[max(0, at - settings.beside)], row[min(last, at + settings.beside)])
        here = row[at] >= least and 2 * sides < row[at]
        seen.append(here)
        if here:
            ends = k + 1
        if 2 * sum(seen[-settings.window :]) < min(len(seen), settings.window) and k >= settings.window // 2:
            break
    return sum(seen[:ends]), ends


_ASIDE = 40
"""So many pixels is what is followed aside of where it began, at most."""
