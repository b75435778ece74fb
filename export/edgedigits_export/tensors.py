"""Where quantization hurts: a quantized network beside the float one, tensor by tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import split_bytes
from edgedigits.model import Model, read_model
from edgedigits_export.graph import Graph, Operation, Tensor, read_graph
from edgedigits_export.kernels import plain_interpreter

_PASSED_OVER = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SHAPE", "STRIDED_SLICE", "PACK")
"""Operations that compute nothing, or only a shape."""


@dataclass(frozen=True)
class TensorError:
    """What is lost of one operation's output."""

    operation: str
    tensor: str
    sqnr: float
    """Signal to quantization noise ratio in dB: 10·log10(Σ float² / Σ (float − quantized)²)."""
    worst_channel: int
    """The channel (last dimension) with the lowest ratio, of those that carry any signal."""
    worst_sqnr: float
    saturated: float
    """Share of the values at an end of the integers' range, an end that stands for 0 apart; 0 for floats."""


def tensor_errors(baseline: Model, model: Model, crops: NDArray[np.uint8]) -> tuple[TensorError, ...]:
    """Compare what every operation gives in two models of the same network, for crops (uint8, N×28×28).

    Empty where the two graphs are not the same sequence of operations (those that compute nothing apart):
    then there is nothing to compare tensor by tensor.
    """
    pair = (baseline, model)
    bodies = [split_bytes(read_model(one.source), one.source)[1] for one in pair]
    graphs = [read_graph(body, one.source) for body, one in zip(bodies, pair, strict=True)]
    first, second = (_steps(graph) for graph in graphs)
    if [o.kind for o in first] != [o.kind for o in second]:
        return ()
    outputs = [
        _values(body, graph, one.tensor(crops)) for body, graph, one in zip(bodies, graphs, pair, strict=True)
    ]
    found = []
    for a, b in zip(first, second, strict=True):
        expected, codes = outputs[0][a.outputs[0]], outputs[1][b.outputs[0]]
        tensor = graphs[1].tensors[b.outputs[0]]
        if expected.shape == codes.shape and expected.dtype.kind == "f":
            found.append(_error(b, tensor, expected, codes))
    return tuple(found)


def _steps(graph: Graph) -> list[Operation]:
    return [operation for operation in graph.operations if operation.kind not in _PASSED_OVER]


def _values(body: bytes, graph: Graph, tensor: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """Return the outputs of all operations for every input, by tensor, stacked along the first dimension."""
    # XNNPACK computes several operations at once and keeps nothing between them.
    interpreter = plain_interpreter(body, keep=True)
    index = interpreter.get_input_details()[0]["index"]
    wanted = [operation.outputs[0] for operation in _steps(graph)]
    kept: dict[int, list[NDArray[Any]]] = {number: [] for number in wanted}
    # A model of another origin may take several at a time, and no other number.
    size = int(interpreter.get_input_details()[0]["shape"][0])
    for i in range(0, len(tensor), size):
        interpreter.set_tensor(index, np.resize(tensor[i : i + size], (size, *tensor.shape[1:])))
        interpreter.invoke()
        for number in wanted:
            kept[number].append(interpreter.get_tensor(number)[: len(tensor) - i])
    return {number: np.concatenate(values) for number, values in kept.items()}


def _error(operation: Operation, tensor: Tensor, expected: NDArray[Any], codes: NDArray[Any]) -> TensorError:
    values, saturated = codes.astype(np.float64), 0.0
    if tensor.scale is not None and tensor.zero_point is not None and codes.dtype.kind in "iu":
        scale, zero = float(tensor.scale[0]), int(tensor.zero_point[0])
        values = scale * (values - zero)
        limits = np.iinfo(codes.dtype)
        ends = [end for end in (limits.min, limits.max) if end != zero]
        saturated = float(np.isin(codes, ends).mean())
    expected = expected.astype(np.float64).reshape(-1, expected.shape[-1])
    noise = (expected - values.reshape(expected.shape)) ** 2
    channels = _decibels((expected**2).sum(axis=0), noise.sum(axis=0))
    # A channel that is silent in the float model has no signal to lose.
    channels[(expected**2).sum(axis=0) <= 1e-6 * (expected**2).sum() / expected.shape[1]] = 200.0
    worst = int(channels.argmin())
    return TensorError(
        operation=operation.kind,
        tensor=tensor.name,
        sqnr=float(_decibels((expected**2).sum(), noise.sum())),
        worst_channel=worst,
        worst_sqnr=float(channels[worst]),
        saturated=saturated,
    )


def _decibels(signal: Any, noise: Any) -> Any:
    # 200 dB stands for "no noise", be there a signal or none: more than any arithmetic here can tell.
    ratio = np.asarray(signal, np.float64) / np.maximum(noise, 1e-20 * np.maximum(signal, 1e-300))
    return np.where(np.asarray(noise) == 0, 200.0, 10 * np.log10(np.clip(ratio, 1e-20, 1e20)))
