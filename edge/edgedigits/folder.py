"""`watch:DIR`: a folder in which a scanner or a copy puts its files."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from edgedigits.capture import CaptureSettings, CaptureStatus
from edgedigits.errors import SourceError
from edgedigits.frames import Frame, Unread, find_pictures, read_pictures

log = logging.getLogger(__name__)

Stamp = tuple[int, int]
"""Time of the last change in nanoseconds, size in bytes."""


class WatchedFolder:
    """The pictures in a folder, and those that come to it, each once; a changed file is a new one.

    A file is read when it has not grown between two looks, so that one still being written is left alone.
    `done` tells of files read in an earlier run, `finished` is called with the name of each when its last
    page has been dealt with.

    Raises `SourceError` where the folder is not there.
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
    ) -> None:
        self.status = CaptureStatus()
        self._name, self._folder = name, Path(folder or ".")
        self._every, self._stop = every, stop
        self._done: dict[Path, Stamp] = {}
        self._seen: dict[Path, Stamp] = {}
        if not self._folder.is_dir():
            what = "it is no folder" if self._folder.exists() else "no such folder"
            raise SourceError(f"{name}: {what}; give watch:DIR with a folder that scans are put into")

    def __iter__(self) -> Iterator[Frame]:
        """Yield each page of each file; goes on until it is stopped."""
        number = 0
        while not self._stop.is_set():
            self.status.state, self.status.heard = "reading", time.monotonic()
            for path in self._ready():
                for frame in read_pictures(path):
                    if self._stop.is_set():
                        return
                    self.status.heard = time.monotonic()
                    if isinstance(frame, Unread):
                        log.error("%s", frame.error)
                        continue
                    self.status.frames += 1
                    yield Frame(frame.image, frame.source, frame.page, frame.size, float(number))
                    number += 1
                    self._stop.wait(self._every)
                self._done[path] = self._seen[path]
            self._stop.wait(self.look_seconds)

    def _ready(self) -> list[Path]:
        """Return the files that are new or changed, and whole."""
        found = {}
        try:
            # An empty folder is an ordinary one here; the files come in the order of a person.
            for path in find_pictures([self._folder]):
                if isinstance(path, Path):
                    state = path.stat()
                    found[path] = state.st_mtime_ns, state.st_size
        except OSError:
            return []  # a file went while we looked; the next look is soon
        ready = [
            path
            for path, stamp in found.items()
            if self._seen.get(path) == stamp and self._done.get(path) != stamp
        ]
        self._seen = found
        # What is gone may come again under its old name.
        self._done = {path: stamp for path, stamp in self._done.items() if path in found}
        return ready

    def close(self) -> bool:
        """Nothing is held."""
        return True
