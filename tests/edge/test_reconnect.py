"""A camera that stalls, freezes, breaks off or is unplugged is brought back."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from edgedigits.errors import SourceAwayError, SourceError
from edgedigits.frames import Frame
from edgedigits.frames.capture import Camera, CaptureSettings, make_frame
from edgedigits.frames.reconnect import Reconnecting, _Attempts

# So long that a busy machine is never taken for a camera that is silent; some tests have theirs shorter.
SETTINGS = CaptureSettings(
    open_seconds=30, stall_seconds=30, frozen_seconds=0.4, first_pause=0.02, longest_pause=0.1
)


class Script:
    """A driver that plays what it is told: a number is a frame, a pause in seconds, or what it raises."""

    def __init__(self, *steps: object, on_open: Callable[[], object] = lambda: None) -> None:
        self._steps, self._on_open = iter(steps), on_open
        self.released = False

    def open(self) -> None:
        self._on_open()

    def read(self) -> np.ndarray | None:
        for step in self._steps:
            if isinstance(step, float):
                time.sleep(step)
            elif isinstance(step, Exception):
                raise step
            elif isinstance(step, int):
                time.sleep(0.005)
                return np.full((8, 8), step % 256, np.uint8)
        return None

    def release(self) -> None:
        self.released = True


def camera(driver: Any, stop: threading.Event, settings: CaptureSettings = SETTINGS) -> Camera:
    return Camera(lambda: driver, "cam", "camera", 0.0, stop, settings)


def reconnecting(
    *drivers: object, settings: CaptureSettings = SETTINGS
) -> tuple[Reconnecting, threading.Event]:
    stop = threading.Event()
    line = iter(drivers)

    def opener(name: str, *, settings: CaptureSettings, **_: Any) -> Camera:
        driver = next(line)
        if isinstance(driver, Exception):
            raise driver
        return camera(driver, stop, settings)

    return Reconnecting("cam", stop=stop, settings=settings, opener=opener), stop


def take(source: Reconnecting, stop: threading.Event, until: Callable[[Frame], bool]) -> list[Frame]:
    frames = []
    for frame in source:
        frames.append(frame)
        if until(frame):
            stop.set()
    return frames


def value(frame: Frame) -> int:
    return int(frame.image[0, 0])


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        ((), "went away"),
        ((1.5,), "stalled"),
        ((RuntimeError("the cable"),), "went away"),
        ((9,) * 400, "frozen"),
    ],
    ids=["ends", "stalls", "raises", "freezes"],
)
def test_it_comes_back(failure: tuple[object, ...], word: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = dataclasses.replace(SETTINGS, stall_seconds=1.0) if word == "stalled" else SETTINGS
    source, stop = reconnecting(Script(1, 2, 3, *failure), Script(*range(100, 200)), settings=settings)
    with caplog.at_level("INFO"):
        frames = take(source, stop, lambda frame: value(frame) >= 110)
    assert word in caplog.text
    assert "back again" in caplog.text
    assert source.status.reconnects == 1
    assert source.status.state == "reading"
    numbers = [frame.page for frame in frames]
    assert numbers == sorted(set(numbers))  # one number, one frame, across the gap
    source.close()


def test_a_stall_is_noticed_while_the_driver_is_silent() -> None:
    gate = threading.Event()
    source = camera(Blocked(gate, 1, 2), threading.Event(), dataclasses.replace(SETTINGS, stall_seconds=0.5))
    with pytest.raises(SourceError, match="stalled"):
        list(source)
    assert not source.close()
    gate.set()


def test_what_is_not_there_at_first_is_told_at_once() -> None:
    with pytest.raises(SourceError, match="no such"):
        reconnecting(SourceError("cam: no such camera; plug it in"))
    source, _ = reconnecting(Script())
    with pytest.raises(SourceError, match="can't be opened"):
        list(source)


@pytest.mark.parametrize("there", [True, False], ids=["silent", "missing"])
def test_what_is_not_there_at_first_may_be_waited_for(there: bool, caplog: pytest.LogCaptureFixture) -> None:
    away: list[object] = [Script()] * 3 if there else [SourceAwayError("cam: no such camera; plug it in")] * 3
    waiting = dataclasses.replace(SETTINGS, wait=True)
    source, stop = reconnecting(*away, Script(*range(100, 200)), settings=waiting)
    with caplog.at_level("INFO"):
        frames = take(source, stop, lambda frame: value(frame) >= 110)
    assert caplog.text.count("waited for") == 1
    assert "there it is" in caplog.text
    # What came to nothing takes no numbers; the first frames may give way to newer ones.
    assert [frame.page for frame in frames] == [value(frame) - 100 for frame in frames]
    assert (source.status.state, source.status.message, source.status.reconnects) == ("reading", "", 0)
    source.close()


def test_a_mistake_is_not_waited_for() -> None:
    waiting = dataclasses.replace(SETTINGS, wait=True, crop=(0, 0, 99, 99))
    with pytest.raises(SourceError, match="not a channel"):
        reconnecting(SourceError("cam: not a channel"), settings=waiting)
    source, _ = reconnecting(Script(*range(100)), settings=waiting)
    with pytest.raises(SourceError, match="not inside the picture"):
        list(source)
    source.close()


def test_a_slow_camera_comes_back() -> None:
    """It takes longer to open than the short attempts allow; one in four is given the time it needs."""
    slow = [Script(0.9, *range(100, 200)) for _ in range(8)]
    settings = dataclasses.replace(SETTINGS, stall_seconds=0.5)
    source, stop = reconnecting(Script(1, 2, 3), *slow, settings=settings)
    frames = take(source, stop, lambda frame: value(frame) >= 100)
    assert value(frames[-1]) >= 100
    assert source.status.reconnects == 1
    source.close()


def test_a_device_that_is_gone_for_a_while() -> None:
    gone = [SourceError("cam: no such camera")] * 5
    source, stop = reconnecting(Script(1, 2, 3), *gone, Script(*range(100, 150)))
    frames = take(source, stop, lambda frame: value(frame) > 100)
    assert value(frames[-1]) > 100
    assert source.status.reconnects == 1
    assert source._attempts.pause == 0.0  # the next time it begins with short pauses again


class Blocked(Script):
    """A driver that gives a frame or none, then blocks until it is let go."""

    def __init__(
        self, gate: threading.Event, *steps: object, on_open: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(*steps, on_open=on_open)
        self._gate = gate

    def read(self) -> np.ndarray | None:
        image = super().read()
        if image is None:
            self._gate.wait(60)
        return image


STUCK = dataclasses.replace(SETTINGS, stall_seconds=0.1)


def test_a_driver_that_is_stuck_for_good_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reconnecting, "_most_stuck", 3)
    gate = threading.Event()
    source, _ = reconnecting(Blocked(gate, 1, 2, 3), *(Blocked(gate) for _ in range(9)), settings=STUCK)
    with pytest.raises(SourceError, match="cam: the driver is stuck, and 3 attempts") as caught:
        list(source)
    assert not isinstance(caught.value, SourceAwayError)
    assert "\n" not in str(caught.value)
    assert len(source._stuck) == 3
    assert not source.close()
    gate.set()


def test_drivers_that_let_go_late_are_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reconnecting, "_most_stuck", 3)
    gates = [threading.Event() for _ in range(4)]
    # Each lets go when the next is opened, by which time it was given up.
    drivers = [Blocked(gates[0], 1, 2, 3)]
    drivers += [Blocked(gate, on_open=before.set) for before, gate in itertools.pairwise(gates)]
    last = (Script(*range(100, 200), on_open=gates[-1].set) for _ in range(50))
    source, stop = reconnecting(*drivers, *last, settings=STUCK)
    frames = take(source, stop, lambda frame: value(frame) >= 100)
    assert value(frames[-1]) >= 100
    assert source.close()


@pytest.mark.parametrize(("first_pause", "message"), [(0.02, "cam: gone"), (60, "went away after 3")])
def test_stop_ends_the_waiting(first_pause: float, message: str) -> None:
    settings = dataclasses.replace(SETTINGS, first_pause=first_pause, longest_pause=60)
    source, stop = reconnecting(
        Script(1, 2, 3), *itertools.repeat(SourceError("cam: gone"), 1000), settings=settings
    )
    thread = threading.Thread(target=lambda: list(source), daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while message not in source.status.message and time.monotonic() < until:
        time.sleep(0.01)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert source.status.state == "reconnecting"
    assert message in source.status.message


def test_pauses_grow_and_attempts_are_limited() -> None:
    now = [0.0]
    settings = CaptureSettings(first_pause=0.25, longest_pause=2.0, attempts_per_minute=20)
    attempts = _Attempts(settings, lambda: now[0])
    waits = []
    for _ in range(60):
        waits.append(attempts.next_wait())
        now[0] += waits[-1]
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    times = list(itertools.accumulate(waits))
    assert all(sum(t - 60 < other <= t for other in times) <= 20 for t in times)
    attempts.succeeded()
    now[0] += 1000
    assert attempts.next_wait() == 0.25


def test_a_still_picture_may_be_allowed() -> None:
    stop = threading.Event()
    settings = CaptureSettings(stall_seconds=5, frozen_seconds=0)
    source = camera(Script(*[9] * 300), stop, settings)
    with pytest.raises(SourceError, match="went away after 300"):
        list(source)
    assert source.received == 300


def test_turned_and_cropped() -> None:
    image = np.zeros((4, 6), np.uint8)
    image[0, 0] = 200
    turned = make_frame(image, "cam", 0, 0.0, CaptureSettings(rotate=90))
    assert turned.size == (4, 6)
    assert turned.image[0, 3] == 200
    cropped = make_frame(image, "cam", 0, 0.0, CaptureSettings(rotate=180, crop=(3, 2, 3, 2)))
    assert cropped.size == (3, 2)
    assert cropped.image[1, 2] == 200
    with pytest.raises(SourceError, match="not inside"):
        make_frame(image, "cam", 0, 0.0, CaptureSettings(crop=(3, 2, 9, 2)))


@pytest.mark.parametrize("shape", [(4, 6, 2), (24,)])
def test_a_pixel_format_that_cant_be_used(shape: tuple[int, ...]) -> None:
    with pytest.raises(SourceError, match="pixel format"):
        make_frame(np.zeros(shape, np.uint8), "cam", 0, 0.0, CaptureSettings())


# --- a real stream on a real socket ---


class Stream:
    """An MJPEG server that can stall, garble, break off, and come back at the same address."""

    def __init__(self) -> None:
        self.mode = "run"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/video"
        self._server: http.server.ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        stream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for number in itertools.count():
                        if stream.mode == "leave":
                            return
                        if stream.mode == "stall":
                            time.sleep(0.02)
                            continue
                        picture = np.full((48, 64), 40 + number % 100, np.uint8)
                        jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
                        if stream.mode == "garble":
                            jpeg = bytes(byte ^ 0x5A for byte in jpeg)
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                        time.sleep(0.02)

            def log_message(self, *arguments: Any) -> None:
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream()
    yield stream
    stream.mode = "leave"
    stream.stop()


@pytest.mark.parametrize("how", ["stall", "garble", "leave", "gone"])
def test_a_stream_that_fails_and_comes_back(stream: Stream, how: str) -> None:
    """Noticed within 3 s, read again within 2 s after it is back; the machine's own load on top."""
    stop = threading.Event()
    source = Reconnecting(stream.address, stop=stop)
    log: list[float] = []

    def read() -> None:
        for _ in source:
            log.append(time.monotonic())

    thread = threading.Thread(target=read)
    thread.start()
    try:
        until = time.monotonic() + 60
        while len(log) < 5 and time.monotonic() < until:
            time.sleep(0.02)
        assert len(log) >= 5
        failed = time.monotonic()
        stream.mode = "leave" if how == "gone" else how
        if how == "gone":
            stream.stop()
        while source.status.state != "reconnecting" and time.monotonic() < failed + 60:
            time.sleep(0.01)
        noticed = time.monotonic() - failed
        time.sleep(0.5)
        stream.mode = "run"
        if how == "gone":
            stream.start()
        back = time.monotonic()
        while source.status.state != "reading" and time.monotonic() < back + 60:
            time.sleep(0.01)
        again = time.monotonic() - back
    finally:
        stop.set()
        thread.join(10)
        source.close()
    assert noticed <= 3.0 + 0.5
    assert again <= 2.0 + 1.0
    assert source.status.reconnects == 1
