"""Shadows fall on paper: their edges are no ink, what is in them is paper; desks and bold strokes are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits import Reader
from edgedigits.frames.demo import digits
from edgedigits.ink import dark_on_light, evenly_lit, find_ink, to_grey
from edgedigits.writing import find_writing

HEIGHT, WIDTH = 600, 800
LINES = ("38174", "90265", "41703")
Light = NDArray[np.float64]


def _half_plane(degrees: float) -> Light:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    angle = np.radians(degrees)
    return ((x - 390) * np.cos(angle) + (y - 290) * np.sin(angle) > 0).astype(np.float64)


def _hand() -> Light:
    shade = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(shade, (WIDTH - 250, 330), (330, 240), 10, 0, 360, 1, cv2.FILLED)
    for finger in range(3):
        cv2.line(shade, (WIDTH - 420, 270 + 60 * finger), (140, 190 + 90 * finger), 1, 42)
    return shade.astype(np.float64)


def _stripes() -> Light:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return ((0.35 * x + y) % 170 < 80).astype(np.float64)


SHADES = {
    "upright": _half_plane(4),
    "level": _half_plane(86),
    "slanting": _half_plane(40),
    "hand": _hand(),
    "stripes": _stripes(),
}


def page(level: int = 225) -> NDArray[np.uint8]:
    """Return three lines on a page, H×W×3."""
    image = paper(HEIGHT, WIDTH, level)
    for row, text in enumerate(LINES):
        write(image, text, (130, 170 + 160 * row), size=2.2, thickness=5, spacing=30)
    return image


def shaded(image: NDArray[np.uint8], shade: Light, left: float, soft: float) -> NDArray[np.uint8]:
    """Return a picture in a shade that leaves so much of the light, with soft edges and a little noise."""
    light = 1 - (1 - left) * cv2.GaussianBlur(shade, (0, 0), soft)
    noise = np.random.default_rng(0).normal(0, 2, image.shape[:2])
    return np.clip(image * light[..., None] + noise[..., None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("left", [0.65, 0.4])
@pytest.mark.parametrize("soft", [0.7, 4.0])
@pytest.mark.parametrize("shade", SHADES)
def test_the_edge_of_a_shadow_is_no_ink(shade: str, soft: float, left: float) -> None:
    written = page()[..., 0] < 130
    ink = find_ink(shaded(page(), SHADES[shade], left, soft))
    assert ink.shaded is not None
    assert not ink.edges[10:-10, 10:-10].any()
    found = ink.mask > 0
    found[:40], found[-40:], found[:, :60], found[:, -60:] = False, False, False, False
    assert (found & written).sum() / (found | written).sum() > 0.75


def numbers() -> NDArray[np.uint8]:
    """Return three lines of handwritten digits on a page, H×W×3."""
    image = paper(HEIGHT, WIDTH)
    pictures = digits()
    for row, text in enumerate(LINES):
        for k, label in enumerate(text):
            ink = cv2.resize(pictures[int(label), row], (100, 100), interpolation=cv2.INTER_CUBIC) / 255.0
            place = image[70 + 160 * row : 170 + 160 * row, 110 + 115 * k : 210 + 115 * k]
            place[:] = place * (1 - 0.8 * np.clip(ink, 0, 1))[..., None]
    return image


@pytest.mark.parametrize("shade", SHADES)
def test_lines_are_read_across_the_edges_of_shadows(shade: str) -> None:
    """And nothing else is accepted; the strips that the sequence network sees are lit evenly."""
    seen = shaded(numbers(), SHADES[shade], 0.45, 1.5)
    read = Reader().read(seen)
    assert tuple(line.text for line in read.lines if line.accepted) == LINES
    even = dark_on_light(seen, find_ink(seen))
    assert np.percentile(even[60:-60, 60:-60], 20) > 0.9 * np.percentile(even, 95)


def test_the_mark_of_a_highlighter_is_read_on() -> None:
    """It reaches no border of the picture; what stands in it tells it from a bold stroke."""
    mark = np.zeros((HEIGHT, WIDTH))
    for row in range(len(LINES)):
        cv2.line(mark, (110, 122 + 160 * row), (690, 118 + 160 * row), 1, 100)
    seen = shaded(numbers(), mark, 0.65, 1.0)
    assert find_ink(seen).shaded is not None
    assert tuple(line.text for line in Reader().read(seen).lines if line.accepted) == LINES


def test_a_dark_part_that_nothing_is_written_in_may_be_anything() -> None:
    """As a desk or a hand may; what stands in a shadow is like what stands beside it."""
    image = page()
    wide = np.zeros((HEIGHT, WIDTH))
    wide[:, 600:] = 1
    assert find_ink(shaded(image, wide, 0.5, 1.0)).shaded is None
    for y in range(60, 560, 70):  # the rings of a notebook: not half as high as the digits
        cv2.circle(image, (680, y), 8, (60, 60, 60), 4)
    assert find_ink(shaded(image, wide, 0.5, 1.0)).shaded is None
    wide[:, 300:] = 1
    assert find_ink(shaded(page(), wide, 0.5, 1.0)).shaded is not None


@pytest.mark.parametrize("desk", ["grain", "things"])
@pytest.mark.parametrize("turn", [0, 5])
def test_a_desk_is_no_shadow(desk: str, turn: int) -> None:
    random = np.random.default_rng(1)
    image = np.full((HEIGHT + 200, WIDTH + 200), 100.0)
    if desk == "grain":
        image *= 1 + 0.2 * cv2.GaussianBlur(random.normal(size=image.shape), (0, 0), 2) / 0.14
    else:
        for _ in range(25):
            x, y = random.integers(0, WIDTH + 200), random.integers(0, HEIGHT + 200)
            end = int(x + random.integers(10, 60)), int(y + random.integers(-30, 30))
            cv2.line(image, (int(x), int(y)), end, 45, 4)
    image[100:-100, 100:-100] = page()[..., 0]
    matrix = cv2.getRotationMatrix2D((WIDTH / 2 + 100, HEIGHT / 2 + 100), turn, 0.95)
    seen = cv2.warpAffine(image, matrix, image.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    ink = find_ink(np.clip(cv2.GaussianBlur(seen, (0, 0), 0.7), 0, 255).astype(np.uint8))
    assert ink.shaded is None
    assert ink.edges.any()


@pytest.mark.parametrize("side", [280, 560])
@pytest.mark.parametrize("label", range(10))
def test_a_bold_digit_is_no_shadow(label: int, side: int) -> None:
    for tile in digits()[label, :5]:
        large = 255 - cv2.resize(tile, (side, side), interpolation=cv2.INTER_CUBIC)
        assert find_ink(np.asarray(large, np.uint8)).shaded is None


def test_a_solid_mark_on_a_page_with_a_shadow_stays() -> None:
    image = page()
    image[490:530, 640:680] = 40
    ink = find_ink(shaded(image, SHADES["slanting"], 0.5, 1.0))
    assert ink.shaded is not None
    assert ink.mask[493:527, 643:677].mean() > 0.95


def test_a_page_in_a_shadow_is_no_bold_digit() -> None:
    """In the few pixels in which bold digits are looked for, the lit and the shaded part are strokes."""
    for shade in SHADES.values():
        seen = shaded(page(), shade, 0.4, 1.0)
        writing = find_writing(seen)
        assert writing.image is seen
        assert len(writing.lines) >= len(LINES)


def test_a_picture_without_shadows_is_left_as_it_is() -> None:
    """Be the light as uneven as it will: only edges are seen to."""
    light = np.linspace(1, 0.3, WIDTH)[:, None]
    image = (page() * light).astype(np.uint8)
    assert find_ink(image).shaded is None
    grey = to_grey(image)
    assert evenly_lit(grey) is grey
    assert find_ink(np.full((HEIGHT, WIDTH), 200, np.uint8)).shaded is None
