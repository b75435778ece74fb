"""What an unattended device says: lines for people, or JSON for programs, on standard error."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import TextIO

from edgedigits.streams import printable

_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class _Text(logging.Formatter):
    """`edgedigits: what happened`, with the time where nothing else notes it."""

    def __init__(self, in_journal: bool) -> None:
        super().__init__()
        self._in_journal = in_journal

    def format(self, record: logging.LogRecord) -> str:
        message = _one_line(record)
        if self._in_journal:
            # systemd's journal has the time itself, and takes the priority from such a prefix.
            priority = next((p for level, p in _PRIORITIES if record.levelno >= level), 7)
            return f"<{priority}>edgedigits: {message}"
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        return f"edgedigits: {stamp} {record.levelname.lower()}: {message}"


class _Json(logging.Formatter):
    """An object a line: `time` (ISO 8601, UTC), `level`, `part` of the program, `message`."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        values = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "part": record.name.rpartition(".")[2],
            "message": _one_line(record),
        }
        return json.dumps(values, ensure_ascii=False)


def _one_line(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        message += f" ({type(error).__name__}: {error})"
    return printable(message)


def start_logging(form: str = "text", level: str = "info", stream: TextIO | None = None) -> None:
    """Send what the program has to say to a stream (default: standard error); `form` "text" or "json"."""
    logger = logging.getLogger("edgedigits")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text("JOURNAL_STREAM" in os.environ))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    # A closed standard error is no reason to stop reading.
    logging.raiseExceptions = False
