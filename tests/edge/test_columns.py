"""Tables: numbers in neighbouring cells are numbers of their own; combs and squares have lines, too."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgedigits.glyphs.columns import Row, part_cells
from edgedigits.ink.rests import without_rests

from .drawing import lines_down, number, photo, table

Digits = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def digits(data_set: Callable[[str], Path]) -> Digits:
    """Return MNIST's training digits, and what they are."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    return mnist.train_images, mnist.train_labels


@pytest.mark.parametrize("turn", [0, 2, -4])
@pytest.mark.parametrize(
    ("grey", "thick", "level"),
    [(60, 2, True), (60, 5, True), (60, 2, False), (160, 2, True), (160, 2, False)],
    ids=["thin", "bold", "columns", "pale", "pale columns"],
)
def test_numbers_in_the_cells_of_a_table_are_read_one_by_one(reader, digits, grey, thick, level, turn):
    random = np.random.default_rng(1)
    page, texts = table(digits, random, grey, thick, level)
    read = [line.text for line in reader.read(photo(page, turn, random), upright=True).lines if line.accepted]
    assert len(set(read) & set(texts)) >= 22
    assert len(set(read) - set(texts)) <= 2


@pytest.mark.parametrize(("pitch", "grey"), [(64, 120), (64, 190), (26, 190)])
def test_digits_in_a_comb_or_on_squares_stay_one_number(reader, digits, pitch, grey):
    """A comb has a digit in each box; squares go on all over the page."""
    random = np.random.default_rng(4)
    page = np.full((500, 700), 228.0)
    texts = []
    for x in range(60, 660, pitch):
        cv2.line(page, (x, 40), (x, 460), grey, 2)
    for y in range(40, 470, 84 if pitch > 60 else pitch):
        cv2.line(page, (40, y), (660, y), grey, 2)
    for y in (54, 138, 222, 306, 390):
        text = ""
        for k in range(6):
            digit, ink = number(digits, random, 1)
            x = 60 + 64 * k + 32 - ink.shape[1] // 2
            place = page[y : y + len(ink), x : x + ink.shape[1]]
            np.minimum(place, 228 - 0.8 * ink, out=place)
            text += digit
        texts.append(text)
    read = [line.text for line in reader.read(photo(page, 1, random), upright=True).lines]
    assert len(set(read) & set(texts)) >= 4
    assert all(len(line) >= 5 for line in read)


@pytest.mark.parametrize("turn", [0, 2, -4])
@pytest.mark.parametrize("pitch", [0, 80])
def test_a_number_whose_digits_hang_on_a_dark_line_is_not_accepted_without_them(reader, digits, pitch, turn):
    """Such a digit is lost with the line; the rest is not the number."""
    wrong = 0
    for seed in range(3):
        random = np.random.default_rng(seed)
        page, texts = lines_down(digits, random, 60, 3, pitch, level=False)
        read = [
            line.text for line in reader.read(photo(page, turn, random), upright=True).lines if line.accepted
        ]
        wrong += len(set(read) - set(texts))
    assert wrong <= 2


def test_few_numbers_whose_1_went_with_a_cells_line_are_accepted_without_it(reader, digits):
    """A 1 right at the line beside it, as thick as that, is lifted off with it; a third of them were lost."""
    lost = written = 0
    for turn in (0, 1, -2):
        random = np.random.default_rng(turn + 5)
        page, texts = np.full((620, 760), 228.0), []
        for x in range(60, 760, 160):
            cv2.line(page, (x, 60), (x, 564), 60, 2)
        for y in range(60, 580, 84):
            cv2.line(page, (60, y), (700, y), 60, 2)
        for x, y in itertools.product(range(60, 700, 160), range(60, 564, 84)):
            text, ink = number(digits, random, 2)
            place = page[y + 14 : y + 70, x + 22 : x + 22 + ink.shape[1]]
            np.minimum(place, 228 - 0.8 * ink, out=place)
            if random.random() < 0.4:
                cv2.line(page, (x + 3, y + 22), (x + 3, y + 62), 45, 3)
                texts.append(text)
        read = {
            line.text for line in reader.read(photo(page, turn, random), upright=True).lines if line.accepted
        }
        lost += sum(text in read and "1" + text not in read for text in texts)
        written += len(texts)
    assert written >= 20
    assert lost <= written / 5


def uprights(at: list[int], height: int = 100, width: int = 450, value: int = 1) -> np.ndarray:
    lines = np.zeros((height, width), np.uint8)
    lines[:, at] = lines[:, [x + 1 for x in at]] = value
    return lines


BOXES = [(20 + 40 * k, 30, 25, 40) for k in range(8)]
"""Of digits 40 high and 15 apart."""


def cells(
    lines: np.ndarray, contrast: np.ndarray, *rows: list[tuple[int, int, int, int]]
) -> list[list[list[int]]]:
    """Return which digits of each row stand together."""
    return part_cells([Row(boxes, 200) for boxes in rows or (BOXES,)], lines, contrast)


def lower(boxes: list[tuple[int, int, int, int]], by: int) -> list[tuple[int, int, int, int]]:
    return [(x, y + by, w, h) for x, y, w, h in boxes]


def test_what_stands_on_both_sides_of_a_columns_line_is_parted():
    at = [12, 172, 332]
    assert cells(uprights(at), uprights(at, value=150)) == [[[0, 1, 2, 3], [4, 5, 6, 7]]]
    assert cells(uprights([]), uprights([])) == [[list(range(8))]]
    shuffled = [BOXES[k] for k in (4, 0, 6, 1, 7, 2, 5, 3)]
    assert cells(uprights(at), uprights(at, value=150), shuffled) == [[[1, 3, 5, 7], [0, 6, 2, 4]]]
    assert part_cells([], uprights(at), uprights(at)) == []


def test_a_line_too_pale_to_be_ink_parts_as_well_and_a_paler_one_does_not():
    none = uprights([])
    assert len(cells(none, uprights([12, 172, 332], value=60))[0]) == 2
    assert len(cells(none, uprights([12, 172, 332], value=15))[0]) == 1


def test_a_stroke_no_higher_than_the_digits_parts_nothing():
    lines, contrast = uprights([172]), uprights([172], value=150)
    lines[:35] = contrast[:35] = 0
    lines[65:] = contrast[65:] = 0
    assert len(cells(lines, contrast)[0]) == 1


def test_a_lone_line_parts_only_where_it_has_more_room_than_is_between_digits():
    """What goes on beyond a margin, a fold or the side of a box is the same number."""
    assert len(cells(uprights([172]), uprights([172], value=150))[0]) == 1
    apart = [(x + 30 * (k > 3), y, w, h) for k, (x, y, w, h) in enumerate(BOXES)]
    assert len(cells(uprights([187]), uprights([187], value=150), apart)[0]) == 2


def test_lines_that_go_through_other_digits_of_the_page_are_squares():
    at = [12, 92, 172, 252, 332]
    lines, contrast = uprights(at, 300), uprights(at, 300, value=150)
    aside = [(x + 25, y, w, h) for x, y, w, h in lower(BOXES, 90)]
    assert [len(row) for row in cells(lines, contrast, BOXES, lower(BOXES, 90))] == [4, 4]
    assert [len(row) for row in cells(lines, contrast, BOXES, aside)] == [1, 1]


def test_where_each_cell_has_one_digit_it_is_a_comb():
    at = [12 + 40 * k for k in range(9)]
    assert cells(uprights(at), uprights(at, value=150)) == [[list(range(8))]]
    wide = [12 + 80 * k for k in range(6)]
    apart = [(20 + 80 * k, 30, 25, 40) for k in range(5)]
    assert cells(uprights(wide), uprights(wide, value=150), apart) == [[list(range(5))]]


def test_lines_closer_than_columns_are_squares():
    at = [12 + 32 * k for k in range(12)]
    assert cells(uprights(at), uprights(at, value=150)) == [[list(range(8))]]


def test_whether_cells_are_a_combs_is_said_of_the_whole_page():
    """In the second row one of the comb's lines is not seen, and two digits stand together there."""
    at = [12 + 80 * k for k in range(6)]
    lines, contrast = uprights(at, 300), uprights(at, 300, value=150)
    comb = [(20 + 80 * k, 30, 25, 40) for k in range(5)]
    close = [*lower(comb[:1], 90), (60, 120, 25, 40)]
    assert len(cells(lines, contrast, [*close, *lower(comb[1:2], 90)])[0]) == 2
    assert [len(row) for row in cells(lines, contrast, comb, [*close, *lower(comb[1:2], 90)])] == [1, 1]


def pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return labels, stats


def test_the_rests_of_a_line_go_with_it_and_what_stands_beside_it_stays():
    printed = np.zeros((120, 200), np.uint8)
    printed[:, 100:104] = 1
    lifted, mask = printed.copy(), np.zeros_like(printed)
    lifted[90:] = 0
    mask[90:, 100:104] = 1  # its end
    mask[20:60, 104:106] = 1  # a sliver along it
    digit = np.zeros_like(mask)
    digit[30:70, 108:114] = 1  # a 1 beside it
    digit[100:118, 30:36] = 1  # another, below nothing
    bare = without_rests(lifted, mask | digit, *pieces(mask | digit))
    assert np.array_equal(bare, digit)
    nothing = np.zeros_like(mask)
    assert without_rests(nothing, digit, *pieces(digit)) is digit


def test_a_crossing_goes_with_its_lines_and_a_dot_on_one_stays():
    lifted, mask = np.zeros((60, 90), np.uint8), np.zeros((60, 90), np.uint8)
    lifted[30:34] = lifted[:, 20:24] = 1
    lifted[29:35, 19:25] = 0
    mask[29:35, 19:25] = 1
    dot = np.zeros_like(mask)
    dot[24:30, 60:66] = 1
    assert np.array_equal(without_rests(lifted, mask | dot, *pieces(mask | dot)), dot)


def test_a_1_along_a_line_that_goes_on_beyond_it_is_no_rest():
    lifted, mask = np.zeros((120, 200), np.uint8), np.zeros((120, 200), np.uint8)
    lifted[:, 100:104] = 1
    lifted[40:80, 100:104] = 0
    mask[40:80, 99:105] = 1
    assert np.array_equal(without_rests(lifted, mask, *pieces(mask)), mask)


def test_a_1_that_stands_on_a_level_line_is_no_rest_of_it():
    lifted, mask = np.zeros((120, 200), np.uint8), np.zeros((120, 200), np.uint8)
    lifted[100:104] = 1
    mask[60:100, 50:55] = 1
    assert np.array_equal(without_rests(lifted, mask, *pieces(mask)), mask)
