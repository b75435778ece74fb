"""The shipped sample photographs are those that the script composes from the MNIST test digits."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import edgedigits
from edgedigits_train import samples

SHIPPED = Path(edgedigits.__file__).parent / "samples"


def test_the_shipped_samples_are_reproduced(data_set: Callable[[str], Path], tmp_path: Path) -> None:
    assert samples.main(["--out", str(tmp_path), "--data", str(data_set("mnist"))]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in SHIPPED.iterdir())
    assert (tmp_path / "samples.csv").read_bytes() == (SHIPPED / "samples.csv").read_bytes()
    for path in tmp_path.glob("*.jpg"):
        # Another version of a library may encode or round differently; the picture is the same.
        with Image.open(path) as again, Image.open(SHIPPED / path.name) as shipped:
            assert again.getexif().get(0x0112) == shipped.getexif().get(0x0112)
            difference = np.abs(np.asarray(again, int) - np.asarray(shipped, int))
        assert difference.mean() < 3


def test_sizes() -> None:
    sizes = [p.stat().st_size for p in SHIPPED.glob("*.jpg")]
    assert 4 <= len(sizes) <= 6
    assert max(sizes) <= 80_000
    assert sum(sizes) <= 350_000


def test_one_lies_on_its_side() -> None:
    with Image.open(SHIPPED / "6-portrait.jpg") as picture:
        assert picture.size == (800, 600)
        assert ImageOps.exif_transpose(picture).size == (600, 800)


def test_the_true_text_is_complete() -> None:
    rows = list(csv.DictReader(io.StringIO((SHIPPED / "samples.csv").read_text())))
    patterns = {f"{scene.name}.jpg": scene.lines for scene in samples.SCENES}
    assert {row["file"] for row in rows} == {p.name for p in SHIPPED.glob("*.jpg")} == set(patterns)
    for row in rows:
        pattern = patterns[row["file"]][int(row["line"])].replace(" ", "")
        assert "".join("d" if c.isdecimal() else c for c in row["raw"]) == pattern
        assert row["text"] == row["raw"].replace(".", "").replace("-", "")


@pytest.fixture
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return three blobs in place of MNIST."""
    images = np.zeros((3, 28, 28), np.uint8)
    images[:, 4:24, 10:18] = 255
    return images, np.arange(3, dtype=np.uint8)


def test_the_same_seed_gives_the_same_bytes(digits: tuple[np.ndarray, np.ndarray]) -> None:
    def first(seed: int) -> samples.Sample:
        return samples.compose(samples.SCENES[2], *digits, np.random.default_rng(seed))

    assert first(1) == first(1)
    assert first(1).jpeg != first(2).jpeg


def test_a_folder_that_cannot_be_made_is_named(
    small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert samples.main(["--out", str(tmp_path / "file"), "--data", str(small_mnist)]) == 1
    assert "a file of that name is there" in capsys.readouterr().err
    assert samples.main(["--out", str(tmp_path / "out"), "--data", str(tmp_path)]) == 1
    assert "train-images-idx3-ubyte" in capsys.readouterr().err
