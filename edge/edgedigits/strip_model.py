"""A `.tflite` file for the strip way of reading: a strip in, log probabilities along it out.

The network takes a window of fixed width. A wider strip is read in windows that overlap: no answer depends
on more than `SEEN` pixels to either side, so those are dropped where two windows meet, and what is left is
what one window of the strip's width would have given. For the same reason a short strip with `SEEN` pixels
of paper behind it is all that the network need be given.
"""

from __future__ import annotations

import math
import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import BLANK, Card, split_bytes
from edgedigits.errors import ModelError
from edgedigits.runtime import Opener, read_model, shipped_models
from edgedigits.strips import SEEN, STEP

_WIDTHS = (96, 128, 160)
"""Windows narrower than the model's own, in pixels, that an interpreter is built for, each when it is first
needed: what a call costs goes with the width, and an interpreter takes a megabyte."""


class StripModel:
    """A sequence network, ready to be called; arguments, attributes and errors as those of `model.Model`."""

    card: Card
    """What the file says of itself."""
    source: str
    """The name or path it was opened by, for messages."""

    def __init__(
        self,
        name_or_path: str | os.PathLike[str] = "strip-int8",
        threads: int = 1,
        delegate: str | os.PathLike[str] | None = None,
    ) -> None:
        self.source = os.fspath(name_or_path)
        self.card, body = split_bytes(read_model(name_or_path), self.source)
        self._opener = Opener(body, self.source, threads, delegate)
        self.runtime = self._opener.runtime
        """The package that does the work: `ai_edge_litert` or `tflite_runtime`."""
        interpreter = self._opener.open()
        self._check(interpreter)
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        self.input_dtype, self.output_dtype = np.dtype(source["dtype"]), np.dtype(target["dtype"])
        self.height, self.width, _ = self.card.input_shape
        self.steps = self.width // STEP
        """Answers for a window."""
        self._windows = {self.width: _Window(interpreter, self.width, len(self.card.labels))}
        # An interpreter is for one call at a time.
        self._lock = threading.Lock()
        # What is compiled for a delegate is of one size.
        self._narrower = [width for width in _WIDTHS if width < self.width and not self._opener.delegate]
        self._levels = _levels(self.input_dtype, source["quantization"])
        scale, zero = target["quantization"]
        # An integer is what the network is sure of to a step; a float has no steps.
        self._scale, self._zero = (float(scale), int(zero)) if self.output_dtype.kind != "f" else (1.0, 0)

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
        return self._opener.uses_xnnpack(self._windows[self.width].interpreter)

    def tensor(self, strips: NDArray[np.uint8]) -> NDArray[Any]:
        """Return strips (uint8, N×height×width, ink bright) as the network's raw input, N×height×width×1."""
        return self._levels[strips][..., None]

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the network on raw windows, N×height×width×1; return raw answers, N×steps×labels."""
        window = self._windows[self.width]
        answers = np.empty((len(tensor), self.steps, len(self.card.labels)), self.output_dtype)
        for i in range(len(tensor)):
            with self._lock:
                answers[i] = window.run(tensor[i : i + 1])
        return answers

    def log_probabilities(self, strip: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the calibrated log probability of every label at every step.

        `strip` is uint8, height×W, as `strips.prepare` gives it, any W ≥ 1. The result is float32, one row
        for each `STEP` pixels (the last may be half paper), labels in the card's order, the blank last.
        """
        count = -(-strip.shape[1] // STEP)
        parts = []
        start = 0
        while True:
            left = strip.shape[1] - start
            with self._lock:
                window = self._window(left)
                raw = np.full((1, self.height, window.width, 1), self._levels[0])
                piece = strip[:, start : start + window.width]
                raw[0, :, : piece.shape[1], 0] = self._levels.take(piece)
                answers = window.run(raw)
            begin = SEEN // STEP if start else 0
            if left <= window.width:
                parts.append(answers[begin : count - start // STEP])
                break
            parts.append(answers[begin : self.steps - SEEN // STEP])
            start += self.width - 2 * SEEN
        logits = (np.concatenate(parts).astype(np.float32) - self._zero) * (
            self._scale / self.card.temperature
        )
        logits -= logits.max(axis=1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.float32)

    def _window(self, left: int) -> _Window:
        """Return the narrowest window that shows as much as the widest of a strip of `left` pixels."""
        for width in self._narrower:
            if left + SEEN <= width:
                if width not in self._windows:
                    try:
                        narrow = self._opener.open([1, self.height, width, 1])
                        self._windows[width] = _Window(narrow, width, len(self.card.labels))
                    except (ModelError, ValueError):
                        self._narrower = []  # a network that can't be resized
                        break
                return self._windows[width]
        return self._windows[self.width]

    def _check(self, interpreter: Any) -> None:
        """Compare the tensors with the card; raises `ModelError` for the first thing that differs."""
        card = self.card
        if card.way != "strip":
            names = ", ".join(shipped_models("strip"))
            raise ModelError(
                f"{self.source}: a model for glyphs, where one for strips is needed; name another ({names})"
            )
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        remedy = "export it again with edgedigits-export convert"
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{self.source}: {len(inputs)} inputs and {len(outputs)} outputs; {remedy}")
        shape = tuple(int(n) for n in inputs[0]["shape"])
        if len(card.input_shape) != 3 or shape != (1, *card.input_shape) or shape[3] != 1 or shape[2] % STEP:
            raise ModelError(
                f"{self.source}: its input is {'×'.join(map(str, shape))} and its card says "
                f"{'×'.join(map(str, card.input_shape))}; {remedy}"
            )
        answers = tuple(int(n) for n in outputs[0]["shape"] if n != 1)
        if answers != (shape[2] // STEP, len(card.labels)) or card.labels[-1] != BLANK:
            raise ModelError(
                f"{self.source}: gives {'×'.join(map(str, answers))} answers for windows of {shape[2]} "
                f"pixels and {len(card.labels)} labels, the last of them {card.labels[-1]!r}; {remedy}"
            )
        for what, details, expected in (
            ("input", inputs[0], card.input_dtype),
            ("output", outputs[0], card.output_dtype),
        ):
            if np.dtype(details["dtype"]) != expected:
                raise ModelError(
                    f"{self.source}: {np.dtype(details['dtype']).name} where {expected} is expected "
                    f"(its {what}, in the format {card.format}); {remedy}"
                )


class _Window:
    """One interpreter for windows of one width, in pixels.

    Raises `ValueError` where it gives another number of answers than such a window has.
    """

    def __init__(self, interpreter: Any, width: int, labels: int) -> None:
        self.interpreter, self.width = interpreter, width
        source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        self._index_in, self._index_out = source["index"], target["index"]
        self._shape = width // STEP, labels
        if math.prod(int(n) for n in target["shape"]) != math.prod(self._shape):
            raise ValueError(f"windows of {width} pixels give {'×'.join(map(str, target['shape']))} answers")

    def run(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the network on a raw window, 1×height×width×1; return raw answers, steps×labels."""
        self.interpreter.set_tensor(self._index_in, tensor)
        self.interpreter.invoke()
        answers: NDArray[Any] = self.interpreter.get_tensor(self._index_out).reshape(self._shape)
        return answers


def _levels(dtype: np.dtype[Any], quantization: tuple[float, int]) -> NDArray[Any]:
    """Return what each grey level is for the network."""
    values = np.arange(256) / 255
    if dtype.kind == "f":
        return values.astype(dtype)
    bounds = np.iinfo(dtype)
    codes = np.rint(values / quantization[0]) + quantization[1]
    return np.clip(codes, bounds.min, bounds.max).astype(dtype)
