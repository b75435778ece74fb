"""A device is put together as its configuration says."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from edgedigits.frames.capture import CaptureSettings
from edgedigits.live.config import GeneralSettings, LiveConfig
from edgedigits.live.pictures import PictureSettings
from edgedigits.live.station import open_reader, open_sink, open_station
from edgedigits.outputs.settings import OutputSettings
from edgedigits.outputs.sinks import CsvFile, JsonLinesFile
from edgedigits.outputs.webhook import Webhook
from edgedigits.reader import Reader
from edgedigits.settings import SettingsError


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


def test_without_a_source_it_says_how_to_name_one(reader: Reader) -> None:
    with (
        pytest.raises(SettingsError, match="no source; name one"),
        open_station(LiveConfig(), stop=threading.Event(), reader=reader),
    ):
        pass


def test_the_reader_is_the_one_that_is_described() -> None:
    plain = open_reader(GeneralSettings())
    assert (plain.model.card.name, plain.way) == (Reader().model.card.name, "auto")
    other = open_reader(GeneralSettings(model="paper-int8", way="glyph", min_confidence=0.0))
    assert (other.model.card.name, other.way) == ("paper-int8", "glyph")
    assert other.rule.min_line_confidence == 0 < plain.rule.min_line_confidence
    by_glyph, strict = (open_reader(GeneralSettings(way="glyph", max_error=most)) for most in (0.0, 0.002))
    assert strict.rule.min_line_confidence > by_glyph.rule.min_line_confidence


@pytest.mark.parametrize("kept", ["outputs", "keep", "nothing"])
def test_events_are_kept_where_they_are_needed_after_the_run(
    kept: str, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    outputs = (OutputSettings(to=str(tmp_path / "out.jsonl")),) if kept == "outputs" else ()
    config = LiveConfig(GeneralSettings(source="demo:1"), outputs=outputs)
    for _ in range(2):  # all is let go of in the end
        with open_station(config, stop=threading.Event(), reader=reader, keep=kept == "keep"):
            pass
    assert (tmp_path / "state" / "edgedigits" / "journal.sqlite").exists() is (kept != "nothing")


@pytest.mark.parametrize(
    ("source", "name", "called"),
    [
        ("demo:1", "", "demo:1"),
        ("demo:1", "desk", "desk"),
        ("rtsp://me:Secret@127.0.0.1:9/stream", "", "rtsp://127.0.0.1:9/stream"),
    ],
)
def test_events_call_the_source_by_its_name_and_no_password(
    source: str, name: str, called: str, reader: Reader
) -> None:
    config = LiveConfig(GeneralSettings(source=source, name=name), {"capture": CaptureSettings(wait=True)})
    with open_station(config, stop=threading.Event(), reader=reader) as live:
        assert live.name == called


def test_so_many_frames_are_looked_at_as_is_set(reader: Reader) -> None:
    with open_station(
        LiveConfig(GeneralSettings(source="demo:1", every=0.3)), stop=threading.Event(), reader=reader
    ) as live:
        live.run(frames=3)
        assert live.hub.counters().seconds > 0.55


def test_a_driver_that_does_not_let_go_is_told_of(reader: Reader) -> None:
    """A stream whose server takes the connection and says nothing."""
    left, stop = [], threading.Event()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        source = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        timer = threading.Timer(0.3, stop.set)
        timer.start()
        with open_station(
            LiveConfig(GeneralSettings(source=source)), stop=stop, reader=reader, left=lambda: left.append(1)
        ) as live:
            assert live.run() == 0
    assert left == [1]


def test_pictures_may_be_kept_beside_what_is_no_watched_folder(
    reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scans").mkdir()
    monkeypatch.chdir(tmp_path / "scans")
    for source, folder in (("demo:", "."), ("watch:.", "../kept")):
        config = LiveConfig(GeneralSettings(source=source), {"pictures": PictureSettings(folder=folder)})
        with open_station(config, stop=threading.Event(), reader=reader):
            pass
    config = LiveConfig(GeneralSettings(source="watch:"), {"pictures": PictureSettings(folder="../scans")})
    with (
        pytest.raises(SettingsError, match="this folder is watched"),
        open_station(config, stop=threading.Event(), reader=reader),
    ):
        pass


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        ("a.jsonl", JsonLinesFile),
        ("a.ndjson", JsonLinesFile),
        ("A.CSV", CsvFile),
        ("HTTP://h/a.csv", Webhook),
    ],
)
def test_what_is_written_to_is_told_from_how_it_is_called(
    to: str, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_sink(OutputSettings(to=to)), kind)
