"""Pictures of doubtful readings: so many are kept, and nothing else in their folder is touched."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from edgedigits.event import Event
from edgedigits.journal import Journal
from edgedigits.live.pictures import KeptPictures, PictureSettings

PICTURE = np.full((8, 12), 200, np.uint8)


def doubtful(journal: Journal) -> Event:
    return journal.append("cam", {"text": "1?"})[-1]


def test_the_oldest_pictures_go(tmp_path: Path) -> None:
    journal = Journal()
    kept = KeptPictures(PictureSettings(str(tmp_path), most=2))
    events = [doubtful(journal) for _ in range(4)]
    for event in events:
        kept.keep(PICTURE, event)
    names = {f"{event.id}{suffix}" for event in events[2:] for suffix in (".png", ".json")}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_the_newest_stay_when_the_clock_is_set_back(tmp_path: Path) -> None:
    kept = KeptPictures(PictureSettings(str(tmp_path), most=2))
    earlier, journal = doubtful(Journal()), Journal()
    events = [earlier, *(doubtful(journal) for _ in range(3))]
    for age, event in enumerate(events):
        kept.keep(PICTURE, event)
        for suffix in (".png", ".json"):
            os.utime(tmp_path / f"{event.id}{suffix}", (2e9 - 3600 * age,) * 2)
    assert {path.stem for path in tmp_path.iterdir()} == {event.id for event in events[2:]}


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    journal = Journal()
    event = doubtful(journal)
    others = [
        "IMG-0001.png",
        "holiday-2023.png",
        "holiday-2023.json",
        "abc-1.png",
        "0123456789ABCDEF-1.png",
        f"x{event.id}.png",
        f"{event.id}-2.png",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    kept = KeptPictures(PictureSettings(str(tmp_path), most=1, days=1.0), clock=lambda: 4e9)
    kept.keep(PICTURE, event)
    assert {path.name for path in tmp_path.iterdir()} == set(others)  # its own is too old for that clock
