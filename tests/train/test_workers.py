"""Processes beside the training end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, time
from edgedigits_train.workers import pool
if __name__ == "__main__":
    with pool(1) as workers:
        print(workers.submit(os.getpid).result(), flush=True)
        time.sleep(600)
"""


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="asks /proc for processes")
def test_a_worker_ends_when_the_training_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert runs(worker)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while runs(worker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not runs(worker)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="asks /proc for processes")
def test_a_worker_is_interrupted_without_a_word(tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(PROGRAM)
    given = [sys.executable, str(script)]
    with subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        os.kill(worker, signal.SIGINT)  # as a terminal does to every process of a command
        deadline = time.monotonic() + 30
        while runs(worker) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not runs(worker)
        process.send_signal(signal.SIGKILL)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
