"""A digit that a skipping pen left in pieces, one above the other, and that looked like several text lines.

Shape alone does not tell the two halves of a broken 3 from a 7 above a 2; the network does: the halves are
doubtful digits, and together they are a sure one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedigits.decode.hypotheses import Candidate, LineHypotheses
from edgedigits.glyphs import Cluster, Glyph, TextLine, cluster_of


@dataclass(frozen=True)
class PiecesSettings:
    """When lines are one digit. Of MNIST's digits, set closely one above the other, these join none."""

    most: int = 6
    """No more pieces than this are one digit."""
    gap: float = 0.2
    """They stand no farther apart than this, in heights of the digit."""
    widest: float = 1.35
    """The digit is no wider than so many heights."""
    sure: float = 0.8
    """The network gives the pieces together at least this probability of being one digit …"""
    doubted: float = 0.5
    """… and less than this of being one each."""


def join_pieces(
    lines: Sequence[LineHypotheses],
    classify: Callable[[list[Candidate]], None],
    open_line: Callable[[TextLine], LineHypotheses],
    settings: PiecesSettings = PiecesSettings(),
) -> list[LineHypotheses]:
    """Return lines, their `glyphs` classified, with those that are one digit's pieces made one.

    `classify` has the network answer, `open_line` opens a line that was joined; it comes back classified and
    stands where its first piece stood.
    """
    joined: dict[int, LineHypotheses] = {}
    gone: set[int] = set()
    for group in _groups(lines, settings):
        glyphs = [glyph for k in group for glyph in lines[k].line.glyphs]
        if len(glyphs) > settings.most or math.prod(lines[k].certainty for k in group) >= settings.doubted:
            continue
        cluster = cluster_of(glyphs)
        if cluster.box[2] > settings.widest * cluster.box[3]:
            continue
        whole = open_line(_as_line(cluster, [lines[k].line for k in group]))
        classify(whole.glyphs())
        if whole.certainty >= settings.sure:
            joined[group[0]] = whole
            gone.update(group[1:])
    return [joined.get(k, line) for k, line in enumerate(lines) if k not in gone]


def _as_line(cluster: Cluster, lines: Sequence[TextLine]) -> TextLine:
    # A mark within the digit is one more of its pieces, or dirt.
    x, y, w, h = cluster.box
    marks = [mark for line in lines for mark in line.marks]
    outside = [m for m in marks if not (x <= m.box[0] + m.box[2] / 2 <= x + w and y <= m.box[1] <= y + h)]
    return TextLine.of(lines, [Glyph(cluster.box, cluster.ink)], outside)


def _groups(lines: Sequence[LineHypotheses], settings: PiecesSettings) -> list[list[int]]:
    """Return the lines that stand close above one another, each group in order."""
    few = [k for k, line in enumerate(lines) if len(line.line.glyphs) < settings.most]
    if len(few) < 2:
        return []
    left, top, width, height = np.array([lines[k].box for k in few]).T
    right, bottom = left + width, top + height
    group_of = {k: [k] for k in few}
    for i, k in enumerate(few):
        # Of pieces that are doubted together one at least is doubted by itself.
        if lines[k].certainty >= settings.doubted ** (1 / settings.most):
            continue
        both = np.maximum(bottom, bottom[i]) - np.minimum(top, top[i])
        gap = np.maximum(top, top[i]) - np.minimum(bottom, bottom[i])
        beside = np.minimum(right, right[i]) < np.maximum(left, left[i])
        for j in np.flatnonzero((gap <= settings.gap * both) & ~beside).tolist():
            if group_of[k] is not group_of[few[j]]:
                merged = sorted(group_of[k] + group_of[few[j]])
                group_of.update(dict.fromkeys(merged, merged))
    return [group for k, group in group_of.items() if len(group) > 1 and group[0] == k]
