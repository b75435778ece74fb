"""Blank pages of forms: drawn at their true size, found again, blank, and read once they are filled in."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.edge.form_pages import MARKED, Pens, fill_in, photograph, referenced

from edgedigits.cli import main
from edgedigits.errors import FormError
from edgedigits.forms import FormReader, FormReading
from edgedigits.forms.blank import draw_blank, paper_for
from edgedigits.forms.form_file import example_names, load_form, parse_form
from edgedigits.forms.layout import Form
from edgedigits.frames import Frame, read_pictures
from edgedigits.reader import Reader

METER = {"customer": "86523008", "reading": " 01869", "day": "16", "month": " 8", "year": "2026"}
PAGES = [name for name in example_names() if load_form(name).size is not None]
SMALL = """
[page]
size = [120, 90]
find = "frame"
frame = [5, 5, 110, 80]
[[printed]]
box = [10, 55, 100, 20]
[[field]]
name = "amount-17"
box = [20, 12, 40, 8]
digits = [1, 5]
printed = "line"
[[field]]
name = "größe 88"
box = [70, 12, 30, 8]
digits = [1, 3]
printed = "none"
[[field]]
name = "code"
box = [20, 32, 50, 8]
digits = 5
style = "comb"
gap = 2
[[field]]
name = "within"
box = [40, 60, 30, 8]
digits = [1, 4]
printed = "box"
"""
"""A form with all that can be printed around a field, names with digits among them."""


@pytest.fixture
def small() -> Form:
    return parse_form(SMALL, "small.toml", Path())


def _blank(form: Form, dpi: int = 200) -> NDArray[np.uint8]:
    return draw_blank(form, paper_for(form, 100 if form.unit == "fraction" else None), dpi)


def _is_blank(reading: FormReading) -> bool:
    return all(
        field.raw == "" and field.value is None and field.reason in (None, "blank")
        for field in reading.fields
    )


def _names(form: Form) -> NDArray[np.uint8]:
    """Return the pixels of the names on a form's blank page, 0 or 1."""
    nameless = replace(form, fields=tuple(replace(field, name="") for field in form.fields))
    return (_blank(form) != _blank(nameless)).astype(np.uint8)


# --- the page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("dpi", [72, 300])
def test_a_blank_page_is_found_and_blank(name: str, dpi: int, reader: Reader) -> None:
    form = load_form(name)
    page = _blank(form, dpi)
    if form.finder.name == "sheet":  # whose edges are seen on a desk alone
        page = np.pad(page, dpi // 2, constant_values=60)
    reading = FormReader(form, reader).read(page)
    assert _is_blank(reading)
    assert reading.lines_found == 1.0


@pytest.mark.parametrize("name", PAGES)
def test_a_photographed_blank_page_is_found_and_blank(name: str, reader: Reader) -> None:
    form = load_form(name)
    size = (1080, 1440) if name == "exam-marks" else (1120, 840)
    for seed in range(2):
        image, _ = photograph(_blank(form), seed, desk=60, size=size)
        reading = FormReader(form, reader).read(image)
        assert _is_blank(reading)
        assert reading.lines_found is not None
        assert reading.lines_found > 0.9


def test_what_is_written_on_a_printed_page_is_read(pens: Pens, reader: Reader) -> None:
    form = load_form("meter-card")
    due = {"customer": "86523008", "reading": "186.9", "day": "16", "month": "8", "year": "2026"}
    right = wrong = 0
    for seed in range(4):
        image, _ = photograph(fill_in(_blank(form), form, METER, pens, seed), seed)
        values = FormReader(form, reader).read(image).values()
        right += sum(values[name] == due[name] for name in due)
        wrong += sum(values[name] not in (None, due[name]) for name in due)
    assert right >= 17
    assert wrong <= 1


def test_names_are_no_writing(small: Form, pens: Pens, reader: Reader) -> None:
    page = _blank(small)
    blank = FormReader(small, reader).read(page)
    assert _is_blank(blank)
    assert blank.lines_found == 1.0
    values = {"amount-17": "4160", "größe 88": "25", "code": "70962", "within": "803"}
    right = 0
    for seed in range(4):
        image, _ = photograph(fill_in(page, small, values, pens, seed), seed)
        found = FormReader(small, reader).read(image)
        assert all(field.reason != "outside" for field in found.fields)
        right += sum(found.values()[name] == value for name, value in values.items())
    assert right >= 14


def test_names_stand_clear_of_all_that_is_printed(small: Form) -> None:
    names = _names(small)
    mm = 200 / 25.4
    words = cv2.dilate(names, np.ones((5, round(2.5 * mm)), np.uint8))
    assert cv2.connectedComponents(words)[0] - 1 == len(small.fields)
    printed = (_blank(small) < 255).astype(np.uint8) - names
    for x, y, w, h in (field.box for field in small.fields):
        printed[round(y * 90 * mm) : round((y + h) * 90 * mm), round(x * 120 * mm) :][
            :, : round(w * 120 * mm)
        ] = 1
    clear = cv2.distanceTransform(1 - printed, cv2.DIST_L2, 5)
    assert clear[names > 0].min() > 0.9 * mm


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ("[40, 60, 30, 8]", "[10.5, 55.5, 99, 19]", 3),  # in a box that leaves no room in it
        ('"within"', f'"{"w" * 60}"', 3),  # longer than there is room
        (", 8]", ", 4]", 0),  # digits are too low for a name lower than they are
    ],
)
def test_a_name_without_room_is_left_out(old: str, new: str, count: int) -> None:
    names = _names(parse_form(SMALL.replace(old, new), "small.toml", Path()))
    words = cv2.dilate(names, np.ones((5, round(2.5 * 200 / 25.4)), np.uint8))
    assert cv2.connectedComponents(words)[0] - 1 == count


def test_a_page_with_corner_marks(reader: Reader) -> None:
    image, _ = photograph(_blank(MARKED), 1)
    assert _is_blank(FormReader(MARKED, reader).read(image))


def test_a_page_found_by_a_reference_is_the_reference(tmp_path: Path, reader: Reader) -> None:
    form, _ = referenced(tmp_path)
    picture = cv2.imread(str(tmp_path / "blank.png"), cv2.IMREAD_GRAYSCALE)
    page = draw_blank(form, paper_for(form), 200, picture)
    assert page.shape == (round(105 / 25.4 * 200), round(148 / 25.4 * 200))
    again = cv2.resize(page, picture.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(again.astype(float) - picture).mean() < 3
    image, _ = photograph(page, 1)
    assert FormReader(form, reader).read(image).found_by == "reference"
    with pytest.raises(FormError, match=r"reference blank\.png can't be read"):
        draw_blank(form, paper_for(form), 200)


def test_lines_are_where_the_form_has_them() -> None:
    """To the pixel, and as wide as one another; a sheet's page has no paper around it."""
    form = load_form("cheque")
    page = _blank(form, 254)  # ten pixels a millimetre
    assert page.shape == (800, 1780)
    dark = page == 0
    for x, y, length in ((24, 28, 96), (8, 42, 112), (112, 66, 56)):
        column = dark[:, 10 * x + 5 * length]
        assert np.flatnonzero(column[10 * y - 50 : 10 * y + 50]).tolist() == [48, 49, 50]
        assert not dark[10 * y, 10 * x - 5]
        assert dark[10 * y, 10 * x + 5]
        assert not dark[10 * y, 10 * (x + length) + 5]


def test_there_is_paper_around_a_frame_at_the_edge() -> None:
    form = load_form("sudoku")
    paper = paper_for(form, 90)
    assert (paper.width, paper.height, paper.size) == (90, 90, (100, 100))
    assert paper_for(load_form("meter-card")).size == (148, 105)
    marks = replace(MARKED.finder, centres=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    assert paper_for(replace(MARKED, finder=marks)).margin == pytest.approx(5 + 0.015 * 148)


# --- the command --------------------------------------------------------------------------------------


def test_png_and_pdf_have_the_true_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reader: Reader
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["form", "print", "meter-card"]) == 0
    assert capsys.readouterr().out.startswith("meter-card.pdf: 148 × 105 mm")
    assert main(["form", "print", "meter-card", "--out", "a.PNG", "--dpi", "150"]) == 0
    with Image.open("a.PNG") as image:
        assert image.size == (874, 620)
        sizes = [25.4 * side / dpi for side, dpi in zip(image.size, image.info["dpi"], strict=True)]
    assert sizes == pytest.approx([148, 105], abs=0.02)
    pdfium = pytest.importorskip("pypdfium2", reason="the extra 'pdf' is not installed")
    with pdfium.PdfDocument("meter-card.pdf") as document:
        assert len(document) == 1
        sizes = [25.4 * side / 72 for side in document[0].get_size()]
    assert sizes == pytest.approx([148, 105], abs=0.02)  # with Pillow before 9.5; else to the hair
    (page,) = read_pictures("meter-card.pdf")
    assert isinstance(page, Frame)
    assert _is_blank(FormReader(load_form("meter-card"), reader).read(page.image))


def test_a_page_has_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        assert main(["form", "print", "exam-marks", "--dpi", "72", "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_a_form_in_fractions_has_the_width_that_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    assert main(["form", "print", "sudoku", "--width", "90", "--dpi", "254", "--out", str(out)]) == 0
    page = cv2.imread(str(out), cv2.IMREAD_GRAYSCALE)
    dark = np.flatnonzero(page[page.shape[0] // 20 * 10 + 20] < 128)
    assert dark[-1] - dark[0] == pytest.approx(900 + 6, abs=1.5)  # and half the frame's line on either side


def test_what_is_said_of_a_file_is_one_line_whatever_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a\n\x1b[2J.png"
    assert main(["form", "print", "meter-card", "--dpi", "72", "--out", str(out)]) == 0
    assert out.is_file()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none-such"], "none-such: no such form file"),
        (["meter-card", "--out", "there.png"], "there.png: it is already there; choose another name"),
        (["meter-card", "--out", "link.png"], "link.png: it is already there"),
        (["meter-card", "--out", "missing/a.pdf"], "choose a folder that exists and is writable"),
        (["meter-card", "--out", "a.jpg"], "a.jpg: a blank page's name ends in .pdf or .png"),
        (["meter-card", "--out", "a"], "a: a blank page's name ends in .pdf or .png"),
        (["sudoku"], "sudoku: its file says nothing of millimetres; give the page's width with --width MM"),
        (["meter-card", "--width", "90"], "meter-card: its page is 148 mm wide; leave --width out"),
        (["cheque-amount", "--width", "90"], "cheque-amount: the picture is the page, of any size"),
        (["sudoku", "--width", "2000", "--dpi", "1200"], "choose a lower --dpi"),
        (["point.toml"], "point.toml: the page is 1 × 1 mm; print one of 5 mm or more a side"),
        (["bad.toml"], "bad.toml: the reference blank.png can't be read; save it as PNG or JPEG"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.png").write_text("another picture")
    Path("link.png").symlink_to("nowhere")
    Path("blank.png").write_text("no picture")
    field = '[[field]]\nname = "a"\nbox = [0.1, 0.1, 0.5, 0.5]\ndigits = 1\n'
    Path("point.toml").write_text(f'[page]\nsize = [1, 1]\nfind = "sheet"\n{field}')
    Path("bad.toml").write_text(
        f'[page]\nsize = [99, 99]\nfind = "reference"\npicture = "blank.png"\n{field}'
    )
    before = sorted(Path().iterdir())
    assert main(["form", "print", *arguments]) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert sorted(Path().iterdir()) == before
    assert Path("there.png").read_text() == "another picture"


def test_without_aruco_in_opencv_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(cv2, "aruco", raising=False)
    assert main(["form", "print", "exam-marks", "--out", str(tmp_path / "a.pdf")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("edgedigits: exam-marks: this OpenCV knows no ArUco marks; install ")
    assert said.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_can_t_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert main(["form", "print", "meter-card", "--out", str(tmp_path / "locked" / "a.pdf")]) == 1
    assert "choose a folder that exists and is writable" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sudoku", "--dpi", "71"],
        ["sudoku", "--dpi", "1201"],
        ["sudoku", "--dpi", "1e3"],
        ["sudoku", "--dpi", "9" * 5000],
        ["sudoku", "--width", "4"],
        ["sudoku", "--width", "2001"],
        ["sudoku", "--width", "nan"],
    ],
)
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["form", "print", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err
