"""Events to a web address: one POST each, as JSON, until it is accepted."""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.parse
from collections.abc import Sequence

from edgedigits import __version__
from edgedigits.event import Event
from edgedigits.frames.capture import without_password
from edgedigits.outputs.credentials import secret
from edgedigits.outputs.settings import OutputSettings
from edgedigits.outputs.sinks import DeliveryError
from edgedigits.settings import SettingsError

TOKEN_VARIABLE = "EDGEDIGITS_WEBHOOK_TOKEN"

REFUSALS = frozenset({400, 413, 415, 422})
"""Answers that tell of the event itself; any other failure may pass, or is the settings' fault."""

_IN_ADDRESSES = "/?%:@!$&'()*+,;=~"


class Webhook:
    """A web address as an output. The event's id is sent as `Idempotency-Key`, a token as `Bearer`.

    Without a token the user and password of the address are sent, if it has them (basic authentication).
    Redirects are not followed: they would have to be typed anyway. Raises `SettingsError` for an address
    or a file that can't be used.
    """

    most = 20

    def __init__(self, settings: OutputSettings) -> None:
        shown = without_password(settings.to)
        try:
            address = urllib.parse.urlsplit(settings.to)
            port = address.port
        except ValueError as error:
            raise SettingsError(f"output '{shown}': {error}; give http[s]://HOST[:PORT]/…") from error
        if not address.hostname:
            raise SettingsError(f"output '{shown}': no host in it; give http[s]://HOST[:PORT]/…")
        self._tls = address.scheme.lower() == "https"
        self._host, self._port = address.hostname, port or (443 if self._tls else 80)
        # What an address must not have in it as it is, such as a blank, is escaped.
        self._path = urllib.parse.quote(
            (address.path or "/") + (f"?{address.query}" if address.query else ""), _IN_ADDRESSES
        )
        # What stands behind a question mark is a secret more often than not.
        self.name = f"{address.scheme.lower()}://{self._host}:{self._port}{address.path or '/'}"
        self._timeout = settings.timeout
        token = secret(settings.password_file, TOKEN_VARIABLE)
        if not (token.isascii() and (token.isprintable() or not token)):
            where = settings.password_file or TOKEN_VARIABLE
            raise SettingsError(
                f"{where}: a token is one line of ASCII characters; write it alone into the file"
            )
        self._authorization = f"Bearer {token}" if token else _basic(address)
        self._context = None
        if self._tls:
            try:
                self._context = ssl.create_default_context(cafile=settings.ca_file or None)
                if settings.cert_file:
                    self._context.load_cert_chain(settings.cert_file, settings.key_file or None)
            except (OSError, ssl.SSLError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise SettingsError(
                    f"{self.name}: the certificates can't be used ({reason}); check ca_file and cert_file"
                ) from error
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, events: Sequence[Event]) -> None:
        """Post them, oldest first."""
        for taken, event in enumerate(events):
            try:
                status = self._post(event)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                if isinstance(error, ssl.SSLCertVerificationError):
                    reason = f"its certificate is not trusted: {error.verify_message}"
                raise DeliveryError(
                    f"{self.name}: can't be reached ({reason}); check it and the network", taken
                ) from error
            if not 200 <= status < 300:
                refused = status in REFUSALS
                remedy = "see what it wants" if refused else "check the address and the token"
                raise DeliveryError(f"{self.name}: answers {status}; {remedy}", taken, refused)

    def _post(self, event: Event) -> int:
        if self._connection is None:
            if self._tls:
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._timeout, context=self._context
                )
            else:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"edgedigits/{__version__}",
            "Idempotency-Key": event.id,
        }
        if self._authorization:
            headers["Authorization"] = self._authorization
        self._connection.request("POST", self._path, event.as_json().encode(), headers)
        answer = self._connection.getresponse()
        answer.read(1 << 20)
        if not answer.isclosed():
            self.close()  # what is left of so long an answer is not the next one's
        return answer.status

    def idle(self) -> None:
        """Nothing: a connection that is not needed is the other end's to close."""

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _basic(address: urllib.parse.SplitResult) -> str:
    if address.username is None:
        return ""
    user, password = (urllib.parse.unquote(part or "") for part in (address.username, address.password))
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
