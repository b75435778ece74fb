"""What an epoch costs in JAX on the CPU: the same two networks, a whole epoch in one compiled scan.

    python -m venv /tmp/jax && /tmp/jax/bin/pip install jax
    /tmp/jax/bin/python tests/bench/peer_jax.py [paper|sigmoid] --data DIR [--repeats 5]

For an environment of its own, so nothing of the project is imported; run it right after bench_training.py,
on the same machine. Pictures lie on the device as bytes, are gathered by the epoch's order and scaled, as
in this project's loop. The last, smaller batch of the paper's epoch (96 of 60,000 pictures) is left out.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def read(folder: Path, name: str, header: int) -> np.ndarray:
    """Read the values of one of MNIST's `.gz` files behind their header."""
    return np.frombuffer(gzip.decompress((folder / f"{name}.gz").read_bytes()), np.uint8, offset=header)


def paper_loss(parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    """ReLU, softmax, cross-entropy."""
    w1, b1, w2, b2 = parameters
    logits = jax.nn.relu(x @ w1 + b1) @ w2 + b2
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))


def sigmoid_loss(parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    """Sigmoid neurons, quadratic cost."""
    w1, b1, w2, b2 = parameters
    outputs = jax.nn.sigmoid(jax.nn.sigmoid(x @ w1 + b1) @ w2 + b2)
    return 0.5 * jnp.mean(jnp.sum((outputs - jax.nn.one_hot(y, 10)) ** 2, axis=1))


def adam(gradients: Any, state: Any, parameters: Any, rate: float) -> tuple[Any, Any]:
    """One step of Adam."""
    first, second, step = state
    step += 1
    first = [0.9 * m + 0.1 * g for m, g in zip(first, gradients, strict=True)]
    second = [0.999 * v + 0.001 * g * g for v, g in zip(second, gradients, strict=True)]
    scale = rate * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    moved = [p - scale * m / (jnp.sqrt(v) + 1e-7) for p, m, v in zip(parameters, first, second, strict=True)]
    return moved, (first, second, step)


def descent(gradients: Any, state: Any, parameters: Any, rate: float) -> tuple[Any, Any]:
    """One step of plain descent."""
    return [p - rate * g for p, g in zip(parameters, gradients, strict=True)], state


def epoch_of(loss: Callable[..., jax.Array], update: Callable[..., Any], rate: float) -> Callable[..., Any]:
    """Compile an epoch: parameters, state, pictures, labels, order [steps, batch] → all moved, mean loss."""

    @jax.jit
    def epoch(parameters: Any, state: Any, images: jax.Array, labels: jax.Array, order: jax.Array) -> Any:
        def step(carried: Any, chosen: jax.Array) -> Any:
            parameters, state = carried
            x = images[chosen].astype(jnp.float32) / 255
            value, gradients = jax.value_and_grad(loss)(parameters, x, labels[chosen])
            return update(gradients, state, parameters, rate), value

        (parameters, state), values = jax.lax.scan(step, (parameters, state), order)
        return parameters, state, values.mean()

    return epoch


def main() -> None:
    """Time the epochs and print their median."""
    parser = argparse.ArgumentParser(description="Time an epoch in JAX.")
    parser.add_argument("network", nargs="?", choices=("paper", "sigmoid"), default="paper")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    folder = options.data / "mnist" if (options.data / "mnist").is_dir() else options.data
    images = read(folder, "train-images-idx3-ubyte", 16).reshape(-1, 784)
    labels = read(folder, "train-labels-idx1-ubyte", 8).astype(np.int32)
    random = np.random.default_rng(0)
    if options.network == "paper":
        hidden, batch, count, sigma = 128, 256, 60_000, 0.1
        epoch = epoch_of(paper_loss, adam, 0.001)
    else:
        hidden, batch, count, sigma = 30, 10, 50_000, 1.0
        epoch = epoch_of(sigmoid_loss, descent, 3.0)
    shapes = ((784, hidden), (hidden,), (hidden, 10), (10,))
    parameters = [jnp.asarray(random.normal(0, sigma, shape), jnp.float32) for shape in shapes]
    zeros = [jnp.zeros_like(p) for p in parameters]
    state: Any = (zeros, zeros, 0.0) if options.network == "paper" else ()
    pictures, answers = jnp.asarray(images[:count]), jnp.asarray(labels[:count])
    seconds = []
    for _ in range(options.repeats + 1):
        started = time.perf_counter()
        order = random.permutation(count).astype(np.int32)[: count // batch * batch].reshape(-1, batch)
        parameters, state, loss = epoch(parameters, state, pictures, answers, order)
        loss.block_until_ready()
        seconds.append(time.perf_counter() - started)
    of = seconds[1:]  # the first compiles
    print(
        f"JAX {jax.__version__}: {statistics.median(of):.3f} s (best {min(of):.3f}), loss {float(loss):.4f}"
    )


if __name__ == "__main__":
    main()
