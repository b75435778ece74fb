"""A validation of models for strips, and their operating points, as text for a terminal."""

from __future__ import annotations

from edgedigits_export.accept import NEVER, Acceptance
from edgedigits_export.tables import columns, corrupted_rows
from edgedigits_export.validate_strips import SetValidation, StripFigures, StripValidation

_SHOWN = 3
"""So many of the characters that another was read as."""


def strip_table(validation: StripValidation) -> str:
    """Return the validation as text, set by set."""
    return "\n".join(_set(one) for one in validation.sets)


def _set(one: SetValidation) -> str:
    compared = "digits compared" if one.digits_only else "digits and separators compared"
    models = [one.baseline, *(c.model for c in one.comparisons)]
    parts = [
        f"{one.strips}, {one.count} strips, {compared}; intervals are 95 %; drops in points against "
        f"{one.baseline.name}, paired (Newcombe 1998, method 10)\n",
        columns(_accuracies(one)),
        columns(_costs(models)),
        columns(_labels(models)),
    ]
    corrupted = corrupted_rows(one.baseline.name, [(c.model.name, c.corrupted) for c in one.comparisons])
    if len(corrupted) > 1:
        parts.append(columns(corrupted))
    return "\n".join(parts)


def _accuracies(one: SetValidation) -> list[list[str]]:
    rows = [["model", "exact %", "95 %", "CER %", "drop", "95 %", "lost", "gained", "McNemar p", "agree %"]]
    rows.append([*_accuracy(one.baseline), *[""] * 6])
    for c in one.comparisons:
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


def _accuracy(m: StripFigures) -> list[str]:
    low, high = m.exact_interval
    cer = f"{100 * m.character_error_rate:.2f}"
    return [m.name, f"{100 * m.exact:.2f}", f"{100 * low:.2f} … {100 * high:.2f}", cer]


def _costs(models: list[StripFigures]) -> list[list[str]]:
    rows = [["model", "read at 1 % wrong", "from confidence", "kB", "ms network", "ms p50", "ms p99"]]
    for m in models:
        t = m.timing
        times = [f"{t.network:.2f}", f"{t.p50:.2f}", f"{t.p99:.2f}"] if t else [""] * 3
        rate, threshold = f"{100 * m.read_rate_at_1_percent:.1f} %", f"{m.threshold_at_1_percent:.4f}"
        rows.append([m.name, rate, threshold, f"{m.size / 1000:.1f}", *times])
    return rows


def _labels(models: list[StripFigures]) -> list[list[str]]:
    rows = [["label", "model", "count", "right %", "lost", "invented", "read as"]]
    for label in sorted({f.label for m in models for f in m.per_label}):
        for m in models:
            f = next((f for f in m.per_label if f.label == label), None)
            if f is None:
                continue
            others = ", ".join(f"{text} {count}×" for text, count in f.read_as[:_SHOWN])
            share = f"{100 * f.right / f.count:.2f}" if f.count else "none"
            rows.append([f.label, m.name, str(f.count), share, str(f.deleted), str(f.inserted), others])
    return rows


def acceptance_table(found: Acceptance) -> str:
    """Return the operating points as text, and the disputed labels below them."""
    rows = [["max error", "from confidence", "accepted", "of lines", "wrong", "error %", "95 % bound"]]
    for row in found.points:
        p = row.point
        threshold = f"{p.min_line_confidence:.6f}" if p.min_line_confidence < NEVER else "none"
        share = f"{100 * p.accepted / max(1, p.lines):.1f} %"
        error, bound = f"{100 * row.error:.2f}", f"{100 * row.error_bound:.2f} %"
        rows.append([f"{p.max_error:g}", threshold, str(p.accepted), share, str(p.wrong), error, bound])
    exact = found.exact / max(1, found.lines)
    parts = [
        f"{found.model}, way {found.way}: {found.data}, {found.pictures} pictures, {found.lines} lines, "
        f"{found.exact} read exactly ({exact:.2%})\n",
        columns(rows),
    ]
    if found.disputed:
        told = [["disputed", "label", "reading", "confidence"]]
        told += [[d.file, d.label or "none", d.text, f"{d.confidence:.4f}"] for d in found.disputed]
        parts.append(columns(told))
    return "\n".join(parts)
