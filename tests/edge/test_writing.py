"""A line of writing is looked at in as many pixels as it needs, however many it was photographed with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits import Reader
from edgedigits.frames.demo import digits
from edgedigits.glyphs.text_lines import find_lines
from edgedigits.ink import find_ink
from edgedigits.writing import find_writing


def strip(text: str) -> NDArray[np.uint8]:
    """Return handwritten digits on fine printed lines: uint8, 60 high."""
    tiles = digits()
    image = np.full((60, 40 + 34 * len(text)), 215, np.float32)
    for y in range(-60, 70, 6):
        cv2.line(image, (0, y), (image.shape[1], y + 40), 180, 1, cv2.LINE_AA)
    for k, label in enumerate(text):
        tile = cv2.resize(tiles[int(label)][0], (40, 40), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        place = image[10:50, 15 + 34 * k : 55 + 34 * k]
        np.minimum(place, 215 - 0.7 * np.clip(tile, 0, 255), out=place)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("way", ["glyph", "strip", "auto"])
def test_a_line_is_read_at_any_resolution(way: str) -> None:
    reader = Reader(way=way)  # type: ignore[arg-type]
    image = strip("31406")
    (as_it_is,) = reader.read(image, upright=True).lines
    assert as_it_is.readings[0][0] == "31406"
    for factor in (3, 6, 10):
        large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        page = reader.read(np.asarray(large, np.uint8), upright=True)
        assert page.size == (large.shape[1], large.shape[0])
        (line,) = page.lines
        assert line.readings[0][0] == "31406"
        # Boxes are in pixels of the picture that was handed in.
        for one, many in zip(as_it_is.box, line.box, strict=True):
            assert many / factor == pytest.approx(one, abs=3)


def test_only_what_is_cut_to_one_line_is_shrunk() -> None:
    large = np.asarray(cv2.resize(strip("208"), None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC), np.uint8)
    writing = find_writing(large)
    assert writing.image.shape[0] == writing.ink.mask.shape[0] == 100
    lone = write(paper(400, 900), "3817", (60, 220))  # a line of 40 pixels on a sheet
    two = np.concatenate([large, large])
    for picture in (strip("208"), lone, two, paper(400, 900)):
        assert find_writing(picture).image is picture


def test_pieces_beside_one_another_are_one_line() -> None:
    """A first digit so large that small ones stand on no level with it; far columns stay apart."""
    image = np.full((100, 200), 225, np.uint8)
    cv2.line(image, (30, 4), (22, 96), 40, 4, cv2.LINE_AA)
    for x, tall in ((56, 17), (90, 17), (126, 24)):
        cv2.ellipse(image, (x, 95 - tall), (12, tall), 0, 0, 360, 40, 3, cv2.LINE_AA)
    assert len(find_lines(find_ink(image))) == 2
    (line,) = find_writing(image).lines
    assert [glyph.box[2] > 20 for glyph in line.glyphs] == [False, True, True, True]
    wide = np.concatenate([image, np.full((100, 400), 225, np.uint8), image], axis=1)
    assert len(find_writing(wide).lines) == 2


@pytest.mark.parametrize(("x", "shrunk"), [(250, True), (60, False), (450, False)])
def test_a_bold_stroke_that_runs_out_of_one_side_is_cut_off_and_not_shrunk(x: int, shrunk: bool) -> None:
    image = np.full((400, 500), 225, np.uint8)
    cv2.ellipse(image, (x, 200), (90, 150), 0, 0, 360, 40, 50, cv2.LINE_AA)
    assert (find_writing(image).image is not image) == shrunk


@pytest.mark.parametrize("desk", [40, 70, 100])
@pytest.mark.parametrize("angle", [0, 3, 12])
def test_a_sheet_on_a_desk_is_no_bold_digit(desk: int, angle: int) -> None:
    """Its writing is small, and lost in the few pixels in which bold digits are looked for."""
    image = np.full((960, 1280), desk, np.uint8)
    image[190:770, 240:1040] = 225
    for row, text in enumerate(("38174", "90265", "41703")):
        image[230 + 170 * row : 430 + 170 * row, 300:980] = write(
            paper(200, 680, level=225), text, (40, 150)
        )[..., 0]
    turn = cv2.getRotationMatrix2D((640, 480), angle, 1)
    seen = cv2.warpAffine(image, turn, (1280, 960), borderValue=desk)
    seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), 1.2), np.uint8)
    writing = find_writing(seen)
    assert writing.image is seen
    assert writing.ink.polarity == "dark"
    assert writing.lines
