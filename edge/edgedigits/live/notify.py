"""A word to systemd: ready, alive, ending; nothing where it is not there."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*messages: str) -> bool:
    """Send messages such as `READY=1` or `WATCHDOG=1`; returns whether anyone listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    # An address that begins with @ is in Linux's abstract name space, which begins with a zero.
    place = "\0" + address[1:] if address[0] == "@" else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.settimeout(1.0)
        link.connect(place)
        link.send("\n".join(messages).encode())
        return True
    return False
