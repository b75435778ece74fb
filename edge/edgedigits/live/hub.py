"""What a live loop shares with those who watch it: the newest reading, events, health, counters.

The loop calls `publish` and `announce`; both only hand over references, so that nobody watching costs
nothing. Watchers, in threads of their own, ask for the newest (`latest`) or subscribe to events.
A watcher that is too slow misses frames and, beyond its queue's length, the oldest events; the loop never
waits for it, and the journal has them all.

    with hub.subscribe() as events:
        event = events.get(timeout=1.0)  # None when there was none
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.page import Page

State = Literal["starting", "reading", "reconnecting", "ended"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A frame and what was read in it.

    `number` counts the snapshots from 1, `time` is the wall clock's (seconds since 1970). `timings` are
    the milliseconds each stage took: `wait` for the frame, `read`, `track`.
    """

    frame: Frame
    page: Page
    number: int
    time: float
    timings: Mapping[str, float]


@dataclass(frozen=True)
class OutputHealth:
    """How an output fares: `waiting` events are in the journal and not yet delivered."""

    ok: bool
    message: str
    delivered: int
    waiting: int
    dropped: int
    refused: int


@dataclass(frozen=True)
class Health:
    """Whether frames really flow, and whether events really leave.

    `ok` is true while frames come and the journal can be written; an output that is away does not make
    it false, since nothing is lost. `silence` is seconds since the last frame, None before the first.
    """

    ok: bool
    state: State
    message: str
    silence: float | None
    outputs: Mapping[str, OutputHealth] = field(default_factory=dict)


@dataclass(frozen=True)
class Counters:
    """Counted since the start.

    `frames` came from the source and were looked at, `dropped` gave way to newer ones unread, `frozen`
    came again unchanged from a camera that hangs, `read` went through the reader (the others showed
    nothing new), `reconnects` are successful ones. `events` were made, `accepted` among them.
    `temperature` is the processor's in °C and `throttled` whether it is slowed down, where that is known.
    """

    frames: int = 0
    dropped: int = 0
    frozen: int = 0
    read: int = 0
    reconnects: int = 0
    events: int = 0
    accepted: int = 0
    seconds: float = 0.0
    temperature: float | None = None
    throttled: bool | None = None


class Hub:
    """Meeting place of one live loop and any number of watchers; safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._change = threading.Condition()
        self._snapshot: Snapshot | None = None
        self._subscriptions: set[Subscription] = set()
        self._health: Callable[[], Health] = lambda: Health(False, "starting", "not started yet", None)
        self._counters: Callable[[], Counters] = Counters
        self._recent: Callable[[int, int | None], list[Event]] = lambda limit, before: []
        self._since: Callable[[int, int], list[Event]] = lambda sequence, limit: []
        self._ended = False

    # --- for the loop ---

    def connect(
        self,
        health: Callable[[], Health],
        counters: Callable[[], Counters],
        recent: Callable[[int, int | None], list[Event]],
        since: Callable[[int, int], list[Event]],
    ) -> None:
        """Say where health, counters and past events are to be had."""
        self._health, self._counters, self._recent, self._since = health, counters, recent, since

    def publish(self, frame: Frame, page: Page, timings: Mapping[str, float]) -> None:
        """Make this the newest reading."""
        with self._change:
            number = 1 if self._snapshot is None else self._snapshot.number + 1
            self._snapshot = Snapshot(frame, page, number, self._clock(), timings)

    def announce(self, event: Event) -> None:
        """Hand an event, which is in the journal, to all who subscribed."""
        with self._change:
            for subscription in self._subscriptions:
                subscription._queue.append(event)
            self._change.notify_all()

    def end(self) -> None:
        """Wake all who wait: nothing more comes."""
        with self._change:
            self._ended = True
            self._change.notify_all()

    # --- for watchers ---

    @property
    def ended(self) -> bool:
        """Whether the loop has ended."""
        return self._ended

    def latest(self) -> Snapshot | None:
        """Return the newest reading; None before the first."""
        return self._snapshot

    def subscribe(self, most: int = 100) -> Subscription:
        """Return a queue of the events from now on, of which it keeps at most so many."""
        subscription = Subscription(self, most)
        with self._change:
            self._subscriptions.add(subscription)
        return subscription

    def recent(self, limit: int = 100, before: int | None = None) -> list[Event]:
        """Return up to `limit` past events, newest first; `before` a sequence number, to page backwards."""
        return self._recent(limit, before)

    def since(self, sequence: int, limit: int = 100) -> list[Event]:
        """Return up to `limit` past events with a number above `sequence`, oldest first."""
        return self._since(sequence, limit)

    def health(self) -> Health:
        """Return how the loop fares at this moment."""
        return self._health()

    def counters(self) -> Counters:
        """Return what has been counted up to now."""
        return self._counters()


class Subscription:
    """The events that came since it was made and were not fetched yet; a context manager."""

    def __init__(self, hub: Hub, most: int) -> None:
        self._hub = hub
        self._queue: collections.deque[Event] = collections.deque(maxlen=most)

    def get(self, timeout: float = 1.0) -> Event | None:
        """Return the oldest event, waiting up to `timeout` seconds for one; None where none came."""
        with self._hub._change:
            self._hub._change.wait_for(lambda: self._queue or self._hub.ended, timeout)
            return self._queue.popleft() if self._queue else None

    def close(self) -> None:
        """Stop collecting."""
        with self._hub._change:
            self._hub._subscriptions.discard(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
