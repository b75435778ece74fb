"""Sheets in a pile are told apart by the lines they end in."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from edgedigits.geometry import area_of, clockwise, inside_by, shared_area
from edgedigits.sheet.piles import Piled, sheets_in_pile
from edgedigits.sheet.sides import paper_and_desk, without_writing
from edgedigits.sheet.straight import find_lines, is_crossed

Quad = np.ndarray


def turned(x: float, y: float, width: float, height: float, degrees: float = 0) -> Quad:
    """Corners of a sheet whose middle is at x, y."""
    return clockwise(cv2.boxPoints(((x, y), (width, height), degrees)).astype(np.float64))


def scene(*sheets: tuple[Quad, float]) -> np.ndarray:
    """Sheets of some brightness on a desk, the last on top: 300×400."""
    grey = np.full((300, 400), 70.0, np.float32)
    for corners, light in sheets:
        fine = cv2.fillConvexPoly(
            np.zeros((1200, 1600), np.uint8), np.rint(corners * 4).astype(np.int32), 255
        )
        cover = cv2.resize(fine, (400, 300), interpolation=cv2.INTER_AREA) / 255
        grey = grey * (1 - cover) + light * cover
    noise = np.random.default_rng(0).normal(0, 1, grey.shape)
    return np.asarray(cv2.GaussianBlur(grey + noise, (0, 0), 0.6).clip(0, 255), np.uint8)


def found_in(grey: np.ndarray) -> list[Piled]:
    paper = without_writing(grey)
    return sheets_in_pile(
        grey,
        float(np.median(grey[grey > 140])),
        3000,
        lambda points, corners: paper_and_desk(grey, paper, corners, points, 210, 1.3),
    )


def near(one: Quad, other: Quad) -> bool:
    return bool(np.abs(one - other).max() < 3)


def test_sheets_edge_to_edge_are_found_each() -> None:
    left, right = turned(130, 140, 140, 160), turned(260, 160, 120, 160)
    found = found_in(scene((left, 215), (right, 205)))
    assert len(found) == 2
    assert all(any(near(each.quad, own) for each in found) for own in (left, right))


@pytest.mark.parametrize("light", [(215, 200), (200, 215)])
def test_of_two_that_overlap_one_lies_on_the_other(light: tuple[float, float]) -> None:
    below, above = turned(160, 140, 190, 190, 3), turned(265, 165, 130, 130, 14)
    found = found_in(scene((below, light[0]), (above, light[1])))
    (upper,) = [each for each in found if near(each.quad, above)]
    (lower,) = [each for each in found if near(each.quad, below)]
    assert not upper.under
    assert any(near(each, above) for each in lower.under)


def test_where_no_desk_is_seen_beside_a_side_the_sheet_may_go_on() -> None:
    """The left one's right side is all there is to be seen of what ends there."""
    left, right = turned(130, 150, 140, 100), turned(270, 150, 140, 200)
    found = found_in(scene((left, 215), (right, 205)))
    (shorter,) = [each for each in found if near(each.quad, left)]
    (longer,) = [each for each in found if near(each.quad, right)]
    assert any(inside_by(np.array([210.0, 150.0]), each) > 0 for each in shorter.under)
    assert not any(inside_by(np.array([190.0, 220.0]), each) > 0 for each in longer.under)


def test_where_there_are_no_lines_there_is_no_sheet() -> None:
    assert found_in(np.full((300, 400), 200, np.uint8)) == []
    assert found_in(np.random.default_rng(0).integers(150, 256, (300, 400)).astype(np.uint8)) == []


def test_many_lines_are_looked_at_in_bounded_time() -> None:
    grey = scene((turned(200, 150, 320, 220), 210))
    for k in range(50, 350, 12):
        grey[45:255, k : k + 2] = 150
    for k in range(50, 250, 12):
        grey[k : k + 2, 45:355] = 150
    assert len(find_lines(grey, 210).at) <= 20
    assert len(found_in(grey)) <= 2


def test_thousands_of_short_strokes_are_looked_at_in_bounded_time() -> None:
    """None goes on from another, and each may be a line of its own."""

    def seconds(side: int) -> float:
        rng = np.random.default_rng(0)
        grey = np.full((side, side), 210, np.uint8)
        for x, y in np.mgrid[20 : side - 20 : 20, 20 : side - 20 : 20].reshape(2, -1).T:
            turn = rng.uniform(0, np.pi)
            ends = [(round(x + way * 9 * np.cos(turn)), round(y + way * 9 * np.sin(turn))) for way in (-1, 1)]
            cv2.line(grey, *ends, 170, 2, cv2.LINE_AA)
        started = time.process_time()
        assert len(find_lines(grey, 210.0).at) == 20
        return time.process_time() - started

    assert min(seconds(800) for _ in range(2)) < 10 * max(seconds(400) for _ in range(2))


@pytest.mark.parametrize(("lines", "crossed"), [((), False), ((200,), True), ((130, 200, 270), False)])
def test_one_line_across_a_sheet_may_be_where_two_touch(lines: tuple[int, ...], crossed: bool) -> None:
    own = turned(200, 150, 300, 200, 0)
    grey = scene((own, 210))
    for x in lines:
        grey[50:250, x : x + 2] = 190
    assert is_crossed(grey, own) is crossed


def test_areas_in_common() -> None:
    one = turned(100, 100, 100, 100)
    assert shared_area(one, one) == pytest.approx(area_of(one)) == pytest.approx(10_000)
    assert shared_area(one, one + np.array([50, 0])) == pytest.approx(5000)
    assert shared_area(one, turned(100, 100, 40, 100)) == pytest.approx(4000)  # two sides in common
    assert shared_area(one, one + np.array([100, 0])) == pytest.approx(0)
    assert shared_area(one, one + np.array([300, 0])) == 0
    assert shared_area(turned(100, 100, 40, 40, 30), one) == pytest.approx(1600)
