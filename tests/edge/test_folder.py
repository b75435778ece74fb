"""A watched folder: each file is read once, over restarts, power cuts and shares that go away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.edge.drawing import paper, write

from edgedigits.config import GeneralSettings, LiveConfig
from edgedigits.errors import SourceAwayError
from edgedigits.event import Event
from edgedigits.folder import WatchedFolder
from edgedigits.journal import Journal, JournalSettings
from edgedigits.reader import Reader
from edgedigits.station import open_station


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedFolder, "look_seconds", 0.03)


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def scan(path: Path, *texts: str) -> None:
    """Write a scan, with a page for each text; an empty one has nothing on it."""
    sheets = [write(paper(240, 480), text, (60, 140), size=2, thickness=4) for text in texts]
    pages = [Image.fromarray(sheet[..., ::-1]) for sheet in sheets]
    pages[0].save(path, save_all=True, append_images=pages[1:]) if len(pages) > 1 else pages[0].save(path)


def pages_of(
    folder: Path, journal: Path, reader: Reader, most: int, seconds: float = 20.0
) -> list[tuple[str, object]]:
    """Watch until there were so many events, or for so long; returns their files and pages."""
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    found: list[tuple[str, object]] = []

    def take(event: Event) -> None:
        found.append((Path(event.source).name, event.body["page"]))
        if len(found) == most:
            stop.set()

    config = LiveConfig(
        general=GeneralSettings(source=f"watch:{folder}"),
        tables={"journal": JournalSettings(path=str(journal))},
    )
    with open_station(config, stop=stop, reader=reader, on_event=take) as live:
        live.run()
    return found


def test_what_was_read_is_not_read_again(tmp_path: Path, reader: Reader) -> None:
    folder, journal = tmp_path / "scans", tmp_path / "j.sqlite"
    folder.mkdir()
    scan(folder / "a.png", "123")
    scan(folder / "blank.png", "")
    assert pages_of(folder, journal, reader, 1, 20) == [("a.png", 0)]
    scan(folder / "b.png", "45")
    assert pages_of(folder, journal, reader, 2, 1.5) == [("b.png", 0)]
    # The same name is another scan once its content has changed.
    scan(folder / "a.png", "6789")
    assert pages_of(folder, journal, reader, 2, 1.5) == [("a.png", 0)]


def test_a_scan_of_which_half_was_read(tmp_path: Path, reader: Reader) -> None:
    folder, journal = tmp_path / "scans", tmp_path / "j.sqlite"
    folder.mkdir()
    scan(folder / "a.tif", "12", "34", "56", "78")
    assert pages_of(folder, journal, reader, 2) == [("a.tif", 0), ("a.tif", 1)]
    assert pages_of(folder, journal, reader, 3, 1.5) == [("a.tif", 2), ("a.tif", 3)]
    assert pages_of(folder, journal, reader, 1, 0.5) == []


def test_the_event_and_its_page_are_written_together(tmp_path: Path) -> None:
    path, stamp = tmp_path / "a.tif", (1, 2)
    journal = Journal(tmp_path / "j.sqlite")
    journal.append("a.tif", {"text": "1"}, (path, stamp, 1))
    journal._database.close()  # as a power cut does it: nothing is tidied up
    journal._unlock()
    journal = Journal(tmp_path / "j.sqlite")
    assert (len(journal), journal.pages_read(path, stamp)) == (1, 1)
    assert journal.pages_read(path, (1, 3)) == 0
    journal.file_read(path, stamp)
    assert journal.pages_read(path, stamp) is None
    journal.close()


def test_a_folder_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    scan(folder / "a.png", "1")
    stop = threading.Event()
    source = WatchedFolder(f"watch:{folder}", str(folder), 0.0, stop)
    names: list[str] = []

    def watch() -> None:
        for frame in source:
            names.append(Path(frame.source).name)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        until(lambda: names == ["a.png"])
        folder.rename(tmp_path / "away")
        until(lambda: source.status.state == "reconnecting")
        assert "no such folder" in source.status.message
        scan(tmp_path / "away" / "b.png", "2")
        (tmp_path / "away").rename(folder)
        until(lambda: len(names) > 1)
        time.sleep(0.2)
        assert (names, source.status.state, source.status.message) == (["a.png", "b.png"], "reading", "")
    finally:
        stop.set()
        thread.join()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceAwayError, match="no such folder"):
        WatchedFolder("watch:x", str(tmp_path / "x"), 0.0, threading.Event())


def until(what: Callable[[], object]) -> None:
    limit = time.monotonic() + 15
    while not what():
        assert time.monotonic() < limit
        time.sleep(0.01)
