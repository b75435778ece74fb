"""What a board is asked, in its own Python: `python on_board.py CROPS.npy OUT.npz` prints one JSON object.

It runs the golden self-test of every shipped model, puts the crops through each of them, and has the commands
`edgedigits read` and `edgedigits doctor` do their work.
"""

from __future__ import annotations

import contextlib
import io
import json
import platform
import sys
from typing import Any

import numpy as np

from edgedigits import cli
from edgedigits.golden import check
from edgedigits.model import Model, shipped_models


def examine(crops_file: str, out: str) -> dict[str, Any]:
    """Return what the board found; the raw outputs for the crops go into the file `out`."""
    crops = np.load(crops_file)
    found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine(), "models": {}}
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
    np.savez(out, **outputs)
    found["read"], pages = command("read", "--samples", "--format", "jsonl")
    found["texts"] = {page["source"]: [line["text"] for line in page["lines"]] for page in pages}
    found["doctor"], (doctor,) = command("doctor", "--json")
    found["findings"] = doctor["findings"]
    return found


def command(*arguments: str) -> tuple[int, list[Any]]:
    """Run a command of `edgedigits`; return its status and the JSON objects it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = cli.main(arguments)
    return status, [json.loads(line) for line in printed.getvalue().splitlines()]


if __name__ == "__main__":
    print(json.dumps(examine(sys.argv[1], sys.argv[2])))
