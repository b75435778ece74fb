"""Strips with what they say: composed ones in a file, and pictures of text lines in a folder."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.frames import Frame, read_pictures
from edgedigits.npz import arrays_of
from edgedigits.streams import printable
from edgedigits.strips import HEIGHT, prepare
from edgedigits_export.errors import DataError


@dataclass(frozen=True)
class Strip:
    """One strip: uint8, 40×W, as `edgedigits.strips.prepare` gives it, and its true text."""

    image: NDArray[np.uint8]
    text: str
    name: str


@dataclass(frozen=True)
class StripSet:
    """Strips to measure on."""

    name: str
    strips: tuple[Strip, ...]
    digits_only: bool
    """Whether the true texts say nothing of separators, so that readings are compared without theirs."""

    def __len__(self) -> int:
        return len(self.strips)


@dataclass(frozen=True)
class Composed:
    """A file that `edgedigits-train strip --held-out` wrote."""

    images: NDArray[np.uint8]
    """N×40×W."""
    labels: NDArray[np.int32]
    """N×longest, indices of `alphabet`, −1 behind the end."""
    alphabet: tuple[str, ...]
    about: Mapping[str, Any]
    md5: str
    """Of the bytes of the images and the labels."""

    def __len__(self) -> int:
        return len(self.images)

    def as_set(self, name: str) -> StripSet:
        """Return all of them, to measure on."""
        texts = ("".join(self.alphabet[k] for k in row if k >= 0) for row in self.labels)
        strips = (
            Strip(image, text, str(number))
            for number, (image, text) in enumerate(zip(self.images, texts, strict=True))
        )
        return StripSet(name, tuple(strips), digits_only=False)


def read_composed(path: Path) -> Composed:
    """Read a file of composed strips; raises `DataError` where it is missing or none."""
    remedy = "make it with edgedigits-train strip --held-out FILE.npz"
    try:
        arrays = arrays_of(path.read_bytes())
        images, labels, about = arrays["images"], arrays["labels"], json.loads(str(arrays["about"]))
        alphabet = tuple(about["labels"])
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1] != HEIGHT or not images.size:
            raise ValueError(f"its images are not N×{HEIGHT}×W bytes")
        if labels.dtype != np.int32 or labels.ndim != 2 or len(labels) != len(images) or not labels.size:
            raise ValueError("its labels don't fit its images")
        if (
            labels.min() < -1
            or labels.max() >= len(alphabet)
            or not all(isinstance(a, str) for a in alphabet)
        ):
            raise ValueError("its labels are out of range")
        if ((labels[:, 1:] >= 0) & (labels[:, :-1] < 0)).any():
            raise ValueError("a text goes on behind its end")
    except (OSError, ValueError, KeyError, TypeError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        reason = getattr(error, "strerror", None) or missing.splitlines()[0]
        raise DataError(f"{path}: can't read the strips ({reason}); {remedy}") from error
    checksum = hashlib.md5(images.tobytes() + labels.tobytes(), usedforsecurity=False).hexdigest()
    return Composed(images, labels, alphabet, about, checksum)


@dataclass(frozen=True)
class LabelledPicture:
    """A picture of text lines and what stands in it, a line each."""

    path: Path
    name: str
    lines: tuple[str, ...]
    """The digits of each line, top down; none where nothing is written."""


def labelled_pictures(folder: Path, part: str | None = None) -> tuple[LabelledPicture, ...]:
    """Return the pictures of a folder: `labels.csv` (file, text, perhaps part) beside `images/`.

    A text has its lines below each other; of each the digits are taken, for separators are not compared.
    With `part`, those of that part only. Raises `DataError` where there are none, a row says no picture or no
    text of digits, or two rows say the same picture.
    """
    path = folder / "labels.csv"
    remedy = "expected are labels.csv (file,text,part) and images/"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path}: can't read the labels ({reason}); {remedy}") from error
    if not rows or not {"file", "text"} <= rows[0].keys():
        raise DataError(f"{path}: has no rows with file and text; {remedy}")
    parts = sorted({row.get("part") or "" for row in rows} - {""})
    if part is not None and part not in parts:
        known = f"its parts are {', '.join(parts)}" if parts else "it has no column part; leave --part out"
        raise DataError(f"{path}: has no part {part}; {known}")
    labelled = tuple(
        _labelled(folder, row, f"{path}, row {number}")
        for number, row in enumerate(rows, 2)  # as spreadsheets count, the heads being the first
        if part is None or row.get("part") == part
    )
    first: dict[str | None, int] = {}
    for number, row in enumerate(rows, 2):
        if row["file"] and (before := first.setdefault(row["file"], number)) != number:
            raise DataError(
                f"{path}, row {number}: names {row['file']} again, after row {before}; write all lines of a "
                "picture into one text, below each other"
            )
    return labelled


_SIGNS = frozenset(".,-=/:'+ ")
"""What may stand in a text beside digits, and is not compared."""


def _labelled(folder: Path, row: Mapping[str, str | None], where: str) -> LabelledPicture:
    name, text = row["file"], row["text"]
    if not name or "\0" in name or text is None:
        raise DataError(f"{where}: names no picture, or not what stands in it; write file and text")
    strange = sorted({sign for sign in text if sign not in _SIGNS and sign not in "0123456789\r\n"})
    if strange:
        raise DataError(
            f"{where}: its text has {strange[0]!r}, and a label has digits and the separators between them; "
            "correct the text, or leave the row out"
        )
    lines = ("".join(sign for sign in line if sign.isdigit()) for line in text.splitlines())
    return LabelledPicture(folder / "images" / name, name, tuple(line for line in lines if line))


def frames_of(pictures: Sequence[LabelledPicture]) -> Iterator[tuple[LabelledPicture, Frame]]:
    """Yield each picture's first frame; raises `DataError` where one can't be read."""
    for picture in pictures:
        frame = next(iter(read_pictures(picture.path)))
        if not isinstance(frame, Frame):
            raise DataError(str(frame.error))
        yield picture, frame


def read_lines(folder: Path, part: str | None = None) -> StripSet:
    """Return pictures of one text line each, or of none, as strips, their labels being digits only.

    Raises `DataError` as `labelled_pictures` does, and where a picture can't be read or has more lines.
    """
    import cv2

    strips = []
    for picture, frame in frames_of(labelled_pictures(folder, part)):
        if len(picture.lines) > 1:
            raise DataError(f"{picture.path}: {len(picture.lines)} lines of text where a strip has one")
        image = frame.image
        grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        strips.append(Strip(prepare(grey), "".join(picture.lines), picture.name))
    name = printable(folder.resolve().name + (f"-{part}" if part else ""))
    return StripSet(name, tuple(strips), digits_only=True)
