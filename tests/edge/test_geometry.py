"""Quadrilaterals: their corners in order, which can be pages, what lies in them and at a picture's border."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits.geometry import (
    UNIT_SQUARE,
    at_the_border,
    clockwise,
    homography,
    inside_by,
    plausible,
    project,
    quarter_turns,
    to_quarter_turns,
    within,
)

Quad = NDArray[np.float64]
SQUARE: Quad = np.array([[10, 10], [110, 10], [110, 110], [10, 110]], np.float64)


def page(width: float, height: float, degrees: float) -> Quad:
    """Corners from the upper left one of a page turned clockwise by so much."""
    across, down = np.array([[0.5, 0], [0, 0.5]]) * (width, height)
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.array([-across - down, across - down, across + down, down - across]) @ turn + 300


@pytest.mark.parametrize("turn", [-40, -10, 0, 10, 40])
def test_corners_come_clockwise_from_the_top_left(turn: int) -> None:
    corners = page(400, 50, turn)
    for order in itertools.permutations(range(4)):
        assert np.allclose(clockwise(corners[list(order)]), corners), order


@pytest.mark.parametrize(
    ("quad", "possible"),
    [
        (SQUARE, True),
        (SQUARE / 12, True),
        (SQUARE / 13, False),  # its sides are shorter than 8 pixels
        (SQUARE[[0, 3, 2, 1]], False),  # mirrored
        (SQUARE[[0, 2, 1, 3]], False),  # its sides cross
        ([[0, 0], [100, 0], [140, 20], [40, 20]], False),  # seen at a grazing angle
        ([[0, 0], [100, 0], [40, 40], [60, 20]], False),  # a corner points inwards
        ([[0, 0], [100, 0], [70, 60], [30, 60]], False),  # its far side is too short
        ([[30, 0], [70, 0], [100, 60], [0, 60]], False),  # or its near one
        ([[0, 0], [100, 0], [75, 60], [25, 60]], True),
        ([[0, 0], [100, 0], [np.nan, 60], [25, 60]], False),
        ([[0, 0], [100, 0], [np.inf, 60], [25, 60]], False),
        ([[0, 0]] * 4, False),
    ],
)
def test_which_quadrilaterals_can_be_pages(quad: list[list[float]], possible: bool) -> None:
    assert plausible(np.array(quad, np.float64)) == possible


def test_what_lies_in_a_quadrilateral() -> None:
    points = np.array([[60, 60], [20, 70], [70, 105], [10, 50], [0, 60], [60, 130]], np.float64)
    assert np.allclose(inside_by(points, SQUARE), [50, 10, 5, 0, -10, -20])
    assert [within(point, SQUARE) for point in points] == [True, True, True, True, False, False]


@pytest.mark.parametrize(
    ("box", "touches"),
    [
        ((10, 10, 90, 50), False),
        ((1, 10, 90, 50), True),
        ((10, 1, 90, 50), True),
        ((10, 10, 99, 50), True),
        ((10, 10, 90, 59), True),
        ((-5, 10, 90, 50), True),
    ],
)
def test_a_page_that_touches_the_border_may_go_on(box: tuple[int, int, int, int], touches: bool) -> None:
    x, y, right, below = box
    quad = np.array([[x, y], [right, y], [right, below], [x, below]], np.float64)
    assert at_the_border(quad, 100, 60) is touches


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("askew", [-40, 0, 40])
def test_turns_are_told_to_a_quarter(turn: int, askew: int) -> None:
    angle = np.radians(turn + askew)
    assert to_quarter_turns(np.array([np.cos(angle), np.sin(angle)])) == turn
    assert quarter_turns(homography(UNIT_SQUARE, page(100, 70, turn + askew))) == turn


def test_a_point_taken_to_infinity_is_no_number() -> None:
    level = np.array([[1, 0, 0], [0, 1, 0], [0, 1, -5]], np.float64)
    found = project(level, np.array([[1, 5], [1, 10]], np.float64))
    assert np.isnan(found[0]).all()
    assert np.allclose(found[1], [0.2, 2])
