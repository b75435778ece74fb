"""`Reader`, the façade: a picture in, a `Page` of `Line`s of `Digit`s out."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Card, split_bytes
from edgedigits.combine import combine_lines
from edgedigits.confirm import ConfirmSettings, Seen, confirmed, doubted
from edgedigits.consistency import ConsistencySettings, consistencies, consistency_weights
from edgedigits.decode import (
    Separator,
    as_read,
    decode_digit,
    decode_line,
    is_character,
    is_drawing,
    refuse_turned,
)
from edgedigits.errors import ModelError
from edgedigits.geometry import Floats
from edgedigits.glyph_verifier import GlyphVerifier
from edgedigits.glyphs import GlyphSettings, TextLine
from edgedigits.hidden import is_grain, legible, painted_over, refuse_cut
from edgedigits.hypotheses import Candidate, LineHypotheses
from edgedigits.ink import Ink, InkSettings, check_image, dark_on_light
from edgedigits.lattice import Reading, best_readings, weighed
from edgedigits.model import Model
from edgedigits.normalize import normalize_all
from edgedigits.page import REJECTED, Box, Line, Page
from edgedigits.pieces import join_pieces
from edgedigits.prior import PriorSettings, expected_prior, weigh_readings
from edgedigits.runtime import read_model
from edgedigits.settings import check_all
from edgedigits.sheet import SheetSettings, find_sheets, has_room_beside
from edgedigits.shrink import shrunk
from edgedigits.strip_model import StripModel
from edgedigits.strip_reading import Expected, Region, SeenLine, StripReader, StripSettings, region_of
from edgedigits.surroundings import weigh_surroundings
from edgedigits.thresholds import Thresholds
from edgedigits.turned import OF_GLYPHS, glyphs_turned, strips_turned, turned_by
from edgedigits.verifier import Verifier, VerifierSettings
from edgedigits.writing import find_writing

DEFAULT_MODEL = "compact-int8"
DEFAULT_STRIP_MODEL = "strip-int8"
DEFAULT_CHARACTER_MODEL = "character-int8"

ReadingWay = Literal["auto", "glyph", "strip"]
READING_WAYS: tuple[ReadingWay, ...] = ("auto", "glyph", "strip")
"""How text lines are read: glyph by glyph, each as one strip, or as it suits the line."""
DEFAULT_WAY: ReadingWay = "auto"

_LEFT_OUT = 0.04
"""So much ink left out, in squared heights, takes a line's confidence to a third."""


class Reader:
    """Reads handwritten digits in pictures.

    `model` is the name of a shipped model or the path of a `.tflite` file made by `edgedigits-export`;
    `strip_model` likewise, for the strip way. `way` says how text lines are read: "glyph" by glyph, as one
    "strip" each, or "auto", which takes the strip way, too, where glyphs touch, overlap or are in doubt, and
    where a line fills its picture. (A model for strips given as `model` is one for `strip_model`, and reads
    everything.) `character_model`, likewise, has a say where a line is read as a strip, and where digits are
    read on the way "glyph": it looks at them one by one, in their places; None is none.

    A `thorough` reader on its way "auto" reads every line in both ways: slower, and much surer of what they
    agree on. (Where both networks are sure at once, digit by digit, the line is not cut into glyphs.) On that
    way at most `max_strips` lines of a picture, the largest, are read as strips (≥ 0).

    `min_digit_confidence` and `min_line_confidence` (0…1) replace the thresholds of the models' cards;
    `max_error` (between 0 and 1) takes those that keep the promise that at most this share of the accepted
    lines is wrong, as it was on the lines named in the cards, and makes the reader thorough; on the way
    "auto" that is promised of the default `model` only. Where `min_line_confidence` is given, too, the
    stricter threshold holds. `threads` is the number of CPU threads a call of a network may use (≥ 1),
    `delegate` what `Model` takes. `ink`, `glyphs`, `sheet`, `strip`, `confirm` and `prior` are the stages'
    settings: `PriorSettings(weight=0)` where all numbers are equally likely (as those are whose number of
    digits is known). A `Reader` serves one thread at a time; open one for each.

    Raises `ModelError` for a model that can't be used, or of which nothing as strict as `max_error` is
    promised, and `ValueError` for an unknown way, and a number or a setting that is out of its range.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        min_digit_confidence: float | None = None,
        min_line_confidence: float | None = None,
        threads: int = 1,
        delegate: str | os.PathLike[str] | None = None,
        way: ReadingWay = DEFAULT_WAY,
        strip_model: str | os.PathLike[str] | None = None,
        character_model: str | os.PathLike[str] | None = DEFAULT_CHARACTER_MODEL,
        max_error: float | None = None,
        thorough: bool = False,
        max_strips: int = 100,
        ink: InkSettings = InkSettings(),
        glyphs: GlyphSettings = GlyphSettings(),
        sheet: SheetSettings = SheetSettings(),
        prior: PriorSettings = PriorSettings(),
        strip: StripSettings = StripSettings(),
        confirm: ConfirmSettings = ConfirmSettings(),
    ) -> None:
        if way not in READING_WAYS:
            raise ValueError(f"unknown way {way!r}; choose one of {', '.join(READING_WAYS)}")
        given = {"ink": ink, "glyphs": glyphs, "sheet": sheet, "prior": prior, "strip": strip}
        for name, settings in {**given, "confirm": confirm}.items():
            check_all(settings, name)
        if not _is_whole(max_strips, 0):
            raise ValueError(f"max_strips is a whole number from 0 on, not {max_strips!r}")
        if strip_model is None and _card_of(model).way == "strip":
            model, strip_model, way = DEFAULT_MODEL, model, "strip"
        self.way = way
        self._thorough = thorough or max_error is not None
        self._max_strips = max_strips
        self.model = Model(model, threads=threads, delegate=delegate)
        thresholds = Thresholds(min_digit_confidence, min_line_confidence, max_error)
        if way == "auto" and max_error is not None and not _is_default(self.model.card):
            raise ModelError(
                f"{self.model.source}: no share of errors is promised of it on the way auto, only of "
                f"{DEFAULT_MODEL}; leave out one of the two, or read on the way glyph or strip"
            )
        self._ink, self._glyphs, self._sheet, self._prior = ink, glyphs, sheet, prior
        self._strip_settings, self._confirm = strip, confirm
        labels = self.model.card.labels
        self._characters = [(k, label) for k, label in enumerate(labels) if is_character(label)]
        self._columns = {label: k for k, label in self._characters}
        self._can_doubt = len(self._characters) < len(labels)
        self._strips: StripReader | None = None
        self._verifier: GlyphVerifier | None = None
        if way == "glyph" and character_model is not None and self._reads_digits:
            read = [label for _, label in self._characters]
            opened = Model(character_model, threads=threads, delegate=delegate, way="character")
            verifier = Verifier(opened, [*read, REJECTED], VerifierSettings(weight=1.0))
            self._verifier = GlyphVerifier(verifier, [*read, REJECTED], strips=self._strip_settings)
        self._open_strips = functools.partial(
            _open_strips,
            strip_model or DEFAULT_STRIP_MODEL,
            character_model,
            threads,
            delegate,
            thresholds,
            way,
            prior,
            self._strip_settings,
        )
        # What is asked for is opened now, and errors come at once; what may never be needed is not.
        if strip_model is not None or way == "strip" or (way == "auto" and max_error is not None):
            self._strips = self._open_strips()
        if way == "glyph" or self._strips is None:
            self.rule = thresholds.rule_for(self.model.card, self.model.source, "glyph")
        else:
            # One promise for all lines, however each of them is read: the strip model's card makes it.
            own = thresholds.rule_for(self.model.card, self.model.source, None)
            line = self._strips.rule.min_line_confidence if max_error is not None else own.min_line_confidence
            self.rule = dataclasses.replace(own, min_line_confidence=line)

    def wants_strip(self, hypotheses: LineHypotheses, size: tuple[int, int]) -> bool:
        """Return whether a line, its glyphs looked at, is to be read as a strip.

        `size` is that of the picture in which `hypotheses` has its boxes: working pixels.
        """
        if self.way == "auto" and self._reads_digits:
            if hypotheses.lone:
                # A glyph that stands alone is the glyph network's business, which has learnt what is no
                # digit; but not the only glyph that was found in a whole strip of writing.
                region = region_of(
                    [glyph.box for glyph in hypotheses.line.glyphs], size, self._strip_settings
                )
                return region.width > _STRIP * region.height
            # As high as this, it is all there is in the picture, and worth reading in both ways.
            fills = hypotheses.box[3] >= self._strip_settings.fills * size[1]
            return self._thorough or fills or hypotheses.in_doubt
        return self.way == "strip"

    @property
    def strips(self) -> StripReader:
        """What reads strips; its model is opened when it is first needed."""
        if self._strips is None:
            self._strips = self._open_strips()
        return self._strips

    def read(
        self,
        image: NDArray[np.uint8],
        size: tuple[int, int] | None = None,
        count: tuple[int, int] | None = None,
        upright: bool = False,
        check: Callable[[str], bool] | None = None,
    ) -> Page:
        """Read a picture.

        `image` is uint8, H×W grey or H×W×3 BGR, upright. Where it is a reduced copy of a larger picture,
        `size` is that picture's width and height in pixels (≥ 1), and the boxes are in its pixels. `count`
        tells the fewest (≥ 0) and the most digits (≥ 1) of a line, where they are known: strips are searched
        for no others. `check` tells of a text, digits and separators, whether it can be what was written:
        where the best reading of a strip fails it, its `readings` have the best that pass.

        Where a line would be accepted, it is looked into whether the writing is upright, and lines that read
        as well the other way up are not accepted (see `turned.turned_by`), unless `upright` says that it is
        known.

        Raises `PictureError` for an array of another kind, `ValueError` for a `size` or `count` out of range.

        >>> import numpy as np
        >>> blank = np.full((120, 200), 255, np.uint8)
        >>> Reader().read(blank).lines
        ()
        """
        started = time.perf_counter()
        check_image(image)
        _check_told(size, count)
        height, width = image.shape[:2]
        size = (width, height) if size is None else size
        expected = Expected(count, check)
        sheets = find_sheets(image, self._sheet)
        lines = () if sheets else self._read_level(image, size, expected, upright)
        across = size[0] / width, size[1] / height
        for sheet in sheets:
            own = sheet.picture.shape[1], sheet.picture.shape[0]
            lines += tuple(
                _placed(line, functools.partial(sheet.to_picture, across=across, size=size))
                for line in self._read_level(sheet.picture, own, expected, upright, sheet.hidden)
            )
        if sheets and has_room_beside(sheets, (width, height)):
            # What is written beside them isn't lost.
            lines += tuple(
                line if size == (width, height) else _placed(line, lambda box: _scaled(box, across, size))
                for line in self._read_beside(image, [sheet.outline for sheet in sheets], expected, upright)
                if not any(sheet.holds(line.box) for sheet in sheets)
            )
        return Page(lines, size, (time.perf_counter() - started) * 1000)

    def _read_level(
        self,
        image: NDArray[np.uint8],
        size: tuple[int, int],
        expected: Expected,
        upright: bool,
        hidden: Sequence[Floats] = (),
    ) -> tuple[Line, ...]:
        """Read a picture as it is, but for what is hidden by sheets with such corners (4×2, its pixels)."""
        found = self._find_writing(image, hidden)
        lines = self._read_found(found, size, expected, upright)
        return self._refuse_cut(lines, found[1], hidden, image, size) if hidden else lines

    def _refuse_cut(
        self,
        lines: tuple[Line, ...],
        ink: Ink,
        hidden: Sequence[Floats],
        image: NDArray[np.uint8],
        size: tuple[int, int],
    ) -> tuple[Line, ...]:
        """Return lines in pixels of a page of `size`, what is hidden of its `image` being no part of them."""
        height, width = ink.mask.shape
        to_page = size[0] / image.shape[1], size[1] / image.shape[0]
        across = size[0] / width, size[1] / height
        return refuse_cut(lines, [quad * to_page for quad in hidden], self.rule, ink, across)

    def _read_beside(
        self, image: NDArray[np.uint8], sheets: Sequence[Floats], expected: Expected, upright: bool
    ) -> tuple[Line, ...]:
        """Read what is written beside sheets with such corners (4×2), in pixels of the picture."""
        if (
            min(image.shape[:2]) >= _LARGE
            and not self._find_writing(shrunk(image, 2), [q / 2 for q in sheets])[2]
        ):
            return ()  # a bare desk, as mostly: a quarter of the pixels tell
        found = self._find_writing(image, sheets)
        if is_grain(found[2]):
            return ()
        size = image.shape[1], image.shape[0]
        lines = legible(self._read_found(found, size, expected, upright))
        return self._refuse_cut(lines, found[1], sheets, image, size)

    def _read_found(
        self,
        found: tuple[NDArray[np.uint8], Ink, list[TextLine]],
        size: tuple[int, int],
        expected: Expected,
        upright: bool,
    ) -> tuple[Line, ...]:
        """Read the lines of writing that were found in a picture."""
        image, ink, text_lines = found
        across = size[0] / ink.contrast.shape[1], size[1] / ink.contrast.shape[0]
        hypotheses = self._asked_glyphs(text_lines)
        read_lines, refused = self._lines(hypotheses, image, ink, across, size, expected)
        read = list(read_lines.values())
        lines = weigh_surroundings(read, self.rule, refused)
        if upright or not self._can_tell_turned or not any(line.accepted for line in lines):
            return lines
        # What stands around a doubtful line says nothing of which way up it is.
        asked = [line if own.accepted else own for own, line in zip(read, lines, strict=True)]
        turned = self._turned_by(asked, [hypotheses[k] for k in read_lines], image, ink, expected)
        return refuse_turned(lines, turned, self.rule) if turned else lines

    def _find_writing(
        self, image: NDArray[np.uint8], hidden: Sequence[Floats] = ()
    ) -> tuple[NDArray[np.uint8], Ink, list[TextLine]]:
        """Return a picture as it is looked at, its ink and its lines of writing, less what is hidden."""
        return find_writing(painted_over(image, hidden) if hidden else image, self._ink, self._glyphs)

    def _turned_by(
        self,
        lines: Sequence[Line],
        hypotheses: list[LineHypotheses],
        image: NDArray[np.uint8],
        ink: Ink,
        expected: Expected,
    ) -> int:
        """Return by how many degrees clockwise the paper seems to lie turned."""
        if self.way == "glyph":

            def digits_of(k: int) -> list[Candidate]:
                best = next(each for each in self._readings(hypotheses[k], expected) if each.text)
                return [hypotheses[k].candidates[arc.row] for arc in best.arcs if arc.separator is None]

            read = glyphs_turned(lines, digits_of, self._classify, self._characters)
            around = [(line, [digit.box for digit in line.digits]) for line in lines]
            return turned_by(read, around, OF_GLYPHS)
        grey = dark_on_light(image, ink)
        boxes = [boxes_in(grey, ink, each) for each in hypotheses]
        return turned_by(strips_turned(self.strips, grey, boxes), list(zip(lines, boxes, strict=True)))

    def _lines(
        self,
        hypotheses: list[LineHypotheses],
        image: NDArray[np.uint8],
        ink: Ink,
        across: tuple[float, float],
        size: tuple[int, int],
        expected: Expected,
    ) -> tuple[dict[int, Line], list[Box]]:
        """Read lines, each in the way that suits it, by their numbers, and leave out those that say nothing.

        The boxes are those of the glyphs that the glyph way refused in lines that were read as strips, too.
        """
        of_strips: dict[int, Line] = {}
        done: set[int] = set()
        if self.way != "glyph":
            working = ink.contrast.shape[1], ink.contrast.shape[0]
            chosen = [k for k, each in enumerate(hypotheses) if self.wants_strip(each, working)]
            of_strips, done = self._read_strips(hypotheses, chosen, image, ink, size, expected)
        left = {k: each for k, each in enumerate(hypotheses) if k not in done and self.way != "strip"}
        self._classify([part for each in left.values() for part in each.parts()])
        if self._verifier is not None and left:
            grey = dark_on_light(image, ink)
            for each in left.values():
                self._readings(each, expected, (grey, ink))
        of_glyphs = {
            k: self._line(each, across, size, expected, of_strips.get(k)) for k, each in left.items()
        }
        lines = {
            k: combine_lines(of_glyphs.get(k), of_strips.get(k), self.rule) for k in range(len(hypotheses))
        }
        if self.way == "auto":
            for k in of_strips:
                line = lines[k]
                if line is not None:
                    glyphs = _seen(hypotheses[k], across, size)
                    lines[k] = doubted(line, glyphs, self._confirm)
        replaced = [line for k, line in of_glyphs.items() if line is not None and k in of_strips]
        refused = [digit.box for line in replaced for digit in line.digits if digit.rejected]
        return {k: line for k, line in lines.items() if line is not None}, refused

    @property
    def _can_tell_turned(self) -> bool:
        """Whether there is a network that the question can be put to."""
        return self.way == "strip" or self._reads_digits

    @functools.cached_property
    def _reads_digits(self) -> bool:
        """Whether the model reads digits, as the strip model does, and not letters."""
        return all(label.isdigit() for _, label in self._characters)

    def _read_strips(
        self,
        hypotheses: list[LineHypotheses],
        chosen: list[int],
        image: NDArray[np.uint8],
        ink: Ink,
        size: tuple[int, int],
        expected: Expected,
    ) -> tuple[dict[int, Line], set[int]]:
        """Read chosen lines as strips; return them, and which lines have nothing more to be read in them.

        These are lines that the glyph network confirms, and others that lie within their strips.
        """
        if not chosen:
            return {}, set()
        grey = dark_on_light(image, ink)
        height, width = grey.shape
        to_page = size[0] / width, size[1] / height
        boxes = [boxes_in(grey, ink, each) for each in hypotheses]
        lines: dict[int, Line] = {}
        within: set[int] = set()
        sure: set[int] = set()
        asked = 0
        for k in sorted(chosen, key=lambda k: -sum(box[2] * box[3] for box in boxes[k])):
            if k in within or (self.way == "auto" and asked >= self._max_strips):
                continue
            asked += 1
            region = region_of(boxes[k], (width, height), self._strip_settings)
            seen, line = self._seen_as_strip(grey, ink, hypotheses[k], region, expected)
            if seen is None:
                continue
            if line is not None:
                sure.add(k)
            line = line or seen.line
            if math.isinf(hypotheses[k].line.left_out):  # it is cut off, and nobody knows what it says
                line = dataclasses.replace(line, confidence=0.0, accepted=False)
            lines[k] = (
                line if to_page == (1.0, 1.0) else _placed(line, lambda box: _scaled(box, to_page, size))
            )
            within |= {j for j in range(len(boxes)) if j != k and j not in lines and region.holds(boxes[j])}
        return lines, within | sure

    def _seen_as_strip(
        self,
        grey: NDArray[np.uint8],
        ink: Ink,
        hypotheses: LineHypotheses,
        region: Region,
        expected: Expected,
    ) -> tuple[SeenLine | None, Line | None]:
        """Read a line as a strip; return what is seen of it, and the line where it is confirmed."""
        seen = None
        across = grey.shape[1] / ink.contrast.shape[1], grey.shape[0] / ink.contrast.shape[0]
        glyphs = _seen(hypotheses, across, (grey.shape[1], grey.shape[0]))
        may_be = self.way == "auto" and hypotheses.line.left_out <= _LEFT_OUT
        for seen in self.strips.seen(grey, region, expected, early=may_be):
            if not may_be or (expected.check is not None and not expected.check(seen.line.raw)):
                continue
            rows = self.model.probabilities(normalize_all(seen.inks()))
            line = confirmed(seen.line, rows, self._columns, self.rule, glyphs, self._confirm)
            if line is not None:
                return seen, line
        return seen, None

    def _asked_glyphs(self, lines: Sequence[TextLine]) -> list[LineHypotheses]:
        """Return what could be read in lines, the network asked about their glyphs where that is needed."""
        hypotheses = [self._hypotheses(line) for line in lines]
        if self.way == "strip":
            return hypotheses
        self._classify([glyph for each in hypotheses for glyph in each.glyphs()])
        return join_pieces(hypotheses, self._classify, self._hypotheses)

    def _hypotheses(self, line: TextLine) -> LineHypotheses:
        return LineHypotheses(line, self._characters, self._can_doubt)

    def _classify(self, asked: list[Candidate]) -> None:
        if asked:
            rows = self.model.probabilities(normalize_all([part.ink for part in asked]))
            for part, row in zip(asked, rows, strict=True):
                part.probabilities = row

    def _readings(
        self,
        hypotheses: LineHypotheses,
        expected: Expected,
        seen: tuple[NDArray[np.uint8], Ink] | None = None,
        wanted: Iterable[str] = (),
    ) -> list[Reading]:
        """Return the readings of a line's glyphs, best first; found once, for what was expected first.

        Where the picture is `seen` (grey, dark ink on light; its ink), digits may be looked at again. What
        the glyphs hold of texts that are `wanted` is told where it can be.
        """
        if hypotheses.readings is None:
            readings = best_readings(*hypotheses.lattice(), wanted)
            if not hypotheses.lone:  # one glyph is hardly a number of several digits, be it round or not
                prior = expected_prior(expected.count, self._prior)
                marks = hypotheses.line.marks
                readings = weigh_readings(readings, marks, settings=prior)
                if self._verifier is not None and seen is not None and readings:
                    grey, ink = seen
                    boxes = boxes_in(grey, ink, hypotheses)
                    across = grey.shape[1] / ink.contrast.shape[1], grey.shape[0] / ink.contrast.shape[0]
                    readings = self._verifier.weigh(grey, boxes, across, readings, marks)
                readings = _consistent(hypotheses, readings)
            hypotheses.readings = readings
        return hypotheses.readings

    def _line(
        self,
        hypotheses: LineHypotheses,
        across: tuple[float, float],
        size: tuple[int, int],
        expected: Expected,
        of_strip: Line | None = None,
    ) -> Line | None:
        """Return the best reading of a line; None where nothing in it can be a glyph.

        Where the line was read as a strip, too, what the glyphs hold of that way's readings is told with it.
        """
        wanted = [text for text, _ in of_strip.readings] if of_strip is not None else []
        readings = self._readings(hypotheses, expected, wanted=wanted)
        best = next((reading for reading in readings if reading.text), None)
        if best is None:
            return None
        labels = self.model.card.labels
        digits, separators = [], []
        for arc in best.arcs:
            if arc.separator is None:
                asked = hypotheses.candidates[arc.row]
                assert asked.probabilities is not None
                box = _scaled(arc.box, across, size)
                drawn = is_drawing(asked.ink)
                digits.append(decode_digit(asked.probabilities, labels, box, self.rule, drawn))
            elif arc.separator:
                separators.append(Separator(arc.separator, _scaled(arc.box, across, size)))
        for mark in hypotheses.line.marks:
            separators.append(Separator(mark.text, _scaled(mark.box, across, size)))
        # A reading that leaves ink unexplained is not trusted.
        complete = math.exp(-hypotheses.line.left_out / _LEFT_OUT)
        told = [(reading.text, reading.probability) for reading in readings if reading.text]
        digits = [as_read(digit, place, told, self.rule) for place, digit in enumerate(digits)]
        return decode_line(digits, separators, self.rule, told, complete)


def _seen(hypotheses: LineHypotheses, across: tuple[float, float], size: tuple[int, int]) -> list[Seen]:
    """Return a line's glyphs as they stand, in pixels of a picture."""
    return [(_scaled(box, across, size), refused) for box, refused in hypotheses.seen()]


_STRIP = 2.0
"""A region so many times as wide as high has room for a second digit beside a lone one."""


def _consistent(
    hypotheses: LineHypotheses, readings: list[Reading], settings: ConsistencySettings = ConsistencySettings()
) -> list[Reading]:
    """Return readings weighed by how alike what they take for the same digit looks, best first."""
    if len(readings) < 2 or readings[0].probability >= settings.sure:
        return readings
    glyphs = {
        each.text: list(zip(each.text, (arc.row for arc in each.arcs if arc.separator is None), strict=True))
        for each in readings
    }
    found = consistencies(
        glyphs, lambda rows: normalize_all([hypotheses.candidates[row].ink for row in rows]), settings
    )
    weights = consistency_weights(found, max(found.values()), settings)
    return weighed(readings, [weights[each.text] for each in readings])


def boxes_in(grey: NDArray[np.uint8], ink: Ink, hypotheses: LineHypotheses) -> list[Box]:
    """Return the boxes of a line's glyphs in pixels of the picture that `ink` was found in."""
    height, width = grey.shape
    across = width / ink.contrast.shape[1], height / ink.contrast.shape[0]
    return [_scaled(glyph.box, across, (width, height)) for glyph in hypotheses.line.glyphs]


def _check_told(size: Any, count: Any) -> None:
    """Raise `ValueError` for a picture's size, or a number of digits, that can't be (see `Reader.read`)."""
    if size is not None and not _are_whole(size, 1):
        raise ValueError(f"size is width and height in pixels, whole numbers from 1 on, not {size!r}")
    if count is not None and not (_are_whole(count, 0) and count[0] <= count[1] and count[1] > 0):
        raise ValueError(f"count is the fewest and the most digits, as in (3, 6), not {count!r}")


def _are_whole(values: Any, least: int) -> bool:
    return isinstance(values, tuple | list) and len(values) == 2 and all(_is_whole(v, least) for v in values)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= least


def _scaled(box: Box, across: tuple[float, float], size: tuple[int, int]) -> Box:
    """Return a box of working pixels in pixels of the picture, at least 1×1 and inside it."""
    x, y, w, h = box
    left, top = int(x * across[0]), int(y * across[1])
    right = min(size[0], max(left + 1, round((x + w) * across[0])))
    bottom = min(size[1], max(top + 1, round((y + h) * across[1])))
    return left, top, right - left, bottom - top


_LARGE = 700
"""Shorter side in pixels of a picture in which writing is found with half as many along each side."""


def _placed(line: Line, place: Callable[[Box], Box]) -> Line:
    """Return a line with its boxes where `place` puts them."""
    digits = tuple(dataclasses.replace(digit, box=place(digit.box)) for digit in line.digits)
    return dataclasses.replace(line, digits=digits, box=place(line.box))


def _card_of(model: str | os.PathLike[str]) -> Card:
    return split_bytes(read_model(model), os.fspath(model))[0]


def _is_default(card: Card) -> bool:
    """Return whether a card is that of the default model for glyphs, in whatever format."""
    default = _card_of(DEFAULT_MODEL)
    own, known = ((c.recipe, c.seed, c.labels, c.temperature) for c in (card, default))
    return own == known


def _open_strips(
    model: str | os.PathLike[str],
    character_model: str | os.PathLike[str] | None,
    threads: int,
    delegate: str | os.PathLike[str] | None,
    thresholds: Thresholds,
    way: str,
    prior: PriorSettings,
    settings: StripSettings,
) -> StripReader:
    opened = StripModel(model, threads=threads, delegate=delegate)
    verifier = None
    if character_model is not None:
        characters = Model(character_model, threads=threads, delegate=delegate, way="character")
        verifier = Verifier(characters, opened.card.labels)
    rule = thresholds.rule_for(opened.card, opened.source, way)
    return StripReader(opened, rule, verifier, settings, prior)
