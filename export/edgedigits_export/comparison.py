"""A model beside the float one on the same inputs, of whatever kind: what both validations have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Card
from edgedigits.errors import ModelError
from edgedigits_export.corruptions import SEVERITIES, Corruption
from edgedigits_export.formats import FORMATS
from edgedigits_export.gates import Gates, StripGates
from edgedigits_export.statistics import mcnemar_exact, paired_interval, wilson_interval

_SLACK = 1e-9
"""Shares that are equal on paper differ in their last bit."""


@dataclass(frozen=True)
class CorruptedFigures:
    """Both models on the same spoilt pictures: shares, 0…1."""

    corruption: str
    severity: int
    baseline_accuracy: float
    accuracy: float
    agreement: float

    @property
    def drop(self) -> float:
        """Accuracy lost against the float model, as a share."""
        return self.baseline_accuracy - self.accuracy


@dataclass(frozen=True)
class Failure:
    """A gate that a model did not pass."""

    gate: str
    """The name of the field of `Gates`."""
    line: str
    """What is wrong, in one line."""


def check_quantized(card: Card, source: str) -> None:
    """Raise `ModelError` where a model is known not to be quantized."""
    format_ = FORMATS.get(card.format)
    if format_ is not None and not format_.quantized:
        raise ModelError(
            f"{source}: {format_.name} where a quantized model is expected; "
            "name the float model first, then the quantized ones, or compare with --any-format"
        )


def paired_figures(
    before: NDArray[np.bool_], after: NDArray[np.bool_], same: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return drop, lost, gained, McNemar's test and agreement, under the names of the comparisons' fields.

    `before` and `after`, [n], are what the float model and the other read rightly, `same` where they agree.
    """
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    both, neither, count = int((before & after).sum()), int((~before & ~after).sum()), len(same)
    return {
        "drop": (lost - gained) / count,
        "drop_interval": paired_interval(both, lost, gained, neither),
        "lost": lost,
        "gained": gained,
        "mcnemar": mcnemar_exact(lost, gained),
        "agreement": float(same.mean()),
        "agreement_interval": wilson_interval(int(same.sum()), count),
    }


def failed_gates(
    gates: Gates | StripGates, about: str, measured: Iterable[tuple[str, float, str]]
) -> tuple[Failure, ...]:
    """Return the gates that a model does not pass; `about` names it, and what it was measured on.

    `measured` has the name of a gate, the value held against it, and the words for that value. Gates that
    are called min_… are the least allowed, all others the most.
    """
    failures = []
    for gate, value, what in measured:
        limit: float | None = getattr(gates, gate)
        least = gate.startswith("min_")
        # So put that a value that is no number passes none.
        passed = limit is None or (value >= limit - _SLACK if least else value <= limit + _SLACK)
        if not passed:
            line = f"{about}: {what}, {'less' if least else 'more'} than {limit:g}"
            failures.append(Failure(gate, line))
    return tuple(failures)


def hardest(rows: Sequence[CorruptedFigures]) -> list[CorruptedFigures]:
    """Return the corruption that costs the most, if any was measured."""
    return [max(rows, key=lambda row: row.drop)] if rows else []


def under_corruptions(
    corruptions: Sequence[Corruption],
    truth: NDArray[Any],
    read: Callable[[Corruption, int], Sequence[NDArray[Any]]],
) -> list[tuple[CorruptedFigures, ...]]:
    """Return, for each model, its figures under every corruption beside those of the first model.

    `read` gives what each model reads, [n] like `truth`, under a corruption of a severity.
    """
    rows = []
    for corruption in corruptions:
        for severity in SEVERITIES:
            first, *_ = said = read(corruption, severity)
            rows.append(
                [
                    CorruptedFigures(
                        corruption=corruption.name,
                        severity=severity,
                        baseline_accuracy=float((first == truth).mean()),
                        accuracy=float((one == truth).mean()),
                        agreement=float((one == first).mean()),
                    )
                    for one in said
                ]
            )
    return list(zip(*rows, strict=True))
