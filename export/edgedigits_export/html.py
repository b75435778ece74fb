"""A validation as one self-contained HTML page: figures, plots, and every picture that is read otherwise."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits_export.data import Pictures
from edgedigits_export.plots import corruption_plot, reliability_plot, risk_plot
from edgedigits_export.strip_data import StripSet
from edgedigits_export.strip_tables import strip_table
from edgedigits_export.tables import table
from edgedigits_export.validate import Comparison, Validation
from edgedigits_export.validate_strips import StripComparison, StripValidation

SHOWN = 200
"""At most so many pictures that are read otherwise are shown for a model; the text says how many are."""

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
        reliability_plot(models),
        risk_plot(models),
        *_corruption_plot(validation.comparisons, validation.gates.max_corrupted_drop, "Accuracy"),
        "</div>",
        *(_flips(c, pictures) for c in validation.comparisons),
    ]
    return _page(validation.baseline.name, validation.failures, sections)


def strip_html(validation: StripValidation, sets: Sequence[StripSet]) -> str:
    """Return the page of a validation of models for strips; `sets` are those that were validated on."""
    sections = [f"<pre>{escape(strip_table(validation))}</pre>"]
    gate = validation.gates.max_corrupted_drop
    plots = [
        plot
        for measured in validation.sets
        for plot in _corruption_plot(measured.comparisons, gate, f"{measured.strips}: string accuracy")
    ]
    sections += ["<div class='plots'>", *plots, "</div>"] if plots else []
    for measured, strips in zip(validation.sets, sets, strict=True):
        sections += [_changes(comparison, strips) for comparison in measured.comparisons]
    return _page(validation.sets[0].baseline.name, validation.failures, sections)


def _corruption_plot(
    comparisons: Sequence[Comparison | StripComparison], gate: float | None, what: str
) -> list[str]:
    """Return the plot, if that was measured."""
    models = [(c.model.name, c.corrupted) for c in comparisons]
    return [corruption_plot(models, gate, what)] if models[0][1] else []


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
