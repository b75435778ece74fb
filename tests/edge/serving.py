"""A web face to test: served on a free port of localhost by a thread, its hub fed with given pictures."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgedigits import Reader
from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.live.hub import Counters, Health, Hub

pytest.importorskip("starlette", reason="the extra 'web' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'web' is not installed")

from edgedigits.serve.app import Web
from edgedigits.serve.server import bound_socket, serve
from edgedigits.serve.settings import ServeSettings


class Loop:
    """Stands in for the live loop: what it is told to show is what was read, its events are what it says."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.state_ok = True
        self.events: list[Event] = []
        self.journal = "id"
        self.frames = 0
        self._reader = Reader()
        counters = lambda: Counters(frames=self.frames, read=self.frames)  # noqa: E731
        self.hub.connect(self._health, counters, self._recent, self._since)

    def show(self, image: NDArray[np.uint8]) -> None:
        """Read a picture and publish it."""
        height, width = image.shape[:2]
        frame = Frame(image, "test", self.frames, (width, height))
        page = self._reader.read(image)
        self.frames += 1
        self.hub.publish(frame, page, {"wait": 1.0, "read": page.elapsed_ms, "track": 0.1})

    def announce(self, text: str, confidence: float = 0.98, accepted: bool = True) -> Event:
        """Make an event, kept in the journal and handed to who subscribed."""
        number = len(self.events) + 1
        body = {"text": text, "confidence": confidence, "accepted": accepted, "frames": 5, "page": 1}
        body |= {"size": [640, 480], "lines": []}
        event = Event(number, f"{self.journal}-{number}", "test", "2026-11-22T09:00:00Z", body)
        self.events.append(event)
        self.hub.announce(event)
        return event

    def _health(self) -> Health:
        state = "reading" if self.state_ok else "reconnecting"
        return Health(self.state_ok, state, "as told", 0.1)

    def _since(self, sequence: int, limit: int) -> list[Event]:
        return [event for event in self.events if event.sequence > sequence][:limit]

    def begin_anew(self, journal: str) -> None:
        """Have another journal, as after a restart without a file."""
        self.events, self.journal = [], journal

    def _recent(self, limit: int, before: int | None) -> list[Event]:
        found = [event for event in self.events if before is None or event.sequence < before]
        return found[::-1][:limit]


@dataclass
class Served:
    """A running server: its loop, its address and what it counts."""

    loop: Loop
    web: Web
    url: str
    port: int


@contextlib.contextmanager
def served(
    settings: ServeSettings | None = None,
    pictures: Sequence[NDArray[np.uint8]] = (),
    form: Path | None = None,
) -> Iterator[Served]:
    """Serve until the block ends."""
    settings = settings or ServeSettings(port=0)
    loop = Loop()
    for picture in pictures:
        loop.show(picture)
    web = Web(loop.hub, settings, form=form)
    listening = bound_socket(settings)
    port = listening.getsockname()[1]
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(web, listening, settings, stop)))
    thread.start()
    try:
        yield Served(loop, web, f"http://127.0.0.1:{port}", port)
    finally:
        ending = time.monotonic()
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - ending < 3
