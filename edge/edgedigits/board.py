"""What the board says of itself: its name, temperature, throttling, memory."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")

_LIMITS = ((0, "undervoltage"), (1, "capped frequency"), (2, "throttled"), (3, "temperature limit"))
"""Bits of the Raspberry Pi firmware's get_throttled that tell what is so now."""


@dataclass(frozen=True)
class Thermal:
    """Temperature in °C, None where it is not known; `limits` is what slows the board down at the moment."""

    temperature: float | None
    limits: tuple[str, ...] | None
    """None where the board does not tell."""

    @property
    def throttled(self) -> bool | None:
        """Whether the board is slowed down; None where it does not tell."""
        return None if self.limits is None else bool(self.limits)


def board_name(root: Path = _ROOT) -> str:
    """Return what the device tree calls the board, else the processor's name."""
    model = _text(root / "proc/device-tree/model").rstrip("\0")
    if model:
        return model
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return f"{platform.machine()} machine"


def thermal(root: Path = _ROOT) -> Thermal:
    """Read the hottest thermal zone, and the firmware's word on throttling where there is one."""
    degrees = []
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*/temp")):
        with contextlib.suppress(ValueError):
            degrees.append(int(_text(zone)) / 1000)
    limits = None
    with contextlib.suppress(ValueError):
        bits = int(_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled"), 16)
        limits = tuple(name for bit, name in _LIMITS if bits >> bit & 1)
    return Thermal(max((d for d in degrees if -40 < d < 150), default=None), limits)


def governor(root: Path = _ROOT) -> str:
    """Return the frequency governor of the first processor; empty where there is none."""
    return _text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def resident_megabytes() -> float:
    """Return the memory this process has in use (resident set), in megabytes; NaN where it can't be told."""
    try:
        return int(_text(Path("/proc/self/statm")).split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (IndexError, ValueError):
        return float("nan")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
