"""A watched folder: each file is read once, over restarts, power cuts and shares that go away."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from PIL import Image
from tests.edge.drawing import paper, write

import edgedigits.frames.stills
from edgedigits.errors import SourceAwayError
from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.frames.folder import WatchedFolder
from edgedigits.journal import Journal, JournalSettings, opened
from edgedigits.live.config import GeneralSettings, LiveConfig
from edgedigits.live.station import open_station
from edgedigits.reader import Reader


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedFolder, "look_seconds", 0.03)


@contextlib.contextmanager
def looks(most: int = 8) -> Iterator[threading.Event]:
    """Gives an event that stops a watched folder after so many looks: what is there comes with the second."""
    stop = threading.Event()
    ready, done = WatchedFolder._ready, itertools.count(1)

    def look(source: WatchedFolder) -> list[Path]:
        if next(done) == most:
            stop.set()
        return ready(source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WatchedFolder, "_ready", look)
        yield stop


def scan(path: Path, *texts: str) -> None:
    """Write a scan, with a page for each text; an empty one has nothing on it."""
    sheets = [write(paper(240, 480), text, (60, 140), size=2, thickness=4) for text in texts]
    pages = [Image.fromarray(sheet[..., ::-1]) for sheet in sheets]
    pages[0].save(path, save_all=True, append_images=pages[1:]) if len(pages) > 1 else pages[0].save(path)


def pages_of(folder: Path, journal: Path, reader: Reader, most: int) -> list[tuple[str, object]]:
    """Watch until there were so many events, or no more come; returns their files and pages."""
    found: list[tuple[str, object]] = []

    def take(event: Event) -> None:
        found.append((Path(event.source).name, event.body["page"]))
        if len(found) == most:
            stop.set()

    config = LiveConfig(
        general=GeneralSettings(source=f"watch:{folder}"),
        tables={"journal": JournalSettings(path=str(journal))},
    )
    with looks() as stop, open_station(config, stop=stop, reader=reader, on_event=take) as live:
        live.run()
    return found


def test_what_was_read_is_not_read_again(tmp_path: Path, reader: Reader) -> None:
    folder, journal = tmp_path / "scans", tmp_path / "j.sqlite"
    folder.mkdir()
    scan(folder / "a.png", "123")
    scan(folder / "blank.png", "")
    assert pages_of(folder, journal, reader, 1) == [("a.png", 0)]
    scan(folder / "b.png", "45")
    assert pages_of(folder, journal, reader, 2) == [("b.png", 0)]
    # The same name is another scan once its content has changed.
    scan(folder / "a.png", "6789")
    assert pages_of(folder, journal, reader, 2) == [("a.png", 0)]


def test_a_name_that_is_not_text_is_read_once_like_any_other(tmp_path: Path, reader: Reader) -> None:
    folder, journal = tmp_path / "scans", tmp_path / "j.sqlite"
    folder.mkdir()
    scan(folder / os.fsdecode(b"a\xff.png"), "123")
    scan(folder / "b.png", "45")
    with opened(journal) as kept:
        kept.append("earlier", {"text": "6"})
    assert pages_of(folder, journal, reader, 2) == [("a\\udcff.png", 0), ("b.png", 0)]
    assert pages_of(folder, journal, reader, 1) == []
    with opened(journal) as kept:
        assert [event.sequence for event in kept.recent()] == [3, 2, 1]
        assert [event.as_json().encode() for event in kept.recent()]


def test_a_file_that_changes_while_others_are_read_comes_once(tmp_path: Path) -> None:
    scan(tmp_path / "a.png", "1")
    scan(tmp_path / "b.png", "2")
    came = []
    with looks() as stop:
        for frame in WatchedFolder(f"watch:{tmp_path}", str(tmp_path), 0.0, stop):
            came.append(Path(frame.source).name)
            if len(came) == 1:
                scan(tmp_path / "b.png", "345")
    assert came == ["a.png", "b.png"]


DEADLY = """
import itertools, os, sys, threading
from edgedigits.frames.folder import WatchedFolder
from edgedigits.journal import opened
folder, journal = sys.argv[1:]
stop, looks = threading.Event(), itertools.count(1)
class Watched(WatchedFolder):
    look_seconds = 0.03
    def _ready(self):
        if next(looks) == 8:
            stop.set()
        return super()._ready()
with opened(journal) as kept:
    for frame in Watched("watch:" + folder, folder, 0.0, stop, memory=kept):
        if frame.source.endswith("a.png"):
            os._exit(3)  # as a decoder, or a watchdog, ends a program
        print(os.path.basename(frame.source), flush=True)
"""


def test_a_file_that_ends_the_program_each_time_does_not_keep_the_others_from_being_read(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    scan(folder / "a.png", "1")
    scan(folder / "b.png", "2")
    command = [sys.executable, "-c", DEADLY, str(folder), str(tmp_path / "j.sqlite")]
    done = [
        subprocess.run(command, capture_output=True, text=True, timeout=120, check=False) for _ in range(5)
    ]
    assert [(one.returncode, one.stdout) for one in done] == [(3, "")] * 3 + [(0, "b.png\n"), (0, "")]
    assert done[3].stderr.count("a.png: edgedigits ended 3 times while it read this file") == 1


def test_a_file_in_which_the_program_was_told_to_end_is_read_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    scan(tmp_path / "scans" / "a.png", "1")
    journal = Journal(tmp_path / "j.sqlite")
    came = 0
    for _ in range(5):
        with looks() as stop:
            for _ in WatchedFolder("watch:x", str(tmp_path / "scans"), 0.0, stop, memory=journal):
                came += 1
                break
    assert came == 5
    journal.close()


def test_a_blank_scan_is_remembered_before_the_first_event(tmp_path: Path, reader: Reader) -> None:
    folder, journal = tmp_path / "scans", tmp_path / "j.sqlite"
    folder.mkdir()
    scan(folder / "blank.png", "")
    assert pages_of(folder, journal, reader, 1) == []
    with opened(journal) as kept:
        stat = (folder / "blank.png").stat()
        assert kept.pages_read(folder / "blank.png", (stat.st_mtime_ns, stat.st_size)) is None


def test_a_scan_of_which_half_was_read(tmp_path: Path, reader: Reader) -> None:
    folder, journal = tmp_path / "scans", tmp_path / "j.sqlite"
    folder.mkdir()
    scan(folder / "a.tif", "12", "34", "56", "78")
    assert pages_of(folder, journal, reader, 2) == [("a.tif", 0), ("a.tif", 1)]
    assert pages_of(folder, journal, reader, 3) == [("a.tif", 2), ("a.tif", 3)]
    assert pages_of(folder, journal, reader, 1) == []


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


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    source = WatchedFolder(f"watch:{tmp_path}", str(tmp_path), 0.0, threading.Event())
    assert source.status.heard is None
    assert source._ready() == []
    assert source.status.heard is not None  # that nothing comes is no silence
    for size in (10, 20):
        (tmp_path / "a.png").write_bytes(b"x" * size)
        assert source._ready() == []
    assert source._ready() == [tmp_path / "a.png"]


def test_nothing_is_said_of_a_file_that_went_while_others_were_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = WatchedFolder(f"watch:{tmp_path}", str(tmp_path), 0.0, threading.Event())
    monkeypatch.setattr(source, "_list", lambda: [tmp_path / "gone.png"])
    assert source._ready() == []
    assert not caplog.text


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceAwayError, match="no such folder"):
        WatchedFolder("watch:x", str(tmp_path / "x"), 0.0, threading.Event())


@contextlib.contextmanager
def watching(
    folder: Path, memory: Journal | None = None
) -> Iterator[tuple[list[tuple[str, int]], WatchedFolder]]:
    """Watch a folder in a thread; gives the names and pages of what comes, and the source."""
    stop = threading.Event()
    source = WatchedFolder(f"watch:{folder}", str(folder), 0.0, stop, memory=memory)
    came: list[tuple[str, int]] = []
    thread = threading.Thread(target=lambda: came.extend(_named(frame) for frame in source))
    thread.start()
    try:
        yield came, source
    finally:
        stop.set()
        thread.join()


def _named(frame: Frame) -> tuple[str, int]:
    return Path(frame.source).name, frame.page


class Locked:
    """Has the system refuse to open files of some names, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **times: float) -> None:
        self.times = times
        opened = edgedigits.frames.stills._open_regular

        def open_regular(path: Path) -> IO[bytes]:
            if self.times.get(path.stem, 0) > 0:
                self.times[path.stem] -= 1
                raise PermissionError(errno.EACCES, "Permission denied")
            return opened(path)

        monkeypatch.setattr(edgedigits.frames.stills, "_open_regular", open_regular)


def test_a_link_to_nothing_costs_the_others_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    scan(tmp_path / "a.png", "1")
    with watching(tmp_path) as (came, _):
        until(lambda: came)
        scan(tmp_path / "b.png", "2")
        until(lambda: len(came) > 1)
        assert caplog.text.count("gone.png: passed over (a link to nothing)") == 1
        (tmp_path / "a.png").rename(tmp_path / "nothing")
        until(lambda: len(came) > 2)
    assert came == [("a.png", 0), ("b.png", 0), ("gone.png", 0)]


def test_a_file_that_cant_be_looked_at_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scan(tmp_path / "a.png", "1")
    scan(tmp_path / "b.png", "2")
    looked_at = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        if path.name == "a.png":
            raise OSError(errno.ESTALE, "Stale file handle")
        return looked_at(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    with watching(tmp_path) as (came, _):
        until(lambda: came)
    assert came == [("b.png", 0)]
    assert caplog.text.count("a.png: passed over (Stale file handle)") == 1


def test_a_folder_that_cant_be_listed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan(tmp_path / "a.png", "1")
    listed = Path.iterdir
    locked = True

    def iterdir(path: Path) -> Iterator[Path]:
        if locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(SourceAwayError, match="can't list the folder"):
        WatchedFolder("watch:x", str(tmp_path), 0.0, threading.Event())
    locked = False
    with watching(tmp_path) as (came, source):
        until(lambda: came)
        locked = True
        until(lambda: "can't list the folder (Permission denied)" in source.status.message)
        locked = False
        until(lambda: not source.status.message)


def test_a_file_that_cant_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(WatchedFolder, "retry_seconds", 0.02)
    Locked(monkeypatch, a=3)
    scan(tmp_path / "a.png", "1")
    scan(tmp_path / "b.png", "2")
    with watching(tmp_path) as (came, _):
        until(lambda: len(came) > 1)
        time.sleep(0.2)
    assert came == [("b.png", 0), ("a.png", 0)]
    assert caplog.text.count("a.png: no permission to read it") == 1


def test_a_file_that_never_can_be_opened_is_put_aside_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(WatchedFolder, "retry_seconds", 0.01)
    monkeypatch.setattr(WatchedFolder, "most_tries", 3)
    locked = Locked(monkeypatch, a=100)
    (tmp_path / "scans").mkdir()
    scan(tmp_path / "scans" / "a.png", "1")
    journal = Journal(tmp_path / "j.sqlite")
    with watching(tmp_path / "scans", journal) as (came, _):
        until(lambda: "put aside" in caplog.text)
        time.sleep(0.3)
        assert (came, locked.times["a"]) == ([], 97)
        locked.times["a"] = 0
        (tmp_path / "scans" / "a.png").chmod(0o640)  # neither its size nor the time of its content changes
        until(lambda: came)
    assert caplog.text.count("tried 3 times; put aside until it changes") == 1
    journal.close()


def test_what_was_put_aside_is_tried_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedFolder, "most_tries", 1)
    (tmp_path / "scans").mkdir()
    scan(tmp_path / "scans" / "a.png", "1")
    locked = Locked(monkeypatch, a=1)
    journal = Journal(tmp_path / "j.sqlite")
    with watching(tmp_path / "scans", journal) as (came, _):
        until(lambda: not locked.times["a"])
        time.sleep(0.1)
    assert came == []
    with watching(tmp_path / "scans", journal) as (came, _):
        until(lambda: came)
    with watching(tmp_path / "scans", journal) as (again, _):
        time.sleep(0.3)
    assert (came, again) == ([("a.png", 0)], [])
    journal.close()


def test_what_is_no_picture_is_not_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scan(tmp_path / "a.png", "1")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    (tmp_path / "a.png").write_bytes(b"no picture")
    scan(tmp_path / "c.png", "1")
    with watching(tmp_path) as (came, source):
        until(lambda: came)
        assert not source._troubles
    assert "tried again" not in caplog.text
    assert (caplog.text.count("a.png: "), caplog.text.count("b.png: ")) == (1, 1)


def test_a_page_that_cant_be_had_is_tried_again_and_the_others_come_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WatchedFolder, "retry_seconds", 0.02)
    scan(tmp_path / "a.tif", "1", "2", "3")
    decode, failures = edgedigits.frames.stills._upright, [1, 1]

    def upright(picture: Any, kind: str, path: Path, page: int) -> Any:
        if page == 1 and failures:
            failures.pop()
            raise OSError(errno.EIO, "Input/output error")
        return decode(picture, kind, path, page)

    monkeypatch.setattr(edgedigits.frames.stills, "_upright", upright)
    with watching(tmp_path) as (came, _):
        until(lambda: len(came) == 3)
        time.sleep(0.2)
    assert came == [("a.tif", 0), ("a.tif", 1), ("a.tif", 2)]


def until(what: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not what():
        assert time.monotonic() < limit
        time.sleep(0.01)
