"""Ink is told from paper in any light, on any ground; where there is none, none is found."""

from __future__ import annotations

import itertools
import warnings

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits.frames.demo import digits
from edgedigits.glyphs.text_lines import find_lines_in
from edgedigits.ink import InkSettings, find_ink, longest_side


def mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    ink = find_ink(image)
    return ink.contrast >= ink.strong if ink.strong < 255 else np.zeros(ink.contrast.shape, bool)


def agreement(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((found & true).sum() / (found | true).sum())


@pytest.fixture(scope="module")
def stroke() -> NDArray[np.bool_]:
    """Where ink truly is."""
    return write(paper(), "3817", (40, 120))[..., 0] < 130


@pytest.mark.parametrize("level", [250, 160, 70])
def test_any_exposure(level: int, stroke: NDArray[np.bool_]) -> None:
    image = write(paper(level=level), "3817", (40, 120), ink=(level // 5,) * 3)
    assert agreement(mask(image), stroke) > 0.8


def test_shadow_across_the_sheet(stroke: NDArray[np.bool_]) -> None:
    """Light falls to a third from left to right; ink in the sun is brighter than paper in the shadow."""
    light = np.linspace(1.0, 0.33, 640)[None, :, None]
    image = (write(paper(), "3817", (40, 120), ink=(85, 85, 85)) * light).astype(np.uint8)
    assert agreement(mask(image), stroke) > 0.75


def test_vignette_and_noise(stroke: NDArray[np.bool_]) -> None:
    y, x = np.mgrid[-1:1:240j, -1:1:640j]
    light = 1 - 0.35 * (x**2 + y**2) / 2
    noise = np.random.default_rng(0).normal(0, 6, (240, 640, 3))
    image = np.clip(write(paper(), "3817", (40, 120)) * light[..., None] + noise, 0, 255).astype(np.uint8)
    assert agreement(mask(image), stroke) > 0.75


def test_chalk_on_a_board(stroke: NDArray[np.bool_]) -> None:
    image = write(paper(level=45), "3817", (40, 120), ink=(220, 220, 220))
    assert find_ink(image).polarity == "light"
    assert agreement(mask(image), stroke) > 0.75


def test_grey_and_colour_agree() -> None:
    image = write(paper(), "3817", (40, 120))
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    np.testing.assert_array_equal(mask(image), mask(grey))


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (240, 320)])
def test_an_even_picture_has_no_ink(level: int, shape: tuple[int, int]) -> None:
    assert find_ink(np.full(shape, level, np.uint8)).strong == 255


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3000, 4000), (1500, 2000)),
        ((5000, 2500), (2000, 1000)),
        # What is longer than 2:1 keeps as many pixels as a square, and half its side across, at most.
        ((2000, 6000), (1000, 3000)),
        ((300, 25000), (219, 18257)),
        ((300, 5000), (300, 5000)),
        ((100, 40000), (80, 32000)),
    ],
)
def test_a_large_picture_is_shrunk_and_says_so(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    for image in (np.full(shape, 200, np.uint8), np.full(shape[::-1], 200, np.uint8)):
        ink = find_ink(image)
        assert ink.contrast.shape == (expected if image.shape == shape else expected[::-1])
        assert ink.scale == pytest.approx(max(expected) / max(shape), rel=1e-3)


def test_what_no_digit_would_be_left_of_is_shrunk_to_next_to_nothing() -> None:
    assert find_ink(np.full((1, 3_000_000), 200, np.uint8)).contrast.shape == (1, 2000)


def test_the_longer_side_grows_steadily_with_the_picture_s() -> None:
    """No small change of a picture's shape makes its digits much smaller."""
    widths = range(1000, 300_000, 10)
    sides = [longest_side(width, 1000) for width in widths]
    assert sides[0] == 2000
    assert all(0 <= after - before <= 20 for before, after in itertools.pairwise(sides))
    pixels = [side * side * 1000 / width for side, width in zip(sides, widths, strict=True)]
    assert max(pixels) == pytest.approx(2000**2)


@pytest.mark.parametrize("height", [30, 120])
def test_a_grid_in_black_and_white_is_no_pattern_with_writing_on_it(height: int) -> None:
    """As plain as it is everywhere, there is nothing plainer to be told from it."""
    image = np.full((height, 300), 240, np.uint8)
    image[::5], image[:, ::5] = 80, 80
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ink = find_ink(image)
    assert ink.strong > ink.weak > 1


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (2, 300)])
def test_strokes_may_be_thicker_than_the_picture_is_high(shape: tuple[int, int]) -> None:
    for level in (0, 128, 255):
        image = np.full(shape, level, np.uint8)
        assert find_ink(image, InkSettings(thickest_stroke=31)).contrast.shape == shape


def test_how_high_a_picture_of_one_line_is_can_be_set() -> None:
    """Of a page a rule is told as print, of a line not: it is read with it."""
    image = write(paper(240, 900), "2468", (100, 150), size=3, thickness=6, spacing=30)
    cv2.line(image, (0, 200), (899, 200), 90, 2)
    for height, is_page in ((150, True), (200, True), (250, False)):
        ink, lines = find_lines_in(find_ink(image, InkSettings(strip_height=height)))
        assert (ink.printed is not None) == is_page
        assert [len(line.glyphs) for line in lines] == [4]


def test_thin_texture_is_lifted_off(stroke: NDArray[np.bool_]) -> None:
    """Fine printed lines, half as dark as the ink, all over the sheet: what is left is the writing."""
    image = paper()
    for y in range(2, 240, 6):
        cv2.line(image, (0, y), (639, y - 2), (150, 150, 150), 1)
    write(image, "3817", (40, 120))
    ink = find_ink(image)
    assert agreement((ink.mask > 0) & (ink.contrast >= ink.strong), stroke) > 0.7
    assert np.count_nonzero(ink.mask[150:]) == 0


@pytest.mark.parametrize("desk", [20, 60, 90])
def test_a_light_sheet_on_a_dark_desk_is_not_the_ink(desk: int) -> None:
    """The sheet fills a third of the frame; its writing is dark all the same."""
    image = np.full((480, 640, 3), desk, np.uint8)
    image[120:330, 170:480] = write(paper(210, 310), "3817", (20, 120))
    assert find_ink(image).polarity == "dark"
    assert find_ink(255 - image).polarity == "light"


@pytest.mark.parametrize("side", [112, 280, 560])
@pytest.mark.parametrize("label", range(10))
def test_a_digit_that_fills_the_picture_is_ink(label: int, side: int) -> None:
    """Its strokes are as thick as a window in which paper is looked for, its holes as slim as a stroke."""
    for tile in digits()[label, :10]:
        image = np.asarray(cv2.resize(tile, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
        for picture, polarity in ((image, "light"), (cv2.bitwise_not(image), "dark")):
            ink = find_ink(np.asarray(picture, np.uint8))
            assert ink.polarity == polarity
            assert ink.inverse is None
            assert agreement(ink.mask > 0, image > 110) > 0.7


def test_a_small_picture_may_be_cut_to_its_digit() -> None:
    for tile in digits()[:, :10].reshape(-1, 28, 28):
        x, y, w, h = cv2.boundingRect(np.asarray(tile > 40, np.uint8))
        cut = np.ascontiguousarray(tile[y : y + h, x : x + w])
        assert find_ink(cut).polarity == "light"
        assert find_ink(255 - cut).polarity == "dark"


def test_a_frame_along_the_border_does_not_turn_the_polarity() -> None:
    for tile in digits()[:, :6].reshape(-1, 28, 28):
        box = np.full((64, 64), 200, np.uint8)
        box[18:46, 18:46] -= np.asarray(tile // 2, np.uint8)
        box[:4], box[:, :3] = 70, 70
        assert find_ink(box).polarity == "dark"
        assert find_ink(255 - box).polarity == "light"


def pattern(height: int = 60, width: int = 180, paper: int = 215, line: int = 165) -> NDArray[np.uint8]:
    """Return a strip of fine lines that slant, as those of a cheque's guilloche."""
    image = np.full((height, width), paper, np.uint8)
    for y in range(-40, height + 10, 6):
        cv2.line(image, (0, y), (width, y + 30), line, 1, cv2.LINE_AA)
    return image


def test_writing_is_told_from_a_pattern_as_plain_as_ink() -> None:
    """The lines alone would pass for ink; what is written on them is darker."""
    image = pattern()
    true = np.zeros_like(image)
    for target, value in ((image, 60), (true, 255)):
        cv2.ellipse(target, (50, 30), (13, 20), 0, 0, 360, value, 3, cv2.LINE_AA)
        cv2.line(target, (110, 10), (102, 50), value, 3, cv2.LINE_AA)
    found = find_ink(image).mask.astype(bool)
    assert agreement(found, true > 100) > 0.7
    # On plain paper all is as it was: the faint part of a stroke stays.
    faint = np.full((60, 180), 215, np.uint8)
    cv2.ellipse(faint, (50, 30), (13, 20), 0, 0, 360, 60, 3, cv2.LINE_AA)
    cv2.line(faint, (110, 10), (102, 50), 165, 3, cv2.LINE_AA)
    assert find_ink(faint).mask[20:40, 98:112].any()
