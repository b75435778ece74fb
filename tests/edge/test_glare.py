"""Light that washes out what is written: where it is, and numbers beside it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write
from tests.edge.lying import glare

from edgedigits import Reader
from edgedigits.geometry import area_of, shared_area
from edgedigits.ink.glare import GlareSettings, find_glare

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def spot(level: int = 200, soft: float = 6.0, size: tuple[int, int] = (480, 640)) -> Picture:
    height, width = size
    return glare(paper(height, width, level), (0.5 * width, 0.4 * height), (80, 50), 30, soft)[0]


@pytest.mark.parametrize("level", [90, 150, 200, 230])
@pytest.mark.parametrize("soft", [3, 10, 25])
def test_a_lamp_that_is_mirrored_in_paper_is_found(level: int, soft: float) -> None:
    (outline,) = find_glare(spot(level, soft))
    ellipse = cv2.ellipse2Poly((320, 192), (80, 50), 30, 0, 360, 5).astype(np.float64)
    assert shared_area(ellipse, outline) > 0.85 * area_of(ellipse)
    # The brighter the paper, the farther its soft edge washes it out.
    washed_out = np.count_nonzero(spot(level, soft)[..., 0] > (level + 255) / 2)
    assert area_of(outline) < 1.2 * washed_out


def test_it_is_found_in_grey_and_in_colour_and_beside_another() -> None:
    two, _ = glare(spot(), (560, 400), (40, 40))
    assert len(find_glare(two)) == 2
    for grey, colour in zip(find_glare(cv2.cvtColor(two, cv2.COLOR_BGR2GRAY)), find_glare(two), strict=True):
        assert np.abs(grey.mean(axis=0) - colour.mean(axis=0)).max() < 3


@pytest.mark.parametrize("size", [(200, 300), (480, 640), (1500, 2000), (3000, 4000)])
def test_it_is_found_in_pixels_of_the_picture(size: tuple[int, int]) -> None:
    height, width = size
    seen, _ = glare(
        paper(height, width, 190), (0.3 * width, 0.7 * height), (0.1 * width,) * 2, 0, 0.02 * width
    )
    (outline,) = find_glare(seen)
    middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
    assert np.abs(middle - (0.3 * width, 0.7 * height)).max() < 0.0015 * width + 0.5


def white_box() -> Picture:
    """A box on a tinted page that is white to be written in, a little out of focus."""
    image = paper(480, 640, 200)
    image[100:160, 200:400] = 255
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)


def cut_out() -> Picture:
    """A round label with sharp edges."""
    image = paper(480, 640, 200)
    return np.asarray(cv2.circle(image, (300, 200), 60, (255, 255, 255), cv2.FILLED), np.uint8)


def overexposed() -> Picture:
    """A sheet with writing, on a desk, its middle as bright as can be."""
    image = paper(480, 640, 120)
    image[60:420, 80:560] = 245
    image, _ = glare(image, (320, 240), (200, 140), 0, 20, 60)
    return write(image, "1234", (230, 250))


def bold() -> Picture:
    """Bold digits on white paper: in their holes it is white, too."""
    return write(paper(480, 640, 255), "680", (60, 380), size=9, thickness=60)


def chalk() -> Picture:
    return write(paper(480, 640, 60), "1204", (150, 250), ink=(255, 255, 255), thickness=8)


@pytest.mark.parametrize("image", [white_box(), cut_out(), overexposed(), bold(), paper(480, 640, 255)])
def test_what_else_is_white_is_no_glare(image: Picture) -> None:
    assert find_glare(image) == []


def test_chalk_on_a_board_is_no_glare() -> None:
    thick = np.asarray(cv2.GaussianBlur(chalk(), (0, 0), 3), np.uint8)
    assert find_glare(thick, darkest=130) == []
    assert len(find_glare(spot(200), darkest=130)) == 1
    assert find_glare(spot(100), darkest=130) == []


def test_of_what_is_cut_to_a_digit_nothing_is_glare() -> None:
    assert find_glare(glare(paper(60, 60, 200), (30, 30), (12, 9), 0, 2)[0]) == []
    assert len(find_glare(glare(paper(100, 120, 200), (60, 50), (20, 14), 0, 4)[0])) == 1


@pytest.mark.parametrize("axes", [(5, 4), (10, 30)])
def test_a_small_one_is_found(axes: tuple[float, float]) -> None:
    assert len(find_glare(glare(paper(480, 640, 200), (320, 200), axes, 0, 2)[0])) == 1


@pytest.mark.parametrize("soft", [40, 60])
def test_it_is_found_however_far_it_fades_out(soft: float) -> None:
    assert len(find_glare(spot(230, soft))) == 1


def test_it_is_found_in_noise_and_where_the_brightest_is_not_quite_white() -> None:
    noise = np.random.default_rng(0).normal(0, 12, (480, 640, 3))
    assert find_glare(np.clip(spot() + noise, 0, 255).astype(np.uint8))
    assert len(find_glare(np.minimum(spot(), 252))) == 1


def test_it_is_found_in_spite_of_a_speck_but_not_around_writing() -> None:
    """What is written there is seen."""
    image = spot()
    image[190:192, 320:322] = 90
    assert len(find_glare(image)) == 1
    assert find_glare(write(spot(), "12", (280, 210))) == []


def test_light_that_leaves_paper_grey_or_is_hardly_brighter_than_it_is_no_glare() -> None:
    assert find_glare(glare(paper(480, 640, 200), (320, 200), (80, 50), 30, 6, light=40)[0]) == []
    assert find_glare(spot(242)) == []


def test_of_a_pattern_of_white_dots_the_largest_are_looked_at() -> None:
    """A strip of the shape of a long receipt, with 15,000 dots and a lamp."""
    image = np.full((120, 8000), 200, np.uint8)
    image[::8, ::8] = 255
    image = cv2.dilate(image, np.ones((4, 4), np.uint8))
    image[:, 4000:4400] = glare(paper(120, 400, 200), (200, 60), (60, 30), 0, 5)[0][..., 0]
    for settings in (GlareSettings(), GlareSettings(most=1)):
        (outline,) = find_glare(image, settings=settings)
        assert np.abs(outline.mean(axis=0) - (4200, 60)).max() < 10


def test_a_number_that_glare_hides_a_part_of_is_not_accepted(reader: Reader) -> None:
    """Washed out are the last of five digits, and all but two: what is left reads well."""
    page = write(paper(480, 900, 200), "58204", (200, 200), thickness=4)
    page = write(page, "3917", (200, 400), thickness=4)
    assert [(line.text, line.accepted) for line in reader.read(page).lines] == [
        ("58204", True),
        ("3917", True),
    ]
    for at, seen in ((380, "5820"), (340, "582")):
        washed, hidden = glare(page, (at + 60, 180), (60, 70), 0, 4)
        assert hidden[180, at + 20 : at + 40].all()
        lines = reader.read(washed).lines
        assert [line.text for line in lines if line.accepted] == ["3917"]
        (refused,) = (line for line in lines if not line.accepted)
        assert refused.text.startswith(seen)
        assert refused.reasons[0] == "glare"
        assert refused.confidence < 0.001


def test_a_number_clear_of_glare_is_read(reader: Reader) -> None:
    page = write(paper(480, 900, 200), "58204", (200, 200), thickness=4)
    for middle in ((600, 180), (300, 330), (90, 180)):
        washed, _ = glare(page, middle, (50, 50), 0, 4)
        assert [line.text for line in reader.read(washed).lines if line.accepted] == ["58204"]


@pytest.mark.parametrize("axes", [(20, 80), (60, 60), (15, 15)])
def test_glare_alone_is_no_digit(reader: Reader, axes: tuple[float, float]) -> None:
    washed, _ = glare(paper(480, 640, 200), (300, 240), axes, 10, 5)
    assert [line.text for line in reader.read(washed).lines if line.accepted] == []
