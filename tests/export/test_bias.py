"""Bias correction: the mean error of the logits goes, everything else in the file stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.export.making import edited

from edgedigits.card import split_bytes
from edgedigits.model import Model, read_model
from edgedigits_export.bias import correct_bias
from edgedigits_export.data import Pictures
from edgedigits_export.pack import pack


def body_of(name: str) -> bytes:
    return split_bytes(read_model(name), name)[1]


def shifted(body: bytes) -> bytes:
    """The shipped model with a bias of its last layer spoilt: it finds a 3 everywhere."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        last = [o for o in graph.operators if len(o.inputs) == 3][-1]
        buffer = model.buffers[graph.tensors[last.inputs[2]].buffer]
        codes = np.array(buffer.data, np.uint8).view("<i4").copy()
        codes[3] += 300_000
        buffer.data = codes.view(np.uint8)

    return edited(body, change)


def test_a_shift_of_the_logits_is_taken_out(test_pictures: Pictures, tmp_path: Path) -> None:
    card, body = split_bytes(read_model("compact-int8"), "compact-int8")
    spoilt = shifted(body)
    mended = correct_bias(body_of("compact-float32"), spoilt, test_pictures.images[:500], "compact")
    assert len(mended) == len(spoilt)
    assert sum(a != b for a, b in zip(mended, spoilt, strict=True)) <= 4 * len(card.labels)
    truth = test_pictures.labels[500:1000]
    shares = []
    for number, content in enumerate((spoilt, mended)):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(pack(content, card))
        guesses = Model(path).probabilities(test_pictures.images[500:1000]).argmax(axis=1)
        shares.append(float((guesses == truth).mean()))
    assert shares[0] < 0.9
    assert shares[1] > 0.98


def test_the_same_pictures_give_the_same_bytes(test_pictures: Pictures) -> None:
    pair = body_of("compact-float32"), body_of("compact-int8")
    images = test_pictures.images[:60]
    assert correct_bias(*pair, images, "compact") == correct_bias(*pair, images, "compact")


def test_dense_networks_and_float_ones_are_left_alone(test_pictures: Pictures) -> None:
    images = test_pictures.images[:60]
    dense = body_of("paper-int8")
    assert correct_bias(body_of("paper-float32"), dense, images, "paper") is dense
    plain = body_of("compact-float32")
    assert correct_bias(plain, plain, images, "compact") is plain
