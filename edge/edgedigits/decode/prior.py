"""How likely a number is before anybody has looked at it.

Numbers that people write are not evenly spread: more of them begin with a 1 than with a 9 (F. Benford, "The
law of anomalous numbers", 1938), hardly any with a 0, and many are round; where separators stand among their
digits, they part these into threes. Where two readings of a line are nearly as good, that is a reason to hold
with one of them.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgedigits.decode.lattice import Reading, spelt, weighed
from edgedigits.glyphs import Mark
from edgedigits.page import REJECTED


@dataclass(frozen=True)
class PriorSettings:
    """What is thought of numbers; shares 0…1."""

    weight: float = 0.6
    """How much it counts where a line is read as a strip, as an exponent: 0 not at all. Chosen on the tuning
    part of the cheque amounts, as what follows; this on ten views of each (`tests/bench/bench_views.py`).
    0…3."""
    of_glyphs: float = 2.0
    """So many times as much it counts where a line is read glyph by glyph, each without a look at the others:
    two zeros written in one are as good as a 6 and a 0. 0…3."""
    leading_zero: float = 0.03
    """Share of numbers that begin with a 0. 0…1."""
    round: float = 0.3
    """Share of numbers that end in a 0. 0…1."""
    rounder: float = 0.5
    """Share of these with another 0 before it, and so on. 0…1."""
    ungrouped: float = 0.03
    """Share of numbers with separators whose digits these do not part into threes. 0…1."""
    by_chance: float = 0.5
    """Share of those, and of those where they do, stood they anywhere. 0.001…1."""


def prior_weight(digits: str, settings: PriorSettings = PriorSettings()) -> float:
    """Return by what the probability of a text is to be multiplied, in comparison to other texts.

    `digits` are the text's digits, `0` to `9`; fewer than two say nothing: 1. Before the weight is applied
    the mean over all numbers of a length is 1, so neither long nor short ones are favoured.

    Raises `ValueError` where the first character is no digit.
    """
    if len(digits) < 2 or not settings.weight:
        return 1.0
    first = int(digits[0])
    benford = (1 - settings.leading_zero) * math.log10(1 + 1 / first) if first else settings.leading_zero
    ratio = benford / 0.1
    # The first digit's share is told already: zeros are counted behind it.
    behind = digits[1:]
    zeros = len(behind) - len(behind.rstrip("0"))
    share = settings.round
    for _ in range(zeros):
        ratio *= share / 0.1
        share = settings.rounder
    if zeros < len(behind):
        ratio *= (1 - share) / 0.9
    return float(min(ratio, _MOST) ** settings.weight)


_MOST = 1e30
"""However many zeros there are, no number is thought likelier than others by more than this: powers of it are
numbers still."""


_GROUPING = re.compile("[.,]+")


def grouping_weight(raw: str, settings: PriorSettings = PriorSettings()) -> float:
    """Return by what the probability of a text is to be multiplied for where its separators stand.

    `raw` is the text with its separators, a `?` for a digit that can't be read. Thousands are parted by dots
    and commas. Nothing is said (1) where none stands among the digits, where one or two digits follow the
    last (cents, decimals), of dates, and where there are other separators, as in a telephone number.
    """
    groups = _GROUPING.split(raw.strip(".,-=/:$").replace(REJECTED, "0"))
    if len(groups) == 1 or not all(map(str.isdigit, groups)):
        return 1.0
    first, *further, last = map(len, groups)
    dated = len(groups) == 3 and first <= 2 and further[0] <= 2 and last in (2, 4)
    threes = all(count == 3 for count in further)
    if dated or (threes and last < 3):
        return 1.0
    share = 1.0 if first <= 3 and threes and last == 3 else settings.ungrouped
    return float((share / settings.by_chance) ** settings.weight)


def expected_prior(count: tuple[int, int] | None, settings: PriorSettings) -> PriorSettings:
    """Return what is thought of numbers where `count` tells the fewest and the most digits.

    What has so many digits, no more and no less, is as a rule a name and not an amount: a customer's number
    begins with any digit.
    """
    named = count is not None and count[0] == count[1]
    return replace(settings, weight=0) if named else settings


def weigh_readings(
    readings: Sequence[Reading], marks: Sequence[Mark] = (), *, settings: PriorSettings = PriorSettings()
) -> list[Reading]:
    """Return the readings of a line's glyphs with what is thought of numbers, best first.

    `marks` are the line's separators beside those that are part of a reading. The probabilities sum to what
    they did. A reading with a `?` is one of many numbers: only where its separators stand tells something.
    """
    own = replace(settings, weight=settings.weight * settings.of_glyphs)
    weights = []
    for each in readings:
        weight = grouping_weight("".join(sign for _, sign in spelt(each, marks)), own)
        weights.append(weight * prior_weight(each.text, own) if each.text.isdigit() else weight)
    return weighed(readings, weights)
