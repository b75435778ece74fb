"""A strip recipe: every hyperparameter of the strip network, read from TOML and checked like the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgedigits.strips import SEEN, STEP, WINDOW
from edgedigits_train.recipe import (
    Adam,
    Averaging,
    RecipeError,
    Schedule,
    Start,
    at_least,
    entries,
    read_recipe_text,
    sections_from_text,
    share,
    to_toml,
)


@dataclass(frozen=True)
class Digits:
    """`[data]`: the digits that strings are composed from."""

    set: str
    """Name of the data set."""
    validation: int = field(default=2000, metadata=at_least(100))
    """So many pictures at the end of the training part are not trained on: held-out strings are of them."""
    train: int = field(default=0, metadata=at_least(0))
    """So many of the others are drawn from, chosen by the seed; 0: all."""


@dataclass(frozen=True)
class Composition:
    """`[composition]`: what strings look like; see `compose`."""

    touching: float = field(default=0.6, metadata=share())
    """Share of the strings whose digits stand so close that many touch or overlap, some joined. 0…1."""
    slant: float = field(default=1.0, metadata=share())
    """0: strings stand upright on a level line; above, however little, they slant and slope."""
    separators: float = field(default=0.65, metadata=share())
    """Share of the strings with dots, commas, dashes and the like between or behind the digits. 0…1."""
    forms: float = field(default=0.5, metadata=share())
    """How many digits are drawn in the forms of `forms`; in some hands none, in others most. 0…1."""
    background: float = field(default=0.65, metadata=share())
    """Share of the strips on patterned paper. 0…1."""
    rules: float = field(default=0.4, metadata=share())
    """Share of the strips with printed lines. 0…1."""
    clutter: float = field(default=0.3, metadata=share())
    """Share of the strips with rests of other writing. 0…1."""
    clear: float = field(default=0.0, metadata=share())
    """Share of the strips whose picture is sharp and whose pattern is faint, as a scanner's are. 0…1."""
    narrow: float = field(default=0.0, metadata=share())
    """Share of the strips that are seen narrow, as the reader's second look sees them. 0…1."""
    chained: float = field(default=0.0, metadata=share())
    """Share of the hands that write a row of zeros in one line, from top to top. 0…1."""
    empty: float = field(default=0.05, metadata=share())
    """Share of the strips without any digit. 0…1."""


@dataclass(frozen=True)
class Network:
    """`[network]`: convolutions over the strip (3×3), then along it; one entry for each."""

    filters: tuple[int, ...] = field(metadata=at_least(1) | entries(2))
    """Of the convolutions that take 40 rows down to one: halved by each but the last, which takes all. The
    first halves the width, too."""
    along: tuple[int, ...] = field(metadata=at_least(1))
    """Of the convolutions along the one row."""
    plain: int = field(default=0, metadata=at_least(0))
    """So many convolutions of the same size follow each that halves the rows."""
    reach: int = field(default=5, metadata=at_least(1))
    """Window of the convolutions along the row, in steps of two pixels."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """What the convolutions are computed in while training."""

    @property
    def seen(self) -> int:
        """Pixels to either side on which an answer depends: to the left, and one more to the right."""
        halvings = len(self.filters) - 1
        convolutions = halvings * self.plain + max(0, halvings - 1)
        return STEP * (convolutions + len(self.along) * (self.reach // 2))


@dataclass(frozen=True)
class Training:
    """`[training]`: the loop."""

    steps: int = field(metadata=at_least(0))
    """0: none, where `[start]` names what to begin with."""
    batch: int = field(metadata=at_least(1))
    widths: tuple[int, ...] = field(metadata={"at_least": 16, "at_most": WINDOW} | entries(1))
    """Widths of the strips in pixels; every batch has one of them, in turn. None is wider than the window
    that the exported network takes."""
    reuse: int = field(default=2, metadata=at_least(1))
    """So many times every strip is learnt from, some blocks apart."""
    checkpoint: int = field(default=500, metadata=at_least(1))
    """Steps from checkpoint to checkpoint; a multiple of `BLOCK`."""


@dataclass(frozen=True)
class StripRecipe:
    """A checked recipe; `name` is that of its file."""

    name: str
    data: Digits
    network: Network
    training: Training
    optimizer: Adam
    composition: Composition = field(default_factory=Composition)
    schedule: Schedule = field(default_factory=Schedule)
    averaging: Averaging = field(default_factory=Averaging)
    start: Start = field(default_factory=Start)

    def to_toml(self) -> str:
        """Return the recipe with every default spelt out, in the form it is read from."""
        return to_toml({section: getattr(self, section) for section in SECTIONS})


SECTIONS: Mapping[str, type | Mapping[str, type]] = {
    "data": Digits,
    "composition": Composition,
    "network": Network,
    "training": Training,
    "optimizer": {"adam": Adam},
    "schedule": Schedule,
    "averaging": Averaging,
    "start": Start,
}
REQUIRED = ("data", "network", "training", "optimizer")


def load_strip_recipe(name: str) -> StripRecipe:
    """Load a published strip recipe by its name, or a file by its path; raises `RecipeError`."""
    text, source, short = read_recipe_text(name, "recipes/strips")
    recipe = StripRecipe(short, **sections_from_text(text, source, SECTIONS, REQUIRED))
    if recipe.network.seen >= SEEN:
        raise RecipeError(
            f"{source}: [network] an answer depends on {recipe.network.seen + 1} pixels to one side, and the "
            f"windows in which strips are read overlap by {SEEN}; lower plain, along or reach"
        )
    for folder in recipe.start.runs:
        if not folder or recipe.start.runs.count(folder) > 1:
            raise RecipeError(
                f"{source}: [start] runs: {folder!r} is empty or there twice; name every run once"
            )
    return recipe
