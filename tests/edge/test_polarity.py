"""Chalk and pen in one picture: each part is read the way round it is; other pictures stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits import Reader
from edgedigits.explain import explain
from edgedigits.frames.demo import digits
from edgedigits.ink import find_ink, to_grey
from edgedigits.ink.polarity import inverse_parts, polarity_of

Image = NDArray[np.uint8]

PAPER, SLATE = (205, 215, 220), (52, 58, 48)
"""Colours, BGR."""
SIDE = 72
"""Digits' fields, in pixels."""

KINDS = {
    "a white half and a black one": (PAPER, SLATE, (450, 0, 900, 600)),
    "a slate on paper": (PAPER, SLATE, (468, 70, 860, 490)),
    "a sheet on a blackboard": (SLATE, PAPER, (468, 60, 870, 510)),
}


@pytest.fixture(scope="module")
def reading() -> Reader:
    return Reader()


def draw(image: NDArray[np.float32], text: str, x: int, y: int, rng: np.random.Generator) -> None:
    """Write a line of MNIST's digits, in chalk where the ground is dark."""
    every = digits()
    chalk = image[y, x].mean() < 128
    for k, label in enumerate(text):
        tile = every[int(label), rng.integers(every.shape[1])]
        ink = cv2.resize(tile, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)[..., None].astype(np.float32)
        place = image[y : y + SIDE, x + 80 * k : x + 80 * k + SIDE]
        place += ink / 255 * (225 - place) if chalk else -0.8 * ink / 255 * place


def picture(kind: str, seed: int) -> tuple[Image, list[str]]:
    """Return a picture of both, unevenly lit and noisy, and its lines."""
    outside, inside, (left, top, right, bottom) = KINDS[kind]
    rng = np.random.default_rng(seed)
    image = np.full((600, 900, 3), outside, np.float32)
    image[top:bottom, left:right] = inside
    texts = []
    for row in range(3):
        # On levels of their own: of what stands side by side one line is made, whatever it stands on.
        for x, y in ((30, 90 + 120 * row), (left + 25, 140 + 120 * row)):
            texts.append("".join(str(label) for label in rng.integers(0, 10, 4)))
            draw(image, texts[-1], x, y, rng)
    image *= np.linspace(1, 0.8, 900)[None, :, None]
    image = cv2.GaussianBlur(image, (3, 3), 0) + rng.normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), texts


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("way", ["auto", "strip"])
def test_both_parts_are_read(kind: str, way: str, reading: Reader) -> None:
    reader = reading if way == "auto" else Reader(way="strip")
    right = total = 0
    for seed in range(3):
        image, texts = picture(kind, seed)
        read = [line.text for line in reader.read(image).lines]
        right += sum(text in read for text in texts)
        total += len(texts)
    assert total == 18
    assert right >= 15


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_turned_part_is_where_it_is(kind: str) -> None:
    image, _ = picture(kind, 7)
    _, _, (left, top, right, bottom) = KINDS[kind]
    whole = np.zeros(image.shape[:2], bool)
    whole[top:bottom, left:right] = True
    ink = find_ink(image)
    assert ink.inverse is not None
    found = ink.inverse > 0
    # The polarity of the whole is that of its larger part, mostly; the other one is the turned one.
    assert max(np.mean(found == whole), np.mean(found != whole)) > 0.98
    assert explain(image, Reader().read(image), Reader()).shape[2] == 3


def test_a_dark_desk_stays_dark() -> None:
    """Around a sheet that lies on it askew, and with nothing on it."""
    image, _ = picture("a slate on paper", 0)
    image = image[:, :450]
    desk = np.full((800, 800, 3), (60, 62, 66), np.uint8)
    turn = cv2.getRotationMatrix2D((225, 300), 7, 1)
    turn[:, 2] += 120, 60
    cv2.warpAffine(image, turn, (800, 800), dst=desk, borderMode=cv2.BORDER_TRANSPARENT)
    assert inverse_parts(to_grey(desk)) is None


def test_photographs_of_one_kind_stay_as_they_are(data_set: Callable[[str], Path]) -> None:
    for name in ("pages", "sudoku"):
        for file in sorted((data_set(name) / "images").iterdir()):
            image = cv2.imread(str(file))
            assert image is not None
            assert find_ink(image.astype(np.uint8, copy=False)).inverse is None, file.name


@pytest.mark.parametrize("side", [64, 120, 300, 600])
@pytest.mark.parametrize("bolder", [1, 2])
def test_a_bold_digit_is_told_from_its_ground(side: int, bolder: int) -> None:
    """Strokes as wide as the windows that tell ink from paper, and wider: 198 of 200 digits at least."""
    right = 0
    for tiles in digits()[:, :10]:
        for tile in tiles:
            bold = cv2.dilate(cv2.resize(tile, (56, 56)), np.ones((2 * bolder + 1,) * 2, np.uint8))
            image = np.asarray(cv2.resize(bold, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
            right += (polarity_of(image) == "light") + (polarity_of(255 - image) == "dark")
    assert right >= 198


@pytest.mark.parametrize("level", [60, 90, 200])
def test_texture_with_bright_specks_does_not_turn_a_strip(level: int) -> None:
    """Dark paper whose weave sparkles: the strokes are wider than the specks, and dark."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        image = np.full((60, 200), float(level))
        for k in range(4):
            tile = digits()[rng.integers(10), rng.integers(10)]
            ink = cv2.resize(tile, (44, 44), interpolation=cv2.INTER_CUBIC).astype(float) / 255
            image[8:52, 10 + 45 * k : 54 + 45 * k] -= 0.45 * level * ink
        specks = cv2.GaussianBlur(rng.exponential(1, image.shape), (0, 0), 1)
        image += 0.6 * level * np.maximum(specks - 1, 0)
        assert polarity_of(np.clip(image, 0, 255).astype(np.uint8)) == "dark"
