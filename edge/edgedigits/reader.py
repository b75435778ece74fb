"""`Reader`, the façade: a picture in, a `Page` of `Line`s of `Digit`s out."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits.card import Card, split_bytes
from edgedigits.decode import is_character, refuse_turned
from edgedigits.decode.hidden import is_grain, legible, painted_over, refuse_cut
from edgedigits.decode.hypotheses import LineHypotheses
from edgedigits.decode.patches import refuse_patched
from edgedigits.decode.prior import PriorSettings
from edgedigits.decode.surroundings import weigh_surroundings
from edgedigits.decode.thresholds import Thresholds
from edgedigits.errors import ModelError
from edgedigits.geometry import Floats
from edgedigits.glyphs import GlyphSettings
from edgedigits.ink import Ink, InkSettings, check_image
from edgedigits.ink.glare import find_glare
from edgedigits.model import Model
from edgedigits.page import REJECTED, Line, Page, Reason, placed, scaled, with_reasons
from edgedigits.runtime import read_model
from edgedigits.settings import check_all
from edgedigits.sheet import SheetSettings, find_sheets, has_room_beside
from edgedigits.shrink import shrunk
from edgedigits.strip_model import StripModel
from edgedigits.ways.confirm import ConfirmSettings
from edgedigits.ways.expected import Expected
from edgedigits.ways.glyph_reading import GlyphReader
from edgedigits.ways.glyph_verifier import GlyphVerifier
from edgedigits.ways.line_reading import READING_WAYS, LineReader, ReadingWay
from edgedigits.ways.strip_cutting import StripSettings
from edgedigits.ways.strip_reading import StripReader
from edgedigits.ways.turned import OF_GLYPHS, glyphs_turned, strips_turned, turned_by
from edgedigits.ways.verifier import Verifier, VerifierSettings
from edgedigits.writing import Writing, find_writing

DEFAULT_MODEL = "compact-int8"
DEFAULT_STRIP_MODEL = "strip-int8"
DEFAULT_CHARACTER_MODEL = "character-int8"
DEFAULT_WAY: ReadingWay = "auto"

_LARGE = 700
"""Shorter side in pixels of a picture in which writing is found with half as many along each side."""
_NO_BOARD = 130
"""What one writes on in a brighter colour is darker than this, 0…255."""


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
    way at most `max_strips` lines of a picture, the largest, are read as strips (≥ 0); a long line counts as
    several.

    `min_digit_confidence` and `min_line_confidence` (0…1) replace the thresholds of the models' cards;
    `max_error` (between 0 and 1) takes those that keep the promise that at most this share of the accepted
    lines is wrong, as it was on the lines named in the cards, and makes the reader thorough; on the way
    "auto" that is promised of the default `model` only. Where `min_line_confidence` is given, too, the
    stricter threshold holds. `threads` is the number of CPU threads a call of a network may use (≥ 1),
    `delegate` what `Model` takes. `ink`, `glyphs`, `sheet`, `strip`, `confirm` and `prior` are the stages'
    settings: `PriorSettings(weight=0)` where all numbers are equally likely (as those are whose number of
    digits is known). Threads may share a `Reader`, and wait for one another where it
    asks a network; with a `Reader` each they don't.

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
        self.model = Model(model, threads=threads, delegate=delegate)
        card, source = self.model.card, self.model.source
        thresholds = Thresholds(min_digit_confidence, min_line_confidence, max_error)
        if way == "auto" and max_error is not None and not _is_default(card):
            raise ModelError(
                f"{source}: no share of errors is promised of it on the way auto, only of "
                f"{DEFAULT_MODEL}; leave out one of the two, or read on the way glyph or strip"
            )
        verifier = None
        if way == "glyph" and character_model is not None:
            verifier = _open_glyph_verifier(character_model, card.labels, threads, delegate, strip)
        open_strips = functools.partial(
            _open_strips,
            strip_model or DEFAULT_STRIP_MODEL,
            character_model,
            threads,
            delegate,
            thresholds,
            way,
            prior,
            strip,
        )
        # What is asked for is opened now, and errors come at once; what may never be needed is not.
        asked_for = strip_model is not None or way == "strip" or (way == "auto" and max_error is not None)
        strips = open_strips() if asked_for else None
        if way == "glyph" or strips is None:
            self.rule = thresholds.rule_for(card, source, "glyph")
        else:
            # One promise for all lines, however each of them is read: the strip model's card makes it.
            own = thresholds.rule_for(card, source, None)
            line = strips.rule.min_line_confidence if max_error is not None else own.min_line_confidence
            self.rule = dataclasses.replace(own, min_line_confidence=line)
        self.line_reader = LineReader(
            GlyphReader(self.model, self.rule, verifier, prior),
            strips or open_strips,
            way,
            self.rule,
            thorough=thorough or max_error is not None,
            max_strips=max_strips,
            strip=strip,
            confirm=confirm,
        )
        """What reads the lines of a level picture: no part of the stable API."""
        self._ink, self._glyphs, self._sheet = ink, glyphs, sheet

    @property
    def strips(self) -> StripReader:
        """What reads strips; its model is opened when it is first needed."""
        return self.line_reader.strips

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
        size = (image.shape[1], image.shape[0]) if size is None else size
        lines = self._read(image, size, Expected(count, check), upright)
        return Page(lines, size, (time.perf_counter() - started) * 1000)

    def _read(
        self, image: NDArray[np.uint8], size: tuple[int, int], expected: Expected, upright: bool
    ) -> tuple[Line, ...]:
        """Read a picture, its sheets flattened, in pixels of a page of `size`."""
        height, width = image.shape[:2]
        sheets = find_sheets(image, self._sheet)
        lines = () if sheets else self._read_level(image, size, expected, upright)
        across = size[0] / width, size[1] / height
        for sheet in sheets:
            own = sheet.picture.shape[1], sheet.picture.shape[0]
            lines += tuple(
                placed(line, functools.partial(sheet.to_picture, across=across, size=size))
                for line in self._read_level(sheet.picture, own, expected, upright, sheet.hidden)
            )
        if sheets and has_room_beside(sheets, (width, height)):
            # What is written beside them isn't lost.
            lines += tuple(
                line if size == (width, height) else placed(line, lambda box: scaled(box, across, size))
                for line in self._read_beside(image, [sheet.outline for sheet in sheets], expected, upright)
                if not any(sheet.holds(line.box) for sheet in sheets)
            )
        return tuple(with_reasons(line) for line in lines)

    def _read_level(
        self,
        image: NDArray[np.uint8],
        size: tuple[int, int],
        expected: Expected,
        upright: bool,
        hidden: Sequence[Floats] = (),
    ) -> tuple[Line, ...]:
        """Read a picture as it is, but for what is hidden by sheets with such corners (4×2, its pixels)."""
        writing = self._find_writing(image, hidden)
        lines = self._read_writing(writing, size, expected, upright)
        return self._refuse_cut(lines, writing, hidden, image, size)

    def _read_beside(
        self, image: NDArray[np.uint8], sheets: Sequence[Floats], expected: Expected, upright: bool
    ) -> tuple[Line, ...]:
        """Read what is written beside sheets with such corners (4×2), in pixels of the picture."""
        if (
            min(image.shape[:2]) >= _LARGE
            and not self._find_writing(shrunk(image, 2), [q / 2 for q in sheets]).lines
        ):
            return ()  # a bare desk, as mostly: a quarter of the pixels tell
        writing = self._find_writing(image, sheets)
        if is_grain(writing.lines):
            return ()
        size = image.shape[1], image.shape[0]
        lines = legible(self._read_writing(writing, size, expected, upright))
        return self._refuse_cut(lines, writing, sheets, image, size)

    def _refuse_cut(
        self,
        lines: tuple[Line, ...],
        writing: Writing,
        hidden: Sequence[Floats],
        image: NDArray[np.uint8],
        size: tuple[int, int],
    ) -> tuple[Line, ...]:
        """Return lines in pixels of a page of `size`, refused where they may go on in what can't be seen.

        That is what is `hidden` of its `image` (see `_read_level`), and where there is glare.
        """
        if not lines:
            return lines
        to_page = size[0] / image.shape[1], size[1] / image.shape[0]
        glare = glare_beside(image, writing.ink)
        outlines: dict[Reason, Sequence[Floats]] = {"hidden": hidden, "glare": glare}
        for reason, found in outlines.items():
            there = [outline * to_page for outline in found]
            lines = refuse_cut(lines, there, self.rule, writing.ink, writing.across(size), reason)
        if writing.is_strip:
            grey = writing.grey
            lines = refuse_patched(lines, grey, (grey.shape[1] / size[0], grey.shape[0] / size[1]), self.rule)
        return lines

    def _find_writing(self, image: NDArray[np.uint8], hidden: Sequence[Floats] = ()) -> Writing:
        """Return the writing in a picture, less what is hidden."""
        return find_writing(painted_over(image, hidden) if hidden else image, self._ink, self._glyphs)

    def _read_writing(
        self, writing: Writing, size: tuple[int, int], expected: Expected, upright: bool
    ) -> tuple[Line, ...]:
        """Read the writing in a picture, in pixels of a page of `size`."""
        read, refused = self.line_reader.read(writing, size, expected)
        # A number struck out says nothing of the one that is written beside it in its place.
        weighed = iter(
            weigh_surroundings([line for each, line in read if not each.line.crossed_out], self.rule, refused)
        )
        lines = tuple(line if each.line.crossed_out else next(weighed) for each, line in read)
        if upright or not self._can_tell_turned or not any(line.accepted for line in lines):
            return lines
        # What stands around a doubtful line says nothing of which way up it is.
        asked = [(each, line if own.accepted else own) for (each, own), line in zip(read, lines, strict=True)]
        turned = self._turned_by(asked, writing, expected)
        return refuse_turned(lines, turned, self.rule) if turned else lines

    @property
    def _can_tell_turned(self) -> bool:
        """Whether there is a network that the question can be put to."""
        return self.way == "strip" or self.line_reader.reads_digits

    def _turned_by(
        self, read: Sequence[tuple[LineHypotheses, Line]], writing: Writing, expected: Expected
    ) -> int:
        """Return by how many degrees clockwise the paper seems to lie turned."""
        hypotheses, lines = [each for each, _ in read], [line for _, line in read]
        if self.way == "glyph":
            glyphs = self.line_reader.glyphs
            turned = glyphs_turned(
                lines,
                lambda k: glyphs.digits(hypotheses[k], writing, expected),
                glyphs.classify,
                glyphs.characters,
            )
            around = [(line, [digit.box for digit in line.digits]) for line in lines]
            return turned_by(turned, around, OF_GLYPHS)
        boxes = [writing.boxes(each.line) for each in hypotheses]
        turned = strips_turned(self.strips, writing.grey, boxes)
        return turned_by(turned, list(zip(lines, boxes, strict=True)))


def glare_beside(image: NDArray[np.uint8], ink: Ink) -> list[Floats]:
    """Return where there is glare in a picture with such ink, as `find_glare` does."""
    return find_glare(image, _NO_BOARD if ink.polarity == "light" else 0)


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


def _card_of(model: str | os.PathLike[str]) -> Card:
    return split_bytes(read_model(model), os.fspath(model))[0]


def _is_default(card: Card) -> bool:
    """Return whether a card is that of the default model for glyphs, in whatever format."""
    default = _card_of(DEFAULT_MODEL)
    own, known = ((c.recipe, c.seed, c.labels, c.temperature) for c in (card, default))
    return own == known


def _open_glyph_verifier(
    model: str | os.PathLike[str],
    labels: Sequence[str],
    threads: int,
    delegate: str | os.PathLike[str] | None,
    strips: StripSettings,
) -> GlyphVerifier | None:
    """Return the second opinion on what a network with such labels reads; None where it reads no digits."""
    read = [label for label in labels if is_character(label)]
    if not all(label.isdigit() for label in read):
        return None
    opened = Model(model, threads=threads, delegate=delegate, way="character")
    verifier = Verifier(opened, [*read, REJECTED], VerifierSettings(weight=1.0))
    return GlyphVerifier(verifier, [*read, REJECTED], strips=strips)


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
