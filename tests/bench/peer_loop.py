"""The loop a peer of `bench_peers.py` runs in a process, and mostly an environment, of its own.

A request is a line of JSON on standard input, `{"picture": FILE, "kind": "strips" | "pages"}`; the answer is
one on standard output: `lines` ([text, confidence] each, in the peer's reading order), `ms` and `cpu_ms` (the
least of the calls, the picture being in memory) and `megabytes` (the process's peak resident set so far).
The first line says what the peer is. Needs OpenCV and NumPy only.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

CALLS = 2

Lines = Sequence[tuple[str, float]]


def serve(version: str, read: Callable[[Any, str], Lines]) -> None:
    """Answer requests with `read`, which takes a BGR picture (H×W×3 uint8) and the kind, until they end."""
    import cv2

    cv2.setNumThreads(1)
    # What libraries print belongs elsewhere.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"version": version}), file=answers, flush=True)
    for request in map(json.loads, sys.stdin):
        image = cv2.imread(request["picture"])
        lines: Lines = ()
        wall, cpu = [], []
        for _ in range(CALLS):
            started, spent = time.perf_counter(), time.process_time()
            lines = read(image, request["kind"])
            wall.append(time.perf_counter() - started)
            cpu.append(time.process_time() - spent)
        answer = {
            "lines": [[text, float(confidence)] for text, confidence in lines],
            "ms": min(wall) * 1000,
            "cpu_ms": min(cpu) * 1000,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        }
        print(json.dumps(answer), file=answers, flush=True)
