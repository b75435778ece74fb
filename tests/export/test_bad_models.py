"""Models of another kind, as they come from elsewhere: one line each, from every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.export.making import edited

from edgedigits.card import split_bytes
from edgedigits.errors import ModelError
from edgedigits.model import Model, read_model
from edgedigits_export.cli import main
from edgedigits_export.pack import pack


def two_inputs(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.inputs = [*graph.inputs, graph.operators[0].outputs[0]]


def two_outputs(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, graph.operators[0].outputs[0]]


def custom_operation(model: Any) -> None:
    for code in model.operatorCodes:
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = b"NobodyKnows"


def open_width(model: Any) -> None:
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    tensor.shape, tensor.shapeSignature = [1, 1], [-1, -1]


def no_operations(model: Any) -> None:
    model.subgraphs[0].operators = []


def huge_tensor(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].operators[0].outputs[0]].shape = [2**24, 2**9]


def name_that_is_no_text(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].name = b"\x80\x81"


ODD = [two_inputs, two_outputs, custom_operation, open_width, no_operations]
ODD += [huge_tensor, name_that_is_no_text]


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    change: Callable[[Any], None] = request.param
    card, body = split_bytes(read_model("paper-int8"), "x")
    path = tmp_path / "odd.tflite"
    path.write_bytes(pack(edited(body, change), card))
    return path


def test_it_is_refused(odd: Path) -> None:
    with pytest.raises(ModelError) as caught:
        Model(odd)
    assert str(caught.value).startswith(f"{odd}: ")
    assert "\n" not in str(caught.value)


def test_every_command_says_so_in_one_line(
    odd: Path, small_set: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    for arguments in (
        ["validate", "paper-float32", str(odd), "--data", str(small_set)],
        ["firmware", str(odd), *out],
    ):
        assert main(arguments) == 1
        said = capfd.readouterr().err
        assert said.startswith("edgedigits-export: ")
        assert said.count("\n") == 1
    # Readiness for the Edge TPU is a matter of the graph alone.
    assert main(["edgetpu", str(odd)]) in (0, 1)
    assert "Traceback" not in capfd.readouterr().err
