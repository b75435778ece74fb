"""What is printed: a table for people, JSON Lines and CSV for programs.

Each `Output` writes to a text stream and flushes after every picture, so that whoever reads along sees a
reading when it is made.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, TextIO

from edgedigits.errors import OutputError
from edgedigits.event import Event, harmless
from edgedigits.frames import Frame
from edgedigits.page import REASONS, Line, Page, Reason
from edgedigits.streams import printable

SCHEMA = 1
"""Version of the JSON objects. It changes when a key changes its meaning or goes, not when one is added."""


class Output(Protocol):
    """Takes readings as they come. Raises `OutputError` where the stream can't be written to."""

    def page(self, frame: Frame, page: Page) -> None:
        """Write what was read in a frame."""
        ...

    def error(self, source: str, message: str) -> None:
        """Write that a source or one of its pages can't be read, where the format has a place for it."""
        ...


class JsonLines:
    """One JSON object per line and picture, in UTF-8.

    A reading: `schema` (1), `source`, `page` (from 0: the page of a file, the frame of a video or camera),
    `size` [width, height], `lines`, `elapsed_ms` (from the picture in memory to the reading). A line:
    `text` (digits and `?`), `raw` (with separators), `confidence` that the whole line is right (0…1),
    `accepted`, `reasons` (why it is not, the gravest first), `turned` (by how many degrees clockwise the
    paper seems to lie turned, 0 for upright; no line of a turned paper is accepted), `box` [x, y, width,
    height] in pixels of the upright picture, `digits`. A digit: `label` (`?` when rejected), `confidence`,
    `box`, `alternatives` [[label, confidence], …].

    A failure: `schema`, `source`, `error`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def page(self, frame: Frame, page: Page) -> None:
        """Write one object."""
        self._write({"source": frame.source, "page": frame.page, **page.as_dict()})

    def error(self, source: str, message: str) -> None:
        """Write one object."""
        self._write({"source": source, "error": message})

    def _write(self, values: dict[str, Any]) -> None:
        _write(self._stream, json.dumps({"schema": SCHEMA, **values}, ensure_ascii=False) + "\n")


class Csv:
    """Comma-separated values, one row per line of text, after a header (`COLUMNS`).

    `page` and `line` count from 0; `accepted` is `true` or `false`; the box is in pixels of the upright
    picture; `reasons` has blanks between them. A picture without digits and one that can't be read have no
    row.
    """

    COLUMNS = (
        "source",
        "page",
        "line",
        "text",
        "raw",
        "confidence",
        "accepted",
        "x",
        "y",
        "width",
        "height",
        "turned",
        "reasons",
    )

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._row(self.COLUMNS)

    def page(self, frame: Frame, page: Page) -> None:
        """Write a row for each line of the page."""
        for number, line in enumerate(page.lines):
            accepted = str(line.accepted).lower()
            confidence = round(line.confidence, 4)
            source = harmless(frame.source)
            read = line.text, line.raw, confidence, accepted
            self._row((source, frame.page, number, *read, *line.box, line.turned, " ".join(line.reasons)))

    def error(self, source: str, message: str) -> None:
        """Write nothing: a row is a line of text."""

    def _row(self, values: tuple[object, ...]) -> None:
        try:
            csv.writer(self._stream, lineterminator="\n").writerow(values)
        except (OSError, ValueError) as error:
            raise _failed(error) from error
        _write(self._stream, "")


class Table:
    """Aligned columns for people: source, text, confidence, whether it is accepted; one row per line.

    `width` is that of the source column in characters. Pages are counted from 1, as people do. A frame
    without digits has a row that says so; with `sparing`, for a camera, only the first one of a row of such
    frames has.
    """

    def __init__(self, stream: TextIO, width: int = 12, sparing: bool = False) -> None:
        self._stream = stream
        self._width = max(width, len("SOURCE"))
        self._sparing = sparing
        self._empty = False
        self._row("SOURCE", f"{'TEXT':<16}  CONFIDENCE  ACCEPTED")

    def page(self, frame: Frame, page: Page) -> None:
        """Write a row for each line of the page, or one that says that there is none."""
        name = frame.source if frame.page == 0 or self._sparing else f"{frame.source} page {frame.page + 1}"
        if not page.lines and not (self._sparing and self._empty):
            self._row(name, "(no digits)")
        for line in page.lines:
            self._row(name, self._columns(line))
        self._empty = not page.lines

    def error(self, source: str, message: str) -> None:
        """Write nothing: a person sees the message itself."""

    def _columns(self, line: Line) -> str:
        # Rounded down: 100 % is said of nothing that is less.
        percent = int(line.confidence * 1000) / 10
        return f"{line.raw:<16}  {percent:>8.1f} %  {_verdict(line.accepted, line.turned, line.reasons)}"

    def _row(self, source: str, rest: str) -> None:
        _write(self._stream, f"{printable(source):<{self._width}}  {rest}\n")


class EventLines:
    """One JSON object per line and event, in UTF-8 (see `Event.as_dict`)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def event(self, event: Event) -> None:
        """Write one object."""
        _write(self._stream, event.as_json() + "\n")


class EventTable:
    """Aligned columns for people: the time, text, confidence, whether it is accepted; one row per line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = False

    def begin(self) -> None:
        """Write the heading, once: when there are frames to read, for a source that can't be had has none."""
        if not self._begun:
            self._begun = True
            self._row("TIME", f"{'TEXT':<16}  CONFIDENCE  ACCEPTED")

    def event(self, event: Event) -> None:
        """Write a row for each line of the sheet."""
        self.begin()
        # People want their own time of day.
        stamp = datetime.fromisoformat(event.time).astimezone().strftime("%H:%M:%S")
        for line in event.body["lines"]:
            percent = int(line["confidence"] * 1000) / 10
            verdict = _verdict(line["accepted"], line.get("turned", 0), line.get("reasons", ()))
            self._row(stamp, f"{line['raw']:<16}  {percent:>8.1f} %  {verdict}")
            stamp = ""

    def _row(self, stamp: str, rest: str) -> None:
        _write(self._stream, f"{stamp:<8}  {rest}\n")


def _verdict(accepted: bool, turned: int, reasons: Sequence[Reason]) -> str:
    """Return whether a line is accepted, and the gravest reason why not, if that is not its confidence."""
    if accepted:
        return "yes"
    if turned:
        return f"no ({'upside down' if turned == 180 else 'on its side'}?)"
    told = [REASONS[reason] for reason in reasons if reason in REASONS and reason != "confidence"]
    return f"no ({told[0]})" if told else "no"


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError) as error:
        raise _failed(error) from error


def _failed(error: OSError | ValueError) -> OutputError | BrokenPipeError:
    if isinstance(error, BrokenPipeError):
        return error  # whoever read along has seen enough: not a fault
    reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return OutputError(f"standard output: can't write ({reason}); make room, or send it elsewhere")
