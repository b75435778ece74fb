"""The convolutional network, runs on digits drawn anew, and learning from a teacher."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from edgedigits_train import networks, report, run, run_folder
from edgedigits_train.data import NOT_A_DIGIT, load_mnist, with_negatives
from edgedigits_train.recipe import (
    Calibration,
    Distillation,
    Recipe,
    RecipeError,
    Start,
    load_recipe,
    recipe_from_text,
)

SMALL = """
[data]
set = "mnist"
validation = 97

[network]
kind = "cnn"
filters = [8, 16]
kernels = [3, 3]
strides = [2, 2]
edges = ["same", "valid"]

[training]
epochs = 6
batch = 50
watch = ["validation"]

[optimizer]
kind = "adam"
rate = 0.01
weight_decay = 0.01

[averaging]
decay = 0.9

[augmentation]
variants = 2
plain = 0.5
elastic = 1.0
camera = 0.3
junk = 100
"""


class Quiet:
    """Watches nothing."""

    def start(self, what: str, out: Path) -> None: ...

    def epoch(self, row: object) -> None: ...


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return recipe_from_text(SMALL, "small.toml", "small")


@pytest.fixture(scope="module")
def finished(
    recipe: Recipe, small_mnist: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, object]]:
    """A finished run of the small network on the small set, with an eleventh class."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "negatives").mkdir()
    things = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    np.savez(folder / "negatives" / "fashion.npz", images=things)
    data = with_negatives(load_mnist(small_mnist), folder)
    return folder / "small", run.run(recipe, data, folder / "small", 0, Quiet())


def test_epochs_in_a_row_may_take_the_same_pictures(recipe: Recipe, small_mnist: Path):
    twice = dataclasses.replace(
        recipe, augmentation=dataclasses.replace(recipe.augmentation, reuse=2, fresh=0.5, junk=0)
    )
    data = load_mnist(small_mnist)
    learnt = run.part_data(data, twice).train
    with run.pictures_of(twice, data, learnt, 0) as of_epoch:
        assert callable(of_epoch)
        first, second, third = of_epoch(1), of_epoch(2), of_epoch(3)
    assert np.array_equal(first.images, second.images)
    assert (first.images != third.images).any(axis=1).mean() > 0.5
    with run.pictures_of(twice, data, learnt, 0) as of_epoch:
        assert callable(of_epoch)
        assert np.array_equal(of_epoch(4).images, third.images)  # as a run that goes on there has them


def test_compact_is_small_enough():
    network = networks.build(load_recipe("compact").network, 784, 11, 0)
    assert networks.parameters(network) <= 100_000
    assert network(tf.zeros((3, 784))).shape == (3, 11)


def test_the_first_values_follow_from_the_seed(recipe):
    one, same, other = (networks.build(recipe.network, 784, 11, seed) for seed in (1, 1, 2))
    pixels = tf.random.stateless_uniform((4, 784), (0, 0))
    assert np.array_equal(one(pixels), same(pixels))
    assert not np.allclose(one(pixels), other(pixels))


def test_batch_normalization_is_folded_into_the_convolution():
    layer = networks.Convolution(tf.random.stateless_normal((3, 3, 2, 5), (0, 1)), 2, "same")
    values = 3 + tf.random.stateless_normal((64, 9, 9, 2), (0, 2))
    layer.gain.assign([0.5, 1, 1.5, 2, -1])
    layer.bias.assign([0.0, 1, -1, 0.5, 2])
    for _ in range(400):
        trained = layer(values, training=True)
    # Once the running figures are the batch's own, both ways give the same; the batch's variance is the
    # biased one, the running one is not.
    np.testing.assert_allclose(layer(values), trained, atol=2e-3)
    plain = tf.nn.conv2d(values, layer.kernel, 2, "SAME")
    expected = tf.nn.batch_normalization(
        plain, layer.mean, layer.variance, layer.bias, layer.gain, layer.EPSILON
    )
    np.testing.assert_allclose(layer(values), tf.nn.relu(expected), atol=1e-4)


def test_a_run_learns_eleven_classes_from_digits_drawn_anew(finished):
    folder, report = finished
    assert report["labels"] == [*"0123456789", NOT_A_DIGIT]
    assert report["test"]["accuracy"] > 0.8
    assert "augmented" in report["calibration"]["source"]
    assert report["temperature"] != 1
    assert "negatives/fashion.npz images" in report["data"]["checksums"]
    assert not list(folder.glob("checkpoint*"))
    network, labels = run_folder.load_run(folder)
    assert labels == tuple(report["labels"])
    assert network(tf.zeros((2, 784))).shape == (2, 11)


def test_the_exported_flatten_leaves_no_shape_arithmetic(finished):
    served = tf.saved_model.load(str(finished[0] / "model"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([served.signatures["logits"]], served)
    content = converter.convert()
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert operations <= {"RESHAPE", "CONV_2D", "FULLY_CONNECTED", "DELEGATE"}
    assert {"CONV_2D", "FULLY_CONNECTED"} <= operations


def answers(teacher: Path, part: run.Part, temperature: float = 1.0) -> np.ndarray:
    """What a finished run's network makes of pictures, among the ten digits."""
    network, _ = run_folder.load_run(teacher)
    logits = network(tf.constant(part.images, tf.float32) / 255.0)[:, :10]
    return tf.nn.softmax(logits / temperature).numpy()


def test_a_teacher_s_answers_are_mixed_into_the_labels_where_it_is_right(finished, small_mnist, recipe):
    data = load_mnist(small_mnist)
    part = run.part_data(data, recipe).train
    few = dataclasses.replace(part, images=part.images[:200], targets=part.targets[:200].copy())
    few.targets[:3] = (few.targets[:3] + 1) % 10
    own = np.eye(10, dtype=np.float32)[few.targets]

    def targets(weight: float, temperature: float = 1.0) -> np.ndarray:
        distillation = Distillation((str(finished[0]),), weight, temperature)
        return run._taught(dataclasses.replace(recipe, distillation=distillation), data, few).targets

    right = answers(finished[0], few).argmax(axis=1) == few.targets
    assert 0.8 < right.mean() < 1
    assert np.array_equal(targets(0.0), own)
    for temperature in (1.0, 4.0):
        taught = targets(0.75, temperature)
        mixed = 0.25 * own + 0.75 * answers(finished[0], few, temperature)
        np.testing.assert_allclose(taught, np.where(right[:, None], mixed, own), atol=1e-6)


def test_of_several_teachers_the_mean_answer_counts(finished, small_mnist, recipe, tmp_path):
    data = load_mnist(small_mnist)
    part = run.part_data(data, recipe).validation
    teachers = finished[0], tmp_path / "second"
    run.run(recipe.with_epochs(1), with_negatives(data, finished[0].parent), teachers[1], 1, Quiet())

    def targets(*teachers: Path) -> np.ndarray:
        distillation = Distillation(tuple(map(str, teachers)), 1.0)
        return run._taught(dataclasses.replace(recipe, distillation=distillation), data, part).targets

    mean = np.mean([answers(teacher, part) for teacher in teachers], axis=0)
    right = mean.argmax(axis=1) == part.targets
    np.testing.assert_allclose(targets(*teachers)[right], mean[right], atol=1e-6)
    assert not np.allclose(targets(teachers[0])[right], mean[right], atol=0.01)
    with pytest.raises(run_folder.RunError, match="no teachers; name their run folders"):
        targets()


def test_a_teacher_that_is_not_there_is_named(recipe, small_mnist, tmp_path):
    data = load_mnist(small_mnist)
    part = run.part_data(data, recipe).validation
    distillation = Distillation((str(tmp_path / "nobody"),), 1.0)
    with pytest.raises(run_folder.RunError, match="nobody: holds no finished run"):
        run._taught(dataclasses.replace(recipe, distillation=distillation), data, part)
    (tmp_path / "nobody").mkdir()
    (tmp_path / "nobody" / "report.json").write_text(json.dumps({"labels": ["0"]}))
    with pytest.raises(run_folder.RunError, match="nobody: holds no finished run"):
        run._taught(dataclasses.replace(recipe, distillation=distillation), data, part)


def test_a_run_may_start_from_a_finished_one(finished, small_mnist, recipe, tmp_path):
    data = with_negatives(load_mnist(small_mnist), finished[0].parent)
    slow = dataclasses.replace(recipe.optimizer, rate=1e-6)
    start = Start((str(finished[0].with_name("{seed}")),))
    shutil.copytree(finished[0], finished[0].with_name("7"))
    further = dataclasses.replace(recipe.with_epochs(1), optimizer=slow, start=start)
    report = run.run(further, data, tmp_path / "further", 7, Quiet())
    assert abs(report["test"]["accuracy"] - finished[1]["test"]["accuracy"]) < 0.02
    checksum = hashlib.sha256((finished[0] / "report.json").read_bytes()).hexdigest()
    assert report["start"] == {str(finished[0].with_name("7")): checksum}
    with pytest.raises(run_folder.RunError, match="8: holds no finished run of a network to start from"):
        run.run(further, data, tmp_path / "none", 8, Quiet())
    wider = dataclasses.replace(further, network=dataclasses.replace(recipe.network, filters=(8, 20)))
    with pytest.raises(run_folder.RunError, match="its network has another shape"):
        run.run(wider, data, tmp_path / "wider", 7, Quiet())
    twin = dataclasses.replace(further, calibration=Calibration(holdout=50))
    with pytest.raises(run_folder.RunError, match="leave out \\[start\\], or set holdout = 0"):
        run.run(twin, data, tmp_path / "twin", 7, Quiet())


def test_without_epochs_a_run_is_the_mean_of_those_it_starts_from(finished, small_mnist, recipe, tmp_path):
    data = with_negatives(load_mnist(small_mnist), finished[0].parent)
    first = finished[0]
    further = dataclasses.replace(recipe.with_epochs(1), start=Start((str(first),)))
    run.run(further, data, tmp_path / "second", 1, Quiet())
    both = Start((str(first), str(tmp_path / "second")))
    mean = dataclasses.replace(recipe.with_epochs(0), start=both)
    made = run.run(mean, data, tmp_path / "mean", 0, Quiet())
    assert (made["epochs"], list(made["start"])) == (0, list(both.runs))
    assert made["temperature"] != 1.0
    kernels = [
        tf.saved_model.load(str(folder / "model")).network.layers[0].kernel.numpy()
        for folder in (first, tmp_path / "second", tmp_path / "mean")
    ]
    np.testing.assert_allclose(kernels[2], (kernels[0] + kernels[1]) / 2, atol=1e-6)
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-3
    # Its report has what there is: no curves. (What it was trained on is found again, negatives and all.)
    shutil.copytree(small_mnist, tmp_path / "data")
    shutil.copytree(first.parent / "negatives", tmp_path / "data" / "negatives")
    page = report.make_report(tmp_path / "mean", tmp_path / "data")
    assert "the mean of" in page.read_text("utf-8")
    assert sorted(file.name for file in (page.parent / "figures").iterdir()) == [
        "confusion.png",
        "right.png",
        "wrong.png",
    ]


def test_no_epochs_from_nothing_is_no_recipe():
    with pytest.raises(RecipeError, match=r"line 14: \[training\] epochs = 0 trains nothing"):
        recipe_from_text(SMALL.replace("epochs = 6", "epochs = 0"), "small.toml", "small")


def test_convolutions_that_leave_nothing_of_a_picture_are_refused(small_mnist: Path, tmp_path: Path) -> None:
    text = SMALL.replace("kernels = [3, 3]", "kernels = [3, 15]").replace("junk = 100\n", "")
    wide = recipe_from_text(text, "wide.toml", "wide")
    with pytest.raises(RecipeError, match=r"wide: .* convolution 2 has a window of 15 pixels where 14 are"):
        run.run(wide, load_mnist(small_mnist), tmp_path / "run", 0, Quiet())
    assert not (tmp_path / "run").exists()  # where the recipe that is put right may run
