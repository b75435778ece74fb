"""Where a form's page is: photographed forms against the corners they were photographed with."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.edge.drawing import paper, write
from tests.edge.form_pages import MARKED, Picture, photograph, photograph_apart, print_form, referenced

from edgedigits.errors import RegistrationError, SeveralPagesError
from edgedigits.forms.form_file import load_form, parse_form
from edgedigits.forms.layout import Form
from edgedigits.forms.printed_lines import printed_segments
from edgedigits.forms.register import register


def _photographed(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return where fractions of a flat page with these corners are in its picture."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(square, corners.astype(np.float32))
    return cv2.perspectiveTransform(points[None].astype(np.float32), matrix)[0]


def _error(image: Picture, form: Form) -> str:
    with pytest.raises(RegistrationError) as caught:
        register(image, form)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture(params=["meter-card", "exam-marks", "cheque", "marked", "referenced"])
def printed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Form, Picture]:
    """A form of each way of being found, and its blank page."""
    if request.param == "referenced":
        return referenced(tmp_path)
    form = MARKED if request.param == "marked" else load_form(request.param)
    return form, print_form(form)


@pytest.mark.parametrize("seed", [1])
def test_page_is_found_within_a_few_pixels(printed: tuple[Form, Picture], seed: int) -> None:
    form, page = printed
    image, corners = photograph(page, seed, desk=60)
    found = register(image, form)
    assert np.linalg.norm(found.corners - corners, axis=1).max() < 12
    # In the fields, where the printed lines are, it counts: there the sheet's bow is followed as well.
    boxes = np.array([field.box for field in form.fields])
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.linalg.norm(found.to_picture(centres) - _photographed(centres, corners), axis=1).max() < 12
    assert found.turned == 0
    assert found.lines_found is not None
    assert found.lines_found > 0.9


NEAR = """[page]
size = [160, 120]
find = "frame"
frame = [5, 5, 150, 110]
[[field]]
name = "a"
box = [20, 16, 126, 9]
digits = 14
style = "comb"
[[field]]
name = "b"
box = [20, 34, 120, 9]
digits = 12
style = "comb"
[[field]]
name = "c"
box = [20, 52, 50, 11]
digits = 5
printed = "box"
[[field]]
name = "d"
box = [86, 73, 44, 11]
digits = 4
printed = "box"
"""


@pytest.mark.parametrize("seed", [0, 1])
def test_a_frame_printed_near_to_the_sheet_s_edges_is_told_from_them(seed: int) -> None:
    form = parse_form(NEAR, "near.toml", Path())
    image, corners = photograph(print_form(form), seed, size=(1600, 1200), share=0.8)
    found = register(image, form)
    boxes = np.array([field.box for field in form.fields])
    for points in (boxes[:, :2], boxes[:, :2] + boxes[:, 2:]):
        away = np.linalg.norm(found.to_picture(points) - _photographed(points, corners), axis=1)
        assert away.max() < 6


@pytest.mark.parametrize("turn", [90, 180])
def test_page_that_lies_turned_is_found_as_it_lies(printed: tuple[Form, Picture], turn: int) -> None:
    form, page = printed
    image, corners = photograph(page, 3, desk=60, turn=turn, size=(1440, 1200))
    found = register(image, form)
    assert found.turned == turn
    assert np.linalg.norm(found.corners - corners, axis=1).max() < 8


def test_two_pages_are_an_error(printed: tuple[Form, Picture]) -> None:
    form, page = printed
    one, _ = photograph(page, 4, desk=60, size=(960, 960))
    other, _ = photograph(page, 5, desk=60, size=(960, 960))
    message = _error(np.hstack([one, other]), form)
    assert "2 pages" in message or "two pages" in message


@pytest.mark.parametrize("desk", [60, 130])
@pytest.mark.parametrize("small", [1.0, 0.75])
def test_two_pages_are_an_error_if_one_lies_in_a_shadow(
    printed: tuple[Form, Picture], desk: int, small: float
) -> None:
    """Each of them is found where it lies alone."""
    form, page = printed
    share = min(0.4, 0.6 / (page.shape[0] / page.shape[1]))
    places = [(0.27, 0.4, share, 4.0), (0.74, 0.6, small * share, -5.0)]
    for place in places:
        assert register(photograph_apart([page], [place], desk, 1), form).turned == 0
    with pytest.raises(SeveralPagesError, match="photograph one at a time"):
        register(photograph_apart([page, page], places, desk, 1), form)


def test_a_page_of_dots_is_none_with_marks_at_its_corners() -> None:
    page = np.full((1400, 1000), 235, np.uint8)
    for number in range(48):
        cv2.circle(page, (80 + number % 6 * 160, 80 + number // 6 * 170), 9, 30, -1, cv2.LINE_AA)
    _error(page, MARKED)


@pytest.mark.parametrize("turn", [0, 90])
@pytest.mark.parametrize("size", [(60, 150), (150, 60)])
def test_marks_on_a_page_far_longer_than_wide(size: tuple[int, int], turn: int) -> None:
    wide, high = size
    marks = [[5, 5], [wide - 5, 5], [wide - 5, high - 5], [5, high - 5]]
    text = f'[page]\nsize = [{wide}, {high}]\nfind = "corners"\nmarks = {marks}\nmark_size = 4\n'
    text += '[[field]]\nname = "a"\nbox = [10, 15, 40, 10]\ndigits = 4\nstyle = "comb"\n'
    form = parse_form(text, "long.toml", Path())
    image, corners = photograph(print_form(form), 2, turn=turn)
    assert np.linalg.norm(register(image, form).corners - corners, axis=1).max() < 12


def test_marks_are_told_from_the_dots_and_letters_of_a_page() -> None:
    page = print_form(MARKED)
    for number in range(36):  # they go together in every way
        at = (210 + 110 * (number % 6), 150 + 92 * (number // 6))
        cv2.circle(page, at, 7, 50, -1, cv2.LINE_AA)
    image, corners = photograph(page, 1, desk=60)
    assert np.linalg.norm(register(image, MARKED).corners - corners, axis=1).max() < 12


CLOSE = """[page]
size = [100, 120]
find = "corners"
marks = [[8, 8], [92, 8], [92, 112], [8, 112]]
mark_size = 5
"""


def test_lines_of_boxes_close_together_are_no_texture() -> None:
    text = CLOSE
    for k in range(10):
        text += f'[[field]]\nname = "q{k}"\nbox = [58, {16 + 8.6 * k}, 24.2, 7]\n'
        text += 'digits = 3\nstyle = "comb"\ngap = 1.6\n'
    form = parse_form(text, "close.toml", Path())
    image, corners = photograph(print_form(form), 1, size=(840, 1120), desk=60)
    found = register(image, form)
    assert np.linalg.norm(found.corners - corners, axis=1).max() < 12
    assert found.lines_found is not None
    assert found.lines_found > 0.9


def test_one_of_two_lines_that_is_taken_for_another_does_not_hide_the_page() -> None:
    text = '[page]\nsize = [148, 210]\nfind = "sheet"\n[[printed]]\nline = [12, 30, 124]\n'
    text += '[[field]]\nname = "a"\nbox = [60, 160, 20, 12]\ndigits = 2\nprinted = "box"\n'
    form = parse_form(text, "few.toml", Path())
    page = print_form(form)
    # A 1 beside the box's left side is darker than that.
    cv2.line(page, (8 * 62 + 6, 8 * 161), (8 * 62 + 6, 8 * 171), 20, 9, cv2.LINE_AA)
    image, corners = photograph(page, 1, size=(840, 1120), desk=60)
    assert np.linalg.norm(register(image, form).corners - corners, axis=1).max() < 12


def test_what_is_printed_is_listed_in_a_time_that_grows_with_it() -> None:
    def seconds(fields: int) -> float:
        text = '[page]\nfind = "none"\nunit = "fraction"\n'
        for k in range(fields):
            box = f"[{k % 10 / 10}, {k // 10 / 40}, 0.09, 0.02]"
            text += f'[[field]]\nname = "f{k}"\nbox = {box}\ndigits = 8\nstyle = "comb"\n'
        form = parse_form(text, "many", Path())
        started = time.process_time()
        assert len(printed_segments(form)) > 30 * fields
        return time.process_time() - started

    # Sixteen times, if each were compared with each.
    assert min(seconds(400) for _ in range(3)) < 11 * max(seconds(100) for _ in range(3))


def test_page_cut_off_is_an_error(printed: tuple[Form, Picture]) -> None:
    form, page = printed
    image, corners = photograph(page, 6, desk=60)
    cut = round(corners[:, 0].min() + 0.55 * np.ptp(corners[:, 0]))
    assert form.name in _error(image[:, :cut], form) or "cut off" in _error(image[:, :cut], form)


@pytest.mark.parametrize("other", ["meter-card", "sudoku"])
def test_another_form_is_an_error(printed: tuple[Form, Picture], other: str) -> None:
    form, _ = printed
    if other == form.name or (other == "meter-card" and form.name in ("marked", "referenced")):
        return
    image, _ = photograph(print_form(load_form(other)), 7, desk=60)
    _error(image, form)


def test_no_form_at_all_is_an_error(printed: tuple[Form, Picture]) -> None:
    form, _ = printed
    noise = np.random.default_rng(8).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    text = paper(900, 1200)
    for row in range(10):
        write(text, "3141592653589", (60, 80 + 80 * row))
    for image in (paper(), noise, text, np.zeros((40, 30), np.uint8), np.full((1, 1), 255, np.uint8)):
        _error(image, form)


def test_sudoku_grid_is_found_on_a_sheet_that_bows() -> None:
    form = load_form("sudoku")
    page = np.pad(print_form(form), 120, constant_values=235)
    image, corners = photograph(page, 9, bow=0.02, size=(1080, 1440))
    found = register(image, form)
    part = 120 / page.shape[0]  # the sheet is wider than its grid by so much
    inner = _photographed(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (1 - 2 * part) + part, corners)
    bow = 0.02 * np.sin(np.pi * part) * np.ptp(corners[:, 1])
    assert np.linalg.norm(found.corners - inner, axis=1).max() < 6 + bow
    assert found.lines_found == pytest.approx(1, abs=0.05)
    assert not found.certain  # an empty grid looks the same turned


def test_page_too_far_away_is_an_error() -> None:
    form = load_form("meter-card")
    image, _ = photograph(print_form(form), 1, share=0.2, size=(640, 480))
    assert "nearer" in _error(image, form)


def test_missing_and_foreign_aruco_marks() -> None:
    form = load_form("exam-marks")
    page = print_form(form)
    covered = page.copy()
    covered[: page.shape[0] // 4] = 235
    image, corners = photograph(covered, 2, size=(1080, 1440))
    found = register(image, form)  # two marks are left, and the printed lines prove them right
    assert np.linalg.norm(found.corners - corners, axis=1).max() < 15
    covered[:, : page.shape[1] // 2] = 235
    image, _ = photograph(covered, 2, size=(1080, 1440))
    assert "1 of 4" in _error(image, form)


def test_without_aruco_in_opencv_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "aruco", raising=False)
    assert "4.7 or later" in _error(paper(), load_form("exam-marks"))


def test_found_the_same_way_twice(printed: tuple[Form, Picture]) -> None:
    form, page = printed
    image, _ = photograph(page, 1, desk=60)
    assert np.array_equal(register(image, form).corners, register(image, form).corners)
