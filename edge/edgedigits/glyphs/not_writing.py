"""What is no writing, and dropped before lines are made.

Frames, rules, the desk around a sheet, pale lines, drawings, and holes that were punched.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs.components import Components, typical_height
from edgedigits.glyphs.pale import is_of_pale_line
from edgedigits.glyphs.to_tick import leave_out_boxes_to_tick
from edgedigits.ink import SLENDER
from edgedigits.ink.outlines import find_outlines

Mask = NDArray[np.bool_]
"""Which components: bool, N."""


def drop_what_is_no_writing(components: Components) -> None:
    """Leave only what may be writing; what else is ink counts as dropped, but for that of pale lines."""
    _drop_frames_and_desk(components)
    if components.is_page:
        _leave_out_pale_lines(components)
        leave_out_boxes_to_tick(components)
        _drop_drawings(components)


class _Shapes:
    """The components' boxes beside the picture's, an array with a value for each component."""

    def __init__(self, components: Components) -> None:
        self.height, self.width = height, width = components.labels.shape
        self.x, self.y, self.w, self.h = x, y, w, h = components.boxes.T
        self.touches = (x == 0).astype(int) + (y == 0) + (x + w == width) + (y + h == height)
        """How many of the picture's sides it touches, 0…4."""
        self.reach = np.maximum(w / width, h / height)
        """How much of the picture's width, or height, it has, 0…1."""
        self.fill = components.areas / np.maximum(1, w * h)
        """How much of it is ink, 0…1."""
        settings = components.settings
        self.long = np.maximum(w / (settings.widest * h), h / (settings.tallest * w))
        """Above 1 it is longer than writing is, for its thickness."""
        self.low = np.minimum(w, h) <= np.maximum(6, 0.12 * np.minimum(height, width))
        """It is no thicker than a line. Many digits that touch are."""


def _drop_frames_and_desk(components: Components) -> None:
    """Drop frames, ruled lines and the desk around the sheet."""
    shapes = _Shapes(components)
    h, touches = shapes.h, shapes.touches
    drop = _are_rules_or_edges(shapes)
    large = _are_large(shapes, ~drop, components)
    if len(components.members) == 1:
        through = _goes_through(shapes)
        drop &= ~through
        large &= ~through & (min(shapes.height, shapes.width) >= 40)
    if large.any():
        # Where there is next to nothing else, what runs out of the picture on one side only, from well
        # inside, is a digit cut off.
        few = np.count_nonzero(~drop & (3 * h >= h[~drop].max(initial=0))) <= 2
        for i in np.flatnonzero(large).tolist():
            cut_off = few and touches[i] == 1 and _reaches_inside(components, i)
            drop[i] = not cut_off and _runs_along_the_border(components, i)
    # What stands clear of the border tells how high writing is here. Beside it, what touches the border
    # and is far larger is the desk; slivers there, smaller, are cut-off ends of neighbours and frames.
    clear = ~drop & (touches == 0) & (h >= components.settings.least_height)
    if clear.sum() >= 3:
        drop |= _are_of_desk(components, shapes, typical_height(h[clear]))
    if not drop.all():
        drop |= _are_slivers(shapes, typical_height(h[clear if clear.any() else ~drop]))
    if drop.any():
        components.drop(drop)


def _are_rules_or_edges(shapes: _Shapes) -> Mask:
    """Return which components are ruled lines, or lie along the picture's border as frames and desks do."""
    reach, touches, fill, long, low = shapes.reach, shapes.touches, shapes.fill, shapes.long, shapes.low
    rule = (long > 1) & low & ((reach > 0.3) | (touches > 0) | (long > 1.5))
    hollow_or_solid = (touches > 2) & ((fill < 0.2) | (fill > 0.75))
    edge = (touches > 0) & (reach > 0.5) & (((2 * long > 1) & low) | ((touches > 1) & (fill > 0.6)))
    edge |= (touches > 0) & (reach > 0.5) & hollow_or_solid
    # A net or noise: no writing fills a page so.
    edge |= (touches == 4) & (min(shapes.height, shapes.width) >= 120)
    # What fills a picture alone may well be its only digit, cut to size.
    return np.asarray((rule | edge) if len(rule) > 1 else (edge & (rule | hollow_or_solid)))


def _are_large(shapes: _Shapes, of: Mask, components: Components) -> Mask:
    """Return which of some components are as large as frames, and the edges of sheets, are."""
    x, y, w, h = shapes.x, shapes.y, shapes.w, shapes.h
    across = np.minimum(w / shapes.width, h / shapes.height)
    large = of & ((across > 0.85) | ((shapes.touches > 0) & (shapes.reach > 0.5)))
    # The edge of a sheet that lies whole on a darker desk: around several pieces of some height.
    high = h >= components.settings.least_height
    for i in np.flatnonzero(of & ~large & (across > 0.4)):
        within = (x > x[i]) & (y > y[i]) & (x + w < x[i] + w[i]) & (y + h < y[i] + h[i])
        large[i] = np.count_nonzero(within & high) >= 3
    if shapes.height <= components.ink.strip_height and shapes.width >= SLENDER * shapes.height:
        # On a picture cut to one line what is slender and slants is a 1 that is as high, and no frame.
        large &= (2.5 * w >= h) | (shapes.fill > 0.5)
    return large


def _goes_through(shapes: _Shapes) -> Mask:
    """Return whether what a picture was cut to goes from its top to its bottom in the middle: a 1, no frame.

    Through a camera's frame, which is wider than high, goes a cable or the edge of a door.
    """
    middle = (shapes.x + shapes.w / 2) / shapes.width
    through = (shapes.h == shapes.height) & (shapes.touches == 2) & (middle > 0.25) & (middle < 0.75)
    return np.asarray(through & (shapes.width <= 1.2 * shapes.height))


def _reaches_inside(components: Components, i: int) -> bool:
    """Return whether a component's ink lies well inside the picture, and not along its border."""
    height, width = components.labels.shape
    dx, dy = width // 8, height // 8
    inside = components.labels[dy : height - dy, dx : width - dx] == components.members[i][0]
    return bool(np.count_nonzero(inside) >= 0.5 * components.areas[i])


def _runs_along_the_border(components: Components, i: int) -> bool:
    """Return whether a component's ink lies along the sides of its box, like a frame's or the desk's."""
    x, y, w, h = components.boxes[i].tolist()
    band = max(2, round(0.08 * max(min(w, 1.8 * h), h)))  # a string of digits is wide, and no frame
    inside = components.labels[y + band : y + h - band, x + band : x + w - band]
    own = inside == components.members[i][0]
    return bool(np.count_nonzero(own) < 0.35 * components.areas[i])


def _are_of_desk(components: Components, shapes: _Shapes, tall: float) -> Mask:
    """Return which components are the desk beside writing that is so high, in pixels, or lie along it."""
    # On a picture cut to one line of writing there is no desk; what is clear there may be dirt.
    if min(shapes.height, shapes.width) < 7 * tall:
        return np.zeros(len(components.members), bool)
    larger = (shapes.touches > 0) & (np.maximum(shapes.h, shapes.w / 3) > 2.5 * tall)
    # Nor is writing a strip of desk along the border, or what lies along a sheet's edge; but the edge of a
    # shadow goes through digits, and few are as slender.
    slender = np.minimum(shapes.w, shapes.h) < 0.5 * tall
    return np.asarray(larger | (_flush(components) > 0.5) | (slender & (_beside_edges(components) > 0.5)))


def _flush(components: Components) -> NDArray[np.float64]:
    """Return of each component what part of its height (or width) lies on the picture's border, 0…1."""
    labels, size = components.labels, components.dropped.size
    columns, rows = (
        np.maximum(*(np.bincount(side, minlength=size) for side in sides))
        for sides in ((labels[:, 0], labels[:, -1]), (labels[0], labels[-1]))
    )
    ids = [member[0] for member in components.members]
    _, _, w, h = components.boxes.T
    return np.asarray(np.maximum(columns[ids] / h, rows[ids] / w))


def _beside_edges(components: Components) -> NDArray[np.float64]:
    """Return of each component what part of its ink lies beside the edge of a sheet, 0…1."""
    edges, labels = components.ink.edges, components.labels
    if not edges.any():
        return np.zeros(len(components.members))
    edges = np.asarray(cv2.resize(edges, labels.shape[::-1], interpolation=cv2.INTER_NEAREST))
    beside = np.bincount(labels[edges > 0], minlength=components.dropped.size)
    ids = [member[0] for member in components.members]
    return np.asarray(beside[ids] / components.areas)


def _are_slivers(shapes: _Shapes, tall: float) -> Mask:
    """Return which components at the border are only the ends of what is cut off there."""
    return np.asarray(
        (shapes.touches > 0)
        & ((shapes.touches > 1) | (3 * shapes.long > 1))
        & (shapes.h < 0.8 * tall)
        & (np.minimum(shapes.w, shapes.h) < 0.4 * tall)
    )


_UPRIGHT = 2.5
"""A piece of an upright line is so many times as high as wide, or higher."""


def _leave_out_pale_lines(components: Components) -> None:
    """Leave out what is ink here and there of a line that goes down the page palely."""
    _, _, w, h = components.boxes.T
    high = h >= components.settings.least_height
    slender = high & (h >= _UPRIGHT * w)
    if not slender.any():
        return
    tall = typical_height(h[high])
    of_line = np.zeros(len(h), bool)
    for i in np.flatnonzero(slender).tolist():
        left, top, width, height = components.boxes[i].tolist()
        box = left, top, width, height
        of_line[i] = is_of_pale_line(components.ink.contrast, components.ink.strong, box, tall)
    if of_line.any():
        components.leave_out(of_line)


def _drop_drawings(components: Components) -> None:
    """Drop what is drawn: outlines that digits touch, what is far higher than the writing, and holes."""
    around = {label for label, is_free in find_outlines(components.labels, components.stats) if not is_free}
    drawn = np.array([members[0] in around for members in components.members], bool)
    drawn |= _are_far_higher(components, ~drawn)
    drawn |= _are_solid(components, ~drawn)
    faces = _are_faces(components, ~drawn)
    components.faces = [(x, y, w, h) for x, y, w, h in components.boxes[faces].tolist()]
    drawn |= faces
    if drawn.any():
        components.passed_over += int(components.areas[drawn].sum())
        components.drawn = components.labels_of(drawn)
        components.drop(drawn)


_DRAWING = 4.0
"""A drawing is more than so many times as high as writing; of so many times as many pieces is writing …"""
_TO_ONE_DRAWING = 8
_BESIDE_DRAWINGS = 4
"""… so many of them outside its box …"""
_INK_OF_DRAWINGS = 0.25
"""… which have so much of its ink, or more."""


def _are_far_higher(components: Components, of: Mask) -> Mask:
    """Return which few of some components are far higher than all the others: a cup's ring, a pen, an arrow.

    By them alone the many would be specks. A large number has more ink than small writing below it.
    """
    heights, areas = components.boxes[:, 3], components.areas
    found = np.zeros(len(heights), bool)
    high = np.flatnonzero(of & (heights >= components.settings.least_height))
    high = high[np.argsort(heights[high], kind="stable")]
    few_at_most = high.size // (1 + _TO_ONE_DRAWING)
    if not few_at_most:
        return found
    # Of so many of the lowest the typical height, for every number of them at once: see `typical_height`.
    weights = np.cumsum(heights[high] ** 2)
    typical = heights[high][np.searchsorted(weights, weights / 2)]
    counts = np.arange(1, few_at_most + 1)
    parts = heights[high][-counts] > _DRAWING * typical[-counts - 1]
    for few in counts[parts].tolist():
        writing, few_highest = high[:-few], high[-few:]
        tall = float(typical[-few - 1])
        # What is inside it may be its own, as the eyes of a face are.
        outside = _are_outside(components.boxes[writing], components.boxes[few_highest])
        beside = writing[(heights[writing] >= 0.5 * tall) & outside]
        enough = beside.size >= _BESIDE_DRAWINGS * few
        if enough and areas[beside].sum() >= _INK_OF_DRAWINGS * areas[few_highest].sum():
            found[few_highest] = True
    return found


def _are_outside(boxes: NDArray[np.int64], others: NDArray[np.int64]) -> Mask:
    """Return which boxes (N×4) have their middle outside all of the others (M×4)."""
    x, y, w, h = boxes.T
    left, top, wide, tall = others.T[:, :, None]
    across, down = x + w / 2, y + h / 2
    inside = (left <= across) & (across <= left + wide) & (top <= down) & (down <= top + tall)
    return np.asarray(~inside.any(axis=0))


_SOLID, _WHOLE = 0.68, 0.94
"""What is solid fills so much of its box, and of its convex hull, or more: of 60,000 digits of MNIST 8 do."""
_ROUND = 0.6
"""It is so many times as wide as high, or as high as wide, or more …"""
_AS_HIGH = 0.6
"""… and as high as this part of the writing: points are lower, and bullets before a number."""


def _are_solid(components: Components, of: Mask) -> Mask:
    """Return which of some components are as solid as holes that were punched: they read as 0s."""
    _, _, w, h = components.boxes.T
    high = of & (h >= components.settings.least_height)
    if not high.any():
        return high
    found = high & (h >= _AS_HIGH * typical_height(h[high]))
    found &= (components.areas >= _SOLID * w * h) & (np.minimum(w, h) >= _ROUND * np.maximum(w, h))
    for i in np.flatnonzero(found).tolist():
        x, y, width, height = components.boxes[i].tolist()
        own = np.asarray(components.labels[y : y + height, x : x + width] == components.members[i][0])
        hull = cv2.convexHull(cv2.findNonZero(own.view(np.uint8)))
        whole = cv2.fillConvexPoly(np.zeros(own.shape, np.uint8), hull, 1)
        found[i] = np.count_nonzero(own) >= _WHOLE * np.count_nonzero(whole)
    return np.asarray(found)


_FEATURES, _OF_FACE = 2, 0.02
"""A face has so many pieces in its outline, or more, and these so much ink, or more, for its box."""


def _are_faces(components: Components, of: Mask) -> Mask:
    """Return which of some components have pieces in them, as a face has its eyes: it reads as a 0."""
    order = np.argsort(components.boxes[:, 0], kind="stable")
    x, y, w, h = components.boxes[order].T
    areas = components.areas[order]
    found = np.zeros(len(x), bool)
    for i in np.flatnonzero(of[order] & (np.minimum(w, h) >= components.settings.least_height)).tolist():
        right, bottom = x[i] + w[i], y[i] + h[i]
        # What is in it begins between its sides: of a page's thousands of pieces few do.
        near = slice(*np.searchsorted(x, (x[i] + 1, right)))
        inside = (y[near] > y[i]) & (x[near] + w[near] < right) & (y[near] + h[near] < bottom)
        features = int(areas[near][inside].sum())
        enough = np.count_nonzero(inside) >= _FEATURES and features >= _OF_FACE * w[i] * h[i]
        found[order[i]] = enough
    return found
