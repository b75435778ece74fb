"""Checkpoints: whole whenever the writer is killed, and refused where they are no checkpoints."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgedigits_train import checkpoint

WRITER = """
import sys, itertools, pathlib, numpy as np
from edgedigits_train import checkpoint
for number in itertools.count():
    checkpoint.save(pathlib.Path(sys.argv[1]), {"a": np.full(200_000, number)}, {"number": number})
"""


def test_round_trip(tmp_path: Path) -> None:
    arrays = {"network 0": np.arange(6, dtype=np.float32).reshape(2, 3), "optimizer 0": np.array(7)}
    checkpoint.save(tmp_path / "c.npz", arrays, {"epoch": 3})
    loaded, state = checkpoint.load(tmp_path / "c.npz")
    assert state == {"epoch": 3}
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype


def test_whole_whenever_the_writer_is_killed(tmp_path: Path) -> None:
    moments = random.Random(0)
    path = tmp_path / "c.npz"
    last = -1
    for _ in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        before = path.stat().st_mtime_ns if path.exists() else 0
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert writer.poll() is None
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.03))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        arrays, state = checkpoint.load(path)
        assert (arrays["a"] == state["number"]).all()
        last = max(last, state["number"])
    assert last > 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
def test_what_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.npz"
    path.write_bytes(content)
    with pytest.raises(checkpoint.CheckpointError, match="can't be read") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    checkpoint.save(path, {"a": np.arange(1000)}, {})
    content = bytearray(path.read_bytes())
    content[700] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(checkpoint.CheckpointError, match="can't be read"):
        checkpoint.load(path)


def test_whatever_byte_is_damaged_a_line_says_so(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    checkpoint.save(path, {"a": np.arange(3)}, {"epoch": 3})
    content = path.read_bytes()
    refused = 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            checkpoint.load(path)  # some bytes say nothing that matters
        except checkpoint.CheckpointError as error:
            refused += "\n" not in str(error)
    assert refused > len(content) / 2


def test_a_state_of_another_kind_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "c.npz", {}, ["epoch", 3])  # type: ignore[arg-type]
    with pytest.raises(checkpoint.CheckpointError, match="its state is none"):
        checkpoint.load(tmp_path / "c.npz")
