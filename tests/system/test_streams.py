"""Streams as cameras send them, RTSP and MJPEG, killed, stalled, garbled, cut off and started again.

What comes through is the virtual camera's film: sheets whose text is known. Whatever happens on the way, no
event may say anything else; one digit of a sheet is the network's affair. Only a picture that arrives damaged
may: a smear can look like a stroke.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgedigits.event import Event
from edgedigits.frames.capture import CaptureSettings
from edgedigits.frames.demo import RATE, SIZE, World
from edgedigits.live import Live
from edgedigits.live.config import GeneralSettings, LiveConfig
from edgedigits.live.station import open_station

SHEETS = 3
WORLD = World(1)
START = round((WORLD.sheet(0).comes - 0.2) * RATE)
END = round((WORLD.sheet(SHEETS - 1).gone + 0.8) * RATE)

_LOAD = 3.0
"""Seconds that a busy machine may add to what is promised."""

MISSING_RTSP = "needs GStreamer's RTSP server: sudo tests/system/setup.sh"


def encode(path: Path, *codec: str) -> Path:
    """Have ffmpeg make a video of the virtual camera's sheets."""
    size = f"{SIZE[0]}x{SIZE[1]}"
    raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", size, "-r", f"{RATE:g}", "-i", "-")
    command = ["ffmpeg", "-v", "error", *raw, *codec, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        for number in range(START, END):
            encoder.stdin.write(WORLD.frame(number).tobytes())
        encoder.stdin.close()
        assert encoder.wait(60) == 0
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, needs: Callable[[str], None]) -> dict[str, Path]:
    """Return the same film in H.264 and in MJPEG."""
    needs("" if shutil.which("ffmpeg") else "needs ffmpeg: sudo tests/system/setup.sh")
    folder = tmp_path_factory.mktemp("films")
    # As cameras send it: no frame waits for a later one, and one can join in every half second.
    h264 = (
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-tune",
        "zerolatency",
        "-g",
        "15",
        "-pix_fmt",
        "yuv420p",
    )
    return {
        "h264": encode(folder / "film.mp4", *h264),
        "mjpeg": encode(folder / "film.avi", "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p"),
    }


def nearest(text: str) -> tuple[int, int]:
    """Return in how many digits a text differs from the sheet that is most like it, and which that is."""
    differences = []
    for number in range(SHEETS):
        true = WORLD.sheet(number).text
        same = len(text) == len(true)
        differences.append(sum(a != b for a, b in zip(text, true, strict=True)) if same else 99)
    least = min(differences)
    return least, differences.index(least)


@pytest.mark.parametrize("kind", ["h264", "mjpeg"])
def test_each_sheet_of_a_recorded_video_is_one_event(films: dict[str, Path], kind: str) -> None:
    command = [sys.executable, "-m", "edgedigits.cli", "live", str(films[kind]), "--format", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = [nearest(json.loads(line)["text"]) for line in done.stdout.splitlines()]
    assert [sheet for _, sheet in found] == list(range(SHEETS))
    assert all(different <= 1 for different, _ in found), done.stdout


# --- cameras ------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NetworkCamera:
    """A server of a stream, as a process that can be killed and stopped.

    While it is `on` it is started again when it ends, as a camera's own watchdog does it.
    """

    def __init__(self, *command: object, path: str, scheme: str, port: int) -> None:
        self.port = port
        self.path, self.scheme = path, scheme
        self._command = [str(word) for word in command]
        self._on = self._done = False
        self._process: subprocess.Popen[bytes] | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()
        self.start()

    def _keep(self) -> None:
        while not self._done:
            with self._change:
                if self._on and (self._process is None or self._process.poll() is not None):
                    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                    self._process = subprocess.Popen(self._command, **quiet)
            time.sleep(0.05)

    def start(self) -> None:
        with self._change:
            self._on = True

    def kill(self) -> None:
        with self._change:
            self._on = False
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        with self._change:
            assert self._process is not None
            self._process.send_signal(number)

    def close(self) -> None:
        self._done = True
        self._thread.join()
        self.kill()


class Line:
    """The network between camera and reader, at a port of its own: it can garble, and break."""

    def __init__(self, to: int) -> None:
        self.mode = "whole"
        self.spoilt = 0
        self._to = to
        self._random = random.Random(7)
        self._links: list[socket.socket] = []
        self._entrance = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._entrance.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                reader, _ = self._entrance.accept()
                try:
                    if self.mode == "broken":
                        raise OSError
                    camera = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    reader.close()
                    continue
                self._links += [reader, camera]
                for a, b, spoil in ((reader, camera, False), (camera, reader, True)):
                    threading.Thread(target=self._carry, args=(a, b, spoil), daemon=True).start()

    def _carry(self, a: socket.socket, b: socket.socket, spoil: bool) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(4096):
                if spoil and self.mode == "garbled":
                    data = self._garbled(data)
                b.sendall(data)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _garbled(self, data: bytes) -> bytes:
        """Spoil a byte in some two thousand, and leave one out now and then."""
        spoilt = bytearray(data)
        for _ in range(round(len(data) / 2000 + self._random.random())):
            spoilt[self._random.randrange(len(spoilt))] ^= self._random.randrange(1, 256)
        self.spoilt += bytes(spoilt) != data
        if self._random.random() < 0.05:
            del spoilt[self._random.randrange(len(spoilt))]
        return bytes(spoilt)

    def cut(self) -> None:
        """Break every connection at once, in the middle of whatever is on its way, and let none be made."""
        self.mode = "broken"
        for link in self._links:
            with contextlib.suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                link.shutdown(socket.SHUT_RDWR)
                link.close()
        self._links.clear()

    def close(self) -> None:
        self.cut()
        self._entrance.close()


@pytest.fixture(params=["rtsp", "http"])
def camera(
    request: pytest.FixtureRequest, films: dict[str, Path], needs: Callable[[str], None]
) -> Iterator[NetworkCamera]:
    """Give a camera that plays the film from its beginning to whoever connects."""
    port = free_port()
    if request.param == "rtsp":
        python = "/usr/bin/python3"
        code = "import gi; gi.require_version('GstRtspServer', '1.0')"
        there = (
            Path(python).exists() and not subprocess.run([python, "-c", code], capture_output=True).returncode
        )
        needs("" if there else MISSING_RTSP)
        script = Path(__file__).with_name("rtsp_camera.py")
        camera = NetworkCamera(python, script, films["h264"], port, path="film", scheme="rtsp", port=port)
    else:
        play = ["ffmpeg", "-v", "error", "-re", "-i", films["mjpeg"], "-c", "copy", "-f", "mpjpeg"]
        there_at = f"http://127.0.0.1:{port}/film"
        camera = NetworkCamera(*play, "-listen", 1, there_at, path="film", scheme="http", port=port)
    yield camera
    camera.close()


class Device:
    """`edgedigits live` on a stream, in a thread, to be looked at from within."""

    def __init__(self, address: str) -> None:
        self.events: list[Event] = []
        self.damaged = range(0)
        """Which events were seen in pictures that had arrived damaged."""
        self.live: Live | None = None
        self.error: BaseException | None = None
        self._stop = threading.Event()
        # The camera may take a moment longer to be up than this does.
        tables = {"capture": CaptureSettings(wait=True)}
        self._config = LiveConfig(general=GeneralSettings(source=address), tables=tables)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with open_station(self._config, stop=self._stop, on_event=self.events.append) as live:
                self.live = live
                live.run()
        except BaseException as error:
            self.error = error

    def until(self, what: Callable[[], object], seconds: float) -> float:
        """Wait until something is so; returns the seconds that took."""
        started = time.monotonic()
        while not what():
            assert self.error is None, self.error
            assert time.monotonic() - started < seconds
            time.sleep(0.01)
        return time.monotonic() - started

    def state(self) -> str:
        return "" if self.live is None else self.live.health().state

    def end(self) -> None:
        self._stop.set()
        self._thread.join(10)


@contextlib.contextmanager
def reading(address: str) -> Iterator[Device]:
    """Give a device that has read its first sheet; what it said is examined in the end."""
    device = Device(address)
    try:
        device.until(lambda: device.events, 30)
        yield device
    finally:
        device.end()
    assert device.error is None
    whole = [event for number, event in enumerate(device.events) if number not in device.damaged]
    spoilt = [event.body["text"] for event in whole if nearest(event.body["text"])[0] > 1]
    assert not spoilt
    assert device.live is not None
    counted = device.live.counters()
    status = device.live._source.status
    taken = counted.frames + counted.dropped
    # What was just coming in when a connection ended may be neither.
    assert taken <= status.frames <= taken + counted.reconnects + 1
    assert counted.read <= counted.frames
    assert counted.events == len(device.events)


def fails_and_comes_back(device: Device, fail: Callable[[], None], mend: Callable[[], None]) -> None:
    """Noticed within 3 s, read again within 2 s after it is back; a busy machine's load on top."""
    before = len(device.events)
    fail()
    assert device.until(lambda: device.state() == "reconnecting", 15) <= 3.0 + _LOAD
    assert device.live is not None
    assert not device.live.health().ok
    time.sleep(2.0)
    assert device.state() == "reconnecting"
    mend()
    assert device.until(lambda: device.live.health().ok, 15) <= 2.0 + _LOAD  # type: ignore[union-attr]
    device.until(lambda: len(device.events) > before, 20)


def test_killed(camera: NetworkCamera) -> None:
    with reading(f"{camera.scheme}://127.0.0.1:{camera.port}/{camera.path}") as device:
        fails_and_comes_back(device, camera.kill, camera.start)
    assert device.live is not None
    assert device.live.counters().reconnects == 1


def test_stalled(camera: NetworkCamera) -> None:
    with reading(f"{camera.scheme}://127.0.0.1:{camera.port}/{camera.path}") as device:
        stop, go_on = signal.SIGSTOP, signal.SIGCONT
        fails_and_comes_back(device, lambda: camera.send(stop), lambda: camera.send(go_on))
    assert device.live is not None
    assert device.live.counters().reconnects == 1


def test_cut_off(camera: NetworkCamera) -> None:
    line = Line(camera.port)
    try:
        with reading(f"{camera.scheme}://127.0.0.1:{line.port}/{camera.path}") as device:
            fails_and_comes_back(device, line.cut, lambda: setattr(line, "mode", "whole"))
    finally:
        line.close()
    assert device.live is not None
    assert device.live.counters().reconnects == 1


def test_garbled(camera: NetworkCamera) -> None:
    """A stream with errors may go on or break off; either way it is read again once they are over."""
    line = Line(camera.port)
    try:
        with reading(f"{camera.scheme}://127.0.0.1:{line.port}/{camera.path}") as device:
            before = len(device.events)
            line.mode = "garbled"
            time.sleep(4.0)
            line.mode = "whole"
            assert line.spoilt > 20
            # Each attempt that failed has doubled the wait for the next.
            device.until(lambda: device.live.health().ok, 30)  # type: ignore[union-attr]
            # The next picture that is whole by itself comes within half a second.
            time.sleep(1.5)
            device.damaged = range(before, len(device.events))
            device.until(lambda: len(device.events) > device.damaged.stop, 30)
    finally:
        line.close()
