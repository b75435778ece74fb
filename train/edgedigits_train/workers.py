"""Processes that draw and compose beside the training."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import Any

import cv2

from edgedigits.errors import EdgeDigitsError


class WorkerError(EdgeDigitsError):
    """A process beside the training that has ended before its work was done."""


@contextlib.contextmanager
def asking(does: str) -> Iterator[None]:
    """While a pool is asked for work: raise `WorkerError` where a process of it has ended.

    `does` says what the processes do: "draws pictures".
    """
    try:
        yield
    except BrokenProcessPool as error:
        raise WorkerError(
            f"a process that {does} was ended from outside, perhaps for want of memory; free some, then "
            "start the same command again to go on"
        ) from error


def pool(workers: int, prepare: Callable[..., None] | None = None, *given: Any) -> ProcessPoolExecutor:
    """Return a pool of processes of one thread each, in which `prepare(*given)` has been called.

    They end when this process does, however it ends.
    """
    # Spawned: a process forked from one in which TensorFlow's threads run may stand still for ever.
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(prepare, *given))


def _begin(prepare: Callable[..., None] | None, *given: Any) -> None:
    # A terminal sends an interrupt to all of them: they end without a word, and the training says so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    cv2.setNumThreads(1)
    # A worker that waits for work doesn't notice that nobody is left to give it any.
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*given)


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
