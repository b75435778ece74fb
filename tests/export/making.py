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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    generator = np.random.default_rng(0)

    def weights(*size: int) -> Any:
        return tf.Variable(generator.normal(0, 0.1, size).astype(np.float32))

    module = tf.Module()
    module.kernel = weights(3, 3, 1, 8)
    pixels = int(np.prod(shape))
    module.dense = weights(pixels * (8 if convolve else 1), outputs)

    def logits(pixels: Any) -> dict[str, Any]:
        x = tf.nn.relu(tf.nn.conv2d(pixels, module.kernel, 1, "SAME")) if convolve else pixels
        return {"logits": tf.reshape(x, [-1, module.dense.shape[0]]) @ module.dense}

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
