"""`edgedigits-export` as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.export.making import write_run

from edgedigits.card import split_bytes
from edgedigits.model import Model, read_model
from edgedigits_export.cli import main
from edgedigits_export.formats import FORMATS


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a person does."""
    command = [sys.executable, "-m", "edgedigits_export.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["formats"],
        ["convert", "--help"],
        ["validate", "--help"],
        ["validate", "paper-float32", "paper-int8"],
    ],
)
def test_tensorflow_is_not_loaded_for_it(arguments: list[str], small_set: Path) -> None:
    program = (
        "import sys\n"
        "from edgedigits_export.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as done:\n"
        "    assert done.code == 0\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    data = ["--data", str(small_set)] if "paper-int8" in arguments else []
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, *data], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_format() -> None:
    for text in (run("convert", "--help").stdout, run("formats").stdout):
        for row in FORMATS.values():
            assert row.name in text
            assert row.description in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["convert"],
        ["convert", "RUN"],
        ["validate", "paper-float32"],
        ["validate", "paper-float32", "paper-int8", "--max-drop", "2"],
        ["validate", "paper-float32", "paper-int8", "--min-agreement", "all"],
        ["convert", "RUN", "--out", "DIR", "--seed", "-1"],
        ["convert", "RUN", "--out", "DIR", "--min-digit-confidence", "1.01"],
        ["sing"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: edgedigits-export" in capsys.readouterr().err


def test_convert_then_validate(tiny_run: Path, small_set: Path, tmp_path: Path) -> None:
    """The whole way in two processes, with nothing on the standard error."""
    out = tmp_path / "out"
    done = run("convert", tiny_run, "--out", out, "--data", small_set, "--min-line-confidence", "0.75")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        str(out / f"tiny-{name}.tflite") for name in ("float32", "float16", "dynamic", "int8")
    ]
    assert Model(out / "tiny-int8.tflite").card.min_line_confidence == 0.75
    report = tmp_path / "report.json"
    models = [out / f"tiny-{name}.tflite" for name in ("float32", "float16", "int8")]
    done = run(
        "validate",
        *models,
        "--data",
        small_set,
        "--json",
        report,
        "--min-agreement",
        "0.5",
        "--max-drop",
        "1",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(report.read_text())["count"] == 120
    failing = run("validate", *models, "--data", small_set, "--min-agreement", "1", "--max-drop", "1")
    low = [c for c in json.loads(report.read_text())["comparisons"] if c["agreement"] < 1]
    assert failing.returncode == (1 if low else 0)
    assert len(failing.stderr.splitlines()) == len(low)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.err.startswith("edgedigits-export: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_gate_that_fails(capsys: pytest.CaptureFixture[str], data_set: Callable[[str], Path]) -> None:
    mnist = str(data_set("mnist"))
    models = ["validate", "paper-float32", "paper-int8", "--data", mnist]
    assert main([*models, "--min-agreement", "1"]) == 1
    assert "paper-int8: agrees with paper-float32 on 0.99" in one_line(capsys)
    assert main(models) == 0


@pytest.mark.parametrize("name", ["missing.tflite", "paper-int9"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_model_that_is_missing(
    name: str, place: int, small_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["paper-float32", "paper-int8"]
    models[place] = name
    assert main(["validate", *models, "--data", str(small_set)]) == 1
    assert name in one_line(capsys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a TFLite model"),
        (b"PK\x03\x04 something else", "not a TFLite model"),
        (b"\x1c\0\0\0TFL3" + bytes(99), "graph can't be read"),
    ],
)
def test_a_model_that_is_none(
    tmp_path: Path, small_set: Path, content: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    assert main(["validate", "paper-float32", str(path), "--data", str(small_set)]) == 1
    assert said in one_line(capsys)


def test_places_that_can_not_be_written_to(
    tiny_run: Path, small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    data = ["--data", str(small_set)]
    assert main(["convert", str(tiny_run), "--out", str(tmp_path / "file" / "x"), *data]) == 1
    assert "can't make the folder" in one_line(capsys)
    lenient = ["--max-drop", "1", "--min-agreement", "0"]
    nowhere = ["--json", str(tmp_path / "nowhere" / "r.json")]
    assert main(["validate", "paper-float32", "paper-int8", *data, *lenient, *nowhere]) == 1
    assert "can't write" in one_line(capsys)


def test_inputs_that_are_not_there(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], small_set: Path
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["convert", str(tmp_path), *out, "--data", str(small_set)]) == 1
    assert "not a finished run" in one_line(capsys)
    assert main(["convert", str(tiny_run), *out, "--data", str(tmp_path / "none")]) == 1
    assert "train-images-idx3-ubyte[.gz] is not in" in one_line(capsys)
    assert main(["convert", str(tiny_run), *out, "--formats", "int7"]) == 1
    assert "int7: no such format" in one_line(capsys)
    assert main(["convert", str(tiny_run), *out, "--formats", ","]) == 1
    assert "--formats: names none" in one_line(capsys)
    assert main(["validate", "paper-float32", "paper-int8", "--part", "tune"]) == 1
    assert "--part tune: names a part of --lines" in one_line(capsys)
    assert main(["validate", "paper-float32", "paper-int8", "--data", str(tmp_path / "none")]) == 1
    assert "t10k-images-idx3-ubyte[.gz] is not in" in one_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_network_for_something_else(
    tmp_path: Path, small_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_run(tmp_path / "run", shape=(64,))
    assert main(["convert", str(other), "--out", str(tmp_path / "out"), "--data", str(small_set)]) == 1
    assert "takes 64 where 28×28" in one_line(capsys)


def test_float_formats_need_no_pictures(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["convert", str(tiny_run), "--out", str(tmp_path / "out"), "--formats", "float32"]) == 0
    assert "accuracies are not measured" in one_line(capsys)
    assert Model(tmp_path / "out" / "tiny-float32.tflite").card.accuracy == {}


def test_reports_are_written(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gates.toml").write_text("[gates]\nmax_drop = 1.0\n")
    names = {kind: tmp_path / f"report.{kind}" for kind in ("json", "html", "junit")}
    reports = [part for kind, path in names.items() for part in (f"--{kind}", str(path))]
    gates = ["--gates", str(tmp_path / "gates.toml"), "--min-agreement", "0"]
    main(["validate", "paper-float32", "paper-int8", "--data", str(small_set), *gates, *reports])
    assert "paper-int8" in capsys.readouterr().out
    assert json.loads(names["json"].read_text())["gates"]["max_drop"] == 1.0
    assert json.loads(names["json"].read_text())["gates"]["min_agreement"] == 0.0
    assert names["html"].read_text().startswith("<!DOCTYPE html>")
    assert names["junit"].read_text().startswith("<?xml")


def test_a_run_for_strips_wants_strips_whatever_else_is_there(
    tmp_path: Path, spoilable_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = spoilable_run / "report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"kind": "strip"}))
    given = [str(spoilable_run), "--out", str(tmp_path / "out"), "--data", str(tmp_path / "none")]
    assert main(["convert", *given]) == 1
    assert "a run for strips, which strips are needed to calibrate" in one_line(capsys)


def test_names_that_are_no_text(
    tiny_run: Path, small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are printed, and stand in every report, with what is no text escaped."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n"))
    data = ["--data", str(small_set)]
    assert main(["convert", str(tiny_run), "--out", str(folder), "--formats", "float32", *data]) == 0
    assert "\\udcff" in capsys.readouterr().out
    quantized = folder / os.fsdecode(b"a\xffb.tflite")
    quantized.write_bytes(split_bytes(read_model("paper-int8"), "x")[1])
    floats = folder / "paper-float32.tflite"
    floats.write_bytes(read_model("paper-float32"))
    reports = [part for kind in ("json", "html", "junit") for part in (f"--{kind}", str(tmp_path / kind))]
    assert main(["validate", str(floats), str(quantized), *data, *reports]) in (0, 1)
    assert "a\\udcffb" in capsys.readouterr().out
    (comparison,) = json.loads((tmp_path / "json").read_text())["comparisons"]
    assert comparison["model"]["name"] == "a\\udcffb"
    assert comparison["model"]["source"].endswith("\\udcff\\n/a\\udcffb.tflite")
    assert "a\\udcffb" in (tmp_path / "html").read_text("utf-8")
    assert "a\\udcffb" in {case.get("classname") for case in ElementTree.parse(tmp_path / "junit").iter()}
    assert main(["firmware", str(folder / "none.tflite"), "--out", str(folder)]) == 1
    assert "\\udcff\\n/none.tflite" in one_line(capsys)


@pytest.mark.parametrize("streams", ["", ">&-", "2>&-", ">&- 2>&-"])
def test_any_terminal_will_do(streams: str) -> None:
    command = ["sh", "-c", f'"$@" {streams}', "sh", sys.executable, "-m", "edgedigits_export.cli", "formats"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("format") or streams.startswith(">&-")


def test_gates_that_are_no_good(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gates.toml").write_text("[gates]\nmax_dorp = 1.0\n")
    arguments = ["validate", "paper-float32", "paper-int8", "--data", str(small_set)]
    assert main([*arguments, "--gates", str(tmp_path / "gates.toml")]) == 1
    assert "no gate is called max_dorp" in one_line(capsys)
