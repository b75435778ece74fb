"""What lies on a page, or is drawn and printed on it, is no digit, and hides none without a word."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write
from tests.edge.form_pages import Pens
from tests.edge.lying import face, finger, holes, to_tick

from edgedigits import Line, Reader

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def page() -> Picture:
    image = paper(600, 900, 210)
    for y, texts in ((150, ("2715", "4083")), (300, ("9360", "6142")), (450, ("5829", "7034"))):
        for x, text in zip((150, 560), texts, strict=True):
            image = write(image, text, (x, y), size=1.3)
    draw = np.random.default_rng(0)
    return np.clip(image + draw.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


INK = (50, 40, 40)
NUMBERS = ["2715", "4083", "9360", "6142", "5829", "7034"]


def accepted(reader: Reader, image: Picture) -> list[str]:
    return [line.text for line in reader.read(image).lines if line.accepted]


def test_the_page_is_read(reader: Reader) -> None:
    assert accepted(reader, page()) == NUMBERS


@pytest.mark.parametrize("level", [20, 90, 150])
@pytest.mark.parametrize("radius", [9, 14, 22])
def test_punched_holes_are_no_digits(reader: Reader, level: int, radius: float) -> None:
    assert accepted(reader, holes(page(), 50, radius, 3, level)) == NUMBERS
    assert accepted(reader, holes(paper(600, 900, 210), 50, radius, 3, level)) == []


def test_punched_holes_seen_at_an_angle_are_no_digits(reader: Reader) -> None:
    upright = cv2.resize(page(), (900, 840), interpolation=cv2.INTER_CUBIC)
    seen = cv2.resize(holes(upright, 50, 14, 3, 90), (900, 600), interpolation=cv2.INTER_AREA)
    assert accepted(reader, seen) == NUMBERS


@pytest.mark.parametrize(("slant", "thickness"), [(0.0, 24), (0.55, 20), (0.85, 8)])
def test_ones_that_are_bold_or_slant_are_no_holes(reader: Reader, slant: float, thickness: int) -> None:
    image = page()
    for x in (380, 430):
        cv2.line(image, (x, 250), (x + round(40 * slant), 210), INK, thickness, cv2.LINE_AA)
    assert accepted(reader, image) == [*NUMBERS[:2], "11", *NUMBERS[2:]]


@pytest.mark.parametrize("radius", [3, 5, 7])
@pytest.mark.parametrize("before", [14, 22, 30])
def test_a_bullet_before_a_number_is_no_hole(reader: Reader, radius: int, before: int) -> None:
    """Nor is a bold decimal point one: both are lower than digits."""
    image = page()
    for y, x in itertools.product((135, 285, 435), (150, 560)):
        cv2.circle(image, (x - before, y + 2), radius, INK, cv2.FILLED, cv2.LINE_AA)
    assert accepted(reader, image) == NUMBERS


@pytest.mark.parametrize("radius", [25, 40, 60])
@pytest.mark.parametrize("thickness", [2, 5])
def test_a_face_is_no_zero(reader: Reader, radius: float, thickness: int) -> None:
    assert accepted(reader, face(page(), (440, 290), radius, thickness)) == NUMBERS


def test_eyes_of_a_face_are_no_zeros(reader: Reader) -> None:
    image = paper(600, 900, 210)
    cv2.circle(image, (440, 300), 80, INK, 2, cv2.LINE_AA)
    for x in (412, 468):
        cv2.ellipse(image, (x, 288), (10, 16), 0, 0, 360, INK, 2, cv2.LINE_AA)
    assert accepted(reader, image) == []


def test_a_number_above_a_face_is_read(reader: Reader) -> None:
    image = write(face(page(), (440, 290), 60), "31", (400, 200), size=1.0)
    assert accepted(reader, image) == [*NUMBERS[:2], "31", *NUMBERS[2:]]


@pytest.mark.parametrize(("radius", "dots"), [(3, 1), (2, 2)])
def test_a_zero_with_a_dot_or_specks_in_it_is_no_face(reader: Reader, radius: int, dots: int) -> None:
    image = write(page(), "2 8", (380, 230), size=1.3)
    cv2.ellipse(image, (432, 212), (14, 19), 0, 0, 360, INK, 3, cv2.LINE_AA)
    for k in range(dots):
        cv2.circle(image, (432, 212 + 7 * k), radius, INK, cv2.FILLED, cv2.LINE_AA)
    assert accepted(reader, image) == [*NUMBERS[:2], "208", *NUMBERS[2:]]


@pytest.mark.parametrize("is_ring", [False, True])
@pytest.mark.parametrize(("side", "thickness"), [(18, 2), (26, 1), (34, 3), (44, 4)])
def test_what_is_to_be_ticked_is_no_zero_before_a_number(
    reader: Reader, is_ring: bool, side: int, thickness: int
) -> None:
    """In a row with a number, and near to it, it was its first digit; apart it was a number."""
    image = page()
    for y in (135, 285, 435):
        for x in (120, 535):
            image = to_tick(image, (x, y), side, thickness, is_ring)
        image = to_tick(image, (430, y), side, thickness, is_ring)
    assert accepted(reader, image) == NUMBERS


@pytest.mark.parametrize("degrees", [2, 4, 7])
@pytest.mark.parametrize(("width", "height", "thickness"), [(18, 18, 2), (31, 34, 3)])
def test_boxes_to_tick_are_no_zeros_where_the_page_lies_turned(
    reader: Reader, degrees: float, width: int, height: int, thickness: int
) -> None:
    image = page()
    for x, y in itertools.product((120, 430, 535), (135, 285, 435)):
        corners = 16 * cv2.boxPoints(((x, y), (width, height), degrees))
        cv2.polylines(image, [np.rint(corners).astype(np.int32)], True, INK, thickness, cv2.LINE_AA, 4)
    assert accepted(reader, image) == NUMBERS


def _ring(image: Picture, middle: tuple[float, float], radius: float, thickness: int = 3) -> None:
    x, y, r = (round(16 * part) for part in (*middle, radius))
    cv2.circle(image, (x, y), r, INK, thickness, cv2.LINE_AA, 4)


@pytest.mark.parametrize("radii", [(9, 9.4), (30, 30.8), (40, 40.9)])
def test_two_rings_to_tick_are_alike_for_all_that_the_camera_does(
    reader: Reader, radii: tuple[float, float]
) -> None:
    """Farther away one is a little smaller, and small ones differ by parts of a pixel."""
    image = page()
    for y, radius in zip((135, 285), radii, strict=True):
        _ring(image, (430, y), radius, 2 if radius < 20 else 4)
    assert accepted(reader, image) == NUMBERS


def _with_zeros(draw: Callable[[Picture, int, int, int], None]) -> Picture:
    """Write 20 and 40 on the page, their 0s drawn: at x, their foot at y, the first and the second."""
    image = page()
    for k, (text, y) in enumerate((("2", 230), ("4", 400))):
        image = write(image, text, (380, y), size=1.3)
        draw(image, 420, y, k)
    return image


WITH_ZEROS = [*NUMBERS[:2], "20", *NUMBERS[2:4], "40", *NUMBERS[4:]]


@pytest.mark.parametrize("radii", [(16, 18), (20, 21), (24, 25.4)])
def test_round_zeros_of_two_sizes_are_digits(reader: Reader, radii: tuple[float, float]) -> None:
    image = _with_zeros(lambda image, x, y, k: _ring(image, (x + radii[k], y - radii[k]), radii[k]))
    assert accepted(reader, image) == WITH_ZEROS


def test_a_round_zero_alone_is_a_digit(reader: Reader) -> None:
    image = write(page(), "2", (380, 230), size=1.3)
    _ring(image, (440, 212), 18)
    assert accepted(reader, image) == [*NUMBERS[:2], "20", *NUMBERS[2:]]


def test_a_bold_zero_with_corners_is_no_box_to_tick(reader: Reader) -> None:
    image = write(page(), "2", (380, 230), size=1.3)
    cv2.rectangle(image, (420, 190), (444, 230), INK, 8)
    assert accepted(reader, image) == [*NUMBERS[:2], "20", *NUMBERS[2:]]


@pytest.mark.parametrize(
    ("outside", "inside", "aside"),
    [
        ((17, 20), (13, 16), 0),  # a little oval
        ((16, 18), (12, 14), 0),
        ((18, 18), (8, 14), 0),  # bold at the sides
        ((20, 20), (13, 13), 4),  # bold at one side
    ],
)
def test_printed_zeros_are_alike_and_digits(
    reader: Reader, outside: tuple[int, int], inside: tuple[int, int], aside: int
) -> None:
    def draw(image: Picture, x: int, y: int, _: int) -> None:
        middle = x + outside[0], y - outside[1]
        cv2.ellipse(image, middle, outside, 0, 0, 360, INK, cv2.FILLED, cv2.LINE_AA)
        hole = middle[0] + aside, middle[1]
        cv2.ellipse(image, hole, inside, 0, 0, 360, (210,) * 3, cv2.FILLED, cv2.LINE_AA)

    assert accepted(reader, _with_zeros(draw)) == WITH_ZEROS


def test_a_sheet_of_rings_takes_little_memory(reader: Reader) -> None:
    """Of 1,600 rings not each is held against every other."""
    image = paper(1000, 1000, 220)
    for x, y in itertools.product(range(20, 980, 24), repeat=2):
        cv2.circle(image, (x, y), 9, INK, 1, cv2.LINE_AA)
    tracemalloc.start()
    assert reader.read(image).lines == ()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16e6


def test_zeros_in_pen_are_digits_however_many(reader: Reader, data_set: Callable[[str], Path]) -> None:
    """Forty 0s of MNIST's test digits, each a number: they are rings, but not alike."""
    pens, draw = Pens(data_set("mnist")), np.random.default_rng(2)
    image = np.full((620, 980), 215, np.uint8)
    for k in range(40):
        ink = np.kron(pens.digit("0", draw), np.ones((2, 2))) / 255
        y, x = 20 + 120 * (k // 8), 30 + 120 * (k % 8)
        image[y : y + 56, x : x + 56] = (image[y : y + 56, x : x + 56] * (1 - 0.75 * ink)).astype(np.uint8)
    assert "".join(accepted(reader, image)).count("0") >= 38


def _beside(lines: tuple[Line, ...], x: int, y: int) -> list[Line]:
    return [each for each in lines if abs(each.box[1] + each.box[3] / 2 - y) < 30 and each.box[0] > x - 40]


@pytest.mark.parametrize("seed", range(4))
def test_a_number_that_a_finger_lies_on_is_not_accepted(reader: Reader, seed: int) -> None:
    """The tip lies on the last digit but one, and what is left before it reads well."""
    draw = np.random.default_rng(seed)
    image, hidden = finger(page(), (660, 295), 70, 70 + 10 * seed, draw)
    assert hidden[270:300, 640:680].mean() > 0.8
    lines = reader.read(image).lines
    assert [line.text for line in lines if line.accepted and line.text not in NUMBERS] == []
    assert {"2715", "4083", "9360"} <= {line.text for line in lines if line.accepted}
    assert "6142" not in {line.text for line in lines if line.accepted}


@pytest.mark.parametrize(("tip", "degrees", "covered"), [((200, 285), 180, "9360"), ((640, 285), 0, "6142")])
def test_a_digit_that_a_finger_leaves_of_a_number_is_not_accepted(
    reader: Reader, tip: tuple[float, float], degrees: float, covered: str
) -> None:
    """How far from one another its digits lie can't be seen."""
    image, _ = finger(page(), tip, 70, degrees, np.random.default_rng(0))
    assert accepted(reader, image) == [text for text in NUMBERS if text != covered]


@pytest.mark.parametrize("is_left", [False, True])
@pytest.mark.parametrize(
    ("spacing", "away", "thickness", "clear"),
    [
        (0, 11, 17, False),
        (4, 20, 17, True),
        (14, 20, 17, False),
        (14, 25, 17, True),
        (30, 25, 17, False),
        (30, 34, 17, True),
        (14, 9, 5, True),  # a ring of a pen, which hides nothing
    ],
)
def test_how_far_apart_its_digits_lie_tells_whether_a_number_goes_on_beneath_a_key_ring(
    reader: Reader, spacing: int, away: int, thickness: int, clear: bool, is_left: bool
) -> None:
    image = write(paper(600, 900, 210), "4083", (560, 120), size=1.3)
    image = write(image, "2475", (350, 330), size=1.3, spacing=spacing)
    columns = np.flatnonzero((image[280:350, :, 0] < 120).any(axis=0))
    x = int(columns.min() - away - 35 if is_left else columns.max() + away + 35)
    cv2.circle(image, (x, 317), 35 - thickness // 2, (60, 70, 80), thickness, cv2.LINE_AA)
    assert ("2475" in accepted(reader, image)) is clear


@pytest.mark.parametrize("is_left", [False, True])
@pytest.mark.parametrize(
    ("away", "lean", "clear"), [(10, 0.4, False), (10, -0.4, False), (10, 0, True), (45, 0.4, True)]
)
def test_a_number_at_the_edge_of_what_lies_across_the_page_is_not_accepted(
    reader: Reader, away: int, lean: float, clear: bool, is_left: bool
) -> None:
    """What is wider than any stroke is no ink, but for its edge; what stands upright is a printed panel."""
    image = write(paper(600, 900, 210), "2475", (380, 330), size=1.3)
    columns = np.flatnonzero((image[280:350, :, 0] < 120).any(axis=0))
    x = columns.min() - away - 220 if is_left else columns.max() + away
    # At the middle of the digits' height it is as far away as it says.
    corners = [(x + across + lean * (y - 317), y) for across, y in ((0, 0), (220, 0), (220, 600), (0, 600))]
    cv2.fillPoly(image, [np.array(corners, np.int32)], (90, 90, 90), cv2.LINE_AA)
    assert accepted(reader, cv2.GaussianBlur(image, (0, 0), 0.7)) == (["2475"] if clear else [])


def test_a_number_clear_of_a_finger_is_read(reader: Reader) -> None:
    image, _ = finger(page(), (440, 320), 70, 90, np.random.default_rng(0))
    assert accepted(reader, image) == NUMBERS
