"""Filled-in forms, photographed, and what is read in their fields."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write
from tests.edge.form_pages import MARKED, Pens, fill_in, photograph, print_form
from tests.edge.junk import clothes

from edgedigits.cli import main
from edgedigits.errors import FormError, ModelError, PictureError, RegistrationError, SeveralPagesError
from edgedigits.forms import FieldReading, FormReader, FormReading, starter, trouble_in
from edgedigits.forms.cutout import CutoutSettings, FlatPage, cell_of
from edgedigits.forms.form_file import load_form, parse_form
from edgedigits.forms.judging import MOST_READINGS, best_first
from edgedigits.forms.layout import Form
from edgedigits.forms.numbers import satisfies
from edgedigits.forms.register import RegistrationSettings, register
from edgedigits.forms.starter import propose_form
from edgedigits.forms.written import dash_trouble
from edgedigits.page import Box, Digit, Line, Page
from edgedigits.reader import Reader

METER = {"customer": "86523008", "reading": " 01869", "day": "16", "month": " 8", "year": "2026"}


class Sure:
    """Stands in for the network: what it sees is settled by the test, digit by digit."""

    def __init__(self, reader: Reader, rows: list[dict[str, float]]) -> None:
        self.card = reader.model.card
        self._rows = rows

    def probabilities(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert len(crops) == len(self._rows)
        labels = self.card.labels
        rows = [[row.get(label, 0.0) for label in labels] for row in self._rows]
        return np.array(rows, np.float32)


def _comb(
    rule: str, rows: list[dict[str, float]], digits: str = "4", blanks: int = 0, **thresholds: float
) -> FieldReading:
    """Read one comb of as many cells as there are rows, which the network reads as they say."""
    cells = len(rows) + blanks
    text = f'[page]\nsize = [{10 * cells + 20}, 40]\nfind = "frame"\n[[field]]\nname = "a"\nstyle = "comb"\n'
    text += f"box = [10, 10, {10 * cells}, 12]\ndigits = {digits}\ncells = {cells}\n{rule}\n"
    form = parse_form(text, "test.toml", Path())
    page = print_form(form)
    for k in range(blanks, cells):
        cv2.putText(page, "5", (8 * (10 + 10 * k) + 20, 8 * 20), cv2.FONT_HERSHEY_SIMPLEX, 2, 30, 5)
    reader = Reader(**thresholds)  # type: ignore[arg-type]
    reader.model = Sure(reader, rows)  # type: ignore[assignment]
    return FormReader(form, reader).read(np.pad(page, 60, constant_values=235)).fields[0]


def _likely(best: str, chance: float, *others: tuple[str, float]) -> dict[str, float]:
    return {best: chance, **dict(others)}


# --- the rules ----------------------------------------------------------------------------------------


def test_a_sure_reading_that_passes_its_check_is_the_value() -> None:
    field = _comb('check = "luhn"', [_likely(d, 0.98) for d in "7992"], "4")
    assert (field.raw, field.value, field.error, field.instead_of) == ("7992", None, field.error, None)
    assert field.reason == "check"  # 7992 fails, and there is no other reading
    field = _comb('check = "luhn"', [_likely(d, 0.98) for d in "7997"], "4")
    assert (field.raw, field.value, field.error, field.reason) == ("7997", "7997", None, None)
    assert 0.9 < field.confidence <= 1


def test_a_failed_check_takes_the_next_best_reading_and_says_so() -> None:
    rows = [
        _likely("7", 0.99),
        _likely("9", 0.97, ("4", 0.01)),
        _likely("9", 0.99),
        _likely("1", 0.7, ("7", 0.28)),
    ]
    field = _comb('check = "luhn"', rows)
    assert (field.raw, field.value, field.instead_of) == ("7991", "7997", "7991")
    assert field.error is None
    assert 0.8 < field.confidence < 1


def test_a_next_best_reading_that_is_not_sure_is_no_value() -> None:
    rows = [
        _likely("7", 0.5, ("1", 0.4)),
        _likely("9", 0.5, ("4", 0.4)),
        _likely("9", 0.99),
        _likely("1", 0.6, ("7", 0.3)),
    ]
    field = _comb('check = "luhn"', rows)
    assert field.value is None
    assert field.reason in ("check", "confidence")
    assert field.error is not None


def test_ranges_and_patterns_choose_among_the_readings() -> None:
    field = _comb("range = [1, 31]", [_likely("7", 0.6, ("1", 0.39)), _likely("4", 0.99)], "2")
    assert (field.value, field.instead_of) == ("14", "74")
    field = _comb('pattern = "2[0-9]"', [_likely("7", 0.6, ("2", 0.39)), _likely("4", 0.99)], "2")
    assert (field.value, field.instead_of) == ("24", "74")


def test_what_no_rule_mends_is_rejected_by_its_digits() -> None:
    rows = [_likely("7", 0.99), _likely("4", 0.35, ("9", 0.34), ("8", 0.3))]
    field = _comb("", rows, "2")
    assert (field.raw, field.value, field.reason) == ("7?", None, "confidence")
    assert field.confidence == pytest.approx(0.99 * 0.35, abs=0.01)


@pytest.mark.parametrize("rule", ["", "range = [0, 99]"])
def test_a_rule_that_all_pass_makes_no_digit_surer(rule: str) -> None:
    rows = [_likely("7", 0.99), _likely("4", 0.7, ("9", 0.3))]
    assert _comb(rule, rows, "2").value == "74"
    field = _comb(rule, rows, "2", min_digit_confidence=0.9)
    assert (field.raw, field.value, field.reason) == ("7?", None, "confidence")
    assert field.error == "not sure enough (69%; 90% is asked for)"


def test_blank_cells_are_blanks_and_no_digits() -> None:
    rows = [_likely(d, 0.99) for d in "123"]
    field = _comb("", rows, "[3, 5]", blanks=2)
    assert (field.raw, field.value) == ("  123", "123")
    field = _comb("decimals = 1", rows, "[3, 5]", blanks=2)
    assert field.value == "12.3"
    field = _comb("", rows, "[4, 5]", blanks=2)
    assert (field.value, field.reason) == (None, "count")
    assert field.error == "3 digits where 4 to 5 are due"
    field = _comb("", [], "2", blanks=2)
    assert (field.raw, field.value, field.reason) == ("", None, "blank")
    field = _comb("required = false", [], "2", blanks=2)
    assert (field.value, field.error, field.reason) == (None, None, None)


def test_decimals_have_cells_of_their_own() -> None:
    text = '[page]\nsize = [60, 40]\nfind = "frame"\n[[field]]\nname = "a"\nstyle = "comb"\n'
    text += "box = [10, 10, 40, 12]\ndigits = [1, 4]\n"
    for rule, due in (("", ("123", None)), ("decimals = 1", (None, "count"))):
        form = parse_form(f"{text}{rule}\n", "test.toml", Path())
        page = print_form(form)
        for k in range(3):  # the last cell stays blank: is it 12.3, or 123 and no decimal?
            cv2.putText(page, "5", (8 * (10 + 10 * k) + 20, 8 * 20), cv2.FONT_HERSHEY_SIMPLEX, 2, 30, 5)
        reader = Reader()
        reader.model = Sure(reader, [_likely(d, 0.99) for d in "123"])  # type: ignore[assignment]
        field = FormReader(form, reader).read(np.pad(page, 60, constant_values=235)).fields[0]
        assert (field.value, field.reason) == due


def test_a_number_has_no_leading_zeros_and_a_code_keeps_them() -> None:
    rows = [_likely(d, 0.99) for d in "0070"]
    assert _comb("range = [0, 99]", rows).value == "70"
    assert _comb("decimals = 2", rows).value == "0.70"
    assert _comb("", rows).value == "0070"


def test_a_check_digit_is_of_what_is_written() -> None:
    rows = [_likely(d, 0.99) for d in "00000574"]  # an EAN of 8 digits, not of 3
    assert _comb('check = "ean"', rows, "8").value == "00000574"
    assert _comb('check = "ean"\nrange = [0, 999]', rows, "8").value == "574"
    assert _comb('check = "ean"\ndecimals = 2', rows, "8").value == "5.74"


def test_a_number_of_many_digits_keeps_them_all() -> None:
    rows = [_likely(d, 0.999) for d in "1234567890" * 3]
    assert _comb("decimals = 2", rows, "30").value == "1234567890123456789012345678.90"
    assert _comb(f"range = [{10**29}, {2 * 10**29}]", rows, "30").value == "1234567890" * 3


def test_guesses_are_combined_in_order() -> None:
    guesses = [[("1", 0.9), ("7", 0.1)], [("4", 0.4), ("9", 0.35)]]
    expected = [("14", 0.36), ("19", 0.315), ("74", 0.04), ("79", 0.035)]
    assert best_first(guesses) == tuple((text, pytest.approx(chance)) for text, chance in expected)


def test_of_very_many_combinations_the_best_are_told() -> None:
    found = best_first([[("1", 0.9), ("7", 0.1)]] * 10)
    assert len(found) == MOST_READINGS
    assert [text.count("7") for text, _ in found] == sorted(text.count("7") for text, _ in found)


# --- lines of writing ---------------------------------------------------------------------------------

ANY = '[page]\nfind = "none"\nunit = "fraction"\n[[field]]\nname = "a"\nbox = [0, 0, 1, 1]\n'
"""A form of one field that is all of the picture, wherever its number of digits follows."""


def _form(rest: str, digits: str = "[1, 9]") -> Form:
    return parse_form(f"{ANY}digits = {digits}\n{rest}\n", "test.toml", Path())


def _free(
    rest: str,
    digits: Sequence[Digit],
    readings: Sequence[tuple[str, float]],
    confidence: float | None = None,
    count: str = "[1, 9]",
    doubtful: tuple[int, ...] = (),
    raw: str | None = None,
) -> FieldReading:
    """Read a free field whose one line the reader reads as it is told here."""
    text = "".join(digit.label for digit in digits)
    sure = readings[0][1] if confidence is None else confidence
    line = Line(
        text,
        text if raw is None else raw,
        sure,
        False,
        (0, 0, 60, 40),
        tuple(digits),
        tuple(readings),
        doubtful=doubtful,
    )
    reader = Reader()
    reader.read = lambda *_, **__: Page((line,), (640, 240), 1.0)  # type: ignore[method-assign]
    return FormReader(_form(rest, count), reader).read(paper()).fields[0]


BOX = (0, 0, 20, 40)
ONE = Digit("1", 0.98, BOX)
UNSURE = Digit("?", 0.45, BOX, (("8", 0.45), ("3", 0.4), ("5", 0.05)))
NONE = Digit("?", 0.2, BOX, (("8", 0.2), ("3", 0.1)))
DRAWN = Digit("?", 0.98, BOX, (("8", 0.98),))

RULES = ["", "range = [0, 999]", 'pattern = "[0-9]+"', 'check = "luhn"']


@pytest.mark.parametrize("rule", RULES)
def test_a_digit_that_is_unsure_has_a_value_by_a_check_digit_only(rule: str) -> None:
    field = _free(rule, [ONE, UNSURE], [("18", 0.7), ("13", 0.25)])
    assert field.raw == "1?"
    if "luhn" in rule:
        assert (field.value, field.error) == ("18", None)
    else:
        assert (field.value, field.reason) == (None, "not-digits")
    wrong = _free(rule, [ONE, UNSURE], [("13", 0.5), ("15", 0.25)])
    assert wrong.value is None


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("digit", [NONE, DRAWN])
def test_no_rule_makes_a_digit_of_what_is_none(rule: str, digit: Digit) -> None:
    field = _free(rule, [ONE, digit], [("18", 0.95)])
    assert (field.value, field.reason) == (None, "not-digits")
    field = _free(rule, [ONE, UNSURE], [("1?", 0.6), ("18", 0.39)])
    assert (field.value, field.reason) == (None, "not-digits")


def test_what_is_no_digit_is_none_of_the_next_best_readings() -> None:
    sure = [Digit("7", 0.8, BOX)]
    field = _free("range = [0, 5]", sure, [("7", 0.8), ("?", 0.19)])
    assert (field.value, field.reason, field.error) == (None, "check", "7 fails range 0…5")
    assert field.confidence == pytest.approx(0.8)
    # What is no digit may be any of those in the range.
    field = _free("range = [0, 5]", sure, [("7", 0.8), ("?", 0.15), ("1", 0.05)])
    assert (field.value, field.reason) == (None, "check")
    assert field.confidence == pytest.approx(0.25)


def test_a_reading_that_is_not_the_best_leaves_a_doubt_where_no_other_is_listed() -> None:
    digits = [Digit("7", 0.6, BOX), Digit("4", 0.99, BOX)]
    field = _free("range = [1, 31]", digits, [("74", 0.6), ("14", 0.4)])
    assert (field.value, field.instead_of) == ("14", "74")
    assert 0.9 < field.confidence < 0.99


def test_too_few_digits_are_counted() -> None:
    assert _free("", [ONE], [("1", 0.98)], count="3").error == "1 digit where 3 are due"
    assert _free("", [ONE, ONE], [("11", 0.98)], count="[3, 5]").error == "2 digits where 3 to 5 are due"


def test_readings_of_another_length_did_not_fail_the_rule() -> None:
    digits = [ONE, Digit("2", 0.98, BOX)]
    readings = [("12", 0.6), ("123", 0.2), ("13", 0.1), ("1?", 0.05), ("19", 0.05)]
    field = _free("range = [50, 60]", digits, readings, count="2")
    assert field.error == "12 fails range 50…60; so do the 2 next-best readings"


def test_what_the_reader_doubts_the_form_doubts() -> None:
    digits = [ONE, Digit("2", 0.98, BOX)]
    assert _free("", digits, [("12", 0.9), ("13", 0.1)]).value == "12"
    field = _free("", digits, [("12", 0.9), ("13", 0.1)], confidence=0.3)
    assert (field.value, field.reason) == (None, "confidence")
    assert field.confidence == pytest.approx(0.3, abs=0.02)
    assert _free("", digits, [("12", 0.0)]).reason == "confidence"
    assert _free("", digits, [("12", Reader().rule.min_line_confidence)]).value == "12"
    assert _free("range = [0, 99]", digits, [("12", 0.9)], doubtful=(1,)).reason == "not-digits"
    assert _free('check = "luhn"', [ONE, Digit("8", 0.98, BOX)], [("18", 0.9)], doubtful=(1,)).value == "18"


def test_a_number_below_0_is_none() -> None:
    digits = [ONE, Digit("2", 0.98, BOX)]
    field = _free("", digits, [("12", 0.95)], raw="-12")
    assert (field.raw, field.value, field.reason) == ("-12", None, "not-digits")
    assert _free("", digits, [("12", 0.95)], raw="-12-").value == "12"


@pytest.mark.parametrize(
    ("rest", "raw", "value"),
    [
        # A whole number has no decimals, and a code's digits are all that counts.
        ("range = [0, 9999]", "8.5", None),
        ("range = [0, 9999]", "8-5", None),
        ("range = [0, 9999]", "1.234", "1234"),
        ("range = [0, 9999]", "12.", "12"),
        ("range = [0, 9999]", ".123", None),
        ("range = [0, 9999]", "1234.567", None),
        ("", "8.5", "85"),
        # A comma may be read as a point: what stands behind it tells.
        ('decimal = ","', "8.5", "8.5"),
        ('decimal = "."', "8,5", "8.5"),
        ('decimal = ","', "1.234,5", "1234.5"),
        ('decimal = ","', "1.234.5", "1234.5"),
        ('decimal = "."', "8..5", "8.5"),
        ('decimal = "."', "85", "85"),
        ('decimal = "."', "12,-", "12"),
        ('decimal = "."', "8.", None),
        ('decimal = "."', ".5", None),
        ('decimal = "."', "1.2.5", None),
        ('decimal = "."', "1.234", None),  # thousands?
        ('decimal = "."', "1234.567", "1234.567"),
        ('decimal = ","\ndecimals = 2', "1.234.50", "1234.50"),
        ('decimal = ","\ndecimals = 2', "12,5", None),
        ('decimal = ","\ndecimals = 3', "1.234", "1.234"),
        ("decimals = 2", "1234", "12.34"),
        ("decimals = 2", "12,34", "12.34"),
        ("decimals = 2", "12.3", None),
        ("decimals = 2", "1.234", None),
    ],
)
def test_signs_between_digits_part_thousands_or_decimals(rest: str, raw: str, value: str | None) -> None:
    text = "".join(sign for sign in raw if sign.isdigit())
    field = _free(rest, [Digit(sign, 0.98, BOX) for sign in text], [(text, 0.95)], raw=raw)
    assert (field.raw, field.value, field.reason) == (raw, value, None if value else "count")


@pytest.mark.parametrize(
    ("raw", "fits"),
    [
        ("12", True),
        ("4,5", True),
        ("$4,5", True),
        ("50,0", True),
        ("9", False),
        ("12,34", False),
        ("50,1", False),
        ("1,2,3", False),
    ],
)
def test_a_reading_fits_a_field_by_its_digits_its_signs_and_its_rules(raw: str, fits: bool) -> None:
    assert satisfies(raw, _form('decimal = ","\nrange = [1, 50]', "[2, 3]").fields[0]) == fits


def test_a_dash_behind_a_number_may_be_a_digit_cut_off() -> None:
    digits = [ONE, Digit("2", 0.98, BOX)]
    for raw in ("12-", "12="):
        field = _free("", digits, [("12", 0.95)], raw=raw)
        assert (field.value, field.reason) == (None, "not-digits")
    assert _free("", digits, [("12", 0.95)], raw="12.-").value == "12"


DIGITS: list[Box] = [(0, 10, 20, 40), (30, 10, 20, 40)]
MINUS, CLOSING = (-30, 28, 18, 5), (60, 28, 18, 5)


@pytest.mark.parametrize(
    ("pieces", "is_minus"),
    [
        (DIGITS, False),
        ([*DIGITS, MINUS], True),
        ([*DIGITS, CLOSING], False),
        ([*DIGITS, MINUS, CLOSING], False),  # there to protect the number
        ([*DIGITS, (-30, 28, 6, 3)], False),  # a speck
        ([*DIGITS, (-30, 25, 10, 10)], False),  # a blot
        ([*DIGITS, (-40, 22, 30, 16)], False),  # a smudge
        ([*DIGITS, (-80, 28, 60, 5)], False),  # a line, longer than digits are high
        ([*DIGITS, (-30, 48, 18, 5)], False),  # on the base line
        ([*DIGITS, (-30, 8, 18, 5)], False),
        ([*DIGITS, MINUS, (-30, 10, 18, 12)], False),  # a part of something
        ([(-4, 28, 18, 5), (6, 10, 20, 40), DIGITS[1]], False),  # a stroke of the digit that it lies beside
    ],
)
def test_a_dash_is_told_from_other_ink_by_its_shape_and_its_place(pieces: list[Box], is_minus: bool) -> None:
    digits = tuple(Digit(str(k), 0.98, box) for k, box in enumerate(DIGITS, 1))
    seen = Line("12", "12", 0.98, True, (0, 10, 50, 40), digits, (("12", 0.98),))
    assert (dash_trouble(seen, sorted(pieces, reverse=True)) is not None) == is_minus


@pytest.mark.parametrize(
    ("places", "raw", "value"),
    [
        ((0, 25, 110, 140), "1234", None),
        ((0, 25, 110, 140), "12.34", "1234"),
        ((0, 60, 120, 185), "1234", "1234"),  # written wide
        ((0, 120), "12", None),
        ((0, 70), "12", "12"),
        ((0, 120), "AB", None),  # as a model for letters reads
        ((0, 120), "A.B", "AB"),
    ],
)
def test_two_numbers_in_a_field_for_one_are_none(places: Sequence[int], raw: str, value: str | None) -> None:
    text = raw.replace(".", "")
    digits = [Digit(label, 0.98, (x, 0, 20, 40)) for label, x in zip(text, places, strict=True)]
    field = _free("", digits, [(text, 0.95)], raw=raw)
    assert (field.value, field.reason) == (value, None if value else "several")


def test_a_row_of_bars_is_no_number(reader: Reader) -> None:
    page = paper(120, 500)
    for k in range(8):
        cv2.line(page, (60 + 45 * k, 30), (60 + 45 * k, 90), (30, 30, 30), 5)
    field = FormReader(_form(""), reader).read(page).fields[0]
    assert (field.raw, field.value, field.reason) == ("11111111", None, "confidence")


def test_clothes_are_numbers_no_more_often_for_a_rule(
    data_set: Callable[[str], Path], reader: Reader
) -> None:
    pictures = [
        cv2.copyMakeBorder(picture, 20, 20, 40, 40, cv2.BORDER_CONSTANT, value=255)
        for picture in clothes(data_set("negatives"), 40)
    ]
    values = {
        rule: [FormReader(_form(rule, "[1, 3]"), reader).read(p).values()["a"] for p in pictures]
        for rule in RULES[:3]
    }
    assert all([v is None for v in found] == [v is None for v in values[""]] for found in values.values())
    assert sum(v is not None for v in values[""]) <= 10


# --- filled-in forms ----------------------------------------------------------------------------------


def _read(
    form: Form, values: dict[str, str], pens: Pens, reader: Reader, seed: int, **how: Any
) -> FormReading:
    image, _ = photograph(fill_in(print_form(form), form, values, pens, seed), seed, **how)
    return FormReader(form, reader).read(image)


def test_meter_cards(pens: Pens, reader: Reader) -> None:
    form = load_form("meter-card")
    right = wrong = 0
    for seed in range(4):
        reading = _read(form, METER, pens, reader, seed)
        due = {"customer": "86523008", "reading": "186.9", "day": "16", "month": "8", "year": "2026"}
        values = reading.values()
        right += sum(values[name] == due[name] for name in due)
        wrong += sum(values[name] not in (None, due[name]) for name in due)
        assert [field.name for field in reading.fields] == list(due)
    assert right >= 17
    assert wrong <= 1


def test_exam_marks(pens: Pens, reader: Reader) -> None:
    form = load_form("exam-marks")
    draw = np.random.default_rng(2)
    marks = {
        f"q{q}.{part}": str(draw.integers(0, 10))
        for q in range(1, 9)
        for part in range(1, 5)
        if (q + part) % 5
    }
    values = {"candidate": "4579012", "total": "88", **marks}
    reading = _read(form, values, pens, reader, 2, size=(1080, 1440))
    found = reading.values()
    blank = [field for field in reading.fields if field.name.startswith("q") and field.name not in marks]
    assert len(blank) == 32 - len(marks)
    assert all(field.raw == "" and field.error is None for field in blank)
    assert found["candidate"] == "4579012"
    assert sum(found[name] == mark for name, mark in marks.items()) >= 0.85 * len(marks)
    assert sum(found[name] not in (None, mark) for name, mark in marks.items()) <= 0.2 * len(marks)


def _sudoku(
    pens: Pens, seed: int, part: float, room: int, **camera: Any
) -> tuple[Form, dict[str, str], NDArray[np.uint8], Any]:
    """Return the form, digits for a part of its cells, and a photograph of it, with the page's corners.

    There are `room` pixels of paper around the grid; `camera` is for `photograph`.
    """
    form = load_form("sudoku")
    draw = np.random.default_rng(seed)
    values = {f.name: str(draw.integers(1, 10)) for f in form.fields if draw.random() < part}
    page = np.pad(fill_in(print_form(form), form, values, pens, seed), room, constant_values=235)
    image, corners = photograph(page, seed, **camera)
    return form, values, image, corners


def _in_shadow(image: NDArray[np.uint8], where: NDArray[np.bool_], left: float, soft: float) -> Any:
    """Return a picture in a shadow that leaves so much of the light, its edge so many pixels wide."""
    shade = cv2.GaussianBlur(where.astype(np.float64), (0, 0), soft)
    return (image * (1 - (1 - left) * shade)[..., None]).astype(np.uint8)


def test_sudokus_and_upside_down(pens: Pens, reader: Reader) -> None:
    form, values, image, _ = _sudoku(pens, 3, 0.8, 100, size=(840, 1120), bow=0.01)
    found = FormReader(form, reader).read(image).values()
    assert all(found[field.name] is None for field in form.fields if field.name not in values)
    assert sum(found[name] == value for name, value in values.items()) >= 0.9 * len(values)
    for turns, words in ((2, "upside down"), (1, "on its side")):
        with pytest.raises(RegistrationError, match=words):
            FormReader(form, reader).read(np.ascontiguousarray(np.rot90(image, turns)))


@pytest.mark.parametrize("noise", [8, 16, 24])
def test_the_grain_of_a_dim_picture_is_no_writing(pens: Pens, reader: Reader, noise: float) -> None:
    """Standard deviation of each colour of each pixel, where the paper is between 60 and 120."""
    form = load_form("sudoku")
    draw = np.random.default_rng(3)
    values = {f.name: str(draw.integers(1, 10)) for f in form.fields if draw.random() < 0.3}
    page = np.pad(fill_in(print_form(form), form, values, pens, 3), 100, constant_values=235)
    image, _ = photograph(page, 3, size=(840, 1120))
    grainy = np.clip(0.5 * image + draw.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
    reading = FormReader(form, reader).read(grainy)
    blank = [f for f in reading.fields if f.name not in values]
    assert sum(f.raw == "" and f.error is None for f in blank) >= 0.98 * len(blank)
    assert all(f.value is None for f in blank)
    found = reading.values()
    assert sum(found[name] == value for name, value in values.items()) >= 0.9 * len(values)


@pytest.mark.parametrize("bold", [False, True])
def test_bold_digits_in_narrow_cells_are_no_grain(bold: bool, pens: Pens, reader: Reader) -> None:
    """They leave no paper in their cells, and what is written thinner elsewhere is not lost for it."""
    text = '[page]\nsize = [120, 60]\nfind = "none"\n'
    text += (
        '[[field]]\nname = "blank"\nbox = [10, 10, 60, 10]\ndigits = 6\nstyle = "comb"\nrequired = false\n'
    )
    text += '[[field]]\nname = "narrow"\nbox = [10, 35, 10, 10]\ndigits = 2\nstyle = "comb"\n'
    text += (
        '[[field]]\nname = "code"\nbox = [50, 35, 30, 10]\ndigits = 3\nprinted = "box"\nrequired = false\n'
    )
    form = parse_form(text, "narrow.toml", Path())
    page = fill_in(print_form(form), form, {"code": "358", "narrow": "88"}, pens, 0)
    if bold:
        cells = page[280:360, 80:160]
        cells[:] = cv2.erode(cells, np.ones((7, 7), np.uint8))
    found = FormReader(form, reader).read(cv2.GaussianBlur(page, (0, 0), 3)).values()
    assert (found["blank"], found["code"]) == (None, "358")


@pytest.mark.parametrize("slope", [0.05, 0.25])
def test_a_sudoku_that_a_shadow_falls_on(pens: Pens, reader: Reader, slope: float) -> None:
    """Its edge runs on from the printed frame where it crosses it, and may not be taken for a digit."""
    form, values, image, _ = _sudoku(pens, 3, 0.7, 400, size=(840, 1120), share=1.6)
    y, x = np.mgrid[:1120, :840]
    found = FormReader(form, reader).read(_in_shadow(image, y - slope * x > 480, 0.35, 1.0)).values()
    assert [f.name for f in form.fields if f.name not in values and found[f.name] is not None] == []
    assert sum(found[name] == value for name, value in values.items()) >= len(values) - 1


@pytest.mark.parametrize(("degrees", "left"), [(0, 0.6), (3, 0.5), (2, 0.8), (91, 0.6), (88, 0.4), (40, 0.7)])
def test_the_edge_of_a_shadow_is_written_in_no_field(
    pens: Pens, reader: Reader, degrees: float, left: float
) -> None:
    """An upright one passed for a 1 in each cell that it ran through, a level one for a dash."""
    form, values, image, corners = _sudoku(pens, 3, 0.3, 400, size=(840, 1120), share=1.6)
    y, x = np.mgrid[:1120, :840] - corners.mean(axis=0)[::-1, None, None]
    beyond = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees)) < 8
    found = FormReader(form, reader).read(_in_shadow(image, beyond, left, 1.5))
    assert [field.name for field in found.fields if field.name not in values and field.raw] == []
    assert sum(found.values()[name] == value for name, value in values.items()) >= len(values) - 1


def test_a_shadow_along_a_grid_is_not_its_side(pens: Pens, reader: Reader) -> None:
    """Its edge cuts off a corner; bent far enough, the lines of the rest were where they belong."""
    form, values, image, _ = _sudoku(pens, 5, 0.4, 300, size=(1120, 1400), share=1.4)
    y, x = np.mgrid[:1400, :1120]
    seen = _in_shadow(image, y + 0.025 * (x - 560) < 1015, 0.61, 1.0)
    found = FormReader(form, reader).read(seen)
    assert [field.name for field in found.fields if field.name not in values and field.raw] == []
    assert sum(found.values()[name] == value for name, value in values.items()) >= len(values) - 1


@pytest.mark.parametrize("seed", range(3))
def test_what_was_rubbed_out_is_blank_on_a_desk_of_grain(pens: Pens, reader: Reader, seed: int) -> None:
    """It is faint beside the page's writing, not beside what lies around the page."""
    form = load_form("exam-marks")
    names = [f.name for f in form.fields if f.cells == 1]
    values = dict.fromkeys(names[::2], "7")
    blank = print_form(form).astype(np.float64)
    page = fill_in(print_form(form), form, values, pens, seed)
    rubbed_out = fill_in(print_form(form), form, dict.fromkeys(names[1::2], "4"), pens, seed)
    page = np.minimum(page, blank - 0.18 * (blank - rubbed_out)).astype(np.uint8)
    image, _ = photograph(page, seed)
    found = FormReader(form, reader).read(image)
    assert [field.name for field in found.fields if field.name not in values and field.raw] == []
    assert sum(found.values()[name] == "7" for name in values) >= len(values) - 2


def _line_across(image: NDArray[np.uint8], corners: Any, at: float, degrees: float) -> NDArray[np.uint8]:
    """Draw a line across a page and on, `at` widths of it beside its middle, so many degrees from level."""
    middle, wide = corners.mean(axis=0), float(np.linalg.norm(corners[1] - corners[0]))
    way = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    a, b = (middle + [at * wide, 0] + side * 0.8 * wide * way for side in (-1, 1))
    line = np.zeros(image.shape[:2], np.float32)
    cv2.line(line, tuple(a.astype(int).tolist()), tuple(b.astype(int).tolist()), 1, 3, cv2.LINE_AA)
    return (image * (1 - 0.45 * cv2.GaussianBlur(line, (0, 0), 1))[..., None]).astype(np.uint8)


@pytest.mark.parametrize(("at", "degrees"), [(-0.2, 89), (0.18, 91), (0.0, 50), (0.1, 115)])
def test_a_line_across_a_page_is_no_1_in_its_fields(
    pens: Pens, reader: Reader, at: float, degrees: float
) -> None:
    """A fold, or a pen that crosses out a column: each blank field on its way held a 1."""
    form = load_form("exam-marks")
    draw = np.random.default_rng(1)
    values = {f.name: str(draw.integers(10)) for f in form.fields if f.cells == 1 and draw.random() < 0.5}
    image, corners = photograph(fill_in(print_form(form), form, values, pens, 1), 1)
    seen = FormReader(form, reader).read(_line_across(image, corners, at, degrees))
    assert any(field.reason == "struck-out" for field in seen.fields)
    assert [f.name for f in seen.fields if f.value is not None and f.value != values.get(f.name)] == []


def test_ones_above_one_another_are_no_line(pens: Pens, reader: Reader) -> None:
    form = load_form("exam-marks")
    values = {f.name: "1" for f in form.fields if f.cells == 1}
    image, _ = photograph(fill_in(print_form(form), form, values, pens, 1), 1)
    found = FormReader(form, reader).read(image).values()
    assert sum(found[name] == "1" for name in values) >= len(values) - 1


@pytest.mark.parametrize("degrees", [10, 50, 92, 130])
def test_a_line_across_a_frame_does_not_hide_it(degrees: float) -> None:
    form = load_form("sudoku")
    page = np.pad(print_form(form), 300, constant_values=235)
    image, corners = photograph(page, 3, size=(840, 1120), share=1.4)
    found = register(_line_across(image, corners, 0.05, degrees), form)
    assert np.abs(found.corners - register(image, form).corners).max() < 5


@pytest.mark.parametrize("level", [10, 60, 120])
@pytest.mark.parametrize("cells", [1, 3, 8])
def test_cells_blackened_out_are_not_blank(pens: Pens, reader: Reader, level: int, cells: int) -> None:
    """Filled evenly they look like paper, and a number without its first digits like another number."""
    field = _meter_card_with(pens, reader, level, cells)
    assert (field.value, field.reason) == (None, "struck-out")
    assert field.error == "a cell is blackened out"


def test_a_tint_in_unused_cells_is_paper(pens: Pens, reader: Reader) -> None:
    field = _meter_card_with(pens, reader, 170, 1, " 8652300")
    assert (field.raw, field.reason) == (" 8652300", "count")


def _meter_card_with(
    pens: Pens, reader: Reader, level: int, cells: int, customer: str = METER["customer"]
) -> FieldReading:
    """Fill in a meter card, paint over the first cells of the customer's number, and read that."""
    form = load_form("meter-card")
    page = fill_in(print_form(form), form, {**METER, "customer": customer}, pens, 0)
    high, wide = page.shape
    field = form.fields[0]
    assert field.name == "customer"
    for box in form.cell_boxes(field)[:cells]:
        x, y, w, h = (round(part * side) for part, side in zip(box, (wide, high, wide, high), strict=True))
        page[y + 3 : y + h - 2, x + (3 if cells == 1 else 0) : x + w + (-2 if cells == 1 else 2)] = level
    image, _ = photograph(page, 1)
    return FormReader(form, reader).read(image).fields[0]


def test_marks_that_a_shadow_hides_are_found_in_even_light(reader: Reader) -> None:
    image, corners = photograph(print_form(MARKED), 1, desk=150)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    (left, top), (_, bottom) = corners[0], corners[3]
    seen = _in_shadow(image, y - 0.1 * (x - left) < top + 0.06 * (bottom - top), 0.3, 2)
    with pytest.raises(RegistrationError):
        register(seen, MARKED)
    where, _ = FormReader(MARKED, reader).find(seen)
    assert np.linalg.norm(where.corners - corners, axis=1).max() < 12


@pytest.mark.parametrize("name", ["sudoku", "meter-card", "cheque"])
def test_what_is_no_page_is_none_in_a_shadow(reader: Reader, name: str) -> None:
    """Evenly lit or not: a page cut off and another form are errors, never readings; so are two pages."""
    form = load_form(name)
    one, corners = photograph(print_form(form), 4, desk=60, size=(960, 960))
    two, _ = photograph(print_form(form), 5, desk=60, size=(960, 960))
    other, _ = photograph(print_form(load_form("exam-marks")), 7, desk=60)
    cut = round(corners[:, 0].min() + 0.55 * np.ptp(corners[:, 0]))
    with pytest.raises(SeveralPagesError):
        FormReader(form, reader).read(np.hstack([one, two]))
    for image in (one[:, :cut], other):
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        light = np.where(y - 0.2 * x > 0.4 * image.shape[0], 0.4, 1.0)
        for seen in (image, (image * light[..., None]).astype(np.uint8)):
            with pytest.raises(RegistrationError):
                FormReader(form, reader).read(np.ascontiguousarray(seen))


def test_printed_lines_are_lifted_off_and_crossing_strokes_stay() -> None:
    form = load_form("sudoku")
    page = np.pad(print_form(form), 100, constant_values=235)
    blank, _ = photograph(page, 4, size=(840, 1120))
    flat = FlatPage(blank, form, register(blank, form))
    assert all(flat.cells(field)[0].blank for field in form.fields)
    # A stroke from the upper half of r5c5 down across the line into the cell below, and one within r2c2.
    cell = 800 / 9
    down = [round(100 + 4.35 * cell), round(100 + 5.25 * cell)]
    across = round(100 + 4.5 * cell)
    cv2.line(page, (across, down[0] - 10), (across + 12, down[1] - 10), 50, 7, cv2.LINE_AA)
    cv2.line(
        page,
        (round(100 + 1.2 * cell), round(100 + 1.5 * cell)),
        (round(100 + 1.8 * cell), round(100 + 1.5 * cell)),
        50,
        7,
    )
    written, _ = photograph(page, 4, size=(840, 1120))
    flat = FlatPage(written, form, register(written, form))
    cells = {field.name: flat.cells(field)[0] for field in form.fields}
    assert [name for name, found in cells.items() if not found.blank] == ["r2c2", "r5c5"]
    assert cells["r5c5"].height == pytest.approx(1.0, abs=0.1)


def test_lines_as_thick_as_their_distance_are_lifted_off() -> None:
    text = (
        'name = "a"\n[page]\nsize = [80, 40]\nfind = "frame"\n[[field]]\nname = "a"\nbox = [10, 15, 54, 9]\n'
    )
    form = parse_form(f'{text}digits = 6\nstyle = "comb"\ngap = 2\n', "test.toml", Path())
    page = print_form(form, line=7)
    for x, y, w, h in form.cell_boxes(form.fields[0]):
        left, middle = round((x + 0.1 * w) * page.shape[1]), round((y + 0.5 * h) * page.shape[0])
        write(page, "5", (left, middle + 20), size=1.6, thickness=4)
    page = np.pad(page, 60, constant_values=235)
    cells = FlatPage(page, form, register(page, form)).cells(form.fields[0])
    assert max(cell.height for cell in cells) < 0.7


@pytest.mark.parametrize("wide", [3.0, 4.0])
def test_a_foot_that_stands_on_a_printed_line_stays(wide: float) -> None:
    text = (
        'name = "a"\n[page]\nsize = [80, 40]\nfind = "frame"\n[[field]]\nname = "a"\nbox = [10, 15, 48, 9]\n'
    )
    form = parse_form(f'{text}digits = 6\nstyle = "comb"\n', "test.toml", Path())
    page = print_form(form)
    # The lower end of a stroke, and its foot on the line below the third cell.
    cv2.line(page, (8 * 30, 8 * 17), (8 * 30, 8 * 24), 50, 6)
    cv2.line(page, (round(8 * (30 - wide / 2)), 8 * 24 - 6), (round(8 * (30 + wide / 2)), 8 * 24 - 6), 50, 6)
    page = np.pad(page, 60, constant_values=235)
    cells = FlatPage(page, form, register(page, form)).cells(form.fields[0])
    assert [cell.blank for cell in cells] == [True, True, False, True, True, True]
    assert cells[2].ink.shape[1] / cells[2].ink.shape[0] == pytest.approx(wide / 7.4, abs=0.12)


CARD = """[page]
size = [120, 60]
find = "frame"
[[field]]
name = "comb"
box = [15, 12, 36, 9]
digits = [1, 5]
cells = 5
style = "comb"
[[field]]
name = "box"
box = [15, 38, 40, 10]
digits = [1, 6]
printed = "box"
"""


def _card(
    pens: Pens, reader: Reader, values: dict[str, str], *beside: tuple[str, float, float]
) -> FormReading:
    """Read a card with values in its fields and digits beside them, each by its middle in millimetres."""
    form = parse_form(CARD, "card.toml", Path())
    page = fill_in(print_form(form), form, values, pens, 1)
    for number, (digit, x, y) in enumerate(beside):
        around = parse_form(
            f'[page]\nsize = [120, 60]\nfind = "none"\n[[field]]\nname = "a"\ndigits = 1\nstyle = "comb"\n'
            f"box = [{x - 4}, {y - 4}, 8, 8]\n",
            "beside.toml",
            Path(),
        )
        page = fill_in(page, around, {"a": digit}, pens, number)
    return FormReader(form, reader).read(np.pad(page, 60, constant_values=235))


WRITTEN = {"comb": "20345", "box": "7203"}


def test_a_digit_close_around_a_field_leaves_it_without_a_value(pens: Pens, reader: Reader) -> None:
    assert _card(pens, reader, WRITTEN).values() == WRITTEN
    # Behind the last cell, and on the box's right side.
    goes_on = _card(pens, reader, WRITTEN, ("6", 55, 16.5), ("8", 56, 43))
    assert [(field.value, field.reason) for field in goes_on.fields] == [(None, "outside")] * 2
    assert goes_on.fields[0].raw == "20345"
    # Corrections, above and below; farther away it is something else.
    corrected = _card(pens, reader, WRITTEN, ("6", 30, 8.7), ("8", 22, 52))
    assert [field.reason for field in corrected.fields] == ["outside"] * 2
    assert _card(pens, reader, WRITTEN, ("6", 66, 16.5), ("8", 70, 43)).values() == WRITTEN


def test_a_minus_sign_that_is_read_as_a_part_of_the_first_digit_is_one(pens: Pens, reader: Reader) -> None:
    form = parse_form(CARD, "card.toml", Path())
    page = fill_in(print_form(form), form, {"box": " 8 2"}, pens, 1)
    dashes = []
    for ends in ((), (17.5,), (17.5, 45.0)):
        written = page.copy()
        for x in ends:
            cv2.line(written, (round(8 * x), 8 * 43), (round(8 * (x + 2.5)), 8 * 43), 50, 4, cv2.LINE_AA)
        forms = FormReader(form, reader)
        read = reader.read

        def without(*given: Any, **how: Any) -> Page:  # as one way of reading does
            found = read(*given, **how)  # noqa: B023
            lines = tuple(dataclasses.replace(line, raw=line.text) for line in found.lines)
            return dataclasses.replace(found, lines=lines)

        forms.reader = copy.copy(reader)
        forms.reader.read = without  # type: ignore[method-assign]
        dashes.append(forms.read(np.pad(written, 60, constant_values=235)).fields[1])
    assert [field.value for field in dashes] == ["82", None, "82"]
    assert dashes[1].error is not None
    assert "minus" in dashes[1].error


def test_a_unit_behind_the_field_is_no_digit_of_a_number_farther_off(pens: Pens, reader: Reader) -> None:
    # A g looks like a 9.
    assert _card(pens, reader, {"box": "72"}, ("9", 57.5, 43)).fields[1].value == "72"


def test_a_box_that_the_form_does_not_name_is_no_line_through_what_is_in_it(
    pens: Pens, reader: Reader
) -> None:
    form = parse_form(CARD, "card.toml", Path())
    page = fill_in(print_form(form), form, WRITTEN, pens, 1)
    unnamed = parse_form(CARD.replace('printed = "box"', 'printed = "none"'), "card.toml", Path())
    assert FormReader(unnamed, reader).read(np.pad(page, 60, constant_values=235)).values() == WRITTEN


LONG = """[page]
size = [160, 60]
find = "frame"
[[field]]
name = "a"
box = [15, 25, 130, 11]
digits = [1, 14]
printed = "box"
"""


@pytest.mark.parametrize("rise", [0.0, 2.0, 4.0])
def test_a_long_number_is_struck_out_by_a_line_that_rises_a_little(
    rise: float, pens: Pens, reader: Reader
) -> None:
    form = parse_form(LONG, "long.toml", Path())
    page = fill_in(print_form(form), form, {"a": "31415926535897"}, pens, 2)
    assert not FlatPage(page, form, register(page, form)).struck(form.fields[0])
    ends = (8 * 20, round(8 * (31 + rise / 2))), (8 * 106, round(8 * (31 - rise / 2)))
    cv2.line(page, *ends, 50, 5, cv2.LINE_AA)
    assert FlatPage(page, form, register(page, form)).struck(form.fields[0])


DOTTED = """[page]
size = [120, 60]
find = "frame"
[[field]]
name = "a"
box = [20, 20, 60, 10]
digits = [1, 6]
printed = "line"
decimal = "."
"""


def _dotted(pens: Pens, value: str, blur: float) -> tuple[Form, NDArray[np.uint8]]:
    form = parse_form(DOTTED, "dotted.toml", Path())
    page = print_form(replace(form, fields=(replace(form.fields[0], printed="none"),)))
    for k in range(46):
        cv2.circle(page, (8 * 20 + round(8 * 1.3 * k), 8 * 30), 2, 60, -1, cv2.LINE_AA)
    written = fill_in(np.full_like(page, 235), form, {"a": value}, pens, 4)
    page = np.minimum(page, np.roll(written, 14, axis=0))  # with its feet on the dots
    return form, cv2.GaussianBlur(np.pad(page, 60, constant_values=235), (0, 0), blur)


@pytest.mark.parametrize("blur", [0.8, 2.5])
@pytest.mark.parametrize("value", ["6307", "7025", "52.8", ""])
def test_the_dots_of_a_dotted_line_are_no_writing(
    value: str, blur: float, pens: Pens, reader: Reader
) -> None:
    form, page = _dotted(pens, value, blur)
    field = FormReader(form, reader).read(page).fields[0]
    assert field.value == (value or None)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_a_number_that_is_struck_out_is_none(pens: Pens, reader: Reader, slope: float) -> None:
    form = parse_form(CARD, "card.toml", Path())
    page = fill_in(print_form(form), form, WRITTEN, pens, 1)
    for x, y, wide in ((14, 16.5, 38), (15, 43, 24)):
        ends = [(round(8 * (x + wide * k)), round(8 * (y + slope * wide * (k - 0.5)))) for k in (0, 1)]
        cv2.line(page, ends[0], ends[1], 50, 4, cv2.LINE_AA)
    reading = FormReader(form, reader).read(np.pad(page, 60, constant_values=235))
    assert [(field.value, field.reason) for field in reading.fields] == [(None, "struck-out")] * 2


def test_values_in_free_fields_have_their_decimals() -> None:
    lenient = Reader(min_digit_confidence=0.2, min_line_confidence=0.2)
    text = '[page]\nsize = [120, 40]\nfind = "frame"\n[[field]]\nname = "a"\nbox = [10, 8, 100, 24]\n'
    text += 'digits = [3, 8]\nprinted = "box"\ndecimal = "."\ndecimals = 2\n'
    form = parse_form(text, "test.toml", Path())
    fields = []
    for written in ("128.47", "12847"):
        page = cv2.cvtColor(print_form(form), cv2.COLOR_GRAY2BGR)
        write(page, written, (130, 200), size=4, thickness=8, spacing=24)
        picture = cv2.copyMakeBorder(page, 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=(235, 235, 235))
        fields.append(FormReader(form, lenient).read(picture).fields[0])
    assert fields[0].value == "128.47"
    assert (fields[1].value, fields[1].reason) == (None, "count")


def test_the_picture_itself_as_the_page(reader: Reader) -> None:
    form = load_form("cheque-amount")
    strip = write(paper(120, 500), "20345", (60, 80), size=2, thickness=5)
    field = FormReader(form, reader).read(strip).fields[0]
    assert (field.raw, field.value, field.error) == ("20345", "20345", None)
    empty = FormReader(form, reader).read(paper(120, 500)).fields[0]
    assert (empty.value, empty.reason) == (None, "blank")


ALIKE = """[page]
size = [148, 105]
find = "frame"
frame = [5, 5, 138, 95]
"""
"""A page that looks the same upside down, with the three fields that follow."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lines_of_writing_tell_that_a_page_is_upside_down(seed: int, pens: Pens, reader: Reader) -> None:
    text = ALIKE
    for k, y in enumerate((20, 47.5, 75)):
        text += f'[[field]]\nname = "f{k}"\nbox = [49, {y}, 50, 10]\ndigits = [1, 6]\nprinted = "box"\n'
    form = parse_form(text, "alike.toml", Path())
    values = {"f0": "2 4 7", "f1": "5 3 4", "f2": "7 2 5"}
    upright = _read(form, values, pens, reader, seed).values()
    assert upright == {name: value.replace(" ", "") for name, value in values.items()}
    with pytest.raises(RegistrationError, match="upside down"):
        _read(form, values, pens, reader, seed, turn=180)


@pytest.mark.parametrize("name", ["cheque-amount", "cheque"])
@pytest.mark.parametrize(
    "image",
    [
        None,
        paper().tolist(),
        paper() / 255,
        paper() > 0,
        paper().astype(np.uint16) * 257,
        np.dstack([paper(), paper()[..., 0]]),
        paper()[:0],
        paper()[:, :0, 0],
    ],
)
def test_what_is_no_picture_is_an_error(reader: Reader, name: str, image: Any) -> None:
    with pytest.raises(PictureError, match="picture") as caught:
        FormReader(load_form(name), reader).read(image)
    assert not isinstance(caught.value, RegistrationError)


NARROW = """
[page]
find = "none"
unit = "fraction"
[[field]]
name = "narrow"
box = [0.999, 0, 0.001, 1]
digits = 3
[[field]]
name = "low"
box = [0, 0.999, 0.5, 0.001]
style = "comb"
digits = 3
printed = "none"
[[field]]
name = "wide"
box = [0, 0, 0.9, 0.9]
digits = [1, 9]
"""


def test_a_field_of_too_few_pixels_is_an_error_of_that_field(reader: Reader) -> None:
    form = parse_form(NARROW, "test.toml", Path())
    page = write(paper(100, 400), "20345", (40, 70), size=2, thickness=5)
    *small, wide = FormReader(form, reader).read(page).fields
    assert [(field.name, field.value, field.reason) for field in small] == [
        ("narrow", None, "small"),
        ("low", None, "small"),
    ]
    assert (wide.value, wide.error) == ("20345", None)


def test_settings_of_a_form_reader(reader: Reader) -> None:
    """They say what is believed of a page, and how fields are cut out."""
    form = load_form("cheque")
    page, _ = photograph(print_form(form), 4, desk=60)
    assert FormReader(form, reader).read(page).fields[0].reason == "blank"
    strict = RegistrationSettings(least_cell=1000)
    with pytest.raises(RegistrationError):
        FormReader(form, reader, registration=strict).read(page)
    coarse = CutoutSettings(least_cell=1000)
    assert FormReader(form, reader, cutout=coarse).read(page).fields[0].reason == "small"
    # However few pixels, they are looked at where that is asked for.
    fine = FormReader(parse_form(NARROW, "test.toml", Path()), reader, cutout=CutoutSettings(least_cell=0))
    assert [field.reason for field in fine.read(paper(100, 400)).fields] == ["blank"] * 3


# --- commands -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photographed sudoku with a few digits of the stroke font."""
    form = load_form("sudoku")
    page = cv2.cvtColor(np.pad(print_form(form), 100, constant_values=235), cv2.COLOR_GRAY2BGR)
    for row, column, digit in ((0, 0, "7"), (4, 4, "3"), (8, 8, "2"), (2, 6, "5")):
        at = (round(100 + (column + 0.25) * 800 / 9), round(100 + (row + 0.8) * 800 / 9))
        write(page, digit, at, size=2, thickness=5)
    image, _ = photograph(cv2.cvtColor(page, cv2.COLOR_BGR2GRAY), 5, size=(840, 1120))
    path = tmp_path_factory.mktemp("forms") / "sudoku.png"
    cv2.imwrite(str(path), image)
    return path


def test_read_form_as_json_lines(filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), paper())
    status = main(
        [
            "read",
            "--form",
            "sudoku",
            str(tmp_path / "blank.png"),
            str(filled),
            "--format",
            "jsonl",
            "--annotate",
            str(tmp_path / "out"),
        ]
    )
    out, err = capsys.readouterr()
    failed, read = map(json.loads, out.splitlines())
    assert status == 1  # a page that can't be registered is an error
    assert set(failed) == {"schema", "source", "error"}
    assert failed["error"] in err
    assert (read["schema"], read["form"], read["page"], read["size"]) == (1, "sudoku", 0, [840, 1120])
    assert read["registration"]["found_by"] == "frame"
    values = {field["name"]: field["value"] for field in read["fields"] if field["value"] is not None}
    assert values == {"r1c1": "7", "r3c7": "5", "r5c5": "3", "r9c9": "2"}
    assert set(read["fields"][0]) == {
        "name",
        "raw",
        "value",
        "confidence",
        "error",
        "reason",
        "instead_of",
        "corners",
    }
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sudoku-read.png"]


def test_a_picture_that_fails_does_not_end_the_run(
    filled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [ModelError("strip: the model is gone"), PictureError("no picture")]
    read = FormReader.read

    def failing(forms: FormReader, *given: Any) -> FormReading:
        if errors:
            raise errors.pop()
        return read(forms, *given)

    monkeypatch.setattr(FormReader, "read", failing)
    assert main(["read", "--form", "sudoku", *[str(filled)] * 3]) == 1
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        f"edgedigits: {filled}: no picture",
        f"edgedigits: {filled}: strip: the model is gone",
    ]
    assert out.startswith(f"{filled}: sudoku, 77 of 81 fields blank")


def test_read_form_as_table_and_csv(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--form", "sudoku", str(filled)]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0] == f"{filled}: sudoku, 77 of 81 fields blank"
    assert [line.split()[:2] for line in table[1:]] == [
        ["r1c1", "7"],
        ["r3c7", "5"],
        ["r5c5", "3"],
        ["r9c9", "2"],
    ]
    assert main(["read", "--form", "sudoku", str(filled), "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 81
    assert (rows[0]["field"], rows[0]["value"], rows[1]["value"]) == ("r1c1", "7", "")


def test_a_bad_form_is_one_line(tmp_path: Path, filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(
        '[page]\nfind = "frame"\nsize = [9, 9]\n[[field]]\nname = "a"\nbox = [1, 1, 90, 3]\ndigits = 2\n'
    )
    assert main(["read", "--form", str(bad), str(filled)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"{bad}:6: field 'a': 'box'" in err


def test_list_and_show(filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["form", "list"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} >= {
        "sudoku",
        "cheque",
        "meter-card",
    }
    assert main(["form", "show", "meter-card"]) == 0
    assert "luhn" in capsys.readouterr().out
    drawn = tmp_path / "drawn.png"
    assert main(["form", "show", "sudoku", str(filled), "--out", str(drawn)]) == 0
    assert cv2.imread(str(drawn)).shape == (1120, 840, 3)
    assert main(["form", "show", "meter-card", str(filled), "--out", str(drawn)]) == 1
    assert "meter-card" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "names"), [("meter-card", 5), ("sudoku", 81)])
def test_new_form_from_a_photograph(
    name: str, names: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = load_form(name)
    page = print_form(form)
    image, _ = photograph(np.pad(page, 90, constant_values=235), 1)
    picture, out = tmp_path / "blank.png", tmp_path / "mine.toml"
    cv2.imwrite(str(picture), image)
    assert main(["form", "new", str(picture), "--out", str(out)]) == 0
    assert f"{names} fields" in capsys.readouterr().out
    started = load_form(out)
    assert cv2.imread(str(out.with_suffix(".png"))).shape == image.shape
    again, _ = photograph(np.pad(page, 90, constant_values=235), 2)
    here, there = register(again, form), register(again, started)
    due = sorted(
        tuple(here.to_picture(np.array([[x + w / 2, y + h / 2]]))[0])
        for f in form.fields
        for x, y, w, h in form.cell_boxes(f)
    )
    got = sorted(
        tuple(there.to_picture(np.array([[x + w / 2, y + h / 2]]))[0])
        for f in started.fields
        for x, y, w, h in started.cell_boxes(f)
    )
    assert len(got) == len(due)
    distances = [min(np.hypot(a - x, b - y) for x, y in got) for a, b in due]
    assert max(distances) < 5
    assert there.lines_found is not None
    assert there.lines_found > 0.9
    assert main(["form", "new", str(picture), "--out", str(out)]) == 1
    assert "already there" in capsys.readouterr().err
    out = tmp_path / "none" / "a.toml"
    assert main(["form", "new", str(picture), "--out", str(out)]) == 1
    assert capsys.readouterr().err.startswith(f"edgedigits: {out}: its folder is not there; make it")


def test_new_form_is_made_another_way_where_one_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = print_form(load_form("meter-card"))
    image, _ = photograph(np.pad(page, 90, constant_values=235), 1)
    made = 0

    def first_overlaps(text: str, source: str, folder: Path) -> Form:
        nonlocal made
        made += 1
        if made == 1:
            raise FormError("'a' and 'b' overlap")
        return parse_form(text, source, folder)

    monkeypatch.setattr(starter, "parse_form", first_overlaps)
    _, form = propose_form(image, "mine")
    assert made > 1
    assert len(form.fields) >= 5


def test_new_form_overwrites_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image, _ = photograph(np.pad(print_form(load_form("meter-card")), 90, constant_values=235), 1)
    cv2.imwrite("blank.jpg", image)
    others = ("blank.png", "blank-form.png")
    for name in others:
        Path(name).write_text("another picture")
    assert main(["form", "new", "blank.jpg"]) == 0
    assert [Path(name).read_text() for name in others] == ["another picture"] * 2
    assert cv2.imread("blank-form-2.png").shape == image.shape


def test_new_form_from_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), paper())
    assert main(["form", "new", str(tmp_path / "a.png"), "--out", str(tmp_path / "a.toml")]) == 1
    assert "no printed boxes or lines" in capsys.readouterr().err
    assert not (tmp_path / "a.toml").exists()


def test_bad_commands(tmp_path: Path) -> None:
    assert main(["form"]) == 2
    assert main(["form", "new"]) == 2
    assert main(["form", "new", str(tmp_path / "none.png")]) == 1
    assert main(["read", "--form", "sudoku"]) == 2


def test_registration_survives_any_picture() -> None:
    form = load_form("sudoku")
    draw = np.random.default_rng(0)
    specks = np.full((900, 1200), 240, np.uint8)
    specks[draw.integers(0, 900, 1000), draw.integers(0, 1200, 1000)] = 20
    lines = np.full((900, 1200), 240, np.uint8)
    lines[::30] = 60
    checks = (np.indices((900, 900)) // 50).sum(axis=0) % 2 * np.uint8(200)
    for image in (specks, lines, checks.astype(np.uint8)):
        with pytest.raises(RegistrationError):
            register(image, form)


@pytest.mark.parametrize("side", range(4))
def test_the_rest_of_a_box_s_frame_is_no_writing(side: int) -> None:
    """A bar along any border, whole or in part; a 1 in the middle stays, alone or beside the bar."""
    blank, one = np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.uint8)
    one[10:50, 27:33] = 255
    for start, stop in ((0, 60), (5, 40)):
        bar = blank.copy()
        bar[start:stop, 1:5] = 255
        bar = np.ascontiguousarray(np.rot90(bar, side))
        assert cell_of(bar, (0, 0, 60, 60)).blank
        beside = cell_of(bar | one, (0, 0, 60, 60))
        assert beside.ink.shape == (40, 6)
        assert not beside.apart
        assert beside.height == pytest.approx(40 / 60)


def test_a_single_digit_at_the_left_of_a_wide_field_is_no_blank() -> None:
    wide = np.zeros((60, 400), np.uint8)
    wide[10:50, 20:26] = 255
    assert cell_of(wide, (0, 0, 400, 60)).ink.shape == (40, 6)


def test_what_is_not_one_digit_is_told_by_its_size_place_and_number() -> None:
    ink = np.zeros((60, 60), np.uint8)
    ink[20:40, 27:33] = 255
    third = cell_of(ink, (0, 0, 60, 60))
    ink[20:40, 10:16] = 255
    two = cell_of(ink, (0, 0, 60, 60))
    assert trouble_in(third, True, 0.3) is None
    for cell, is_digit, least, reason in (
        (third, True, 0.5, "small"),
        (third, False, 0.3, "not-digits"),
        (two, True, 0.3, "several"),
    ):
        trouble = trouble_in(cell, is_digit, least)
        assert trouble is not None
        assert trouble[0] == reason
