"""The loop of an unattended device: frames → reader → track → journal → outputs, and what keeps an eye on it.

`watch` reads frame by frame and no more. `Live` makes one event of each sheet, keeps it in the journal and
has it delivered; it shares what it sees through a `Hub`, tells systemd's watchdog that frames flow, and
notices when the board is slowed down.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgedigits.board import Thermal, thermal
from edgedigits.errors import OutputError, PictureError, SourceError
from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.frames.capture import Source
from edgedigits.journal import Journal
from edgedigits.live.delivery import Delivery
from edgedigits.live.hub import Counters, Health, Hub
from edgedigits.live.motion import Motion, MotionSettings
from edgedigits.live.pictures import KeptPictures
from edgedigits.page import Page
from edgedigits.reader import Reader
from edgedigits.track import Sighting, Tracker

log = logging.getLogger(__name__)


def watch(
    source: Source, reader: Reader, report: Callable[[Frame, Page], None], frames: int | None = None
) -> int:
    """Read the frames of a source and hand each reading to `report`; returns how many there were.

    Ends after so many `frames`, at the end of a video file, or when the source's stop event is set.
    Raises `SourceError` where the source is missing, stalls or goes away, and whatever `report` raises.
    """
    count = 0
    for frame in source:
        report(frame, reader.read(frame.image, frame.size))
        count += 1
        if count == frames:
            break
    return count


@dataclass(frozen=True)
class HealthSettings:
    """When the loop counts as healthy."""

    silence_seconds: float = 10.0
    """Longest silence of the source. Seconds, 1…3600."""
    stuck_seconds: float = 10.0
    """Longest time for one frame to be read. Seconds, 1…3600."""
    cooling_seconds: float = 0.2
    """Rest after each frame while the board is slowed down by heat or a weak supply; 0: none. Seconds,
    0…60."""


class Live:
    """One source, read until it ends.

    `reader` and `tracker` make events of frames; `journal` keeps them before `hub` announces them and
    `deliveries` send them. `on_frame` is called with each reading that is made, `on_event` with each event;
    what they raise ends the loop. `pictures` keeps the pictures of doubtful readings. `beat` is called
    every second while the loop is healthy, with a line on its state: systemd's watchdog.

    `run` may be called in any thread, once. What it uses is the caller's to close, but for the deliveries,
    which it starts and stops.
    """

    def __init__(
        self,
        source: Source,
        reader: Reader,
        tracker: Tracker,
        journal: Journal,
        *,
        name: str,
        hub: Hub | None = None,
        deliveries: Sequence[Delivery] = (),
        motion: MotionSettings = MotionSettings(),
        health: HealthSettings = HealthSettings(),
        pictures: KeptPictures | None = None,
        on_frame: Callable[[Frame, Page], None] = lambda frame, page: None,
        on_event: Callable[[Event], None] = lambda event: None,
        beat: Callable[[Health], None] = lambda health: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hub = hub or Hub()
        self._source, self._reader, self._tracker, self._journal = source, reader, tracker, journal
        self.name, self._deliveries = name, tuple(deliveries)
        self._motion_settings, self._motion = motion, Motion(motion)
        self._limits, self._pictures = health, pictures
        self._on_frame, self._on_event, self._beat = on_frame, on_event, beat
        self._clock = clock
        self._started = self._progress = clock()
        self._done = threading.Event()
        self._ended = False
        self._thermal = Thermal(None, None)
        self._frames = self._read = self._events = self._accepted = 0
        self._written: collections.deque[Event] = collections.deque()
        """Events that are in the journal and have not been told of yet, in order."""
        self._writing = threading.Lock()
        self._doubtful: Frame | None = None
        """The frame of a doubtful sheet that is reported when it has left, if it is no better by then."""
        self._fault = ""
        self._page: Page | None = None
        self._page_at = 0.0
        self.hub.connect(self.health, self.counters, journal.recent, journal.since)

    def run(self, frames: int | None = None) -> int:
        """Read until the source ends or is stopped, or so many `frames` were seen; returns their number.

        Raises `SourceError` where the source can't be had or ends before its time.
        """
        keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        for delivery in self._deliveries:
            delivery.start()
        keeper.start()
        try:
            waiting = self._clock()
            try:
                for frame in self._source:
                    self._take(frame, waiting)
                    if self._frames == frames:
                        break
                    if self._thermal.throttled:
                        # A camera's frames are dropped meanwhile, those of a file wait.
                        time.sleep(self._limits.cooling_seconds)
                    waiting = self._clock()
            except SourceError:
                self._end_of_source()
                raise
            self._end_of_source()
            return self._frames
        finally:
            self._ended = True
            self._done.set()
            keeper.join(1.0)
            self._flush()
            self._tell()
            until = self._clock() + 0.6
            for delivery in self._deliveries:
                delivery.drain(max(0.0, until - self._clock()))
            for delivery in self._deliveries:
                delivery.stop(0.4 if delivery.health().ok else 0.1)
            self.hub.end()

    def _take(self, frame: Frame, waiting: float) -> None:
        arrived = self._progress = self._clock()
        self._frames += 1
        self._tell()
        moving = changed = True
        if not self._source.stills:
            moving, changed = self._motion.observe(frame.image)
        page = self._page
        due = frame.at - self._page_at >= self._motion_settings.refresh_seconds
        still = self._motion_settings.enabled and not changed and self._tracker.settled and not due
        if page is None or not still or self._source.stills:
            try:
                page = self._reader.read(frame.image, frame.size)
            except PictureError as error:
                log.error("%s, frame %d: %s", frame.source, frame.page, error)
                return
            except Exception as error:
                # One scan, or frame, must not keep all that come after it from being read.
                self._at_fault(frame, error)
                return
            self._fault = ""
            self._page, self._page_at = page, frame.at
            self._motion.remember()
            self._read += 1
            self._on_frame(frame, page)
        read = self._clock()
        if self._source.stills:
            sighting = Sighting(page.lines, 1, frame.page, page.size) if page.lines else None
        else:
            sighting = self._tracker.observe(frame.at, page, frame.page, moving)
        tracked = self._progress = self._clock()
        timings = {
            "wait": (arrived - waiting) * 1000,
            "read": (read - arrived) * 1000,
            "track": (tracked - read) * 1000,
        }
        self.hub.publish(frame, page, timings)
        if sighting is not None:
            self._happened(self._shown(sighting, frame), sighting)
        doubtful = self._tracker.doubtful
        if doubtful is None:
            self._doubtful = None
        elif doubtful.page == frame.page:
            self._doubtful = frame

    def _shown(self, sighting: Sighting, frame: Frame) -> Frame:
        """Return the frame in which a sheet was read; `frame` is the newest, in which it may have left."""
        earlier = self._doubtful
        return earlier if earlier is not None and earlier.page == sighting.page else frame

    def _at_fault(self, frame: Frame, error: Exception) -> None:
        """Say that a frame can't be read through a fault of the program; of a camera's frames once."""
        what = " ".join(f"{type(error).__name__}: {error}".split())
        message = f"a fault of edgedigits ({what}); please report it"
        if self._source.stills or message != self._fault:
            log.error(
                "%s page %d: a fault of edgedigits; it is passed over, please report it",
                frame.source,
                frame.page + 1,
                exc_info=error,
            )
        self._fault = "" if self._source.stills else message

    def _end_of_source(self) -> None:
        last, sighting = self.hub.latest(), self._tracker.finish()
        if last is not None and sighting is not None:
            self._happened(self._shown(sighting, last.frame), sighting)

    def _happened(self, frame: Frame, sighting: Sighting) -> None:
        # A scan's own name tells more than the folder's.
        source = frame.source if self._source.stills else self.name
        file = None
        if frame.stamp is not None:
            file = Path(frame.source).absolute(), frame.stamp, frame.page + 1
        with self._writing:
            written = self._journal.append(source, body_of(sighting), file)
            self._written += written
        self._events += 1
        self._accepted += sighting.accepted
        self._tell()
        if not written:
            return  # the disk is full: it is kept in memory, and announced when it can be written
        if self._pictures is not None and not sighting.accepted:
            try:
                self._pictures.keep(frame.image, written[-1])
            except OutputError as error:
                log.error("%s", error)

    def _flush(self) -> None:
        """Write what could not be written when it happened."""
        # The keeper does so, too: what is written first is to be told of first.
        with self._writing:
            self._written += self._journal.flush()

    def _tell(self) -> None:
        """Tell of the events that have been written, those first that had to wait."""
        while self._written:
            event = self._written.popleft()
            self.hub.announce(event)
            self._on_event(event)

    def _keep(self) -> None:
        """Run beside the loop: the heartbeat, the journal's second chance, the board's temperature."""
        tick = 0
        while not self._done.wait(1.0):
            self._flush()
            if tick % 10 == 0:
                self._look_at_board()
            tick += 1
            health = self.health()
            if health.ok:
                self._beat(health)

    def _look_at_board(self) -> None:
        now = thermal()
        if now.limits and now.limits != self._thermal.limits:
            log.warning(
                "the board is slowed down (%s, %s °C), so fewer frames are read; cool it, or give it a "
                "stronger supply",
                ", ".join(now.limits),
                "?" if now.temperature is None else f"{now.temperature:.0f}",
            )
        if self._thermal.limits and now.limits == ():
            log.info("the board runs at full speed again")
        self._thermal = now

    def health(self) -> Health:
        """Return whether frames flow at this moment, and how the outputs fare."""
        status, now = self._source.status, self._clock()
        heard = status.heard
        silence = None if heard is None else max(0.0, time.monotonic() - heard)
        message = status.message
        if not message and self._thermal.limits:
            message = f"slowed down: {', '.join(self._thermal.limits)}"
        ok = silence is not None and silence <= self._limits.silence_seconds and not self._ended
        if now - self._progress > self._limits.stuck_seconds and silence is not None and silence < 1:
            ok, message = False, f"the reader is stuck for {now - self._progress:.0f} s"
        if status.state == "reconnecting":
            ok = False
        if self._fault:
            ok, message = False, self._fault
        if self._journal.fault:
            ok, message = False, self._journal.fault
        return Health(
            ok,
            "ended" if self._ended else status.state,
            message,
            silence,
            {delivery.name: delivery.health() for delivery in self._deliveries},
        )

    def counters(self) -> Counters:
        """Return what has been counted up to now."""
        status = self._source.status
        return Counters(
            frames=self._frames,
            dropped=status.dropped,
            frozen=status.frozen,
            read=self._read,
            reconnects=status.reconnects,
            events=self._events,
            accepted=self._accepted,
            seconds=self._clock() - self._started,
            temperature=self._thermal.temperature,
            throttled=self._thermal.throttled,
        )


def body_of(sighting: Sighting) -> dict[str, object]:
    """Return what an event says of a sheet (see `Event.as_dict`)."""
    page = Page(sighting.lines, sighting.size, 0.0).as_dict()
    return {
        "text": sighting.text,
        "confidence": round(sighting.confidence, 4),
        "accepted": sighting.accepted,
        "frames": sighting.frames,
        "page": sighting.page,
        "size": page["size"],
        "lines": page["lines"],
    }
