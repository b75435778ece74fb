"""What a run leaves behind, as a folder: taking it, and loading the network that is in it."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from edgedigits.errors import EdgeDigitsError
from edgedigits.files import make_folder, write_atomically

REPORT = "report.json"
"""Written last: a folder that has it is a finished run."""


UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, tf.errors.OpError)
"""What reading a run raises where its files are cut off, changed, or none at all."""

ADDED = ("per_class", "confusion", "confusions")
"""Entries of a report that the command `report` adds to it."""


class RunError(EdgeDigitsError):
    """A run folder or a recipe that doesn't fit what is asked of it."""


def kind(folder: Path) -> str:
    """Return what a run trained a network for: a "glyph", a "strip", or a "character" of a strip."""
    try:
        return str(json.loads((folder / REPORT).read_text("utf-8")).get("kind", "glyph"))
    except (OSError, ValueError, AttributeError):
        return "glyph"  # whoever loads it says what is wrong with it


@functools.cache
def load_run(folder: Path) -> tuple[Callable[[tf.Tensor], tf.Tensor], tuple[str, ...]]:
    """Return a finished run's network and its labels.

    The network takes pixels [n, pixels] and returns logits [n, classes]; that of a run for strips takes
    strips [n, 40, width, 1] and returns [n, 1, steps, labels + 1]. All are float32, what it takes 0…1.

    Raises `RunError` where the folder holds no finished run.
    """
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
        served = tf.saved_model.load(str(folder / "model"))
        logits = served.signatures["logits"]
        (name,) = logits.structured_input_signature[1]
        labels = tuple(str(label) for label in report["labels"])
    except UNREADABLE as error:
        raise RunError(f"{folder}: holds no finished run that can be loaded; name a run folder") from error

    def network(pixels: tf.Tensor) -> tf.Tensor:
        # Bound to the loaded model, which would else be collected, and its weights with it.
        assert served is not None
        return logits(**{name: pixels})["logits"]

    return network, labels


def begin_with(
    network: tf.Module, folders: Sequence[str], learnt: Callable[[Any], list[tf.Variable]], kind: str
) -> dict[str, str]:
    """Give a network the mean weights of finished runs, if any; return the SHA-256 of those runs' reports.

    The reports are taken as training wrote them, without what the command `report` has added since.

    `learnt` returns all that a network has learnt, in a fixed order, of a loaded one, too; `kind` is what
    messages call it. Raises `RunError` where there is none in a folder, or its network has another shape.
    """
    checksums, found = {}, []
    for folder in folders:
        try:
            checksum = _checksum((Path(folder) / REPORT).read_bytes())
            parts = learnt(tf.saved_model.load(str(Path(folder) / "model")).network)
        except UNREADABLE as error:
            raise RunError(
                f"{folder}: holds no finished run of a {kind} to start from; train it first, or name "
                "another in [start] runs"
            ) from error
        if [part.shape for part in parts] != [part.shape for part in learnt(network)]:
            raise RunError(f"{folder}: its network has another shape than the recipe's; give both the same")
        checksums[folder] = checksum
        found.append([part.numpy() for part in parts])
    if found:
        for variable, *values in zip(learnt(network), *found, strict=True):
            variable.assign(np.mean(values, axis=0))
    return checksums


def check_unseen(name: str, folders: Sequence[str], data_set: str, kept: int, left: int) -> None:
    """Raise `RunError` where a finished run in `folders` may have learnt from what a recipe holds out.

    The recipe `name` holds out the last `kept` training pictures of a set, and `left` are before them: on the
    others early stopping, temperature and figures would be flattered. What can't be read is passed over;
    `begin_with` says so.
    """
    for folder in folders if kept else ():
        try:
            before = tomllib.loads((Path(folder) / "recipe.toml").read_text("utf-8"))["data"]
            train, validation = int(before.get("train", 0)), int(before.get("validation", 0))
            other = before["set"] != data_set
        except UNREADABLE:
            continue
        if not other and validation < kept and not 0 < train <= left:
            raise RunError(
                f"{name}: [data] validation = {kept} holds out pictures that {folder}, which [start] names, "
                f"has learnt from: it holds out {validation}; lower validation, or start from another run"
            )


def _checksum(report: bytes) -> str:
    values = json.loads(report)
    if any(key in values for key in ADDED):
        kept = {key: value for key, value in values.items() if key not in ADDED}
        report = (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode()
    return hashlib.sha256(report).hexdigest()


@contextlib.contextmanager
def taken(out: Path, toml: str, writes: bool = True) -> Iterator[None]:
    """Make the run folder, or make sure that the unfinished run in it is of this recipe, as TOML; hold it.

    Until the block is left no other run can take it, where the file system knows locks. With `writes` False,
    as on all but the first of several hosts, nothing is written and nothing held.

    Raises `RunError` where it holds anything else, where another run is at work in it, or where TensorFlow
    couldn't write there.
    """
    try:
        str(out).encode()
    except UnicodeEncodeError as error:
        raise RunError(f"{out}: TensorFlow takes names in UTF-8 only; choose another --out") from error
    if (out / REPORT).exists():
        raise RunError(f"{out}: holds a finished run; choose another --out, or delete the folder")
    make_folder(out)
    with _held(out) if writes else contextlib.nullcontext():
        written, text = out / "recipe.toml", toml.encode()
        try:
            before = written.read_bytes() if written.exists() else None
        except OSError as error:
            raise RunError(
                f"{written}: can't read the file ({error.strerror}); choose another --out"
            ) from error
        if before not in (None, text):
            raise RunError(
                f"{out}: holds an unfinished run of another recipe; choose another --out, or delete the "
                "folder"
            )
        if writes:
            write_atomically(written, text)
        yield


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which the system lets go of however the process ends."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system that knows no locks of folders
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunError(
                    f"{folder}: another run is at work in it; wait for its end, or choose another --out"
                ) from error
        yield
    finally:
        os.close(opened)
