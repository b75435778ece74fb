"""The virtual camera: the same seed, the same world; odd and even seeds share nothing."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest

from edgedigits.errors import SourceError
from edgedigits.frames.capture import CaptureSettings
from edgedigits.frames.demo import RATE, DemoCamera, World, digits


def test_everything_follows_from_the_seed() -> None:
    one, other = World(3), World(3)
    other.frame(200)
    assert np.array_equal(one.frame(75), other.frame(75))
    assert one.sheet(5) == other.sheet(5)
    assert not np.array_equal(one.frame(75), World(5).frame(75))


def test_sheets_come_one_after_another() -> None:
    world = World(0)
    sheets = [world.sheet(k) for k in range(50)]
    for before, after in itertools.pairwise(sheets):
        assert before.comes < before.lies < before.leaves < before.gone < after.comes
    assert len({sheet.text for sheet in sheets}) == 50
    assert all(len(line) == 5 for sheet in sheets for line in sheet.lines)


def test_a_frame_shows_what_is_said() -> None:
    world = World(1)
    sheet = world.sheet(0)
    empty = world.frame(int((sheet.comes - 0.1) * RATE)).astype(float)
    lying = world.frame(int((sheet.lies + 0.2) * RATE)).astype(float)
    assert lying.shape == (480, 640, 3)
    assert (lying - empty)[200:280, 250:390].mean() > 20  # paper is brighter than the desk
    still = world.frame(int((sheet.lies + 0.2) * RATE) + 1).astype(float)
    assert np.abs(still - lying).mean() < 3


def test_the_brightest_light_is_no_shadow() -> None:
    """In the lamp's own corner the picture is bright, too."""
    world = World(2)
    frames = [world.frame(int(RATE * second)) for second in range(0, 80, 8)]
    corners = [frame[y, x] for frame in frames for y in (0, -1) for x in (0, -1)]
    assert np.min(np.max(corners, axis=1)) > 50


def test_the_digits_are_those_that_come_along() -> None:
    every = digits()
    assert every.shape[0] == 10
    assert every.shape[1] >= 20
    assert (every.reshape(-1, 784).max(axis=1) > 200).all()
    half = every.shape[1] // 2
    first, second = every[:, :half].reshape(-1, 784), every[:, half:].reshape(-1, 784)
    assert not {row.tobytes() for row in first} & {row.tobytes() for row in second}


def test_it_keeps_time_and_stops() -> None:
    stop = threading.Event()
    started = time.monotonic()
    frames = []
    for frame in DemoCamera("demo:", "", 0.0, stop):
        frames.append(frame)
        if len(frames) == 10:
            stop.set()
    assert time.monotonic() - started >= 9 / RATE - 0.02
    numbers = [frame.page for frame in frames]
    assert numbers == sorted(set(numbers))
    assert [frame.at for frame in frames] == [number / RATE for number in numbers]


def test_in_a_hurry_every_frame_counts() -> None:
    stop = threading.Event()
    frames = []
    for frame in DemoCamera("demo:4", "4", 0.0, stop, CaptureSettings(rate=1000)):
        frames.append(frame.page)
        if len(frames) == 30:
            stop.set()
    assert frames == list(range(30))


def test_no_seed() -> None:
    with pytest.raises(SourceError, match="no seed"):
        DemoCamera("demo:x", "x", 0.0, threading.Event())
