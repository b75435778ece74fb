"""Reading MNIST's files: where they are looked for, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.export.making import write_idx

from edgedigits_export.data import Pictures, read_mnist
from edgedigits_export.errors import DataError

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


@pytest.fixture(autouse=True)
def _nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_folder_or_the_one_above_it(small_set: Path) -> None:
    pictures = read_mnist("test", small_set)
    assert (pictures.name, len(pictures), pictures.images.shape) == ("mnist-test", 120, (120, 28, 28))
    assert np.array_equal(read_mnist("test", small_set / "mnist").images, pictures.images)
    assert read_mnist("train", small_set).md5 != pictures.md5


def test_compressed_files_are_the_same(small_set: Path) -> None:
    before = read_mnist("test", small_set)
    for name in (IMAGES, LABELS):
        path = small_set / "mnist" / name
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    after = read_mnist("test", small_set)
    assert np.array_equal(after.images, before.images)
    assert after.md5 == before.md5


def test_the_setting_then_the_cache(small_set: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{IMAGES}\[.gz\] is not in .*the cache.*--data or EDGEDIGITS_DATA"):
        read_mnist("test")
    (tmp_path / "cache" / "edgedigits").mkdir(parents=True)
    (small_set / "mnist").rename(tmp_path / "cache" / "edgedigits" / "mnist")
    assert len(read_mnist("test")) == 120
    monkeypatch.setenv("EDGEDIGITS_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="EDGEDIGITS_DATA"):
        read_mnist("test")


def test_published_checksum(test_pictures: Pictures) -> None:
    assert test_pictures.md5 == "2646ac647ad5339dbf082846283269ea"
    assert np.bincount(test_pictures.labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (IMAGES, b"", "not an idx file"),
        (IMAGES, b"\0\0\x08\x01\0\0\0\x01a", "not an idx file of 3"),
        (IMAGES, b"\0\0\x08\x03" + b"\0\0\0\x02\0\0\0\x1c\0\0\0\x1c" + bytes(100), "100 bytes where"),
        (IMAGES, b"\0\0\x08\x03" + b"\xff" * 12 + bytes(100), "100 bytes where"),
        (IMAGES, gzip.compress(bytes(99))[:-9], "damaged or cut off"),
        (IMAGES, b"\x1f\x8bno gzip at all", "damaged or cut off"),
        (LABELS, b"\0\0\x08\x01\0\0\0\x01\x04", "120 pictures, but 1 labels"),
        (LABELS, b"\0\0\x08\x01\0\0\0\x78" + b"\x0a" * 120, "a label of 10"),
    ],
)
def test_files_that_are_no_good(small_set: Path, name: str, content: bytes, said: str) -> None:
    (small_set / "mnist" / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_mnist("test", small_set)
    assert "\n" not in str(caught.value)


def test_pictures_of_another_size(small_set: Path) -> None:
    write_idx(small_set / "mnist" / IMAGES, np.zeros((120, 16, 16), np.uint8))
    with pytest.raises(DataError, match="16×16 where 28×28"):
        read_mnist("test", small_set)


def test_truth_goes_by_the_texts_of_the_labels() -> None:
    pictures = Pictures("x", np.zeros((3, 28, 28), np.uint8), np.array([0, 9, 1], np.uint8), "")
    assert pictures.truth(tuple("9x10")).tolist() == [3, 0, 2]
    with pytest.raises(DataError, match="pictures of '9', and the model reads only 0 1"):
        pictures.truth(("0", "1"))
