"""Events to an MQTT broker: at least once, in order; with a last will and Home Assistant's discovery.

Topics, under the address's path (default `edgedigits/DEVICE`): `event` has each event as JSON, `text` the
text of the last sheet, retained; `status` is `online` or, by the broker's own word if need be, `offline`,
retained. Needs the extra `mqtt`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgedigits import __version__
from edgedigits.event import Event
from edgedigits.frames.capture import without_password
from edgedigits.outputs.credentials import secret
from edgedigits.outputs.settings import OutputSettings
from edgedigits.outputs.sinks import DeliveryError
from edgedigits.settings import SettingsError

PASSWORD_VARIABLE = "EDGEDIGITS_MQTT_PASSWORD"


class Mqtt:
    """A broker as an output. `to` is `mqtt[s]://[USER@]HOST[:PORT][/TOPIC]`.

    Raises `SettingsError` where the extra is missing, the address or a file can't be used.
    """

    most = 100

    def __init__(self, settings: OutputSettings) -> None:
        try:
            import paho.mqtt.client as paho
        except ImportError as error:
            raise SettingsError("MQTT needs paho-mqtt; pip install paho-mqtt") from error
        self._paho = paho
        self._settings = settings
        shown = without_password(settings.to)
        try:
            address = urllib.parse.urlsplit(settings.to)
            port = address.port
        except ValueError as error:
            raise SettingsError(f"output '{shown}': {error}; give mqtt://HOST[:PORT]/TOPIC") from error
        if not address.hostname:
            raise SettingsError(f"output '{shown}': no host in it; give mqtt://HOST[:PORT]/TOPIC")
        if "?" in settings.to or "#" in settings.to:
            raise SettingsError(
                f"output '{shown}': the address ends at its ? or #; choose another topic, and in a password "
                "write %3F or %23"
            )
        self._host, self._tls = address.hostname, address.scheme.lower() == "mqtts"
        self._port = port or (8883 if self._tls else 1883)
        self._device = _plain(settings.device or socket.gethostname().partition(".")[0])
        self.topic = urllib.parse.unquote(address.path.strip("/")) or f"edgedigits/{self._device}"
        if any(sign in self.topic for sign in "+#\0"):
            raise SettingsError(f"output '{shown}': a topic has no + or # in it; choose another")
        self._discovery = settings.discovery.strip("/")
        if any(sign in self._discovery for sign in "+#\0"):
            raise SettingsError(
                f"output '{shown}': discovery = '{settings.discovery}': a topic has no + or # in it; "
                "it is usually homeassistant"
            )
        self.name = f"{address.scheme.lower()}://{self._host}:{self._port}/{self.topic}"
        self._user = settings.user or urllib.parse.unquote(address.username or "")
        self._password = urllib.parse.unquote(address.password or "") or secret(
            settings.password_file, PASSWORD_VARIABLE
        )
        if not self._user and (address.password or settings.password_file):
            raise SettingsError(
                f"output '{shown}': a password, but no user; set user = \"NAME\", or give "
                "mqtt://NAME:PASSWORD@HOST"
            )
        self._context = self._tls_context() if self._tls else None
        self._client: Any = None
        self._ready = threading.Event()
        self._lost = threading.Event()
        self._reason = ""

    def _tls_context(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
            if settings.cert_file:
                context.load_cert_chain(settings.cert_file, settings.key_file or None)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SettingsError(
                f"{self.name}: the certificates can't be used ({reason}); check ca_file, cert_file, key_file"
            ) from error
        return context

    def deliver(self, events: Sequence[Event]) -> None:
        """Publish events at quality of service 1 and wait for the broker's word on each."""
        self._connect()
        sent = []
        last = ""
        for event in events:
            sent.append(self._publish("event", event.as_json(), retain=False))
            last = str(event.body.get("text", last))
        until = time.monotonic() + self._settings.timeout
        for taken, info in enumerate(sent):
            try:
                while not info.is_published():
                    if self._lost.is_set() or time.monotonic() > until:
                        self._drop()
                        raise self._away(
                            self._reason or f"no answer within {self._settings.timeout:g} s", taken
                        )
                    info.wait_for_publish(0.05)
            except (ValueError, RuntimeError) as error:
                # The connection was gone when it was to be sent; `_lost` is told of that a moment later.
                self._drop()
                raise self._away(self._reason or "connection lost", taken) from error
        if last:
            self._publish("text", last, retain=True)

    def idle(self) -> None:
        """Connect if that is not so, so that the broker knows of us before there is anything to tell."""
        self._connect()

    def probe(self) -> None:
        """Connect and part again without a word to those who listen, or to one that is connected already.

        Raises `DeliveryError` where the broker can't be reached.
        """
        self._connect(quietly=True)
        self._drop()

    def close(self) -> None:
        """Say `offline` and part from the broker."""
        if self._client is not None and not self._lost.is_set():
            with contextlib.suppress(ValueError, RuntimeError):
                self._publish("status", "offline", retain=True).wait_for_publish(0.5)
        self._drop()

    def _publish(self, topic: str, text: str, retain: bool) -> Any:
        return self._client.publish(f"{self.topic}/{topic}", text.encode(), qos=1, retain=retain)

    def _client_id(self, quietly: bool) -> str:
        """Return what the broker knows the connection by.

        It parts from whoever had the name before. So it is this output's alone, and the same after a power
        cut: the will of the connection that was cut is then read out before and not after the next `online`.
        """
        own = secrets.token_hex(8) if quietly else f"{_machine()} {self.topic}"
        return f"edgedigits-{self._device}-{hashlib.sha256(own.encode()).hexdigest()[:8]}"

    def _connect(self, quietly: bool = False) -> None:
        if self._client is not None and not self._lost.is_set():
            return
        self._drop()
        self._ready, self._lost, self._reason = threading.Event(), threading.Event(), ""
        paho = self._paho
        # A connection of its own each time: what an old one still had to send is in the journal.
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=self._client_id(quietly))
        ready, lost = self._ready, self._lost

        def connected(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            if reason.is_failure:
                self._reason = f"refused: {reason}"
                lost.set()
            ready.set()

        def disconnected(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            self._reason = self._reason or f"connection lost: {reason}"
            lost.set()
            ready.set()

        client.on_connect, client.on_disconnect = connected, disconnected
        client.connect_timeout = self._settings.timeout
        if self._context is not None:
            client.tls_set_context(self._context)
        if self._user:
            client.username_pw_set(self._user, self._password or None)
        if not quietly:
            client.will_set(f"{self.topic}/status", b"offline", qos=1, retain=True)
        self._client = client
        try:
            client.connect(self._host, self._port, keepalive=30)
        except (OSError, ValueError) as error:
            self._drop()
            raise self._away(_reason(error)) from error
        client.loop_start()
        if not ready.wait(self._settings.timeout) or lost.is_set():
            reason = self._reason or f"no answer within {self._settings.timeout:g} s"
            self._drop()
            raise self._away(reason)
        if quietly:
            return
        self._publish("status", "online", retain=True)
        if self._discovery:
            self._discover()

    def _discover(self) -> None:
        """Tell Home Assistant of a sensor that shows the last text, and has the event as its attributes."""
        unique = f"edgedigits_{self._device}"
        values = {
            "name": "Last reading",
            "unique_id": f"{unique}_text",
            "state_topic": f"{self.topic}/event",
            "value_template": "{{ (value_json.text | default(''))[:255] }}",
            "json_attributes_topic": f"{self.topic}/event",
            "availability_topic": f"{self.topic}/status",
            "icon": "mdi:numeric",
            "device": {
                "identifiers": [unique],
                "name": self._device,
                "manufacturer": "edgedigits",
                "sw_version": __version__,
            },
        }
        topic = f"{self._discovery}/sensor/{unique}/text/config"
        self._client.publish(topic, json.dumps(values).encode(), qos=1, retain=True)

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.on_disconnect = None
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                client.disconnect()
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                client.loop_stop()

    def _away(self, reason: str, taken: int = 0) -> DeliveryError:
        return DeliveryError(
            f"{self.name}: the broker can't be reached ({reason}); check it and the network", taken
        )


def _machine() -> str:
    """Return what tells this machine from others; empty where the system has no such name."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path("/etc/machine-id").read_text().strip()
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name) or "device"


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
