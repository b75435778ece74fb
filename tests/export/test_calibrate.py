"""The calibration sample is pinned."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits.card import read_card
from edgedigits.model import Model
from edgedigits_export.calibrate import crops_from, draw_sample, sample_crops, unlike
from edgedigits_export.cli import main
from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError

Images = NDArray[np.uint8]

NUMBERED = Pictures(
    "numbered",
    np.repeat(np.arange(1000, dtype=np.uint16).view(np.uint8), 392).reshape(1000, 28, 28),
    np.zeros(1000, np.uint8),
    "md5 of the file",
)


def numbers(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[int]:
    flat = images.reshape(len(images), 784).astype(int)
    return (flat[:, 0] + 256 * flat[:, 392]).tolist()


def test_the_same_seed_draws_the_same_pictures_and_says_which() -> None:
    sample, again, other = draw_sample(NUMBERED, 0), draw_sample(NUMBERED, 0), draw_sample(NUMBERED, 1)
    drawn = numbers(sample.images)
    assert len(drawn) == len(set(drawn)) == 500
    assert np.array_equal(sample.images, again.images)
    assert sorted(drawn) != sorted(numbers(other.images))
    assert sample.origin == {
        "source": "numbered",
        "md5": "md5 of the file",
        "seed": 0,
        "count": 500,
        "indices_sha256": hashlib.sha256(np.array(drawn, "<u4").tobytes()).hexdigest(),
    }


def test_too_few_pictures() -> None:
    with pytest.raises(DataError, match="1000 pictures where 1001"):
        draw_sample(NUMBERED, 0, 1001)


def page_of(digits: Images, path: Path) -> None:
    """Write a page of digits, dark on light, 12 in a row."""
    page = np.full((60 * ((len(digits) + 11) // 12) + 40, 12 * 56 + 60), 235, np.uint8)
    for i, digit in enumerate(digits):
        big = cv2.resize(digit, (48, 48), interpolation=cv2.INTER_LINEAR)
        y, x = 20 + 60 * (i // 12), 30 + 56 * (i % 12)
        page[y : y + 48, x : x + 48] -= (big * 0.8).astype(np.uint8)
    cv2.imwrite(str(path), page)


def test_crops_come_from_the_pictures_as_the_device_reads_them(
    tmp_path: Path, test_pictures: Pictures
) -> None:
    page_of(test_pictures.images[:96], tmp_path / "page.png")
    crops = crops_from(tmp_path)
    assert (crops.dtype, crops.shape[1:]) == (np.uint8, (28, 28))
    assert 90 <= len(crops) <= 102
    # They are the digits that were drawn, and read like them.
    assert (Model("paper-int8").probabilities(crops).max(axis=1) > 0.5).mean() > 0.9
    sample = sample_crops(crops, seed=2, count=60)
    assert len(sample.images) == sample.origin["count"] == 60
    assert sample.origin == sample_crops(crops, seed=2, count=60).origin
    assert sample.origin != sample_crops(crops, seed=3, count=60).origin
    assert str(tmp_path) not in str(sample.origin)


def test_too_few_digits_to_calibrate_with(tmp_path: Path, test_pictures: Pictures) -> None:
    page_of(test_pictures.images[:3], tmp_path / "page.png")
    with pytest.raises(DataError, match=r"3 digits are found .* 50 are the fewest"):
        crops_from(tmp_path)


def test_a_folder_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures"):
        crops_from(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a\.png"):
        crops_from(tmp_path)


def test_digits_that_look_otherwise_are_told(test_pictures: Pictures) -> None:
    training = test_pictures.images[1000:4000]
    assert unlike(test_pictures.images[:300], training) == ()
    pictures = test_pictures.images[:300]
    fat = np.array([cv2.dilate(image, np.ones((5, 5), np.uint8)) for image in pictures], np.uint8)
    assert any("pixels of ink" in line for line in unlike(fat, training))
    blurred = np.array([cv2.GaussianBlur(image, (0, 0), 2.5) for image in pictures], np.uint8)
    assert any("grey" in line for line in unlike(blurred, training))


def test_the_command_calibrates_with_them(
    tmp_path: Path,
    tiny_run: Path,
    small_set: Path,
    test_pictures: Pictures,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "own").mkdir()
    page_of(test_pictures.images[:72], tmp_path / "own" / "page.png")
    command = ["convert", str(tiny_run), "--out", str(tmp_path / "out"), "--formats", "int8"]
    assert main([*command, "--data", str(small_set), "--representative", str(tmp_path / "own")]) == 0
    card = read_card(tmp_path / "out" / "tiny-int8.tflite")
    assert card.representative["source"] == "own pictures"
    # The training pictures of the small set are noise, which digits don't look like.
    assert "warning: your digits have" in capsys.readouterr().err
