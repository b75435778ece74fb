"""The lines that a form says are printed: where they are in a picture that is held to show the page.

They are what proves a page. Where they lie beside where the page's corners alone would have them, a smooth
displacement, the bend, is fitted to them, for a sheet that is not quite flat.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.forms.layout import Form, Frame
from edgedigits.forms.light import darkness
from edgedigits.geometry import UNIT_SQUARE, Floats, project

Grey = NDArray[np.uint8]

_FRAME_REACH = 0.03
"""What belongs to no cell is looked for so far from where it should be, in fractions of the page."""


@dataclass(frozen=True)
class PrintedLineSettings:
    """When a printed line is found; lengths in fractions of a cell unless said otherwise."""

    cell_pixels: int = 32
    """Printed lines are looked for in a copy whose cells are about this high, in pixels …"""
    longest_side: int = 1600
    """… but whose longer side is at most this, in pixels."""
    reach: float = 0.25
    """A printed line is looked for this far from where it should be."""
    tolerance: float = 0.07
    """A line counts as found so near to the smooth displacement of all."""
    most_beside: float = 0.6
    """Beside most printed lines, and where no others are printed, it is nowhere darker than this part of the
    line; else it is texture. 0…1."""
    least_contrast: float = 0.04
    """A printed line takes away at least this part of the light. 0…1."""


@dataclass(frozen=True)
class Segment:
    """A piece of a printed line in fractions of the page, and how far from it may be looked."""

    horizontal: bool
    at: float
    start: float
    end: float
    reach: float
    beside: tuple[float, ...] = ()
    """How far from it other lines are printed that run along it, as the next box's does, within its reach."""


def printed_segments(form: Form, settings: PrintedLineSettings = PrintedLineSettings()) -> list[Segment]:
    """Return what the form says is printed, cut to pieces no longer than a cell."""
    found: dict[tuple[object, ...], Segment] = {}

    def add(horizontal: bool, at: float, start: float, end: float, across: float, piece: float) -> None:
        count = max(1, round((end - start) / piece))
        for k in range(count):
            a, b = (start + (end - start) * j / count for j in (k, k + 1))
            key = (horizontal, round(at, 3), round(a, 3), round(b, 3))
            found.setdefault(key, Segment(horizontal, at, a, b, settings.reach * across))

    if isinstance(form.finder, Frame):
        x, y, w, h = form.finder.box
        for at in (y, y + h):
            add(True, at, x, x + w, _FRAME_REACH / settings.reach, w / 9)
        for at in (x, x + w):
            add(False, at, y, y + h, _FRAME_REACH / settings.reach, h / 9)
    ratio = 1.0 if form.size is None else form.size[0] / form.size[1]
    for x, y, w, h in form.printed:
        for at in {y, y + h}:
            add(True, at, x, x + w, _FRAME_REACH / settings.reach, w / 6)
        for at in (x, x + w) if h else ():
            add(False, at, y, y + h, _FRAME_REACH / settings.reach, h / 6)
    for field in form.fields:
        if field.printed == "none":
            continue
        boxes = form.cell_boxes(field) if field.printed == "boxes" else [field.box]
        for x, y, w, h in boxes:
            smaller = min(w * ratio, h)  # in heights of the page
            for at in (y, y + h) if field.printed != "line" else (y + h,):
                add(True, at, x, x + w, smaller, max(smaller / ratio, w / 12))
            if field.printed != "line":
                for at in (x, x + w):
                    add(False, at, y, y + h, smaller / ratio, max(smaller, h / 12))
    # A frame's pieces and a field's may lie on one line: what is looked for more closely counts.
    segments = sorted(found.values(), key=lambda s: s.reach)
    kept: list[Segment] = []
    by_place: dict[tuple[bool, int], list[Segment]] = defaultdict(list)
    for segment in segments:
        middle, place = (segment.start + segment.end) / 2, round(segment.at * 1000)
        near = (k for p in (place - 1, place, place + 1) for k in by_place.get((segment.horizontal, p), ()))
        if not any(abs(k.at - segment.at) < 1e-3 and k.start <= middle <= k.end for k in near):
            kept.append(segment)
            by_place[segment.horizontal, place].append(segment)
    return _with_beside(kept)


class PrintedLines:
    """The printed lines of a form, as a homography and a bend would have them in a picture.

    `found` is the part of them that are there (0…1), of the level ones or the upright ones, whichever is
    less. `bend` (terms×2) is what is to be added to the given bend so that they lie where they were found,
    `width` their median width in pixels of the picture, 0 where none was found.
    """

    def __init__(
        self,
        grey: Grey,
        segments: Sequence[Segment],
        ratio: float,
        matrix: Floats,
        bend: Floats,
        reach: float,
        settings: PrintedLineSettings,
    ) -> None:
        """Look for `segments` in a picture (uint8, H×W).

        `ratio` is the page's width over its height, `matrix` and `bend` are those of a `Registration`,
        `reach` is the part (0…1) of each segment's own reach that is looked in.
        """
        lengths = [
            (s.end - s.start) * (ratio if s.horizontal else 1.0) for s in segments
        ]  # in heights of the page
        high = settings.cell_pixels / float(np.median(lengths))
        high = min(high, settings.longest_side / max(1.0, ratio))
        self.margin = max(8, round(0.03 * high))
        self.size = round(high * ratio), round(high)
        flat, self.scale = flattened(grey, matrix, bend, self.size, self.margin)
        kernel = max(9, round(0.4 * settings.cell_pixels)) | 1
        self.darkness = darkness(flat, kernel)
        self.tolerance = settings.tolerance * settings.cell_pixels
        self._measure(segments, reach)
        self._fit(segments, settings)

    def _measure(self, segments: Sequence[Segment], reach: float) -> None:
        (w, h), m = self.size, self.margin
        dark = {True: _spread(self.darkness, 1), False: _spread(self.darkness.T, 1)}
        places = np.arange(max(self.darkness.shape), dtype=np.float64)
        offsets: list[float] = []
        heights: list[float] = []
        widths: list[float] = []
        beside: list[float] = []
        for s in segments:
            across, along = (h, w) if s.horizontal else (w, h)
            half = max(4, round(s.reach * across))
            at = s.at * across + m
            first = max(0, round(at) - half)
            trim = 0.15 * (s.end - s.start)
            left, right = round((s.start + trim) * along) + m, round((s.end - trim) * along) + m
            strip = dark[s.horizontal][first : round(at) + half + 1, left : max(left + 2, right)]
            if strip.shape[0] < 5 or strip.shape[1] < 2:
                for values in (offsets, heights, widths):
                    values.append(0.0)
                beside.append(1.0)
                continue
            # A line is dark nearly everywhere along it, the strokes of a digit are not.
            part = strip.shape[1] * 3 // 10
            profile = np.partition(strip, part, axis=1)[:, part].astype(np.float64)
            rise = np.maximum(profile - np.partition(profile, len(profile) // 4)[len(profile) // 4], 0)
            whole = rise.copy()
            rise[np.abs(places[: len(rise)] + (first + 0.5 - at)) > max(2.0, reach * half)] = 0
            peak = int(rise.argmax())
            near = slice(max(0, peak - 3), peak + 4)
            weight = rise[near] * (rise[near] >= 0.5 * rise[peak])
            centre = near.start + float(places[: weight.size] @ weight) / max(float(weight.sum()), 1e-9)
            offsets.append(first + centre + 0.5 - at)
            heights.append(float(rise[peak]))
            for shift in (0.0, *s.beside):
                line = round(peak + shift * across)
                whole[max(0, line - 4) : max(0, line + 5)] = 0
            beside.append(float(whole.max()) / max(1.0, float(rise[peak])))
            # The brightest of three rows makes a line two rows wider than it is.
            widths.append(float((rise >= 0.5 * rise[peak]).sum()) - 2)
        self.offsets, self.heights = np.array(offsets), np.array(heights)
        self._widths, self._beside = np.array(widths), np.array(beside)

    def _fit(self, segments: Sequence[Segment], settings: PrintedLineSettings) -> None:
        (w, h) = self.size
        horizontal = np.array([s.horizontal for s in segments])
        middle = np.array([(s.start + s.end) / 2 for s in segments])
        at = np.array([s.at for s in segments])
        points = np.where(horizontal[:, None], np.column_stack([middle, at]), np.column_stack([at, middle]))
        strong = float(np.percentile(self.heights, 60))
        least = max(255 * settings.least_contrast, 0.2 * strong)
        seen = self.heights >= least
        agreeing = np.zeros(len(segments), bool)
        terms = {}
        for way, across in ((True, h), (False, w)):
            chosen = seen & (horizontal == way)
            coefficients, good = _robust_fit(points[chosen], self.offsets[chosen], self.tolerance)
            agreeing[np.flatnonzero(chosen)[good]] = True
            terms[way] = coefficients / across
        size = max(len(t) for t in terms.values())
        self.bend = np.zeros((size, 2))
        self.bend[: len(terms[False]), 0] = terms[False]
        self.bend[: len(terms[True]), 1] = terms[True]
        # Lines that are all found in one direction and none in the other are ruled paper.
        shares = [agreeing[horizontal == way].mean() for way in (True, False) if (horizontal == way).any()]
        self.found = float(min(shares))
        if agreeing.any() and np.median(self._beside[agreeing]) > settings.most_beside:
            self.found = 0.0
        self.width = float(np.median(self._widths[agreeing]) / self.scale) if agreeing.any() else 0.0


def _with_beside(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments with what is printed beside each."""
    found = list(segments)
    for way in (True, False):
        chosen = sorted(
            (k for k, s in enumerate(segments) if s.horizontal == way), key=lambda k: segments[k].at
        )
        values = [(segments[k].at, segments[k].start, segments[k].end, segments[k].reach) for k in chosen]
        at, start, end, reach = np.array(values, np.float64).reshape(-1, 4).T
        # What is looked in is moved along with the line that is found.
        firsts, lasts = np.searchsorted(at, at - 2 * reach), np.searchsorted(at, at + 2 * reach)
        for number, k in enumerate(chosen):
            near = slice(firsts[number], lasts[number])
            along = (start[near] < end[number]) & (end[near] > start[number])
            shifts = {round(shift, 3) for shift in (at[near][along] - at[number]).tolist()}
            found[k] = replace(segments[k], beside=tuple(sorted(shifts - {0.0})))
    return found


def _robust_fit(points: Floats, values: Floats, tolerance: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Fit a polynomial of the degree that so many values bear; return it and which of them agree with it."""
    count = len(values)
    if count == 0:
        return np.zeros(1), np.zeros(0, bool)
    terms = next(t for t, least in ((10, 60), (6, 24), (3, 8), (1, 1)) if count >= least)
    basis = basis_of(points, terms)
    coefficients: Floats = np.zeros(terms)
    if terms == 1:
        # Few values have no middle: the most that agree have it, and those nearest to where they should be.
        agreeing = (np.abs(values[:, None] - values) <= tolerance).sum(axis=1)
        coefficients[0] = values[np.lexsort((np.abs(values), -agreeing))[0]]
    else:
        coefficients[0] = np.median(values)
    scale = max(tolerance, 2.0 * float(np.median(np.abs(values - coefficients[0]))))
    for _ in range(8):
        # Cauchy's weights, ever narrower: what crosses the page smoothly wins over what merely is dark.
        weight = 1 / (1 + ((values - basis @ coefficients) / scale) ** 2)
        weighted = basis * weight[:, None]
        # A little ridge, so that values on one line don't let the others' terms run wild.
        normal = basis.T @ weighted + 1e-3 * count * np.eye(terms)
        coefficients = np.asarray(np.linalg.solve(normal, weighted.T @ values), np.float64)
        scale = max(0.5 * tolerance, 0.7 * scale)
    return coefficients, np.abs(values - basis @ coefficients) <= tolerance


def basis_of(points: Floats, terms: int) -> Floats:
    """Return the first 1, 3, 6 or 10 monomials of fractions of the page, each seen from its middle."""
    u, v = (2 * points - 1).T
    # Beyond the page the bend goes on as it is at its edge, rather than as a cubic would.
    u, v = np.clip(u, -1.1, 1.1), np.clip(v, -1.1, 1.1)
    one = np.ones_like(u)
    columns = [one, u, v, u * u, u * v, v * v, u**3, u * u * v, u * v * v, v**3]
    return np.column_stack(columns[:terms])


def bend_sum(a: Floats, b: Floats) -> Floats:
    """Return the sum of two bends."""
    total = np.zeros((max(len(a), len(b)), 2))
    total[: len(a)] += a
    total[: len(b)] += b
    return total


def flattened(
    grey: Grey, matrix: Floats, bend: Floats, size: tuple[int, int], margin: int
) -> tuple[Grey, float]:
    """Return the flattened page (`size` and a margin), and its pixels per pixel of the picture."""
    w, h = size
    corners = project(matrix, UNIT_SQUARE)
    native = max(np.linalg.norm(corners[(k + 1) % 4] - corners[k]) / (w, h, w, h)[k] for k in range(4))
    if native > 1.5:
        # What would be skipped in sampling is averaged first.
        factor = float(1 / native)
        grey = np.asarray(
            cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
        matrix = np.diag([factor, factor, 1.0]) @ matrix
    x, y = page_map(matrix, bend, size, margin)
    mode = cv2.INTER_CUBIC if native < 1 else cv2.INTER_LINEAR
    flat = cv2.remap(grey, x, y, mode, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8), 1 / float(native)


def page_map(
    matrix: Floats, bend: Floats, size: tuple[int, int], margin: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the maps for `cv2.remap` that flatten a page to width×height pixels plus a margin around it."""
    w, h = size
    # A homography bent by a cubic is smooth: it is worked out on a coarse lattice and interpolated.
    step = 8
    columns, rows = -(-(w + 2 * margin) // step) + 1, -(-(h + 2 * margin) // step) + 1
    u, v = np.meshgrid(
        (np.arange(columns) * step + 0.5 - margin) / w, (np.arange(rows) * step + 0.5 - margin) / h
    )
    points = np.column_stack([u.ravel(), v.ravel()])
    # Pixel centres: coordinate 0.5 of the page's raster is pixel 0.
    where = project(matrix, points + basis_of(points, len(bend)) @ bend) - 0.5
    xs, ys = (where[:, k].reshape(u.shape).astype(np.float32) for k in (0, 1))
    full = _upsampling(columns, rows, w + 2 * margin, h + 2 * margin, step)
    return tuple(cv2.remap(a, *full, cv2.INTER_LINEAR) for a in (xs, ys))  # type: ignore[return-value]


def _upsampling(
    columns: int, rows: int, width: int, height: int, step: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x = np.broadcast_to(np.arange(width, dtype=np.float32) / step, (height, width))
    y = np.broadcast_to((np.arange(height, dtype=np.float32) / step)[:, None], (height, width))
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def _spread(values: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    """Return the brightest of each pixel and its neighbours above and below."""
    return np.asarray(cv2.dilate(np.ascontiguousarray(values), np.ones((2 * by + 1, 1), np.uint8)), np.uint8)
