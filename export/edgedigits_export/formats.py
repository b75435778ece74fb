"""The formats a network can be exported in.

One table, which the command line, the checks and the documents are driven by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgedigits_export.errors import ConversionError

Maker = Literal["tensorflow", "quantizer"]


@dataclass(frozen=True)
class Format:
    """One way of writing a network down as a `.tflite` file."""

    name: str
    input_dtype: str
    """NumPy's name for the type of the raw input."""
    output_dtype: str
    weights: str
    """Type of the weights of dense and convolutional layers (biases are float32, int32 or int64)."""
    activations: str
    """Type in which values pass from layer to layer."""
    representative: bool
    """Whether sample pictures are needed, to find the ranges of the activations."""
    description: str
    maker: Maker = "tensorflow"
    standard: bool = False
    """Whether `convert` makes it when not told which ones to make."""

    @property
    def quantized(self) -> bool:
        """Whether anything is kept in fewer bits than the network was trained in."""
        return self.weights != "float32"


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "float32",
            input_dtype="float32",
            output_dtype="float32",
            weights="float32",
            activations="float32",
            representative=False,
            standard=True,
            description="as it was trained; what the others are compared with",
        ),
        Format(
            "float16",
            input_dtype="float32",
            output_dtype="float32",
            weights="float16",
            activations="float32",
            representative=False,
            standard=True,
            description="half the size; weights are widened when loaded, computed in float32",
        ),
        Format(
            "dynamic",
            input_dtype="float32",
            output_dtype="float32",
            weights="int8",
            activations="float32",
            representative=False,
            standard=True,
            description="int8 weights, activations quantized on the fly; needs no sample pictures",
        ),
        Format(
            "int8",
            input_dtype="int8",
            output_dtype="int8",
            weights="int8",
            activations="int8",
            representative=True,
            standard=True,
            description="integers throughout; the quickest on a CPU, the one microcontrollers take",
        ),
        Format(
            "int8-float-io",
            input_dtype="float32",
            output_dtype="float32",
            weights="int8",
            activations="int8",
            representative=True,
            description="int8 inside, floats at both ends, for programs that feed and expect floats",
        ),
        Format(
            "uint8-input",
            input_dtype="uint8",
            output_dtype="int8",
            weights="int8",
            activations="int8",
            representative=True,
            description="int8 that takes grey levels 0…255 as they are, the scaling done in the graph",
        ),
        Format(
            "int16x8",
            input_dtype="int16",
            output_dtype="int16",
            weights="int8",
            activations="int16",
            representative=True,
            description="int8 weights, int16 activations: closest to float, slow (no fast kernels)",
        ),
        Format(
            "int4-weights",
            input_dtype="float32",
            output_dtype="float32",
            weights="int4",
            activations="float32",
            representative=False,
            maker="quantizer",
            description="half the size of int8, some tenths of a point less accurate; LiteRT only",
        ),
    )
}


@dataclass(frozen=True)
class Target:
    """A kind of device, and which format it is best given."""

    name: str
    format: str
    reason: str


TARGETS: tuple[Target, ...] = (
    Target("Pi CPU", "int8", "fewest microseconds a digit and a quarter of the size, at float's accuracy"),
    Target("Edge TPU", "int8", "its compiler maps operations with int8 weights and activations only"),
    Target("microcontroller", "int8", "no floating point, the smallest tables, plain C through `firmware`"),
)
"""What to choose for which device; `edgedigits-export validate` measures it anew on any machine."""


def find_formats(names: list[str] | None) -> tuple[Format, ...]:
    """Return formats by name, in the order of the table; `None` is the standard ones, `all` is all.

    Raises `ConversionError` for a name that is not in the table, and where there are none.
    """
    if names is None:
        return tuple(row for row in FORMATS.values() if row.standard)
    if not names:
        raise ConversionError(f"--formats: names none; choose from {', '.join(FORMATS)}, or 'all'")
    for name in names:
        if name not in FORMATS and name != "all":
            raise ConversionError(f"{name}: no such format; choose from {', '.join(FORMATS)}")
    return tuple(row for row in FORMATS.values() if row.name in names or "all" in names)
