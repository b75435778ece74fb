"""Hostile requests: none is answered with a fault, none learns anything, none keeps the others waiting."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.edge.drawing import paper, write
from tests.edge.serving import Served, ServeSettings, served

from edgedigits.serve.guard import Buckets

TOKEN = "a-token-of-24-characters"
GENEROUS = {"rate": 1e5, "burst": 100_000, "reading_rate": 1e5, "reading_burst": 100_000}

LEAKS = ("Traceback", "site-packages", 'File "', "root:", "/proc/", str(Path(__file__).parents[2]))


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    settings = ServeSettings(
        port=0, head_seconds=1.0, body_seconds=1.0, largest_body=1 << 20, most_pixels=4_000_000, **GENEROUS
    )
    with served(settings, [write(paper(), "27", (40, 120))]) as running:
        yield running


def exchange(port: int, data: bytes, wait: float = 30.0) -> bytes:
    """Send bytes as they are; returns what comes back until the server closes or has answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while chunk := connection.recv(65_536):
                answer += chunk
                head, end, body = answer.partition(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if end and status_of(answer) in (204, 304):
                    break
                if end and length and len(body) >= int(length[0].split(b":")[1]):
                    break
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def crowded() -> float:
    """Return how many times longer everything takes on a machine that has other things to do; at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def request(
    path: str | bytes = "/api/health",
    method: str = "GET",
    host: str | None = "localhost",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> bytes:
    """Return the bytes of a request."""
    path = path.encode() if isinstance(path, str) else path
    lines = [method.encode() + b" " + path + b" HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}".encode())
    given = dict(headers or {})
    if body is not None and "Content-Length" not in given and "Transfer-Encoding" not in given:
        given["Content-Length"] = str(len(body))
    lines += [f"{name}: {value}".encode("latin-1") for name, value in given.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def post(path: str, body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    return request(path, "POST", headers={"Content-Type": kind, **headers}, body=body)


def png(width: int, height: int) -> bytes:
    """Return the head of a PNG that claims to be so large, and nearly nothing behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100)))


HOSTS = [
    "evil.example",
    "localhost.evil.example",
    "evil.example:8000",
    "192.168.1.7",
    "10.0.0.1:80",
    "0.0.0.0",
    "[2001:db8::1]",
    "169.254.169.254",
    "localhost@evil.example",
    "localhost:99999999",
    "local host",
    "localhost/",
    "localhost\\evil",
    "LOCALHOST.evil",
    "xn--lcalhost-54a",
    "127.0.0.1.nip.io",
    "2130706433",
    "0x7f000001",
    "127.1",
    "[::ffff:10.0.0.1]",
    "[fe80::1%25eth0]",
    "localhost,evil.example",
    "",
    ":8000",
    "..",
]

UP = ["../" * 8, "..%2f" * 8, "%2e%2e/" * 8, "..%5c" * 8, "....//" * 8, "%252e%252e%252f" * 4, "///"]

PATHS = [
    *(f"{prefix}{dots}etc/passwd" for prefix in ("/", "/static/", "/api/pictures/", "/api/") for dots in UP),
    "/static/style.css%00.png",
    "/static/%00",
    "/static/..",
    "/static/.",
    "/static//style.css",
    "/static",
    "/static/../settings.py",
    "/serve/settings.py",
    "/static/style.css/",
    "/STATIC/STYLE.CSS",
    "/index.html/..",
    "/index",
    "/.git/config",
    "/proc/self/environ",
    "/api/pictures/",
    "/api/pictures/.",
    "/api/pictures/%2e%2e",
    "/api/pictures/AAAAAAAAAAAAAAAA",
    "/api/pictures/" + "A" * 4000,
    "/api",
    "/api/",
    "/api/read/",
    "/api/nothing",
    "/%ff%fe",
    "/%",
    "/%zz",
    "/" + "a/" * 2000,
    "/?" + "a=b&" * 2000,
    "/api/events?limit=" + "9" * 3000,
    "/api/events?limit=-1",
    "/api/events?limit=1e3",
    "/api/events?limit=%d9%a1",
    "/api/view?after=x",
    "/api/events?before=0",
    "/api/pictures?from=/etc/passwd",
    "http://evil.example/api/health",
    "//evil.example/",
    "*",
    "api/health",
    "/api/form/read?picture=../../etc/passwd",
    "/metrics/../api/read",
]

HEADERS: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Basic YTpi"},
    {"Authorization": "Bearer \xff\xfe"},
    {"Cookie": "edgedigits=wrong"},
    {"Cookie": "edgedigits=\x01; a=b; =; ;;"},
    {"Cookie": "a" * 9000},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
    {"If-None-Match": '"' * 5000},
    {"Range": "bytes=0-0,1-1,2-2"},
    {"Accept-Encoding": "gzip;q=NaN"},
    {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "x",
        "Sec-WebSocket-Version": "13",
    },
    {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAAP__"},
    {"Last-Event-ID": "-1"},
    {"Connection": "keep-alive, host, origin"},
    {f"X-{k}": "y" * 100 for k in range(200)},
    {"X-Long": "y" * 60_000},
    {"Expect": "100-continue"},
    {"Expect": "something-else"},
    {"Transfer-Encoding": "gzip, chunked"},
    {"Transfer-Encoding": "chunked", "Content-Length": "3"},
]

BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"1e999",
    b"NaN",
    b'{"strokes": NaN}',
    b'"' + b"\\ud800" * 10 + b'"',
    b"\xff\xfe{}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"1" * 100_000,
    b'{"strokes": [[[1' + b"0" * 400 + b", 1]]]}",
    b'{"strokes": [[[1e308, -1e308]]]}',
    b'{"strokes": [[[1, 2, 3, 4, 5]]]}',
    b'{"strokes": [[[true, false]]]}',
    b'{"strokes": {"0": []}}',
    b'{"strokes": [[["1", "2"]]]}',
    b'{"strokes": "x", "size": [1, 1]}',
    b'{"strokes": [], "size": [-1, 1e9]}',
    b'{"strokes": [], "extra": 1}',
    b'{"strokes": [[[0,0],[1e6,1e6],[0,1e-9]]]}',
    json.dumps({"strokes": [[[k, k]] for k in range(500)]}).encode(),
    json.dumps({"strokes": [[[k % 7, k % 5] for k in range(50_000)]]}).encode(),
    json.dumps(
        {"form": {"page": {"find": "reference", "picture": "/etc/passwd"}}, "revision": None}
    ).encode(),
    json.dumps(
        {"page": {"find": "reference", "picture": "../../../etc/passwd", "size": [1, 1]}, "field": []}
    ).encode(),
    json.dumps(
        {
            "page": {"find": "none", "unit": "fraction"},
            "field": [{"name": "a", "box": [0, 0, 1, 1], "digits": 40, "pattern": "(0*)*1"}],
        }
    ).encode(),
    json.dumps(
        {
            "page": {"find": "none"},
            "grid": [{"name": "{row}{column}", "rows": 10**6, "columns": 10**6, "digits": 1}],
        }
    ).encode(),
]

PICTURES = [
    b"",
    b"\x00",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    png(30_000, 30_000),
    png(2**31 - 1, 2**31 - 1),
    png(0, 0),
    png(1, 1),
    b"II*\0" + bytes(100),
    b"II*\0\x08\0\0\0" + b"\xff" * 5000,
    b"MM\0*" + b"\0\0\0\x08" * 1000,
    b"RIFF\xff\xff\xff\xffWEBPVP8 " + bytes(50),
    b"BM" + b"\xff" * 100,
    b"GIF89a" + bytes(50),
    b"%PDF-1.7\n" + bytes(50),
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"\0\0\0\x18ftypheic" + bytes(50),
    os.urandom(50_000),
    bytes(1_000_000),
    b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\0\0" + bytes(66_000),
]

RAW = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET /\r\n",
    b"\x00" * 1000,
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: localhost\n\n",
    b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"G\xc3\x89T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(100),
    b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    b"fffffffffffffff\r\n",
    b"GET /" + b"a" * 100_000,
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
    (b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50),
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
]


def hostile() -> dict[str, bytes]:
    """Return some 250 requests by what they try."""
    found: dict[str, bytes] = {}
    for k, host in enumerate(HOSTS):
        found[f"host {k} {host[:30]}"] = request(host=host)
    for k, path in enumerate(PATHS):
        found[f"path {k} {path[:40]}"] = request(path)
    for k, headers in enumerate(HEADERS):
        found[f"headers {k} {next(iter(headers))}"] = request("/api/page", headers=headers)
    for k, body in enumerate(BODIES):
        for path in ("/api/strokes", "/api/form/text", "/api/form/page?picture=x"):
            found[f"body {k} {path}"] = post(path, body)
        found[f"toml {k}"] = post("/api/form/parse", body, "application/toml")
    for k, picture in enumerate(PICTURES):
        for path in ("/api/read", "/api/pictures"):
            found[f"picture {k} {path}"] = post(path, picture, "image/png")
    for kind in (
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "x",
        "\xff",
    ):
        for path in ("/api/read", "/api/strokes", "/api/login"):
            found[f"type {kind} {path}"] = post(path, b"{}", kind)
    for method in ("DELETE", "TRACE", "OPTIONS", "PATCH", "PROPFIND", "get", "A" * 3000, "PUT"):
        for path in ("/api/read", "/", "/api/form"):
            found[f"method {method[:20]} {path}"] = request(path, method)
    for k, raw in enumerate(RAW):
        found[f"raw {k}"] = raw
    return found


def test_two_hundred_hostile_requests(server: Served) -> None:
    """No fault, nothing told of the machine, and a small answer soon; afterwards all is as before."""
    requests = hostile()
    assert len(requests) >= 200
    for what, data in requests.items():
        started = time.monotonic()
        answer = exchange(server.port, data)
        assert time.monotonic() - started < 3 * crowded(), what
        status = status_of(answer)
        assert status < 500, (what, answer[:500])
        if what.startswith("host "):
            assert status in (400, 421), (what, answer[:500])
        text = answer.decode("latin-1")
        for leak in LEAKS:
            assert leak not in text, (what, text[:500])
    assert server.web.requests.viewers == 0
    assert status_of(exchange(server.port, request())) == 200
    assert not any(status >= 500 for _, status in server.web.requests.answered)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another service of this machine
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_other_sites_are_refused(server: Served, headers: dict[str, str], status: int) -> None:
    assert status_of(exchange(server.port, request(headers=headers))) == status


@pytest.mark.parametrize("scheme", ["http", "https"])  # the latter through a proxy with TLS
def test_our_own_origin_is_not(server: Served, scheme: str) -> None:
    host = f"localhost:{server.port}"
    headers = {"Origin": f"{scheme}://{host}"}
    assert status_of(exchange(server.port, request(host=host, headers=headers))) == 200


def test_a_name_that_is_allowed_is_served() -> None:
    with served(ServeSettings(port=0, names=("Digits.Example",), **GENEROUS)) as server:
        statuses = {
            host: status_of(exchange(server.port, request("/", host=host)))
            for host in ("digits.example", "DIGITS.example.:8443", "other.example", "192.168.1.7", "[::1]")
        }
    assert list(statuses.values()) == [200, 200, 421, 421, 200], statuses


def test_served_to_the_network_it_is_asked_for_by_any_address() -> None:
    with served(ServeSettings(port=0, host="0.0.0.0", token=TOKEN, **GENEROUS)) as server:
        statuses = {
            host: status_of(exchange(server.port, request("/", host=host)))
            for host in ("192.168.1.7", "[2001:db8::1]:8000", "localhost", "evil.example")
        }
    assert list(statuses.values()) == [200, 200, 200, 421], statuses


def test_a_ration_fills_up_in_time_and_no_further() -> None:
    now = 0.0
    buckets = Buckets(rate=2.0, burst=3, most=2, clock=lambda: now)

    def waits(client: str, times: int) -> list[float]:
        return [buckets.take(client) for _ in range(times)]

    assert waits("a", 6) == [0, 0, 0, 0.5, 0.5, 0.5]  # asking in vain costs nothing
    now = 0.5
    assert waits("a", 2) == [0, 0.5]
    now = 1000.0
    assert waits("a", 4) == [0, 0, 0, 0.5]
    # Of three, the one that was silent for longest is forgotten, and no other.
    assert waits("b", 4) == waits("c", 4) == waits("a", 4) == [0, 0, 0, 0.5]
    assert waits("c", 1) == [0.5]


def test_slow_requests_are_ended_and_hold_nobody_up(server: Served) -> None:
    """Heads and bodies that never come, 20 of them, and the next one is answered at once."""
    slow: list[socket.socket] = []
    try:
        for k in range(20):
            connection = socket.create_connection(("127.0.0.1", server.port))
            head = b"POST /api/read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            parts = (b"", b"GET /api/he", head, head + b"Content-Length: 1000\r\n\r\nabc")
            connection.sendall(parts[k % 4])
            slow.append(connection)
        started = time.monotonic()
        assert status_of(exchange(server.port, request())) == 200
        assert time.monotonic() - started < 0.5 * crowded()
        time.sleep(1.6 * crowded())
        for k, connection in enumerate(slow):
            connection.settimeout(3)
            try:
                answer = connection.recv(1000)
            except ConnectionResetError:
                answer = b""
            assert status_of(answer) == (408 if k % 4 == 3 else 0)
    finally:
        for connection in slow:
            connection.close()


def test_a_body_of_two_lengths_is_refused(server: Served) -> None:
    """A proxy and a server that each believe another one part the requests at different places."""
    headers = {"Transfer-Encoding": "chunked", "Content-Length": "5", "Content-Type": "application/json"}
    body = b'f\r\n{"strokes": []}\r\n0\r\n\r\n'
    answer = exchange(server.port, request("/api/strokes", "POST", headers=headers, body=body))
    assert status_of(answer) == 400
    assert b"connection: close" in answer.lower()


def test_a_body_that_goes_on_after_the_answer_is_cut_off(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request("/api/read", "POST", headers={"Transfer-Encoding": "chunked"}))

        def go_on() -> None:
            for _ in range(100_000):
                connection.sendall(b"400\r\n" + bytes(1024) + b"\r\n")
                time.sleep(0.0005)

        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            go_on()


def test_answers_that_are_not_taken_are_given_up(server: Served) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8)
    ok, data = cv2.imencode(".jpg", noise)
    assert ok
    kept = exchange(server.port, post("/api/pictures", bytes(data), "image/jpeg"))
    path = "/api/pictures/" + json.loads(kept.partition(b"\r\n\r\n")[2])["id"]
    whole = len(exchange(server.port, request(path)))
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(5)
        connection.sendall(request(path) * 20)
        time.sleep(2.5 * crowded())
        taken = 0
        try:
            while chunk := connection.recv(65_536):
                taken += len(chunk)
        except ConnectionResetError:
            pass
    assert taken < 19 * whole


def test_connections_are_counted() -> None:
    with served(ServeSettings(port=0, connections_per_client=5, head_seconds=30, **GENEROUS)) as server:
        opened = [socket.create_connection(("127.0.0.1", server.port), timeout=2) for _ in range(10)]
        time.sleep(0.3)
        closed = 0
        for connection in opened:
            connection.settimeout(0.2)
            try:
                closed += connection.recv(1) == b""
            except ConnectionResetError:
                closed += 1
            except TimeoutError:
                pass
        assert closed == 5
        for connection in opened:
            connection.close()
        time.sleep(0.2)
        assert status_of(exchange(server.port, request())) == 200


def test_bodies_that_arrive_at_a_time_are_bounded() -> None:
    """What a small board has not is never taken in; whoever sends too much learns that it is busy."""
    size = 1 << 20
    settings = ServeSettings(port=0, largest_body=size, body_seconds=30, **GENEROUS)
    with served(settings, [paper()]) as server:
        opened = [socket.create_connection(("127.0.0.1", server.port), timeout=5) for _ in range(12)]
        head = request(
            "/api/read", "POST", headers={"Content-Type": "image/png", "Content-Length": str(size)}
        )
        for connection in opened:
            with contextlib.suppress(OSError):  # refused before it has sent all
                connection.sendall(head + bytes(size - 1000))
        refused = 0
        for connection in opened:
            connection.settimeout(0.5)
            with contextlib.suppress(OSError):
                refused += status_of(connection.recv(1000)) == 429
        assert refused >= 6
        for connection in opened:
            connection.close()
        time.sleep(0.3)
        answer = exchange(server.port, post("/api/read", png(10, 10) + bytes(size // 2), "image/png"))
        assert status_of(answer) == 422


def test_requests_are_rationed_and_watchers_counted() -> None:
    settings = ServeSettings(port=0, rate=1, burst=20, viewers=2)
    with served(settings, [paper()]) as server:
        answers = [exchange(server.port, request("/api/page")) for _ in range(30)]
        assert [status_of(a) for a in answers[:20]] == [200] * 20
        assert status_of(answers[-1]) == 429
        assert int(answers[-1].partition(b"retry-after: ")[2].split()[0]) >= 1
    with served(ServeSettings(port=0, viewers=2), [paper()]) as server:
        watching = [socket.create_connection(("127.0.0.1", server.port), timeout=3) for _ in range(2)]
        for connection in watching:
            connection.sendall(request("/api/events/stream"))
            assert status_of(connection.recv(1000)) == 200
        assert status_of(exchange(server.port, request("/api/events/stream"))) == 429
        for connection in watching:
            connection.close()
        until = time.monotonic() + 3
        while server.web.requests.viewers and time.monotonic() < until:
            time.sleep(0.05)
        assert server.web.requests.viewers == 0


# --- the token ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    with served(ServeSettings(port=0, token=TOKEN, **GENEROUS), [paper()]) as running:
        yield running


def test_without_the_token_there_are_only_the_pages(guarded: Served) -> None:
    paths = ["page", "frame", "view", "events", "events/stream", "health", "form", "openapi.json"]
    for path in [*(f"/api/{p}" for p in paths), "/metrics", "/api/nothing"]:
        answer = exchange(guarded.port, request(path))
        assert status_of(answer) == 401, path
        assert b"www-authenticate: Bearer" in answer
    for path in ("/", "/pad", "/login", "/static/style.css"):
        assert status_of(exchange(guarded.port, request(path))) == 200, path


def test_the_token_opens(guarded: Served) -> None:
    def ask(headers: dict[str, str]) -> int:
        return status_of(exchange(guarded.port, request(headers=headers)))

    assert ask({"Authorization": f"Bearer {TOKEN}"}) == 200
    assert ask({"Authorization": f"bearer {TOKEN}"}) == 200
    answer = exchange(guarded.port, post("/api/login", json.dumps({"token": TOKEN}).encode()))
    assert status_of(answer) == 204
    cookie = next(line for line in answer.decode().split("\r\n") if line.lower().startswith("set-cookie:"))
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    value = cookie.split(":", 1)[1].split(";")[0].strip()
    assert ask({"Cookie": value}) == 200
    assert ask({"Cookie": value[:-1] + ("0" if value[-1] != "0" else "1")}) == 401
    # A browser sends the cookies of the host's other services, too, whatever they are.
    for other in ('prefs={"a": 1, "b": 2}', "a/b=1", "n=Jos\xe9", "x=1 2", "alone"):
        assert ask({"Cookie": f"{other}; {value}"}) == 200, other
    # Not even with the token may another site's page ask.
    assert ask({"Cookie": value, "Origin": "https://evil.example"}) == 403


def test_tokens_cannot_be_tried_for_long(guarded: Served) -> None:
    tries = [post("/api/login", json.dumps({"token": f"wrong{k}"}).encode()) for k in range(12)]
    statuses = [status_of(exchange(guarded.port, data)) for data in tries]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_a_program_cannot_try_tokens_for_long() -> None:
    with served(ServeSettings(port=0, token=TOKEN, **GENEROUS)) as server:
        wrong = [{"Authorization": f"Bearer wrong{k}"} for k in range(12)]
        answers = [exchange(server.port, request(headers=headers)) for headers in wrong]
    assert [status_of(answer) for answer in answers] == [401] * 10 + [429] * 2
    assert b"retry-after: 10" in answers[-1]


def test_what_two_readers_could_understand_differently_is_refused(guarded: Served) -> None:
    host = f"localhost:{guarded.port}"
    for name, one, other in (
        ("Host", "evil.example", host),
        ("Origin", "https://evil.example", f"http://{host}"),
        ("Authorization", "Bearer wrong", f"Bearer {TOKEN}"),
    ):
        given = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
        given.pop(name, None)
        lines = [f"{name}: {one}", f"{name}: {other}", *(f"{key}: {value}" for key, value in given.items())]
        head = "\r\n".join(["GET /api/health HTTP/1.1", *lines]) + "\r\n\r\n"
        assert status_of(exchange(guarded.port, head.encode())) == 400, name


def test_every_answer_bears_the_headers(server: Served) -> None:
    for path in ("/", "/static/live.js", "/api/health", "/nothing"):
        head = exchange(server.port, request(path)).partition(b"\r\n\r\n")[0].decode().lower()
        policy = next(line for line in head.split("\r\n") if line.startswith("content-security-policy:"))
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for name in (
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "x-frame-options: deny",
        ):
            assert name in head, path
        assert "server:" not in head
    assert b"cache-control: no-store" in exchange(server.port, request("/api/page"))


def test_memory_stays_flat(server: Served) -> None:
    """Large pictures leave no more behind than the few that are kept."""
    pytest.importorskip("resource")

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    ok, data = cv2.imencode(".jpg", np.full((1500, 2000, 3), 230, np.uint8))
    assert ok
    for _ in range(8):
        assert status_of(exchange(server.port, post("/api/pictures", bytes(data), "image/jpeg"))) == 201
    before = resident()
    for _ in range(24):
        assert status_of(exchange(server.port, post("/api/pictures", bytes(data), "image/jpeg"))) == 201
    assert resident() - before < 40e6
