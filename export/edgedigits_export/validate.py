"""Whether quantized models read as well as the float one, measured on the very runtime that ships.

Nothing here needs TensorFlow: it runs wherever the models do.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Way, split_bytes
from edgedigits.errors import ModelError
from edgedigits.model import Model, read_model
from edgedigits.streams import printable
from edgedigits_export.cardless import Carded, Conventions, give_cards, restored
from edgedigits_export.comparison import (
    CorruptedFigures,
    Failure,
    check_quantized,
    failed_gates,
    hardest,
    paired_figures,
    under_corruptions,
)
from edgedigits_export.confidence import Calibration, Selection, calibration_of, selection_of
from edgedigits_export.corruptions import CORRUPTIONS, Corruption, corrupt
from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError
from edgedigits_export.gates import Gates
from edgedigits_export.statistics import Interval, wilson_interval
from edgedigits_export.tensors import TensorError, tensor_errors

SCHEMA = 1
TENSOR_PICTURES = 100
"""How many pictures the tensors are compared on."""


@dataclass(frozen=True)
class ClassFigures:
    """How one class is read: of `pictures` of it, `right` rightly."""

    label: str
    pictures: int
    right: int


@dataclass(frozen=True)
class Timing:
    """Microseconds per digit, uint8 crop to calibrated probabilities, on one thread."""

    p50: float
    """One digit at a time, median."""
    p99: float
    """One digit at a time, 99th percentile."""
    batch: float
    """32 digits at a time, median, per digit."""


@dataclass(frozen=True)
class ModelFigures:
    """What was measured of one model by itself."""

    name: str
    source: str
    format: str
    size: int
    """Bytes of the model proper, without its card."""
    accuracy: float
    accuracy_interval: Interval
    """95 %, Wilson."""
    per_class: tuple[ClassFigures, ...]
    calibration: Calibration
    selection: Selection
    timing: Timing | None = None
    peak_memory: int | None = None
    """Bytes at most resident in a process that opens the model and reads 32 digits."""


@dataclass(frozen=True)
class Flip:
    """A picture that the two models read differently."""

    picture: int
    """Its number in the set."""
    truth: str
    before: str
    """What the float model says, and how surely (0…1)."""
    before_confidence: float
    after: str
    after_confidence: float


@dataclass(frozen=True)
class Comparison:
    """A model beside the float one, on the same pictures."""

    model: ModelFigures
    drop: float
    """Accuracy of the float model less that of this one, as a share; positive where this one is worse."""
    drop_interval: Interval
    """95 %, for paired proportions: Newcombe 1998, method 10."""
    lost: int
    """Pictures that only the float model reads rightly."""
    gained: int
    """Pictures that only this one reads rightly."""
    mcnemar: float
    """How probable a difference as large is between models that are equally good; exact, two-sided."""
    agreement: float
    """Share of the pictures on which both say the same, right or wrong."""
    agreement_interval: Interval
    """95 %, Wilson."""
    flips: tuple[Flip, ...]
    tensors: tuple[TensorError, ...]
    """Operation by operation; empty where the graphs differ."""
    corrupted: tuple[CorruptedFigures, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Validation:
    """The float model and every other one beside it."""

    pictures: str
    count: int
    baseline: ModelFigures
    comparisons: tuple[Comparison, ...]
    gates: Gates
    notes: tuple[str, ...] = ()
    """What was found out about models without a card, a line each."""

    @property
    def failures(self) -> tuple[str, ...]:
        """Every gate that a model did not pass, a line each."""
        return tuple(failure.line for comparison in self.comparisons for failure in comparison.failures)

    def as_json(self) -> str:
        """Return everything as indented JSON with a final newline."""
        whole = {"schema": SCHEMA, "passed": not self.failures, **dataclasses.asdict(self)}
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Scope:
    """How much is measured beside accuracy, agreement and confidence."""

    time: bool = True
    memory: bool = True
    tensors: bool = True
    corruptions: bool = False
    any_format: bool = False
    """Whether a float model may stand where a quantized one is expected."""


def validate(
    baseline: str | os.PathLike[str],
    others: Sequence[str | os.PathLike[str]],
    pictures: Pictures,
    gates: Gates | None = None,
    scope: Scope | None = None,
    conventions: Conventions | None = None,
) -> Validation:
    """Measure the float model `baseline` and compare each of `others` with it on `pictures`.

    Models are names of shipped ones or files. The order of their labels does not matter. `conventions` are
    those of models without a card, where their files don't prove them.

    Raises `ModelError` where a model can't be opened, reads other labels than the float one, is not
    quantized, gives values that are no numbers, or has no card and nothing says what it takes and gives; and
    `DataError` where there are no pictures or they don't fit the labels.
    """
    gates, scope = gates or Gates(), scope or Scope()
    if not len(pictures):
        raise DataError(f"{pictures.name}: no pictures; name a set that has some")
    with tempfile.TemporaryDirectory() as folder:
        carded = give_cards((baseline, *others), Path(folder), conventions)
        try:
            return _validate(carded, pictures, gates, scope)
        except ModelError as error:
            raise restored(error, carded) from error


def _validate(carded: Sequence[Carded], pictures: Pictures, gates: Gates, scope: Scope) -> Validation:
    first = carded[0].path
    way: Way = "character" if split_bytes(read_model(first), first)[0].way == "character" else "glyph"
    models = [Model(one.path, way=way) for one in carded]
    for model in models[1:]:
        _check_comparable(models[0], model, scope)
    labels = models[0].card.labels
    truth = pictures.truth(labels)
    given = [_probabilities(model, pictures.images, labels) for model in models]
    times: Sequence[Timing | None] = _time(models, pictures.images) if scope.time else [None] * len(models)
    figures = [
        ModelFigures(
            name=model.card.name,
            source=printable(one.given),
            format=model.card.format,
            size=model.card.model_size,
            calibration=calibration_of(probabilities, truth),
            selection=selection_of(probabilities, truth),
            timing=timing,
            peak_memory=_peak_memory(model) if scope.memory else None,
            **_accuracy(labels, probabilities.argmax(axis=1), truth),
        )
        for one, model, probabilities, timing in zip(carded, models, given, times, strict=True)
    ]
    corrupted = _corrupted(models, labels, pictures, truth) if scope.corruptions else [()] * len(models)
    comparisons = []
    for i, model in enumerate(models[1:], 1):
        errors: tuple[TensorError, ...] = ()
        if scope.tensors:
            errors = tensor_errors(models[0], model, pictures.images[:TENSOR_PICTURES])
        measured = _compare(figures[0], figures[i], given[0], given[i], truth, labels)
        measured = dataclasses.replace(measured, tensors=errors, corrupted=corrupted[i])
        failures = failed_gates(gates, model.card.name, _measured(figures[0], measured))
        comparisons.append(dataclasses.replace(measured, failures=failures))
    notes = tuple(note for one in carded for note in one.notes)
    return Validation(pictures.name, len(pictures), figures[0], tuple(comparisons), gates, notes)


def _check_comparable(baseline: Model, model: Model, scope: Scope) -> None:
    if sorted(model.card.labels) != sorted(baseline.card.labels):
        raise ModelError(
            f"{model.source}: reads {' '.join(model.card.labels)}, and {baseline.source} "
            f"{' '.join(baseline.card.labels)}; compare models with the same labels"
        )
    if not scope.any_format:
        check_quantized(model.card, model.source)


def _probabilities(model: Model, images: NDArray[np.uint8], labels: tuple[str, ...]) -> NDArray[np.float32]:
    """Return a model's probabilities with the classes in the order of `labels`."""
    probabilities = model.probabilities(images)
    if not np.isfinite(probabilities).all():
        raise ModelError(f"{model.source}: gives values that are no numbers; export it again")
    if model.card.labels == labels:
        return probabilities
    return probabilities[:, [model.card.labels.index(label) for label in labels]]


def _accuracy(labels: tuple[str, ...], guesses: NDArray[np.intp], truth: NDArray[np.intp]) -> dict[str, Any]:
    right = guesses == truth
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval": wilson_interval(int(right.sum()), len(right)),
        "per_class": tuple(
            ClassFigures(label, int((truth == index).sum()), int(right[truth == index].sum()))
            for index, label in enumerate(labels)
        ),
    }


def _compare(
    base: ModelFigures,
    model: ModelFigures,
    base_given: NDArray[np.float32],
    given: NDArray[np.float32],
    truth: NDArray[np.intp],
    labels: tuple[str, ...],
) -> Comparison:
    before, after = base_given.argmax(axis=1), given.argmax(axis=1)
    flips = tuple(
        Flip(
            picture=int(i),
            truth=labels[truth[i]],
            before=labels[before[i]],
            before_confidence=float(base_given[i, before[i]]),
            after=labels[after[i]],
            after_confidence=float(given[i, after[i]]),
        )
        for i in np.flatnonzero(before != after)
    )
    return Comparison(
        model=model,
        **paired_figures(before == truth, after == truth, before == after),
        flips=flips,
        tensors=(),
        corrupted=(),
        failures=(),
    )


def _measured(base: ModelFigures, c: Comparison) -> Iterator[tuple[str, float, str]]:
    """Yield each gate, what is held against it, and the words for that."""
    share = f"{base.accuracy:.2%} to {c.model.accuracy:.2%}"
    yield "max_drop", c.drop, f"accuracy drops by {c.drop:.4f} ({share})"
    yield "min_agreement", c.agreement, f"agrees with {base.name} on {c.agreement:.4f}"
    for one, other in zip(base.per_class, c.model.per_class, strict=True):
        if one.pictures:
            loss = (one.right - other.right) / one.pictures
            yield "max_class_drop", loss, f"accuracy on '{one.label}' drops by {loss:.4f}"
    rise = c.model.calibration.ece - base.calibration.ece
    yield "max_ece_rise", rise, f"calibration error rises by {rise:.4f}"
    rise = c.model.calibration.brier - base.calibration.brier
    yield "max_brier_rise", rise, f"Brier score rises by {rise:.4f}"
    loss = base.selection.coverage_at_1_percent - c.model.selection.coverage_at_1_percent
    yield "max_coverage_loss", loss, f"coverage at 1 % risk falls by {loss:.4f}"
    if c.tensors:
        worst = min(c.tensors, key=lambda t: t.sqnr)
        where = f"{worst.operation} '{worst.tensor}'"
        yield "min_sqnr", worst.sqnr, f"signal to noise of {where} is {worst.sqnr:.1f} dB"
        worst = max(c.tensors, key=lambda t: t.saturated)
        where = f"{worst.operation} '{worst.tensor}'"
        yield "max_saturated", worst.saturated, f"{where} is saturated in {worst.saturated:.4f} of its values"
    for row in hardest(c.corrupted):
        what = f"accuracy under {row.corruption} {row.severity} drops by {row.drop:.4f}"
        yield "max_corrupted_drop", row.drop, what


def _corrupted(
    models: Sequence[Model], labels: tuple[str, ...], pictures: Pictures, truth: NDArray[np.intp]
) -> list[tuple[CorruptedFigures, ...]]:
    def guesses(corruption: Corruption, severity: int) -> list[NDArray[np.intp]]:
        images = corrupt(pictures.images, corruption, severity)
        return [_probabilities(model, images, labels).argmax(axis=1) for model in models]

    return under_corruptions(CORRUPTIONS, truth, guesses)


def _time(models: Sequence[Model], images: NDArray[np.uint8]) -> list[Timing]:
    """Time the models in turns, so that whatever else the machine does meets them all alike."""
    one, many = images[:1], np.resize(images, (32, *images.shape[1:]))
    singles: list[list[float]] = [[] for _ in models]
    batches: list[list[float]] = [[] for _ in models]
    for _ in range(20):
        for model, single, batch in zip(models, singles, batches, strict=True):
            _microseconds(
                model, one, 5, []
            )  # what the model before left in the caches is no fault of this one
            _microseconds(model, one, 60, single)
            _microseconds(model, many, 8, batch)
    return [
        Timing(
            p50=round(float(np.percentile(single, 50)), 2),
            p99=round(float(np.percentile(single, 99)), 2),
            batch=round(float(np.percentile(batch, 50)) / 32, 2),
        )
        for single, batch in zip(singles, batches, strict=True)
    ]


def _microseconds(model: Model, crops: NDArray[np.uint8], times: int, into: list[float]) -> None:
    clock: Callable[[], int] = time.perf_counter_ns
    for _ in range(times):
        start = clock()
        model.probabilities(crops)
        into.append((clock() - start) / 1000)


def _peak_memory(model: Model) -> int | None:
    program = (
        "import sys, numpy as np\n"
        "from edgedigits.model import Model\n"
        "Model(sys.argv[1], way=sys.argv[2]).probabilities(np.zeros((32, 28, 28), np.uint8))\n"
        # Not getrusage: its figure is inherited from the process that starts this one.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, model.source, model.card.way],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return int(done.stdout) * 1024
    except (OSError, subprocess.SubprocessError, ValueError):
        return None  # a system without /proc; the figure is left out
