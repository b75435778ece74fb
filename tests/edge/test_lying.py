"""What lies on a page, or is drawn and printed on it, is no digit, and hides none without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


@pytest.mark.parametrize("radius", [25, 40, 60])
@pytest.mark.parametrize("thickness", [2, 5])
def test_a_face_is_no_zero(reader: Reader, radius: float, thickness: int) -> None:
    assert accepted(reader, face(page(), (440, 290), radius, thickness)) == NUMBERS


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


def test_a_number_clear_of_a_finger_is_read(reader: Reader) -> None:
    image, _ = finger(page(), (440, 320), 70, 90, np.random.default_rng(0))
    assert accepted(reader, image) == NUMBERS
