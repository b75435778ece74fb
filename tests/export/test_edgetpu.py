"""Edge TPU readiness: the rules, and the compiler (a stand-in for it, which is not to be had here)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.export.making import write_network

from edgedigits.card import read_card, split_bytes
from edgedigits.model import Model, read_model
from edgedigits_export.calibrate import draw_sample
from edgedigits_export.cli import main
from edgedigits_export.convert import Exported, export_run
from edgedigits_export.data import read_mnist
from edgedigits_export.edgetpu import check_edgetpu, closed_batch, compile_edgetpu, read_log
from edgedigits_export.errors import ConversionError
from edgedigits_export.formats import FORMATS, find_formats
from edgedigits_export.graph import read_graph
from edgedigits_export.pack import pack
from edgedigits_export.run import read_run


def test_the_shipped_int8_model_fits() -> None:
    readiness = check_edgetpu("paper-int8")
    assert readiness.ready
    assert readiness.on_tpu == len(readiness.placements) == 2


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"int8", "uint8-input"}))
def test_formats_that_are_not_8_bit_do_not_fit(converted: dict[str, Exported], name: str) -> None:
    readiness = check_edgetpu(str(converted[name].path))
    assert not readiness.ready
    first = next(p for p in readiness.placements if p.reason)
    assert "not 8-bit" in first.reason or "not among" in first.reason
    assert readiness.on_tpu == 0


def test_from_the_first_that_does_not_fit_all_run_on_the_cpu(tmp_path: Path, small_set: Path) -> None:
    def network(tf: Any, x: Any, w: Callable[..., Any]) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(x, w(3, 3, 1, 4), 2, "SAME"))
        x = tf.nn.elu(x)
        return tf.reshape(x, [-1, 784]) @ w(784, 10)

    sample = draw_sample(read_mnist("train", small_set), count=50)
    run = read_run(write_network(tmp_path / "run", network))
    (made,) = export_run(run, tmp_path / "out", find_formats(["int8"]), sample=sample)
    placements = check_edgetpu(str(made.path)).placements
    kinds = [p.operation for p in placements]
    assert placements[kinds.index("ELU")].reason == "not among the supported operations"
    misfit = next(i for i, p in enumerate(placements) if p.reason)
    assert kinds[:misfit] == ["CONV_2D"]
    assert [p.on_tpu for p in placements] == [True] * misfit + [False] * (len(kinds) - misfit)
    assert (kinds[-1], placements[-1].reason) == ("FULLY_CONNECTED", "")


def test_a_closed_batch_is_the_same_network() -> None:
    body = split_bytes(read_model("paper-int8"), "x")[1]
    closed = closed_batch(body)
    assert not any(t.batched or t.dynamic for t in read_graph(closed, "x").tensors)
    assert closed_batch(closed) == closed


def test_a_model_with_a_closed_batch_still_reads(tmp_path: Path) -> None:
    card, body = split_bytes(read_model("paper-int8"), "x")
    path = tmp_path / "closed.tflite"
    path.write_bytes(pack(closed_batch(body), card))
    crops = np.random.default_rng(0).integers(0, 256, (37, 28, 28), np.uint8)
    assert np.array_equal(Model(path).probabilities(crops), Model("paper-int8").probabilities(crops))


LOG = """Edge TPU Compiler version 16.0.384591198
Model successfully compiled but not all operations are supported by the Edge TPU.
Number of operations that will run on Edge TPU: {tpu}
Number of operations that will run on CPU: {cpu}
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, log: str, status: int = 0) -> None:
    """Put an `edgetpu_compiler` on the PATH that copies the model and says `log`."""
    program = folder / "bin" / "edgetpu_compiler"
    program.parent.mkdir()
    (folder / "log").write_text(log)
    program.write_text(
        "#!/bin/sh\n"  # called as: -s -o OUT MODEL
        f'cat "{folder / "log"}"\n'
        f'[ {status} = 0 ] && cp "$4" "$3/$(basename "$4" .tflite)_edgetpu.tflite"\n'
        f"exit {status}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def test_the_card_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, LOG.format(tpu=2, cpu=1))
    made = compile_edgetpu("paper-int8", tmp_path / "out")
    assert (made.on_tpu, made.on_cpu) == (2, 1)
    card, before = read_card(made.path), Model("paper-int8").card
    assert card.name == "paper-int8-edgetpu"
    assert (card.labels, card.temperature) == (before.labels, before.temperature)


def test_nothing_on_the_tpu_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, monkeypatch, LOG.format(tpu=0, cpu=3))
    assert main(["edgetpu", "paper-int8", "--out", str(tmp_path / "out")]) == 1
    assert "left all 3 operations to the CPU" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_compiler_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "Invalid model: x.tflite\nModel not quantized\n", status=1)
    with pytest.raises(ConversionError, match=r"refuses it \(Invalid model") as caught:
        compile_edgetpu("paper-int8", tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_log_that_says_nothing() -> None:
    with pytest.raises(ConversionError, match="does not say what runs where"):
        read_log("Model compiled successfully")


def test_the_command(
    converted: dict[str, Exported], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["edgetpu", "paper-int8"]) == 0
    said = capsys.readouterr()
    assert "FULLY_CONNECTED" in said.out
    assert "round trip" in said.out
    assert main(["edgetpu", str(converted["float32"].path)]) == 1
    said = capsys.readouterr()
    assert "float32, not 8-bit" in said.out
    assert said.err.count("\n") == 1
    assert main(["edgetpu", "paper-int8", "--out", "anywhere"]) == 1
    assert "edgetpu_compiler is not on the PATH" in capsys.readouterr().err
