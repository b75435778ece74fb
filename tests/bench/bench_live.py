"""The live loop over a long time: sheets, empty scenes, memory, outages and SIGKILL.

    python tests/bench/bench_live.py [sheets] [empty] [memory] [outage] [--part 0.05] [--seed 1] [--model M]

Each soak has its full size at `--part 1`; the tests run a twentieth. Time is the virtual camera's own, so
that a soak takes as long as the reading does. Figures to reach: every sheet gives exactly one right event
in 200; no event in 10,000 frames that are empty or in motion; at most 5 MB of growth in 100,000 frames;
every event arrives, in order, with the broker away for 10,000 and the process killed 20 times. Exit
status 1 where one is missed. The tracker was tuned with seed 0; odd seeds share nothing with it.
"""

from __future__ import annotations

import argparse
import http.server
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgedigits.board import resident_megabytes
from edgedigits.decode import RejectRule
from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.frames.capture import CaptureStatus
from edgedigits.frames.demo import RATE, World
from edgedigits.journal import Journal, JournalSettings
from edgedigits.live import Live
from edgedigits.live.motion import MotionSettings
from edgedigits.page import Digit, Line, Page
from edgedigits.reader import DEFAULT_MODEL, Reader
from edgedigits.track import Tracker


class Film:
    """Some frames of a world as a source."""

    stills = False

    def __init__(self, world: World, numbers: Sequence[int]) -> None:
        self.status = CaptureStatus()
        self._world, self._numbers = world, numbers

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        for count, number in enumerate(self._numbers):
            image = self._world.frame(number)
            yield Frame(image, "demo:", number, (image.shape[1], image.shape[0]), count / RATE)

    def close(self) -> bool:
        """Nothing is held."""
        return True


def events_of(film: Film, reader: Reader) -> list[Event]:
    """Return what the live loop makes of a film."""
    events: list[Event] = []
    journal = Journal()
    Live(film, reader, Tracker(reader.rule), journal, name="demo:", on_event=events.append).run()
    journal.close()
    return events


def sheets(reader: Reader, seed: int, count: int) -> tuple[int, list[str]]:
    """Show so many sheets; returns how many gave exactly one event with the right text, and the others."""
    world = World(seed)
    end = int((world.sheet(count - 1).gone + 0.7) * RATE)
    events = events_of(Film(world, range(end)), reader)
    right, wrong = 0, []
    for k in range(count):
        sheet = world.sheet(k)
        until = world.sheet(k + 1).comes
        mine = [e.body["text"] for e in events if sheet.comes <= e.body["page"] / RATE < until]
        if mine == [sheet.text]:
            right += 1
        else:
            wrong.append(f"sheet {k}: {sheet.lines} gave {[text.split() for text in mine]}")
    return right, wrong


def empty(reader: Reader, seed: int, count: int) -> list[str]:
    """Show so many frames of the desk alone and of sheets that move; returns the texts of what was seen."""
    world = World(seed)
    numbers: list[int] = []
    k = 0
    while len(numbers) < count:
        sheet = world.sheet(k)
        gone = world.sheet(k - 1).gone if k else 0.0
        numbers += range(int(gone * RATE) + 1, int(sheet.lies * RATE) - 6)
        numbers += range(int(sheet.leaves * RATE) + 6, int(sheet.gone * RATE))
        k += 1
    return [e.body["text"] for e in events_of(Film(world, numbers[:count]), reader)]


class _Printed:
    """A reader that knows what is there: the loop is measured, not the reading."""

    rule = RejectRule(0.5, 0.5)

    def __init__(self) -> None:
        self._frames = 0

    def read(self, image: np.ndarray, size: tuple[int, int] | None = None) -> Page:
        """Return a sheet for two seconds of each four."""
        self._frames += 1
        if self._frames // 60 % 2:
            return Page((), (640, 480), 0.1)
        text = str(100_000 + self._frames // 120)
        digits = tuple(Digit(c, 0.99, (100 + 36 * k, 100, 24, 40)) for k, c in enumerate(text))
        return Page((Line(text, text, 0.95, True, (100, 100, 204, 40), digits),), (640, 480), 0.1)


class _Noise:
    """A source of endless frames that differ."""

    stills = False

    def __init__(self, count: int) -> None:
        self.status = CaptureStatus()
        self._count = count

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        rng = np.random.default_rng(0)
        pictures = [rng.integers(120, 125, (480, 640), np.uint8) for _ in range(8)]
        for number in range(self._count):
            yield Frame(pictures[number % 8].copy(), "soak", number, (640, 480), number / RATE)

    def close(self) -> bool:
        """Nothing is held."""
        return True


def memory(count: int) -> tuple[float, int, int]:
    """Run so many frames; returns megabytes of growth after a tenth of them, events, and those expected."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "j.sqlite", JournalSettings(most_events=500))
        sizes: list[float] = []

        def weigh(frame: Frame, page: Page) -> None:
            if frame.page >= count // 10 and not sizes:
                sizes.append(resident_megabytes())

        seen: list[int] = []
        reader = _Printed()
        live = Live(
            _Noise(count),
            reader,  # type: ignore[arg-type]
            Tracker(reader.rule),
            journal,
            name="soak",
            motion=MotionSettings(enabled=False),
            on_frame=weigh,
            on_event=lambda event: seen.append(event.sequence),
        )
        live.run()
        growth = resident_megabytes() - sizes[0]
        journal.close()
    return growth, len(seen), -(-count // 120)


_WRITER = """
import signal, sys, threading
from edgedigits.outputs.settings import OutputSettings
from edgedigits.live.delivery import Delivery, DeliverySettings
from edgedigits.journal import Journal
from edgedigits.live.station import open_sink
journal = Journal(sys.argv[1])
delivery = Delivery(open_sink(OutputSettings(to=sys.argv[2], timeout=2)), journal,
                    DeliverySettings(first_pause=0.02, longest_pause=0.2))
delivery.start()
if len(sys.argv) > 3:
    for k in range(int(sys.argv[3])):
        print(journal.append("soak", {"text": "1234567890"})[-1].sequence, flush=True)
print("written", flush=True)
while journal.backlog(delivery.name).waiting:
    threading.Event().wait(0.02)
print("delivered", flush=True)
"""


class Receiver:
    """A web server for events that comes and goes at one address."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}/"
        self._server: http.server.HTTPServer | None = None

    def start(self) -> None:
        """Come."""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.sequences.append(json.loads(body)["sequence"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Go."""
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


def outage(count: int, kills: int, seed: int = 0) -> tuple[int, list[int]]:
    """Write so many events, most while the receiver is away, and kill the process at random all the time.

    Returns the last event that was reported before a kill, and the sequence numbers that arrived.
    """
    rng = random.Random(seed)
    last = 0
    receiver = Receiver()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _WRITER, f"{folder}/j", receiver.address]
        for _ in range(kills):
            writer = subprocess.Popen([*command, str(2 * count)], stdout=subprocess.PIPE, text=True)
            assert writer.stdout is not None
            part = count // kills
            here = rng.random() < 0.3  # for a moment it is there, and then is not
            for number, line in enumerate(writer.stdout):
                last = max(last, int(line))
                if here and number == part // 3:
                    receiver.start()
                if here and number == part // 2:
                    receiver.stop()
                if number >= part:
                    break
            writer.send_signal(signal.SIGKILL)
            # The last line may be torn.
            rest = writer.communicate()[0].splitlines()[:-1]
            last = max([last, *(int(line) for line in rest if line.isdecimal())])
            receiver.stop()
        receiver.start()
        try:
            subprocess.run(command, check=True, timeout=600, stdout=subprocess.DEVNULL)
        finally:
            receiver.stop()
    return last, receiver.sequences


def main() -> int:
    """Run the soaks that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("soaks", nargs="*", metavar="SOAK")
    parser.add_argument("--part", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args()
    names = options.soaks or ["sheets", "empty", "memory", "outage"]
    failed = False
    started = time.monotonic()
    if "sheets" in names:
        count = round(200 * options.part)
        right, wrong = sheets(Reader(options.model), options.seed, count)
        print("\n".join(wrong))
        print(f"sheets: {right} of {count} gave exactly one right event")
        failed |= right < count
    if "empty" in names:
        count = round(10_000 * options.part)
        seen = empty(Reader(options.model), options.seed, count)
        print(f"empty and moving: {len(seen)} events in {count} frames {seen}")
        failed |= bool(seen)
    if "memory" in names:
        count = round(100_000 * options.part)
        growth, events, expected = memory(count)
        print(f"memory: {growth:+.1f} MB in {count} frames after warm-up; {events} of {expected} events")
        failed |= growth > 5 or events != expected
    if "outage" in names:
        count, kills = round(10_000 * options.part), max(1, round(20 * options.part))
        last, sequences = outage(count, kills, options.seed)
        first = list(dict.fromkeys(sequences))
        whole = first == list(range(1, len(first) + 1)) and len(first) >= last
        print(
            f"outage: {kills} kills, {last} events reported, {len(first)} arrived "
            f"({len(sequences) - len(first)} twice), {'in order' if whole else 'NOT ALL OR NOT IN ORDER'}"
        )
        failed |= not whole
    print(f"{time.monotonic() - started:.0f} s, {threading.active_count()} thread")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
