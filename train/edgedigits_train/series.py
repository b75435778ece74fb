"""Several runs of one recipe: over seeds, or over the folds of a cross-validation; with mean and spread."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.files import make_folder, write_atomically
from edgedigits_train.data import DataSet
from edgedigits_train.recipe import Calibration, Recipe
from edgedigits_train.run import Watcher, run
from edgedigits_train.run_folder import REPORT, RunError

PARTS = ("train", "validation", "test")


def run_seeds(
    recipe: Recipe, data: DataSet, out: Path, seeds: Sequence[int], watcher: Watcher
) -> dict[str, Any]:
    """Run a recipe with each seed, in folders `out`/seedN; return and write `out`/seeds.json.

    Runs that are finished already are taken as they are, so that an interrupted series goes on. Raises
    as `run` does, and `RunError` where a finished run in the folder is not of this recipe and data.
    """
    reports = [_run_once(recipe, data, make_folder(out) / f"seed{seed}", seed, watcher) for seed in seeds]
    table = _table(recipe, data, reports, [{"seed": report["seed"]} for report in reports])
    write_atomically(out / "seeds.json", (json.dumps(table, indent=1) + "\n").encode())
    return table


def run_folds(
    recipe: Recipe, data: DataSet, out: Path, folds: int, seed: int, watcher: Watcher
) -> dict[str, Any]:
    """Cross-validate a recipe on the training part; return and write `out`/folds.json.

    Each fold in turn is measured (as `test` in the reports) by a network trained on the others; the data
    set's own test part is not touched. No temperature is fitted: these networks are not to be used.
    Raises as `run_seeds` does, and `RunError` where the recipe starts from finished runs.
    """
    if recipe.start.runs:
        raise RunError(
            f"{recipe.name}: --folds measures each fold with a network that has not seen it, and what "
            "[start] names may have seen them all; leave out [start]"
        )
    recipe = dataclasses.replace(recipe, calibration=Calibration())
    reports = [
        _run_once(recipe, fold_data(data, folds, fold, seed), make_folder(out) / f"fold{fold}", seed, watcher)
        for fold in range(1, folds + 1)
    ]
    table = _table(recipe, data, reports, [{"fold": fold} for fold in range(1, folds + 1)])
    write_atomically(out / "folds.json", (json.dumps(table, indent=1) + "\n").encode())
    return table


def fold_data(data: DataSet, folds: int, fold: int, seed: int) -> DataSet:
    """Return a data set with one fold (from 1) of the training part as its test part.

    Folds are stratified: every class is dealt out evenly. Who is in which follows from the seed.
    """
    of = fold_numbers(data.train_labels, folds, seed) == fold - 1
    return dataclasses.replace(
        data,
        train_images=data.train_images[~of],
        train_labels=data.train_labels[~of],
        test_images=data.train_images[of],
        test_labels=data.train_labels[of],
        part=f"fold {fold} of {folds} of the training part, seed {seed}",
    )


def fold_numbers(labels: npt.NDArray[np.integer], folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold, 0…`folds` − 1, of each picture; raises `RunError` where a class has too few."""
    random = np.random.default_rng((seed, folds))
    number = np.empty(len(labels), np.int64)
    dealt = 0
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        if len(members) < folds:
            raise RunError(
                f"--folds {folds}: class {label} has only {len(members)} pictures; ask for fewer folds"
            )
        # Each class goes on where the one before it ended, so that the folds differ by one picture at most.
        number[members] = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
    return number


def _run_once(recipe: Recipe, data: DataSet, out: Path, seed: int, watcher: Watcher) -> dict[str, Any]:
    """Run, or take the finished run that is there."""
    try:
        report: dict[str, Any] = json.loads((out / REPORT).read_bytes())
        same = (
            (out / "recipe.toml").read_text("utf-8") == recipe.to_toml()
            and report["seed"] == seed
            and report["data"]["checksums"] == dict(data.checksums)
            and report["data"]["part"] == data.part
        )
    except FileNotFoundError:
        return run(recipe, data, out, seed, watcher)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{out}: the run there can't be read ({error}); delete the folder") from error
    if not same:
        raise RunError(f"{out}: holds a run of another recipe, seed or data set; choose another --out")
    return report


def _table(
    recipe: Recipe, data: DataSet, reports: Sequence[dict[str, Any]], names: Sequence[dict[str, int]]
) -> dict[str, Any]:
    rows = []
    for name, report in zip(names, reports, strict=True):
        row: dict[str, Any] = dict(name)
        for part in PARTS:
            if part in report:
                row |= {f"{part}_{figure}": report[part][figure] for figure in ("accuracy", "loss")}
        rows.append(row | {"temperature": report["temperature"], "epochs": report["epochs"]})
    columns = [key for key in rows[0] if key not in names[0]]
    values = {key: [row[key] for row in rows] for key in columns}
    return {
        "recipe": recipe.name,
        "data": data.name,
        "rows": rows,
        "mean": {key: round(statistics.fmean(of), 6) for key, of in values.items()},
        # Sample standard deviation; of one run there is none.
        "spread": {key: round(statistics.stdev(of), 6) for key, of in values.items()}
        if len(rows) > 1
        else {},
    }


def as_text(table: dict[str, Any]) -> str:
    """Return a table of `run_seeds` or `run_folds` as aligned text, with mean and spread below."""
    columns = list(table["rows"][0])
    lines = [[column.replace("_", " ") for column in columns]]
    lines += [[_cell(row[column]) for column in columns] for row in table["rows"]]
    for name in ("mean", "spread"):
        if table[name]:
            lines.append([name, *(_cell(float(table[name][column])) for column in columns[1:])])
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in lines)


def _cell(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
