"""The two standard streams: ready for any text, and TensorFlow starts without its log on them."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


def ready_streams() -> None:
    """Have both standard streams take any text, and be there even where the caller closed them."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (it lives as long as the process)
        with contextlib.suppress(AttributeError):  # a stream that is not text over bytes, as in a test
            getattr(sys, name).reconfigure(errors="backslashreplace")


def complain(program: str, message: object) -> None:
    """Say on the standard error, in one line whatever is in it, what went wrong."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(message))
    print(f"{program}: {line}", file=sys.stderr)


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Keep TensorFlow from greeting everyone with its log; shown after all where the start fails.

    TensorFlow 2.21 prints some lines from C++ whatever its log level, so the process's own stderr is
    turned away for this long. Who has set TF_CPP_MIN_LOG_LEVEL wants to see them.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
