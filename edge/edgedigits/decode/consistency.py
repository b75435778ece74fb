"""Style consistency: whether what a reading takes for the same digit looks written by one hand.

A hand writes its 4s alike. Where one reading of a line takes two glyphs for the same digit and another does
not, how similar they are is a reason to hold with one of them, and one that no network has which judges
every glyph by itself (P. Sarkar and G. Nagy, "Style consistent classification of isogenous patterns", 2005).

Pure functions: nothing here knows of a model file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgedigits.normalize import SIZE


@dataclass(frozen=True)
class ConsistencySettings:
    """How much it counts that digits look alike. Chosen on the tuning part of the cheque amounts."""

    weight: float = 2.0
    """Nats for a digit like others of its kind by 1 more than usual. With 3, two strips of 535 more are read,
    but fewer lines whose digits are by as many hands."""
    usual: float = 0.75
    """Similarity that speaks neither for a reading nor against it."""
    most: float = 1.0
    """However much less similar than in another reading, a reading's digits count for no more than so much:
    in a long line much adds up, and it may be by several hands."""
    sure: float = 0.98
    """A line of glyphs whose best reading is so probable is left as it is."""


Key = TypeVar("Key", bound=Hashable)

_TELLING = frozenset("023456789")
"""One 1 is as like any other stroke as the next 1: it tells nothing."""
_SIDE = SIZE // 2
_HALVED = np.zeros((_SIDE, SIZE + 2), np.float32)
for _row in range(_SIDE):
    _HALVED[_row, 2 * _row : 2 * _row + 4] = np.array([1, 3, 3, 1], np.float32) / 8
_HALVED = np.ascontiguousarray(_HALVED[:, 1:-1])
"""Smooths along one direction, and takes every second value."""


def similarities(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how similar each picture is to each other: float32, N×N, −1…1, 1 for the same.

    `pictures` are glyphs as `normalize` centres them, uint8, N×28×28, N ≥ 1. The similarity is the
    correlation of the pictures at half their size, the largest of those with one moved by a pixel or none.
    """
    count = len(pictures)
    around = np.zeros((count, _SIDE + 2, _SIDE + 2), np.float32)
    around[:, 1:-1, 1:-1] = _HALVED @ pictures.astype(np.float32) @ _HALVED.T
    moved = sliding_window_view(around, (_SIDE, _SIDE), axis=(1, 2)).reshape(count, 9, _SIDE * _SIDE)
    moved = moved - moved.mean(axis=2, keepdims=True)
    moved /= np.maximum(np.linalg.norm(moved, axis=2, keepdims=True), 1e-6)
    found = (moved.reshape(count * 9, -1) @ moved[:, 4].T).reshape(count, 9, count).max(axis=1)
    return np.asarray(np.maximum(found, found.T), np.float32)


def consistencies(
    texts: Mapping[str, Sequence[tuple[str, Key]]],
    pictures: Callable[[list[Key]], NDArray[np.uint8]],
    settings: ConsistencySettings = ConsistencySettings(),
) -> dict[str, float]:
    """Return for each text how much more similar than usual its repeated digits are: the sum over them.

    `texts` are, by their names, the characters of a text, each with what names its picture; `pictures` gives
    those (as `similarities` takes them) for such names. A digit is compared with all others of its kind in
    its text, and has the mean; a digit of which there is but one, and a 1, tell nothing: 0. With n repeated
    digits the sum lies between −n · (1 + usual) and n · (1 − usual).
    """
    repeated = {name: list(_repeated(text)) for name, text in texts.items()}
    keys = list(dict.fromkeys(key for kinds in repeated.values() for kind in kinds for key in kind))
    if not keys:
        return dict.fromkeys(texts, 0.0)
    alike = similarities(pictures(keys)).astype(float)
    place = {key: number for number, key in enumerate(keys)}
    found = {}
    for name, kinds in repeated.items():
        surplus = 0.0
        for kind in kinds:
            rows = [place[key] for key in kind]
            among = alike[np.ix_(rows, rows)]
            others = (among.sum() - np.trace(among)) / (len(rows) - 1)
            surplus += float(others) - len(rows) * settings.usual
        found[name] = surplus
    return found


def consistency_weights(
    consistent: Mapping[str, float], best: float, settings: ConsistencySettings = ConsistencySettings()
) -> dict[str, float]:
    """Return by what the probability of each text is to be multiplied: 0…1.

    `consistent` is what `consistencies` gave, `best` the largest of what it gave for the texts that these
    compete with. That things look alike does not make them writing, so nothing becomes likelier than it was.
    """
    return {
        name: math.exp(settings.weight * min(0.0, max(-settings.most, surplus - best)))
        for name, surplus in consistent.items()
    }


def _repeated(text: Iterable[tuple[str, Key]]) -> Iterable[list[Key]]:
    """Yield the names of the pictures of every digit that is there more than once."""
    kinds: dict[str, list[Key]] = {}
    for character, key in text:
        if character in _TELLING:
            kinds.setdefault(character, []).append(key)
    return (kind for kind in kinds.values() if len(kind) > 1)
