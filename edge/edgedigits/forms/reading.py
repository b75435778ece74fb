"""A picture of a filled-in form → a value for each of its fields.

`FormReader` puts the rooms together: the page is registered, its fields are cut out, what is in them is
read, and the readings are held against the form's rules, the next best after the best. What was read, what
it means, how sure that is and what is wrong with it are kept apart.
"""

from __future__ import annotations

import heapq
import itertools
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import RejectRule, is_character
from edgedigits.errors import RegistrationError, SeveralPagesError
from edgedigits.forms.checks import Rule
from edgedigits.forms.cutout import Cell, CutoutSettings, FlatPage
from edgedigits.forms.layout import Field, Form
from edgedigits.forms.register import Registrar, Registration, RegistrationSettings
from edgedigits.ink import InkSettings, check_image, evenly_lit, to_grey
from edgedigits.ink.shadows import ANY_SHADOW
from edgedigits.normalize import normalize
from edgedigits.page import REJECTED, Box, Digit, Line
from edgedigits.reader import Reader

Readings = tuple[tuple[str, float], ...]
"""Texts with their probabilities, best first."""

MOST_READINGS = 200
"""So many next-best readings are tried before a failed check rejects."""

_BLANK = " "

_UNLISTED = 0.01
"""Where a rule proves the best reading wrong, what was not listed is at least this probable, whatever the
listed ones sum to."""

_NOTE_HEIGHT = 0.7
_NOTE_OFF_CENTRE = 0.13
"""Writing lower and farther from the middle of its cell than this is a note, in heights of the cell. Digits
so low stand within 0.08 of the middle in the photographs at hand, and notes 0.17 or more from it."""


@dataclass(frozen=True)
class FieldReading:
    """What one field says.

    `raw` is what was read: digits, `?` for one that can't be read, a space for a blank cell, separators.
    `value` is what it means, None where there is an `error` or nothing is written; with a `?` in a free field
    there is one only where a check digit tells what stands there. `confidence` is the probability (0…1) of
    the value being right, given that the number that was written satisfies the form's rules. `error` is one
    line, `reason` one of `blank`, `not-digits`, `struck-out`, `several`, `small`, `note`, `count`, `check`,
    `confidence`, `outside`; both are None where all is well. Where a rule rejected the best reading and a
    next-best one took its place, `instead_of` is the text that was rejected. `corners` are the field's in
    pixels of the upright picture, from top left clockwise.
    """

    name: str
    raw: str
    value: str | None
    confidence: float
    error: str | None
    reason: str | None
    instead_of: str | None
    corners: tuple[tuple[int, int], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the field as a JSON object; the confidence is rounded to four digits."""
        return {
            "name": self.name,
            "raw": self.raw,
            "value": self.value,
            "confidence": round(self.confidence, 4),
            "error": self.error,
            "reason": self.reason,
            "instead_of": self.instead_of,
            "corners": [list(corner) for corner in self.corners],
        }


@dataclass(frozen=True)
class FormReading:
    """What one picture of a form says: its fields in the order of the form file.

    `found_by` names the way the page was found, `lines_found` is the part of its printed lines that were
    found (0…1, None where the form has none), `turned` the degrees by which it lies turned clockwise in the
    picture, `corners` those of the page in pixels of the upright picture, whose width and height are `size`.
    """

    form: str
    fields: tuple[FieldReading, ...]
    found_by: str
    lines_found: float | None
    turned: int
    corners: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    elapsed_ms: float

    def values(self) -> dict[str, str | None]:
        """Return the value of each field by its name; None for what is blank or in error."""
        return {field.name: field.value for field in self.fields}

    def as_dict(self) -> dict[str, Any]:
        """Return the reading as the JSON object of the output, less `schema`, `source` and `page`."""
        return {
            "form": self.form,
            "size": list(self.size),
            "registration": {
                "found_by": self.found_by,
                "lines_found": None if self.lines_found is None else round(self.lines_found, 4),
                "turned": self.turned,
                "corners": [list(corner) for corner in self.corners],
            },
            "fields": [field.as_dict() for field in self.fields],
            "elapsed_ms": round(self.elapsed_ms, 3),
        }


class FormReader:
    """Reads pictures of one form.

    `form` comes from `load_form`, `reader` reads what is written; its thresholds decide what is accepted.
    `registration` says what is believed to be the form's page, `cutout` how its fields are cut out.
    """

    def __init__(
        self,
        form: Form,
        reader: Reader | None = None,
        *,
        registration: RegistrationSettings = RegistrationSettings(),
        cutout: CutoutSettings = CutoutSettings(),
    ) -> None:
        self.form = form
        self.reader = Reader() if reader is None else reader
        self._registrar, self._cutout = Registrar(form, registration), cutout
        self._labels = self.reader.model.card.labels
        self._characters = np.array([is_character(label) for label in self._labels])

    def read(self, image: NDArray[np.uint8], size: tuple[int, int] | None = None) -> FormReading:
        """Read a picture (uint8, H×W grey or H×W×3 BGR, upright).

        Where it is a reduced copy of a larger picture, `size` is that picture's width and height in pixels,
        and corners are in its pixels.

        Raises `PictureError` for an array of another kind, and its `RegistrationError` where the page is not
        found, or not this form's; nothing is read then.
        """
        started = time.perf_counter()
        where, image = self.find(image)
        page = FlatPage(image, self.form, where, self._cutout)
        small = {field.name for field in self.form.fields if page.too_small(field)}
        legible = [field for field in self.form.fields if field.name not in small]
        combs = {field.name: page.cells(field) for field in legible if field.style == "comb"}
        cells = [cell for found in combs.values() for cell in found if not cell.blank]
        chances = self._chances([cell.ink for cell in cells])
        if not where.certain:
            alone = [k for k, cell in enumerate(cells) if not cell.apart]
            free = [ink for field in legible if field.style == "free" for ink in page.glyphs(field)]
            digits = [*(cells[k].ink for k in alone), *free]
            self._check_upright(digits, np.concatenate([chances[alone], self._chances(free)]))
        left = iter(chances)
        size = (image.shape[1], image.shape[0]) if size is None else size
        across = np.array(size, np.float64) / image.shape[1::-1]
        fields = []
        for field in self.form.fields:
            if field.name in small:
                error = "the field has too few pixels; make its box larger, or take a larger picture"
                judged: _Judged = ("", None, 0.0, error, "small", None)
            elif field.style == "comb":
                found = combs[field.name]
                rows = [None if cell.blank else next(left) for cell in found]
                judged = self._comb(field, found, rows)
            else:
                judged = self._free(field, page)
            if field.name not in small:
                judged = self._whole(field, page, judged)
            corners = _whole(where.to_picture(_corners(field.box)) * across)
            fields.append(FieldReading(field.name, *judged, corners))
        return FormReading(
            self.form.name,
            tuple(fields),
            where.by,
            where.lines_found,
            where.turned,
            _whole(where.corners * across),
            size,
            (time.perf_counter() - started) * 1000,
        )

    def find(self, image: NDArray[np.uint8]) -> tuple[Registration, NDArray[np.uint8]]:
        """Return where the page is, and the picture to read it in, evenly lit where that helps.

        Takes what `read` does, and raises what it does.
        """
        check_image(image)
        try:
            where = self._registrar.find(image)
        except SeveralPagesError:
            raise
        except RegistrationError:
            lit = self._lit(image)
            if lit is None:
                raise
            return self._registrar.find(lit), lit
        corners = where.corners.astype(np.float32)
        if cv2.contourArea(corners) < _ROOM * image.shape[0] * image.shape[1]:
            # There is room for another page, that a shadow may hide.
            lit = self._lit(image)
            if lit is not None:
                self._registrar.find(lit, known=where)
        return where, image

    def _lit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Return a picture in even light, in grey, None where no shadow's edge is in it.

        Such an edge hides a printed frame, or a sheet's edge, where it crosses it.
        """
        grey = to_grey(image)
        lit = evenly_lit(grey, _ANY_SHADOW)
        return None if lit is grey else lit

    def _whole(self, field: Field, page: FlatPage, judged: _Judged) -> _Judged:
        """Return what was read in a field, or the error that it is not all of it, or struck out."""
        raw, value, confidence, _, reason, instead_of = judged
        # What is struck out may as well be read as several, or as no digits.
        if (value is not None or reason in _OF_MARKS) and page.struck(field):
            return raw, None, confidence, _STRUCK_OUT, "struck-out", instead_of
        if value is not None and self._goes_on(field, page):
            error = (
                "a digit stands around the field or runs out of it; write inside, or make that a field, too; "
                "print nothing so close"
            )
            return raw, None, confidence, error, "outside", instead_of
        return judged

    def _goes_on(self, field: Field, page: FlatPage) -> bool:
        """Return whether a digit stands so close around a field that it may belong to its number."""
        pieces, runs_out = page.around(field)
        rows = self._chances(pieces)
        if runs_out or not len(rows):
            return runs_out
        # Paper beyond a frame is seldom clean, and a speck may look like some digit.
        sure = rows.max(axis=1) >= max(_CLEARLY, self.reader.rule.min_digit_confidence)
        return bool((sure & self._characters[rows.argmax(axis=1)]).any())

    # --- combs --------------------------------------------------------------------------------------------

    def _chances(self, inks: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the calibrated probability of every class for every glyph."""
        if not inks:
            return np.zeros((0, len(self._labels)), np.float32)
        return self.reader.model.probabilities(np.stack([normalize(ink) for ink in inks]))

    def _comb(
        self, field: Field, cells: Sequence[Cell], rows: Sequence[NDArray[np.float32] | None]
    ) -> _Judged:
        raw, guesses, troubles = "", [], []
        for number, (cell, row) in enumerate(zip(cells, rows, strict=True), 1):
            if row is None:
                raw += _BLANK
                guesses.append([(_BLANK, 1.0)])
                continue
            ranked = self._ranked(row)
            guesses.append(ranked)
            where = f"cell {number}: " if field.cells > 1 else ""
            is_digit = bool(self._characters[int(np.argmax(row))])
            trouble = trouble_in(cell, is_digit, field.least_height, field.notes)
            if trouble is not None:
                troubles.append((trouble[0], where + trouble[1]))
            doubtful = trouble is not None or ranked[0][1] < self.reader.rule.min_digit_confidence
            raw += REJECTED if doubtful else ranked[0][0]
        if raw.strip() == "":
            return _blank(field)
        readings = best_first(guesses)
        if troubles:
            reason, error = troubles[0]
            return raw.rstrip(), None, readings[0][1], error, reason, None
        if _BLANK in raw.strip() or (field.decimals is not None and raw.endswith(_BLANK)):
            # Decimals have cells of their own: with the last one blank, no digit is where it counts.
            error = "a blank cell " + ("between digits" if _BLANK in raw.strip() else "behind the last digit")
            return raw.rstrip(), None, readings[0][1], error, "count", None
        readings = tuple((text.strip(), chance) for text, chance in readings)
        return self._judge(field, raw.rstrip(), readings, field.decimals)

    def _ranked(self, row: NDArray[np.float32]) -> list[tuple[str, float]]:
        order = [int(k) for k in np.argsort(-row, kind="stable") if self._characters[k]]
        first = (self._labels[order[0]], float(row[order[0]]))
        return [first, *((self._labels[k], float(row[k])) for k in order[1:5] if row[k] >= 1e-4)]

    def _check_upright(self, digits: Sequence[NDArray[np.uint8]], chances: NDArray[np.float32]) -> None:
        """Raise where the digits of a page that looks the same when turned read far better turned.

        `digits` are ink, `chances` (N×classes) what the network says of them as they stand.
        """
        if len(digits) < 8 or self.form.finder.name == "none":
            return
        upright = self._credibility(chances)
        found = []
        for turns, words in ((2, "upside down"), (1, "on its side"), (3, "on its side")):
            turned = self._chances([np.ascontiguousarray(np.rot90(ink, turns)) for ink in digits])
            gain = self._credibility(turned) - upright
            # Enough to matter, and a standard error: upright digits lose several by being turned.
            if gain.mean() > max(0.05, gain.std() / math.sqrt(len(gain))):
                found.append((float(gain.mean()), words))
        if found:
            raise RegistrationError(
                f"the page of form '{self.form.name}' is {max(found)[1]}; turn the picture and read it again"
            )

    def _credibility(self, rows: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the logarithm of the best digit's probability for each glyph."""
        best = np.array([row[self._characters].max() for row in rows], np.float64)
        return np.log(np.maximum(best, 1e-3))

    # --- lines of writing ---------------------------------------------------------------------------------

    def _free(self, field: Field, page: FlatPage) -> _Judged:
        if page.cells(field)[0].blank and field.printed != "none":
            return _blank(field)
        picture = page.picture(field)
        check = (lambda raw: _satisfies(raw, field)) if field.rules or field.decimal else None
        lines = self.reader.read(picture, count=field.digits, upright=True, check=check).lines
        if not lines:
            if field.printed == "none" and field.required is False:
                return _blank(field)
            error = "no digits found"
            return ("", None, 0.0, error, "blank" if field.printed == "none" else "not-digits", None)
        areas = [sum(d.box[2] * d.box[3] for d in line.digits) for line in lines]
        best = int(np.argmax(areas))
        if len(lines) > 1 and sorted(areas)[-2] > 0.4 * areas[best]:
            raw = " ".join(line.raw for line in lines)
            error = f"{len(lines)} lines of writing in a field for one"
            return raw, None, lines[best].confidence, error, "several", None
        line = lines[best]
        if "struck-out" in line.reasons:
            return line.raw, None, line.confidence, _STRUCK_OUT, "struck-out", None
        if line.box[3] < field.least_height * page.height(field) and field.printed != "none":
            return line.raw, None, line.confidence, "writing too small for the field", "small", None
        dash = _dashes(line, page.pieces(field))
        if dash is not None:
            return line.raw, None, line.confidence, dash, "not-digits", None
        if _in_two(line):
            error = "two numbers stand beside one another in a field for one"
            return line.raw, None, line.confidence, error, "several", None
        decimals, sign = _decimals(line.raw, field)
        if sign is not None:
            return line.raw, None, line.confidence, sign, "count", None
        if any(_is_none(digit, self.reader.rule) for digit in line.digits) or REJECTED in line.readings[0][0]:
            error = "a digit can't be read, or is none"
            return line.raw, None, line.confidence, error, "not-digits", None
        return self._judge(field, line.raw, _believed(line), decimals, bool(line.unsure))

    # --- the rules ----------------------------------------------------------------------------------------

    def _judge(
        self,
        field: Field,
        raw: str,
        readings: Readings,
        decimals: int | None,
        unsure: bool = False,
    ) -> _Judged:
        """Choose the best reading that satisfies the field; see `FieldReading` for what comes back.

        `unsure` says that a digit is in doubt, be it shown in `raw` or not.
        """
        low, high = field.digits
        if not low <= len(readings[0][0]) <= high:
            due = f"{low}" if low == high else f"{low} to {high}"
            error = f"{_count(len(readings[0][0]), 'digit')} where {due} are due"
            return raw, None, readings[0][1], error, "count", None
        # Given that what was written satisfies the rules, readings that don't are out, and their share goes
        # to the others. What was never listed counts as if it satisfied them: rather doubtful than too sure.
        # So does a reading with a digit that is none, which only a check digit proves wrong.
        numbers = [reading for reading in readings if REJECTED not in reading[0]]
        passing, tried, failed = [], 0, ""
        for reading, chance in numbers:
            if not low <= len(reading) <= high:
                continue
            tried += 1
            value = _value(reading, field, decimals)
            failing = (rule.name for rule in field.rules if not rule.test(_told(rule, reading, value)))
            broken = next(failing, None)
            if broken is None:
                passing.append((reading, value, chance))
            failed = failed or broken or ""
        if not passing:
            others = f"; so do the {tried - 1} next-best readings" if tried > 1 else ""
            error = f"{readings[0][0]} fails {failed}{others}"
            return raw, None, readings[0][1], error, "check", None
        reading, value, chance = passing[0]
        proven = any(rule.proves(_told(rule, reading, value)) for rule in field.rules)
        unlisted = max(0.0, 1.0 - sum(chance for _, chance in (readings if proven else numbers)))
        if reading != readings[0][0]:
            unlisted = max(unlisted, _UNLISTED)
        confidence = min(1.0, chance / max(1e-12, sum(p[2] for p in passing) + unlisted))
        instead_of = readings[0][0] if reading != readings[0][0] else None
        least = self.reader.rule.min_line_confidence
        unsure = unsure or REJECTED in raw
        if unsure:
            # Where all digits together are as sure as one must be, each of them is.
            least = max(least, self.reader.rule.min_digit_confidence)
        if confidence < least:
            if instead_of is not None:
                error = f"{instead_of} fails {failed}, and {reading} is not sure enough ({confidence:.0%})"
                return raw, None, confidence, error, "check", instead_of
            error = f"not sure enough ({confidence:.0%}; {least:.0%} is asked for)"
            return raw, None, confidence, error, "confidence", None
        if unsure and field.style == "free" and not proven:
            error = "a digit can't be read for sure, and no check digit tells what it is"
            return raw, None, confidence, error, "not-digits", instead_of
        return raw, value, confidence, None, None, instead_of


def trouble_in(
    cell: Cell, is_digit: bool, least_height: float, notes: bool = False
) -> tuple[str, str] | None:
    """Return why what is written in a cell is not one digit, as reason and words; None where it may be one.

    `is_digit` is what the network says of it; `least_height` and `notes` are the field's.
    """
    if cell.height < least_height:
        return "small", f"writing too small for a digit ({cell.height:.0%} of the height)"
    if notes and cell.height < _NOTE_HEIGHT and cell.off_centre > _NOTE_OFF_CENTRE:
        return "note", "a note in the corner"
    if cell.apart:
        return "several", "several digits in one cell"
    if not is_digit:
        return "not-digits", "what is written is not a digit"
    return None


_ANY_SHADOW = InkSettings(shadows=ANY_SHADOW)
"""What is taken for a shadow where the page is proven in any case, by its printed lines."""

_ROOM = 0.45
"""Where a page takes less than this part of a picture, another may lie beside it."""

_CLEARLY = 0.9
"""So sure the network is of a digit that stands around a field."""

_WIDE_GAP = 1.3
"""Digits farther apart than this, in heights of theirs, and three times as far as any others of the number,
are of two numbers."""

_WIDEST_GAP = 2.0
"""So far apart are two digits of which each is a number."""

_Judged = tuple[str, str | None, float, str | None, str | None, str | None]
"""raw, value, confidence, error, reason and instead_of of a `FieldReading`."""


def _is_none(digit: Digit, rule: RejectRule) -> bool:
    """Return whether the reader took a digit for none, or for a drawing, and was not only unsure which it is.

    It was sure enough and yet rejected, or all that was guessed leaves more than the best guess has.
    """
    left = 1.0 - sum(chance for _, chance in digit.alternatives)
    return digit.rejected and (digit.confidence >= rule.min_digit_confidence or digit.confidence < left)


def _dashes(line: Line, pieces: Sequence[Box]) -> str | None:
    """Return what is wrong with the dashes before and behind a number; None where nothing is.

    `pieces` are the boxes of the ink, x, y, width, height in pixels. A way of reading may have taken a dash
    for a part of the first digit.
    """
    places = [place for place, sign in enumerate(line.raw) if sign in line.text]
    before, behind = line.raw[: places[0]], line.raw[places[-1] + 1 :]
    tall = float(np.median([digit.box[3] for digit in line.digits]))
    top = min(digit.box[1] for digit in line.digits)
    large = [piece for piece in pieces if max(piece[2:]) >= _DASH * tall]
    ends = [min(large), max(large, key=lambda p: p[0] + p[2])] if large else []
    seen = [_is_dash(piece, large, top, tall) for piece in ends] or [False, False]
    minus, closed = seen[0] or "-" in before, seen[1] or "-" in behind or "=" in behind
    # With one behind it, too, it is there to protect the number.
    if minus and not closed:
        return "a minus sign stands before the number; a field holds none below 0"
    # What is left of a digit that runs over the box's side may look like one.
    if not minus and behind[:1] in ("-", "=") and "=" not in before:
        return f"a '{behind[0]}' stands behind the number"
    return None


def _is_dash(piece: Box, pieces: Sequence[Box], top: float, tall: float) -> bool:
    """Return whether a piece of ink is a dash beside digits that are so tall and begin at `top`.

    It is flat and half way up, and none of the others is above or below it.
    """
    x, y, w, h = piece
    level = (y + h / 2 - top) / tall
    alone = all(p == piece or p[0] >= x + w - 0.25 * w or p[0] + p[2] <= x + 0.25 * w for p in pieces)
    return w >= 1.5 * h and w <= 1.2 * tall and h <= 0.35 * tall and 0.25 <= level <= 0.8 and alone


_STRUCK_OUT = "a line is drawn through what is written"
_OF_MARKS = ("not-digits", "several", "small", "count")
"""Reasons that a field has no value which a line through it may have given."""
_DASH = 0.2
"""A dash is at least as long as this part of the digits' height."""


def _in_two(line: Line) -> bool:
    """Return whether the digits of a line stand in two groups so far apart that they are two numbers.

    A gap is that wide beside the digits' height and beside the other gaps; a separator may stand in it.
    """
    boxes = [digit.box for digit in line.digits]
    gaps = [b[0] - a[0] - a[2] for a, b in itertools.pairwise(boxes)]
    if not gaps:
        return False
    high = float(np.median([box[3] for box in boxes]))
    widest = int(np.argmax(gaps))
    others = gaps[:widest] + gaps[widest + 1 :]
    least = _WIDE_GAP * high if others else _WIDEST_GAP * high
    if gaps[widest] < max(least, 3 * max(0.0, *others) if others else 0):
        return False
    # What stands between them: separators alone lie between two digits of `raw`.
    between = re.split(r"[0-9?]", line.raw)[1:-1]
    return len(between) == len(gaps) and not between[widest].strip()


def _believed(line: Line) -> Readings:
    """Return the readings of a line as far as it is believed, best first.

    That it stands among what is no digit, or is a row of bars, is held against the line and not against its
    readings.
    """
    best = line.readings[0][1]
    share = line.confidence / best if best > 0 else 0.0
    return tuple((text, chance * share) for text, chance in line.readings)


def best_first(guesses: Sequence[Sequence[tuple[str, float]]]) -> Readings:
    """Return the most probable combinations of independent guesses, each best first, in order."""
    costs = [[-math.log(max(chance, 1e-12)) for _, chance in cell] for cell in guesses]
    start = (0,) * len(guesses)
    heap = [(sum(cost[0] for cost in costs), start)]
    seen = {start}
    found: list[tuple[str, float]] = []
    while heap and len(found) < MOST_READINGS:
        cost, choice = heapq.heappop(heap)
        found.append(("".join(cell[k][0] for cell, k in zip(guesses, choice, strict=True)), math.exp(-cost)))
        for place, k in enumerate(choice):
            if k + 1 < len(guesses[place]):
                following = (*choice[:place], k + 1, *choice[place + 1 :])
                if following not in seen:
                    seen.add(following)
                    heapq.heappush(heap, (cost + costs[place][k + 1] - costs[place][k], following))
    return tuple(found)


def _blank(field: Field) -> _Judged:
    if field.required:
        return "", None, 1.0, "nothing is written in the field", "blank", None
    return "", None, 1.0, None, None, None


def _decimals(raw: str, field: Field) -> tuple[int | None, str | None]:
    """Return how many of the digits in `raw` are decimals, and what is wrong with the signs between them.

    A written comma may be read as a point: what a sign parts is told by the digits behind it alone. A sign
    that is passed over would make another number of the digits, as 85 of 8.5; in a code it tells nothing.
    """
    if not field.is_number:
        return None, None
    mark, count = field.decimal, field.decimals
    none_due = mark is None and count is None
    written = raw.lstrip("-").rstrip("-=")
    parts = re.split(r"([.,]+|[^0-9?])", written)  # a speck beside a point makes two of one
    signs, groups = [part[0] for part in parts[1::2]], [len(part) for part in parts[::2]]
    if signs and not groups[-1] and (none_due or (count is None and len(raw) > len(written))):
        del signs[-1], groups[-1]  # as behind an ordinal number, and before the dash that stands for zeros
    if not signs:
        if mark is None:
            return count, None
        return (0, None) if count is None else (None, f"no '{mark}' where decimals are due")
    behind = f"{_count(groups[-1], 'digit')} behind the '{signs[-1]}'"
    if not groups[-1] and count is None:
        return None, behind
    marks_only = {*signs} <= {".", ","}
    if none_due:
        return None, None if marks_only and _in_thousands(groups) else f"a '{signs[-1]}' in a whole number"
    if count is not None and groups[-1] != count:
        return None, f"{behind} where {_count(count, 'decimal')} are due"
    if count is None and _in_thousands(groups):
        return None, f"{behind} may be decimals or not; set 'decimals' in the form"
    whole = groups[:-1]
    if not (whole[0] and marks_only and (len(whole) == 1 or _in_thousands(whole))):
        return None, "signs between the digits that part neither thousands nor decimals"
    return groups[-1], None


def _in_thousands(groups: Sequence[int]) -> bool:
    """Return whether so many digits between separators are a whole number's, in threes."""
    return 1 <= groups[0] <= 3 and all(size == 3 for size in groups[1:])


def _satisfies(raw: str, field: Field) -> bool:
    """Return whether a line that is read so, its separators with it, is what a free field asks for."""
    decimals, error = _decimals(raw, field)
    if error is not None and field.decimal is not None:
        return False
    text = "".join(c for c in raw if c.isdigit())
    low, high = field.digits
    if not low <= len(text) <= high:
        return False
    value = _value(text, field, decimals)
    return all(rule.test(_told(rule, text, value)) for rule in field.rules)


def _told(rule: Rule, text: str, value: str) -> str:
    """Return what a rule is about: a check digit is of all that is written, its first zeros with it."""
    return text if rule.kind == "check" else value


def _value(text: str, field: Field, decimals: int | None) -> str:
    """Return what digits mean: a number without leading zeros and with a point, or the code as it is."""
    if not field.is_number:
        return text
    text = text.zfill((decimals or 0) + 1)
    point = len(text) - (decimals or 0)
    whole = text[:point].lstrip("0") or "0"
    return f"{whole}.{text[point:]}" if decimals else whole


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _corners(box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    x, y, w, h = box
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])


def _whole(points: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    return tuple((round(float(x)), round(float(y))) for x, y in points)
