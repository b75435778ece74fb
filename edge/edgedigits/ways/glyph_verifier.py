"""A second opinion on the glyph way's readings: their digits looked at again, each in its place in the line.

The glyph network sees a piece of ink by itself, and what it is sure of may still be two pieces grown
together, or half of one. The network that looks at the characters of strips sees what stands beside them,
too. Where it likes another reading better, that one gains; where it doubts the best one, so does the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode.lattice import Reading, spelt, weighed
from edgedigits.glyphs import Box, Mark
from edgedigits.ways.characters import cells_around
from edgedigits.ways.strip_cutting import StripSettings, cut_out, region_of
from edgedigits.ways.verifier import PlacedText, Verifier


@dataclass(frozen=True)
class GlyphVerifierSettings:
    """How much the second opinion counts. Chosen on the tuning part of the cheque amounts."""

    weight: float = 0.6
    """Exponent of each digit's probability beside that of the whole reading."""
    doubt: float = 0.06
    """The same where readings are not held against one another: one that is doubted is less sure though there
    is none better."""
    readings: int = 5
    """So many readings are looked into …"""
    likely: float = 0.03
    """… of those that are not less probable than the best by this factor."""


class GlyphVerifier:
    """Looks at the digits of a line's readings with another network.

    `verifier` gives each text the product of its digits' probabilities; `labels` are what it was opened with;
    `strips` says how a line is cut out.
    """

    def __init__(
        self,
        verifier: Verifier,
        labels: Sequence[str],
        settings: GlyphVerifierSettings = GlyphVerifierSettings(),
        strips: StripSettings = StripSettings(),
    ) -> None:
        self.verifier, self.settings, self.strips = verifier, settings, strips
        self._places = {label: place for place, label in enumerate(labels)}

    def weigh(
        self,
        grey: NDArray[np.uint8],
        boxes: Sequence[Box],
        across: tuple[float, float],
        readings: Sequence[Reading],
        marks: Sequence[Mark] = (),
    ) -> list[Reading]:
        """Return readings as weighed by a second look, best first; their sum is lower by how much is doubted.

        `grey` is uint8, H×W, dark ink on light, and `boxes` are those of the line's glyphs in it; the boxes
        of `readings` and `marks`, multiplied by `across` (x, y), are in its pixels; marks with ink of their
        own are not in it. What is not looked into is believed no more than anything that is.
        """
        settings = self.settings
        seen = [mark for mark in marks if mark.ink is None]
        likely = settings.likely * readings[0].probability if readings else 0.0
        asked = [each for each in readings if each.text and each.probability >= likely]
        region = region_of(boxes, (grey.shape[1], grey.shape[0]), self.strips)
        cut = cut_out(grey, region, self.strips) if asked else None
        if cut is None:
            return list(readings)
        strip, back = cut
        placed: dict[str, PlacedText] = {}
        for each in asked[: settings.readings]:
            pieces = spelt(each, seen)
            middles = back.along(
                [((x + w / 2) * across[0], (y + h / 2) * across[1]) for (x, y, w, h), _ in pieces]
            )
            cells = cells_around(middles, strip.shape[1])
            placed[each.text] = [
                (self._places[sign], cell)
                for (_, sign), cell in zip(pieces, cells, strict=True)
                if sign in self._places
            ]
        found = self.verifier.weights(strip, placed)
        # What was not looked into overtakes nothing that was.
        others = min([self.verifier.unseen, *found.values()])
        even = weighed(readings, [found.get(each.text, others) ** settings.weight for each in readings])
        doubted = [
            replace(each, probability=each.probability * found.get(each.text, others) ** settings.doubt)
            for each in even
        ]
        return sorted(doubted, key=lambda each: -each.probability)
