"""From a trained run for strips to packed `.tflite` files.

What `convert` does for glyphs, with two differences: the width of the input is fixed here, for an Edge TPU
takes no open sizes; and the temperature is found here, on strips that were not trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import BLANK, Card, read_card
from edgedigits.files import make_folder, write_atomically
from edgedigits.strip_model import StripModel
from edgedigits.strips import HEIGHT, STEP, WINDOW
from edgedigits.ways.ctc import best_texts
from edgedigits_export.calibrate import COUNT, FEWEST, Sample
from edgedigits_export.convert import SIGNATURE, Exported, Network, Thresholds, versions
from edgedigits_export.errors import DataError, RunError
from edgedigits_export.formats import FORMATS, Format
from edgedigits_export.golden import golden_strips, strip_golden_files
from edgedigits_export.likelihood import fit_temperature
from edgedigits_export.pack import pack
from edgedigits_export.run import Run
from edgedigits_export.strip_data import Composed

MEASURED = "composed-held-out"
"""What the card calls the accuracy on the strips that calibration did not see."""


def export_strip_run(
    run: Run,
    out: Path,
    formats: Sequence[Format],
    strips: Composed,
    *,
    seed: int = 0,
    thresholds: Thresholds | None = None,
) -> Iterator[Exported]:
    """Convert a run for strips to each of the formats and write `out/<recipe>-<format>.tflite`.

    Of `strips`, some drawn by `seed` calibrate the formats that need samples. On the others the temperature
    is found, that of the float32 network for all formats, and the share read exactly is measured through the
    runtime that ships, and noted in the card.

    Raises `RunError`, `ConversionError`, `DataError` where the strips don't fit the run, or `OutputError`.
    """
    if run.way != "strip":
        raise RunError(f"{run.path}: a run for glyphs; leave --strips out")
    if strips.alphabet != run.labels:
        raise DataError(
            f"the strips say {' '.join(strips.alphabet)}, and {run.path} reads {' '.join(run.labels)}; "
            "make them with the same version of edgedigits-train strip"
        )
    make_folder(out)
    network = _StripNetwork(run)
    sample, rest = draw_strips(strips, seed)
    images = windows(strips.images[rest])
    labels = strips.labels[rest]
    texts = ["".join(strips.alphabet[k] for k in row if k >= 0) for row in labels]
    card = Card(
        name=run.name,
        format="float32",
        labels=(*run.labels, BLANK),
        output="logits",
        input_shape=network.input_shape,
        way="strip",
        recipe=run.name,
        seed=run.seed,
        data=run.data,
        versions=versions(),
        **dataclasses.asdict(thresholds or Thresholds()),
    )
    width = -(-strips.images.shape[2] // STEP)
    float_body = network.convert(FORMATS["float32"], None)
    float_model = _open(pack(float_body, card))
    float_logits = float_model.invoke(float_model.tensor(images))[:, :width]
    card = dataclasses.replace(card, temperature=fit_temperature(float_logits, labels))
    golden = golden_strips(strips.images, strips.labels, rest)
    for format_ in formats:
        body = float_body if format_.name == "float32" else network.convert(format_, sample)
        card = dataclasses.replace(
            card,
            name=f"{run.name}-{format_.name}",
            format=format_.name,
            input_dtype=format_.input_dtype,
            output_dtype=format_.output_dtype,
            representative=sample.origin if format_.representative else {},
            accuracy={},
        )
        model = _open(pack(body, card))
        card = dataclasses.replace(card, accuracy={MEASURED: _exact(model, strips.images[rest], texts)})
        path = out / f"{card.name}.tflite"
        packed = pack(body, card, strip_golden_files(model, body, golden))
        write_atomically(path, packed)
        yield Exported(path, format_, read_card(path), len(packed))


def draw_strips(strips: Composed, seed: int = 0) -> tuple[Sample, NDArray[np.intp]]:
    """Draw half of the strips, at most `COUNT`, to calibrate with; return them and the others' numbers.

    The first are uint8, N×40×`WINDOW`. Raises `DataError` where too few are there.
    """
    if len(strips) < 2 * FEWEST:
        raise DataError(
            f"{len(strips)} strips, half of them to calibrate with and half to measure on, where "
            f"{2 * FEWEST} are the fewest; give edgedigits-train strip --held-out a larger --count"
        )
    count = min(COUNT, len(strips) // 2)
    drawn = np.random.default_rng(seed).choice(len(strips), count, replace=False)
    origin = {
        "source": "composed strips",
        "md5": strips.md5,
        "strips_seed": strips.about.get("seed"),
        "seed": seed,
        "count": count,
        "indices_sha256": hashlib.sha256(drawn.astype("<u4").tobytes()).hexdigest(),
    }
    return Sample(windows(strips.images[drawn]), origin), np.setdiff1d(np.arange(len(strips)), drawn)


def windows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return strips, uint8 N×40×W, as the network's windows, N×40×`WINDOW`: paper at their right.

    Raises `DataError` where they are wider.
    """
    if images.shape[2] > WINDOW:
        raise DataError(
            f"the strips are {images.shape[2]} pixels wide, where {WINDOW} are the most; lower widths in the "
            "recipe that they are composed by"
        )
    return np.pad(images, ((0, 0), (0, 0), (0, WINDOW - images.shape[2])))


def _open(packed: bytes) -> StripModel:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(packed)
        return StripModel(path)


def _exact(model: StripModel, images: NDArray[np.uint8], texts: Sequence[str]) -> float:
    """Return the share (0…1) of the strips that are read exactly, separators and all."""
    labels = model.card.labels
    right = 0
    for image, text in zip(images, texts, strict=True):
        best = best_texts(model.log_probabilities(image), 1)
        right += "".join(labels[k] for k in best[0].text) == text
    return round(right / len(texts), 6)


class _StripNetwork(Network):
    """The SavedModel of a run for strips; its input gets a fixed width."""

    def _shape(self, found: tuple[int, ...]) -> tuple[int, ...]:
        if len(found) != 3 or found[0] != HEIGHT or found[2] != 1:
            shape = "×".join(str(n or "?") for n in found)
            raise RunError(
                f"{self._run.saved_model}: takes {shape} where {HEIGHT}×width×1 is expected; train another"
            )
        return HEIGHT, WINDOW, 1

    def _outputs(self) -> int:
        return len(self._run.labels) + 1

    def _converter(self) -> Any:
        tf = self._tf
        function = self._loaded.signatures[SIGNATURE]
        (name,) = function.structured_input_signature[1]
        spec = tf.TensorSpec((1, *self.input_shape), tf.float32, name=name)
        fixed = tf.function(lambda strips: function(**{name: strips})).get_concrete_function(spec)
        return tf.lite.TFLiteConverter.from_concrete_functions([fixed], self._loaded)
