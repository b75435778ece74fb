"""The strip way: a text line cut out of its picture as one strip, read at once, its characters found in it.

Where the glyph way tells pieces of ink apart first and asks what each of them is, here the network says along
the strip what stands where, and the pieces follow from that: what touches need not be cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.card import BLANK
from edgedigits.decode import RejectRule, digit_at
from edgedigits.decode.consistency import ConsistencySettings, consistencies, consistency_weights
from edgedigits.decode.prior import PriorSettings, expected_prior, grouping_weight, prior_weight
from edgedigits.glyphs import box_around
from edgedigits.normalize import normalize_all
from edgedigits.page import Box, Digit, Line
from edgedigits.strip_model import StripModel
from edgedigits.strips import HEIGHT
from edgedigits.ways.characters import Cell, cells_of, ink_of
from edgedigits.ways.ctc import BEAM, Constraint, Hypothesis, Prefix, best_texts, probabilities_of, spans
from edgedigits.ways.expected import Expected
from edgedigits.ways.looks import Look, agreed, means, of_digits, summed, verified
from edgedigits.ways.strip_cutting import Back, Region, StripSettings, boxes_in, cut_out, region_of
from edgedigits.ways.verifier import PlacedText, Verifier, place_texts


@dataclass(frozen=True, eq=False)
class SeenLine:
    """A line as a strip says it, and what was seen of its digits."""

    line: Line
    strip: NDArray[np.uint8]
    """uint8, 40×W, ink bright: the look that says it best."""
    cells: tuple[Cell, ...]
    """Where each digit stands along it, in pixels."""

    def ink(self, place: int) -> NDArray[np.uint8]:
        """Return the ink of the digit in a place, from 0, alone: uint8, 40×W, bright."""
        return ink_of(self.strip, self.cells[place])


class StripReader:
    """Reads strips with a sequence network; `rule` says what is not trusted.

    Where there is a `verifier`, it has a say in which of a strip's readings is the best; so have the `prior`,
    what numbers people write, and `consistency`, how alike what a reading takes for the same digit looks.
    """

    def __init__(
        self,
        model: StripModel,
        rule: RejectRule,
        verifier: Verifier | None = None,
        settings: StripSettings = StripSettings(),
        prior: PriorSettings = PriorSettings(),
        consistency: ConsistencySettings = ConsistencySettings(),
    ) -> None:
        self.model, self.rule, self.verifier, self.settings = model, rule, verifier, settings
        self.prior, self.consistency = prior, consistency
        labels = model.card.labels
        self._is_digit = [label.isdigit() and len(label) == 1 for label in labels]
        self._signs = [k for k, digit in enumerate(self._is_digit) if not digit and labels[k] != BLANK]

    def read(
        self,
        grey: NDArray[np.uint8],
        region: Region,
        expected: Expected = Expected(),
    ) -> Line | None:
        """Read a strip of a picture (uint8, H×W, dark ink on light); None where it says no digit.

        Boxes are in pixels of the picture. Only texts of as many digits as are expected are looked for. Where
        the best of them fails the check, those that pass it are looked for, too: the line is that of the best
        text still, and the best that pass are among its readings. Probabilities are those among all texts.
        """
        return next((seen.line for seen in self.seen(grey, region, expected)), None)

    def seen(
        self,
        grey: NDArray[np.uint8],
        region: Region,
        expected: Expected = Expected(),
        early: bool = False,
    ) -> Iterator[SeenLine]:
        """Yield the line that `read` returns, with its ink, if any.

        Where `early` is wanted, what the first look says by itself may come before it, for whoever finds that
        sure enough not to go on; of a text that it is sure of, without the verifier's word.
        """
        constraint = self._constraint(Expected(expected.count))
        cut = cut_out(grey, region, self.settings)
        if cut is None:
            return
        looks: list[Look] = []
        for narrower in self.settings.looks:
            looks.append(self._look(*cut, narrower, constraint))
            text, probability = (looks[0].readings or [("", 0.0)])[0]
            if not text:
                continue
            sure = probability >= self.settings.sure
            if early and len(looks) == 1 and probability >= self.settings.likely:
                # Most of what the network is sure of is confirmed without a second opinion on its characters.
                first = self._line_of(looks, expected, grey.shape, None if sure else self.verifier)
                if first is not None:
                    yield first
            if sure:
                break
        last = self._line_of(looks, expected, grey.shape, self.verifier)
        if last is not None:
            yield last

    def _line_of(
        self, looks: Sequence[Look], expected: Expected, shape: tuple[int, ...], verifier: Verifier | None
    ) -> SeenLine | None:
        """Return what looks at a strip of a picture (its shape: H×W) say; None for no digit."""
        readings, whole = agreed(self._held(looks, [look.readings for look in looks]))
        if not readings or not readings[0][0]:
            return None
        prior = expected_prior(expected.count, self.prior)
        weigh = self._weighing(looks, prior, verifier)
        grouping = self._grouping([(look.texts, look.hypotheses) for look in looks], prior)
        readings, whole = verified(readings, whole, lambda told: weigh(told, grouping))
        text, probability = readings[0]
        if not text:  # the characters, looked at one by one, are none
            return None
        # The look that holds most of the text, of those that list it, says where its characters stand. (Of a
        # long line that may be 0: its probability is less than the least floating-point number.)
        listing = [look for look in looks if text in look.texts]
        look = max(listing, key=lambda look: dict(look.readings)[text])
        saying = [h for said, h in zip(look.texts, look.hypotheses, strict=True) if said == text]
        best = max(saying, key=lambda h: h.probability * grouping_weight(self._raw(h.text), prior))
        told = readings[: self.settings.readings]
        if expected.check is not None and not expected.check(self._raw(best.text)):
            passing, grouping = self._passing(looks, expected, [text for text, _ in told], prior)
            weights = weigh(passing, grouping)
            # They were found when others were not wanted: the best of all stays the best.
            also = [(text, min(probability, mean * weights[text] / whole)) for text, mean in passing]
            told = [told[0], *sorted([*told[1:], *also], key=lambda reading: -reading[1])]
        cells = cells_of(spans(look.answers, best.text), look.strip.shape[1])
        boxes = look.back.boxes(boxes_in(look.strip, cells), shape)
        by_digits = of_digits(readings)
        digits: list[Digit] = []
        raw: list[str] = []
        for label, box in zip(best.text, boxes, strict=True):
            if not self._is_digit[label]:
                raw.append(self.model.card.labels[label])
                continue
            digits.append(digit_at(len(digits), box, by_digits, self.rule))
            raw.append(digits[-1].label)
        doubtful = [k for k, d in enumerate(digits) if digit_at(k, d.box, readings, self.rule).rejected]
        line = Line(
            text="".join(digit.label for digit in digits),
            raw="".join(raw),
            confidence=probability,
            accepted=probability >= self.rule.min_line_confidence and not any(d.rejected for d in digits),
            box=box_around([digit.box for digit in digits]),
            digits=tuple(digits),
            readings=tuple(told),
            doubtful=tuple(doubtful),
        )
        of_digit = [cell for label, cell in zip(best.text, cells, strict=True) if self._is_digit[label]]
        return SeenLine(line, look.strip, tuple(of_digit))

    def best(self, grey: NDArray[np.uint8], boxes: Sequence[Box]) -> tuple[str, float]:
        """Return the best text of the strip around some glyphs, in the first look only, and its probability.

        No digits, and a strip that is too long, have none: 0.
        """
        height, width = grey.shape
        cut = cut_out(grey, region_of(boxes, (width, height), self.settings), self.settings)
        few = self.settings.lone_beam
        readings = [] if cut is None else self._look(*cut, self.settings.looks[0], None, few).readings
        return readings[0] if readings and readings[0][0] else ("", 0.0)

    def _weighing(
        self, looks: Sequence[Look], prior: PriorSettings, verifier: Verifier | None
    ) -> Callable[[Sequence[tuple[str, float]], Mapping[str, float]], dict[str, float]]:
        """Return what tells by what the probabilities of texts are to be multiplied.

        It is told what `_grouping` says of them. The characters are looked at in the first look's strip, the
        one that is not made narrower.
        """
        known: dict[str, Prefix] = {}
        for look in looks:
            for text, hypothesis in zip(look.texts, look.hypotheses, strict=True):
                known.setdefault(text, hypothesis.text)
        first = looks[0]
        before: dict[str, PlacedText] = {}

        def alike(placed: dict[str, PlacedText]) -> dict[str, float]:
            """Return what comes of how much alike digits look, in comparison to the texts asked for first."""
            if not before:
                before.update(placed)
            together = {**before, **placed}
            if len(together) < 2:
                return dict.fromkeys(placed, 1.0)
            found = self._consistencies(first.strip, together)
            best = max(found[text] for text in before)
            return consistency_weights({text: found[text] for text in placed}, best, self.consistency)

        def weigh(readings: Sequence[tuple[str, float]], grouping: Mapping[str, float]) -> dict[str, float]:
            weights = {text: prior_weight(text, prior) * grouping.get(text, 1.0) for text, _ in readings}
            if not readings:
                return weights
            # No digits at all are nothing to look at.
            likely = _LIKELY * readings[0][1]
            seen = [text for text, p in readings if text and p >= likely][: self.settings.readings]
            spelt = {text: known.get(text) or self._spelt(text) for text in seen}
            placed = place_texts(first.answers, spelt, first.strip.shape[1])
            for text, weight in alike(placed).items():
                weights[text] *= weight
            if verifier is None:
                return weights
            looked = verifier.weights(first.strip, placed)
            return {text: looked.get(text, verifier.unseen) * own for text, own in weights.items()}

        return weigh

    def _grouping(
        self, looks: Sequence[tuple[Sequence[str], Sequence[Hypothesis]]], prior: PriorSettings
    ) -> dict[str, float]:
        """Return of texts by what their probabilities are to be multiplied for where separators stand.

        Each look is what it said and the digits of that. It may have a text with separators in several ways,
        each as probable as it says; of the looks that have it the geometric mean counts.
        """
        found: dict[str, list[float]] = {}
        for texts, hypotheses in looks:
            whole: dict[str, float] = {}
            weighed: dict[str, float] = {}
            for text, h in zip(texts, hypotheses, strict=True):
                weight = grouping_weight(self._raw(h.text), prior)
                whole[text] = whole.get(text, 0.0) + h.probability
                weighed[text] = weighed.get(text, 0.0) + h.probability * weight
            for text, probability in whole.items():
                found.setdefault(text, []).append(weighed[text] / probability if probability else 1.0)
        return {text: math.prod(weights) ** (1 / len(weights)) for text, weights in found.items()}

    def _consistencies(self, strip: NDArray[np.uint8], texts: Mapping[str, PlacedText]) -> dict[str, float]:
        """Return how much more alike than usual the repeated digits of texts look."""
        labels = self.model.card.labels
        digits = {
            name: [(labels[label], cell) for label, cell in text if self._is_digit[label]]
            for name, text in texts.items()
        }
        return consistencies(
            digits, lambda cells: normalize_all([ink_of(strip, cell) for cell in cells]), self.consistency
        )

    def _spelt(self, text: str) -> Prefix:
        """Return digits as indices of labels."""
        return tuple(self.model.card.labels.index(digit) for digit in text)

    def _look(
        self,
        strip: NDArray[np.uint8],
        back: Back,
        narrower: float,
        constraint: Constraint | None,
        beam: int = BEAM,
    ) -> Look:
        """Look at a strip made so much narrower."""
        if narrower != 1.0:
            width = max(1, round(strip.shape[1] * narrower))
            across = strip.shape[1] / width
            strip = np.asarray(cv2.resize(strip, (width, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
            back = Back(back.matrix * [across, 1.0, 1.0])
        answers = self.model.log_probabilities(strip)
        hypotheses = best_texts(answers, 2 * self.settings.readings, constraint, beam)
        texts = [self._text(hypothesis) for hypothesis in hypotheses]
        return Look(strip, back, answers, hypotheses, texts, summed(texts, hypotheses))

    def _constraint(self, expected: Expected) -> Constraint | None:
        """Return what keeps the search to what is expected; None for nothing."""
        if expected == Expected():
            return None
        fewest, most = expected.count or (0, math.inf)
        check = expected.check

        def digits(prefix: Prefix) -> int:
            return sum(self._is_digit[label] for label in prefix)

        return Constraint(
            lambda prefix, label: not self._is_digit[label] or digits(prefix) < most,
            lambda prefix: digits(prefix) >= fewest and (check is None or check(self._raw(prefix))),
        )

    def _passing(
        self, looks: Sequence[Look], expected: Expected, known: Sequence[str], prior: PriorSettings
    ) -> tuple[list[tuple[str, float]], dict[str, float]]:
        """Return the best texts that are expected, those known left out, with their means, best first.

        And by what these are to be multiplied for where separators stand in them.
        """
        width, constraint = self.settings.checked_beam, self._constraint(expected)
        count = 2 * self.settings.readings
        found = [best_texts(look.answers, count, constraint, width) for look in looks]
        said = [([self._text(h) for h in hypotheses], hypotheses) for hypotheses in found]
        every = means(self._held(looks, [summed(texts, hypotheses) for texts, hypotheses in said]))
        passing = [mean for mean in every if mean[0] not in known][: self.settings.readings]
        return passing, self._grouping(said, prior)

    def _held(
        self, looks: Sequence[Look], readings: Sequence[Sequence[tuple[str, float]]]
    ) -> list[list[tuple[str, float]]]:
        """Return what each look holds of the best readings of all of them, whether it lists them or not."""
        if len(looks) == 1:
            return [list(readings[0])]
        count = self.settings.readings
        texts = list(dict.fromkeys(text for of_look in readings for text, _ in of_look[:count]))
        spelt = [self._spelt(text) for text in texts]
        return [
            list(zip(texts, probabilities_of(look.answers, spelt, self._signs), strict=True))
            for look in looks
        ]

    def _raw(self, prefix: Prefix) -> str:
        return "".join(self.model.card.labels[label] for label in prefix)

    def _text(self, hypothesis: Hypothesis) -> str:
        labels = self.model.card.labels
        return "".join(labels[k] for k in hypothesis.text if self._is_digit[k])


_LIKELY = 0.03
"""What is less probable than the best reading by this factor is not looked into further: of the tuning part
no such reading becomes the best."""
