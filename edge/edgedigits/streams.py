"""The two standard streams: ready for any text, which is printed as one line."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any


def printable(text: object) -> str:
    """Return a text as one line that can't steer a terminal: control characters are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def reconfigure(stream: Any, **settings: str) -> None:
    """Set how a text stream encodes, where it is one over bytes: in a test it may not be."""
    with contextlib.suppress(AttributeError):
        stream.reconfigure(**settings)


def ready_streams(stdout: bool = True) -> None:
    """Have both standard streams take any text, and be there even where the caller closed them.

    A closed standard output stays None where `stdout` is False: that it is missing is then an error.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None and (stdout or name == "stderr"):
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (it lives as long as the process)
        reconfigure(getattr(sys, name), errors="backslashreplace")


def discard_stdout() -> None:
    """Point standard output at nothing, or the interpreter stumbles again over what it can't write."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
