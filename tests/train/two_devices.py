"""A convolutional network trained on two devices of one host, by a process that has them: of test_devices.py.

    python two_devices.py MNIST_FOLDER OUT

Writes to the folder OUT, each array once for each device: `step.npz`, what one step on `BATCH` pictures makes
of the first layer's running figures, beside its `first` kernel; `whole.npz` and `resumed.npz`, all state
after `EPOCHS` epochs, in one go and from the checkpoint before the last; and `history.csv`. The last batch
of an epoch is of one picture: one of the devices has none of it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from edgedigits_train import networks
from edgedigits_train.data import load_mnist
from edgedigits_train.loop import Epoch, Loop, Part, history_csv, train
from edgedigits_train.recipe import Adam, Averaging, Cnn, Data, Recipe, Schedule, Training

BATCH, COUNT, EPOCHS = 32, 641, 4
DEVICES = ("CPU:0", "CPU:1")


def recipe(epochs: int = EPOCHS, averaging: float = 0.9) -> Recipe:
    """Return a recipe for a tiny network with all that `compact` uses."""
    return Recipe(
        "tiny",
        data=Data("mnist"),
        network=Cnn("cnn", filters=(4, 8), kernels=(3, 3), strides=(2, 2), edges=("same", "valid")),
        training=Training(epochs=epochs, batch=BATCH, watch=("test",)),
        optimizer=Adam("adam", 0.01, weight_decay=0.01),
        schedule=Schedule(),
        averaging=Averaging(averaging),
    )


def on_each(values: Mapping[str, tf.Variable]) -> dict[str, np.ndarray]:
    """Return every variable as [device, …]."""
    local = tf.distribute.get_strategy().experimental_local_results
    return {name: np.stack([copy.numpy() for copy in local(value)]) for name, value in values.items()}


def main(mnist: Path, out: Path) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * len(DEVICES))
    strategy = tf.distribute.MirroredStrategy(DEVICES)
    assert strategy.num_replicas_in_sync == len(DEVICES)
    digits = load_mnist(mnist)
    images, labels = digits.train_images.reshape(-1, 784), digits.train_labels.astype(np.int32)
    unseen = Part(digits.test_images.reshape(-1, 784), digits.test_labels.astype(np.int32))

    def trained(of: Recipe, count: int, saved: Path) -> Loop:
        def on_epoch(row: Epoch) -> None:
            if row.epoch == EPOCHS - 1:
                shutil.copy(saved, out / "before-the-last")

        loop = Loop(networks.build(of.network, 784, 10, seed=0), of, classes=10)
        part = Part(images[:count], labels[:count])
        history = train(loop, part, {"test": unseen}, 0, saved=saved, on_epoch=on_epoch)
        (out / "history.csv").write_bytes(history_csv(history))
        return loop

    with strategy.scope():
        first = networks.build(recipe().network, 784, 10, seed=0).layers[0].kernel
        layer = trained(recipe(1, averaging=0.0), BATCH, out / "step").network.layers[0]
        figures = on_each({"mean": layer.mean, "variance": layer.variance, "first": first})
        np.savez(out / "step.npz", **figures)
        for name, saved in (("whole", "checkpoint"), ("resumed", "before-the-last")):
            loop = trained(recipe(), COUNT, out / saved)
            np.savez(out / f"{name}.npz", **on_each(dict(loop._state_variables())))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
