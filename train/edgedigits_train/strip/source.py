"""The strips of a training run, composed by other processes while the network learns.

What a block holds is a pure function of the digits, the settings, the seed and the block's number, so a run
that was interrupted goes on with the very strips it would have had.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from edgedigits.strips import HEIGHT
from edgedigits_train.data import DataSet
from edgedigits_train.recipe import RecipeError
from edgedigits_train.strip.compose import LABELS, Composer, Digits
from edgedigits_train.strip.recipe import Composition, StripRecipe
from edgedigits_train.workers import asking, pool

BLOCK = 20
"""Batches that are composed, and learnt from, at once."""
_APART = 5
"""Blocks between one use of a strip and the next."""
_AHEAD = 3
"""Blocks composed ahead of need."""
LONGEST = 24
"""Labels that a strip has room for."""


@dataclass(frozen=True)
class Strips:
    """Strips, uint8 [n, 40, width], and what they say, int32 [n, `LONGEST`], −1 behind the end."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.images)


def composed(composer: Composer, count: int, width: int, random: np.random.Generator) -> Strips:
    """Compose `count` strips of one width."""
    images = np.zeros((count, HEIGHT, width), np.uint8)
    labels = np.full((count, LONGEST), -1, np.int32)
    for i in range(count):
        images[i], text = composer.strip(width, random)
        labels[i, : len(text)] = text
    return Strips(images, labels)


def learnt_digits(data: DataSet, recipe: StripRecipe, seed: int) -> Digits:
    """Return the digits strings are composed from; raises as `check_digits`."""
    rows = _learnt(data, recipe, seed)
    return Digits.of_pictures(data.train_images[rows], data.train_labels[rows])


def held_out_digits(data: DataSet, recipe: StripRecipe) -> Digits:
    """Return the digits that are not trained on; raises as `check_digits`."""
    rows = _held_out(data, recipe)
    return Digits.of_pictures(data.train_images[rows], data.train_labels[rows])


def check_digits(data: DataSet, recipe: StripRecipe, seed: int) -> None:
    """Raise `RecipeError` where strings can't be composed of what the recipe's `[data]` names.

    Its set is none of the ten digits, too few pictures are left, or some digit is not among them.
    """
    _learnt(data, recipe, seed)
    _held_out(data, recipe)


def _learnt(data: DataSet, recipe: StripRecipe, seed: int) -> npt.NDArray[np.intp]:
    """Return the rows of the training part that strings are composed from."""
    kept = _kept(data, recipe)
    rows = np.arange(kept)
    if recipe.data.train:
        rows = np.random.default_rng((seed, 1 << 31)).permutation(kept)[: recipe.data.train]
    return _with_all_digits(rows, data, f"{recipe.name}: [data] train = {recipe.data.train}")


def _held_out(data: DataSet, recipe: StripRecipe) -> npt.NDArray[np.intp]:
    """Return the rows of the training part that are not trained on."""
    rows = np.arange(_kept(data, recipe), len(data.train_images))
    return _with_all_digits(rows, data, f"{recipe.name}: [data] validation = {recipe.data.validation}")


def _kept(data: DataSet, recipe: StripRecipe) -> int:
    if data.labels != LABELS[:10]:
        raise RecipeError(
            f"{recipe.name}: [data] set = {data.name!r} is no set of the ten digits, which strings are "
            "composed from; name mnist"
        )
    kept = len(data.train_images) - recipe.data.validation
    if kept < 100:
        raise RecipeError(f"{recipe.name}: [data] validation leaves {max(0, kept)} pictures; lower it")
    return kept


def _with_all_digits(rows: npt.NDArray[np.intp], data: DataSet, setting: str) -> npt.NDArray[np.intp]:
    """Return `rows`; `setting` is what chose them."""
    missing = sorted(set(range(10)) - set(data.train_labels[rows].tolist()))
    if missing:
        raise RecipeError(
            f"{setting}: none of these {len(rows)} pictures shows a {missing[0]}, and strings have all ten "
            "digits; raise it"
        )
    return rows


class Source:
    """Composes blocks of `size` strips in other processes; to be closed.

    `widths` come in turn, block by block. `processes` is by default one for every two processors.
    """

    def __init__(
        self,
        digits: Digits,
        settings: Composition,
        widths: tuple[int, ...],
        size: int,
        seed: int,
        processes: int | None = None,
    ) -> None:
        self.widths, self.size, self.seed = widths, size, seed
        workers = processes or max(1, (os.cpu_count() or 1) // 2)
        self._pool = pool(workers, _prepare, digits, settings)
        self._blocks: dict[int, Future[Strips]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def block(self, number: int) -> Strips:
        """Return a block, composed on demand; those that will follow are begun.

        Raises `WorkerError` where a process that composes has ended.
        """
        with asking("composes strips"):
            for ahead in range(number, number + 1 + _AHEAD):
                self._begin(ahead)
            return self._blocks[number].result()

    def in_order(self, start: int, stop: int, reuse: int) -> Iterator[Strips]:
        """Return what to learn from at each turn from `start` to `stop`, every block `reuse` times."""
        for turn in range(start, stop):
            new, use = divmod(turn, reuse)
            yield self.block(max(0, new - use * _APART))
            for old in [n for n in self._blocks if n < new - reuse * _APART]:
                del self._blocks[old]

    def _begin(self, number: int) -> None:
        if number not in self._blocks:
            width = self.widths[number % len(self.widths)]
            self._blocks[number] = self._pool.submit(_compose, self.size, width, self.seed, number)


_composer: Composer


def _prepare(digits: Digits, settings: Composition) -> None:
    global _composer  # a process of the pool has one
    _composer = Composer(digits, settings)


def _compose(size: int, width: int, seed: int, number: int) -> Strips:
    return composed(_composer, size, width, np.random.default_rng((seed, number)))
