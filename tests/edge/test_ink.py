"""Ink is told from paper in any light, on any ground; where there is none, none is found."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits.demo import digits
from edgedigits.ink import find_ink, lift_frame, lift_rules


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


def test_a_large_picture_is_shrunk_and_says_so() -> None:
    image = np.full((300, 5000), 200, np.uint8)
    ink = find_ink(image)
    assert ink.contrast.shape == (120, 2000)
    assert ink.scale == pytest.approx(0.4)


def test_thin_texture_is_lifted_off(stroke: NDArray[np.bool_]) -> None:
    """Fine printed lines, half as dark as the ink, all over the sheet: what is left is the writing."""
    image = paper()
    for y in range(2, 240, 6):
        cv2.line(image, (0, y), (639, y - 2), (150, 150, 150), 1)
    write(image, "3817", (40, 120))
    ink = find_ink(image)
    assert agreement((ink.mask > 0) & (ink.contrast >= ink.strong), stroke) > 0.7
    assert np.count_nonzero(ink.mask[150:]) == 0


def test_ruled_lines_are_lifted_and_crossbars_stay(stroke: NDArray[np.bool_]) -> None:
    """A rule through the writing goes, the strokes it crosses stay, and so do the bars of 4 and 7."""
    image = write(paper(), "3817", (40, 120))
    cv2.line(image, (0, 110), (639, 114), (60, 60, 60), 2)
    mask_before = find_ink(image).mask
    lifted = lift_rules(mask_before)
    assert lifted[:, 300:].sum() < 0.05 * mask_before[:, 300:].sum()
    assert (lifted[stroke] > 0).mean() > 0.9
    plain = find_ink(write(paper(), "4747", (40, 120))).mask
    np.testing.assert_array_equal(lift_rules(plain), plain)


@pytest.mark.parametrize("desk", [20, 60, 90])
def test_a_light_sheet_on_a_dark_desk_is_not_the_ink(desk: int) -> None:
    """The sheet fills a third of the frame; its writing is dark all the same."""
    image = np.full((480, 640, 3), desk, np.uint8)
    image[120:330, 170:480] = write(paper(210, 310), "3817", (20, 120))
    assert find_ink(image).polarity == "dark"
    assert find_ink(255 - image).polarity == "light"


def test_long_rules_are_found_whatever_their_length() -> None:
    sheet = np.zeros((300, 401), np.uint8)
    sheet[100:102, 3:390] = 1
    sheet[200:202, 3:200] = 1  # shorter than nine tenths of the picture's height
    lifted = lift_rules(sheet)
    assert not lifted[100:102].any()
    np.testing.assert_array_equal(lifted[200:202], sheet[200:202])
    assert sheet[100:102].any()  # what was given is left alone


@pytest.mark.parametrize("sides", [(0,), (0, 1), (0, 1, 2, 3)])
def test_a_box_s_frame_is_lifted_off_what_is_written_in_it(sides: tuple[int, ...]) -> None:
    """Also where the writing runs into it; of a digit cut to size nothing is lifted."""
    mask = np.zeros((64, 64), np.uint8)
    mask[0:50, 30:34] = mask[30:34, 20:50] = 1
    written = mask.copy()
    for turns in sides:
        np.rot90(mask, turns)[:3] = 1
    lifted = lift_frame(mask)
    assert not lifted[:3, 3:-3].any()
    assert (lifted[3:-3, 3:-3] == written[3:-3, 3:-3]).all()


def test_the_bar_of_a_digit_cut_to_size_is_no_frame() -> None:
    seven = np.zeros((64, 50), np.uint8)
    seven[:5] = 1
    cv2.line(seven, (47, 3), (20, 63), 1, 5)
    five = np.zeros((64, 50), np.uint8)
    five[:5] = five[:30, :5] = 1
    cv2.ellipse(five, (20, 44), (27, 17), 0, -90, 130, 1, 5)
    for mask in (seven, five, np.ascontiguousarray(np.rot90(seven, 2))):
        assert (lift_frame(mask) == mask).all()


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


def test_a_rule_as_thick_as_the_strokes_is_lifted_off_a_line_of_writing() -> None:
    """Along the border, where the digits hang from it, and across them."""
    for y in (0, 46):
        mask = np.zeros((54, 200), np.uint8)
        for x in (30, 80, 130):
            cv2.ellipse(mask, (x, 26), (14, 23), 0, 0, 360, 1, 4)
        alone = mask.copy()
        mask[y : y + 5] = 1
        lifted = lift_rules(mask)
        rule = mask.astype(bool) & ~alone.astype(bool)
        assert lifted[rule].mean() < 0.15
        assert lifted[alone.astype(bool)].mean() > 0.9
    # In a box of its own such a line may be the bar of a digit.
    box = np.zeros((54, 50), np.uint8)
    box[5:10, 8:42] = 1
    box[5:50, 36:41] = 1
    assert lift_rules(box)[5:10, 8:36].all()


@pytest.mark.parametrize("slope", [0.05, 0.13, 0.19])
def test_sloping_rules_are_lifted_off_a_strip(slope: float) -> None:
    mask = np.zeros((60, 180), np.uint8)
    cv2.ellipse(mask, (60, 30), (14, 22), 0, 0, 360, 1, 3)
    alone = mask.astype(bool)
    cv2.line(mask, (0, 8), (180, round(8 + 180 * slope)), 1, 1)
    lifted = lift_rules(mask)
    assert lifted[mask.astype(bool) & ~alone].mean() < 0.2
    assert lifted[alone].mean() > 0.9
