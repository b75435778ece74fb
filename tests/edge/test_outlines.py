"""What is drawn by hand around numbers, and across the page, hides none and adds none."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits import Reader
from edgedigits.ink.outlines import lift_outlines
from edgedigits.ink.unprinted import pieces_of

Picture = NDArray[np.uint8]
INK = (40, 30, 30)


def ring(image: Picture, left: int, top: int, right: int, bottom: int) -> None:
    middle, axes = ((left + right) // 2, (top + bottom) // 2), ((right - left) // 2, (bottom - top) // 2)
    cv2.ellipse(image, middle, axes, 2, 20, 370, INK, 4, cv2.LINE_AA)


def box(image: Picture, left: int, top: int, right: int, bottom: int) -> None:
    corners = [(left, top + 4), (right + 3, top), (right, bottom), (left - 4, bottom - 3), (left, top)]
    cv2.polylines(image, [np.array(corners, np.int32)], False, INK, 4, cv2.LINE_AA)


def page(drawn: Callable[..., None], aside: int = 34) -> Picture:
    """Return two numbers with something drawn around the first."""
    image = write(write(paper(600, 800), "3580", (200, 200)), "742", (200, 420))
    drawn(image, 200 - aside, 130, 400 + aside, 228)
    return image


@pytest.mark.parametrize("drawn", [ring, box])
def test_a_number_in_a_ring_or_a_box_is_read(reader: Reader, drawn: Callable[..., None]) -> None:
    found = [line.text for line in reader.read(page(drawn)).lines if line.accepted]
    assert found == ["3580", "742"]


def test_a_number_that_touches_its_ring_is_not_accepted_in_part(reader: Reader) -> None:
    image = page(ring)
    cv2.line(image, (190, 160), (140, 180), INK, 4)
    cv2.line(image, (210, 160), (170, 170), INK, 5)
    accepted = [line.text for line in reader.read(image).lines if line.accepted]
    assert set(accepted) <= {"3580", "742"}
    assert "742" in accepted


def test_a_face_and_a_zero_with_a_stroke_in_it_are_no_outlines() -> None:
    mask = np.zeros((500, 600), np.uint8)
    cv2.circle(mask, (150, 250), 100, 1, 4)
    for x in (110, 190):
        cv2.circle(mask, (x, 220), 15, 1, 3)
    cv2.ellipse(mask, (420, 250), (45, 80), 0, 0, 360, 1, 6)
    cv2.line(mask, (440, 210), (400, 290), 1, 6)
    assert lift_outlines(mask, *pieces_of(mask)[1:]) is mask


def cup(image: Picture) -> None:
    cv2.circle(image, (620, 420), 190, (120, 140, 155), 5, cv2.LINE_AA)


def pen(image: Picture) -> None:
    cv2.line(image, (470, 560), (760, 150), (60, 40, 40), 24, cv2.LINE_AA)


@pytest.mark.parametrize("drawn", [cup, pen])
def test_a_large_thing_on_the_page_makes_no_specks_of_its_numbers(
    reader: Reader, drawn: Callable[[Picture], None]
) -> None:
    image = paper(700, 900)
    texts = ["3580", "742", "2913"]
    for row, text in enumerate(texts):
        write(image, text, (100, 150 + 190 * row))
    drawn(image)
    assert [line.text for line in reader.read(image).lines if line.accepted] == texts


def test_a_number_that_a_large_ring_goes_through_is_not_accepted_in_part(reader: Reader) -> None:
    image = paper(700, 900)
    for row, text in enumerate(["3580", "742", "2913"]):
        write(image, text, (100, 150 + 190 * row))
    cv2.circle(image, (470, 350), 195, (120, 140, 155), 5, cv2.LINE_AA)
    accepted = [line.text for line in reader.read(image).lines if line.accepted]
    assert set(accepted) <= {"3580", "742", "2913"}
