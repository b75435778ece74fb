"""The evidence of a strip run: curves, what is taken for what, strips read rightly and wrongly; one page."""

from __future__ import annotations

import csv
import html
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from rapidfuzz.distance import Levenshtein

from edgedigits.files import make_folder, write_atomically
from edgedigits_train.data import load
from edgedigits_train.report import Section, page_of, png_of, table_of
from edgedigits_train.run_folder import REPORT, UNREADABLE, RunError
from edgedigits_train.strip.compose import LABELS, Composer
from edgedigits_train.strip.recipe import StripRecipe, load_strip_recipe
from edgedigits_train.strip.run import errors, greedy
from edgedigits_train.strip.source import Strips, composed, held_out_digits

STRIPS = 1000
"""Held-out strips that the figures are drawn from."""
SHOWN = 24
_SEED = 1 << 29
_COLUMNS = 3
NOTHING = "–"
"""What stands beside a character that was left out, or added."""


@dataclass(frozen=True)
class Evidence:
    """A finished strip run, and what its network reads on held-out strips."""

    recipe: StripRecipe
    report: dict[str, Any]
    history: list[dict[str, float]]
    strips: Strips
    read: list[list[int]]


def make_report(folder: Path, data_folder: Path | None = None) -> Path:
    """Write `report.html`, the PNG figures and the confusions in `report.json` into a run folder.

    Returns the path of the page. Raises `RunError` where the folder holds no finished strip run or the data
    set is not the one it was trained on, `DataError` where that can't be found, `OutputError` where something
    can't be written.
    """
    evidence = gather(folder, data_folder)
    confusions = taken_for(evidence)
    figures = _samples(evidence)
    if evidence.history:
        figures["curves"] = _curves(evidence)
    place = make_folder(folder / "figures")
    for name, png in figures.items():
        write_atomically(place / f"{name}.png", png)
    listed = [[wanted, read, count] for (wanted, read), count in confusions.most_common()]
    report = evidence.report | {"confusions": listed}
    write_atomically(folder / REPORT, (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    path = folder / "report.html"
    write_atomically(path, _page(evidence, confusions, figures).encode())
    return path


def gather(folder: Path, data_folder: Path | None = None) -> Evidence:
    """Read a finished run and ask its network about held-out strips; raises as `make_report` does."""
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
        with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
            history = [{key: float(v) for key, v in row.items()} for row in csv.DictReader(file)]
        network = tf.saved_model.load(str(folder / "model")).signatures["logits"]
        if missing := {"recipe", "seed", "parameters", "steps", "validation"} - report.keys():
            raise ValueError(f"its report lacks {min(missing)}")
        checksums = report["data"]["checksums"]
    except UNREADABLE as error:
        raise RunError(f"{folder}: the run can't be read ({error}); train it again") from error
    recipe = load_strip_recipe(str(folder / "recipe.toml"))
    data = load(recipe.data.set, data_folder)
    if dict(data.checksums) != checksums:
        raise RunError(
            f"{folder}: was trained on another {data.name} than the one found; name its folder with --data"
        )
    composer = Composer(held_out_digits(data, recipe), recipe.composition)
    random = np.random.default_rng((report["seed"], _SEED))
    strips = composed(composer, STRIPS, max(recipe.training.widths), random)
    read: list[list[int]] = []
    for images in np.array_split(strips.images, STRIPS // 100):
        logits = network(strips=tf.constant(images[..., None] / 255.0, tf.float32))["logits"]
        read += greedy(logits.numpy()[:, 0])
    return Evidence(recipe, report, history, strips, read)


def taken_for(evidence: Evidence) -> Counter[tuple[str, str]]:
    """Count what was read for what: pairs of characters, `NOTHING` for one that is left out or added."""
    counts: Counter[tuple[str, str]] = Counter()
    for row, read in zip(evidence.strips.labels, evidence.read, strict=True):
        wanted = [int(v) for v in row if v >= 0]
        for edit in Levenshtein.editops(wanted, read):
            true = NOTHING if edit.tag == "insert" else LABELS[wanted[edit.src_pos]]
            counts[true, NOTHING if edit.tag == "delete" else LABELS[read[edit.dest_pos]]] += 1
    return counts


def _curves(evidence: Evidence) -> bytes:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [row["step"] for row in evidence.history]
    left.plot(steps, [row["loss"] for row in evidence.history])
    left.set(xlabel="step", ylabel="loss of a strip", yscale="log")
    right.plot(steps, [row["exact"] for row in evidence.history], label="strips exact")
    right.plot(steps, [row["character_errors"] for row in evidence.history], label="characters wrong")
    right.set(xlabel="step", ylabel="share of held-out strips", ylim=(0, 1))
    right.legend()
    return png_of(figure)


def _samples(evidence: Evidence) -> dict[str, bytes]:
    wanted = [[int(v) for v in row if v >= 0] for row in evidence.strips.labels]
    right = [a == b for a, b in zip(wanted, evidence.read, strict=True)]
    figures = {}
    for name, state in (("right", True), ("wrong", False)):
        chosen = [k for k, is_right in enumerate(right) if is_right is state][:SHOWN]
        figure = Figure(figsize=(10, 8), layout="constrained")
        for place, k in enumerate(chosen, 1):
            axes = figure.add_subplot(SHOWN // _COLUMNS, _COLUMNS, place)
            axes.imshow(evidence.strips.images[k], cmap="gray_r", vmin=0, vmax=255)
            axes.set_axis_off()
            said = "".join(LABELS[v] for v in evidence.read[k]) or "nothing"
            text = "".join(LABELS[v] for v in wanted[k]) or "nothing"
            axes.set_title(said if state else f"{text} as {said}", fontsize=8)
        figures[name] = png_of(figure)
    return figures


def _page(evidence: Evidence, confusions: Counter[tuple[str, str]], figures: dict[str, bytes]) -> str:
    report = evidence.report
    wrong, exact = errors(evidence.read, evidence.strips)
    characters = int((evidence.strips.labels >= 0).sum())
    rows = [["written", "read", "times"]]
    rows += [[a, b, str(count)] for (a, b), count in confusions.most_common(25)]
    begun = len(evidence.recipe.start.runs)
    came = [f"begun with the mean of {begun} runs" if begun > 1 else "begun with a run"] if begun else []
    curves: list[Section] = []
    if evidence.history:
        came.append(
            f"{report['steps']:,} steps of {evidence.recipe.training.batch} strips, "
            f"{report['seconds'] / 60:.0f} minutes"
        )
        curves = ["<h2>Curves</h2>", ("curves", "loss, exact strips and character errors over the steps")]
    sections: list[Section] = [
        f"<p>{report['parameters']:,} parameters, {', '.join(came)}. Of "
        f"{report['validation']['strips']:,} held-out strips {report['validation']['exact']:.2%} are read "
        f"exactly; {report['validation']['character_error_rate']:.2%} of the characters are wrong.</p>",
        *curves,
        "<h2>What is taken for what</h2>",
        f"<p>In {len(evidence.strips):,} more held-out strips ({characters:,} characters, {wrong:.2%} wrong, "
        f"{exact:.2%} of the strips exact); {html.escape(NOTHING)} is nothing.</p>",
        table_of(rows),
        "<h2>Strips</h2>",
        ("right", "strips read rightly"),
        ("wrong", "strips read wrongly: what they say, as what was read"),
    ]
    return page_of(f"{report['recipe']}, seed {report['seed']}", sections, figures, evidence.recipe.to_toml())
