"""What training costs: an eager loop, a compiled step, Keras' fit, NumPy, and this project's loop.

    python tests/bench/bench_training.py [paper|sigmoid] [--data DIR] [--pictures N] [--turns N] [--json FILE]

`paper` is 784 → 128 ReLU → 10, Adam, batches of 256 of 60,000 pictures; `sigmoid` is 784 → 30 → 10 sigmoid
neurons, quadratic cost, plain descent, batches of 10, of the first 5,000 pictures (`--pictures`): the recipes
`paper` and `sigmoid-30e`. All ways train the same network in one process, turn by turn, every other turn in
the opposite order, so that they share what else the machine is doing. Each gets one turn of warm-up (tracing,
compiling); then its time is divided by that of this project's loop in the same turn, and the median of these
ratios is given with their quartiles: of the time that passed, and of the processor's. A turn is an epoch of
those pictures with all that it takes: shuffling, reading batches, the steps. As in the command, small steps
are left to one thread of TensorFlow's (`devices.settle_threads`), whichever way takes them. Nothing is
measured on test data meanwhile. JAX, as a peer from an environment of its own, is timed by peer_jax.py.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from edgedigits_train import devices, networks
from edgedigits_train.data import load_mnist
from edgedigits_train.loop import Loop, Part, losses, rates
from edgedigits_train.order import epoch_order
from edgedigits_train.recipe import load_recipe
from edgedigits_train.run import environment, part_data

EAGER, OURS = "an eager loop", "edgedigits"

EpochOf = Callable[[int], float]
"""The number of the epoch → the mean loss of its steps; training goes on from call to call."""


class Job:
    """A recipe's network, its pictures, and what the usual ways of training it need."""

    def __init__(self, name: str, data: Path | None, pictures: int | None = None) -> None:
        self.recipe = load_recipe(name)
        devices.settle_threads(self.recipe, 784, 10)
        whole = part_data(load_mnist(data), self.recipe).train
        self.part = Part(whole.images[:pictures], whole.targets[:pictures])
        self.batch = self.recipe.training.batch

    def network(self) -> networks.Network:
        """Return the network with its first weights."""
        return networks.build(self.recipe.network, 784, 10, seed=0)

    def optimizer(self) -> Any:
        """Return Keras' optimizer for it."""
        kinds = {"adam": tf.keras.optimizers.Adam, "sgd": tf.keras.optimizers.SGD}
        return kinds[self.recipe.optimizer.kind](self.recipe.optimizer.rate)

    def loss(self, logits: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        """Return the mean loss of a batch."""
        return tf.reduce_mean(losses(self.recipe.training.loss, logits, wanted))

    def dataset(self) -> tf.data.Dataset:
        """Return the usual input pipeline: shuffle buffer, batches, pixels / 255, one-hot labels."""
        pixels = tf.constant(self.part.images, tf.float32) / 255.0
        labels = tf.one_hot(self.part.targets, 10)
        shuffle = self.recipe.training.shuffle
        buffer = len(self.part) if shuffle == "full" else shuffle
        return tf.data.Dataset.from_tensor_slices((pixels, labels)).shuffle(buffer, seed=0).batch(self.batch)


def stepwise(
    job: Job, compile_step: Callable[[Callable[..., tf.Tensor]], Callable[..., tf.Tensor]]
) -> EpochOf:
    """A Python loop over batches with GradientTape and an optimizer, as the paper prints it."""
    batches, model, optimizer = job.dataset(), job.network(), job.optimizer()
    variables = model.trainable_variables
    optimizer.build(variables)

    def step(pixels: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = job.loss(model(pixels), labels)
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    step = compile_step(step)

    def epoch(_: int) -> float:
        return float(tf.reduce_mean([step(pixels, labels) for pixels, labels in batches]))

    return epoch


def keras_fit(job: Job) -> EpochOf:
    """Keras' own loop with its defaults, on the same input pipeline and the same first weights."""
    settings = job.recipe.network
    layers = [tf.keras.layers.Dense(size, settings.activation) for size in settings.hidden]
    model = tf.keras.Sequential([tf.keras.layers.Input((784,)), *layers, tf.keras.layers.Dense(10)])
    first = job.network().layers
    model.set_weights([values.numpy() for layer in first for values in (layer.weights, layer.bias)])
    model.compile(job.optimizer(), lambda wanted, logits: job.loss(logits, wanted))
    batches = job.dataset()

    def epoch(_: int) -> float:
        return float(model.fit(batches, verbose=0).history["loss"][0])

    return epoch


def vectorized_numpy(job: Job) -> EpochOf:
    """The textbook's formulas in NumPy, a mini-batch at a time; for plain descent on sigmoid neurons."""
    layers = job.network().layers
    w1, b1, w2, b2 = (v.numpy() for layer in layers for v in (layer.weights, layer.bias))
    rate = np.float32(job.recipe.optimizer.rate / job.batch)
    pixels = (job.part.images / 255).astype(np.float32)
    labels = np.eye(10, dtype=np.float32)[job.part.targets]
    count = len(pixels)

    def epoch(number: int) -> float:
        order = epoch_order(count, job.recipe.training.shuffle, 0, number)
        total = 0.0
        for start in range(0, count, job.batch):
            chosen = order[start : start + job.batch]
            x, y = pixels[chosen], labels[chosen]
            h = 1 / (1 + np.exp(-(x @ w1 + b1)))
            a = 1 / (1 + np.exp(-(h @ w2 + b2)))
            error = a - y
            total += 0.5 * float(np.vdot(error, error))
            delta = error * a * (1 - a)
            back = (delta @ w2.T) * h * (1 - h)
            w2[:] -= rate * (h.T @ delta)
            b2[:] -= rate * delta.sum(axis=0)
            w1[:] -= rate * (x.T @ back)
            b1[:] -= rate * back.sum(axis=0)
        return total / count

    return epoch


def ours(job: Job) -> EpochOf:
    """The loop of this project; its order of the epoch is counted, too."""
    recipe, count = job.recipe, len(job.part)
    loop = Loop(job.network(), recipe, 10)
    images, targets = tf.constant(job.part.images), tf.constant(job.part.targets)
    steps = -(-count // job.batch)

    def epoch(number: int) -> float:
        order = epoch_order(count, recipe.training.shuffle, 0, number)
        rate = rates(recipe.schedule, recipe.optimizer.rate, number, recipe.training.epochs, steps)
        step_losses, _ = loop.epoch(images, targets, order, rate)
        return float(tf.reduce_mean(step_losses))

    return epoch


def main() -> int:
    """Time all ways and print the table."""
    parser = argparse.ArgumentParser(description="Time epochs of training.")
    parser.add_argument("network", nargs="?", choices=("paper", "sigmoid"), default="paper")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--pictures", type=int, metavar="N", help="of a turn; paper: all, sigmoid: 5000")
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    recipe, pictures = {"paper": ("paper", None), "sigmoid": ("sigmoid-30e", 5000)}[options.network]
    job = Job(recipe, options.data, options.pictures or pictures)
    ways = {
        EAGER: stepwise(job, lambda step: step),
        "a tf.function per step": stepwise(job, tf.function),
        "Keras fit": keras_fit(job),
    }
    if options.network == "sigmoid":
        ways["vectorized NumPy"] = vectorized_numpy(job)
    ways[OURS] = ours(job)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    reached: dict[str, float] = {}
    for number in tqdm(range(1, options.turns + 2), unit="turn", disable=None):
        for name in ways if number % 2 else reversed(ways):
            started = time.perf_counter(), time.process_time()
            reached[name] = ways[name](number)
            spent = time.perf_counter() - started[0], time.process_time() - started[1]
            if number > 1:
                seconds[name].append(spent)
    print(f"{len(job.part)} pictures in batches of {job.batch}, {options.turns} turns")
    print(f"{'':24}{'seconds':>9}{'times ours':>12}{'':16}{'CPU s':>8}{'times ours':>12}{'':16}{'loss':>8}")
    table = {}
    base = np.array(seconds[OURS])
    for name, of in seconds.items():
        medians = np.median(of, axis=0)
        ratios = np.percentile(np.array(of) / base, (25, 50, 75), axis=0).T
        told = [f"{median:.2f} ({low:.2f} … {high:.2f})" for low, median, high in ratios]
        table[name] = {
            "seconds": float(medians[0]),
            "cpu_seconds": float(medians[1]),
            "times_ours": [float(r) for r in ratios[0]],
            "cpu_times_ours": [float(r) for r in ratios[1]],
            "loss": reached[name],
        }
        columns = f"{medians[0]:9.3f}  {told[0]:<26}{medians[1]:8.3f}  {told[1]:<26}"
        print(f"{name:24}{columns}{reached[name]:8.4f}")
    if options.json:
        about = {"pictures": len(job.part), "batch": job.batch, "turns": options.turns}
        whole = about | {"ways": table, "environment": environment()}
        options.json.write_text(json.dumps(whole, indent=1) + "\n")
    # All do the same thing: after as many turns they are about as far.
    spread = max(reached.values()) / min(reached.values())
    if spread > 1.2:
        print(f"the losses differ by a factor of {spread:.2f}: not the same work", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
