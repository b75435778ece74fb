"""Where events go: one protocol, and the two outputs that are files.

A sink takes events in order and says how many it has for good. What it has not is offered again, so that
it may come twice, always with the same id; it never comes in another order the first time.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from edgedigits.errors import EdgeDigitsError, OutputError
from edgedigits.event import SCHEMA, Event, encodable, harmless


class DeliveryError(EdgeDigitsError):
    """Events could not be delivered now.

    `taken` events, the first of those offered, were. With `refused` the receiver will never take the next
    one, so that it is put aside for the others to get through.
    """

    def __init__(self, message: str, taken: int = 0, refused: bool = False) -> None:
        super().__init__(message)
        self.taken, self.refused = taken, refused


class Sink(Protocol):
    """An output for events; used by one thread."""

    name: str
    """What it is called in the journal and in messages; without passwords."""
    most: int
    """So many events are offered at once."""

    def deliver(self, events: Sequence[Event]) -> None:
        """Take events, oldest first, for good; raises `DeliveryError` where not all can be taken."""
        ...

    def idle(self) -> None:
        """Do what is to be done while there is nothing to deliver, such as staying connected."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class _File:
    """A file that grows by whole lines, synced before they count as delivered."""

    most = 200

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = encodable(str(self.path.absolute()))
        self._file: IO[bytes] | None = None
        try:
            self._open().close()
        except OSError as error:
            raise OutputError(
                f"{self.path}: can't write ({error.strerror}); choose a folder that exists and is writable"
            ) from error

    _beginning: bytes
    """How such a file begins; one that begins otherwise is somebody else's."""

    def _is_torn(self, line: bytes) -> bool:
        """Return whether a last line without its newline is one of ours, broken off anywhere."""
        raise NotImplementedError

    def _open(self) -> IO[bytes]:
        """Open the file at its end; a line that a power cut tore is taken off, it will come again.

        Raises `OutputError`, and changes nothing, where it holds anything else.
        """
        # Without a buffer: what could not be written must not be tried again behind our back, in `close`.
        file = self.path.open("a+b", buffering=0)
        try:
            end = file.seek(0, os.SEEK_END)
            whole = self._whole(file, end) if end else 0
            if whole < end:
                os.ftruncate(file.fileno(), whole)
        except BaseException:
            file.close()
            raise
        return file

    def _whole(self, file: IO[bytes], end: int) -> int:
        """Return how many bytes of a file are whole lines; raises `OutputError` where it is none of ours."""
        file.seek(0)
        head = file.read(len(self._beginning))
        if head != self._beginning:
            if len(head) == end and self._beginning.startswith(head):
                return 0  # the very first write was torn
            raise OutputError(f"{self.path}: it is another kind of file; choose another name")
        back = min(end, 1 << 20)
        file.seek(end - back)
        _, newline, torn = file.read(back).rpartition(b"\n")
        if torn and not ((newline or back == end) and self._is_torn(torn)):
            raise OutputError(
                f"{self.path}: its last line (at byte {end - len(torn)}) is none of ours; choose another name"
            )
        return end - len(torn)

    def deliver(self, events: Sequence[Event]) -> None:
        """Append them and sync; what can't be written whole is taken back."""
        try:
            if self._file is not None and not self._is_in_place(self._file):
                self.close()
            if self._file is None:
                self._file = self._open()
            size = self._file.seek(0, os.SEEK_END)
            try:
                left = memoryview(self._lines(events, size == 0).encode("utf-8", "backslashreplace"))
                while left:
                    left = left[self._file.write(left) :]
                os.fsync(self._file.fileno())
            except OSError:
                # Half a line must not stay where the next would continue it.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file.fileno(), size)
                raise
        except OutputError as error:
            raise DeliveryError(str(error)) from error
        except OSError as error:
            self.close()
            reason = error.strerror or str(error)
            raise DeliveryError(f"{self.path}: can't write ({reason}); make room on the disk") from error

    def _is_in_place(self, file: IO[bytes]) -> bool:
        """Return whether a file is still the one of its name, which was not rotated or deleted meanwhile."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def _lines(self, events: Sequence[Event], first: bool) -> str:
        raise NotImplementedError

    def idle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


_OBJECT = f'{{"schema": {SCHEMA}, "event": "'.encode()
"""How an event's JSON object begins."""


class JsonLinesFile(_File):
    """A file to which each event is appended as a JSON object in a line of its own, in UTF-8."""

    _beginning = b'{"schema": '

    def _is_torn(self, line: bytes) -> bool:
        return line.startswith(_OBJECT) or _OBJECT.startswith(line)

    def _lines(self, events: Sequence[Event], first: bool) -> str:
        return "".join(event.as_json() + "\n" for event in events)


_ROW = re.compile(rb"[0-9a-f]{1,12}\Z|[0-9a-f]{12}-")
"""How a row begins, or all that is there of it: with an event's id, and that with the journal's name."""


class CsvFile(_File):
    """A file to which each event is appended as comma-separated rows, one for each line of text.

    Columns: `COLUMNS`. An event `dropped` is a row without text whose `event` says so.
    """

    COLUMNS = (
        "id",
        "sequence",
        "time",
        "source",
        "event",
        "line",
        "text",
        "raw",
        "confidence",
        "accepted",
        "frames",
    )
    _beginning = ",".join(COLUMNS).encode() + b"\n"

    def _is_torn(self, line: bytes) -> bool:
        return _ROW.match(line) is not None

    def _lines(self, events: Sequence[Event], first: bool) -> str:
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        if first:
            rows.writerow(self.COLUMNS)
        for event in events:
            kind = event.body.get("event", "reading")
            head = event.id, event.sequence, event.time, harmless(event.source), kind
            for number, line in enumerate(event.body.get("lines", [{}])):
                accepted = str(line["accepted"]).lower() if line else ""
                values = (line.get("text", ""), line.get("raw", ""), line.get("confidence", ""), accepted)
                rows.writerow((*head, number, *values, event.body.get("frames", "")))
        return table.getvalue()
