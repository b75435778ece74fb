"""Ruled lines and frames are lifted off strips and boxes; what is written stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgedigits.ink.rules import lift_frame, lift_rules


@pytest.mark.parametrize("sides", [(0,), (0, 1), (0, 1, 2, 3)])
def test_a_box_s_frame_is_lifted_off_what_is_written_in_it(sides: tuple[int, ...]) -> None:
    """Also where the writing runs into it; of a digit cut to size nothing is lifted."""
    mask = np.zeros((64, 64), np.uint8)
    mask[0:50, 30:34] = mask[30:34, 20:50] = 1
    written = mask.copy()
    for turns in sides:
        np.rot90(mask, turns)[:3] = 1
    lifted = lift_frame(mask)
    assert not lifted[:3, 3:-3].any()
    assert (lifted[3:-3, 3:-3] == written[3:-3, 3:-3]).all()


def test_the_bar_of_a_digit_cut_to_size_is_no_frame() -> None:
    seven = np.zeros((64, 50), np.uint8)
    seven[:5] = 1
    cv2.line(seven, (47, 3), (20, 63), 1, 5)
    five = np.zeros((64, 50), np.uint8)
    five[:5] = five[:30, :5] = 1
    cv2.ellipse(five, (20, 44), (27, 17), 0, -90, 130, 1, 5)
    for mask in (seven, five, np.ascontiguousarray(np.rot90(seven, 2))):
        assert (lift_frame(mask) == mask).all()


def test_a_rule_as_thick_as_the_strokes_is_lifted_off_a_line_of_writing() -> None:
    """Along the border, where the digits hang from it, and across them."""
    for y in (0, 46):
        mask = np.zeros((54, 200), np.uint8)
        for x in (30, 80, 130):
            cv2.ellipse(mask, (x, 26), (14, 23), 0, 0, 360, 1, 4)
        alone = mask.copy()
        mask[y : y + 5] = 1
        lifted = lift_rules(mask, 255 * mask)
        rule = mask.astype(bool) & ~alone.astype(bool)
        assert lifted[rule].mean() < 0.15
        assert lifted[alone.astype(bool)].mean() > 0.9
    # In a box of its own such a line may be the bar of a digit.
    box = np.zeros((54, 50), np.uint8)
    box[5:10, 8:42] = 1
    box[5:50, 36:41] = 1
    assert lift_rules(box, 255 * box)[5:10, 8:36].all()


@pytest.mark.parametrize("slope", [0.05, 0.13, 0.19])
def test_sloping_rules_are_lifted_off_a_strip(slope: float) -> None:
    mask = np.zeros((60, 180), np.uint8)
    cv2.ellipse(mask, (60, 30), (14, 22), 0, 0, 360, 1, 3)
    alone = mask.astype(bool)
    cv2.line(mask, (0, 8), (180, round(8 + 180 * slope)), 1, 1)
    lifted = lift_rules(mask, 255 * mask)
    assert lifted[mask.astype(bool) & ~alone].mean() < 0.2
    assert lifted[alone].mean() > 0.9
