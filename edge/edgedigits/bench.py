"""How fast this board reads: looking for motion, reading and tracking timed, on the virtual camera."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgedigits import __version__
from edgedigits.board import board_name, resident_megabytes, thermal
from edgedigits.errors import OutputError
from edgedigits.files import write_atomically
from edgedigits.frames.demo import RATE, World
from edgedigits.live.motion import Motion
from edgedigits.reader import Reader
from edgedigits.track import Tracker

COLUMNS = ("board", "python", "model", "frames/s", "read p50 ms", "read p99 ms", "MB", "°C", "version")


@dataclass(frozen=True)
class BenchResult:
    """What was measured. `stages` are the p50 and p99 of each stage, in milliseconds a frame."""

    board: str
    model: str
    frames: int
    digits: float
    """Digits in a frame, on average."""
    rate: float
    """Frames a second through all stages, the camera's own drawing left out."""
    stages: Mapping[str, tuple[float, float]]
    megabytes: float
    temperature: float | None
    python: str = field(default_factory=platform.python_version)

    def row(self) -> str:
        """Return the row for the table of boards in `firmware_notes/`."""
        degrees = "" if self.temperature is None else f"{self.temperature:.0f}"
        read = self.stages["read"]
        cells = (
            self.board,
            self.python,
            self.model,
            f"{self.rate:.0f}",
            f"{read[0]:.1f}",
            f"{read[1]:.1f}",
            f"{self.megabytes:.0f}",
            degrees,
            __version__,
        )
        return "| " + " | ".join(cells) + " |"

    def as_json(self) -> str:
        """Return all of it as a JSON object."""
        values = {
            "schema": 1,
            "board": self.board,
            "python": self.python,
            "model": self.model,
            "frames": self.frames,
            "digits_per_frame": round(self.digits, 2),
            "frames_per_second": round(self.rate, 2),
            "milliseconds": {name: {"p50": p50, "p99": p99} for name, (p50, p99) in self.stages.items()},
            "megabytes": round(self.megabytes, 1),
            "temperature": self.temperature,
            "version": __version__,
        }
        return json.dumps(values, ensure_ascii=False)


def measure(reader: Reader, frames: int = 200, seed: int = 0) -> BenchResult:
    """Read so many frames of sheets that lie still, each with ten digits, one after another.

    Every frame is read (nothing is saved by the motion gate), after a tenth as many to warm up.
    """
    world, motion, tracker = World(seed), Motion(), Tracker(reader.rule)
    times: dict[str, list[float]] = {"motion": [], "read": [], "track": []}
    digits = 0
    sheet = taken = 0
    while taken < frames + frames // 10:
        lying = world.sheet(sheet)
        first, last = int(lying.lies * RATE) + 1, int(lying.leaves * RATE)
        for number in range(first, min(last, first + 25)):
            image = world.frame(number)
            started = time.perf_counter()
            moving, _ = motion.observe(image)
            moved = time.perf_counter()
            page = reader.read(image)
            read = time.perf_counter()
            tracker.observe(number / RATE, page, number, moving)
            tracked = time.perf_counter()
            taken += 1
            if taken > frames + frames // 10:
                break
            if taken > frames // 10:
                steps = (moved - started, read - moved, tracked - read)
                for name, seconds in zip(times, steps, strict=True):
                    times[name].append(seconds * 1000)
                digits += sum(len(line.digits) for line in page.lines)
        sheet += 1
    whole = [sum(parts) for parts in zip(*times.values(), strict=True)]
    stages = {
        name: (round(statistics.median(values), 3), round(float(np.percentile(values, 99)), 3))
        for name, values in {**times, "all": whole}.items()
    }
    return BenchResult(
        board=board_name(),
        model=" on ".join(filter(None, (reader.model.card.name, reader.model.delegate))),
        frames=len(whole),
        digits=digits / len(whole),
        rate=1000 * len(whole) / sum(whole),
        stages=stages,
        megabytes=resident_megabytes(),
        temperature=thermal().temperature,
    )


def append_row(result: BenchResult, path: str | os.PathLike[str]) -> None:
    """Append a result to the table at the end of a Markdown file, which is begun where there is none.

    Raises `OutputError` where it can't be written.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise OutputError(f"{path}: can't read the table ({reason}); name a Markdown file") from error
    if not text:
        text = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"
    if not text.endswith("\n"):
        text += "\n"
    write_atomically(path, f"{text}{result.row()}\n".encode())
