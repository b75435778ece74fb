"""Whether quantized models read as well as the float one, measured on the very runtime that ships.

Nothing here needs TensorFlow: it runs wherever the models do.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics as middle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import ModelError
from edgedigits.model import Model
from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError
from edgedigits_export.formats import FORMATS
from edgedigits_export.statistics import Interval, paired_interval, wilson_interval

SCHEMA = 1


@dataclass(frozen=True)
class Gates:
    """What a quantized model must not fall short of; `None` lets it pass."""

    max_drop: float | None = 0.001
    """Largest loss of accuracy against the float model, as a share (0.001 is 0.1 point)."""
    min_agreement: float | None = 0.998
    """Smallest share of the pictures on which it says what the float model says."""


@dataclass(frozen=True)
class ClassFigures:
    """How one class is read: of `pictures` of it, `right` rightly."""

    label: str
    pictures: int
    right: int


@dataclass(frozen=True)
class Timing:
    """Microseconds per digit, uint8 crop to calibrated probabilities, one thread, medians of repeats."""

    single: float
    """Digits one at a time."""
    batch: float
    """Digits 32 at a time."""


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
    timing: Timing | None


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
    agreement: float
    """Share of the pictures on which both say the same, right or wrong."""
    failures: tuple[str, ...]
    """The gates it does not pass, a line each."""


@dataclass(frozen=True)
class Validation:
    """The float model and every other one beside it."""

    pictures: str
    count: int
    baseline: ModelFigures
    comparisons: tuple[Comparison, ...]
    gates: Gates

    @property
    def failures(self) -> tuple[str, ...]:
        """Every gate that a model did not pass."""
        return tuple(line for comparison in self.comparisons for line in comparison.failures)

    def as_json(self) -> str:
        """Return everything as indented JSON with a final newline."""
        whole = {"schema": SCHEMA, "passed": not self.failures, **dataclasses.asdict(self)}
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def validate(
    baseline: str | os.PathLike[str],
    others: Sequence[str | os.PathLike[str]],
    pictures: Pictures,
    gates: Gates | None = None,
    *,
    timed: bool = True,
) -> Validation:
    """Measure the float model `baseline` and compare each of `others` with it on `pictures`.

    Models are names of shipped ones or files. Raises `ModelError` where one can't be opened, where the
    labels differ, or where a model that is not quantized stands where a quantized one should, and
    `DataError` where there are no pictures or they don't fit the labels.
    """
    gates = gates or Gates()
    if not len(pictures):
        raise DataError(f"{pictures.name}: no pictures; name a set that has some")
    float_model = Model(baseline)
    models = [Model(other) for other in others]
    for model in models:
        _check_comparable(float_model, model)
    truth = pictures.truth(float_model.card.labels)
    guesses = {id(model): _guess(model, pictures.images) for model in (float_model, *models)}
    times = dict.fromkeys(guesses, None) | (_time([float_model, *models], pictures.images) if timed else {})

    def figures(model: Model) -> ModelFigures:
        return _figures(model, guesses[id(model)], truth, times[id(model)])

    base = figures(float_model)
    comparisons = tuple(
        _compare(base, figures(model), guesses[id(float_model)], guesses[id(model)], truth, gates)
        for model in models
    )
    return Validation(pictures.name, len(pictures), base, comparisons, gates)


def _check_comparable(baseline: Model, model: Model) -> None:
    if model.card.labels != baseline.card.labels:
        raise ModelError(
            f"{model.source}: reads {' '.join(model.card.labels)}, and {baseline.source} "
            f"{' '.join(baseline.card.labels)}; compare models with the same labels"
        )
    format_ = FORMATS.get(model.card.format)
    if format_ is not None and not format_.quantized:
        raise ModelError(
            f"{model.source}: {format_.name} where a quantized model is expected; "
            "name the float model first, then the quantized ones"
        )


def _guess(model: Model, images: NDArray[np.uint8]) -> NDArray[np.intp]:
    probabilities = model.probabilities(images)
    if not np.isfinite(probabilities).all():
        raise ModelError(f"{model.source}: gives values that are no numbers; export it again")
    return probabilities.argmax(axis=1)


def _figures(
    model: Model, guesses: NDArray[np.intp], truth: NDArray[np.intp], timing: Timing | None
) -> ModelFigures:
    right = guesses == truth
    per_class = tuple(
        ClassFigures(label, int((truth == index).sum()), int(right[truth == index].sum()))
        for index, label in enumerate(model.card.labels)
    )
    return ModelFigures(
        name=model.card.name,
        source=model.source,
        format=model.card.format,
        size=model.card.model_size,
        accuracy=float(right.mean()),
        accuracy_interval=wilson_interval(int(right.sum()), len(right)),
        per_class=per_class,
        timing=timing,
    )


def _compare(
    base: ModelFigures,
    model: ModelFigures,
    base_guesses: NDArray[np.intp],
    guesses: NDArray[np.intp],
    truth: NDArray[np.intp],
    gates: Gates,
) -> Comparison:
    base_right, right = base_guesses == truth, guesses == truth
    lost, gained = int((base_right & ~right).sum()), int((right & ~base_right).sum())
    both, neither = int((base_right & right).sum()), int((~base_right & ~right).sum())
    same = int((base_guesses == guesses).sum())
    count = len(truth)
    failures = []
    # Compared as counts: shares that are equal on paper differ in their last bit.
    if gates.max_drop is not None and lost - gained > gates.max_drop * count + 1e-9:
        failures.append(
            f"{model.name}: accuracy drops by {100 * (lost - gained) / count:.2f} points "
            f"({base.accuracy:.2%} to {model.accuracy:.2%}), more than {100 * gates.max_drop:g}"
        )
    if gates.min_agreement is not None and same < gates.min_agreement * count - 1e-9:
        failures.append(
            f"{model.name}: agrees with {base.name} on {same / count:.2%}, "
            f"less than {gates.min_agreement:.2%}"
        )
    return Comparison(
        model=model,
        drop=(lost - gained) / count,
        drop_interval=paired_interval(both, lost, gained, neither),
        lost=lost,
        gained=gained,
        agreement=same / count,
        failures=tuple(failures),
    )


def _time(models: Sequence[Model], images: NDArray[np.uint8]) -> dict[int, Timing]:
    """Time the models in turns, so that whatever else the machine does meets them all alike."""
    one, many = images[:1], np.resize(images, (32, *images.shape[1:]))
    singles: dict[int, list[float]] = {id(model): [] for model in models}
    batches: dict[int, list[float]] = {id(model): [] for model in models}
    for _ in range(25):
        for model in models:
            singles[id(model)].append(_microseconds(lambda m=model: m.probabilities(one), 100))  # type: ignore[misc]
            batches[id(model)].append(_microseconds(lambda m=model: m.probabilities(many), 10) / 32)  # type: ignore[misc]
    return {
        id(m): Timing(round(middle.median(singles[id(m)]), 2), round(middle.median(batches[id(m)]), 2))
        for m in models
    }


def _microseconds(call: Callable[[], Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times * 1e6


def table(validation: Validation) -> str:
    """Return the validation as a text table, a model a line, then the classes."""
    base = validation.baseline
    rows = [["model", "accuracy %", "95 %", "drop", "95 %", "agree %", "kB", "µs/digit", "of 32"]]
    rows.append([*_head(base), "", "", "", *_tail(base)])
    for c in validation.comparisons:
        low, high = c.drop_interval
        paired = [f"{100 * c.drop:+.2f}", f"{100 * low:+.2f} … {100 * high:+.2f}", f"{100 * c.agreement:.2f}"]
        rows.append([*_head(c.model), *paired, *_tail(c.model)])
    models = [base, *(c.model for c in validation.comparisons)]
    classes = [["class", "pictures", *(m.name for m in models)]]
    for index, figures in enumerate(base.per_class):
        shares = []
        for m in models:
            row = m.per_class[index]
            shares.append(f"{100 * row.right / row.pictures:.2f}" if row.pictures else "none")
        classes.append([figures.label, str(figures.pictures), *shares])
    head = (
        f"{validation.pictures}, {validation.count} pictures; drop in points, paired (Newcombe, method 10)\n"
    )
    return f"{head}{_columns(rows)}\n{_columns(classes)}"


def _head(m: ModelFigures) -> list[str]:
    low, high = m.accuracy_interval
    return [m.name, f"{100 * m.accuracy:.2f}", f"{100 * low:.2f} … {100 * high:.2f}"]


def _tail(m: ModelFigures) -> list[str]:
    times = [f"{m.timing.single:.1f}", f"{m.timing.batch:.2f}"] if m.timing else ["", ""]
    return [f"{m.size / 1000:.1f}", *times]


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
    return "".join(line.rstrip() + "\n" for line in lines)
