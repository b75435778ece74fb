"""Whether the compiled packages can run on this machine at all, told without loading any of them.

What can go wrong: a package folder copied from another machine, one left over from another Python, a
processor without instructions that the wheels take for granted, an accelerator without its library.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_ROOT = Path("/")

PACKAGES = (("numpy", "NumPy"), ("cv2", "OpenCV"), ("PIL", "Pillow"))
RUNTIMES = (("ai_edge_litert", "LiteRT"), ("tflite_runtime", "tflite-runtime"))

EDGE_TPU_LIBRARY = "libedgetpu.so.1"
_EDGE_TPU_USB = {("1a6e", "089a"), ("18d1", "9302")}
"""How a Coral USB accelerator calls itself, before its first use and after."""

_MACHINES = {3: "x86", 40: "32-bit ARM", 62: "x86-64", 183: "aarch64", 243: "RISC-V"}
"""Some of ELF's numbers of machines."""

_INSTRUCTIONS = {
    "aarch64": ("asimd",),
    "armv7l": ("neon",),
    "x86_64": ("ssse3", "sse4_1", "sse4_2", "popcnt"),
}
"""What the wheels need of a processor, as /proc/cpuinfo calls it (x86-64: NumPy's x86-64-v2)."""


Grade = Literal["good", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do where it is not well."""

    part: str
    grade: Grade
    what: str
    remedy: str = ""


def misfits(paths: Sequence[str] | None = None, root: Path = _ROOT) -> Iterator[Finding]:
    """Yield what can't work here; `paths` are looked through for the packages (default: `sys.path`)."""
    yield from _processor(root)
    here = _elf(Path(sys.executable))
    for name, label in (*PACKAGES, *RUNTIMES):
        folder = _folder(name, paths)
        if folder is not None:
            yield from _package(label, folder, here)
    if not any(_folder(name, paths) for name, _ in RUNTIMES):
        yield _no_runtime()
    yield from _edge_tpu(root)


def _processor(root: Path) -> Iterator[Finding]:
    machine = platform.machine()
    if machine.startswith(("armv5", "armv6")):
        yield Finding(
            "processor",
            "bad",
            f"{machine}: no TFLite runtime is built for it",
            "take a Pi 2 or later, or export the network as C for microcontrollers",
        )
        return
    try:
        text = (root / "proc" / "cpuinfo").read_text(errors="replace")
    except OSError:
        return
    lines = (line.partition(":") for line in text.splitlines())
    flags = [value.split() for key, _, value in lines if key.strip() in ("flags", "Features")]
    if not flags:
        return
    lacking = [name for name in _INSTRUCTIONS.get(machine, ()) if name not in flags[0]]
    if lacking:
        yield Finding(
            "processor",
            "bad",
            f"it lacks instructions that the wheels need ({', '.join(lacking)})",
            "take another board, or packages that its own distribution has built; in a virtual machine, "
            "let it have the host's processor",
        )


def _package(label: str, folder: Path, here: tuple[int, int] | None) -> Iterator[Finding]:
    compiled = sorted(folder.rglob("*.so"))
    if not compiled:
        return
    there = _elf(compiled[0])
    if here is not None and there is not None and there != here:
        yield Finding(
            "packages",
            "bad",
            f"{label} in {folder} is built for {_machine(there)}, and this Python is {_machine(here)}",
            "it came from another machine: pip install --force-reinstall edgedigits on this one",
        )
        return
    # Names tell what Python a module is for: x.cpython-311-….so; those with abi3 or nothing suit several.
    tags = {part for file in compiled for part in file.name.split(".")[1:2] if part.startswith("cpython-")}
    versions = {tag.split("-")[1] for tag in tags}
    own = "{}{}".format(*sys.version_info)
    if versions and own not in versions:
        other = ", ".join(f"3.{version[1:].rstrip('t')}" for version in sorted(versions))
        yield Finding(
            "packages",
            "bad",
            f"{label} in {folder} is built for Python {other}, and this is {platform.python_version()}",
            "the environment is older than the system's Python: make it anew",
        )


def _no_runtime() -> Finding:
    bits = 8 * struct.calcsize("P")
    what = f"no TFLite runtime (Python {platform.python_version()}, {bits}-bit, {platform.machine()})"
    if bits == 32:
        return Finding("runtime", "bad", what, "see the 32-bit route in firmware_notes/raspberry-pi.md")
    return Finding(
        "runtime",
        "bad",
        what,
        "pip install ai-edge-litert; if pip finds none, this Python is too new for its wheels (or too old): "
        "make the environment with another one",
    )


def _edge_tpu(root: Path) -> Iterator[Finding]:
    devices = (root / "sys/bus/usb/devices").glob("*/idVendor")
    found = {(_word(file), _word(file.with_name("idProduct"))) for file in devices}
    if not found & _EDGE_TPU_USB:
        return
    try:
        ctypes.CDLL(EDGE_TPU_LIBRARY)
    except OSError as error:
        yield Finding(
            "edge tpu",
            "bad",
            f"a Coral accelerator is plugged in, but {EDGE_TPU_LIBRARY} can't be loaded ({error})",
            "install libedgetpu, see firmware_notes/coral.md; without it the CPU does the work",
        )


def _word(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def _folder(name: str, paths: Sequence[str] | None) -> Path | None:
    """Return the folder of a package, without importing it; None where there is none."""
    if paths is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        found = list(spec.submodule_search_locations or ()) if spec is not None else []
        return Path(found[0]) if found else None
    return next((Path(path, name) for path in paths if Path(path, name).is_dir()), None)


def _elf(file: Path) -> tuple[int, int] | None:
    """Return the class (1: 32 bits, 2: 64) and the machine of an ELF file; None for anything else."""
    try:
        with file.open("rb") as opened:
            head = opened.read(20)
    except OSError:
        return None
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    order = "<" if head[5] == 1 else ">"
    return head[4], struct.unpack(f"{order}H", head[18:20])[0]


def _machine(elf: tuple[int, int]) -> str:
    return _MACHINES.get(elf[1], f"machine {elf[1]}")
