"""TFLite Micro's own interpreter on this machine, in an environment of its own (`pip install tflite-micro`).

    python tests/bench/peer_micro.py MODEL.tflite INPUTS.npy OUTPUTS.npy

`MODEL.tflite` is a model without its zip, `INPUTS.npy` raw inputs. Writes the raw outputs and prints the
microseconds of CPU time that `Invoke` takes; then TFLite Micro prints what lies in its arena.
bench_firmware.py calls it.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from tflite_micro import runtime

REPEATS, INVOCATIONS = 20, 100


def main() -> None:
    """Run all inputs, then one many times."""
    inputs = np.load(sys.argv[2])
    interpreter = runtime.Interpreter.from_bytes(Path(sys.argv[1]).read_bytes())
    outputs = []
    for row in inputs:
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    np.save(sys.argv[3], np.stack(outputs))
    times = []
    for _ in range(REPEATS):
        start = time.process_time_ns()
        for _ in range(INVOCATIONS):
            interpreter.invoke()
        times.append((time.process_time_ns() - start) / INVOCATIONS / 1000)
    print(statistics.median(times), flush=True)
    interpreter.print_allocations()


if __name__ == "__main__":
    main()
