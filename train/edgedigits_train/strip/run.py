"""The training of the strip network into a run folder, resumable at every checkpoint.

recipe.toml        the recipe as it was run, every default spelt out
model/             SavedModel: `logits` strips [n, 40, width, 1] → [n, 1, steps, labels + 1]
history.csv        what each stretch between checkpoints gave
report.json        final figures, labels, seed, checksums of the data
environment.json   versions, platform, threads
checkpoint.npz     only while the run is not finished
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from rapidfuzz.distance import Levenshtein

from edgedigits.errors import OutputError
from edgedigits.files import write_atomically
from edgedigits_train import checkpoint
from edgedigits_train.data import DataSet
from edgedigits_train.loop import TrainingError, rates
from edgedigits_train.run import environment, json_bytes, make_deterministic
from edgedigits_train.run_folder import REPORT, RunError, begin_with, check_unseen, taken
from edgedigits_train.strip.compose import LABELS, Composer
from edgedigits_train.strip.network import StripNetwork
from edgedigits_train.strip.recipe import StripRecipe
from edgedigits_train.strip.source import (
    BLOCK,
    Source,
    Strips,
    check_digits,
    composed,
    held_out_digits,
    learnt_digits,
)

SCHEMA = 1
HELD_OUT = 2000
"""Strips, of digits that are not trained on, that the report's figures are measured on."""
_WATCHED = 400
"""Of these, so many are looked at with every checkpoint."""


@dataclass(frozen=True)
class Stretch:
    """What the steps up to a checkpoint gave; `loss` per strip, the error rates on held-out strips 0…1."""

    step: int
    seconds: float
    loss: float
    character_errors: float
    exact: float


class StripLoop:
    """One compiled step after the other over the batches of a block."""

    def __init__(self, network: StripNetwork, recipe: StripRecipe) -> None:
        self.network, self.recipe = network, recipe
        settings = recipe.optimizer
        self.optimizer = tf.keras.optimizers.Adam(
            settings.rate, weight_decay=settings.weight_decay or None, global_clipnorm=5.0
        )
        if settings.weight_decay:
            self.optimizer.exclude_from_weight_decay(var_names=["bias", "gain"])
        self.optimizer.build(network.trainable_variables)
        averaged = network.variables if recipe.averaging.decay else ()
        self.averages = [tf.Variable(v, trainable=False, name=f"average_{v.name[:-2]}") for v in averaged]
        self.block = tf.function(self._block, reduce_retracing=False)
        self.logits = tf.function(lambda images: network(tf.cast(images, tf.float32) / 255.0))

    def _block(self, images: tf.Tensor, labels: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        """Learn from strips [steps × batch, …]; return the loss of each step."""
        batch = self.recipe.training.batch
        losses = tf.TensorArray(tf.float32, size=BLOCK)
        for step in tf.range(BLOCK):
            chosen = step * batch
            self.optimizer.learning_rate.assign(rates[step])
            strips = tf.cast(images[chosen : chosen + batch], tf.float32) / 255.0
            strips = tf.ensure_shape(strips, (batch, *images.shape[1:]))
            text = labels[chosen : chosen + batch]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(ctc_losses(self.network(strips, training=True), text))
            variables = self.network.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            kept = self.recipe.averaging.decay
            variables = self.network.variables if self.averages else ()
            for average, variable in zip(self.averages, variables, strict=True):
                average.assign(kept * average + (1 - kept) * variable)
            losses = losses.write(step, loss)
        return losses.stack()

    def swap_averages(self) -> None:
        """Exchange the weights for their averages; a second call brings them back."""
        for average, variable in zip(
            self.averages, self.network.variables if self.averages else (), strict=True
        ):
            value = variable.numpy()
            variable.assign(average)
            average.assign(value)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return all state, by names that depend on the recipe alone."""
        groups = {
            "network": self.network.variables,
            "optimizer": self.optimizer.variables,
            "average": self.averages,
        }
        return {f"{name} {i}": v.numpy() for name, group in groups.items() for i, v in enumerate(group)}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Set all state to what `state` returned; raises `ValueError` or `KeyError` where it differs."""
        groups = {
            "network": self.network.variables,
            "optimizer": self.optimizer.variables,
            "average": self.averages,
        }
        for name, group in groups.items():
            for i, variable in enumerate(group):
                variable.assign(state[f"{name} {i}"])


def ctc_losses(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the loss of each strip, float32 [n] (A. Graves et al. 2006, equation 12).

    `logits` are [n, steps, labels + 1], the blank last; `labels` int32 [n, longest], −1 behind the end.
    """
    empty = labels[:, 0] < 0
    # The kernel takes no empty text: such a strip says blank at every step.
    said = tf.where(empty[:, None] & (tf.range(tf.shape(labels)[1]) == 0)[None, :], 0, labels)
    where = tf.where(said >= 0)
    sparse = tf.SparseTensor(where, tf.gather_nd(said, where), tf.shape(said, tf.int64))
    steps = tf.fill([tf.shape(logits)[0]], tf.shape(logits)[1])
    some = tf.compat.v1.nn.ctc_loss(
        sparse, tf.transpose(logits, (1, 0, 2)), steps, ignore_longer_outputs_than_inputs=True
    )
    none = -tf.reduce_sum(tf.nn.log_softmax(logits)[..., -1], axis=1)
    return tf.where(empty, none, some)


def greedy(logits: npt.NDArray[np.float32]) -> list[list[int]]:
    """Return what logits [n, steps, labels + 1] say, taking the likeliest of each step."""
    best = logits.argmax(axis=-1)
    blank = logits.shape[-1] - 1
    texts = []
    for row in best:
        changes = np.flatnonzero(np.diff(row, prepend=-1))
        texts.append([int(v) for v in row[changes] if v != blank])
    return texts


def errors(read: Sequence[Sequence[int]], strips: Strips) -> tuple[float, float]:
    """Return the character error rate and the share of strips read exactly, both 0…1."""
    said = [[int(v) for v in row if v >= 0] for row in strips.labels]
    wrong = sum(Levenshtein.distance(a, b) for a, b in zip(read, said, strict=True))
    exact = sum(list(a) == b for a, b in zip(read, said, strict=True))
    return wrong / max(1, sum(map(len, said))), exact / max(1, len(said))


def run(
    recipe: StripRecipe,
    data: DataSet,
    out: Path,
    seed: int,
    on_start: Callable[[], None] = lambda: None,
    on_checkpoint: Callable[[Stretch], None] = lambda row: None,
) -> dict[str, Any]:
    """Train the strip network into the folder `out`, going on from where an interrupted run stopped there.

    Returns the contents of `report.json`. Raises `RecipeError` as `check_digits` does, `RunError` where the
    folder holds a finished run or one of another recipe, or another run is at work in it, `TrainingError`
    where its checkpoint is of another recipe, seed or data set, or the loss is no longer a number,
    `CheckpointError` where that can't be read, `WorkerError` where a process that composes has ended,
    `OutputError` where the folder can't be written.
    """
    with contextlib.ExitStack() as held:
        return _run(recipe, data, out, seed, on_start, on_checkpoint, held)


def _run(
    recipe: StripRecipe,
    data: DataSet,
    out: Path,
    seed: int,
    on_start: Callable[[], None],
    on_checkpoint: Callable[[Stretch], None],
    held: contextlib.ExitStack,
) -> dict[str, Any]:
    make_deterministic()
    cv2.setNumThreads(1)
    settings = recipe.training
    if settings.steps % BLOCK or settings.checkpoint % BLOCK:
        raise RunError(f"{recipe.name}: [training] steps and checkpoint must be multiples of {BLOCK}")
    if not settings.steps and not recipe.start.runs:
        raise RunError(
            f"{recipe.name}: [training] steps = 0 trains nothing; raise it, or name runs in [start]"
        )
    check_digits(data, recipe, seed)
    network, runs = StripNetwork(recipe.network, len(LABELS), seed), recipe.start.of_seed(seed)
    # Where a run learns from fewer than are left, it may be from any of them.
    check_unseen(recipe.name, runs, data.name, recipe.data.validation, 0)
    begun = begin_with(network, runs, _parts, "strip network")
    held.enter_context(taken(out, recipe.to_toml()))
    identity = {
        "recipe": hashlib.sha256(recipe.to_toml().encode()).hexdigest(),
        "data": dict(data.checksums),
        "seed": seed,
    }
    if begun:
        identity["start"] = list(begun.values())
    loop = StripLoop(network, recipe)
    saved = out / "checkpoint.npz"
    history = _resume(loop, saved, identity)
    on_start()
    learnt, held_out = learnt_digits(data, recipe, seed), held_out_digits(data, recipe)
    watched = composed(
        Composer(held_out, recipe.composition),
        HELD_OUT,
        max(settings.widths),
        np.random.default_rng((seed, 1 << 30)),
    )
    turns = range(history[-1].step // BLOCK if history else 0, settings.steps // BLOCK)
    rate = rates(recipe.schedule, recipe.optimizer.rate, 1, 1, settings.steps)
    started, losses = time.perf_counter(), []
    with Source(learnt, recipe.composition, settings.widths, BLOCK * settings.batch, seed) as source:
        for turn, strips in zip(turns, source.in_order(turns.start, turns.stop, settings.reuse), strict=True):
            steps = slice(turn * BLOCK, (turn + 1) * BLOCK)
            of_steps = loop.block(
                tf.constant(strips.images), tf.constant(strips.labels), tf.constant(rate[steps])
            )
            losses.append(of_steps.numpy())
            if not np.isfinite(losses[-1]).all():
                step = turn * BLOCK + int(np.flatnonzero(~np.isfinite(losses[-1]))[0]) + 1
                kept = f"; the last checkpoint is kept in {saved}" if history else ""
                raise TrainingError(
                    f"the loss is no longer a number after step {step}: lower [optimizer] rate{kept}"
                )
            done = (turn + 1) * BLOCK
            if done % settings.checkpoint == 0 or done == settings.steps:
                loop.swap_averages()
                some = Strips(watched.images[:_WATCHED], watched.labels[:_WATCHED])
                wrong, exact = errors(greedy(_logits(loop, some)), some)
                loop.swap_averages()
                now = time.perf_counter()
                history.append(Stretch(done, now - started, float(np.mean(losses)), wrong, exact))
                started, losses = now, []
                checkpoint.save(
                    saved, loop.state(), {"history": [asdict(row) for row in history], "of": identity}
                )
                on_checkpoint(history[-1])
    loop.swap_averages()
    wrong, exact = errors(greedy(_logits(loop, watched)), watched)
    report = {
        "schema": SCHEMA,
        "kind": "strip",
        "recipe": recipe.name,
        "seed": seed,
        "labels": list(LABELS),
        "parameters": int(sum(np.prod(v.shape) for v in loop.network.trainable_variables)),
        "steps": settings.steps,
        "start": begun,
        "validation": {
            "strips": len(watched),
            "character_error_rate": round(wrong, 6),
            "exact": round(exact, 6),
        },
        "seconds": round(sum(row.seconds for row in history), 1),
        "data": {"set": data.name, "published": data.published, "checksums": dict(data.checksums)},
    }
    _save(loop.network, out / "model")
    rows = ["step,seconds,loss,character_errors,exact"]
    rows += [",".join(f"{v:.6g}" for v in asdict(row).values()) for row in history]
    write_atomically(out / "history.csv", ("\n".join(rows) + "\n").encode())
    write_atomically(out / "environment.json", json_bytes(environment()))
    write_atomically(out / REPORT, json_bytes(report))
    saved.unlink(missing_ok=True)
    return report


def _parts(network: Any) -> list[tf.Variable]:
    """Return all that a strip network has learnt, in a fixed order; of a loaded one, too."""
    layers = [(x.kernel, x.gain, x.bias, x.mean, x.variance) for x in network.layers]
    return [variable for layer in layers for variable in layer] + [network.kernel, network.bias]


def _logits(loop: StripLoop, strips: Strips) -> npt.NDArray[np.float32]:
    parts = np.array_split(strips.images, max(1, len(strips) // 200))
    return np.concatenate([loop.logits(tf.constant(part)).numpy() for part in parts])


def _resume(loop: StripLoop, saved: Path, identity: dict[str, Any]) -> list[Stretch]:
    if not saved.exists():
        return []
    arrays, state = checkpoint.load(saved)
    if state.get("of") != identity:
        raise TrainingError(
            f"{saved}: a checkpoint of another run (other recipe, seed or data); choose another --out, "
            "or delete the run folder to start again"
        )
    try:
        loop.restore(arrays)
        return [Stretch(**row) for row in state["history"]]
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{saved}: the checkpoint can't be used ({error}); delete the run folder to start again"
        ) from error


def _save(network: StripNetwork, path: Path) -> None:
    """Write the SavedModel, without anything of the optimizer; whole or not at all."""
    signature = tf.TensorSpec((None, 40, None, 1), tf.float32, name="strips")
    served = tf.Module()
    served.network = network
    served.logits = tf.function(
        lambda strips: {"logits": network.answers(strips)}, input_signature=[signature]
    )
    temporary = path.with_name(f".{path.name}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        tf.saved_model.save(
            served, str(temporary), signatures={"serving_default": served.logits, "logits": served.logits}
        )
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise OutputError(f"{path}: can't write the model ({reason}); make room, then start again") from error
