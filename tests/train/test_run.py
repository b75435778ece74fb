"""Runs: what is in the folder, that a killed run ends like an unbroken one, and what is refused."""

from __future__ import annotations

import csv
import dataclasses
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgedigits_train.calibration import fit_temperature
from edgedigits_train.data import DataSet, load_mnist
from edgedigits_train.loop import Epoch
from edgedigits_train.recipe import (
    Adam,
    Calibration,
    Data,
    Mlp,
    Recipe,
    Start,
    Stopping,
    Training,
    load_recipe,
)  # fmt: skip
from edgedigits_train.run import run
from edgedigits_train.run_folder import RunError, taken

RECIPE = Recipe(
    "small",
    Data("mnist", validation=200),
    Mlp("mlp", hidden=(16,)),
    Training(epochs=4, batch=64),
    Adam("adam", 0.005),
    calibration=Calibration(holdout=300),
)


class Silent:
    """Watches, and says nothing."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.rows: list[Epoch] = []

    def start(self, what: str, out: Path) -> None:
        self.started.append(what)

    def epoch(self, row: Epoch) -> None:
        self.rows.append(row)


@pytest.fixture(scope="module")
def digits(small_mnist: Path) -> DataSet:
    return load_mnist(small_mnist)


@pytest.fixture(scope="module")
def finished(digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    watcher = Silent()
    run(RECIPE, digits, out, 7, watcher)
    assert watcher.started == ["network", "twin"]
    assert [row.epoch for row in watcher.rows] == [1, 2, 3, 4, 1, 2, 3, 4]
    return out


def report_of(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "report.json").read_text()))


def test_the_folder(finished: Path) -> None:
    assert sorted(path.name for path in finished.iterdir()) == [
        "environment.json", "history.csv", "model", "recipe.toml", "report.json",
    ]  # fmt: skip
    size = sum(path.stat().st_size for path in finished.rglob("*") if path.is_file())
    assert size < 12_730 * 4 + 60_000  # the weights as float32, and little else: nothing of the optimizer
    for path in finished.rglob("*"):
        if path.is_file():
            assert str(finished).encode() not in path.read_bytes(), f"{path} names a path of this machine"


def test_the_recipe_is_that_of_the_run(finished: Path) -> None:
    written = load_recipe(str(finished / "recipe.toml"))
    assert dataclasses.replace(written, name="small") == RECIPE


def test_the_report(finished: Path, digits: DataSet) -> None:
    report = report_of(finished)
    assert report["labels"] == list("0123456789")
    assert (report["recipe"], report["seed"], report["epochs"]) == ("small", 7, 4)
    assert report["parameters"] == 784 * 16 + 16 + 16 * 10 + 10
    assert report["data"]["checksums"] == dict(digits.checksums)
    assert report["data"]["published"] is False
    assert [report[part]["pictures"] for part in ("train", "validation", "test")] == [1097, 200, 500]
    assert report["calibration"]["pictures"] == 300
    assert report["calibration"]["loss"] <= report["calibration"]["loss_at_1"]


def test_the_history(finished: Path) -> None:
    rows = list(csv.DictReader((finished / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    report = report_of(finished)
    for part in ("train", "validation", "test"):
        assert float(rows[-1][f"{part}_accuracy"]) == pytest.approx(report[part]["accuracy"], abs=1e-5)


def test_the_environment(finished: Path) -> None:
    environment = json.loads((finished / "environment.json").read_text())
    assert environment["versions"]["tensorflow"] == tf.__version__
    assert environment["versions"]["numpy"] == np.__version__
    assert environment["deterministic_ops"] is True


def test_the_model_gives_what_was_reported(finished: Path, digits: DataSet) -> None:
    model = tf.saved_model.load(str(finished / "model"))
    pixels = tf.constant(digits.test_images.reshape(-1, 784) / 255, tf.float32)
    served = model.signatures["serving_default"]
    assert served.structured_input_signature[1]["pixels"].shape.as_list() == [None, 784]
    probabilities = served(pixels=pixels)["probabilities"].numpy()
    logits = model.signatures["logits"](pixels=pixels)["logits"].numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), atol=1e-6)
    report = report_of(finished)
    assert (logits.argmax(axis=1) == digits.test_labels).mean() == pytest.approx(report["test"]["accuracy"])
    picked = probabilities[np.arange(500), digits.test_labels]
    assert -np.log(picked).mean() == pytest.approx(report["test"]["loss"], abs=1e-5)


def test_the_temperature_is_the_twins(finished: Path, digits: DataSet, tmp_path: Path) -> None:
    """A run without the last 300 training pictures is the twin; its logits on them give the temperature."""
    images, labels = digits.train_images[797:1097], digits.train_labels[797:1097]
    twin_recipe = dataclasses.replace(
        RECIPE, data=Data("mnist", validation=500), calibration=Calibration()
    )  # 1,297 − 500 = 797 are left to train on, as for the twin
    run(twin_recipe, digits, tmp_path / "twin", 7, Silent())
    model = tf.saved_model.load(str(tmp_path / "twin" / "model"))
    pixels = tf.constant(images.reshape(-1, 784) / 255, tf.float32)
    logits = model.signatures["logits"](pixels=pixels)["logits"].numpy()
    assert report_of(finished)["temperature"] == pytest.approx(fit_temperature(logits, labels), abs=1e-3)


def test_the_temperature_from_the_validation_part(digits: DataSet, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, calibration=Calibration())
    watcher = Silent()
    report = run(recipe, digits, tmp_path / "run", 0, watcher)
    assert watcher.started == ["network"]
    assert report["calibration"]["pictures"] == 200
    assert report["temperature"] != 1.0
    none = dataclasses.replace(recipe, data=Data("mnist"))
    report = run(none, digits, tmp_path / "none", 0, watcher)
    assert report["temperature"] == 1.0
    assert report["calibration"]["source"] == "none"


def test_early_stopping_watches_validation_whatever_the_recipe_watches(
    digits: DataSet, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(
        RECIPE,
        training=Training(epochs=40, batch=16, watch=()),
        optimizer=Adam("adam", 0.05),
        stopping=Stopping(patience=1),
        calibration=Calibration(),
    )
    watcher = Silent()
    report = run(recipe, digits, tmp_path / "run", 0, watcher)
    assert report["epochs"] < 40
    accuracies = [row.validation_accuracy or 0 for row in watcher.rows]
    assert report["validation"]["accuracy"] == pytest.approx(max(accuracies))
    assert all(row.test_accuracy is None for row in watcher.rows)


def test_a_finished_run_is_left_alone(finished: Path, digits: DataSet) -> None:
    before = (finished / "report.json").read_bytes()
    with pytest.raises(RunError, match="finished run"):
        run(RECIPE, digits, finished, 7, Silent())
    assert (finished / "report.json").read_bytes() == before


def test_an_unfinished_run_of_another_recipe(digits: DataSet, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.with_epochs(9).to_toml())
    with pytest.raises(RunError, match="unfinished run of another recipe"):
        run(RECIPE, digits, tmp_path, 7, Silent())


def test_a_folder_that_another_run_is_at_work_in(digits: DataSet, tmp_path: Path) -> None:
    with taken(tmp_path / "run", RECIPE.to_toml()):
        with pytest.raises(RunError, match="another run is at work in it; wait"):
            run(RECIPE, digits, tmp_path / "run", 7, Silent())
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["recipe.toml"]
    with taken(tmp_path / "run", RECIPE.to_toml()):
        pass  # it is free again, and an unfinished run can go on


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        (Data("mnist"), Data("mnist", validation=200), True),
        (Data("mnist", validation=199), Data("mnist", validation=200), True),
        (Data("mnist", validation=200), Data("mnist", validation=200), False),
        (Data("mnist", train=1098), Data("mnist", validation=200), True),
        (Data("mnist", train=1097), Data("mnist", validation=200), False),
        (Data("emnist-letters"), Data("mnist", validation=200), False),
        (Data("mnist"), Data("mnist"), False),
    ],
)
def test_what_a_run_holds_out_its_start_has_not_learnt_from(
    digits: DataSet, tmp_path: Path, before: Data, now: Data, refused: bool
) -> None:
    """Of the 1,297 pictures 1,097 are left of a validation part of 200."""
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "recipe.toml").write_text(dataclasses.replace(RECIPE, data=before).to_toml())
    on = dataclasses.replace(
        RECIPE, data=now, calibration=Calibration(), start=Start((str(tmp_path / "start"),))
    )
    said = "holds out pictures that .*start" if refused else "holds no finished run"
    with pytest.raises(RunError, match=said):
        run(on, digits, tmp_path / "on", 0, Silent())


@pytest.mark.parametrize(
    ("data", "holdout", "words"),
    [
        (Data("mnist", validation=1297), 0, "1297 for validation"),
        (Data("mnist", validation=1000, train=1000), 0, "1000 pictures to train on"),
        (Data("mnist", train=300), 300, "holdout = 300"),
    ],
)
def test_more_pictures_asked_for_than_there_are(
    data: Data, holdout: int, words: str, digits: DataSet, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, data=data, calibration=Calibration(holdout))
    with pytest.raises(RunError, match=words):
        run(recipe, digits, tmp_path / "run", 0, Silent())
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_recipe_gives_the_published_run(data_set: Callable[[str], Path], tmp_path: Path) -> None:
    """Its first two epochs, in the low digits that another processor may round otherwise."""
    published = Path(__file__).parents[2] / "train" / "published" / "paper-seed0"
    recipe = dataclasses.replace(load_recipe("paper").with_epochs(2), calibration=Calibration())
    run(recipe, load_mnist(data_set("mnist")), tmp_path / "run", 0, Silent())
    found, wanted = (list(csv.DictReader((f / "history.csv").open())) for f in (tmp_path / "run", published))
    assert report_of(published)["seed"] == 0
    assert len(wanted) == 20
    for row, expected in zip(found, wanted, strict=False):
        for key in ("loss", "train_loss", "test_loss"):
            assert float(row[key]) == pytest.approx(float(expected[key]), rel=0.01)
        assert float(row["test_accuracy"]) == pytest.approx(float(expected["test_accuracy"]), abs=0.002)


KILLED = """\
[data]
set = "mnist"
[network]
kind = "mlp"
hidden = [64]
[training]
epochs = {epochs}
batch = 8
shuffle = 500
[optimizer]
kind = "adam"
rate = 0.001
"""


class Command:
    """`edgedigits-train` as a process of its own, on the small data set."""

    def __init__(self, small_mnist: Path, folder: Path, epochs: int) -> None:
        self.recipe = folder / "small.toml"
        self.recipe.write_text(KILLED.format(epochs=epochs))
        self.data = small_mnist

    def start(self, out: Path) -> subprocess.Popen[str]:
        # As the script that pip installs does it.
        program = "import sys; from edgedigits_train.cli import main; sys.exit(main())"
        arguments = [str(self.recipe), "--data", str(self.data), "--out", str(out), "--seed", "3"]
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_and_started_again_ends_with_the_same_bits(small_mnist: Path, tmp_path: Path) -> None:
    command = Command(small_mnist, tmp_path, epochs=60)
    unbroken = command.start(tmp_path / "unbroken")
    assert "test accuracy" in unbroken.communicate()[0]
    out = tmp_path / "broken"
    checkpoint = out / "checkpoint.npz"
    kills = 0
    for moment in (0.0, 0.05):
        process = command.start(out)
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        wait_for(lambda: checkpoint.exists() and checkpoint.stat().st_mtime_ns != before, process)  # noqa: B023
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills == 2
    assert not (out / "report.json").exists()
    last = command.start(out)
    _, errors = last.communicate()
    assert last.returncode == 0
    assert "epoch 1/60" not in errors  # it went on
    assert "epoch 60/60" in errors
    weights = "model/variables/variables.data-00000-of-00001"
    assert (out / weights).read_bytes() == (tmp_path / "unbroken" / weights).read_bytes()
    resumed, whole = report_of(out), report_of(tmp_path / "unbroken")
    for timed in (resumed, whole):
        del timed["seconds"]
    assert resumed == whole


@pytest.mark.slow
def test_a_full_disk_ends_with_one_line_and_a_usable_checkpoint(small_mnist: Path, tmp_path: Path) -> None:
    """The kernel refuses to let files grow (as on a full disk) once the first checkpoint is there."""
    command = Command(small_mnist, tmp_path, epochs=200)
    process = command.start(tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoint.npz"
    wait_for(checkpoint.exists, process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
    errors = process.communicate()[1]
    assert process.returncode == 1
    *progress, last = errors.strip().splitlines()
    assert last.startswith("edgedigits-train: ")
    assert "checkpoint.npz: can't write" in last
    assert not [line for line in progress if "Traceback" in line]
    # No half-written file is left.
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"recipe.toml", "checkpoint.npz"}
    # With room on the disk it goes on.
    process = command.start(tmp_path / "run")
    _, errors = process.communicate()
    assert process.returncode == 0
    assert "epoch 1/200" not in errors


@pytest.mark.slow
def test_interrupted_by_the_keyboard(small_mnist: Path, tmp_path: Path) -> None:
    process = Command(small_mnist, tmp_path, epochs=1000).start(tmp_path / "run")
    wait_for((tmp_path / "run" / "checkpoint.npz").exists, process)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors.strip().splitlines()[-1].startswith("edgedigits-train: interrupted")
