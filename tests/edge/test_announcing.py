"""Whoever watches a live loop is told of every event, in order, also of those that waited for the disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.edge.sheets import page

from edgedigits.decode import RejectRule
from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.frames.capture import CaptureStatus
from edgedigits.journal import Journal
from edgedigits.live import Live
from edgedigits.live.hub import Hub
from edgedigits.page import Page
from edgedigits.track import Tracker


class Scans:
    """Three scans."""

    stills = True

    def __init__(self) -> None:
        self.status = CaptureStatus(state="reading", heard=0.0)

    def __iter__(self) -> Iterator[Frame]:
        for number in range(3):
            yield Frame(np.full((48, 64), number, np.uint8), "scan", number, (64, 48), float(number))

    def close(self) -> bool:
        return True


class Numbers:
    """A reader that reads the brightness."""

    rule = RejectRule(0.5, 0.5)

    def read(self, image: np.ndarray, size: tuple[int, int]) -> Page:
        return page(str(int(image[0, 0])))


class FullFor:
    """A database on a disk that has no room for so many writes."""

    def __init__(self, database: sqlite3.Connection, writes: int) -> None:
        self._database, self._writes = database, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def __enter__(self) -> object:
        self._writes -= 1
        if self._writes >= 0:
            raise sqlite3.OperationalError("database or disk is full")
        return self._database.__enter__()

    def __exit__(self, *error: Any) -> object:
        return self._database.__exit__(*error)


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_events_that_had_to_wait_are_told_of_in_order(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, hub, reader = Journal(), Hub(), Numbers()
    monkeypatch.setattr(journal, "_database", FullFor(journal._database, writes))
    told: list[str] = []
    live = Live(
        Scans(),
        reader,  # type: ignore[arg-type]
        Tracker(reader.rule),
        journal,
        name="scans",
        hub=hub,
        on_event=lambda event: told.append(event.body["text"]),
    )
    with hub.subscribe() as events:
        live.run()
        heard = [events.get(0.0) for _ in range(4)]
    assert told == ["0", "1", "2"]
    assert [event and event.sequence for event in heard] == [1, 2, 3, None]
    journal.close()


def numbered(number: int) -> Event:
    return Event(number, f"a-{number}", "cam", "2026-01-01T00:00:00Z", {})


def test_a_slow_watcher_misses_the_oldest_events_and_no_other_does() -> None:
    hub = Hub()
    with hub.subscribe(most=2) as slow, hub.subscribe() as quick:
        for number in range(1, 6):
            hub.announce(numbered(number))
        assert [slow.get(0.0) for _ in range(3)] == [numbered(4), numbered(5), None]
        assert [quick.get(0.0) for _ in range(6)] == [*map(numbered, range(1, 6)), None]
    hub.announce(numbered(6))
    assert slow.get(0.0) is None


def test_a_watcher_waits_for_an_event_or_the_end() -> None:
    hub = Hub()
    with hub.subscribe() as events:
        started = time.monotonic()
        assert events.get(0.1) is None
        assert time.monotonic() - started >= 0.1
        threading.Timer(0.05, hub.announce, (numbered(1),)).start()
        assert events.get(10) == numbered(1)
        threading.Timer(0.05, hub.end).start()
        assert events.get(10) is None
        assert hub.ended
        assert time.monotonic() - started < 5


def test_the_newest_reading_is_numbered_and_dated() -> None:
    hub = Hub(clock=iter((5.0, 6.0)).__next__)
    assert hub.latest() is None
    for number in (1, 2):
        frame = Frame(np.zeros((48, 64), np.uint8), "cam", number, (64, 48), 0.0)
        hub.publish(frame, page(str(number)), {"read": 1.0})
        newest = hub.latest()
        assert newest is not None
        assert (newest.frame, newest.number, newest.time) == (frame, number, 4.0 + number)
