"""`watch:DIR`: a folder in which a scanner or a copy puts its files."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from edgedigits.capture import CaptureSettings, CaptureStatus
from edgedigits.errors import SourceAwayError
from edgedigits.frames import Frame, Stamp, Unread, find_pictures, read_pictures

log = logging.getLogger(__name__)


class Memory(Protocol):
    """What is known of files from earlier runs."""

    def pages_read(self, path: Path, stamp: Stamp) -> int | None:
        """Return how many pages of a file have been dealt with; None where it is all of them."""
        ...

    def file_read(self, path: Path, stamp: Stamp) -> None:
        """Note that a file has been dealt with."""
        ...


class WatchedFolder:
    """The pictures in a folder, and those that come to it, each once; a changed file is a new one.

    A file is read when it has not grown between two looks, so that one still being written is left alone.
    `memory` outlasts the run: what it knows is not read again.

    Raises `SourceAwayError` where the folder is not there.
    """

    stills = True
    look_seconds = 0.5

    def __init__(
        self,
        name: str,
        folder: str,
        every: float,
        stop: threading.Event,
        settings: CaptureSettings = CaptureSettings(),
        memory: Memory | None = None,
    ) -> None:
        self.status = CaptureStatus()
        self._name, self._folder = name, Path(folder or ".").absolute()
        self._shown = Path(folder or ".")
        self._every, self._stop, self._memory = every, stop, memory
        self._done: dict[Path, Stamp] = {}
        self._seen: dict[Path, Stamp] = {}
        if not self._folder.is_dir():
            raise SourceAwayError(self._missing())

    def _missing(self) -> str:
        what = "it is no folder" if self._folder.exists() else "no such folder"
        return f"{self._name}: {what}; give watch:DIR with a folder that scans are put into"

    def __iter__(self) -> Iterator[Frame]:
        """Yield each page of each file; goes on until it is stopped."""
        number = 0
        while not self._stop.is_set():
            for path in self._ready():
                stamp = self._seen[path]
                known = self._memory.pages_read(path, stamp) if self._memory else 0
                for frame in () if known is None else read_pictures(path, str(self._shown / path.name)):
                    if self._stop.is_set():
                        return
                    self.status.heard = time.monotonic()
                    if isinstance(frame, Unread):
                        log.error("%s", frame.error)
                        continue
                    if known is not None and frame.page < known:
                        continue
                    self.status.frames += 1
                    yield dataclasses.replace(frame, at=float(number), stamp=stamp)
                    number += 1
                    self._stop.wait(self._every)
                self._done[path] = stamp
                if self._memory and known is not None:
                    self._memory.file_read(path, stamp)
            self._stop.wait(self.look_seconds)

    def _ready(self) -> list[Path]:
        """Return the files that are new or changed, and whole."""
        if not self._folder.is_dir():
            # As where a share is away; what was in it has been read all the same when it is back.
            self._say(self._missing())
            return []
        found = {}
        try:
            # An empty folder is an ordinary one here; the files come in the order of a person.
            for path in find_pictures([self._folder]):
                if isinstance(path, Path):
                    state = path.stat()
                    found[path] = state.st_mtime_ns, state.st_size
        except OSError:
            return []  # a file went while we looked; the next look is soon
        self._say("")
        self.status.heard = time.monotonic()
        ready = [
            path
            for path, stamp in found.items()
            if self._seen.get(path) == stamp and self._done.get(path) != stamp
        ]
        self._seen = found
        # What is gone may come again under its old name.
        self._done = {path: stamp for path, stamp in self._done.items() if path in found}
        return ready

    def _say(self, message: str) -> None:
        if message and not self.status.message:
            log.warning("%s", message)
        self.status.state = "reconnecting" if message else "reading"
        self.status.message = message

    def close(self) -> bool:
        """Nothing is held."""
        return True
