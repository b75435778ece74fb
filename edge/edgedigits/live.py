"""The loop of a device that watches: frames → reader → outputs, until the source ends or someone stops it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from edgedigits.frames import Frame, Source
from edgedigits.page import Page
from edgedigits.reader import Reader


def watch(
    source: Source, reader: Reader, report: Callable[[Frame, Page], None], frames: int | None = None
) -> int:
    """Read the frames of a source and hand each reading to `report`; returns how many there were.

    Ends after so many `frames`, at the end of a video file, or when the source's stop event is set.
    Raises `SourceError` where the source is missing, stalls or goes away, and whatever `report` raises.
    """
    count = 0
    for frame in source:
        report(frame, reader.read(frame.image, frame.size))
        count += 1
        if count == frames:
            break
    return count


@contextlib.contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM set `stop`, so that the work at hand is finished and nothing torn."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
