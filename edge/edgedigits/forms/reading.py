"""A picture of a filled-in form → a value for each of its fields.

`FormReader` puts the rooms together: the page is registered, its fields are cut out, what is in them is
read, and the readings are held against the form's rules, the next best after the best. What was read, what
it means, how sure that is and what is wrong with it are kept apart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.decode import is_character
from edgedigits.errors import RegistrationError, SeveralPagesError
from edgedigits.forms.cutout import Cell, CutoutSettings, FlatPage
from edgedigits.forms.judging import Judged, believed, best_first, judge, refused
from edgedigits.forms.layout import Field, Form
from edgedigits.forms.numbers import decimals_in, satisfies
from edgedigits.forms.register import Registrar, Registration, RegistrationSettings
from edgedigits.forms.written import dash_trouble, is_in_two, is_none
from edgedigits.ink import InkSettings, check_image, evenly_lit, to_grey
from edgedigits.ink.shadows import ANY_SHADOW
from edgedigits.normalize import normalize
from edgedigits.page import REJECTED
from edgedigits.reader import Reader

_BLANK = " "

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
    `confidence`, `outside`, `covered`, `glare`; both are None where all is well. Where a rule rejected the
    best reading and a next-best one took its place, `instead_of` is the text that was rejected. `corners` are
    the field's in pixels of the upright picture, from top left clockwise.
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
                judged = refused("", 0.0, "small", error)
            elif field.style == "comb":
                found = combs[field.name]
                rows = [None if cell.blank else next(left) for cell in found]
                judged = self._comb(field, found, rows)
            else:
                judged = self._free(field, page)
            if field.name not in small:
                judged = self._whole(field, page, judged)
            corners = _whole(where.to_picture(_corners(field.box)) * across)
            fields.append(FieldReading(field.name, **vars(judged), corners=corners))
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

        Such an edge hides a mark, or a sheet's edge, where it crosses it, and a page in the dark.
        """
        grey = to_grey(image)
        lit = evenly_lit(grey, _ANY_SHADOW)
        return None if lit is grey else lit

    def _whole(self, field: Field, page: FlatPage, judged: Judged) -> Judged:
        """Return what was read in a field, or the error that it is not all of it, or struck out."""
        if page.blackened(field):
            return refused(judged.raw.strip() or REJECTED, 0.0, "struck-out", _BLACKENED)
        if field.name in page.washed_out:
            return refused(judged.raw, 0.0, "glare", _WASHED_OUT)
        if field.name in page.covered:
            return refused(judged.raw, 0.0, "covered", _COVERED)
        if judged.raw.strip() and page.crossed(field):
            return replace(judged, value=None, error=_CROSSED, reason="struck-out")
        # What is struck out may as well be read as several, or as no digits.
        if (judged.value is not None or judged.reason in _OF_MARKS) and page.struck(field):
            return replace(judged, value=None, error=_STRUCK_OUT, reason="struck-out")
        if judged.value is not None and self._goes_on(field, page):
            error = (
                "a digit stands around the field or runs out of it; write inside, or make that a field, too; "
                "print nothing so close"
            )
            return replace(judged, value=None, error=error, reason="outside")
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
    ) -> Judged:
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
            return refused(raw.rstrip(), readings[0][1], reason, error)
        if _BLANK in raw.strip() or (field.decimals is not None and raw.endswith(_BLANK)):
            # Decimals have cells of their own: with the last one blank, no digit is where it counts.
            error = "a blank cell " + ("between digits" if _BLANK in raw.strip() else "behind the last digit")
            return refused(raw.rstrip(), readings[0][1], "count", error)
        readings = tuple((text.strip(), chance) for text, chance in readings)
        return judge(field, raw.rstrip(), readings, field.decimals, self.reader.rule)

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

    def _free(self, field: Field, page: FlatPage) -> Judged:
        if page.cells(field)[0].blank and field.printed != "none":
            return _blank(field)
        picture = page.picture(field)
        check = (lambda raw: satisfies(raw, field)) if field.rules or field.decimal else None
        lines = self.reader.read(picture, count=field.digits, upright=True, check=check).lines
        if not lines:
            if field.printed == "none" and field.required is False:
                return _blank(field)
            return refused("", 0.0, "blank" if field.printed == "none" else "not-digits", "no digits found")
        areas = [sum(d.box[2] * d.box[3] for d in line.digits) for line in lines]
        best = int(np.argmax(areas))
        if len(lines) > 1 and sorted(areas)[-2] > 0.4 * areas[best]:
            raw = " ".join(line.raw for line in lines)
            error = f"{len(lines)} lines of writing in a field for one"
            return refused(raw, lines[best].confidence, "several", error)
        line = lines[best]
        if "struck-out" in line.reasons:
            return refused(line.raw, line.confidence, "struck-out", _STRUCK_OUT)
        if line.box[3] < field.least_height * page.height(field) and field.printed != "none":
            return refused(line.raw, line.confidence, "small", "writing too small for the field")
        dash = dash_trouble(line, page.pieces(field))
        if dash is not None:
            return refused(line.raw, line.confidence, "not-digits", dash)
        if is_in_two(line):
            error = "two numbers stand beside one another in a field for one"
            return refused(line.raw, line.confidence, "several", error)
        decimals, sign = decimals_in(line.raw, field)
        if sign is not None:
            return refused(line.raw, line.confidence, "count", sign)
        if any(is_none(digit, self.reader.rule) for digit in line.digits) or REJECTED in line.readings[0][0]:
            error = "a digit can't be read, or is none"
            return refused(line.raw, line.confidence, "not-digits", error)
        return judge(field, line.raw, believed(line), decimals, self.reader.rule, bool(line.unsure))


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

_STRUCK_OUT = "a line is drawn through what is written"
_BLACKENED = "a cell is blackened out"
_WASHED_OUT = "light washes out a part of the field; turn the page, or the lamp, and take another picture"
_COVERED = "what is printed around the field can't all be seen; take away what lies on it, and the glare"
_CROSSED = "a line from above or below runs into the field"
_OF_MARKS = ("not-digits", "several", "small", "count")
"""Reasons that a field has no value which a line through it may have given."""


def _blank(field: Field) -> Judged:
    if field.required:
        return refused("", 1.0, "blank", "nothing is written in the field")
    return Judged("", None, 1.0)


def _corners(box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    x, y, w, h = box
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])


def _whole(points: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    return tuple((round(float(x)), round(float(y))) for x, y in points)
