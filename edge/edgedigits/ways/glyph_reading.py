"""The glyph way: the pieces of ink of a text line told apart, looked at one by one, and read as a line.

Where the strip way has the network say along a line what stands where (`strip_reading`), here the ink says
where digits may stand, and the network what each of them is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from edgedigits.decode import (
    RejectRule,
    Separator,
    as_read,
    decode_digit,
    decode_line,
    is_character,
    is_drawing,
)
from edgedigits.decode.consistency import ConsistencySettings, consistencies, consistency_weights
from edgedigits.decode.hypotheses import Candidate, LineHypotheses
from edgedigits.decode.lattice import Reading, best_readings, weighed
from edgedigits.decode.pieces import join_pieces
from edgedigits.decode.prior import PriorSettings, expected_prior, weigh_readings
from edgedigits.glyphs import TextLine
from edgedigits.model import Model
from edgedigits.normalize import normalize_all
from edgedigits.page import Line, scaled
from edgedigits.ways.expected import Expected
from edgedigits.ways.glyph_verifier import GlyphVerifier
from edgedigits.writing import Writing

LEFT_OUT = 0.04
"""So much ink left out, in squared heights, takes a line's confidence to a third."""

MOST_PARTS = 30_000
"""So many parts of clusters are looked at in one picture: a thousand digits that touch have fewer."""


class GlyphReader:
    """Reads text lines glyph by glyph with a network for glyphs; `rule` says what is not trusted.

    Where there is a `verifier`, it has a say in which of a line's readings is the best; so have the `prior`,
    what numbers people write, and `consistency`, how alike what a reading takes for the same digit looks.
    """

    def __init__(
        self,
        model: Model,
        rule: RejectRule,
        verifier: GlyphVerifier | None = None,
        prior: PriorSettings = PriorSettings(),
        consistency: ConsistencySettings = ConsistencySettings(),
    ) -> None:
        self.model, self.rule, self.verifier = model, rule, verifier
        self.prior, self.consistency = prior, consistency
        labels = model.card.labels
        self.characters = [(k, label) for k, label in enumerate(labels) if is_character(label)]
        """The classes that are text, by their index among the model's labels."""
        self._can_doubt = len(self.characters) < len(labels)

    def open(self, line: TextLine) -> LineHypotheses:
        """Return what could be read in a line, before the network is asked."""
        return LineHypotheses(line, self.characters, self._can_doubt)

    def look_at(self, lines: Sequence[TextLine]) -> list[LineHypotheses]:
        """Return what could be read in lines, the network asked about their glyphs.

        Where lines are one digit's pieces, there is one for all of them, in the place of the first.
        """
        hypotheses = [self.open(line) for line in lines]
        self.classify([glyph for each in hypotheses for glyph in each.glyphs()])
        return join_pieces(hypotheses, self.classify, self.open)

    def look_at_parts(self, hypotheses: Iterable[LineHypotheses]) -> None:
        """Have the network asked about the parts of the clusters in doubt: what `readings` needs.

        Where there are more than `MOST_PARTS` in all, the last lines are read without, and not trusted.
        """
        parts: list[Candidate] = []
        for each in hypotheses:
            parts += each.parts(MOST_PARTS - len(parts))
        self.classify(parts)

    def classify(self, candidates: Sequence[Candidate]) -> None:
        """Fill in what the network says of candidates."""
        if candidates:
            rows = self.model.probabilities(normalize_all([each.ink for each in candidates]))
            for each, row in zip(candidates, rows, strict=True):
                each.probabilities = row

    def readings(
        self,
        hypotheses: LineHypotheses,
        writing: Writing,
        expected: Expected,
        wanted: Iterable[str] = (),
    ) -> list[Reading]:
        """Return the readings of a line, its glyphs and parts looked at, best first.

        They are found once, for what was `expected` and `wanted` first: what the glyphs hold of texts that
        are wanted is told where it can be. `writing` is that of the line's picture.
        """
        if hypotheses.readings is None:
            readings = best_readings(*hypotheses.lattice(), wanted)
            if not hypotheses.lone:  # one glyph is hardly a number of several digits, be it round or not
                prior = expected_prior(expected.count, self.prior)
                marks = hypotheses.line.marks
                readings = weigh_readings(readings, marks, settings=prior)
                if self.verifier is not None and readings:
                    boxes, across = writing.boxes(hypotheses.line), writing.across(writing.size)
                    readings = self.verifier.weigh(writing.grey, boxes, across, readings, marks)
                readings = _consistent(hypotheses, readings, self.consistency)
            hypotheses.readings = readings
        return hypotheses.readings

    def digits(self, hypotheses: LineHypotheses, writing: Writing, expected: Expected) -> list[Candidate]:
        """Return the digits of a line that `read` found text in; arguments as for `readings`."""
        best = next(each for each in self.readings(hypotheses, writing, expected) if each.text)
        return [hypotheses.candidates[arc.row] for arc in best.arcs if arc.separator is None]

    def read(
        self,
        hypotheses: LineHypotheses,
        writing: Writing,
        size: tuple[int, int],
        expected: Expected,
        wanted: Iterable[str] = (),
    ) -> Line | None:
        """Read a line, its glyphs and parts looked at; None where nothing in it can be a glyph.

        Boxes are in pixels of a view of the picture of `size` (width, height); the other arguments are as for
        `readings`.
        """
        readings = self.readings(hypotheses, writing, expected, wanted)
        best = next((reading for reading in readings if reading.text), None)
        if best is None:
            return None
        across = writing.across(size)
        labels = self.model.card.labels
        digits, separators = [], []
        for arc in best.arcs:
            if arc.separator is None:
                candidate = hypotheses.candidates[arc.row]
                assert candidate.probabilities is not None
                box = scaled(arc.box, across, size)
                drawn = is_drawing(candidate.ink)
                digits.append(decode_digit(candidate.probabilities, labels, box, self.rule, drawn))
            elif arc.separator:
                separators.append(Separator(arc.separator, scaled(arc.box, across, size)))
        for mark in hypotheses.line.marks:
            separators.append(Separator(mark.text, scaled(mark.box, across, size)))
        # A reading that leaves ink unexplained is not trusted.
        complete = math.exp(-hypotheses.line.left_out / LEFT_OUT) if hypotheses.line.whole else 0.0
        told = [(reading.text, reading.probability) for reading in readings if reading.text]
        digits = [as_read(digit, place, told, self.rule) for place, digit in enumerate(digits)]
        return decode_line(digits, separators, self.rule, told, complete)


def _consistent(
    hypotheses: LineHypotheses, readings: list[Reading], settings: ConsistencySettings
) -> list[Reading]:
    """Return readings weighed by how alike what they take for the same digit looks, best first."""
    if len(readings) < 2 or readings[0].probability >= settings.sure:
        return readings
    glyphs = {
        each.text: list(zip(each.text, (arc.row for arc in each.arcs if arc.separator is None), strict=True))
        for each in readings
    }
    found = consistencies(
        glyphs, lambda rows: normalize_all([hypotheses.candidates[row].ink for row in rows]), settings
    )
    weights = consistency_weights(found, max(found.values()), settings)
    return weighed(readings, [weights[each.text] for each in readings])
