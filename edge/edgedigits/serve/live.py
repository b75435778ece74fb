"""The live view and the events: what the loop publishes, handed to browsers at their pace.

A browser asks for the newest frame, shows it, and asks again: a slow network then means fewer frames and
never old ones, and a page that nobody looks at asks for nothing. A frame is encoded once, when the first
one asks, whoever else watches; when nobody watches, nothing is done at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from edgedigits.event import Event, encodable
from edgedigits.live.hub import Hub, Snapshot
from edgedigits.serve.metrics import Requests, exposition
from edgedigits.serve.problem import Problem, whole_number
from edgedigits.serve.readings import SCHEMA
from edgedigits.serve.settings import ServeSettings
from edgedigits.serve.views import jpeg

_NEWS = 0.03  # seconds between two looks for a new frame, or …
_EVENT = 0.1  # … for a new event
_WAIT = 10.0  # seconds after which a client is told that nothing is new
_HEARTBEAT = 15.0
_VIEW_TYPE = "application/vnd.edgedigits.view"


class Live:
    """The handlers."""

    def __init__(self, hub: Hub, requests: Requests, settings: ServeSettings) -> None:
        self._hub, self._requests, self._settings = hub, requests, settings
        self._encoded: tuple[int, asyncio.Task[bytes]] | None = None
        self._shown: tuple[float, Snapshot] | None = None
        self.closing = asyncio.Event()
        """Set when the server ends: whoever waits is answered."""

    def _newest(self) -> Snapshot:
        snapshot = self._hub.latest()
        if snapshot is None:
            raise Problem(404, "no frame has come yet; wait for the camera")
        return snapshot

    async def page(self, request: Request) -> Response:
        """GET /api/page: the newest reading."""
        return JSONResponse(_as_dict(self._newest()))

    async def frame(self, request: Request) -> Response:
        """GET /api/frame: the newest frame as a JPEG."""
        return Response(await self._jpeg(self._newest()), media_type="image/jpeg")

    async def view(self, request: Request) -> Response:
        """GET /api/view?after=N: the next frame and its reading once there is one, or 204."""
        after = whole_number(request, "after", 0, 0, 2**53)
        self._enter()
        try:
            until = time.monotonic() + _WAIT
            while time.monotonic() < until and not self.closing.is_set():
                snapshot = self._to_show()
                if snapshot is not None and snapshot.number > after:
                    head = json.dumps(_as_dict(snapshot), separators=(",", ":")).encode()
                    body = len(head).to_bytes(4, "big") + head + await self._jpeg(snapshot)
                    return Response(body, media_type=_VIEW_TYPE)
                await self._pause(_NEWS)
        finally:
            self._leave()
        return Response(status_code=204)

    def _to_show(self) -> Snapshot | None:
        """Return the newest frame, or the one before where that was shown to someone just now."""
        now = time.monotonic()
        if self._shown is None or now - self._shown[0] >= 1 / self._settings.view_rate:
            newest = self._hub.latest()
            if newest is None or (self._shown is not None and newest is self._shown[1]):
                return newest
            self._shown = now, newest
        return self._shown[1]

    async def _jpeg(self, snapshot: Snapshot) -> bytes:
        if self._encoded is None or self._encoded[0] != snapshot.number:
            s = self._settings
            work = asyncio.to_thread(jpeg, snapshot.frame.image, s.view_side, s.view_quality)
            self._encoded = snapshot.number, asyncio.create_task(work)
        # Shielded: one client that goes away must not take the frame from the others.
        return await asyncio.shield(self._encoded[1])

    async def events(self, request: Request) -> Response:
        """GET /api/events?limit=N&before=SEQUENCE: past events, newest first."""
        limit = whole_number(request, "limit", 50, 1, 500)
        before = whole_number(request, "before", 0, 1, 2**53) or None
        events = await asyncio.to_thread(self._hub.recent, limit, before)
        return JSONResponse({"schema": SCHEMA, "events": [event.as_dict() for event in events]})

    async def stream(self, request: Request) -> Response:
        """GET /api/events/stream: events as they come (server-sent events), from `Last-Event-ID` on."""
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdecimal() and len(last) <= 15 else None
        self._enter()
        # Whoever sees the stream open may ask for what came before: between the two nothing is missed.
        subscription = self._hub.subscribe()

        def leave() -> None:
            subscription.close()
            self._leave()

        async def messages() -> AsyncIterator[bytes]:
            with subscription:
                sent, journal = 0, ""
                yield b"retry: 2000\n\n"
                newest = await asyncio.to_thread(self._hub.recent, 1, None)
                if newest:
                    journal = newest[0].journal
                if newest and after is not None:
                    # A higher number is of a journal that was there before this one: all of this one is new.
                    sent = after if after <= newest[0].sequence else 0
                    async for past in self._past(sent):
                        sent = past.sequence
                        yield _message(past)
                beat = time.monotonic()
                while not self.closing.is_set():
                    event = subscription.get(timeout=0)
                    if event is not None:
                        if event.journal != journal:
                            sent, journal = 0, event.journal
                        if sent and event.sequence > sent + 1:
                            # More came while the client was slow than the subscription keeps.
                            async for past in self._past(sent, event.sequence):
                                sent = past.sequence
                                yield _message(past)
                        if event.sequence > sent:
                            sent = event.sequence
                            yield _message(event)
                        continue
                    if time.monotonic() - beat > _HEARTBEAT:
                        beat = time.monotonic()
                        yield b": still here\n\n"
                    await self._pause(_EVENT)

        return _Stream(messages(), leave)

    async def _past(self, after: int, before: int | None = None) -> AsyncIterator[Event]:
        """Yield the events in the journal with a number above `after`, and below `before`, oldest first."""
        while events := await asyncio.to_thread(self._hub.since, after, 100):
            for event in events:
                if before is not None and event.sequence >= before:
                    return
                yield event
            after = events[-1].sequence

    async def health(self, request: Request) -> Response:
        """GET /api/health: whether frames come and events can be kept; 503 where they don't."""
        # The journal is asked, and that may be waiting for a slow card.
        health = await asyncio.to_thread(self._hub.health)
        counters, snapshot = self._hub.counters(), self._hub.latest()
        body: dict[str, Any] = {
            "ok": health.ok,
            "state": health.state,
            "message": health.message,
            "silence": None if health.silence is None else round(health.silence, 3),
            "outputs": {name: vars(output) for name, output in health.outputs.items()},
            "counters": vars(counters),
            "source": None if snapshot is None else encodable(snapshot.frame.source),
        }
        # A file that was read to its end is no fault.
        return JSONResponse(body, 200 if health.ok or health.state == "ended" else 503)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics: for Prometheus."""
        text = await asyncio.to_thread(exposition, self._hub, self._requests)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    def _enter(self) -> None:
        if self._requests.viewers >= self._settings.viewers:
            raise Problem(429, f"{self._requests.viewers} are watching already; close another page", retry=5)
        self._requests.viewers += 1

    def _leave(self) -> None:
        self._requests.viewers -= 1

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()


class _Stream(StreamingResponse):
    """Server-sent events; calls `leave` when it is over, however it ends."""

    def __init__(self, content: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        # A proxy in between is asked not to hold events back.
        super().__init__(content, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


def _message(event: Event) -> bytes:
    return f"id: {event.sequence}\nevent: {event.as_dict()['event']}\ndata: {event.as_json()}\n\n".encode()


def _as_dict(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "number": snapshot.number,
        "time": round(snapshot.time, 3),
        "source": encodable(snapshot.frame.source),
        "page": snapshot.frame.page,
        **snapshot.page.as_dict(),
        "timings": {name: round(value, 3) for name, value in snapshot.timings.items()},
    }
