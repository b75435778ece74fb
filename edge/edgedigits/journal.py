"""The journal: every event is on the disk before it is sent anywhere.

An SQLite file in write-ahead mode that is synced with each event, so that neither SIGKILL nor a power cut
takes one that was reported. Each output has a cursor, the last event it has confirmed; what lies behind
the cursor is still to be delivered, in order, until it succeeds. The journal is bounded: the oldest events
go when there are too many, and where one goes that an output did not have yet, that is counted, and told
to that output in place of the events.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from edgedigits.errors import OutputError
from edgedigits.event import Event, encodable
from edgedigits.files import make_folder
from edgedigits.frames import Stamp

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, time TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE outputs (
    name TEXT PRIMARY KEY, cursor INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0
);
PRAGMA user_version = 1;
"""

_FILES = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, changed INTEGER NOT NULL, size INTEGER NOT NULL, pages INTEGER
)
"""
"""Files of watched folders: how many pages have been dealt with, NULL where it is all of them."""

_STARTS = """
CREATE TABLE IF NOT EXISTS starts (
    path TEXT PRIMARY KEY, changed INTEGER NOT NULL, size INTEGER NOT NULL, count INTEGER NOT NULL
)
"""
"""The file that is being read, and how often that was begun and not ended: by a crash, or the watchdog."""

_MOST_FILES = 1_000_000


@dataclass(frozen=True)
class JournalSettings:
    """How much is kept."""

    path: str = ""
    """File of the journal; empty: in the state folder, as `edgedigits doctor` says."""
    most_events: int = 100_000
    """The oldest event goes when there are more. Events, 1…10,000,000."""
    most_megabytes: float = 200.0
    """… or when the file is larger. Megabytes, 1…100,000."""


@dataclass(frozen=True)
class Backlog:
    """How an output stands: the event it confirmed last, and counts since the journal began."""

    cursor: int
    waiting: int
    delivered: int
    dropped: int
    refused: int


def default_path() -> Path:
    """Return where the journal is if nobody says: a service's state folder, else the user's."""
    for variable, below in (("STATE_DIRECTORY", ""), ("XDG_STATE_HOME", "edgedigits")):
        # systemd gives several state folders with colons between them.
        folder = os.environ.get(variable, "").split(":")[0]
        if folder:
            return Path(folder, below, "journal.sqlite")
    return Path.home() / ".local" / "state" / "edgedigits" / "journal.sqlite"


class Journal:
    """Events in order, and how far each output has come; safe to use from any thread.

    `path` None keeps it in memory, for one run, and much less of it (`most_without_file`). A file that is
    damaged is moved aside, reported (`moved_aside` names it) and begun anew. While the disk is full or can't
    be written, up to `most_in_memory` events wait in memory and are written as soon as that is possible
    (`fault` says why).

    Raises `OutputError` where the file can't be made or another process has it.
    """

    most_in_memory = 10_000
    most_without_file = JournalSettings(most_events=1_000, most_megabytes=16.0)

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        settings: JournalSettings = JournalSettings(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.moved_aside: Path | None = None
        self.fault = ""
        self.lost = 0
        """Events that could be kept neither on the disk nor in memory."""
        if path is None:
            # Nothing is delivered from it, and a small board has no room for days of what was read.
            settings = JournalSettings(
                most_events=min(settings.most_events, self.most_without_file.most_events),
                most_megabytes=min(settings.most_megabytes, self.most_without_file.most_megabytes),
            )
        self._settings, self._clock = settings, clock
        self._change = threading.Condition(threading.RLock())
        self._pending: list[tuple[str, str, dict[str, Any]]] = []
        self._read: dict[Path, tuple[Stamp, int | None]] = {}
        self._appended = 0
        self._unreadable = ""
        self._outputs: set[str] = set()
        self._lock_file: IO[bytes] | None = None
        self._is_new = False
        """Whether no journal has been kept here before: what lies here is somebody else's then."""
        if self.path is not None:
            make_folder(self.path.parent)
            self._is_new = not _lock_beside(self.path).exists()
            self._lock_file = _locked(self.path)
        try:
            self._database = self._open()
        except BaseException:
            if self._is_new and self.path is not None:
                with contextlib.suppress(OSError):
                    _lock_beside(self.path).unlink()
            self._unlock()
            raise
        self._is_new = False

    # --- writing ---

    def append(
        self, source: str, body: Mapping[str, Any], file: tuple[Path, Stamp, int] | None = None
    ) -> list[Event]:
        """Keep an event; returns all that are on the disk now and were not before, oldest first.

        The last is this one, and before it come those that had to wait in memory. It is [] while the journal
        can't be written (it is tried again).

        `file` says which file with which stamp it comes from, and how many of its pages are dealt with
        thereby. Both are written at once, or neither.
        """
        with self._change:
            if file is not None:
                self._read[file[0]] = file[1:]
            stamp = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
            self._pending.append((encodable(source), stamp.replace("+00:00", "Z"), dict(body)))
            if len(self._pending) > self.most_in_memory:
                del self._pending[0]
                self.lost += 1
                if self.lost % 1000 == 1:
                    log.error(
                        "%s: %d events wait in memory for room on the disk; the oldest are lost (%d by now)",
                        self.path,
                        self.most_in_memory,
                        self.lost,
                    )
            return self.flush()

    def flush(self) -> list[Event]:
        """Write what waits in memory; returns it as far as it is on the disk now."""
        with self._change:
            if not (self._pending or self._read or self.fault):
                return []
            try:
                events = self._guarded(self._write_pending)
            except OutputError as error:
                self._note(str(error))
                return []
            try:
                self._guarded(self._prune_if_due)
            except OutputError as error:
                # The events are written all the same, and whoever reads along is to be told of them.
                self._note(str(error))
            else:
                self._note("")
            self._change.notify_all()
            return events

    def _note(self, fault: str) -> None:
        """Note what keeps the journal from being written, "" if nothing does; say so when that changes."""
        if fault and not self.fault:
            log.error("%s", fault)
        elif self.fault and not fault:
            log.info("%s: can be written again", self.path)
        self.fault = fault

    def _write_pending(self) -> list[Event]:
        events = []
        with self._database:
            last = self._last()
            for sequence, (source, stamp, body) in enumerate(self._pending, last + 1):
                event = Event(sequence, f"{self._name}-{sequence}", source, stamp, body)
                self._database.execute(
                    "INSERT INTO events (sequence, id, source, time, body) VALUES (?, ?, ?, ?, ?)",
                    (sequence, event.id, source, stamp, json.dumps(body, ensure_ascii=False)),
                )
                events.append(event)
            for path, ((changed, size), pages) in self._read.items():
                self._database.execute("DELETE FROM starts WHERE path = ?", (encodable(str(path)),))
                self._database.execute(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
                    (encodable(str(path)), changed, size, pages),
                )
        self._pending.clear()
        self._read.clear()
        self._appended += len(events)
        return events

    def _prune_if_due(self) -> None:
        # Not for every event: looking at the size costs more than the event itself.
        if self._appended >= 100 or self._count > self._settings.most_events:
            self._prune()
            self._appended = 0

    def _prune(self) -> None:
        """Drop the oldest events beyond the bounds, and count them for the outputs that lack them."""
        last = self._one("SELECT coalesce(max(sequence), 0) FROM events")
        first = self._one("SELECT coalesce(min(sequence), 1) FROM events")
        keep_from = first
        if last - first + 1 > self._settings.most_events:
            # A twentieth more than need be, so that this is not done again for the next one.
            keep_from = last - round(0.95 * self._settings.most_events) + 1
        pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        size = pages * self._one("PRAGMA page_size") / 1e6
        if size > self._settings.most_megabytes:
            share = 1.05 - self._settings.most_megabytes / size
            keep_from = max(keep_from, min(last, first + round(share * (last - first + 1))))
        self._execute("DELETE FROM files WHERE rowid <= (SELECT max(rowid) FROM files) - ?", (_MOST_FILES,))
        if keep_from <= first:
            return
        with self._database:
            for name, cursor in self._database.execute("SELECT name, cursor FROM outputs").fetchall():
                lacking = max(0, keep_from - 1 - max(cursor, first - 1))
                if lacking:
                    self._database.execute(
                        "UPDATE outputs SET dropped = dropped + ? WHERE name = ?", (lacking, name)
                    )
                    log.warning(
                        "%s: the journal is full; %d events dropped that %s did not have yet",
                        self.path,
                        lacking,
                        name,
                    )
            self._database.execute("DELETE FROM events WHERE sequence < ?", (keep_from,))

    def pages_read(self, path: Path, stamp: Stamp) -> int | None:
        """Return how many pages of a file have been dealt with in this or earlier runs; None for all."""
        with self._change:
            query = "SELECT pages FROM files WHERE path = ? AND changed = ? AND size = ?"
            values = encodable(str(path)), *stamp
            row = self._guarded(lambda: self._database.execute(query, values).fetchone())
            return 0 if row is None else row[0]

    def file_begun(self, path: Path, stamp: Stamp) -> int:
        """Note that a file is going to be read; returns how often the program ended in that before."""

        def write() -> int:
            values = encodable(str(path)), *stamp
            query = "SELECT count FROM starts WHERE path = ? AND changed = ? AND size = ?"
            count = self._one(query, values)
            with self._database:
                self._database.execute("DELETE FROM starts")
                self._database.execute("INSERT INTO starts VALUES (?, ?, ?, ?)", (*values, count + 1))
            return count

        with self._change:
            try:
                return int(self._guarded(write))
            except OutputError:
                return 0  # no room on the disk, of which is told where an event can't be written

    def file_left(self) -> None:
        """Note that no file is being read: the program goes on, or ends in good order."""
        with self._change, contextlib.suppress(OutputError):
            self._guarded(lambda: self._execute("DELETE FROM starts"))

    def file_read(self, path: Path, stamp: Stamp) -> None:
        """Note that all of a file has been dealt with; like an event, once the journal can be written."""
        with self._change:
            self._read[path] = stamp, None
        self.flush()

    # --- delivering ---

    def register(self, output: str) -> None:
        """Have a cursor for an output; one that is new gets the events from now on."""
        with self._change:
            self._outputs.add(output)
            last = self._guarded(self._last)
            self._guarded(
                lambda: self._execute(
                    "INSERT OR IGNORE INTO outputs (name, cursor) VALUES (?, ?)", (output, last)
                )
            )

    def wait(self, output: str, most: int, timeout: float) -> list[Event]:
        """Return the next events for an output, oldest first, at most so many; [] if none comes in time.

        Where events were dropped before this output had them, an event `dropped` comes in their place.
        """
        with self._change:
            events = self._next(output, most)
            if not events and timeout > 0:
                self._change.wait(timeout)
                events = self._next(output, most)
            return events

    def _next(self, output: str, most: int) -> list[Event]:
        def read() -> list[Event]:
            cursor = self._one("SELECT cursor FROM outputs WHERE name = ?", (output,))
            events = self._events("sequence > ? ORDER BY sequence", cursor, most)
            if events and events[0].sequence > cursor + 1:
                first, last = cursor + 1, events[0].sequence - 1
                body = {"event": "dropped", "count": last - cursor, "first": first, "last": last}
                gap = Event(last, f"{self._name}-{first}-{last}", events[0].source, events[0].time, body)
                events = [gap, *events[: most - 1]]
            return events

        try:
            events = self._guarded(read)
        except OutputError as error:
            # It is tried again in a moment, and again: once is enough.
            if str(error) != self._unreadable:
                log.error("%s", error)
            self._unreadable = str(error)
            return []
        self._unreadable = ""
        return list(events)

    def confirm(self, output: str, events: Sequence[Event], refused: int = 0) -> None:
        """Note that an output has these events, the next ones; `refused` of them it will never take."""
        if not events:
            return
        real = sum(event.body.get("event") != "dropped" for event in events)

        def write() -> None:
            self._execute(
                "UPDATE outputs SET cursor = max(cursor, ?), delivered = delivered + ?, "
                "refused = refused + ? WHERE name = ?",
                (events[-1].sequence, real - refused, refused, output),
            )

        with self._change:
            try:
                self._guarded(write)
            except OutputError as error:
                # They will come once more: at least once is what is promised.
                log.error("%s", error)

    def backlog(self, output: str) -> Backlog:
        """Return how an output stands."""
        with self._change:
            try:
                return self._guarded(lambda: self._backlog(output))
            except OutputError:
                return Backlog(0, 0, 0, 0, 0)

    def _backlog(self, output: str) -> Backlog:
        row = self._database.execute(
            "SELECT cursor, delivered, dropped, refused FROM outputs WHERE name = ?", (output,)
        ).fetchone()
        if row is None:
            return Backlog(0, 0, 0, 0, 0)
        first = self._one("SELECT coalesce(min(sequence), 1) FROM events")
        waiting = max(0, self._last() - max(row[0], first - 1))
        return Backlog(row[0], waiting, *row[1:])

    # --- looking back ---

    def recent(self, limit: int = 100, before: int | None = None) -> list[Event]:
        """Return up to `limit` events, newest first; `before` a sequence number, to page backwards."""
        with self._change:
            end = 2**62 if before is None else before
            found: list[Event] = self._guarded(
                lambda: self._events("sequence < ? ORDER BY sequence DESC", end, limit)
            )
            return found

    def since(self, sequence: int, limit: int = 100) -> list[Event]:
        """Return up to `limit` events with a number above `sequence`, oldest first."""
        with self._change:
            found: list[Event] = self._guarded(
                lambda: self._events("sequence > ? ORDER BY sequence", sequence, limit)
            )
            return found

    def _events(self, which: str, sequence: int, limit: int) -> list[Event]:
        """Return up to `limit` events; to be `_guarded` as a whole, for a body may be damaged, too."""
        query = f"SELECT sequence, id, source, time, body FROM events WHERE {which} LIMIT ?"
        return [_event(row) for row in self._database.execute(query, (sequence, limit))]

    def __len__(self) -> int:
        with self._change:
            return self._count

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        with self._change, contextlib.suppress(sqlite3.Error):
            self.flush()
            self._database.close()
        self._unlock()

    # --- the file ---

    @property
    def _count(self) -> int:
        return self._one("SELECT coalesce(max(sequence) - min(sequence) + 1, 0) FROM events")

    def _last(self) -> int:
        """Return the last sequence number ever given."""
        return self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'")

    def _one(self, query: str, values: Sequence[object] = ()) -> int:
        row = self._database.execute(query, values).fetchone()
        return int(row[0]) if row else 0

    def _execute(self, query: str, values: Sequence[object] = ()) -> None:
        with self._database:
            self._database.execute(query, values)

    def _open(self) -> sqlite3.Connection:
        if self.path is None:
            return self._connect(":memory:")
        try:
            return self._connect(str(self.path))
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise self._failed(error) from error
            if self._is_new:
                raise OutputError(
                    f"{self.path}: it is no journal, or a damaged one from elsewhere; choose another place "
                    "with --journal FILE"
                ) from error
            self._move_aside(error)
        try:
            return self._connect(str(self.path))
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _connect(self, address: str) -> sqlite3.Connection:
        database = sqlite3.connect(address, check_same_thread=False, timeout=5.0)
        try:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, 1):
                raise sqlite3.DatabaseError(f"malformed: version {version}")
            if version == 0 and database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise sqlite3.DatabaseError("malformed: the tables of something else")
            database.execute("PRAGMA journal_mode = WAL")
            # The event is on the disk when `append` returns, power cut or not.
            database.execute("PRAGMA synchronous = FULL")
            if version == 0:
                database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(f"malformed: {found}")
            with database:
                database.execute(_FILES)
                database.execute(_STARTS)
                database.execute("INSERT OR IGNORE INTO meta VALUES ('name', ?)", (uuid.uuid4().hex[:12],))
            self._name = str(database.execute("SELECT value FROM meta WHERE key = 'name'").fetchone()[0])
            database.execute("SELECT sequence, id, source, time, body FROM events LIMIT 1").fetchone()
            database.execute("SELECT name, cursor, delivered, dropped, refused FROM outputs").fetchall()
        except BaseException:
            database.close()
            raise
        return database

    def _guarded(self, do: Callable[[], Any]) -> Any:
        """Do something with the database; a damaged one is moved aside and the same tried on a new one."""
        try:
            return do()
        except (sqlite3.Error, ValueError) as error:
            if self.path is None or not _is_damage(error):
                raise self._failed(error) from error
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._move_aside(error)
            self._database = self._open()
            for name in self._outputs:
                self._execute("INSERT OR IGNORE INTO outputs (name, cursor) VALUES (?, 0)", (name,))
        try:
            return do()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _move_aside(self, error: Exception) -> None:
        assert self.path is not None
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        try:
            for suffix in ("-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")  # noqa: PTH105
            os.replace(self.path, aside)  # noqa: PTH105
        except OSError as reason:
            raise OutputError(
                f"{self.path}: the journal is damaged and can't be moved aside ({reason.strerror}); "
                "check the folder's permissions"
            ) from reason
        self.moved_aside = aside
        log.error("%s: the journal is damaged (%s); moved to %s, a new one is begun", self.path, error, aside)

    def _failed(self, error: Exception) -> OutputError:
        reason = " ".join(str(error).split())
        return OutputError(
            f"{self.path or 'journal'}: the journal can't be written ({reason}); make room on the disk, or "
            "choose a writable place with --journal FILE"
        )

    def _unlock(self) -> None:
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


def _event(row: tuple[int, str, str, str, str]) -> Event:
    sequence, name, source, stamp, body = row
    return Event(sequence, name, source, stamp, json.loads(body))


def _is_damage(error: Exception) -> bool:
    if isinstance(error, json.JSONDecodeError):
        return True  # a body that is no JSON any more
    text = str(error).lower()
    return isinstance(error, sqlite3.Error) and any(word in text for word in _SIGNS_OF_DAMAGE)


_SIGNS_OF_DAMAGE = ("malformed", "not a database", "no such table", "no such column", "could not decode")


def _lock_beside(path: Path) -> Path:
    """Return the file whose lock tells that a journal is in use."""
    return path.parent / f"{path.name}.lock"


def _locked(path: Path) -> IO[bytes]:
    """Take the lock beside a journal, which the system lets go of however the process ends."""
    try:
        file = _lock_beside(path).open("ab")
    except OSError as error:
        raise OutputError(
            f"{path}: the journal can't be written ({error.strerror}); choose another place with "
            "--journal FILE"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise OutputError(
            f"{path}: another edgedigits is writing this journal; stop it, or give this one its own with "
            "--journal FILE"
        ) from error
    return file


@contextlib.contextmanager
def opened(
    path: str | os.PathLike[str] | None, settings: JournalSettings = JournalSettings()
) -> Iterator[Journal]:
    """Open a journal and close it in the end."""
    journal = Journal(path, settings)
    try:
        yield journal
    finally:
        journal.close()
