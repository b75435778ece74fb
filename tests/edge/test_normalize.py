"""The centring is MNIST's own: applied to MNIST it changes nothing, and what it makes measures the same."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits.normalize import BOX, SIZE, ink_box, normalize, normalize_all


@pytest.fixture(scope="module")
def mnist(data_set: Callable[[str], Path]) -> NDArray[np.uint8]:
    raw = gzip.decompress((data_set("mnist") / "t10k-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, SIZE, SIZE)


def moments(image: NDArray[np.uint8]) -> tuple[float, float]:
    m = cv2.moments(image)
    return m["m10"] / m["m00"], m["m01"] / m["m00"]


def test_mnist_is_a_fixed_point(mnist: NDArray[np.uint8]) -> None:
    """10,000 test digits: within one grey level (the stretch to 255) in at least 99.9 %."""
    again = np.stack([normalize(image) for image in mnist])
    change = np.abs(again.astype(int) - mnist).reshape(len(mnist), -1).max(axis=1)
    assert (change <= 1).mean() >= 0.999


def as_nist(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Redraw a digit as NIST's scans were: larger, black and white, somewhere on a larger field."""
    drawn = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    field = np.zeros((drawn.shape[0] + 37, drawn.shape[1] + 11), np.uint8)
    field[30 : 30 + drawn.shape[0], 3 : 3 + drawn.shape[1]] = np.where(drawn > 127, 255, 0)
    return field


@pytest.mark.parametrize("factor", [2.5, 4.0, 9.0])
def test_any_size_and_place_gives_the_same_digit(mnist: NDArray[np.uint8], factor: float) -> None:
    """Up to one pixel of shift (a centre of mass near a rounding edge), digits come back as they were."""
    errors = []
    for image in mnist[:200]:
        crop = normalize(as_nist(image, factor)).astype(int)
        shifts = [np.roll(crop, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        errors.append(min(np.abs(shifted - image).mean() for shifted in shifts))
    # A digit shifted by half a pixel differs by more than 10; another digit by more than 40.
    assert np.mean(errors) < 6


def test_oracle_figures(mnist: NDArray[np.uint8]) -> None:
    """What MNIST measures, crops from scans four times as large measure too."""
    crops = [normalize(as_nist(image, 4)) for image in mnist[:2000]]
    sides = np.array([max(ink_box(crop)[2:]) for crop in crops])
    assert (sides == BOX).mean() >= 0.999
    assert all(crop.max() >= 254 for crop in crops)
    centres = np.array([moments(crop) for crop in crops])
    assert centres.min() >= 13.45
    assert centres.max() <= 14.55
    area = np.percentile([np.count_nonzero(crop > 127) for crop in crops], [5, 50, 95])
    np.testing.assert_allclose(area, [52, 101, 165], rtol=0.08)


def test_greys_are_kept(mnist: NDArray[np.uint8]) -> None:
    """Anti-aliased edges survive: a binarized crop would have no greys."""
    enlarged = cv2.resize(mnist[0], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    crop = normalize(enlarged)
    assert ((crop > 20) & (crop < 235)).sum() > 20


def test_aspect_is_kept() -> None:
    tall = np.zeros((90, 60), np.uint8)
    tall[5:85, 20:44] = 255  # 80 × 24
    _, _, width, height = ink_box(normalize(tall))
    assert (width, height) == (6, 20)


@pytest.mark.parametrize("place", [(0, 0), (30, 44)])
def test_faint_ink_is_stretched(place: tuple[int, int]) -> None:
    faint = np.zeros((80, 90), np.uint8)
    y, x = place
    faint[y : y + 30, x : x + 4] = 60
    crop = normalize(faint)
    assert crop.max() == 255
    assert moments(crop) == pytest.approx((14, 14), abs=0.51)


def test_ink_is_never_cut_off() -> None:
    """A centre of mass far off the middle may not push the rest out of the field."""
    flag = np.zeros((60, 60), np.uint8)
    flag[0:12, 0:60] = 255
    flag[:, 0:1] = 30
    crop = normalize(flag)
    assert ink_box(crop)[3] == BOX


def test_glyphs_do_not_influence_each_other() -> None:
    rng = np.random.default_rng(0)
    faint = np.pad(rng.integers(1, 40, (5, 30), dtype=np.uint8), 7)
    inks = [rng.integers(0, 256, (40, 23), dtype=np.uint8), np.zeros((9, 4), np.uint8), faint]
    together = normalize_all(inks)
    assert together.shape == (3, SIZE, SIZE)
    np.testing.assert_array_equal(together, [normalize(ink) for ink in inks])
    assert normalize_all([]).shape == (0, SIZE, SIZE)


def test_a_piece_as_long_as_a_strip_takes_little_memory() -> None:
    """A square around it would be 3.6 GB."""
    ink = np.full((60, 30_000), 255, np.uint8)
    tracemalloc.start()
    try:
        crop = normalize(ink)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6, peak
    assert ink_box(crop)[2] == BOX
    assert ink_box(crop)[3] <= 2


def test_nothing_gives_nothing() -> None:
    assert not normalize(np.zeros((5, 7), np.uint8)).any()


def test_a_speck_stays_small() -> None:
    speck = np.zeros((20, 20), np.uint8)
    speck[9:11, 9:11] = 255
    assert max(ink_box(normalize(speck))[2:]) <= 6
