"""Answers along a strip → the likeliest texts: prefix beam search over CTC's output.

A text's probability is the sum over all ways to stretch it along the steps (A. Graves et al.,
"Connectionist temporal classification", 2006); the search keeps the best beginnings and adds up the ways that
end in a blank and those that don't apart (A. Hannun et al., "First-pass large vocabulary continuous speech
recognition using bi-directional recurrent DNNs", 2014, algorithm 1). What may stand in a text can be told by
a `Constraint`, so that a form's number format is part of the search.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Prefix = tuple[int, ...]
"""The beginning of a text, as indices of labels."""


@dataclass(frozen=True)
class Constraint:
    """What a text may be."""

    may_go_on: Callable[[Prefix, int], bool]
    """Whether a label may follow a beginning."""
    may_end: Callable[[Prefix], bool]
    """Whether a text may be all there is."""


@dataclass(frozen=True)
class Hypothesis:
    """A text, as indices of labels, and its probability among all texts, 0…1."""

    text: Prefix
    probability: float


BEAM = 12
"""Beginnings kept from step to step."""
_LEAST = 5e-4
"""A label less probable than this at a step is not tried there: no reading that matters needs it."""
_NOTHING = 1e-30
_HOPELESS = 1e-6
"""A beginning less probable than the best one by this factor is given up."""


def best_texts(
    log_probabilities: NDArray[np.floating],
    count: int = 5,
    constraint: Constraint | None = None,
    beam: int = BEAM,
) -> list[Hypothesis]:
    """Return the `count` best texts, best first; none where the constraint allows none that was found.

    `log_probabilities` has one row for each step and one column for each label, the blank last; every row's
    exponentials sum to 1. The empty text is a text. Steps that are blank for sure cost next to nothing.
    """
    probabilities = np.exp(np.asarray(log_probabilities, np.float64))
    blank = probabilities.shape[1] - 1
    # Ways of each beginning that end in a blank, and that end in its last label.
    beams: dict[Prefix, tuple[float, float]] = {(): (1.0, 0.0)}
    for row, likely in zip(probabilities.tolist(), probabilities > _LEAST, strict=True):
        at_blank = row[blank]
        labels = [int(k) for k in np.flatnonzero(likely) if k != blank]
        if not labels:  # no beginning grows, and their order stays
            beams = {
                prefix: ((ended + open_) * at_blank, open_ * row[prefix[-1]] if prefix else 0.0)
                for prefix, (ended, open_) in beams.items()
            }
            continue
        following: dict[Prefix, list[float]] = {}
        for prefix, (ended, open_) in beams.items():
            total = ended + open_
            ways = following.setdefault(prefix, [0.0, 0.0])
            ways[0] += total * at_blank
            if prefix:
                ways[1] += open_ * row[prefix[-1]]
            for label in labels:
                if constraint is not None and not constraint.may_go_on(prefix, label):
                    continue
                # The same label again is a new character only behind a blank.
                grown = (ended if prefix and label == prefix[-1] else total) * row[label]
                if grown > _NOTHING:
                    following.setdefault((*prefix, label), [0.0, 0.0])[1] += grown
        totals = {prefix: ended + open_ for prefix, (ended, open_) in following.items()}
        kept = heapq.nlargest(beam, totals, key=totals.__getitem__) if len(totals) > beam else list(totals)
        least = _HOPELESS * max(totals.values())
        beams = {p: (following[p][0], following[p][1]) for p in kept if totals[p] >= least}
    texts = [(prefix, ended + open_) for prefix, (ended, open_) in beams.items()]
    texts = [(p, v) for p, v in texts if constraint is None or constraint.may_end(p)]
    texts.sort(key=lambda item: -item[1])
    return [Hypothesis(prefix, probability) for prefix, probability in texts[:count]]


def spans(log_probabilities: NDArray[np.floating], text: Sequence[int]) -> list[tuple[int, int]]:
    """Return the steps at which each character of a text stands in its likeliest alignment: first, last + 1.

    `log_probabilities` as for `best_texts`. Raises `ValueError` for a text that needs more steps than there
    are.
    """
    steps, labels = log_probabilities.shape
    blank = labels - 1
    needed = len(text) + sum(a == b for a, b in itertools.pairwise(text))
    if needed > steps:
        raise ValueError(f"{len(text)} characters don't fit into {steps} steps")
    if not text:
        return []
    # States: blank, character, blank, character, …, blank.
    states = np.full(2 * len(text) + 1, blank)
    states[1::2] = text
    # Over a blank one may jump, unless the characters around it are the same.
    jump = np.zeros(len(states), bool)
    jump[3::2] = states[3::2] != states[1:-2:2]
    scores = np.full(len(states), -np.inf)
    scores[:2] = log_probabilities[0, states[:2]]
    came = np.zeros((steps, len(states)), np.int8)
    for step in range(1, steps):
        ways = np.full((3, len(states)), -np.inf)
        ways[0] = scores
        ways[1, 1:] = scores[:-1]
        ways[2, 2:] = np.where(jump[2:], scores[:-2], -np.inf)
        came[step] = ways.argmax(axis=0)
        scores = ways.max(axis=0) + log_probabilities[step, states]
    state = len(states) - 1 if scores[-1] >= scores[-2] else len(states) - 2
    path = np.empty(steps, np.intp)
    for step in range(steps - 1, -1, -1):
        path[step] = state
        state -= came[step, state]
    found = []
    for number in range(len(text)):
        at = np.flatnonzero(path == 2 * number + 1)
        found.append((int(at[0]), int(at[-1]) + 1))
    return found
