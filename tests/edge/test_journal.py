"""What is in the journal stays there, in order, whatever happens to the process or the disk."""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgedigits.errors import OutputError
from edgedigits.event import Event
from edgedigits.journal import Journal, JournalSettings, default_path


def fill(journal: Journal, count: int, start: int = 0) -> None:
    for k in range(start, start + count):
        journal.append("cam", {"text": str(k)})


def take(journal: Journal, output: str, most: int = 1000) -> list[str]:
    """Deliver what waits; returns the texts, or what stands in their place."""
    texts = []
    while events := journal.wait(output, most, 0):
        texts += [str(e.body.get("text", e.body.get("event"))) for e in events]
        journal.confirm(output, events)
    return texts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite"


def test_events_are_numbered_and_kept(path: Path) -> None:
    journal = Journal(path)
    (first,) = journal.append("cam", {"text": "1", "lines": [{"text": "1"}]})
    (second,) = journal.append("cam", {"text": "2"})
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.id != second.id
    journal.close()
    journal = Journal(path)
    assert journal.recent() == [second, first]
    assert journal.recent(1) == [second]
    assert journal.recent(10, before=2) == [first]
    (third,) = journal.append("cam", {"text": "3"})
    assert third.sequence == 3
    assert third.time.endswith("Z")
    assert third.as_dict()["text"] == "3"
    journal.close()


def test_each_output_has_its_own_place(path: Path) -> None:
    journal = Journal(path)
    journal.register("a")
    fill(journal, 3)
    journal.register("late")
    fill(journal, 2, 3)
    assert take(journal, "a", most=2) == ["0", "1", "2", "3", "4"]
    assert take(journal, "late") == ["3", "4"]
    assert take(journal, "a") == []
    assert journal.backlog("a").delivered == 5
    journal.close()
    journal = Journal(path)
    journal.register("a")
    fill(journal, 1, 5)
    assert journal.backlog("a").waiting == 1
    assert take(journal, "a") == ["5"]
    journal.close()


def test_what_is_not_confirmed_comes_again(path: Path) -> None:
    journal = Journal(path)
    journal.register("a")
    fill(journal, 4)
    events = journal.wait("a", 10, 0)
    journal.confirm("a", events[:1])
    assert journal.wait("a", 10, 0) == events[1:]
    journal.confirm("a", events[1:2], refused=1)
    backlog = journal.backlog("a")
    assert (backlog.delivered, backlog.refused, backlog.waiting) == (1, 1, 2)
    journal.close()


def test_it_is_bounded_and_says_what_it_dropped(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(path, JournalSettings(most_events=100))
    journal.register("away")
    with caplog.at_level(logging.WARNING):
        fill(journal, 300)
    assert 95 <= len(journal) <= 100
    assert "dropped" in caplog.text
    (gap, *rest) = journal.wait("away", 1000, 0)
    dropped = 300 - len(journal)
    assert gap.as_dict()["event"] == "dropped"
    assert (gap.body["count"], gap.body["first"], gap.body["last"]) == (dropped, 1, dropped)
    assert [event.body["text"] for event in rest] == [str(k) for k in range(dropped, 300)]
    backlog = journal.backlog("away")
    assert (backlog.dropped, backlog.waiting) == (dropped, len(rest))
    journal.confirm("away", [gap, *rest])
    assert journal.backlog("away").delivered == len(rest)
    assert take(journal, "away") == []
    journal.close()


def test_the_file_is_bounded_too(path: Path) -> None:
    journal = Journal(path, JournalSettings(most_megabytes=1))
    for _ in range(1000):
        journal.append("cam", {"text": "x" * 5000})
    journal.close()
    assert sum(p.stat().st_size for p in path.parent.iterdir()) < 3e6


@pytest.mark.parametrize("how", ["garbage", "torn", "empty table", "beginning"])
def test_a_damaged_journal_is_moved_aside(path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(path)
    fill(journal, 200)
    old = journal.recent(1)[0].id
    journal.close()
    if how == "garbage":
        path.write_bytes(random.Random(1).randbytes(20_000))
    elif how == "torn":
        path.write_bytes(path.read_bytes()[:9000])
    elif how == "empty table":
        database = sqlite3.connect(path)
        database.execute("DROP TABLE events")
        database.commit()
        database.close()
    else:
        with path.open("r+b") as file:
            file.write(b"\0" * 4096)
    journal = Journal(path)
    assert journal.moved_aside is not None
    assert journal.moved_aside.exists()
    assert str(journal.moved_aside) in caplog.text
    (event,) = journal.append("cam", {"text": "new"})
    assert event.id.rpartition("-")[0] != old.rpartition("-")[0]
    assert [e.body["text"] for e in journal.recent()] == ["new"]
    journal.close()


@pytest.mark.parametrize("kind", ["text", "database", "database with a version"])
def test_another_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "device"
    if kind == "text":
        path.write_text('source = "demo:"\n' * 500)
    else:
        database = sqlite3.connect(path)
        database.executescript(
            f"CREATE TABLE mine (x); PRAGMA user_version = {7 if 'version' in kind else 0}"
        )
        database.close()
    before = path.read_bytes()
    with pytest.raises(OutputError, match="it is no journal") as caught:
        Journal(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["device"]


def test_damage_while_it_is_open(path: Path) -> None:
    journal = Journal(path)
    journal.register("a")
    fill(journal, 300)
    with path.open("r+b") as file:
        file.write(random.Random(2).randbytes(path.stat().st_size))
    journal._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal._database.execute("PRAGMA cache_size = 0")
    with path.open("r+b") as file:
        file.write(random.Random(2).randbytes(path.stat().st_size))
    assert journal.append("cam", {"text": "still here"})
    assert journal.moved_aside is not None
    assert take(journal, "a") == ["still here"]
    journal.close()


def test_one_process_at_a_time(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(OutputError, match="another edgedigits"):
        Journal(path)
    journal.close()
    Journal(path).close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cant_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="can't"):
        Journal(tmp_path / "j.sqlite")


def test_a_path_that_cant_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't make the folder"):
        Journal(tmp_path / "file" / "j.sqlite")
    for name in (tmp_path, ".", ""):
        with pytest.raises(OutputError, match="can't be written"):
            Journal(name)


class Full:
    """A database on a disk without room."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def __enter__(self) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def __exit__(self, *error: object) -> None:
        pass


def test_a_full_disk_keeps_events_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    journal = Journal(path)
    journal.register("a")
    fill(journal, 1)
    real = journal._database
    monkeypatch.setattr(journal, "_database", Full(real))
    assert journal.append("cam", {"text": "1"}) == []
    assert journal.append("cam", {"text": "2"}) == []
    assert "disk is full" in journal.fault
    assert caplog.text.count("disk is full") == 1
    assert "can be written again" not in caplog.text
    monkeypatch.setattr(journal, "_database", real)
    assert [e.body["text"] for e in journal.flush()] == ["1", "2"]
    assert journal.fault == ""
    assert "can be written again" in caplog.text
    assert take(journal, "a") == ["0", "1", "2"]
    journal.close()


def test_an_event_brings_those_that_had_to_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    with monkeypatch.context() as full:
        full.setattr(journal, "_database", Full(journal._database))
        fill(journal, 2)
    assert [event.body["text"] for event in journal.append("cam", {"text": "2"})] == ["0", "1", "2"]
    assert [event.body["text"] for event in journal.append("cam", {"text": "3"})] == ["3"]
    journal.close()


def test_events_that_are_written_are_told_of_where_there_is_no_room_to_drop_old_ones(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path, JournalSettings(most_events=3))

    def full() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as without_room:
        without_room.setattr(journal, "_prune", full)
        told = [event.body["text"] for k in range(6) for event in journal.append("cam", {"text": str(k)})]
        assert told == ["0", "1", "2", "3", "4", "5"]
        assert "disk is full" in journal.fault
    assert journal.flush() == []
    assert journal.fault == ""
    assert len(journal) <= 3
    journal.close()


def test_bytes_that_are_no_text_any_more_are_damage(path: Path) -> None:
    journal = Journal(path)
    journal.register("a")
    fill(journal, 2)
    with journal._database:
        journal._database.execute("UPDATE events SET body = CAST(x'ff' AS TEXT) WHERE sequence = 1")
    assert take(journal, "a") == []
    assert journal.moved_aside is not None
    journal.append("cam", {"text": "still here"})
    assert take(journal, "a") == ["still here"]
    journal.close()


@pytest.mark.parametrize("look_back", [Journal.recent, lambda journal: journal.since(0)])
def test_an_event_that_is_no_json_any_more_is_damage_for_whoever_looks_back(
    path: Path, look_back: Callable[[Journal], list[Event]]
) -> None:
    journal = Journal(path)
    fill(journal, 3)
    with journal._database:
        journal._database.execute("UPDATE events SET body = substr(body, 1, 5) WHERE sequence = 2")
    assert look_back(journal) == []
    assert journal.moved_aside is not None
    journal.append("cam", {"text": "still here"})
    assert [event.body["text"] for event in look_back(journal)] == ["still here"]
    journal.close()


def test_without_a_file_little_is_kept() -> None:
    journal = Journal()
    for number in range(1500):
        journal.append("cam", {"text": str(number)})
    assert 900 <= len(journal) <= 1000
    journal.close()
    journal = Journal()
    for number in range(400):
        journal.append("cam", {"text": str(number), "lines": ["x" * 100_000]})
    size = sum(len(event.as_json()) for event in journal.recent(1000))
    assert size < 30e6
    assert journal.recent(1)[0].body["text"] == "399"
    journal.close()


def test_what_is_lost_for_want_of_room_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(path)
    monkeypatch.setattr(journal, "most_in_memory", 3)
    with monkeypatch.context() as full:
        full.setattr(journal, "_database", Full(journal._database))
        fill(journal, 5)
    assert journal.lost == 2
    assert caplog.text.count("the oldest are lost") == 1
    assert [event.body["text"] for event in journal.flush()] == ["2", "3", "4"]
    journal.close()


def test_what_cant_be_read_is_said_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(path)
    journal.register("a")
    fill(journal, 1)

    def broken(query: str, values: Sequence[object] = ()) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as failing:
        failing.setattr(journal, "_one", broken)
        for _ in range(5):
            assert journal.wait("a", 10, 0.0) == []
    assert caplog.text.count("disk I/O error") == 1
    assert take(journal, "a") == ["0"]
    journal.close()


def test_the_clock_may_jump_back(path: Path) -> None:
    now = 2_000_000_000.0
    journal = Journal(path, clock=lambda: now)
    journal.register("a")
    fill(journal, 2)
    now -= 1_000_000
    fill(journal, 2, 2)
    assert take(journal, "a") == ["0", "1", "2", "3"]
    assert [e.body["text"] for e in journal.recent()] == ["3", "2", "1", "0"]
    journal.close()


def test_whoever_waits_is_woken(path: Path) -> None:
    journal = Journal(path)
    journal.register("a")
    started = time.monotonic()
    assert journal.wait("a", 10, 0.2) == []
    assert 0.15 < time.monotonic() - started < 2
    threading.Timer(0.1, fill, (journal, 1)).start()
    assert [e.body["text"] for e in journal.wait("a", 10, 5.0)] == ["0"]
    journal.close()


_WRITER = """
import sys
from edgedigits.journal import Journal
journal = Journal(sys.argv[1])
for k in range(100_000):
    (event,) = journal.append("cam", {"text": "x" * 500})
    print(event.sequence, flush=True)
"""


def test_sigkill_takes_nothing_that_was_reported(path: Path) -> None:
    rng = random.Random(4)
    last = 0
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(rng.randint(2, 60)):
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0].splitlines()
        # The last line may itself be torn.
        last = max([last, *(int(line) for line in rest[:-1])])
        journal = Journal(path)
        assert journal.moved_aside is None
        events = journal.recent(10**6)
        assert [e.sequence for e in reversed(events)] == list(range(1, len(events) + 1))
        assert len(events) >= last
        journal.close()


def test_where_it_is_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edgedigits:/var/lib/other")
    assert default_path() == Path("/var/lib/edgedigits/journal.sqlite")
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "edgedigits" / "journal.sqlite"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_path().is_relative_to(Path.home())
