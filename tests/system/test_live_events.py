"""`edgedigits live` as a process: events, signals, outages of the camera, power cuts."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.edge.drawing import paper, write

from edgedigits.cli import main

COMMAND = [sys.executable, "-m", "edgedigits.cli", "live"]


def run(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=90, check=False, **settings
    )


def sheet(text: str) -> np.ndarray:
    return write(paper(240, 480), text, (60, 140), size=2, thickness=4)


def film(path: Path, texts: list[str], rate: int = 15) -> Path:
    """Write a video: each sheet is seen for a second and a half, with a second of nothing between."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (480, 240))
    assert writer.isOpened()
    for text in texts:
        for picture, seconds in ((paper(240, 480), 1.0), (sheet(text), 1.5)):
            for _ in range(round(seconds * rate)):
                writer.write(picture)
    writer.release()
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "sheets.avi", ["123", "123", "4", "555"])


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def eventually(what: Callable[[], object], seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def living(*arguments: object, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_sheet_is_an_event(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    done = run(video, "--format", "jsonl", "--out", out, "--journal", tmp_path / "j.sqlite")
    assert (done.returncode, done.stderr) == (0, "")
    events = objects(done.stdout)
    assert len(events) == 4
    assert [len(e["text"]) for e in events] == [3, 3, 1, 3]
    assert events[0]["text"] == events[1]["text"]
    assert events[0]["id"] != events[1]["id"]
    assert [e["sequence"] for e in events] == [1, 2, 3, 4]
    assert objects(out.read_text()) == events
    again = run(video, "--format", "jsonl", "--out", out, "--journal", tmp_path / "j.sqlite")
    assert [e["sequence"] for e in objects(again.stdout)] == [5, 6, 7, 8]
    assert objects(out.read_text()) == events + objects(again.stdout)


def test_the_table_is_for_people(video: Path) -> None:
    done = run(video)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["TIME", "TEXT", "CONFIDENCE", "ACCEPTED"]
    assert len(rows) == 4


def test_the_demo_needs_nothing() -> None:
    done = run("demo:", "--set", "capture.rate=1000", "--frames", 90, "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    events = objects(done.stdout)
    assert events
    assert events[0]["source"] == "demo:"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_within_two_seconds(number: signal.Signals) -> None:
    with living("demo:", "--format", "jsonl") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        started = time.monotonic()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
        assert time.monotonic() - started < 2
        assert (process.returncode, errors) == (0, "")
        assert all(e["schema"] == 1 for e in objects(rest))


def test_it_ends_in_time_even_when_everything_hangs(tmp_path: Path) -> None:
    """A stream and a broker that take the connection and then say nothing."""
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is missing: pip install 'edgedigits[mqtt]'")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        port = silent.getsockname()[1]
        arguments = [f"http://127.0.0.1:{port}/", "--out", f"mqtt://127.0.0.1:{port}/d"]
        journal = tmp_path / "j.sqlite"
        with living(*arguments, "--journal", journal) as process:
            until = time.monotonic() + 20
            while not journal.exists() and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(1.0)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
            assert time.monotonic() - started < 2
            assert process.returncode == 0


def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    config = tmp_path / "device.toml"
    config.write_text('source = "demo:"\nname = "before"\n')
    with living("--config", config, "--format", "jsonl") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["source"] == "before"
        config.write_text('source = "demo:"\nname = "after"\n')
        process.send_signal(signal.SIGHUP)
        names = [json.loads(process.stdout.readline())["source"] for _ in range(2)]
        assert "after" in names
        config.write_text("source = [\n")
        process.send_signal(signal.SIGHUP)
        assert json.loads(process.stdout.readline())["source"] == "after"
        # What is well-formed and still can't be had must not stop the device either.
        config.write_text('source = "demo:"\nmodel = "nonsense"\n')
        process.send_signal(signal.SIGHUP)
        assert json.loads(process.stdout.readline())["source"] == "after"
        config.write_text('source = "missing.mp4"\n')
        process.send_signal(signal.SIGHUP)
        assert json.loads(process.stdout.readline())["source"] == "after"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        mistakes = [line for line in errors.splitlines() if "former settings stay" in line]
        expected = ("not TOML", "nonsense", "missing.mp4")
        assert all(part in line for part, line in zip(expected, mistakes, strict=True))
        assert process.returncode == 0


def test_sigterm_counts_while_settings_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Station:
        name = "demo:"

        def run(self, frames: int | None) -> None:
            os.kill(os.getpid(), signal.SIGHUP)

    @contextlib.contextmanager
    def open_station(*arguments: object, **settings: object) -> Iterator[Station]:
        opened.append(arguments)
        assert len(opened) == 1, "it went on"
        yield Station()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("edgedigits.live.station.open_station", open_station)
    assert main(["live", "demo:", "--verbose"]) == 0
    assert len(opened) == 1


def test_a_watched_folder(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    cv2.imwrite(str(scans / "a.png"), sheet("123"))
    with living(f"watch:{scans}", "--format", "jsonl") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["source"], len(first["text"]), first["frames"]) == (str(scans / "a.png"), 3, 1)
        (scans / "a2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
        data = cv2.imencode(".png", sheet("4567"))[1].tobytes()
        with (scans / "b.png").open("wb") as slow:  # a scanner that takes its time
            slow.write(data[: len(data) // 2])
            slow.flush()
            time.sleep(0.3)
            slow.write(data[len(data) // 2 :])
        second = json.loads(process.stdout.readline())
        assert (second["source"], len(second["text"])) == (str(scans / "b.png"), 4)
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=10)
        assert rest == ""
        assert errors.count("\n") == 1
        assert "a2.png" in errors


def test_a_watched_folder_is_not_drawn_into(tmp_path: Path) -> None:
    """Each drawing would be read, and drawn into, again."""
    scans, link = tmp_path / "scans", tmp_path / "link"
    scans.mkdir()
    link.symlink_to(scans)
    cv2.imwrite(str(scans / "a.png"), sheet("123"))
    with living(f"watch:{scans}", "--format", "jsonl", "--annotate", link) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["source"] == str(scans / "a.png")
        time.sleep(1.5)
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=10)
        assert (rest, errors.count("\n")) == ("", 1)
        assert "annotate into another" in errors
    done = run(f"watch:{scans}", "--set", f"pictures.folder={link}")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "this folder is watched" in done.stderr
    assert [path.name for path in scans.iterdir()] == ["a.png"]


def test_what_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    with living(f"watch:{scans}", "--wait", "--format", "jsonl") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "no such folder" in process.stderr.readline()
        scans.mkdir()
        cv2.imwrite(str(scans / "a.png"), sheet("123"))
        assert len(json.loads(process.stdout.readline())["text"]) == 3
    with living("/dev/video97", "--wait") as process:
        assert process.stderr is not None
        assert "no such camera" in process.stderr.readline()
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert time.monotonic() - started < 2
        assert (process.returncode, errors) == (0, "")


def test_kept_pictures(tmp_path: Path) -> None:
    """What was not accepted is kept to be labelled, if one wants that; so many and no more."""
    path = film(tmp_path / "film.avi", ["123", "45", "67"])
    kept = tmp_path / "kept"
    arguments = [path, "--min-confidence", 1, "--format", "jsonl", "--set", "track.patience_seconds=0.5"]
    done = run(*arguments, "--set", f"pictures.folder={kept}", "--set", "pictures.most=2")
    events = objects(done.stdout)
    assert [e["accepted"] for e in events] == [False] * 3
    assert {p.stem for p in kept.iterdir()} == {e["id"] for e in events[1:]}
    image = cv2.imread(str(kept / f"{events[2]['id']}.png"))
    assert image is not None
    assert image.shape == (240, 480, 3)
    assert json.loads((kept / f"{events[2]['id']}.json").read_text()) == events[2]


def test_sigkill_at_random_loses_and_spoils_nothing(tmp_path: Path) -> None:
    rng = random.Random(5)
    out, journal = tmp_path / "out.jsonl", tmp_path / "j.sqlite"
    video = film(tmp_path / "film.avi", [str(k) for k in range(20, 32)])
    reported: list[str] = []
    for _ in range(4):
        with living(
            video, "--format", "jsonl", "--out", out, "--journal", journal, "--set", "motion.enabled=false"
        ) as process:
            assert process.stdout is not None
            for _ in range(rng.randint(1, 4)):
                reported.append(json.loads(process.stdout.readline())["id"])
            time.sleep(rng.uniform(0, 0.3))
            process.kill()
    assert run(video, "--out", out, "--journal", journal).returncode == 0
    events = objects(out.read_text())
    sequences = list(dict.fromkeys(e["sequence"] for e in events))
    assert sequences == list(range(1, len(sequences) + 1))
    assert set(reported) <= {e["id"] for e in events}


# --- what can't be ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["watch:/no/such/folder"], "no such folder"),
        (["demo:abc"], "no seed"),
        (["picamera2:"], "Picamera2 is not there"),
        (["/dev/video97"], "no such camera"),
        (["demo:", "--out", "nowhere"], "unknown"),
        (["demo:", "--set", "capture.rotate=45"], "rotate"),
        (["demo:", "--set", "capture.rate=-1"], "0…1000"),
        (["demo:", "--set", "nothing=1"], "no setting"),
        (["--config", "/no/such.toml"], "can't read the configuration"),
        (["demo:", "--journal", "/proc/j.sqlite"], "can't be written"),
        (["demo:", "--set", "capture.crop=[0,0,9999,10]"], "not inside the picture"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], words: str) -> None:
    done = run(*arguments, "--frames", 1)
    assert done.returncode == 1
    assert done.stderr.startswith("edgedigits: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "report it" not in done.stderr


def test_usage_is_status_two() -> None:
    assert run().returncode == 2
    assert run("demo:", "--events", "--readings").returncode == 2


def test_two_processes_and_one_journal(tmp_path: Path) -> None:
    with living("demo:", "--journal", tmp_path / "j.sqlite") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        done = run("demo:", "--journal", tmp_path / "j.sqlite", "--frames", 1)
    assert done.returncode == 1
    assert "another edgedigits" in done.stderr


def test_a_damaged_journal_is_told_of(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    journal.write_bytes(b"no database " * 1000)
    (tmp_path / "j.sqlite.lock").touch()  # there was a journal
    done = run("demo:", "--journal", journal, "--frames", 3)
    assert done.returncode == 0
    assert "moved to" in done.stderr
    assert (tmp_path / "j.sqlite.damaged-1").exists()


def test_systemd_is_kept_informed(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(15)
        with living("demo:", env={**os.environ, "NOTIFY_SOCKET": address}) as process:
            heard = ""
            while "WATCHDOG=1" not in heard:
                heard += manager.recv(1000).decode() + "\n"
            process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard += manager.recv(1000).decode() + "\n"
    assert heard.index("READY=1") < heard.index("WATCHDOG=1")


def test_the_log_for_programs(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    journal.write_bytes(b"no database " * 1000)
    (tmp_path / "j.sqlite.lock").touch()  # there was a journal
    done = run("demo:", "--journal", journal, "--frames", 3, "--set", "log.format=json")
    (line,) = done.stderr.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["part"]) == ("error", "journal")
    assert "damaged" in entry["message"]
