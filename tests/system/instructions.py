"""Count the instructions that reading takes on an emulated Pi; the table is in `firmware_notes/cost.md`.

QEMU's user-mode emulation with the plug-in `count.c`. Unlike milliseconds, counts hardly depend on the
machine or on what else it does: with the hash seed, the addresses and the numbers of threads fixed they
repeat to within a thousandth. They are not time: an instruction on vectors takes longer than one on
integers, and waiting for memory is not in them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.system import pi

HERE = Path(__file__).parent
EDGE = HERE.parents[1] / "edge"
PICTURE = EDGE / "edgedigits" / "samples" / "1-black-pen.jpg"
TABLE = HERE.parents[1] / "firmware_notes" / "cost.md"

SYSTEM = dataclasses.replace(pi.BOOKWORM, emulator="qemu-aarch64")
"""The emulator that is linked dynamically, which takes plug-ins; the static one does not."""

CPUS = {"cortex-a72": "Cortex-A72", "cortex-a76": "Cortex-A76"}
"""A Pi 4's, and a Pi 5's, which has instructions for dot products of int8. A Cortex-A53 counts as the A72."""

COLD = {"": "cold start to first reading", "paper-int8": "cold start to first reading, paper-int8"}
"""`edgedigits read` as a process of its own, by the model it is given."""

Counts = dict[str, dict[str, int]]
"""Instructions by stage and processor."""

_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "PYTHONNOUSERSITE": "1",
}


def missing() -> str:
    """Return what is not there for counting, empty where everything is."""
    if shutil.which("gcc") is None:
        return "gcc is not installed; run tests/system/setup.sh"
    return SYSTEM.missing


def count(folder: Path) -> Counts:
    """Count all stages on all processors; `folder` is for what is made on the way."""
    plugin = _plugin(folder)
    # A board has its byte code compiled once and for all.
    _run(folder, "cortex-a72", *_read(""), environment={"PYTHONDONTWRITEBYTECODE": ""})
    counts: Counts = {}
    for cpu in CPUS:
        for stage, number in _stages(plugin, folder, cpu):
            counts.setdefault(stage, {})[cpu] = number
    return counts


def _stages(plugin: Path, folder: Path, cpu: str) -> Iterator[tuple[str, int]]:
    marks, said = _counted(plugin, folder, cpu, HERE / "stages.py", PICTURE)
    labels = json.loads(said)
    # The last count is the end's.
    steps = [after - before for before, after in zip([0, *marks], marks[:-1], strict=False)]
    summed: Counter[str] = Counter()
    for label, step in zip(labels, steps, strict=True):
        summed[label] += step
    del summed[""]
    yield from summed.items()
    for model, stage in COLD.items():
        marks, said = _counted(plugin, folder, cpu, *_read(model))
        assert re.search(r"\d{4}", said), f"nothing was read: {said}"
        yield stage, marks[-1]


def _read(model: str) -> tuple[object, ...]:
    return "-m", "edgedigits.cli", "read", PICTURE, *(("--model", model) if model else ())


def _counted(plugin: Path, folder: Path, cpu: str, *arguments: object) -> tuple[list[int], str]:
    """Run something; return the count at every mark and at the end, and what was printed."""
    out = folder / "counts"
    said = _run(folder, cpu, *arguments, options=("-plugin", f"{plugin},out={out}"))
    return [int(line) for line in out.read_text().split()], said


def _run(
    folder: Path,
    cpu: str,
    *arguments: object,
    options: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    fixed = {**_ENVIRONMENT, "PYTHONPYCACHEPREFIX": str(folder / "compiled"), **environment}
    command = SYSTEM.command(cpu, *arguments, path=[EDGE], options=options, environment=fixed)
    done = subprocess.run(
        [*_same_addresses(), *command],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def _same_addresses() -> tuple[str, ...]:
    """Return what keeps addresses, and so hashes, the same in every run; empty where that is forbidden."""
    command = ("setarch", "-R")
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return command


def _plugin(folder: Path) -> Path:
    said = subprocess.run([SYSTEM.emulator, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)", said)
    # Versions of the interface: 1 is QEMU 6 to 8, and 9 and later take 2.
    version = 1 if found is not None and int(found[1]) < 9 else 2
    library = folder / "libcount.so"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-DVERSION={version}"]
    subprocess.run(["gcc", *flags, HERE / "count.c", "-o", library], check=True)
    return library


# --- the table ----------------------------------------------------------------------------------------

_HEAD = f"| stage | {' | '.join(CPUS.values())} |\n|---|{'--:|' * len(CPUS)}\n"
_ROWS = re.compile(f"(?<={re.escape(_HEAD)})" + r"(?:\|.*\n)*")


def read_table(path: Path = TABLE) -> Counts:
    """Return the counts of the committed table."""
    rows = _ROWS.search(path.read_text("utf-8"))
    assert rows is not None, f"{path}: there is no table in it"
    cells = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows[0].splitlines())
    return {
        stage: {cpu: int(number.replace(",", "")) for cpu, number in zip(CPUS, numbers, strict=True)}
        for stage, *numbers in cells
    }


def write_table(counts: Mapping[str, Mapping[str, int]], path: Path = TABLE) -> None:
    """Put the counts into the committed table."""
    rows = ""
    for stage, numbers in counts.items():
        rows += f"| {stage} | {' | '.join(f'{numbers[cpu]:,}' for cpu in CPUS)} |\n"
    path.write_text(_ROWS.sub(rows, path.read_text("utf-8"), count=1), "utf-8")
