"""What is ink here and there of a pale line that goes down the page is no 1."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import in_a_row

from edgedigits import Reader
from edgedigits.frames.demo import digits
from edgedigits.glyphs.text_lines import find_lines
from edgedigits.ink import find_ink

MARGIN = 110


def sheet(pale: float, seed: int = 0) -> NDArray[np.uint8]:
    """Return a photo of a page with the numbers 2731, 27310 and 273 beside a margin."""
    page = np.full((960, 760), 228.0)
    for row, count in enumerate((4, 5, 3)):
        number = in_a_row([digits()[k][row] for k in (2, 7, 3, 1, 0)[:count]], gap=6)
        number = cv2.resize(number, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
        y = 120 + 260 * row
        place = page[y : y + len(number), 170 : 170 + number.shape[1]]
        np.minimum(place, number + 3, out=place)
    line, rulings = np.zeros((2, *page.shape), np.uint8)
    cv2.line(line, (MARGIN, 0), (MARGIN + 14, 960), 255, 2, cv2.LINE_AA)
    rulings[60::40] = 255
    random = np.random.default_rng(seed)
    page *= (1 - pale * line / 255) * (1 - 0.45 * rulings / 255)
    seen = cv2.GaussianBlur(page, (0, 0), 0.8) + random.normal(0, 3, page.shape)
    return np.clip(seen, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("pale", [0.38, 0.42, 0.46])
def test_pieces_of_a_pale_margin_are_no_digits(reader: Reader, pale: float) -> None:
    accepted = [line.text for line in reader.read(sheet(pale)).lines if line.accepted]
    assert accepted == ["2731", "27310", "273"]


def test_pale_1s_below_one_another_stay() -> None:
    """They are as pale as such a line, and as upright; but there is room between them."""
    page = np.full((960, 760), 228.0)
    for row in range(8):
        cv2.line(page, (300, 60 + 110 * row), (300, 110 + 110 * row), 120, 3, cv2.LINE_AA)
    seen = cv2.GaussianBlur(page, (0, 0), 0.8) + np.random.default_rng(0).normal(0, 4, page.shape)
    lines = find_lines(find_ink(np.clip(seen, 0, 255).astype(np.uint8)))
    assert [len(line.glyphs) for line in lines] == [1] * 8
