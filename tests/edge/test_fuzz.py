"""Model files with bytes changed at random: refused in one line or read as they were, and no crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own, which a crash of native code would take down.
PROGRAM = """
import dataclasses, hashlib, io, json, random, sys, zipfile
import numpy as np
from edgedigits.card import split_bytes
from edgedigits.errors import ModelError
from edgedigits.model import Model, read_model
from pathlib import Path

kind, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
data = read_model("paper-int8")
card, body = split_bytes(data, "x")
generator = random.Random(5)


def mutated(whole):
    changed = bytearray(whole)
    action = generator.random()
    if action < 0.1:
        return bytes(changed[: generator.randrange(len(changed))])
    if action < 0.2:
        place = generator.randrange(len(changed))
        return bytes(changed[:place] + generator.randbytes(generator.randrange(1, 64)) + changed[place:])
    for _ in range(generator.choice([1, 2, 8])):
        # The ends, where the structure of model and zip is, as often as the weights between them.
        near = generator.random() < 0.6
        place = generator.randrange(2500) if near else generator.randrange(len(changed))
        changed[place if generator.random() < 0.5 else len(changed) - 1 - place] = generator.randrange(256)
    return bytes(changed)


def packed(model):
    honest = dataclasses.replace(card, model_size=len(model), model_sha256=hashlib.sha256(model).hexdigest())
    whole = io.BytesIO(model)
    whole.seek(0, 2)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("card.json", honest.as_json())
    return whole.getvalue()


outcomes = {"refused": 0, "read": 0}
for _ in range(count):
    path = folder / "m.tflite"
    # Either the file suffered, or the model did before an honest card was put behind it.
    path.write_bytes(mutated(data) if kind == "file" else packed(mutated(body)))
    try:
        if kind == "file":
            assert split_bytes(path.read_bytes(), "m") == (card, body)
        else:
            Model(path).probabilities(np.zeros((3, 28, 28), np.uint8))
        outcomes["read"] += 1
    except ModelError as error:
        assert "\\n" not in str(error), error
        outcomes["refused"] += 1
print(json.dumps(outcomes))
"""


@pytest.mark.parametrize(("kind", "count"), [("file", 2500), ("model", 400)])
def test_changed_files_are_refused_and_nothing_crashes(tmp_path: object, kind: str, count: int) -> None:
    command = [sys.executable, "-c", PROGRAM, kind, str(count), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"refused": 0' not in done.stdout
