"""The loop of an unattended device, what it is made of, and what keeps an eye on it."""

from edgedigits.live.loop import (
    HealthSettings,
    Live,
    body_of,
    watch,
)

__all__ = [
    "HealthSettings",
    "Live",
    "body_of",
    "watch",
]
