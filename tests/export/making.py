"""Things that export tests make: idx files, trained (well, untrained) runs."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PUBLISHED = Path(__file__).parents[2] / "train" / "published" / "paper-seed0"


def write_idx(path: Path, values: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(header + values.tobytes())


def write_run(
    folder: Path, *, shape: tuple[int, ...] = (784,), outputs: int = 10, convolve: bool = False, **report: Any
) -> Path:
    """Write an untrained run: a dense layer, or a convolution before it, on `shape` pixels."""

    def network(tf: Any, x: Any, weights: Callable[..., Any]) -> Any:
        pixels = int(np.prod(shape)) * (8 if convolve else 1)
        if convolve:
            x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 1, 8), 1, "SAME"))
        return tf.reshape(x, [-1, pixels]) @ weights(pixels, outputs)

    return write_network(folder, network, shape, **report)


def write_network(
    folder: Path, network: Callable[..., Any], shape: tuple[int, ...] = (28, 28, 1), **report: Any
) -> Path:
    """Write an untrained run of `network(tf, pixels, weights)`, where `weights(*size)` makes random ones."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    generator = np.random.default_rng(0)
    module = tf.Module()
    module.kept = []

    def made(*size: int) -> Any:
        module.kept.append(tf.Variable(generator.normal(0, 0.2, size).astype(np.float32)))
        return module.kept[-1]

    network(tf, tf.zeros([1, *shape]), made)

    def logits(pixels: Any) -> dict[str, Any]:
        kept = iter(module.kept)
        return {"logits": network(tf, pixels, lambda *_: next(kept))}

    module.logits = tf.function(
        logits, input_signature=[tf.TensorSpec([None, *shape], tf.float32, name="pixels")]
    )
    folder.mkdir(parents=True)
    tf.saved_model.save(module, str(folder / "model"), signatures={"logits": module.logits})
    (folder / "recipe.toml").write_text('name = "tiny"\n')
    whole = {
        "schema": 1,
        "recipe": "tiny",
        "seed": 0,
        "labels": [str(n) for n in range(10)],
        "temperature": 1.0,
        "test": {"accuracy": 0.1},
        "data": {"checksums": {"train-images-idx3-ubyte": "0" * 32}},
    }
    (folder / "report.json").write_text(json.dumps(whole | report))
    return folder


def edited(body: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a model proper after `change` was let loose on it, as an object of LiteRT's schema."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(body, 0))
    change(model)
    builder = flatbuffers.Builder(len(body))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def closed_at(batch: int) -> Callable[[Any], None]:
    """Return a change for `edited` that makes a dense network take so many inputs at a time, no others."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        for index in {*graph.inputs, *(i for operator in graph.operators for i in operator.outputs)}:
            tensor = graph.tensors[index]
            tensor.shape, tensor.shapeSignature = [batch, *tensor.shape[1:]], None

    return change
