"""One compiled training loop, for every network and every recipe.

An epoch is one graph: the pictures lie on the device as bytes, the order of the epoch is a list of
indices, and a loop inside the graph gathers a batch, scales it, takes the gradient of the loss and hands
it to the optimizer. Python is left only between epochs. Where nothing has to be exchanged between
devices, XLA compiles the whole epoch into one program.

Everything random is a pure function of the seed (the first weights) or of seed and epoch (the order), so
a run that was interrupted goes on from the last epoch's checkpoint and ends with the same weights, bit
for bit, on the same machine with the same number of threads.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgedigits.errors import EdgeDigitsError
from edgedigits_train import checkpoint, devices
from edgedigits_train.networks import Network
from edgedigits_train.order import epoch_order
from edgedigits_train.recipe import Adam, Recipe, Schedule

MEASURED_AT_ONCE = 10_000
"""Pictures per evaluation batch: a few tens of megabytes of activations."""


class TrainingError(EdgeDigitsError):
    """A run that can't go on."""


@dataclass(frozen=True)
class Part:
    """Pictures as rows of bytes, uint8 [n, pixels], and what they show.

    `targets` are labels, int32 [n], or a probability for each class, float32 [n, classes].
    """

    images: npt.NDArray[np.uint8]
    targets: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.images)


EpochParts = Callable[[int], Part]
"""Training pictures that differ from epoch to epoch: the number of the epoch, from 1, → its pictures.

A pure function (of what it was made with and the epoch), or a resumed run would not be the same run. Every
epoch has as many pictures. It is called in another thread, one epoch ahead.
"""


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave. Losses are means per picture, accuracies 0…1; None: not measured.

    `loss` and `accuracy` are those of the training steps, each measured before its update: what the
    progress bar shows. The others are measured on the whole part when the epoch is over.
    """

    epoch: int
    seconds: float
    loss: float
    accuracy: float
    train_loss: float | None = None
    train_accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None


def history_csv(history: list[Epoch]) -> bytes:
    """Return the epochs as a CSV table with a header; what was not measured is left empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(field.name for field in dataclasses.fields(Epoch))
    for row in history:
        table.writerow("" if v is None else f"{v:.6g}" for v in dataclasses.astuple(row))
    return text.getvalue().encode()


def losses(name: str, logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Return the loss of each picture, float32 [n].

    `targets` are probabilities [n, classes]. "cross-entropy" is that of the softmax of the logits;
    "quadratic" is ½ ‖σ(logits) − targets‖² (M. Nielsen, Neural Networks and Deep Learning, eq. 6).
    """
    if name == "quadratic":
        return 0.5 * tf.reduce_sum(tf.square(tf.sigmoid(logits) - targets), axis=1)
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)


def rates(schedule: Schedule, rate: float, epoch: int, epochs: int, steps: int) -> npt.NDArray[np.float32]:
    """Return the learning rate of each of the `steps` steps of an epoch (from 1)."""
    at = (epoch - 1) * steps + np.arange(steps)
    warmup = schedule.warmup * steps
    factor = np.ones(steps)
    if schedule.kind == "cosine":
        through = np.clip((at - warmup) / max(epochs * steps - warmup, 1), 0, 1)
        factor = 0.5 * (1 + np.cos(math.pi * through))
    # Step k of the warm-up has (k + 1) / warmup: the very first step already does something.
    return (rate * np.where(at < warmup, (at + 1) / max(warmup, 1), factor)).astype(np.float32)


class Loop:
    """The training of one network: step, epoch, measure.

    With a distribution strategy in scope, `network` and this object are made inside `strategy.scope()`;
    every device then holds the pictures and takes its share of each batch.
    """

    def __init__(self, network: Network, recipe: Recipe, classes: int) -> None:
        self.network = network
        self.recipe = recipe
        self.classes = classes
        self.strategy = tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        settings = recipe.optimizer
        decay = settings.weight_decay or None
        if isinstance(settings, Adam):
            self.optimizer = tf.keras.optimizers.Adam(settings.rate, weight_decay=decay)
        else:
            self.optimizer = tf.keras.optimizers.SGD(
                settings.rate, momentum=settings.momentum, weight_decay=decay
            )
        if decay:
            self.optimizer.exclude_from_weight_decay(var_names=["bias", "gain"])
        self.optimizer.build(network.trainable_variables)
        averaged = network.variables if recipe.averaging.decay else ()
        self.averages = [tf.Variable(v, trainable=False, name=f"average_{v.name[:-2]}") for v in averaged]
        # XLA has no collectives on CPU, and compiles no loop around them elsewhere.
        jit = self.replicas == 1 and network.compiled
        self.epoch = tf.function(self._epoch, jit_compile=jit)
        self._sums = tf.function(self._measured_sums, jit_compile=jit)

    def _epoch(
        self, images: tf.Tensor, targets: tf.Tensor, order: tf.Tensor, rates: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Train on every picture once, in this order; return the loss of each step and the number right."""
        batch = self.recipe.training.batch
        count = order.shape[0]
        whole, rest = divmod(count, batch)
        step_losses = tf.TensorArray(tf.float32, size=whole + (rest > 0))
        right = tf.constant(0.0)
        # Traced even where it would run no step, so a batch larger than the data must not get here.
        for step in tf.range(whole) if whole else ():
            chosen = tf.slice(order, [step * batch], [batch])
            loss, hits = self._step(images, targets, chosen, rates[step])
            step_losses = step_losses.write(step, loss)
            right += hits
        if rest:
            # Outside the loop, because a compiled loop needs batches of one size.
            loss, hits = self._step(images, targets, order[whole * batch :], rates[whole])
            step_losses = step_losses.write(whole, loss)
            right += hits
        return step_losses.stack(), right

    def _step(
        self, images: tf.Tensor, targets: tf.Tensor, chosen: tf.Tensor, rate: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Learn from one batch: on every device from its share, with one common update of the weights."""
        self.optimizer.learning_rate.assign(rate)
        loss, hits = self.strategy.run(self._share_of_step, args=(images, targets, chosen))
        if self.replicas > 1:
            loss = self.strategy.reduce(tf.distribute.ReduceOp.SUM, loss, axis=None)
            hits = self.strategy.reduce(tf.distribute.ReduceOp.SUM, hits, axis=None)
        kept = self.recipe.averaging.decay
        for average, variable in zip(
            self.averages, self.network.variables if self.averages else (), strict=True
        ):
            self.strategy.extended.update(
                average, lambda a, v: a.assign(kept * a + (1 - kept) * v), args=(variable,)
            )
        return loss, hits

    def _share_of_step(
        self, images: tf.Tensor, targets: tf.Tensor, chosen: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        size = chosen.shape[0]
        counts = 1.0
        if self.replicas > 1:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            if size < self.replicas:
                # Of nothing there are no mean and variance to normalize by: who would have no picture takes
                # one that another has, and that counts for nothing.
                counts = tf.cast(replica < size, tf.float32)
                chosen = tf.gather(chosen, [replica % size])
            else:
                chosen = chosen[replica :: self.replicas]
        pixels = _pixels(tf.gather(images, chosen))
        wanted = self._one_hot(tf.gather(targets, chosen))
        with tf.GradientTape() as tape:
            logits = self.network(pixels, training=True)
            # The mean over the whole batch; the optimizer sums the gradients of the shares.
            loss = counts * tf.reduce_sum(losses(self.recipe.training.loss, logits, wanted)) / size
        variables = self.network.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss, counts * _hits(logits, wanted)

    def _one_hot(self, targets: tf.Tensor) -> tf.Tensor:
        return targets if targets.dtype.is_floating else tf.one_hot(targets, self.classes)

    def _measured_sums(self, images: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        wanted = self._one_hot(targets)
        logits = self.network(_pixels(images))
        return tf.reduce_sum(losses(self.recipe.training.loss, logits, wanted)), _hits(logits, wanted)

    def measure(self, part: Part) -> tuple[float, float]:
        """Return mean loss and accuracy (0…1) of the network as it stands on a part."""
        loss = hits = 0.0
        for start in range(0, len(part), MEASURED_AT_ONCE):
            chosen = slice(start, start + MEASURED_AT_ONCE)
            some_loss, some_hits = self._sums(part.images[chosen], part.targets[chosen])
            loss, hits = loss + float(some_loss), hits + float(some_hits)
        return loss / len(part), hits / len(part)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the network has its averaged weights, where the recipe averages."""
        variables = self.network.variables if self.averages else ()
        kept = [variable.numpy() for variable in variables]
        for variable, average in zip(variables, self.averages, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable.assign(value)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all state, by names that depend on the recipe alone."""
        return {name: variable.numpy() for name, variable in self._state_variables()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Set all state to what `state` returned; raises `ValueError` where names or shapes differ."""
        variables = dict(self._state_variables())
        if {n: v.shape for n, v in state.items()} != {n: tuple(v.shape) for n, v in variables.items()}:
            raise ValueError("it is of another network or optimizer")
        for name, variable in variables.items():
            variable.assign(state[name])

    def _state_variables(self) -> Iterator[tuple[str, Any]]:
        for group, variables in (
            ("network", self.network.variables),
            ("optimizer", self.optimizer.variables),
            ("average", self.averages),
        ):
            for number, variable in enumerate(variables):
                yield f"{group} {number}", variable


def _pixels(images: tf.Tensor) -> tf.Tensor:
    """Bytes 0…255 → float32 0…1."""
    return tf.cast(images, tf.float32) / 255.0


def _hits(logits: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    same = tf.equal(tf.argmax(logits, axis=1), tf.argmax(wanted, axis=1))
    return tf.reduce_sum(tf.cast(same, tf.float32))


def train(
    loop: Loop,
    pictures: Part | EpochParts,
    watched: Mapping[str, Part],
    seed: int,
    *,
    saved: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    on_epoch: Callable[[Epoch], None] = lambda row: None,
) -> list[Epoch]:
    """Train a network as its recipe says, and return what each epoch gave.

    `watched` are the parts to be measured after each epoch ("train", "validation", "test"). After each
    epoch, the state is saved to the file `saved`, if one is given; if it is there already, training
    goes on from it, provided it was saved by a run of the same `identity`. `on_epoch` is called after
    each epoch trained (not for those a checkpoint brought back).

    Raises `TrainingError` where the loss is no longer a number (the checkpoint before it is kept), or
    where the checkpoint is of another run; `OutputError` where the checkpoint can't be written.
    """
    recipe = loop.recipe
    of = {"seed": seed, **(identity or {})}
    history, best = _resume(loop, saved, of)
    batch = recipe.training.batch
    _must_be_of_one_epoch(loop.strategy, len(history))
    first = len(history) + 1
    with contextlib.closing(_EpochSource(loop.strategy, pictures, first, recipe.training.epochs)) as source:
        for epoch in range(first, recipe.training.epochs + 1):
            if _has_stopped(history, recipe):
                break
            started = time.perf_counter()
            images, targets, count = source.tensors(epoch)
            order = epoch_order(count, recipe.training.shuffle, seed, epoch)
            steps = -(-count // batch)
            rate = rates(recipe.schedule, recipe.optimizer.rate, epoch, recipe.training.epochs, steps)
            step_losses, right = loop.epoch(images, targets, order, rate)
            step_losses = step_losses.numpy()
            _must_be_finite(step_losses, epoch, saved)
            sizes = np.full(steps, batch)
            sizes[-1] = count - (steps - 1) * batch
            seconds = time.perf_counter() - started
            with loop.averaged():
                measured = {name: loop.measure(part) for name, part in watched.items()}
                row = Epoch(
                    epoch,
                    seconds,
                    loss=float(np.average(step_losses, weights=sizes)),
                    accuracy=float(right) / count,
                    **{f"{name}_loss": loss for name, (loss, _) in measured.items()},
                    **{f"{name}_accuracy": accuracy for name, (_, accuracy) in measured.items()},
                )
                # The step losses don't see what the last update did.
                for values in (loop.state() if saved else {}).values():
                    _must_be_finite(values, epoch, saved, steps)
                history.append(row)
                if recipe.stopping.patience and _best_epoch(history) == epoch:
                    best = loop.state()
            if saved is not None and devices.is_first(loop.strategy):
                arrays = loop.state() | {f"best {name}": array for name, array in best.items()}
                rows = [dataclasses.asdict(row) for row in history]
                checkpoint.save(saved, arrays, {"history": rows, "of": of})
            on_epoch(row)
    _keep_what_was_measured(loop, best)
    return history


def _must_be_of_one_epoch(strategy: tf.distribute.Strategy, epochs: int) -> None:
    """Raise `TrainingError` where the workers would go on from different epochs (and wait for ever)."""
    # Every worker must come to the same end of this, so all ask for all sums: the numbers are equal just
    # where their variance is nought.
    workers, total, squares = (devices.meet(strategy, epochs**power) for power in (0, 1, 2))
    if workers * squares != total**2:
        raise TrainingError(
            "the workers found different checkpoints; --out must be a folder that all of them share"
        )


def _resume(
    loop: Loop, saved: Path | None, of: Mapping[str, Any]
) -> tuple[list[Epoch], dict[str, npt.NDArray[Any]]]:
    """Bring back the state of a checkpoint, if there is one; return its history and its best state."""
    if saved is None or not saved.exists():
        return [], {}
    arrays, state = checkpoint.load(saved)
    if state.get("of") != of:
        raise TrainingError(
            f"{saved}: a checkpoint of another run (other recipe, seed or data); choose another --out, "
            "or delete the run folder to start again"
        )
    best = {n.removeprefix("best "): a for n, a in arrays.items() if n.startswith("best ")}
    try:
        loop.restore({name: array for name, array in arrays.items() if not name.startswith("best ")})
        return [Epoch(**row) for row in state["history"]], best
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{saved}: the checkpoint can't be used ({error}); delete the run folder to start again"
        ) from error


def _keep_what_was_measured(loop: Loop, best: Mapping[str, npt.NDArray[Any]]) -> None:
    """Leave the network with the weights to be kept: the best epoch's, or the averaged, or the last ones."""
    if best:
        loop.restore(best)
    elif loop.averages:
        for variable, average in zip(loop.network.variables, loop.averages, strict=True):
            variable.assign(average)


def _best_epoch(history: list[Epoch]) -> int:
    """Return the first epoch of the highest validation accuracy."""
    return max(history, key=lambda row: (row.validation_accuracy or 0.0, -row.epoch)).epoch


def _has_stopped(history: list[Epoch], recipe: Recipe) -> bool:
    patience = recipe.stopping.patience
    return bool(patience and history) and history[-1].epoch - _best_epoch(history) >= patience


def _must_be_finite(
    values: npt.NDArray[np.floating], epoch: int, saved: Path | None, step: int | None = None
) -> None:
    """Raise `TrainingError` at the first loss that is not a number."""
    wrong = np.flatnonzero(~np.isfinite(values))
    if not len(wrong):
        return
    step = step if step is not None else int(wrong[0]) + 1
    kept = f"; the checkpoint of epoch {epoch - 1} is kept in {saved}" if saved and epoch > 1 else ""
    raise TrainingError(
        f"the loss is no longer a number after step {step} of epoch {epoch}: lower [optimizer] rate, "
        f"or start with smaller weights{kept}"
    )


class _EpochSource:
    """Hands the pictures of each epoch to the device; those that differ are made one epoch ahead."""

    def __init__(
        self, strategy: tf.distribute.Strategy, pictures: Part | EpochParts, first: int, last: int
    ) -> None:
        self.strategy = strategy
        self.last = last
        self.fixed: tuple[tf.Tensor, tf.Tensor, int] | None = None
        self.pool: ThreadPoolExecutor | None = None
        if isinstance(pictures, Part):
            self.fixed = self._on_devices(pictures)
        elif first <= last:
            self.make = pictures
            self.pool = ThreadPoolExecutor(1)
            self.next = self.pool.submit(self.make, first)

    def tensors(self, epoch: int) -> tuple[tf.Tensor, tf.Tensor, int]:
        """Return images and targets, a copy on each device, and how many they are."""
        if self.pool is None:
            assert self.fixed is not None
            return self.fixed
        part = self.next.result()
        if epoch < self.last:
            self.next = self.pool.submit(self.make, epoch + 1)
        return self._on_devices(part)

    def _on_devices(self, part: Part) -> tuple[tf.Tensor, tf.Tensor, int]:
        images, targets = (
            self.strategy.experimental_distribute_values_from_function(lambda _: tf.constant(values))  # noqa: B023
            for values in (part.images, part.targets)
        )
        return images, targets, len(part)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)
