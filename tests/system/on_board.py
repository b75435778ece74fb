"""What a board is asked, in its own Python: `python on_board.py CROPS.npy OUT.npz` prints one JSON object.

It runs the golden self-test of every shipped model of digits and puts the crops through each of them, puts
noise through whatever model file there is, and has `edgedigits read` and `edgedigits doctor` do their work.
"""

from __future__ import annotations

import contextlib
import io
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits import cli
from edgedigits.errors import ModelError
from edgedigits.golden import check
from edgedigits.model import Model
from edgedigits.runtime import Opener, read_model, shipped_models

MODELS = Path(cli.__file__).parent / "models"
NOISE = 8
"""Tensors of noise."""


def examine(crops_file: str, out: str) -> dict[str, Any]:
    """Return what the board found; the raw outputs for the crops go into the file `out`."""
    crops = np.load(crops_file)
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "models": {},
        "files": {},
    }
    outputs = {}
    for name in shipped_models():
        model = Model(name)
        result = check(model)
        outputs[name] = np.concatenate([model.invoke(tensor[None]) for tensor in model.tensor(crops)])
        found["models"][name] = {
            "runtime": model.runtime,
            "xnnpack": model.uses_xnnpack,
            "integers": model.output_dtype.kind != "f",
            "golden": str(result),
            "passed": result.passed,
            "exact": result.exact,
            "exact_expected": result.exact_expected,
        }
    for file in sorted(MODELS.rglob("*.tflite")):
        name = file.relative_to(MODELS).as_posix()
        try:
            outputs[name], found["files"][name] = of_noise(file)
        except ModelError as error:
            found["files"][name] = str(error)
    np.savez(out, **outputs)
    found["read"], pages = command("read", "--samples", "--format", "jsonl")
    found["texts"] = {page["source"]: [line["text"] for line in page["lines"]] for page in pages}
    found["doctor"], (doctor,) = command("doctor", "--json")
    found["findings"] = doctor["findings"]
    return found


def of_noise(file: Path) -> tuple[np.ndarray[Any, Any], bool]:
    """Return what a model says, raw, of noise, the same everywhere; and whether XNNPACK was at work."""
    opener = Opener(read_model(file), str(file), 1, None)
    interpreter = opener.open()
    (given,), (said,) = interpreter.get_input_details(), interpreter.get_output_details()
    kind, noise = np.dtype(given["dtype"]), np.random.default_rng(0)
    outputs = []
    for _ in range(NOISE):
        if kind.kind == "f":
            tensor = noise.random(given["shape"], kind)
        else:
            bounds = np.iinfo(kind)
            tensor = noise.integers(bounds.min, bounds.max, given["shape"], kind, endpoint=True)
        interpreter.set_tensor(given["index"], tensor)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(said["index"]))
    return np.stack(outputs), opener.uses_xnnpack(interpreter)


def command(*arguments: str) -> tuple[int, list[Any]]:
    """Run a command of `edgedigits`; return its status and the JSON objects it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = cli.main(arguments)
    return status, [json.loads(line) for line in printed.getvalue().splitlines()]


if __name__ == "__main__":
    print(json.dumps(examine(sys.argv[1], sys.argv[2])))
