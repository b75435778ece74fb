"""A recipe: every hyperparameter of a training run, read from TOML and checked before anything starts.

What a section may hold is said once, by a frozen dataclass: the fields are the keys, their types and the
bounds in their metadata are the checks, their defaults are the defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from edgedigits.errors import EdgeDigitsError

SectionType = TypeVar("SectionType")


class RecipeError(EdgeDigitsError):
    """A recipe that can't be used; the line says the file, the line in it, the key and what is wrong."""


def at_least(bound: float) -> dict[str, float]:
    """Return the metadata of a setting that is not below `bound`."""
    return {"at_least": bound}


def above(bound: float) -> dict[str, float]:
    """Return the metadata of a setting that is above `bound`."""
    return {"above": bound}


def entries(fewest: int) -> dict[str, float]:
    """Return the metadata of a list of settings that has not fewer than so many entries."""
    return {"fewest": fewest}


def share() -> dict[str, float]:
    """Return the metadata of a setting that is 0…1."""
    return {"at_least": 0, "at_most": 1}


@dataclass(frozen=True)
class Data:
    """`[data]`: what is learnt from."""

    set: str
    """Name of the data set."""
    validation: int = field(default=0, metadata=at_least(0))
    """So many pictures at the end of the training part are not trained on but watched."""
    train: int = field(default=0, metadata=at_least(0))
    """So many pictures at the beginning of the training part are trained on; 0: all that are left."""


@dataclass(frozen=True)
class Mlp:
    """`[network] kind = "mlp"`: fully connected layers."""

    kind: Literal["mlp"]
    hidden: tuple[int, ...] = field(metadata=at_least(1))
    """Neurons of each hidden layer, from the input on."""
    activation: Literal["relu", "sigmoid"] = "relu"
    """What each hidden layer applies."""
    initial: Literal["normal", "truncated-normal"] = "truncated-normal"
    """Distribution of the first weights and biases; truncated at two sigma."""
    weight_sigma: float = field(default=0.1, metadata=above(0))
    bias_sigma: float = field(default=0.0, metadata=at_least(0))
    """0: biases start at zero."""


@dataclass(frozen=True)
class Cnn:
    """`[network] kind = "cnn"`: convolutions, each with batch normalization and ReLU, then one dense layer.

    The lists have one entry for each convolution, from the input on.
    """

    kind: Literal["cnn"]
    filters: tuple[int, ...] = field(metadata=at_least(1))
    kernels: tuple[int, ...] = field(metadata=at_least(1))
    """Side of the window in pixels."""
    strides: tuple[int, ...] = field(metadata=at_least(1))
    """Pixels from window to window: 2 halves the picture."""
    edges: tuple[Literal["same", "valid"], ...]
    """"same": the picture is padded with zeros; "valid": it shrinks by the window's side less one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the convolutions are computed in while training; weights and the trained network are float32."""


@dataclass(frozen=True)
class Augmentation:
    """`[augmentation]`: what becomes of the training pictures before the network sees them.

    Lengths are in field pixels (half a pixel of the 28×28) unless said otherwise. The defaults leave a
    picture as it is.
    """

    variants: int = field(default=0, metadata=at_least(0))
    """So many versions of every picture are drawn ahead, and epoch after epoch takes the next. 0: none."""
    plain: float = field(default=0.0, metadata=share())
    """Share of the pictures of each version that are left as they are. 0…1."""
    rotation: float = field(default=0.0, metadata=at_least(0))
    """Standard deviation of the rotation in degrees."""
    slant: float = field(default=0.0, metadata=at_least(0))
    """Standard deviation of the slant: how far to the right the top stands, in heights."""
    lean: float = 0.0
    """Mean of the slant: writing leans to the right more often than to the left."""
    stretch: float = field(default=0.0, metadata=at_least(0))
    """Standard deviation of the logarithm of width by height."""
    elastic: float = field(default=0.0, metadata=at_least(0))
    """Standard deviation of a random smooth displacement."""
    bolder: float = field(default=0.0, metadata=at_least(0))
    """The stroke's edge moves outwards by up to this much, or inwards by up to half of it."""
    pen: float = field(default=0.0, metadata=share())
    """Share of the digits drawn anew along their middle lines with a pen of 1.7 to 6.5 field pixels. 0…1."""
    pressure: float = field(default=0.0, metadata=at_least(0))
    """Standard deviation of the pen's width along the stroke, as a part of it."""
    broken: float = field(default=0.0, metadata=share())
    """Share of the digits whose stroke is interrupted. 0…1."""
    strokes: float = field(default=0.0, metadata=share())
    """Share of the digits with another form in many hands that get it: a 1 its up-stroke, a 7 its bar, a 9 a
    hooked stem, a 4 of two strokes. 0…1."""
    forms: float = field(default=0.0, metadata=share())
    """Share of the digits that are drawn in the form of another hand, as in `forms`. 0…1."""
    camera: float = field(default=0.0, metadata=share())
    """Share of the digits that are photographed and found again by `find_ink`. 0…1."""
    coarse: float = field(default=0.0, metadata=share())
    """Share of the digits that pass through a picture only 10 to 16 pixels high. 0…1."""
    residue: float = field(default=0.0, metadata=share())
    """Share of the photographed digits with a rule or a neighbour at their side. 0…1."""
    fresh: float = field(default=0.0, metadata=at_least(0))
    """In every epoch each picture, plain or not, is bent once more, by this part of rotation, slant, stretch
    and elastic above; 0: not."""
    reuse: int = field(default=1, metadata=at_least(1))
    """So many epochs in a row take the same pictures, each in an order of its own: for where drawing them, or
    asking a teacher about them, takes longer than learning from them."""
    junk: int = field(default=0, metadata=at_least(0))
    """So many pictures of each version are no digits; above 0 the network has one more class."""
    struck: float = field(default=0.0, metadata=share())
    """Share of what is drawn as no digit that are digits crossed out, as in `struck`. 0…1."""
    written: float = field(default=0.0, metadata=share())
    """Share of its letters that are drawn, as in `letter_forms`; with them come more of print. 0…1."""
    pieces: int = field(default=0, metadata=at_least(0))
    """So many pictures of each version are cut out of composed strings, whose digits touch, as the device
    cuts them: digits, and what wrong cuts leave; see `pieces`. Asks for `junk`."""


@dataclass(frozen=True)
class Distillation:
    """`[distillation]`: trained networks' answers on the same pictures, to learn from beside the labels."""

    teachers: tuple[str, ...] = ()
    """Run folders of the teachers, from where the command runs; of several, the mean answer counts."""
    weight: float = field(default=0.0, metadata=share())
    """Share of the teachers' answer in the target; the label has the rest. 0…1."""
    temperature: float = field(default=1.0, metadata=above(0))
    """The teachers' logits are divided by this: above 1, more of what else they find likely."""


@dataclass(frozen=True)
class Start:
    """`[start]`: weights to begin with, in place of random ones."""

    runs: tuple[str, ...] = ()
    """Run folders, from where the command runs, of finished runs with a network of the same shape; `{seed}`
    in a name stands for the run's own seed.

    Of several the mean is taken, which reads about as well as all of them together where they were trained on
    from one network (M. Wortsman et al. 2022).
    """

    def of_seed(self, seed: int) -> list[str]:
        """Return the run folders for a seed."""
        return [folder.replace("{seed}", str(seed)) for folder in self.runs]


@dataclass(frozen=True)
class Training:
    """`[training]`: the loop."""

    epochs: int = field(metadata=at_least(0))
    """0: none, where `[start]` names what to begin with; of several runs that gives the mean."""
    batch: int = field(metadata=at_least(1))
    shuffle: int | Literal["full"] = field(default="full", metadata=at_least(1))
    """Size of the shuffle buffer in pictures; "full": every order is equally likely."""
    loss: Literal["cross-entropy", "quadratic"] = "cross-entropy"
    """"quadratic" is half the squared distance between sigmoid outputs and the one-hot label."""
    watch: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")
    """Parts measured in full after every epoch (the test part never to choose anything)."""


@dataclass(frozen=True)
class Adam:
    """`[optimizer] kind = "adam"`."""

    kind: Literal["adam"]
    rate: float = field(metadata=above(0))
    weight_decay: float = field(default=0.0, metadata=at_least(0))
    """Decoupled, times the rate of the step; biases are left out."""


@dataclass(frozen=True)
class Sgd:
    """`[optimizer] kind = "sgd"`: plain stochastic gradient descent, with momentum where it is above 0."""

    kind: Literal["sgd"]
    rate: float = field(metadata=above(0))
    momentum: float = field(default=0.0, metadata={"at_least": 0, "below": 1})
    weight_decay: float = field(default=0.0, metadata=at_least(0))
    """Decoupled, times the rate of the step; biases are left out."""


@dataclass(frozen=True)
class Schedule:
    """`[schedule]`: the learning rate over the run, as a factor of the optimizer's `rate`."""

    kind: Literal["constant", "cosine"] = "constant"
    """"cosine": half a cosine from 1 down to 0 over all steps after the warm-up."""
    warmup: float = field(default=0.0, metadata=at_least(0))
    """Epochs over which the factor first rises in a straight line from 0."""


@dataclass(frozen=True)
class Averaging:
    """`[averaging]`: an exponential moving average of the weights; it is what is measured and kept."""

    decay: float = field(default=0.0, metadata={"at_least": 0, "below": 1})
    """Share of the old average kept at each step; 0: no averaging."""


@dataclass(frozen=True)
class Stopping:
    """`[stopping]`: early stopping on the validation part."""

    patience: int = field(default=0, metadata=at_least(0))
    """Epochs without a better validation accuracy after which training stops; the best epoch's weights
    are kept. 0: no early stopping."""


@dataclass(frozen=True)
class Calibration:
    """`[calibration]`: where the temperature is fitted; always on pictures that were not trained on."""

    holdout: int = field(default=0, metadata=at_least(0))
    """0: on the validation part, if there is one. Above 0: a twin of the run is trained in the same way
    without the last so many training pictures, and the temperature that fits its outputs on them is taken."""


Network = Mlp | Cnn
NETWORKS: Mapping[str, type[Network]] = {"mlp": Mlp, "cnn": Cnn}
Optimizer = Adam | Sgd
OPTIMIZERS: Mapping[str, type[Optimizer]] = {"adam": Adam, "sgd": Sgd}


@dataclass(frozen=True)
class Recipe:
    """A checked recipe; `name` is that of its file."""

    name: str
    data: Data
    network: Network
    training: Training
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    averaging: Averaging = Averaging()
    stopping: Stopping = Stopping()
    calibration: Calibration = Calibration()
    augmentation: Augmentation = Augmentation()
    distillation: Distillation = Distillation()
    start: Start = Start()

    def with_epochs(self, epochs: int) -> Recipe:
        """Return the same recipe with another number of epochs."""
        return dataclasses.replace(self, training=dataclasses.replace(self.training, epochs=epochs))

    def to_toml(self) -> str:
        """Return the recipe with every default spelt out, in the form it is read from."""
        settings = {section: getattr(self, section) for section in SECTIONS}
        return to_toml(
            {s: v for s, v in settings.items() if s not in UNLESS_USED or v != type(v)()},
        )


Sections = Mapping[str, type | Mapping[str, type]]
"""The dataclass of each section; where there are several kinds, by the section's key `kind`."""

SECTIONS: Sections = {
    "data": Data,
    "network": NETWORKS,
    "training": Training,
    "optimizer": OPTIMIZERS,
    "schedule": Schedule,
    "averaging": Averaging,
    "stopping": Stopping,
    "calibration": Calibration,
    "augmentation": Augmentation,
    "distillation": Distillation,
    "start": Start,
}
REQUIRED = ("data", "network", "training", "optimizer")
UNLESS_USED = ("augmentation", "distillation", "start")
"""Sections that a recipe which does without them need not spell out."""


def load_recipe(name: str) -> Recipe:
    """Load a published recipe by its name (`paper`) or a recipe file by its path (`mine.toml`).

    Raises `RecipeError` where there is none of that name, or the file is no usable recipe.
    """
    return recipe_from_text(*read_recipe_text(name))


def read_recipe_text(name: str, folder: str = "recipes") -> tuple[str, str, str]:
    """Return the text of a recipe, what to call its source, and its short name.

    `name` is that of a recipe published in the package's `folder`, or the path of a .toml file. Raises
    `RecipeError` where there is none, it can't be read, or its name can't be part of a file's.
    """
    if not name.endswith(".toml"):
        known = published(folder)
        if name not in known:
            raise RecipeError(
                f"{name}: no recipe of that name{_suggestion(name, known)}; "
                f"there are {', '.join(known)}, or give the path of a .toml file"
            )
        text = resources.files(__package__).joinpath(folder, f"{name}.toml").read_text("utf-8")
        return text, f"{name}.toml", name
    path = Path(name)
    if not all(character.isalnum() or character in "-_." for character in path.stem):
        raise RecipeError(
            f"{path}: models are called by the recipe's name, which may have letters, digits, -, _ and . "
            "only; rename the file"
        )
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not a text file in UTF-8; a recipe is a TOML file") from error
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise RecipeError(f"{path}: can't read the recipe ({reason}); check the path") from error
    return text, str(path), path.stem


def published(folder: str = "recipes") -> list[str]:
    """Return the names of the published recipes in a folder of the package, sorted."""
    files = resources.files(__package__).joinpath(folder).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def recipe_from_text(text: str, source: str, name: str) -> Recipe:
    """Build a recipe from TOML; raises `RecipeError`, naming `source` and line, where it can't be used."""
    recipe = Recipe(name, **sections_from_text(text, source, SECTIONS, REQUIRED))
    lines = _lines(text)
    if isinstance(recipe.network, Cnn):
        network = recipe.network
        counts = [len(x) for x in (network.filters, network.kernels, network.strides, network.edges)]
        if len(set(counts)) > 1:
            raise RecipeError(
                f"{source}, line {lines[('network', 'kind')]}: [network] filters, kernels, strides and edges "
                f"have one entry for each convolution, not {', '.join(map(str, counts))}"
            )
    if not recipe.training.epochs and not recipe.start.runs:
        line = lines[("training", "epochs")]
        raise RecipeError(
            f"{source}, line {line}: [training] epochs = 0 trains nothing; raise it, or name runs in [start]"
        )
    if recipe.augmentation.pieces and not recipe.augmentation.junk:
        line = lines[("augmentation", "pieces")]
        raise RecipeError(
            f"{source}, line {line}: [augmentation] pieces without junk: what a wrong cut leaves is no "
            "digit; set junk, too, or leave pieces out"
        )
    if recipe.stopping.patience and not recipe.data.validation:
        line = lines[("stopping", "patience")]
        raise RecipeError(
            f"{source}, line {line}: [stopping] patience needs a validation part; set validation in [data]"
        )
    return recipe


def sections_from_text(text: str, source: str, sections: Sections, required: Sequence[str]) -> dict[str, Any]:
    """Return the checked settings of each section of a TOML text, as the dataclasses in `sections`.

    Raises `RecipeError`, naming `source` and line, where the text can't be used.
    """
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, deep nesting
        raise RecipeError(f"{source}: not valid TOML: {error}") from error
    lines = _lines(text)
    for section, content in values.items():
        where = f"{source}, line {lines.get((section, ''), lines.get(('', section), 1))}"
        if section not in sections:
            raise RecipeError(
                f"{where}: no section [{section}] is known{_suggestion(section, sections)}; "
                f"there are {', '.join(f'[{s}]' for s in sections)}"
            )
        if not isinstance(content, dict):
            raise RecipeError(f"{where}: {section} must be a section, [{section}], with settings below it")
    for section in required:
        if section not in values:
            raise RecipeError(f"{source}: the section [{section}] is missing")
    return {s: _section(s, content, source, lines, sections[s]) for s, content in values.items()}


def _section(
    section: str,
    content: Mapping[str, Any],
    source: str,
    lines: Mapping[tuple[str, str], int],
    spec: type | Mapping[str, type],
) -> Any:
    header = lines.get((section, ""), 1)
    if isinstance(spec, Mapping):
        kind = content.get("kind")
        if not isinstance(kind, str) or kind not in spec:
            line = lines.get((section, "kind"), header)
            problem = "is missing" if kind is None else f"is {kind!r}"
            raise RecipeError(
                f"{source}, line {line}: [{section}] kind {problem}; choose one of {', '.join(spec)}"
            )
        spec = spec[kind]
    hints = typing.get_type_hints(spec)
    fields = {f.name: f for f in dataclasses.fields(spec)}
    checked = {}
    for key, value in content.items():
        where = f"{source}, line {lines.get((section, key), header)}: [{section}] {key}"
        if key not in fields:
            raise RecipeError(
                f"{where}: no such setting{_suggestion(key, fields)}; there are {', '.join(fields)}"
            )
        checked[key] = _checked(value, hints[key], fields[key].metadata, where)
    for key, setting in fields.items():
        if key not in checked and setting.default is dataclasses.MISSING:
            raise RecipeError(f"{source}, line {header}: [{section}] lacks {key}")
    return spec(**checked)


def _checked(value: Any, hint: Any, bounds: Mapping[str, float], where: str) -> Any:
    """Return `value` as the type `hint` says; raises `RecipeError` where type or bounds don't allow it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{where} = {toml_value(value)}: must be a list of values in brackets")
        if len(value) < bounds.get("fewest", 0):
            raise RecipeError(f"{where} = {toml_value(value)}: must have at least {bounds['fewest']} entries")
        return tuple(_checked(item, arguments[0], bounds, where) for item in value)
    if origin is Literal:
        if value not in arguments:
            raise RecipeError(
                f"{where} = {toml_value(value)}: choose one of {', '.join(map(toml_value, arguments))}"
            )
        return value
    if origin is not None:  # a union of a number and a word
        words = [word for a in arguments for word in typing.get_args(a)]
        if value in words:
            return value
        if isinstance(value, str):
            raise RecipeError(
                f"{where} = {toml_value(value)}: must be a number or {' or '.join(map(toml_value, words))}"
            )
        return _checked(value, arguments[0], bounds, where)
    expected = {int: "a whole number", float: "a number", str: "a text in quotes"}[hint]
    right = isinstance(value, (int, float) if hint is float else hint) and not isinstance(value, bool)
    if not right:
        raise RecipeError(f"{where} = {toml_value(value)}: must be {expected}")
    if hint is str:
        return value
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        raise RecipeError(f"{where}: a number of {len(str(value))} digits is too large; lower it") from None
    if not finite:
        raise RecipeError(f"{where} = {toml_value(value)}: must be a finite number")
    if "at_least" in bounds and value < bounds["at_least"]:
        raise RecipeError(f"{where} = {toml_value(value)}: must be at least {bounds['at_least']:g}")
    if "above" in bounds and value <= bounds["above"]:
        raise RecipeError(f"{where} = {toml_value(value)}: must be above {bounds['above']:g}")
    if "at_most" in bounds and value > bounds["at_most"]:
        raise RecipeError(f"{where} = {toml_value(value)}: must be at most {bounds['at_most']:g}")
    if "below" in bounds and value >= bounds["below"]:
        raise RecipeError(f"{where} = {toml_value(value)}: must be below {bounds['below']:g}")
    return hint(value)


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Return the line, from 1, of each (section, key), and of each section header under the key ''."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*\"?([\w-]+)\"?\s*\]", line):
            section = header[1]
            found.setdefault((section, ""), number)
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*[=.]", line):
            found.setdefault((section, key[1]), number)
    return found


def _suggestion(word: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


def to_toml(sections: Mapping[str, Any]) -> str:
    """Return settings, a dataclass for each section, as TOML with every default spelt out."""
    blocks = []
    for section, settings in sections.items():
        lines = [f"[{section}]"]
        lines += [f"{key} = {toml_value(value)}" for key, value in dataclasses.asdict(settings).items()]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def toml_value(value: Any) -> str:
    """Return a value as it is written in TOML."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
