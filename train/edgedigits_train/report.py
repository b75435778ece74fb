"""The evidence of a run: curves, per-class table, confusion matrix, samples; as PNG figures and one page.

What the sources printed stands beside what the run gave.
"""

from __future__ import annotations

import base64
import csv
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import classification_report, confusion_matrix  # type: ignore[import-untyped]

from edgedigits.files import make_folder, write_atomically
from edgedigits_train.data import DataSet, load, with_negatives
from edgedigits_train.loop import Part
from edgedigits_train.recipe import Recipe, load_recipe
from edgedigits_train.run_folder import REPORT, RunError, load_run

SAMPLES = 24
"""Pictures in each of the two sample figures."""
DOTS = 120
"""Resolution of the figures, dots per inch."""


@dataclass(frozen=True)
class Published:
    """What a source printed of its network."""

    accuracy: Mapping[str, float]
    """By part: train, test."""
    loss: Mapping[str, float]
    per_class: tuple[float, float]
    """Lowest and highest of its per-class precisions and recalls."""


PUBLISHED: Mapping[str, Published] = {
    "paper": Published({"train": 0.9808, "test": 0.976}, {"train": 0.0704, "test": 0.105}, (0.94, 0.99)),
}
"""By the name of the recipe."""


@dataclass(frozen=True)
class Evidence:
    """A finished run and what its model answers on the test part."""

    folder: Path
    recipe: Recipe
    report: dict[str, Any]
    history: list[dict[str, float]]
    """An entry per epoch; what was not measured is missing."""
    images: npt.NDArray[np.uint8]
    """uint8 [n, height, width]: the test pictures."""
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    """[n, classes], with the run's temperature."""

    @property
    def labels(self) -> list[str]:
        return list(self.report["labels"])

    @property
    def answers(self) -> npt.NDArray[np.int64]:
        return self.probabilities.argmax(axis=1)


def make_report(folder: Path, data_folder: Path | None = None) -> Path:
    """Write `report.html`, the PNG figures and the per-class entries of `report.json` into a run folder.

    Returns the path of the page. Raises `RunError` where the folder holds no finished run or the data
    set is not the one it was trained on, `DataError` where that can't be found, `OutputError` where
    something can't be written.
    """
    evidence = gather(folder, data_folder)
    figures = draw(evidence)
    place = make_folder(folder / "figures")
    for name, png in figures.items():
        write_atomically(place / f"{name}.png", png)
    table = per_class(evidence)
    counts = confusion_matrix(evidence.truth, evidence.answers, labels=range(len(evidence.labels)))
    report = evidence.report | {"per_class": table, "confusion": counts.tolist()}
    write_atomically(folder / REPORT, (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    path = folder / "report.html"
    write_atomically(path, page(evidence, table, figures).encode())
    return path


def gather(folder: Path, data_folder: Path | None = None) -> Evidence:
    """Read a finished run and ask its model about the test part; raises as `make_report` does."""
    network, labels = load_run(folder)
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
        with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
            rows = [{key: float(v) for key, v in row.items() if v} for row in csv.DictReader(file)]
        if len(rows) != report["epochs"] or len(labels) < 2:
            raise ValueError("its history is not whole")
        if missing := {"recipe", "seed", "parameters", "seconds", "calibration", "test"} - report.keys():
            raise ValueError(f"its report lacks {min(missing)}")
        known = report["data"]["checksums"], float(report["temperature"])
        part = report["data"]["part"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(f"{folder}: the run can't be read ({error}); train it again") from error
    recipe = load_recipe(str(folder / "recipe.toml"))
    data = load(recipe.data.set, data_folder)
    if recipe.augmentation.junk:
        data = with_negatives(data, data_folder)
    if dict(data.checksums) != known[0] or part:
        raise RunError(
            f"{folder}: was trained on another {data.name} than the one found; name its folder with --data"
        )
    logits = _answers(network, data)
    return Evidence(
        folder=folder,
        recipe=recipe,
        report=report,
        history=rows,
        images=data.test_images,
        truth=data.test_labels.astype(np.int64),
        probabilities=tf.nn.softmax(logits / known[1]).numpy(),
    )


def _answers(network: Any, data: DataSet) -> npt.NDArray[np.float32]:
    part = Part(data.test_images.reshape(len(data.test_images), -1), data.test_labels)
    pieces = np.array_split(part.images, max(1, len(part) // 5000))
    return np.concatenate([network(tf.constant(some, tf.float32) / 255.0).numpy() for some in pieces])


def per_class(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Return precision, recall, F1 (0…1) and number of test pictures of each class, and their means."""
    table: dict[str, dict[str, float]] = classification_report(
        evidence.truth,
        evidence.answers,
        labels=range(len(evidence.labels)),
        target_names=evidence.labels,
        output_dict=True,
        zero_division=0,
    )
    # The accuracy is in the report already; with every class listed it has no row of its own.
    rows = {name: row for name, row in table.items() if isinstance(row, dict)}
    return {name: {key: round(value, 4) for key, value in row.items()} for name, row in rows.items()}


def draw(evidence: Evidence) -> dict[str, bytes]:
    """Return the figures as PNG, by name: accuracy, loss, confusion, right, wrong."""
    right = np.flatnonzero(evidence.answers == evidence.truth)
    wrong = np.flatnonzero(evidence.answers != evidence.truth)
    # The same pictures every time, spread over the set.
    picked = right[:: max(1, len(right) // SAMPLES)][:SAMPLES]
    # A mean of other runs has no epochs of its own.
    curves = ("accuracy", "loss") if evidence.history else ()
    return {
        **{name: _curves(evidence, name, name) for name in curves},
        "confusion": _confusion(evidence),
        "right": _samples(evidence, picked, "Recognized correctly"),
        # The surest mistakes come first.
        "wrong": _samples(
            evidence,
            wrong[np.argsort(-evidence.probabilities[wrong].max(axis=1), kind="stable")][:SAMPLES],
            "Recognized wrongly, the surest mistakes first",
        ),
    }


def png_of(figure: Figure) -> bytes:
    """Return a figure as a PNG picture."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS, metadata={"Software": None})
    return buffer.getvalue()


COLOURS = {"train": "#1f77b4", "validation": "#2ca02c", "test": "#d62728"}


def _curves(evidence: Evidence, figure_of: str, title: str) -> bytes:
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    epochs = [row["epoch"] for row in evidence.history]
    printed = PUBLISHED.get(evidence.report["recipe"])
    for part, colour in COLOURS.items():
        key = f"{part}_{figure_of}"
        if all(key in row for row in evidence.history):
            axes.plot(epochs, [row[key] for row in evidence.history], color=colour, marker=".", label=part)
        if printed is not None and part in getattr(printed, figure_of):
            value = getattr(printed, figure_of)[part]
            axes.axhline(value, color=colour, linestyle=":", label=f"{part}, as published ({value})")
    axes.set(xlabel="epoch", ylabel=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return png_of(figure)


def _confusion(evidence: Evidence) -> bytes:
    size = len(evidence.labels)
    counts = confusion_matrix(evidence.truth, evidence.answers, labels=range(size))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(5.0, 0.45 * size)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    # The mistakes are what one looks for: the colour is that of the root, so that 1 % is still seen.
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    for true, row in enumerate(counts):
        for answer, count in enumerate(row):
            if count:
                axes.text(
                    answer, true, str(count), ha="center", va="center", fontsize=8,
                    color="white" if shares[true, answer] > 0.4 else "black",
                )  # fmt: skip
    axes.set_xticks(range(size), evidence.labels)
    axes.set_yticks(range(size), evidence.labels)
    axes.set(xlabel="recognized as", ylabel="is")
    return png_of(figure)


def _samples(evidence: Evidence, chosen: npt.NDArray[np.integer], title: str) -> bytes:
    columns = 8
    rows = max(1, -(-len(chosen) // columns))
    figure = Figure(figsize=(columns, 1.35 * rows + 0.4), layout="constrained")
    figure.suptitle(title if len(chosen) else f"{title}: none")
    for axes in figure.subplots(rows, columns, squeeze=False).ravel():
        axes.set_axis_off()
    for axes, index in zip(figure.axes, chosen, strict=False):
        answer = evidence.answers[index]
        axes.imshow(evidence.images[index], cmap="gray_r", vmin=0, vmax=255)
        text = f"{evidence.labels[answer]} ({evidence.probabilities[index, answer]:.2f})"
        if answer != evidence.truth[index]:
            text = f"{evidence.labels[evidence.truth[index]]} as {text}"
        axes.set_title(text, fontsize=8)
    return png_of(figure)


def remarks(evidence: Evidence) -> list[str]:
    """Return what the paper leaves open or states in two ways, beside what this run found; else nothing."""
    printed = PUBLISHED.get(evidence.report["recipe"])
    history = evidence.history
    needed = {"train_loss", "train_accuracy", "test_loss", "test_accuracy"}
    if printed is None or not history or not all(needed <= row.keys() for row in history):
        return []
    last = history[-1]
    tenth = next((row for row in history if row["epoch"] == 10), None)
    nearest = min(history, key=lambda row: abs(row["train_loss"] - printed.loss["train"]))
    lowest = min(history, key=lambda row: row["test_loss"])
    found = []
    if tenth is not None:
        found.append(
            "The text says 20 epochs; the printed loop runs over num_classes, which is 10. Test accuracy "
            f"here after 10 epochs: {tenth['test_accuracy']:.4f}, "
            f"after {last['epoch']:.0f}: {last['test_accuracy']:.4f}."
        )
    found += [
        "The text speaks of 784×784 connections; 784 pixels and 128 hidden neurons have 784×128. The network "
        f"here has {evidence.report['parameters']:,} parameters: 784·128 + 128 + 128·10 + 10.",
        f"A training loss of {printed.loss['train']} and a training accuracy of {printed.accuracy['train']} "
        "are printed for 20 epochs. Here the training loss is nearest to that after epoch "
        f"{nearest['epoch']:.0f} ({nearest['train_loss']:.4f}, accuracy {nearest['train_accuracy']:.4f}); "
        f"after epoch {last['epoch']:.0f} it is {last['train_loss']:.4f} "
        f"(accuracy {last['train_accuracy']:.4f}).",
        "The paper sees no overtraining. Here the training loss ends at "
        f"{last['train_loss']:.4f} and the test loss at {last['test_loss']:.4f}, after its lowest value of "
        f"{lowest['test_loss']:.4f} in epoch {lowest['epoch']:.0f}: the network is fitted to the training "
        "pictures beyond what they say about others.",
    ]
    return found


def page(evidence: Evidence, table: Mapping[str, Mapping[str, float]], figures: Mapping[str, bytes]) -> str:
    """Return the page: one HTML file with everything in it, that loads nothing from anywhere."""
    report = evidence.report
    printed = PUBLISHED.get(report["recipe"])
    title = f"{report['recipe']}, seed {report['seed']}"
    parts = [part for part in ("train", "validation", "test") if part in report]
    final = [
        ["", "pictures", "accuracy", "loss", *(["published accuracy", "published loss"] if printed else [])]
    ]
    for part in parts:
        row = [
            part,
            f"{report[part]['pictures']:,}",
            f"{report[part]['accuracy']:.4f}",
            f"{report[part]['loss']:.4f}",
        ]
        if printed:
            row += [str(of.get(part, "")) for of in (printed.accuracy, printed.loss)]
        final.append(row)
    classes = [["class", "precision", "recall", "F1", "pictures"]]
    classes += [
        [name, *(f"{row[key]:.4f}" for key in ("precision", "recall", "f1-score")), f"{row['support']:,.0f}"]
        for name, row in table.items()
    ]
    shown = [table[label] for label in evidence.labels if table[label]["support"]]
    values = [row[key] for row in shown for key in ("precision", "recall")]
    span = f"Precision and recall of the classes lie in {min(values):.3f}…{max(values):.3f}"
    span += f"; published: {printed.per_class[0]}…{printed.per_class[1]}." if printed else "."
    open_points = remarks(evidence)
    calibration = report["calibration"]
    epochs = f"{report['epochs']} epochs, {report['seconds']['epoch']:.2f} s each"
    curves: list[Section] = [
        "<h2>Accuracy and loss</h2>",
        ("accuracy", "accuracy over the epochs"),
        ("loss", "loss over the epochs"),
    ]
    if not evidence.history:
        epochs, curves = f"the mean of {html.escape(', '.join(report['start']))}", []
    sections: list[Section] = [
        f"<p>{report['parameters']:,} parameters, {epochs}. "
        f"Temperature {report['temperature']:.3f}, fitted on {calibration['pictures']:,} pictures "
        f"({html.escape(calibration['source'])}).</p>",
        table_of(final),
        *curves,
        "<h2>Classes</h2>",
        f"<p>{span}</p>",
        table_of(classes),
        ("confusion", "confusion matrix"),
        "<h2>Samples</h2>",
        ("right", "digits recognized rightly"),
        ("wrong", "digits recognized wrongly"),
    ]
    if open_points:
        sections += ["<h2>What the paper leaves open, or states in two ways</h2>", "<ul>"]
        sections += [f"<li>{html.escape(point)}</li>" for point in open_points]
        sections += ["</ul>"]
    return page_of(title, sections, figures, evidence.recipe.to_toml())


Section = str | tuple[str, str]
"""A piece of HTML, or the name of a figure and what it shows."""


def page_of(title: str, sections: Sequence[Section], figures: Mapping[str, bytes], recipe: str) -> str:
    """Return a page of sections, with the recipe at its end; figures (PNG, by name) are part of it."""
    shown = [part if isinstance(part, str) else _image(figures[part[0]], part[1]) for part in sections]
    shown += ["<h2>Recipe</h2>", f"<pre>{html.escape(recipe)}</pre>"]
    style = (
        "body{font:16px/1.5 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222;"
        "background:#fff}"
        "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;text-align:right;"
        "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}img{max-width:100%}"
        "pre{background:#f5f5f5;padding:1rem;overflow:auto}"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head>\n<body>\n'
        + "\n".join([f"<h1>{html.escape(title)}</h1>", *shown])
        + "\n</body></html>\n"
    )


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of texts, the first of them the headings, as a table in HTML."""
    head, *body = rows
    lines = ["<table>", "<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
    return "\n".join([*lines, "</table>"])


def _image(png: bytes, words: str) -> str:
    data = base64.b64encode(png).decode()
    return f'<p><img alt="{html.escape(words)}" src="data:image/png;base64,{data}"></p>'
