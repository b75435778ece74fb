"""Frame → ink: the illumination flattened, the polarity decided, strokes told from paper.

Paper is what is left when everything thinner than a generous stroke has been closed away; ink is how much
darker (or, on a board, brighter) a pixel is than the paper around it. Being a ratio, that measure is the
same in the sun and in the shadow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Polarity = Literal["dark", "light"]


@dataclass(frozen=True)
class InkSettings:
    """How ink is told from paper."""

    longest_side: int = 2000
    """Pictures are shrunk to this many pixels at most: a page's digits stay far above 20 px. ≥ 64."""
    stroke_fraction: float = 1 / 12
    """Strokes are thinner than this part of the picture's short side. 0…1."""
    thickest_stroke: int = 15
    """… or than this many pixels, whichever is more. Odd, ≥ 3."""
    least_contrast: float = 0.10
    """Fainter than this against the paper is never ink (0…1, the part of the light that is missing)."""
    noise_factor: float = 5.0
    """Ink stands this many standard deviations of the paper's own noise above the paper."""
    weak_part: float = 0.55
    """A stroke is followed down to this part of the threshold from where it exceeds it (hysteresis). 0…1."""


@dataclass(frozen=True)
class Ink:
    """The ink of one picture.

    `contrast` is uint8, H×W in working pixels: 0 paper … 255 all light missing. `strong` is the threshold
    that certain ink exceeds and `weak` the one a stroke's edges exceed, in the same unit; where there is no
    ink both are 255. `scale` is working pixels per picture pixel (≤ 1).
    """

    contrast: NDArray[np.uint8]
    strong: int
    weak: int
    polarity: Polarity
    scale: float


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of a picture: uint8, H×W from H×W or H×W×3 BGR."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def find_ink(image: NDArray[np.uint8], settings: InkSettings = InkSettings()) -> Ink:
    """Tell ink from paper in a picture (uint8, H×W grey or H×W×3 BGR, any size ≥ 1×1)."""
    height, width = image.shape[:2]
    scale = min(1.0, settings.longest_side / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    grey = to_grey(image)
    polarity = _polarity(grey)
    if polarity == "light":
        grey = cv2.bitwise_not(grey).astype(np.uint8, copy=False)
    contrast = _contrast(grey, settings)
    strong = _threshold(contrast, settings)
    return Ink(
        contrast, strong, max(1, round(settings.weak_part * strong)) if strong < 255 else 255, polarity, scale
    )


def _contrast(grey: NDArray[np.uint8], settings: InkSettings) -> NDArray[np.uint8]:
    """Return how much darker than the paper around it each pixel is: 0 as bright … 255 black."""
    height, width = grey.shape
    kernel = max(settings.thickest_stroke, round(settings.stroke_fraction * min(height, width)))
    # Paper varies slowly: closing at a reduced size costs next to nothing and averages the noise, of which
    # a closing (a maximum) would otherwise take the brightest.
    reduction = max(1, kernel // 12)
    if reduction > 1:
        size = (max(1, width // reduction), max(1, height // reduction))
        paper = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    else:
        paper = cv2.GaussianBlur(grey, (3, 3), 0)
    side = max(3, kernel // reduction) | 1
    paper = cv2.morphologyEx(paper, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)))
    paper = cv2.blur(paper, (side // 2 | 1, side // 2 | 1))
    if reduction > 1:
        paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    ratio = cv2.divide(grey, paper, scale=255)
    return np.asarray(cv2.bitwise_not(ratio), np.uint8)


def _polarity(grey: NDArray[np.uint8]) -> Polarity:
    """Decide whether ink is darker or brighter than what it is on.

    Ink is the minority, so its departures from the local mean are the larger ones: their third moment has
    its sign.
    """
    height, width = grey.shape
    step = max(1, min(height, width) // 128)
    small = grey[::step, ::step].astype(np.float32)
    side = max(15, min(small.shape) // 8) | 1
    departure = small - cv2.blur(small, (side, side), borderType=cv2.BORDER_REPLICATE)
    return "dark" if float((departure * departure * departure).sum()) <= 0 else "light"


def _threshold(contrast: NDArray[np.uint8], settings: InkSettings) -> int:
    """Return the contrast that certain ink exceeds; 255 where nothing does."""
    histogram = cv2.calcHist([contrast], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    # Ink may cover half of a small picture, so the paper's noise is read off the quarter of the pixels that
    # is surely paper; 0.97 is the distance of the 5 and 25 % quantiles of a normal distribution.
    cumulative = np.cumsum(histogram)
    lowest, lower = np.searchsorted(cumulative, [0.05 * cumulative[-1], 0.25 * cumulative[-1]])
    sigma = max(1.0, (lower - lowest) / 0.97)
    floor = max(settings.least_contrast * 255, lower + (0.67 + settings.noise_factor) * sigma)
    floor = int(np.ceil(floor))
    if floor >= 255 or not histogram[floor:].any():
        return 255
    return max(floor, _otsu(histogram))


def _otsu(histogram: NDArray[np.float64]) -> int:
    """Return the level that parts a histogram into two classes with the greatest variance between them."""
    levels = np.arange(histogram.size)
    below = np.cumsum(histogram)
    above = below[-1] - below
    sum_below = np.cumsum(histogram * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sum_below / below - (sum_below[-1] - sum_below) / above) ** 2
    return int(np.nanargmax(between))
