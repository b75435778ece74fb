"""What is printed taken out of the ink of a form's page, but for the strokes that cross it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.forms.flat import Flat
from edgedigits.forms.layout import Box
from edgedigits.forms.printed_lines import Segment

Grey = NDArray[np.uint8]

_UPRIGHT = np.ones((3, 1), np.uint8)


def lift_printed(
    dark: Grey, weak: int, strong: int, segments: Sequence[Segment], lines: Sequence[Box], flat: Flat
) -> tuple[Grey, Grey]:
    """Return the ink of a flattened page without its printed lines, and the bands that these lie in.

    `dark` is how much of the light is missing (uint8, H×W): ink from `weak` on, surely from `strong` on.
    `segments` are the printed lines, `lines` the boxes of fields that are written on one, which may be
    dotted. Both masks are uint8, H×W, 0 or 1. Strokes that cross a line are left.
    """
    mask = (dark >= weak).astype(np.uint8)
    lifted = np.zeros_like(mask)
    band = np.zeros_like(mask)
    dotted = _dotted_lines(dark, weak, strong, lines, flat)
    for segment in segments:
        if segment.horizontal:
            rows = next((rows for box, rows in dotted if _lies_under(segment, box)), None)
            _lift_one(mask, lifted, band, segment, flat, rows)
        else:
            _lift_one(mask.T, lifted.T, band.T, segment, flat)
    return mask & (1 - lifted), band


def _dotted_lines(
    dark: Grey, weak: int, strong: int, lines: Sequence[Box], flat: Flat
) -> list[tuple[Box, tuple[int, int]]]:
    """Return the boxes of fields whose line to write on is dotted, and its rows (first, last + 1)."""
    found = []
    reach = flat.reach
    for box in lines:
        left, _, right, at = flat.pixels(box)
        first = max(0, at - reach)
        strip = dark[first : at + reach + 1, left:right]
        # A blur joins the dots; their middles are darker than what is between them.
        for level in (weak, strong, 1.6 * strong, 2.4 * strong):
            rows = _row_of_dots((strip >= level).astype(np.uint8))
            if rows is not None:
                found.append((box, (first + rows[0] - 1, first + rows[1] + 1)))
                break
    return found


def _lift_one(
    mask: Grey,
    lifted: Grey,
    band: Grey,
    segment: Segment,
    flat: Flat,
    dotted: tuple[int, int] | None = None,
) -> None:
    """Take a piece of a line out of the ink: a level one, or in what is turned; `dotted` are its rows."""
    w, h = flat.size
    along, across = (w, h) if segment.horizontal else (h, w)
    m = flat.margin
    start, end = round(segment.start * along) + m, round(segment.end * along) + m
    at = segment.at * across + m
    reach = flat.reach
    first, last = max(0, round(at) - reach), min(mask.shape[0], round(at) + reach + 1)
    strip = mask[first:last, max(0, start) : end + 1]
    if strip.size == 0:
        return
    # Where the line really runs, and how thick it is here: the rows that are dark nearly everywhere.
    filled = strip.mean(axis=1)
    # The nearest of those: the line of the next cell may be within reach, too.
    away = np.abs(np.arange(first, last) + 0.5 - at)
    peak = int(np.argmin(np.where(filled >= 0.8 * filled.max(), away, np.inf)))
    if dotted is None and filled[peak] < 0.4:
        return
    rows = _run_around(filled >= 0.6 * filled[peak], peak)
    top, bottom = (first + rows[0], first + rows[1]) if dotted is None else dotted
    thick = bottom - top
    # A run of ink across the line that is hardly longer than the line is thick is the line; a longer one
    # is a stroke that crosses it. Only what hangs on the line's core counts, not a stroke close by.
    room = max(3, round(0.06 * flat.cell_height))
    lo, hi = max(0, top - 2 * room - thick), min(mask.shape[0], bottom + 2 * room + thick)
    left, right = max(0, start - 2), end + 3
    area = np.ascontiguousarray(mask[lo:hi, left:right])
    kernel = np.ones((thick + room + 1, 1), np.uint8)
    long = _bytes(cv2.morphologyEx(area, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE))
    short = area & (1 - long)
    core = slice(top - lo, bottom - lo)
    line = np.zeros_like(area)
    line[core] = short[core]
    # What stands on a dotted line may be a point.
    for _ in range(room if dotted is None else 0):
        line = _bytes(cv2.dilate(line, _UPRIGHT)) & short
    line = _without_strokes_along(line)
    # A stroke that comes from one side only ends in the line.
    beside = max(2, room // 2)
    above, below = (long[max(0, core.start - beside)], long[min(len(long), core.stop + beside) - 1])
    lean = np.ones((1, 2 * (thick + beside) + 1), np.uint8)
    through = _bytes(cv2.dilate(above[None], lean)) & _bytes(cv2.dilate(below[None], lean))
    line[core] |= area[core] & (1 - through)
    lifted[lo:hi, left:right] |= line
    frayed = room if dotted is None else 1
    band[max(0, top - frayed) : bottom + frayed, left:right] = 1


def _without_strokes_along(line: Grey) -> Grey:
    """Return the mask of a printed line (H×W, along W) without the strokes that run along it.

    Where it is far thicker than elsewhere, as the foot of a 2 makes it that stands on it, it is taken to go
    on as it runs left and right of there.
    """
    thick = line.sum(axis=0, dtype=np.int64)
    seen = thick > 0
    if seen.sum() < 8:
        return line
    # A wide foot covers most of a cell's line.
    usual = float(np.sort(thick[seen])[int(0.2 * seen.sum())])
    swollen = thick > usual + max(2.0, 0.5 * usual)
    plain = seen & ~swollen
    if not swollen.any() or plain.sum() < 4:
        return line
    rows, columns = np.arange(len(line))[:, None], np.arange(line.shape[1])
    middle = (line * rows).sum(axis=0) / np.maximum(thick, 1)
    slope, height = np.polyfit(columns[plain], middle[plain], 1)
    near = np.abs(rows - (height + slope * columns)) <= 0.5 * usual + 1
    return np.where(swollen & ~near, 0, line).astype(np.uint8)


def _lies_under(segment: Segment, box: Box) -> bool:
    """Return whether a piece of a printed line is of the line to write on in a box."""
    x, y, w, h = box
    return segment.horizontal and abs(segment.at - y - h) < 1e-6 and x <= segment.start + 1e-6 <= x + w


def _row_of_dots(strip: Grey) -> tuple[int, int] | None:
    """Return the rows (first, last + 1) of a dotted line in a strip (H×W, 0 or 1, along W) of a mask.

    Its dots are of one size and stand in a row, at like distances; None where there are none.
    """
    _, _, stats, middles = cv2.connectedComponentsWithStats(np.ascontiguousarray(strip), connectivity=8)
    x, y, w, h, _ = stats.T
    # A digit's foot goes on beyond the strip.
    clear = (y > 0) & (y + h < len(strip)) & (x > 0) & (x + w < strip.shape[1])
    clear[0] = False
    if clear.sum() < 4:
        return None
    size = np.maximum(w, h)
    usual = float(np.median(size[clear]))
    clear &= size <= 1.5 * usual
    clear &= np.abs(middles[:, 1] - np.median(middles[clear, 1])) <= 0.5 * usual + 1
    apart = np.diff(np.sort(middles[clear, 0]))
    if len(apart) < 3 or np.median(apart) < 2 or np.ptp(middles[clear, 0]) < 0.4 * strip.shape[1]:
        return None
    # Where a foot touches one, the next is two of their distances away.
    apart /= np.median(apart)
    if np.mean(np.abs(apart - np.round(apart)) <= 0.25) < 0.8:
        return None
    return int(np.median(y[clear])), int(np.median((y + h)[clear]))


def _run_around(flags: NDArray[np.bool_], k: int) -> tuple[int, int]:
    """Return the first index of the run of True that `k` lies in, and the one after its last."""
    first = last = k
    while first > 0 and flags[first - 1]:
        first -= 1
    while last < len(flags) - 1 and flags[last + 1]:
        last += 1
    return first, last + 1


def _bytes(image: Any) -> Grey:
    """Return an image of OpenCV's, of whose type it says less than it knows."""
    return np.asarray(image, np.uint8)
