"""What a configuration says of an output for events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutputSettings:
    """An output for events; of what is not said the kind's own default holds."""

    to: str = ""
    """Where to: FILE.jsonl, FILE.csv, mqtt[s]://[USER@]HOST[:PORT]/TOPIC, http[s]://… (webhook)."""
    user: str = ""
    """User at the broker; also as user@ in the address."""
    password_file: str = ""
    """File with the broker's password or the webhook's token; else EDGEDIGITS_MQTT_PASSWORD or
    EDGEDIGITS_WEBHOOK_TOKEN in the environment."""
    ca_file: str = ""
    """File with the certificates that are trusted; empty: those of the system."""
    cert_file: str = ""
    """File with this device's own certificate, where the broker asks for one."""
    key_file: str = ""
    """File with the key of that certificate."""
    discovery: str = ""
    """Prefix of Home Assistant's discovery topics, usually "homeassistant"; empty: no discovery."""
    device: str = ""
    """Name of this device in topics and in Home Assistant; empty: the host's."""
    timeout: float = 5.0
    """How long the other end may take to answer. Seconds, 0.1…300."""
