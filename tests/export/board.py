"""Build the exported C for a Cortex-M and run it on an emulated board."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")


@dataclass(frozen=True)
class Board:
    """An emulated board; `flags` choose its processor, `nanoseconds` is what a tick of SysTick lasts."""

    machine: str
    flags: tuple[str, ...]
    nanoseconds: float
    dsp: bool = False
    """Whether it has the DSP extension that `MODEL_SMLAD` uses."""


BOARDS = {
    "M0": Board("microbit", ("-mcpu=cortex-m0",), 1000 / 16),
    "M3": Board("mps2-an385", ("-mcpu=cortex-m3",), 40),
    "M4": Board("mps2-an386", ("-mcpu=cortex-m4", "-mfloat-abi=soft"), 40, dsp=True),
    "M7": Board("mps2-an500", ("-mcpu=cortex-m7", "-mfloat-abi=soft"), 40, dsp=True),
    "M55": Board("mps3-an547", ("-mcpu=cortex-m55+nomve.fp+nofp", "-mfloat-abi=soft"), 1000 / 32, dsp=True),
}


@dataclass(frozen=True)
class Ran:
    """What a board said."""

    golden: int
    exact: int
    checksum: int
    """Of the outputs for random inputs: the same on every processor that computes the same."""
    instructions: float
    """For an inference on random inputs, the mean of several."""
    text: int
    """Bytes of model.c in flash: code and tables."""
    memory: int
    """Bytes of model.c in memory."""
    pictures: int
    read: int
    """Of the golden pictures, those centred within a grey level of the host and read with its label."""
    centring: dict[int, float]
    """Instructions to centre a golden picture, by the pixels along its side."""
    centre_text: int
    """Bytes of centre.c in flash."""
    centre_memory: int
    """Bytes of centre.c in memory."""


def missing() -> str:
    """Return what is not installed for it, empty where everything is."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(absent)}; run tests/system/setup.sh" if absent else ""


def run_on(board: Board, sources: Path, work: Path, *, smlad: bool = False, optimize: str = "-O2") -> Ran:
    """Compile the C sources in the folder `sources` for a board and run them there."""
    flags = [*board.flags, "-mthumb", "-std=c99", optimize, "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    if smlad:
        flags.append("-DMODEL_SMLAD")
    work.mkdir(parents=True, exist_ok=True)
    model, centre, program = work / "model.o", work / "centre.o", work / "board.elf"
    gcc = "arm-none-eabi-gcc"
    _call(gcc, *flags, "-c", sources / "model.c", "-o", model)
    _call(gcc, *flags, "-c", sources / "centre.c", "-o", centre)
    rest: list[str | Path] = [
        "-nostartfiles",
        "-T",
        HERE / "board.ld",
        f"-I{sources}",
        HERE / "board.c",
        model,
        centre,
        "-lc",
        "-lgcc",
    ]
    _call(gcc, *flags, "-Wno-pedantic", *rest, "-o", program)
    sizes, centre_sizes = (_sizes(part) for part in (model, centre))
    said = _call(
        "qemu-system-arm", "-M", board.machine, "-nographic", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-icount", "shift=0", "-kernel", program,
    )  # fmt: skip
    lines = [line.split() for line in said.splitlines()]
    values = {name: int(value) for name, value in lines}
    sides = [int(value) for name, value in lines if name == "side"]
    ticks = [int(value) for name, value in lines if name == "centring"]
    return Ran(
        golden=values["golden"],
        exact=values["exact"],
        checksum=values["checksum"],
        instructions=values["ticks"] * board.nanoseconds,
        text=sizes[0],
        memory=sizes[1],
        pictures=values["pictures"],
        read=values["read"],
        centring={side: one * board.nanoseconds for side, one in zip(sides, ticks, strict=True)},
        centre_text=centre_sizes[0],
        centre_memory=centre_sizes[1],
    )


def _sizes(part: Path) -> tuple[int, int]:
    """Return the bytes of an object file in flash and in memory."""
    text, data, bss = _call("arm-none-eabi-size", part).splitlines()[1].split()[:3]
    return int(text), int(data) + int(bss)


def _call(*command: str | Path) -> str:
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr
