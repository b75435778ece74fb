"""One digit in a picture stays one: broken by a skipping pen, cut off by the edge, folded like a 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper

from edgedigits import Reader
from edgedigits.frames.demo import digits

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def reading() -> Reader:
    return Reader()


def tile(label: int, number: int) -> Image:
    """Return a handwritten digit of MNIST, 84×84, bright, cut to its ink."""
    ink = cv2.resize(digits()[label, number], (84, 84), interpolation=cv2.INTER_CUBIC)
    x, y, w, h = cv2.boundingRect((ink > 64).astype(np.uint8))
    return np.asarray(ink[y : y + h, x : x + w], np.uint8)


def on_paper(*tiles: tuple[Image, int, int], size: tuple[int, int] = (240, 200)) -> Image:
    """Return paper, H×W×3 for `size` H, W, with bright tiles inked on it, each at x, y."""
    image = paper(*size).astype(np.float32)
    for ink, x, y in tiles:
        image[y : y + len(ink), x : x + ink.shape[1]] *= 1 - 0.8 * ink[..., None].astype(np.float32) / 255
    return image.astype(np.uint8)


def texts(reading: Reader, image: Image) -> list[str]:
    return [line.text for line in reading.read(image).lines]


@pytest.mark.parametrize("label", [2, 3, 5])
def test_a_digit_in_two_pieces_is_one(reading: Reader, label: int) -> None:
    """A gap across the middle of the digit: halves that mean nothing, and together are it."""
    right = 0
    for number in range(20):
        ink = tile(label, number).copy()
        middle = int(0.45 * len(ink))
        ink[middle : middle + 7] = 0
        right += texts(reading, on_paper((ink, 60, 70))) == [str(label)]
    assert right >= 14


def test_a_digit_above_another_stays_two(reading: Reader) -> None:
    """A column of figures, closely set."""
    rng = np.random.default_rng(5)
    for _ in range(30):
        a, b = (tile(int(rng.integers(10)), int(rng.integers(20))) for _ in range(2))
        image = on_paper((a, 60, 30), (b, 60, 30 + len(a) + 8))
        assert len(texts(reading, image)) >= 2


def test_a_digit_cut_off_by_the_edge_is_read(reading: Reader) -> None:
    """One thin digit runs out of the picture on one side, and there is nothing else."""
    image = paper(72, 64)
    cv2.ellipse(image, (30, 45), (11, 28), 0, 0, 360, (60, 60, 60), 3, cv2.LINE_AA)
    assert texts(reading, image) == ["0"]


@pytest.mark.parametrize("turns", range(4))
def test_the_rest_of_a_frame_is_not_such_a_digit(reading: Reader, turns: int) -> None:
    """A bent line along the border of a box that nothing is written in."""
    image = paper(64, 64)
    cv2.polylines(image, [np.array([[3, 0], [4, 58], [40, 59]])], False, (70, 70, 70), 2, cv2.LINE_AA)
    assert texts(reading, np.ascontiguousarray(np.rot90(image, turns))) == []


def test_a_folded_one_is_not_two(reading: Reader, data_set: Callable[[str], Path]) -> None:
    """Scanned 1s, many with an upstroke as long as the stroke."""
    with np.load(data_set("pen") / "pen.npz") as file:
        ones = file["images"][file["labels"] == 1][::4]
    single = [len("".join(texts(reading, image))) == 1 for image in ones]
    assert np.mean(single) >= 0.97
