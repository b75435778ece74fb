"""Prometheus metrics: the text exposition format, version 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from edgedigits.live.hub import Hub

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Requests:
    """Requests answered, by method and status; and the watchers of the moment."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, int]] = Counter()
        self.viewers = 0
        self.read_seconds: Counter[str] = Counter()
        self.readings: Counter[str] = Counter()

    def count(self, method: str, status: int) -> None:
        """Count an answer. Methods that nobody knows count as one, or a client could fill the table."""
        self.answered[(method if method in _METHODS else "other", status)] += 1

    def count_reading(self, kind: str, seconds: float) -> None:
        """Count a reading on request, of a `picture`, of `strokes` or of a `form`."""
        self.readings[kind] += 1
        self.read_seconds[kind] += seconds  # type: ignore[assignment]


def exposition(hub: Hub, requests: Requests) -> str:
    """Return all metrics as text."""
    health, counters, snapshot = hub.health(), hub.counters(), hub.latest()
    lines: list[str] = []

    def add(
        name: str, kind: str, text: str, samples: Iterable[tuple[Mapping[str, object], float | None]]
    ) -> None:
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            lines.append(f"# HELP edgedigits_{name} {text}")
            lines.append(f"# TYPE edgedigits_{name} {kind}")
            lines.extend(f"edgedigits_{name}{_labels(labels)} {value:.10g}" for labels, value in known)

    add("up", "gauge", "Whether frames come and events can be kept.", [({}, health.ok)])
    add("silence_seconds", "gauge", "Time since the last frame.", [({}, health.silence)])
    add("uptime_seconds", "gauge", "Time since the start.", [({}, counters.seconds)])
    add("frames_total", "counter", "Frames that came from the source.", [({}, counters.frames)])
    add("frames_dropped_total", "counter", "Frames that gave way to newer ones.", [({}, counters.dropped)])
    add("frames_frozen_total", "counter", "Frames that came again unchanged.", [({}, counters.frozen)])
    add("frames_read_total", "counter", "Frames that went through the reader.", [({}, counters.read)])
    add("reconnects_total", "counter", "Times the source came back.", [({}, counters.reconnects)])
    add("events_total", "counter", "Sheets that were read.", [({}, counters.events)])
    add("events_accepted_total", "counter", "Of these, read with confidence.", [({}, counters.accepted)])
    add("temperature_celsius", "gauge", "The processor's temperature.", [({}, counters.temperature)])
    add("throttled", "gauge", "Whether the processor is slowed down.", [({}, counters.throttled)])
    if snapshot is not None:
        stages = [({"stage": name}, value / 1000) for name, value in snapshot.timings.items()]
        add("stage_seconds", "gauge", "What each stage took of the newest frame.", stages)
    outputs = [({"output": name}, output) for name, output in health.outputs.items()]
    add("output_up", "gauge", "Whether an output takes events.", [(o, v.ok) for o, v in outputs])
    add("output_waiting", "gauge", "Events not yet delivered.", [(o, v.waiting) for o, v in outputs])
    add("output_delivered_total", "counter", "Events delivered.", [(o, v.delivered) for o, v in outputs])
    add("output_dropped_total", "counter", "Events given up.", [(o, v.dropped) for o, v in outputs])
    add("output_refused_total", "counter", "Events an output refused.", [(o, v.refused) for o, v in outputs])
    add("web_viewers", "gauge", "Who is watching.", [({}, requests.viewers)])
    answered = sorted(requests.answered.items())
    counts = [({"method": method, "status": status}, count) for (method, status), count in answered]
    add("web_requests_total", "counter", "Requests answered.", counts)
    kinds = sorted(requests.readings)
    add(
        "web_readings_total",
        "counter",
        "Read on request.",
        [({"kind": k}, requests.readings[k]) for k in kinds],
    )
    seconds = [({"kind": k}, requests.read_seconds[k]) for k in kinds]
    add("web_reading_seconds_total", "counter", "Time spent on that.", seconds)
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
