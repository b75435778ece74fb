"""Rings of ink: a zero is offered whole, whatever it shares with its neighbours or drags along."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits import Reader
from edgedigits.glyphs.cuts import find_cuts, parts_between
from edgedigits.glyphs.rings import find_rings, rings_of


def zeros(apart: int, count: int = 2, hooked: bool = False) -> NDArray[np.uint8]:
    """Return 0s of 34×54 px, 5 px thick, their middles so far apart, as ink cropped to its box.

    Hooked ones are joined by a stroke from the top of each to the top of the next.
    """
    field = np.zeros((80, 80 + apart * (count - 1)), np.uint8)
    for k in range(count):
        x = 30 + k * apart
        cv2.ellipse(field, (x, 40), (17, 27), 0, 0, 360, 255, 5, cv2.LINE_AA)
        if hooked and k + 1 < count:
            bend = np.array([[x, 13], [x + apart // 2, 24], [x + apart - 8, 18]])
            cv2.polylines(field, [bend], False, 255, 4, cv2.LINE_AA)
    x, y, w, h = cv2.boundingRect(field)
    return np.ascontiguousarray(field[y : y + h, x : x + w])


@pytest.mark.parametrize("apart", [30, 34, 39])
def test_zeros_that_share_their_sides_are_offered_whole(apart: int) -> None:
    ink = zeros(apart)
    cuts = find_cuts(ink)
    rings = find_rings(ink, cuts, 59.0)
    whole = [ring for ring in rings if ring.box[3] >= 56]
    assert len(whole) == 2
    for ring in whole:
        lone = zeros(0, 1)
        own = ring.ink[:, : lone.shape[1]] if ring.box[0] == 0 else ring.ink[:, -lone.shape[1] :]
        seen = cv2.resize(lone, own.shape[::-1]) > 128
        assert (seen & (own > 128)).sum() > 0.85 * seen.sum()
    offered = {number for part in parts_between(ink, cuts, 59.0) for number, _ in rings_of(part, rings)}
    assert offered >= {rings.index(ring) for ring in whole}


def test_a_ring_leaves_out_what_stands_beside_it() -> None:
    """A 1 in front of a 0, too near to be cut off: as a zero the two leave a 1 unexplained."""
    zero = zeros(0, 1)
    (part,) = parts_between(zero, [], 59.0)
    ((_, left_out),) = rings_of(part, find_rings(zero, [], 59.0))
    assert left_out < 0.01 * (zero > 0).sum()
    ink = np.zeros((zero.shape[0], zero.shape[1] + 12), np.uint8)
    ink[:, 12:] = zero
    ink[:, :5] = 255
    (part,) = parts_between(ink, [], 59.0)
    ((_, left_out),) = rings_of(part, find_rings(ink, [], 59.0))
    assert left_out >= 0.6 * (ink[:, :5] > 0).sum()


def test_a_loop_lower_than_its_part_is_no_zero() -> None:
    """That of a 9 or a 6."""
    ink = np.zeros((60, 34), np.uint8)
    cv2.ellipse(ink, (16, 16), (12, 12), 0, 0, 360, 255, 5, cv2.LINE_AA)
    cv2.line(ink, (28, 16), (24, 58), 255, 5, cv2.LINE_AA)
    (part,) = parts_between(ink, [], 60.0)
    assert rings_of(part, find_rings(ink, [], 60.0)) == []


def test_paper_that_is_not_enclosed_is_no_ring() -> None:
    ink = zeros(0, 1)
    ink[:20, 14:22] = 0
    assert find_rings(ink, [], 59.0) == []


def test_the_rings_of_a_long_chain_take_little_memory() -> None:
    """Each knows of what is near it, and not of the whole chain."""
    ink = zeros(36, 200)
    cuts = find_cuts(ink)
    tracemalloc.start()
    try:
        found = find_rings(ink, cuts, 59.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len([ring for ring in found if ring.box[3] >= 56]) == 200
    # The paper's labels and distances take some 15 times what the ink does; a mask for each ring would 200.
    assert peak < 40 * ink.nbytes, peak / ink.nbytes


def test_what_has_ink_in_its_midst_is_no_ring() -> None:
    """A face has eyes; a speck of dirt is not much."""
    ink = np.zeros((80, 80), np.uint8)
    cv2.circle(ink, (40, 40), 36, 255, 5, cv2.LINE_AA)
    ink[38, 40] = 255
    assert len(find_rings(ink, [], 80.0)) == 1
    for x in (28, 52):
        cv2.circle(ink, (x, 34), 6, 255, -1)
    assert find_rings(ink, [], 80.0) == []


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(way="glyph")


def on_strip(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    strip = np.zeros((ink.shape[0] + 24, ink.shape[1] + 60), np.uint8)
    strip[12:-12, 30:-30] = ink
    return np.asarray(235 - 0.8 * strip.astype(np.float32), np.float32).astype(np.uint8)


@pytest.mark.parametrize("apart", [34, 46])
def test_a_row_of_zeros_written_in_one_is_read(reader: Reader, apart: int) -> None:
    row = zeros(apart, 3, hooked=apart > 40)
    ink = np.zeros((row.shape[0], row.shape[1] + 30), np.uint8)
    ink[:, 30:] = row
    cv2.line(ink, (14, 3), (8, ink.shape[0] - 4), 255, 5, cv2.LINE_AA)
    lines = reader.read(on_strip(ink), upright=True).lines
    assert [line.readings[0][0] for line in lines] == ["1000"]


def test_digits_beside_a_zero_are_not_swallowed(reader: Reader) -> None:
    """A 3 that touches a 0: the ring alone would leave it out."""
    ink = np.zeros((66, 100), np.uint8)
    for y, start, stop in ((18, 200, 450), (45, -90, 160)):
        cv2.ellipse(ink, (26, y), (17, 13), 0, start, stop, 255, 5, cv2.LINE_AA)
    cv2.ellipse(ink, (62, 32), (18, 27), 0, 0, 360, 255, 5, cv2.LINE_AA)
    lines = reader.read(on_strip(ink), upright=True).lines
    assert [line.readings[0][0] for line in lines] == ["30"]
