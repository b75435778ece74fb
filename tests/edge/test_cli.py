"""The command `read`: its outputs, its exit status, its behaviour among other programs."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edgedigits
from edgedigits import cli
from edgedigits.frames import Frame
from edgedigits.outputs import Csv, JsonLines, Table
from edgedigits.page import Digit, Line, Page
from edgedigits.reader import Reader

SAMPLES = Path(edgedigits.__file__).parent / "samples"
SAMPLE = SAMPLES / "1-black-pen.jpg"
COMMAND = [sys.executable, "-m", "edgedigits.cli"]


def run(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    settings = {"capture_output": True, "encoding": "utf-8", **settings}
    return subprocess.run([*COMMAND, *map(str, arguments)], timeout=60, check=False, **settings)


def test_the_samples_are_read() -> None:
    done = run("read", "--samples", "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    with (SAMPLES / "samples.csv").open() as file:
        truth = list(csv.DictReader(file))
    pages = {page["source"]: page for page in map(json.loads, done.stdout.splitlines())}
    assert list(pages) == [f"samples/{p.name}" for p in sorted(SAMPLES.glob("*.jpg"))]
    right = total = 0
    for row in truth:
        line = pages[f"samples/{row['file']}"]["lines"][int(row["line"])]
        assert len(line["text"]) == len(row["text"])
        total += len(row["text"])
        right += sum(a == b for a, b in zip(line["text"], row["text"], strict=True))
    assert len(truth) == sum(len(page["lines"]) for page in pages.values())
    assert right >= 0.9 * total


def test_the_objects_are_those_of_the_contract() -> None:
    done = run("read", SAMPLE, "nothing.png", "--format", "jsonl")
    page, error = map(json.loads, done.stdout.splitlines())
    assert list(page) == ["schema", "source", "page", "size", "lines", "elapsed_ms"]
    assert (page["schema"], page["source"], page["page"]) == (1, str(SAMPLE), 0)
    assert page["size"] == [800, 600]
    assert page["elapsed_ms"] > 0
    line = page["lines"][0]
    assert list(line) == ["text", "raw", "confidence", "accepted", "reasons", "turned", "box", "digits"]
    assert isinstance(line["accepted"], bool)
    for part in [line, *line["digits"]]:
        x, y, w, h = part["box"]
        assert 0 <= x < x + w <= 800
        assert 0 <= y < y + h <= 600
        assert 0 <= part["confidence"] <= 1
    assert "".join(d["label"] for d in line["digits"]) == line["text"]
    for digit in line["digits"]:
        assert list(digit) == ["label", "confidence", "box", "alternatives"]
        assert all(isinstance(a, str) and 0 <= p <= 1 for a, p in digit["alternatives"])
    assert list(error) == ["schema", "source", "error"]
    assert (error["schema"], error["source"]) == (1, "nothing.png")
    assert done.stderr == f"edgedigits: {error['error']}\n"
    assert done.returncode == 1


def test_a_photo_and_its_copy_on_its_side_say_the_same(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    with Image.open(SAMPLE) as picture:
        picture.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "a.jpg", quality=95, exif=exif)
    done = run("read", SAMPLE, tmp_path / "a.jpg", "--format", "jsonl")
    upright, turned = map(json.loads, done.stdout.splitlines())
    assert turned["size"] == upright["size"]
    assert [line["text"] for line in turned["lines"]] == [line["text"] for line in upright["lines"]]
    for a, b in zip(turned["lines"], upright["lines"], strict=True):
        assert a["box"] == pytest.approx(b["box"], abs=4)


def test_boxes_are_in_pixels_of_the_whole_picture(tmp_path: Path) -> None:
    with Image.open(SAMPLE) as picture:
        picture.resize((8000, 6000)).save(tmp_path / "large.jpg", quality=80)
    done = run("read", SAMPLE, tmp_path / "large.jpg", "--format", "jsonl")
    small, large = map(json.loads, done.stdout.splitlines())
    assert large["size"] == [8000, 6000]
    assert len(large["lines"]) == len(small["lines"])
    for a, b in zip(large["lines"], small["lines"], strict=True):
        assert a["box"] == pytest.approx([10 * v for v in b["box"]], abs=60)


def test_pages_of_a_scan_in_order(tmp_path: Path) -> None:
    with Image.open(SAMPLE) as picture:
        blank = Image.new("RGB", (300, 200), "white")
        blank.save(tmp_path / "scan.tif", save_all=True, append_images=[picture.convert("RGB"), blank])
    done = run("read", tmp_path / "scan.tif", "--annotate", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    rows = done.stdout.splitlines()[1:]
    scan = str(tmp_path / "scan.tif")
    assert rows[0].split() == [scan, "(no", "digits)"]
    assert all(row.startswith(f"{scan} page 2 ") for row in rows[1:-1])
    assert len(rows) == 5
    assert rows[-1].split() == [scan, "page", "3", "(no", "digits)"]
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["scan-page2-read.png", "scan-page3-read.png", "scan-read.png"]


def test_a_file_name_is_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(SAMPLE, tmp_path / "=1+1.jpg")
    monkeypatch.chdir(tmp_path)
    rows = list(csv.DictReader(io.StringIO(run("read", "=1+1.jpg", "--format", "csv").stdout)))
    assert {row["source"] for row in rows} == {"./=1+1.jpg"}
    assert json.loads(run("read", "=1+1.jpg", "--format", "jsonl").stdout)["source"] == "=1+1.jpg"


def test_a_fault_in_one_picture_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = Reader.read
    pictures = []

    def faulty(reader: Reader, *arguments: Any, **settings: Any) -> Page:
        pictures.append(arguments)
        if len(pictures) == 2:
            raise ZeroDivisionError("bad luck")
        return read(reader, *arguments, **settings)

    monkeypatch.setattr(Reader, "read", faulty)
    paths = [str(SAMPLES / name) for name in ("1-black-pen.jpg", "2-blue-pen.jpg", "4-pencil.jpg")]
    assert cli.main(["read", *paths, "--format", "jsonl"]) == 1
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["source"] for row in rows] == paths
    assert ["lines" in row for row in rows] == [True, False, True]
    assert err.count("\n") == 1
    assert f"{paths[1]}: a fault of edgedigits, not of your input (ZeroDivisionError: bad luck)" in err


def test_csv_has_a_row_per_line() -> None:
    done = run("read", SAMPLE, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [tuple(r) for r in rows] == [Csv.COLUMNS] * 3
    assert [r["line"] for r in rows] == ["0", "1", "2"]
    assert rows[1]["text"] == "59605"
    assert rows[1]["accepted"] == "true"
    assert int(rows[1]["width"]) > int(rows[1]["height"]) > 0
    assert (rows[1]["turned"], rows[1]["reasons"]) == ("0", "")


def test_the_threshold_can_be_raised() -> None:
    done = run("read", SAMPLE, "--format", "csv", "--min-confidence", "1")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == 3
    refused = [r for r in rows if float(r["confidence"]) < 1]
    assert {(r["accepted"], r["reasons"]) for r in refused} == {("false", "confidence")}


def frame(source: str, number: int = 0) -> Frame:
    return Frame(np.zeros((3, 4), np.uint8), source, number, (4, 3))


def one_line(raw: str = "12.3", accepted: bool = True, confidence: float = 0.99999) -> Page:
    digits = (Digit("1", confidence, (0, 0, 2, 3)),)
    return Page((Line(raw, raw, confidence, accepted, (0, 0, 4, 3), digits),), (4, 3), 1.0)


def test_the_table_is_aligned() -> None:
    stream = io.StringIO()
    table = Table(stream, width=9)
    table.page(frame("a.png"), one_line())
    table.page(frame("b.png"), Page((), (4, 3), 1.0))
    table.page(frame("long.png", 1), one_line("5?", False, 0.4))
    assert stream.getvalue().splitlines() == [
        "SOURCE     TEXT              CONFIDENCE  ACCEPTED",
        "a.png      12.3                  99.9 %  yes",
        "b.png      (no digits)",
        "long.png page 2  5?                    40.0 %  no",
    ]


def test_the_table_of_a_camera_is_sparing() -> None:
    stream = io.StringIO()
    table = Table(stream, sparing=True)
    for number, page in enumerate([Page((), (4, 3), 1.0)] * 3 + [one_line()] + [Page((), (4, 3), 1.0)] * 2):
        table.page(frame("0", number), page)
    assert [row.split()[1] for row in stream.getvalue().splitlines()[1:]] == ["(no", "12.3", "(no"]


def test_odd_names_cannot_break_a_line() -> None:
    stream = io.StringIO()
    Table(stream).page(frame("a\n\x1b[31mb.png"), one_line())
    assert "a\\n\\x1b[31mb.png" in stream.getvalue()
    stream = io.StringIO()
    JsonLines(stream).error("a\nb", "why")
    assert json.loads(stream.getvalue())["source"] == "a\nb"
    assert stream.getvalue().count("\n") == 1


def test_names_that_are_not_text(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")
    for form in ("jsonl", "csv", "table"):
        done = run("read", path, "größe.png", "--format", form, env={**os.environ, "LC_ALL": "C"})
        assert done.returncode == 1
        assert done.stderr.count("\n") == 2
        assert "Traceback" not in done.stderr
    done = run("read", path, "größe.png", "--format", "jsonl", env={**os.environ, "LC_ALL": "C"})
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == [path, "größe.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["write"],
        ["read"],
        ["read", "a.png", "--format", "xml"],
        ["read", "a.png", "--min-confidence", "1.5"],
        ["read", "a.png", "--min-confidence", "nan"],
        ["live"],
        ["live", "0", "--frames", "0"],
        ["live", "0", "--every", "-1"],
        ["live", "0", "--format", "csv"],
    ],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("edgedigits: ")
    assert err.count("\n") == 1
    assert "--help)" in err


def test_the_default_model_is_the_readers() -> None:
    from edgedigits.commands.arguments import DEFAULT_MODEL
    from edgedigits.reader import DEFAULT_MODEL as OF_THE_READER

    assert DEFAULT_MODEL == OF_THE_READER


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["read", "--help"], ["live", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from edgedigits.cli import main; status = main(sys.argv[1:]); "
        "sys.exit(status or any(m in sys.modules for m in ('numpy', 'cv2', 'PIL', 'ai_edge_litert')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    assert done.stdout
    assert done.stderr == ""


def test_version() -> None:
    assert run("--version").stdout == f"edgedigits {edgedigits.__version__}\n"


def test_each_reading_is_flushed() -> None:
    """Whoever is killed in the middle of many pictures has said all about those that were read."""
    with subprocess.Popen(
        [*COMMAND, "read", *[str(SAMPLE)] * 100, "--format", "jsonl"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.kill()
        said = first + process.stdout.read()
    assert said.endswith("\n")
    assert 1 <= len([json.loads(line) for line in said.splitlines()]) < 100


def test_a_reader_that_leaves_is_no_fault() -> None:
    with subprocess.Popen(
        [*COMMAND, "read", *[str(SAMPLE)] * 40, "--format", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_a_full_disk(form: str) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = run(
            "read", SAMPLE, "--format", form, capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr.startswith("edgedigits: standard output: can't write (No space left on device)")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "<&-"])
def test_closed_streams(closed: str) -> None:
    command = f'exec "$0" -m edgedigits.cli read "$1" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, str(SAMPLE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == (1 if "1>" in closed else 0)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == (1 if closed == "1>&-" else 0)
    assert ("59605" in done.stdout) == ("1>" not in closed)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(
        [*COMMAND, "read", *[str(SAMPLE)] * 500, "--format", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        started = time.monotonic()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
        assert time.monotonic() - started < 2
    assert (process.returncode, errors) == (status, "")
    assert all(json.loads(line) for line in (first + rest).splitlines())


def test_a_fault_of_our_own_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **settings: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("edgedigits.reader.Reader.read", fail)
    assert cli.main(["read", str(SAMPLE)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError: division\\nby zero" in err
