"""A run: one training of one recipe with one seed, as a folder.

    recipe.toml        the recipe as it was run, every default spelt out
    model/             SavedModel: `serving_default` pixels → probabilities, `logits` pixels → logits
    history.csv        what each epoch gave
    report.json        final figures, labels, temperature, seed, checksums of the data
    environment.json   versions, platform, threads, determinism
    checkpoint*.npz    only while the run is not finished

`report.json` is written last: a folder that has it is a finished run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import platform
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgedigits.errors import OutputError
from edgedigits.files import write_atomically
from edgedigits_train import devices, networks
from edgedigits_train.calibration import fit_temperature, negative_log_likelihood
from edgedigits_train.data import CHARACTERS, DataSet
from edgedigits_train.loop import Epoch, EpochParts, Loop, Part, history_csv, train
from edgedigits_train.recipe import Recipe
from edgedigits_train.run_folder import REPORT, RunError, begin_with, check_unseen, load_run, taken
from edgedigits_train.versions import Versions, check

SCHEMA = 1


class Watcher(Protocol):
    """Whoever wants to know how far a run is."""

    def start(self, what: str, out: Path) -> None:
        """The training of the "network" or of its "twin", into the run folder `out`, begins."""

    def epoch(self, row: Epoch) -> None:
        """An epoch of it is over."""


@dataclass(frozen=True)
class Parts:
    """A data set parted as a recipe says; `validation` and `holdout` may be empty."""

    train: Part
    validation: Part
    holdout: Part
    """The last pictures of `train`, which only the twin does without."""
    test: Part


def part_data(data: DataSet, recipe: Recipe) -> Parts:
    """Part a data set; raises `RunError` where the recipe asks for more pictures than there are."""
    train_all = _part(data.train_images, data.train_labels)
    kept_out, holdout = recipe.data.validation, recipe.calibration.holdout
    left = len(train_all) - kept_out
    wanted = recipe.data.train or left
    if kept_out >= len(train_all) or wanted > left:
        raise RunError(
            f"{recipe.name}: [data] asks for {recipe.data.train or 'some'} pictures to train on and "
            f"{kept_out} for validation, of {len(train_all)}; lower train or validation"
        )
    if holdout >= wanted:
        raise RunError(
            f"{recipe.name}: [calibration] holdout = {holdout} leaves nothing of {wanted} pictures "
            "to train the twin on; lower it"
        )
    learnt = _cut(train_all, 0, wanted)
    return Parts(
        train=learnt,
        validation=_cut(train_all, left, len(train_all)),
        holdout=_cut(learnt, wanted - holdout, wanted),
        test=_part(data.test_images, data.test_labels),
    )


def _as_pictures(data: DataSet, part: Part) -> npt.NDArray[np.uint8]:
    return part.images.reshape(len(part), *data.train_images.shape[1:])


@contextlib.contextmanager
def pictures_of(recipe: Recipe, data: DataSet, learnt: Part, seed: int) -> Iterator[Part | EpochParts]:
    """Within it, the pictures of each epoch: as they are, or augmented and answered by teachers."""
    settings = recipe.augmentation
    if recipe.distillation.weight:
        _teachers(recipe, data)  # what is wrong with them is said before the pictures are drawn
    if not settings.variants:
        yield learnt if not recipe.distillation.weight else _taught(recipe, data, learnt)
        return
    check(recipe, data, learnt.targets)
    with Versions(
        _as_pictures(data, learnt), learnt.targets, data.negatives, settings, seed, len(data.labels) - 1
    ) as versions:

        @functools.lru_cache(maxsize=1)
        def drawing(number: int) -> Part:
            images, labels = versions.epoch(number)
            part = _part(images, labels)
            return part if not recipe.distillation.weight else _taught(recipe, data, part)

        def of_epoch(epoch: int) -> Part:
            return drawing((epoch - 1) // settings.reuse + 1)

        yield of_epoch


def drawn_anew(recipe: Recipe, data: DataSet, part: Part, seed: int) -> Part:
    """Return the digits of a part as an epoch would have them: some plain, the others drawn anew."""
    settings = dataclasses.replace(recipe.augmentation, junk=0, pieces=0)
    with Versions(_as_pictures(data, part), part.targets, data.negatives, settings, seed) as versions:
        return _part(*versions.held_out())


def _taught(recipe: Recipe, data: DataSet, part: Part) -> Part:
    """Return the pictures with what the teachers answer mixed into the labels (Hinton et al. 2015).

    Where the teachers are wrong, the label alone counts: a form of another hand, say, that they never saw.
    """
    settings = recipe.distillation
    answers = [
        np.concatenate(
            [
                tf.nn.softmax(
                    tf.gather(network(tf.constant(some, tf.float32) / 255.0), columns, axis=1)
                    / settings.temperature
                )
                for some in np.array_split(part.images, max(1, len(part) // 5000))
            ]
        )
        for network, columns in _teachers(recipe, data)
    ]
    own = np.eye(len(data.labels), dtype=np.float32)[part.targets]
    answer = np.mean(answers, axis=0)
    right = answer.argmax(axis=1) == part.targets
    weight = np.where(right, np.float32(settings.weight), np.float32(0))[:, None]
    return Part(part.images, (1 - weight) * own + weight * answer)


def _teachers(recipe: Recipe, data: DataSet) -> list[tuple[Callable[[tf.Tensor], tf.Tensor], list[int]]]:
    """Return each teacher's network, and which of its outputs the data set's classes are.

    Raises `RunError` where there are none, or where one is no finished run or lacks a class.
    """
    settings = recipe.distillation
    if not settings.teachers:
        raise RunError(f"{recipe.name}: [distillation] has a weight, but no teachers; name their run folders")
    found = []
    for teacher in settings.teachers:
        network, labels = load_run(Path(teacher))
        if missing := [label for label in data.labels if label not in labels]:
            raise RunError(f"{teacher}: the teacher knows no class {missing[0]!r}; choose another")
        found.append((network, [labels.index(label) for label in data.labels]))
    return found


def _part(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> Part:
    return Part(images.reshape(len(images), -1), labels.astype(np.int32))


def _cut(part: Part, start: int, stop: int) -> Part:
    return Part(part.images[start:stop], part.targets[start:stop])


def make_deterministic() -> None:
    """Set TensorFlow up so that the same run gives the same bits; calling it twice does no harm."""
    tf.config.experimental.enable_op_determinism()
    tf.config.list_physical_devices()  # looks for devices now, so that what it logs comes at the start


def no_warnings() -> None:
    """Keep TensorFlow's advice to programmers (on retracing, say) from those who only run a recipe."""
    tf.get_logger().setLevel("ERROR")


def run(
    recipe: Recipe,
    data: DataSet,
    out: Path,
    seed: int,
    watcher: Watcher,
    strategy: tf.distribute.Strategy | None = None,
) -> dict[str, Any]:
    """Train a recipe into the folder `out`, going on from where an interrupted run stopped there.

    `strategy` is TensorFlow's way of using several devices or hosts, where it is not to be chosen by what
    there is (`devices.choose`); of several hosts the first one writes, and all must see the same folder.

    Returns the contents of `report.json`. Raises `RecipeError` where the recipe's augmentation can't be made
    of the data set, `RunError` where the folder holds a finished run or one of another recipe, seed or data
    set, where another run is at work in it, or where what it starts from has learnt from what it holds out,
    `TrainingError` where training fails, `OutputError` where the folder can't be written, `DeviceError` where
    another host is lost.
    """
    strategy = strategy or devices.choose()
    make_deterministic()
    with devices.together(strategy), contextlib.ExitStack() as held:
        return _run(recipe, data, out, seed, watcher, strategy, held)


def _run(
    recipe: Recipe,
    data: DataSet,
    out: Path,
    seed: int,
    watcher: Watcher,
    strategy: tf.distribute.Strategy,
    held: contextlib.ExitStack,
) -> dict[str, Any]:
    writes = devices.is_first(strategy)
    parts = part_data(data, recipe)
    if recipe.start.runs and recipe.calibration.holdout:
        raise RunError(
            f"{recipe.name}: [calibration] holdout asks for a twin that has not seen the last pictures, and "
            "what it would start from may have; leave out [start], or set holdout = 0"
        )
    left = len(data.train_images) - recipe.data.validation
    check_unseen(recipe.name, recipe.start.of_seed(seed), data.name, recipe.data.validation, left)
    begun: dict[str, str] = {}
    pixels, classes = parts.train.images.shape[1], len(data.labels)
    networks.check(recipe, pixels)
    held.enter_context(taken(out, recipe.to_toml(), writes))
    identity = {
        "recipe": hashlib.sha256(recipe.to_toml().encode()).hexdigest(),
        "data": dict(data.checksums),
        "part": data.part,
    }

    def trained(what: str, learnt: Part, watched: Mapping[str, Part]) -> tuple[Loop, list[Epoch]]:
        watcher.start(what, out)
        with strategy.scope():
            network = networks.build(recipe.network, pixels, classes, seed)
            begun.update(begin_with(network, recipe.start.of_seed(seed), networks.learnt, "network"))
            loop = Loop(network, recipe, classes)
        with pictures_of(recipe, data, learnt, seed) as pictures:
            history = train(
                loop,
                pictures,
                watched,
                seed,
                saved=out / _checkpoint(what),
                identity=identity | {"what": what} | ({"start": list(begun.values())} if begun else {}),
                on_epoch=watcher.epoch,
            )
        return loop, history

    every = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    known: dict[str, Part] = {name: part for name, part in every.items() if len(part)}
    watched: dict[str, Part] = {name: part for name, part in known.items() if name in recipe.training.watch}
    if recipe.stopping.patience:
        watched["validation"] = parts.validation
    loop, history = trained("network", parts.train, watched)
    calibration = _calibration(recipe, data, parts, loop, trained, seed)
    measured = {name: _measured(loop, part) for name, part in known.items()}

    report = {
        "schema": SCHEMA,
        **({"kind": "character"} if data.name == CHARACTERS else {}),
        "recipe": recipe.name,
        "seed": seed,
        "labels": list(data.labels),
        "parameters": networks.parameters(loop.network),
        "epochs": len(history),
        **({"start": begun} if begun else {}),
        **measured,
        **calibration,
        "seconds": {
            "epoch": round(statistics.median([row.seconds for row in history] or [0.0]), 3),
            "epochs": round(sum(row.seconds for row in history), 3),
        },
        "data": {
            "set": data.name,
            "part": data.part,
            "published": data.published,
            "checksums": dict(data.checksums),
            "picture": list(data.train_images.shape[1:]),
        },
    }
    if writes:
        # A copy of its own: what is saved has nothing of the devices it was trained on.
        plain = networks.build(recipe.network, pixels, classes, seed)
        for variable, value in zip(plain.variables, loop.network.variables, strict=True):
            variable.assign(value.numpy())
        _save_model(plain, pixels, out / "model")
        write_atomically(out / "history.csv", history_csv(history))
        write_atomically(out / "environment.json", json_bytes(environment()))
        write_atomically(out / REPORT, json_bytes(report))
        for what in ("network", "twin"):
            (out / _checkpoint(what)).unlink(missing_ok=True)
    devices.meet(strategy, 0)  # nobody leaves while others may still wait for an answer
    return report


def _checkpoint(what: str) -> str:
    return "checkpoint.npz" if what == "network" else f"checkpoint-{what}.npz"


def _calibration(
    recipe: Recipe, data: DataSet, parts: Parts, loop: Loop, trained: Callable[..., Any], seed: int
) -> dict[str, Any]:
    """Fit the temperature where the recipe says; return the report's entries about it."""
    if recipe.calibration.holdout:
        kept = len(parts.train) - len(parts.holdout)
        loop, _ = trained("twin", _cut(parts.train, 0, kept), {})
        part, source = parts.holdout, "a twin trained without the last pictures of the training part"
    elif len(parts.validation):
        part, source = parts.validation, "the validation part"
    else:
        return {"temperature": 1.0, "calibration": {"source": "none", "pictures": 0}}
    if recipe.augmentation.variants:
        # What a device meets is not as clean as the set: the temperature is for pictures like those of an
        # epoch.
        part = drawn_anew(recipe, data, part, seed)
        source += ", augmented"
    logits = logits_of(loop.network, part)
    temperature = round(fit_temperature(logits, part.targets), 4)
    return {
        "temperature": temperature,
        "calibration": {
            "source": source,
            "pictures": len(part),
            "loss_at_1": round(negative_log_likelihood(logits, part.targets), 6),
            "loss": round(negative_log_likelihood(logits, part.targets, temperature), 6),
        },
    }


def logits_of(network: networks.Network, part: Part) -> npt.NDArray[np.float32]:
    """Return the network's logits, float32 [n, classes], for the pictures of a part."""
    return np.concatenate(
        [
            network(tf.constant(part.images[start : start + 10_000], tf.float32) / 255.0).numpy()
            for start in range(0, len(part), 10_000)
        ]
    )


def _measured(loop: Loop, part: Part) -> dict[str, Any]:
    loss, accuracy = loop.measure(part)
    return {"pictures": len(part), "accuracy": round(accuracy, 6), "loss": round(loss, 6)}


def _save_model(network: networks.Network, pixels: int, path: Path) -> None:
    """Write the SavedModel, without anything of the optimizer; whole or not at all."""
    signature = tf.TensorSpec((None, pixels), tf.float32, name="pixels")
    served = tf.Module()
    served.network = network
    served.logits = tf.function(lambda pixels: {"logits": network(pixels)}, input_signature=[signature])
    served.probabilities = tf.function(
        lambda pixels: {"probabilities": tf.nn.softmax(network(pixels))}, input_signature=[signature]
    )
    temporary = path.with_name(f".{path.name}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        tf.saved_model.save(
            served,
            str(temporary),
            signatures={"serving_default": served.probabilities, "logits": served.logits},
        )
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise OutputError(f"{path}: can't write the model ({reason}); make room, then start again") from error


PACKAGES = ("edgedigits", "edgedigits-train", "keras", "numpy", "tensorflow", "tensorflow-cpu")


def environment() -> dict[str, Any]:
    """Return what the figures depend on beside recipe, data and seed; nothing that names the machine."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "threads": {
            "intra_op": tf.config.threading.get_intra_op_parallelism_threads() or "one per processor",
            "inter_op": tf.config.threading.get_inter_op_parallelism_threads() or "one per processor",
        },
        "devices": [
            tf.config.experimental.get_device_details(device).get("device_name", "GPU")
            for device in tf.config.list_physical_devices("GPU")
        ]
        or ["CPU"],
        "deterministic_ops": True,  # `run` sets it; TensorFlow has no public way to ask
        "versions": versions,
    }


def json_bytes(values: Mapping[str, Any]) -> bytes:
    """Return values as JSON text, as the files of a run hold it."""
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()
