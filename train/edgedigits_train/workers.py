"""Processes that draw and compose beside the training."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from typing import Any

import cv2


def pool(workers: int, prepare: Callable[..., None] | None = None, *given: Any) -> ProcessPoolExecutor:
    """Return a pool of processes of one thread each, in which `prepare(*given)` has been called.

    They end when this process does, however it ends.
    """
    # Spawned: a process forked from one in which TensorFlow's threads run may stand still for ever.
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(prepare, *given))


def _begin(prepare: Callable[..., None] | None, *given: Any) -> None:
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
