"""Models that were not made here, and so have no card: what the file itself proves of their conventions.

What it does not prove is asked for: a wrong guess would make a good model look bad, and nobody would know.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edgedigits.card import CARD_NAME, Card, associated_file, split_bytes
from edgedigits.errors import ModelError
from edgedigits.model import SIDE, read_model
from edgedigits.streams import printable
from edgedigits_export.graph import Graph, Operation, Tensor, read_graph
from edgedigits_export.pack import pack

InputRange = Literal["0-1", "0-255"]
Outputs = Literal["logits", "probabilities"]

_DIGITS = tuple("0123456789")
_PASSED_OVER = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "EXPAND_DIMS", "SQUEEZE")
_LINEAR = (
    "FULLY_CONNECTED",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "ADD",
    "BATCH_MATMUL",
    "MEAN",
    "AVERAGE_POOL_2D",
)
"""Operations whose outputs, where no activation is fused, are taken for logits."""


@dataclass(frozen=True)
class Conventions:
    """What is said of models without a card, for where the file does not prove it."""

    labels: tuple[str, ...] | None = None
    """The classes in the order of the outputs."""
    input_range: InputRange | None = None
    """Which values stand for grey levels 0…255."""
    outputs: Outputs | None = None


@dataclass(frozen=True)
class Carded:
    """A model that has a card, or was given one."""

    given: str
    """The name or path that it was named by."""
    path: str
    """Where it can be opened."""
    notes: tuple[str, ...] = ()
    """What was found out about it, a line each; none for a model with a card of its own."""


def give_cards(
    names: Sequence[str | os.PathLike[str]], folder: Path, conventions: Conventions | None = None
) -> list[Carded]:
    """Return the models with those that have no card copied into `folder` with one.

    Labels are those of `conventions`, else those of the first model with a card, else the digits where there
    are ten outputs. Glyphs are fed as to every model: ink bright on 0.

    Raises `ModelError` where a file can't be read, is no model for 28×28 pixels, or where a convention is
    neither proved nor said.
    """
    conventions = conventions or Conventions()
    wanted = conventions.labels
    if wanted is not None and (not all(wanted) or len(set(wanted)) != len(wanted)):
        raise ModelError(f"--labels {','.join(wanted)}: one is empty or comes twice; correct it")
    known: tuple[str, ...] | None = None
    given = [os.fspath(name) for name in names]
    contents = [read_model(name) for name in given]
    bare = []
    for name, data in zip(given, contents, strict=True):
        if data[4:8] != b"TFL3" or associated_file(data, CARD_NAME, name) is not None:
            card, _ = split_bytes(data, name)
            known = known or card.labels
        else:
            bare.append(name)
    models = []
    for number, (name, data) in enumerate(zip(given, contents, strict=True)):
        if name not in bare:
            models.append(Carded(name, name))
            continue
        body = _body(data)
        card, notes = infer_card(body, name, conventions, known)
        path = folder / str(number) / Path(name).name
        path.parent.mkdir()
        path.write_bytes(pack(body, card))
        models.append(Carded(name, str(path), notes))
    return models


def infer_card(
    body: bytes, source: str, conventions: Conventions, known: tuple[str, ...] | None = None
) -> tuple[Card, tuple[str, ...]]:
    """Return a card for a model proper, and what it rests on; `known` are labels of another model.

    Raises `ModelError` as `give_cards` does.
    """
    graph = read_graph(body, source)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"{source}: {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, where one of each is "
            "expected; this is a model for another task"
        )
    given, made = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    if math.prod(given.shape[1:]) != SIDE * SIDE:
        shape = "×".join(map(str, given.shape[1:])) or "empty"
        raise ModelError(
            f"{source}: its input is {shape}, where 28×28 pixels are expected; "
            "this is a model for another task"
        )
    labels, labels_from = _labels(source, math.prod(made.shape[1:]), conventions, known)
    range_, range_from = _input_range(source, graph, conventions)
    outputs, outputs_from = _outputs(source, graph, conventions)
    card = Card(
        name=printable(Path(source).name.removesuffix(".tflite")),
        format=_format(graph),
        labels=labels,
        output=outputs,
        input_shape=given.shape[1:],
        input_scale=1 / 255 if range_ == "0-1" else 1.0,
        input_dtype=given.dtype,
        output_dtype=made.dtype,
    )
    return card, (
        f"{card.name} has no card (or it was cut off): labels {' '.join(labels)} ({labels_from}), "
        f"input {range_} ({range_from}), "
        f"outputs {outputs} ({outputs_from}), format {card.format or 'unknown'}",
    )


def _body(data: bytes) -> bytes:
    """Return a file's bytes without the zip that metadata of another kind may lie in."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return data[: min((entry.header_offset for entry in archive.infolist()), default=len(data))]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
        return data


def _labels(
    source: str, count: int, conventions: Conventions, known: tuple[str, ...] | None
) -> tuple[tuple[str, ...], str]:
    for labels, origin in ((conventions.labels, "--labels"), (known, "the other model's card")):
        if labels is not None:
            if len(labels) != count:
                raise ModelError(
                    f"{source}: no card in it, {count} outputs, and {len(labels)} labels from {origin}; "
                    "name its classes with --labels"
                )
            return labels, origin
    if count != len(_DIGITS):
        raise ModelError(
            f"{source}: no card in it to say what its {count} outputs stand for; name them with --labels"
        )
    return _DIGITS, "taken for granted, of ten outputs"


def _input_range(source: str, graph: Graph, conventions: Conventions) -> tuple[InputRange, str]:
    """Return what stands for grey levels, and how that is known."""
    tensor = graph.tensors[graph.inputs[0]]
    first = _first(graph)
    if tensor.scale is None and first is not None and first.kind == "QUANTIZE":
        tensor = graph.tensors[first.outputs[0]]
    if (
        tensor.scale is not None
        and tensor.zero_point is not None
        and tensor.dtype in ("int8", "uint8", "int16")
    ):
        scale, zero = float(tensor.scale[0]), int(tensor.zero_point[0])
        limits = np.iinfo(tensor.dtype)
        low, high = scale * (limits.min - zero), scale * (limits.max - zero)
        # 16-bit codes are symmetric about 0: only their upper end says anything.
        if low < -0.02 * high and tensor.dtype != "int16":
            raise ModelError(
                f"{source}: its input reaches from {low:.3g} to {high:.3g}, where 0…1 or 0…255 is expected; "
                "put the scaling into the graph and convert it again"
            )
        if high <= 2:
            return "0-1", "by its quantization"
        if high >= 100:
            return "0-255", "by its quantization"
    elif first is not None and first.kind in ("MUL", "DIV"):
        constant = next(
            (graph.tensors[i].data for i in first.inputs if graph.tensors[i].data is not None), None
        )
        if constant is not None and constant.size == 1 and constant.dtype.kind == "f":
            factor = float(constant.reshape(-1)[0])
            if math.isclose(factor if first.kind == "MUL" else 1 / factor, 1 / 255, rel_tol=0.01):
                return "0-255", "its graph divides by 255"
    if conventions.input_range is not None:
        return conventions.input_range, "--input-range"
    raise ModelError(
        f"{source}: no card in it, and nothing to tell whether it takes 0…1 or 0…255; "
        "give --input-range 0-1 or --input-range 0-255"
    )


def _reach(tensor: Tensor) -> tuple[float, float] | None:
    """Return the ends of what a quantized tensor can hold; `None` for one that is not."""
    if tensor.scale is None or tensor.zero_point is None or tensor.dtype not in ("int8", "uint8", "int16"):
        return None
    scale, zero = float(tensor.scale[0]), int(tensor.zero_point[0])
    limits = np.iinfo(tensor.dtype)
    return scale * (limits.min - zero), scale * (limits.max - zero)


def _outputs(source: str, graph: Graph, conventions: Conventions) -> tuple[Outputs, str]:
    last = _last(graph)
    if last is not None:
        if last.kind == "SOFTMAX":
            return "probabilities", "its last operation is SOFTMAX"
        linear = last.kind in _LINEAR and not int(last.options.get("fusedActivationFunction", 0))
        if linear or last.kind == "LOG_SOFTMAX":
            return "logits", f"its last operation is {last.kind}"
    if conventions.outputs is not None:
        return conventions.outputs, "--outputs"
    kind = last.kind if last is not None else "none"
    raise ModelError(
        f"{source}: no card in it, and its last operation, {kind}, does not tell what its outputs are; "
        "give --outputs logits or --outputs probabilities"
    )


def _first(graph: Graph) -> Operation | None:
    """Return the operation that takes the input, whatever only reshapes it passed over."""
    index = graph.inputs[0]
    for operation in graph.operations:
        if index in operation.inputs:
            if operation.kind not in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"):
                return operation
            index = operation.outputs[0]
    return None


def _last(graph: Graph) -> Operation | None:
    """Return the operation that computes the output."""
    index = graph.outputs[0]
    for operation in reversed(graph.operations):
        if index in operation.outputs:
            if operation.kind not in _PASSED_OVER:
                return operation
            index = operation.inputs[0]
    return None


def _format(graph: Graph) -> str:
    """Return the name in the table of formats; empty for one that is not in it."""
    taken = graph.tensors[graph.inputs[0]].dtype
    if taken != "float32":
        return {"int8": "int8", "uint8": "uint8-input", "int16": "int16x8"}.get(taken, "")
    constants: list[Tensor] = [tensor for tensor in graph.tensors if tensor.data is not None]
    large = {tensor.dtype for tensor in constants if math.prod(tensor.shape) > SIDE}
    for dtype, name in (("int4", "int4-weights"), ("int8", "dynamic"), ("float16", "float16")):
        if dtype in large:
            quantizes = any(operation.kind == "QUANTIZE" for operation in graph.operations)
            return "int8-float-io" if dtype == "int8" and quantizes else name
    return "float32" if "float32" in large else ""


def restored(error: ModelError, models: Sequence[Carded]) -> ModelError:
    """Return the error with the models called as they were named, not as their copies are."""
    text = str(error)
    for model in models:
        text = text.replace(model.path, model.given)
    return ModelError(text)
