"""A board that is slowed down by heat is read at a lower rate, and says so."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import edgedigits.live.loop
from edgedigits.board import Thermal
from edgedigits.frames import Frame
from edgedigits.frames.capture import CaptureStatus
from edgedigits.journal import Journal
from edgedigits.live import HealthSettings, Live
from edgedigits.live.hub import Health
from edgedigits.reader import Reader
from edgedigits.track import Tracker


class Endless:
    """Frames as fast as they are taken, until `stop` is set."""

    stills = False

    def __init__(self) -> None:
        self.status = CaptureStatus(state="reading", heard=0.0)
        self.stop = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        for number in itertools.takewhile(lambda _: not self.stop.is_set(), itertools.count()):
            yield Frame(np.full((48, 64), 200, np.uint8), "endless", number, (64, 48), number / 30)

    def close(self) -> bool:
        return True


@pytest.mark.parametrize("limits", [("throttled",), (), None])
def test_fewer_frames_are_read(
    limits: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(edgedigits.live.loop, "thermal", lambda: Thermal(83.0, limits))
    source, reader, journal = Endless(), Reader(), Journal()
    said: list[Health] = []

    taken: list[float] = []

    def beat(health: Health) -> None:
        said.append(health)
        if len(said) > 1 and len(taken) > 2:
            source.stop.set()

    live = Live(
        source,
        reader,
        Tracker(reader.rule),
        journal,
        name="endless",
        health=HealthSettings(silence_seconds=3600, cooling_seconds=0.25),
        beat=beat,
    )
    source.status.heard = edgedigits.live.loop.time.monotonic()
    take = live._take

    def count(frame: Frame, waiting: float) -> None:
        if said:  # the board is looked at before the first beat
            taken.append(time.monotonic())
        take(frame, waiting)

    monkeypatch.setattr(live, "_take", count)
    live.run()
    journal.close()
    pauses = [after - before for before, after in itertools.pairwise(taken)]
    if limits:
        assert min(pauses) >= 0.25
        assert "throttled" in said[-1].message
        assert said[-1].ok  # slower is not ill
        assert caplog.text.count("slowed down") == 1
    else:
        assert min(pauses) < 0.25
        assert said[-1].message == ""
    assert live.counters().throttled == (None if limits is None else bool(limits))
