"""A `.tflite` file with its card: grey crops in, calibrated probabilities out.

Turning probabilities into text is `decode`'s business.

Ties: int8 logits tie for the top now and then (on 0.2 % of MNIST's test digits). Tied classes get the very
same probability, and whoever ranks them puts the class that stands first in the card first
(`numpy.argmax` does, as does a stable sort of the negated probabilities).
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Card, Way, split_bytes
from edgedigits.errors import ModelError
from edgedigits.runtime import DELEGATES, Opener, read_model, shipped_models

__all__ = ["DELEGATES", "SIDE", "Model", "read_model", "shipped_models"]

SIDE = 28
"""Pixels along a crop's side."""

_BYTE = np.dtype(np.uint8)

_BATCHES = (1, 2, 4, 8, 16, 32)
"""The batch sizes an interpreter is built for, each when it is first needed.

Measured with LiteRT 2.3 on x86-64: for a dense network a call of 32 costs a quarter per digit of what a call
of 1 does, and longer calls win nothing more; for a convolutional one every digit costs the same in any call.
"""


class Model:
    """A digit classifier, ready to be called.

    `name_or_path` is the name of a shipped model (`shipped_models()`) or the path of a `.tflite` file made
    by `edgedigits-export convert`. `threads` is the number of CPU threads a call may use. Threads may share a
    `Model`, which serves one of them at a time.

    `way` is what the model has to serve: one for the characters of strips takes windows of
    `edgedigits.ways.characters` where one for glyphs takes crops.

    `delegate` is the name of a delegate (`DELEGATES`) or the path of a shared library that exports TFLite's
    external delegate functions. Where it can't be had, the CPU does the work and `delegate_failure` says why.

    Raises `ModelError` where the file is missing, damaged, has no card, or is not what its card says.
    """

    card: Card
    """What the file says of itself."""
    source: str
    """The name or path it was opened by, for messages."""

    def __init__(
        self,
        name_or_path: str | os.PathLike[str] = "paper-int8",
        threads: int = 1,
        delegate: str | os.PathLike[str] | None = None,
        way: Way = "glyph",
    ) -> None:
        self.source = os.fspath(name_or_path)
        self._way = way
        data = read_model(name_or_path)
        self.card, body = split_bytes(data, self.source)
        self._opener = Opener(body, self.source, threads, delegate)
        self.runtime = self._opener.runtime
        """The package that does the work: `ai_edge_litert` or `tflite_runtime`."""
        first = self._opener.open()
        self._check(first)
        details = first.get_input_details()[0]
        self.input_dtype, self.input_affine = _type_and_affine(details)
        """Type of the raw input; its scale and zero point (0.0 and 0 for floats)."""
        self.output_dtype, self.output_affine = _type_and_affine(first.get_output_details()[0])
        batch = int(details["shape"][0])
        signature = details.get("shape_signature", ())
        self._sizes = _BATCHES if len(signature) and signature[0] == -1 else (batch,)
        # Found by the whole shape of crops and of raw tensors: one look-up checks it as well.
        self._by_crops: dict[tuple[int, ...], _Call] = {}
        self._by_tensor: dict[tuple[int, ...], _Call] = {}
        # An interpreter, and the memory its input is prepared in, are for one call at a time.
        self._lock = threading.Lock()
        if batch in self._sizes:
            self._keep(first, batch)
        self._quantize = _quantizer(self.input_dtype, self.input_affine, self.card)
        self._calibrate = _calibrator(self.output_dtype, self.output_affine, self.card)
        try:
            # A model whose output nothing computes says so only when it is run.
            call = self._call(self._sizes[0])
            call.run(call.raw)
        except (RuntimeError, ValueError) as error:
            raise self._opener.unloadable(error) from error

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the network on raw tensors.

        `tensor` has shape N×`card.input_shape` and the dtype `input_dtype`; the result has shape N×classes
        and the dtype `output_dtype`, neither scaled nor calibrated. Any N; no interpreter is rebuilt.

        Raises `ValueError` for another shape or dtype.
        """
        call = self._by_tensor.get(tensor.shape)
        if call is not None and tensor.dtype == self.input_dtype:
            with self._lock:
                return call.run(tensor)
        if tensor.dtype != self.input_dtype or tensor.shape[1:] != self.card.input_shape:
            raise ValueError(
                f"{self.source} takes {self.input_dtype} of shape N×{_times(self.card.input_shape)}, "
                f"not {tensor.dtype} of shape {_times(tensor.shape)}"
            )
        return self._in_parts(tensor, lambda call, part: np.copyto(call.raw[: len(part)], part))

    def probabilities(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the calibrated probability of every class for every crop.

        `crops`: uint8, N×28×28, 0…255, ink bright, centred as MNIST does it. The result: float32,
        N×classes in the order of `card.labels`, 0…1, rows summing to 1: softmax(logits / temperature)
        (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2).

        Raises `ValueError` for another shape or dtype.
        """
        call = self._by_crops.get(crops.shape)
        if call is not None and crops.dtype is _BYTE:
            with self._lock:
                self._quantize(crops, call.glyphs)
                raw = call.run(call.raw)
            return self._calibrate(raw)
        self._check_crops(crops)
        fill = self._quantize
        return self._calibrate(self._in_parts(crops, lambda call, part: fill(part, call.glyphs[: len(part)])))

    def tensor(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the raw input tensor that crops amount to: what `invoke` takes.

        Raises `ValueError` for crops of another shape or dtype than `probabilities` takes.
        """
        self._check_crops(crops)
        tensor = np.empty((len(crops), SIDE, SIDE), self.input_dtype)
        self._quantize(crops, tensor.view(np.uint8) if tensor.itemsize == 1 else tensor)
        return tensor.reshape(len(crops), *self.card.input_shape)

    def _check_crops(self, crops: NDArray[np.uint8]) -> None:
        if crops.dtype != np.uint8 or crops.shape[1:] != (SIDE, SIDE):
            raise ValueError(f"crops are uint8 of shape N×28×28, not {crops.dtype} of {_times(crops.shape)}")

    @property
    def delegate(self) -> str:
        """The delegate that was asked for, if it is at work; empty where the CPU does everything."""
        return self._opener.delegate

    @property
    def delegate_failure(self) -> str:
        """Why the delegate that was asked for is not at work; empty where none was asked for, or it is."""
        return self._opener.delegate_failure

    @property
    def uses_xnnpack(self) -> bool:
        """Whether XNNPACK's kernels do the work, not the runtime's plain ones (they may differ by a step)."""
        return self._opener.uses_xnnpack(self._call(self._sizes[0]).interpreter)

    def _in_parts(self, source: NDArray[Any], fill: Callable[[_Call, NDArray[Any]], None]) -> NDArray[Any]:
        """Run the network on any number of inputs, in calls of the sizes there are interpreters for.

        `fill(call, part)` puts a part of `source` where the call takes its input from.
        """
        outputs = np.empty((len(source), len(self.card.labels)), self.output_dtype)
        start = 0
        while start < len(source):
            with self._lock:
                call = self._call(_next_size(len(source) - start, self._sizes))
                part = source[start : start + call.size]
                fill(call, part)
                # What an earlier call left behind the part is computed too, and dropped.
                outputs[start : start + len(part)] = call.run(call.raw)[: len(part)]
            start += len(part)
        return outputs

    def _call(self, size: int) -> _Call:
        call = self._by_crops.get((size, SIDE, SIDE))
        if call is not None:
            return call
        return self._keep(self._opener.open([size, *self.card.input_shape]), size)

    def _keep(self, interpreter: Any, size: int) -> _Call:
        """Keep an interpreter for its batch size."""
        call = _Call(interpreter, (size, *self.card.input_shape), (size, len(self.card.labels)))
        self._by_crops[call.glyphs.shape] = self._by_tensor[call.raw.shape] = call
        return call

    def _check(self, interpreter: Any) -> None:
        """Compare the tensors with the card; raises `ModelError` for the first thing that differs."""
        card = self.card
        if card.way != self._way:
            option = "give it to --strip-model, or " if card.way == "strip" else ""
            raise ModelError(
                f"{self.source}: a model for {card.way}s, where one for {self._way}s is needed; "
                f"{option}name another ({', '.join(shipped_models(self._way))})"
            )
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        remedy = "export it again with edgedigits-export convert"
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{self.source}: {len(inputs)} inputs and {len(outputs)} outputs, where one of each is "
                "expected; this is a model for another task, choose one that edgedigits-export made"
            )
        shape = tuple(int(n) for n in inputs[0]["shape"])
        if math.prod(card.input_shape) != SIDE * SIDE or shape[1:] != card.input_shape:
            raise ModelError(
                f"{self.source}: its input is {_times(shape[1:])} and its card says "
                f"{_times(card.input_shape)}, where 28×28 pixels are expected; {remedy}"
            )
        width = math.prod(int(n) for n in outputs[0]["shape"][1:])
        if width != len(card.labels):
            raise ModelError(
                f"{self.source}: {width} outputs for the {len(card.labels)} labels of its card; {remedy}"
            )
        for what, details, expected in (
            ("input", inputs[0], card.input_dtype),
            ("output", outputs[0], card.output_dtype),
        ):
            found = np.dtype(details["dtype"])
            if found != expected:
                said = "float" if found.kind == "f" else found.name
                raise ModelError(
                    f"{self.source}: {said} where {expected} is expected (its {what}, in the format "
                    f"{card.format}); {remedy}"
                )
            if found.kind != "f" and not details["quantization"][0] > 0:
                raise ModelError(f"{self.source}: its {what} is {found.name} without a scale; {remedy}")


_Affine = tuple[float, int]
"""Scale and zero point: value = scale × (code − zero point)."""


def _type_and_affine(details: dict[str, Any]) -> tuple[np.dtype[Any], _Affine]:
    scale, zero = details["quantization"]
    return np.dtype(details["dtype"]), (float(scale), int(zero))


class _Call:
    """One interpreter at one batch size, and the memory its input is prepared in."""

    def __init__(self, interpreter: Any, shape_in: tuple[int, ...], shape_out: tuple[int, int]) -> None:
        details, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        self.interpreter = interpreter
        self.size = shape_in[0]
        self.raw: NDArray[Any] = np.zeros(shape_in, details["dtype"])
        """The input tensor as the runtime takes it."""
        glyphs = self.raw.reshape(self.size, SIDE, SIDE)
        self.glyphs = glyphs.view(np.uint8) if glyphs.itemsize == 1 else glyphs
        """The same memory in the shape of crops, N×28×28; int8 as bytes."""
        self._index_in, self._index_out = details["index"], out["index"]
        self._reshape = None if tuple(out["shape"]) == shape_out else shape_out

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        interpreter = self.interpreter
        interpreter.set_tensor(self._index_in, tensor)
        interpreter.invoke()
        output: NDArray[Any] = interpreter.get_tensor(self._index_out)
        return output if self._reshape is None else output.reshape(self._reshape)


def _next_size(left: int, sizes: tuple[int, ...]) -> int:
    """Return the size of the next call when `left` digits are left.

    The smallest one that holds them all, if at most an eighth of it is padding; else the largest that they
    fill. So a dense network, for which calls are dear, makes few, and a convolutional one, for which digits
    are, does little for nothing.
    """
    for size in sizes:
        if left <= size and 8 * (size - left) <= size:
            return size
    return max((size for size in sizes if size <= left), default=sizes[0])


def _quantizer(
    dtype: np.dtype[Any], affine: _Affine, card: Card
) -> Callable[[NDArray[np.uint8], NDArray[Any]], Any]:
    """Return the function that turns grey levels (uint8, ink bright) into what `_Call.glyphs` takes."""
    if dtype.kind == "f":
        factor = np.array(card.input_scale, dtype)
        return lambda crops, glyphs: np.multiply(crops, factor, glyphs)
    scale, zero = affine
    bounds = np.iinfo(dtype)
    # Rounded and clipped, in floats wide enough: truncating or wrapping here are the classic mistakes.
    codes = np.rint(np.arange(256) * (card.input_scale / scale)) + zero
    table = np.clip(codes, bounds.min, bounds.max).astype(dtype)
    if dtype == np.int8 and np.array_equal(table, np.arange(256) - 128):
        # Scale 1/255 and zero point −128: the code is the grey level with its top bit turned over.
        top_bit = np.array(0x80, np.uint8)
        xor = np.bitwise_xor
        return lambda crops, glyphs: xor(crops, top_bit, glyphs)
    if dtype == np.uint8 and np.array_equal(table, np.arange(256)):
        return lambda crops, glyphs: np.copyto(glyphs, crops)
    if dtype.itemsize == 1:
        table = table.view(np.uint8)
    # No level is out of range; with mode="raise" NumPy would fill a copy first, lest one were.
    return lambda crops, glyphs: table.take(crops, out=glyphs, mode="clip")


def _calibrator(
    dtype: np.dtype[Any], affine: _Affine, card: Card
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """Return the function from raw outputs N×classes to calibrated probabilities."""
    scale, zero = affine
    count = len(card.labels)
    if dtype.kind != "f" and dtype.itemsize == 1:
        # Every code's weight is computed once; a reading then costs a look-up and a division.
        codes = np.arange(256, dtype=np.uint8).view(dtype).astype(np.int64)  # widened before the subtraction
        values = scale * (codes - zero)
        exponents = values / card.temperature
        exponents -= (exponents.max() + exponents.min()) / 2
        # Past ±80 single precision would overflow or lose a row's sum; such a model takes the long way.
        if card.output == "probabilities" or exponents.max() < 80:
            if card.output == "probabilities":
                table = _weights_of_probabilities(values, card.temperature).astype(np.float32)
            else:
                table = np.exp(exponents).astype(np.float32)
            column, row = np.ones((count, 1), np.float32), np.ones((1, count), np.float32)

            square = np.ones((count, count), np.float32)
            quick = _BATCHES[-1] if _columns_agree(_BATCHES[-1], count) else 0

            take, divide = table.take, np.divide  # looked up once: a tenth of what a call costs

            def by_table(raw: NDArray[Any]) -> NDArray[np.float32]:
                weights: NDArray[np.float32] = take(raw, None, None, "wrap")  # −1 is 255, as in the table
                # A row's sum, once for each of its weights, so as to divide without broadcasting (slower).
                sums = weights.dot(square) if len(raw) == quick else weights.dot(column).dot(row)
                return divide(weights, sums, weights)

            return by_table

    def directly(raw: NDArray[Any]) -> NDArray[np.float32]:
        values = raw
        if dtype.kind != "f":
            values = (scale * (raw.astype(np.int32) - zero)).astype(np.float32)
        if card.output == "probabilities":
            weights = _weights_of_probabilities(values, card.temperature).astype(np.float32)
        else:
            exponents = values * np.float32(1 / card.temperature)
            exponents -= exponents.max(axis=1, keepdims=True)
            weights = np.exp(exponents, exponents)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

    return directly


def _columns_agree(rows: int, count: int) -> bool:
    """Whether this machine's matrix product by ones gives the very same sum in every column.

    A product may add up its last columns in another order than its first ones. Then the sums of a row
    differ in their last bit, and tied classes would no longer tie.
    """
    weights = np.exp(np.random.default_rng(0).normal(0, 8, (32, rows, count))).astype(np.float32)
    square = np.ones((count, count), np.float32)
    sums = np.stack([w.dot(square) for w in weights])
    return bool((sums == sums[:, :, :1]).all())


def _weights_of_probabilities(values: NDArray[Any], temperature: float) -> NDArray[Any]:
    # softmax(log p / T) is p^(1/T), normalized; the floor keeps a row of nothing but zeros defined.
    weights: NDArray[Any] = np.maximum(np.maximum(values, 0.0) ** (1 / temperature), 1e-30)
    return weights


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "empty"
