"""What a pen and a camera do to a digit, and then what the device does to the picture.

A digit is taken apart into distances (`distance_fields`), or drawn in the form of another hand (`forms`). The
distances are bent (affine and elastic), made ink on a small
picture of the size a camera gives a digit, photographed (paper, light, blur, noise, JPEG, rules and
neighbours), and the picture goes through the device's own `find_ink` and `normalize`, so that training sees
what the device will see.

Whatever is random comes from a generator that is handed in. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edgedigits.ink import find_ink
from edgedigits.normalize import CENTRE, SIZE, normalize
from edgedigits_train import forms
from edgedigits_train.distance_fields import FIELD, FINE, UNIT, Fields, code
from edgedigits_train.recipe import Augmentation

CANVAS = 52
"""Side of the picture a digit is photographed in, in pixels."""
_AT_ONCE = 500
"""Crops bent at once: as many as stay in a processor's cache."""


# Drawing ----------------------------------------------------------------------------------------------

_YX = np.mgrid[:FIELD, :FIELD].astype(np.float32)
_OUT = np.arange(CANVAS, dtype=np.float32) - (CANVAS - 1) / 2


def draw(
    shapes: Fields,
    labels: npt.NDArray[np.integer],
    settings: Augmentation,
    random: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Draw every shape once more, another way; return crops as the device makes them.

    `labels` [N] say what the shapes are: 1, 4, 7 and 9 have forms of their own; −1 is anything. Returns
    uint8, N×28×28, ink bright on 0, centred as MNIST does it. Whatever is drawn comes from `random` alone.
    """
    crops = np.empty((len(shapes), SIZE, SIZE), np.uint8)
    for i in range(len(shapes)):
        ink = _ink(shapes, i, int(labels[i]), settings, random)
        if settings.coarse and random.random() < settings.coarse:
            ink = _coarser(ink, random)
        glyph = None
        if random.random() < settings.camera:
            glyph = found_again(photograph(ink, settings, random), ink)
        if glyph is None:
            glyph = np.where(ink > 0.06, ink * 255, 0).astype(np.uint8)
        crops[i] = normalize(glyph)
    return crops


def _ink(
    shapes: Fields, i: int, label: int, settings: Augmentation, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return a shape as ink: float32, `CANVAS`², 0…1."""
    other = settings.forms > 0 and label in forms.FORMS and random.random() < settings.forms
    pen = other or (bool(shapes.smooth[i]) and random.random() < settings.pen)
    if pen:
        source, width = shapes.middle[i], float(np.exp(random.uniform(np.log(1.7), np.log(6.5))))
        grow = width / 2
    else:
        source, width = shapes.inside[i], float(shapes.width[i])
        grow = settings.bolder * random.uniform(-0.5, 1.0)
        # A stroke is thinned, not rubbed out.
        grow = max(grow, -0.3 * width)
    if other:
        source = forms.draw(label, int(random.integers(1 << 16)), random)
    elif label in _HANDS and random.random() < settings.strokes:
        drawn = _HANDS[label](_Line(shapes.middle[i]), random)
        if drawn is not None:
            away, kept = drawn
            source = np.where(kept, source, 0) if kept is not None else source
            source = np.maximum(source, code(-away + (0.0 if pen else max(width, 2.0) / 2)))
    height = float(np.exp(random.uniform(np.log(13.0), np.log(36.0))))
    scale = height / (FINE * 20)
    columns, rows = _bent(scale, settings, random)
    distance = cv2.remap(
        source, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    ).astype(np.float32)
    distance -= 128
    distance *= 1 / UNIT
    edge: npt.NDArray[np.float32] | float = grow
    if settings.pressure:
        waves = np.asarray(
            cv2.resize(
                random.normal(0, 1, (5, 5)).astype(np.float32),
                (CANVAS, CANVAS),
                interpolation=cv2.INTER_CUBIC,
            ),
            np.float32,
        )
        edge = grow + (settings.pressure * random.random() * 0.5 * (width + 2 * (0 if pen else grow))) * waves
    ink = distance + edge
    ink *= scale
    ink += 0.5
    np.clip(ink, 0, 1, out=ink)
    if settings.broken and random.random() < settings.broken:
        _break(ink, scale, random)
    return ink


def _bent(
    scale: float, settings: Augmentation, random: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return where in the field each pixel of the canvas comes from: columns and rows."""
    angle = np.deg2rad(np.clip(random.normal(0, 1), -2.5, 2.5) * settings.rotation)
    slant = np.clip(random.normal(settings.lean, settings.slant), -0.6, 1.0) if settings.slant else 0.0
    stretch = float(np.exp(0.5 * np.clip(random.normal(0, 1), -2.5, 2.5) * settings.stretch))
    shear = np.array([[1, -slant], [0, 1]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = np.linalg.inv(scale * turn @ shear @ np.diag([stretch, 1 / stretch])).astype(np.float32)
    middle = (FIELD - 1) / 2
    columns = (back[0, 0] * _OUT[None, :] + back[0, 1] * _OUT[:, None]) + np.float32(middle)
    rows = (back[1, 0] * _OUT[None, :] + back[1, 1] * _OUT[:, None]) + np.float32(middle)
    if settings.elastic:
        # The knots lie in the field, so that small pictures bend as far as large ones do.
        knots = random.normal(0, settings.elastic * random.uniform(0.3, 1.2), (5, 5, 2)).astype(np.float32)
        side = max(CANVAS, int(np.ceil(FIELD * scale)))
        waves = cv2.resize(knots, (side, side), interpolation=cv2.INTER_CUBIC)
        if side > CANVAS:
            cut = (side - CANVAS) // 2
            waves = waves[cut : cut + CANVAS, cut : cut + CANVAS]
        columns += waves[..., 0]
        rows += waves[..., 1]
    return columns, rows


class _Line:
    """The middle line of a digit: its points (row, column) from the top down, and its box in field pixels."""

    def __init__(self, middle: npt.NDArray[np.uint8]) -> None:
        self.points = np.argwhere(middle >= 128 - UNIT // 2).astype(np.float64)
        self.found = len(self.points) > 4
        if self.found:
            self.top, self.bottom = self.points[0, 0], self.points[-1, 0]
            self.height = max(4.0, self.bottom - self.top)

    def at(self, row: float) -> npt.NDArray[np.float64]:
        """Return the columns of the points on a row and its neighbours."""
        columns: npt.NDArray[np.float64] = self.points[np.abs(self.points[:, 0] - row) <= 1.01, 1]
        return columns


_Drawn = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None] | None
"""Distance of each field pixel to what a hand adds, and what stays of the digit (None: all of it)."""


def _one(line: _Line, random: np.random.Generator) -> _Drawn:
    """A 1 with an up-stroke, now and then with a foot."""
    if not line.found:
        return None
    (top, left), (bottom, right) = line.points[0], line.points[-1]
    length, angle = line.height * random.uniform(0.25, 1.0), np.deg2rad(random.uniform(18, 58))
    away = _from_segment((top, left), (top + length * np.cos(angle), left - length * np.sin(angle)))
    if random.random() < 0.25:
        half = line.height * random.uniform(0.15, 0.35)
        away = np.minimum(away, _from_segment((bottom, right - half), (bottom, right + half)))
    return away, None


def _seven(line: _Line, random: np.random.Generator) -> _Drawn:
    """A 7 with a bar through its stem."""
    if not line.found:
        return None
    row = line.top + line.height * random.uniform(0.4, 0.65)
    columns = line.at(row)
    if not len(columns):
        return None
    half, tilt = line.height * random.uniform(0.15, 0.32), random.uniform(-0.25, 0.15)
    middle = columns.mean() + half * random.uniform(-0.3, 0.3)
    return _from_segment((row - tilt * half, middle - half), (row + tilt * half, middle + half)), None


def _nine(line: _Line, random: np.random.Generator) -> _Drawn:
    """A 9 whose stem ends in a hook to the left."""
    if not line.found:
        return None
    start = line.top + line.height * random.uniform(0.66, 0.9)
    columns = line.at(start)
    # Where the loop still has two sides there is no stem to be bent.
    if not len(columns) or np.ptp(columns) > 6:
        return None
    radius = line.height * random.uniform(0.15, 0.38)
    flat, turn = random.uniform(0.6, 1.1), np.deg2rad(random.uniform(80, 225))
    along = np.linspace(0, turn, 6)
    rows = np.minimum(start + flat * radius * np.sin(along), FIELD - 4)
    hook = np.stack([rows, columns.mean() - radius + radius * np.cos(along)], axis=1)
    kept = _YX[0] <= start
    return _from_segments(hook), kept


def _four(line: _Line, random: np.random.Generator) -> _Drawn:
    """A 4 of two strokes: down and across, then a stem that need not reach the top."""
    middle = 30 + random.uniform(-4, 9)
    left = random.uniform(9, 20)
    wide = random.uniform(12, 32)
    corner = (middle + random.uniform(-2, 2), left)
    top = (8 + random.uniform(0, 8), left + random.uniform(-1, 0.5 * wide))
    end = (middle + random.uniform(-4, 3), left + wide)
    stem = left + wide * random.uniform(0.45, 0.9)
    upper = (middle - random.uniform(2, 20), stem + random.uniform(-2, 5))
    lower = (48, stem + random.uniform(-5, 2))
    strokes = np.minimum(
        _from_segments(np.array([top, corner, end])), _from_segments(np.array([upper, lower]))
    )
    return strokes, np.zeros((FIELD, FIELD), bool)


_HANDS: dict[int, Callable[[_Line, np.random.Generator], _Drawn]] = {1: _one, 4: _four, 7: _seven, 9: _nine}
"""Forms that many hands write and MNIST's hardly ever."""


def _from_segments(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the distance of each field pixel from a polygonal line through points (row, column)."""
    parts = [_from_segment(a, b) for a, b in itertools.pairwise(points.tolist())]
    return np.minimum.reduce(parts)


def _from_segment(a: Sequence[float], b: Sequence[float]) -> npt.NDArray[np.float32]:
    """Return the distance of each field pixel from the segment between two points (row, column)."""
    dy, dx = b[0] - a[0], b[1] - a[1]
    along = ((_YX[0] - a[0]) * dy + (_YX[1] - a[1]) * dx) / max(dy * dy + dx * dx, 1e-6)
    np.clip(along, 0, 1, out=along)
    return np.hypot(_YX[0] - a[0] - along * dy, _YX[1] - a[1] - along * dx).astype(np.float32)


def _break(ink: npt.NDArray[np.float32], scale: float, random: np.random.Generator) -> None:
    """Take ink away around one or two points of the stroke."""
    points = np.argwhere(ink > 0.5)
    if not len(points):
        return
    for y, x in points[random.integers(len(points), size=random.integers(1, 3))]:
        radius = scale * random.uniform(1.0, 3.5)
        distance = np.hypot(np.arange(CANVAS)[:, None] - y, np.arange(CANVAS)[None, :] - x)
        ink *= np.clip(distance - radius, 0, 1).astype(np.float32)


def _coarser(ink: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Pass ink through a picture in which it is 10 to 16 pixels high."""
    _, _, width, height = cv2.boundingRect((ink > 0.3).view(np.uint8))
    tall = int(random.integers(10, 17))
    if max(width, height) <= tall:
        return ink
    side = max(4, round(CANVAS * tall / max(width, height)))
    small = cv2.resize(ink, (side, side), interpolation=cv2.INTER_AREA)
    back = cv2.resize(small, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(back, 0, 1), np.float32)


def bent(
    crops: npt.NDArray[np.uint8], settings: Augmentation, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Bend crops a little, about their centre of mass, without drawing them anew; uint8, N×28×28, both.

    A few microseconds a crop, so that every epoch can have its own. Rotation, slant, stretch and elastic
    displacement are the part `settings.fresh` of those that digits are drawn with.
    """
    count, part = len(crops), settings.fresh
    angle = np.deg2rad(part * settings.rotation) * _bounded(random, count)
    slant = part * settings.slant * _bounded(random, count)
    stretch = np.exp(0.5 * part * settings.stretch * _bounded(random, count))
    # Displacements are counted in field pixels.
    knots = random.standard_normal((count, 4, 4, 2), dtype=np.float32) * np.float32(
        part * settings.elastic / FINE
    )
    cos, sin = np.cos(angle), np.sin(angle)
    # Where each pixel comes from: turned, slanted, stretched about the centre.
    matrices = np.stack([cos / stretch, sin / stretch - slant, -sin * stretch, cos * stretch], axis=1)
    matrices = matrices.astype(np.float32)
    along = np.arange(SIZE, dtype=np.float32) - np.float32(CENTRE)
    across, down = along[None, None, :], along[None, :, None]
    result = np.empty_like(crops)
    for start in range(0, count, _AT_ONCE):
        xx, xy, yx, yy = matrices[start : start + _AT_ONCE].T[..., None, None]
        columns = xx * across + xy * down + np.float32(CENTRE)
        rows = yx * across + yy * down + np.float32(CENTRE)
        for i in range(start, min(start + _AT_ONCE, count)):
            waves = cv2.resize(knots[i], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
            x, y = columns[i - start] + waves[..., 0], rows[i - start] + waves[..., 1]
            result[i] = cv2.remap(crops[i], x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    return result


def _bounded(random: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Return normal deviates, none beyond 2.5."""
    return np.clip(random.standard_normal(count), -2.5, 2.5)


# The camera -------------------------------------------------------------------------------------------

_RAMP = np.linspace(-1, 1, CANVAS, dtype=np.float32)


def photograph(
    ink: npt.NDArray[np.float32], settings: Augmentation, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return a grey picture of ink on paper: uint8, of the shape of `ink` (float32, `CANVAS`², 0…1)."""
    if settings.residue and random.random() < settings.residue:
        ink = _with_residue(ink, random)
    contrast = random.uniform(0.3, 0.95)
    paper = random.uniform(90, 245)
    light = 1 + random.uniform(-0.15, 0.15) * _RAMP[None, :] + random.uniform(-0.15, 0.15) * _RAMP[:, None]
    if random.random() < 0.08:  # the edge of a shadow
        slope = random.normal(0, 1, 2)
        across = slope[0] * _RAMP[None, :] + slope[1] * _RAMP[:, None] + random.uniform(-1, 1)
        light = light * (1 - random.uniform(0.1, 0.4) / (1 + np.exp(-np.clip(12 * across, -30, 30))))
    picture = paper * light * (1 - contrast * ink)
    picture = picture.astype(np.float32)
    blur = random.uniform(0, 1.0)
    if blur > 0.25:
        picture = np.asarray(cv2.GaussianBlur(picture, (5, 5), blur), np.float32)
    noise = random.uniform(0, 1) ** 2 * 0.06 * paper
    picture += random.standard_normal(picture.shape, dtype=np.float32) * np.float32(noise)
    grey = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if random.random() < 0.15:
        _, code = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 90))])
        grey = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
    return grey


def _with_residue(ink: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Add a ruled line close to the glyph's box, or a piece of a neighbour at its side."""
    x, y, width, height = cv2.boundingRect((ink > 0.3).view(np.uint8))
    added = np.zeros_like(ink)
    strength = random.uniform(0.4, 1.0)
    kind = random.integers(3)
    gap = int(random.integers(-1, 6))
    # What touches the digit is a short rest of a rule; a whole one `find_lines` takes off.
    reach = CANVAS if gap > 1 else int(random.integers(0, 5))
    if kind == 0:  # below or above
        row = y + height + gap if random.random() < 0.7 else y - 1 - gap
        end = (x + width + reach, row + int(random.integers(-2, 3)))
        cv2.line(added, (x - reach, row), end, strength, 1)
    elif kind == 1:  # at the left or right
        column = x + width + gap if random.random() < 0.5 else x - 1 - gap
        end = (column + int(random.integers(-2, 3)), y + height + reach)
        cv2.line(added, (column, y - reach), end, strength, 1)
    else:
        thick = int(random.integers(1, 4))
        column = x + width + gap + thick if random.random() < 0.5 else x - 1 - gap - thick
        points = np.cumsum(random.normal(0, 4, (4, 2)), axis=0)
        points += np.array([column, y + height * random.random()])
        points[:, 0] = np.where(points[:, 0] > x + width / 2, np.maximum(points[:, 0], column), points[:, 0])
        points[:, 0] = np.where(points[:, 0] <= x + width / 2, np.minimum(points[:, 0], column), points[:, 0])
        cv2.polylines(added, [np.rint(points).astype(np.int32)], False, strength, thick)
    return np.maximum(ink, added)


def found_again(
    picture: npt.NDArray[np.uint8], ink: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.uint8] | None:
    """Find the glyph in a grey picture as the device does; None where there is none.

    Ink is told from paper by `find_ink`; the glyph is made of the connected pieces that lie on what was
    drawn (`ink`, float32 of the picture's shape, 0…1), or of all pieces where that is not given. Returns
    uint8 of the picture's shape: 0 background … 255 full ink, greys kept as `edgedigits.glyphs` keeps them.
    """
    found = find_ink(picture)
    if found.strong >= 255:
        return None
    mask = (found.contrast >= found.weak).view(np.uint8)
    _, pieces = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
    wanted = pieces[(ink > 0.5) & (mask > 0)] if ink is not None else pieces[found.contrast >= found.strong]
    kept = np.bincount(wanted, minlength=int(pieces.max()) + 1) >= 3
    kept[0] = False
    member = kept[pieces]
    own = found.contrast[member]
    # A shadow's edge taken for ink swallows the digit; the device would not offer that as one.
    if own.size < 6 or (ink is not None and own.size > 3 * int((ink > 0.1).sum()) + 40):
        return None
    full, floor = float(np.percentile(own, 75)), 0.5 * found.weak
    grey = (found.contrast.astype(np.float32) - floor) * (255.0 / max(1.0, full - floor))
    return np.where(member, np.clip(grey, 0, 255), 0).astype(np.uint8)
