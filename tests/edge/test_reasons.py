"""Why a line is not accepted: told with it, the gravest reason first, and none where it is accepted."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits import Reader
from edgedigits.decode import RejectRule
from edgedigits.decode.surroundings import weigh_surroundings
from edgedigits.frames import Frame
from edgedigits.glyphs import Fault
from edgedigits.outputs import JsonLines, Table
from edgedigits.page import REASONS, Digit, Line, Page, Reason, refuse, with_reasons
from edgedigits.ways.line_reading import ReadingWay

INK = (40, 30, 30)


@pytest.fixture(scope="module")
def readers() -> dict[str, Reader]:
    return {way: Reader(way=way) for way in get_args(ReadingWay)}


def number() -> NDArray[np.uint8]:
    return write(paper(), "3508", (60, 120))


def struck_out() -> NDArray[np.uint8]:
    return np.asarray(cv2.line(number(), (40, 104), (260, 104), INK, 3), np.uint8)


def cut_off() -> NDArray[np.uint8]:
    image = number()
    right = int(np.flatnonzero((image < 128).any(axis=(0, 2)))[-1])
    return np.ascontiguousarray(image[:, : right - 13])


def upside_down() -> NDArray[np.uint8]:
    return np.ascontiguousarray(write(paper(), "86190", (60, 120))[::-1, ::-1])


@pytest.mark.parametrize("way", get_args(ReadingWay))
def test_an_accepted_line_has_no_reasons(readers: dict[str, Reader], way: str) -> None:
    (line,) = readers[way].read(number()).lines
    assert line.accepted
    assert line.reasons == ()


@pytest.mark.parametrize("way", get_args(ReadingWay))
@pytest.mark.parametrize(("image", "reason"), [(struck_out(), "struck-out"), (cut_off(), "cut-off")])
def test_a_line_tells_why_it_is_not_accepted(
    readers: dict[str, Reader], way: str, image: NDArray[np.uint8], reason: str
) -> None:
    lines = readers[way].read(image).lines
    assert {line.reasons[0] for line in lines} == {reason}


def test_a_line_that_reads_well_upside_down_tells_so(readers: dict[str, Reader]) -> None:
    (line,) = readers["strip"].read(upside_down()).lines
    assert line.turned == 180
    assert line.reasons == ("turned",)


def test_strokes_that_reach_beyond_the_digits_are_signs() -> None:
    line = of_ones(0.99, 5)
    digits = list(line.digits)
    for place in (0, 4):
        digits[place] = dataclasses.replace(digits[place], box=(30 * place, -12, 20, 64))
    (line,) = weigh_surroundings([dataclasses.replace(line, digits=tuple(digits))], RejectRule(0.5, 0.9))
    assert with_reasons(line).reasons == ("sign", "digit")


def test_a_line_that_is_only_unsure_says_so() -> None:
    reader = Reader(way="glyph", min_line_confidence=1.0)
    (line,) = reader.read(number()).lines
    assert line.text == "3508"
    assert line.reasons == ("confidence",)


def test_every_line_has_reasons_unless_it_is_accepted(readers: dict[str, Reader]) -> None:
    random = np.random.default_rng(4)
    for _ in range(6):
        image = paper(360, 640)
        for y in (80, 180, 300):
            write(image, "".join(random.choice(list("0123456789AKX/"), 5)), (40, y))
            if random.random() < 0.3:
                cv2.line(image, (30, y - 16), (340, y - 16), INK, int(random.integers(1, 6)))
        for reader in readers.values():
            for line in reader.read(image).lines:
                assert line.accepted == (not line.reasons)
                assert list(line.reasons) == [reason for reason in REASONS if reason in line.reasons]


def of_ones(confidence: float, count: int = 3, left: int = 0, rejected: bool = False) -> Line:
    label, others = ("?", (("1", 0.2),)) if rejected else ("1", ())
    digits = tuple(Digit(label, confidence, (left + 30 * k, 0, 20, 40), others) for k in range(count))
    text = label * count
    return Line(
        text, text, confidence, not rejected, (left, 0, 30 * count, 40), digits, ((text, confidence),)
    )


def test_what_stands_around_a_line_may_be_the_reason() -> None:
    rule = RejectRule(0.5, 0.9)
    alone, among = of_ones(0.95), of_ones(0.2, 12, 120, rejected=True)
    (line, _) = map(with_reasons, weigh_surroundings([alone, among], rule))
    assert line.reasons == ("surroundings",)
    (line,) = map(with_reasons, weigh_surroundings([alone], rule))
    assert line.accepted
    assert line.reasons == ()


def test_reasons_stand_once_in_their_order() -> None:
    line = of_ones(0.2, rejected=True)
    for reason in ("sign", "turned", "sign", "struck-out"):
        line = refuse(line, reason)
    assert with_reasons(line).reasons == ("struck-out", "turned", "sign", "digit")
    assert with_reasons(dataclasses.replace(line, accepted=True)).reasons == ()


def test_every_reason_has_words_and_every_fault_is_one() -> None:
    assert list(REASONS) == list(get_args(Reason))
    assert set(get_args(Fault)) <= set(REASONS)


def test_reasons_are_told_to_people_and_programs(readers: dict[str, Reader]) -> None:
    frame = Frame(struck_out(), "a.png", 0, (640, 240))
    page = readers["auto"].read(frame.image)
    table, objects = io.StringIO(), io.StringIO()
    Table(table).page(frame, page)
    JsonLines(objects).page(frame, page)
    assert "no (struck out)" in table.getvalue()
    assert json.loads(objects.getvalue())["lines"][0]["reasons"][0] == "struck-out"
    accepted = Page((dataclasses.replace(page.lines[0], accepted=True, reasons=()),), page.size, 1.0)
    table = io.StringIO()
    Table(table).page(frame, accepted)
    assert table.getvalue().rstrip().endswith("yes")
