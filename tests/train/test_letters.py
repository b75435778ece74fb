"""Nothing is tied to ten digits: a set in EMNIST's layout, with its own label values and names."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgedigits_train import cli, fetch
from edgedigits_train.data import DataError, load_letters
from edgedigits_train.idx import idx_bytes

pytestmark = pytest.mark.usefixtures("uncompiled")

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def drawn(letter: str, random: np.random.Generator) -> np.ndarray:
    """One letter in OpenCV's stroke font, moved, scaled and turned a little."""
    picture = np.zeros((28, 28), np.uint8)
    cv2.putText(picture, letter, (5, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.75, 255, 2, cv2.LINE_AA)
    matrix = cv2.getRotationMatrix2D((14, 14), random.uniform(-8, 8), random.uniform(0.9, 1.05))
    matrix[:, 2] += random.uniform(-1, 1, 2)
    return np.asarray(cv2.warpAffine(picture, matrix, (28, 28)), np.uint8)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in EMNIST's layout: label values from 1, pictures transposed, names in a mapping."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("data") / "emnist-letters"
    folder.mkdir()
    for part, count in (("train", 2600), ("test", 520)):
        values = random.permutation(np.arange(count) % 26 + 1).astype(np.uint8)
        images = np.stack([drawn(NAMES[value - 1], random).T for value in values])
        for kind, array in (("images-idx3", images), ("labels-idx1", values)):
            path = folder / f"emnist-letters-{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(idx_bytes(array), mtime=0))
    lines = [f"{value} {64 + value} {96 + value}" for value in range(1, 27)]
    (folder / "emnist-letters-mapping.txt").write_text("\r\n".join(lines) + "\r\n")
    return folder


def test_names_values_and_orientation(letters: Path) -> None:
    data = load_letters(letters.parent)
    assert data.labels == tuple(NAMES)
    assert sorted(set(data.train_labels.tolist())) == list(range(26))
    assert data.published is None
    mean = data.train_images[data.train_labels == NAMES.index("L")].mean(axis=0)
    assert mean[:, :14].sum() > 2 * mean[:, 14:].sum()  # the L's upright is left …
    assert mean[14:].sum() > mean[:14].sum()  # … and its foot is below


def test_the_recipe_reads_letters(letters: Path, tmp_path: Path) -> None:
    text = (Path(cli.__file__).parent / "recipes" / "letters.toml").read_text()
    recipe = tmp_path / "letters.toml"
    recipe.write_text(text.replace("validation = 14800", "validation = 400"))
    out = tmp_path / "run"
    assert cli.main([str(recipe), "--data", str(letters), "--out", str(out), "--epochs", "15"]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["labels"] == list(NAMES)
    assert report["parameters"] == 784 * 128 + 128 + 128 * 26 + 26
    assert report["test"]["accuracy"] > 0.95
    assert report["calibration"]["pictures"] == 400
    assert cli.main(["report", str(out), "--data", str(letters)]) == 0
    report = json.loads((out / "report.json").read_text())
    assert np.array(report["confusion"]).shape == (26, 26)
    assert set(NAMES) < set(report["per_class"])


@pytest.mark.parametrize("mapping", ["", "1 65\n2 65\n", "1 x\n2 66\n", "1\n2\n", "1 65\n2 -7\n", "é"])
def test_a_mapping_that_is_none(mapping: str, letters: Path, tmp_path: Path) -> None:
    for path in letters.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "emnist-letters-mapping.txt").unlink()
    (tmp_path / "emnist-letters-mapping.txt").write_text(mapping)
    with pytest.raises(DataError, match=r"mapping\.txt: not a mapping") as caught:
        load_letters(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_value_without_a_name(letters: Path, tmp_path: Path) -> None:
    for path in letters.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "emnist-letters-mapping.txt").unlink()
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n")
    with pytest.raises(DataError, match="outside 1…2"):
        load_letters(tmp_path)


def test_the_mapping_is_asked_for(letters: Path, tmp_path: Path) -> None:
    for path in letters.glob("*.gz"):
        (tmp_path / path.name).symlink_to(path)
    with pytest.raises(DataError, match=r"emnist-letters-mapping\.txt"):
        load_letters(tmp_path)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and keeps no log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def archive(letters: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of an archive laid out as NIST's is, and its MD5."""
    folder = tmp_path / "served"
    folder.mkdir()
    with zipfile.ZipFile(folder / "gzip.zip", "w") as file:
        for path in letters.iterdir():
            file.write(path, f"gzip/{path.name}")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    checksum = hashlib.md5((folder / "gzip.zip").read_bytes()).hexdigest()
    yield f"http://127.0.0.1:{server.server_port}/gzip.zip", checksum
    server.shutdown()
    server.server_close()
    thread.join()


def test_fetched_once(letters: Path, archive: tuple[str, str], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    url, md5 = archive
    paths = fetch.letters(cache, url, md5)
    for path in paths.values():
        assert path.read_bytes() == (letters / path.name).read_bytes()
    assert not (cache / "gzip.zip").exists()
    assert fetch.letters(cache, "http://127.0.0.1:9/nowhere", md5) == paths


def test_another_archive_is_not_believed(archive: tuple[str, str], tmp_path: Path) -> None:
    url, _ = archive
    with pytest.raises(DataError, match=r"EMNIST can't be fetched.*other bytes.*mapping\.txt.*--data"):
        fetch.letters(tmp_path / "cache", url, "0" * 32)
    assert list((tmp_path / "cache").iterdir()) == []
