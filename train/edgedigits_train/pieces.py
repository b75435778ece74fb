"""Pieces of writing as the device cuts it: digits with what a joint leaves on them, and wrong cuts.

Where digits touch, the device offers cuts (`edgedigits.glyphs.cuts`) and asks the network about all that
stands between two of them. A digit cut out rightly has the rest of a neighbour or of a joining stroke on it,
or lacks an end; what a wrong cut leaves is no digit, or looks like another one. Strings are composed and
photographed (`strip.compose`), found again and cut as on the device; since it is known whose ink is whose,
so is what every piece shows (segments of composed strings taught the recognizer of Y. LeCun et al. 1998,
section V, too).
"""

from __future__ import annotations

import statistics

import numpy as np
import numpy.typing as npt

from edgedigits.glyphs import Box, Glyph, TextLine, find_clusters
from edgedigits.glyphs.cuts import find_cuts, parts_between
from edgedigits.glyphs.text_lines import find_lines
from edgedigits.ink import find_ink
from edgedigits.normalize import normalize
from edgedigits_train.distance_fields import Fields
from edgedigits_train.strip.compose import Composer, Digits, Owners
from edgedigits_train.strip.recipe import Composition
from edgedigits_train.strokes import is_upright_stroke

COMPOSITION = Composition(touching=0.9, separators=0.3, clutter=0.1, rules=0.15, clear=0.4, empty=0.0)
WIDTHS = (60, 190)
"""Strings are so wide, in pixels, at a height of 40."""
WHOLE = 0.85
"""A piece shows a digit if this part of its ink is in it, and so much of the piece's ink is the digit's …"""
FOREIGN = 0.3
"""… and less than this of its pixels are nobody's: a joining stroke, a rule."""
PARTLY = 0.6
"""It shows none if it holds less than this of every digit and is no lone stroke, or so much of two …"""
SEEN = 0.1
"""… of each of which is this part of the ink: a dot that lies under a digit is not seen."""
WRONG = 0.2
"""So many of the pieces that are no digit are kept: most cuts are wrong."""
LEAST = 0.02
"""Ink of less than this, in squared heights of the line, is dirt, and nothing is learnt from it."""

Crops = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]


def crops(
    shapes: Fields,
    labels: npt.NDArray[np.integer],
    count: int,
    junk_label: int,
    random: np.random.Generator,
) -> tuple[Crops, Labels]:
    """Return `count` pieces, uint8 [count, 28, 28], centred as the device does it, and what they show.

    `shapes` are digits to compose from and `labels` say which (0…9, each must be there); what is none of them
    is labelled `junk_label`. Raises `ValueError` where a digit that is to be written is not there.
    """
    composer = Composer(Digits.of_fields(shapes, labels), COMPOSITION)
    pictures: list[npt.NDArray[np.uint8]] = []
    shown: list[int] = []
    while len(pictures) < count:
        width = int(random.integers(*WIDTHS))
        picture, written, owners, text = composer.photograph(width, int(random.integers(2, 9)), random)
        if picture.shape[1] < 16:
            continue
        for piece, label in _pieces(picture, written, owners, text):
            if label is None and random.random() >= WRONG:
                continue
            pictures.append(normalize(piece))
            shown.append(junk_label if label is None else label)
    return np.stack(pictures[:count]), np.array(shown[:count], np.int32)


def _pieces(
    picture: npt.NDArray[np.uint8], written: npt.NDArray[np.float32], owners: Owners, text: list[int]
) -> list[tuple[npt.NDArray[np.uint8], int | None]]:
    """Return the ink of what the device would ask the network about, and the digit it shows or None.

    What a person could not tell either is left out.
    """
    ink = find_ink(picture)
    if ink.contrast.shape != owners.shape:
        return []
    whole = _amounts(written, owners, len(text))
    found: list[tuple[npt.NDArray[np.uint8], int | None]] = []
    for line in find_lines(ink):
        tall = statistics.median(glyph.box[3] for glyph in line.glyphs)
        for glyph in _asked(line, tall):
            x, y, w, h = glyph.box
            inked = glyph.ink > 0
            if np.count_nonzero(glyph.ink > 100) < LEAST * tall**2:
                continue
            here = np.s_[y : y + h, x : x + w]
            amounts = _amounts(np.where(inked, written[here], 0), owners[here], len(text))
            covered = amounts / np.maximum(whole, 1)
            own = amounts / max(1.0, float(amounts.sum()))
            best = int(own.argmax())
            nobodys = np.count_nonzero(inked & (owners[here] < 0)) / np.count_nonzero(inked)
            if text[best] < 10 and covered[best] >= WHOLE and own[best] >= WHOLE and nobodys < FOREIGN:
                found.append((glyph.ink, text[best]))
            elif covered.max() < PARTLY:
                if not is_upright_stroke(glyph.ink):
                    found.append((glyph.ink, None))
            elif ((covered >= PARTLY) & (own >= SEEN)).sum() > 1:
                found.append((glyph.ink, None))
    return found


def _asked(line: TextLine, tall: float) -> list[Glyph]:
    """Return the glyphs of a line, and all that lies between two cuts of those that overlap or touch."""
    asked: list[Glyph] = []
    for cluster in find_clusters(line):
        left, top, _, _ = cluster.box
        asked += cluster.glyphs
        cuts = find_cuts(cluster.ink)
        for part in parts_between(cluster.ink, cuts, tall) if cuts else []:
            x, y, w, h = part.box
            if w and (w, h) != cluster.box[2:]:
                box: Box = (left + x, top + y, w, h)
                asked.append(Glyph(box, part.ink))
    return asked


def _amounts(written: npt.NDArray[np.float32], owners: Owners, count: int) -> npt.NDArray[np.float64]:
    """Return how much ink of each digit or sign there is: float64 [count], in pixels of full ink."""
    owned = owners >= 0
    amounts = np.bincount(owners[owned], written[owned], minlength=count)[:count]
    return np.asarray(amounts, np.float64)
