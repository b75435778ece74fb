"""The command line: one line for each mistake, no TensorFlow for a mere question."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgedigits_train import arguments, cli
from edgedigits_train.loop import Epoch

RECIPE = """\
[data]
set = "mnist"
[network]
kind = "mlp"
hidden = [8]
[training]
epochs = 2
batch = 100
[optimizer]
kind = "adam"
rate = 0.005
"""

PROGRAM = "import sys; from edgedigits_train import cli; sys.exit(cli.main(sys.argv[1:]))"

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return str(path)


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    *notes, line = err.splitlines()
    assert line.startswith("edgedigits-train: ")
    assert all("edgedigits-train: note: " in note for note in notes)
    return line


def test_help_does_not_wait_for_tensorflow() -> None:
    program = (
        "import sys; from edgedigits_train import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--epochs" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paper", "--epochs", "0"],
        ["paper", "--epochs", "many"],
        ["paper", "--seed", "-1"],
        ["paper", "--seed", str(2**31)],
        ["paper", "--seeds", "3-"],
        ["paper", "--seeds", "4-2"],
        ["paper", "--seeds", "1,1"],
        ["paper", "--seed", "1", "--seeds", "0-1"],
        ["paper", "--folds", "1"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: edgedigits-train" in capsys.readouterr().err


def test_mistakes(capsys: pytest.CaptureFixture[str], recipe: str, small_mnist: Path, tmp_path: Path) -> None:
    assert "papre" in failure(capsys, "papre")
    assert "nowhere" in failure(capsys, recipe, "--data", "nowhere")
    (tmp_path / "file").write_text("")
    blocked = str(tmp_path / "file" / "run")
    assert "can't make the folder" in failure(capsys, recipe, "--data", str(small_mnist), "--out", blocked)
    Path(recipe).write_text(RECIPE.replace("batch = 100", "batch = -1"))
    line = failure(capsys, recipe, "--data", str(small_mnist))
    assert "tiny.toml, line 8: [training] batch = -1" in line


def test_a_run(
    capsys: pytest.CaptureFixture[str],
    recipe: str,
    small_mnist: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main([recipe, "--data", str(small_mnist), "--seed", "4", "--epochs", "1"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(Path("runs/tiny-seed4/report.json").read_text())
    assert report["epochs"] == 1
    assert f"test accuracy {report['test']['accuracy']:.4f}" in out
    assert "not the published files" in err
    assert "epoch 1/1" in err


def test_seeds_and_folds(
    capsys: pytest.CaptureFixture[str], recipe: str, small_mnist: Path, tmp_path: Path
) -> None:
    common = [recipe, "--data", str(small_mnist)]
    assert cli.main([*common, "--seeds", "0,2", "--out", str(tmp_path / "s")]) == 0
    out, err = capsys.readouterr()
    table = json.loads((tmp_path / "s" / "seeds.json").read_text())
    accuracies = [row["test_accuracy"] for row in table["rows"]]
    assert [row["seed"] for row in table["rows"]] == [0, 2]
    assert table["mean"]["test_accuracy"] == pytest.approx(sum(accuracies) / 2, abs=1e-6)
    # Sample standard deviation of two: their distance over √2.
    distance = abs(accuracies[0] - accuracies[1]) / 2**0.5
    assert table["spread"]["test_accuracy"] == pytest.approx(distance, abs=1e-6)
    assert [line.split()[0] for line in out.splitlines()] == ["seed", "0", "2", "mean", "spread"]
    assert "epoch 2/2" in err
    # A series goes on: one more seed trains one more run and no other.
    assert cli.main([*common, "--seeds", "0-2", "--out", str(tmp_path / "s")]) == 0
    assert capsys.readouterr().err.count("epoch 2/2") == 1
    other = [*common, "--seeds", "0-2", "--epochs", "3", "--out", str(tmp_path / "s")]
    assert "another recipe" in failure(capsys, *other)


def test_the_progress_says_what_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 9.0, 11.0, 13.0])
    monkeypatch.setattr("edgedigits_train.cli.time.monotonic", lambda: next(clock))
    with cli.Progress(epochs=10) as progress:
        progress.start("network", Path())
        for epoch in (4, 5, 6):  # a run that goes on; its first epoch is compiled, too
            progress.epoch(Epoch(epoch, 1.0, 0.5, 0.75, test_accuracy=0.7))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: epoch 4/10, loss 0.5000, accuracy 0.7500, test 0.7000, 54 s left"
    assert lines[1].endswith("10 s left")
    assert lines[2].endswith("8 s left")


def test_whoever_stops_listening_is_told_in_a_line(small_mnist: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "augmented.toml"
    recipe.write_text(RECIPE + "[augmentation]\nvariants = 1\nrotation = 5.0\n")
    given = ["augment", str(recipe), "--data", str(small_mnist), "--sheet", str(tmp_path / "sheet.png")]
    command = [sys.executable, "-c", PROGRAM, *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read().splitlines() == [
            "edgedigits-train: stopped: whoever read what it says has gone; start it again to go on"
        ]
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["paper", "--seed", "x"], "'x' is no whole number"),
        (["paper", "--seeds", "0-"], "'' is no whole number"),
        (["paper", "--folds", "1"], "1 is not at least 2"),
        (["augment", "compact", "--sheet", "a.png", "--seed", "-1"], "-1 is not in 0…2147483647"),
    ],
)
def test_numbers_that_are_none_are_named(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(given)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_so_many_seeds_are_a_mistake() -> None:
    assert arguments.seeds("0-9999") == list(range(10_000))
    with pytest.raises(argparse.ArgumentTypeError, match="0-10000 names more than 10000 seeds"):
        arguments.seeds("0-10000")


def test_a_folder_whose_name_is_no_text_is_refused_before_anything_is_trained(
    recipe: str, small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    line = failure(capsys, recipe, "--data", str(small_mnist), "--out", out)
    assert "\\udcff: TensorFlow takes names in UTF-8 only" in line


def test_a_name_of_several_lines_is_told_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no\\nsuch: " in failure(capsys, "paper", "--data", "no\nsuch")


def test_whatever_the_terminal_can_not_show_is_escaped(small_mnist: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "augmented.toml"
    recipe.write_text(RECIPE + "[augmentation]\nvariants = 1\nrotation = 5.0\n")
    given = ["augment", str(recipe), "--data", str(small_mnist), "--sheet", str(tmp_path / "sheet.png")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *given],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"1120\\xd71120 pixels" in done.stdout


def test_closed_streams_are_no_error(recipe: str, small_mnist: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-c", PROGRAM, recipe, "--epochs", "1", "--data", str(small_mnist)]
    done = subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "sh", *command, "--out", str(out)], check=False)
    assert done.returncode == 0
    assert (out / "report.json").exists()
