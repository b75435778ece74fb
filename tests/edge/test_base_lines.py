"""Numbers on printed lines, and across them: thin ones, and ones about as bold as the pen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgedigits import Reader
from edgedigits.ink.rulings import lift_bold

from .drawing import in_a_row

COUNT = 12
TOP, TALL = 6, 28
"""Where a picture of MNIST's, and its margin, stands in `in_a_row`."""


@pytest.fixture(scope="module")
def numbers(data_set: Callable[[str], Path]) -> list[tuple[str, np.ndarray]]:
    """Return numbers of three to six of MNIST's training digits: text, and a picture, 120 pixels high."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    random = np.random.default_rng(2)
    found = []
    for _ in range(COUNT):
        chosen = random.integers(len(mnist.train_images), size=random.integers(3, 7))
        text = "".join(str(mnist.train_labels[k]) for k in chosen)
        found.append((text, in_a_row([mnist.train_images[k] for k in chosen], 3)))
    return found


def lined(picture: np.ndarray, row: float, thick: int, grey: int, high: int) -> np.ndarray:
    """Return a number with a line in a row of its digits (0 their top, 1 their base), in a larger picture."""
    above = (high - len(picture)) // 2
    page = np.full((high, picture.shape[1] + 200), 225, np.uint8)
    page[above : above + len(picture), 100:-100] = picture
    line = page.copy()
    at = round(above + 3 * (TOP + 4 + 20 * row))
    cv2.line(line, (0, at), (page.shape[1], at), grey, thick, cv2.LINE_AA)
    return np.minimum(page, line)


def accepted(reader: Reader, numbers: list[tuple[str, np.ndarray]], **line: float) -> list[bool]:
    """Return of each number that is accepted with a line whether it is the one that was written."""
    found = []
    for text, picture in numbers:
        lines = reader.read(lined(picture, **line), upright=True).lines  # type: ignore[arg-type]
        found += [read.text == text for read in lines if read.accepted]
    return found


@pytest.mark.parametrize("high", [160, 400])
@pytest.mark.parametrize(("thick", "grey"), [(3, 60), (6, 140), (6, 60)], ids=["thin", "pale", "bold"])
def test_a_number_on_a_base_line_is_read(reader, numbers, high, thick, grey):
    right = accepted(reader, numbers, row=1.05, thick=thick, grey=grey, high=high)
    assert right.count(True) >= COUNT - 3
    assert right.count(False) <= 1


def test_a_page_of_fields_with_base_lines_is_read(reader, numbers):
    """A photo of 1,200 × 900 pixels, turned a little, each number on a line of its own 5 pixels thick."""
    right = wrong = 0
    for first in (0, 5):
        page = np.full((900, 1200), 225, np.uint8)
        written = numbers[first : first + 5]
        for k, (_, picture) in enumerate(written):
            small = cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
            base = 120 + 150 * k
            cv2.line(page, (300, base), (1120, base), 50, 5, cv2.LINE_AA)
            place = page[base - 68 : base - 68 + len(small), 360 : 360 + small.shape[1]]
            np.minimum(place, small, out=place)
        turn = cv2.getRotationMatrix2D((600, 450), 1.5, 1)
        page = np.asarray(cv2.warpAffine(page, turn, (1200, 900), borderValue=(225,)), np.uint8)
        found = [line.text for line in reader.read(page, upright=True).lines if line.accepted]
        texts = [text for text, _ in written]
        right += len(set(found) & set(texts))
        wrong += len(set(found) - set(texts))
    assert right >= 8
    assert wrong <= 1


def test_a_base_line_that_ends_within_the_picture_is_lifted_off(reader, numbers):
    """It goes on for three quarters of the page's width."""
    right = []
    for text, picture in numbers:
        page = np.full((900, 800), 225, np.uint8)
        cv2.line(page, (100, 500), (700, 500), 60, 7, cv2.LINE_AA)
        at = 500 - 3 * (TOP + TALL - 4)
        place = page[at : at + len(picture), 200 : 200 + picture.shape[1]]
        np.minimum(place, picture, out=place)
        right += [read.text == text for read in reader.read(page, upright=True).lines if read.accepted]
    assert right.count(True) >= COUNT - 3
    assert right.count(False) <= 1


def test_what_noise_leaves_of_a_line_is_no_comma(reader, numbers):
    """In a column behind the number the line of 6 pixels is thicker by two on either side."""
    read = []
    for _, picture in numbers:
        page = lined(picture, row=1.05, thick=6, grey=60, high=400)
        column = page[:, 100 + picture.shape[1] - 30 + 3]
        line = np.flatnonzero(page[:, 5] < 100)
        column[line[0] - 2 : line[-1] + 3] = 60
        read += [found.raw for found in reader.read(page, upright=True).lines if found.accepted]
    assert len(read) >= COUNT - 3
    assert not [raw for raw in read if "," in raw or "." in raw]


@pytest.mark.parametrize("turn", [-6, 6])
def test_a_line_under_a_long_number_that_slopes_does_not_go_through_it(reader, numbers, turn):
    right = []
    for first in range(0, COUNT, 3):
        text = "".join(text for text, _ in numbers[first : first + 3])
        picture = np.hstack([picture for _, picture in numbers[first : first + 3]])
        page = lined(picture, row=1.07, thick=8, grey=50, high=700)
        size = page.shape[::-1]
        turned = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), turn, 1)
        page = np.asarray(cv2.warpAffine(page, turned, size, borderValue=(225,)), np.uint8)
        right += [read.text == text for read in reader.read(page, upright=True).lines if read.accepted]
    assert right.count(True) >= 2
    assert right.count(False) <= 1


@pytest.mark.parametrize("thick", [2, 5, 8])
@pytest.mark.parametrize("turn", [0.0, 2.0])
def test_numbers_in_a_table_are_read_however_bold_its_lines(reader, numbers, thick, turn):
    page = np.full((900, 1200), 225, np.uint8)
    for k in range(5):
        cv2.line(page, (60, 90 + 180 * k), (1140, 90 + 180 * k), 50, thick)
        cv2.line(page, (60 + 270 * k, 90), (60 + 270 * k, 810), 50, thick)
    for k, (_, picture) in enumerate(numbers):
        small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        top, left = 140 + 180 * (k // 4), 80 + 270 * (k % 4)
        page[top : top + len(small), left : left + small.shape[1]] = small
    matrix = cv2.getRotationMatrix2D((600, 450), turn, 1)
    page = np.asarray(cv2.warpAffine(page, matrix, (1200, 900), borderValue=(225,)), np.uint8)
    found = {line.text for line in reader.read(page, upright=True).lines if line.accepted}
    texts = {text for text, _ in numbers}
    assert len(found & texts) >= COUNT - 1
    assert len(found - texts) <= 1


@pytest.mark.parametrize("high", [190, 400])
def test_a_low_digit_across_a_ruling_is_no_equals_sign(reader, numbers, high):
    """The ruling parts low 5s, 2s and 3s, which are read all the same, or leave the number in doubt."""
    right = accepted(reader, numbers, row=0.5, thick=3, grey=120, high=high)
    assert right.count(True) >= COUNT - 3
    assert right.count(False) <= 1


@pytest.mark.parametrize("high", [190, 400])
def test_what_a_line_as_bold_as_the_pen_goes_through_is_not_accepted(reader, numbers, high):
    assert len(accepted(reader, numbers, row=0.5, thick=9, grey=40, high=high)) <= 2
    assert accepted(reader, numbers, row=0.5, thick=7, grey=40, high=high).count(False) <= 1


@pytest.mark.parametrize("side", [120, 300, 900])
def test_the_bar_of_a_digit_that_fills_the_picture_is_no_line(side):
    mask = np.zeros((side, side), np.uint8)
    thick = side // 30
    cv2.line(mask, (0, side // 10), (side, side // 10), 1, thick)
    cv2.line(mask, (side, side // 10), (side // 2, side), 1, thick)
    assert lift_bold(mask, 255 * mask) is mask
