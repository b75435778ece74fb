"""Hyperparameter search: trials of a recipe with some of its settings varied, with Optuna.

A trial trains on all but a validation part and is judged by its validation accuracy; the test part is not
touched. Trials that fall behind are pruned. All trials lie in one storage, so that a search goes on after
an interruption, and several processes or machines can work on one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import tensorflow as tf
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from edgedigits.errors import EdgeDigitsError, OutputError
from edgedigits.files import make_folder, write_atomically
from edgedigits_train import networks
from edgedigits_train.data import DataSet
from edgedigits_train.loop import Epoch, Loop, TrainingError, train
from edgedigits_train.recipe import Calibration, Recipe, Stopping, recipe_from_text, toml_value
from edgedigits_train.run import make_deterministic, part_data, pictures_of

HELD_OUT = 6
"""Where the recipe has no validation part, one picture in so many is held out for the trials."""
MARK = "# Found by a search"
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


class SearchError(EdgeDigitsError):
    """A search that can't be made as asked for."""


@dataclass(frozen=True)
class Varied:
    """One setting that is varied: between two numbers, or among some values."""

    section: str
    key: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    def suggest(self, trial: optuna.Trial) -> Any:
        """Ask for the value of a trial."""
        if self.choices:
            # As text: a storage keeps lists, such as the sizes of hidden layers, only so.
            return _value(trial.suggest_categorical(self.name, self.choices), self.name)
        assert self.low is not None
        assert self.high is not None
        # Over more than a decade, what counts is the factor.
        log = self.low > 0 and self.high / self.low > 10
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, self.low, self.high, log=log)
        return trial.suggest_float(self.name, self.low, self.high, log=log)

    def ends(self) -> list[Any]:
        """Return the values to be checked before anything is tried."""
        return [_value(choice, self.name) for choice in self.choices] or [self.low, self.high]


def varied(text: str) -> Varied:
    """Read SECTION.KEY=LOW..HIGH or SECTION.KEY=A,B,C, the values in TOML; raises `SearchError`."""
    shape = re.fullmatch(r"([\w-]+)\.([\w-]+)=(.+)", text)
    if shape is None:
        raise SearchError(f"--vary {text}: not SECTION.KEY=LOW..HIGH or SECTION.KEY=A,B,C")
    section, key, values = shape.groups()
    if ".." in values:
        low, high = (_value(end, text) for end in values.split("..", 1))
        numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
        if not numbers or not low < high:
            raise SearchError(f"--vary {text}: must be two numbers, the lower one first")
        if isinstance(low, int) != isinstance(high, int):
            low, high = float(low), float(high)
        return Varied(section, key, low, high)
    # Commas within brackets belong to a list.
    choices = tuple(choice.strip() for choice in re.split(r",(?![^\[]*\])", values))
    for choice in choices:
        _value(choice, text)
    return Varied(section, key, choices=choices)


def _value(text: str, where: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise SearchError(
            f"--vary {where}: {text!r} is no value as in a recipe (texts need quotes)"
        ) from error


def usual(recipe: Recipe) -> list[Varied]:
    """Return what is varied where nothing is said: the rate, a decade either way, and the batch."""
    rate, batch = recipe.optimizer.rate, recipe.training.batch
    sizes = sorted({max(1, batch // 2), batch, 2 * batch, 4 * batch})
    return [
        Varied("optimizer", "rate", rate / 10, rate * 10),
        Varied("training", "batch", choices=tuple(map(str, sizes))),
    ]


def search(
    recipe: Recipe,
    data: DataSet,
    space: Sequence[Varied],
    trials: int,
    storage: str,
    out: Path,
    seed: int,
) -> Recipe:
    """Search until the study has `trials` finished trials, write the best as a recipe file, and return it.

    `storage` is a database URL as Optuna knows them, or the path of a journal file. Raises `SearchError`
    where the recipe starts from finished runs, a setting can't be varied so, the storage can't be used or no
    trial came to an end,
    `OutputError` where `out` can't be written or holds something else than an earlier search's result.
    """
    _must_be_ours(out)
    if recipe.start.runs:
        raise SearchError(
            f"{recipe.name}: a trial is judged on pictures that it has not seen, and what [start] names may "
            "have seen them; leave out [start]"
        )
    for one in space:
        for value in one.ends():
            with_values(recipe, {one: value})
    judged = _judged(recipe, data)
    parts = part_data(data, judged)
    make_deterministic()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = _study(recipe, space, storage, seed)

    def objective(trial: optuna.Trial) -> float:
        tried = with_values(judged, {one: one.suggest(trial) for one in space})
        pixels, classes = parts.train.images.shape[1], len(data.labels)
        loop = Loop(networks.build(tried.network, pixels, classes, seed), tried, classes)

        def judge(row: Epoch) -> None:
            assert row.validation_accuracy is not None
            trial.report(row.validation_accuracy, row.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        try:
            with pictures_of(tried, data, parts.train, seed) as pictures:
                history = train(loop, pictures, {"validation": parts.validation}, seed, on_epoch=judge)
        except TrainingError as error:  # it diverged: a bad setting, not the end of the search
            raise optuna.TrialPruned from error
        finally:
            tf.keras.backend.clear_session()
        assert history[-1].validation_accuracy is not None
        return history[-1].validation_accuracy

    if sum(trial.state in FINISHED for trial in study.trials) < trials:
        try:
            study.optimize(
                objective,
                callbacks=[optuna.study.MaxTrialsCallback(trials, states=FINISHED), _say],
            )
        except optuna.exceptions.OptunaError as error:
            raise SearchError(f"{storage}: the storage failed ({_line(error)}); check it") from error
    if not any(trial.state == TrialState.COMPLETE for trial in study.trials):
        raise SearchError("no trial came to an end; vary the settings within narrower bounds, or allow more")
    best = study.best_trial
    found = with_values(recipe, {one: _of(one, best.params[one.name]) for one in space})
    count = sum(trial.state in FINISHED for trial in study.trials)
    header = (
        f"{MARK}: {count} trials of {recipe.name} with {', '.join(one.name for one in space)} varied, "
        f"seed {seed};\n# validation accuracy {best.value:.4f}, trained without "
        f"{len(parts.validation):,} pictures.\n\n"
    )
    make_folder(out.parent)
    write_atomically(out, (header + found.to_toml()).encode())
    return found


def with_values(recipe: Recipe, values: Mapping[Varied, Any]) -> Recipe:
    """Return the recipe with other values; raises `RecipeError`, as for a file, where they can't be."""
    sections = tomllib.loads(recipe.to_toml())
    for one, value in values.items():
        sections.setdefault(one.section, {})[one.key] = value
    return recipe_from_text(_dump(sections), f"{recipe.name} with {_said(values)}", recipe.name)


def _said(values: Mapping[Varied, Any]) -> str:
    return ", ".join(f"{one.name}={value}" for one, value in values.items())


def _dump(sections: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _of(one: Varied, value: Any) -> Any:
    return _value(value, one.name) if one.choices else value


def _judged(recipe: Recipe, data: DataSet) -> Recipe:
    """Return the recipe as the trials train it: with a validation part, and nothing but that looked at."""
    held_out = recipe.data.validation or len(data.train_images) // HELD_OUT
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, validation=held_out),
        training=dataclasses.replace(recipe.training, watch=("validation",)),
        # A trial is judged by where it ends, and pruned where it falls behind.
        stopping=Stopping(),
        calibration=Calibration(),
    )


def _study(recipe: Recipe, space: Sequence[Varied], storage: str, seed: int) -> optuna.Study:
    """Open the study of this search: another recipe, space or seed is another study."""
    what = f"{recipe.to_toml()}\n{sorted(map(repr, space))}\n{seed}"
    name = f"{recipe.name}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
    try:
        place: Any = storage
        if "://" not in storage:
            make_folder(Path(storage).parent)
            place = optuna.storages.JournalStorage(JournalFileBackend(storage))
        study = optuna.create_study(
            storage=place,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        )
    except EdgeDigitsError:
        raise
    except Exception as error:  # each kind of storage fails in its own way
        raise SearchError(
            f"{storage}: can't be used as storage ({_line(error)}); "
            "give a database URL, such as sqlite:///search.db, or the path of a journal file"
        ) from error
    # Processes that join later, or go on, draw other values than those before them.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _say(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    if trial.state == TrialState.PRUNED:
        result = f"pruned after epoch {trial.last_step}"
    else:
        result = f"validation accuracy {trial.value:.4f}"
    values = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.params.items()
    )
    best = [t.value for t in study.trials if t.state == TrialState.COMPLETE and t.value is not None]
    sofar = f"; best so far {max(best):.4f}" if best else ""
    print(f"trial {trial.number}: {values}: {result}{sofar}", file=sys.stderr, flush=True)


def _must_be_ours(out: Path) -> None:
    try:
        text = out.read_text("utf-8") if out.exists() else MARK
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text.startswith(MARK):
        raise OutputError(f"{out}: is there and no search wrote it; choose another --out")
