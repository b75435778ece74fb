"""Sheets of paper on a darker desk: found, and flattened where they are seen at an angle or in a shadow.

Lines of writing are looked for level and digits upright; a camera held at an angle makes neither. A sheet's
edges tell how it was held. Only a sheet that is beyond doubt is believed in; any other picture is read as it
is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import UNIT_SQUARE, homography, project, within
from edgedigits.ink import InkSettings, evenly_lit, longest_side, to_grey
from edgedigits.quads import QuadSettings, each_quad_in, sheet_masks
from edgedigits.shadows import ANY_SHADOW

Box = tuple[int, int, int, int]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SheetSettings:
    """When a sheet is believed in and flattened."""

    search: bool = True
    """Whether sheets are looked for at all."""
    working_side: int = 400
    """They are looked for in a copy of at most so many pixels a side. 100…10,000."""
    least_share: float = 0.15
    """A sheet, or several beside one another, cover at least this part of the picture. 0…1."""
    least_other: float = 0.03
    """Each of several covers at least this part. 0…1."""
    least_contrast: float = 1.3
    """It is so many times as bright as the desk, along each of its sides. 1…255."""
    least_angle: float = 4.0
    """It is flattened if a side is off the level, or a corner off the square, by so many degrees. 0…180."""
    shadow: float = 1.3
    """A shadow falls on it if the light along its edges differs by so many times. 1…255."""
    as_alike: float = 0.5
    """Then it falls on the desk beside them alike, but for this part of that (in logarithms). 0…1."""
    longest_side: int = 2000
    """Pixels of the flattened sheet's longer side at most; one longer than 2:1 may have more, as
    `ink.longest_side` says. 64…32,000."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A flattened sheet: its picture, uint8, H×W grey.

    `matrix` (3×3) takes its pixels to those of the picture it was found in.
    """

    picture: NDArray[np.uint8]
    matrix: Floats
    level: bool
    """Whether it is seen as it lies here: beside it, too, lines of writing are level then."""

    @property
    def corners(self) -> Floats:
        """Its corners, 4×2, in pixels of the picture it was found in."""
        height, width = self.picture.shape[:2]
        own = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
        return project(self.matrix, own)

    @property
    def area(self) -> float:
        """What it takes up of the picture it was found in, in its pixels."""
        return _area(self.corners)

    def holds(self, box: Box) -> bool:
        """Return whether the middle of a box, in pixels of the picture it was found in, lies on it."""
        x, y, w, h = box
        return within(np.array([x + w / 2, y + h / 2]), self.corners)

    def to_picture(self, box: Box, across: tuple[float, float], size: tuple[int, int]) -> Box:
        """Return the box, in pixels of a page of `size` (width, height), that holds a box of the sheet.

        `across` are the page's pixels per pixel of the picture the sheet was found in.
        """
        x, y, w, h = box
        corners = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float64)
        seen = project(self.matrix, corners) * across
        left, top = np.clip(np.floor(seen.min(axis=0)).astype(int), 0, np.array(size) - 1)
        right, bottom = np.minimum(np.ceil(seen.max(axis=0)).astype(int), size)
        return int(left), int(top), max(1, int(right - left)), max(1, int(bottom - top))


def find_sheets(image: NDArray[np.uint8], settings: SheetSettings = SheetSettings()) -> list[Sheet]:
    """Return the sheets of a picture (uint8, H×W grey or H×W×3 BGR), flattened and without shadows.

    They are in reading order. There are none where there is but one that lies level and in no shadow, and
    where there is no sheet that lies whole on a darker desk.
    """
    height, width = image.shape[:2]
    if not settings.search or min(height, width) < 100 or not _may_lie_on_a_desk(image, settings):
        return []
    scale = min(1.0, settings.working_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Grey first: to average three channels costs three times as much, and it is what this costs most.
    whole = to_grey(image)
    way = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # it is smoothed in any case
    grey = np.asarray(cv2.resize(whole, size, interpolation=way), np.uint8)
    quads = _quads_of_sheets(grey, settings)
    across = np.array((width / size[0], height / size[1]))
    shaded = [_is_shaded(grey, quad, settings) for quad in quads]
    if len(quads) == 1 and not shaded[0] and _off(quads[0] * across) <= settings.least_angle:
        return []
    # The corners are right to a pixel or so of this copy: what lies closer to an edge may be desk.
    sheets = [_flattened(whole, quad * across, settings, margin=1.5 * across[0]) for quad in quads]
    return [_in_even_light(s) if dark else s for s, dark in zip(sheets, shaded, strict=True)]


def _quads_of_sheets(grey: NDArray[np.uint8], settings: SheetSettings) -> list[Floats]:
    """Return the corners of sheets (4×2, pixels of the picture) in reading order."""
    found: list[Floats] = []
    # Paper is looked at without what is written or printed there.
    paper = np.asarray(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)), np.uint8)

    def is_sheet(quad: Floats, leniency: float = 0.0) -> bool:
        return _is_sheet(grey, paper, quad, settings, leniency) and not any(_overlap(quad, f) for f in found)

    def likely(quad: Floats) -> bool:
        return is_sheet(quad, _LENIENCY)

    quads = QuadSettings(sheet_side=settings.working_side, least_area=settings.least_other)
    masks, scale = sheet_masks(grey, quads)
    whole, outlines = next(masks), next(masks)
    for mask in itertools.chain((whole, outlines), masks):
        for quad in each_quad_in(mask, scale, quads, likely):
            if is_sheet(quad):
                found.append(quad)
        if found:
            break
    for k, outer in enumerate(found):
        # A sheet that lies askew on another, as on a clipboard, is what is written on.
        found[k] = next(
            (
                inner
                for inner in each_quad_in(outlines, scale, quads, partial(_lies_askew, outer, settings))
                if _is_sheet(grey, paper, inner, settings)
            ),
            outer,
        )
    if sum(map(_area, found)) < settings.least_share * grey.size:
        return []
    rows: list[list[Floats]] = []
    for quad in sorted(found, key=lambda quad: float(quad[:, 1].mean())):
        # What lies beside another is as high up by and large.
        if rows and quad[:, 1].mean() < rows[-1][0][:, 1].max():
            rows[-1].append(quad)
        else:
            rows.append([quad])
    return [quad for row in rows for quad in sorted(row, key=lambda quad: float(quad[:, 0].mean()))]


def _lies_askew(outer: Floats, settings: SheetSettings, quad: Floats) -> bool:
    """Return whether a quadrilateral takes up much of another one and lies at an angle in it."""
    if not _INNER[0] <= _area(quad) / _area(outer) <= _INNER[1]:
        return False
    if not all(within(corner, outer) for corner in quad):
        return False
    sides = np.linalg.norm(np.roll(outer, -1, axis=0) - outer, axis=1)
    flat = project(homography(outer, UNIT_SQUARE * sides[[0, 1]]), quad)
    return _off(flat) > settings.least_angle


_INNER = (0.4, 0.85)
"""What lies on another sheet takes up at least, and at most, this part of it."""


def _area(quad: Floats) -> float:
    return float(cv2.contourArea(quad.astype(np.float32)))


def _overlap(one: Floats, other: Floats) -> bool:
    return within(one.mean(axis=0), other) or within(other.mean(axis=0), one)


def _may_lie_on_a_desk(image: NDArray[np.uint8], settings: SheetSettings) -> bool:
    """Return whether the picture is darker around than inside, which costs next to nothing to know."""
    step = max(1, min(image.shape[:2]) // 48)
    thumb = image[::step, ::step]
    grey = thumb if thumb.ndim == 2 else thumb[..., 1]
    around = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    inside = grey[len(grey) // 4 : -(len(grey) // 4), grey.shape[1] // 4 : -(grey.shape[1] // 4)]
    return bool(_upper_quartile(inside) >= settings.least_contrast * _upper_quartile(around))


def _upper_quartile(values: NDArray[np.uint8]) -> float:
    at = 3 * values.size // 4
    return float(np.partition(values, at, axis=None)[at])


_LENIENCY = 0.15
"""How much less is asked of a sheet whose corners are known by and large only."""


def _is_sheet(
    grey: NDArray[np.uint8],
    paper: NDArray[np.uint8],
    quad: Floats,
    settings: SheetSettings,
    leniency: float = 0.0,
) -> bool:
    """Return whether four corners are a sheet: whole, as a camera may see one, and brighter on every side."""
    height, width = grey.shape
    x, y = quad.T
    least = 1 - 20 * leniency
    if x.min() < least or y.min() < least or x.max() > width - 1 - least or y.max() > height - 1 - least:
        return False
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.linalg.norm(sides, axis=1)
    following = np.roll(sides, -1, axis=0)
    sines = (sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]) / (lengths * np.roll(lengths, -1))
    opposite = lengths[[0, 1]] / lengths[[2, 3]]
    if not ((sines > 0.7 - leniency).all() and (np.abs(np.log2(opposite)) < 1 + leniency).all()):
        return False
    light, dark = _beside_sides(paper, quad)[0], _beside_sides(grey, quad)[1]
    contrast = settings.least_contrast - leniency
    enough = _medians(light) >= contrast * _medians(dark)
    return bool(enough.all() and (np.mean(light > 1.1 * dark, axis=1) >= 0.9 - leniency).all())


def _is_shaded(grey: NDArray[np.uint8], quad: Floats, settings: SheetSettings) -> bool:
    """Return whether a shadow falls on a sheet: it takes the same part of the light from the desk beside."""
    inside, outside = (np.log(np.maximum(values, 1)) for values in _beside_sides(grey, quad))
    # Not the least and the most: writing may reach there, and things may lie there.
    light = float(np.subtract(*np.percentile(inside, (95, 5))))
    # Its edge may cross the sheet's at a slant: what is outside is looked at a little farther along, too.
    aside = np.pad(outside, ((0, 0), (_ASIDE, _ASIDE)), constant_values=np.inf)
    ratio = float(np.median(inside - outside))
    count = inside.shape[1]
    off = [np.abs(inside - aside[:, k : k + count] - ratio) for k in range(2 * _ASIDE + 1)]
    unlike = 2 * float(np.percentile(np.min(off, axis=0), 80))
    return light > np.log(settings.shadow) and unlike <= settings.as_alike * light


_ASIDE = 3
"""So many of a side's points along what is outside is looked at."""


def _in_even_light(sheet: Sheet) -> Sheet:
    """Return a sheet without the shadows that fall on it."""
    return replace(sheet, picture=evenly_lit(sheet.picture, InkSettings(shadows=ANY_SHADOW)))


def _beside_sides(grey: NDArray[np.uint8], quad: Floats) -> tuple[Floats, Floats]:
    """Return the brightness at points along each side, 4×24 each: a little inside of it, and outside."""
    sides = np.roll(quad, -1, axis=0) - quad
    along = quad[:, None] + np.linspace(0.1, 0.9, 24)[:, None] * sides[:, None]
    outward = along - quad.mean(axis=0)
    outward *= 0.02 * sum(grey.shape) / 2 / np.linalg.norm(outward, axis=2, keepdims=True)
    return _sampled(grey, along - outward), _sampled(grey, along + outward)


def _medians(rows: Floats) -> Floats:
    middle = np.sort(rows, axis=1)
    count = rows.shape[1]
    return np.asarray((middle[:, (count - 1) // 2] + middle[:, count // 2]) / 2, np.float64)


def _sampled(grey: NDArray[np.uint8], points: Floats) -> NDArray[np.float64]:
    x, y = np.moveaxis(np.rint(points).astype(int), -1, 0)
    height, width = grey.shape
    return grey[y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.float64)


def _off(corners: Floats) -> float:
    """Return by how many degrees a side is off the level or a corner off the square, whichever is most."""
    sides = np.roll(corners, -1, axis=0) - corners
    angles = np.degrees(np.arctan2(sides[:, 1], sides[:, 0])) - np.array([0, 90, 180, 270])
    return float(np.abs((angles + 180) % 360 - 180).max())


def _flattened(grey: NDArray[np.uint8], corners: Floats, settings: SheetSettings, margin: float) -> Sheet:
    """Return what four corners of a picture surround, less so many of its pixels along each edge."""
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = max(top, bottom) - 2 * margin, max(left, right) - 2 * margin
    scale = min(1.0, longest_side(width, height, settings.longest_side) / max(width, height))
    if scale < 1:  # averaged first: the warp takes only what lies next to a point
        grey = np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    size = (round(width * scale), round(height * scale))
    own = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float64)
    own += margin * scale * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    matrix = homography(own, corners * scale)
    picture = cv2.warpPerspective(
        grey,
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    level = _off(corners) <= settings.least_angle
    return Sheet(np.asarray(picture, np.uint8), np.diag([1 / scale, 1 / scale, 1.0]) @ matrix, level)
