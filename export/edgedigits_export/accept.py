"""Which readings may be accepted: thresholds of line confidence that keep a promise on labelled pictures.

Every picture is read by the public `Reader`, so what is measured is what a user gets: ink, lines, network
and decoding. A line that was read is right when it is one of the picture's labelled lines, whole; one that
nobody labelled is wrong.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgedigits.card import CARD_NAME, LABELS_NAME, OperatingPoint, split_bytes
from edgedigits.errors import ModelError
from edgedigits.files import write_atomically
from edgedigits.model import read_model
from edgedigits.reader import Reader
from edgedigits.streams import printable
from edgedigits.ways.line_reading import ReadingWay
from edgedigits_export.errors import DataError
from edgedigits_export.pack import pack
from edgedigits_export.statistics import upper_bound
from edgedigits_export.strip_data import LabelledPicture, frames_of
from edgedigits_export.validate_strips import most_accepted

SCHEMA = 1
MAX_ERRORS = (0.05, 0.02, 0.01, 0.005, 0.002)
NEVER = 2.0
"""A threshold that no confidence reaches."""


@dataclass(frozen=True)
class ReadLine:
    """A line that was read in a labelled picture."""

    file: str
    label: str
    """The labelled line that it is, or the one that it should be; empty where the picture has no more."""
    text: str
    confidence: float
    acceptable: bool
    """Whether nothing but its confidence could refuse it: no digit was rejected, and the paper is upright."""

    @property
    def right(self) -> bool:
        """Whether it is what the label says."""
        return self.text == self.label


@dataclass(frozen=True)
class Point:
    """An operating point, and what may be said of it beyond these lines."""

    point: OperatingPoint
    error: float
    """Share of the accepted lines that is wrong."""
    error_bound: float
    """Upper bound of that share for other lines of the kind, 95 %, one-sided (Clopper and Pearson 1934)."""


@dataclass(frozen=True)
class Acceptance:
    """What was found."""

    model: str
    way: ReadingWay
    data: str
    pictures: int
    lines: int
    """Labelled lines."""
    exact: int
    """Lines read exactly, whatever their confidence, and acceptable."""
    points: tuple[Point, ...]
    disputed: tuple[ReadLine, ...]
    """Confident readings that differ from the label, the most confident first; the label may be at fault."""

    def as_json(self) -> str:
        """Return everything as indented JSON with a final newline."""
        whole = {"schema": SCHEMA, **dataclasses.asdict(self)}
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def open_reader(model: str, served: str, way: ReadingWay) -> Reader:
    """Return a reader that reads lines with a model in a way: "glyph", "strip" or "auto".

    It doubts no line for its confidence: whatever else may refuse a line is asked about each. `served` is the
    way of the model's card. Raises `ModelError` where the model can't serve `way`.
    """
    if way not in (served, "auto"):
        raise ModelError(
            f"{model}: a model for the {served} way of reading; give --way {served}, or name another model"
        )
    if served == "strip":
        strips: ReadingWay = "auto" if way == "auto" else "strip"
        return Reader(strip_model=model, way=strips, thorough=True, min_line_confidence=0.0)
    glyphs: ReadingWay = "auto" if way == "auto" else "glyph"
    return Reader(model, way=glyphs, thorough=True, min_line_confidence=0.0)


def find_points(
    reader: Reader,
    name: str,
    way: ReadingWay,
    pictures: Sequence[LabelledPicture],
    data: str,
    max_errors: Sequence[float] = MAX_ERRORS,
) -> Acceptance:
    """Read labelled pictures and choose, for each of `max_errors` (0…1), the most lenient threshold.

    `name` and `way` say which model and way of reading `reader` has. Raises `DataError` where a picture
    can't be read or there are none.
    """
    if not pictures:
        raise DataError(f"{data}: no labelled pictures; name a folder that has some")
    read: list[ReadLine] = []
    for picture, frame in frames_of(pictures):
        lines = reader.read(frame.image, frame.size).lines
        told = [(line.text, line.confidence, line.accepted) for line in lines]
        read += _judged(picture, told)
    lines_labelled = sum(len(picture.lines) for picture in pictures)
    candidates = [line for line in read if line.acceptable]
    points = tuple(
        _point(candidates, lines_labelled, data, way, max_error)
        for max_error in sorted(set(max_errors), reverse=True)
    )
    least = points[0].point.min_line_confidence
    disputed = [line for line in candidates if not line.right and line.confidence >= least]
    return Acceptance(
        model=printable(name),
        way=way,
        data=data,
        pictures=len(pictures),
        lines=lines_labelled,
        exact=sum(line.right for line in candidates),
        points=points,
        disputed=tuple(sorted(disputed, key=lambda line: -line.confidence)),
    )


def _judged(picture: LabelledPicture, read: Sequence[tuple[str, float, bool]]) -> list[ReadLine]:
    """Put each line that was read beside a label: an equal one, else the next that is left."""
    left = list(picture.lines)
    labels: list[str | None] = []
    for text, _, _ in read:
        found = text in left
        if found:
            left.remove(text)
        labels.append(text if found else None)
    return [
        ReadLine(picture.name, label if label is not None else (left.pop(0) if left else ""), *line)
        for label, line in zip(labels, read, strict=True)
    ]


def _point(read: Sequence[ReadLine], lines: int, data: str, way: ReadingWay, max_error: float) -> Point:
    confidence = np.array([line.confidence for line in read], np.float64)
    right = np.array([line.right for line in read], np.bool_)
    accepted, threshold = most_accepted(confidence, right, max_error)
    wrong = int((~right[confidence >= threshold]).sum()) if accepted else 0
    point = OperatingPoint(
        max_error=max_error,
        min_line_confidence=threshold if accepted else NEVER,
        accepted=accepted,
        wrong=wrong,
        lines=lines,
        data=data,
        way=way,
    )
    return Point(point, wrong / accepted if accepted else 0.0, upper_bound(wrong, accepted))


def with_points(data: bytes, points: Sequence[OperatingPoint], source: str) -> bytes:
    """Return a model file's bytes with other operating points in its card; all else is kept, bit for bit.

    Raises `ModelError` where it is no model file.
    """
    card, body = split_bytes(data, source)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name not in (CARD_NAME, LABELS_NAME)]
        files = {name: archive.read(name) for name in names}
    return pack(body, dataclasses.replace(card, operating_points=tuple(points)), files)


def check_writable(model: str) -> None:
    """Raise `ModelError` where a model is no file that `write_points` could change."""
    if not Path(model).is_file():
        raise ModelError(f"{model}: --write needs a model's file; copy the shipped model and name the copy")


def write_points(path: Path, acceptance: Acceptance) -> None:
    """Write the points into a model's card, in place, beside those of other ways.

    Raises `ModelError` or `OutputError`.
    """
    check_writable(os.fspath(path))
    data = read_model(path)
    others = [p for p in split_bytes(data, str(path))[0].operating_points if p.way != acceptance.way]
    points = [*others, *(row.point for row in acceptance.points)]
    write_atomically(path, with_points(data, points, str(path)))
