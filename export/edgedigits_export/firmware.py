"""A network as plain C for microcontrollers: bit for bit what TFLite's reference kernels compute.

C99 and nothing else: fixed-width integers, no heap, no floating point, tables in flash. The kernels are C
files beside this one (`firmware_c/`); what is written here are the tables and the order of the calls.

Source of the arithmetic: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2018, sections 2.2 and 2.3; TFLite's 8-bit quantization specification.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Card, split_bytes
from edgedigits.files import make_folder, write_atomically
from edgedigits.golden import read_golden
from edgedigits.model import SIDE, Model, read_model
from edgedigits.normalize import normalize
from edgedigits_export.errors import ConversionError
from edgedigits_export.golden import reference_outputs
from edgedigits_export.graph import Graph, Operation, Tensor, read_graph
from edgedigits_export.kernels import plain_interpreter
from edgedigits_export.lookup import LOOKED_UP, lookup_table

_POOLS = ("MAX_POOL_2D", "AVERAGE_POOL_2D")
_KINDS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", *_POOLS, "RESHAPE", *LOOKED_UP)


@dataclass(frozen=True)
class Firmware:
    """The sources that were written, and what they will take."""

    folder: Path
    files: tuple[str, ...]
    flash: int
    """Bytes of the constant tables; the code comes on top, about 1 kB on a Cortex-M4."""
    ram: int
    """Bytes of static memory between the layers, beside the caller's input and output."""
    macs: int
    """Multiplications with accumulation in an inference."""


def write_firmware(name_or_path: str, out: Path) -> Firmware:
    """Write `model.h`, `model.c`, `golden.h`, `main.c` and `CMakeLists.txt` of an int8 model into `out`.

    And `centre.h` and `centre.c`, which make the model's input of a glyph as it was cut out of a picture;
    `model_tflite.h` and `model_tflite.c`, the model itself, without its zip, as an array for those who
    would rather run TFLite Micro.

    Raises `ModelError` where the model can't be opened or has no golden file, `ConversionError` where it is
    not int8 throughout or has an operation that there is no kernel for, and `OutputError` where `out` can't
    be written.
    """
    card, body = split_bytes(read_model(name_or_path), name_or_path)
    if card.way != "glyph":
        raise ConversionError(
            f"{name_or_path}: a model for {card.way}s, where one for glyphs is expected; name "
            "another (paper-int8)"
        )
    model = Model(name_or_path)
    graph = read_graph(body, model.source)
    _check(model, body, graph)
    writer = _Writer(model.source, graph, body)
    writer.walk()
    crops = read_golden(read_model(name_or_path), model.source).inputs
    inputs = model.tensor(crops).reshape(len(crops), -1)
    outputs = reference_outputs(body, model.tensor(crops)).reshape(len(crops), -1)
    pictures = _pictures(crops, lambda glyphs: reference_outputs(body, model.tensor(glyphs)))
    files = {
        "model.h": _header(card, model, writer),
        "model.c": writer.source_code(card),
        "centre.h": _resource("centre.h"),
        "centre.c": _resource("centre.c"),
        "golden.h": _golden(inputs, outputs, pictures),
        "model_tflite.h": _ARRAY_HEADER,
        "model_tflite.c": _array(card, body),
        "main.c": _resource("main.c"),
        "CMakeLists.txt": _resource("CMakeLists.txt"),
    }
    make_folder(out)
    for name, text in files.items():
        write_atomically(out / name, text.encode())
    return Firmware(out, tuple(files), writer.flash, writer.ram, writer.macs)


def _check(model: Model, body: bytes, graph: Graph) -> None:
    if model.input_dtype != np.int8 or model.output_dtype != np.int8:
        raise ConversionError(
            f"{model.source}: takes {model.input_dtype} and gives {model.output_dtype}, where int8 is "
            "expected; export the network in the format int8"
        )
    batch = graph.tensors[graph.inputs[0]].shape[0]
    if batch != 1:
        raise ConversionError(
            f"{model.source}: takes {batch} pictures at a time, where one is expected; "
            "export the network with edgedigits-export convert"
        )
    # What the runtime finds the sizes to be; a file may say anything.
    details = plain_interpreter(body).get_tensor_details()
    sizes = {one["index"]: tuple(int(n) for n in one["shape"]) for one in details}
    for operation in graph.operations:
        if operation.kind not in _KINDS:
            raise ConversionError(
                f"{model.source}: there is no C for its operation {operation.kind} "
                f"(there is for {', '.join(_KINDS)}); choose another network"
            )
        for index in operation.outputs:
            tensor = graph.tensors[index]
            if tensor.shape != sizes.get(index):
                raise ConversionError(
                    f"{model.source}: '{tensor.name}' is declared with another size than it has; "
                    "export the network again"
                )
            if tensor.dtype != "int8" or tensor.dynamic:
                found = "of open size" if tensor.dynamic else tensor.dtype
                raise ConversionError(
                    f"{model.source}: '{tensor.name}' is {found}, where int8 of a fixed size is expected; "
                    "export the network in the format int8"
                )


@dataclass
class _Writer:
    """Walks over the operations, collecting tables and calls."""

    source: str
    graph: Graph
    body: bytes
    """The model proper, which the graph is of."""
    tables: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    kernels: set[str] = field(default_factory=set)
    flash: int = 0
    macs: int = 0
    sizes: list[int] = field(default_factory=lambda: [0, 0])
    """Bytes of the two buffers that the layers take turns with."""
    patch: int = 0
    aliases: dict[int, str] = field(default_factory=dict)
    """What a tensor is called in C."""

    @property
    def ram(self) -> int:
        return sum(self.sizes) + self.patch

    def walk(self) -> None:
        before, last = self.graph.inputs[0], self.graph.outputs[0]
        self.aliases[before] = "input"
        turn = 0
        for number, operation in enumerate(self.graph.operations):
            source, target = operation.inputs[0], operation.outputs[0]
            if source != before:  # what an earlier one gave may be written over by now
                raise ConversionError(
                    f"{self.source}: its operations don't follow one another; choose another"
                )
            before = target
            if operation.kind == "RESHAPE":
                self.aliases[target] = self.aliases[source]
                continue
            if target == last:
                self.aliases[target] = "output"
            elif operation.kind in LOOKED_UP and self.aliases[source] != "input":
                self.aliases[target] = self.aliases[source]  # value by value it can work in place
            else:
                size = _padded(math.prod(self.graph.tensors[target].shape))
                self.sizes[turn] = max(self.sizes[turn], size)
                self.aliases[target] = f"values{turn}"
                turn = 1 - turn
            self._operation(number, operation)
        if self.aliases.get(last) != "output":
            raise ConversionError(
                f"{self.source}: its last operation computes nothing; choose another network"
            )

    def _operation(self, number: int, operation: Operation) -> None:
        given, made = (self.graph.tensors[i] for i in (operation.inputs[0], operation.outputs[0]))
        low, high = _activation(self.source, operation, made)
        arguments = [self.aliases[given.index], self.aliases[made.index]]
        if operation.kind in LOOKED_UP:
            self.kernels.add("lookup")
            table = self._table(number, "int8_t", "results", lookup_table(self.body, number, self.source))
            arguments += [table, str(math.prod(made.shape))]
            self.calls.append(f"model_lookup({', '.join(arguments)});")
            return
        if operation.kind in _POOLS:
            self.kernels |= {"window", "pool"}
            mean = int(operation.kind == "AVERAGE_POOL_2D")
            kernel = (operation.options["filterHeight"], operation.options["filterWidth"])
            arguments += [
                self._window(number, operation, given, made, kernel),
                str(mean),
                str(low),
                str(high),
            ]
            self.calls.append(f"model_pool({', '.join(arguments)});")
            return
        weights, bias = self._weights(operation, given, made)
        zeros = [str(_zero(made)), str(low), str(high)]
        scaling = self._scaling(number, operation, given, made)
        if operation.kind == "DEPTHWISE_CONV_2D":
            self.kernels |= {"window", "depthwise"}
            names = [
                self._table(number, "int8_t", "weights", weights),
                self._table(number, "int32_t", "bias", bias),
            ]
            window = self._window(number, operation, given, made, weights.shape[1:3])
            arguments += [window, *names, *scaling, str(_zero(given)), *zeros]
            self.macs += math.prod(made.shape) * math.prod(weights.shape[1:3])
            self.calls.append(f"model_depthwise({', '.join(arguments)});")
            return
        rows = weights.reshape(len(weights), -1)
        # With the zero point in the bias, the inner loop is a plain sum of products.
        folded = bias.astype(np.int64) - _zero(given) * rows.sum(axis=1, dtype=np.int64)
        if np.abs(folded).max(initial=0) >= 2**31:
            raise ConversionError(f"{self.source}: a bias overflows 32 bits; train with smaller weights")
        length = _padded(rows.shape[1])
        padded = np.zeros((len(rows), length), np.int8)
        padded[:, : rows.shape[1]] = rows
        names = [
            self._table(number, "int8_t", "weights", _interleaved(padded)),
            self._table(number, "int32_t", "bias", folded),
        ]
        self.kernels.add("dense")
        if operation.kind == "FULLY_CONNECTED":
            self.macs += rows.size
            arguments += [*names, *scaling, str(length), str(len(rows)), *zeros, "0"]
            self.calls.append(f"model_dense({', '.join(arguments)});")
            return
        self.kernels |= {"window", "convolution"}
        self.patch = max(self.patch, length)
        self.macs += rows.size * made.shape[1] * made.shape[2]
        window = self._window(number, operation, given, made, weights.shape[1:3])
        arguments += ["patch", window, *names, *scaling, str(length), str(_zero(given)), *zeros]
        self.calls.append(f"model_convolution({', '.join(arguments)});")

    def _weights(
        self, operation: Operation, given: Tensor, made: Tensor
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        weights = self.graph.tensors[operation.inputs[1]]
        if (
            weights.data is None
            or weights.dtype != "int8"
            or weights.zero_point is None
            or weights.zero_point.any()
        ):
            raise ConversionError(
                f"{self.source}: the weights of {operation.kind} are not symmetric int8; "
                "export the network in the format int8"
            )
        depthwise = operation.kind == "DEPTHWISE_CONV_2D"
        count = weights.shape[3] if depthwise else weights.shape[0]
        index = operation.inputs[2] if len(operation.inputs) > 2 else -1
        bias = self.graph.tensors[index].data if index >= 0 else None
        if bias is None:
            bias = np.zeros(count, np.int32)
        return weights.data, bias

    def _scaling(self, number: int, operation: Operation, given: Tensor, made: Tensor) -> list[str]:
        weights = self.graph.tensors[operation.inputs[1]]
        count = weights.shape[3] if operation.kind == "DEPTHWISE_CONV_2D" else weights.shape[0]
        if given.scale is None or made.scale is None or weights.scale is None:
            raise ConversionError(f"{self.source}: {operation.kind} has no scales; export in the format int8")
        scales = np.broadcast_to(weights.scale, count).astype(np.float64)
        if not all(np.isfinite(s).all() and (s > 0).all() for s in (given.scale, made.scale, scales)):
            raise ConversionError(
                f"{self.source}: {operation.kind} has a scale that is no positive number; copy the file again"
            )
        factors = float(given.scale[0]) * scales / float(made.scale[0])
        if factors.max() >= 1e9:
            raise ConversionError(
                f"{self.source}: {operation.kind} multiplies by {factors.max():.1e}; copy the file again"
            )
        pairs = [quantize_multiplier(float(factor)) for factor in factors]
        return [
            self._table(number, "int32_t", "multipliers", np.array([m for m, _ in pairs])),
            self._table(number, "int8_t", "shifts", np.array([s for _, s in pairs])),
        ]

    def _window(
        self, number: int, operation: Operation, given: Tensor, made: Tensor, kernel: Sequence[int]
    ) -> str:
        options = operation.options
        strides = (int(options["strideH"]), int(options["strideW"]))
        dilations = (int(options.get("dilationHFactor", 1)), int(options.get("dilationWFactor", 1)))
        pads = [0, 0]
        if int(options["padding"]) == 0:  # SAME: the odd pixel of padding goes to the end
            for d in (0, 1):
                reach = (kernel[d] - 1) * dilations[d] + 1
                pads[d] = max((made.shape[1 + d] - 1) * strides[d] + reach - given.shape[1 + d], 0) // 2
        values = [*given.shape[1:], *made.shape[1:], *kernel, *strides, *dilations, *pads]
        name = f"window{number}"
        self.tables.append(f"static const model_window {name} = {{{', '.join(map(str, values))}}};\n")
        self.flash += 4 * len(values)
        return f"&{name}"

    def _table(self, number: int, kind: str, what: str, values: NDArray[Any]) -> str:
        name = f"{what}{number}"
        flat = values.reshape(-1)
        self.flash += len(flat) * (1 if kind == "int8_t" else 4)
        # A word's alignment lets processors that want it fetch four bytes at once.
        kind = f"MODEL_ALIGNED {kind}" if kind == "int8_t" else kind
        self.tables.append(f"static const {kind} {name}[{len(flat)}] = {{\n{_numbers(flat)}}};\n")
        return name

    def source_code(self, card: Card) -> str:
        order = ("window", "dense", "convolution", "depthwise", "pool", "lookup")
        scaled = self.kernels & {"dense", "depthwise"}
        common = _resource("common.c") if scaled or "pool" in self.kernels else ""
        if common and not scaled:  # only pooling: the multiplication would be a function that nothing uses
            common = common[common.index("static int8_t model_clamped") :]
        kernels = [common, *(_resource(f"{k}.c") for k in order if k in self.kernels)]
        memory = [
            f"static MODEL_ALIGNED int8_t values{i}[{size}];" for i, size in enumerate(self.sizes) if size
        ]
        if self.patch:
            memory.append(f"static MODEL_ALIGNED int8_t patch[{self.patch}];")
        body = "".join(f"    {call}\n" for call in self.calls)
        return (
            f"/* {card.name}, made by edgedigits-export firmware; not to be edited. See model.h. */\n\n"
            '#include "model.h"\n\n#include <string.h>\n\n'
            "#if defined(__GNUC__)\n#define MODEL_ALIGNED __attribute__((aligned(4)))\n#else\n"
            "#define MODEL_ALIGNED\n#endif\n\n"
            + "\n".join(kernels)
            + "\n"
            + "\n".join(self.tables)
            + "\n"
            + "".join(f"{line}\n" for line in memory)
            + "\nvoid model_invoke(const int8_t input[MODEL_INPUT_SIZE], int8_t output[MODEL_OUTPUT_SIZE])\n"
            f"{{\n{body}}}\n"
        )


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """Return the multiplier and shift of `factor` = multiplier / 2^31 · 2^shift, as TFLite rounds them."""
    if factor == 0:
        return 0, 0
    mantissa, shift = math.frexp(factor)
    # C's round(), half away from zero; Python's would go to the even neighbour.
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def _activation(source: str, operation: Operation, made: Tensor) -> tuple[int, int]:
    """Return the ends of the output's range that the fused activation leaves."""
    kind = int(operation.options.get("fusedActivationFunction", 0))
    if kind not in (0, 1, 2, 3):
        raise ConversionError(
            f"{source}: there is no C for the activation fused into {operation.kind}; use ReLU or none"
        )
    scale = float(made.scale[0]) if made.scale is not None else 1.0
    bounds = {0: (-math.inf, math.inf), 1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}[kind]
    low, high = (end if math.isinf(end) else _zero(made) + math.floor(end / scale + 0.5) for end in bounds)
    return int(max(low, -128)), int(min(high, 127))


def _zero(tensor: Tensor) -> int:
    return int(tensor.zero_point[0]) if tensor.zero_point is not None else 0


def _interleaved(rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Lay weights (rows × a multiple of four) out as `dense.c` reads them: four rows at a time, by fours."""
    whole = len(rows) // 4 * 4
    blocks = rows[:whole].reshape(-1, 4, rows.shape[1] // 4, 4).swapaxes(1, 2)
    return np.concatenate([blocks.reshape(-1), rows[whole:].reshape(-1)])


def _padded(length: int) -> int:
    return (length + 3) // 4 * 4


def _numbers(values: NDArray[Any]) -> str:
    texts = [str(int(value)) for value in values]
    per_line = 100 // (max(map(len, texts)) + 2)
    lines = (", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line))
    return "".join(f"    {line},\n" for line in lines)


def _resource(name: str) -> str:
    return (resources.files("edgedigits_export") / "firmware_c" / name).read_text(encoding="utf-8")


def _header(card: Card, model: Model, writer: _Writer) -> str:
    (scale_in, zero_in), (scale_out, zero_out) = model.input_affine, model.output_affine
    labels = ", ".join('"' + label.replace("\\", "\\\\").replace('"', '\\"') + '"' for label in card.labels)
    levels = np.resize(np.arange(256, dtype=np.uint8), (1, SIDE, SIDE))
    codes = _numbers(model.tensor(levels).reshape(-1)[:256]).replace("\n", " \\\n")
    return f"""/* {card.name}, made by edgedigits-export firmware; not to be edited.

   Input: a glyph of 28×28, ink bright on a background of 0, centred as MNIST does it, row by row. The code of
   a grey level g of 0…255 is round(g * {card.input_scale:.9g} / MODEL_INPUT_SCALE) + MODEL_INPUT_ZERO_POINT.
   Output: {card.output}, one for each label; the value of a code q is
   (q - MODEL_OUTPUT_ZERO_POINT) * MODEL_OUTPUT_SCALE. The largest wins; of equal ones, the first.

   What passes between the layers lies in {writer.ram} bytes of static memory: one call at a time. */

#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

#define MODEL_NAME "{card.name}"
#define MODEL_INPUT_SIZE {math.prod(card.input_shape)}
#define MODEL_OUTPUT_SIZE {len(card.labels)}
#define MODEL_INPUT_SCALE {scale_in:.9e}f
#define MODEL_INPUT_ZERO_POINT {_in_brackets(zero_in)}
#define MODEL_OUTPUT_SCALE {scale_out:.9e}f
#define MODEL_OUTPUT_ZERO_POINT {_in_brackets(zero_out)}
#define MODEL_TEMPERATURE {card.temperature:.9e}f
#define MODEL_LABELS {{{labels}}}

/* The codes of the grey levels, from 0 to 255. */
#define MODEL_INPUT_CODES \\
    {{ \\
{codes}    }}

#ifdef __cplusplus
extern "C" {{
#endif

void model_invoke(const int8_t input[MODEL_INPUT_SIZE], int8_t output[MODEL_OUTPUT_SIZE]);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _in_brackets(value: int) -> str:
    return f"({value})" if value < 0 else str(value)


@dataclass(frozen=True)
class _Picture:
    """A glyph as it was cut out of a picture, as `normalize` centres it, and what the model says of it."""

    ink: NDArray[np.uint8]
    glyph: NDArray[np.uint8]
    label: int


def _pictures(
    crops: NDArray[np.uint8], outputs_of: Callable[[NDArray[np.uint8]], NDArray[Any]]
) -> list[_Picture]:
    """Return pictures of several sizes, at which digits are enlarged, kept and shrunk, made of golden crops.

    `outputs_of` gives the model's raw outputs for glyphs (uint8, N×28×28). Of the crops, those are taken
    that the model is surest of: a grey level's difference must not turn the label.
    """
    changes: tuple[Callable[[NDArray[np.uint8]], NDArray[np.uint8]], ...] = (
        lambda crop: crop[::2, ::2],
        lambda crop: crop,
        lambda crop: crop.repeat(3, 0).repeat(3, 1)[::2, ::2],
        lambda crop: crop.repeat(3, 0).repeat(3, 1),
    )
    made = []
    for number, change in enumerate(changes):
        inks = [ink for ink in map(change, crops[number :: len(changes)]) if ink.any()]
        if not inks:  # a file with a few golden crops, or dark ones
            inks = [change(np.full((SIDE, SIDE), 255, np.uint8))]
        glyphs = np.stack([normalize(ink) for ink in inks])
        ranked = np.sort(outputs_of(glyphs).reshape(len(glyphs), -1).astype(np.int64), axis=1)
        surest = int((ranked[:, -1] - ranked[:, -2]).argmax())
        label = int(outputs_of(glyphs[surest : surest + 1]).reshape(-1).argmax())
        made.append(_Picture(inks[surest], glyphs[surest], label))
    return made


def _golden(inputs: NDArray[Any], outputs: NDArray[Any], pictures: Sequence[_Picture]) -> str:
    def rows(values: NDArray[Any]) -> str:
        return "".join(f"  {{\n{_numbers(row)}  }},\n" for row in values)

    def bytes_of(name: str, values: NDArray[np.uint8]) -> str:
        flat = values.reshape(-1)
        return f"static const uint8_t {name}[{len(flat)}] = {{\n{_numbers(flat)}}};\n\n"

    tables = "".join(
        bytes_of(f"golden_ink{i}", one.ink) + bytes_of(f"golden_glyph{i}", one.glyph)
        for i, one in enumerate(pictures)
    )
    list_ = "".join(
        f"  {{{len(one.ink)}, golden_ink{i}, golden_glyph{i}, {one.label}}},\n"
        for i, one in enumerate(pictures)
    )
    return (
        "/* Inputs, and what TFLite's reference kernels give for them. Made by edgedigits-export. */\n\n"
        '#ifndef GOLDEN_H\n#define GOLDEN_H\n\n#include "model.h"\n\n'
        f"#define GOLDEN_COUNT {len(inputs)}\n"
        f"#define GOLDEN_PICTURES {len(pictures)}\n\n"
        f"static const int8_t golden_input[GOLDEN_COUNT][MODEL_INPUT_SIZE] = {{\n{rows(inputs)}}};\n\n"
        f"static const int8_t golden_output[GOLDEN_COUNT][MODEL_OUTPUT_SIZE] = {{\n{rows(outputs)}}};\n\n"
        "/* Glyphs of `side` by `side` pixels, what the host makes of them, 28 by 28, and their label's\n"
        "   number. */\n"
        "typedef struct {\n    int32_t side;\n    const uint8_t *ink;\n    const uint8_t *glyph;\n"
        "    int label;\n} golden_picture;\n\n"
        f"{tables}"
        f"static const golden_picture golden_pictures[GOLDEN_PICTURES] = {{\n{list_}}};\n\n"
        "#endif\n"
    )


_ARRAY_HEADER = """/* The model for TFLite Micro; made by edgedigits-export firmware, not to be edited. */

#ifndef MODEL_TFLITE_H
#define MODEL_TFLITE_H

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char model_tflite[];
extern const unsigned int model_tflite_len;

#ifdef __cplusplus
}
#endif

#endif
"""


def _array(card: Card, body: bytes) -> str:
    return (
        f"/* {card.name} without its card; made by edgedigits-export firmware, not to be edited. */\n\n"
        '#include "model_tflite.h"\n\n'
        "/* TFLite Micro reads tensors in place: they must lie as in the file, on 16 bytes. */\n"
        "#if defined(__GNUC__)\n__attribute__((aligned(16)))\n#endif\n"
        f"const unsigned char model_tflite[] = {{\n{_numbers(np.frombuffer(body, np.uint8))}}};\n\n"
        f"const unsigned int model_tflite_len = {len(body)};\n"
    )
