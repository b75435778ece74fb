"""The loop: it computes what the textbook says, and stops, resumes and averages as the recipe says."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from edgedigits.errors import OutputError
from edgedigits_train import networks
from edgedigits_train.data import DataSet, load_mnist
from edgedigits_train.loop import Epoch, Loop, Part, TrainingError, history_csv, rates, train
from edgedigits_train.order import epoch_order
from edgedigits_train.recipe import (
    Adam,
    Averaging,
    Data,
    Mlp,
    Recipe,
    Schedule,
    Sgd,
    Stopping,
    Training,
)  # fmt: skip

NETWORK = Mlp("mlp", hidden=(12,), activation="sigmoid", weight_sigma=0.2, bias_sigma=0.1)


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "data": Data("mnist"),
        "network": NETWORK,
        "training": Training(epochs=3, batch=64),
        "optimizer": Adam("adam", 0.01),
    }
    return Recipe("test", **(settings | changes))


@pytest.fixture(scope="session")
def digits(small_mnist: Path) -> DataSet:
    return load_mnist(small_mnist)


@pytest.fixture(scope="session")
def learnt(digits: DataSet) -> Part:
    return Part(digits.train_images.reshape(-1, 784), digits.train_labels.astype(np.int32))


@pytest.fixture(scope="session")
def unseen(digits: DataSet) -> Part:
    return Part(digits.test_images.reshape(-1, 784), digits.test_labels.astype(np.int32))


def loop_of(some: Recipe, seed: int = 0, compiled: bool = False) -> Loop:
    """A loop; without XLA where compiling would take longer than the test's few steps."""
    network = networks.build(some.network, 784, 10, seed)
    network.compiled = compiled
    return Loop(network, some, classes=10)


def weights(loop: Loop) -> list[npt.NDArray[np.float32]]:
    return [variable.numpy() for variable in loop.network.variables]


def sigmoid(z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1 / (1 + np.exp(-z))


class Textbook:
    """Backpropagation by hand, in float64: one hidden sigmoid layer."""

    def __init__(self, loop: Loop) -> None:
        (hidden, last) = loop.network.layers
        variables = (hidden.weights, hidden.bias, last.weights, last.bias)
        self.values = [v.numpy().astype(np.float64) for v in variables]

    def forward(self, images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], ...]:
        w1, b1, w2, b2 = self.values
        x = images / 255
        h = sigmoid(x @ w1 + b1)
        return x, h, h @ w2 + b2

    def gradients(
        self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], loss: str
    ) -> tuple[float, list[npt.NDArray[np.float64]]]:
        x, h, z = self.forward(images)
        y = np.eye(10)[labels]
        if loss == "quadratic":
            a = sigmoid(z)
            value, delta = 0.5 * ((a - y) ** 2).sum(axis=1).mean(), (a - y) * a * (1 - a)
        else:
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            value, delta = -np.log(p[np.arange(len(y)), labels]).mean(), p - y
        delta = delta / len(y)
        back = (delta @ self.values[2].T) * h * (1 - h)
        return float(value), [x.T @ back, back.sum(axis=0), h.T @ delta, delta.sum(axis=0)]


@pytest.mark.parametrize(
    ("loss", "kind", "compiled"),
    [
        ("cross-entropy", "adam", True),
        ("cross-entropy", "adam", False),
        ("quadratic", "sgd", True),
        ("quadratic", "sgd", False),
        ("cross-entropy", "momentum", False),
        ("cross-entropy", "decay", True),
    ],
)
def test_an_epoch_is_that_of_the_textbook(loss: Any, kind: str, compiled: bool, learnt: Part) -> None:
    rate, decay = (0.01, 0.1) if kind in ("adam", "decay") else (0.5, 0.0)
    optimizer = (
        Adam("adam", rate, weight_decay=decay if kind == "decay" else 0.0)
        if kind in ("adam", "decay")
        else Sgd("sgd", rate, momentum=0.9 if kind == "momentum" else 0.0)
    )
    # 1,297 pictures in batches of 100: the last batch has 97 and must count as such.
    some = recipe(training=Training(epochs=1, batch=100, loss=loss), optimizer=optimizer)
    loop = loop_of(some, compiled=compiled)
    book = Textbook(loop)
    (row,) = train(loop, learnt, {}, seed=5)

    first = [np.zeros_like(v) for v in book.values]
    second = [np.zeros_like(v) for v in book.values]
    order = epoch_order(len(learnt), "full", seed=5, epoch=1)
    total, right = 0.0, 0
    for step, start in enumerate(range(0, len(order), 100), 1):
        chosen = order[start : start + 100]
        right += int((book.forward(learnt.images[chosen])[2].argmax(axis=1) == learnt.targets[chosen]).sum())
        value, gradients = book.gradients(learnt.images[chosen], learnt.targets[chosen], loss)
        total += value * len(chosen)
        for i, g in enumerate(gradients):
            if kind in ("sgd", "momentum"):
                first[i] = (0.9 if kind == "momentum" else 0) * first[i] - rate * g
                book.values[i] += first[i]
                continue
            if kind == "decay" and i in (0, 2):
                book.values[i] *= 1 - rate * decay
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g**2
            scale = math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            book.values[i] -= rate * scale * first[i] / (np.sqrt(second[i]) + 1e-7)
    assert step == 13
    assert row.loss == pytest.approx(total / len(order), rel=1e-4)
    assert row.accuracy == pytest.approx(right / len(order), abs=2 / len(order))
    for found, expected in zip(Textbook(loop).values, book.values, strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_measured_is_that_of_the_textbook(unseen: Part) -> None:
    loop = loop_of(recipe())
    book = Textbook(loop)
    value, _ = book.gradients(unseen.images, unseen.targets, "cross-entropy")
    right = (book.forward(unseen.images)[2].argmax(axis=1) == unseen.targets).mean()
    loss, accuracy = loop.measure(unseen)
    assert loss == pytest.approx(value, rel=1e-5)
    assert accuracy == pytest.approx(right)


def test_measuring_in_pieces(unseen: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = loop_of(recipe())
    whole = loop.measure(unseen)
    monkeypatch.setattr("edgedigits_train.loop.MEASURED_AT_ONCE", 133)
    assert loop.measure(unseen) == pytest.approx(whole)


def test_it_learns(learnt: Part, unseen: Part) -> None:
    history = train(loop_of(recipe(training=Training(20, 32))), learnt, {"test": unseen}, seed=0)
    assert history[-1].test_accuracy is not None
    assert history[-1].test_accuracy > 0.88
    assert history[-1].loss < history[0].loss
    assert [row.epoch for row in history] == list(range(1, 21))


def test_the_seed_decides(learnt: Part) -> None:
    def trained(build_seed: int, order_seed: int) -> list[npt.NDArray[np.float32]]:
        loop = loop_of(recipe(), build_seed)
        train(loop, learnt, {}, order_seed)
        return weights(loop)

    first = trained(1, 1)
    for a, b in zip(first, trained(1, 1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[-1], trained(2, 1)[-1])
    assert not np.array_equal(first[-1], trained(1, 2)[-1])


def test_first_weights() -> None:
    paper = networks.build(Mlp("mlp", (128,)), 784, 10, seed=0)
    assert networks.parameters(paper) == 101_770
    hidden = paper.layers[0]
    # A normal distribution of sigma 0.1, truncated at two sigma, has the standard deviation 0.08796.
    assert np.std(hidden.weights) == pytest.approx(0.08796, rel=0.01)
    assert np.abs(hidden.weights).max() <= 0.2
    assert not hidden.bias.numpy().any()
    other = networks.build(Mlp("mlp", (30,), "sigmoid", "normal", 1.0, 1.0), 784, 10, seed=0)
    assert np.std(other.layers[0].weights) == pytest.approx(1, rel=0.02)
    assert np.abs(other.layers[0].weights).max() > 3
    assert np.std(other.layers[0].bias) == pytest.approx(1, rel=0.4)


def test_resumed_is_bit_for_bit_the_same(learnt: Part, unseen: Part, tmp_path: Path) -> None:
    some = recipe(
        training=Training(epochs=5, batch=64, shuffle=100),
        schedule=Schedule("cosine", warmup=1),
        averaging=Averaging(0.9),
        optimizer=Sgd("sgd", 0.1, momentum=0.9),
    )
    through = loop_of(some, compiled=True)
    whole = train(through, learnt, {"test": unseen}, seed=2)

    class Killed(Exception):  # noqa: N818
        pass

    def killer(row: Epoch) -> None:
        if row.epoch == 3:
            raise Killed

    interrupted = loop_of(some, compiled=True)
    with pytest.raises(Killed):
        train(interrupted, learnt, {"test": unseen}, 2, saved=tmp_path / "c.npz", on_epoch=killer)
    seen: list[Epoch] = []
    resumed = loop_of(some, seed=9, compiled=True)  # whatever it started from
    history = train(resumed, learnt, {"test": unseen}, 2, saved=tmp_path / "c.npz", on_epoch=seen.append)
    assert [row.epoch for row in seen] == [4, 5]
    untimed = [dataclasses.replace(row, seconds=0) for row in history]
    assert untimed == [dataclasses.replace(row, seconds=0) for row in whole]
    for a, b in zip(weights(through), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_of_another_run_is_refused(learnt: Part, tmp_path: Path) -> None:
    saved = tmp_path / "c.npz"
    train(loop_of(recipe()), learnt, {}, 1, saved=saved, identity={"recipe": "a"})
    for seed, name in ((2, "a"), (1, "b")):
        with pytest.raises(TrainingError, match="another run"):
            train(loop_of(recipe()), learnt, {}, seed, saved=saved, identity={"recipe": name})
    smaller = recipe(network=dataclasses.replace(NETWORK, hidden=(11,)))
    with pytest.raises(TrainingError, match="another network"):
        train(loop_of(smaller), learnt, {}, 1, saved=saved, identity={"recipe": "a"})


def test_not_a_number_stops_the_run(learnt: Part, tmp_path: Path) -> None:
    """The targets of one picture are no numbers in the third epoch: its step is named, epoch 2 is kept."""
    some = recipe(training=Training(epochs=5, batch=64, shuffle=1))  # in the order given
    targets = np.eye(10, dtype=np.float32)[learnt.targets]

    def poisoned(epoch: int) -> Part:
        mine = targets.copy()
        if epoch == 3:
            mine[130] = np.nan
        return Part(learnt.images, mine)

    saved = tmp_path / "c.npz"
    with pytest.raises(TrainingError, match=r"step 3 of epoch 3.*rate.*epoch 2 is kept") as caught:
        train(loop_of(some), poisoned, {}, 0, saved=saved)
    assert "\n" not in str(caught.value)
    loop = loop_of(some)
    history = train(loop, Part(learnt.images, targets), {}, 0, saved=saved)
    assert [row.epoch for row in history] == [1, 2, 3, 4, 5]
    assert all(np.isfinite(w).all() for w in weights(loop))


def test_weights_that_break_in_the_last_step(learnt: Part, tmp_path: Path) -> None:
    """The one step's own loss is still a number; what it leaves is not, and no checkpoint is made of it."""
    some = recipe(training=Training(1, batch=2000), optimizer=Sgd("sgd", 1e30, weight_decay=1e30))
    with pytest.raises(TrainingError, match="step 1 of epoch 1"):
        train(loop_of(some), learnt, {}, 0, saved=tmp_path / "c.npz")
    assert not (tmp_path / "c.npz").exists()


def test_a_checkpoint_that_cannot_be_written(learnt: Part, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="gone"):
        train(loop_of(recipe()), learnt, {}, 0, saved=tmp_path / "gone" / "c.npz")


def test_pictures_that_differ_from_epoch_to_epoch(learnt: Part) -> None:
    some = recipe(training=Training(epochs=2, batch=64))
    asked = []

    def pictures(epoch: int) -> Part:
        asked.append(epoch)
        return Part(np.roll(learnt.images, epoch, axis=1), learnt.targets)

    loop = loop_of(some)
    train(loop, pictures, {}, 0)
    assert asked == [1, 2]
    shifted = loop_of(some)
    train(shifted, pictures(1), {}, 0)
    assert not np.array_equal(weights(loop)[0], weights(shifted)[0])
    # The first epoch of the two is the same.
    one = recipe(training=Training(epochs=1, batch=64))
    first, same = loop_of(one), loop_of(one)
    train(first, pictures, {}, 0)
    train(same, pictures(1), {}, 0)
    np.testing.assert_array_equal(weights(first)[0], weights(same)[0])


def test_an_error_in_making_pictures_is_not_lost(learnt: Part) -> None:
    def pictures(epoch: int) -> Part:
        if epoch == 2:
            raise OutputError("no ink left")
        return learnt

    with pytest.raises(OutputError, match="no ink left"):
        train(loop_of(recipe()), pictures, {}, 0)


def test_probabilities_as_targets(learnt: Part) -> None:
    some = recipe(training=Training(epochs=1, batch=64))
    hard, soft = loop_of(some), loop_of(some)
    train(hard, learnt, {}, 0)
    train(soft, Part(learnt.images, np.eye(10, dtype=np.float32)[learnt.targets]), {}, 0)
    for a, b in zip(weights(hard), weights(soft), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_averaging(learnt: Part, unseen: Part) -> None:
    """One step: the average is the share of the first weights that is kept, and the rest of the new."""
    one = Training(epochs=1, batch=2000)
    plain = loop_of(recipe(training=one))
    before = weights(plain)
    train(plain, learnt, {}, 0)
    averaged = loop_of(recipe(training=one, averaging=Averaging(0.75)))
    (row,) = train(averaged, learnt, {"test": unseen}, 0)
    for start, end, mean in zip(before, weights(plain), weights(averaged), strict=True):
        np.testing.assert_allclose(mean, 0.75 * start + 0.25 * end, atol=1e-6)
    assert row.test_accuracy == averaged.measure(unseen)[1]


def test_early_stopping_keeps_the_best_epoch(learnt: Part, unseen: Part, tmp_path: Path) -> None:
    # A rate that doubles the weights' noise at every step soon makes it worse.
    some = recipe(
        data=Data("mnist", validation=1),
        training=Training(epochs=60, batch=16),
        optimizer=Adam("adam", 0.03),
        stopping=Stopping(patience=2),
    )
    loop = loop_of(some)
    history = train(loop, learnt, {"validation": unseen}, 0, saved=tmp_path / "c.npz")
    accuracies = [row.validation_accuracy or 0 for row in history]
    best = int(np.argmax(accuracies))
    assert len(history) < 60
    assert len(history) == best + 3
    assert loop.measure(unseen)[1] == pytest.approx(max(accuracies))
    # Started again, it neither goes on nor forgets which epoch was the best.
    again = loop_of(some)
    assert train(again, learnt, {"validation": unseen}, 0, saved=tmp_path / "c.npz") == history
    for a, b in zip(weights(loop), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rates() -> None:
    np.testing.assert_allclose(rates(Schedule(), 0.1, 3, 10, 4), [0.1] * 4)
    whole = np.concatenate([rates(Schedule("cosine"), 0.1, epoch, 10, 4) for epoch in range(1, 11)])
    np.testing.assert_allclose(whole, 0.05 * (1 + np.cos(np.pi * np.arange(40) / 40)), rtol=1e-6, atol=1e-9)
    warm = np.concatenate([rates(Schedule("cosine", 2), 0.1, epoch, 10, 4) for epoch in range(1, 11)])
    np.testing.assert_allclose(warm[:8], 0.1 * np.arange(1, 9) / 8, rtol=1e-6)
    assert warm[8] == pytest.approx(0.1)
    assert (np.diff(warm[8:]) < 0).all()


def test_the_rate_of_the_schedule_is_the_one_used(learnt: Part) -> None:
    """A step of plain descent moves the weights by rate × gradient: half the rate, half the way."""
    one = Training(epochs=1, batch=2000)
    full = recipe(training=one, optimizer=Sgd("sgd", 0.5))
    # With a warm-up of two epochs of one step, the first step has half the rate.
    half = recipe(training=one, optimizer=Sgd("sgd", 0.5), schedule=Schedule("constant", warmup=2))
    a, b = loop_of(full), loop_of(half)
    before = weights(a)
    train(a, learnt, {}, 0)
    train(b, learnt, {}, 0)
    for start, far, near in zip(before, weights(a), weights(b), strict=True):
        np.testing.assert_allclose(near - start, (far - start) / 2, atol=1e-6)


def test_history_as_a_table() -> None:
    rows = [Epoch(1, 0.5, 0.25, 0.9, test_loss=1 / 3, test_accuracy=0.75)]
    lines = history_csv(rows).decode().splitlines()
    assert lines[0].split(",")[:4] == ["epoch", "seconds", "loss", "accuracy"]
    assert lines[1] == "1,0.5,0.25,0.9,,,,,0.333333,0.75"


def test_the_epoch_is_one_compiled_program(learnt: Part) -> None:
    loop = loop_of(recipe())
    train(loop, learnt, {}, 0)
    assert loop.epoch.experimental_get_tracing_count() == 1
    assert isinstance(loop.optimizer, tf.keras.optimizers.Adam)
