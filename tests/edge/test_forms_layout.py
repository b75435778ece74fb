"""Form files: what they mean, and that every mistake is named with its file, line, field and remedy."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest
from stdnum import iban

from edgedigits.errors import FormError
from edgedigits.forms.checks import check_digit_rule, pattern_rule, range_rule
from edgedigits.forms.form_file import example_names, load_form, parse_form
from edgedigits.forms.layout import Form, Frame, WholePicture

PAGE = '[page]\nsize = [100, 50]\nfind = "frame"\n'
FIELD = '[[field]]\nname = "a"\nbox = [10, 10, 40, 10]\ndigits = 4\n'


def _parse(text: str) -> Form:
    return parse_form(text, "my.toml", Path())


def _error(text: str) -> str:
    with pytest.raises(FormError) as caught:
        _parse(text)
    message = str(caught.value)
    assert message.startswith("my.toml")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", example_names())
def test_shipped_forms_are_valid(name: str) -> None:
    form = load_form(name)
    assert form.name == name
    assert form.fields


def test_the_shipped_forms_are_all_there() -> None:
    assert {"cheque", "cheque-amount", "exam-marks", "meter-card", "sudoku"} <= set(example_names())
    assert len(load_form("sudoku").fields) == 81


def test_millimetres_become_fractions_of_the_page() -> None:
    form = _parse(PAGE + "frame = [5, 5, 90, 40]\n" + FIELD)
    assert form.fields[0].box == pytest.approx((0.1, 0.2, 0.4, 0.2))
    assert form.finder == Frame((0.05, 0.1, 0.9, 0.8))
    same = _parse(
        '[page]\nunit = "fraction"\nsize = [2, 1]\nfind = "frame"\n'
        + FIELD.replace("10, 10, 40, 10", "0.1, 0.2, 0.4, 0.2")
    )
    assert same.fields == form.fields
    assert same.size == (2, 1)


def test_the_picture_as_the_page_needs_no_size() -> None:
    form = _parse(
        '[page]\nunit = "fraction"\nfind = "none"\n'
        '[[field]]\nname = "a"\nbox = [0, 0, 1, 1]\ndigits = [1, 9]\n'
    )
    assert form.finder == WholePicture()
    assert form.size is None
    assert form.fields[0].digits == (1, 9)


def test_cells_of_a_comb() -> None:
    form = _parse(PAGE + FIELD + 'style = "comb"\ngap = 4\n')
    boxes = form.cell_boxes(form.fields[0])
    assert [round(100 * x) for x, _, _, _ in boxes] == [10, 21, 32, 43]
    assert [round(100 * w) for _, _, w, _ in boxes] == [7, 7, 7, 7]


def test_fields_of_a_grid_are_named_by_row_and_column() -> None:
    grid = '[[grid]]\nname = "q{row}-{column}"\nbox = [0, 0, 60, 30]\nrows = 3\ncolumns = 2\ndigits = 1\n'
    form = _parse(PAGE + grid)
    assert [f.name for f in form.fields] == ["q1-1", "q1-2", "q2-1", "q2-2", "q3-1", "q3-2"]
    assert form.fields[-1].box == pytest.approx((0.3, 0.4, 0.3, 0.2))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("= 1", "not valid TOML"),
        ("", "no [page]"),
        ("page = 3", "no [page]"),
        (PAGE, "no field"),
        (PAGE + "[field]\nname = 'a'", "[[field]]"),
        (PAGE + FIELD + "colour = 3", "my.toml:8: field 'a': unknown key 'colour'"),
        (PAGE + FIELD + "digit = 3", "did you mean 'digits'?"),
        (PAGE + "lens = 1\n" + FIELD, "my.toml:4: [page]: unknown key 'lens'"),
        ("speed = 1\n" + PAGE + FIELD, "my.toml:1: the file: unknown key 'speed'"),
        (PAGE.replace("frame", "magic") + FIELD, "my.toml:3: [page]: 'find' is 'magic'; use"),
        (PAGE.replace('find = "frame"\n', "") + FIELD, "no 'find'"),
        (PAGE.replace("[100, 50]", "[100]") + FIELD, "2 numbers"),
        (PAGE.replace("[100, 50]", "[0, 50]") + FIELD, "give width and height"),
        (PAGE.replace("size = [100, 50]\n", "") + FIELD, "no 'size'"),
        (PAGE + FIELD.replace('name = "a"\n', ""), "my.toml:4: [field]: a field without a name"),
        (PAGE + FIELD.replace("box = [10, 10, 40, 10]\n", ""), "field 'a': no 'box'"),
        (
            PAGE + FIELD.replace("40, 10]", "0, 10]"),
            "my.toml:6: field 'a': 'box' [10.0, 10.0, 0.0, 10.0] is empty",
        ),
        (PAGE + FIELD.replace("40, 10]", "-4, 10]"), "is empty"),
        (PAGE + FIELD.replace("40, 10]", "140, 10]"), "reaches outside the page, 100 × 50 mm"),
        (PAGE + FIELD.replace("10, 10, 40", "-1, 10, 40"), "reaches outside the page"),
        (PAGE + FIELD.replace("10, 10, 40", "nan, 10, 40"), "4 numbers"),
        (PAGE + FIELD.replace("10, 10, 40", '"x", 10, 40'), "4 numbers"),
        (PAGE + FIELD + FIELD, "a second field named 'a'"),
        (PAGE + FIELD + FIELD.replace('"a"', '"b"'), "'a' and 'b' overlap"),
        (PAGE + FIELD.replace("= 4", "= 0"), "'digits' is a number from 1 to 40"),
        (PAGE + FIELD.replace("= 4", "= [5, 3]"), "'digits'"),
        (PAGE + FIELD.replace("= 4", "= true"), "'digits'"),
        (PAGE + FIELD.replace("digits = 4\n", ""), "'digits'"),
        (PAGE + FIELD + 'style = "wild"', "use comb or free"),
        (PAGE + FIELD + 'style = "comb"\ncells = 3', "4 digits in 3 cells"),
        (PAGE + FIELD + "cells = 3", "cells in a free field"),
        (PAGE + FIELD + 'style = "comb"\ndecimal = ","', "give 'decimals' alone"),
        (PAGE + FIELD + 'style = "comb"\ngap = 30', "no room"),
        (PAGE + FIELD + "decimals = 5", "5 decimals of 4 digits"),
        (PAGE + FIELD + "required = 1", "give true or false"),
        (PAGE + FIELD + "least_height = 7", "0 to 1"),
        (PAGE + FIELD + 'check = "lunh"', "my.toml:8: field 'a': check 'lunh' is no format"),
        (PAGE + FIELD + 'check = "../x"', "is no format"),
        (PAGE + FIELD + 'check = "util"', "is no format"),
        (PAGE + FIELD + 'check = "ean"', "is met by no number of 4 digits"),
        (PAGE + FIELD + 'check = "iban"', "is met by no number"),
        (PAGE + FIELD + 'check = "iban"\nprefix = "DE"', "4 digits after 'DE'"),
        (PAGE + FIELD + 'prefix = "DE"', "'prefix' without 'check'"),
        (PAGE + FIELD + "range = [9, 1]", "is empty; put the smaller number first"),
        (PAGE + FIELD + "range = [20000, 30000]", "can't be met by a field that holds 0 to 9999"),
        (PAGE + FIELD + "range = 3", "2 numbers"),
        (PAGE + FIELD + 'pattern = "[0-9"', "is no regular expression"),
        (PAGE + FIELD.replace("digits = 4", "digits = 40") + 'pattern = "([0-9]+)+x"', "takes ever longer"),
        (
            PAGE + "[[grid]]\nname = 'g'\nbox = [0, 0, 9, 9]",
            "name the fields of a grid by {row} and {column}",
        ),
        (PAGE + "[[grid]]\nname = '{row}{column}'\nbox = [0, 0, 9, 9]\ndigits = 1", "without 'rows'"),
        (
            PAGE
            + "[[grid]]\nname = '{row}-{column}'\nbox = [0, 0, 9, 9]\nrows = 200\ncolumns = 200\ndigits = 1",
            "more than 2000 fields",
        ),
        (PAGE.replace("frame", "corners") + FIELD, "'marks' are the centres"),
        (PAGE.replace("frame", "aruco") + FIELD, "'marks' gives for each mark's number"),
        (PAGE.replace("frame", "reference") + FIELD, "no 'picture'"),
        (
            PAGE.replace("frame", "reference") + 'picture = "no.png"\n' + FIELD,
            "picture 'no.png' is not there",
        ),
        (
            PAGE.replace("frame", "aruco") + "marks = {0 = [1, 1, 9], 77 = [80, 1, 9]}\n" + FIELD,
            "use 0 to 49",
        ),
        (PAGE.replace("frame", "aruco") + "marks = {0 = [1, 1, 9], 7 = [95, 1, 9]}\n" + FIELD, "outside"),
        (PAGE + "[[printed]]\n" + FIELD, "give 'box', or 'line'"),
        (
            PAGE + FIELD.replace("10, 10, 40", f"10, 10, {10**400}"),
            "my.toml:6: field 'a': 'box' is [10, 10, 1000",
        ),
        (PAGE + FIELD.replace("10, 10, 40", f"10, 10, 0x{'f' * 5000}"), "'box' is a number of thousands of"),
        (PAGE + FIELD.replace("10, 10, 40", f"10, 10, {'9' * 5001}"), "a number of thousands of digits"),
        (PAGE + FIELD + f"least_height = {10**400}", "'least_height' is 1000"),
        (PAGE + FIELD + f"required = 0x{'f' * 5000}", "'required' is a number of thousands of digits"),
        ("a." * 40_000 + "a = 1\n" + PAGE + FIELD, "my.toml:1: more than 500 dots in a line"),
        (PAGE + FIELD + '"a\\nb" = 3', r"unknown key 'a\nb'"),
        (
            PAGE + FIELD.replace("= 4", "= 40") + f"range = [{10**40}, {10**40}]",
            f"can't be met by a field that holds 0 to {'9' * 40}",
        ),
        (
            PAGE + FIELD.replace("= 4", "= 40") + f"decimals = 20\nrange = [{10**20}, {10**20}]",
            f"can't be met by a field that holds 0 to {'9' * 20}.{'9' * 20}",
        ),
        (
            PAGE.replace("frame", "aruco")
            + f"marks = {{{'9' * 5000} = [1, 1, 9], 7 = [80, 1, 9]}}\n"
            + FIELD,
            "use 0 to 49",
        ),
        (
            PAGE.replace("frame", "reference") + f'picture = "{"a" * 5000}"\n' + FIELD,
            "is not there",
        ),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    assert words in _error(text)


def test_form_files_that_can_not_be_read(tmp_path: Path) -> None:
    for name, data in (("latin.toml", b"name = '\xe9'"), ("large.toml", b"#" * (1 << 21))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FormError, match=name):
            load_form(tmp_path / name)
    for missing in (tmp_path / "none.toml", tmp_path, "sudokku"):
        with pytest.raises(FormError, match="no such form file; name one, or one of cheque"):
            load_form(missing)


@pytest.mark.parametrize(
    ("name", "prefix", "good", "bad"),
    [
        ("luhn", "", "79927398713", "79927398714"),
        ("verhoeff", "", "1234567890120", "1234567890121"),
        ("damm", "", "5724", "5742"),
        ("ean", "", "4007630000116", "4007630000117"),
        ("isbn", "", "9780306406157", "9780306406158"),
        ("iban", "DE", "89370400440532013000", "89370400440532013001"),
        ("mod_97_10", "", "99991234567890121477", "99991234567890121478"),
        ("de.idnr", "", "36574261809", "36574261890"),
    ],
)
def test_check_digits(name: str, prefix: str, good: str, bad: str) -> None:
    rule = check_digit_rule(name, prefix, [len(good)])
    assert rule.test(good)
    assert not rule.test(bad)
    assert rule.proves(good)
    assert not rule.proves(bad)


@pytest.mark.parametrize(
    ("name", "number"), [("es.postal_code", "28013"), ("imsi", "429011234567890"), ("ar.dni", "20123456")]
)
def test_a_format_without_a_check_digit_proves_nothing(name: str, number: str) -> None:
    rule = check_digit_rule(name, "", [len(number)])
    assert rule.test(number)
    assert not rule.proves(number)


def test_without_python_stdnum_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stdnum", None)
    with pytest.raises(FormError, match=r"pip install python-stdnum"):
        check_digit_rule("luhn", "", [8])


def test_ranges_and_patterns() -> None:
    rule = range_rule(Decimal("0.5"), Decimal(31), Decimal(99))
    assert [rule.test(text) for text in ("0.5", "31", "31.1", "0")] == [True, True, False, False]
    assert [rule.test(text) for text in ("A", "1A", "NaN", "")] == [False] * 4
    assert not rule.proves("31")
    assert not pattern_rule("2026", 4).proves("2026")
    assert [pattern_rule("20[0-9]{2}", 5).test(text) for text in ("2026", "12026", "1999")] == [
        True,
        False,
        False,
    ]


def test_a_check_of_many_fields_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To try all lengths of an IBAN takes half a second on a large machine."""
    tried: list[str] = []
    validate = iban.validate
    monkeypatch.setattr(iban, "validate", lambda number: tried.append(number) or validate(number))
    rest = 'digits = [2, 20]\ncheck = "iban"\nprefix = "DE"\n'
    fields = [f'[[field]]\nname = "f{k}"\nbox = [{2 * k}, 1, 1, 1]\n{rest}' for k in range(40)]
    assert len(parse_form(PAGE + fields[0], "f", Path()).fields) == 1
    once = len(tried)
    assert len(parse_form(PAGE + "".join(fields), "f", Path()).fields) == 40
    assert 0 < once == len(tried)
