"""Sheets of paper on a darker desk: found, and flattened where they are seen at an angle or in a shadow.

Lines of writing are looked for level and digits upright; a camera held at an angle makes neither. A sheet's
edges tell how it was held. Only a sheet that is beyond doubt is believed in; any other picture is read as it
is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.geometry import UNIT_SQUARE, area_of, homography, project, within
from edgedigits.ink import InkSettings, evenly_lit, longest_side, to_grey
from edgedigits.ink.shadows import ANY_SHADOW
from edgedigits.sheet.piles import Piled, sheets_in_pile
from edgedigits.sheet.quads import QuadSettings, each_quad_in, sheet_masks
from edgedigits.sheet.remnants import remnants
from edgedigits.sheet.sides import is_shaded, is_sheet, paper_and_desk, without_writing
from edgedigits.sheet.straight import is_crossed

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
    outline: Floats
    """Its corners, 4×2, in pixels of the picture it was found in."""
    on_it: tuple[Floats, ...] = ()
    """The corners of sheets that lie on it, or may, likewise: there it is not seen."""

    @property
    def hidden(self) -> list[Floats]:
        """Where it is not seen: the corners of other sheets, 4×2, in its own pixels."""
        inverse = np.linalg.inv(self.matrix).astype(np.float64)
        return [project(inverse, quad) for quad in self.on_it]

    def holds(self, box: Box) -> bool:
        """Return whether the middle of a box, in pixels of the picture it was found in, lies on it."""
        x, y, w, h = box
        return within(np.array([x + w / 2, y + h / 2]), self.outline)

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

    They are in reading order; where other sheets lie on them, or may, is `Sheet.hidden`. There are none where
    there is but one that lies level and in no shadow, and where no sheet lies whole on a darker desk. Beside
    one that does, paper that runs out of the picture or is mostly covered is a sheet, too, as large as the
    box around it.
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
    found = _in_reading_order(_find(grey, settings))
    if sum(area_of(each.quad) for each in found) < settings.least_share * grey.size:
        return []
    across = np.array((width / size[0], height / size[1]))
    shaded = [is_shaded(grey, each.quad, settings.shadow, settings.as_alike) for each in found]
    if len(found) == 1 and not shaded[0] and _off(found[0].quad * across) <= settings.least_angle:
        return []
    # The corners are right to a pixel or so of this copy: what lies closer to an edge may be desk.
    sheets = [_flattened(whole, each, across, settings, margin=1.5 * across[0]) for each in found]
    return [_in_even_light(s) if dark else s for s, dark in zip(sheets, shaded, strict=True)]


def _find(grey: NDArray[np.uint8], settings: SheetSettings) -> list[Piled]:
    """Return the sheets in a picture, in its pixels."""
    paper = without_writing(grey)
    quads = QuadSettings(sheet_side=settings.working_side, least_area=settings.least_other)
    masks, scale = sheet_masks(grey, quads)
    whole, outlines = next(masks), next(masks)
    found = _quads_in(whole, scale, grey, paper, settings, quads)
    piled = list(_piled(whole, grey, paper, found, settings))
    # What several sheets make up together is none.
    alone = [quad for quad in found if not any(within(each.quad.mean(axis=0), quad) for each in piled)]
    for mask in itertools.chain((outlines,), masks):
        if alone or piled:
            break
        alone = _quads_in(mask, scale, grey, paper, settings, quads)
    for k, outer in enumerate(alone):
        # A sheet that lies askew on another, as on a clipboard, is what is written on.
        alone[k] = next(
            (
                inner
                for inner in each_quad_in(outlines, scale, quads, partial(_lies_askew, outer, settings))
                if is_sheet(grey, paper, inner, settings.least_contrast)
            ),
            outer,
        )
    sheets = [*(Piled(quad, ()) for quad in alone), *piled]
    if sheets:
        sheets += list(remnants(paper, sheets, settings.least_other * grey.size))
    return sheets


def _quads_in(
    mask: NDArray[np.uint8],
    scale: float,
    grey: NDArray[np.uint8],
    paper: NDArray[np.uint8],
    settings: SheetSettings,
    quads: QuadSettings,
) -> list[Floats]:
    """Return the corners of the sheets (4×2) that lie alone in a mask of what could be sheets."""
    found: list[Floats] = []

    def may_be(quad: Floats, roughly: bool = True) -> bool:
        return is_sheet(grey, paper, quad, settings.least_contrast, roughly) and not any(
            _overlap(quad, other) for other in found
        )

    for quad in each_quad_in(mask, scale, quads, may_be):
        if may_be(quad, roughly=False):
            found.append(quad)
    return found


def _piled(
    whole: NDArray[np.uint8],
    grey: NDArray[np.uint8],
    paper: NDArray[np.uint8],
    alone: list[Floats],
    settings: SheetSettings,
) -> Iterator[Piled]:
    """Yield the sheets that touch or overlap.

    They are looked for in the parts of a mask (uint8, H×W) that are bright and have no sheet's outline, and
    in sheets that a line crosses.
    """
    if alone and _fit(alone, whole > 0) and not any(is_crossed(grey, quad) for quad in alone):
        return
    count, labels, stats, middles = cv2.connectedComponentsWithStats(whole)
    for k in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[k])
        if area < 1.5 * settings.least_other * grey.size:
            continue
        one = [quad for quad in alone if within(middles[k], quad) and _fit([quad], labels == k)]
        if one and not is_crossed(grey, one[0]):
            continue
        left, top = max(0, x - _AROUND), max(0, y - _AROUND)
        here = np.s_[top : y + h + _AROUND, left : x + w + _AROUND]
        pile = labels[here] == k
        brightness = float(np.median(paper[here][pile]))
        if not pile.all() and brightness < settings.least_contrast * float(np.median(grey[here][~pile])):
            continue

        def look(
            points: Floats,
            quad: Floats,
            seen: NDArray[np.uint8] = grey[here],
            clean: NDArray[np.uint8] = paper[here],
            bright: float = brightness,
        ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
            return paper_and_desk(seen, clean, quad, points, bright, settings.least_contrast)

        at = np.array([left, top], np.float64)
        sheets = sheets_in_pile(grey[here], brightness, settings.least_other * grey.size, look)
        if one and len(sheets) != 2:
            continue  # it is ruled, or folded
        apart = len(sheets) == 2 and _are_side_by_side(sheets[0].quad, sheets[1].quad)
        for each in sheets:
            yield Piled(each.quad + at, () if apart else tuple(on + at for on in each.under))


def _fit(quads: list[Floats], part: NDArray[np.bool_]) -> bool:
    """Return whether quadrilaterals are a part of a picture (bool, H×W), but for next to nothing of it."""
    drawn = np.zeros(part.shape, np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(drawn, np.rint(quad).astype(np.int32), 1)
    return bool(np.count_nonzero((drawn > 0) != part) < _FITS * np.count_nonzero(part))


def _are_side_by_side(one: Floats, other: Floats) -> bool:
    """Return whether two sheets have two corners in common, and are of one size.

    Sheets of one size that lie on one another are not seen as large.
    """
    apart = np.linalg.norm(one[:, None] - other, axis=2).min(axis=1)
    return int(np.count_nonzero(apart <= _SAME)) == 2 and abs(area_of(one) / area_of(other) - 1) < _AS_LARGE


_SAME = 4.0
"""Corners no farther apart than this are the same. Pixels."""
_AS_LARGE = 0.12
"""Areas are the same but for this part: one sheet may be a little farther away."""
_AROUND = 12
"""So many pixels around a pile are looked at, too."""
_FITS = 0.025
"""The outline of a sheet that lies alone is that of what is seen, but for this part of its area."""


def _in_reading_order(found: list[Piled]) -> list[Piled]:
    """Return sheets row by row, those of a row from left to right."""
    rows: list[list[Piled]] = []
    for each in sorted(found, key=lambda each: float(each.quad[:, 1].mean())):
        # What lies beside another is as high up by and large.
        if rows and each.quad[:, 1].mean() < rows[-1][0].quad[:, 1].max():
            rows[-1].append(each)
        else:
            rows.append([each])
    return [each for row in rows for each in sorted(row, key=lambda each: float(each.quad[:, 0].mean()))]


def _lies_askew(outer: Floats, settings: SheetSettings, quad: Floats) -> bool:
    """Return whether a quadrilateral takes up much of another one and lies at an angle in it."""
    if not _INNER[0] <= area_of(quad) / area_of(outer) <= _INNER[1]:
        return False
    if not all(within(corner, outer) for corner in quad):
        return False
    sides = np.linalg.norm(np.roll(outer, -1, axis=0) - outer, axis=1)
    flat = project(homography(outer, UNIT_SQUARE * sides[[0, 1]]), quad)
    return _off(flat) > settings.least_angle


_INNER = (0.4, 0.85)
"""What lies on another sheet takes up at least, and at most, this part of it."""


def _overlap(one: Floats, other: Floats) -> bool:
    return within(one.mean(axis=0), other) or within(other.mean(axis=0), one)


def _may_lie_on_a_desk(image: NDArray[np.uint8], settings: SheetSettings) -> bool:
    """Return whether the picture is darker around than inside, which costs next to nothing to know.

    Sheets cover as much of it as they have to, wherever they lie: several may leave its middle free.
    """
    step = max(1, min(image.shape[:2]) // 48)
    thumb = image[::step, ::step]
    grey = thumb if thumb.ndim == 2 else thumb[..., 1]
    around = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    bright = _quantile(grey[1:-1, 1:-1], 1 - 0.9 * settings.least_share)
    return bool(bright >= settings.least_contrast * _quantile(around, 0.75))


def _quantile(values: NDArray[np.uint8], part: float) -> float:
    at = min(values.size - 1, int(part * values.size))
    return float(np.partition(values, at, axis=None)[at])


def _in_even_light(sheet: Sheet) -> Sheet:
    """Return a sheet without the shadows that fall on it."""
    return replace(sheet, picture=evenly_lit(sheet.picture, InkSettings(shadows=ANY_SHADOW)))


def _off(corners: Floats) -> float:
    """Return by how many degrees a side is off the level or a corner off the square, whichever is most."""
    sides = np.roll(corners, -1, axis=0) - corners
    angles = np.degrees(np.arctan2(sides[:, 1], sides[:, 0])) - np.array([0, 90, 180, 270])
    return float(np.abs((angles + 180) % 360 - 180).max())


def _flattened(
    grey: NDArray[np.uint8], sheet: Piled, across: Floats, settings: SheetSettings, margin: float
) -> Sheet:
    """Return a sheet flattened, less so many of the picture's pixels along each edge.

    `across` (2) are the picture's pixels per pixel of the one that the sheet was found in.
    """
    corners = sheet.quad * across
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
    matrix = np.diag([1 / scale, 1 / scale, 1.0]) @ matrix
    on_it = tuple(quad * across for quad in sheet.under)
    return Sheet(np.asarray(picture, np.uint8), matrix, corners, on_it)


def has_room_beside(sheets: list[Sheet], size: tuple[int, int]) -> bool:
    """Return whether sheets leave room for writing in a picture of this width and height."""
    width, height = size
    return width * height - sum(area_of(sheet.outline) for sheet in sheets) > _BESIDE * width * height


_BESIDE = 0.4
"""Where sheets leave less than this part of a picture, nothing is looked for beside them."""
