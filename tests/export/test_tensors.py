"""Tensor by tensor: the graph as it is read, and what quantization costs each operation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.export.making import closed_at, edited

from edgedigits.card import split_bytes
from edgedigits.errors import ModelError
from edgedigits.model import Model, read_model
from edgedigits_export.convert import Exported, export_run
from edgedigits_export.data import Pictures
from edgedigits_export.formats import find_formats
from edgedigits_export.graph import Operation, Tensor, read_graph
from edgedigits_export.pack import pack
from edgedigits_export.run import read_run
from edgedigits_export.tensors import _error, tensor_errors


def test_the_graph_of_the_shipped_model() -> None:
    graph = read_graph(split_bytes(read_model("paper-int8"), "x")[1], "x")
    assert [o.kind for o in graph.operations] == ["FULLY_CONNECTED", "FULLY_CONNECTED"]
    (first,), (last,) = graph.inputs, graph.outputs
    assert (graph.tensors[first].shape, graph.tensors[first].dtype) == ((1, 784), "int8")
    assert graph.tensors[first].batched
    assert not graph.tensors[first].dynamic
    weights = graph.tensors[graph.operations[0].inputs[1]]
    assert weights.data is not None
    assert (weights.data.shape, weights.data.dtype) == ((128, 784), np.int8)
    assert weights.per_channel
    assert weights.scale is not None
    assert len(weights.scale) == 128
    assert graph.tensors[last].scale == pytest.approx(Model("paper-int8").output_affine[0])


@pytest.mark.parametrize("body", [b"", b"\x1c\0\0\0TFL3", b"\xff" * 64, b"\x1c\0\0\0TFL3" + b"\x01" * 60])
def test_a_graph_that_is_garbage(body: bytes) -> None:
    with pytest.raises(ModelError, match="its graph can't be read") as caught:
        read_graph(body, "x")
    assert "\n" not in str(caught.value)


def test_more_bits_lose_less(converted: dict[str, Exported], test_pictures: Pictures) -> None:
    floats = Model(converted["float32"].path)
    worst = {
        name: min(t.sqnr for t in tensor_errors(floats, Model(made.path), test_pictures.images[:50]))
        for name, made in converted.items()
    }
    assert worst["float32"] > 190
    assert worst["float32"] > worst["float16"] > worst["int16x8"] > worst["int8"] > worst["int4-weights"] > 15
    assert worst["int8"] > 35


def test_the_ratio_counted_by_hand(converted: dict[str, Exported], test_pictures: Pictures) -> None:
    crops = test_pictures.images[:50]
    floats, model = Model(converted["float32"].path), Model(converted["int8"].path)
    error = tensor_errors(floats, model, crops)[-1]
    expected = floats.invoke(floats.tensor(crops)).astype(float)
    scale, zero = model.output_affine
    noise = expected - scale * (model.invoke(model.tensor(crops)).astype(float) - zero)
    assert error.sqnr == pytest.approx(10 * np.log10((expected**2).sum() / (noise**2).sum()), abs=0.2)
    channels = 10 * np.log10((expected**2).sum(axis=0) / (noise**2).sum(axis=0))
    assert error.worst_channel == channels.argmin()


def test_other_graphs_have_nothing_to_compare(
    converted: dict[str, Exported], tiny_run: Path, tmp_path: Path
) -> None:
    # The tiny network has one layer where the paper's has two.
    from pathlib import Path

    assert isinstance(tiny_run, Path)
    (tiny,) = export_run(
        read_run(tiny_run), converted["float32"].path.parent / "tiny", find_formats(["float32"])
    )
    crops = np.zeros((1, 28, 28), np.uint8)
    assert tensor_errors(Model(converted["float32"].path), Model(tiny.path), crops) == ()


def test_a_model_that_takes_several_at_a_time(tmp_path: Path, test_pictures: Pictures) -> None:
    card, body = split_bytes(read_model("paper-int8"), "x")
    path = tmp_path / "by32.tflite"
    path.write_bytes(pack(edited(body, closed_at(32)), card))
    floats, crops = Model("paper-float32"), test_pictures.images[:50]
    assert tensor_errors(floats, Model(path), crops) == tensor_errors(floats, Model("paper-int8"), crops)


def test_where_nothing_is_lost_there_is_no_noise() -> None:
    """Of a dead layer, too: it has no signal, and loses none."""
    operation = Operation("RELU", 1, (0,), (1,), {})
    silent = Tensor(1, "relu", (1, 4), False, True, "float32", None, None, 0, None)
    values = np.zeros((3, 4), np.float32)
    error = _error(operation, silent, values, values)
    assert (error.sqnr, error.worst_sqnr) == (200.0, 200.0)
    assert _error(operation, silent, values, values + 1).sqnr == -200.0
    values[:, 0] = 1
    assert _error(operation, silent, values, values).worst_sqnr == 200.0
