"""What is printed of forms: a table for people, JSON Lines and CSV for programs.

The same manner as `edgedigits.outputs.text`: written to a text stream, flushed after every picture.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Protocol, TextIO

from edgedigits.errors import OutputError
from edgedigits.event import harmless
from edgedigits.forms.reading import FieldReading, FormReading
from edgedigits.frames import Frame
from edgedigits.streams import printable

SCHEMA = 1
"""Version of the JSON objects. It changes when a key changes its meaning or goes, not when one is added."""


class FormOutput(Protocol):
    """Takes forms as they come. Raises `OutputError` where the stream can't be written to."""

    def form(self, frame: Frame, reading: FormReading) -> None:
        """Write what a form in a frame says."""
        ...

    def error(self, source: str, message: str) -> None:
        """Write that a picture, or a form in it, can't be read, where the format has a place for it."""
        ...


class FormJsonLines:
    """One JSON object per line and picture, in UTF-8.

    A reading: `schema` (1), `source`, `page` (from 0), `form`, `size` [width, height], `registration`
    (`found_by`, `lines_found` 0…1 or null, `turned` degrees clockwise, `corners` of the page, from its top
    left clockwise, in pixels of the upright picture), `fields`, `elapsed_ms`. A field: `name`, `raw` (what
    was read; `?` can't be read, a space is a blank cell), `value` (null where there is none), `confidence`
    (0…1), `error` and `reason` (null where all is well), `instead_of` (the reading that a rule rejected in
    favour of this one, or null), `corners`.

    A failure: `schema`, `source`, `error`; no field of such a page is ever written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def form(self, frame: Frame, reading: FormReading) -> None:
        """Write one object."""
        self._write({"source": frame.source, "page": frame.page, **reading.as_dict()})

    def error(self, source: str, message: str) -> None:
        """Write one object."""
        self._write({"source": source, "error": message})

    def _write(self, values: dict[str, Any]) -> None:
        _write(self._stream, json.dumps({"schema": SCHEMA, **values}, ensure_ascii=False) + "\n")


class FormCsv:
    """Comma-separated values, one row per field, after a header (`COLUMNS`).

    `page` counts from 0; empty cells stand for null. A page that can't be registered has no row.
    """

    COLUMNS = (
        "source",
        "page",
        "form",
        "field",
        "raw",
        "value",
        "confidence",
        "error",
        "reason",
        "instead_of",
    )

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._row(self.COLUMNS)

    def form(self, frame: Frame, reading: FormReading) -> None:
        """Write a row for each field."""
        for f in reading.fields:
            confidence = round(f.confidence, 4)
            row = (f.name, f.raw, f.value, confidence, f.error, f.reason, f.instead_of)
            self._row((harmless(frame.source), frame.page, reading.form, *row))

    def error(self, source: str, message: str) -> None:
        """Write nothing: a row is a field."""

    def _row(self, values: tuple[object, ...]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(values)
        _write(self._stream, text.getvalue())


class FormTable:
    """Aligned columns for people: field, value, confidence, and what there is to say; a heading per page.

    Blank fields that may be blank are counted and not listed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def form(self, frame: Frame, reading: FormReading) -> None:
        """Write a heading and a row for each field."""
        page = f" page {frame.page + 1}" if frame.page else ""
        blank = [f for f in reading.fields if f.value is None and f.error is None]
        count = f", {len(blank)} of {len(reading.fields)} fields blank" if blank else ""
        lines = [f"{printable(frame.source)}{page}: {printable(reading.form)}{count}"]
        wide = max(len(f.name) for f in reading.fields)
        lines += [f"  {_row(f, wide)}" for f in reading.fields if f not in blank]
        _write(self._stream, "\n".join(lines) + "\n")

    def error(self, source: str, message: str) -> None:
        """Write nothing: a person sees the message itself."""


def _row(field: FieldReading, wide: int) -> str:
    # Rounded down: 100 % is said of nothing that is less.
    percent = f"{int(field.confidence * 1000) / 10:5.1f} %"
    if field.error is not None:
        shown = f"[{field.raw}]" if field.raw else "-"
        return f"{field.name:<{wide}}  {shown:<14}  {percent}  {field.error}"
    note = f"  (read as {field.instead_of}, which its check rejects)" if field.instead_of else ""
    return f"{field.name:<{wide}}  {field.value or '':<14}  {percent}{note}"


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise  # whoever read along has seen enough: not a fault
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise OutputError(
            f"standard output: can't write ({reason}); make room, or send it elsewhere"
        ) from error
