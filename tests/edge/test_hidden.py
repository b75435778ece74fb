"""Other paper in a picture is painted over, and numbers that may go on beneath are not accepted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgedigits.decode import RejectRule
from edgedigits.decode.hidden import legible, painted_over, refuse_cut
from edgedigits.ink import Ink
from edgedigits.page import Digit, Line

RULE = RejectRule(0.5, 0.5)


def quad(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float64)


def line(text: str, x: int = 100, pitch: int = 40) -> Line:
    """A line of digits 30 px wide and 50 high."""
    digits = tuple(Digit(label, 0.99, (x + pitch * k, 100, 30, 50)) for k, label in enumerate(text))
    box = (x, 100, pitch * (len(text) - 1) + 30, 50)
    return Line(text, text, 0.99, True, box, digits)


@pytest.mark.parametrize("shape", [(300, 400), (300, 400, 3)])
def test_the_paper_around_is_painted_over_what_is_hidden(shape: tuple[int, ...]) -> None:
    light = np.linspace(100, 140, 400)[None, :]
    image = np.broadcast_to(light if len(shape) == 2 else light[..., None], shape).astype(np.uint8)
    covered = image.copy()
    covered[80:200, 100:250] = 230
    painted = painted_over(covered, [quad(100, 80, 150, 120)])
    assert painted.shape == image.shape
    assert np.abs(painted.astype(int) - image).max() < 8
    assert (painted[:60] == covered[:60]).all()


def test_a_picture_that_is_hidden_whole_or_not_at_all_is_left_as_it_is() -> None:
    image = np.arange(60, dtype=np.uint8).repeat(80).reshape(60, 80)
    assert painted_over(image, [quad(-50, -50, 500, 500)]) is image
    assert painted_over(image, [quad(200, 200, 50, 50)]) is image
    assert painted_over(image, [quad(-1e9, -1e9, 10, 10)]) is image


def ink(*boxes: tuple[int, int, int, int]) -> Ink:
    """Ink in boxes of a picture, 300×400."""
    contrast = np.zeros((300, 400), np.uint8)
    for x, y, w, h in boxes:
        contrast[y : y + h, x : x + w] = 200
    mask = (contrast > 0).view(np.uint8)
    return Ink(contrast, mask, np.zeros_like(mask), 100, 60, "dark", 1.0)


@pytest.mark.parametrize(
    ("at", "cut"),
    [
        ((230, 0, 300, 400), True),  # close behind its end
        ((-200, 0, 280, 400), True),  # … before it
        ((245, 0, 300, 400), False),
        ((0, 152, 400, 100), True),  # close below
        ((0, 170, 400, 100), False),
    ],
)
def test_a_number_may_go_on_where_other_paper_lies(at: tuple[float, ...], cut: bool) -> None:
    (read,) = refuse_cut([line("247")], [quad(*at)], RULE, ink())
    assert read.accepted is not cut
    assert (read.confidence < 0.01) is cut
    assert read.text == "247"
    assert read.reasons == (("hidden",) if cut else ())


def test_what_is_seen_of_the_next_digit_tells_that_a_number_goes_on() -> None:
    beyond = [quad(250, 0, 300, 400)]
    assert refuse_cut([line("247")], beyond, RULE, ink())[0].accepted
    assert not refuse_cut([line("247")], beyond, RULE, ink((240, 110, 8, 30)))[0].accepted
    assert refuse_cut([line("247")], [quad(350, 0, 300, 400)], RULE, ink((240, 110, 8, 30)))[0].accepted


def test_boxes_may_be_in_more_pixels_than_the_ink() -> None:
    twice = [quad(500, 0, 600, 800)]
    own = line("247")
    digits = tuple(dataclasses.replace(d, box=tuple(2 * v for v in d.box)) for d in own.digits)
    large = dataclasses.replace(own, box=tuple(2 * v for v in own.box), digits=digits)
    assert refuse_cut([large], twice, RULE, ink(), (2.0, 2.0))[0].accepted
    assert not refuse_cut([large], twice, RULE, ink((240, 110, 8, 30)), (2.0, 2.0))[0].accepted


def test_digits_that_stand_far_apart_may_go_on_farther_away() -> None:
    assert refuse_cut([line("247")], [quad(250, 0, 300, 400)], RULE, ink())[0].accepted
    assert not refuse_cut([line("24", pitch=90)], [quad(260, 0, 300, 400)], RULE, ink())[0].accepted


def test_on_a_bare_desk_coins_and_pens_are_no_numbers() -> None:
    unread = dataclasses.replace(line("10"), doubtful=(0,))
    lines = [line("0"), line("11"), line("10"), line("7"), unread]
    assert legible(lines) == (lines[2],)
