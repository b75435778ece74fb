"""Is the paper the right way up? Lines that read as well with the paper turned are not to be trusted.

Most handwritten digits upside down pass for others (6 and 9, 4 and 7) or for themselves, and a column of
digits may be a line that lies on its side. The networks read the wrong way up, too, but less surely: what one
says of the turned strip, or of the turned glyphs, is held against the reading of the line as it stands.

Most paper lies upright, and short numbers, or digits in a column, often read well the other way up, too (808;
16, which is 91; an 8, which is 00 on its side). There the paper is taken to be upright.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.decode.hypotheses import Candidate
from edgedigits.page import Box, Line
from edgedigits.ways.strip_reading import StripReader


@dataclass(frozen=True)
class TurnedSettings:
    """When paper is taken to be turned."""

    better: float = 1.2
    """What reads so well upside down stands upside down: the ratio of the probabilities of the best
    texts, for all lines together. Chosen on the tuning part of the cheque amounts, and on numbers and columns
    in digits of MNIST that were not trained on (`tests/bench/bench_turned.py`)."""
    comparable: float = 0.25
    """What reads so well upside down (the same ratio, of one line) is held against what the strip says by
    itself as it stands: where the glyphs agreed, the line is surer than any reading upside down could be."""
    leading_zeros: float = 3.0
    """Numbers seldom begin with two 0s, and many end with them: a text that begins so counts as so much less
    probable than one that doesn't. One 0 says nothing, for codes and days begin with it."""
    surely_upright: float = 0.5
    """Where this ratio is so low, the paper is upright, and no further line is looked at."""
    beyond_doubt: float = 0.98
    """Where the only line with more digits is read so surely, and begins with no 0, next to nothing can read
    better, and it is not looked at turned. For that, two of 213 strips of the tuning part that are accepted
    at first, laid upside down, are no longer found out."""
    believed: float = 0.6
    """Digits that can hardly stand upside down tell of the paper where the line is read so surely: with 0, a
    page upside down is taken to be upright for an unsure line with a 4 and a 7 in it. Chosen as `better` is
    (`tests/bench/bench_turned.py`)."""
    most_lines: int = 3
    """So many lines of a picture are looked at, those with the most digits."""
    as_good: tuple[float, float, float] = (2.0, 1.0, 0.8)
    """What reads so well as one line on its side is on its side: the ratio of that line's probability to that
    of all lines together, read as they stand, for two, three and more digits: many a column of digits reads
    as two, one of four as four by chance hardly ever. One digit says nothing."""
    piece: float = 0.6
    """The same for three digits or more that are one piece of ink, which no digit reads as."""
    column: float = 1.2
    """Short lines that together are so much higher than wide may be one line on its side …"""
    longest: float = 40.0
    """… if no higher than this, or than so many times their width …"""
    lone: float = 1.8
    """… and one piece of ink, which may be a 1, if it is so much higher than wide."""
    shortest: int = 2
    """A line with fewer digits says nothing about being upside down; one with more is in no column."""


OF_GLYPHS = TurnedSettings(
    better=1.1, comparable=math.inf, as_good=(2.0, 0.8, 0.8), lone=math.inf, beyond_doubt=math.inf
)
"""The same where glyphs are turned one by one, and a lone one is taken as it stands: chosen there, too."""

ReadTurned = Callable[[Sequence[int], int], tuple[str, float]]
"""Reads lines, by their numbers, as one with the paper turned anticlockwise by so many quarter turns: the
best text, and its probability on the scale of the lines' confidences."""


def strips_turned(strips: StripReader, grey: NDArray[np.uint8], boxes: Sequence[Sequence[Box]]) -> ReadTurned:
    """Return what reads turned lines as strips.

    `grey` is uint8, H×W, dark ink on light, `boxes` are those of each line's pieces of ink in its pixels.
    """

    def read(lines: Sequence[int], turns: int) -> tuple[str, float]:
        return strips.best(*_turned(grey, [box for k in lines for box in boxes[k]], turns))

    return read


def glyphs_turned(
    lines: Sequence[Line],
    digits_of: Callable[[int], Sequence[Candidate]],
    classify: Callable[[list[Candidate]], None],
    characters: Sequence[tuple[int, str]],
) -> ReadTurned:
    """Return what reads turned lines glyph by glyph, each glyph of the reading turned where it stands.

    `digits_of` returns a line's digits as they were classified, by the number of the line, `classify` fills
    in probabilities, `characters` are the classes that are text, by their index among these.
    """

    def best(digit: Candidate) -> tuple[float, str]:
        assert digit.probabilities is not None
        return max((max(float(digit.probabilities[k]), _NEVER), label) for k, label in characters)

    def read(numbers: Sequence[int], turns: int) -> tuple[str, float]:
        digits = [digit for k in numbers for digit in digits_of(k)]
        turned = [Candidate(np.ascontiguousarray(np.rot90(digit.ink, turns)), digit.box) for digit in digits]
        classify(turned)
        # The lines' confidences know of more than the glyphs; all that counts is how these look turned.
        scale = math.prod(lines[k].confidence for k in numbers)
        gain = math.prod(
            best(after)[0] / best(before)[0] for after, before in zip(turned, digits, strict=True)
        )
        said = [best(digit)[1] for digit in turned]
        return "".join(said[::-1] if turns == 2 else said), scale * gain

    return read


def turned_by(
    read: ReadTurned,
    lines: Sequence[tuple[Line, Sequence[Box]]],
    settings: TurnedSettings = TurnedSettings(),
) -> int:
    """Return by how many degrees clockwise the paper in a picture seems to lie turned: 0, 90, 180 or 270.

    `lines` is all that was read in it, each with the boxes of its pieces of ink.
    """
    side = _on_its_side(read, lines, settings)
    return side or (180 if _upside_down(read, lines, settings) else 0)


def _on_its_side(
    read: ReadTurned,
    lines: Sequence[tuple[Line, Sequence[Box]]],
    settings: TurnedSettings,
) -> int:
    """Return 90 or 270 where all lines together, as one line on its side, read as well as by themselves."""
    if any(len(boxes) > settings.shortest for _, boxes in lines):
        return 0
    every = [box for _, boxes in lines for box in boxes]
    x, y, w, h = np.array(every).T
    slender = float(((y + h).max() - y.min()) / ((x + w).max() - x.min()))
    if not (settings.lone if len(every) == 1 else settings.column) <= slender <= settings.longest:
        return 0
    upright = max(_NEVER, math.prod(line.confidence for line, _ in lines))
    found = {degrees: read(range(len(lines)), turns) for turns, degrees in ((1, 90), (3, 270))}
    best = max(found, key=lambda degrees: found[degrees][1])
    text, probability = found[best]
    if len(text) < 2:
        return 0
    as_good = settings.as_good[min(len(text), 4) - 2]
    if len(every) == 1 and len(text) > 2:
        as_good = settings.piece
    return best if probability >= as_good * upright else 0


def _upside_down(
    read: ReadTurned,
    lines: Sequence[tuple[Line, Sequence[Box]]],
    settings: TurnedSettings,
) -> bool:
    """Return whether the longest lines, taken together, read better upside down.

    Those that are not accepted have less of a say, and those of which most digits were refused none for the
    paper's being upright. Without them a strict reader, which may accept but one line of a page, would be at
    the mercy of its reading well both ways up.
    """
    long = [(k, line) for k, (line, _) in enumerate(lines) if len(line.digits) >= settings.shortest]
    long.sort(key=lambda each: -len(each[1].digits))
    accepted = [each for each in long if each[1].accepted][: settings.most_lines]
    if len(long) == 1 and settings.beyond_doubt <= long[0][1].confidence and long[0][1].text[0] != "0":
        return False
    gain, surely = 0.0, math.log(settings.surely_upright)
    for k, line in accepted:
        if line.confidence >= settings.believed and _is_surely_upright(line.text):
            return False
        gain += _gain(read, k, line, settings)
        if gain <= surely:
            return False
    if not accepted:
        return False
    for k, line in [each for each in long if not each[1].accepted][: settings.most_lines]:
        refused = 2 * len(line.unsure) > len(line.digits)
        gain += max(0.0 if refused else surely / 2, min(-surely / 2, _gain(read, k, line, settings)))
    return gain >= math.log(settings.better)


def _gain(read: ReadTurned, k: int, line: Line, settings: TurnedSettings) -> float:
    """Return the logarithm of how much more probable the line with number `k` is upside down."""
    text, turned = read([k], 2)
    straight = line.confidence
    if turned >= settings.comparable * straight:
        straight = min(straight, read([k], 0)[1])
    turned *= settings.leading_zeros ** (line.text.startswith("00") - text.startswith("00"))
    return math.log(max(turned, _NEVER) / max(straight, _NEVER))


def _is_surely_upright(text: str) -> bool:
    """Return whether hardly any digits upside down pass for a text: none for a 3, few for a 4 or 7."""
    return "3" in text or sum(digit in "47" for digit in text) > 1


_NEVER = 1e-3
"""No text is thought less probable."""


def _turned(grey: NDArray[np.uint8], boxes: Sequence[Box], turns: int) -> tuple[NDArray[np.uint8], list[Box]]:
    """Return a picture and boxes in it turned anticlockwise by so many quarter turns."""
    boxes = list(boxes)
    width = grey.shape[1]
    for _ in range(turns):
        boxes = [(y, width - x - w, h, w) for x, y, w, h in boxes]
        grey = np.rot90(grey)
        width = grey.shape[1]
    return grey, boxes
