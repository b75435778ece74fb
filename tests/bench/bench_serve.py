"""What the web view costs: processor time with nobody watching and with one viewer, beside the bare loop.

    python tests/bench/bench_serve.py [--seconds N] [--rounds N] [--rate FRAMES] [--json FILE]

One process reads the same frames, of the virtual camera at 640×480 and drawn beforehand, at a fixed rate and
one after another: without a server, with one that nobody asks, with one that a viewer watches, who takes
each frame as it comes (the time a browser needs is its own and not counted). The three are taken in turn, so
that other load on the machine meets all alike; what counts is the process's own processor time per frame.
Figures to reach: at most 15 % more with one viewer, and with none at most 1 %, which is what can be told
from noise. Exit status 1 where one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import threading
import time
import urllib.request
from pathlib import Path

from edgedigits import Reader
from edgedigits.frames import Frame
from edgedigits.frames.demo import World
from edgedigits.live.hub import Hub
from edgedigits.serve.app import Web
from edgedigits.serve.server import bound_socket, serve
from edgedigits.serve.settings import ServeSettings

MAX_WITH_ONE = 0.15
MAX_WITH_NONE = 0.01


def frames_of(count: int) -> list[Frame]:
    """Draw frames of the virtual camera."""
    world = World(2)
    return [Frame(world.frame(k), "demo:2", k, (640, 480)) for k in range(count)]


class Loop:
    """The bare loop: a frame at each tick, read and published."""

    def __init__(self, frames: list[Frame], rate: float) -> None:
        self.hub, self._frames, self._rate = Hub(), frames, rate
        self._reader = Reader()

    def run(self, seconds: float) -> float:
        """Read for so long; returns milliseconds of the process's processor time per frame."""
        count, due = 0, time.monotonic()
        end, used = due + seconds, time.process_time()
        while time.monotonic() < end:
            frame = self._frames[count % len(self._frames)]
            page = self._reader.read(frame.image, frame.size)
            self.hub.publish(frame, page, {"read": page.elapsed_ms})
            count += 1
            due += 1 / self._rate
            time.sleep(max(0.0, due - time.monotonic()))
        return (time.process_time() - used) * 1000 / count


def watch(url: str, shown: object) -> None:
    """Be a viewer, in a process of its own: ask for the next frame, again and again."""
    after = 0
    while True:
        with urllib.request.urlopen(f"{url}/api/view?after={after}") as answer:
            data = answer.read()
        if data:
            after = json.loads(data[4 : 4 + int.from_bytes(data[:4], "big")])["number"]
            shown.value += 1  # type: ignore[attr-defined]


def main() -> int:
    """Measure, print a table, and compare with the figures to reach."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    loop = Loop(frames_of(150), arguments.rate)
    settings = ServeSettings(port=0, rate=1e4, burst=10_000)
    found: dict[str, list[float]] = {"alone": [], "nobody watches": [], "one viewer": []}
    shown = multiprocessing.get_context("spawn").Value("i", 0)
    loop.run(1.0)
    for _ in range(arguments.rounds):
        found["alone"].append(loop.run(arguments.seconds))
        listening = bound_socket(settings)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        stop = threading.Event()
        web = Web(loop.hub, settings)
        server = threading.Thread(target=lambda: asyncio.run(serve(web, listening, settings, stop)))  # noqa: B023
        server.start()
        time.sleep(0.5)
        found["nobody watches"].append(loop.run(arguments.seconds))
        viewer = multiprocessing.get_context("spawn").Process(target=watch, args=(url, shown), daemon=True)
        viewer.start()
        before = shown.value
        while shown.value < before + 2:
            loop.run(0.2)
        found["one viewer"].append(loop.run(arguments.seconds))
        viewer.terminate()
        viewer.join()
        stop.set()
        server.join()
    alone = found["alone"]
    more = {
        name: statistics.median(v / a for v, a in zip(values, alone, strict=True)) - 1
        for name, values in found.items()
    }
    for name, values in found.items():
        print(f"{name:15} {statistics.median(values):7.2f} ms a frame  {more[name]:+7.1%}")
    print(
        f"{arguments.rate:g} frames a second, {shown.value} shown; at most {MAX_WITH_ONE:.0%} more is allowed"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps({"ms_per_frame": found, "more": more}, indent=1) + "\n")
    return int(more["one viewer"] > MAX_WITH_ONE or more["nobody watches"] > MAX_WITH_NONE)


if __name__ == "__main__":
    sys.exit(main())
