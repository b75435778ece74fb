"""Printed lines that go through the middle of a number, and what lies or ends elsewhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgedigits import Reader
from edgedigits.glyphs.across import thickness_across

TALL = 40
BOXES = [(100 + 50 * k, 60, 36, TALL) for k in range(4)]
"""Four digits, from column 100 to 286, from row 60 to 100."""


def across(
    start: tuple[int, int], end: tuple[int, int], contrast: int = 200, fall: int = 0, thick: int = 4
) -> float:
    """Return what is found of a line; each digit stands `fall` pixels lower than the one before."""
    lifted = np.zeros((200, 400), np.uint8)
    cv2.line(lifted, start, end, 1, thick)
    boxes = [(x, y + fall * k, w, h) for k, (x, y, w, h) in enumerate(BOXES)]
    return thickness_across(lifted, contrast * lifted, boxes, TALL, 200)


def test_a_line_through_the_middle_is_as_thick_as_it_is() -> None:
    for thick in (2, 4, 8):
        found = across((0, 80), (399, 80), thick=thick)
        assert found == pytest.approx(thick / TALL, abs=1.1 / TALL)


@pytest.mark.parametrize(
    ("start", "end", "contrast"),
    [
        ((0, 98), (399, 98), 200),
        ((0, 62), (399, 62), 200),
        ((90, 80), (296, 80), 200),
        ((0, 80), (399, 80), 100),
        ((0, 80), (120, 80), 200),
    ],
    ids=["at the base", "at the top", "no farther than bars of 4s", "pale", "through one digit"],
)
def test_what_lies_or_ends_elsewhere_is_none(
    start: tuple[int, int], end: tuple[int, int], contrast: int
) -> None:
    assert across(start, end, contrast) == 0.0


def test_a_line_under_a_number_that_slopes_is_none() -> None:
    # Through the box around them all it goes in the middle.
    assert across((0, 83), (399, 83 + 64), fall=8) == 0.0
    assert across((0, 60), (399, 60 + 64), fall=8) > 0.0


def test_the_bars_of_fours_in_a_row_cost_nothing() -> None:
    reader = Reader()
    for pitch in (36, 40, 44):
        strip = np.full((116, 40 + 4 * pitch), 225, np.uint8)
        for x in range(20, 20 + 4 * pitch, pitch):
            cv2.line(strip, (x + 18, 20), (x, 62), 40, 3, cv2.LINE_AA)
            cv2.line(strip, (x, 62), (x + 40, 62), 40, 3, cv2.LINE_AA)
            cv2.line(strip, (x + 30, 36), (x + 27, 96), 40, 3, cv2.LINE_AA)
        (line,) = reader.read(cv2.GaussianBlur(strip, (0, 0), 0.8), upright=True).lines
        assert line.text == "4444"
        assert line.confidence > 0.8
