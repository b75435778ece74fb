"""What a lone stroke is: upright or leaning, of any width; no bar, no digit of two strokes."""

import cv2
import numpy as np
import pytest

from edgedigits_train.strokes import is_upright_stroke


def line(*ends, thick=5):
    picture = np.zeros((80, 80), np.uint8)
    for start, end in ends:
        cv2.line(picture, start, end, 255, thick)
    return picture


@pytest.mark.parametrize("thick", [1, 5, 15])
@pytest.mark.parametrize("top", [(40, 10), (55, 15), (20, 12)])
def test_a_stroke_is_one_however_it_leans(top, thick):
    assert is_upright_stroke(line((top, (40, 70)), thick=thick))


@pytest.mark.parametrize(
    "ends",
    [
        [((10, 40), (70, 45))],
        [((40, 10), (40, 70)), ((20, 40), (60, 40))],
        [((20, 12), (60, 12)), ((60, 12), (35, 70))],
    ],
    ids=["dash", "cross", "seven"],
)
def test_what_lies_or_has_two_strokes_is_none(ends):
    assert not is_upright_stroke(line(*ends))


def test_no_ink_is_no_stroke():
    assert not is_upright_stroke(np.zeros((10, 10), np.uint8))
