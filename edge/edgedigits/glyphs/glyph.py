"""Glyphs and marks, the text lines they stand in, and the clusters of those that touch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class GlyphSettings:
    """What is taken for a digit; lengths in heights of a digit unless said otherwise."""

    least_height: int = 8
    """A digit is at least this many working pixels high (or wide). 1…32,000."""
    speck_area: int = 6
    """Fewer pixels of ink than this are dirt. Working pixels², 0…1,000,000."""
    sure_share: float = 0.25
    """At least this part of a piece's pixels is surely ink: of a stroke 0.35 or more, of a texture's patch,
    which rises above the threshold here and there, nearly always less than 0.2. 0…1."""
    line_gap: float = 2.5
    """Digits of one text line stand no farther apart than this. 0…1,000."""
    mark_height: float = 0.42
    """What is lower than this beside digits is a mark or a fragment. 0…1."""
    speck_height: float = 0.22
    """What is lower than this, measured by the picture's largest digits, is no digit anywhere in it. 0…1."""
    widest: float = 6.0
    """A component wider than this many times its height is a rule, not writing. 1…1,000."""
    tallest: float = 12.0
    """A component taller than this many times its width is a rule (an upright 1 is about 8). 1…1,000."""
    least_share: float = 0.25
    """Digits hold at least this part of all ink and texture that is no frame, rule or edge: where people
    write, half of it or more. 0…1."""
    most_components: int = 20_000
    """Of more pieces of ink than this only the largest are looked at; a number beside another is not whole.
    1…1,000,000."""


@dataclass(frozen=True)
class Glyph:
    """A candidate: its box (x, y, width, height in working pixels) and its ink.

    `ink` is uint8, height×width of the box: 0 background … 255 full ink, greys kept.
    """

    box: Box
    ink: NDArray[np.uint8]


@dataclass(frozen=True)
class Mark:
    """A separator between digits: its text (`.`, `,`, `:`, `-`, `=`, `/`, `$`) and its box in working pixels.

    `ink` is that of a slash or a dollar, as a `Glyph` has it: what reads strips would take it for a digit.
    """

    text: Literal[".", ",", ":", "-", "=", "/", "$"]
    box: Box
    ink: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)


Fault = Literal["struck-out", "ruled-through", "drawn-over", "stroke-lost", "cut-off", "too-much", "crossed"]
"""What is wrong with a text line, whatever can be read of it.

`struck-out`: a bar strikes it out. `ruled-through`: a printed line as bold as strokes goes through it.
`drawn-over`: something drawn, a ring or a pen that lies there, passes through it or touches it.
`stroke-lost`: strokes at an end of it hang on a printed line that goes down there, or went with one.
`cut-off`: the picture ends in a digit of it. `too-much`: there is more ink in the picture than is looked at,
beside it or in it. `crossed`: a line thinner than strokes, but as dark, was lifted off from its middle.
"""
_LESS_SURE: frozenset[Fault] = frozenset({"crossed"})
"""What takes nothing from a line for certain."""


@dataclass(frozen=True)
class TextLine:
    """The glyphs of a text line from left to right, and the marks among them."""

    glyphs: tuple[Glyph, ...]
    marks: tuple[Mark, ...]
    left_out: float = 0.0
    """Ink that stands on the line like writing and was dropped with a rule or a frame, or is too faint to be
    sure of, in squared heights of the line (a thin 1 holds about 0.1)."""
    faults: frozenset[Fault] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether all that was written may be there: no fault says that it isn't."""
        return self.faults <= _LESS_SURE

    @property
    def crossed_out(self) -> bool:
        """Whether a bar or a bold line goes through it: what is read of it says nothing of its neighbours."""
        return not self.faults.isdisjoint(("struck-out", "ruled-through"))

    @classmethod
    def of(cls, lines: Sequence[TextLine], glyphs: Sequence[Glyph], marks: Sequence[Mark]) -> TextLine:
        """Return lines as one, of these glyphs and marks."""
        return cls(
            tuple(glyphs),
            tuple(marks),
            max(line.left_out for line in lines),
            frozenset().union(*(line.faults for line in lines)),
        )


@dataclass(frozen=True)
class Cluster:
    """Glyphs of a line whose boxes overlap or nearly touch, and may be cut or joined otherwise.

    `box` is around them all; `ink` is uint8, height×width of the box, their ink together.
    """

    box: Box
    ink: NDArray[np.uint8]
    glyphs: tuple[Glyph, ...]


def find_clusters(line: TextLine, gap: float = 0.04) -> list[Cluster]:
    """Gather the glyphs of a line, from left to right, into clusters.

    Boxes no farther apart than `gap` heights of the line belong together.
    """
    tall = statistics.median([glyph.box[3] for glyph in line.glyphs])
    groups: list[list[Glyph]] = []
    right = -np.inf
    for glyph in sorted(line.glyphs, key=lambda glyph: glyph.box[0]):
        if glyph.box[0] <= right + gap * tall:
            groups[-1].append(glyph)
        else:
            groups.append([glyph])
        right = max(right, glyph.box[0] + glyph.box[2])
    return [cluster_of(group) for group in groups]


def cluster_of(glyphs: Sequence[Glyph]) -> Cluster:
    """Return glyphs (one or more) taken together."""
    if len(glyphs) == 1:
        return Cluster(glyphs[0].box, glyphs[0].ink, tuple(glyphs))
    left, top, width, height = box_around([glyph.box for glyph in glyphs])
    ink = np.zeros((height, width), np.uint8)
    for glyph in glyphs:
        x, y, w, h = glyph.box
        place = ink[y - top : y - top + h, x - left : x - left + w]
        np.maximum(place, glyph.ink, out=place)
    return Cluster((left, top, width, height), ink, tuple(glyphs))


def box_around(boxes: Sequence[Box]) -> Box:
    """Return the box around boxes (one or more)."""
    left, top, width, height = boxes[0]
    right, bottom = left + width, top + height
    for x, y, w, h in boxes[1:]:
        left, top = min(left, x), min(top, y)
        right, bottom = max(right, x + w), max(bottom, y + h)
    return left, top, right - left, bottom - top
