"""Cameras that move: a video file and an MJPEG stream, made of the sample photographs, on real sockets."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edgedigits
from edgedigits.errors import SourceError
from edgedigits.frames import Frame
from edgedigits.frames.capture import Camera, CaptureSettings
from edgedigits.frames.sources import open_source

SAMPLES = sorted(Path(edgedigits.__file__).parent.glob("samples/*.jpg"))
COMMAND = [sys.executable, "-m", "edgedigits.cli", "live", "--readings"]

Send = Callable[[bytes], None]


@contextlib.contextmanager
def mjpeg_server(script: Callable[[Send], None]) -> Iterator[str]:
    """Serve MJPEG over HTTP on a free port; `script` is given a function that sends one JPEG."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()

            def send(jpeg: bytes) -> None:
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                self.wfile.flush()

            with contextlib.suppress(OSError):  # the client has left
                script(send)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/video"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def endless(send: Send) -> None:
    jpeg = SAMPLES[0].read_bytes()
    while True:
        send(jpeg)
        time.sleep(0.03)


def stalling(send: Send) -> None:
    for path in SAMPLES[:3]:
        send(path.read_bytes())
    time.sleep(60)


def leaving(send: Send) -> None:
    for path in SAMPLES[:3]:
        send(path.read_bytes())
        time.sleep(0.05)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 5 frames a second in which each of four sample photographs is seen for a second."""
    path = tmp_path_factory.mktemp("video") / "samples.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (800, 600))
    assert writer.isOpened()
    for sample in SAMPLES[:4]:
        picture = cv2.imread(str(sample))
        for _ in range(5):
            writer.write(picture)
    writer.release()
    return path


def run(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, **settings
    )


def objects(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def texts(page: dict[str, Any]) -> list[str]:
    return [line["text"] for line in page["lines"]]


def test_a_video_is_read_to_its_end(video: Path, tmp_path: Path) -> None:
    done = run(video, "--format", "jsonl", "--annotate", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    pages = objects(done.stdout)
    assert [p["page"] for p in pages] == list(range(20))
    assert all(p["source"] == str(video) and p["size"] == [800, 600] for p in pages)
    # The same picture gives the same text throughout, the text of the photograph itself or nearly.
    assert all(texts(pages[5 * k + j]) == texts(pages[5 * k]) for k in range(4) for j in range(5))
    assert "59605" in texts(pages[0])
    assert len(list((tmp_path / "out").glob("samples-frame0000??-read.jpg"))) == 20


def test_every_is_counted_in_the_time_of_a_video(video: Path) -> None:
    frames = list(open_source(str(video), every=1.0))
    assert [f.page for f in frames] == [0, 5, 10, 15]
    assert [f.page for f in open_source(str(video), every=0.5)] == [0, 3, 5, 8, 10, 13, 15, 18]


def test_so_many_frames_and_no_more(video: Path) -> None:
    done = run(video, "--frames", 3)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("59605") == 3


def test_a_video_cut_off_is_said_to_be(video: Path, tmp_path: Path) -> None:
    data = video.read_bytes()
    part = tmp_path / "part.avi"
    part.write_bytes(data[: len(data) // 2])
    done = run(part)
    assert done.returncode == 1
    assert done.stdout.count("59605") == 5
    assert done.stderr.startswith(f"edgedigits: {part}: ends after ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"12345\n" * 1000, bytes(range(256)) * 50])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    done = run(path, "--format", "jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith(f"edgedigits: {path}: not a video")
    assert done.stderr.count("\n") == 1
    (page,) = objects(done.stdout)
    assert sorted(page) == ["error", "schema", "source"]


def test_a_stream_is_read(tmp_path: Path) -> None:
    with mjpeg_server(endless) as url:
        done = run(url, "--frames", 5, "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    pages = objects(done.stdout)
    assert len(pages) == 5
    assert all("59605" in texts(p) for p in pages)
    numbers = [p["page"] for p in pages]
    assert numbers == sorted(set(numbers))


def test_the_newest_frame_wins() -> None:
    """A slow reader meets ever later frames, not the queue of those it missed."""
    pictures = [cv2.imencode(".jpg", np.full((64, 64), 10 * k, np.uint8))[1].tobytes() for k in range(25)]
    sent = 0

    def counting(send: Send) -> None:
        nonlocal sent
        while True:
            send(pictures[sent % 25])
            sent += 1
            time.sleep(0.02)

    with mjpeg_server(counting) as url:
        source = open_source(url)
        assert isinstance(source, Camera)
        behind = []
        for frame in source:
            shown = round(float(frame.image.mean()) / 10)
            behind.append((sent - 1 - shown) % 25)
            if len(behind) == 6:
                break
            time.sleep(0.2)
        assert source.close()
    # The demultiplexer itself keeps a frame or two back; ten were sent between two readings.
    assert max(behind[1:]) <= 6
    assert source.dropped >= 20


def test_every_is_counted_by_the_clock_for_a_stream() -> None:
    with mjpeg_server(endless) as url:
        source = open_source(url, every=0.4)
        times = []
        for _ in source:
            times.append(time.monotonic())
            if len(times) == 4:
                break
        assert source.close()
    assert 1.1 <= times[-1] - times[0] < 3


def test_a_stream_that_stalls() -> None:
    with mjpeg_server(stalling) as url:
        started = time.monotonic()
        done = run(url, "--format", "jsonl")
        assert time.monotonic() - started < 8
    assert done.returncode == 1
    assert "stalled, nothing for " in done.stderr
    assert done.stderr.count("\n") == 1
    *pages, last = objects(done.stdout)
    assert pages
    assert last["source"] == url
    assert "stalled" in last["error"]


def test_a_stream_that_goes_away() -> None:
    with mjpeg_server(leaving) as url:
        done = run(url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"edgedigits: {url}: went away after 3 pictures; ")
    assert done.stderr.count("\n") == 1
    assert "no digits" not in done.stdout


def test_a_stream_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = run(f"http://me:secret@127.0.0.1:{port}/", "--format", "jsonl")
    assert done.returncode == 1
    assert done.stderr.startswith(f"edgedigits: http://127.0.0.1:{port}/: can't be opened (")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stdout + done.stderr


def test_a_server_that_says_nothing() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        source = open_source(
            f"http://127.0.0.1:{server.getsockname()[1]}/", settings=CaptureSettings(open_seconds=0.5)
        )
        started = time.monotonic()
        with pytest.raises(SourceError, match=r"can't be opened \(no picture within|it gave no picture"):
            next(iter(source))
        assert time.monotonic() - started < 2.5
        source.close()


@pytest.mark.parametrize("name", ["97", "/dev/video97"])
def test_no_such_camera(name: str) -> None:
    done = run(name)
    assert done.returncode == 1
    assert done.stderr.startswith(f"edgedigits: {name}: no such camera (")
    assert done.stderr.count("\n") == 1


def test_a_table_of_nothing_has_no_heading() -> None:
    command = [sys.executable, "-m", "edgedigits.cli", "live"]
    done = subprocess.run([*command, "97"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    done = subprocess.run(
        [*command, "demo:", "--frames", "30"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("TIME      TEXT ")
    assert done.stdout.count("TIME") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("script", [endless, stalling])
def test_signals_end_it_cleanly(number: signal.Signals, script: Callable[[Send], None]) -> None:
    with (
        mjpeg_server(script) as url,
        subprocess.Popen(
            [*COMMAND, url, "--format", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
        assert time.monotonic() - started < 2
    assert (process.returncode, errors) == (0, "")
    assert objects(first + rest)  # every line is whole


def test_stop_ends_a_source_that_waits() -> None:
    stop = threading.Event()
    with mjpeg_server(endless) as url:
        source = open_source(url, every=60, stop=stop)
        frames = iter(source)
        assert isinstance(next(frames), Frame)
        threading.Timer(0.2, stop.set).start()
        started = time.monotonic()
        assert list(frames) == []
        assert time.monotonic() - started < 1
        assert source.close()


def test_a_named_pipe_is_a_stream(video: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    feeder = subprocess.Popen([sys.executable, "-c", _FEED, str(video), str(pipe)])
    try:
        done = run(pipe, "--frames", 1, "--format", "jsonl")
    finally:
        feeder.kill()
        feeder.wait()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(objects(done.stdout)) == 1


_FEED = """
import sys, time
data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "wb") as pipe:
    pipe.write(data)
    time.sleep(10)
"""
