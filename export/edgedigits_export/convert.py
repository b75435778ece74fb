"""From a trained run to packed `.tflite` files.

TensorFlow is imported when the first network is converted, not before.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Card, Way
from edgedigits.files import make_folder, write_atomically
from edgedigits.model import SIDE, Model
from edgedigits.quiet import quiet
from edgedigits_export.bias import correct_bias
from edgedigits_export.calibrate import Sample
from edgedigits_export.data import Pictures
from edgedigits_export.errors import ConversionError, RunError
from edgedigits_export.formats import FORMATS, Format
from edgedigits_export.golden import golden_crops, golden_files
from edgedigits_export.pack import pack
from edgedigits_export.run import Run

_PACKAGES = ("tensorflow", "tensorflow-cpu", "ai-edge-litert", "ai-edge-quantizer", "edgedigits-export")
SIGNATURE = "logits"


@dataclass(frozen=True)
class Exported:
    """A model file that was written."""

    path: Path
    format: Format
    card: Card
    size: int
    """Bytes, card included."""


@dataclass(frozen=True)
class Thresholds:
    """Where the reader draws the line; see the fields of the same name in `edgedigits.card.Card`."""

    min_digit_confidence: float = 0.5
    min_line_confidence: float = 0.5


def export_run(
    run: Run,
    out: Path,
    formats: Sequence[Format],
    *,
    sample: Sample | None = None,
    test: Pictures | None = None,
    thresholds: Thresholds | None = None,
) -> Iterator[Exported]:
    """Convert a run to each of the formats and write `out/<recipe>-<format>.tflite`, one after another.

    `sample` is needed by formats that are `representative`. With `test`, the accuracy on it is measured
    through the runtime that ships and noted in the card, and the golden file has a digit of every class.

    Raises `RunError`, `ConversionError`, or `OutputError` where `out` can't be written.
    """
    if run.way == "strip":
        raise RunError(
            f"{run.path}: a run for strips, which strips are needed to calibrate; name a file with --strips"
        )
    make_folder(out)
    network = Network(run)
    for format_ in formats:
        if format_.representative and sample is None:
            raise ConversionError(f"{format_.name} needs sample pictures to calibrate with; name the data")
        model = network.convert(format_, sample)
        card = Card(
            name=f"{run.name}-{format_.name}",
            format=format_.name,
            labels=run.labels,
            output="logits",
            input_shape=network.input_shape,
            input_dtype=format_.input_dtype,
            output_dtype=format_.output_dtype,
            temperature=run.temperature,
            way=run.way,
            recipe=run.name,
            seed=run.seed,
            data=run.data,
            representative=sample.origin if format_.representative and sample is not None else {},
            versions=versions(),
            **dataclasses.asdict(thresholds or Thresholds()),
        )
        unmeasured = _open(pack(model, card), run.way)
        if test is not None:
            card = dataclasses.replace(card, accuracy={test.name: _accuracy(unmeasured, test)})
        path = out / f"{card.name}.tflite"
        packed = pack(model, card, golden_files(unmeasured, model, golden_crops(test)))
        write_atomically(path, packed)
        yield Exported(path, format_, Model(path, way=run.way).card, len(packed))


def _open(packed: bytes, way: Way) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(packed)
        return Model(path, way=way)


def _accuracy(model: Model, pictures: Pictures) -> float:
    """Return the share (0…1) of the pictures that a model reads rightly, on the runtime that ships."""
    guesses = model.probabilities(pictures.images).argmax(axis=1)
    return round(float(np.mean(guesses == pictures.truth(model.card.labels))), 6)


class Network:
    """The SavedModel of a run, as the converter sees it: pixels in, logits out."""

    def __init__(self, run: Run) -> None:
        # Before the import: TensorFlow tells the world about its processor options otherwise.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with quiet():
            import tensorflow as tf

            self._tf = tf
            try:
                self._loaded = tf.saved_model.load(str(run.saved_model))
                signature = self._loaded.signatures[SIGNATURE]
                (pixels,) = signature.structured_input_signature[1].values()
                (logits,) = signature.structured_outputs.values()
            except KeyError as error:
                raise RunError(
                    f"{run.saved_model}: has no signature '{SIGNATURE}'; train the run again"
                ) from error
            except Exception as error:  # TensorFlow raises what its layers happen to raise
                raise RunError(
                    f"{run.saved_model}: can't be loaded ({_first_line(error)}); train the run again"
                ) from error
        self._run = run
        self.input_shape = self._shape(tuple(int(n or 0) for n in pixels.shape[1:]))
        if logits.shape[-1] != self._outputs():
            raise RunError(
                f"{run.saved_model}: {logits.shape[-1]} outputs for the {len(run.labels)} labels of "
                "report.json; train the run again"
            )

    def _shape(self, found: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the exported input, given that of the trained one (0 where it is open)."""
        if int(np.prod(found)) != SIDE * SIDE:
            shape = "×".join(map(str, found))
            raise RunError(
                f"{self._run.saved_model}: takes {shape} where 28×28 pixels are expected; train another"
            )
        return found

    def _outputs(self) -> int:
        return len(self._run.labels)

    def _converter(self) -> Any:
        return self._tf.lite.TFLiteConverter.from_saved_model(
            str(self._run.saved_model), signature_keys=[SIGNATURE]
        )

    def convert(self, format_: Format, sample: Sample | None) -> bytes:
        """Return the TFLite model, without a card."""
        make = self._with_quantizer if format_.maker == "quantizer" else self._with_tensorflow
        try:
            with quiet():
                model = make(format_, sample)
                if format_.activations != "int8" or sample is None or self._run.way == "strip":
                    return model
                plain = self._with_tensorflow(FORMATS["float32"], None)
            return correct_bias(plain, model, sample.images, str(self._run.path))
        except Exception as error:  # as above
            raise ConversionError(
                f"{self._run.path}: can't be made {format_.name} ({_first_line(error)}); "
                "choose another format"
            ) from error

    def _with_tensorflow(self, format_: Format, sample: Sample | None) -> bytes:
        tf = self._tf
        converter = self._converter()
        if format_.quantized:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if format_.weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if format_.representative and sample is not None:
            sets = tf.lite.OpsSet
            wide = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            kernels = {"int8": sets.TFLITE_BUILTINS_INT8, "int16": wide}
            converter.representative_dataset = lambda: self._inputs(sample.images)
            converter.target_spec.supported_ops = [kernels[format_.activations]]
            converter.inference_input_type = tf.as_dtype(format_.input_dtype)
            converter.inference_output_type = tf.as_dtype(format_.output_dtype)
        model: bytes = converter.convert()
        return model

    def _with_quantizer(self, format_: Format, sample: Sample | None) -> bytes:
        from ai_edge_quantizer import algorithm_manager, quantizer, recipe  # type: ignore[import-untyped]

        # OCTAV clips the few large weights where that costs least; at 4 bits it keeps a tenth of a point
        # that scaling by the largest weight loses (C. Sakr et al., "Optimal Clipping and Magnitude-aware
        # Differentiation for Improved Quantization-aware Training", 2022).
        weights = {"int4": recipe.dynamic_wi4c_afp32, "int8": recipe.dynamic_wi8c_afp32}[format_.weights]
        work = quantizer.Quantizer(
            self._with_tensorflow(FORMATS["float32"], None),
            weights(algorithm_key=algorithm_manager.AlgorithmName.OCTAV),
        )
        return bytes(work.quantize(enable_progress_bar=False, enable_progress_report=False).quantized_model)

    def _inputs(self, images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
        for image in images:
            yield [(image.reshape(1, *self.input_shape) / 255).astype(np.float32)]


def versions() -> dict[str, str]:
    """Return the versions of the packages that make a model file."""
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _first_line(error: Any) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
