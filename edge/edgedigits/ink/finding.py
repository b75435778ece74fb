"""Frame → ink: the illumination flattened, the polarity decided, strokes told from paper.

Paper is what is left when everything thinner than a generous stroke has been closed away; ink is how much
darker (or, on a board, brighter) a pixel is than the paper around it. Being a ratio, that measure is the
same in the sun and in the shadow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import PictureError
from edgedigits.ink.polarity import Polarity, inverse_parts, polarity_of, turn_parts
from edgedigits.ink.shadows import Ground, ShadowSettings, contrast_of, ground_of, without_shadows
from edgedigits.ink.tints import Tint, find_tints, level_tints
from edgedigits.shrink import shrunk

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE_3, _SQUARE_7 = np.ones((3, 3), np.uint8), np.ones((7, 7), np.uint8)
_LEVELS = np.arange(256.0)
_SMALL = 200
"""Short side in pixels of the picture that is looked at where only what is thick matters."""
SLENDER = 1.5
"""A picture that is so many times as wide as high, or more, may be cut to one line of writing."""


@dataclass(frozen=True)
class InkSettings:
    """How ink is told from paper."""

    longest_side: int = 2000
    """Pictures are shrunk to this many pixels along their longer side: a page's digits stay far above 20 px.
    One longer than 2:1 may have more (see `longest_side`). 64…32,000."""
    stroke_fraction: float = 1 / 12
    """Strokes are thinner than this part of the picture's short side. 0…1."""
    thickest_stroke: int = 15
    """… or than this many pixels, whichever is more. 3…999."""
    thick_strokes: float = 1 / 4
    """Where outlines of thicker strokes are found: thinner than this part of the short side. 0.01…1."""
    hollow_share: float = 0.1
    """Outlines enclose at least this part of their own area that is as dark as they are. 0…1."""
    thick_up_to: int = 800
    """One digit may fill a picture whose short side is no longer than this. Pixels, 0…32,000."""
    least_contrast: float = 0.10
    """What lacks less than this part of the paper's light is never ink. 0…1."""
    noise_factor: float = 5.0
    """Ink stands this many standard deviations of the paper's own noise above the paper. 0…100."""
    weak_part: float = 0.55
    """A stroke is followed down to this part of the threshold from where it exceeds it (hysteresis). 0…1."""
    weak_part_on_texture: float = 0.8
    """The same where thin texture (a cheque's guilloche, the weave of paper) has been lifted off. 0…1."""
    weak_part_on_pattern: float = 0.65
    """The same where a pattern passed for ink at first. 0…1."""
    pattern_share: float = 0.15
    """A pattern of lines covers this part of the paper, or more, everywhere. 0…1."""
    above_pattern: float = 1.8
    """Writing on such a pattern is so many times as plain: on strips of the tuning part 1.9 to 2.5 times.
    0…1,000."""
    thick_share: float = 0.75
    """Strokes are thick, and what is thin is texture, if this part of the strong ink is 3 pixels thick.
    0…1."""
    texture_share: float = 0.05
    """There is a texture if what is thin and lies apart is this part of the strong ink or more. 0…1."""
    strip_height: int = 200
    """A picture no higher (or wider) than this may be cut to one line of writing. Pixels, 0…32,000."""
    most_ink: float = 0.2
    """Where more than this part of a page would be ink, it may be the picture's grain. 0…1."""
    shadows: ShadowSettings = field(default_factory=ShadowSettings)
    """What is taken for a shadow."""


@dataclass(frozen=True)
class Ink:
    """The ink of one picture.

    `contrast` is uint8, H×W in working pixels: 0 paper … 255 all light missing. `mask` is uint8, H×W: 1
    where there may be ink, texture lifted off. A piece of it is ink where its contrast reaches `strong`;
    where there is no ink in the whole picture, `strong` is 255. `weak` is the contrast that the mask's
    pixels have at least. `edges` is uint8, the same view in fewer pixels: 255 beside a step from the paper to
    what is darker and too wide for a stroke of `InkSettings`, else 0. `scale` is working pixels per picture
    pixel (≤ 1).
    """

    contrast: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    edges: NDArray[np.uint8]
    strong: int
    weak: int
    polarity: Polarity
    scale: float
    inverse: NDArray[np.uint8] | None = None
    """Where the picture is of the other polarity (uint8, H×W in working pixels, 255 there and else 0)."""
    tints: tuple[Tint, ...] = ()
    """Its fields of another tint, in working pixels: the contrast is that of the levelled picture."""
    printed: NDArray[np.uint8] | None = None
    """What was lifted off the mask as print: rulings of a page, boxes (uint8, H×W, 0 or 1)."""
    shaded: NDArray[np.uint8] | None = None
    """Where there are shadows with edges, the brightness of the paper (uint8, the same view in fewer pixels):
    these are no ink, nor `edges`."""
    strip_height: int = InkSettings.strip_height
    """That of the settings it was found with."""


def longest_side(width: float, height: float, ordinary: int = InkSettings.longest_side) -> float:
    """Return how many pixels the longer side of a picture of this shape may have to be looked at as it is.

    Up to 2:1 it is `ordinary`. A till roll or a long strip has small digits for its length: its longer side
    may have more, as long as the shorter one has no more than half of `ordinary`, the whole no more pixels
    than a square of that side, and OpenCV can map it.
    """
    slender = max(width, height) / min(width, height)
    if slender > _LONGEST / _LOWEST:
        return ordinary  # no digit would be left of it
    return min(ordinary * max(1.0, min(slender / 2, math.sqrt(slender))), max(ordinary, _LONGEST))


_LONGEST = 32_000
"""OpenCV maps sides of less than 32,767 pixels."""
_LOWEST = 8
"""In fewer pixels no digit is read."""


def check_image(image: Any) -> None:
    """Raise `PictureError` for what is no picture: uint8, H×W grey or H×W×3 BGR, with pixels in it."""
    if not isinstance(image, np.ndarray):
        raise PictureError(f"a picture is a NumPy array, not {type(image).__name__}; read the file first")
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise PictureError(
            f"a picture is uint8 of shape H×W (grey) or H×W×3 (BGR), not {image.dtype} of shape "
            f"{'×'.join(map(str, image.shape))}; convert it first"
        )
    if not image.size:
        raise PictureError("the picture has no pixels; check where it came from")


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of a picture: uint8, H×W from H×W or H×W×3 BGR."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def dark_on_light(image: NDArray[np.uint8], ink: Ink) -> NDArray[np.uint8]:
    """Return the greys of the picture that `ink` was found in: uint8, H×W, all ink dark, no print or shadows.

    Light that falls off is left as it is: only shadows with edges are seen to.
    """
    grey = to_grey(image)
    if ink.polarity == "light":
        grey = 255 - grey
    if ink.inverse is not None:
        size = grey.shape[1], grey.shape[0]
        grey = turn_parts(grey, np.asarray(cv2.resize(ink.inverse, size, interpolation=cv2.INTER_NEAREST)))
    if ink.tints:
        down, across = grey.shape[0] / ink.mask.shape[0], grey.shape[1] / ink.mask.shape[1]
        grey = level_tints(grey, [tint.scaled(across, down) for tint in ink.tints])
    if ink.shaded is not None:
        grey = _evened(grey, ink.shaded)
    if ink.printed is not None:
        grey = _without_print(grey, ink, ink.printed)
    return grey


def evenly_lit(grey: NDArray[np.uint8], settings: InkSettings = InkSettings()) -> NDArray[np.uint8]:
    """Return a picture (uint8, H×W, dark ink on light) less its shadows; itself where none has an edge."""
    _, lit = _grounds(grey, settings)
    return grey if lit is None else _evened(grey, lit.paper)


def _evened(grey: NDArray[np.uint8], paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return greys on paper that is as bright everywhere; its brightness is seen in fewer pixels."""
    whole = cv2.resize(paper, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    bright = float(np.percentile(paper, 90))
    return np.minimum(cv2.divide(grey, whole, scale=bright), bright).astype(np.uint8)


def _without_print(grey: NDArray[np.uint8], ink: Ink, printed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return greys with the paper in place of print: as bright as the contrast tells that it is there."""
    own = printed > 0
    # Its soft edges, too, where these are not a stroke's.
    soft = (cv2.dilate(printed, _SQUARE_3) > 0) & ((ink.mask == 0) | own)
    size = grey.shape[1], grey.shape[0]
    at = cv2.resize(soft.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    contrast = cv2.resize(ink.contrast, size, interpolation=cv2.INTER_LINEAR)
    paper = cv2.divide(grey, cv2.bitwise_not(contrast), scale=255)
    # Of what is all black, the contrast tells nothing: there it is as bright as beside it.
    black = contrast >= _BLACK
    if (black & (at > 0)).any():
        paper = np.where(black, cv2.medianBlur(cv2.dilate(grey, _SQUARE_7), 5), paper)
    return np.where(at > 0, paper, grey).astype(np.uint8)


_BLACK = 235
"""From this contrast on a pixel is too dark for its paper's brightness to be read off it."""


def find_ink(image: NDArray[np.uint8], settings: InkSettings = InkSettings()) -> Ink:
    """Tell ink from paper in a picture (uint8, H×W grey or H×W×3 BGR, any size ≥ 1×1)."""
    height, width = image.shape[:2]
    scale = min(1.0, longest_side(width, height, settings.longest_side) / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = to_grey(image)
    polarity = polarity_of(grey)
    if polarity == "light":
        grey = cv2.bitwise_not(grey).astype(np.uint8, copy=False)
    inverse = inverse_parts(grey)
    if inverse is not None:
        grey = turn_parts(grey, inverse)
    tints = find_tints(grey)
    if tints:
        grey = level_tints(grey, tints)
    ground, lit = _grounds(grey, settings)
    contrast = _contrast(grey, (lit or ground).paper)
    strong = _threshold(contrast, settings)
    if lit is None and _is_hollow(grey, contrast, strong, settings):
        ground, _ = _ground(grey, settings.thick_strokes, settings)
        contrast = _contrast(grey, ground.paper)
        strong = _threshold(contrast, settings)
    edges = (lit or ground).edges
    shaded = None if lit is None else lit.paper
    found = Ink(
        contrast,
        np.zeros_like(contrast),
        edges,
        255,
        255,
        polarity,
        scale,
        inverse,
        tints,
        shaded=shaded,
        strip_height=settings.strip_height,
    )
    if strong >= 255:
        return found
    weak = max(1, round(settings.weak_part * strong))
    mask = contrast >= weak
    thick = _without_texture(contrast, mask, strong, settings)
    if thick is not None:
        # Without the texture the two classes part elsewhere: look again.
        strong = _threshold(thick, settings)
        weak = max(1, round(settings.weak_part_on_texture * strong))
        mask = thick >= weak
    writing = _above_pattern(contrast, mask, settings)
    if writing is not None:
        strong = writing
        weak = max(1, round(settings.weak_part_on_pattern * strong))
        mask = contrast >= weak
    elif min(mask.shape) > settings.strip_height and np.count_nonzero(mask) > settings.most_ink * mask.size:
        strong = max(strong, _above_grain(grey, (lit or ground).paper, settings))
        if strong >= 255:
            return found
        weak = max(1, round(settings.weak_part * strong))
        mask = contrast >= weak
    return replace(found, mask=mask.view(np.uint8), strong=strong, weak=weak)


def _above_grain(grey: NDArray[np.uint8], paper: NDArray[np.uint8], settings: InkSettings) -> int:
    """Return the contrast that a picture's grain doesn't reach, up to 255: what neighbours differ by."""
    rows = np.ascontiguousarray(grey[:: max(1, min(grey.shape) // 240)])
    differences = _histogram(np.asarray(cv2.absdiff(rows[:, 1:], rows[:, :-1]), np.uint8)).cumsum()
    # Half of the differences of two normal values are below 0.95 standard deviations of one.
    sigma = int(differences.searchsorted(0.5 * differences[-1])) / 0.95 * 255 / max(1.0, float(paper.mean()))
    return min(255, math.ceil(settings.noise_factor * sigma))


def _without_texture(
    contrast: NDArray[np.uint8], mask: NDArray[np.bool_], strong: int, settings: InkSettings
) -> NDArray[np.uint8] | None:
    """Return the contrast less the paper's texture; None where there is none, or the writing is as thin."""
    thick = np.asarray(cv2.morphologyEx(contrast, cv2.MORPH_OPEN, _CROSS), np.uint8)
    # A texture over the whole sheet outweighs the writing, and may have been taken for it.
    strong = max(strong, _threshold(thick, settings))
    sure = contrast >= strong
    certain = np.count_nonzero(sure)
    if np.count_nonzero(thick >= strong) < settings.thick_share * certain:
        return None
    # Texture is thin, and lies apart from what is surely ink: a thin stroke is sure itself here and there,
    # and a thick one's soft edge lies close to it.
    near = cv2.dilate(sure.view(np.uint8), _SQUARE_7)
    thin = mask & (thick < settings.weak_part * strong) & (near == 0)
    if np.count_nonzero(thin) < settings.texture_share * certain:
        return None
    # … and it is everywhere, where a frame or a shadow's edge is not.
    share = cv2.resize(thin.astype(np.float32), (4, 4), interpolation=cv2.INTER_AREA)
    return thick if np.count_nonzero(share > 0.005) >= 8 else None


def _above_pattern(contrast: NDArray[np.uint8], mask: NDArray[np.bool_], settings: InkSettings) -> int | None:
    """Return the contrast that writing exceeds where a printed pattern passed for ink, too; None elsewhere.

    Such are the lines of a cheque's guilloche: plainer than any threshold for ink, and as fine as a thin pen.
    What gives them away is that they are everywhere, where a line of writing leaves room at its ends, above
    and below. The writing on them is darker by much, and thicker.
    """
    height, width = mask.shape
    if not _LEAST_SIDE <= min(height, width) <= settings.strip_height:
        return None
    share = cv2.resize(mask.astype(np.float32), _CELLS, interpolation=cv2.INTER_AREA)
    if np.count_nonzero(share >= settings.pattern_share) < 0.9 * share.size:
        return None
    found = contrast[mask]
    histogram = _histogram(found[None])
    level = _otsu(histogram, histogram.cumsum())
    above = found > level
    if not above.any() or above.all():
        return None
    if float(found[above].mean()) < settings.above_pattern * float(found[~above].mean()):
        return None
    writing = (contrast > level).view(np.uint8)
    thick = cv2.morphologyEx(writing, cv2.MORPH_OPEN, _CROSS)
    return level if np.count_nonzero(thick) >= 0.4 * np.count_nonzero(writing) else None


_LEAST_SIDE = 24
"""In fewer pixels than this, patterns have no lines."""
_CELLS = (8, 4)
"""Cells, across and down, that a pattern is looked for in."""


def _is_hollow(
    grey: NDArray[np.uint8], contrast: NDArray[np.uint8], strong: int, settings: InkSettings
) -> bool:
    """Return whether what was found is outlines: whether much of what they enclose is as dark as they are."""
    side = min(grey.shape)
    if not settings.thickest_stroke / settings.thick_strokes < side <= settings.thick_up_to:
        return False
    # Outlines of what is so thick are wide themselves.
    step = max(1, side // _SMALL)
    grey, contrast = grey[::step, ::step], contrast[::step, ::step]
    found = (contrast >= settings.weak_part * strong).view(np.uint8)
    around = cv2.copyMakeBorder(found, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(around, None, (0, 0), 1)
    enclosed = np.asarray(around[1:-1, 1:-1]) == 0
    least = settings.hollow_share * np.count_nonzero(found)
    if np.count_nonzero(enclosed) <= least:
        return False
    grey = np.ascontiguousarray(grey)
    thick = _contrast(grey, _ground(grey, settings.thick_strokes, settings)[0].paper)
    sure = thick[contrast >= strong]
    if not sure.size:
        return False
    level = int(np.partition(sure, sure.size // 2)[sure.size // 2])
    return bool(np.count_nonzero(thick[enclosed] >= 0.8 * level) > least)


def _grounds(grey: NDArray[np.uint8], settings: InkSettings) -> tuple[Ground, Ground | None]:
    """Return the ground of a picture, and that with its shadows; None where there are none."""
    ground, side = _ground(grey, settings.stroke_fraction, settings)
    if min(grey.shape) < settings.shadows.least_side:
        return ground, None

    def threshold(contrast: NDArray[np.uint8]) -> int:
        return _threshold(contrast, settings)

    return ground, without_shadows(ground, side, settings.least_contrast, threshold, settings.shadows)


def _ground(grey: NDArray[np.uint8], stroke_fraction: float, settings: InkSettings) -> tuple[Ground, int]:
    """Return the ground of a picture; strokes are thinner than `stroke_fraction` of the short side."""
    kernel = max(settings.thickest_stroke, round(stroke_fraction * min(grey.shape)))
    # Paper varies slowly: closing at a reduced size costs next to nothing and averages the noise, of which
    # a closing (a maximum) would otherwise take the brightest.
    reduction = max(1, min(kernel // 12, *grey.shape))
    averaged = shrunk(grey, reduction) if reduction > 1 else cv2.GaussianBlur(grey, (3, 3), 0)
    side = kernel // reduction
    return ground_of(np.asarray(averaged, np.uint8), side, settings.least_contrast), side


def _contrast(grey: NDArray[np.uint8], paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much darker than the paper, seen in fewer pixels, each pixel is."""
    if paper.shape != grey.shape:
        size = grey.shape[1], grey.shape[0]
        paper = np.asarray(cv2.resize(paper, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return contrast_of(grey, paper)


def _threshold(contrast: NDArray[np.uint8], settings: InkSettings) -> int:
    """Return the contrast that certain ink exceeds; 255 where nothing does."""
    # On a large picture rows that lie a stroke's width apart tell as much as all of them.
    rows = contrast[:: max(1, min(contrast.shape) // 240)]
    histogram = _histogram(rows)
    # Ink may cover half of a small picture, so the paper's noise is read off the quarter of the pixels that
    # is surely paper; 0.97 is the distance of the 5 and 25 % quantiles of a normal distribution.
    cumulative = histogram.cumsum()
    whole = float(cumulative[-1])
    lowest, lower = cumulative.searchsorted((0.05 * whole, 0.25 * whole)).tolist()
    sigma = max(1.0, (lower - lowest) / 0.97)
    floor = max(settings.least_contrast * 255, lower + (0.67 + settings.noise_factor) * sigma)
    floor = math.ceil(floor)
    if floor >= 255 or cumulative[floor - 1] == whole:
        return 255
    return max(floor, _otsu(histogram, cumulative))


def _histogram(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how many pixels there are of each level: float64, 256."""
    return np.asarray(cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel(), np.float64)


def _otsu(histogram: NDArray[np.float64], below: NDArray[np.float64]) -> int:
    """Return the level that parts a histogram into two classes with the greatest variance between them.

    `below` are its cumulative sums.
    """
    whole = below[-1]
    sum_below = (histogram * _LEVELS).cumsum()
    parted = below * (whole - below)
    # The variance between two classes, their means written as sums over counts.
    lead = sum_below * whole - sum_below[-1] * below
    lead *= lead
    between = np.divide(lead, parted, out=np.zeros(256), where=parted > 0)
    return int(between.argmax())
