"""Whether this board computes what the host computed when the model was made.

A model file carries a few inputs (crops, or strips) and what came out for them, once through XNNPACK's
kernels and once through the runtime's reference kernels; the two differ by a step on about half of a
convolutional network's int8 outputs. Some combinations of runtime and format give nonsense without an
error; this tells.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import associated_file
from edgedigits.errors import ModelError
from edgedigits.model import SIDE, Model, read_model
from edgedigits.strip_model import StripModel

CROPS = "golden/crops.npy"
STRIPS = "golden/strips.npy"
XNNPACK = "golden/xnnpack.npy"
REFERENCE = "golden/reference.npy"
RULES = "golden/rules.json"
"""Names of the entries in a model's zip."""


@dataclass(frozen=True)
class Golden:
    """Inputs and what they give on the host."""

    inputs: NDArray[np.uint8]
    """Crops, N×28×28, or strips, N×40×window; 0…255, ink bright."""
    xnnpack: NDArray[Any]
    """Raw outputs, N×classes or N×steps×labels, in the model's output dtype."""
    reference: NDArray[Any]
    tolerance: float
    """How far outputs may lie from the host's: steps for integers, else in the outputs' own unit."""


@dataclass(frozen=True)
class GoldenResult:
    """What recomputing gave."""

    model: str
    runtime: str
    xnnpack: bool
    """Whether XNNPACK's kernels were at work."""
    count: int
    exact: bool
    """Every output is the host's own, bit for bit, on the same kernels."""
    exact_expected: bool
    """Integers on LiteRT with XNNPACK must be exact; on anything else a tolerance holds."""
    largest: float
    """Largest distance of an output from the host's: steps for integers, else in the outputs' own unit."""
    tolerance: float
    labels: int
    """Crops (or steps along strips) with another label than on the host, those apart whose top two are within
    twice the tolerance."""

    @property
    def passed(self) -> bool:
        """Whether this board computes what it should."""
        if self.exact_expected:
            return self.exact
        return self.largest <= self.tolerance and self.labels == 0

    def __str__(self) -> str:
        """Say it in a line."""
        kernels = f"{self.runtime} {'with' if self.xnnpack else 'without'} XNNPACK"
        if self.exact:
            return f"{self.model}: all {self.count} golden outputs are exact ({kernels})"
        if self.passed:
            return (
                f"{self.model}: the {self.count} golden outputs are right within {self.largest:g} "
                f"(of {self.tolerance:g} allowed; {kernels})"
            )
        if self.labels:
            return (
                f"{self.model}: {self.labels} golden answers are read otherwise than on the "
                f"host ({kernels}); don't use this model on this board, choose int8 or another runtime"
            )
        return (
            f"{self.model}: golden outputs are off by {self.largest:g} ({kernels}); "
            "don't use this model on this board, choose int8 or another runtime"
        )


def check(model: Model | StripModel) -> GoldenResult:
    """Recompute the golden outputs of a model on this machine.

    Raises `ModelError` where the model's file has none, or they don't fit the model.
    """
    golden = read_golden(read_model(model.source), model.source)
    size = (SIDE, SIDE) if isinstance(model, Model) else (model.height, model.width)
    answers = () if isinstance(model, Model) else (model.steps,)
    if (
        golden.xnnpack.dtype != model.output_dtype
        or golden.inputs.shape[1:] != size
        or golden.xnnpack.shape[1:] != (*answers, len(model.card.labels))
    ):
        raise ModelError(f"{model.source}: its golden file is another model's; export it again")
    tensor = model.tensor(golden.inputs)
    # One at a time, as the calls that come from a single box are.
    outputs = np.concatenate([model.invoke(tensor[i : i + 1]) for i in range(len(tensor))])
    return compare(model, golden, outputs)


def compare(model: Model | StripModel, golden: Golden, outputs: NDArray[Any]) -> GoldenResult:
    """Judge raw outputs (N×classes, N×steps×labels) that `model` gave for the golden inputs."""
    integers = model.output_dtype.kind != "f"
    xnnpack = model.uses_xnnpack
    kernels = golden.xnnpack if xnnpack else golden.reference
    # float64 holds every int16 and float32: no difference wraps around.
    found, expected = outputs.astype(np.float64), kernels.astype(np.float64)
    others = golden.reference if xnnpack else golden.xnnpack
    apart = np.minimum(np.abs(found - expected), np.abs(found - others.astype(np.float64)))
    ranked = np.sort(expected, axis=-1)
    clear = ranked[..., -1] - ranked[..., -2] > 2 * golden.tolerance
    differs = found.argmax(axis=-1) != expected.argmax(axis=-1)
    return GoldenResult(
        model=model.card.name,
        runtime=model.runtime,
        xnnpack=xnnpack,
        count=len(golden.inputs),
        exact=np.array_equal(outputs, kernels),
        exact_expected=integers and xnnpack and model.runtime == "ai_edge_litert",
        # A value that is no number is as wrong as can be.
        largest=float(np.nan_to_num(apart, nan=np.inf).max()),
        tolerance=golden.tolerance,
        labels=int((differs & clear).sum()),
    )


def read_golden(data: bytes, source: str) -> Golden:
    """Read the golden entries in a model file's bytes; `source` is what messages call it.

    Raises `ModelError` where there are none or they can't be used.
    """
    entries = {
        name: associated_file(data, name, source) for name in (CROPS, STRIPS, XNNPACK, REFERENCE, RULES)
    }
    inputs_entry = entries[CROPS] or entries[STRIPS]
    parts = (inputs_entry, entries[XNNPACK], entries[REFERENCE])
    rules = entries[RULES]
    if rules is None or None in parts:
        raise ModelError(
            f"{source}: no golden file in it to check this board with; "
            "export the model again with edgedigits-export convert"
        )
    try:
        inputs, xnnpack, reference = (np.load(io.BytesIO(part or b""), allow_pickle=False) for part in parts)
        tolerance = float(json.loads(rules)["tolerance"])
        if inputs.dtype != np.uint8 or inputs.ndim != 3 or not len(inputs):
            raise ValueError("its inputs are of another shape")
        if not (xnnpack.shape == reference.shape and xnnpack.ndim in (2, 3) and len(xnnpack) == len(inputs)):
            raise ValueError("its outputs don't fit its inputs")
        if xnnpack.dtype != reference.dtype or xnnpack.dtype.kind not in "iuf" or not tolerance >= 0:
            raise ValueError("its outputs or its tolerance are of the wrong kind")
    except (ValueError, KeyError, TypeError, EOFError, OSError, SyntaxError) as error:
        reason = " ".join(str(error).split())[:100]
        raise ModelError(f"{source}: its golden file can't be used ({reason}); export it again") from error
    return Golden(inputs, xnnpack, reference, tolerance)
