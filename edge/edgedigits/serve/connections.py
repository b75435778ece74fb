"""How many connections, from whom, and how long a request may take to say what it wants.

uvicorn closes a connection that idles between two requests, but not one that never finishes its first
request's head, goes on sending after it was answered, or does not take the answer; and over its own limit
it answers 503 on connections it has already taken in.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgedigits.serve.settings import ServeSettings

_GRACE = 5.0
"""Seconds that a client has to take the last of an answer, or to stop sending."""


def protocol_for(settings: ServeSettings) -> type[H11Protocol]:
    """Return the protocol class of one server; its counts are the class's own."""
    open_of: Counter[str] = Counter()

    class Limited(H11Protocol):
        _head_timer: asyncio.TimerHandle | None = None
        _write_timer: asyncio.TimerHandle | None = None
        _peer: str | None = None

        def connection_made(self, transport: Any) -> None:
            peername = transport.get_extra_info("peername")
            peer = str(peername[0]) if isinstance(peername, tuple) and peername else ""
            super().connection_made(transport)
            self._peer = peer
            open_of[peer] += 1
            if open_of.total() > settings.connections or open_of[peer] > settings.connections_per_client:
                transport.abort()
                return
            self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            self._stop_writing_timer()
            if self._peer is not None:
                open_of[self._peer] -= 1
                if open_of[self._peer] <= 0:
                    del open_of[self._peer]
                self._peer = None
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            cycle = self.cycle
            super().data_received(data)
            if self.cycle is not cycle:
                self._stop_waiting()
            elif (cycle is None or cycle.response_complete) and self._head_timer is None:
                self._await_head()  # the head of a further request has begun

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stop_writing_timer()
            self._write_timer = self.loop.call_later(settings.body_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            self._stop_writing_timer()
            super().resume_writing()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            cycle = self.cycle
            if self.transport.is_closing():
                self.loop.call_later(_GRACE, self.transport.abort)
            elif self.conn.their_state is h11.SEND_BODY:
                self.loop.call_later(_GRACE, self._abort_if_sending, cycle)

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self.loop.call_later(_GRACE, self.transport.abort)

        def _abort_if_sending(self, cycle: object) -> None:
            if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY:
                self.transport.abort()

        def _stop_writing_timer(self) -> None:
            if self._write_timer is not None:
                self._write_timer.cancel()
                self._write_timer = None

        def _await_head(self) -> None:
            self._stop_waiting()
            self._head_timer = self.loop.call_later(settings.head_seconds, self._too_slow)

        def _stop_waiting(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _too_slow(self) -> None:
            self._head_timer = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.abort()

    return Limited
