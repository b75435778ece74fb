"""Patches of another brightness among the digits of a strip: something lies there, or light washes it out.

What is seen of a number beside one reads well, and is another number. Where a shadow's edge runs, or light
falls off, the paper is as bright as around the digits on one side of it.

Pure functions: nothing here knows of a model file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.decode.hidden import as_cut
from edgedigits.decode.line import RejectRule
from edgedigits.ink.runs import longest_run
from edgedigits.page import Box, Line, scaled

_STROKE = 0.4
"""Twice a bold stroke, in heights of a digit: what is narrower is no paper."""
_DEVIATES = 0.16
"""A patch is brighter or darker than the paper around the digits beside it by this part, or more, …"""
_WIDE = 0.2
"""… and wider than this, in heights of a digit …"""
_BESIDE = 0.8
"""… where it is no farther from the number's ends than this."""

_CLIPPED = 245
"""Glare is so bright, 0…255."""

Patch = Literal["glare", "hidden"]


def refuse_patched(
    lines: Sequence[Line], grey: NDArray[np.uint8], across: tuple[float, float], rule: RejectRule
) -> tuple[Line, ...]:
    """Return the lines of a strip, those with a patch among their digits with their confidence lowered.

    `grey` is the strip (uint8, H×W, dark ink on light), `across` its pixels per pixel of the lines' boxes.
    """
    size = grey.shape[1], grey.shape[0]
    found = []
    for line in lines:
        patch = find_patch(grey, [scaled(digit.box, across, size) for digit in line.digits])
        found.append(line if patch is None else as_cut(line, rule, patch))
    return tuple(found)


def find_patch(grey: NDArray[np.uint8], boxes: Sequence[Box]) -> Patch | None:
    """Return what patch there is between the digits of a line, or beside it; None where there is none.

    `grey` is the strip (uint8, H×W, dark ink on light), `boxes` are those of the line's digits in its pixels,
    one or more.
    """
    height, width = grey.shape
    boxes = sorted(boxes)
    tall = float(np.median([h for _, _, _, h in boxes]))
    top = max(0, min(y for _, y, _, _ in boxes))
    bottom = min(height, max(y + h for _, y, _, h in boxes))
    if bottom <= top:
        return None
    side = max(5, int(_STROKE * tall)) | 1
    paper = cv2.morphologyEx(cv2.blur(grey, (3, 3)), cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    light = np.maximum(1, cv2.reduce(paper[top:bottom], 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel())
    reach = round(_BESIDE * tall)
    (first, *_), (last, _, wide, _) = boxes[0], boxes[-1]
    seen = light[max(0, first - reach) : last + wide + reach]
    if seen.max() <= (1 + _DEVIATES) * seen.min():
        return None
    levels = [float(np.median(light[min(x, width - 1) : x + w])) for x, _, w, _ in boxes]
    middles = [x + w / 2 for x, _, w, _ in boxes]
    # Beyond its ends the light falls off, or grows, as along the number.
    slope, level = np.polyfit(middles, levels, 1) if len({*middles}) > 1 else (0.0, levels[0])
    along = np.maximum(1, level + slope * np.arange(width))
    parts = [
        (slice(max(0, first - reach), max(0, first)), (levels[0], along)),
        (slice(last + wide, last + wide + reach), (levels[-1], along)),
    ]
    for (left, _, w, _), (right, *_), *own in zip(boxes, boxes[1:], levels, levels[1:], strict=False):
        parts.append((slice(left + w, max(left + w, right)), (own[0], own[1])))
    for columns, beside in parts:
        seen = light[columns]
        ratios = [seen / (each if isinstance(each, float) else each[columns]) for each in beside]
        least = _WIDE * tall
        bright, dark = np.minimum(*ratios) > 1 + _DEVIATES, np.maximum(*ratios) < 1 - _DEVIATES
        if longest_run(bright) > least:
            return "glare" if seen[bright].max() >= _CLIPPED else "hidden"
        if longest_run(dark) > least:
            return "hidden"
    return None
