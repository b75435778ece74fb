"""What is inside a `.tflite` file: tensors and operations, as plain data.

Read with LiteRT's own generated schema. Only the first subgraph counts; a model with several has control
flow, which none of ours has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import ModelError

_DTYPES = {"FLOAT32": "float32", "FLOAT16": "float16", "INT32": "int32", "UINT8": "uint8", "INT64": "int64"}
_DTYPES |= {"INT16": "int16", "INT8": "int8", "BOOL": "bool", "FLOAT64": "float64"}


@dataclass(frozen=True)
class Tensor:
    """A tensor; `data` is `None` for one that is computed."""

    index: int
    name: str
    shape: tuple[int, ...]
    dynamic: bool
    """Whether a dimension other than the first, the batch, is left open."""
    batched: bool
    """Whether the first dimension is left open."""
    dtype: str
    """NumPy's name, or TFLite's in lower case for types that NumPy has not."""
    scale: NDArray[np.float32] | None
    """One, or one for each channel; `None` where the tensor is not quantized."""
    zero_point: NDArray[np.int64] | None
    axis: int
    """The dimension that the channels lie along."""
    data: NDArray[Any] | None

    @property
    def per_channel(self) -> bool:
        """Whether every channel has a scale of its own."""
        return self.scale is not None and len(self.scale) > 1


@dataclass(frozen=True)
class Operation:
    """An operation: TFLite's name for it, the tensors it takes (−1 where one is left out) and gives."""

    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """A model's first subgraph, operations in the order in which they run."""

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int


def read_graph(body: bytes, source: str) -> Graph:
    """Read the model proper; `source` is what messages call it. Raises `ModelError` where that can't be."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(body, 0))
        graph = model.subgraphs[0]
        kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
        types = {value: name for name, value in vars(schema.TensorType).items() if name.isupper()}
        operations = []
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            kind = kinds.get(number, f"operation {number}")
            if kind == "CUSTOM":
                kind = f"CUSTOM {_text(code.customCode)}"
            options = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
            operations.append(
                Operation(kind, code.version, _ints(operator.inputs), _ints(operator.outputs), dict(options))
            )
        tensors = tuple(
            _tensor(index, tensor, types.get(tensor.type, "?"), model.buffers)
            for index, tensor in enumerate(graph.tensors)
        )
        whole = Graph(
            tensors, tuple(operations), _ints(graph.inputs), _ints(graph.outputs), len(model.subgraphs)
        )
        used = {i for o in operations for i in (*o.inputs, *o.outputs)} | {*whole.inputs, *whole.outputs}
        if not all(-1 <= index < len(tensors) for index in used):
            raise IndexError("a tensor that is not there is used")
        if not all(o.inputs and o.outputs for o in operations):
            raise IndexError("an operation takes or gives nothing")
    except Exception as error:  # the generated reader raises whatever garbage makes it stumble over
        raise ModelError(
            f"{source}: its graph can't be read ({' '.join(str(error).split())[:100]}); copy the file again"
        ) from error
    return whole


def _tensor(index: int, tensor: Any, kind: str, buffers: Any) -> Tensor:
    shape = _ints(tensor.shape)
    signature = _ints(tensor.shapeSignature) or shape
    dtype = _DTYPES.get(kind, kind.lower())
    raw = buffers[tensor.buffer].data
    data = None
    if raw is not None and len(raw):
        data = np.asarray(raw, np.uint8)
        if kind in _DTYPES:
            data = np.frombuffer(data.tobytes(), dtype).reshape(shape)
    quantization = tensor.quantization
    scale = zero_point = None
    if quantization is not None and quantization.scale is not None and len(quantization.scale):
        scale = np.asarray(quantization.scale, np.float32)
        given = quantization.zeroPoint
        zero_point = np.zeros(len(scale), np.int64) if given is None else np.asarray(given, np.int64)
    return Tensor(
        index=index,
        name=_text(tensor.name),
        shape=shape,
        dynamic=-1 in signature[1:],
        batched=signature[:1] == (-1,),
        dtype=dtype,
        scale=scale,
        zero_point=zero_point,
        axis=int(quantization.quantizedDimension) if quantization is not None else 0,
        data=data,
    )


def _ints(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(value) for value in values)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
