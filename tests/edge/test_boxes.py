"""Digits in boxes and combs are read; the boxes are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits import Reader
from edgedigits.frames.demo import digits
from edgedigits.glyphs.text_lines import find_lines_in
from edgedigits.ink import find_ink
from edgedigits.ink.boxes import lift_boxes

NUMBERS = ("3817", "50264", "719", "4482")
BOX = 64


def page(
    printed: int, turned: float = 0.0, apart: int = 0, thick: int = 2, high: int = 50, blank: int = 0
) -> NDArray[np.uint8]:
    """Return a page of `NUMBERS`, in digits of MNIST, a box around each, and `blank` boxes behind them.

    `printed` is how bright the boxes are, `apart` how far from each other, `high` how high the tiles.
    """
    image = np.full((700, 640), 225, np.uint8)
    for row, number in enumerate(NUMBERS):
        for place in range(len(number) + blank):
            y, x = 80 + 140 * row, 60 + (BOX + apart) * place
            cv2.rectangle(image, (x, y), (x + BOX, y + BOX), printed, thick)
            if place < len(number):
                tile = cv2.resize(digits()[int(number[place]), row + place], (high, high))
                top, left = y + (BOX - high) // 2, x + (BOX - high) // 2
                here = image[top : top + high, left : left + high]
                here[:] = np.minimum(here, 225 - 0.75 * tile)
    matrix = cv2.getRotationMatrix2D((320, 350), turned, 1)
    seen = cv2.warpAffine(image, matrix, (640, 700), flags=cv2.INTER_LINEAR, borderValue=225)
    noise = np.random.default_rng(0).normal(0, 3, seen.shape)
    return np.clip(seen + noise, 0, 255).astype(np.uint8)


def lifted(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    return lift_boxes(mask, 255 * mask, labels, stats)


@pytest.mark.parametrize("turned", [0.0, 3.0, -8.0])
@pytest.mark.parametrize("apart", [0, 12])
@pytest.mark.parametrize("printed", [190, 150, 90])
def test_digits_in_boxes_are_read(reader: Reader, printed: int, apart: int, turned: float) -> None:
    lines = reader.read(page(printed, turned, apart)).lines
    assert [line.text for line in lines if line.accepted] == list(NUMBERS)


@pytest.mark.parametrize("turned", [0.0, -5.0])
def test_digits_that_run_into_their_boxes_stay_whole(reader: Reader, turned: float) -> None:
    """Tiles as high as the boxes: the digits touch the lines, or nearly."""
    lines = reader.read(page(150, turned, high=72)).lines
    assert [line.text for line in lines] == list(NUMBERS)


@pytest.mark.parametrize("printed", [150, 90])
def test_a_comb_that_a_picture_is_cut_to_is_read(reader: Reader, printed: int) -> None:
    """Whole and with some paper around it."""
    image = page(printed)
    for row, number in enumerate(NUMBERS):
        for margin in (4, 16):
            top, right = 80 + 140 * row - margin, 60 + BOX * len(number) + margin
            strip = image[top : top + BOX + 2 * margin, 60 - margin : right]
            assert [line.text for line in reader.read(strip).lines if line.accepted] == [number]


def test_blank_boxes_say_nothing(reader: Reader) -> None:
    assert [line.text for line in reader.read(page(120, blank=3)).lines if line.accepted] == list(NUMBERS)
    image = np.full((400, 640), 225, np.uint8)
    for x in range(60, 500, 64):
        cv2.rectangle(image, (x, 150), (x + 64, 214), 100, 2)
    assert reader.read(image).lines == ()


def test_digits_in_straight_strokes_are_no_boxes() -> None:
    """A 0 and an 8 as on a meter enclose rectangles, too, and nothing is written there."""
    mask = np.zeros((300, 400), np.uint8)
    for x in (60, 130, 200):
        cv2.rectangle(mask, (x, 100), (x + 40, 180), 1, 3)
    cv2.line(mask, (60, 140), (100, 140), 1, 3)
    assert lifted(mask) is mask


@pytest.mark.parametrize(("apart", "partition"), [(2, 2), (0, 4)])
def test_sides_that_run_together_are_no_1s(reader: Reader, apart: int, partition: int) -> None:
    """Boxes side by side, and frames whose partitions are thicker than their outlines."""
    image = page(90, apart=apart, thick=2)
    for row, number in enumerate(NUMBERS):
        for place in range(1, len(number)):
            if partition > 2:
                x, y = 60 + BOX * place, 80 + 140 * row
                cv2.line(image, (x, y), (x, y + BOX), 90, partition)
    read = [line.text for line in reader.read(image).lines if line.accepted]
    assert set(read) <= set(NUMBERS)
    assert len(read) >= 3


def test_a_0_in_straight_strokes_stays_where_there_is_noise(reader: Reader) -> None:
    """Specks in it are nothing that is written in a box."""
    image = np.full((300, 400), 225, np.uint8)
    cv2.rectangle(image, (150, 90), (210, 210), 60, 2)
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    ink, _ = find_lines_in(find_ink(np.clip(image + noise, 0, 255).astype(np.uint8)))
    assert ink.printed is None


def test_what_was_lifted_off_is_known() -> None:
    """So that a strip is read without it, too."""
    ink, lines = find_lines_in(find_ink(page(150)))
    assert [len(line.glyphs) for line in lines] == [len(number) for number in NUMBERS]
    assert ink.printed is not None
    assert ink.printed[80:146, 60].mean() > 0.9
    assert not (ink.printed > ink.mask).any()
