"""Slashes between digits, as in dates: told from 1s, read as separators, and in the way of no network."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from tests.edge.drawing import Digits, dated, paper, write

from edgedigits import Reader
from edgedigits.decode import Separator, with_signs_between
from edgedigits.glyphs import Glyph
from edgedigits.glyphs.slashes import slashes_among
from edgedigits.page import Digit, Line
from edgedigits.ways.line_reading import ReadingWay
from edgedigits.writing import find_writing


@pytest.fixture(scope="module", params=get_args(ReadingWay))
def reading(request: pytest.FixtureRequest) -> Reader:
    return Reader(way=request.param)


@pytest.fixture(scope="module")
def digits(data_set: Callable[[str], Path]) -> Digits:
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    return mnist.test_images, mnist.test_labels


@pytest.mark.parametrize("wide", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("beyond", [0.1, 0.25])
def test_a_date_is_read_with_its_slashes(wide: float, beyond: float, reading: Reader, digits: Digits) -> None:
    random = np.random.default_rng(3)
    dates = ["26/10/1993", "1/4/25", "17/07/74", "30/11/2026", "4/9"]
    right = 0
    for date in dates * 2:
        (line,) = reading.read(dated(date, digits, random, beyond, wide)).lines
        assert "/" in line.raw
        right += line.raw == date and line.accepted and line.text == date.replace("/", "")
    assert right >= 8


def test_a_slash_takes_no_digits_place(digits: Digits, reading: Reader) -> None:
    """Where eight digits are looked for they are found beside the slashes, not with them."""
    page = dated("26/10/1993", digits, np.random.default_rng(0))
    (line,) = reading.read(page, count=(8, 8)).lines
    assert (line.raw, line.accepted) == ("26/10/1993", True)


def test_nothing_but_a_stroke_that_leans_and_reaches_beyond_both_is_a_slash() -> None:
    def glyph(x: int, y: int, *strokes: list[tuple[int, int]]) -> Glyph:
        ink = np.zeros((200, 200), np.uint8)
        for stroke in strokes:
            cv2.polylines(ink, [np.array(stroke)], False, 255, 4, cv2.LINE_AA)
        left, top, w, h = cv2.boundingRect(ink)
        return Glyph((x + left, y + top, w, h), ink[top : top + h, left : left + w])

    def box(x: int) -> Glyph:
        return glyph(x, 40, [(0, 0), (20, 0), (20, 40), (0, 40), (0, 0)])

    def told(middle: Glyph) -> list[int]:
        return slashes_among([box(0), middle, box(60)])

    assert told(glyph(32, 30, [(18, 0), (0, 60)])) == [1]
    # No higher than what stands beside it, or beyond it at one end alone, it may be a 1.
    assert told(glyph(32, 41, [(12, 0), (0, 38)])) == []
    assert told(glyph(32, 40, [(16, 0), (0, 55)])) == []
    # A bar, a bracket, a 1 with a hook, and a stroke that leans to the left.
    assert told(glyph(38, 30, [(0, 0), (0, 60)])) == []
    assert told(glyph(38, 30, [(8, 0), (0, 20), (0, 40), (8, 60)])) == []
    assert told(glyph(32, 30, [(2, 18), (16, 0), (8, 60)])) == []
    assert told(glyph(32, 30, [(0, 0), (18, 60)])) == []
    # The stroke of an open 4 stands close to its other half.
    assert told(glyph(22, 30, [(18, 0), (2, 60)])) == []
    # At an end of a line there is but one digit to hold it against.
    slash = glyph(32, 30, [(18, 0), (0, 60)])
    assert slashes_among([slash, box(60)]) == slashes_among([box(0), slash]) == []
    assert slashes_among([box(0), slash, glyph(60, 30, [(18, 0), (0, 60)]), box(90)]) == []


def test_no_digit_of_the_amounts_is_a_slash(data_set: Callable[[str], Path]) -> None:
    folder = data_set("cheques")
    with (folder / "labels.csv").open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["part"] == "tune"][::4]
    for name in names:
        image = np.asarray(cv2.imread(str(folder / "images" / name)), np.uint8)
        found = [mark.text for line in find_writing(image).lines for mark in line.marks]
        assert "/" not in found, name


def test_what_reads_strips_sees_paper_in_a_slashs_place() -> None:
    image = write(paper(), "35 08", (60, 120))
    with_slash = np.asarray(cv2.line(image.copy(), (134, 132), (154, 68), (40, 30, 30), 3), np.uint8)
    writing = find_writing(with_slash)
    assert [mark.text for line in writing.lines for mark in line.marks] == ["/"]
    assert writing.grey[60:140, 132:156].min() > 200
    plain = find_writing(image).grey
    assert np.array_equal(plain[:, :125], writing.grey[:, :125])
    assert np.array_equal(plain[:, 165:], writing.grey[:, 165:])


def test_signs_stand_between_the_digits_where_they_were_written() -> None:
    told = tuple(Digit(label, 0.9, (20 * k, 0, 16, 24), ()) for k, label in enumerate("12?4"))
    line = Line("12?4", "1,2?4.", 0.9, True, (0, 0, 76, 24), told)
    assert with_signs_between(line, []) is line
    assert with_signs_between(line, [Separator("/", (37, -4, 4, 32))]).raw == "1,2/?4."
    both = [Separator("/", (17, -4, 4, 32)), Separator("/", (57, -4, 4, 32))]
    assert with_signs_between(line, both).raw == "1/2?/4."
