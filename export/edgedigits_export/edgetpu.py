"""Whether a model can run on an Edge TPU, operation by operation, and the compiler's own word on it.

Source of the rules: Coral, "TensorFlow models on the Edge TPU": all tensors 8-bit and of a size known when
compiling, parameters constant, at most the three innermost dimensions larger than 1, operations from a list.
From the first operation that does not fit, everything after it runs on the CPU.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgedigits.card import Card, split_bytes
from edgedigits.files import make_folder, write_atomically
from edgedigits.model import read_model
from edgedigits_export.errors import ConversionError
from edgedigits_export.graph import Graph, Operation, Tensor, read_graph
from edgedigits_export.pack import pack

COMPILER = "edgetpu_compiler"
ROUND_TRIP_US = 1300.0
"""Microseconds that an inference on a USB accelerator takes at least: the published figure for Coral's."""


@dataclass(frozen=True)
class Placement:
    """Where an operation will run, and why not on the Edge TPU where it won't."""

    operation: str
    tensor: str
    """The tensor it computes."""
    reason: str
    """Empty where it fits."""
    on_tpu: bool
    """Whether it runs there: it fits, and so does everything before it."""


@dataclass(frozen=True)
class Readiness:
    """What the rules say of a model."""

    model: str
    placements: tuple[Placement, ...]

    @property
    def on_tpu(self) -> int:
        """How many operations will run on the Edge TPU."""
        return sum(placement.on_tpu for placement in self.placements)

    @property
    def ready(self) -> bool:
        """Whether all of them will."""
        return self.on_tpu == len(self.placements)


@dataclass(frozen=True)
class Compiled:
    """What the compiler made."""

    path: Path
    on_tpu: int
    on_cpu: int


def check_edgetpu(name_or_path: str) -> Readiness:
    """Hold a model against the rules. The open batch of our models does not count: it is closed on compiling.

    Raises `ModelError` where the model can't be read.
    """
    card, body = split_bytes(read_model(name_or_path), name_or_path)
    graph = read_graph(body, name_or_path)
    placements = []
    reached = True
    for operation in graph.operations:
        reason = _reason(graph, operation)
        reached = reached and not reason
        made = graph.tensors[operation.outputs[0]].name if operation.outputs else ""
        placements.append(Placement(operation.kind, made, reason, reached))
    return Readiness(card.name, tuple(placements))


def _reason(graph: Graph, operation: Operation) -> str:
    """Say why an operation does not fit; empty where it does."""
    rule = _RULES.get(operation.kind)
    if rule is None:
        return "not among the supported operations"
    taken = [graph.tensors[index] for index in operation.inputs if index >= 0]
    if not taken:
        return "it takes nothing"
    for tensor in [*taken, *(graph.tensors[index] for index in operation.outputs)]:
        # Biases and shapes are 32-bit constants.
        constant = tensor.dtype == "int32" and tensor.data is not None
        if tensor.dtype not in ("int8", "uint8") and not constant:
            return f"'{tensor.name}' is {tensor.dtype}, not 8-bit"
        if tensor.dynamic:
            return f"the size of '{tensor.name}' is open"
        # Kernels have four dimensions; the rule is about what passes between the operations.
        if tensor.data is None and any(size > 1 for size in tensor.shape[:-3]):
            return f"'{tensor.name}' has more than three dimensions larger than 1"
    return rule(operation, taken, graph.tensors[operation.outputs[0]])


_Rule = Callable[[Operation, list[Tensor], Tensor], str]


def _fits(_operation: Operation, _taken: list[Tensor], _made: Tensor) -> str:
    return ""


def _constant_weights(operation: Operation, taken: list[Tensor], made: Tensor) -> str:
    if len(taken) < 2 or taken[1].data is None:
        return "its weights are not constant"
    if operation.kind == "FULLY_CONNECTED":
        if operation.options.get("weightsFormat", 0) != 0:
            return "its weights are not in the default format"
        if sum(size > 1 for size in made.shape) > 1:
            return "its output has more than one dimension"
    options = operation.options
    dilation = (options.get("dilationWFactor", 1), options.get("dilationHFactor", 1))
    if operation.kind == "CONV_2D" and dilation[0] != dilation[1]:
        return "it is dilated differently in x and y"
    if operation.kind == "DEPTHWISE_CONV_2D" and dilation != (1, 1):
        return "its kernel is dilated"
    return ""


def _no_activation(operation: Operation, _taken: list[Tensor], _made: Tensor) -> str:
    return "an activation is fused into it" if operation.options.get("fusedActivationFunction", 0) else ""


def _softmax(_operation: Operation, taken: list[Tensor], _made: Tensor) -> str:
    if sum(size > 1 for size in taken[0].shape) > 1:
        return "its input has more than one dimension"
    return "its input has more than 16,000 elements" if taken[0].shape[-1:] > (16_000,) else ""


def _constant_axes(_operation: Operation, taken: list[Tensor], _made: Tensor) -> str:
    axes = taken[1].data if len(taken) > 1 else None
    return "" if axes is not None and 0 not in axes.reshape(-1) else "it works across the batch"


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"), _constant_weights),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION"), _no_activation),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), _constant_axes),
    "SOFTMAX": _softmax,
    **dict.fromkeys(
        (
            *("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "RSQRT"),
            *("LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "PRELU", "L2_NORMALIZATION"),
            *("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "PAD", "QUANTIZE", "SLICE", "SPACE_TO_DEPTH", "SPLIT"),
            *("TRANSPOSE", "TRANSPOSE_CONV", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"),
        ),
        _fits,
    ),
}


def compile_edgetpu(name_or_path: str, out: Path) -> Compiled:
    """Compile a model with `edgetpu_compiler` into `out`, the card put back, which the compiler drops.

    Raises `ConversionError` where the compiler is not installed, refuses the model, or leaves nothing to the
    Edge TPU, and `OutputError` where `out` can't be written.
    """
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise ConversionError(
            f"{COMPILER} is not on the PATH; install it from Coral's package repository (x86-64 Linux)"
        )
    card, body = split_bytes(read_model(name_or_path), name_or_path)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{card.name}.tflite"
        source.write_bytes(closed_batch(body))
        done = subprocess.run(
            [compiler, "-s", "-o", folder, str(source)], capture_output=True, text=True, check=False
        )
        log, made = done.stdout + done.stderr, Path(folder) / f"{card.name}_edgetpu.tflite"
        if done.returncode or not made.is_file():
            found = [line.strip() for line in log.splitlines() if "rror" in line or "nvalid" in line]
            raise ConversionError(
                f"{name_or_path}: {COMPILER} refuses it ({(found or ['no reason given'])[0]}); "
                "see what edgedigits-export edgetpu says without --out"
            )
        compiled = made.read_bytes()
    on_tpu, on_cpu = read_log(log)
    if on_tpu == 0:
        raise ConversionError(
            f"{name_or_path}: {COMPILER} left all {on_cpu} operations to the CPU; "
            "use the model as it is, there"
        )
    make_folder(out)
    path = out / f"{card.name}-edgetpu.tflite"
    write_atomically(path, pack(compiled, _renamed(card)))
    return Compiled(path, on_tpu, on_cpu)


def _renamed(card: Card) -> Card:
    return dataclasses.replace(card, name=f"{card.name}-edgetpu")


def read_log(log: str) -> tuple[int, int]:
    """Return how many operations the compiler's log puts on the Edge TPU and on the CPU.

    Raises `ConversionError` where it says nothing of that: a result that nobody vouches for is none.
    """
    tpu = re.search(r"Number of operations that will run on Edge TPU:\s*(\d+)", log)
    cpu = re.search(r"Number of operations that will run on CPU:\s*(\d+)", log)
    if tpu is None or cpu is None:
        raise ConversionError(f"{COMPILER} does not say what runs where; use version 16")
    return int(tpu[1]), int(cpu[1])


def closed_batch(body: bytes) -> bytes:
    """Return a model proper whose batch is 1 for good: the compiler takes no open sizes."""
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(body, 0))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.shapeSignature = None
    builder = flatbuffers.Builder(len(body))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
