"""`watch:DIR`: a folder in which a scanner or a copy puts its files."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgedigits.errors import SourceAwayError
from edgedigits.event import encodable
from edgedigits.frames.capture import CaptureSettings, CaptureStatus
from edgedigits.frames.stills import Frame, Stamp, Unread, pictures_in, read_pictures

log = logging.getLogger(__name__)


class Memory(Protocol):
    """What is known of files from earlier runs."""

    def pages_read(self, path: Path, stamp: Stamp) -> int | None:
        """Return how many pages of a file have been dealt with; None where it is all of them."""
        ...

    def file_begun(self, path: Path, stamp: Stamp) -> int:
        """Note that a file is going to be read; returns how often the program ended in that before."""
        ...

    def file_left(self) -> None:
        """Note that no file is being read."""
        ...

    def file_read(self, path: Path, stamp: Stamp) -> None:
        """Note that a file has been dealt with."""
        ...


State = tuple[int, int, int]
"""A file's stamp, and when its content, owner or mode was changed last, in nanoseconds."""


def _state_of(path: Path) -> State:
    found = path.stat()
    # Who is let in, or let out, changes the last of these and no other.
    return found.st_mtime_ns, found.st_size, found.st_ctime_ns


@dataclass
class _Trouble:
    """A file that could not be read, or not to its end, for a reason that may pass."""

    state: State
    pages: int
    """So many have been dealt with."""
    tries: int = 0
    due: float = 0.0


class WatchedFolder:
    """The pictures in a folder, and those that come to it, each once; a changed file is a new one.

    A file is read when it has not grown between two looks, so that one still being written is left alone.
    One that the system won't open or hand out is tried again after pauses that double, `most_tries` times in
    all, and anew when its content, owner or mode changes. `memory` outlasts the run: what it knows is not
    read again, and a file in which the program ended `most_starts` times, as by a crash, is put aside.

    Raises `SourceAwayError` where the folder is not there.
    """

    stills = True
    look_seconds = 0.5
    retry_seconds = 1.0
    most_tries = 10
    most_starts = 3

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
        self._seen: dict[Path, State] = {}
        self._troubles: dict[Path, _Trouble] = {}
        self._passed_over: set[Path] = set()
        self._list()

    def _list(self) -> list[Path]:
        """Return the pictures in the folder; raises `SourceAwayError` where they can't be had."""
        try:
            if self._folder.is_dir():
                return pictures_in(self._folder)
            what = "it is no folder" if self._folder.exists() else "no such folder"
        except OSError as error:
            raise SourceAwayError(
                f"{self._name}: can't list the folder ({error.strerror}); check its permissions"
            ) from error
        raise SourceAwayError(f"{self._name}: {what}; give watch:DIR with a folder that scans are put into")

    def __iter__(self) -> Iterator[Frame]:
        """Yield each page of each file; goes on until it is stopped."""
        count = itertools.count()
        while not self._stop.is_set():
            for path in self._ready():
                if self._stop.is_set():
                    return
                if not self._is_as_seen(path):
                    continue  # it changed while others were read; it is read once it rests again
                yield from self._pages(path, count)
            self._stop.wait(self.look_seconds)

    def _pages(self, path: Path, count: Iterator[int]) -> Iterator[Frame]:
        """Yield the pages of a file that have not been dealt with."""
        stamp = self._seen[path][:2]
        shown = encodable(str(self._shown / path.name))
        known = 0 if self._memory is None else self._memory.pages_read(path, stamp)
        if known is not None and self._memory is not None:
            starts = self._memory.file_begun(path, stamp)
            if starts >= self.most_starts:
                why = f"edgedigits ended {starts} times while it read this file"
                log.error("%s: %s; put aside until it changes, report it", shown, why)
                self._done[path] = stamp
                self._memory.file_read(path, stamp)
                return
        trouble = self._troubles.get(path)
        pages = max(known or 0, trouble.pages if trouble else 0)
        try:
            for frame in () if known is None else read_pictures(path, shown):
                if self._stop.is_set():
                    return
                self.status.heard = time.monotonic()
                if isinstance(frame, Unread):
                    if not frame.passing:
                        log.error("%s", frame.error)
                    elif self._is_tried_again(path, frame, pages):
                        return
                    continue
                if frame.page < pages:
                    continue
                self.status.frames += 1
                yield dataclasses.replace(frame, at=float(next(count)), stamp=stamp)
                pages = frame.page + 1
                self._stop.wait(self._every)
            if self._is_put_aside(path):
                return  # the next run tries it again
            self._troubles.pop(path, None)
            self._done[path] = stamp
            if self._memory is not None and known is not None:
                self._memory.file_read(path, stamp)
        finally:
            if known is not None and self._memory is not None and self._done.get(path) != stamp:
                self._memory.file_left()

    def _is_as_seen(self, path: Path) -> bool:
        try:
            return _state_of(path) == self._seen[path]
        except OSError:
            return False

    def _is_tried_again(self, path: Path, unread: Unread, pages: int) -> bool:
        """Return whether a file whose trouble may pass is left for later; else it is put aside.

        `pages` of it have been dealt with.
        """
        trouble = self._troubles.setdefault(path, _Trouble(self._seen[path], pages))
        trouble.pages = pages
        trouble.tries += 1
        if trouble.tries >= self.most_tries:
            log.error("%s (tried %d times; put aside until it changes)", unread.error, self.most_tries)
            return False
        if trouble.tries == 1:
            log.warning("%s (it is tried again)", unread.error)
        trouble.due = time.monotonic() + self.retry_seconds * 2 ** (trouble.tries - 1)
        return True

    def _is_put_aside(self, path: Path) -> bool:
        return path in self._troubles and self._troubles[path].tries >= self.most_tries

    def _ready(self) -> list[Path]:
        """Return the files that are new or changed, and whole."""
        try:
            # An empty folder is an ordinary one here; the files come in the order of a person.
            listed = self._list()
        except SourceAwayError as error:
            # As where a share is away; what was in it has been read all the same when it is back.
            self._say(str(error))
            return []
        found: dict[Path, State] = {}
        for path in listed:
            try:
                found[path] = _state_of(path)
            except OSError as error:
                self._pass_over(path, error)
        self._say("")
        self.status.heard = time.monotonic()
        self._forget(set(listed), found)
        ready = [path for path, state in found.items() if self._is_ready(path, state)]
        self._seen = found
        return ready

    def _is_ready(self, path: Path, state: State) -> bool:
        if self._seen.get(path) != state or self._done.get(path) == state[:2]:
            return False
        trouble = self._troubles.get(path)
        return trouble is None or (not self._is_put_aside(path) and time.monotonic() >= trouble.due)

    def _pass_over(self, path: Path, error: OSError) -> None:
        """Do without a file that can't be looked at, and say so once."""
        # One that went while we looked is no trouble.
        if path in self._passed_over or not os.path.lexists(path):
            return
        self._passed_over.add(path)
        why = "a link to nothing" if isinstance(error, FileNotFoundError) else error.strerror
        log.warning("%s: passed over (%s); mend it or take it away", self._shown / path.name, why)

    def _forget(self, there: set[Path], found: dict[Path, State]) -> None:
        """Forget what was known of files that are gone: they may come again under their old names."""
        self._done = {path: stamp for path, stamp in self._done.items() if path in there}
        self._passed_over &= there - found.keys()
        troubles = {path: trouble for path, trouble in self._troubles.items() if path in there}
        for path, trouble in troubles.items():
            state = found.get(path, trouble.state)
            if state != trouble.state:
                # Somebody has mended it, or it is another one.
                same = state[:2] == trouble.state[:2]
                troubles[path] = _Trouble(state, trouble.pages if same else 0)
        self._troubles = troubles

    def _say(self, message: str) -> None:
        if message and not self.status.message:
            log.warning("%s", message)
        self.status.state = "reconnecting" if message else "reading"
        self.status.message = message

    def close(self) -> bool:
        """Nothing is held."""
        return True
