"""Separators: slashes as in dates, colons as in times, dashes and commas around amounts, told from digits."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from tests.edge.drawing import Digits, paper, write
from tests.edge.drawing import with_signs as drawn

from edgedigits import Reader
from edgedigits.decode import Separator, with_signs
from edgedigits.glyphs import Glyph
from edgedigits.glyphs.colons import colons_among
from edgedigits.glyphs.dollars import begins_with_dollar
from edgedigits.glyphs.separators import commas_among
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
    dates = ["26/10/1993", "1/4/25", "17/07/74", "30/11/2026", "4/9" if wide > 0.25 else "4/9/26"]
    right = 0
    for date in dates * 2:
        (line,) = reading.read(drawn(date, digits, random, beyond, wide)).lines
        assert "/" in line.raw
        right += line.raw == date and line.accepted and line.text == date.replace("/", "")
    assert right >= 8


def test_a_slash_takes_no_digits_place(digits: Digits, reading: Reader) -> None:
    """Where eight digits are looked for they are found beside the slashes, not with them."""
    page = drawn("26/10/1993", digits, np.random.default_rng(0))
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
    # The only one leans more than a 1 may.
    assert told(glyph(32, 30, [(10, 0), (0, 60)])) == []
    two = [glyph(x, 30, [(10, 0), (0, 60)]) for x in (32, 92)]
    assert slashes_among([box(0), two[0], box(60), two[1], box(120)]) == [1, 3]
    # Two reach beyond the line, be the digit between them large, or beyond their neighbours where it rises.
    large = glyph(60, 30, [(0, 0), (20, 0), (20, 60), (0, 60), (0, 0)])
    assert slashes_among([box(0), two[0], large, two[1], box(120), box(150)]) == [1, 3]
    assert slashes_among([box(0), two[0], large]) == []
    slashes = [glyph(x, 30, [(10, 0), (0, 60)]) for x in (32, 182)]
    rising = [box(0), slashes[0], box(60), box(90), box(120), box(150), slashes[1], box(210)]
    risen = [Glyph((x, y - x // 6, w, h), each.ink) for each in rising for x, y, w, h in [each.box]]
    assert slashes_among(risen) == [1, 6]
    # Two that lean unlike each other are not two slashes.
    steep, flat = glyph(32, 30, [(10, 0), (0, 60)]), glyph(92, 30, [(50, 0), (0, 60)])
    assert slashes_among([box(0), steep, box(60), flat, box(160)]) == [3]
    # No higher than what stands beside it, or beyond it at one end alone, it may be a 1.
    assert told(glyph(32, 41, [(12, 0), (0, 38)])) == []
    assert told(glyph(32, 40, [(16, 0), (0, 55)])) == []
    # A bar, a bracket, a 1 with a hook, and a stroke that leans to the left.
    assert told(glyph(38, 30, [(0, 0), (0, 60)])) == []
    assert told(glyph(38, 30, [(8, 0), (0, 20), (0, 40), (8, 60)])) == []
    assert told(glyph(32, 30, [(2, 18), (16, 0), (8, 60)])) == []
    assert told(glyph(32, 30, [(0, 0), (18, 60)])) == []
    assert slashes_among([box(0), glyph(36, 30, [(0, 0), (30, 0), (4, 60)]), box(90)]) == []  # a 7
    # The stroke of an open 4 stands close to its other half.
    assert told(glyph(21, 30, [(24, 0), (0, 60)])) == []
    assert slashes_among([box(0), glyph(29, 30, [(24, 0), (0, 60)]), box(80)]) == [1]
    # At an end of a line there is but one digit to hold it against.
    slash = glyph(32, 30, [(18, 0), (0, 60)])
    assert slashes_among([slash, box(60)]) == slashes_among([box(0), slash]) == []
    assert slashes_among([box(0), slash, glyph(60, 30, [(18, 0), (0, 60)]), box(90)]) == []


def test_no_digit_of_the_amounts_is_a_slash_or_a_dollar(data_set: Callable[[str], Path]) -> None:
    folder = data_set("cheques")
    with (folder / "labels.csv").open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["part"] == "tune"][::4]
    for name in names:
        image = np.asarray(cv2.imread(str(folder / "images" / name)), np.uint8)
        found = [mark.text for line in find_writing(image).lines for mark in line.marks]
        assert {"/", "$"}.isdisjoint(found), name


def test_what_reads_strips_sees_paper_in_a_slashs_place() -> None:
    image = write(paper(), "35 08", (60, 120))
    with_slash = np.asarray(cv2.line(image.copy(), (134, 132), (154, 68), (40, 30, 30), 3), np.uint8)
    writing = find_writing(with_slash)
    assert [mark.text for line in writing.lines for mark in line.marks] == ["/"]
    assert writing.grey[60:140, 132:156].min() > 200
    plain = find_writing(image).grey
    assert np.array_equal(plain[:, :125], writing.grey[:, :125])
    assert np.array_equal(plain[:, 165:], writing.grey[:, 165:])


def test_signs_are_told_where_they_were_written() -> None:
    digits = tuple(Digit(label, 0.9, (20 * k, 0, 16, 24), ()) for k, label in enumerate("12?4"))
    line = Line("12?4", "1,2?4.", 0.9, True, (0, 0, 76, 24), digits)

    def raw(*signs: tuple[str, int]) -> str:
        return with_signs(line, [Separator(text, (x, 8, 4, 8)) for text, x in signs]).raw

    assert with_signs(line, []) is line
    assert raw(("/", 37)) == "1,2/?4."
    assert raw(("/", 17), ("/", 57)) == "1/2?/4."
    # A strip ends close to the digits, and may lack a dash; specks are common there.
    assert raw(("-", -9)) == "-1,2?4."
    assert raw(("=", 80)) == "1,2?4.="
    assert raw((".", -9), (",", 80)) == "1,2?4."
    assert raw(("$", -9)) == "$1,2?4."


@pytest.mark.parametrize(
    "raw", ["-350", "12:30", "7:05:44", "180-", "350,-", "4,50", "12.50", "$68.50", "$7"]
)
def test_signs_are_read_beside_the_digits_on_every_way(raw: str, reading: Reader, digits: Digits) -> None:
    random = np.random.default_rng(2)
    read = [reading.read(drawn(raw, digits, random)).lines for _ in range(10)]
    # Some of the digits are as easily another one.
    told = [[re.sub("[0-9?]", "0", line.raw) for line in lines] for lines in read]
    assert told.count([re.sub("[0-9]", "0", raw)]) >= (7 if reading.way == "strip" else 9)
    assert [[line.raw for line in lines] for lines in read].count([raw]) >= 6


def test_a_dash_that_the_strip_may_not_show_is_told(reading: Reader) -> None:
    image = paper(160, 420)
    for place, digit in enumerate("180"):
        write(image, digit, (60 + 38 * place, 100))
    cv2.line(image, (174, 84), (196, 83), (40, 30, 30), 3)
    (line,) = reading.read(image).lines
    assert (line.raw, line.accepted) == ("180-", True)


def test_two_points_above_one_another_are_a_colon() -> None:
    def found(*boxes: tuple[int, int, int, int]) -> list[tuple[int, int]]:
        return colons_among(np.array([(0, 0, 30, 50), *boxes], np.int64), 50.0)

    upper, lower = (40, 12, 6, 6), (41, 34, 6, 6)
    assert found(upper, lower) == [(1, 2)]
    assert found(lower, upper) == [(2, 1)]
    # A third, one beside the other, a speck above a point, two strokes, and what stands inside a digit.
    assert found(upper, lower, (40, 2, 6, 4)) == []
    assert found(upper, (60, 34, 6, 6)) == []
    assert found((41, 13, 3, 3), lower) == []
    assert found((40, 12, 14, 5), (40, 34, 14, 5)) == []
    assert found((10, 12, 6, 6), (10, 34, 6, 6)) == []
    # Another speck is near, or three stand one above another.
    assert found(upper, lower, (54, 24, 5, 5)) == []
    assert found((40, 0, 6, 6), (40, 22, 6, 6), (40, 44, 6, 6)) == []
    # Close together they are one stroke that the pen skipped, far apart a flag and a point.
    assert found(upper, (40, 20, 6, 6)) == []
    assert found((40, 0, 6, 6), (40, 44, 6, 6)) == []
    # Among specks there are always two.
    assert found(upper, lower, *[(60 + 20 * k, 10, 6, 6) for k in range(200)]) == []


def test_hardly_a_digit_by_hand_passes_for_a_dollar(digits: Digits) -> None:
    behind = Glyph((100, 0, 20, 40), np.full((40, 20), 255, np.uint8))
    found = 0
    for image in digits[0][:2000]:
        x, y, w, h = cv2.boundingRect((image > 60).view(np.uint8))
        ink = np.asarray(cv2.resize(image[y : y + h, x : x + w], None, fx=2.5, fy=2.5), np.uint8)
        # It hangs below the digit behind it, as a dollar does.
        first = Glyph((0, 48 - len(ink), ink.shape[1], len(ink)), ink)
        found += begins_with_dollar([first, behind])
    assert found <= 1


def test_what_hangs_below_a_digit_is_a_comma_and_no_1() -> None:
    def found(*boxes: tuple[int, int, int, int]) -> list[int]:
        return commas_among(np.array([(0, 0, 30, 50), (40, 2, 28, 48), (90, 0, 30, 50), *boxes], np.int64))

    assert found() == []
    assert found((74, 36, 8, 24)) == [3]
    assert found((24, 38, 8, 22), (74, 36, 8, 24)) == [3, 4]
    # As high as they are, on the same base, wide, or far behind them, it may be a digit.
    for other in [(74, 34, 8, 36), (74, 30, 8, 20), (74, 36, 26, 24), (160, 36, 8, 24)]:
        assert found(other) == []
    # The body of a 5 whose flag stands off it is no comma.
    assert found((74, 36, 8, 24), (70, 20, 24, 10)) == []
    # And so is what has its like beside it, in a line below.
    assert found((74, 36, 8, 24), (92, 60, 16, 24)) == [3]
    assert found((74, 36, 8, 24), (92, 38, 16, 24)) == []


@pytest.mark.parametrize("text", ["572,52", "4,363.85", "823,17"])
def test_a_large_comma_parts_no_number(text: str, reading: Reader, digits: Digits) -> None:
    """A comma of half a digit's height was a 1, or the end of one number and the beginning of another."""
    random = np.random.default_rng(1)
    right = 0
    for _ in range(10):
        page = drawn(text, digits, random)
        left = 225 - page
        # Commas longer than those that are drawn: the stroke below the digits' base goes on.
        place = left[96:108]
        columns = np.flatnonzero((place > 60).any(axis=0))
        if columns.size:
            cv2.line(left, (int(columns[0]) + 2, 92), (int(columns[0]) - 4, 112), 150, 5, cv2.LINE_AA)
        lines = reading.read(225 - left).lines
        right += [line.text for line in lines] == [text.replace(",", "").replace(".", "")]
    assert right >= 8


@pytest.mark.parametrize("font", [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_ITALIC])
def test_a_printed_dollar_is_one_and_no_5(font: int) -> None:
    def glyph(sign: str, x: int) -> Glyph:
        ink = np.zeros((140, 120), np.uint8)
        cv2.putText(ink, sign, (30, 100), font, 2.0, 255, 3, cv2.LINE_AA)
        left, top, w, h = cv2.boundingRect(ink)
        return Glyph((x, top, w, h), ink[top : top + h, left : left + w])

    behind = [glyph("2", 60), glyph("7", 120)]
    assert begins_with_dollar([glyph("$", 0), *behind])
    assert not begins_with_dollar([glyph("$", 0)])
    assert not begins_with_dollar([*behind, glyph("$", 180)])
    x, y, w, h = glyph("$", 0).box
    base = behind[0].box[1] + behind[0].box[3]
    assert not begins_with_dollar([Glyph((x, base - h, w, h), glyph("$", 0).ink), *behind])
    for digit in "0123456789":
        large = glyph(digit, 0)
        x, y, w, h = large.box
        larger = np.asarray(cv2.resize(large.ink, (round(1.3 * w), round(1.3 * h))), np.uint8)
        at = (x, y - round(0.15 * h), larger.shape[1], larger.shape[0])
        assert not begins_with_dollar([Glyph(at, larger), *behind])
