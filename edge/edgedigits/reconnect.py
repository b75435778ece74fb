"""A camera that goes away is brought back: with pauses that grow, and never too many attempts a minute."""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from edgedigits.capture import Camera, CaptureSettings, Source
from edgedigits.errors import SourceError
from edgedigits.frames import Frame
from edgedigits.sources import open_source

log = logging.getLogger(__name__)


@dataclass
class _Attempts:
    """When to try again: pauses that double, and never too many in a minute."""

    settings: CaptureSettings
    clock: Callable[[], float]
    pause: float = 0.0
    times: collections.deque[float] = field(default_factory=collections.deque)

    def next_wait(self) -> float:
        """Return the seconds to wait before the next attempt, and count it."""
        now = self.clock()
        self.pause = min(self.settings.longest_pause, 2 * self.pause or self.settings.first_pause)
        wait = self.pause
        while self.times and self.times[0] <= now + wait - 60:
            self.times.popleft()
        if len(self.times) >= self.settings.attempts_per_minute:
            wait = max(wait, self.times[-self.settings.attempts_per_minute] + 60 - now)
        self.times.append(now + wait)
        return wait

    def succeeded(self) -> None:
        """Begin again with short pauses."""
        self.pause = 0.0


class Reconnecting:
    """A camera or stream that is opened again whenever it stalls, freezes or goes away.

    What can't be opened at the very start raises `SourceError` all the same: a wrong address is told at
    once. Video files and folders pass through as they are.
    """

    def __init__(
        self,
        name: str,
        *,
        every: float = 0.0,
        stop: threading.Event | None = None,
        settings: CaptureSettings = CaptureSettings(),
        clock: Callable[[], float] = time.monotonic,
        opener: Callable[..., Source] = open_source,
    ) -> None:
        self._name, self._every, self._settings = name, every, settings
        self._stop = stop or threading.Event()
        self._opener = opener
        self._source = opener(name, every=every, stop=self._stop, settings=settings)
        self._attempts = _Attempts(settings, clock)
        self._stuck: list[Source] = []
        self.status = self._source.status
        self.stills = self._source.stills

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; raises `SourceError` where the very first can't be had."""
        number = 0
        while True:
            try:
                for frame in self._source:
                    if self.status.state == "reconnecting":
                        self.status.reconnects += 1
                        self.status.state, self.status.message = "reading", ""
                        log.info("%s: back again", frame.source)
                    self._attempts.succeeded()
                    # Frames are counted on, so that a number means one frame of the run.
                    yield dataclasses.replace(frame, page=number + frame.page)
                    last = frame.page
                return
            except SourceError as error:
                if not isinstance(self._source, Camera) or not self.status.frames:
                    raise
                if self._source.received:
                    number += last + 1
                if self.status.state != "reconnecting":
                    log.warning("%s", error)
                self.status.state, self.status.message = "reconnecting", str(error)
            if not self._again():
                return

    def _again(self) -> bool:
        """Wait, and make a new source; False where it was stopped."""
        if not self._source.close():
            # A driver blocked for good keeps its thread; that it holds the device is its business.
            self._stuck.append(self._source)
        while not self._stop.wait(self._attempts.next_wait()):
            quick = dataclasses.replace(
                self._settings, open_seconds=min(self._settings.open_seconds, self._settings.stall_seconds)
            )
            try:
                self._source = self._opener(self._name, every=self._every, stop=self._stop, settings=quick)
            except SourceError as error:
                self.status.message = str(error)
                continue
            # The counts go on; whether it is back shows when its first frame comes.
            self._source.status = self.status
            self.status.state = "reconnecting"
            return True
        return False

    def close(self) -> bool:
        """Let go of the device; False where a driver still holds on to it."""
        closed = self._source.close()
        return closed and not any(not source.close() for source in self._stuck)
