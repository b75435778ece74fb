"""Answers along a strip → the likeliest texts: prefix beam search over CTC's output.

A text's probability is the sum over all ways to stretch it along the steps (A. Graves et al.,
"Connectionist temporal classification", 2006); the search keeps the best beginnings and adds up the ways that
end in a blank and those that don't apart (A. Hannun et al., "First-pass large vocabulary continuous speech
recognition using bi-directional recurrent DNNs", 2014, algorithm 1). What may stand in a text can be told by
a `Constraint`, so that a form's number format is part of the search.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

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
_LEAST = 1e-3
"""A label less probable than this at a step is not tried there: no reading that matters needs it."""
_RARE = 5e-4
"""The same in a search wider than `BEAM`, for what is not among the first readings."""
_HOPELESS = 1e-6
"""A beginning less probable than the best one by this factor is given up."""
_SMALL = 1e-100
"""Where the best beginning is less probable, all are multiplied by a power of two, which is exact: the
probability of hundreds of characters, none of them sure, is smaller than any floating-point number."""
_TOTAL = operator.itemgetter(0)
_Beam = tuple[float, int, int, float, float]
"""A beginning that is kept: its probability; a number whose digits, in a base of one more than there are
characters, are its labels, each raised by 1 (0 is the empty one); its last label, the blank for none; the
ways of it that end in a blank, and those that end in that label."""


def best_texts(
    log_probabilities: NDArray[np.floating],
    count: int = 5,
    constraint: Constraint | None = None,
    beam: int = BEAM,
) -> list[Hypothesis]:
    """Return the `count` best texts, best first; none where the constraint allows none that was found.

    `log_probabilities` has one row for each step and one column for each label, the blank last; every row's
    exponentials sum to 1. The empty text is a text. Steps that are blank for sure cost next to nothing. A
    probability below the least floating-point number is 0.
    """
    probabilities = np.exp(np.asarray(log_probabilities, np.float64))
    blank = probabilities.shape[1] - 1
    base = blank + 1
    least_probable = _LEAST if beam <= BEAM else _RARE
    rows = probabilities.tolist()
    grow: dict[int, list[int]] = {}
    for step, label in np.argwhere(probabilities[:, :blank] > least_probable).tolist():
        grow.setdefault(step, []).append(label)
    for step, chosen in grow.items():
        chosen.sort(key=rows[step].__getitem__, reverse=True)
    beams: list[_Beam] = [(1.0, 0, blank, 1.0, 0.0)]
    exponent = 0  # the probabilities are those of the beams times 2 to the power of it
    step = 0
    for growing in (*grow, len(rows)):
        if step < growing:
            beams = _without_growth(beams, rows[step:growing], blank)
        if growing == len(rows):
            break
        if beams[0][0] < _SMALL:
            beams, lowered = _raised(beams)
            exponent += lowered
        step = growing + 1
        row = rows[growing]
        labels = [(label, row[label]) for label in grow[growing]]
        # One that is kept may come about in two ways, as it is and by a shorter one's growth; all others grow
        # from one only.
        known = {each[1]: each for each in beams}
        ranked: list[_Beam] = []
        for total, prefix, last, ended, open_ in beams:
            if prefix:
                shorter = known.get(prefix // base)
                if shorter is not None and row[last] > least_probable:
                    open_ += shorter[3] if shorter[2] == last else shorter[0]
                open_ *= row[last]
            ended = total * row[blank]
            ranked.append((ended + open_, prefix, last, ended, open_))
        # What is less probable than all that are kept, where they are enough, has no place among them.
        totals = [each[0] for each in ranked]
        floor = max(_HOPELESS * max(totals), min(totals) if len(totals) >= beam else 0.0)
        for total, prefix, last, ended, _ in beams:
            so_far = () if constraint is None else _labels(prefix, base)
            for label, chance in labels:
                if total * chance <= floor:
                    break  # and so are all further labels
                # The same label again is a new character only behind a blank.
                grown, longer = (ended if label == last else total) * chance, prefix * base + label + 1
                if grown <= floor or longer in known:
                    continue
                if constraint is None or constraint.may_go_on(so_far, label):
                    ranked.append((grown, longer, label, 0.0, grown))
        ranked.sort(key=_TOTAL, reverse=True)
        least = _HOPELESS * ranked[0][0]
        beams = [each for each in ranked[:beam] if each[0] >= least]
    texts = [(_labels(prefix, base), total) for total, prefix, _, _, _ in beams]
    texts = [(p, v) for p, v in texts if constraint is None or constraint.may_end(p)]
    texts.sort(key=lambda item: -item[1])
    return [Hypothesis(prefix, math.ldexp(total, exponent)) for prefix, total in texts[:count]]


def _without_growth(beams: list[_Beam], rows: list[list[float]], blank: int) -> list[_Beam]:
    """Return beams after steps at which no beginning grows; their order stays."""
    # After these steps: ways from one that ended in a blank; of one that ended in its last label, those that
    # end in a blank now, and those that still end in the label.
    through = math.prod([row[blank] for row in rows])
    of_label: dict[int, tuple[float, float]] = {blank: (through, 0.0)}
    found = []
    for _, prefix, last, ended, open_ in beams:
        ways = of_label.get(last)
        if ways is None:
            closed, still = 0.0, 1.0
            for row in rows:
                closed, still = (closed + still) * row[blank], still * row[last]
            ways = of_label[last] = closed, still
        ended, open_ = ended * through + open_ * ways[0], open_ * ways[1]
        found.append((ended + open_, prefix, last, ended, open_))
    return found


def _raised(beams: list[_Beam]) -> tuple[list[_Beam], int]:
    """Return beams multiplied by a power of two so that the first is about 1, and what to divide them by."""
    _, exponent = math.frexp(beams[0][0])
    up = math.ldexp(1.0, -exponent)
    return [
        (total * up, prefix, last, ended * up, open_ * up) for total, prefix, last, ended, open_ in beams
    ], exponent


def _labels(number: int, base: int) -> Prefix:
    """Return the labels of a beginning that is kept as a number."""
    labels = []
    while number:
        number, label = divmod(number, base)
        labels.append(label - 1)
    return tuple(reversed(labels))


def probabilities_of(
    log_probabilities: NDArray[np.floating], texts: Sequence[Sequence[int]], unsaid: Sequence[int] = ()
) -> list[float]:
    """Return the probability of each text among all: the sum over all ways to say it (Graves et al., above).

    `log_probabilities` and `texts` as for `spans_of_all`. What is `unsaid`, labels that no text has, may
    stand anywhere beside a text's own: with all separators there, a text of digits has the probability of
    these digits however parted. Steps that are blank for sure cost nothing.
    """
    labels = log_probabilities.shape[1]
    blank = labels - 1
    longest = max(map(len, texts), default=0)
    starts = _starts(log_probabilities, 2 * longest + 1)
    # Other than blank for all of such steps, nothing is, or it goes on for all of them.
    rows = np.exp(np.add.reduceat(np.asarray(log_probabilities, np.float64), starts, axis=0))
    rows[:, blank] += rows[:, list(unsaid)].sum(axis=1)
    # What is behind a shorter text's last blank is never reached: of a long strip's ways to go on through
    # more blanks there would be more than a floating-point number counts.
    rows = np.column_stack([rows, np.zeros(len(rows))])
    states, jump = _states_of(texts, blank, behind=labels)
    of_steps = _by_states(rows, states)
    ways = np.zeros(states.shape)
    ways[:, :2] = next(of_steps)[:, :2]
    for of_step in of_steps:
        arrived = ways.copy()
        arrived[:, 1:] += ways[:, :-1]
        arrived[:, 2:] += ways[:, :-2] * jump[:, 2:]
        ways = np.multiply(arrived, of_step, out=arrived)
    last = np.array([2 * len(text) for text in texts], np.intp)
    row = np.arange(len(texts))
    whole = ways[row, last] + np.where(last > 0, ways[row, last - 1], 0.0)
    found: list[float] = whole.tolist()
    return found


def spans(log_probabilities: NDArray[np.floating], text: Sequence[int]) -> list[tuple[int, int]]:
    """Return the steps at which each character of a text stands in its likeliest alignment: first, last + 1.

    `log_probabilities` as for `best_texts`. Raises `ValueError` for a text that needs more steps than there
    are.
    """
    (found,) = spans_of_all(log_probabilities, [text])
    if found is None:
        raise ValueError(f"{len(text)} characters don't fit into {len(log_probabilities)} steps")
    return found


def spans_of_all(
    log_probabilities: NDArray[np.floating], texts: Sequence[Sequence[int]]
) -> list[list[tuple[int, int]] | None]:
    """Do for several texts what `spans` does for one, in little more time; None for one that does not fit."""
    steps, labels = log_probabilities.shape
    blank = labels - 1
    runs = _likeliest_runs(log_probabilities)
    likeliest = [label for label, _ in runs]
    found: list[list[tuple[int, int]] | None] = [None] * len(texts)
    left: list[int] = []
    for number, text in enumerate(texts):
        if likeliest == list(text):  # no alignment of any text is likelier
            found[number] = [span for _, span in runs]
        elif not text:
            found[number] = []
        elif len(text) + sum(a == b for a, b in itertools.pairwise(text)) <= steps:
            left.append(number)
    if not left:
        return found
    longest = max(len(texts[number]) for number in left)
    starts = _starts(log_probabilities, 2 * longest + 1)
    bounds = [*starts.tolist(), steps]
    if len(starts) < steps:
        log_probabilities, steps = np.add.reduceat(log_probabilities, starts, axis=0), len(starts)
    states, jump = _states_of([texts[number] for number in left], blank, behind=blank)
    of_steps = _by_states(np.asarray(log_probabilities), states)
    barred = np.where(jump[:, 2:], 0.0, -np.inf)
    came = np.zeros((steps, *states.shape), np.int8)
    # The scores so far by way of arrival: staying, from the state before, from the one before that.
    ways = np.full((3, *states.shape), -np.inf)
    scores = ways[0]
    scores[:, :2] = next(of_steps)[:, :2]
    for step, of_step in enumerate(of_steps, 1):
        ways[1, :, 1:] = scores[:, :-1]
        np.add(scores[:, :-2], barred, out=ways[2, :, 2:])
        came[step] = ways.argmax(axis=0)
        np.add(ways.max(axis=0), of_step, out=scores)
    for place, number in enumerate(left):
        last = 2 * len(texts[number])
        ends = scores[place].tolist()
        state = last if ends[last] >= ends[last - 1] else last - 1
        found[number] = [(bounds[a], bounds[b]) for a, b in _followed(came[:, place].tolist(), state)]
    return found


def _states_of(
    texts: Sequence[Sequence[int]], blank: int, behind: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the labels of each text's states, N×S, and which of them are reached over the one before, N×S.

    Blank, character, blank, character, …, blank; what is `behind` these in shorter texts has that label. Over
    a blank one may jump, unless the characters around it are the same.
    """
    longest = max(map(len, texts), default=0)
    states = np.full((len(texts), 2 * longest + 1), blank, np.intp)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
        row[2 * len(text) + 1 :] = behind
    jump = np.zeros(states.shape, bool)
    jump[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    return states, jump


_AT_ONCE = 64
"""Steps whose states are looked up at once: a long strip has thousands of both."""


def _by_states(rows: NDArray[Any], states: NDArray[np.intp]) -> Iterator[NDArray[Any]]:
    """Yield for every step what its row holds of the label of each state."""
    for start in range(0, len(rows), _AT_ONCE):
        yield from rows[start : start + _AT_ONCE, states]


_SURELY_BLANK = math.log(0.999)


def _starts(log_probabilities: NDArray[np.floating], least: int) -> NDArray[np.intp]:
    """Return where steps begin when those in a row that are blank for sure are taken for one.

    A likely alignment stays in one blank there; an unlikely text's extra character may then be given another
    place. Where fewer than `least` would be left, all stay as they are.
    """
    unsure = log_probabilities[:, -1] < _SURELY_BLANK
    starts = np.flatnonzero(unsure | np.append(True, unsure[:-1]))
    return starts if len(starts) >= least else np.arange(len(unsure))


def _likeliest_runs(log_probabilities: NDArray[np.floating]) -> list[tuple[int, tuple[int, int]]]:
    """Return the characters that are the likeliest of all labels, and where: first step, last + 1."""
    blank = log_probabilities.shape[1] - 1
    likeliest = log_probabilities.argmax(axis=1)
    changes = np.flatnonzero(likeliest[1:] != likeliest[:-1]) + 1
    bounds = [0, *changes.tolist(), len(likeliest)]
    labels = likeliest[bounds[:-1]].tolist()
    runs = zip(labels, itertools.pairwise(bounds), strict=True)
    return [(label, run) for label, run in runs if label != blank]


def _followed(came: list[list[int]], state: int) -> list[tuple[int, int]]:
    """Return where the characters stand on the way that ends in a state, followed back from there."""
    found: list[tuple[int, int]] = []
    until = len(came)
    for step in range(len(came) - 1, -1, -1):
        moved = came[step][state] if step else state
        if moved:
            if state % 2:
                found.append((step, until))
            state -= moved
            until = step
    return found[::-1]
