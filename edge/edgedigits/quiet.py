"""Keep what native libraries write past Python off the user's screen."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_lock = threading.Lock()


@contextlib.contextmanager
def quiet(*starts: bytes) -> Iterator[None]:
    """Drop the lines on the standard error that begin with one of `starts`; without any, every line.

    Libraries write their remarks to the file descriptor, past `sys.stderr`, and the runtimes have no switch
    for it. So the descriptor points to a temporary file meanwhile, and what is not dropped is passed on
    afterwards. Where the body raises, nothing is: what went wrong is told by the exception.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_lock)
        try:
            kept = os.dup(2)
        except OSError:  # a service without a standard error
            yield
            return
        stack.callback(os.close, kept)
        aside = stack.enter_context(tempfile.TemporaryFile())
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.truncate(0)
            raise
        finally:
            os.dup2(kept, 2)
            aside.seek(0)
            rest = b"".join(line for line in aside if starts and not line.startswith(starts))
            if rest:
                with contextlib.suppress(OSError):
                    os.write(2, rest)


@contextlib.contextmanager
def silenced_libraries() -> Iterator[None]:
    """Keep what OpenCV, FFmpeg, libtiff and the runtime write to standard error from the user.

    They write to the file descriptor, so that is pointed at nothing, and our own words go to a copy of it.
    """
    try:
        ours = sys.stderr.fileno() == 2
    except (OSError, ValueError):
        ours = False
    if not ours:
        yield
        return
    stderr, saved = sys.stderr, os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        with open(saved, "w", errors="backslashreplace", closefd=False) as sys.stderr:
            yield
    finally:
        sys.stderr = stderr
        os.dup2(saved, 2)
        os.close(saved)
