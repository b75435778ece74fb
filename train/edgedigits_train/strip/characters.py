"""Characters of composed strips as the reader sees them one by one: a data set of their own.

Strips are composed as a strip recipe says, a trained strip network reads them, and the windows of
`edgedigits.ways.characters` are cut out at the characters of what each says in truth, and of the texts that
the network found nearly as likely: where those have a digit and there is none, or half of one, stands what
is "not a digit".

    train-images-idx3-ubyte.gz   windows, uint8 [n, 28, 28]
    train-labels-idx1-ubyte.gz   digits, 10 for none; the last `HELD_OUT` are digits that are not trained on
    t10k-…                       the same of strings of MNIST's test digits
"""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from rapidfuzz.distance import Levenshtein

from edgedigits.errors import OutputError
from edgedigits.files import make_folder, write_atomically
from edgedigits.strips import STEP
from edgedigits.ways.characters import cells_of, window
from edgedigits.ways.ctc import best_texts, spans
from edgedigits_train.data import ROLES, DataSet
from edgedigits_train.fetch import MNIST
from edgedigits_train.idx import DataError, idx_bytes, read_idx
from edgedigits_train.recipe import RecipeError
from edgedigits_train.run_folder import RunError, kind, load_run
from edgedigits_train.strip.compose import LABELS, Digits
from edgedigits_train.strip.recipe import StripRecipe
from edgedigits_train.strip.source import Source, held_out_digits, learnt_digits

HELD_OUT = 12_000
"""Windows at the end of the training part whose digits are not trained on."""
TEST = 20_000
"""Windows of the test part."""
NONE = 10
"""The label of what is not a digit."""
_AT_ONCE = 250
"""Strips composed with one random generator."""
_APART = 3 << 30
"""Parts the random numbers from those of strips that are trained on or held out."""
_WRONG_TEXTS = 2
_LIKELY = 0.01
"""So many wrong texts of a strip are cut out, too, of those that are at least so probable."""
_KEPT = 0.3
"""Of the characters that a wrong text has right this part is kept: the true text has them already."""

Windows = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
"""Windows, uint8 [n, 28, 28], and their labels, uint8 [n]."""
Network = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""Strips, uint8 [n, 40, width] → log probabilities, float32 [n, steps, labels + 1]."""


def write(
    recipe: StripRecipe,
    data: DataSet,
    run: Path,
    seed: int,
    count: int,
    folder: Path,
    held_out: int = HELD_OUT,
    test: int = TEST,
) -> dict[str, int]:
    """Write `count` training windows, those held out and the test part into a folder, as idx files.

    `run` is the folder of a finished run of a strip network. Returns how many windows each file of pictures
    has. Raises `RunError` where there is no such run, `RecipeError` where the recipe's strips have no
    characters or its data set no digits, `OutputError` where the folder can't be written or holds the data
    set itself.
    """
    if recipe.composition.empty == 1:
        raise RecipeError(f"{recipe.name}: [composition] empty = 1 leaves strips no characters; lower it")
    logits, read = load_run(run)
    if kind(run) != "strip" or read != LABELS:
        raise RunError(f"{run}: is no run of a strip network; train one with edgedigits-train strip")
    _check_free(folder, data)
    make_folder(folder)  # before the work, not after it
    cv2.setNumThreads(1)

    def network(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        strips = tf.constant(images[..., None], tf.float32) / 255.0
        answers: npt.NDArray[np.float32] = tf.nn.log_softmax(tf.squeeze(logits(strips), 1)).numpy()
        return answers

    parts = {
        "train": (learnt_digits(data, recipe, seed), count),
        "held out": (held_out_digits(data, recipe), held_out),
        "test": (Digits.of_pictures(data.test_images, data.test_labels), test),
    }
    made = {
        name: _part(digits, recipe, network, wanted, 3 * seed + number + _APART)
        for number, (name, (digits, wanted)) in enumerate(parts.items())
    }
    images = {"train": np.concatenate([made["train"][0], made["held out"][0]]), "test": made["test"][0]}
    labels = {"train": np.concatenate([made["train"][1], made["held out"][1]]), "test": made["test"][1]}
    for role, file in zip(ROLES, MNIST, strict=True):
        part, what = role.split("_")
        values = (images if what == "images" else labels)[part]
        # Without a time in the header the same windows are the same bytes.
        write_atomically(folder / f"{file}.gz", gzip.compress(idx_bytes(values), 1, mtime=0))
    return {part: len(values) for part, values in labels.items()}


def _check_free(folder: Path, data: DataSet) -> None:
    """Raise `OutputError` where the pictures that strings are composed from would be written over."""
    for file in MNIST:
        for path in (folder / file, folder / f"{file}.gz"):
            with contextlib.suppress(DataError):  # none, or none that anybody can read
                _, checksum = read_idx(path, 3 if "images" in file else 1)
                if checksum in data.checksums.values():
                    raise OutputError(f"{folder}: holds {data.name} itself; name another folder")


def _part(digits: Digits, recipe: StripRecipe, network: Network, wanted: int, seed: int) -> Windows:
    """Return so many windows of strips composed of `digits`."""
    random = np.random.default_rng(seed)
    windows: list[npt.NDArray[np.uint8]] = []
    labels: list[int] = []
    with Source(digits, recipe.composition, (max(recipe.training.widths),), _AT_ONCE, seed) as source:
        for strips in source.in_order(0, wanted, 1):
            for strip, answers, text in zip(
                strips.images, network(strips.images), strips.labels, strict=True
            ):
                used = np.flatnonzero(strip.any(axis=0))
                if len(used):
                    seen = np.ascontiguousarray(strip[:, : used[-1] + 1])
                    _cut(
                        seen,
                        answers[: -(-len(seen[0]) // STEP)],
                        text[text >= 0].tolist(),
                        random,
                        windows,
                        labels,
                    )
            if len(windows) >= wanted:
                break
    return np.stack(windows[:wanted]), np.array(labels[:wanted], np.uint8)


def _cut(
    strip: npt.NDArray[np.uint8],
    answers: npt.NDArray[np.float32],
    truth: Sequence[int],
    random: np.random.Generator,
    windows: list[npt.NDArray[np.uint8]],
    labels: list[int],
) -> None:
    """Add the windows of a strip's characters, and what they show."""
    likely = [tuple(h.text) for h in best_texts(answers, 6) if h.probability > _LIKELY]
    wrong = [text for text in likely if text != tuple(truth)]
    for text in (tuple(truth), *wrong[:_WRONG_TEXTS]):
        try:
            places = spans(answers, text)
        except ValueError:
            continue  # more characters than the strip has room for
        for said, true, cell in zip(
            text, aligned(text, truth), cells_of(places, strip.shape[1]), strict=True
        ):
            if said >= NONE or (text != tuple(truth) and said == true and random.random() >= _KEPT):
                continue  # a separator, or one of many
            windows.append(window(strip, cell))
            labels.append(NONE if true is None or true >= NONE else true)


def aligned(text: Sequence[int], truth: Sequence[int]) -> list[int | None]:
    """Return for each character of a text what stands in its place in truth; None where nothing does."""
    places: list[int | None] = list(text)
    for edit in Levenshtein.editops(text, truth):
        if edit.tag != "insert":
            places[edit.src_pos] = truth[edit.dest_pos] if edit.tag == "replace" else None
    return places
