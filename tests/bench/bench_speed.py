"""What reading costs beside the least that OpenCV could do, how it grows, and what a camera gets.

    python tests/bench/bench_speed.py [floors] [growth] [live] [--model M] [--way W] [--rounds N]
        [--frames N] [--json FILE]

Everything in processor time, on one core, one thread.

floors: `Reader.read` over grey conversion, adaptive threshold and connected components on the same picture:
a frame of 640×480 with 10 digits, a page of 1920×1080 with 50, cheque strips of the tuning part (only with
EDGEDIGITS_DATA).
growth: pages of 1920×1080 with 50 to 1000 digits; what a digit costs beyond 500 over what it costs up to
there, 1 where the page's time grows linearly.
live: frames of `demo:1`, as a USB camera's JPEG, through the whole loop (motion, reading, tracking, journal,
hub), beside the bare loop that decodes them and does no more. Once only frames with ten digits that lie
still, each of which is read; once the film as it comes, where what does not move is left unread.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
from numpy.typing import NDArray
from tests.bench.bench_reading import floor, lines

from edgedigits.frames import Frame
from edgedigits.frames.capture import CaptureStatus
from edgedigits.frames.demo import RATE, SIZE, World, digits
from edgedigits.journal import Journal
from edgedigits.live import Live
from edgedigits.live.motion import MotionSettings
from edgedigits.page import Page
from edgedigits.reader import DEFAULT_MODEL, DEFAULT_WAY, Reader
from edgedigits.track import Tracker
from edgedigits.ways.line_reading import READING_WAYS

Image = NDArray[np.uint8]


def page(count: int, rows: int, size: tuple[int, int] = (1920, 1080), seed: int = 0) -> Image:
    """Draw a page of so many digits, H×W×3: unevenly lit, noisy, the digits as large as fits."""
    rng = np.random.default_rng(seed)
    width, height = size
    sheet = np.full((height, width, 3), (205, 215, 220), np.float32) * np.linspace(1, 0.7, width)[:, None]
    columns = count // rows
    side = int(min(height / rows / 1.25, width / columns / 1.05, 160))
    every = digits()
    for row, column in itertools.product(range(rows), range(columns)):
        tile = every[rng.integers(10), rng.integers(every.shape[1])]
        ink = cv2.resize(tile, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
        y = int(height * (row + 0.5) / rows - side / 2)
        x = int((width - columns * side * 1.05) / 2 + column * side * 1.05)
        sheet[y : y + side, x : x + side] *= 1 - 0.75 * ink[..., None]
    sheet += rng.normal(0, 2, sheet.shape)
    return np.clip(sheet, 0, 255).astype(np.uint8)


def still_frames(seed: int = 1) -> Iterator[Image]:
    """Yield frames of sheets that lie still, each with ten digits, up to 25 of a sheet."""
    world = World(seed)
    for number in itertools.count():
        sheet = world.sheet(number)
        first, last = int(sheet.lies * RATE) + 1, int(sheet.leaves * RATE)
        for frame in range(first, min(last, first + 25)):
            yield world.frame(frame)


def milliseconds(work: Callable[[Image], object], image: Image, rounds: int) -> float:
    """Return the least processor time of some calls."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work(image)
        times.append(time.process_time() - started)
    return min(times) * 1000


def floors(reader: Reader, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the median milliseconds and floors of reading each kind of picture."""
    kinds = {
        "frame 640×480, 10 digits": list(itertools.islice(still_frames(), 0, 200, 25)),
        "page 1920×1080, 50 digits": [page(50, 5)],
    }
    folder = os.environ.get("EDGEDIGITS_DATA")
    if folder:
        strips = (image for image, _ in lines(Path(folder), "cheques", "tune"))
        kinds["cheque strip"] = list(itertools.islice(strips, 0, None, 13))
    else:
        print("no cheque strips: set EDGEDIGITS_DATA to the folder of the data sets")
    found = {}
    for kind, images in kinds.items():
        ours = np.array([milliseconds(reader.read, image, rounds) for image in images])
        least = np.array([milliseconds(floor, image, rounds) for image in images])
        found[kind] = float(np.median(ours)), float(np.median(ours / least))
    return found


GROWTH = ((50, 5), (100, 10), (200, 10), (500, 20), (1000, 25))


def growth(reader: Reader, rounds: int) -> tuple[dict[int, tuple[int, float]], float]:
    """Return the digits read and the milliseconds of pages by their digits, and the price beyond 500."""
    found = {}
    for count, rows in GROWTH:
        image = page(count, rows)
        read = sum(len(line.text) for line in reader.read(image).lines)
        found[count] = read, milliseconds(reader.read, image, rounds)
    ms = {count: taken for count, (_, taken) in found.items()}
    return found, (ms[1000] - ms[500]) / 500 / ((ms[500] - ms[50]) / 450)


class Camera:
    """A camera that has its frames as JPEG, and decodes them as they are taken."""

    stills = False

    def __init__(self, pictures: list[NDArray[np.uint8]]) -> None:
        self.status = CaptureStatus()
        self._pictures = pictures
        self.taken: list[float] = []
        """When each frame was asked for, in seconds of processor time."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        for number, picture in enumerate(self._pictures):
            self.taken.append(time.process_time())
            image = np.asarray(cv2.imdecode(picture, cv2.IMREAD_COLOR), np.uint8)
            yield Frame(image, "demo:1", number, SIZE, number / RATE)

    def close(self) -> bool:
        """Nothing is held."""
        return True


@dataclasses.dataclass(frozen=True)
class LiveCost:
    """Milliseconds of processor time a frame, and what was read in how many of them."""

    bare: float
    """The camera loop alone."""
    whole: float
    """With everything from motion to journal."""
    p99: float
    """The same for the slowest frame of a hundred."""
    frames: int
    read: int
    digits: float
    """On average in a frame that was read."""


def live(reader: Reader, images: Iterator[Image], gate: bool) -> LiveCost:
    """Run the loop; with the `gate` frames in which nothing moves are left unread."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    pictures = [np.asarray(cv2.imencode(".jpg", image, quality)[1], np.uint8) for image in images]
    reader.read(np.asarray(cv2.imdecode(pictures[0], cv2.IMREAD_COLOR), np.uint8))
    started = time.process_time()
    for _ in Camera(pictures):
        pass
    bare = time.process_time() - started
    found: list[int] = []

    def count(frame: Frame, read: Page) -> None:
        found.append(sum(len(line.digits) for line in read.lines))

    camera, journal = Camera(pictures), Journal()
    loop = Live(
        camera,
        reader,
        Tracker(reader.rule),
        journal,
        name="demo:1",
        motion=MotionSettings(enabled=gate),
        on_frame=count,
    )
    started = time.process_time()
    loop.run()
    whole = time.process_time() - started
    journal.close()
    return LiveCost(
        bare / len(pictures) * 1000,
        whole / len(pictures) * 1000,
        float(np.percentile(np.diff(camera.taken), 99)) * 1000,
        len(pictures),
        len(found),
        sum(found) / max(1, len(found)),
    )


def main() -> int:
    """Measure what is named, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="PART", help="floors, growth, live; default: all")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--way", default=DEFAULT_WAY, choices=READING_WAYS)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    parts = options.parts or ["floors", "growth", "live"]
    if unknown := set(parts) - {"floors", "growth", "live"}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are floors, growth and live")
    cv2.setNumThreads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    reader = Reader(options.model, way=options.way)
    results: dict[str, object] = {"model": options.model, "way": options.way}
    if "floors" in parts:
        results["floors"] = found = floors(reader, options.rounds)
        for kind, (ms, ratio) in found.items():
            print(f"{kind:<26}{ms:>8.2f} ms {ratio:>6.1f} floors")
    if "growth" in parts:
        sizes, price = growth(reader, max(3, options.rounds // 2))
        results["growth"] = {"pages": sizes, "price": price}
        for count, (read, ms) in sizes.items():
            print(f"page, {count:>4} digits ({read:>4} found) {ms:>8.1f} ms")
        print(f"a digit beyond 500 costs {price:.2f} of one up to there")
    if "live" in parts:
        films = {
            "ten digits, every frame read": (still_frames(), False),
            "the film as it comes": (map(World(1).frame, itertools.count()), True),
        }
        for name, (images, gate) in films.items():
            cost = live(reader, itertools.islice(images, options.frames), gate)
            results[f"live, {name}"] = dataclasses.asdict(cost)
            print(
                f"live, {name}: {1000 / cost.whole:.0f} frames/s; {cost.whole:.2f} ms a frame (p99 "
                f"{cost.p99:.2f}), {cost.whole - cost.bare:.2f} more than the bare loop's {cost.bare:.2f}; "
                f"{cost.read} of {cost.frames} read, {cost.digits:.1f} digits each"
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
