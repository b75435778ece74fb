"""Ruled and squared paper: the lines go however the sheet lies, and the writing stays."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits import Reader
from edgedigits.frames.demo import digits
from edgedigits.glyphs.text_lines import find_lines_in
from edgedigits.ink import InkSettings, dark_on_light, find_ink
from edgedigits.ink.rules import lift_rules, may_be_ruled
from edgedigits.ink.shadows import ShadowSettings

NUMBERS = ("3817", "50264", "719", "4482")


def sheet() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return a blank page and how much of the light `NUMBERS`, in digits of MNIST, take from it (0…1)."""
    ink = np.zeros((700, 600))
    for row, number in enumerate(NUMBERS):
        for place, label in enumerate(number):
            tile = cv2.resize(digits()[int(label), row + place], (56, 56), interpolation=cv2.INTER_CUBIC)
            y, x = 90 + 140 * row, 80 + 66 * place
            ink[y : y + 56, x : x + 56] = np.clip(tile / 255.0, 0, 1)
    return np.full((700, 600), 225, np.uint8), 0.8 * ink


def rulings(
    shape: tuple[int, int],
    squared: bool,
    turned: float = 0.0,
    fan: float = 0.0,
    bend: float = 0.0,
    apart: int = 34,
) -> NDArray[np.float64]:
    """Return lines as printed on paper (H×W, 0…1): turned (degrees), running together far off, bent."""
    height, width = shape
    fine = np.zeros((4 * height, 4 * width), np.uint8)
    slope = math.tan(math.radians(turned))
    steps = np.linspace(0, 1, 40)
    for at in range(-height, 2 * height, apart):
        y = at + slope * width * steps + bend * np.sin(3 * steps)
        lines = [np.stack([width * steps, y], axis=1)]
        if squared:
            x = at - slope * height * steps + fan * (at - width / 2) * steps
            lines.append(np.stack([x, height * steps], axis=1))
        for line in lines:
            cv2.polylines(fine, [np.rint(4 * line).astype(np.int32)], False, 255, 7)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)) / 255.0


def photographed(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a picture of paper (H×W, 0…1 of its light), with a camera's noise."""
    noise = np.random.default_rng(0).normal(0, 3, light.shape)
    return np.clip(225 * light + noise, 0, 255).astype(np.uint8)


def texts(reader: Reader, image: NDArray[np.uint8]) -> list[str]:
    return [line.text for line in reader.read(image).lines if line.accepted]


@pytest.mark.parametrize("printed", [0.2, 0.45, 0.65])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize(
    "lie",
    [{}, {"turned": 1.5}, {"turned": -4.0}, {"turned": 8.0}, {"fan": 0.15}, {"bend": 12.0}],
    ids=lambda lie: " ".join(f"{name} {value}" for name, value in lie.items()) or "level",
)
def test_what_stands_on_ruled_and_squared_paper_is_read(
    reader: Reader, lie: dict[str, float], squared: bool, printed: float
) -> None:
    """Pale lines, and some nearly as dark as the pen."""
    _, ink = sheet()
    light = (1 - ink) * (1 - printed * rulings(ink.shape, squared, **lie))
    assert texts(reader, photographed(light)) == list(NUMBERS)


def lifted(image: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the ink of a picture, and what is left of it when the rulings are gone."""
    ink = find_ink(image)
    return ink.mask.astype(bool), lift_rules(ink.mask, ink.contrast).astype(bool)


def test_ruled_lines_are_lifted_and_crossbars_stay() -> None:
    """A rule through the writing goes, the strokes it crosses stay, and so do the bars of 4 and 7."""
    image = write(paper(), "3817", (40, 120))
    stroke = image[..., 0] < 130
    cv2.line(image, (0, 110), (639, 114), (60, 60, 60), 2)
    before, after = lifted(image)
    assert after[:, 300:].sum() < 0.05 * before[:, 300:].sum()
    assert after[stroke].mean() > 0.9
    np.testing.assert_array_equal(*lifted(write(paper(), "4747", (40, 120))))


def test_a_line_alone_is_long() -> None:
    page = np.zeros((300, 401), np.uint8)
    page[100:102, 3:390] = 1
    page[200:202, 3:200] = 1  # shorter than nine tenths of the picture's height
    before = page.copy()
    after = lift_rules(page, 255 * page)
    assert not after[100:102].any()
    np.testing.assert_array_equal(after[200:202], page[200:202])
    np.testing.assert_array_equal(page, before)


def test_a_pen_s_stroke_along_a_ruling_stays_where_it_is_darker() -> None:
    light = 1 - 0.35 * rulings((500, 500), True, apart=40)
    picture = photographed(light)
    cv2.line(picture, (200, 150), (200, 230), 60, 3)  # a 1, upon an upright ruling
    before, after = lifted(picture)
    assert after[155:225, 199:202].mean() > 0.9
    after[140:240, 190:210] = False
    assert after[20:-20, 20:-20].sum() < 0.02 * before.sum()


def test_tall_thin_1s_are_no_rulings() -> None:
    """Upright strokes, few or many, well inside the picture or as high as it is."""
    for top, bottom in ((100, 180), (0, 300)):
        page = np.zeros((300, 400), np.uint8)
        for x in (60, 130, 200):
            page[top:bottom, x : x + 3] = 1
        np.testing.assert_array_equal(lift_rules(page, 255 * page), page)


def test_rows_of_digits_are_no_rulings() -> None:
    """Bars and bases on one level, from side to side, with paper between them."""
    image = paper(300, 900)
    for y in (70, 140, 210, 280):
        write(image, "7275727572757", (10, y), spacing=18)
    np.testing.assert_array_equal(*lifted(image))


def test_the_edges_of_a_sheet_on_a_desk_are_not_looked_at() -> None:
    """As in a camera's frames, where every millisecond counts: here none of them passes for a shadow's."""
    settings = InkSettings(shadows=ShadowSettings(most=0))
    image = np.full((480, 640), 90, np.uint8)
    cv2.fillConvexPoly(image, np.array([[40, 50], [590, 90], [570, 440], [20, 420]]), 225)
    ink = find_ink(image, settings)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask)
    assert stats[1:, cv2.CC_STAT_WIDTH].max() > 400
    assert not may_be_ruled(labels, stats, ink.edges)
    for y in range(120, 400, 40):
        cv2.line(image, (40, y), (560, y), 150, 2)
    ink = find_ink(image, settings)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask)
    assert may_be_ruled(labels, stats, ink.edges)


def test_the_ticks_of_a_comb_are_no_1s() -> None:
    """A line with ticks of one height stays on the mask, with them."""
    page = np.zeros((500, 640), np.uint8)
    for y in range(100, 460, 60):
        page[y : y + 2, 20:620] = 1
        for x in range(40, 620, 60):
            page[y - 14 : y, x : x + 2] = 1
    np.testing.assert_array_equal(lift_rules(page, 255 * page), page)


@pytest.mark.parametrize("turned", [1, 2])
def test_where_bold_lines_cross_thin_ones_beside_a_number_is_no_comma(reader: Reader, turned: float) -> None:
    """The bold ones go level under the numbers, the thin ones down between their digits."""
    blank, ink = sheet()
    lines = np.zeros_like(ink)
    for row in range(len(NUMBERS)):
        lines[145 + 140 * row :][:11] = 0.5
    for x in range(138, ink.shape[1], 66):
        np.maximum(lines[:, x : x + 3], 0.3, out=lines[:, x : x + 3])
    turn = cv2.getRotationMatrix2D((300, 350), turned, 1)
    light = cv2.warpAffine((1 - ink) * (1 - lines), turn, blank.shape[::-1], borderValue=(1,))
    page = photographed(cv2.GaussianBlur(light, (0, 0), 0.8))
    read = [line.raw for line in reader.read(page, upright=True).lines if line.accepted]
    assert read == list(NUMBERS)


@pytest.mark.parametrize("dark", [0, 1, 60])
def test_a_strip_is_read_without_the_rulings(dark: int) -> None:
    """The paper is as bright there as beside it, be the lines all black."""
    image = np.full((400, 600), 225, np.uint8)
    for y in range(40, 400, 40):
        cv2.line(image, (0, y), (599, y), dark, 2)
    ink, _ = find_lines_in(find_ink(image))
    assert ink.printed is not None
    assert dark_on_light(image, ink).min() > 200


def test_noise_has_no_rulings() -> None:
    """Faint noise, some of which passes for ink, in a light that falls off."""
    random = np.random.default_rng(0)
    for density in (0.1, 0.25, 0.4):
        page = (random.random((480, 640)) < density).astype(np.uint8)
        np.testing.assert_array_equal(lift_rules(page, 255 * page), page)


def test_only_what_is_as_long_as_a_rule_is_looked_at() -> None:
    """Pages without rules pay nothing; a line in a poor light, broken, is looked for all the same."""

    def looked_at(page: NDArray[np.uint8]) -> bool:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(page)
        return may_be_ruled(labels, stats, np.zeros((100, 150), np.uint8))

    page = np.zeros((400, 600), np.uint8)
    page[100:130, 50:53] = page[100:103, 50:80] = 1
    assert not looked_at(page)
    for upright in (False, True):
        ruled = page.copy()
        if upright:
            ruled[50:350, 300] = 1
        else:
            ruled[200, 20:580] = 1
        assert looked_at(ruled)
    ruled = page.copy()
    ruled[200, 20:580] = 1
    ruled[200, 50:580:60] = 0
    assert looked_at(ruled)
