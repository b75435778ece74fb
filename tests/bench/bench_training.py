"""What an epoch costs: the paper's eager loop, a compiled step, Keras' fit, and this project's loop.

    python tests/bench/bench_training.py [--data DIR] [--repeats 5] [--json FILE]

The network and the numbers are the paper's (784 → 128 ReLU → 10, Adam, batch 256, 60,000 pictures). All
four train it in one process, turn by turn, so that they share what else the machine is doing; each gets
one epoch of warm-up (tracing, compiling), then `--repeats` are timed and the median is given. An epoch is
everything it takes: shuffling, reading batches, the steps. Nothing is measured on test data meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tqdm import tqdm

from edgedigits_train import networks
from edgedigits_train.data import load_mnist
from edgedigits_train.loop import Loop, rates
from edgedigits_train.order import epoch_order
from edgedigits_train.recipe import load_recipe
from edgedigits_train.run import Part, environment, part_data

BATCH, BUFFER, RATE = 256, 1024, 0.001

EpochOf = Callable[[int], float]
"""The number of the epoch → the mean loss of its steps; training goes on from call to call."""


def dataset(part: Part) -> tf.data.Dataset:
    """The paper's input pipeline: shuffle buffer, batches, pixels / 255, one-hot labels."""
    pixels = tf.constant(part.images, tf.float32) / 255.0
    labels = tf.one_hot(part.targets, 10)
    return tf.data.Dataset.from_tensor_slices((pixels, labels)).shuffle(BUFFER, seed=0).batch(BATCH)


def network() -> networks.Network:
    """The paper's network with its first weights."""
    return networks.build(load_recipe("paper").network, 784, 10, seed=0)


def stepwise(
    part: Part, compile_step: Callable[[Callable[..., tf.Tensor]], Callable[..., tf.Tensor]]
) -> EpochOf:
    """A Python loop over batches with GradientTape and Adam, as the paper prints it."""
    batches, model = dataset(part), network()
    optimizer = tf.keras.optimizers.Adam(RATE)
    variables = model.trainable_variables
    optimizer.build(variables)

    def step(pixels: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model(pixels)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    step = compile_step(step)

    def epoch(_: int) -> float:
        losses = [step(pixels, labels) for pixels, labels in batches]
        return float(tf.reduce_mean(losses))

    return epoch


def keras_fit(part: Part) -> EpochOf:
    """Keras' own loop with its defaults, on the same input pipeline."""
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Input((784,)),
            tf.keras.layers.Dense(
                128, "relu", kernel_initializer=tf.keras.initializers.TruncatedNormal(0, 0.1)
            ),
            tf.keras.layers.Dense(10, kernel_initializer=tf.keras.initializers.TruncatedNormal(0, 0.1)),
        ]
    )
    loss = tf.keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(RATE), loss)
    batches = dataset(part)

    def epoch(_: int) -> float:
        return float(model.fit(batches, verbose=0).history["loss"][0])

    return epoch


def ours(part: Part) -> EpochOf:
    """The loop of this project with the recipe `paper`; its order of the epoch is counted, too."""
    recipe = load_recipe("paper")
    loop = Loop(network(), recipe, 10)
    images, targets = tf.constant(part.images), tf.constant(part.targets)
    steps = -(-len(part) // BATCH)

    def epoch(number: int) -> float:
        order = epoch_order(len(part), recipe.training.shuffle, 0, number)
        rate = rates(recipe.schedule, recipe.optimizer.rate, number, 20, steps)
        losses, _ = loop.epoch(images, targets, order, rate)
        return float(tf.reduce_mean(losses))

    return epoch


def main() -> int:
    """Time all four and print the table."""
    parser = argparse.ArgumentParser(description="Time an epoch of the paper's network.")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    recipe = load_recipe("paper")
    part = part_data(load_mnist(options.data), recipe).train
    ways = {
        "the paper's eager loop": stepwise(part, lambda step: step),
        "a tf.function per step": stepwise(part, tf.function),
        "Keras fit": keras_fit(part),
        "edgedigits": ours(part),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, float] = {}
    for number in tqdm(range(1, options.repeats + 2), unit="round", disable=None):
        for name, epoch in ways.items():
            started = time.perf_counter()
            losses[name] = epoch(number)
            if number > 1:
                seconds[name].append(time.perf_counter() - started)
    base = statistics.median(seconds["the paper's eager loop"])
    print(f"{'seconds per epoch':26}{'median':>8}{'best':>8}{'times':>8}{'loss':>9}")
    table = {}
    for name, of in seconds.items():
        median = statistics.median(of)
        table[name] = {"median": median, "best": min(of), "times": base / median, "loss": losses[name]}
        print(f"{name:26}{median:8.3f}{min(of):8.3f}{base / median:8.1f}{losses[name]:9.4f}")
    if options.json:
        options.json.write_text(json.dumps({"seconds": table, "environment": environment()}, indent=1) + "\n")
    # All four do the same thing: after as many epochs they are about as far.
    spread = max(losses.values()) / min(losses.values())
    if spread > 1.2:
        print(f"the losses differ by a factor of {spread:.2f}: not the same work", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
