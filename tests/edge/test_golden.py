"""The golden file: a board that computes what the host computed passes, another one does not."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgedigits import golden
from edgedigits.errors import ModelError
from edgedigits.model import Model, read_model, shipped_models
from edgedigits.strip_model import StripModel


def with_entries(name: str, path: Path, changes: dict[str, bytes | None]) -> Path:
    """Write a shipped model again with some entries of its zip changed, or taken out where `None`."""
    data = read_model(name)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
        start = min(info.header_offset for info in archive.infolist())
    whole = io.BytesIO()
    whole.write(data[:start])
    with zipfile.ZipFile(whole, "a") as archive:
        for entry, content in {**entries, **changes}.items():
            if content is not None:
                archive.writestr(entry, content)
    path.write_bytes(whole.getvalue())
    return path


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("name", shipped_models())
def test_this_machine_computes_what_the_host_computed(name: str) -> None:
    result = golden.check(Model(name))
    assert result.passed, str(result)
    assert result.count >= 10
    assert name in str(result)
    if result.exact_expected:
        assert result.exact


@pytest.mark.parametrize("name", shipped_models("strip"))
def test_this_machine_computes_the_same_along_strips(name: str) -> None:
    result = golden.check(StripModel(name))
    assert result.passed, str(result)
    assert result.count >= 3
    if result.exact_expected:
        assert result.exact


@pytest.fixture
def int8() -> tuple[Model, golden.Golden]:
    model = Model("paper-int8")
    return model, golden.read_golden(read_model("paper-int8"), "paper-int8")


def test_a_step_is_too_much_for_the_same_kernels_and_fine_for_others(
    int8: tuple[Model, golden.Golden], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, expected = int8
    off = expected.xnnpack.copy()
    off[0, 0] += 1 if off[0, 0] < 127 else -1
    monkeypatch.setattr(model, "runtime", "ai_edge_litert")
    monkeypatch.setattr(Model, "uses_xnnpack", True)
    same_kernels = golden.compare(model, expected, off)
    assert not same_kernels.passed
    assert "off by 1" in str(same_kernels)
    monkeypatch.setattr(Model, "uses_xnnpack", False)
    without = golden.compare(model, expected, off)
    assert without.passed
    assert "right within 1" in str(without)


def test_two_steps_are_too_much(int8: tuple[Model, golden.Golden], monkeypatch: pytest.MonkeyPatch) -> None:
    model, expected = int8
    monkeypatch.setattr(Model, "uses_xnnpack", False)
    off = expected.reference.copy()
    off[1, 3] += 2 if off[1, 3] < 126 else -2
    result = golden.compare(model, expected, off)
    assert not result.passed
    assert result.largest == 2


def test_wrapped_and_unheard_of_values_are_not_close(int8: tuple[Model, golden.Golden]) -> None:
    model, expected = int8
    turned = (expected.xnnpack.astype(np.int16) + 128).astype(np.int8)
    assert golden.compare(model, expected, turned).largest > 100
    floats = Model("paper-float32")
    known = golden.read_golden(read_model("paper-float32"), "x")
    broken = known.xnnpack.copy()
    broken[2, 2] = np.nan
    assert not golden.compare(floats, known, broken).passed


def test_other_labels_are_told(int8: tuple[Model, golden.Golden], monkeypatch: pytest.MonkeyPatch) -> None:
    model, expected = int8
    monkeypatch.setattr(Model, "uses_xnnpack", False)
    result = golden.compare(model, expected, np.roll(expected.reference, 1, axis=1))
    assert result.labels > 0
    assert "read otherwise" in str(result)
    assert "\n" not in str(result)


def test_a_toss_up_between_two_labels_is_no_error(
    int8: tuple[Model, golden.Golden], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, expected = int8
    monkeypatch.setattr(Model, "uses_xnnpack", False)
    close = np.full_like(expected.reference, -100)
    close[:, 4], close[:, 6] = 50, 49
    found = close.copy()
    found[:, 4], found[:, 6] = 49, 50
    result = golden.compare(model, dataclasses.replace(expected, reference=close, xnnpack=close), found)
    assert result.passed


@pytest.mark.parametrize("entry", [golden.CROPS, golden.XNNPACK, golden.REFERENCE, golden.RULES])
def test_an_entry_is_missing(tmp_path: Path, entry: str) -> None:
    path = with_entries("paper-int8", tmp_path / "m.tflite", {entry: None})
    with pytest.raises(ModelError, match="no golden file in it"):
        golden.check(Model(path))


@pytest.mark.parametrize(
    ("entry", "content", "said"),
    [
        (golden.CROPS, b"no array", "can't be used"),
        (golden.CROPS, npy(np.zeros((3, 28, 28))), "inputs are of another shape"),
        (golden.CROPS, npy(np.zeros((3, 28, 28), np.uint8)), "don't fit its inputs"),
        (golden.CROPS, npy(np.array([{}], dtype=object)), "can't be used"),
        (golden.XNNPACK, npy(np.zeros(3)), "don't fit its inputs"),
        (golden.RULES, b"{}", "can't be used"),
        (golden.RULES, b'{"tolerance": NaN}', "tolerance"),
    ],
)
def test_an_entry_is_garbage(tmp_path: Path, entry: str, content: bytes, said: str) -> None:
    path = with_entries("paper-int8", tmp_path / "m.tflite", {entry: content})
    with pytest.raises(ModelError, match=said) as caught:
        golden.check(Model(path))
    assert "\n" not in str(caught.value)


def test_the_golden_file_of_another_model(tmp_path: Path) -> None:
    known = golden.read_golden(read_model("paper-float32"), "x")
    changes: dict[str, bytes | None] = {
        golden.XNNPACK: npy(known.xnnpack),
        golden.REFERENCE: npy(known.reference),
    }
    path = with_entries("paper-int8", tmp_path / "m.tflite", changes)
    with pytest.raises(ModelError, match="another model's"):
        golden.check(Model(path))
