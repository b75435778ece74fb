"""Who may ask for what: host, origin, token, rate; and the headers that every answer bears.

A browser can be made to ask by any page its user looks at. So the host must be one of ours (a foreign name
that resolves to this machine is DNS rebinding), an origin must be the host itself, and what the browser
says of the site that asks must not be another. Programs send none of these, and need the token.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgedigits.serve.metrics import Requests
from edgedigits.serve.settings import ServeSettings, is_local, own_names

log = logging.getLogger("edgedigits.serve")

COOKIE = "edgedigits"

_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        b"manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]

_OPEN = frozenset({"/api/login", "/api/logout"})
"""Without the token, besides the static pages, which hold nothing of the user's."""


class Buckets:
    """A token bucket for each client: `rate` a second in the long run, `burst` at once.

    The table is bounded: of more than `most` clients, the one not heard of for longest is forgotten.
    """

    def __init__(
        self, rate: float, burst: float, most: int = 2048, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._most, self._clock = rate, float(burst), most, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take one; returns 0, or the seconds until there is one again."""
        now = self._clock()
        left, then = self._left.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[client] = (left if wait else left - 1, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait


def session_of(token: str) -> str:
    """Return what the browser keeps in its cookie: it proves that the token was known, and is not it."""
    return hmac.new(token.encode(), b"edgedigits session", hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Compare in a time that does not tell how much agrees."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, requests: Requests) -> None:
        self._app, self._settings, self._requests = app, settings, requests
        self._names = own_names() | {settings.host.lower(), *(name.lower() for name in settings.names)}
        self._local = is_local(settings.host)
        self._rate = Buckets(settings.rate, settings.burst)
        # A wrong token is tried a few times by a person, and a million times by a program.
        self._failures = Buckets(0.2, 10)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._requests.count(scope["method"], message["status"])
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers += [pair for pair in _HEADERS if pair[0] not in present]
                if b"cache-control" not in present:
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await _answer(guarded_send, *refusal)
            return
        try:
            await self._app(scope, receive, guarded_send)
        except Exception:
            log.exception("%s %s", scope["method"], scope["path"])
            if not started:
                await _answer(guarded_send, 500, "a fault of edgedigits; its log has more")

    def _refusal(self, scope: Scope) -> tuple[int, str] | tuple[int, str, int] | None:
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            # A second one is a way to be understood differently by two readers.
            if name in headers and name in (b"host", b"origin", b"authorization", b"content-length"):
                return 400, f"more than one {name.decode()} header; send one"
            headers[name] = value
        if b"content-length" in headers and b"transfer-encoding" in headers:
            return 400, "a content-length and a transfer-encoding; send one of them"
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._is_ours(host):
            return (
                421,
                "this name is not served here; use the address that edgedigits printed, or --allow-host",
            )
        client = scope["client"][0] if scope.get("client") else ""
        wait = self._rate.take(client)
        if wait:
            return 429, "too many requests; slow down", max(1, round(wait + 0.5))
        if not _is_private(scope["path"]):
            return None
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in (
            f"http://{host}",
            f"https://{host}",
        ):
            return 403, "asked for by a page of another origin; open edgedigits' own page"
        if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            return 403, "asked for by a page of another site; open edgedigits' own page"
        if not self._settings.token or scope["path"] in _OPEN:
            return None
        if self._is_known(scope, headers):
            return None
        if b"authorization" in headers and self._failures.take(client):
            return 429, "too many wrong tokens; wait", 10
        return 401, "a token is needed; sign in, or send it as 'Authorization: Bearer TOKEN'"

    def _is_ours(self, host: str) -> bool:
        match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?", host)
        if match is None:
            return False
        name = match[1].strip("[]").removesuffix(".")
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        # No name was resolved, so nobody can have made it resolve to us.
        return address.is_loopback or not self._local or name == self._settings.host.lower()

    def _is_known(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        token = self._settings.token
        scheme, _, given = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and same(given.strip(), token):
            return True
        # A host's services share its cookies, and those of others may be anything: JSON stops `SimpleCookie`.
        cookie = HTTPConnection(scope).cookies.get(COOKIE)
        return cookie is not None and same(cookie, session_of(token))

    def wrong_token(self, client: str) -> float:
        """Count a wrong token of a client; returns 0, or the seconds it has to wait before the next try."""
        return self._failures.take(client)


def _is_private(path: str) -> bool:
    return path == "/metrics" or path.startswith("/api/")


async def _answer(send: Send, status: int, error: str, retry: int | None = None) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # What is left of the request's body is not waited for.
        (b"connection", b"close"),
    ]
    if retry is not None:
        headers.append((b"retry-after", str(retry).encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
