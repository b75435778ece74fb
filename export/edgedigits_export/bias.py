"""Bias correction: the mean error that quantization makes in a network's logits is taken out of their biases.

Rounding weights and activations does not only add noise, it shifts the logits a little, by chance one way or
the other. Digits as MNIST has them lie too far from any border for that to matter; spoilt ones, of which the
network is half sure, fall over it by the hundred.

Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019,
section 4.2 (empirical bias correction), here for the last layer, and on spoilt pictures as well as on clean
ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits_export.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from edgedigits_export.graph import Graph, Operation, Tensor, read_graph
from edgedigits_export.kernels import plain_interpreter

EACH = 6
"""How many pictures are spoilt in each way."""
CLEAN = 60
"""How many are left as they are."""


def correct_bias(float_body: bytes, body: bytes, images: NDArray[np.uint8], source: str) -> bytes:
    """Return a quantized model proper with the biases of its last dense layer corrected.

    `float_body` is the same network in float32; `images` (uint8, N×28×28) are pictures to calibrate with. A
    network without convolutions is returned as it is, and so is one whose last layer is not int8 with a bias.
    """
    graphs = read_graph(float_body, source), read_graph(body, source)
    if not any(operation.kind == "CONV_2D" for operation in graphs[1].operations):
        return body  # dense networks keep to within half a point of float without it
    layers = [_last_dense(graph) for graph in graphs]
    if layers[0] is None or layers[1] is None:
        return body
    weights, bias = (graphs[0].tensors[i].data for i in layers[0].inputs[1:3])
    rounded, steps, given = (
        graphs[1].tensors[i] for i in (layers[1].inputs[1], layers[1].inputs[2], layers[1].inputs[0])
    )
    if weights is None or bias is None or rounded.data is None or rounded.scale is None:
        return body
    if (rounded.dtype, steps.dtype, given.dtype) != ("int8", "int32", "int8") or given.scale is None:
        return body
    pictures = _pictures(images)
    before = _mean_of(float_body, graphs[0], layers[0].inputs[0], pictures)
    after = _mean_of(body, graphs[1], layers[1].inputs[0], pictures)
    scales = np.broadcast_to(rounded.scale, len(rounded.data)).astype(np.float64)
    lost = weights @ before - scales * (rounded.data @ after)
    codes = np.rint((bias + lost) / (scales * float(given.scale[0])))
    return _with_constant(body, layers[1].inputs[2], codes.astype("<i4"))


def _last_dense(graph: Graph) -> Operation | None:
    """Return the last operation that multiplies, if it is a dense layer with a bias and makes the output."""
    last = [o for o in graph.operations if o.kind in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")][-1:]
    if not last or last[0].kind != "FULLY_CONNECTED" or len(last[0].inputs) < 3 or last[0].inputs[2] < 0:
        return None
    return last[0]


def _pictures(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return some of the pictures spoilt in every way that validation knows, and some as they are."""
    ways = [(corruption, severity) for corruption in CORRUPTIONS for severity in SEVERITIES]
    chosen = np.resize(images, (EACH * len(ways) + CLEAN, *images.shape[1:]))
    made = [
        # Another seed than validation's: its very specks and lines are not what is corrected for.
        corrupt(chosen[EACH * i : EACH * (i + 1)], corruption, severity, seed=1)
        for i, (corruption, severity) in enumerate(ways)
    ]
    return np.concatenate([*made, chosen[EACH * len(ways) :]])


def _mean_of(body: bytes, graph: Graph, wanted: int, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean of a tensor over the pictures, as real numbers, flattened."""
    given, tensor = graph.tensors[graph.inputs[0]], graph.tensors[wanted]
    interpreter = plain_interpreter(body, keep=True)
    index = interpreter.get_input_details()[0]["index"]
    total = np.zeros(1)
    for image in images:
        interpreter.set_tensor(index, _raw(image, given).reshape(1, *given.shape[1:]))
        interpreter.invoke()
        total = total + _real(interpreter.get_tensor(wanted).astype(np.float64).reshape(-1), tensor)
    return total / len(images)


def _raw(image: NDArray[np.uint8], tensor: Tensor) -> NDArray[Any]:
    if tensor.scale is None or tensor.zero_point is None:
        return (image / 255).astype(np.float32)
    limits = np.iinfo(tensor.dtype)
    codes = np.rint(image / 255 / float(tensor.scale[0])) + int(tensor.zero_point[0])
    return np.clip(codes, limits.min, limits.max).astype(tensor.dtype)


def _real(codes: NDArray[np.float64], tensor: Tensor) -> NDArray[np.float64]:
    if tensor.scale is None or tensor.zero_point is None:
        return codes
    return float(tensor.scale[0]) * (codes - int(tensor.zero_point[0]))


def _with_constant(body: bytes, tensor: int, values: NDArray[Any]) -> bytes:
    """Return the model with a constant tensor's values replaced by as many bytes.

    Written into the bytes as they are: packed anew, the buffers would lose the alignment that boards need.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(body)
    model = schema.Model.GetRootAs(changed, 0)
    buffer = model.Buffers(model.Subgraphs(0).Tensors(tensor).Buffer())
    buffer.DataAsNumpy()[:] = np.frombuffer(values.tobytes(), np.uint8)
    return bytes(changed)
