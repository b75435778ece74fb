"""A trained run, known by its files.

recipe.toml   how it was trained
report.json   labels, temperature, seed, checksums of the data, measured accuracies
model/        a SavedModel whose signature `logits` takes `pixels` (float32, 0…1) and gives `logits`;
              that of a run for strips takes `strips`, float32 [n, 40, width, 1], 0…1
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgedigits.card import WAYS, Way
from edgedigits_export.errors import RunError


@dataclass(frozen=True)
class Run:
    """What a run folder says of its network."""

    path: Path
    name: str
    """The recipe's name; models are called `name-format`."""
    labels: tuple[str, ...]
    temperature: float
    """1 for a run for strips: theirs is found when they are exported."""
    seed: int | None
    data: Mapping[str, str]
    """MD5 of the uncompressed bytes of each training file."""
    accuracy: float | None
    """On the test part, as the trainer measured it; 0…1."""
    way: Way = "glyph"
    """What the network reads: one glyph at a time, a strip at once, or one character of a strip."""

    @property
    def saved_model(self) -> Path:
        """The folder of the SavedModel."""
        return self.path / "model"


def read_run(path: Path) -> Run:
    """Read what a run folder says; raises `RunError` where a file is missing or says something impossible."""
    remedy = "name the folder that edgedigits-train wrote"
    if not path.is_dir():
        raise RunError(f"{path}: no such folder; {remedy}")
    recipe_path, report_path = path / "recipe.toml", path / "report.json"
    for needed in (recipe_path, report_path, path / "model" / "saved_model.pb"):
        if not needed.is_file():
            raise RunError(f"{path}: not a finished run ({needed.relative_to(path)} is missing); {remedy}")
    try:
        tomllib.loads(recipe_path.read_text(encoding="utf-8"))
        report = json.loads(report_path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: its files can't be read ({error}); train it again") from error
    try:
        return _run(path, report)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise RunError(f"{report_path}: can't be used ({what}); train the run again") from error


def _run(path: Path, report: Any) -> Run:
    labels = tuple(report["labels"])
    if len(labels) < 2 or not all(isinstance(label, str) and label for label in labels):
        raise ValueError("labels must be at least two texts")
    if len(set(labels)) != len(labels):
        raise ValueError("two labels are the same")
    kind = report.get("kind", "glyph")
    if kind not in WAYS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(WAYS)}")
    temperature = float(report["temperature"]) if kind != "strip" else 1.0
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError("temperature must be positive")
    name = report["recipe"]
    if not isinstance(name, str) or not name or not all(c.isalnum() or c in "-_." for c in name):
        raise ValueError("recipe must be a name that can be part of a file's")
    seed = report.get("seed")
    test = report.get("test") or {}
    return Run(
        path=path,
        name=name,
        labels=labels,
        temperature=temperature,
        seed=None if seed is None else int(seed),
        data={str(k): str(v) for k, v in (report.get("data") or {}).get("checksums", {}).items()},
        accuracy=float(test["accuracy"]) if "accuracy" in test else None,
        way=kind,
    )
