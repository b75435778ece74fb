"""What a model file says of itself.

The card is a JSON file named `card.json` in a zip archive at the end of the `.tflite` file, beside
`labels.txt`: the place where TFLite metadata keeps its associated files, readable with `zipfile`.
The runtimes load such a file as it is, so one file is the whole thing to copy to a device.

The edge reads cards; `edgedigits_export.pack` writes them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgedigits.errors import ModelError

SCHEMA = 1
CARD_NAME = "card.json"
LABELS_NAME = "labels.txt"
DTYPES = ("float32", "int8", "uint8", "int16")
"""The types a model's input and output may have, by NumPy's names."""

_UNREADABLE = (EOFError, NotImplementedError, RuntimeError, ValueError, OSError, zlib.error, struct.error)
"""What `zipfile` raises, beside its own error, for archives that are cut off, changed or hostile."""

_LARGEST = 4 << 20  # bytes of an associated file; a damaged zip may claim gigabytes

Output = Literal["logits", "probabilities"]
Way = Literal["glyph", "strip", "character"]
WAYS: tuple[Way, ...] = ("glyph", "strip", "character")
BLANK = "blank"
"""The last label of a model for strips: CTC's blank, nothing new stands here."""


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold for the confidence of lines, and what it gave on the lines it was chosen on."""

    max_error: float
    """At most this share of the accepted lines was to be wrong. 0…1."""
    min_line_confidence: float
    """Lines are accepted from this confidence on. 0…1; above 1 where no threshold keeps the promise."""
    accepted: int
    wrong: int
    """So many of the accepted lines were wrong."""
    lines: int
    data: str
    """Name of the data and its part."""
    way: Literal["auto", "glyph", "strip"] = "glyph"
    """How the lines were read. Where the card is of a model for strips, "auto" was with the default model
    for glyphs."""


@dataclass(frozen=True)
class Card:
    """A model's description of itself.

    `labels` are the texts of the classes in the order of the outputs. `output` says what the outputs are:
    logits, or probabilities that a softmax inside the graph has made. Calibrated probabilities are
    softmax(logits / `temperature`).

    The input convention is one for all models for glyphs: a glyph of 28×28, ink bright on a background of
    0, centred as MNIST does it, grey levels 0…255 times `input_scale` (1/255 unless the graph does the
    scaling itself), flattened to whatever `input_shape` (without the batch) says.

    That of a model for characters is the same but for the picture, a window of `edgedigits.ways.characters`.

    A model for strips takes a strip as `edgedigits.strips.prepare` makes it, of the height and width in
    `input_shape`, and answers for every two pixels of its width with a row of logits, the last of them for
    `BLANK`.
    """

    name: str
    format: str
    labels: tuple[str, ...]
    output: Output
    input_shape: tuple[int, ...] = (784,)
    input_scale: float = 1 / 255
    input_dtype: str = "float32"
    """NumPy's name for the type of the raw input; the runtime's own word for it must agree."""
    output_dtype: str = "float32"
    temperature: float = 1.0
    min_digit_confidence: float = 0.5
    """A digit whose calibrated probability is below this is rejected (`?`). 0…1."""
    min_line_confidence: float = 0.5
    """A line whose probability of being right as a whole is below this is not accepted. 0…1."""
    way: Way = "glyph"
    """Which way of reading the model serves: one glyph at a time, a strip at once, or again one
    character of a strip that was read."""
    operating_points: tuple[OperatingPoint, ...] = ()
    """Thresholds that keep a promise about accepted lines, the most lenient first."""
    recipe: str = ""
    seed: int | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    """MD5 of the uncompressed bytes of each training file."""
    representative: Mapping[str, Any] = field(default_factory=dict)
    """Where a quantized model's calibration samples came from: source, seed, count, indices' checksum."""
    accuracy: Mapping[str, float] = field(default_factory=dict)
    """Measured accuracies (0…1) by the name of the data."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the packages that made the file."""
    model_size: int = 0
    """Bytes of the model proper, before the zip."""
    model_sha256: str = ""
    """SHA-256 of those bytes: a copy damaged on its way to a device is told from a good one."""
    schema: int = SCHEMA

    def as_json(self) -> str:
        """Return the card as indented JSON with a final newline."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"


def card_from_json(text: str, source: str) -> Card:
    """Build a card from JSON; raises `ModelError`, naming `source`, where it is not a card of this schema."""
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise TypeError("not a JSON object")
        schema = values.get("schema")
        if schema != SCHEMA:
            raise ModelError(
                f"{source}: its card has schema {schema!r} and this edgedigits reads {SCHEMA}; "
                "export the model again with the same version"
            )
        known = {f.name for f in dataclasses.fields(Card)}
        card = Card(**{key: value for key, value in values.items() if key in known})
        points = tuple(OperatingPoint(**point) for point in values.get("operating_points", ()))
        card = dataclasses.replace(
            card,
            labels=tuple(card.labels),
            input_shape=tuple(card.input_shape),
            operating_points=points,
        )
        _check(card)
        return card
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelError(
            f"{source}: its card can't be used ({error}); "
            "export the model again with edgedigits-export convert"
        ) from error


def _check(card: Card) -> None:
    """Refuse what would give a silent wrong answer later; raises `ValueError` or `TypeError`."""
    if not card.labels or not all(isinstance(label, str) and label for label in card.labels):
        raise ValueError("labels are missing")
    if len(set(card.labels)) != len(card.labels):
        raise ValueError("two labels are the same")
    if card.output not in ("logits", "probabilities"):
        raise ValueError(f"unknown output convention {card.output!r}")
    if not all(isinstance(n, int) and n > 0 for n in card.input_shape):
        raise ValueError("input_shape must be positive integers")
    for name in ("input_dtype", "output_dtype"):
        if getattr(card, name) not in DTYPES:
            raise ValueError(f"{name} must be one of {', '.join(DTYPES)}")
    for name in ("temperature", "input_scale"):
        if not (getattr(card, name) > 0 and math.isfinite(getattr(card, name))):
            raise ValueError(f"{name} must be positive")
    if card.way not in WAYS:
        raise ValueError(f"unknown way {card.way!r}")
    for point in card.operating_points:
        if not (0 < point.max_error < 1 and point.min_line_confidence >= 0):
            raise ValueError("an operating point is out of range")
    for name in ("min_digit_confidence", "min_line_confidence"):
        if not 0 <= getattr(card, name) <= 1:
            raise ValueError(f"{name} must lie in 0…1")
    if not isinstance(card.model_size, int) or not isinstance(card.model_sha256, str):
        raise TypeError("model_size or model_sha256 is of another type")


def read_card(path: str | os.PathLike[str]) -> Card:
    """Read the card of a model file and check the model's bytes against it.

    Raises `ModelError` where the file is missing, is no TFLite model, was cut off or changed, or has no
    usable card.
    """
    return split_model(path)[0]


def split_model(path: str | os.PathLike[str]) -> tuple[Card, bytes]:
    """Return the card and the model proper (the bytes before the zip) of a model file.

    Raises `ModelError` as `read_card` does.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise ModelError(
            f"{path}: can't read the model ({reason}); name a .tflite file or a shipped model"
        ) from error
    return split_bytes(data, str(path))


def split_bytes(data: bytes, source: str) -> tuple[Card, bytes]:
    """Return the card and the model proper of a model file's bytes; `source` is what messages call it.

    Raises `ModelError` as `read_card` does.
    """
    if data[4:8] != b"TFL3":
        raise ModelError(f"{source}: not a TFLite model; make one with edgedigits-export convert")
    text = associated_file(data, CARD_NAME, source)
    if text is None:
        raise ModelError(
            f"{source}: no card in it (never packed, or the file was cut off); copy it again, "
            "or export it with edgedigits-export convert"
        )
    try:
        card = card_from_json(text.decode(), source)
    except UnicodeDecodeError as error:
        raise ModelError(f"{source}: its card is not UTF-8 text; copy the file again") from error
    model = data[: max(card.model_size, 0)]
    if len(model) != card.model_size or hashlib.sha256(model).hexdigest() != card.model_sha256:
        raise ModelError(f"{source}: damaged (its bytes are not those its card describes); copy it again")
    return card, model


def associated_file(data: bytes, name: str, source: str) -> bytes | None:
    """Return a file of the zip at the end of a model file's bytes; None where there is no such file.

    Raises `ModelError`, naming `source`, where the file is there and can't be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if name not in archive.namelist():
                return None
            if archive.getinfo(name).file_size > _LARGEST:
                raise ModelError(f"{source}: its {name} is too large to be true; copy the file again")
            return archive.read(name)
    except zipfile.BadZipFile as error:
        if "not a zip file" in str(error):
            return None
        raise ModelError(f"{source}: its {name} is damaged; copy the file again") from error
    except _UNREADABLE as error:
        raise ModelError(f"{source}: its {name} can't be read ({error}); copy the file again") from error
