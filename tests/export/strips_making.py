"""A network for strips that reads without training, and strips in its writing.

Label k is a bar in rows 2k and 2k + 1, four pixels wide, with at least as much paper behind it. One
convolution tells the bars apart, so what it reads is known, and bars that are faint or lie in noise are read
wrongly now and then.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.strips import HEIGHT

LABELS = tuple("0123456789.,-=/:")


def write_strip_run(folder: Path, shifted: int = 0, **report: Any) -> Path:
    """Write a run of that network; `shifted` moves every label's bar, so that labels are confused."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    shape = (HEIGHT, 2, 1, len(LABELS) + 1)
    kernel = np.random.default_rng(0).normal(0, 0.01, shape).astype(np.float32)
    for k in range(len(LABELS)):
        row = 2 * ((k + shifted) % len(LABELS))
        kernel[row : row + 2, :, 0, k] = 4.0
    bias = np.zeros(len(LABELS) + 1, np.float32)
    bias[-1] = 8.0
    module = tf.Module()
    module.kernel, module.bias = tf.Variable(kernel), tf.Variable(bias)
    module.logits = tf.function(
        lambda strips: {"logits": tf.nn.conv2d(strips, module.kernel, 2, "VALID") + module.bias},
        input_signature=[tf.TensorSpec((None, HEIGHT, None, 1), tf.float32, name="strips")],
    )
    folder.mkdir(parents=True)
    tf.saved_model.save(module, str(folder / "model"), signatures={"logits": module.logits})
    (folder / "recipe.toml").write_text('name = "bars"\n')
    whole = {
        "schema": 1,
        "kind": "strip",
        "recipe": "bars",
        "seed": 0,
        "labels": list(LABELS),
        "data": {"checksums": {"bars": "0" * 32}},
    }
    (folder / "report.json").write_text(json.dumps(whole | report))
    return folder


def draw(texts: NDArray[np.int32], generator: np.random.Generator, width: int = 96) -> NDArray[np.uint8]:
    """Return strips, uint8 N×40×`width`, that say `texts` (int32 N×longest, −1 behind the end)."""
    strips = generator.integers(0, 40, (len(texts), HEIGHT, width))
    for strip, text in zip(strips, texts, strict=True):
        for place, label in enumerate(text[text >= 0]):
            x = 4 + 8 * place
            strip[2 * label : 2 * label + 2, x : x + 4] = generator.integers(120, 256)
    return strips.astype(np.uint8)


def write_strips(path: Path, count: int = 160, seed: int = 0, **about: Any) -> Path:
    """Write a file of such strips, as `edgedigits-train strip --held-out` writes its own."""
    generator = np.random.default_rng(seed)
    labels = np.full((count, 8), -1, np.int32)
    for row in labels:
        length = generator.integers(0, 8)
        row[:length] = generator.integers(0, len(LABELS), length)
    told = {"seed": seed, "labels": list(LABELS), "set": "bars"} | about
    images = draw(labels, generator)
    np.savez_compressed(path, images=images, labels=labels, about=np.array(json.dumps(told)))
    return path
