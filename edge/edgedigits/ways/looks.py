"""What looks at one strip say of it, taken together: the readings of a line with their probabilities.

Pure functions: nothing here knows of a model file or a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgedigits.ways.ctc import Hypothesis
from edgedigits.ways.strip_cutting import Back


@dataclass(frozen=True, eq=False)
class Look:
    """A strip as the network took it once, and what it said."""

    strip: NDArray[np.uint8]
    """uint8, 40×W, ink bright."""
    back: Back
    """The way from it to its picture."""
    answers: NDArray[np.float32]
    """The network's log-probabilities, float32, steps × labels."""
    hypotheses: list[Hypothesis]
    """The best texts, separators among them, best first."""
    texts: list[str]
    """The digits of each."""
    readings: list[tuple[str, float]]
    """Texts of digits, each with the probability of all hypotheses that say it, best first."""


_LEAST = 1e-6
"""No text is thought less probable."""
_UNLISTED = 0.001
"""All texts together that no look lists are thought no less probable: where a check lets pass nothing but a
text that is next to impossible, one that nobody thought of is the likelier."""


def summed(texts: Sequence[str], hypotheses: Sequence[Hypothesis]) -> list[tuple[str, float]]:
    """Return texts, each once, with the probability of all hypotheses that say it, best first."""
    told: dict[str, float] = {}
    for text, hypothesis in zip(texts, hypotheses, strict=True):
        told[text] = told.get(text, 0.0) + hypothesis.probability
    return sorted(((text, min(1.0, p)) for text, p in told.items()), key=lambda item: -item[1])


def means(looks: Sequence[Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Return texts with the geometric mean of what the looks hold of each, at least `_LEAST`; best first."""
    told: dict[str, float] = {}
    for readings in looks:
        for text, probability in readings:
            told[text] = told.get(text, 1.0) * max(probability, _LEAST)
    found = [(text, product ** (1 / len(looks))) for text, product in told.items()]
    return sorted(found, key=lambda item: -item[1])


def agreed(looks: Sequence[Sequence[tuple[str, float]]]) -> tuple[list[tuple[str, float]], float]:
    """Return the readings of several looks as one, best first, and what their means were divided by.

    Each look is what it holds of the same texts. The probability of a text is in proportion to the geometric
    mean of that: high where they agree. What they hold of all others takes part as if they meant the same.
    """
    texts = means(looks)
    rests = [max(1 - sum(p for _, p in readings), _UNLISTED) for readings in looks]
    whole = sum(mean for _, mean in texts) + math.prod(rests) ** (1 / len(rests))
    return [(text, mean / whole) for text, mean in texts], whole


def of_digits(readings: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return readings, best first, with probabilities that tell of a digit alone when they are added up.

    Among the many texts that a long line may be, those that are listed need not hold much between them though
    every digit is sure. What texts of other digits than the best one's, and those that are not listed, take
    from these is doubt about the line: each of its n digits bears as much of it as makes all of it together,
    the n-th root. A lone digit is as sure as its line.
    """
    length = len(readings[0][0])
    told = [(text, probability) for text, probability in readings if len(text) == length]
    believed = min(1.0, math.fsum(probability for _, probability in told))
    if not believed:
        return told
    return [(text, probability * believed ** (1 / length - 1)) for text, probability in told]


Weighing = Callable[[Sequence[tuple[str, float]]], dict[str, float]]
"""Tells of readings, best first, by what the probability of each text is to be multiplied."""


def verified(
    readings: Sequence[tuple[str, float]], whole: float, weigh: Weighing
) -> tuple[list[tuple[str, float]], float]:
    """Return readings, best first, with their probabilities weighed, and what `whole` becomes.

    What the readings leave to all other texts takes part as a text that was not looked into.
    """
    weights = weigh([*readings, ("", 0.0)])
    rest = max(1 - sum(p for _, p in readings), _UNLISTED) * weights[""]
    scale = sum(p * weights[text] for text, p in readings) + rest
    weighed = [(text, p * weights[text] / scale) for text, p in readings]
    return sorted(weighed, key=lambda reading: -reading[1]), whole * scale
