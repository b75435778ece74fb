"""The port, and the server behind it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Iterator

import uvicorn

from edgedigits.serve.app import Web
from edgedigits.serve.connections import protocol_for
from edgedigits.serve.settings import ServeError, ServeSettings, is_local


def bound_socket(settings: ServeSettings) -> socket.socket:
    """Return a listening socket; raises `ServeError` for a port in use, an address that is not ours."""
    where = f"{settings.host}:{settings.port}"
    if not settings.token and not is_local(settings.host):
        raise ServeError(
            f"{where}: others can reach this address, so a token is needed; name a file with token_file"
        )
    try:
        found = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise ServeError(
            f"{settings.host}: no such address; give one of this machine's, or 0.0.0.0"
        ) from error
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ServeError(_why_not_bound(where, error)) from error
    return listening


def _why_not_bound(where: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{where}: the port is in use; stop the other program, or give another --port"
    if error.errno == errno.EACCES:
        return f"{where}: no permission for this port; give one from 1024 on with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: not an address of this machine; give one that is, or 0.0.0.0"
    return f"{where}: can't listen ({error.strerror}); give another --host or --port"


def address_of(listening: socket.socket, settings: ServeSettings) -> str:
    """Return the URL under which a socket is reached from this machine, or by the machine's name."""
    port = listening.getsockname()[1]
    host = settings.host
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    elif ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{port}/"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are the command line's business: they set the event that ends everything.
        yield


async def serve(web: Web, listening: socket.socket, settings: ServeSettings, stop: threading.Event) -> None:
    """Answer requests until `stop` is set; then whoever waits is answered, and all is over within 2 s."""
    config = uvicorn.Config(
        web.app,
        http=protocol_for(settings),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16 << 10,
    )
    server = _Server(config)

    async def watch_stop() -> None:
        while not stop.is_set():
            await asyncio.sleep(0.1)
        web.live.closing.set()
        server.should_exit = True

    watching = asyncio.create_task(watch_stop())
    try:
        await server.serve(sockets=[listening])
    finally:
        watching.cancel()
