"""Plots of a validation as SVG figures, drawn by hand: a page stays small and fetches nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from edgedigits_export.comparison import CorruptedFigures
from edgedigits_export.validate import ModelFigures

_COLOURS = ("#444444", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d1f")
"""Okabe and Ito's, which everyone can tell apart."""

_LEFT, _TOP, _WIDTH, _HEIGHT = 52, 10, 330, 240
_NAMES = 110
"""Pixels for the names of the corruptions, left of their dots."""
_ROW = 26
"""Pixels from one corruption to the next."""


def reliability_plot(models: Sequence[ModelFigures]) -> str:
    """Return the reliability diagram of all models as an HTML figure."""
    lines = [
        (m.name, [(b.confidence, b.accuracy) for b in m.calibration.bins if b.count >= 10]) for m in models
    ]
    caption = (
        "Reliability: accuracy of the readings of one confidence. On the diagonal, confidence means what it "
        "says. Bins of fewer than ten readings are left out."
    )
    return _line_plot(lines, "confidence", "accuracy", 1.0, 1.0, caption, diagonal=True)


def risk_plot(models: Sequence[ModelFigures]) -> str:
    """Return the risk–coverage curves of all models as an HTML figure."""
    lines = [(m.name, [(100 * x, 100 * y) for x, y in m.selection.curve]) for m in models]
    top = max((y for _, line in lines for _, y in line), default=1.0)
    caption = "Risk and coverage: share that is wrong of what is read when the least confident are refused."
    return _line_plot(lines, "coverage, %", "risk, %", 100.0, max(top, 0.1), caption)


def corruption_plot(
    models: Sequence[tuple[str, Sequence[CorruptedFigures]]], gate: float | None, what: str = "Accuracy"
) -> str:
    """Return what models, by name, lose against the float one under each corruption as an HTML figure.

    `gate` is the largest loss allowed, as a share; `what` is lost.
    """
    names = list(dict.fromkeys(row.corruption for _, rows in models for row in rows))
    drops = [100 * row.drop for _, rows in models for row in rows]
    ends = [*drops, 0.0] if gate is None else [*drops, 0.0, 100 * gate]
    ticks = _ticks(min(ends), max(ends))
    height = _ROW * len(names)

    def across(value: float) -> float:
        return _NAMES + _WIDTH * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [_frame(_NAMES, height)]
    for tick in ticks:
        parts.append(_text(across(tick), _TOP + height + 16, f"{tick:g}", "middle"))
    parts.append(_text(_NAMES + _WIDTH / 2, _TOP + height + 31, "points lost", "middle"))
    marks = [(0.0, "#bbb", "")] + ([] if gate is None else [(100 * gate, "#b00020", "4")])
    for value, colour, dashes in marks:
        x = f"{across(value):.1f}"
        parts.append(
            f"<line x1='{x}' x2='{x}' y1='{_TOP}' y2='{_TOP + height}' stroke='{colour}' "
            f"stroke-dasharray='{dashes}'/>"
        )
    for number, name in enumerate(names):
        parts.append(_text(_NAMES - 6, _TOP + _ROW * (number + 0.5) + 4, name, "end"))
    for number, (model, rows) in enumerate(models, 1):
        for row in rows:
            y = _TOP + _ROW * (names.index(row.corruption) + 0.5) + 7 * (row.severity - 2)
            title = f"{model}, {row.corruption} {row.severity}: {100 * row.drop:+.2f}"
            parts.append(
                f"<circle cx='{across(100 * row.drop):.1f}' cy='{y:.1f}' r='{1 + row.severity}' "
                f"fill='{_colour(number)}' fill-opacity='0.75'><title>{escape(title)}</title></circle>"
            )
    parts += _legend([name for name, _ in models], _NAMES, _TOP + height + 48, first=1)
    caption = (
        f"{escape(what)} lost against the float model on the same spoilt pictures, in points; the larger the "
        "dot, the severer. Left of 0 the quantized model reads better."
        + ("" if gate is None else " The dashed line is the gate.")
    )
    return _figure(parts, _NAMES + _WIDTH + 20, height + 55 + 15 * len(models), caption)


def _line_plot(
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_name: str,
    y_name: str,
    x_end: float,
    y_end: float,
    caption: str,
    *,
    diagonal: bool = False,
) -> str:
    """Plot lines over 0…`x_end` and 0…at least `y_end`."""
    x_ticks, y_ticks = _ticks(0.0, x_end), _ticks(0.0, y_end)

    def place(x: float, y: float) -> str:
        return f"{_LEFT + _WIDTH * x / x_ticks[-1]:.1f},{_TOP + _HEIGHT * (1 - y / y_ticks[-1]):.1f}"

    parts = [_frame(_LEFT, _HEIGHT)]
    for x in x_ticks:
        parts.append(_text(_LEFT + _WIDTH * x / x_ticks[-1], _TOP + _HEIGHT + 16, f"{x:g}", "middle"))
    for y in y_ticks:
        parts.append(_text(_LEFT - 6, _TOP + _HEIGHT * (1 - y / y_ticks[-1]) + 4, f"{y:g}", "end"))
    if diagonal:
        parts.append(f"<polyline points='{place(0, 0)} {place(1, 1)}' stroke='#bbb' stroke-dasharray='4'/>")
    for number, (_, points) in enumerate(lines):
        path = " ".join(place(x, y) for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{_colour(number)}' stroke-width='1.5'/>")
    parts.append(_text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 31, x_name, "middle"))
    turned = f"translate(12 {_TOP + _HEIGHT / 2:.0f}) rotate(-90)"
    parts.append(f"<text transform='{turned}' text-anchor='middle'>{escape(y_name)}</text>")
    parts += _legend([name for name, _ in lines], _LEFT, _TOP + _HEIGHT + 48)
    return _figure(parts, _LEFT + _WIDTH + 20, _HEIGHT + 55 + 15 * len(lines), caption)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers, four to eight of them, from at most `low` to at least `high`."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / 5 * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * number, 12) for number in range(first, max(last, first + 1) + 1)]


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _frame(left: int, height: int) -> str:
    return f"<rect x='{left}' y='{_TOP}' width='{_WIDTH}' height='{height}' fill='none' stroke='#999'/>"


def _text(x: float, y: float, said: str, anchor: str) -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' text-anchor='{anchor}'>{escape(said)}</text>"


def _legend(names: Sequence[str], left: int, top: int, first: int = 0) -> list[str]:
    return [
        f"<text x='{left}' y='{top + 15 * i}' fill='{_colour(first + i)}'>{escape(name)}</text>"
        for i, name in enumerate(names)
    ]


def _figure(parts: Sequence[str], width: int, height: int, caption: str) -> str:
    size = f"width='{width}' height='{height}'"
    drawing = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{''.join(parts)}</svg>"
    return f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"
