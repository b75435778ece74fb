"""A validation as one self-contained HTML page: figures, plots, and every picture that is read otherwise."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits_export.data import Pictures
from edgedigits_export.strip_data import StripSet
from edgedigits_export.strip_tables import strip_table
from edgedigits_export.tables import table
from edgedigits_export.validate import Comparison, ModelFigures, Validation
from edgedigits_export.validate_strips import StripComparison, StripValidation

SHOWN = 200
"""At most so many pictures that are read otherwise are shown for a model; the text says how many are."""

_COLOURS = ("#444444", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d1f")
"""Okabe and Ito's, which everyone can tell apart."""

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
pre { font-size: 12.5px; overflow-x: auto; background: #f6f6f6; padding: 1em }
.plots { display: flex; flex-wrap: wrap; gap: 2em }
figure { margin: 0 } figcaption { font-size: 13px; color: #555; max-width: 26em }
.flips { display: flex; flex-wrap: wrap; gap: .6em } .flips figcaption { font-size: 11px; line-height: 1.25 }
.flips img { width: 84px; height: 84px; image-rendering: pixelated }
.flips img.strip { width: auto }
.passed { color: #006d4a } .failed { color: #b00020 } svg text { font: 11px system-ui, sans-serif }
"""


def html(validation: Validation, pictures: Pictures) -> str:
    """Return the page; `pictures` are those that were validated on."""
    models = [validation.baseline, *(c.model for c in validation.comparisons)]
    sections = [
        f"<pre>{escape(table(validation))}</pre>",
        "<div class='plots'>",
        _reliability(models),
        _risk(models),
        *([_corrupted(validation)] if validation.comparisons[0].corrupted else []),
        "</div>",
        *(_flips(c, pictures) for c in validation.comparisons),
    ]
    return _page(validation.baseline.name, validation.failures, sections)


def strip_html(validation: StripValidation, sets: Sequence[StripSet]) -> str:
    """Return the page of a validation of models for strips; `sets` are those that were validated on."""
    sections = [f"<pre>{escape(strip_table(validation))}</pre>"]
    for measured, strips in zip(validation.sets, sets, strict=True):
        sections += [_changes(comparison, strips) for comparison in measured.comparisons]
    return _page(validation.sets[0].baseline.name, validation.failures, sections)


def _page(name: str, failures: Sequence[str], sections: Sequence[str]) -> str:
    verdict = (
        "<ul class='failed'>" + "".join(f"<li>{escape(line)}</li>" for line in failures) + "</ul>"
        if failures
        else "<p class='passed'>Every gate is passed.</p>"
    )
    body = "\n".join([f"<h1>{escape(name)} and its quantized models</h1>", verdict, *sections])
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<title>{escape(name)}: validation</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _reliability(models: Sequence[ModelFigures]) -> str:
    lines = [
        (m.name, [(b.confidence, b.accuracy) for b in m.calibration.bins if b.count >= 10]) for m in models
    ]
    caption = (
        "Reliability: accuracy of the readings of one confidence. On the diagonal, confidence means what it "
        "says. Bins of fewer than ten readings are left out."
    )
    return _plot(lines, "confidence", "accuracy", (0, 1), (0, 1), caption, diagonal=True)


def _risk(models: Sequence[ModelFigures]) -> str:
    lines = [(m.name, list(m.selection.curve)) for m in models]
    top = max((risk for _, line in lines for _, risk in line), default=0.01)
    caption = "Risk and coverage: share that is wrong of what is read when the least confident are refused."
    return _plot(lines, "coverage", "risk", (0, 1), (0, max(top, 0.001) * 1.05), caption)


def _corrupted(validation: Validation) -> str:
    lines: list[tuple[str, list[tuple[float, float]]]] = [(validation.baseline.name, [])]  # keeps its colour
    for c in validation.comparisons:
        lines.append((c.model.name, [(i, 100 * row.drop) for i, row in enumerate(c.corrupted)]))
    values = [y for _, line in lines for _, y in line]
    low, high = min(-0.1, *values) * 1.1, max(0.1, *values) * 1.1
    names = [f"{row.corruption} {row.severity}" for row in validation.comparisons[0].corrupted]
    caption = (
        "Accuracy lost against the float model under each corruption, in points: " + ", ".join(names) + "."
    )
    return _plot(lines, "corruption", "points lost", (0, len(names) - 1), (low, high), escape(caption))


def _plot(
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_name: str,
    y_name: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    caption: str,
    *,
    diagonal: bool = False,
) -> str:
    """Return a line plot as an SVG figure."""
    left, top, width, height = 52, 10, 330, 240

    def place(x: float, y: float) -> str:
        across = (x - x_range[0]) / (x_range[1] - x_range[0] or 1)
        up = (y - y_range[0]) / (y_range[1] - y_range[0] or 1)
        return f"{left + width * across:.1f},{top + height * (1 - up):.1f}"

    parts = [f"<rect x='{left}' y='{top}' width='{width}' height='{height}' fill='none' stroke='#999'/>"]
    for step in range(5):
        x = x_range[0] + (x_range[1] - x_range[0]) * step / 4
        y = y_range[0] + (y_range[1] - y_range[0]) * step / 4
        at_x, at_y = left + width * step / 4, top + height * (1 - step / 4)
        parts.append(f"<text x='{at_x:.0f}' y='{top + height + 16}' text-anchor='middle'>{x:.3g}</text>")
        parts.append(f"<text x='{left - 6}' y='{at_y + 4:.0f}' text-anchor='end'>{y:.3g}</text>")
    if diagonal:
        parts.append(f"<polyline points='{place(0, 0)} {place(1, 1)}' stroke='#bbb' stroke-dasharray='4'/>")
    for number, (name, points) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(place(x, y) for x, y in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='1.5'/>")
        at = top + height + 48 + 15 * number
        parts.append(f"<text x='{left}' y='{at}' fill='{colour}'>{escape(name)}</text>")
    middle = left + width / 2
    parts.append(
        f"<text x='{middle:.0f}' y='{top + height + 31}' text-anchor='middle'>{escape(x_name)}</text>"
    )
    parts.append(
        f"<text transform='translate(12 {top + height / 2:.0f}) rotate(-90)' text-anchor='middle'>"
        f"{escape(y_name)}</text>"
    )
    size = f"width='{left + width + 20}' height='{top + height + 45 + 15 * len(lines)}'"
    drawing = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{''.join(parts)}</svg>"
    return f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"


def _flips(comparison: Comparison, pictures: Pictures) -> str:
    flips = comparison.flips
    head = f"<h2>{escape(comparison.model.name)}: {len(flips)} pictures read otherwise</h2>"
    more = f"<p>The first {SHOWN} are shown.</p>" if len(flips) > SHOWN else ""
    figures = []
    for flip in flips[:SHOWN]:
        source = _source(pictures.images[flip.picture])
        before = f"{escape(flip.before)} {flip.before_confidence:.2f}"
        after = f"{escape(flip.after)} {flip.after_confidence:.2f}"
        caption = f"{flip.picture}: is {escape(flip.truth)}<br>{before} → {after}"
        figures.append(f"<figure><img alt='' src='{source}'><figcaption>{caption}</figcaption></figure>")
    return f"{head}{more}<div class='flips'>{''.join(figures)}</div>"


def _changes(comparison: StripComparison, strips: StripSet) -> str:
    changes = comparison.changes
    images = {strip.name: strip.image for strip in strips.strips}
    head = f"<h2>{escape(comparison.model.name)}, {escape(strips.name)}: {len(changes)} read otherwise</h2>"
    more = f"<p>The first {SHOWN} are shown.</p>" if len(changes) > SHOWN else ""
    figures = []
    for change in changes[:SHOWN]:
        before = f"{escape(change.before) or 'nothing'} {change.before_confidence:.2f}"
        after = f"{escape(change.after) or 'nothing'} {change.after_confidence:.2f}"
        truth = escape(change.truth) or "nothing"
        caption = f"{escape(change.strip)}: is {truth}<br>{before} → {after}"
        source = _source(images[change.strip])
        figures.append(
            f"<figure><img class='strip' alt='' src='{source}'><figcaption>{caption}</figcaption></figure>"
        )
    return f"{head}{more}<div class='flips'>{''.join(figures)}</div>"


def _source(image: NDArray[np.uint8]) -> str:
    """Return a picture, ink bright, as a data URL, ink dark."""
    png = cv2.imencode(".png", 255 - image)[1].tobytes()
    return "data:image/png;base64," + base64.b64encode(png).decode()
