"""The golden file: a few crops or strips and their outputs, for a device to check itself with."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits import golden
from edgedigits.model import SIDE, Model
from edgedigits.strip_model import StripModel
from edgedigits.strips import HEIGHT, WINDOW
from edgedigits_export.data import Pictures
from edgedigits_export.errors import ConversionError
from edgedigits_export.formats import FORMATS
from edgedigits_export.kernels import plain_interpreter

SEED = 0
STRIPS = 2
"""Golden strips that say something; they are large."""


def golden_crops(pictures: Pictures | None) -> NDArray[np.uint8]:
    """Return the golden crops, uint8, N×28×28.

    The first picture of every class; then black, white, four of noise and two of random blots, which drive
    the network where digits don't.
    """
    generator = np.random.default_rng(SEED)
    crops = [np.zeros((1, SIDE, SIDE)), np.full((1, SIDE, SIDE), 255)]
    crops.append(generator.integers(0, 256, (4, SIDE, SIDE)))
    crops.append(255 * np.kron(generator.integers(0, 2, (2, 7, 7)), np.ones((1, 4, 4))))
    if pictures is not None:
        firsts = [np.flatnonzero(pictures.labels == label)[:1] for label in np.unique(pictures.labels)]
        crops.insert(0, pictures.images[np.concatenate(firsts)])
    return np.concatenate(crops).astype(np.uint8)


def golden_files(model: Model, body: bytes, crops: NDArray[np.uint8]) -> dict[str, bytes]:
    """Run a model on the golden crops through both kinds of kernels; return the entries for its zip.

    `body` is the model proper, without its zip. Raises `ConversionError` where it is of integers inside and
    floats outside, and gives the same for every crop.
    """
    return _files(golden.CROPS, model, body, crops)


def golden_strips(
    images: NDArray[np.uint8], labels: NDArray[np.integer], numbers: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """Return the golden strips, uint8, N×40×`WINDOW`.

    Of the composed strips named by `numbers` those that say the most different things, and one of random
    blots, which drives the network where writing doesn't.
    """
    different = np.array([len(set(labels[k][labels[k] >= 0].tolist())) for k in numbers])
    chosen = images[numbers[np.argsort(-different, kind="stable")[:STRIPS]]]
    chosen = np.pad(chosen, ((0, 0), (0, 0), (0, WINDOW - chosen.shape[2])))
    generator = np.random.default_rng(SEED)
    blots = 255 * np.kron(generator.integers(0, 2, (1, HEIGHT // 4, WINDOW // 4)), np.ones((1, 4, 4)))
    return np.concatenate([chosen, blots]).astype(np.uint8)


def strip_golden_files(model: StripModel, body: bytes, strips: NDArray[np.uint8]) -> dict[str, bytes]:
    """Do for strips (uint8, N×40×`WINDOW`) what `golden_files` does for crops."""
    return _files(golden.STRIPS, model, body, strips)


def _files(name: str, model: Model | StripModel, body: bytes, inputs: NDArray[np.uint8]) -> dict[str, bytes]:
    tensor = model.tensor(inputs)
    fast = np.concatenate([model.invoke(tensor[i : i + 1]) for i in range(len(tensor))])
    plain = reference_outputs(body, tensor).reshape(fast.shape)
    rules = {"tolerance": _tolerance(model, fast)}
    return {
        name: _npy(inputs),
        golden.XNNPACK: _npy(fast),
        golden.REFERENCE: _npy(plain),
        golden.RULES: json.dumps(rules).encode(),
    }


def reference_outputs(body: bytes, tensor: NDArray[Any]) -> NDArray[Any]:
    """Return a model's raw outputs for raw inputs, one after another, through TFLite's reference kernels."""
    interpreter = plain_interpreter(body)
    index = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]["index"]
    results = []
    for i in range(len(tensor)):
        interpreter.set_tensor(index, tensor[i : i + 1])
        interpreter.invoke()
        results.append(interpreter.get_tensor(output))
    return np.concatenate(results)


def _tolerance(model: Model | StripModel, outputs: NDArray[Any]) -> float:
    """Say how far another board's outputs may lie from these.

    A step for integers. For floats that come of integers inside, a step and a bit of theirs, which is the
    smallest gap between the outputs; for activations quantized on the fly, a hundredth of the spread of the
    outputs, since rounding an activation otherwise moves everything after it; for floats throughout, whose
    sums only come in another order, a thousandth of the spread.
    """
    format_ = FORMATS[model.card.format]
    if model.output_dtype.kind != "f":
        return 1.0
    spread = float(outputs.max() - outputs.min())
    if format_.activations == "int8":
        gaps = np.diff(np.unique(outputs.astype(np.float64)))
        if not len(gaps):
            raise ConversionError(
                f"{model.card.name}: gives the same for every picture: the network has learnt nothing; train "
                "it again"
            )
        return 1.25 * float(gaps[gaps > 1e-6 * spread].min())
    return spread / (100 if format_.weights in ("int8", "int4") else 1000)


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
