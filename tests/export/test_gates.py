"""The gates file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgedigits_export.comparison import failed_gates
from edgedigits_export.gates import Gates, GatesError, read_gates


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text("[gates]\nmax_drop = 0.01\nmin_sqnr = false\nmax_saturated = 1\n")
    assert read_gates(path, Gates) == Gates(max_drop=0.01, min_sqnr=None, max_saturated=1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gates", r"can't read the gates \(.*at end of document"),
        ("max_drop = 1", r"a table \[gates\] and nothing else"),
        ("[gates]\n[more]", "nothing else"),
        ("[gates]\nmax_dorp = 1", "no gate is called max_dorp; known are max_brier_rise"),
        ("[gates]\nmax_drop = 'x'", "max_drop must be a number, or false"),
        ("[gates]\nmax_drop = true", "max_drop must be a number, or false"),
        ("[gates]\nmax_drop = nan", "max_drop must be a number, or false"),
        ("[gates]\nmax_drop = " + 5000 * "[", "can't read the gates"),
        (f"[gates]\nmax_drop = {10**400}", "max_drop must be a number, or false"),
    ],
)
def test_files_that_are_no_good(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    with pytest.raises(GatesError, match=said) as caught:
        read_gates(path, Gates)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(GatesError, match="No such file"):
        read_gates(tmp_path / "none.toml", Gates)


def test_what_is_held_against_a_gate_is_said_with_the_gate() -> None:
    measured = [("min_agreement", 0.9, "agrees on 0.9"), ("max_drop", 0.02, "drops by 0.02")]
    assert [failure.line for failure in failed_gates(Gates(), "m", measured)] == [
        "m: agrees on 0.9, less than 0.998",
        "m: drops by 0.02, more than 0.001",
    ]


def test_what_is_no_number_passes_no_gate() -> None:
    measured = [("min_sqnr", float("nan"), "signal"), ("max_drop", float("nan"), "accuracy")]
    assert [failure.gate for failure in failed_gates(Gates(), "m", measured)] == ["min_sqnr", "max_drop"]
    assert failed_gates(Gates(min_sqnr=None, max_drop=None), "m", measured) == ()
    assert failed_gates(Gates(), "m", [("min_sqnr", 20.0, ""), ("max_drop", 0.001, "")]) == ()
