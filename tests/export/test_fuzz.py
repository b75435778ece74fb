"""Models whose structure was changed at random: validated or refused in one line, and no crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# In a process of its own, which a crash of native code would take down.
PROGRAM = """
import dataclasses, io, json, random, sys, zipfile
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgedigits.card import split_bytes
from edgedigits.errors import EdgeDigitsError
from edgedigits.model import read_model
from edgedigits_export.data import read_mnist
from edgedigits_export.edgetpu import check_edgetpu
from edgedigits_export.firmware import write_firmware
from edgedigits_export.pack import pack
from edgedigits_export.validate import Scope, validate

network, count, data, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
whole = read_model(f"{network}-int8")
card, body = split_bytes(whole, "x")
with zipfile.ZipFile(io.BytesIO(whole)) as archive:
    golden = {name: archive.read(name) for name in archive.namelist() if name.startswith("golden")}
pictures = read_mnist("test", data)
pictures = dataclasses.replace(pictures, images=pictures.images[:8], labels=pictures.labels[:8])

# Weights are left as they are: any of them will do.
structure = np.ones(len(body), bool)
model = schema.Model.GetRootAs(body, 0)
for index in range(model.BuffersLength()):
    buffer = model.Buffers(index)
    if buffer.DataLength() > 64:
        start = buffer._tab.Vector(buffer._tab.Offset(4))
        structure[start : start + buffer.DataLength()] = False
places = np.flatnonzero(structure).tolist()

generator = random.Random(7)
outcomes = {"refused": 0, "done": 0}
path = folder / "m.tflite"
for number in range(count):
    changed = bytearray(body)
    for _ in range(generator.choice([1, 1, 2, 4])):
        changed[generator.choice(places)] = generator.choice([0, 1, 127, 128, 255, generator.randrange(256)])
    # With an honest card, and without one.
    path.write_bytes(pack(bytes(changed), card, golden) if number % 2 else bytes(changed))
    for attempt in (
        lambda: validate(f"{network}-float32", [path], pictures, scope=Scope(time=False, memory=False)),
        lambda: write_firmware(str(path), folder / "c"),
        lambda: check_edgetpu(str(path)),
    ):
        try:
            attempt()
            outcomes["done"] += 1
        except EdgeDigitsError as error:
            assert str(error).startswith(str(path)), error
            assert "\\n" not in str(error), error
            outcomes["refused"] += 1
print(json.dumps(outcomes))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("network", "count"), [("paper", 1200), ("compact", 300)])
def test_changed_models_are_refused_and_nothing_crashes(
    network: str, count: int, data_set: Callable[[str], Path], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", PROGRAM, network, str(count), str(data_set("mnist")), str(tmp_path)]
    environment = dict(os.environ, PYTHONFAULTHANDLER="1")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"refused": 0' not in done.stdout
    assert '"done": 0' not in done.stdout
