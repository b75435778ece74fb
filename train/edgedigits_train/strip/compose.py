"""Strings of handwritten digits on paper, composed from single digits, as the strip network sees them.

Digits (the middle lines of MNIST's, or the forms of `forms`) are written one after the other with one pen:
size, slant, spacing and width belong to the string, and what differs from digit to digit is little beside
them. They stand apart, touch, overlap or are joined by a stroke; separators stand between and behind them.
The string is bent, inked, laid on paper with a pattern, rules and the rests of other writing, photographed,
and passed through the device's own `prepare`. Everything is drawn at the network's height of 40 pixels.

Whatever is random comes from a generator that is handed in. Nothing here needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgedigits.strips import HEIGHT, prepare
from edgedigits_train import forms, junk
from edgedigits_train.distance_fields import UNIT, Fields, fields
from edgedigits_train.strip.recipe import Composition

SIGNS = ".,-=/:"
"""Separators that the network reads, in the order of its outputs after the ten digits."""
LABELS = tuple("0123456789" + SIGNS)

NARROW = 0.55
"""Width, to its own, of a strip that is seen narrow, as the reader's second look has it."""
_TALL = 96
"""Height of the sheet a string is written on before it is cut to a strip."""
_NEAR = 1.5
"""What is no farther than this from a digit's edge, in pixels, is its own: the blur of its ink."""
_FAR = 60.0
"""Distance from ink, in pixels, where there is none."""

Canvas = npt.NDArray[np.float32]
Owners = npt.NDArray[np.int16]
"""Whose ink a pixel shows: the place of a digit or sign in the text, −1 for nobody's."""
Glyph = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Digits:
    """Single digits to compose from: their distance fields, and the rows that show each digit."""

    fields: Fields
    of: tuple[npt.NDArray[np.intp], ...]

    @classmethod
    def of_pictures(cls, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> Digits:
        """Take pictures (uint8, N×28×28) with their labels 0…9 (N); each digit must be there."""
        return cls.of_fields(fields(images), labels)

    @classmethod
    def of_fields(cls, shapes: Fields, labels: npt.NDArray[np.integer]) -> Digits:
        """Take the distance fields of N pictures with their labels 0…9 (N); each digit must be there."""
        return cls(shapes, tuple(np.flatnonzero(labels == digit) for digit in range(10)))


@dataclass(frozen=True)
class _Hand:
    """What the digits of one string have in common. Lengths in pixels unless said otherwise."""

    height: float
    width: float
    gap: float
    """Mean space between neighbours, in heights."""
    unsteady: float
    """Standard deviation of the space, in heights."""
    joined: float
    """Share of the neighbours joined by a stroke."""
    stretch: float
    forms: float
    """Share of the digits taken from `forms`."""
    habits: tuple[int, ...]
    """Which of its forms each digit has, where it is of `forms`."""
    swung: bool
    """Whether the first digit is larger than the others."""
    printed: bool
    """Whether the digits keep the strokes they have in MNIST."""
    rises: tuple[float, ...]
    """How high the middle of each digit lies: above 1, what is over it is small, below 1, large."""
    bows: tuple[float, ...]
    """How far the middle of each digit is bent out to the side, in its heights."""
    chained: bool
    """Whether a 0 is begun at its top, with the stroke that left the top of the 0 before."""


class Composer:
    """Composes strips from `digits`, as `settings` say."""

    def __init__(self, digits: Digits, settings: Composition) -> None:
        self.digits, self.settings = digits, settings

    def strip(self, width: int, random: np.random.Generator) -> tuple[npt.NDArray[np.uint8], list[int]]:
        """Return a strip, uint8, 40×`width`, as `prepare` gives it, and what it says, as indices of `LABELS`.

        What is narrower than `width` has paper (0) at its right.
        """
        text: list[int]
        narrow = random.random() < self.settings.narrow
        room = round(width / NARROW) if narrow else width
        if random.random() < self.settings.empty:
            ink, text = self._no_digits(room, random), []
        else:
            ink, _, text = self._writing(room, random)
        used = min(room, ink.shape[1])
        grey = self._paper(ink[:, :used], random)
        prepared = prepare(grey)
        if narrow:
            size = (max(1, round(prepared.shape[1] * NARROW)), HEIGHT)
            prepared = np.asarray(cv2.resize(prepared, size, interpolation=cv2.INTER_AREA), np.uint8)
        strip = np.zeros((HEIGHT, width), np.uint8)
        prepared = prepared[:, :width]
        strip[:, : prepared.shape[1]] = prepared
        return strip, text

    def photograph(
        self, width: int, margin: int, random: np.random.Generator
    ) -> tuple[npt.NDArray[np.uint8], Canvas, Owners, list[int]]:
        """Return a photograph of a string no wider than `width`, its ink, whose that is, and what it says.

        The picture is uint8, dark ink on lighter paper, with `margin` pixels of paper above and below; the
        ink is float32, 0…1, and the owners int16, both of its shape; the text is indices of `LABELS`.
        """
        ink, owners, text = self._writing(width, random)
        rows = ((margin, margin), (0, 0))
        ink, owners = np.pad(ink, rows), np.pad(owners, rows, constant_values=-1)
        return self._paper(ink, random), ink, owners, text

    # What is written ----------------------------------------------------------------------------------

    def _text(self, count: int, random: np.random.Generator) -> list[int]:
        """Return digits and separators: amounts, numbers with many zeros, dates, plain digits."""
        kind = random.random()
        digits = random.integers(0, 10, count)
        if kind < 0.35:  # a round amount
            kept = int(random.integers(1, 4))
            digits[kept:] = np.where(random.random(max(0, count - kept)) < 0.75, 0, digits[kept:])
            # Amounts begin with a 1 more often than with a 9 (Benford's law).
            digits[0] = random.choice(9, p=np.log10(1 + 1 / np.arange(1, 10))) + 1
        elif kind < 0.5:  # repeated digits
            digits[random.random(count) < 0.5] = random.integers(0, 10)
        elif kind < 0.6:
            digits[random.random(count) < 0.45] = 1
        text = [int(digit) for digit in digits]
        if random.random() >= self.settings.separators:
            return text
        kind = random.random()
        if kind < 0.5 and count > 3:  # thousands
            sign = 10 if random.random() < 0.8 else 11
            for place in range(count - 3, 0, -3):
                text.insert(place, sign)
        elif kind < 0.75 and count > 2:
            for _ in range(int(random.integers(1, 3))):
                text.insert(int(random.integers(1, len(text))), 10 + int(random.choice(6, p=_SIGN_SHARES)))
        if random.random() < 0.5:
            ends = ((10,), (12,), (13,), (10, 12), (11, 12), (10,), (11,), (12,), (10, 13))
            text += ends[random.integers(len(ends))]
        return text

    def _hand(self, random: np.random.Generator) -> _Hand:
        settings = self.settings
        height = HEIGHT * random.uniform(0.55, 1.0)
        kind = random.random()
        if kind >= settings.touching:
            gap, unsteady = random.uniform(0.1, 0.5), 0.08
        elif kind < 0.5 * settings.touching:
            gap, unsteady = random.uniform(0.0, 0.12), 0.07
        else:
            gap, unsteady = random.uniform(-0.1, 0.02), 0.06
        thin = float(np.exp(random.uniform(np.log(0.045), np.log(0.15))))
        return _Hand(
            height=height,
            width=max(1.1, thin * height),
            gap=gap,
            unsteady=unsteady,
            joined=0.5 * random.random() if random.random() < 0.3 * settings.touching / 0.6 else 0.0,
            stretch=float(np.exp(random.normal(0.05, 0.18))),
            forms=settings.forms * (2.6 * random.random() if random.random() < 0.6 else 0.25),
            habits=tuple(int(habit) for habit in random.integers(0, 1 << 16, 10)),
            swung=random.random() < 0.08,
            printed=random.random() < 0.2,
            rises=tuple(np.exp(random.normal(0, 0.17, 10))),
            bows=tuple(random.normal(0, 0.05, 10)),
            chained=settings.chained > 0 and random.random() < settings.chained,
        )

    def _writing(self, width: int, random: np.random.Generator) -> tuple[Canvas, Owners, list[int]]:
        hand = self._hand(random)
        room = width / (hand.height * hand.stretch * (0.62 + max(hand.gap, -0.1)))
        most = max(1, min(7 if random.random() < 0.8 else 14, int(room)))
        least = max(1, min(most, int(room * random.uniform(0.4, 0.95))))
        count = int(random.integers(least, most + 1))
        text = self._text(count if random.random() < 0.92 else int(random.integers(1, 3)), random)
        sheet, owners, end = self._written(text, hand, random)
        ink, owners = self._bent(sheet[:, : end + 24], owners[:, : end + 24], hand, random)
        return *self._cut(ink, owners, width, random), text

    def _written(
        self, text: Sequence[int], hand: _Hand, random: np.random.Generator
    ) -> tuple[Canvas, Owners, int]:
        """Return each pixel's distance to a stroke, less half its width, whose it is, and the end."""
        sheet = np.full((_TALL, 64 + int(len(text) * hand.height * hand.stretch * 2.2)), _FAR, np.float32)
        owners = np.full(sheet.shape, -1, np.int16)
        base = 0.5 * (_TALL + hand.height)
        contour = np.full(_TALL, 20.0, np.float32)  # where the ink of each row ends
        before: tuple[float, float] | None = None
        end = 20
        growth = random.normal(0, 0.015)
        steady = random.uniform(0.03, 0.1)
        shrink = random.uniform(0.55, 0.9) if random.random() < 0.2 else 1.0
        for number, label in enumerate(text):
            tall = hand.height * np.exp(growth * number + random.normal(0, steady))
            if label == 0:
                tall *= shrink
            if number == 0 and hand.swung:
                tall *= random.uniform(1.15, 1.6)
            if label < 10:
                glyph = self._digit(label, tall, hand, random)
                drop = random.normal(0, 0.05) * hand.height
                if shrink < 1 and label == 0 and random.random() < 0.3:
                    drop -= (hand.height - tall) * random.random()
                elif label in (7, 9, 1) and random.random() < 0.15:
                    drop += random.uniform(0.05, 0.25) * hand.height
                top = round(base + drop - glyph.shape[0] + _AROUND)
            else:
                glyph, top = _sign(SIGNS[label - 10], base, hand, random)
            # About one in a million is drawn wider than its sheet.
            glyph = glyph[:_TALL, : sheet.shape[1]]
            top = int(np.clip(top, 0, _TALL - glyph.shape[0]))
            inked = glyph < 0.5
            rows = np.flatnonzero(inked.any(axis=1))
            if not len(rows):
                continue
            starts = inked[rows].argmax(axis=1)
            ends = glyph.shape[1] - inked[rows, ::-1].argmax(axis=1)
            gap = hand.gap + random.normal(0, hand.unsteady)
            if label >= 10 or (number and text[number - 1] >= 10):
                # A dot keeps some distance, and may stand under the digit before it.
                gap = max(gap, random.uniform(0.02, 0.3 if random.random() < 0.8 else 0.7))
            # The nearest that two rows come; rows a little above and below count, too.
            near = _reach(contour, round(0.08 * hand.height))[rows + top]
            x = float((near - starts).max()) + gap * hand.height
            x = max(x, end - 0.75 * hand.height, 4.0)
            left = min(round(x), sheet.shape[1] - glyph.shape[1])
            here = np.s_[top : top + glyph.shape[0], left : left + glyph.shape[1]]
            owners[here][(glyph < sheet[here]) & (glyph < _NEAR)] = number
            np.minimum(sheet[here], glyph, out=sheet[here])
            if hand.chained and label == 0:
                crown = left + float(np.flatnonzero(inked[rows[0]]).mean()), top + float(rows[0])
                if before is not None and random.random() < 0.85:
                    entry = crown[0] - random.uniform(0, 0.15) * hand.height, crown[1] + 0.03 * hand.height
                    self._join(sheet, before, entry, hand, random, sag=random.uniform(-0.02, 0.2))
                before = crown
            elif hand.joined and label < 10:
                first, last = int(starts.min()), int(ends.max()) - 1
                if before is not None and random.random() < hand.joined:
                    start = top + float(rows[starts == first].mean())
                    self._join(sheet, before, (left + first, start), hand, random)
                before = (left + last, top + float(rows[ends == last + 1].mean()))
            else:
                before = None
            contour[rows + top] = np.maximum(contour[rows + top], left + ends)
            # Rows without ink of this glyph can't be entered behind its middle.
            contour = np.maximum(contour, left + starts.min() + 0.1 * hand.height)
            end = max(end, int(left + ends.max()))
        return sheet, owners, end

    def _digit(self, digit: int, tall: float, hand: _Hand, random: np.random.Generator) -> Glyph:
        """Return a digit as `_written` wants it."""
        digits = self.digits.fields
        own = 0.0
        if random.random() < hand.forms * _OTHERWISE.get(digit, 1.0):
            # Mostly the hand's own habit.
            habit = hand.habits[digit] if random.random() < 0.85 else int(random.integers(1 << 16))
            code = forms.draw(digit, habit, random)
        else:
            i = int(random.choice(self.digits.of[digit]))
            if hand.printed or not digits.smooth[i]:
                code, own = digits.inside[i], 1.0
            else:
                code = digits.middle[i]
        x, y, w, h = cv2.boundingRect((code >= 124).view(np.uint8))
        scale = tall / max(h, 0.5 * w, 8)
        turn = np.deg2rad(np.clip(random.normal(0, 5), -13, 13))
        lean = np.clip(random.normal(0, 0.09), -0.25, 0.25)
        across = scale * hand.stretch * float(np.exp(random.normal(0, 0.13)))
        cos, sin = np.cos(turn), np.sin(turn)
        matrix = np.array([[across * cos, -scale * (sin + lean), 0], [across * sin, scale * cos, 0]])
        size = (round(across * w) + 2 * _AROUND, round(scale * h) + 2 * _AROUND)
        matrix[:, 2] = np.array(size) / 2 - matrix[:, :2] @ [x + w / 2, y + h / 2]
        patch = np.asarray(
            cv2.warpAffine(code, matrix, size, flags=cv2.INTER_LINEAR, borderValue=0), np.uint8
        )
        rise = hand.rises[digit] * float(np.exp(random.normal(0, 0.06)))
        patch = _proportioned(patch, rise, hand.bows[digit] + random.normal(0, 0.025))
        glyph = (128.0 - patch.astype(np.float32)) * np.float32(scale / UNIT)
        if own:
            # The stroke it has, made a little thinner or bolder, but never rubbed out.
            i_width = float(digits.width[i]) * scale
            glyph -= float(np.clip(0.5 * (hand.width - i_width) * random.random(), -0.2 * i_width, 2.0))
        else:
            glyph -= 0.5 * hand.width
        return glyph

    def _join(
        self,
        sheet: Canvas,
        start: tuple[float, float],
        end: tuple[float, float],
        hand: _Hand,
        random: np.random.Generator,
        sag: float | None = None,
    ) -> None:
        """Draw a stroke from one digit to the next, whose middle hangs down by so many heights."""
        if abs(end[0] - start[0]) > 1.2 * hand.height:
            return
        sag = (random.normal(0, 0.12) if sag is None else sag) * hand.height
        middle = (0.5 * (start[0] + end[0]), 0.5 * (start[1] + end[1]) + sag)
        line = forms.smooth(np.array([start, middle, end]))
        low, high = np.floor(line.min(axis=0)) - 6, np.ceil(line.max(axis=0)) + 6
        x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
        x1, y1 = min(sheet.shape[1], int(high[0])), min(sheet.shape[0], int(high[1]))
        if x1 - x0 < 3 or y1 - y0 < 3:
            return
        glyph = _drawn([line - [x0, y0]], (x1 - x0, y1 - y0), hand.width * random.uniform(0.6, 1.0))
        place = sheet[y0:y1, x0:x1]
        np.minimum(place, glyph, out=place)

    # The string becomes ink ---------------------------------------------------------------------------

    def _bent(
        self, sheet: Canvas, owners: Owners, hand: _Hand, random: np.random.Generator
    ) -> tuple[Canvas, Owners]:
        """Return ink, float32 0…1, slanted, sloped, waved, pressed more and less, and whose it is."""
        settings = self.settings
        height, width = sheet.shape
        slant = float(np.clip(random.normal(0.15, 0.25), -0.35, 0.8)) if settings.slant else 0.0
        slope = float(np.clip(random.normal(0, 0.04), -0.12, 0.12)) if settings.slant else 0.0
        wave = 0.07 * hand.height * random.random()
        grown = width + int(abs(slant) * hand.height)
        knots = random.normal(0, wave, (4, max(4, grown // 14), 2)).astype(np.float32)
        waves = cv2.resize(knots, (grown, height), interpolation=cv2.INTER_CUBIC)
        x = np.arange(grown, dtype=np.float32)[None, :] - 0.5 * (grown - width)
        y = np.arange(height, dtype=np.float32)[:, None]
        columns = x + slant * (y - height / 2) + waves[..., 0]
        rows = y + slope * (x - width / 2) + waves[..., 1]
        away = cv2.remap(sheet, columns, rows, cv2.INTER_LINEAR, borderValue=_FAR)
        whose = np.asarray(cv2.remap(owners, columns, rows, cv2.INTER_NEAREST, borderValue=-1), np.int16)
        if random.random() < 0.5:
            pressure = random.normal(0, 0.18 * hand.width * random.random(), (3, max(3, grown // 8)))
            away = away + _spread(pressure, (grown, height))
        ink = np.asarray(np.clip(0.5 - away, 0, 1), np.float32)
        if random.random() < 0.2:  # the pen gives less ink here and there
            flow = random.uniform(1 - 0.8 * random.random(), 1.4, (3, max(3, grown // 10)))
            ink *= np.clip(_spread(flow, (grown, height)), 0.3, 1)
        return ink, whose

    def _cut(
        self, ink: Canvas, owners: Owners, width: int, random: np.random.Generator
    ) -> tuple[Canvas, Owners]:
        """Cut the writing out of its sheet as forms are cut up: tightly, loosely, a little too tightly."""
        x, y, w, h = cv2.boundingRect((ink > 0.3).view(np.uint8))
        if not w or not h:
            return np.zeros((HEIGHT, width), np.float32), np.full((HEIGHT, width), -1, np.int16)
        ink, owners = ink[y : y + h, x : x + w], owners[y : y + h, x : x + w]
        inside = HEIGHT * random.uniform(0.72, 1.03), width * random.uniform(0.85, 1.0) - 2
        factor = min(1.0, inside[0] / h, inside[1] / w)
        if factor < 1:
            size = (max(1, round(w * factor)), max(1, round(h * factor)))
            ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.float32)
            owners = np.asarray(cv2.resize(owners, size, interpolation=cv2.INTER_NEAREST), np.int16)
            h, w = ink.shape
        kind = random.random()
        left = int(random.exponential(0.12) * HEIGHT) + 1 if kind < 0.85 else -int(random.integers(0, 3))
        right = int(random.exponential(0.15) * HEIGHT) + 1 if kind < 0.9 else 0
        if random.random() < 0.1:
            right += int(random.uniform(0, 2) * HEIGHT)
        left = min(left, width - w) if w < width else 0
        top = int(random.integers(min(0, HEIGHT - h), max(0, HEIGHT - h) + 1))
        if random.random() < 0.12:  # the edge runs through the writing
            top += int(random.choice([-1, 1]) * random.uniform(0, 0.12) * h)
        result = np.zeros((HEIGHT, max(8, min(width, left + w + max(0, right)))), np.float32)
        whose = np.full(result.shape, -1, np.int16)
        y0, y1 = max(0, top), min(HEIGHT, top + h)
        x0, x1 = max(0, left), min(result.shape[1], left + w)
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        result[y0:y1, x0:x1], whose[y0:y1, x0:x1] = ink[part], owners[part]
        if random.random() < self.settings.clutter:
            self._clutter(result, x0, x1, random)
        return result, whose

    def _clutter(self, ink: Canvas, start: int, end: int, random: np.random.Generator) -> None:
        """Add what else gets into a strip: rests of writing at its edges, letters beside it, specks."""
        height, width = ink.shape
        kind = random.integers(4)
        if kind == 0:  # strokes that come in from above or below
            for _ in range(int(random.integers(1, 4))):
                x = random.uniform(0, width)
                edge = random.random() < 0.5
                deep = random.uniform(0.5, 5.0)
                y = -3 if edge else height + 3
                to = deep if edge else height - 1 - deep
                line = np.array([[x, y], [x + random.normal(0, 2), to], [x + random.normal(2, 5), y]])
                _add(ink, [forms.smooth(line)], random.uniform(1, 2.5), random.uniform(0.5, 1.0))
        elif kind == 1:  # the rest of a glyph at the left or right edge
            side = random.random() < 0.5
            reach = random.uniform(1, 4)
            x = reach - 2 if side else width + 1 - reach
            line = np.array([[x + random.normal(0, 1.5), random.uniform(0, height)] for _ in range(3)])
            if (side and reach < start) or (not side and width - reach > end):
                _add(ink, [line], random.uniform(1, 2.5), random.uniform(0.5, 1.0))
        elif kind == 2:  # a letter or currency sign before or after
            room = (0, start) if start > width - end else (end, width)
            if room[1] - room[0] > 14:
                letter = _letters("$£€#*" + junk.LETTERS, random, room[1] - room[0] - 2, height)
                if letter is not None:
                    x = room[0] + 1
                    y = int(random.integers(0, height - letter.shape[0] + 1))
                    place = ink[y : y + letter.shape[0], x : x + letter.shape[1]]
                    np.maximum(place, letter, out=place)
        else:  # specks
            for _ in range(int(random.integers(1, 6))):
                at = (int(random.integers(0, width)), int(random.integers(0, height)))
                cv2.circle(ink, at, int(random.integers(0, 2)), float(random.uniform(0.3, 0.9)), -1)

    def _no_digits(self, width: int, random: np.random.Generator) -> Canvas:
        """Return ink that says no digits: nothing, words, scribbles, things."""
        used = int(random.integers(width // 4, width + 1))
        ink = np.zeros((HEIGHT, used), np.float32)
        kind = random.integers(4)
        if kind == 0:
            return ink
        if kind == 1:
            x = int(random.integers(0, 8))
            small = int(random.integers(12, HEIGHT - 2))
            while used - x > small:
                word = _letters(junk.LETTERS, random, used - x, small)
                if word is not None and word.shape[1] <= used - x:
                    y = (HEIGHT - word.shape[0]) // 2
                    ink[y : y + word.shape[0], x : x + word.shape[1]] = word
                    x += word.shape[1]
                x += int(random.integers(1, 5))
            return ink
        if kind == 2:  # scribbles and flat strokes
            for _ in range(int(random.integers(1, 5))):
                count = int(random.integers(5, 14))
                step = random.normal(0, [used / 6, 7], (count, 2))
                line = np.cumsum(step, axis=0) + np.array([random.uniform(0, used), HEIGHT / 2])
                line[:, 1] = np.clip(line[:, 1], 1, HEIGHT - 2)
                _add(ink, [forms.smooth(line)], random.uniform(1, 4), random.uniform(0.4, 1.0))
            return ink
        for _ in range(int(random.integers(1, 12))):
            at = (int(random.integers(0, used)), int(random.integers(0, HEIGHT)))
            axes = (int(random.integers(1, 25)), int(random.integers(1, 8)))
            cv2.ellipse(
                ink, at, axes, float(random.uniform(0, 180)), 0, 360, float(random.uniform(0.3, 1)), -1
            )
        return np.asarray(cv2.GaussianBlur(ink, (0, 0), random.uniform(0.5, 2.0)), np.float32)

    # The ink lies on paper ----------------------------------------------------------------------------

    def _paper(self, ink: Canvas, random: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Return a grey photograph of ink on paper: uint8, of the shape of `ink`."""
        height, width = ink.shape
        clear = random.random() < self.settings.clear
        paper = random.uniform(120, 245)
        contrast = random.uniform(0.35, 0.85)
        dark = np.zeros_like(ink)
        if random.random() < self.settings.background:
            strength = contrast * random.uniform(0.04, 0.24 if clear else 0.36)
            _pattern(dark, strength, random)
        if random.random() < self.settings.rules:
            _rules(dark, contrast * random.uniform(0.3, 1.1), random)
        ramp = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * random.uniform(-0.12, 0.12)
        light = 1 + ramp + np.linspace(-1, 1, height, dtype=np.float32)[:, None] * random.uniform(-0.1, 0.1)
        if random.random() < 0.06:
            edge = random.uniform(0, width)
            soft = np.clip((np.arange(width, dtype=np.float32) - edge) / random.uniform(2, 12), -0.5, 0.5)
            light = light * (1 - random.uniform(0.1, 0.35) * (0.5 + soft[None, :]))
        seen = np.asarray(paper * light * (1 - np.clip(dark, 0, 0.9)) * (1 - contrast * ink))
        blur = random.uniform(0.3, 0.9) if clear else random.uniform(0, 1.2)
        if blur > 0.25:
            seen = np.asarray(cv2.GaussianBlur(seen, (5, 5), blur))
        noise = random.uniform(0, 1) ** 3 * 0.05 * paper
        grain = random.standard_normal(seen.shape, dtype=np.float32)
        if random.random() < 0.4:
            grain = np.asarray(2.0 * cv2.GaussianBlur(grain, (3, 3), 0.8), np.float32)
        grey = np.clip(np.rint(seen + noise * grain), 0, 255).astype(np.uint8)
        if random.random() < 0.15:
            _, code = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 90))])
            grey = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
        return grey


_AROUND = 5
"""Pixels around a glyph in which its distances are kept."""
_OTHERWISE = {1: 1.8, 2: 1.3, 4: 1.4, 5: 1.3, 7: 1.8, 9: 1.6}
"""How much more often than others a digit is of `forms`: MNIST's writers are Americans."""
_SIGN_SHARES = (0.4, 0.22, 0.2, 0.08, 0.03, 0.07)


def _proportioned(patch: npt.NDArray[np.uint8], rise: float, bow: float) -> npt.NDArray[np.uint8]:
    """Return a glyph (uint8, H×W, `_AROUND` around it) with its middle moved up or down and to the side."""
    height, width = patch.shape
    down = np.clip((np.arange(height, dtype=np.float32) - _AROUND) / max(1, height - 2 * _AROUND), 0, 1)
    rows = _AROUND + (height - 2 * _AROUND) * down**rise
    rows[:_AROUND] = np.arange(_AROUND)
    rows[height - _AROUND :] = np.arange(height - _AROUND, height)
    aside = bow * height * (4 * down * (1 - down) - 0.5)
    columns = np.arange(width, dtype=np.float32)[None, :] + aside[:, None]
    wide = np.repeat(rows[:, None], width, axis=1).astype(np.float32)
    bent = cv2.remap(patch, columns.astype(np.float32), wide, cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(bent, np.uint8)


def _reach(contour: npt.NDArray[np.float32], rows: int) -> npt.NDArray[np.float32]:
    """Return the largest value within so many rows above and below."""
    if rows < 1:
        return contour
    high = cv2.dilate(contour[:, None], np.ones((2 * rows + 1, 1), np.uint8))
    return np.asarray(high, np.float32)[:, 0]


def _spread(knots: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return a few values spread evenly over a sheet of this width and height, straight between them."""
    wide = cv2.resize(knots.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, np.float32)


def _drawn(lines: list[npt.NDArray[np.float64]], size: tuple[int, int], width: float) -> Glyph:
    """Return the distance from lines (points x, y), less half the pen's width."""
    mask = np.full((size[1], size[0]), 255, np.uint8)
    cv2.polylines(
        mask, [np.rint(line * 16).astype(np.int32) for line in lines], False, 0, 1, cv2.LINE_8, shift=4
    )
    return cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5) - np.float32(0.5 * width - 0.3)


def _add(ink: Canvas, lines: list[npt.NDArray[np.float64]], width: float, strength: float) -> None:
    glyph = _drawn(lines, (ink.shape[1], ink.shape[0]), width)
    np.maximum(ink, strength * np.clip(0.5 - glyph, 0, 1), out=ink)


def _sign(sign: str, base: float, hand: _Hand, random: np.random.Generator) -> tuple[Glyph, int]:
    """Return a separator as `_written` wants it, and its top row."""
    h = hand.height
    around = 6

    def at(x: float, y: float) -> list[float]:
        return [x * h + around, y * h]

    wide = 0.2
    dot = [at(0.05, 0.0), at(0.05 + random.uniform(0, 0.05), random.uniform(0, 0.05))]
    lines: list[list[list[float]]]
    if sign == ".":
        lines, top = [dot], random.uniform(-0.14, 0.05)
    elif sign == ",":
        lines = [[at(0.1, 0.0), at(0.1, 0.1), at(random.uniform(-0.08, 0.08), random.uniform(0.18, 0.42))]]
        top = random.uniform(-0.15, 0.0)
    elif sign == "-":
        wide = random.uniform(0.25, 0.8)
        lines = [[at(0, random.normal(0, 0.04)), at(0.5 * wide, random.normal(0, 0.06)), at(wide, 0)]]
        top = random.uniform(-0.65, -0.25) if random.random() < 0.85 else random.uniform(-0.2, 0.0)
    elif sign == "=":
        wide = random.uniform(0.25, 0.6)
        apart, tilt = random.uniform(0.15, 0.32), random.uniform(-0.22, 0.06)
        shift = random.normal(0, 0.08)
        lines = [
            [at(0, 0), at(0.5 * wide, 0.5 * tilt + random.normal(0, 0.03)), at(wide, tilt)],
            [at(shift, apart), at(wide + shift, apart + tilt + random.normal(0, 0.05))],
        ]
        top = random.uniform(-0.85, -0.35)
    elif sign == "/":
        wide = random.uniform(0.4, 0.75)
        lines = [[at(wide, 0), at(0, random.uniform(1.1, 1.4))]]
        top = random.uniform(-1.25, -1.05)
    else:
        apart = random.uniform(0.3, 0.5)
        lines, top = [dot, [[x, y + apart * h] for x, y in dot]], random.uniform(-0.65, -0.45)
    points = [np.array(line) for line in lines]
    low = min(float(line[:, 1].min()) for line in points) - around
    for line in points:
        line[:, 1] -= low
    tall = int(max(float(line[:, 1].max()) for line in points)) + around + 1
    width = hand.width * (random.uniform(1.0, 1.7) if sign in ".:" else random.uniform(0.8, 1.15))
    glyph = _drawn(points, (int(wide * h) + 2 * around + 2, min(tall, _TALL)), max(width, 1.3))
    return glyph, round(base + top * h + low)


def _letters(letters: str, random: np.random.Generator, widest: int, height: int) -> Canvas | None:
    """Return a letter, float32 0…1, no higher than `height`; None where it is too wide."""
    name = junk.FONTS[random.integers(len(junk.FONTS))]
    picture = junk.letter(letters[random.integers(len(letters))], name)
    x, y, w, h = cv2.boundingRect(picture)
    if not w or not h:
        return None
    factor = random.uniform(0.5, 0.95) * height / max(h, 40)
    size = (max(1, round(w * factor)), max(1, round(h * factor)))
    if size[0] > widest or size[1] > height:
        return None
    small = cv2.resize(picture[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) * np.float32(random.uniform(0.5, 1.0) / 255)


def _pattern(dark: Canvas, strength: float, random: np.random.Generator) -> None:
    """Add a printed background: bundles of waves, of slanting lines, nets, a screen of dots."""
    height, width = dark.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    kind = random.integers(5)
    if kind >= 2:
        strength *= 0.7
    for _ in range(1 if kind < 2 else 2):
        period = random.uniform(2.2, 8.0)
        angle = random.normal(0, 0.25) if random.random() < 0.6 else random.uniform(0, np.pi)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        if kind != 1:
            swing, length = random.uniform(0, 1.5) * period, random.uniform(10, 90)
            across = across + swing * np.sin(along * np.float32(2 * np.pi / length) + random.uniform(0, 6))
        if random.random() < 0.3:  # the lines fan out
            across = across * (1 + along * np.float32(random.normal(0, 0.004)))
        phase = np.cos(across * np.float32(2 * np.pi / period) + random.uniform(0, 6))
        sharp = random.uniform(-0.2, 0.75)
        dark += strength * np.clip((phase - sharp) / (1 - sharp), 0, 1)
    if kind == 4:
        dark += strength * random.uniform(0.3, 1.0) * (random.random(dark.shape, dtype=np.float32) - 0.5)
    area = random.random()
    if area < 0.15:  # an area of another tint
        dark[:, int(random.integers(0, width)) :] += strength * random.uniform(0.3, 1.0)
    elif area < 0.25:  # a field that the writing leaves
        top, left = round(random.uniform(0.1, 0.6) * height), int(random.exponential(3))
        dark[top:, left:] += random.uniform(0.05, 0.25)


def _rules(dark: Canvas, strength: float, random: np.random.Generator) -> None:
    """Add the printed lines of a form: above or below the writing, a frame's sides."""
    height, width = dark.shape
    line = np.zeros_like(dark)
    for _ in range(int(random.integers(1, 3))):
        thick = 1 if random.random() < 0.75 else 2
        if random.random() < 0.85:
            y = height - 1 - random.exponential(3.5) if random.random() < 0.65 else random.exponential(3.0)
            tilt = random.normal(0, 0.012) * width
            ends = ((0, round((y - tilt / 2) * 16)), (width * 16, round((y + tilt / 2) * 16)))
        else:
            x = random.exponential(2.5) if random.random() < 0.5 else width - 1 - random.exponential(2.5)
            ends = ((round(x * 16), 0), (round((x + random.normal(0, 1)) * 16), height * 16))
        cv2.line(line, ends[0], ends[1], 1.0, thick, cv2.LINE_AA, shift=4)
    np.maximum(dark, strength * line, out=dark)
