"""Ink becomes text lines: glyphs in reading order, marks told from digits, no text where none is."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write
from tests.edge.junk import wood

from edgedigits.frames.demo import digits
from edgedigits.glyphs import GlyphSettings, TextLine
from edgedigits.glyphs.text_lines import find_lines
from edgedigits.ink import find_ink
from edgedigits.reader import Reader


def lines_of(image: NDArray[np.uint8]) -> list[TextLine]:
    return find_lines(find_ink(image))


def counts(image: NDArray[np.uint8]) -> list[int]:
    return [len(line.glyphs) for line in lines_of(image)]


def test_lines_come_from_the_top_down_and_glyphs_from_left_to_right() -> None:
    image = paper(400, 640)
    for row, text in enumerate(["12345", "67", "890"]):
        write(image, text, (40, 90 + 110 * row))
    lines = lines_of(image)
    assert [len(line.glyphs) for line in lines] == [5, 2, 3]
    tops = [line.glyphs[0].box[1] for line in lines]
    assert tops == sorted(tops)
    for line in lines:
        lefts = [glyph.box[0] for glyph in line.glyphs]
        assert lefts == sorted(lefts)


@pytest.mark.parametrize("degrees", [-8, -4, 4, 8])
def test_a_skewed_line_stays_one_line(degrees: float) -> None:
    image = write(paper(360, 760), "1234567890", (60, 200))
    turn = cv2.getRotationMatrix2D((380, 180), degrees, 1)
    turned = cv2.warpAffine(image, turn, (760, 360), borderValue=(225, 225, 225)).astype(np.uint8)
    assert counts(turned) == [10]


def test_far_columns_are_lines_of_their_own_from_left_to_right() -> None:
    image = write(write(paper(240, 1200), "123", (40, 120)), "4567", (800, 120))
    lines = lines_of(image)
    assert [len(line.glyphs) for line in lines] == [3, 4]
    assert lines[0].glyphs[0].box[0] < lines[1].glyphs[0].box[0]


def test_the_glyph_holds_its_own_ink_only() -> None:
    """A neighbour reaching into the box leaves no trace in it."""
    image = paper()
    cv2.line(image, (100, 60), (100, 180), (20, 20, 20), 4)
    cv2.line(
        image, (80, 200), (190, 40), (20, 20, 20), 4
    )  # crosses nothing, overlaps the first one's columns
    cv2.line(image, (60, 60), (60, 180), (20, 20, 20), 4)
    for line in lines_of(image):
        for glyph in line.glyphs:
            if glyph.box[2] < 12:
                assert glyph.ink.shape == (glyph.box[3], glyph.box[2])
                assert (glyph.ink.max(axis=0) > 0).all()


def test_the_detached_top_of_a_five_is_joined() -> None:
    image = write(paper(), "3", (20, 160), size=3.4)
    height = lines_of(image)[0].glyphs[0].box[3]
    top, left = 160 - height, 160
    cv2.line(image, (left, top + 8), (left - 2, top + height // 2), (20, 20, 20), 4)
    middle, radius = top + height * 3 // 4, height // 4
    cv2.ellipse(image, (left + radius - 4, middle), (radius, radius), 0, -140, 140, (20, 20, 20), 4)
    assert counts(image) == [2]
    cv2.line(image, (left + 10, top), (left + 40, top - 2), (20, 20, 20), 4)  # the flag, apart
    assert counts(image) == [2]
    assert lines_of(image)[0].glyphs[1].box[1] <= top


def test_large_and_small_digits_on_one_sheet() -> None:
    image = write(write(paper(400, 640), "12", (40, 160), size=4, thickness=8), "345", (40, 330), size=1.6)
    assert counts(image) == [2, 3]


def test_separators_are_marks() -> None:
    image = write(paper(), "12", (40, 140))
    cv2.circle(image, (128, 137), 4, (30, 30, 30), -1)
    write(image, "34", (150, 140))
    cv2.line(image, (232, 126), (250, 126), (30, 30, 30), 4)
    write(image, "5", (264, 140))
    (line,) = lines_of(image)
    assert len(line.glyphs) == 5
    assert [mark.text for mark in sorted(line.marks, key=lambda m: m.box[0])] == [".", "-"]


@pytest.mark.parametrize("gap", [12, 30])
def test_two_dashes_one_above_the_other_are_an_equals_sign(gap: int) -> None:
    image = write(paper(240, 600), "24", (60, 130), size=3, thickness=6, spacing=30)
    write(image, "37", (340, 130), size=3, thickness=6, spacing=30)
    for x, y in ((230, 100 - gap // 2), (230, 100 + gap // 2), (285, 100)):
        cv2.line(image, (x, y), (x + 36, y), (40, 40, 40), 5)
    (line,) = lines_of(image)
    assert len(line.glyphs) == 4
    equals, dash = sorted(line.marks, key=lambda mark: mark.box[0])
    assert (equals.text, dash.text) == ("=", "-")
    assert equals.box == pytest.approx((228, 97 - gap // 2, 42, gap + 6), abs=3)
    assert [each.raw for each in Reader(way="glyph").read(image).lines] == ["24=-37"]


def test_a_row_of_small_digits_beside_a_swung_first_one_is_no_row_of_dots() -> None:
    image = write(paper(), "681", (120, 185), size=2.2)
    cv2.line(image, (40, 190), (100, 60), (20, 20, 20), 4)
    assert sum(counts(image)) == 4
    dots = cv2.line(paper(), (40, 190), (100, 60), (20, 20, 20), 4)
    for x in (120, 150, 180):
        cv2.circle(dots, (x, 180), 9, (20, 20, 20), -1)
    assert counts(dots) == [1]
    # Beside a number, as its lesser part, such a row is none of its own.
    write(image := write(paper(), "41", (40, 180), size=5), "681", (210, 185), size=1.7)
    assert counts(image) == [2]


def test_rules_frames_and_the_desk_are_no_text() -> None:
    image = write(paper(300, 640), "2468", (60, 160))
    cv2.line(image, (0, 190), (639, 192), (60, 60, 60), 2)
    cv2.rectangle(image, (14, 20), (620, 270), (60, 60, 60), 2)
    image[:, :7] = 15
    assert counts(image) == [4]


def test_the_edge_of_a_sheet_within_the_picture_is_no_text() -> None:
    image = write(write(paper(480, 640), "2468", (160, 200)), "13579", (160, 300))
    cv2.rectangle(image, (60, 60), (580, 420), (60, 60, 60), 5)
    assert counts(image) == [4, 5]


@pytest.mark.parametrize("right", [612, 560, 520])
@pytest.mark.parametrize("degrees", [-3.0, -1.5, 2.5])
def test_the_side_of_a_sheet_on_a_desk_is_no_stroke(right: int, degrees: float) -> None:
    """Whether the desk beside it is broad, or a strip narrower than a pen's stroke may be."""
    sheet = write(write(paper(380, 560, 215), "24680", (190, 130)), "13579", (190, 260))
    rows = np.arange(480)[:, None]
    # Light and dark bands across the desk break what runs along the sheet's side to pieces.
    desk = np.repeat(110 + 14 * np.sin(rows / 9.0), 640, axis=1)
    noise = np.random.default_rng(0).normal(0, 2, (480, 640))
    image = np.repeat(np.clip(desk + noise, 0, 255)[..., None], 3, axis=2).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((280, 190), degrees, 1)
    turn[:, 2] += (right - 560, 50)
    cv2.warpAffine(sheet, turn, (640, 480), dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    assert counts(image) == [5, 5]


def test_grain_is_no_text_and_hides_none() -> None:
    for seed in range(3):
        assert counts(wood(seed)) == []
    rows, columns = np.mgrid[0:480, 0:640].astype(np.float32)
    rng = np.random.default_rng(4)
    desk = 120 + 5 * np.sin(rows / 7 + np.sin(columns / 90)) + rng.normal(0, 4, rows.shape)
    image = np.repeat(np.clip(desk, 0, 255)[..., None], 3, axis=2).astype(np.uint8)
    assert counts(image) == []
    assert counts(write(image, "2468", (160, 260), size=2)) == [4]


@pytest.mark.parametrize("level", [190, 175, 120])
def test_faint_strokes_are_no_texture(level: int) -> None:
    image = write(paper(), "24680", (60, 160), ink=(level, level, level))
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    assert counts(np.clip(image + noise, 0, 255).astype(np.uint8)) == [5]


def test_specks_beside_digits_are_dropped() -> None:
    image = write(paper(), "2468", (60, 160))
    rng = np.random.default_rng(1)
    for x, y in zip(rng.integers(0, 640, 200), rng.integers(0, 240, 200), strict=True):
        image[y, x] = 90
    assert counts(image) == [4]


def test_a_low_digit_beside_others_is_one() -> None:
    """In a small picture, where the others are hardly as high as digits must be, too."""

    def zeros(heights: list[int]) -> NDArray[np.uint8]:
        image = np.full((60, 140), 225, np.uint8)
        for k, height in enumerate(heights):
            cv2.ellipse(image, (20 + 14 * k, 40 - height // 2), (2, height // 2), 0, 0, 360, 40, 1)
        return image

    assert counts(zeros([11, 7, 9, 7, 11])) == [5]
    assert counts(zeros([7, 7, 7])) == []
    assert counts(zeros([21, 7, 21])) == [2]


@pytest.mark.parametrize("side", [22, 28])
def test_digits_on_the_edge_of_a_shadow_stay(side: int) -> None:
    """It may be a step like the edge of a sheet, but there is paper on either side."""
    image = np.full((594, 410), 225, np.uint8)
    for row, number in enumerate(("24680", "13579")):
        for place, label in enumerate(number):
            tile = cv2.resize(digits()[int(label), place], (side, side))
            here = image[150 + 90 * row :, 70 + 40 * place :][:side, :side]
            here[:] = np.minimum(here, 225 - 0.75 * tile)
    rows, columns = np.mgrid[:594, :410]
    for level in range(240, 480, 20):
        light = np.where(rows + columns < level, 0.6, 1.0)
        seen = image * cv2.GaussianBlur(light, (0, 0), 2)
        assert counts(seen.astype(np.uint8)) == [5, 5]


CUTS = {
    "right": np.s_[:, :264],
    "right, a sliver left": np.s_[:, :256],
    "left": np.s_[:, 134:],
    "left, a sliver left": np.s_[:, 141:],
    "below": np.s_[:182],
    "above": np.s_[167:],
}
"""What is left of a picture where the digits of the first line lie from 122 to 276 and from 159 to 191."""


@pytest.mark.parametrize("cut", CUTS)
def test_a_line_that_runs_out_of_the_picture_is_incomplete(cut: str) -> None:
    image = write(write(paper(400, 640), "2468", (120, 190)), "37", (160, 90 if cut == "below" else 290))
    assert [line.faults for line in lines_of(image)] == [frozenset()] * 2
    lines = lines_of(np.ascontiguousarray(image[CUTS[cut]]))
    (whole,) = (line for line in lines if line.whole)
    assert len(whole.glyphs) == 2
    assert [line.faults for line in lines if line is not whole] == [{"cut-off"}] * (len(lines) - 1)
    assert len(lines) > 1


def test_a_picture_cut_to_its_line_has_no_more_of_it() -> None:
    """Its digits may well touch the border."""
    image = write(paper(400, 640), "2468", (120, 190))
    (line,) = lines_of(np.ascontiguousarray(image[150:200, 122:276]))
    assert line.glyphs[0].box[0] == 0
    assert len(line.glyphs) == 4
    assert line.whole
    assert line.left_out == 0.0


def test_digits_too_faint_to_be_sure_of_are_missed_beside_others() -> None:
    """They are hardly paler than these, which are sure; what is much paler is nothing."""
    for level, missed in ((206, True), (217, False)):
        image = paper(400, 640)
        write(image, "24", (120, 190), ink=(200, 200, 200))
        write(image, "68", (240, 190), ink=(level, level, level))
        (line,) = lines_of(image)
        assert len(line.glyphs) == 2
        assert (line.left_out > 0.1) == missed


def test_noise_is_no_text() -> None:
    rng = np.random.default_rng(0)
    assert counts(rng.integers(0, 256, (480, 640), dtype=np.uint8)) == []
    assert counts(np.clip(rng.normal(128, 30, (480, 640)), 0, 255).astype(np.uint8)) == []


def test_a_gradient_is_no_text() -> None:
    assert counts(np.linspace(0, 255, 640).astype(np.uint8)[None].repeat(480, 0)) == []


@pytest.mark.parametrize("most", [30, 59, 60])
def test_a_number_with_a_digit_too_many_to_be_looked_at_is_not_accepted(most: int) -> None:
    """The smallest pieces are left out, the 1s of a page of numbers first."""
    image = paper(400, 900)
    numbers = [f"{3 * k % 8 + 2}1{k}{7 * k % 8 + 2}" for k in range(2, 10)] * 2
    for k, text in enumerate(numbers[:15]):
        write(image, text, (30 + 290 * (k % 3), 60 + 75 * (k // 3)), size=1.2)
    lines = Reader(glyphs=GlyphSettings(most_components=most), way="glyph").read(image, upright=True).lines
    accepted = [line.text for line in lines if line.accepted]
    assert set(accepted) <= set(numbers)
    assert (len(accepted) == 15) == (most == 60)


def test_a_thousand_specks_take_bounded_time() -> None:
    """Twenty times the specks may not take a hundred times the time (nothing compares all with all)."""

    def seconds(specks: int) -> float:
        image = paper(1000, 1000)
        rng = np.random.default_rng(2)
        for x, y in rng.integers(10, 990, (specks, 2)):
            cv2.circle(image, (int(x), int(y)), 3, (40, 40, 40), -1)
        ink = find_ink(image)
        started = time.perf_counter()
        find_lines(ink)
        return time.perf_counter() - started

    assert min(seconds(4000) for _ in range(3)) < 100 * max(seconds(200) for _ in range(3))


def test_specks_around_large_digits_take_bounded_time() -> None:
    """What is near a large digit is thousands of specks, and none is a part of another."""

    def seconds(step: int) -> float:
        image = paper(1000, 1000)
        write(image, "888", (60, 330), size=12, thickness=12)
        for y in range(400, 980, step):
            for x in range(20, 980, step):
                image[y : y + 3, x : x + 3] = 40
        ink = find_ink(image)
        started = time.process_time()
        (line,) = find_lines(ink)
        assert len(line.glyphs) == 3
        return time.process_time() - started

    # Sixteen times as many specks.
    assert min(seconds(7) for _ in range(3)) < 30 * max(seconds(28) for _ in range(3))


def test_rules_that_go_down_a_page_take_bounded_time() -> None:
    """For each text line each rule is looked at where it is, and not all of the page for each."""

    def seconds(side: int) -> float:
        image = paper(side, side)
        for x in range(30, side - 30, 14):
            image[30 : side - 30, x : x + 3] = 40
            for y in range(40, side - 60, 60):
                image[y : y + 12, x + 5 : x + 8] = 40
        ink = find_ink(image)
        started = time.process_time()
        find_lines(ink)
        return time.process_time() - started

    assert min(seconds(1500) for _ in range(3)) < 11 * max(seconds(700) for _ in range(3))
