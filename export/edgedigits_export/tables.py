"""A validation as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from edgedigits_export.comparison import CorruptedFigures
from edgedigits_export.validate import ModelFigures, Validation


def table(validation: Validation) -> str:
    """Return the validation as text: models, confidences, classes, and whatever else was measured."""
    models = [validation.baseline, *(c.model for c in validation.comparisons)]
    parts = [
        f"{validation.pictures}, {validation.count} pictures; intervals are 95 %; drops in points against "
        f"{validation.baseline.name}, paired (Newcombe 1998, method 10)\n"
        + "".join(f"{note}\n" for note in validation.notes),
        columns(_accuracies(validation)),
        columns(_confidences(models)),
        columns(_classes(models)),
    ]
    tensors = _tensors(validation)
    if len(tensors) > 1:
        parts.append(columns(tensors))
    corrupted = corrupted_rows(
        validation.baseline.name, [(c.model.name, c.corrupted) for c in validation.comparisons]
    )
    if len(corrupted) > 1:
        parts.append(columns(corrupted))
    return "\n".join(parts)


def _accuracies(validation: Validation) -> list[list[str]]:
    rows = [["model", "accuracy %", "95 %", "drop", "95 %", "lost", "gained", "McNemar p", "agree %"]]
    rows.append([*_accuracy(validation.baseline), *[""] * 6])
    for c in validation.comparisons:
        rows.append(
            [
                *_accuracy(c.model),
                f"{100 * c.drop:+.2f}",
                f"{100 * c.drop_interval[0]:+.2f} … {100 * c.drop_interval[1]:+.2f}",
                str(c.lost),
                str(c.gained),
                f"{c.mcnemar:.3g}",
                f"{100 * c.agreement:.2f}",
            ]
        )
    return rows


def _accuracy(m: ModelFigures) -> list[str]:
    low, high = m.accuracy_interval
    return [m.name, f"{100 * m.accuracy:.2f}", f"{100 * low:.2f} … {100 * high:.2f}"]


def _confidences(models: Sequence[ModelFigures]) -> list[list[str]]:
    rows = [["model", "ECE", "Brier", "read at 1 % risk", "kB", "µs p50", "µs p99", "of 32", "MB"]]
    for m in models:
        times = (
            [f"{m.timing.p50:.1f}", f"{m.timing.p99:.1f}", f"{m.timing.batch:.2f}"] if m.timing else [""] * 3
        )
        memory = f"{m.peak_memory / 1e6:.1f}" if m.peak_memory is not None else ""
        measures = [f"{m.calibration.ece:.4f}", f"{m.calibration.brier:.4f}"]
        covered = f"{100 * m.selection.coverage_at_1_percent:.1f} %"
        rows.append([m.name, *measures, covered, f"{m.size / 1000:.1f}", *times, memory])
    return rows


def _classes(models: Sequence[ModelFigures]) -> list[list[str]]:
    rows = [["accuracy % on", "pictures", *(m.name for m in models)]]
    for index, figures in enumerate(models[0].per_class):
        right = [m.per_class[index].right for m in models]
        shares = [f"{100 * n / figures.pictures:.2f}" if figures.pictures else "none" for n in right]
        rows.append([figures.label, str(figures.pictures), *shares])
    return rows


def _tensors(validation: Validation) -> list[list[str]]:
    rows = [["operation", "model", "SQNR dB", "worst channel", "dB", "saturated %"]]
    for c in validation.comparisons:
        for place, t in enumerate(c.tensors):
            channel = [str(t.worst_channel), f"{t.worst_sqnr:.1f}"]
            rows.append(
                [
                    f"{place} {t.operation}",
                    c.model.name,
                    f"{t.sqnr:.1f}",
                    *channel,
                    f"{100 * t.saturated:.2f}",
                ]
            )
    return rows


def corrupted_rows(
    baseline: str, models: Sequence[tuple[str, Sequence[CorruptedFigures]]]
) -> list[list[str]]:
    """Return the accuracies of models, by name, under every corruption beside those of the float one."""
    rows = [["accuracy % under", "severity", baseline, *(name for name, _ in models), "drop"]]
    for beside in zip(*(figures for _, figures in models), strict=True):
        first = beside[0]
        shares = [f"{100 * row.accuracy:.2f}" for row in beside]
        worst = f"{100 * max(row.drop for row in beside):+.2f}"
        rows.append(
            [first.corruption, str(first.severity), f"{100 * first.baseline_accuracy:.2f}", *shares, worst]
        )
    return rows


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
    return "".join(line.rstrip() + "\n" for line in lines)
