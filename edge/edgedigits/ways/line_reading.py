"""The lines of a level picture, each read glyph by glyph, as a strip, or in both ways, as it suits the line.

The two ways err unlike. The strip way needs no cuts where glyphs touch; the glyph way knows what is no digit.
Which of them a line takes, and what comes of it where it takes both, is decided here.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import RejectRule, Separator, if_sure, with_signs
from edgedigits.decode.hypotheses import LineHypotheses
from edgedigits.glyphs import TextLine
from edgedigits.normalize import normalize_all
from edgedigits.page import Box, Line, placed, refuse, scaled
from edgedigits.ways.combine import combine_lines, less_sure
from edgedigits.ways.confirm import ConfirmSettings, Seen, confirmed, doubted, standing_alone
from edgedigits.ways.edges import is_edge
from edgedigits.ways.expected import Expected
from edgedigits.ways.glyph_reading import LEFT_OUT, GlyphReader
from edgedigits.ways.strip_cutting import Region, StripSettings, region_of
from edgedigits.ways.strip_reading import SeenLine, StripReader
from edgedigits.writing import Writing

ReadingWay = Literal["auto", "glyph", "strip"]
READING_WAYS: tuple[ReadingWay, ...] = ("auto", "glyph", "strip")
"""How text lines are read: glyph by glyph, each as one strip, or as it suits the line."""

_STRIP = 2.0
"""A region so many times as wide as high has room for a second digit beside a lone one."""

_LONG = 10.0
"""A line so many times as long as high is one strip: a number of fifteen to thirty digits."""


class LineReader:
    """Reads the lines of level pictures; `rule` says what is not trusted.

    `glyphs` reads them glyph by glyph, `strips` as strips, or opens what does when it is first needed. On the
    way "auto" a `thorough` reader reads every line in both ways, and at most `max_strips` lines of a picture,
    the largest, are read as strips (≥ 0); a long line counts as several. `strip` says how a line is cut out,
    `confirm` when it is believed at once.
    """

    def __init__(
        self,
        glyphs: GlyphReader,
        strips: StripReader | Callable[[], StripReader],
        way: ReadingWay,
        rule: RejectRule,
        thorough: bool = False,
        max_strips: int = 100,
        strip: StripSettings = StripSettings(),
        confirm: ConfirmSettings = ConfirmSettings(),
    ) -> None:
        self.glyphs, self.way, self.rule = glyphs, way, rule
        self._strips = strips
        self._opening = threading.Lock()
        self._thorough, self._max_strips = thorough, max_strips
        self._strip_settings, self._confirm = strip, confirm
        self._columns = {label: k for k, label in glyphs.characters}
        self.reads_digits = all(label.isdigit() for label in self._columns)
        """Whether the network for glyphs reads digits, as that for strips does, and not letters."""

    @property
    def strips(self) -> StripReader:
        """What reads strips; its model is opened when it is first needed, and once."""
        if not isinstance(self._strips, StripReader):
            with self._opening:
                if not isinstance(self._strips, StripReader):
                    self._strips = self._strips()
        return self._strips

    def read(
        self, writing: Writing, size: tuple[int, int], expected: Expected
    ) -> tuple[list[tuple[LineHypotheses, Line]], list[Box]]:
        """Read the lines of a picture, each in the way that suits it, and leave out those that say nothing.

        Returns each line with what could be read in it, in reading order, as if nothing stood around it; and
        the boxes of the glyphs that the glyph way refused in lines that were read as strips, too. Boxes of
        lines and digits are in pixels of a view of the picture of `size` (width, height).
        """
        hypotheses = self._look_at(writing.lines)
        of_strips: dict[int, Line] = {}
        done: set[int] = set()
        if self.way != "glyph":
            chosen = [k for k, each in enumerate(hypotheses) if self.wants_strip(each, writing.working_size)]
            of_strips, done = self._read_strips(hypotheses, chosen, writing, size, expected)
        left = {k: each for k, each in enumerate(hypotheses) if k not in done and self.way != "strip"}
        self.glyphs.look_at_parts(left.values())
        of_glyphs: dict[int, Line | None] = {}
        for k, each in left.items():
            # What the glyphs hold of the strip's readings is told with it.
            wanted = [text for text, _ in of_strips[k].readings] if k in of_strips else []
            of_glyphs[k] = self.glyphs.read(each, writing, size, expected, wanted)
        read: list[tuple[LineHypotheses, Line]] = []
        for k, each in enumerate(hypotheses):
            line = combine_lines(of_glyphs.get(k), of_strips.get(k), self.rule)
            if line is not None and self.way == "auto" and k in of_strips:
                line = doubted(line, _seen(each, writing, size), self._confirm)
            if line is not None:
                line = with_signs(line, _beside_strips(line, each, writing, size))
                if "crossed" in each.line.faults:
                    line = if_sure(less_sure(line, _RIGHT_ACROSS), self.rule, "crossed")
                if len(hypotheses) <= _FEW and _is_edge(each, writing):
                    line = refuse(less_sure(line, _OF_EDGES), "edge")
                read.append((each, _faulty(line, each.line)))
        replaced = [
            line
            for k, line in of_glyphs.items()
            if line is not None and k in of_strips and not hypotheses[k].line.crossed_out
        ]
        refused = [digit.box for line in replaced for digit in line.digits if digit.rejected]
        return read, refused

    def wants_strip(self, hypotheses: LineHypotheses, size: tuple[int, int]) -> bool:
        """Return whether a line, its glyphs looked at, is to be read as a strip.

        `size` is that of the picture in which `hypotheses` has its boxes: working pixels.
        """
        if self.way == "auto" and self.reads_digits:
            if hypotheses.lone:
                # A glyph that stands alone is the glyph network's business, which has learnt what is no
                # digit; but not the only glyph that was found in a whole strip of writing.
                region = region_of(
                    [glyph.box for glyph in hypotheses.line.glyphs], size, self._strip_settings
                )
                return region.width > _STRIP * region.height
            # As high as this, it is all there is in the picture, and worth reading in both ways.
            fills = hypotheses.box[3] >= self._strip_settings.fills * size[1]
            return self._thorough or fills or hypotheses.in_doubt
        return self.way == "strip"

    def see_as_strip(
        self, hypotheses: LineHypotheses, region: Region, writing: Writing, expected: Expected
    ) -> tuple[SeenLine | None, Line | None]:
        """Read a line as the strip in a region (pixels of the picture), its glyphs looked at.

        Returns what is seen of it, None where it says no digit, and the line as both networks hold it where
        the glyph network confirms it. Boxes are in pixels of the picture.
        """
        seen = None
        glyphs = _seen(hypotheses, writing, writing.size)
        may_be = self.way == "auto" and hypotheses.line.whole and hypotheses.line.left_out <= LEFT_OUT
        for seen in self.strips.seen(writing.grey, region, expected, early=may_be):
            if not may_be or (expected.check is not None and not expected.check(seen.line.raw)):
                continue
            alone = standing_alone(seen.line, glyphs, self._confirm)
            if alone is None:
                continue
            rows = self._rows(seen, {place: glyphs[number].row for place, number in alone.items()})
            line = confirmed(seen.line, rows, alone, self._columns, self.rule, self._confirm)
            if line is not None:
                return seen, line
        return seen, None

    def _rows(self, seen: SeenLine, known: Mapping[int, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return what the glyph network says of a line's digits, float32, N×classes, for some places known.

        The others are cut out of the strip.
        """
        asked = [place for place in range(len(seen.cells)) if place not in known]
        rows = np.empty((len(seen.cells), len(self.glyphs.model.card.labels)), np.float32)
        for place, row in known.items():
            rows[place] = row
        if asked:
            rows[asked] = self.glyphs.model.probabilities(normalize_all([seen.ink(k) for k in asked]))
        return rows

    def _look_at(self, lines: Sequence[TextLine]) -> list[LineHypotheses]:
        """Return what could be read in lines, the network asked about their glyphs where that is needed."""
        if self.way == "strip":
            return [self.glyphs.open(line) for line in lines]
        return self.glyphs.look_at(lines)

    def _read_strips(
        self,
        hypotheses: Sequence[LineHypotheses],
        chosen: Sequence[int],
        writing: Writing,
        size: tuple[int, int],
        expected: Expected,
    ) -> tuple[dict[int, Line], set[int]]:
        """Read chosen lines as strips; return them, and which lines have nothing more to be read in them.

        These are lines that the glyph network confirms, and others that lie within their strips.
        """
        if not chosen:
            return {}, set()
        width, height = writing.size
        to_view = size[0] / width, size[1] / height
        boxes = [writing.boxes(each.line) for each in hypotheses]
        lines: dict[int, Line] = {}
        within: set[int] = set()
        sure: set[int] = set()
        asked = 0.0
        for k in sorted(chosen, key=lambda k: -sum(box[2] * box[3] for box in boxes[k])):
            if k in within or (self.way == "auto" and asked >= self._max_strips):
                continue
            region = region_of(boxes[k], (width, height), self._strip_settings)
            # What goes on for long takes as much time as several.
            asked += max(1.0, region.width / (_LONG * region.height))
            seen, line = self.see_as_strip(hypotheses[k], region, writing, expected)
            if seen is None:
                continue
            if line is not None:
                sure.add(k)
            line = line or seen.line
            if not hypotheses[k].line.whole:  # nobody knows what it says
                line = dataclasses.replace(line, confidence=0.0, accepted=False)
            lines[k] = line if to_view == (1.0, 1.0) else placed(line, lambda box: scaled(box, to_view, size))
            within |= {j for j in range(len(boxes)) if j != k and j not in lines and region.holds(boxes[j])}
        return lines, within | sure


_ABOVE = 0.25
"""What has more than this part of its width in common with a digit is a part of it."""

_FEW = 2
"""An edge between light and dark is taken for a digit where there are no more lines than this."""
_OF_EDGES = 0.1
"""A line that seems to be an edge is thought so much less probable; it is refused at any threshold."""

_RIGHT_ACROSS = 0.8
"""So many numbers are right of those that seem to be where a thin dark line goes through, a 1 that may be a 7
there, a 7 a 9: of MNIST's training digits on such lines as `tests/bench/bench_bars.py` draws."""


def _is_edge(hypotheses: LineHypotheses, writing: Writing) -> bool:
    """Return whether a line's only glyph is an edge between light and dark."""
    glyphs = hypotheses.line.glyphs
    return len(glyphs) == 1 and is_edge(writing.grey, writing.boxes(hypotheses.line)[0], glyphs[0].ink)


def _faulty(line: Line, of: TextLine) -> Line:
    """Return a line with the reasons that its writing has faults, where it is not whole."""
    for fault in () if of.whole else sorted(of.faults):
        line = refuse(line, fault)
    return line


def _beside_strips(
    line: Line, hypotheses: LineHypotheses, writing: Writing, size: tuple[int, int]
) -> list[Separator]:
    """Return the marks of a line that its strip does not show well, in pixels of a view of `size`.

    These are slashes, which are taken out of it, and what stands at either end.
    """
    across = writing.across(size)
    seen = [Separator(mark.text, scaled(mark.box, across, size)) for mark in hypotheses.line.marks]
    slashes = [sign for sign in seen if sign.text == "/"]
    middles = [x + w / 2 for x, _, w, _ in (digit.box for digit in line.digits)]
    ends = min(middles), max(middles)
    boxes = [scaled(glyph.box, across, size) for glyph in hypotheses.line.glyphs]
    return slashes + [
        sign
        for sign in seen
        if sign.text != "/"
        and not ends[0] <= sign.box[0] + sign.box[2] / 2 <= ends[1]
        and all(_beside(sign.box, box) for box in boxes)
    ]


def _beside(sign: Box, other: Box) -> bool:
    """Return whether a sign is not above or below something else, as a loose end of a digit is."""
    common = min(sign[0] + sign[2], other[0] + other[2]) - max(sign[0], other[0])
    return common <= _ABOVE * sign[2]


def _seen(hypotheses: LineHypotheses, writing: Writing, size: tuple[int, int]) -> list[Seen]:
    """Return a line's glyphs as they stand, in pixels of a view of the picture of `size`."""
    across = writing.across(size)
    return [Seen(scaled(box, across, size), row, refused) for box, row, refused in hypotheses.seen()]
