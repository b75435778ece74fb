"""Data sets: read as published, and refused with one line where something is wrong."""

from __future__ import annotations

import gzip
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgedigits_train.data import DataError, load, load_mnist
from edgedigits_train.fetch import MNIST
from edgedigits_train.idx import idx_bytes, read_idx

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = MNIST


@pytest.fixture
def folder(small_mnist: Path, tmp_path: Path) -> Path:
    """A copy of the small set that a test may damage."""
    return Path(shutil.copytree(small_mnist, tmp_path / "set"))


def rewrite(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    path = folder / f"{name}.gz"
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_mnist(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_mnist_as_published(data_set: Callable[[str], Path]) -> None:
    data = load_mnist(data_set("mnist"))
    assert data.published
    assert dict(data.checksums) == dict(MNIST)
    assert data.labels == tuple("0123456789")
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    assert data.train_images.dtype == data.train_labels.dtype == np.uint8
    # Class counts of the published training labels.
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.train_labels).tolist() == counts
    assert load_mnist(data_set("mnist").parent).published


def test_raw_files_and_the_setting(small_mnist: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MNIST:
        path = folder / f"{name}.gz"
        (folder / name).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    monkeypatch.setenv("EDGEDIGITS_DATA", str(folder))
    raw, packed = load_mnist(), load_mnist(small_mnist)
    np.testing.assert_array_equal(raw.train_images, packed.train_images)
    assert raw.checksums == packed.checksums
    assert not raw.published


def test_without_tensorflow() -> None:
    program = (
        "import sys, edgedigits_train.data; sys.exit('tensorflow' in sys.modules or 'tqdm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_idx_round_trip(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "x").write_bytes(idx_bytes(values))
    np.testing.assert_array_equal(read_idx(tmp_path / "x", 3)[0], values)


def test_missing_files_are_named_and_nothing_is_fetched(folder: Path) -> None:
    (folder / f"{TEST_LABELS}.gz").unlink()
    (folder / f"{TRAIN_IMAGES}.gz").unlink()
    message = refusal(folder)
    assert TEST_LABELS in message
    assert TRAIN_IMAGES in message
    assert TRAIN_LABELS not in message
    assert "--data" in message
    assert "EDGEDIGITS_DATA" in message


def test_missing_folder(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in refusal(tmp_path / "nowhere")


def test_unknown_set() -> None:
    with pytest.raises(DataError, match=r"imagenet.*mnist"):
        load("imagenet")


def test_gzip_cut_off(folder: Path) -> None:
    path = folder / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-1000])
    assert re.search(f"{TRAIN_IMAGES}.*cut off", refusal(folder))


def test_gzip_damaged(folder: Path) -> None:
    path = folder / f"{TRAIN_IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[5000:5100] = bytes(100)
    path.write_bytes(content)
    assert re.search(f"{TRAIN_IMAGES}.*damaged", refusal(folder))


def test_idx_cut_off(folder: Path) -> None:
    rewrite(folder, TRAIN_LABELS, lambda raw: raw[:-1])
    assert re.search(f"{TRAIN_LABELS}.*cut off", refusal(folder))


def test_idx_cut_off_in_the_header(folder: Path) -> None:
    rewrite(folder, TRAIN_IMAGES, lambda raw: raw[:10])
    assert re.search(f"{TRAIN_IMAGES}.*cut off within its header", refusal(folder))


def test_idx_too_long(folder: Path) -> None:
    rewrite(folder, TEST_IMAGES, lambda raw: raw + b"\0")
    assert re.search(f"{TEST_IMAGES}.*longer", refusal(folder))


def test_a_header_that_promises_the_world(folder: Path) -> None:
    rewrite(folder, TEST_IMAGES, lambda raw: raw[:4] + b"\xff" * 12 + raw[16:])
    assert re.search(f"{TEST_IMAGES}.*cut off", refusal(folder))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"\0"])
def test_wrong_magic_number(folder: Path, content: bytes) -> None:
    rewrite(folder, TEST_IMAGES, lambda raw: content)
    assert re.search(f"{TEST_IMAGES}.*not an idx file", refusal(folder))


def test_wrong_type_code(folder: Path) -> None:
    rewrite(folder, TEST_IMAGES, lambda raw: raw[:2] + b"\x0d" + raw[3:])
    assert re.search(f"{TEST_IMAGES}.*type 0x0d", refusal(folder))


def test_swapped(folder: Path) -> None:
    images, labels = folder / f"{TRAIN_IMAGES}.gz", folder / f"{TRAIN_LABELS}.gz"
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    assert re.search(f"{TRAIN_IMAGES}.*holds labels where pictures are expected.*swapped", refusal(folder))


def test_unequal_counts(folder: Path) -> None:
    rewrite(folder, TRAIN_LABELS, lambda raw: struct.pack(">II", 0x801, 1000) + raw[8:1008])
    assert re.search(f"{TRAIN_LABELS}.*1000 labels for the 1297 pictures", refusal(folder))


def test_label_out_of_range(folder: Path) -> None:
    rewrite(folder, TEST_LABELS, lambda raw: raw[:20] + b"\x0a" + raw[21:])
    assert re.search(f"{TEST_LABELS}.*label 10 at index 12 is outside 0…9", refusal(folder))


def test_no_pictures(folder: Path) -> None:
    rewrite(folder, TEST_IMAGES, lambda raw: struct.pack(">IIII", 0x803, 0, 28, 28))
    rewrite(folder, TEST_LABELS, lambda raw: struct.pack(">II", 0x801, 0))
    assert re.search(f"{TEST_IMAGES}.*no pictures", refusal(folder))


def test_pictures_of_two_sizes(folder: Path) -> None:
    rewrite(folder, TEST_IMAGES, lambda raw: struct.pack(">IIII", 0x803, 500, 14, 56) + raw[16:])
    assert re.search(f"{TEST_IMAGES}.*14×56.*28×28", refusal(folder))


def test_a_folder_in_place_of_a_file_is_missing(folder: Path) -> None:
    path = folder / f"{TRAIN_IMAGES}.gz"
    path.unlink()
    path.mkdir()
    assert TRAIN_IMAGES in refusal(folder)
