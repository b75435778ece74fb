"""Which digits on one level are one number: low and broken ones among them, and those far apart."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import in_a_row, paper, write

from edgedigits import Reader
from edgedigits.frames.demo import digits
from edgedigits.glyphs.chains import interleaved, parted_by_room, with_neighbours
from edgedigits.glyphs.text_lines import find_lines
from edgedigits.ink import find_ink


def counts(image: NDArray[np.uint8]) -> list[int]:
    return [len(line.glyphs) for line in find_lines(find_ink(image))]


def boxes(*found: tuple[int, int, int, int]) -> NDArray[np.int64]:
    return np.array(found, np.int64)


def test_chains_between_each_others_pieces_are_one() -> None:
    own = boxes((0, 0, 30, 60), (40, 18, 44, 25), (100, 0, 30, 60), (150, 0, 30, 60), (200, 0, 30, 60))
    assert interleaved([[0, 2, 4], [3]], own) == [[0, 2, 3, 4]]


def test_a_line_below_another_one_is_not_made_part_of_it() -> None:
    own = boxes((0, 0, 30, 60), (50, 70, 30, 60), (100, 0, 30, 60))
    assert interleaved([[0, 2], [1]], own) == [[0, 2], [1]]


def test_numbers_far_apart_on_a_line_are_two_and_a_dash_joins_them() -> None:
    own = boxes((0, 0, 30, 60), (45, 0, 30, 60), (190, 0, 30, 60), (235, 0, 30, 60), (120, 30, 30, 6))
    none = np.zeros(0, np.intp)
    assert parted_by_room([[0, 1, 2, 3]], own, none) == [[0, 1], [2, 3]]
    assert parted_by_room([[0, 1, 2, 3]], own, np.array([4])) == [[0, 1, 2, 3]]


def test_digits_that_all_stand_far_apart_are_one_number() -> None:
    own = boxes(*((140 * k, 0, 30, 60) for k in range(4)))
    assert parted_by_room([[0, 1, 2, 3]], own, np.zeros(0, np.intp)) == [[0, 1, 2, 3]]


def test_a_row_of_low_pieces_that_goes_on_and_on_is_followed_once() -> None:
    """Each is known by the one before it only: to ask all of them again for each takes minutes."""

    def seconds(count: int) -> float:
        row = boxes((0, 0, 20, 12), *((24 * k, 2, 20, 9) for k in range(1, count)), (0, 50, 20, 9))
        others = np.ones(len(row), bool)
        started = time.process_time()
        found = with_neighbours(np.arange(len(row)) == 0, others, row)
        taken = time.process_time() - started
        assert found[:-1].all()
        assert not found[-1]
        return taken

    assert min(seconds(2000) for _ in range(2)) < 10 * max(seconds(500) for _ in range(2))


@pytest.mark.parametrize("right_column", [290, 305])
def test_neighbouring_columns_of_a_page_are_read_apart(reader: Reader, right_column: int) -> None:
    image = paper(600, 1000)
    for row, (left, right) in enumerate([("204", "317"), ("58", "4921"), ("736", "60")]):
        write(image, left, (100, 150 + 160 * row))
        write(image, right, (right_column, 150 + 160 * row))
    found = [line.text for line in reader.read(image).lines if line.accepted]
    assert found == ["204", "317", "58", "4921", "736", "60"]


@pytest.mark.parametrize("room", [50, 110])
def test_what_is_written_beside_a_struck_out_number_is_read_alone(reader: Reader, room: int) -> None:
    image = paper(600, 1000)
    for row, (wrong, right) in enumerate([("2704", "3175"), ("5863", "4921")]):
        x, y = 60, 80 + 220 * row
        for text in (wrong, right):
            number = in_a_row([digits()[int(label)][row] for label in text], gap=5)
            image[y : y + len(number), x : x + number.shape[1]] = number[..., None]
            if text == wrong:
                end = x + number.shape[1] - 30
                cv2.line(image, (x + 5, y + 64), (end + 25, y + 58), (40, 30, 30), 6, cv2.LINE_AA)
                x = end + room
    assert [line.text for line in reader.read(image).lines if line.accepted] == ["3175", "4921"]


def low_5(image: NDArray[np.uint8], x: int, base: int) -> None:
    """Draw a 5 that is a little lower than the digits beside it, its flag parted from its body."""
    cv2.ellipse(image, (x + 8, base - 9), (8, 7), 0, -150, 130, (40, 30, 30), 3, cv2.LINE_AA)
    flag = np.array([(x + 13, base - 22), (x + 18, base - 33), (x + 46, base - 36)])
    cv2.polylines(image, [flag], False, (40, 30, 30), 3, cv2.LINE_AA)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_low_5_in_two_pieces_is_one_glyph_of_its_number(place: int) -> None:
    image = paper(600, 800)
    for k, label in enumerate("380"):
        write(image, label, (100 + 75 * (k + (k >= place)), 160), size=2, thickness=4)
    low_5(image, 100 + 75 * place, 158)
    write(image, "417", (100, 400), size=2, thickness=4)
    assert counts(image) == [4, 3]


def low_2(tall: int) -> NDArray[np.uint8]:
    """Return a page with 489 and, at its end, a 2 that is so low and as wide as it usually is."""
    image = paper(500, 800)
    number = in_a_row([digits()[4][0], digits()[8][0], digits()[9][0]], gap=6)
    image[100 : 100 + len(number), 100 : 100 + number.shape[1]] = number[..., None]
    tile = cv2.resize(digits()[2][0], (84, tall), interpolation=cv2.INTER_AREA)
    place = image[150 : 150 + tall, 110 + number.shape[1] - 30 :][:, :84]
    np.minimum(place, (225 - 0.8 * tile).astype(np.uint8)[..., None], out=place)
    return image


def test_a_2_as_low_as_a_dash_is_no_dash(reader: Reader) -> None:
    image = low_2(34)
    assert counts(image) == [4]
    for line in reader.read(image).lines:
        assert not line.accepted or line.text == "4892"


def test_small_digits_beside_those_that_are_high_enough_are_not_left_out() -> None:
    """By the largest digits of the page some of the small number's would be specks."""
    image = paper(700, 1000)
    write(image, "72", (100, 300), size=8, thickness=12, spacing=40)
    for k, high in enumerate((38, 30, 32, 40)):
        cv2.ellipse(image, (140 + 45 * k, 560 - high // 2), (12, high // 2), 0, 0, 360, (40, 30, 30), 3)
    assert sorted(counts(image)) == [2, 4]


def test_a_low_0_is_not_struck_out_by_its_own_sides() -> None:
    """It lies between its neighbours with room on both sides, and both its long sides are level."""
    image = paper(400, 900)
    for k, label in enumerate("7980940"):
        if k != 3:
            write(image, label, (100 + 95 * k, 160), size=2, thickness=4)
    cv2.ellipse(image, (408, 144), (26, 12), 0, 0, 360, (40, 30, 30), 7, cv2.LINE_AA)
    assert counts(image) == [7]
