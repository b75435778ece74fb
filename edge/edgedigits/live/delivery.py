"""From the journal to the outputs: each in a thread of its own, at its own pace, in order."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgedigits.journal import Journal
from edgedigits.live.hub import OutputHealth
from edgedigits.outputs.sinks import DeliveryError, Sink

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeliverySettings:
    """How often an output that is away is tried again."""

    first_pause: float = 0.5
    """Pause after the first failure; it doubles with each. Seconds, 0.01…3600."""
    longest_pause: float = 30.0
    """… up to so much. Seconds, 0.01…86,400."""
    refusals: int = 3
    """An event that the receiver refuses as such is offered so many times before it is put aside. 1…1000."""


class Delivery:
    """One output and its thread."""

    def __init__(
        self,
        sink: Sink,
        journal: Journal,
        settings: DeliverySettings = DeliverySettings(),
    ) -> None:
        self._sink, self._journal, self._settings = sink, journal, settings
        self._stop = threading.Event()
        self._message = ""
        self._failing = False
        self._pause = 0.0
        self._refusals = 0
        journal.register(sink.name)
        self._thread = threading.Thread(target=self._run, name=f"output {sink.name}", daemon=True)

    @property
    def name(self) -> str:
        """The output's name."""
        return self._sink.name

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def health(self) -> OutputHealth:
        """Return how it fares."""
        backlog = self._journal.backlog(self.name)
        return OutputHealth(
            not self._failing,
            self._message,
            backlog.delivered,
            backlog.waiting,
            backlog.dropped,
            backlog.refused,
        )

    def drain(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> bool:
        """Wait up to so long until all is delivered; returns whether it is."""
        until = clock() + seconds
        while self._journal.backlog(self.name).waiting:
            if clock() >= until or self._failing or not self._thread.is_alive():
                return False
            time.sleep(0.01)
        return True

    def stop(self, seconds: float = 1.0) -> None:
        """End the thread; what is not delivered stays in the journal."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    wait = self._offer()
                except Exception as error:
                    # The thread must not end: its output would fall silent for ever.
                    wait = self._at_fault(error)
                self._stop.wait(wait)
        finally:
            with contextlib.suppress(Exception):
                self._sink.close()

    def _offer(self) -> float:
        """Offer what waits to the output; returns how many seconds to leave it alone then."""
        events = self._journal.wait(self.name, self._sink.most, 0.25)
        try:
            if events:
                self._sink.deliver(events)
            else:
                self._sink.idle()
        except DeliveryError as error:
            self._journal.confirm(self.name, events[: error.taken])
            if error.taken:
                self._pause, self._refusals = 0.0, 0
            self._refusals = self._refusals + 1 if error.refused else 0
            if self._refusals < self._settings.refusals:
                if not self._failing or str(error) != self._message:
                    log.warning("%s (what was read is kept and delivered later)", error)
                return self._failed(str(error))
            refused = events[error.taken : error.taken + 1]
            log.error("%s; event %s is put aside", error, refused[0].id)
            self._journal.confirm(self.name, refused, refused=1)
            self._refusals = 0
        else:
            self._journal.confirm(self.name, events)
            self._pause, self._refusals = 0.0, 0
            self._recovered()
        return 0.0

    def _at_fault(self, error: Exception) -> float:
        """Begin anew with an output after what should not have happened; returns the seconds before that.

        Nothing tells that it is an event's fault, so that none is put aside for it.
        """
        what = " ".join(f"{type(error).__name__}: {error}".split())
        message = f"{self.name}: a fault of edgedigits ({what}); please report it"
        if message != self._message:
            log.error(
                "%s: a fault of edgedigits; please report it (what was read is kept and delivered later)",
                self.name,
                exc_info=error,
            )
        self._refusals = 0
        with contextlib.suppress(Exception):
            self._sink.close()
        return self._failed(message)

    def _failed(self, message: str) -> float:
        self._failing, self._message = True, message
        self._pause = min(self._settings.longest_pause, 2 * self._pause or self._settings.first_pause)
        return self._pause

    def _recovered(self) -> None:
        if self._failing:
            log.info("%s: delivering again", self.name)
        self._failing, self._message = False, ""
