"""Quantized models for strips beside the float one, on the runtime that ships: are they as good?

What `validate` is for glyphs. A strip is right when its whole text is; characters are counted as well.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from edgedigits.errors import ModelError
from edgedigits.streams import printable
from edgedigits.strip_model import StripModel
from edgedigits.ways.ctc import best_texts
from edgedigits_export.comparison import (
    CorruptedFigures,
    Failure,
    check_quantized,
    failed_gates,
    hardest,
    paired_figures,
    under_corruptions,
)
from edgedigits_export.corruptions import STRIP_CORRUPTIONS, Corruption, corrupt_strip
from edgedigits_export.errors import DataError
from edgedigits_export.gates import StripGates
from edgedigits_export.statistics import Interval, wilson_interval
from edgedigits_export.strip_data import StripSet

SCHEMA = 1
_TEXTS = 10
"""Best texts whose probabilities are summed where they differ in separators only."""
_TIMED = 40
"""Strips that the time is taken on."""


@dataclass(frozen=True)
class LabelFigures:
    """What became of one character, over all strips."""

    label: str
    count: int
    """How often it stands in the true texts."""
    right: int
    read_as: tuple[tuple[str, int], ...]
    """What was read instead, the most frequent first."""
    deleted: int
    """How often nothing was read for it."""
    inserted: int
    """How often it was read where nothing stands."""


@dataclass(frozen=True)
class StripTiming:
    """Milliseconds a strip takes on this machine, one thread: network, and network with decoding."""

    network: float
    p50: float
    p99: float


@dataclass(frozen=True)
class StripFigures:
    """What was measured of one model on one set."""

    name: str
    source: str
    format: str
    size: int
    """Bytes of the file's model proper, without its card."""
    exact: float
    """Share of the strips whose whole text is right."""
    exact_interval: Interval
    """95 %, Wilson."""
    character_error_rate: float
    """Edit distance (V. I. Levenshtein 1966) over the length of the true texts."""
    read_rate_at_1_percent: float
    """Largest share of the strips that can be accepted, by confidence, with at most 1 % of them wrong."""
    threshold_at_1_percent: float
    """The confidence from which on they are accepted then; 1 where none may be."""
    per_label: tuple[LabelFigures, ...]
    timing: StripTiming | None = None


@dataclass(frozen=True)
class StripChange:
    """A strip that the two models read differently."""

    strip: str
    truth: str
    before: str
    before_confidence: float
    after: str
    after_confidence: float


@dataclass(frozen=True)
class StripComparison:
    """A model beside the float one, on the same strips."""

    model: StripFigures
    drop: float
    """String accuracy of the float model less that of this one; positive where this one is worse."""
    drop_interval: Interval
    """95 %, for paired proportions: Newcombe 1998, method 10."""
    lost: int
    gained: int
    mcnemar: float
    """How probable a difference as large is between models that are equally good; exact, two-sided."""
    agreement: float
    """Share of the strips on which both say the same, right or wrong."""
    agreement_interval: Interval
    changes: tuple[StripChange, ...]
    failures: tuple[Failure, ...]
    corrupted: tuple[CorruptedFigures, ...] = ()
    """String accuracies under every corruption, where that was asked for."""


@dataclass(frozen=True)
class SetValidation:
    """All models on one set."""

    strips: str
    count: int
    digits_only: bool
    """Whether separators were left out of the comparison."""
    baseline: StripFigures
    comparisons: tuple[StripComparison, ...]


@dataclass(frozen=True)
class StripValidation:
    """The float model and every other one beside it, set by set."""

    sets: tuple[SetValidation, ...]
    gates: StripGates

    @property
    def failures(self) -> tuple[str, ...]:
        """Every gate that a model did not pass, a line each."""
        return tuple(f.line for s in self.sets for c in s.comparisons for f in c.failures)

    def as_json(self) -> str:
        """Return everything as indented JSON with a final newline."""
        whole = {"schema": SCHEMA, "way": "strip", "passed": not self.failures, **dataclasses.asdict(self)}
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Reading:
    """What a model says of a strip, and its probability, 0…1."""

    text: str
    confidence: float


def validate_strips(
    baseline: str | os.PathLike[str],
    others: Sequence[str | os.PathLike[str]],
    sets: Sequence[StripSet],
    gates: StripGates | None = None,
    *,
    timed: bool = True,
    any_format: bool = False,
    corruptions: bool = False,
) -> StripValidation:
    """Measure the float model `baseline` on each set and compare each of `others` with it.

    With `corruptions`, on every set spoilt in the ways of `STRIP_CORRUPTIONS`, too.

    Raises `ModelError` where a model can't be opened, reads other labels than the float one, or is not
    quantized (unless `any_format`), and `DataError` where a set says what no label stands for.
    """
    gates = gates or StripGates()
    models = [StripModel(path) for path in (baseline, *others)]
    for model in models[1:]:
        _check_comparable(models[0], model, any_format)
    for strips in sets:
        _check_readable(strips, models[0].card.labels)
    return StripValidation(
        tuple(_validate(models, strips, gates, timed, corruptions) for strips in sets), gates
    )


def _check_readable(strips: StripSet, labels: tuple[str, ...]) -> None:
    unread = sorted({sign for strip in strips.strips for sign in strip.text} - set("".join(labels[:-1])))
    if unread:
        raise DataError(
            f"{strips.name}: has strips that say {unread[0]!r}, and the model reads only "
            f"{' '.join(labels[:-1])}; choose strips or models that fit"
        )


def _check_comparable(baseline: StripModel, model: StripModel, any_format: bool) -> None:
    if model.card.labels != baseline.card.labels:
        raise ModelError(
            f"{model.source}: reads {' '.join(model.card.labels)}, and {baseline.source} "
            f"{' '.join(baseline.card.labels)}; compare models with the same labels"
        )
    if not any_format:
        check_quantized(model.card, model.source)


def read_strip(model: StripModel, image: NDArray[np.uint8], digits_only: bool) -> Reading:
    """Read one strip, uint8 40×W; with `digits_only`, texts that differ in separators only are one."""
    labels = model.card.labels
    texts = best_texts(model.log_probabilities(image), _TEXTS if digits_only else 1)
    told: dict[str, float] = {}
    for hypothesis in texts:
        said = (labels[k] for k in hypothesis.text)
        text = "".join(label for label in said if label.isdigit() or not digits_only)
        told[text] = told.get(text, 0.0) + hypothesis.probability
    best = max(told, key=lambda text: told[text])
    return Reading(best, min(1.0, told[best]))


def _validate(
    models: Sequence[StripModel], strips: StripSet, gates: StripGates, timed: bool, corruptions: bool
) -> SetValidation:
    read = [[read_strip(m, strip.image, strips.digits_only) for strip in strips.strips] for m in models]
    timings = _time(models, strips) if timed else [None] * len(models)
    truth = [strip.text for strip in strips.strips]
    figures = [
        _figures(model, said, truth, timing)
        for model, said, timing in zip(models, read, timings, strict=True)
    ]
    corrupted = _corrupted(models, strips) if corruptions else [()] * len(models)
    comparisons = []
    for measured, said, spoilt in zip(figures[1:], read[1:], corrupted[1:], strict=True):
        comparison = dataclasses.replace(_compare(measured, read[0], said, strips), corrupted=spoilt)
        about = f"{measured.name}, {strips.name}"
        failures = failed_gates(gates, about, _measured(figures[0], comparison))
        comparisons.append(dataclasses.replace(comparison, failures=failures))
    return SetValidation(strips.name, len(strips), strips.digits_only, figures[0], tuple(comparisons))


def _figures(
    model: StripModel, said: Sequence[Reading], truth: Sequence[str], timing: StripTiming | None
) -> StripFigures:
    right = np.array([reading.text == text for reading, text in zip(said, truth, strict=True)])
    per_label, errors = _characters(said, truth)
    confidence = np.array([reading.confidence for reading in said])
    rate, threshold = most_accepted(confidence, right, 0.01)
    return StripFigures(
        name=model.card.name,
        source=printable(model.source),
        format=model.card.format,
        size=model.card.model_size,
        exact=float(right.mean()),
        exact_interval=wilson_interval(int(right.sum()), len(right)),
        character_error_rate=errors / max(1, sum(map(len, truth))),
        read_rate_at_1_percent=rate / len(right),
        threshold_at_1_percent=threshold,
        per_label=per_label,
        timing=timing,
    )


def most_accepted(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], max_error: float
) -> tuple[int, float]:
    """Return how many readings can be accepted with at most `max_error` of them wrong, and from where on.

    The second is the least confidence of those accepted; 1 where there are none. A threshold can't part
    readings of the same confidence.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    wrong = np.cumsum(~right[order])
    count = np.arange(1, len(order) + 1)
    ends = np.append(ranked[1:] != ranked[:-1], True)
    allowed = np.flatnonzero(ends & (wrong <= max_error * count + 1e-9))
    if not len(allowed):
        return 0, 1.0
    return int(count[allowed[-1]]), float(ranked[allowed[-1]])


def _characters(said: Sequence[Reading], truth: Sequence[str]) -> tuple[tuple[LabelFigures, ...], int]:
    """Return the figures of every character that occurs, and the number of edits."""
    pairs: Counter[tuple[str, str]] = Counter()
    for reading, text in zip(said, truth, strict=True):
        pairs.update(zip(text, text, strict=True))
        for edit in Levenshtein.editops(text, reading.text):
            true = "" if edit.tag == "insert" else text[edit.src_pos]
            if true:
                pairs[true, true] -= 1
            pairs[true, "" if edit.tag == "delete" else reading.text[edit.dest_pos]] += 1
    labels = sorted({a for pair in pairs for a in pair if a})
    figures = []
    for label in labels:
        others = [(b, n) for (a, b), n in pairs.items() if a == label and b not in ("", label)]
        figures.append(
            LabelFigures(
                label=label,
                count=sum(n for (a, _), n in pairs.items() if a == label),
                right=pairs[label, label],
                read_as=tuple(sorted(others, key=lambda item: (-item[1], item[0]))),
                deleted=pairs[label, ""],
                inserted=pairs["", label],
            )
        )
    return tuple(figures), sum(n for (a, b), n in pairs.items() if a != b)


def _compare(
    model: StripFigures, before: Sequence[Reading], after: Sequence[Reading], strips: StripSet
) -> StripComparison:
    truth = np.array([strip.text for strip in strips.strips])
    was, is_ = (np.array([reading.text for reading in said]) for said in (before, after))
    changes = tuple(
        StripChange(strip.name, strip.text, old.text, old.confidence, new.text, new.confidence)
        for strip, old, new in zip(strips.strips, before, after, strict=True)
        if old.text != new.text
    )
    return StripComparison(
        model=model, **paired_figures(was == truth, is_ == truth, was == is_), changes=changes, failures=()
    )


def _measured(base: StripFigures, c: StripComparison) -> Iterator[tuple[str, float, str]]:
    """Yield each gate, what is held against it, and the words for that."""
    share = f"{base.exact:.2%} to {c.model.exact:.2%}"
    yield "max_drop", c.drop, f"string accuracy drops by {c.drop:.4f} ({share})"
    yield "min_agreement", c.agreement, f"agrees with {base.name} on {c.agreement:.4f}"
    rise = c.model.character_error_rate - base.character_error_rate
    yield "max_cer_rise", rise, f"character error rate rises by {rise:.4f}"
    loss = base.read_rate_at_1_percent - c.model.read_rate_at_1_percent
    yield "max_read_rate_loss", loss, f"read rate at 1 % wrong falls by {loss:.4f}"
    for row in hardest(c.corrupted):
        what = f"string accuracy under {row.corruption} {row.severity} drops by {row.drop:.4f}"
        yield "max_corrupted_drop", row.drop, what


def _corrupted(models: Sequence[StripModel], strips: StripSet) -> list[tuple[CorruptedFigures, ...]]:
    def texts(corruption: Corruption, severity: int) -> list[NDArray[Any]]:
        spoilt = [
            corrupt_strip(strip.image, corruption, severity, seed) for seed, strip in enumerate(strips.strips)
        ]
        return [
            np.array([read_strip(model, image, strips.digits_only).text for image in spoilt])
            for model in models
        ]

    return under_corruptions(STRIP_CORRUPTIONS, np.array([strip.text for strip in strips.strips]), texts)


def _time(models: Sequence[StripModel], strips: StripSet) -> list[StripTiming]:
    """Time the models in turns, so that whatever else the machine does meets them all alike."""
    networks: list[list[float]] = [[] for _ in models]
    wholes: list[list[float]] = [[] for _ in models]
    for strip in strips.strips[:_TIMED]:
        for model, network, whole in zip(models, networks, wholes, strict=True):
            model.log_probabilities(strip.image)  # what the model before left in the caches is no fault of it
            started = time.perf_counter()
            model.log_probabilities(strip.image)
            network.append(1000 * (time.perf_counter() - started))
            started = time.perf_counter()
            read_strip(model, strip.image, strips.digits_only)
            whole.append(1000 * (time.perf_counter() - started))
    return [
        StripTiming(
            network=round(float(np.median(network)), 3),
            p50=round(float(np.median(whole)), 3),
            p99=round(float(np.percentile(whole, 99)), 3),
        )
        for network, whole in zip(networks, wholes, strict=True)
    ]
