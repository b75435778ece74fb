"""Versions of a training set: every picture drawn anew, and what is no digit beside them.

A version is drawn by several processes in chunks, each with a random generator of its own: what it is
depends on the pictures, the settings, the seed and the version's number, not on how many processes drew it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from edgedigits.normalize import SIZE
from edgedigits_train import augment, junk, pieces
from edgedigits_train.data import DataSet
from edgedigits_train.distance_fields import Fields, fields
from edgedigits_train.recipe import Augmentation, Recipe, RecipeError
from edgedigits_train.workers import asking, pool

CHUNK = 500
"""Pictures drawn with one random generator."""
HELD_OUT = 1 << 20
"""Number of the version, and of the epoch, of pictures that are not trained on."""

Pictures = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]


def check(recipe: Recipe, data: DataSet, labels: npt.NDArray[np.integer]) -> None:
    """Raise `RecipeError` where a recipe's augmentation can't be made of a set; to be called before it is.

    Forms, strokes, what is no digit and pieces of strings are made of digits; the last two of all ten, which
    must be among the `labels` [n] of the pictures to train on.
    """
    settings = recipe.augmentation
    if not settings.variants:
        return
    if data.train_images.shape[1:] != (SIZE, SIZE):
        size = "×".join(map(str, data.train_images.shape[1:]))
        raise RecipeError(
            f"{recipe.name}: [augmentation] draws pictures of {SIZE}×{SIZE}, and those of {data.name} are "
            f"{size}; leave it out"
        )
    asked = [name for name in ("forms", "strokes", "junk", "pieces") if getattr(settings, name)]
    if asked and data.labels[:10] != tuple("0123456789"):
        raise RecipeError(
            f"{recipe.name}: [augmentation] {asked[0]} is made of digits, and {data.name} has other classes; "
            "leave it out"
        )
    if settings.junk and (missing := set(range(10)) - set(labels.tolist())):
        raise RecipeError(
            f"{recipe.name}: [augmentation] junk is made of all ten digits, and none of the {len(labels)} "
            f"pictures to train on shows a {min(missing)}; leave it out, or name more pictures"
        )
    if settings.pieces and not _whole(labels):
        raise RecipeError(
            f"{recipe.name}: [augmentation] pieces are cut out of strings of {CHUNK} pictures in a row, and "
            "nowhere are all ten digits among so many; shuffle them, or leave pieces out"
        )


class Versions:
    """Draws versions of a set of digits; to be closed, for it keeps processes and what they drew.

    `images` are uint8 [n, 28, 28], `labels` integers [n]: their digits, below `junk_label`, which is what
    the `settings.junk` pictures of each version are labelled with. `negatives`, uint8 [m, 28, 28], are
    things that are no digits; there may be none. `processes` is by default one per processor.
    """

    def __init__(
        self,
        images: Pictures,
        labels: npt.NDArray[np.integer],
        negatives: Pictures,
        settings: Augmentation,
        seed: int,
        junk_label: int = 10,
        processes: int | None = None,
    ) -> None:
        self.images, self.labels, self.negatives = images, labels.astype(np.int32), negatives
        self.settings, self.seed, self.junk_label = settings, seed, junk_label
        self._fields: list[Fields] = []
        self._drawn: dict[int, tuple[Pictures, Labels]] = {}
        workers = processes or os.cpu_count() or 1
        self._pool = pool(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def epoch(self, epoch: int) -> tuple[Pictures, Labels]:
        """Return pictures, uint8 [n + junk + pieces, 28, 28], and labels, int32, of an epoch (from 1).

        The versions come in turn; each is drawn when it is first needed and kept. The share `plain` of the
        digits, others in each epoch, is left as it is; every picture is bent once more where the settings
        say `fresh`.
        """
        number = (epoch - 1) % self.settings.variants
        if number not in self._drawn:
            self._drawn[number] = self.draw(number)
        return self._of_epoch(self._drawn[number], epoch)

    def held_out(self) -> tuple[Pictures, Labels]:
        """Return pictures and labels as of an epoch that there never is."""
        return self._of_epoch(self.draw(HELD_OUT), HELD_OUT)

    def _of_epoch(self, drawn: tuple[Pictures, Labels], epoch: int) -> tuple[Pictures, Labels]:
        pictures, labels = drawn[0].copy(), drawn[1]
        count = len(self.images)
        random = np.random.default_rng((self.seed, epoch, 0x706C))
        plain = random.random(count) < self.settings.plain
        pictures[:count][plain] = self.images[plain]
        if self.settings.fresh:
            pictures = augment.bent(pictures, self.settings, random)
        return pictures, labels

    def draw(self, number: int) -> tuple[Pictures, Labels]:
        """Draw one version, uint8 [n + junk + pieces, 28, 28], and its labels.

        The digits are in their order, then comes what is none, then the pieces of strings. Raises
        `WorkerError` where a process that draws has ended.
        """
        if self.settings.plain == 1 and not self.settings.junk and not self.settings.pieces:
            return self.images, self.labels  # nothing of what would be drawn is ever seen
        with asking("draws pictures"):
            return self._drawn_anew(number)

    def _drawn_anew(self, number: int) -> tuple[Pictures, Labels]:
        if not self._fields:
            self._fields = list(self._pool.map(fields, _chunks(self.images)))
        starts = range(0, len(self.images), CHUNK)
        seeds = [(self.seed, number, start) for start in starts]
        settings = [self.settings] * len(seeds)
        parts = list(self._pool.map(_digits, self._fields, _chunks(self.labels), settings, seeds))
        counts = [min(CHUNK, self.settings.junk - start) for start in range(0, self.settings.junk, CHUNK)]
        for future in [self._pool.submit(_junk, *task) for task in self._junk_tasks(number, counts)]:
            parts.append(future.result())
        tasks = [self._pool.submit(_pieces, *task) for task in self._piece_tasks(number)]
        cut = [future.result() for future in tasks]
        labels = [self.labels, np.full(self.settings.junk, self.junk_label, np.int32)]
        return (
            np.concatenate([*parts, *(pictures for pictures, _ in cut)]),
            np.concatenate([*labels, *(shown for _, shown in cut)]),
        )

    def _piece_tasks(
        self, number: int
    ) -> Iterator[tuple[Fields, npt.NDArray[np.integer], int, int, tuple[int, ...]]]:
        chunks, whole = [np.asarray(chunk, np.int32) for chunk in _chunks(self.labels)], _whole(self.labels)
        for place, start in enumerate(range(0, self.settings.pieces, CHUNK)):
            k = whole[(number + place) % len(whole)]
            seed = (self.seed, number, place, 0x7069)
            yield self._fields[k], chunks[k], min(CHUNK, self.settings.pieces - start), self.junk_label, seed

    def _junk_tasks(
        self, number: int, counts: list[int]
    ) -> Iterator[tuple[Pictures, npt.NDArray[np.integer], Pictures, int, Augmentation, tuple[int, ...]]]:
        for place, count in enumerate(counts):
            seed = (self.seed, number, place, 0x6E6F)
            chosen = np.random.default_rng((*seed, 1)).integers(len(self.images), size=2 * CHUNK)
            yield self.images[chosen], self.labels[chosen], self.negatives, count, self.settings, seed


def _chunks(array: npt.NDArray[np.generic]) -> Iterator[npt.NDArray[np.generic]]:
    for start in range(0, len(array), CHUNK):
        yield array[start : start + CHUNK]


def _whole(labels: npt.NDArray[np.integer]) -> list[int]:
    """Return the numbers of the chunks that have all ten digits: the last one may be too short for it."""
    return [k for k, chunk in enumerate(_chunks(labels)) if len(np.unique(chunk)) == 10]


def _digits(
    shapes: Fields,
    labels: npt.NDArray[np.integer],
    settings: Augmentation,
    seed: tuple[int, ...],
) -> Pictures:
    return augment.draw(shapes, labels, settings, np.random.default_rng(seed))


def _junk(
    images: Pictures,
    labels: npt.NDArray[np.integer],
    negatives: Pictures,
    count: int,
    settings: Augmentation,
    seed: tuple[int, ...],
) -> Pictures:
    return junk.crops(images, labels, negatives, count, settings, np.random.default_rng(seed))


def _pieces(
    shapes: Fields, labels: npt.NDArray[np.integer], count: int, junk_label: int, seed: tuple[int, ...]
) -> tuple[Pictures, Labels]:
    return pieces.crops(shapes, labels, count, junk_label, np.random.default_rng(seed))


def empty() -> Pictures:
    """Return no pictures: uint8 [0, 28, 28]."""
    return np.zeros((0, SIZE, SIZE), np.uint8)
