"""A text line → what could be read in it: each glyph as it stands, and the parts of those in doubt.

The network is asked twice. What it is sure of after the first time, each piece of ink a digit, is left
alone. A cluster in doubt (digits that touch or overlap, a digit in two pieces, a dot grown onto a digit) is
cut at every likely place, and the second time the network is asked about all that stands between two cuts,
and about the rings of ink there, which may be zeros. The lattice then holds both.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode.lattice import Arc, LatticeSettings, Reading, glyph_labels
from edgedigits.glyphs import Box, Cluster, Glyph, TextLine, box_around, find_clusters
from edgedigits.glyphs.cuts import CutSettings, find_cuts, parts_between
from edgedigits.glyphs.rings import RingSettings, find_rings, rings_of


@dataclass(frozen=True)
class HypothesesSettings:
    """When a cluster is cut."""

    sure: float = 0.95
    """A glyph that is a digit with this probability is left alone. 0…1."""
    beyond_doubt: float = 0.98
    """A line of which every glyph is a digit with this probability is in no doubt. On the tuning part of the
    cheque amounts 0.97 to 0.995 read the same, since a line that fills its picture is read in both ways in
    any case, and so does a quarter of the single digits; but at 0.995 more than half of a long page's lines
    are in doubt (`tests/bench/bench_speed.py growth`)."""
    widest: float = 1.35
    """A glyph wider than so many heights, its own or its line's, is more than one digit in any case."""
    widest_unless_doubted: float = 1.6
    """The same where the network cannot say "not a digit" and will see one in anything."""


@dataclass
class Candidate:
    """What may be a digit: a glyph or a part of one, its box in working pixels, and the network's answer."""

    ink: NDArray[np.uint8]
    """uint8, H×W, 0 paper."""
    box: Box
    probabilities: NDArray[np.float32] | None = None
    """One per label, calibrated, summing to 1; None until the network was asked."""


_ZERO = "0"


class LineHypotheses:
    """What could be read in one text line.

    `characters` are the classes that are text, by their index among the network's labels; `can_doubt` says
    whether there is a class for what is no text. Call `glyphs`, have the answers filled in, then `parts`,
    have these filled in, then `lattice`.
    """

    def __init__(
        self,
        line: TextLine,
        characters: Sequence[tuple[int, str]],
        can_doubt: bool,
        settings: HypothesesSettings = HypothesesSettings(),
        cuts: CutSettings = CutSettings(),
        lattice: LatticeSettings = LatticeSettings(),
        rings: RingSettings = RingSettings(),
    ) -> None:
        self.line = line
        self.candidates: list[Candidate] = []
        """All that the network is asked about, by the `row` of its arcs: the glyphs, then the parts."""
        self.readings: list[Reading] | None = None
        """The line's readings, best first, once they are known."""
        self._characters, self._can_doubt = characters, can_doubt
        self._has_zero = any(label == _ZERO for _, label in characters)
        self._settings, self._cuts, self._lattice, self._rings = settings, cuts, lattice, rings
        self._clusters = find_clusters(line)
        self._tall = float(statistics.median([glyph.box[3] for glyph in line.glyphs]))
        self._top = float(statistics.median([glyph.box[1] for glyph in line.glyphs]))
        self._arcs: list[tuple[int, int, Box, float, int, str | None]] = []
        """What `Arc` says, but for the labels, which are known in the end."""
        self._nodes = 0
        self._of_glyph: dict[int, int] = {}
        self._zeros: set[int] = set()
        """Which of `candidates` are rings: no other character is looked for in them."""

    def glyphs(self) -> list[Candidate]:
        """Return every glyph as it is, to be classified."""
        found = []
        for cluster in self._clusters:
            for glyph in cluster.glyphs:
                self._of_glyph[id(glyph)] = len(self.candidates)
                self.candidates.append(Candidate(glyph.ink, glyph.box))
                found.append(self.candidates[-1])
        return found

    @property
    def lone(self) -> bool:
        """Whether the line is one glyph no wider than a digit: there is nothing to be cut apart."""
        if len(self.line.glyphs) != 1:
            return False
        _, _, width, height = self.line.glyphs[0].box
        return width <= self._settings.widest * height

    @property
    def box(self) -> Box:
        """The box around the line's glyphs, in working pixels."""
        return box_around([glyph.box for glyph in self.line.glyphs])

    @property
    def certainty(self) -> float:
        """The probability (0…1) that each of the `glyphs`, classified, is the digit it looks most like."""
        rows = [self.candidates[k].probabilities for k in self._of_glyph.values()]
        return math.prod(self._best(row) for row in rows if row is not None)

    @property
    def in_doubt(self) -> bool:
        """Whether the network, asked about `glyphs`, is unsure of one, or one is wider than a digit."""
        least = self._settings.beyond_doubt
        return not all(self._is_sure(glyph, least) for cluster in self._clusters for glyph in cluster.glyphs)

    def seen(self) -> list[tuple[Box, NDArray[np.float32], float]]:
        """Return `glyphs`, classified: the box of each, its probabilities, and that (0…1) of no digit.

        Boxes are in working pixels.
        """
        found = []
        for k in self._of_glyph.values():
            row = self.candidates[k].probabilities
            if row is not None:
                digit = sum(row[number] for number, _ in self._characters)
                found.append((self.candidates[k].box, row, max(0.0, 1.0 - float(digit))))
        return found

    def parts(self, most: float = math.inf) -> list[Candidate]:
        """Return the parts of the clusters in doubt, to be classified.

        From `most` parts on, clusters are left as they are: the line is then not trusted.
        """
        before = len(self.candidates)
        for cluster in self._clusters:
            sure = all(self._is_sure(glyph, self._settings.sure) for glyph in cluster.glyphs)
            if not sure and len(self.candidates) - before >= most:
                sure = True
                self.line = dataclasses.replace(self.line, faults=self.line.faults | {"too-much"})
            if sure:
                for glyph in cluster.glyphs:
                    self._add(self._of_glyph[id(glyph)], self._nodes, self._nodes + 1, 0.0)
                    self._nodes += 1
            else:
                self._cut(cluster)
        return self.candidates[before:]

    def lattice(self) -> tuple[list[Arc], int, LatticeSettings]:
        """Return the arcs, the number of steps from the first node to the last, and the settings."""
        arcs = [
            Arc(start, stop, box, prior, row, self._labels(row), separator)
            for start, stop, box, prior, row, separator in self._arcs
        ]
        return arcs, self._nodes, self._lattice

    def _is_sure(self, glyph: Glyph, least: float) -> bool:
        probabilities = self.candidates[self._of_glyph[id(glyph)]].probabilities
        assert probabilities is not None
        _, _, width, height = glyph.box
        height = max(height, round(self._tall))
        if not self._can_doubt:
            return width <= self._settings.widest_unless_doubted * height
        best = self._best(probabilities)
        return best >= least and width <= self._settings.widest * height

    def _best(self, probabilities: NDArray[np.float32]) -> float:
        """Return the probability of the likeliest character."""
        values = probabilities.tolist()
        return float(max([values[k] for k, _ in self._characters]))

    def _add(self, row: int, start: int, stop: int, log_prior: float) -> None:
        self._arcs.append((start, stop, self.candidates[row].box, log_prior, row, None))

    def _cut(self, cluster: Cluster) -> None:
        """Add everything between any two cuts of a cluster."""
        settings = self._lattice
        left, top, _, _ = cluster.box
        cuts = find_cuts(cluster.ink, self._cuts)
        steps = len(cuts) + 1
        rings = find_rings(cluster.ink, cuts, self._tall, self._rings) if self._has_zero else []
        row_of: dict[int, int] = {}
        # Two digits that touch are wider than high, but for one in seven.
        alone = self.lone and cluster.box[2] <= cluster.box[3]
        for part in parts_between(cluster.ink, cuts, self._tall, self._cuts):
            start, stop = self._nodes + part.start, self._nodes + part.stop
            x, y, width, height = part.box
            box = (left + x, top + y, width, height)
            if not width:
                self._arcs.append((start, stop, (*box[:2], 1, 1), 0.0, -1, ""))
                continue
            prior = -settings.cut_cost * part.cost - (settings.touching_cost if part.cost > 0.5 else 0.0)
            if stop - start < steps and alone:
                prior -= settings.alone_cost
            self.candidates.append(Candidate(part.ink, box))
            self._add(len(self.candidates) - 1, start, stop, prior)
            for number, beside in rings_of(part, rings, self._rings):
                if number not in row_of:
                    x, y, width, height = rings[number].box
                    row_of[number] = len(self.candidates)
                    self._zeros.add(len(self.candidates))
                    self.candidates.append(Candidate(rings[number].ink, (left + x, top + y, width, height)))
                left_out = settings.dirt_ink * beside / self._tall**2
                self._add(row_of[number], start, stop, -settings.ring_cost - left_out)
            separator = self._separator(box)
            if separator is not None:
                text, log_probability = separator
                self._arcs.append((start, stop, box, prior + log_probability, -1, text))
            if stop == start + 1:
                amount = np.count_nonzero(part.ink > 100) / self._tall**2
                dirt = math.log(settings.dirt) - settings.dirt_ink * amount
                self._arcs.append((start, stop, box, prior + dirt, -1, ""))
        self._nodes += steps

    def _separator(self, box: Box) -> tuple[str, float] | None:
        """Return the separator a small piece may be, and the logarithm of how likely that is."""
        _, y, width, height = box
        relative = height / self._tall
        if relative >= 0.45 or width >= 0.9 * self._tall:
            return None
        level = (y + height / 2 - self._top) / max(1.0, self._tall)
        flat = width > height
        text = "-" if flat and 0.2 <= level <= 0.8 else "," if height > 1.4 * width else "."
        unlike = 0.0 if flat or level > 0.6 else 1.0
        likely = math.log(self._lattice.separator)
        return text, likely - unlike - max(0.0, relative - 0.3) / 0.075

    def _labels(self, row: int) -> tuple[tuple[str, float], ...]:
        if row < 0:
            return ()
        probabilities = self.candidates[row].probabilities
        assert probabilities is not None
        _, _, width, height = self.candidates[row].box
        # Alone, a glyph may as well be wide; what is cut out of it is no lower for that.
        size = (0.0 if self.lone else width / height), height / self._tall
        if row in self._zeros:
            zero = [(k, label) for k, label in self._characters if label == _ZERO]
            return glyph_labels(probabilities, zero, False, self._lattice, size)
        stands_alone = row < len(self._of_glyph)
        refusable = stands_alone and self._can_doubt
        return glyph_labels(probabilities, self._characters, refusable, self._lattice, size)
