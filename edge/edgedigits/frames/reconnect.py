"""A camera that goes away is brought back: with pauses that grow, and never too many attempts a minute."""

from __future__ import annotations

import collections
import dataclasses
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from edgedigits.errors import SourceAwayError, SourceError
from edgedigits.frames.capture import Camera, CaptureSettings, CaptureStatus, Source, without_password
from edgedigits.frames.folder import Memory
from edgedigits.frames.sources import open_source
from edgedigits.frames.stills import Frame

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

    What can't be opened at the very start raises `SourceError` all the same, so that a wrong address is told
    at once; unless it is to be waited for (`CaptureSettings.wait`). A driver in which attempt after
    attempt hangs raises it, too: the process ends, and its service starts it anew. Video files and folders
    pass through as they are.
    """

    _patient = 4
    """One attempt in so many is given the whole time to open. A dead address costs that time, too, so that
    the others are short."""

    _most_stuck = 8
    """So many attempts may hang in their driver. Some drivers give up after half a minute, while one attempt
    follows the other within a few seconds; so many hang only where the driver is blocked for good."""

    def __init__(
        self,
        name: str,
        *,
        every: float = 0.0,
        stop: threading.Event | None = None,
        settings: CaptureSettings = CaptureSettings(),
        clock: Callable[[], float] = time.monotonic,
        opener: Callable[..., Source] = open_source,
        memory: Memory | None = None,
    ) -> None:
        self._name, self._every, self._settings = name, every, settings
        self._name_shown = without_password(name)
        self._stop = stop or threading.Event()
        self._opener = opener if memory is None else functools.partial(opener, memory=memory)
        self._attempts = _Attempts(settings, clock)
        self._tried = 0
        self._stuck: list[Source] = []
        self._source: Source | None = None
        self.status = CaptureStatus()
        self.stills = name.startswith("watch:")
        try:
            self._source = self._opener(name, every=every, stop=self._stop, settings=settings)
        except SourceAwayError as error:
            if not settings.wait:
                raise
            self._is_away(error)
        else:
            self.status, self.stills = self._source.status, self._source.stills

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; raises `SourceError` where the first can't be had, or the driver is stuck."""
        number = 0
        while self._source is not None or self._again():
            source = self._source
            assert source is not None
            last = -1
            try:
                for frame in source:
                    if self.status.message:
                        self._is_back()
                    self._attempts.succeeded()
                    # Frames are counted on, so that a number means one frame of the run.
                    yield dataclasses.replace(frame, page=number + frame.page)
                    last = frame.page
                return
            except SourceAwayError as error:
                if not isinstance(source, Camera) or not (self.status.frames or self._settings.wait):
                    raise
                number += last + 1
                self._is_away(error)
            closed, self._source = source.close(), None
            if not closed:
                # A driver blocked for good keeps its thread; that it holds the device is its business.
                self._stuck.append(source)
                self._check_stuck()

    def _check_stuck(self) -> None:
        """Raise `SourceError` where too many attempts hang in their driver: a thread can't be ended."""
        if len(self._stuck) < self._most_stuck:
            return
        self._stuck = [source for source in self._stuck if not source.close()]
        if len(self._stuck) >= self._most_stuck:
            raise SourceError(
                f"{self._name_shown}: the driver is stuck, and {len(self._stuck)} attempts with it; start "
                "edgedigits again, and plug the camera in anew if that is not enough"
            )

    def _is_away(self, error: SourceAwayError) -> None:
        if not self.status.message:
            log.warning("%s%s", error, "" if self.status.frames else " (it is waited for)")
        self.status.state = "reconnecting" if self.status.frames else "starting"
        self.status.message = str(error)

    def _is_back(self) -> None:
        if self.status.state == "reconnecting":
            self.status.reconnects += 1
        log.info("%s: %s", self._name_shown, "back again" if self.status.reconnects else "there it is")
        self.status.state, self.status.message = "reading", ""

    def _again(self) -> bool:
        """Wait, and make a new source; False where it was stopped."""
        while not self._stop.wait(self._attempts.next_wait()):
            self._tried += 1
            settings = self._settings
            if self.status.frames and self._tried % self._patient:
                quick = min(settings.open_seconds, settings.stall_seconds)
                settings = dataclasses.replace(settings, open_seconds=quick)
            try:
                source = self._opener(self._name, every=self._every, stop=self._stop, settings=settings)
            except SourceError as error:
                self.status.message = str(error)
                continue
            # The counts go on; whether it is back shows when its first frame comes.
            source.status = self.status
            self._source = source
            return True
        return False

    def close(self) -> bool:
        """Let go of the device; False where a driver still holds on to it."""
        closed = self._source is None or self._source.close()
        return closed and not any(not source.close() for source in self._stuck)
