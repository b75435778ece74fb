"""Fields that something lies on, or that a lamp washes out, are errors, and are not told to be blank."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.form_pages import Pens, fill_in, photograph, print_form
from tests.edge.lying import finger, glare, note

from edgedigits.forms import FieldReading, FormReader
from edgedigits.forms.covering import covered_fields, washed_out_fields
from edgedigits.forms.flat import Flat
from edgedigits.forms.form_file import load_form, parse_form
from edgedigits.forms.layout import Form
from edgedigits.forms.printed_lines import printed_segments
from edgedigits.reader import Reader

Picture = NDArray[np.uint8]
Hide = Callable[[Picture, tuple[float, float], float], tuple[Picture, NDArray[np.bool_]]]


def _finger(image: Picture, middle: tuple[float, float], cell: float) -> tuple[Picture, NDArray[np.bool_]]:
    return finger(image, middle, 1.6 * cell, 70, np.random.default_rng(0))


def _note(image: Picture, middle: tuple[float, float], cell: float) -> tuple[Picture, NDArray[np.bool_]]:
    return note(image, middle, 2.3 * cell, 12, np.random.default_rng(0))


def _glare(image: Picture, middle: tuple[float, float], cell: float) -> tuple[Picture, NDArray[np.bool_]]:
    return glare(image, middle, (1.4 * cell, 0.9 * cell), 20, 0.1 * cell)


def _soft_glare(
    image: Picture, middle: tuple[float, float], cell: float
) -> tuple[Picture, NDArray[np.bool_]]:
    return glare(image, middle, (1.4 * cell, 0.9 * cell), 20, 0.4 * cell)


HIDE: dict[str, Hide] = {"finger": _finger, "note": _note, "glare": _glare, "soft glare": _soft_glare}


@pytest.fixture(scope="module")
def pens(data_set: Callable[[str], Path]) -> Pens:
    return Pens(data_set("mnist"))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def _filled(form: Form, pens: Pens, seed: int) -> tuple[Picture, NDArray[np.float64], dict[str, str]]:
    """Return a photographed page, its corners, and what is written in about half of its fields."""
    draw = np.random.default_rng(seed)
    values = {f.name: str(draw.integers(1, 10)) for f in form.fields if f.cells == 1 and draw.random() < 0.5}
    page = fill_in(print_form(form), form, values, pens, seed)
    if form.name != "sudoku":
        return *photograph(page, seed), values
    page = np.pad(page, 300, constant_values=235)
    return *photograph(page, seed, size=(1120, 1400), share=1.4), values


def _hidden(field: FieldReading, where: NDArray[np.bool_]) -> float:
    own = cv2.fillConvexPoly(np.zeros(where.shape, np.uint8), np.array(field.corners), 1) > 0
    return float(np.count_nonzero(own & where)) / np.count_nonzero(own)


@pytest.mark.parametrize("kind", HIDE)
@pytest.mark.parametrize("name", ["sudoku", "exam-marks"])
def test_a_field_that_something_hides_is_an_error(pens: Pens, reader: Reader, name: str, kind: str) -> None:
    form = load_form(name)
    image, _, values = _filled(form, pens, 3)
    forms = FormReader(form, reader)
    before = forms.read(image)
    assert [f.reason for f in before.fields if f.reason in ("covered", "glare")] == []
    target = before.fields[len(before.fields) // 2]
    corners = np.array(target.corners)
    x, y = corners.mean(axis=0).tolist()
    cell = float(np.linalg.norm(corners[3] - corners[0]))
    seen, where = HIDE[kind](image, (x, y), cell)
    after = {field.name: field for field in forms.read(seen).fields}
    assert after[target.name].reason in ("covered", "glare")
    assert after[target.name].confidence == 0
    hidden = [field.name for field in before.fields if _hidden(field, where) > 0.3]
    assert len(hidden) >= 3
    assert [n for n in hidden if after[n].error is None] == []
    for field in before.fields:
        # No field beside it says what it didn't say before, and those far away all say the same.
        assert after[field.name].value in (None, values.get(field.name), field.value)
        away = np.linalg.norm(np.array(field.corners).mean(axis=0) - (x, y))
        if _hidden(field, where) == 0 and away > 4 * cell and kind != "finger":
            assert after[field.name].value == field.value


def test_glare_is_told_from_what_lies_there(pens: Pens, reader: Reader) -> None:
    form = load_form("sudoku")
    image, corners, _ = _filled(form, pens, 1)
    cell = float(np.linalg.norm(corners[1] - corners[0])) / 14
    x, y = corners.mean(axis=0).tolist()
    for kind, reason in (("glare", "glare"), ("note", "covered")):
        fields = FormReader(form, reader).read(HIDE[kind](image, (x, y), cell)[0]).fields
        assert fields[40].reason == reason


def test_a_digit_in_a_pale_scribble_is_not_taken_for_a_part_of_it(pens: Pens, reader: Reader) -> None:
    """What is rubbed out, or shows through, is paper; with a digit joined to it the field isn't blank."""
    form = load_form("sudoku")
    values = {field.name: "7" for field in form.fields if field.name[1] in "1289"} | {"r5c5": "1"}
    page = fill_in(print_form(form), form, values, pens, 0)
    cell = page.shape[0] / 9
    corners = [(x, y) for y in range(round(3.2 * cell), round(5.8 * cell), 20) for x in (2.2, 6.8)]
    corners = [(cell * (x if k % 4 < 2 else 9 - x), y) for k, (x, y) in enumerate(corners)]
    scribbled = cv2.polylines(page.copy(), [np.rint(corners).astype(np.int32)], False, 195, 5, cv2.LINE_AA)
    before, after = (
        {
            field.name: field
            for field in FormReader(form, reader).read(np.pad(seen, 60, constant_values=235)).fields
        }
        for seen in (page, np.minimum(page, scribbled))
    )
    assert before["r5c5"].value == "1"
    assert (after["r5c5"].value, after["r5c5"].reason) == (None, "covered")
    assert all(after[name].value == before[name].value for name in before if name[1] not in "456")


@pytest.mark.parametrize("level", [120, 180, 205])
def test_pale_lines_are_seen(pens: Pens, reader: Reader, level: int) -> None:
    """Where lines are printed palely they take a tenth of the light, and all of them are seen."""
    form = load_form("exam-marks")
    page = print_form(form)
    page = np.where(page >= 45, np.maximum(page, level), page).astype(np.uint8)  # the marks stay black
    image, _ = photograph(fill_in(page, form, {"q3.2": "5"}, pens, 0), 2)
    fields = FormReader(form, reader).read(image).fields
    assert [field.name for field in fields if field.reason in ("covered", "glare")] == []


LINE = """
[page]
size = [120, 60]
find = "frame"
[[field]]
name = "a"
box = [20, 20, 60, 12]
digits = [1, 6]
style = "free"
printed = "line"
required = false
"""


def test_of_a_line_to_write_on_its_foot_is_seen(pens: Pens, reader: Reader) -> None:
    """What lies above it hides nothing that is printed; what lies on it does."""
    form = parse_form(LINE, "test.toml", Path())
    image, _ = photograph(fill_in(print_form(form), form, {"a": "4711"}, pens, 0), 0)
    forms = FormReader(form, reader)
    field = forms.read(image).fields[0]
    assert (field.value, field.reason) == ("4711", None)
    corners = np.array(field.corners, np.float64)
    foot = corners[2:].mean(axis=0).tolist()
    seen, _ = note(image, (foot[0], foot[1]), 40, 20, np.random.default_rng(0))
    assert forms.read(seen).fields[0].reason == "covered"


FIELDS = """
[page]
size = [120, 60]
find = "frame"
[[field]]
name = "comb"
box = [10, 10, 48, 12]
digits = 4
style = "comb"
[[field]]
name = "box"
box = [70, 10, 36, 12]
digits = [1, 3]
style = "free"
printed = "box"
[[field]]
name = "line"
box = [10, 36, 48, 12]
digits = [1, 4]
style = "free"
printed = "line"
[[field]]
name = "bare"
box = [70, 22, 36, 12]
digits = [1, 3]
style = "free"
printed = "none"
"""
FIELDS_FORM = parse_form(FIELDS, "test.toml", Path())
FLAT = Flat((600, 300), 20, 60, 2)


def _flat_page(dark: int = 100, foot: int = 100) -> Picture:
    """Return how dark the flattened page is: its boxes, and the line to write on, as dark as that."""
    page = np.zeros((340, 640), np.uint8)
    for left, right in ((70, 130), (130, 190), (190, 250), (250, 310), (370, 550)):
        cv2.rectangle(page, (left, 70), (right, 130), dark, 2)
    cv2.line(page, (70, 260), (310, 260), foot, 2)
    return page


def _covered(page: Picture) -> set[str]:
    return set(covered_fields(page, printed_segments(FIELDS_FORM), FIELDS_FORM, FLAT))


@pytest.mark.parametrize(
    ("x", "y", "name"),
    [
        (160, 70, "comb"),
        (160, 130, "comb"),
        (190, 100, "comb"),  # between two cells
        (70, 100, "comb"),
        (370, 100, "box"),
        (550, 100, "box"),
        (480, 70, "box"),
        (480, 130, "box"),  # not of the field below it, which has none
        (280, 260, "line"),
    ],
)
def test_a_gap_in_a_line_is_its_own_fields(x: int, y: int, name: str) -> None:
    """It is as long as a third of a cell; a stain of a sixth hides no digit."""
    assert _covered(_flat_page()) == set()
    page = _flat_page()
    page[y - 12 : y + 12, x - 12 : x + 12] = 0
    assert _covered(page) == {name}
    page = _flat_page()
    page[y - 5 : y + 5, x - 5 : x + 5] = 0
    assert _covered(page) == set()


def test_what_lies_on_the_paper_of_a_field_hides_no_line() -> None:
    """The paper above a line to write on, and around a field without anything printed, may be anything."""
    page = _flat_page()
    page[180:250, 60:330] = page[140:300, 400:] = 0
    assert _covered(page) == set()


@pytest.mark.parametrize(("dark", "part", "is_seen"), [(30, 8, True), (100, 30, True), (20, 4, False)])
def test_how_dark_a_part_of_a_line_is_that_is_seen(dark: int, part: int, is_seen: bool) -> None:
    page = _flat_page(dark, dark)
    page[60:80, 140:180][page[60:80, 140:180] > 0] = part
    assert _covered(page) == (set() if is_seen else {"comb"})


def test_lines_are_held_against_those_of_their_kind() -> None:
    assert _covered(_flat_page(150, 12)) == set()


def test_dots_of_noise_are_no_line_and_a_line_that_is_a_little_off_is_one() -> None:
    page = _flat_page()
    page[60:80, 140:180] = 0
    page[70, 142:180:6] = 60
    assert _covered(page) == {"comb"}
    assert _covered(np.roll(_flat_page(), 5, axis=0)) == set()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("margin", [0, 4])
@pytest.mark.parametrize("size", [(8, 8), (30, 15), (60, 30)])
def test_of_a_page_of_a_few_pixels_no_line_is_looked_at(size: tuple[int, int], margin: int) -> None:
    dark = np.zeros((size[1] + 2 * margin, size[0] + 2 * margin), np.uint8)
    flat = Flat(size, margin, 0.2 * size[1], 0)
    assert covered_fields(dark, printed_segments(FIELDS_FORM), FIELDS_FORM, flat) == frozenset()
    assert covered_fields(dark, [], FIELDS_FORM, flat) == frozenset()
    assert washed_out_fields(dark, FIELDS_FORM, flat) == frozenset()


def test_a_piece_too_short_to_be_looked_at_has_no_gap() -> None:
    """The level ones in narrow cells, and those at the edge of a page without a margin."""
    narrow = Flat((60, 300), 20, 60, 2)
    dark = np.full((340, 100), 100, np.uint8)
    assert covered_fields(dark, printed_segments(FIELDS_FORM), FIELDS_FORM, narrow) == frozenset()
    text = FIELDS.replace("[10, 10, 48, 12]", "[0, 0, 48, 12]")
    form = parse_form(text, "test.toml", Path())
    dark = np.zeros((8, 16), np.uint8)
    assert "comb" not in covered_fields(dark, printed_segments(form), form, Flat((16, 8), 0, 2, 0))


def test_a_field_is_washed_out_where_light_reaches_into_it() -> None:
    image, _ = glare(np.full((340, 640, 3), 200, np.uint8), (290, 155), (50, 35), 0, 5)
    assert washed_out_fields(image[..., 0], FIELDS_FORM, FLAT) == {"comb"}
    image, _ = glare(np.full((340, 640, 3), 200, np.uint8), (460, 225), (40, 15), 0, 5)
    assert washed_out_fields(image[..., 0], FIELDS_FORM, FLAT) == set()
