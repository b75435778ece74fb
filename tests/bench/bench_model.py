"""What `Model` costs beside the bare interpreter.

    python tests/bench/bench_model.py [--models NAME|FILE …] [--json FILE]

For 1 and for 32 digits: the interpreter's own set, invoke and get; `Model.invoke` on the same tensor; and
`Model.probabilities` on uint8 crops, which quantizes and calibrates as well. The three take turns in short
bursts, and each figure is the median over the bursts, so that whatever else the machine does meets them
alike. What counts is the ratio to the bare calls; figures to reach for an int8 model are 1.5 for a raw
call of 1 digit, and for probabilities 4.0 (1 digit) and 1.2 (32 digits).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.card import split_bytes
from edgedigits.model import Model, read_model
from edgedigits.quiet import quiet

TARGETS = {(1, "invoke"): 1.5, (1, "probabilities"): 4.0, (32, "probabilities"): 1.2}
"""Largest ratio to the bare calls, for int8 models, by the number of digits and the call."""

BURSTS = 61
BURST_MS = 4.0


def bare_call(model: Model, batch: int) -> tuple[Callable[[], Any], np.ndarray[Any, Any]]:
    """Return the interpreter's own set, invoke and get as one function, and the tensor it is called with."""
    from ai_edge_litert.interpreter import Interpreter

    _, body = split_bytes(read_model(model.source), model.source)
    with quiet(b"INFO:"):
        interpreter = Interpreter(model_content=body, num_threads=1)
        index = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(index, [batch, *model.card.input_shape])
        interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]["index"]
    codes = np.random.default_rng(0).integers(0, 127, (batch, *model.card.input_shape))
    tensor = codes.astype(model.input_dtype)

    def call() -> Any:
        interpreter.set_tensor(index, tensor)
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return call, tensor


def measure(name: str, batch: int) -> dict[str, float]:
    """Return the median microseconds of each kind of call, for all `batch` digits together."""
    model = Model(name)
    bare, tensor = bare_call(model, batch)
    crops = np.random.default_rng(0).integers(0, 256, (batch, 28, 28), np.uint8)
    calls: dict[str, Callable[[], Any]] = {
        "bare": bare,
        "invoke": lambda: model.invoke(tensor),
        "probabilities": lambda: model.probabilities(crops),
    }
    for call in calls.values():
        call()
    start = time.perf_counter()
    for _ in range(20):
        bare()
    repeats = max(1, int(BURST_MS / 1000 / ((time.perf_counter() - start) / 20)))
    bursts: dict[str, list[float]] = {kind: [] for kind in calls}
    for _ in range(BURSTS):
        for kind, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            bursts[kind].append((time.perf_counter() - start) / repeats * 1e6)
    return {kind: round(statistics.median(values), 3) for kind, values in bursts.items()}


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=["paper-int8", "paper-float32"], metavar="NAME|FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = []
    print(f"{'model':24} {'digits':>6} {'call':14} {'µs':>9} {'ratio':>6}  to reach")
    for name in options.models:
        for batch in (1, 32):
            times = measure(name, batch)
            for kind, microseconds in times.items():
                ratio = microseconds / times["bare"]
                target = TARGETS.get((batch, kind)) if Model(name).input_dtype == np.int8 else None
                said = "" if target is None else f"{target:.1f} {'reached' if ratio <= target else 'MISSED'}"
                figures = f"{microseconds:9.2f} {ratio:6.2f}"
                print(f"{Path(name).stem:24} {batch:6} {kind:14} {figures}  {said}".rstrip())
                rows.append(
                    {
                        "model": Path(name).stem,
                        "digits": batch,
                        "call": kind,
                        "microseconds": microseconds,
                        "ratio": round(ratio, 4),
                        "target": target,
                    }
                )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
