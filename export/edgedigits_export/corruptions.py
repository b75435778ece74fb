"""What happens to writing on its way to the network: a set of corruptions, each in three severities.

Modelled on D. Hendrycks and T. Dietterich, "Benchmarking neural network robustness to common corruptions and
perturbations", 2019, and on what cameras and forms do to digits. Seeded: the same seed spoils the same
pictures in the same way, for every model.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.strips import stretch

Images = NDArray[np.uint8]
"""N×H×W, 0…255, ink bright: digits, 28×28, or strips, 40×W; in both a digit is 20 to 28 pixels high."""

SEVERITIES = (1, 2, 3)


@dataclass(frozen=True)
class Corruption:
    """A way of spoiling pictures; `amounts` has one entry for each severity, in the unit that `unit` says."""

    name: str
    spoil: Callable[[Images, float, np.random.Generator], Images]
    amounts: tuple[float, float, float]
    unit: str


def corrupt(images: Images, corruption: Corruption, severity: int, seed: int = 0) -> Images:
    """Return the pictures spoilt; `severity` is 1, 2 or 3."""
    # Each corruption draws from a generator of its own, whatever else is asked for beside it.
    generator = np.random.default_rng([seed, severity, zlib.crc32(corruption.name.encode())])
    return corruption.spoil(images, corruption.amounts[severity - 1], generator)


def _clip(values: NDArray[np.floating]) -> Images:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _each(images: Images, change: Callable[[int, Images], object]) -> Images:
    return np.stack([np.asarray(change(i, image), np.uint8) for i, image in enumerate(images)])


def _noise(images: Images, amount: float, generator: np.random.Generator) -> Images:
    return _clip(images + amount * generator.standard_normal(images.shape, np.float32))


def _blur(images: Images, amount: float, _: np.random.Generator) -> Images:
    return _each(images, lambda _i, image: cv2.GaussianBlur(image, (0, 0), amount))


def _jpeg(images: Images, amount: float, _: np.random.Generator) -> Images:
    options = [cv2.IMWRITE_JPEG_QUALITY, int(amount)]

    def change(_i: int, image: Images) -> object:
        return cv2.imdecode(cv2.imencode(".jpg", image, options)[1], cv2.IMREAD_GRAYSCALE)

    return _each(images, change)


def _contrast(images: Images, amount: float, _: np.random.Generator) -> Images:
    return _clip(images * np.float32(amount))


def _shadow(images: Images, amount: float, generator: np.random.Generator) -> Images:
    angles = generator.uniform(0, 2 * np.pi, (len(images), 1, 1)).astype(np.float32)
    height, width = images.shape[1:]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = (x * np.cos(angles) + y * np.sin(angles)) / np.float32(np.sqrt(8)) + 0.5
    # Darkness of the paper is brightness here; it hides no ink, which is at the end of the scale.
    return _clip(images + amount * slope * (1 - images / np.float32(255)))


def _rotation(images: Images, amount: float, generator: np.random.Generator) -> Images:
    signs = generator.choice([-1, 1], len(images))
    return _each(images, lambda i, image: _about_its_middle(image, amount * signs[i], 1.0))


def _scale(images: Images, amount: float, generator: np.random.Generator) -> Images:
    factors = np.where(generator.random(len(images)) < 0.5, 1 - amount, 1 + amount / 2)
    return _each(images, lambda i, image: _about_its_middle(image, 0, factors[i]))


def _about_its_middle(image: Images, degrees: float, factor: float) -> object:
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, factor)
    return cv2.warpAffine(image, matrix, (width, height))


def _stroke(images: Images, amount: float, generator: np.random.Generator) -> Images:
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    thicker = generator.random(len(images)) < 0.5

    def change(i: int, image: Images) -> object:
        other = cv2.dilate(image, cross) if thicker[i] else cv2.erode(image, cross)
        return cv2.addWeighted(image, 1 - amount, other, amount, 0)

    return _each(images, change)


def _pixelation(images: Images, amount: float, _: np.random.Generator) -> Images:
    height, width = images.shape[1:]
    size = max(1, round(amount / 28 * width)), max(1, round(amount / 28 * height))

    def change(_i: int, image: Images) -> object:
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)

    return _each(images, change)


def _salt_and_pepper(images: Images, amount: float, generator: np.random.Generator) -> Images:
    where = generator.random(images.shape, np.float32)
    return np.where(where < amount / 2, 255, np.where(where < amount, 0, images)).astype(np.uint8)


def _occlusion(images: Images, amount: float, generator: np.random.Generator) -> Images:
    size = int(amount)
    spoilt = images.copy()
    height, width = images.shape[1:]
    ends = [max(5, side - 3 - size) for side in (height, width)]
    for _ in range(max(1, round(width / height))):  # one for every digit, so to speak
        for image, (y, x) in zip(spoilt, generator.integers(4, ends, (len(images), 2)), strict=True):
            image[y : y + size, x : x + size] = 0
    return spoilt


def _ruled_line(images: Images, amount: float, generator: np.random.Generator) -> Images:
    spoilt = images.copy()
    height = images.shape[1]
    rows = generator.integers(6 * height // 28, 22 * height // 28, len(images))
    spoilt[np.arange(len(images)), rows] = np.maximum(spoilt[np.arange(len(images)), rows], int(amount))
    return spoilt


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption("noise", _noise, (20, 40, 60), "grey levels, standard deviation"),
    Corruption("blur", _blur, (0.6, 1.0, 1.4), "pixels, standard deviation"),
    Corruption("jpeg", _jpeg, (40, 20, 10), "quality"),
    Corruption("contrast", _contrast, (0.7, 0.5, 0.3), "of the contrast left"),
    Corruption("shadow", _shadow, (30, 60, 90), "grey levels across"),
    Corruption("rotation", _rotation, (10, 18, 26), "degrees, either way"),
    Corruption("scale", _scale, (0.1, 0.2, 0.3), "smaller, or half of that larger"),
    Corruption("stroke width", _stroke, (0.25, 0.5, 0.75), "of a pixel each side, either way"),
    Corruption("pixelation", _pixelation, (14, 11, 9), "pixels left of 28"),
    Corruption("salt and pepper", _salt_and_pepper, (0.02, 0.05, 0.1), "of the pixels"),
    Corruption("occlusion", _occlusion, (4, 6, 8), "pixels a side"),
    Corruption("ruled line", _ruled_line, (100, 170, 255), "grey levels"),
)
"""All of them, in the order of the reports."""

_OF_STRIPS = {
    "rotation": (1.0, 2.0, 3.0),
    "scale": (0.05, 0.1, 0.15),
    "pixelation": (20.0, 14.0, 11.0),
}
"""Where a strip, levelled and cut to its writing before, is spoilt by less."""

STRIP_CORRUPTIONS: tuple[Corruption, ...] = tuple(
    dataclasses.replace(corruption, amounts=_OF_STRIPS.get(corruption.name, corruption.amounts))
    for corruption in CORRUPTIONS
)
"""The same for strips."""


def corrupt_strip(strip: NDArray[np.uint8], corruption: Corruption, severity: int, seed: int = 0) -> Images:
    """Return a strip, uint8 40×W, spoilt, its greys stretched again as every strip's are."""
    return stretch(255 - corrupt(strip[None], corruption, severity, seed)[0])
