"""Patches of another brightness among the digits of a strip: a part of its number is hidden there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import in_a_row
from tests.edge.form_pages import Pens
from tests.edge.lying import finger, glare

from edgedigits import Reader
from edgedigits.decode.patches import find_patch
from edgedigits.page import Box

Strip = NDArray[np.uint8]
BOXES: list[Box] = [(40 + 40 * k, 20, 26, 40) for k in (0, 1, 3, 4)]
"""Where digits are on a strip; between the second and the third there is room for another."""


def strip(level: int = 200) -> Strip:
    """A strip of paper, 80×260, with strokes in the boxes."""
    image = np.full((80, 260), level, np.uint8)
    for x, y, w, h in BOXES:
        cv2.rectangle(image, (x + 3, y + 3), (x + w - 3, y + h - 3), 40, 6)
    return image


def with_light(image: Strip, share: NDArray[np.float64]) -> Strip:
    return np.clip(image * share, 0, 255).astype(np.uint8)


def test_there_is_none_on_plain_paper() -> None:
    assert find_patch(strip(), BOXES) is None
    assert find_patch(strip(), BOXES[:1]) is None
    assert find_patch(strip(255), BOXES) is None
    assert find_patch(np.zeros((80, 260), np.uint8), BOXES) is None


@pytest.mark.parametrize(
    ("level", "patch"), [(255, "glare"), (235, "hidden"), (150, "hidden"), (90, "hidden")]
)
@pytest.mark.parametrize("left", [114, 4, 234])
def test_one_between_digits_and_one_beside_them_is_found(left: int, level: int, patch: str) -> None:
    image = strip()
    image[:, left : left + 30] = np.minimum(image[:, left : left + 30], level) if level < 200 else level
    assert find_patch(image, BOXES) == patch
    assert find_patch(image, BOXES[::-1]) == patch


def test_what_is_as_bright_or_narrow_or_far_away_is_none() -> None:
    for columns, level in ((slice(114, 144), 180), (slice(118, 124), 100), (slice(0, 5), 100)):
        image = strip()
        image[:, columns] = np.minimum(image[:, columns], level)
        assert find_patch(image, BOXES) is None


@pytest.mark.parametrize("at", [30, 70, 110, 130, 180, 235])
@pytest.mark.parametrize("left", [0.4, 0.7])
def test_the_edge_of_a_shadow_is_none(at: int, left: float) -> None:
    """What is written stands on both sides of it, or it runs beyond the number, and then may hide some."""
    share = np.where(np.arange(260) < at, left, 1.0)
    found = find_patch(with_light(strip(), cv2.GaussianBlur(share[None], (0, 0), 1.5)), BOXES)
    assert found == (None if BOXES[0][0] < at < BOXES[-1][0] + 26 else "hidden")


@pytest.mark.parametrize("to", [0.4, 0.7])
def test_light_that_falls_off_is_none(to: float) -> None:
    for share in (np.linspace(1, to, 260), np.linspace(to, 1, 260)):
        assert find_patch(with_light(strip(), share[None]), BOXES) is None


@pytest.mark.parametrize(("kind", "most"), [("glare", 2), ("finger", 7)])
def test_a_number_with_a_part_of_it_hidden_is_not_accepted(
    data_set: Callable[[str], Path], kind: str, most: int
) -> None:
    """Of 20 numbers in MNIST's test digits the middle is hidden; 17 and 12 of them were accepted once."""
    pens, draw, reader = Pens(data_set("mnist")), np.random.default_rng(5), Reader()
    before = after = 0
    for _ in range(20):
        text = "".join(map(str, draw.integers(0, 10, 5)))
        image = in_a_row([pens.digit(label, draw) for label in text], 6)
        colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        middle = image.shape[1] / 2, image.shape[0] / 2
        if kind == "glare":
            hidden, _ = glare(colour, middle, (32, 60), 0, 3)
        else:
            hidden, _ = finger(colour, middle, 64, 85, draw)
        before += any(line.accepted and line.text == text for line in reader.read(image).lines)
        after += any(line.accepted for line in reader.read(hidden).lines)
    assert before >= 18
    assert after <= most
