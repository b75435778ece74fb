"""The best way through what could be read: a lattice of candidates, and its n best readings.

A text line is a lattice: its nodes are the places where glyphs may begin and end, its arcs what may stand
between two of them, each with the probabilities of its labels. A reading is a way from the first node to the
last; the best are found by dynamic programming (Viterbi) over the nodes, keeping only what a bound cannot
rule out. Ways that spell the same text support each other: their probabilities add up.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.glyphs import Mark
from edgedigits.page import REJECTED, Box


@dataclass(frozen=True)
class LatticeSettings:
    """What the lattice holds likely beside the network's word; costs are in nats.

    Chosen one after the other on the tuning part of the cheque amounts
    (`tests/bench/bench_reading.py --sets cheques`).
    """

    cut_cost: float = 0.3
    """For each pixel of ink that the cuts beside a glyph cross."""
    touching_cost: float = 0.7
    """For a glyph that any ink was cut from."""
    alone_cost: float = 1.0
    """For a part of a line's only glyph, where that is no wider than high."""
    low_cost: float = 5.0
    """For what is lower, by its line, than one in twenty of its kind (times the logarithm of how much)."""
    wide_cost: float = 4.0
    """For a digit wider, by its height, than one in six of its kind (times the logarithm of how much)."""
    separator: float = 0.8
    """A small piece between digits is a separator with this probability."""
    dirt: float = 0.2
    """A piece is dirt with this probability, falling with its ink."""
    dirt_ink: float = 30.0
    """… by so many nats for ink of one squared height."""
    ring_cost: float = 0.7
    """For a ring of ink that is read as a zero in place of all that stands between two cuts; what ink stands
    beside it there costs as dirt does."""
    labels: int = 4
    """So many labels of a glyph are tried, the most probable."""
    readings: int = 8
    """So many readings are kept at each node."""
    bound: float = 12.0
    """What is less likely than the best at its node by so many nats is dropped."""


@dataclass(frozen=True)
class Arc:
    """What may stand between two nodes.

    Either a glyph, with `labels` (label, log-probability), the best first, and `row`, the index of its
    probabilities; or a separator, with its text; or nothing at all (`separator` is then ""). `log_prior`
    (nats, ≤ 0) is what is thought of it before the network is asked.
    """

    start: int
    stop: int
    box: Box
    log_prior: float
    row: int = -1
    labels: tuple[tuple[str, float], ...] = ()
    separator: str | None = None


@dataclass(frozen=True)
class Reading:
    """A line read one way: the text, its probability among all readings (0…1), the arcs of its best way."""

    text: str
    probability: float
    arcs: tuple[Arc, ...]


def spelt(reading: Reading, marks: Sequence[Mark] = ()) -> list[tuple[Box, str]]:
    """Return what stands in a line as it is read, digits and separators with their boxes, from left to right.

    `marks` are the separators beside those that are part of the reading.
    """
    labels = iter(reading.text)
    pieces: list[tuple[Box, str]] = [(mark.box, mark.text) for mark in marks]
    for arc in reading.arcs:
        sign = next(labels) if arc.separator is None else arc.separator
        if sign:
            pieces.append((arc.box, sign))
    return sorted(pieces, key=lambda piece: piece[0][0] + piece[0][2] / 2)


def weighed(readings: Sequence[Reading], weights: Sequence[float]) -> list[Reading]:
    """Return readings multiplied by weights (0 or more), best first; they still sum to what they did."""
    products = [each.probability * weight for each, weight in zip(readings, weights, strict=True)]
    scale = sum(each.probability for each in readings) / max(sum(products), 1e-300)
    found = [replace(each, probability=p * scale) for each, p in zip(readings, products, strict=True)]
    return sorted(found, key=lambda each: -each.probability)


_State = list[Any]
"""What spells one text up to a node: the log-sum over its ways, the text, the best way's logarithm, and that
way's last arc and the state before it, None at the first node. (A list, for thousands are made.)"""
_TOTAL = operator.itemgetter(0)


def glyph_labels(
    probabilities: NDArray[np.floating],
    characters: Sequence[tuple[int, str]],
    may_be_rejected: bool,
    settings: LatticeSettings = LatticeSettings(),
    size: tuple[float, float] | None = None,
) -> tuple[tuple[str, float], ...]:
    """Return the labels worth trying for a glyph with their log-probabilities, best first.

    `probabilities` are calibrated, one per class; `characters` the classes that are text, by index. What
    is left to classes that are no text counts for `?` where the glyph stands on its own
    (`may_be_rejected`); of a part that was only cut out to be tried it says nothing about the line.
    `size` is the glyph's width by its own height and its height by its line's, where these count: what two
    digits grown together are taken for is as a rule too wide, and what a comma is taken for too low.
    """
    values = probabilities.tolist()
    ranked = sorted([(values[k], -k, label) for k, label in characters], reverse=True)
    labels = [
        (label, math.log(max(p, 1e-9)) - _unusual(label, size, settings))
        for p, _, label in ranked[: settings.labels]
    ]
    labels.sort(key=lambda guess: -guess[1])
    if may_be_rejected:
        no_text = 1.0 - sum(p for p, _, _ in ranked)
        if no_text > 1e-3:
            labels.append((REJECTED, math.log(no_text)))
            labels.sort(key=lambda guess: -guess[1])
    return tuple(labels)


_WIDE = {
    "0": 1.32, "1": 0.87, "2": 1.05, "3": 1.01, "4": 0.88,
    "5": 1.13, "6": 1.00, "7": 0.88, "8": 1.03, "9": 0.86,
}  # fmt: skip
"""Width by height that one in six of a kind exceeds: the mean of the logarithm and one standard deviation, of
the digits rightly read in the tuning part of the cheque amounts."""


_LOW = 0.8
_LOW_OTHER = 0.6
"""Height by the line's that one in twenty of a kind falls short of. Zeros and some letters are smaller."""


def _unusual(label: str, size: tuple[float, float] | None, settings: LatticeSettings) -> float:
    """Return what a character of such a size costs, in nats."""
    if size is None:
        return 0.0
    wider = math.log(max(1.0, size[0] / _WIDE.get(label, math.inf)))
    least = _LOW if label in _WIDE and label != "0" else _LOW_OTHER
    lower = math.log(max(1.0, least / size[1]))
    return settings.wide_cost * wider + settings.low_cost * lower


def best_readings(
    arcs: Sequence[Arc],
    nodes: int,
    settings: LatticeSettings = LatticeSettings(),
    wanted: Iterable[str] = (),
) -> list[Reading]:
    """Return the best readings of a lattice, best first.

    `nodes` counts the steps from the first node to the last, which are 0 and `nodes`; every arc leads
    forward. Their probabilities are relative to all that was kept, and sum to 1. Without a way through,
    there are none. Ties go to the text that was found first. Texts that are `wanted` are told beside the
    best, unless they are less likely by more than `settings.bound`.
    """
    beginnings = {text[:end] for text in wanted for end in range(len(text) + 1)}
    arriving: list[list[Arc]] = [[] for _ in range(nodes + 1)]
    for arc in arcs:
        arriving[arc.stop].append(arc)
    # What each node is reached by, the likeliest first.
    beams: list[list[_State]] = [[[0.0, "", 0.0, None, None]]]
    for node in range(1, nodes + 1):
        beam: dict[str, _State] = {}
        ways = [(arc, beams[arc.start], _options(arc)) for arc in arriving[node]]
        likeliest = [states[0][0] + options[0][1] for _, states, options in ways if states and options]
        bound = max(likeliest, default=0.0) - settings.bound
        for arc, states, options in ways:
            for state in states:
                before, text, best, _, _ = state
                for label, step in options:
                    total = before + step
                    if total < bound:
                        break  # and so are all further labels
                    longer = text + label
                    known = beam.get(longer)
                    if known is None:
                        beam[longer] = [total, longer, best + step, arc, state]
                        continue
                    known[0] = max(known[0], total) + math.log1p(math.exp(-abs(known[0] - total)))
                    if best + step > known[2]:
                        known[2:] = best + step, arc, state
        beams.append(_pruned(beam, settings, beginnings))
    final = beams[-1]
    if not final:
        return []
    highest = final[0][0]
    weights = [math.exp(state[0] - highest) for state in final]
    whole = sum(weights)
    return [
        Reading(state[1], weight / whole, _way(state)) for state, weight in zip(final, weights, strict=True)
    ]


def _options(arc: Arc) -> list[tuple[str, float]]:
    """Return what an arc adds to the text and its log-probability, the likeliest first."""
    if arc.separator is not None:
        return [("", arc.log_prior)]
    return [(label, log_probability + arc.log_prior) for label, log_probability in arc.labels]


def _pruned(beam: dict[str, _State], settings: LatticeSettings, beginnings: Set[str]) -> list[_State]:
    ranked = sorted(beam.values(), key=_TOTAL, reverse=True)
    kept = ranked[: settings.readings]
    if beginnings:
        kept += [state for state in ranked[settings.readings :] if state[1] in beginnings]
    return [state for state in kept if state[0] >= ranked[0][0] - settings.bound]


def _way(state: _State) -> tuple[Arc, ...]:
    way: list[Arc] = []
    while state[4] is not None:
        way.append(state[3])
        state = state[4]
    return tuple(reversed(way))
