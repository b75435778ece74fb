"""The REST interface: readings, strokes, kept pictures, the live view, events, health, metrics."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.edge import pen
from tests.edge.drawing import paper, write
from tests.edge.serving import Served, ServeSettings, served

from edgedigits.frames import Frame, Unread
from edgedigits.live.hub import Health
from edgedigits.serve.readings import pictures_in

httpx = pytest.importorskip("httpx", reason="httpx is not installed")

GENEROUS = {"rate": 1e5, "burst": 100_000, "reading_rate": 1e5, "reading_burst": 100_000}


def sheet(text: str) -> NDArray[np.uint8]:
    return write(paper(), text, (40, 120))


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(ServeSettings(port=0, **GENEROUS), [sheet("2746")]) as running:
        yield running


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=15, trust_env=False) as made:
        yield made


def encoded(image: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    ok, data = cv2.imencode(suffix, image)
    assert ok
    return bytes(data)


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".png", "image/png"), (".jpg", "image/jpeg"), (".webp", "image/webp")]
)
def test_a_picture_is_read(client: httpx.Client, suffix: str, kind: str) -> None:
    answer = client.post("/api/read", content=encoded(sheet("2746"), suffix), headers={"Content-Type": kind})
    assert answer.status_code == 200
    (page,) = answer.json()["pages"]
    assert [line["text"] for line in page["lines"]] == ["2746"]
    assert page["size"] == [640, 240]
    assert page["page"] == 0


def test_every_page_of_a_tiff_is_read(client: httpx.Client) -> None:
    pages = [Image.fromarray(sheet(text)) for text in ("27", "46", "38")]
    data = io.BytesIO()
    pages[0].save(data, "TIFF", save_all=True, append_images=pages[1:])
    answer = client.post("/api/read", content=data.getvalue(), headers={"Content-Type": "image/tiff"})
    found = [[line["text"] for line in page["lines"]] for page in answer.json()["pages"]]
    assert found == [["27"], ["46"], ["38"]]


@pytest.mark.parametrize(
    ("sizes", "read"),
    [([(50, 50)] * 30, 20), ([(2500, 3500)] * 12, 7), ([(50, 50), (9000, 9000), (50, 50)], 1)],
)
def test_pages_that_are_not_read_are_told_of(sizes: list[tuple[int, int]], read: int) -> None:
    pages = [Image.new("L", size, 255) for size in sizes]
    data = io.BytesIO()
    pages[0].save(data, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    *found, rest = pictures_in(data.getvalue(), ServeSettings())
    assert [frame.size for frame in found if isinstance(frame, Frame)] == sizes[:read]
    assert isinstance(rest, Unread)
    assert f"the pages from {read + 1} on are not read" in str(rest.error)


def test_a_damaged_page_is_told_of() -> None:
    pages = [Image.new("L", (50, 50), 255) for _ in range(3)]
    data = io.BytesIO()
    pages[0].save(data, "TIFF", save_all=True, append_images=pages[1:])
    with Image.open(data) as picture:
        picture.seek(2)
        last = picture._frame_pos[2]  # type: ignore[attr-defined]
    *found, rest = pictures_in(data.getvalue()[: last + 9], ServeSettings())
    assert len(found) == 2
    assert isinstance(rest, Unread)
    assert "page 3" in str(rest.error)


def test_too_large_pictures_are_refused_before_they_are_decoded(client: httpx.Client) -> None:
    data = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(data, "PNG")
    started = time.monotonic()
    answer = client.post("/api/read", content=data.getvalue(), headers={"Content-Type": "image/png"})
    assert answer.status_code == 422
    assert "million pixels" in answer.json()["error"]
    assert time.monotonic() - started < 1
    answer = client.post("/api/read", content=bytes((24 << 20) + 1), headers={"Content-Type": "image/png"})
    assert answer.status_code == 413
    assert "MiB" in answer.json()["error"]


def test_an_unreadable_picture_is_told_in_one_line(client: httpx.Client) -> None:
    half = encoded(sheet("27"), ".jpg")[:2000]
    answer = client.post("/api/read", content=half, headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert "cut off" in error
    assert "\n" not in error
    assert "picture:" not in error


def test_strokes_are_read(client: httpx.Client) -> None:
    strokes = [stroke.tolist() for stroke in pen.number("40723", 90, seed=1, at=(30, 40))]
    answer = client.post("/api/strokes", json={"size": [700, 300], "strokes": strokes})
    assert answer.status_code == 200
    page = answer.json()
    assert [line["text"] for line in page["lines"]] == ["40723"]
    assert page["size"] == [700, 300]
    x, y, width, height = page["lines"][0]["box"]
    assert (x, y) == (pytest.approx(30, abs=20), pytest.approx(40, abs=20))
    assert (width, height) == (pytest.approx(450, abs=60), pytest.approx(90, abs=30))
    assert client.post("/api/strokes", json={"strokes": []}).json()["lines"] == []


def test_a_picture_is_kept_for_a_while(client: httpx.Client) -> None:
    kept = client.post("/api/pictures", content=encoded(sheet("27")), headers={"Content-Type": "image/png"})
    assert kept.status_code == 201
    assert kept.json()["size"] == [640, 240]
    answer = client.get(f"/api/pictures/{kept.json()['id']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (640, 240)
    live = client.post("/api/pictures", params={"from": "live"})
    assert live.json()["size"] == [640, 240]
    for _ in range(8):
        client.post("/api/pictures", params={"from": "live"})
    assert client.get(f"/api/pictures/{kept.json()['id']}").status_code == 404  # only a few are kept


def test_the_newest_frame_and_its_reading(server: Served, client: httpx.Client) -> None:
    page = client.get("/api/page").json()
    assert [line["text"] for line in page["lines"]] == ["2746"]
    assert page["source"] == "test"
    assert set(page["timings"]) == {"wait", "read", "track"}
    frame = Image.open(io.BytesIO(client.get("/api/frame").content))
    assert frame.size == (640, 240)
    answer = client.get("/api/view", params={"after": 0})
    length = int.from_bytes(answer.content[:4], "big")
    head = json.loads(answer.content[4 : 4 + length])
    assert head["number"] == server.loop.frames
    assert head["lines"] == page["lines"]
    assert Image.open(io.BytesIO(answer.content[4 + length :])).size == (640, 240)


def test_the_view_waits_for_the_next_frame(server: Served, client: httpx.Client) -> None:
    newest = server.loop.frames
    timer = threading.Timer(0.5, server.loop.show, [sheet("38")])
    timer.start()
    started = time.monotonic()
    answer = client.get("/api/view", params={"after": newest})
    assert 0.4 < time.monotonic() - started < 3
    length = int.from_bytes(answer.content[:4], "big")
    assert json.loads(answer.content[4 : 4 + length])["lines"][0]["text"] == "38"
    timer.join()


def test_viewers_share_frames_and_set_the_pace() -> None:
    """Ten times as many frames as are shown: whoever watches gets the allowed number a second, the newest."""
    with served(ServeSettings(port=0, view_rate=10, **GENEROUS), [sheet("1")]) as server:
        stop = threading.Event()

        def publish() -> None:
            while not stop.wait(0.01):
                snapshot = server.loop.hub.latest()
                assert snapshot is not None
                server.loop.hub.publish(snapshot.frame, snapshot.page, snapshot.timings)

        publisher = threading.Thread(target=publish)
        publisher.start()
        try:
            with httpx.Client(base_url=server.url, trust_env=False) as client:
                after = shown = 0
                until = time.monotonic() + 1.5
                while time.monotonic() < until:
                    answer = client.get("/api/view", params={"after": after})
                    length = int.from_bytes(answer.content[:4], "big")
                    number = json.loads(answer.content[4 : 4 + length])["number"]
                    assert number > after
                    after, shown = number, shown + 1
        finally:
            stop.set()
            publisher.join()
    assert 5 <= shown <= 17


def test_events_are_paged_backwards(server: Served, client: httpx.Client) -> None:
    first = len(server.loop.events)
    for k in range(5):
        server.loop.announce(str(k))
    newest = client.get("/api/events", params={"limit": 2}).json()["events"]
    assert [event["text"] for event in newest] == ["4", "3"]
    assert newest[0]["sequence"] == first + 5
    older = client.get("/api/events", params={"limit": 2, "before": newest[-1]["sequence"]}).json()["events"]
    assert [event["text"] for event in older] == ["2", "1"]


def read_stream(port: int, want: int, last: int | None = None) -> list[dict[str, object]]:
    """Return the first so many events of the stream."""
    resume = f"Last-Event-ID: {last}\r\n" if last is not None else ""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n{resume}\r\n".encode())
        data = b""
        while data.count(b"\ndata: ") < want or not data.endswith(b"\n\n\r\n"):
            data += connection.recv(65_536)
    return [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]


def test_events_come_as_they_happen_and_can_be_resumed(server: Served) -> None:
    timer = threading.Timer(0.6, lambda: [server.loop.announce(text) for text in ("one", "two", "three")])
    timer.start()
    events = read_stream(server.port, 3)
    timer.join()
    assert [event["text"] for event in events] == ["one", "two", "three"]
    numbers = [event["sequence"] for event in events]
    again = read_stream(server.port, 2, last=int(str(numbers[0])))
    assert [event["sequence"] for event in again] == numbers[1:]


def test_a_stream_is_resumed_with_all_that_came_meanwhile() -> None:
    with served() as server:
        for number in range(350):
            server.loop.announce(str(number))
        events = read_stream(server.port, 340, last=10)
        assert [event["sequence"] for event in events] == list(range(11, 351))
        # A journal that was begun anew counts from 1: its events are new, whatever was had before.
        server.loop.begin_anew("other")
        server.loop.announce("first")
        timer = threading.Timer(0.6, lambda: server.loop.announce("second"))
        timer.start()
        assert [event["text"] for event in read_stream(server.port, 2, last=350)] == ["first", "second"]
        timer.join()


def test_a_slow_listener_misses_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgedigits.serve.live._EVENT", 0.5)
    with served() as server:
        server.loop.announce("0")

        def many() -> None:
            for number in range(1, 300):
                server.loop.announce(str(number))

        timer = threading.Timer(0.8, many)
        timer.start()
        events = read_stream(server.port, 300, last=0)
        timer.join()
        assert [event["text"] for event in events] == [str(number) for number in range(300)]


def test_health_is_that_frames_flow(server: Served, client: httpx.Client) -> None:
    answer = client.get("/api/health")
    assert (answer.status_code, answer.json()["state"]) == (200, "reading")
    assert answer.json()["counters"]["frames"] == server.loop.frames
    server.loop.state_ok = False
    try:
        answer = client.get("/api/health")
        assert (answer.status_code, answer.json()["ok"]) == (503, False)
    finally:
        server.loop.state_ok = True


def test_a_slow_journal_keeps_only_those_waiting_who_ask_for_it(
    server: Served, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = server.loop.hub.health

    def slow() -> Health:
        time.sleep(1.5)
        return health()

    monkeypatch.setattr(server.loop.hub, "health", slow)
    with ThreadPoolExecutor(2) as others:
        asked = [others.submit(client.get, path) for path in ("/api/health", "/metrics")]
        time.sleep(0.2)
        started = time.monotonic()
        assert client.get("/api/page").status_code == 200
        assert time.monotonic() - started < 0.8
        assert [one.result().status_code for one in asked] == [200, 200]


def test_metrics_are_prometheus_text(server: Served, client: httpx.Client) -> None:
    client.post("/api/strokes", json={"strokes": [[[0, 0], [0, 50]]]})
    assert client.get("/").status_code == 200
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples: dict[str, float] = {}
    kinds: dict[str, str] = {}
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[name] = float(value)
            assert name.split("{")[0] in kinds
    assert samples["edgedigits_up"] == 1
    assert samples["edgedigits_frames_total"] == server.loop.frames
    assert samples['edgedigits_web_readings_total{kind="strokes"}'] >= 1
    assert samples['edgedigits_web_requests_total{method="GET",status="200"}'] >= 1
    assert kinds["edgedigits_frames_total"] == "counter"


def test_before_the_first_frame() -> None:
    with (
        served(ServeSettings(port=0, **GENEROUS)) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        for path in ("/api/page", "/api/frame"):
            assert client.get(path).status_code == 404
        assert client.post("/api/pictures", params={"from": "live"}).status_code == 404
        assert client.get("/metrics").status_code == 200


def test_pages_come_from_memory_and_are_asked_for_anew(client: httpx.Client) -> None:
    answer = client.get("/static/style.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    again = client.get("/static/style.css", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head("/").status_code == 200
    assert client.get("/static/nothing.css").status_code == 404


def test_the_pages_need_nothing_from_elsewhere(client: httpx.Client) -> None:
    for path in ("/", "/pad", "/picture", "/form", "/login"):
        page = client.get(path).text
        for address in [
            part.split('"')[0] for name in ("src=", "href=") for part in page.split(name + '"')[1:]
        ]:
            assert address.startswith(("/", "#")), address
            assert address.startswith("#") or client.get(address).status_code == 200
        # The policy forbids them; a page that has one would be broken.
        assert "<style" not in page
        assert " style=" not in page
        assert "onclick" not in page
