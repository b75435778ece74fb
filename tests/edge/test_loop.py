"""The live loop by itself: which picture is a sheet's, what an end or a fault in the middle costs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.edge.sheets import page

from edgedigits.decode import RejectRule
from edgedigits.errors import SourceError
from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.frames.capture import CaptureStatus
from edgedigits.journal import Journal
from edgedigits.live import HealthSettings, Live
from edgedigits.live.hub import OutputHealth
from edgedigits.live.motion import MotionSettings
from edgedigits.page import Page
from edgedigits.track import Tracker


class Film:
    """Grey frames, 30 a second, as bright as is said; then an error, if there is one."""

    def __init__(self, *levels: int, error: SourceError | None = None, stills: bool = False) -> None:
        self.status = CaptureStatus(state="reading", heard=0.0)
        self.stills = stills
        self._levels, self._error = levels, error

    def __iter__(self) -> Iterator[Frame]:
        for number, level in enumerate(self._levels):
            yield Frame(np.full((48, 64), level, np.uint8), "film", number, (64, 48), number / 30)
        if self._error is not None:
            raise self._error

    def close(self) -> bool:
        return True


class ByLevel:
    """A reader that sees a doubtful number at level 100, a sure one at 200 and nothing at 0."""

    rule = RejectRule(0.5, 0.5)

    def read(self, image: np.ndarray, size: tuple[int, int]) -> Page:
        level = int(image[0, 0])
        if level == 13:
            raise ZeroDivisionError("this one is bad luck")
        return {0: page(), 100: page("12?"), 200: page("345")}[level]


class Kept:
    def __init__(self) -> None:
        self.levels: list[int] = []

    def keep(self, image: np.ndarray, event: Event) -> None:
        self.levels.append(int(image[0, 0]))


def live_of(film: Film, told: list[str], **settings: Any) -> Live:
    reader: Any = ByLevel()
    return Live(
        film,
        reader,
        Tracker(reader.rule),
        Journal(),
        name="film",
        on_event=lambda event: told.append(str(event.body["text"])),
        **{"motion": MotionSettings(enabled=False), **settings},
    )


@pytest.mark.parametrize("after", [[0] * 60, [200] * 60, []])
def test_the_picture_of_a_doubtful_sheet_is_one_that_shows_it(after: list[int]) -> None:
    """It is reported when it has left, and another sheet may lie there then."""
    told: list[str] = []
    kept = Kept()
    live_of(Film(*[100] * 30, *[0] * 20, *after), told, pictures=kept).run()
    assert told[0] == "12?"
    assert kept.levels == [100]


def test_what_was_accepted_is_counted() -> None:
    live = live_of(Film(0, 100, 200, 200, stills=True), [])
    live.run()
    counters = live.counters()
    assert (counters.frames, counters.read, counters.events, counters.accepted) == (4, 4, 3, 2)


def test_a_doubtful_sheet_is_reported_though_the_source_fails() -> None:
    told: list[str] = []
    with pytest.raises(SourceError, match="cut off"):
        live_of(Film(*[100] * 30, error=SourceError("it was cut off")), told).run()
    assert told == ["12?"]


def test_a_fault_in_one_frame_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    live = live_of(Film(200, 13, 13, 200, stills=True), told)
    with caplog.at_level(logging.ERROR):
        assert live.run() == 4
    assert told == ["345", "345"]
    assert caplog.text.count("a fault of edgedigits") == 2
    assert "film page 2" in caplog.text
    # A camera gives thirty frames a second: it is said once.
    caplog.clear()
    live = live_of(Film(*[13] * 60), told)
    with caplog.at_level(logging.ERROR):
        live.run()
    assert caplog.text.count("a fault of edgedigits") == 1
    assert not live.health().ok
    assert "bad luck" in live.health().message
    # Until a frame can be read again.
    live = live_of(Film(13, 200), told)
    live.run()
    assert live.health().message == ""


def test_a_still_scene_is_read_again_after_so_long_and_not_before() -> None:
    read: list[float] = []
    motion = MotionSettings(refresh_seconds=2.0)
    live_of(Film(*[200] * 300), [], motion=motion, on_frame=lambda frame, page: read.append(frame.at)).run()
    assert len(read) < 100
    assert read[-1] - read[-2] == pytest.approx(2.0)
    assert read[-2] - read[-3] == pytest.approx(2.0)


def test_an_event_is_told_of_before_the_next_scan_is_waited_for() -> None:
    told: list[str] = []
    after: list[int] = []

    class Counted(Film):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                yield frame
                after.append(len(told))

    live_of(Counted(200, 200, 200, stills=True), told).run()
    assert after == [1, 2, 3]


@pytest.mark.parametrize(
    ("silence", "passed", "ok", "message"),
    [
        (0.0, 9.0, True, ""),
        (0.0, 11.0, False, "the reader is stuck for 11 s"),
        (5.0, 11.0, True, ""),  # nothing comes, so there is nothing to read
        (11.0, 11.0, False, ""),
        (None, 0.0, False, ""),  # nothing has come yet
    ],
)
def test_health_tells_a_reader_that_is_stuck_from_a_camera_that_is_silent(
    silence: float | None, passed: float, ok: bool, message: str
) -> None:
    now = 0.0
    film = Film(200)
    limits = HealthSettings(silence_seconds=10, stuck_seconds=10)
    live = live_of(film, [], health=limits, clock=lambda: now)
    film.status.heard = None if silence is None else time.monotonic() - silence
    now = passed
    health = live.health()
    assert (health.ok, health.message) == (ok, message)
    assert (health.silence is None) == (silence is None)


def test_outputs_are_started_and_stopped_with_the_loop() -> None:
    calls: list[str] = []

    class Output:
        name = "output"

        def start(self) -> None:
            calls.append("start")

        def drain(self, seconds: float) -> None:
            calls.append("drain")

        def stop(self, seconds: float) -> None:
            calls.append("stop")

        def health(self) -> OutputHealth:
            return OutputHealth(True, "", 0, 0, 0, 0)

    with pytest.raises(SourceError):
        live_of(Film(200, error=SourceError("it was cut off")), [], deliveries=[Output()]).run()
    assert calls == ["start", "drain", "stop"]
