"""Cuts: offered where digits touch, free where they do not, leaning with the hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits.glyphs.cuts import CutSettings, find_cuts, parts_between


def rings(distance: int, slant: float = 0.0) -> NDArray[np.uint8]:
    """Return two 0s of 40×60 px, 5 px thick, their middles `distance` apart, leaning by `slant`."""
    field = np.zeros((60, 60 + distance), np.uint8)
    for x in (25, 25 + distance):
        cv2.ellipse(field, (x, 30), (17, 27), 0, 0, 360, 255, 5, cv2.LINE_AA)
    if slant:
        shear = np.array([[1, -slant, 30 * slant + 20], [0, 1, 0]])
        field = cv2.warpAffine(field, shear, (field.shape[1] + 40, 60)).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(field)
    return np.ascontiguousarray(field[y : y + h, x : x + w])


def test_between_digits_apart_the_cut_is_free() -> None:
    ink = rings(56)
    free = [cut for cut in find_cuts(ink) if cut.cost < 0.05]
    assert len(free) >= 1
    assert any(35 < cut.path.mean() < 60 for cut in free)


@pytest.mark.parametrize("slant", [-0.5, 0.0, 0.5])
def test_touching_digits_are_cut_at_the_joint(slant: float) -> None:
    """Two 0s whose sides touch: one of the offered cuts leaves a whole 0 on either side."""
    ink = rings(41, slant)
    parts = parts_between(ink, find_cuts(ink))
    total = int(ink.astype(int).sum())
    halves = [p for p in parts if abs(p.ink.astype(int).sum() / total - 0.5) < 0.06 and p.box[3] >= 52]
    assert any(p.start == 0 for p in halves)
    assert any(p.start != 0 for p in halves)


@pytest.mark.parametrize("slant", [-0.3, 0.0, 0.3])
def test_sides_that_have_grown_together_are_cut_from_notch_to_notch(slant: float) -> None:
    """Along the joint lies more ink than across the hollow of a 0, and yet that cut is offered."""
    ink = rings(36, slant)
    cuts = find_cuts(ink)
    parts = parts_between(ink, cuts)
    total = int(ink.astype(int).sum())
    halves = [p for p in parts if abs(p.ink.astype(int).sum() / total - 0.5) < 0.06 and p.box[3] >= 50]
    assert any(p.start == 0 for p in halves)
    assert any(p.stop == len(cuts) + 1 for p in halves)
    # A lone 0 has no notches, and gets no further cuts.
    lone = ink[:, : ink.shape[1] // 2]
    without = CutSettings(notch=10.0)
    assert len(find_cuts(lone)) == len(find_cuts(lone, without))
    assert len(find_cuts(ink, without)) < len(cuts)


def test_parts_tile_the_ink() -> None:
    """Between neighbouring cuts there is always a part, and together they hold each pixel once."""
    ink = rings(38)
    cuts = find_cuts(ink)
    parts = [p for p in parts_between(ink, cuts) if p.stop == p.start + 1]
    assert [(p.start, p.stop) for p in parts] == [(k, k + 1) for k in range(len(cuts) + 1)]
    assert sum(int(p.ink.astype(int).sum()) for p in parts) == int(ink.astype(int).sum())


def test_a_stroke_is_not_cut_along_its_length() -> None:
    bar = np.full((60, 30), 255, np.uint8)
    assert find_cuts(bar) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (50, 2), (3, 3), (3, 400)])
def test_tiny_and_thin_pieces(shape: tuple[int, int]) -> None:
    ink = np.full(shape, 200, np.uint8)
    parts = parts_between(ink, find_cuts(ink))
    assert parts[-1].stop >= 1


def test_never_more_cuts_than_allowed() -> None:
    comb = np.zeros((40, 2000), np.uint8)
    comb[:, ::8] = 255
    assert len(find_cuts(comb, CutSettings(most=25))) <= 25
