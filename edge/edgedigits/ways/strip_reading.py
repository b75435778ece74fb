"""The strip way: a text line cut out of its picture as one strip, read at once, its characters found in it.

Where the glyph way tells pieces of ink apart first and asks what each of them is, here the network says along
the strip what stands where, and the pieces follow from that: what touches need not be cut.
"""

from __future__ import annotations

import math
import statistics
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
from edgedigits.strips import HEIGHT, prepare
from edgedigits.ways.characters import INK, Cell, cells_of, ink_of
from edgedigits.ways.ctc import BEAM, Constraint, Hypothesis, Prefix, best_texts, probabilities_of, spans
from edgedigits.ways.verifier import PlacedText, Verifier, place_texts


@dataclass(frozen=True)
class Expected:
    """What is known of a line before it is read, as on a form."""

    count: tuple[int, int] | None = None
    """The fewest and the most digits."""
    check: Callable[[str], bool] | None = None
    """Whether a text, digits and separators, can be what was written."""


@dataclass(frozen=True)
class StripSettings:
    """How a strip is cut out; lengths in heights of the line's glyphs."""

    above: float = 0.2
    """Paper above and below the writing. 0…2."""
    beside: float = 0.4
    """Paper to the left and the right of it. 0…5."""
    edge: float = 0.35
    """What lies so near to the picture's own edge is taken along: the picture is the strip. 0…5."""
    fills: float = 0.5
    """A line as high as this part of the picture is all there is in it: the strip is as wide as the picture,
    so that what the glyphs were too faint for is read, too. 0…2."""
    widest: float = 40.0
    """It is not where that is longer than so many heights of a digit: there is room for several numbers side
    by side. 0…1,000."""
    level: float = 0.05
    """A line that slopes by more than this (height by length) is turned level. 0…1."""
    looks: tuple[float, ...] = (1.0, 0.55)
    """The strip is looked at so many times, made so much narrower. The more the widths differ, the less the
    looks err alike, and what holds in both is surer; these were chosen on the tuning part of the cheques.
    Each 0.1…2."""
    sure: float = 0.95
    """Where the first look finds a text so probable, it is the only one: of the tuning part as many strips
    are read right as with all looks. 0…2."""
    likely: float = 0.8
    """Where the first look finds a text so probable, it may be enough for one who asks others, too. 0…2."""
    longest: int = 30_000
    """Longest strip in pixels of the network; a longer one is not read as a strip. 1…1,000,000."""
    readings: int = 8
    """So many readings of a line are told, and looked into again. 1…100."""
    checked_beam: int = 100
    """Beginnings kept from step to step where the best text fails a check, and others are looked for.
    1…10,000."""
    lone_beam: int = 4
    """The same where nothing but the best text is wanted. 1…10,000."""


@dataclass(frozen=True)
class Region:
    """Where a strip lies in its picture, in pixels: its middle (x, y), its size along and across the line.

    `angle` is that of the line, in radians, positive where it falls to the right.
    """

    middle: tuple[float, float]
    width: float
    height: float
    angle: float = 0.0

    def holds(self, boxes: Sequence[Box]) -> bool:
        """Return whether most of these boxes, by their middles, lie in the strip."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        inside = 0
        for x, y, w, h in boxes:
            dx, dy = x + w / 2 - self.middle[0], y + h / 2 - self.middle[1]
            along, over = dx * cos + dy * sin, dy * cos - dx * sin
            inside += abs(along) <= self.width / 2 and abs(over) <= self.height / 2
        return 2 * inside > len(boxes)


def region_of(
    boxes: Sequence[Box], size: tuple[int, int], settings: StripSettings = StripSettings()
) -> Region:
    """Return the strip around the glyphs of a line; `boxes` and `size` in pixels of the picture."""
    tall = float(statistics.median([b[3] for b in boxes]))
    slope = 0.0
    middles = [b[0] + b[2] / 2 for b in boxes]
    if len(boxes) > 2 and max(middles) - min(middles) > 3 * tall:
        # That of the line nearest to the middles of the boxes: least squares.
        across = np.array(middles)
        apart = across - across.mean()
        slope = float(apart @ np.array([2.0 * b[1] + b[3] for b in boxes]) / (apart @ apart)) / 2
    if abs(slope) <= settings.level:
        left = min(b[0] for b in boxes) - settings.beside * tall
        top = min(b[1] for b in boxes) - settings.above * tall
        end = max(b[0] + b[2] for b in boxes) + settings.beside * tall
        low = max(b[1] + b[3] for b in boxes) + settings.above * tall
        left = 0.0 if left < settings.edge * tall else left
        top = 0.0 if top < settings.edge * tall else top
        end = size[0] if size[0] - end < settings.edge * tall else end
        low = size[1] if size[1] - low < settings.edge * tall else low
        if low - top >= settings.fills * size[1] and size[0] <= settings.widest * tall:
            left, end = 0.0, size[0]
        return Region(((left + end) / 2, (top + low) / 2), end - left, low - top)
    angle = math.atan(slope)
    cos, sin = math.cos(angle), math.sin(angle)
    # The corners of the boxes, along and across the line.
    xs = np.array([b[0] + right * b[2] for b in boxes for right in (0, 1, 0, 1)], float)
    ys = np.array([b[1] + low * b[3] for b in boxes for low in (0, 0, 1, 1)], float)
    along, over = xs * cos + ys * sin, ys * cos - xs * sin
    # A box turned with its line is higher than its glyph; what stands above the line is its slope's doing.
    spare = abs(sin) * float(statistics.median([b[2] for b in boxes]))
    u0, u1 = along.min() - settings.beside * tall, along.max() + settings.beside * tall
    v0, v1 = over.min() + spare - settings.above * tall, over.max() - spare + settings.above * tall
    u, v = (u0 + u1) / 2, (v0 + v1) / 2
    return Region((u * cos - v * sin, u * sin + v * cos), u1 - u0, max(v1 - v0, tall), angle)


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
        looks: list[_Look] = []
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
        self, looks: Sequence[_Look], expected: Expected, shape: tuple[int, ...], verifier: Verifier | None
    ) -> SeenLine | None:
        """Return what looks at a strip of a picture (its shape: H×W) say; None for no digit."""
        readings, whole = _agreed(self._held(looks, [look.readings for look in looks]))
        if not readings or not readings[0][0]:
            return None
        prior = expected_prior(expected.count, self.prior)
        weigh = self._weighing(looks, prior, verifier)
        grouping = self._grouping([(look.texts, look.hypotheses) for look in looks], prior)
        readings, whole = _verified(readings, whole, lambda told: weigh(told, grouping))
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
        boxes = look.back.boxes(_boxes(look.strip, cells), shape)
        of_digits = _of_digits(readings)
        digits: list[Digit] = []
        raw: list[str] = []
        for label, box in zip(best.text, boxes, strict=True):
            if not self._is_digit[label]:
                raw.append(self.model.card.labels[label])
                continue
            digits.append(digit_at(len(digits), box, of_digits, self.rule))
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
        self, looks: Sequence[_Look], prior: PriorSettings, verifier: Verifier | None
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
    ) -> _Look:
        """Look at a strip made so much narrower."""
        if narrower != 1.0:
            width = max(1, round(strip.shape[1] * narrower))
            across = strip.shape[1] / width
            strip = np.asarray(cv2.resize(strip, (width, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
            back = Back(back.matrix * [across, 1.0, 1.0])
        answers = self.model.log_probabilities(strip)
        hypotheses = best_texts(answers, 2 * self.settings.readings, constraint, beam)
        texts = [self._text(hypothesis) for hypothesis in hypotheses]
        return _Look(strip, back, answers, hypotheses, texts, _summed(texts, hypotheses))

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
        self, looks: Sequence[_Look], expected: Expected, known: Sequence[str], prior: PriorSettings
    ) -> tuple[list[tuple[str, float]], dict[str, float]]:
        """Return the best texts that are expected, those known left out, with their means, best first.

        And by what these are to be multiplied for where separators stand in them.
        """
        width, constraint = self.settings.checked_beam, self._constraint(expected)
        count = 2 * self.settings.readings
        found = [best_texts(look.answers, count, constraint, width) for look in looks]
        said = [([self._text(h) for h in hypotheses], hypotheses) for hypotheses in found]
        means = _means(self._held(looks, [_summed(texts, hypotheses) for texts, hypotheses in said]))
        passing = [mean for mean in means if mean[0] not in known][: self.settings.readings]
        return passing, self._grouping(said, prior)

    def _held(
        self, looks: Sequence[_Look], readings: Sequence[Sequence[tuple[str, float]]]
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


@dataclass(frozen=True)
class Back:
    """The way from pixels of a strip to those of its picture: a 2×3 matrix."""

    matrix: NDArray[np.float64]

    def along(self, points: Sequence[tuple[float, float]]) -> list[float]:
        """Return where points (x, y) of the picture lie along the strip, in its pixels."""
        linear, shift = self.matrix[:, :2], self.matrix[:, 2]
        found: list[float] = np.linalg.solve(linear, (np.array(points) - shift).T)[0].tolist()
        return found

    def boxes(self, boxes: Sequence[tuple[float, float, float, float]], shape: tuple[int, ...]) -> list[Box]:
        """Return the boxes around boxes (x0, y0, x1, y1) of the strip, in whole pixels inside the picture."""
        height, width = shape[:2]
        corners = [[x, y, 1.0] for x0, y0, x1, y1 in boxes for y in (y0, y1) for x in (x0, x1)]
        seen = (np.array(corners) @ self.matrix.T).reshape(len(boxes), 4, 2)
        found = []
        for (x0, y0), (x1, y1) in zip(seen.min(axis=1).tolist(), seen.max(axis=1).tolist(), strict=True):
            left, top = (max(0, min(n - 1, math.floor(v))) for n, v in ((width, x0), (height, y0)))
            right, bottom = min(width, math.ceil(x1)), min(height, math.ceil(y1))
            found.append((left, top, max(1, right - left), max(1, bottom - top)))
        return found


@dataclass(frozen=True, eq=False)
class _Look:
    """A strip as the network took it once, and what it said."""

    strip: NDArray[np.uint8]
    back: Back
    answers: NDArray[np.float32]
    hypotheses: list[Hypothesis]
    texts: list[str]
    """The digits of each."""
    readings: list[tuple[str, float]]
    """Texts of digits, each with the probability of all hypotheses that say it, best first."""


_LEAST = 1e-6
"""No text is thought less probable."""
_UNLISTED = 0.001
"""All texts together that no look lists are thought no less probable: where a check lets pass nothing but a
text that is next to impossible, one that nobody thought of is the likelier."""
_LIKELY = 0.03
"""What is less probable than the best reading by this factor is not looked into further: of the tuning part
no such reading becomes the best."""


def _summed(texts: Sequence[str], hypotheses: Sequence[Hypothesis]) -> list[tuple[str, float]]:
    """Return texts, each once, with the probability of all hypotheses that say it, best first."""
    told: dict[str, float] = {}
    for text, hypothesis in zip(texts, hypotheses, strict=True):
        told[text] = told.get(text, 0.0) + hypothesis.probability
    return sorted(((text, min(1.0, p)) for text, p in told.items()), key=lambda item: -item[1])


def _means(looks: Sequence[Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Return texts with the geometric mean of what the looks hold of each, at least `_LEAST`; best first."""
    told: dict[str, float] = {}
    for readings in looks:
        for text, probability in readings:
            told[text] = told.get(text, 1.0) * max(probability, _LEAST)
    means = [(text, product ** (1 / len(looks))) for text, product in told.items()]
    return sorted(means, key=lambda item: -item[1])


def _agreed(looks: Sequence[Sequence[tuple[str, float]]]) -> tuple[list[tuple[str, float]], float]:
    """Return the readings of several looks as one, best first, and what their means were divided by.

    Each look is what it holds of the same texts. The probability of a text is in proportion to the geometric
    mean of that: high where they agree. What they hold of all others takes part as if they meant the same.
    """
    means = _means(looks)
    rests = [max(1 - sum(p for _, p in readings), _UNLISTED) for readings in looks]
    whole = sum(mean for _, mean in means) + math.prod(rests) ** (1 / len(rests))
    return [(text, mean / whole) for text, mean in means], whole


def _of_digits(readings: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
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


def _verified(
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


def cut_out(
    grey: NDArray[np.uint8], region: Region, settings: StripSettings = StripSettings()
) -> tuple[NDArray[np.uint8], Back] | None:
    """Return a region as the network takes it, and the way back to the picture; None if too long."""
    (x, y), width, height = region.middle, region.width, region.height
    if width * HEIGHT > settings.longest * height:
        return None
    if region.angle == 0.0:
        left, top = max(0, round(x - region.width / 2)), max(0, round(y - height / 2))
        piece = grey[top : max(top + 1, round(y + height / 2)), left : max(left + 1, round(left + width))]
        strip = prepare(np.ascontiguousarray(piece))
        across, down = piece.shape[1] / strip.shape[1], piece.shape[0] / HEIGHT
        return strip, Back(np.array([[across, 0.0, left], [0.0, down, top]]))
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    size = max(1, round(width)), max(1, round(height))
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    matrix[:, 2] = np.array([x, y]) - matrix[:, :2] @ (np.array(size) / 2)
    seen, within = grey, matrix
    if max(grey.shape) > _MAPPED:
        around = math.hypot(width, height) / 2 + 2
        left, top = max(0, math.floor(x - around)), max(0, math.floor(y - around))
        seen = grey[top : math.ceil(y + around), left : math.ceil(x + around)]
        within = matrix - [[0, 0, left], [0, 0, top]]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    piece = np.asarray(
        cv2.warpAffine(seen, within, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    strip = prepare(piece)
    scale = np.diag([piece.shape[1] / strip.shape[1], piece.shape[0] / HEIGHT])
    return strip, Back(np.hstack([matrix[:, :2] @ scale, matrix[:, 2:]]))


_MAPPED = 32_000
"""What OpenCV maps has sides of less than 32,767 pixels, or is mapped less exactly."""


def _boxes(strip: NDArray[np.uint8], cells: Sequence[Cell]) -> list[tuple[float, float, float, float]]:
    """Return a box (x0, y0, x1, y1) for the character in each cell, in pixels of the strip.

    The network answers in the middle of a character; between two of them the border is half-way, and the ink
    between the borders tells the rest.
    """
    ink = (strip > INK).view(np.uint8)
    found = []
    for least, most in cells:
        x0, x1 = int(least), max(int(least) + 1, math.ceil(most))
        x, y, w, h = cv2.boundingRect(ink[:, x0:x1])
        if w:
            found.append((float(x0 + x), float(y), float(x0 + x + w), float(y + h)))
        else:
            found.append((float(x0), 0.0, float(x1), float(HEIGHT)))
    return found
