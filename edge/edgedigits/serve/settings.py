"""What the web face allows: addresses, sizes, rates, numbers of clients."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgedigits.errors import EdgeDigitsError
from edgedigits.settings import SettingsError, build

SHORTEST_TOKEN = 16
"""Characters; a shorter token can be guessed."""

TOKEN_VARIABLE = "EDGEDIGITS_TOKEN"


class ServeError(EdgeDigitsError):
    """The web face can't be served so: port in use, no such address, token too short or missing."""


@dataclass(frozen=True)
class ServeTable:
    """Where the web face is served, to whom, and how much of it."""

    host: str = "127.0.0.1"
    """Address to listen on; one that others can reach needs a token."""
    port: int = 8000
    """Port to listen on; 0 takes any that is free. 0…65,535."""
    token_file: str = ""
    """File that holds the token; else EDGEDIGITS_TOKEN in the environment; else one is made at each start."""
    names: tuple[str, ...] = ()
    """Further names under which clients may ask for it, without port; the machine's own are known."""
    form: str = ""
    """Form file that the form editor writes, there or yet to be made; empty: it can only be downloaded."""

    largest_body: int = 24 << 20
    """Size of an uploaded picture at most. Bytes, 1,000…1,000,000,000."""
    largest_text: int = 1 << 20
    """Size of strokes or of a form at most. Bytes, 1,000…100,000,000."""
    most_pixels: int = 64_000_000
    """Pixels of an uploaded file at most, all its pages together. 10,000…250,000,000."""
    most_pages: int = 20
    """Pages read of an uploaded TIFF at most. 1…1,000."""
    head_seconds: float = 8.0
    """A request's head has arrived by then, or the connection is closed. Seconds, 0.1…600."""
    body_seconds: float = 20.0
    """A request's body has arrived, and its answer been taken, by then. Seconds, 0.1…3600."""
    connections: int = 128
    """Open at a time; further ones are closed at once. 1…10,000."""
    connections_per_client: int = 48
    """Of these from one address. 1…10,000."""
    viewers: int = 8
    """Who may watch the live view or the events at a time. 1…1,000."""
    waiting: int = 8
    """Pictures and strokes that may wait to be read at a time. 1…1,000."""
    rate: float = 50.0
    """Requests a second from one address in the long run … 0.1…100,000."""
    burst: int = 150
    """… and at once. 1…100,000."""
    reading_rate: float = 8.0
    """Pictures and strokes a second from one address in the long run … 0.1…100,000."""
    reading_burst: int = 30
    """… and at once. 1…100,000."""

    view_rate: float = 6.0
    """Pictures a second in the live view at most; reading goes on at its own rate. 0.1…60."""
    view_side: int = 800
    """Pixels of the live view's longer side at most. 64…4096."""
    view_quality: int = 70
    """Quality of the live view's JPEG. 1…100."""


@dataclass(frozen=True)
class ServeSettings(ServeTable):
    """The settings in force: the configuration's table [serve], and the token, which is not kept there."""

    token: str = ""
    """What a client must know; empty: nothing, which is for localhost only."""


def settings_from(table: Mapping[str, Any], **changes: Any) -> ServeSettings:
    """Return the settings of a configuration's table [serve], with what the command line changes.

    Raises `SettingsError` as `build` does, and for a token in the table itself.
    """
    if not isinstance(table, Mapping):
        raise SettingsError("'serve' is a table; write [serve] and its keys below")
    if "token" in table:
        raise SettingsError("[serve]: write the token into a file of its own, and name that as token_file")
    return ServeSettings(**{**vars(build(ServeTable, table, "[serve]")), **changes})


def is_local(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token_from(file: str) -> str:
    """Return the token of a file, else of the environment (`EDGEDIGITS_TOKEN`); empty where there is none.

    Raises `ServeError` for a file that can't be read or that others may read, and for a short token.
    """
    if not file:
        token, where = os.environ.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE
        if not token:
            return ""
    else:
        where = file
        try:
            path = Path(file)
            if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
                raise ServeError(f"{file}: everyone on this machine may read the token; chmod 600 {file}")
            token = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            raise ServeError(f"{file}: can't read the token ({reason}); name a file that holds it") from error
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ServeError(
            f"{where}: a token is {SHORTEST_TOKEN} or more ASCII characters without blanks; "
            f"make one with: openssl rand -hex 16"
        )
    return token


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(18)


def own_names() -> frozenset[str]:
    """Return the names by which this machine may be asked for, in lower case."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({"localhost", name, short, f"{short}.local"})
