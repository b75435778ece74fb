"""Fields of another tint than the paper: found where they are, and what is written in them is read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.edge.drawing import paper, write

from edgedigits import Reader
from edgedigits.frames.demo import digits
from edgedigits.ink import dark_on_light, find_ink
from edgedigits.ink.tints import find_tints

Image = NDArray[np.uint8]

TALL = 60
"""Height of a field, in pixels."""


def field(text: str, level: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a field with a fine printed pattern and MNIST's digits on it."""
    image = np.full((TALL, 50 + 36 * len(text)), float(level))
    for y in range(-TALL, TALL, 7):
        cv2.line(image, (0, y), (image.shape[1], y + 30), 0.93 * level, 1, cv2.LINE_AA)
    for k, label in enumerate(text):
        tile = digits()[int(label), rng.integers(10)].astype(np.float32)
        ink = np.clip(cv2.resize(tile, (40, 40), interpolation=cv2.INTER_CUBIC), 0, 255) / 255
        image[10:50, 22 + 36 * k : 62 + 36 * k] *= 1 - 0.7 * ink
    return image


def form(level: int, seed: int, light: float = 0.0) -> tuple[Image, list[str], list[tuple[int, ...]]]:
    """Return a white sheet with three fields, the light falling off; their texts and boxes."""
    rng = np.random.default_rng(seed)
    image = np.full((480, 640), 250.0)
    texts, boxes = [], []
    for top in (60, 200, 340):
        texts.append("".join(str(digit) for digit in rng.integers(0, 10, 5)))
        one = field(texts[-1], level, rng)
        left = int(rng.integers(40, 640 - one.shape[1] - 40))
        image[top : top + TALL, left : left + one.shape[1]] = one
        boxes.append((left, top, left + one.shape[1], top + TALL))
    image *= np.linspace(1, 1 - light, 640)
    seen = cv2.GaussianBlur(image + rng.normal(0, 2, image.shape), (0, 0), 0.7)
    return np.clip(seen, 0, 255).astype(np.uint8), texts, boxes


@pytest.mark.parametrize(("level", "light"), [(225, 0.0), (170, 0.0), (120, 0.0), (170, 0.4)])
def test_fields_are_found_where_they_are(level: int, light: float) -> None:
    for seed in range(4):
        image, _, boxes = form(level, seed, light)
        found = find_tints(image)
        assert len(found) == len(boxes)
        for tint, box in zip(sorted(found, key=lambda tint: tint.top), boxes, strict=True):
            assert np.abs(np.subtract((tint.left, tint.top, tint.right, tint.bottom), box)).max() <= 1
            assert tint.level / tint.paper == pytest.approx(level / 250, abs=0.05)


@pytest.mark.parametrize("way", ["glyph", "strip", "auto"])
def test_what_is_written_in_fields_is_read(way: str) -> None:
    """In tints of any depth, at its own size and in more pixels than are looked at: 42 of 48 at least."""
    reader = Reader(way=way)  # type: ignore[arg-type]
    right = 0
    for seed in range(4):
        for factor, level in ((1, 170), (4, 170), (1, 225), (1, 120)):
            image, texts, _ = form(level, seed)
            large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
            read = [line.text for line in reader.read(np.asarray(large, np.uint8)).lines]
            right += sum(text in read for text in texts)
    assert right >= 42


def test_the_levelled_picture_is_paper_but_for_the_ink() -> None:
    image, _, boxes = form(150, 0)
    ink = find_ink(image)
    levelled = dark_on_light(image, ink)
    for left, top, right, bottom in boxes:
        around = levelled[top - 6 : bottom + 6, left - 6 : right + 6]
        assert np.mean(around > 210) > 0.75
        # No edge is left, and no more.
        assert (levelled[top - 6 : top + 6, left - 6 : left + 12] > 200).all()
    np.testing.assert_array_equal(levelled[:50], image[:50])


def test_what_is_no_field_is_left_alone() -> None:
    """Writing, bold strokes, a box's frame, a sheet on a desk, a shadow: their brightness stays as it is."""
    written = write(paper(480, 640, level=240), "3817", (40, 120))[..., 0]
    bold = np.full((200, 200), 240, np.uint8)
    bold[40:160, 80:115] = 50
    frame = np.full((200, 300), 240, np.uint8)
    cv2.rectangle(frame, (60, 60), (240, 140), 120, 3)
    blank = np.full((300, 400), 240, np.uint8)
    blank[100:160, 100:300] = 180  # nothing is written in it
    desk = np.full((480, 640), 80, np.uint8)
    desk[120:330, 170:480] = write(paper(210, 310), "3817", (20, 120))[..., 0]
    shadow = (written * np.where(np.arange(640) < 200, 0.6, 1.0)).astype(np.uint8)
    for image in (written, bold, frame, blank, desk, shadow):
        assert find_tints(np.ascontiguousarray(image)) == ()
