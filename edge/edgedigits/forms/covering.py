"""Which fields of a form's page something lies on: a finger, a note, another sheet, the light of a lamp.

What is printed around a field can't be seen there, and neither can what is written. A page whose lines are
not seen in most places is not found at all (see `printed_lines`), so here they tell what is hidden of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgedigits.forms.flat import Flat
from edgedigits.forms.layout import Box, Field, Form
from edgedigits.forms.printed_lines import Segment
from edgedigits.geometry import Floats, shared_area
from edgedigits.ink.glare import find_glare
from edgedigits.ink.runs import longest_run

Grey = NDArray[np.uint8]

_LEAST, _AS_DARK = 5, 0.2
"""Of a line it is seen what is so dark (0…255), and so dark beside what lines like it mostly are."""
_GAP = 0.25
"""Where it isn't seen for this part of a piece of it, something lies there. Pieces are about as long as a
cell."""
_SMOOTH = np.full(5, 1 / 5)
"""A dot of noise is no line."""
_ENDS = 4
"""So many pixels at its ends a piece is crossed by others."""
_SAME = 1.5e-3
"""Lines are the same where they are no farther apart, in fractions of the page."""


def covered_fields(dark: Grey, segments: Sequence[Segment], form: Form, flat: Flat) -> frozenset[str]:
    """Return the names of the fields that have a gap in the lines printed around them.

    `dark` is how much of the flattened page's light is missing (uint8, H×W): 0 as bright as paper … 255
    black. `segments` are its printed lines, cut to pieces.
    """
    profiles = [_profile(dark, segment, flat) for segment in segments]
    lines = {level: _sorted(segments, level) for level in (True, False)}
    found: set[str] = set()
    for kind in {field.printed for field in form.fields} - {"none"}:
        alike = [field for field in form.fields if field.printed == kind]
        own = {field.name: _around(field, form, lines) for field in alike}
        seen = {k: profiles[k] for pieces in own.values() for k in pieces}
        # On a page of few pixels a piece may be too short to look at.
        darkness = np.concatenate([np.zeros(0), *seen.values()])
        if not darkness.size:
            continue
        least = max(_LEAST, _AS_DARK * float(np.median(darkness)))
        gaps = {
            k for k, profile in seen.items() if longest_run(profile < least) >= _GAP * max(1, len(profile))
        }
        found.update(name for name, pieces in own.items() if pieces & gaps)
    return frozenset(found)


def washed_out_fields(grey: Grey, form: Form, flat: Flat) -> frozenset[str]:
    """Return the names of the fields of a flattened page (uint8, H×W) that there is glare in."""
    glare = find_glare(grey)
    boxes = {field.name: _corners(flat.pixels(field.box)) for field in form.fields}
    return frozenset(name for name, box in boxes.items() if any(shared_area(box, each) > 0 for each in glare))


def _corners(box: tuple[int, int, int, int]) -> Floats:
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def _profile(dark: Grey, segment: Segment, flat: Flat) -> Floats:
    """Return how dark a piece of a printed line is along it, at its darkest across."""
    if not segment.horizontal:
        dark = dark.T
    along, across = flat.size if segment.horizontal else flat.size[::-1]
    at = round(segment.at * across) + flat.margin
    start, end = (round(part * along) + flat.margin for part in (segment.start, segment.end))
    reach = flat.reach
    strip = dark[max(0, at - reach) : at + reach + 1, start + _ENDS : max(0, end + 1 - _ENDS)]
    if strip.shape[1] < len(_SMOOTH):
        return np.zeros(0)
    return np.convolve(strip.max(axis=0).astype(np.float64), _SMOOTH, "valid")


def _sorted(segments: Sequence[Segment], level: bool) -> tuple[NDArray[np.intp], Floats]:
    """Return the numbers of the level pieces, or of the upright ones, and at, start and end of each (N×3).

    They are sorted by where they are: a large form has thousands.
    """
    numbers = np.array([k for k, s in enumerate(segments) if s.horizontal == level], np.intp)
    spans = np.array([(segments[k].at, segments[k].start, segments[k].end) for k in numbers.tolist()])
    spans = spans.reshape(-1, 3).astype(np.float64)
    order = np.argsort(spans[:, 0], kind="stable")
    return numbers[order], spans[order]


def _around(field: Field, form: Form, lines: dict[bool, tuple[NDArray[np.intp], Floats]]) -> set[int]:
    """Return which pieces of printed lines run along the sides of a field, or of its cells."""
    boxes = form.cell_boxes(field) if field.printed == "boxes" else [field.box]
    found: set[int] = set()
    for level, side, first, last in (line for box in boxes for line in _sides(box, field)):
        numbers, spans = lines[level]
        near = slice(*np.searchsorted(spans[:, 0], (side - _SAME, side + _SAME)))
        _, start, end = spans[near].T
        shared = np.minimum(end, last) - np.maximum(start, first)
        found.update(numbers[near][shared > 0.5 * (end - start)].tolist())
    return found


def _sides(box: Box, field: Field) -> list[tuple[bool, float, float, float]]:
    """Return the lines printed around a box: whether level, where, from where and to where."""
    x, y, w, h = box
    foot = (True, y + h, x, x + w)
    if field.printed == "line":
        return [foot]
    return [foot, (True, y, x, x + w), (False, x, y, y + h), (False, x + w, y, y + h)]
