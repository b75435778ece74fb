"""A run folder is known by its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.export.making import PUBLISHED

from edgedigits_export.errors import RunError
from edgedigits_export.run import read_run


def test_the_published_run() -> None:
    run = read_run(PUBLISHED)
    assert (run.name, run.seed, run.labels) == ("paper", 0, tuple("0123456789"))
    assert 0.5 < run.temperature < 3
    assert run.accuracy is not None
    assert run.accuracy > 0.97
    assert run.data["train-images-idx3-ubyte"] == "6bbc9ace898e44ae57da46a324031adb"


@pytest.mark.parametrize("missing", ["recipe.toml", "report.json", "model/saved_model.pb"])
def test_a_file_is_missing(spoilable_run: Path, missing: str) -> None:
    (spoilable_run / missing).unlink()
    with pytest.raises(RunError, match=f"not a finished run .{missing} is missing"):
        read_run(spoilable_run)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        read_run(tmp_path / "nothing")


@pytest.mark.parametrize("broken", ["recipe.toml", "report.json"])
@pytest.mark.parametrize("content", [b"\xff\xfe", b"{ = ["])
def test_a_file_is_garbage(spoilable_run: Path, broken: str, content: bytes) -> None:
    (spoilable_run / broken).write_bytes(content)
    with pytest.raises(RunError, match="can't be read") as caught:
        read_run(spoilable_run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": None}, "can't be used"),
        ({"labels": ["0"]}, "at least two"),
        ({"labels": [0, 1]}, "at least two"),
        ({"temperature": 0}, "temperature must be positive"),
        ({"temperature": "warm"}, "can't be used"),
        ({"recipe": "../up"}, "part of a file's"),
        ({"labels": ["0", "1", "0"]}, "two labels are the same"),
        ({"temperature": 10**400}, "can't be used"),
        ({"seed": "x"}, "can't be used"),
        ({"seed": float("inf")}, "can't be used"),
        ({"data": 3}, "can't be used"),
    ],
)
def test_a_report_that_can_not_be(spoilable_run: Path, changes: dict[str, Any], said: str) -> None:
    report = spoilable_run / "report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | changes))
    with pytest.raises(RunError, match=said):
        read_run(spoilable_run)


def test_a_report_without_an_entry(spoilable_run: Path) -> None:
    report = spoilable_run / "report.json"
    report.write_text(json.dumps({"labels": ["a", "b"]}))
    with pytest.raises(RunError, match="temperature is missing"):
        read_run(spoilable_run)
