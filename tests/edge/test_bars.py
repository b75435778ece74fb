"""What strikes a number out, what underlines it, and what is a ruling or a part of its digits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgedigits.glyphs.bars import is_struck_out, without_underlines

from .drawing import paper, write

TALL = 33
SPAN = (60, 60, 240, 93)
"""Where 30528 is written."""


def number(*bars: tuple[tuple[int, int], tuple[int, int]], text: str = "30528") -> np.ndarray:
    """Return the mask of a number, and of bars from point to point."""
    image = write(paper(160, 640), text, (60, 93), spacing=9)
    for start, end in bars:
        cv2.line(image, start, end, (40, 30, 30), 3, cv2.LINE_AA)
    return (image[:, :, 0] < 130).view(np.uint8)


def span_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    x, y, w, h = cv2.boundingRect(mask[:, :330])
    return x, y, x + w, y + h


@pytest.mark.parametrize(
    "bars",
    [
        [((52, 76), (250, 76))],
        [((52, 88), (250, 66))],
        [((52, 70), (250, 69)), ((54, 82), (248, 83))],
        [((52, 74), (250, 74)), ((54, 79), (248, 79))],
    ],
    ids=["level", "slanting", "two", "two that run together"],
)
def test_a_bar_through_a_number_strikes_it_out(bars):
    mask = number(*bars)
    assert is_struck_out(mask, span_of(mask), TALL)


def test_a_waving_bar_does_as_well():
    x = np.arange(50, 252)
    waves = np.stack([x, 76 + 4.5 * np.sin(x / 9)], axis=1).round().astype(np.int32)
    mask = number()
    cv2.polylines(mask, [waves], False, 1, 3)
    assert is_struck_out(mask, span_of(mask), TALL)


@pytest.mark.parametrize(
    "bars",
    [
        [],
        [((0, 76), (639, 76))],
        [((52, 76), (420, 76))],
        [((52, 97), (250, 97))],
        [((52, 56), (250, 56))],
        [((52, 76), (170, 76))],
    ],
    ids=["none", "a ruling", "one that goes on", "under", "over", "half of it"],
)
def test_what_ends_elsewhere_or_lies_elsewhere_does_not(bars):
    assert not is_struck_out(number(*bars), SPAN, TALL)


@pytest.mark.parametrize("text", ["444", "777", "1111", "000", "4", "888"])
def test_digits_own_bars_strike_nothing_out(text):
    mask = number(text=text)
    # Side by side, and touching.
    for tight in (mask, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, 13), np.uint8))):
        assert not is_struck_out(tight, span_of(tight), TALL)


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_an_underline_is_lifted_off_and_the_digits_stay(size):
    plain, underlined = number(), number(((52, 95), (250, 97)))
    plain, underlined = (
        (cv2.resize(255 * mask, None, fx=size, fy=size) > 128).view(np.uint8) for mask in (plain, underlined)
    )
    span = tuple(int(size * edge) for edge in (52, 60, 250, 99))
    lifted = without_underlines(underlined, [(span, size * TALL)])
    assert np.count_nonzero(lifted & ~plain) < 0.05 * np.count_nonzero(underlined & ~plain)
    assert np.count_nonzero(plain & ~lifted) < 0.06 * np.count_nonzero(plain)


def test_without_an_underline_the_mask_is_handed_back():
    for mask in (number(), number(((0, 97), (639, 97))), number(((52, 76), (250, 76)))):
        assert without_underlines(mask, [(SPAN, TALL), ((0, 0, 0, 0), TALL)]) is mask


def test_any_ink_is_looked_at():
    """Noise, blocks and lines anywhere, spans that leave the picture: an answer, and no ink from nowhere."""
    random = np.random.default_rng(0)
    for _ in range(300):
        height, width = (int(side) for side in random.integers(1, 200, 2))
        share = random.choice([0.0, 0.1, 0.9, 1.0])
        mask = (random.random((height, width)) < share).astype(np.uint8)
        for _ in range(int(random.integers(0, 4))):
            start, end = (tuple(int(v) for v in random.integers(-20, 220, 2)) for _ in range(2))
            cv2.line(mask, start, end, 1, int(random.integers(1, 9)))
        left, top = random.uniform(-20, 150, 2)
        span = (left, top, left + random.uniform(0, 200), top + random.uniform(0, 100))
        tall = float(random.uniform(1, 90))
        assert is_struck_out(mask, span, tall) in (True, False)
        lifted = without_underlines(mask, [(span, tall)])
        assert (lifted <= mask).all()
