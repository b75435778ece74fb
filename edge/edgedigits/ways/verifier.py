"""A second opinion on the readings of a strip: a network that looks at each character by itself.

The strip network's second guess is often the right one. Where two of its texts are nearly as good,
another network, which sees every character at a size of its own and not the whole strip, has a say in which
is better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import is_character
from edgedigits.model import Model
from edgedigits.page import REJECTED
from edgedigits.ways.characters import Cell, cells_of, window
from edgedigits.ways.ctc import Prefix, spans_of_all


@dataclass(frozen=True)
class VerifierSettings:
    """How much the second opinion counts. Chosen on the tuning part of the cheque amounts."""

    weight: float = 0.2
    """Exponent of each character's probability beside that of the whole text."""
    least: float = 0.003
    """No character is thought less probable; a reading that was not looked into has one like that."""


PlacedText = list[tuple[int, Cell]]
"""The characters of a text, as indices of the strip network's labels, and where each stands."""


def place_texts(
    log_probabilities: NDArray[np.floating], texts: Mapping[str, Prefix], width: int
) -> dict[str, PlacedText]:
    """Return texts of a strip, by their names, with the cells of their characters.

    `log_probabilities` is what the strip network says of it, `texts` are indices of its labels, separators
    too; `width` is the strip's, in pixels. A text that the strip has no room for is left out.
    """
    # Texts with as many characters have them in the same places, where the first of them has its own:
    # what is looked at for one is then looked at for all.
    firsts: dict[int, Prefix] = {}
    for text in texts.values():
        firsts.setdefault(len(text), text)
    found = dict(zip(firsts, spans_of_all(log_probabilities, list(firsts.values())), strict=True))
    placed = {}
    for name, text in texts.items():
        places = found[len(text)]
        if places is not None:
            placed[name] = list(zip(text, cells_of(places, width), strict=True))
    return placed


class Verifier:
    """Looks at the characters of strips with a network; `labels` are those that texts are made of.

    A `?` among them stands for what is no digit, if the network has a class for that.
    """

    def __init__(
        self, model: Model, labels: Sequence[str], settings: VerifierSettings = VerifierSettings()
    ) -> None:
        self.model, self.settings = model, settings
        own = {label: k for k, label in enumerate(model.card.labels)}
        no_digit = next((k for label, k in own.items() if not is_character(label)), -1)
        # A separator is nobody's digit, and none of this network's business.
        self._columns = [
            own.get(label, -1) if label.isdigit() else no_digit if label == REJECTED else -1
            for label in labels
        ]

    def weights(self, strip: NDArray[np.uint8], texts: Mapping[str, PlacedText]) -> dict[str, float]:
        """Return by what the probability of each text is to be multiplied: 0…1.

        `strip` is uint8, 40×W, as `strips.prepare` gives it; `texts` are the texts, by their names, as
        `place_texts` gives them. A text without digits has the weight `unseen`.
        """
        cells: dict[Cell, int] = {}
        asked: dict[str, list[tuple[int, int]]] = {}
        for name, text in texts.items():
            asked[name] = [
                (cells.setdefault(cell, len(cells)), self._columns[label])
                for label, cell in text
                if self._columns[label] >= 0
            ]
        if not cells:
            return dict.fromkeys(texts, self.unseen)
        rows = self.model.probabilities(np.stack([window(strip, cell) for cell in cells])).tolist()
        least, weight = self.settings.least, self.settings.weight
        return {
            name: math.prod(max(rows[row][column], least) for row, column in asked[name]) ** weight
            if asked[name]
            else self.unseen
            for name in texts
        }

    @property
    def unseen(self) -> float:
        """The weight of a text that was not looked into."""
        return float(self.settings.least**self.settings.weight)
