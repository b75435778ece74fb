"""What it costs to read one picture: the time of the whole process, and its memory.

    python tests/bench/bench_read.py [--rounds N] [--json FILE] [PICTURE]

The yardstick is a process that only imports NumPy, OpenCV and the runtime. Both are started in turn, so
that other load on the machine meets both alike, and the medians are compared. Figures to reach: at most
twice the time, at most 150 MB. Exit status 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

MAX_RATIO = 2.0
MAX_MEGABYTES = 150.0

IMPORTS = "import numpy, cv2; from ai_edge_litert.interpreter import Interpreter"


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command; returns its wall time in seconds and its peak memory (resident set) in megabytes."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:4]} ended with status {process.returncode}")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def main() -> int:
    """Measure, print a table, and compare with the figures to reach."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", type=Path, help="default: the first sample picture")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    picture = arguments.picture
    if picture is None:
        import edgedigits

        picture = sorted(Path(edgedigits.__file__).parent.glob("samples/*.jpg"))[0]
    commands = {
        "imports": [sys.executable, "-c", IMPORTS],
        "read": [sys.executable, "-m", "edgedigits.cli", "read", str(picture)],
    }
    for command in commands.values():  # once for the disk cache and the byte code
        measure(command)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(arguments.rounds):
        for name, command in commands.items():
            runs[name].append(measure(command))
    seconds = {name: statistics.median(s for s, _ in found) for name, found in runs.items()}
    megabytes = {name: max(m for _, m in found) for name, found in runs.items()}
    ratio = statistics.median(r[0] / i[0] for r, i in zip(runs["read"], runs["imports"], strict=True))
    for name in commands:
        print(f"{name:8}  {seconds[name] * 1000:6.0f} ms  {megabytes[name]:6.1f} MB")
    print(f"read takes {ratio:.2f} times the imports (at most {MAX_RATIO}); the memory is its peak")
    if arguments.json:
        result = {"seconds": seconds, "peak_megabytes": megabytes, "ratio": ratio, "picture": picture.name}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(ratio > MAX_RATIO or megabytes["read"] > MAX_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
