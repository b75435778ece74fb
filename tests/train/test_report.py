"""The evidence of a run: right, complete, and in one file."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from edgedigits.errors import EdgeDigitsError
from edgedigits_train import cli, networks, report, run_folder
from edgedigits_train.data import load_mnist
from edgedigits_train.loop import Epoch
from edgedigits_train.recipe import Adam, Data, Mlp, Recipe, Training
from edgedigits_train.run import run
from edgedigits_train.tensorboard import TensorBoard

FIGURES = ("accuracy", "loss", "confusion", "right", "wrong")

pytestmark = pytest.mark.usefixtures("uncompiled")


class Silent:
    """Watches, and says nothing."""

    def __init__(self) -> None:
        self.rows: list[Epoch] = []

    def start(self, what: str, out: Path) -> None:
        pass

    def epoch(self, row: Epoch) -> None:
        self.rows.append(row)


@pytest.fixture(scope="module")
def watched() -> Silent:
    return Silent()


@pytest.fixture(scope="module")
def trained(
    small_mnist: Path, tmp_path_factory: pytest.TempPathFactory, watched: Silent, uncompiled: None
) -> Path:
    """A run under the paper's name, with little training, so that there are mistakes to be seen."""
    out = tmp_path_factory.mktemp("runs") / "paper"
    recipe = Recipe("paper", Data("mnist"), Mlp("mlp", (16,)), Training(10, 64), Adam("adam", 0.002))
    run(recipe, load_mnist(small_mnist), out, 0, TensorBoard(watched))
    return out


@pytest.fixture(scope="module")
def reported(trained: Path, small_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("report") / "paper"))
    assert cli.main(["report", str(folder), "--data", str(small_mnist)]) == 0
    return folder


def contents(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "report.json").read_text()))


def test_figures(reported: Path) -> None:
    for name in FIGURES:
        with Image.open(reported / "figures" / f"{name}.png") as picture:
            picture.load()
            assert min(picture.size) > 150
            assert len(picture.convert("L").getcolors() or ()) > 10


def test_classes_counted_by_hand(reported: Path, small_mnist: Path) -> None:
    data = load_mnist(small_mnist)
    model = tf.saved_model.load(str(reported / "model"))
    pixels = tf.constant(data.test_images.reshape(-1, 784) / 255, tf.float32)
    answers = model.signatures["logits"](pixels=pixels)["logits"].numpy().argmax(axis=1)
    found = contents(reported)
    confusion = np.array(found["confusion"])
    for true in range(10):
        for answer in range(10):
            count = np.sum((data.test_labels == true) & (answers == answer))
            assert confusion[true, answer] == count
        row = found["per_class"][str(true)]
        assert row["support"] == np.sum(data.test_labels == true)
        assert row["recall"] == pytest.approx(np.mean(answers[data.test_labels == true] == true), abs=1e-4)
        assert row["precision"] == pytest.approx(np.mean(data.test_labels[answers == true] == true), abs=1e-4)
    assert np.trace(confusion) / 500 == pytest.approx(found["test"]["accuracy"])


def test_what_training_reported_is_kept(reported: Path, trained: Path) -> None:
    before, after = contents(trained), contents(reported)
    assert {key: after[key] for key in before} == before


class Links(HTMLParser):
    """Collects everything a page would load, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for key, value in attrs if key in ("src", "href", "srcset", "data")]
        assert tag not in ("script", "link", "iframe")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_run_that_was_reported_is_the_same_run_to_start_from(trained: Path, reported: Path) -> None:
    """Else a run that started from it and was interrupted could not go on."""
    network = networks.build(Mlp("mlp", (16,)), 784, 10, 0)
    folders = str(trained), str(reported)
    begun = [run_folder.begin_with(network, [folder], networks.learnt, "network") for folder in folders]
    assert begun[0][folders[0]] == begun[1][folders[1]]
    assert contents(trained) != contents(reported)


def test_the_page_stands_alone(reported: Path) -> None:
    page = Links()
    page.feed((reported / "report.html").read_text())
    assert len(page.loaded) == len(FIGURES)
    assert all(link.startswith("data:image/png;base64,") for link in page.loaded)
    found = contents(reported)
    assert f"{found['test']['accuracy']:.4f}" in page.text
    for published in ("0.9808", "0.0704", "0.976", "0.105", "0.94"):
        assert published in page.text
    for label in found["labels"]:
        assert f"{found['per_class'][label]['precision']:.4f}" in page.text


def test_the_paper_s_open_points_have_our_figures(reported: Path, watched: Silent) -> None:
    page = (reported / "report.html").read_text()
    last = watched.rows[-1]
    assert "num_classes" in page
    assert "784×784" in page
    assert (
        f"the training loss ends at {last.train_loss:.4f} and the test loss at {last.test_loss:.4f}" in page
    )
    lowest = min(watched.rows, key=lambda row: row.test_loss or 0)
    assert f"{lowest.test_loss:.4f} in epoch {lowest.epoch}" in page


def test_other_recipes_are_not_compared_with_the_paper(
    trained: Path, small_mnist: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "other"))
    (folder / "report.json").write_text(json.dumps(contents(folder) | {"recipe": "other"}))
    page = report.make_report(folder, small_mnist).read_text()
    assert "num_classes" not in page
    assert "published" not in page.replace("published accuracy", "published")


def test_refused(trained: Path, small_mnist: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeDigitsError, match=r"nowhere.*no finished run"):
        report.make_report(tmp_path / "nowhere", small_mnist)
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    changed = contents(folder)
    changed["data"]["checksums"]["t10k-images-idx3-ubyte"] = "0" * 32
    (folder / "report.json").write_text(json.dumps(changed))
    with pytest.raises(EdgeDigitsError, match="another mnist"):
        report.make_report(folder, small_mnist)
    (folder / "history.csv").write_text("epoch\n")
    with pytest.raises(EdgeDigitsError, match="its history is not whole") as caught:
        report.make_report(folder, small_mnist)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{}", "[]", '{"labels": 1}', "{", '{"labels": ["0", "1"], "epochs": 10}']
)
def test_a_report_that_is_none_is_refused_in_a_line(
    trained: Path, small_mnist: Path, tmp_path: Path, content: str
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    (folder / "report.json").write_text(content)
    with pytest.raises(EdgeDigitsError, match="run") as caught:
        report.make_report(folder, small_mnist)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["seconds", "calibration", "parameters"])
def test_a_report_that_lacks_something_is_refused_in_a_line(
    trained: Path, small_mnist: Path, tmp_path: Path, key: str
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    (folder / "report.json").write_text(json.dumps({k: v for k, v in contents(folder).items() if k != key}))
    with pytest.raises(EdgeDigitsError, match=f"its report lacks {key}"):
        report.make_report(folder, small_mnist)


def test_weights_that_are_cut_off_are_refused_in_a_line(
    trained: Path, small_mnist: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    weights = folder / "model" / "variables" / "variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(EdgeDigitsError, match="no finished run that can be loaded"):
        report.make_report(folder, small_mnist)


def test_tensorboard_logs(trained: Path, watched: Silent) -> None:
    (events,) = (trained / "logs" / "network").iterdir()
    logged: dict[tuple[str, int], float] = {}
    for record in tf.data.TFRecordDataset(str(events)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            logged[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert {tag for tag, _ in logged} == {
        "seconds", "loss", "accuracy", "train_loss", "train_accuracy", "test_loss", "test_accuracy",
    }  # fmt: skip
    for row in watched.rows:
        assert logged["test_accuracy", row.epoch] == pytest.approx(row.test_accuracy)
        assert logged["loss", row.epoch] == pytest.approx(row.loss)
    assert re.match(r"events\.out\.tfevents", events.name)
