"""The pictures that calibration and validation need: MNIST's idx files, as they are published.

For models for the characters of strips they are files of the same names that the trainer writes. Export
reads a data set by its files only and does not fetch any; the trainer does that. Source of the format:
Y. LeCun, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Way
from edgedigits_export.errors import DataError

SETTING = "EDGEDIGITS_DATA"
"""The environment variable that names the data folder where `--data` does not."""

Part = Literal["train", "test"]

NOT_A_DIGIT = "not a digit"

_FILES: dict[Part, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_MOST = 1 << 30  # bytes; a damaged or hostile gzip file may go on for ever


@dataclass(frozen=True)
class Pictures:
    """Digits with their labels.

    `images`: uint8, N×28×28, 0…255, ink bright. `labels`: uint8, N, each an index into `classes`, the texts
    that the digits stand for. `name` is what reports and cards call them; `md5` is that of the uncompressed
    picture file.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    md5: str
    classes: tuple[str, ...] = tuple("0123456789")

    def __len__(self) -> int:
        return len(self.labels)

    def truth(self, labels: tuple[str, ...]) -> NDArray[np.intp]:
        """Return each picture's class as an index into a model's labels.

        Raises `DataError` where there are pictures of a class that is not among the labels.
        """
        for index in np.unique(self.labels):
            if self.classes[index] not in labels:
                raise DataError(
                    f"{self.name}: has pictures of '{self.classes[index]}', and the model reads only "
                    f"{' '.join(labels)}; choose pictures or models that fit"
                )
        places = [labels.index(text) if text in labels else -1 for text in self.classes]
        return np.array(places, np.intp)[self.labels]


def read_mnist(part: Part, data: Path | None = None) -> Pictures:
    """Read MNIST's training or test part.

    Looked for in `data`/mnist and `data`; without `data` in the folder that EDGEDIGITS_DATA names, the same
    way; without that in the user's cache, where the trainer puts what it fetches.

    Raises `DataError` where the files are not there, are damaged, or hold something else.
    """
    return _read_set("mnist", "MNIST's folder", part, data, tuple("0123456789"))


def read_characters(part: Part, data: Path | None = None) -> Pictures:
    """Read the training or test part of the characters of strips, as `edgedigits-train strip` writes them.

    Looked for as `read_mnist` does, in the subfolder `characters`; raises likewise.
    """
    return _read_set("characters", "the folder of characters", part, data, (*"0123456789", NOT_A_DIGIT))


def pictures_for(way: Way, part: Part, data: Path | None = None) -> Pictures:
    """Read the pictures that models for a way of reading, "glyph" or "character", are made and measured with.

    Raises `DataError` as `read_mnist` does.
    """
    return read_characters(part, data) if way == "character" else read_mnist(part, data)


def _read_set(name: str, folder: str, part: Part, data: Path | None, classes: tuple[str, ...]) -> Pictures:
    images_path, labels_path = (_find(file, name, folder, data) for file in _FILES[part])
    images, md5 = _read_idx(images_path, 3)
    labels, _ = _read_idx(labels_path, 1)
    if images.shape[1:] != (28, 28):
        raise DataError(
            f"{images_path}: pictures of {images.shape[1]}×{images.shape[2]} where 28×28 are expected; "
            "name a folder with MNIST's own files"
        )
    if len(images) != len(labels):
        raise DataError(
            f"{images_path}: {len(images)} pictures, but {len(labels)} labels in {labels_path.name}; "
            "fetch both files again"
        )
    if len(labels) and labels.max() >= len(classes):
        raise DataError(f"{labels_path}: a label of {labels.max()} where digits are expected; fetch it again")
    return Pictures(f"{name}-{part}", images, labels, md5, classes)


def _folders(name: str, data: Path | None) -> tuple[list[Path], str]:
    """Return the folders to look for a set in and, for the message, where they come from."""
    if data is not None:
        return [data / name, data], "--data"
    setting = os.environ.get(SETTING)
    if setting:
        return [Path(setting) / name, Path(setting)], SETTING
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [cache / "edgedigits" / name], "the cache"


def _find(file: str, name: str, what: str, data: Path | None) -> Path:
    folders, origin = _folders(name, data)
    for folder in folders:
        for path in (folder / file, folder / f"{file}.gz"):
            if path.is_file():
                return path
    raise DataError(
        f"{file}[.gz] is not in {' or '.join(map(str, folders))} ({origin}); name {what} with "
        f"--data or {SETTING}, or let edgedigits-train {'fetch' if name == 'mnist' else 'write'} it"
    )


def _read_idx(path: Path, dimensions: int) -> tuple[NDArray[np.uint8], str]:
    raw = _read(path)
    header = 4 + 4 * dimensions
    if len(raw) < header or raw[:4] != bytes([0, 0, 8, dimensions]):
        raise DataError(f"{path}: not an idx file of {dimensions} dimensions; fetch it again")
    shape = struct.unpack(f">{dimensions}I", raw[4:header])
    if len(raw) - header != int(np.prod(shape, dtype=object)):
        raise DataError(
            f"{path}: {len(raw) - header} bytes where {shape} values are announced; fetch it again"
        )
    values = np.frombuffer(raw, np.uint8, offset=header).reshape(shape)
    return values, hashlib.md5(raw, usedforsecurity=False).hexdigest()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                file.seek(0)
                return file.read(_MOST)
            file.seek(0)
            with gzip.open(file) as stream:
                return stream.read(_MOST)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged or cut off ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: can't read it ({error.strerror}); check the file") from error
