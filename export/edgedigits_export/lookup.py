"""Operations of one int8 value at a time, such as the sigmoid, as tables of their 256 results."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits_export.errors import ConversionError
from edgedigits_export.kernels import plain_interpreter

LOOKED_UP = ("LOGISTIC", "TANH", "RELU", "RELU6", "HARD_SWISH")
"""Operations that a table can stand for."""


def lookup_table(body: bytes, number: int, source: str) -> NDArray[np.int8]:
    """Return what operation `number` of a model proper gives for the codes −128…127, int8.

    The reference kernel itself is asked, so the table has its fixed-point approximations. `source` is what
    messages call the model. Raises `ConversionError` where the kernel refuses the types or the scales.
    """
    try:
        interpreter = plain_interpreter(_alone(body, number))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ConversionError(
            f"{source}: its operation {number} is refused by TFLite ({reason}); export the network again"
        ) from error
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], np.arange(-128, 128, dtype=np.int8)[None]
    )
    interpreter.invoke()
    table: NDArray[np.int8] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    return table


def _alone(body: bytes, number: int) -> bytes:
    """Return a model of nothing but one operation of another, taking and giving 1×256."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(body, 0))
    graph = model.subgraphs[0]
    operator = graph.operators[number]
    ends: list[Any] = [graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]]
    for tensor in ends:
        tensor.shape, tensor.shapeSignature, tensor.buffer = [1, 256], None, 0
    operator.inputs, operator.outputs = [0], [1]
    graph.operators, graph.tensors, graph.inputs, graph.outputs = [operator], ends, [0], [1]
    model.subgraphs, model.buffers = [graph], model.buffers[:1]
    model.signatureDefs, model.metadata, model.metadataBuffer = None, None, None
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
