"""Outputs get every event in order, at least once, however often they fail."""

from __future__ import annotations

import contextlib
import csv
import http.server
import itertools
import json
import resource
import shutil
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.edge.sheets import page

from edgedigits.errors import EdgeDigitsError, OutputError
from edgedigits.event import Event
from edgedigits.journal import Journal, JournalSettings
from edgedigits.live import body_of
from edgedigits.live.config import GeneralSettings, LiveConfig
from edgedigits.live.delivery import Delivery, DeliverySettings
from edgedigits.live.station import open_sink, open_station
from edgedigits.outputs.settings import OutputSettings
from edgedigits.outputs.sinks import CsvFile, DeliveryError, JsonLinesFile, Sink
from edgedigits.outputs.webhook import Webhook
from edgedigits.settings import SettingsError
from edgedigits.track import Sighting

QUICK = DeliverySettings(first_pause=0.01, longest_pause=0.02)


def fill(journal: Journal, count: int) -> list[str]:
    """Append readings; returns their ids."""
    ids = []
    for k in range(count):
        (event,) = journal.append("cam", body_of(Sighting(page(f"{k:04}", "55").lines, 7, k, (640, 480))))
        ids.append(event.id)
    return ids


@contextlib.contextmanager
def delivering(sink: Sink, journal: Journal, settings: DeliverySettings = QUICK) -> Iterator[Delivery]:
    delivery = Delivery(sink, journal, settings)
    delivery.start()
    try:
        yield delivery
    finally:
        delivery.stop()


def eventually(what: Callable[[], object]) -> bool:
    until = time.monotonic() + 30
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


class Flaky:
    """Takes a few events at a time, and fails every other time."""

    name = "flaky"
    most = 7

    def __init__(self) -> None:
        self.got: list[str] = []
        self.calls = 0

    def deliver(self, events: Sequence[Event]) -> None:
        self.calls += 1
        if self.calls % 2:
            taken = min(3, len(events))
            self.got += [e.id for e in events[:taken]]
            raise DeliveryError("flaky: away", taken)
        self.got += [e.id for e in events]

    def idle(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_failures_lose_nothing_and_keep_the_order(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    sink = Flaky()
    with delivering(sink, journal) as delivery:
        ids = fill(journal, 100)
        assert eventually(lambda: not journal.backlog("flaky").waiting)
        assert eventually(lambda: delivery.health().ok)
    assert sink.got == ids
    assert "flaky: away (what was read is kept and delivered later)" in caplog.text
    assert "flaky: delivering again" in caplog.text


def test_its_health_tells_why_it_fails(journal: Journal) -> None:
    class Away(Flaky):
        def deliver(self, events: Sequence[Event]) -> None:
            raise DeliveryError("flaky: the cable is out; put it in")

    with delivering(Away(), journal) as delivery:
        fill(journal, 3)
        assert eventually(lambda: not delivery.health().ok)
        health = delivery.health()
    assert health.message == "flaky: the cable is out; put it in"
    assert (health.waiting, health.delivered) == (3, 0)


def test_what_will_never_be_taken_is_put_aside(journal: Journal) -> None:
    class Picky(Flaky):
        def deliver(self, events: Sequence[Event]) -> None:
            for taken, event in enumerate(events):
                if event.sequence == 4:
                    raise DeliveryError("picky: not this one", taken, refused=True)
                self.got.append(event.id)

    sink = Picky()
    with delivering(sink, journal) as delivery:
        ids = fill(journal, 10)
        assert eventually(lambda: not journal.backlog("flaky").waiting)
        assert delivery.health().refused == 1
    assert sink.got == ids[:3] + ids[4:]


def test_what_is_refused_is_offered_so_often_as_is_set(journal: Journal) -> None:
    offers: Counter[int] = Counter()

    class Picky(Flaky):
        most = 1

        def deliver(self, events: Sequence[Event]) -> None:
            offers[events[0].sequence] += 1
            if events[0].sequence in (4, 5, 8):
                raise DeliveryError("picky: not this one", refused=True)

    with delivering(Picky(), journal):
        fill(journal, 10)
        assert eventually(lambda: not journal.backlog("flaky").waiting)
    assert offers == Counter({4: 3, 5: 3, 8: 3, **dict.fromkeys((1, 2, 3, 6, 7, 9, 10), 1)})


def test_refusals_before_a_fault_do_not_count(journal: Journal) -> None:
    refusal = DeliveryError("picky: not this one", refused=True)
    script: list[Exception] = [refusal, refusal, KeyError("what"), refusal, refusal]

    class Scripted(Flaky):
        def deliver(self, events: Sequence[Event]) -> None:
            if script:
                raise script.pop(0)
            self.got += [event.id for event in events]

    sink = Scripted()
    with delivering(sink, journal) as delivery:
        ids = fill(journal, 1)
        assert eventually(lambda: not journal.backlog("flaky").waiting)
        assert delivery.health().refused == 0
    assert sink.got == ids


def test_an_output_that_is_away_is_tried_less_and_less_often(journal: Journal) -> None:
    tried: list[float] = []

    class Away(Flaky):
        def deliver(self, events: Sequence[Event]) -> None:
            tried.append(time.monotonic())
            raise DeliveryError("flaky: away")

    with delivering(Away(), journal, DeliverySettings(first_pause=0.04, longest_pause=0.16)):
        fill(journal, 1)
        assert eventually(lambda: len(tried) == 6)
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    for pause, least in zip(pauses, (0.04, 0.08, 0.16, 0.16, 0.16), strict=True):
        assert pause >= 0.9 * least


def test_an_output_is_let_go_of_when_it_is_stopped(journal: Journal) -> None:
    sink = Faulty(KeyError("none"), 0)
    with delivering(sink, journal) as delivery:
        assert sink.closed == 0
    assert sink.closed == 1
    assert not delivery._thread.is_alive()
    Delivery(sink, journal).stop()  # one that was never started


def test_an_output_is_told_while_there_is_nothing_for_it(journal: Journal) -> None:
    idle = threading.Event()

    class Connected(Flaky):
        def idle(self) -> None:
            idle.set()

    with delivering(Connected(), journal):
        assert idle.wait(30)


def test_what_cannot_be_delivered_is_not_waited_for(journal: Journal) -> None:
    """In the end: it stays in the journal."""
    gate = threading.Event()

    class Slow(Flaky):
        def deliver(self, events: Sequence[Event]) -> None:
            gate.wait(60)

    class Away(Flaky):
        def deliver(self, events: Sequence[Event]) -> None:
            raise DeliveryError("flaky: away")

    started = time.monotonic()
    with delivering(Slow(), journal) as delivery:
        fill(journal, 1)
        assert not delivery.drain(0.1)
        gate.set()
        assert delivery.drain(30)
    with delivering(Away(), journal) as delivery:
        fill(journal, 1)
        assert eventually(lambda: not delivery.health().ok)
        assert not delivery.drain(60)
    assert not delivery.drain(60)  # it has ended
    assert time.monotonic() - started < 60


class Faulty(Flaky):
    """Fails as nobody thought of, so many times."""

    def __init__(self, error: Exception, times: float) -> None:
        super().__init__()
        self._error, self._times, self.closed = error, times, 0

    def _fail(self) -> None:
        self._times -= 1
        if self._times >= 0:
            raise self._error

    def deliver(self, events: Sequence[Event]) -> None:
        self._fail()
        self.got += [event.id for event in events]

    def close(self) -> None:
        self.closed += 1


def test_a_fault_does_not_end_an_output(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    sink = Faulty(KeyError("what"), 3)
    with delivering(sink, journal) as delivery:
        ids = fill(journal, 20)
        assert eventually(lambda: not journal.backlog("flaky").waiting)
        assert eventually(lambda: delivery.health().ok)
        assert delivery.health().refused == 0
        assert sink.closed == 3  # it begins anew each time
    assert sink.got == ids
    assert caplog.text.count("flaky: a fault of edgedigits; please report it") == 1
    assert "KeyError" in caplog.text


def test_a_fault_that_stays_is_in_the_health_and_loses_nothing(journal: Journal) -> None:
    with delivering(Faulty(ValueError("no\nway"), 1e9), journal) as delivery:
        fill(journal, 3)
        assert eventually(lambda: delivery.health().message)
        time.sleep(0.2)
        health = delivery.health()
        assert delivery._thread.is_alive()
    assert health.message == "flaky: a fault of edgedigits (ValueError: no way); please report it"
    assert (health.ok, health.waiting, health.delivered, health.refused) == (False, 3, 0, 0)


@pytest.mark.parametrize("which", ["wait", "confirm"])
def test_a_fault_beside_an_output_does_not_end_it(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    done, faults = getattr(journal, which), [RuntimeError("once"), RuntimeError("twice")]

    def at_fault(*arguments: Any, **more: Any) -> Any:
        if faults:
            raise faults.pop()
        return done(*arguments, **more)

    monkeypatch.setattr(journal, which, at_fault)
    sink = Flaky()
    with delivering(sink, journal):
        ids = fill(journal, 10)
        assert eventually(lambda: not journal.backlog("flaky").waiting)
    assert list(dict.fromkeys(sink.got)) == ids


def test_a_json_lines_file(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with delivering(JsonLinesFile(path), journal) as delivery:
        ids = fill(journal, 5)
        assert delivery.drain(30)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [e["id"] for e in events] == ids
    assert list(events[0]) == [
        "schema", "event", "id", "sequence", "source", "time",
        "text", "confidence", "accepted", "frames", "page", "size", "lines",
    ]  # fmt: skip
    assert (events[3]["text"], events[3]["frames"], events[3]["event"]) == ("0003\n55", 7, "reading")


def test_a_line_torn_by_a_power_cut_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    event = Event(1, "a-1", "cam", "2026-01-01T00:00:00Z", {"text": "1"})
    sink = JsonLinesFile(path)
    sink.deliver([event])
    sink.close()
    whole = path.read_bytes()
    for cut in (1, 10, len(whole) - 1):
        path.write_bytes(whole + whole[:cut])
        sink = JsonLinesFile(path)
        sink.deliver([event])
        sink.close()
        assert path.read_bytes() == whole * 2


HEADER = ",".join(CsvFile.COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.jsonl", "My diary\nToday"),
        ("notes.jsonl", "My diary\n"),
        ("notes.jsonl", '{"name": "Ann"}\n{"name": "Bob"}\n'),
        ("notes.jsonl", '{"name": "Ann"}\n{"'),
        ("notes.jsonl", '{"schema": 3, "rows": 1}'),
        ("notes.csv", "My diary\nToday"),
        ("notes.csv", "3.14159"),
        ("notes.csv", "1,2\n3,4"),
        ("notes.csv", "id,name\n1,Ann\n"),
        ("notes.csv", "id,sequence,\n"),
        ("notes.csv", HEADER.strip() + ",remark\n"),
        ("notes.csv", HEADER + "3.14159"),
        ("notes.csv", "\n"),
    ],
)
def test_another_file_of_that_name_is_left_alone(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(OutputError, match="choose another name") as caught:
        open_sink(OutputSettings(to=str(path)))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert path.read_text() == content


def test_a_file_that_became_another_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    sink = CsvFile(path)
    path.write_text("id,name\n1,Ann\n")
    with pytest.raises(DeliveryError) as caught:
        sink.deliver([Event(1, "a-1", "cam", "", {"text": "1"})])
    assert str(caught.value) == f"{path}: it is another kind of file; choose another name"
    assert path.read_text() == "id,name\n1,Ann\n"


def test_a_csv_file_torn_by_a_power_cut_is_mended(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    fill(journal, 1)
    (event,) = journal.recent(1)
    sink = CsvFile(path)
    sink.deliver([event])
    sink.close()
    whole = path.read_bytes()
    header = len(HEADER)
    for cut in (1, 10, header - 1, header, header + 1, header + 12, header + 13, len(whole) - 1):
        path.write_bytes(whole[:cut])
        sink = CsvFile(path)
        sink.deliver([event])
        sink.close()
        rows = path.read_bytes().splitlines(keepends=True)
        # Of an event of two lines the first may have been written whole; it comes again.
        assert rows[0].decode() == HEADER
        assert b"".join(rows[-2:]) == whole[header:]
        assert len(rows) == 3 + (cut == len(whole) - 1)


def test_a_csv_file(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    for _ in range(2):  # the header comes once, whoever continues the file
        with delivering(CsvFile(path), journal) as delivery:
            fill(journal, 2)
            assert delivery.drain(30)
    rows = list(csv.DictReader(path.open()))
    assert [(r["line"], r["text"]) for r in rows] == [
        ("0", "0000"),
        ("1", "55"),
        ("0", "0001"),
        ("1", "55"),
    ] * 2
    assert rows[0]["accepted"] == "true"


@pytest.mark.parametrize("name", ["@SUM(A1).png", "=1.png", "+1.png", "-1.png", "a=1.png"])
def test_a_file_name_is_no_formula(tmp_path: Path, name: str) -> None:
    sink = CsvFile(tmp_path / "out.csv")
    sink.deliver([Event(1, "a-1", name, "", {"lines": [{"text": "1", "accepted": True}]})])
    sink.close()
    (row,) = csv.DictReader((tmp_path / "out.csv").open())
    assert row["source"] == (name if name[0] == "a" else f"./{name}")


def test_what_a_full_disk_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    events = [Event(k, f"a-{k}", "cam", "", {"text": "1" * 100}) for k in range(1, 21)]
    sink = JsonLinesFile(path)
    sink.deliver(events[:3])
    # A limit on a file's size does what a full disk does: the first part is written, the rest is not.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 1500, limits[1]))
    try:
        with pytest.raises(DeliveryError, match="make room"):
            sink.deliver(events[3:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sink.deliver(events[3:])
    sink.close()
    assert [json.loads(line)["sequence"] for line in path.read_text().splitlines()] == list(range(1, 21))


@pytest.mark.parametrize("aside", [True, False])
def test_a_file_that_is_rotated_or_deleted_is_begun_anew(tmp_path: Path, aside: bool) -> None:
    path, old = tmp_path / "out.csv", tmp_path / "out.csv.1"
    events = [Event(k, f"a-{k}", "cam", "", {"lines": [{"text": str(k), "accepted": True}]}) for k in (1, 2)]
    sink = CsvFile(path)
    sink.deliver(events[:1])
    path.rename(old) if aside else path.unlink()
    sink.deliver(events[1:])
    sink.close()
    assert [row["text"] for row in csv.DictReader(path.open())] == ["2"]
    if aside:
        assert [row["text"] for row in csv.DictReader(old.open())] == ["1"]


def test_a_full_disk_is_waited_out() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises((DeliveryError, OutputError)):
        JsonLinesFile("/dev/full").deliver([Event(1, "a-1", "cam", "", {"text": "1"})])


@pytest.mark.parametrize(
    "to",
    ["somewhere", "ftp://host/x.jsonl", "ftp://host/x.csv", "mqtt:///x", "http://", "mqtt://h:99999/", ""],
)
def test_an_output_that_is_none(to: str) -> None:
    with pytest.raises(EdgeDigitsError) as caught:
        open_sink(OutputSettings(to=to))
    assert "\n" not in str(caught.value)
    assert "output" in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="choose a folder that exists"):
        open_sink(OutputSettings(to=str(tmp_path / "no" / "out.jsonl")))


# --- webhook ---


class Receiver:
    """A web server that takes events, and answers as it is told."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.answers: list[int] = []
        self.answer = b""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answers.pop(0) if receiver.answers else 204
                if status < 300:
                    receiver.got.append(json.loads(body))
                    receiver.headers.append(dict(self.headers))
                    receiver.paths.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.address = (
            f"http{'s' * (tls is not None)}://127.0.0.1:{self._server.server_address[1]}/hook?key=secret"
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_webhook(journal: Journal, receiver: Receiver, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    receiver.answers = [503, 200, 500]
    sink = Webhook(OutputSettings(to=receiver.address, password_file=str(token)))
    assert "secret" not in sink.name
    with delivering(sink, journal) as delivery:
        ids = fill(journal, 10)
        assert eventually(lambda: not journal.backlog(sink.name).waiting)
        assert eventually(lambda: delivery.health().ok)
    assert [e["id"] for e in receiver.got] == ids
    assert receiver.headers[0]["Idempotency-Key"] == ids[0]
    assert receiver.headers[0]["Authorization"] == "Bearer s3cret"
    assert receiver.headers[0]["Content-Type"] == "application/json"


def test_a_webhook_that_refuses_one_event(journal: Journal, receiver: Receiver) -> None:
    receiver.answers = [204, 422, 422, 422]
    with delivering(Webhook(OutputSettings(to=receiver.address)), journal) as delivery:
        ids = fill(journal, 4)
        assert eventually(lambda: not journal.backlog(delivery.name).waiting)
        assert delivery.health().refused == 1
    assert [e["id"] for e in receiver.got] == [ids[0], *ids[2:]]


def test_a_webhook_with_a_wrong_token_waits(journal: Journal, receiver: Receiver) -> None:
    receiver.answers = [401] * 10_000
    with delivering(Webhook(OutputSettings(to=receiver.address)), journal) as delivery:
        ids = fill(journal, 2)
        assert eventually(lambda: "401" in delivery.health().message)
        receiver.answers.clear()
        assert eventually(lambda: not journal.backlog(delivery.name).waiting)
    assert [e["id"] for e in receiver.got] == ids


def test_a_webhook_that_is_not_there(journal: Journal, receiver: Receiver) -> None:
    receiver.close()
    with delivering(Webhook(OutputSettings(to=receiver.address, timeout=1)), journal) as delivery:
        fill(journal, 2)
        assert eventually(lambda: "can't be reached" in delivery.health().message)
        assert delivery.health().waiting == 2
    receiver.__init__()  # type: ignore[misc]  # so that the fixture has one to close


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    for to in (
        "http://me:Secret@h:99999/",
        "mqtt://me:Secret@h:99999/t",
        "https://me:Secret@/",
        "ftp://me:Secret@h/",
    ):
        with pytest.raises(SettingsError) as caught:
            open_sink(OutputSettings(to=to))
        assert "Secret" not in str(caught.value)
    (tmp_path / "token").write_text("Secret\nSecret\n")
    with pytest.raises(SettingsError, match="one line of ASCII") as caught:
        open_sink(OutputSettings(to="http://h/", password_file=str(tmp_path / "token")))
    assert "Secret" not in str(caught.value)


def test_an_address_is_sent_as_it_must_be(journal: Journal, receiver: Receiver) -> None:
    fill(journal, 1)
    address = receiver.address.replace("http://", "http://me:p%40ss@")
    to = address.partition("/hook")[0] + "/a b/ä?key=x y%20z"
    webhook = Webhook(OutputSettings(to=to))
    webhook.deliver(journal.recent(1))
    webhook.close()
    assert receiver.paths == ["/a%20b/%C3%A4?key=x%20y%20z"]
    assert receiver.headers[0]["Authorization"] == "Basic bWU6cEBzcw=="
    assert "p@ss" not in webhook.name


def test_a_long_answer_does_not_keep_the_next_event_from_being_sent(
    journal: Journal, receiver: Receiver
) -> None:
    receiver.answers, receiver.answer = [200, 200], b"x" * ((1 << 20) + 1)
    ids = fill(journal, 2)
    webhook = Webhook(OutputSettings(to=receiver.address))
    webhook.deliver(journal.recent(2)[::-1])
    webhook.close()
    assert [e["id"] for e in receiver.got] == ids


def test_a_user_without_a_password_is_sent(journal: Journal, receiver: Receiver) -> None:
    fill(journal, 1)
    webhook = Webhook(OutputSettings(to=receiver.address.replace("http://", "http://me@")))
    webhook.deliver(journal.recent(1))
    webhook.close()
    assert receiver.headers[0]["Authorization"] == "Basic bWU6"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: tests/system/setup.sh")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=here"
    parts = [file.with_name("cert.pem"), file.with_name("key.pem")]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(parts[0]), "-keyout", str(parts[1])]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    file.write_text("".join(part.read_text() for part in parts))
    return file


@pytest.mark.parametrize(
    ("trusted", "shown", "problem"),
    [(True, True, ""), (False, True, "its certificate is not trusted"), (True, False, "can't be reached")],
    ids=["both", "one that is not trusted", "one that shows no certificate"],
)
def test_a_webhook_over_tls(
    journal: Journal, certificate: Path, trusted: bool, shown: bool, problem: str
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.load_verify_locations(certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    receiver = Receiver(tls)
    files = {"ca_file": str(certificate)} if trusted else {}
    files |= {"cert_file": str(certificate)} if shown else {}
    try:
        webhook = Webhook(OutputSettings(to=receiver.address, **files))  # type: ignore[arg-type]
        ids = fill(journal, 2)
        if problem:
            with pytest.raises(DeliveryError, match=problem):
                webhook.deliver(journal.recent(2)[::-1])
        else:
            webhook.deliver(journal.recent(2)[::-1])
        webhook.close()
        assert [e["id"] for e in receiver.got] == ([] if problem else ids)
    finally:
        receiver.close()


def test_certificates_that_cant_be_used(tmp_path: Path) -> None:
    (tmp_path / "junk.pem").write_text("no certificate\n")
    for files in ({"ca_file": str(tmp_path / "none.pem")}, {"cert_file": str(tmp_path / "junk.pem")}):
        with pytest.raises(SettingsError, match="check ca_file and cert_file") as caught:
            Webhook(OutputSettings(to="https://h/", **files))  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    outputs = tuple(OutputSettings(to=f"http://127.0.0.1:9/hook?key={key}") for key in "ab")
    config = LiveConfig(
        general=GeneralSettings(source="demo:"),
        tables={"journal": JournalSettings(path=str(tmp_path / "j.sqlite"))},
        outputs=outputs,
    )
    with (
        pytest.raises(SettingsError, match="is there twice"),
        open_station(config, stop=threading.Event()),
    ):
        pass
