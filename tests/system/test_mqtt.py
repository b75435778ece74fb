"""A real broker: Mosquitto, stopped and started under load, with and without TLS."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgedigits.journal import Journal
from edgedigits.live.delivery import Delivery, DeliverySettings
from edgedigits.outputs.settings import OutputSettings
from edgedigits.outputs.sinks import DeliveryError
from edgedigits.settings import SettingsError

paho = pytest.importorskip("paho.mqtt.client", reason="the extra mqtt is missing: pip install paho-mqtt")

from edgedigits.outputs.mqtt import Mqtt  # noqa: E402 (after the check for what it needs)

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None,
    reason="mosquitto is missing: tests/system/setup.sh",
)

QUICK = DeliverySettings(first_pause=0.05, longest_pause=0.2)


def eventually(what: Callable[[], object], seconds: float = 15.0) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """Mosquitto on a port of its own, which can be stopped and started again."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.folder, self.port = folder, free_port()
        self._config = folder / "mosquitto.conf"
        text = [f"listener {self.port} 127.0.0.1", f"user {_me()}", "max_queued_messages 0", *lines]
        if not any(line.startswith("allow_anonymous") for line in lines):
            text.append("allow_anonymous true")
        self._config.write_text("\n".join(text) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        assert program is not None
        self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=subprocess.DEVNULL)

        def listening() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
                return True
            return False

        assert eventually(listening)

    def pause(self, paused: bool) -> None:
        """Stand still, with its connections open, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def stop(self, kill: bool = False) -> None:
        assert self._process is not None
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(10)


def _me() -> str:
    import getpass

    return getpass.getuser()


class Listener:
    """A subscriber that remembers all it heard."""

    def __init__(self, broker: Broker, topic: str = "#") -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(0.05, 0.05)

        def connected(client: Any, *_: Any) -> None:
            client.subscribe(topic, qos=1)

        self._client.on_connect = connected
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda client, data, m: self.heard.append((m.topic, m.payload, m.retain))
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._ready.wait(10)

    def events(self) -> list[int]:
        """Return the sequence numbers of the events heard, in order, each the first time."""
        numbers = [json.loads(p)["sequence"] for t, p, _ in list(self.heard) if t.endswith("/event")]
        return list(dict.fromkeys(numbers))

    def of(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in list(self.heard) if name == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


@contextlib.contextmanager
def delivering(journal: Journal, settings: OutputSettings) -> Iterator[Delivery]:
    delivery = Delivery(Mqtt(settings), journal, QUICK)
    delivery.start()
    try:
        yield delivery
    finally:
        delivery.stop(5)


def fill(journal: Journal, count: int) -> None:
    for k in range(count):
        journal.append("cam", {"text": str(k)})


def test_events_arrive_in_order(broker: Broker, journal: Journal) -> None:
    listener = Listener(broker)
    with delivering(journal, OutputSettings(to=f"mqtt://127.0.0.1:{broker.port}/desk/1")):
        fill(journal, 50)
        assert eventually(lambda: len(listener.events()) == 50)
        assert eventually(lambda: listener.of("desk/1/text")[-1:] == [b"49"])
        assert listener.of("desk/1/status") == [b"online"]
    assert eventually(lambda: listener.of("desk/1/status") == [b"online", b"offline"])
    assert listener.events() == list(range(1, 51))
    listener.close()
    late = Listener(broker)
    assert eventually(lambda: late.of("desk/1/status") == [b"offline"])
    assert late.of("desk/1/text") == [b"49"]
    assert late.events() == []
    late.close()


def test_a_broker_that_goes_and_comes_under_load(broker: Broker, journal: Journal) -> None:
    listener = Listener(broker)
    with delivering(journal, OutputSettings(to=f"mqtt://127.0.0.1:{broker.port}/d", timeout=2)) as delivery:
        for kill in (False, True, True):
            fill(journal, 40)
            broker.stop(kill)
            fill(journal, 40)
            assert eventually(lambda: not delivery.health().ok)
            assert "can't be reached" in delivery.health().message
            broker.start()
            # The listener, too, has to come back before there is something to hear.
            before = len(listener.heard)
            assert eventually(lambda before=before: len(listener.heard) > before)
        assert eventually(lambda: not journal.backlog(delivery.name).waiting)
        assert eventually(lambda: delivery.health().ok)
    backlog = journal.backlog(delivery.name)
    assert (backlog.delivered, backlog.dropped) == (240, 0)
    numbers = listener.events()
    assert numbers == sorted(numbers)
    listener.close()


def test_a_connection_found_lost_when_something_is_to_be_sent(broker: Broker, journal: Journal) -> None:
    """The socket is gone a moment before the output is told of it."""
    sink = Mqtt(OutputSettings(to=f"mqtt://127.0.0.1:{broker.port}/d"))
    sink.idle()
    sink._client.on_disconnect = None
    broker.stop()
    assert eventually(lambda: sink._client.socket() is None)
    fill(journal, 2)
    with pytest.raises(DeliveryError, match="can't be reached") as caught:
        sink.deliver(journal.recent(2)[::-1])
    assert caught.value.taken == 0
    broker.start()
    listener = Listener(broker)
    sink.deliver(journal.recent(2)[::-1])
    assert eventually(lambda: listener.events() == [1, 2])
    sink.close()
    listener.close()


def test_a_broker_that_falls_silent_is_not_waited_for(broker: Broker, journal: Journal) -> None:
    listener = Listener(broker)
    sink = Mqtt(OutputSettings(to=f"mqtt://127.0.0.1:{broker.port}/d", timeout=0.5))
    fill(journal, 2)
    sink.idle()
    broker.pause(True)
    for _ in range(2):  # while it is connected, and when it is to connect again
        started = time.monotonic()
        with pytest.raises(DeliveryError, match=r"no answer within 0\.5 s"):
            sink.deliver(journal.recent(2)[::-1])
        assert time.monotonic() - started < 5
    broker.pause(False)
    sink.deliver(journal.recent(2)[::-1])
    assert eventually(lambda: listener.events() == [1, 2])
    sink.close()
    listener.close()


def test_two_outputs_at_one_broker_leave_each_other_alone(broker: Broker, journal: Journal) -> None:
    listener = Listener(broker)
    to = f"mqtt://127.0.0.1:{broker.port}"
    with (
        delivering(journal, OutputSettings(to=f"{to}/a")),
        delivering(journal, OutputSettings(to=f"{to}/b")),
    ):
        fill(journal, 5)
        assert eventually(lambda: len(listener.of("a/event")) == len(listener.of("b/event")) == 5)
        time.sleep(0.6)  # who is thrown out comes back soon
        assert listener.of("a/status") == listener.of("b/status") == [b"online"]
    listener.close()


def test_who_comes_back_before_the_broker_missed_it_stays_online(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut the broker holds on to the old connection for a while, and with it to its will."""
    listener = Listener(broker, "d/status")
    numbers = iter(range(1, 1000))
    monkeypatch.setattr("os.getpid", lambda: next(numbers))
    settings = OutputSettings(to=f"mqtt://127.0.0.1:{broker.port}/d")
    cut, back = Mqtt(settings), Mqtt(settings)
    cut.idle()
    assert eventually(lambda: listener.of("d/status") == [b"online"])
    wire = cut._client.socket()
    back.idle()
    assert eventually(lambda: listener.of("d/status").count(b"online") == 2)
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    time.sleep(0.5)
    assert listener.of("d/status")[-1] == b"online"
    back.close()
    cut.close()
    listener.close()


def test_a_probe_says_nothing(broker: Broker) -> None:
    listener = Listener(broker)
    settings = OutputSettings(to=f"mqtt://127.0.0.1:{broker.port}/d")
    device, probe = Mqtt(settings), Mqtt(settings)
    device.idle()
    probe.probe()
    probe.close()
    time.sleep(0.3)
    device.idle()
    assert listener.of("d/status") == [b"online"]
    broker.stop()
    with pytest.raises(DeliveryError, match="can't be reached"):
        probe.probe()
    broker.start()
    device.close()
    listener.close()


def test_the_last_will(broker: Broker, journal: Journal) -> None:
    """A device that loses its power is offline by the broker's own word."""
    listener = Listener(broker, "d/status")
    sink = Mqtt(OutputSettings(to=f"mqtt://127.0.0.1:{broker.port}/d"))
    sink.idle()
    assert eventually(lambda: listener.of("d/status") == [b"online"])
    sink._client.socket().shutdown(socket.SHUT_RDWR)
    assert eventually(lambda: listener.of("d/status")[:2] == [b"online", b"offline"])
    sink.close()
    listener.close()


def test_home_assistant_finds_it(broker: Broker, journal: Journal) -> None:
    settings = OutputSettings(
        to=f"mqtt://127.0.0.1:{broker.port}", discovery="homeassistant/", device="Front desk"
    )
    listener = Listener(broker)
    with delivering(journal, settings):
        topic = "homeassistant/sensor/edgedigits_Front_desk/text/config"
        assert eventually(lambda: listener.of(topic))
        fill(journal, 1)
        config = json.loads(listener.of(topic)[0])
        assert config["availability_topic"] == "edgedigits/Front_desk/status"
        assert eventually(lambda: listener.of(config["state_topic"]))
        assert json.loads(listener.of(config["state_topic"])[0])["text"] == "0"
        assert config["unique_id"]
        assert config["device"]["identifiers"]
        later = Listener(broker)  # as after a restart of Home Assistant
        assert eventually(lambda: later.of(topic) and later.of(config["availability_topic"]) == [b"online"])
        later.close()
    listener.close()


def test_user_and_password(tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = tmp_path / "passwords"
    for create, user, password in ((["-c"], "me", "s3cret"), ([], "a b", "p/w@")):
        subprocess.run(["mosquitto_passwd", "-b", *create, str(passwords), user, password], check=True)
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    address = f"mqtt://me@127.0.0.1:{broker.port}/d"
    try:
        with delivering(journal, OutputSettings(to=address)) as delivery:
            fill(journal, 1)
            assert eventually(lambda: "refused" in delivery.health().message)
            assert delivery.health().waiting == 1
        monkeypatch.setenv("EDGEDIGITS_MQTT_PASSWORD", "s3cret")
        with delivering(journal, OutputSettings(to=address)) as delivery:
            assert eventually(lambda: not journal.backlog(delivery.name).waiting)
        secret = tmp_path / "secret"
        secret.write_text("s3cret\n")
        monkeypatch.delenv("EDGEDIGITS_MQTT_PASSWORD")
        kept = OutputSettings(to=address, password_file=str(secret))
        escaped = address.replace("me@", "a%20b:p%2Fw%40@")
        named = replace(kept, to=address.replace("me@", "other@"), user="me")
        for settings in (kept, OutputSettings(to=escaped), named):
            with delivering(journal, settings) as delivery:
                fill(journal, 1)
                assert eventually(lambda: not journal.backlog(delivery.name).waiting)
                assert delivery.name == address.replace("me@", "")
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, a certificate for 127.0.0.1 and one for another host."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: tests/system/setup.sh")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other-ca"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
    for name, host in (("good", "IP:127.0.0.1"), ("foreign", "DNS:elsewhere.example")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName={host}\n")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-extfile", f"{name}.ext",
        )  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("server", "authority", "problem"),
    [("good", "ca", None), ("good", "other-ca", "not trusted"), ("foreign", "ca", "not trusted")],
)
def test_tls(
    tmp_path: Path, certificates: Path, journal: Journal, server: str, authority: str, problem: str | None
) -> None:
    broker = Broker(
        tmp_path,
        f"certfile {certificates / server}.pem",
        f"keyfile {certificates / server}.key",
        f"cafile {certificates / 'ca.pem'}",
    )
    settings = OutputSettings(
        to=f"mqtts://127.0.0.1:{broker.port}/d", ca_file=str(certificates / f"{authority}.pem")
    )
    try:
        with delivering(journal, settings) as delivery:
            fill(journal, 3)
            if problem is None:
                assert eventually(lambda: not journal.backlog(delivery.name).waiting)
            else:
                assert eventually(lambda: problem in delivery.health().message)
                assert delivery.health().waiting == 3
    finally:
        broker.stop()


def test_a_broker_that_asks_for_a_certificate(tmp_path: Path, certificates: Path, journal: Journal) -> None:
    broker = Broker(
        tmp_path,
        f"certfile {certificates / 'good.pem'}",
        f"keyfile {certificates / 'good.key'}",
        f"cafile {certificates / 'ca.pem'}",
        "require_certificate true",
    )
    without = OutputSettings(to=f"mqtts://127.0.0.1:{broker.port}/d", ca_file=str(certificates / "ca.pem"))
    own = {"cert_file": str(certificates / "foreign.pem"), "key_file": str(certificates / "foreign.key")}
    try:
        with delivering(journal, without) as delivery:
            fill(journal, 1)
            assert eventually(lambda: "can't be reached" in delivery.health().message)
        with delivering(journal, replace(without, **own)) as delivery:
            assert eventually(lambda: not journal.backlog(delivery.name).waiting)
    finally:
        broker.stop()


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("mqtt://h", f"mqtt://h:1883/edgedigits/{socket.gethostname().partition('.')[0]}"),
        ("MQTTS://h/a%20b/", "mqtts://h:8883/a b"),
        ("mqtts://h:99/t", "mqtts://h:99/t"),
    ],
)
def test_what_an_address_does_not_say(to: str, name: str) -> None:
    assert Mqtt(OutputSettings(to=to)).name == name


def test_a_host_that_no_name_can_be_is_away() -> None:
    with pytest.raises(DeliveryError, match="can't be reached"):
        Mqtt(OutputSettings(to="mqtt://a..b/t")).probe()


def test_settings_that_cant_be(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ca_file"):
        Mqtt(OutputSettings(to="mqtts://host/d", ca_file=str(tmp_path / "none.pem")))
    with pytest.raises(SettingsError, match="topic"):
        Mqtt(OutputSettings(to="mqtt://host/a/+/b"))
    for to in ("mqtt://host/a#1", "mqtt://host/a/#", "mqtt://host/a?b", "mqtt://me:1#2@host/a"):
        with pytest.raises(SettingsError, match=r"ends at its \? or #"):
            Mqtt(OutputSettings(to=to))
    (tmp_path / "of-nobody").write_text("secret\n")
    for settings in (
        OutputSettings(to="mqtt://:secret@host/a"),
        OutputSettings(to="mqtt://host/a", password_file=str(tmp_path / "of-nobody")),
    ):
        with pytest.raises(SettingsError, match="a password, but no user") as refused:
            Mqtt(settings)
        assert "secret" not in str(refused.value)
    with pytest.raises(SettingsError, match="discovery = 'home/#'"):
        Mqtt(OutputSettings(to="mqtt://host/a", discovery="home/#"))
    with pytest.raises(SettingsError, match="password"):
        Mqtt(OutputSettings(to="mqtt://host/a", password_file=str(tmp_path / "none")))
