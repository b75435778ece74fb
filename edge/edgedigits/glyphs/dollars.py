"""The dollar sign before an amount: an S with a bar or two through it, and a 5 or an 8 to any network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.glyph import Glyph


@dataclass(frozen=True)
class DollarSettings:
    """What is a dollar sign.

    Of 706 lines of cheque amounts, which have none, none begins with what is; of MNIST's 60,000 training
    digits four 6s have the shape.
    """

    above: float = -0.12
    """It begins so far above the digit behind it, or lower by no more, in heights of that one …"""
    below: float = 0.08
    """… and ends so far below its base."""
    ends: float = 0.1
    """At either end so much of its height is bars and nothing else …"""
    narrow: float = 0.3
    """… which have so much of its width at most …"""
    middle: tuple[float, float] = (0.2, 0.8)
    """… and stand here in it."""
    aside: float = 0.25
    """So far beside the bars, in widths of its own, there is ink on either side …"""
    bows: tuple[tuple[float, float], ...] = ((0.1, 0.4), (0.8, 0.94))
    """… in both of these parts of its height: a 4 has none on either side of its foot."""


_INK = 100
"""What is darker belongs to it, of 255."""


def begins_with_dollar(glyphs: Sequence[Glyph], settings: DollarSettings = DollarSettings()) -> bool:
    """Return whether the first of a line's glyphs, from left to right, is a dollar sign before others."""
    if len(glyphs) < 2:
        return False
    (_, top, _, height), (_, digit_top, _, tall) = glyphs[0].box, glyphs[1].box
    return (
        digit_top - top >= settings.above * tall
        and top + height - digit_top - tall >= settings.below * tall
        and _is_dollar(glyphs[0].ink > _INK, settings)
    )


def _is_dollar(ink: NDArray[np.bool_], settings: DollarSettings) -> bool:
    height, width = ink.shape
    rows = max(1, round(settings.ends * height))
    ends = [_bars(part, settings) for part in (ink[:rows], ink[-rows:])]
    if len(ends[0]) != len(ends[1]) or not 1 <= len(ends[0]) <= 2:
        return False
    # The bars need not go through the S.
    down = np.arange(height)[:, None] / max(1, height - 1)
    bars = [first + (last - first) * down for first, last in zip(*ends, strict=True)]
    left = np.arange(width) < bars[0] - settings.aside * width
    right = np.arange(width) > bars[-1] + settings.aside * width
    bows = [slice(round(first * height), round(last * height)) for first, last in settings.bows]
    return all((ink & side)[bow].any() for bow in bows for side in (left, right))


def _bars(rows: NDArray[np.bool_], settings: DollarSettings) -> list[float]:
    """Return the middles of what stands in an end's rows of ink, if these are bars; none if not."""
    width = rows.shape[1]
    columns = rows.any(axis=0)
    first, last = settings.middle
    inked = np.flatnonzero(columns)
    if not inked.size or inked[0] < first * width or inked[-1] > last * width:
        return []
    if columns.sum() > settings.narrow * width:
        return []
    edges = np.flatnonzero(np.diff(np.pad(columns, 1).view(np.int8)))
    return [(start + stop - 1) / 2 for start, stop in edges.reshape(-1, 2).tolist()]
