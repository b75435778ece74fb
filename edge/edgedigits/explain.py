"""Why a picture was read as it was: every stage of the way on one sheet.

The stages come from the functions the `Reader` itself goes through, with its settings. On the sheet black is
ink, blue what was read, orange what was left out or refused, magenta a place to cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.annotate import AnnotatedPictures, annotate
from edgedigits.decode.hidden import painted_over
from edgedigits.decode.hypotheses import LineHypotheses
from edgedigits.decode.lattice import Arc, Reading
from edgedigits.frames import Frame
from edgedigits.geometry import Floats
from edgedigits.glyphs import TextLine, find_clusters
from edgedigits.glyphs.cuts import find_cuts
from edgedigits.ink import Ink
from edgedigits.normalize import SIZE, normalize, normalize_all
from edgedigits.page import REASONS, Box, Page
from edgedigits.reader import Reader, glare_beside
from edgedigits.sheet import find_sheets, has_room_beside
from edgedigits.strips import HEIGHT, STEP
from edgedigits.ways.characters import cells_of, window
from edgedigits.ways.ctc import best_texts, spans
from edgedigits.ways.expected import Expected
from edgedigits.ways.strip_cutting import cut_out, region_of
from edgedigits.writing import Writing

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

_BLUE: Colour = (178, 114, 0)  # BGR, of the Okabe–Ito palette
_ORANGE: Colour = (0, 120, 230)
_MAGENTA: Colour = (167, 60, 204)
_GREY: Colour = (150, 150, 150)
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX

_WIDTH = 1600
_MARGIN = 16
_COLUMN = (_WIDTH - 3 * _MARGIN) // 2
_PANEL_HEIGHT = 620
_LINE_HEIGHT = 24


@dataclass(frozen=True)
class ExplainSettings:
    """How much is drawn; a page of specks has thousands of glyphs."""

    most_lines: int = 24
    """So many text lines have their crops and their lattice drawn."""
    most_crops: int = 120
    """So many crops of each line …"""
    most_rows: int = 16
    """… and so many rows of its lattice."""
    most_height: int = 12_000
    """What would make the sheet higher than this is left out, and that is said. Pixels."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage: its caption (ASCII) and what it looks like, H×W×3 uint8 BGR.

    A `wide` one takes the width of the sheet as it is, others stand two in a row, scaled to fit.
    """

    caption: str
    picture: Picture
    wide: bool = False


def explain(
    image: Picture, page: Page, reader: Reader, settings: ExplainSettings = ExplainSettings()
) -> Picture:
    """Return a sheet, H×1600×3 uint8 BGR, of how a picture was read.

    `image` is what was read, H×W or H×W×3 uint8, `page` the reading and `reader` what made it.
    """
    return compose(stages(image, page, reader, settings), settings)


def stages(
    image: Picture, page: Page, reader: Reader, settings: ExplainSettings = ExplainSettings()
) -> list[Stage]:
    """Return the stages of reading a picture, in their order; see `explain`."""
    height, width = image.shape[:2]
    accepted = sum(line.accepted for line in page.lines)
    shown = [Stage(f"picture, {page.size[0]} x {page.size[1]}, looked at as {width} x {height}", _bgr(image))]
    of_lines: list[Stage] = []
    sheets = find_sheets(image, reader._sheet)
    for number, sheet in enumerate(sheets, 1):
        which = f" {number} of {len(sheets)}" if len(sheets) > 1 else ""
        shown.append(Stage(f"the sheet{which} on the desk, flattened, in even light", _bgr(sheet.picture)))
        shown += _level_stages(sheet.picture, reader, settings, of_lines, sheet.hidden)
    if not sheets:
        shown += _level_stages(image, reader, settings, of_lines)
    elif has_room_beside(sheets, (width, height)):
        outlines = [sheet.outline for sheet in sheets]
        shown.append(Stage("beside the sheets", _bgr(painted_over(image, outlines))))
        shown += _level_stages(image, reader, settings, of_lines, outlines)
    read = Stage(f"lines read: {len(page.lines)}, accepted: {accepted}", annotate(image, page))
    return [*shown, read, *of_lines]


def _level_stages(
    level: Picture,
    reader: Reader,
    settings: ExplainSettings,
    of_lines: list[Stage],
    hidden: Sequence[Floats] = (),
) -> list[Stage]:
    """Return the stages of reading a picture, or a sheet that has been flattened; add those `of_lines`.

    `hidden` are the corners of sheets that lie on it, 4×2.
    """
    writing = reader._find_writing(level, hidden)
    ink, lines, grey = writing.ink, writing.lines, writing.grey
    glare = glare_beside(level, ink)
    glyphs = reader.line_reader.glyphs
    hypotheses = glyphs.look_at(lines)
    glyphs.look_at_parts(hypotheses)
    shown = [
        Stage(
            f"flattened, {ink.contrast.shape[1]} x {ink.contrast.shape[0]}: contrast with the paper; "
            f"{ink.polarity} ink",
            _bgr(255 - ink.contrast),
        ),
        *([] if not glare else [Stage("glare: what light washes out", _outlined(level, glare))]),
        *([] if ink.shaded is None else [Stage("shadows taken off: the paper, evenly lit", _bgr(grey))]),
        Stage(_ink_caption(ink), _drawn_ink(ink)),
        Stage("lines removed: orange is rule, frame, edge or dirt; blue a mark", _kept(ink, lines)),
        Stage(
            f"glyphs: {sum(len(x.glyphs) for x in lines)}, lines: {len(lines)}; magenta: cuts offered",
            _cuts(ink, hypotheses),
        ),
    ]
    for number, each in enumerate(hypotheses[: settings.most_lines], 1):
        readings = glyphs.readings(each, writing, Expected())
        of_lines += _line_stages(number, each, readings, reader.model.card.labels, settings)
        if reader.line_reader.wants_strip(each, writing.working_size):
            of_lines += _strip_stages(number, grey, writing.boxes(each.line), reader)
            if reader.way == "auto":
                of_lines += _confirming_stages(number, writing, each, reader)
    left = len(hypotheses) - settings.most_lines
    if left > 0:
        of_lines.append(Stage(f"... and {left} more lines", np.full((4, 4, 3), 255, np.uint8), wide=True))
    return shown


def compose(shown: Sequence[Stage], settings: ExplainSettings = ExplainSettings()) -> Picture:
    """Lay stages out on one sheet, H×1600×3 uint8 BGR."""
    rows: list[Picture] = []
    pair: list[Picture] = []
    for stage in shown:
        if not stage.wide:
            pair.append(_panel(stage, _COLUMN))
        if pair and (stage.wide or len(pair) == 2 or stage is shown[-1]):
            rows.append(_beside(pair))
            pair = []
        if stage.wide:
            rows.append(_beside([_panel(stage, _WIDTH - 2 * _MARGIN)]))
    kept: list[Picture] = []
    total = 2 * _LINE_HEIGHT
    for row in rows:
        if total + row.shape[0] > settings.most_height:
            kept.append(_text_row(f"... {len(rows) - len(kept)} more rows are left out"))
            break
        total += row.shape[0]
        kept.append(row)
    return np.ascontiguousarray(np.concatenate(kept))


class ExplainedPictures:
    """A folder that sheets are written to as `NAME-explained.png`, named like annotated pictures.

    Raises `OutputError` where the folder can't be made.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        reader: Reader,
        inputs: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self._pictures = AnnotatedPictures(folder, inputs, ending="explained", png=True)
        self._reader = reader

    def write(self, frame: Frame, page: Page) -> Path:
        """Write the sheet of a frame; returns the file. Raises `OutputError` where it can't."""
        return self._pictures.write_drawn(frame, explain(frame.image, page, self._reader))


# --- the stages ---------------------------------------------------------------------------------------


def _ink_caption(ink: Ink) -> str:
    if ink.strong >= 255:
        return "ink: none"
    return f"ink: certain (black) from {ink.strong} on, followed (grey) down to {ink.weak} of 255"


def _drawn_ink(ink: Ink) -> Picture:
    drawn = np.full((*ink.mask.shape, 3), 255, np.uint8)
    drawn[ink.mask > 0] = _GREY
    drawn[(ink.mask > 0) & (ink.contrast >= ink.strong)] = _BLACK
    return drawn


def _kept(ink: Ink, lines: Sequence[TextLine]) -> Picture:
    drawn = np.full((*ink.mask.shape, 3), 255, np.uint8)
    drawn[ink.mask > 0] = _ORANGE
    for line in lines:
        for mark in line.marks:
            x, y, w, h = mark.box
            drawn[y : y + h, x : x + w][ink.mask[y : y + h, x : x + w] > 0] = _BLUE
        for glyph in line.glyphs:
            x, y, w, h = glyph.box
            drawn[y : y + h, x : x + w][glyph.ink > 0] = _BLACK
    return drawn


def _cuts(ink: Ink, hypotheses: Sequence[LineHypotheses]) -> Picture:
    drawn = _bgr(255 - ink.contrast // 2)
    for each in hypotheses:
        for glyph in each.line.glyphs:
            x, y, w, h = glyph.box
            cv2.rectangle(drawn, (x, y), (x + w - 1, y + h - 1), _BLUE, 1)
        whole = len(each.line.glyphs)
        parts = {(part.box[0], part.box[1]) for part in each.candidates[whole:]}
        for cluster in find_clusters(each.line):
            x, y, w, h = cluster.box
            # Where no part was asked about, the network was sure of the whole.
            if not any(x <= left < x + w and y <= top < y + h for left, top in parts):
                continue
            for cut in find_cuts(cluster.ink):
                rows = np.arange(len(cut.path)) + y
                columns = np.clip(cut.path + x, 0, drawn.shape[1] - 1)
                drawn[np.clip(rows, 0, drawn.shape[0] - 1), columns] = _MAGENTA
    return drawn


def _line_stages(
    number: int,
    each: LineHypotheses,
    readings: Sequence[Reading],
    labels: Sequence[str],
    settings: ExplainSettings,
) -> list[Stage]:
    arcs, nodes, _ = each.lattice()
    best = next((reading for reading in readings if reading.text), None)
    told = "; ".join(f"{r.text or 'nothing'} {r.probability:.3f}" for r in readings[:6])
    on_way = {arc.row for arc in best.arcs if arc.row >= 0} if best else set()
    refused = {arc.row for arc in best.arcs if arc.labels and arc.labels[0][0] == "?"} if best else set()
    asked = len(each.candidates)
    more = f", the first {settings.most_crops} shown" if asked > settings.most_crops else ""
    crops = [
        _crop(part.ink, part.probabilities, labels, k in on_way)
        for k, part in enumerate(each.candidates[: settings.most_crops])
    ]
    caption = f"line {number}: {asked} crops of {SIZE} x {SIZE}{more}; blue: on the best way"
    if refused:
        caption += f"; {len(refused)} most likely no digit"
    for reason, words in REASONS.items():
        if reason in each.line.faults:
            caption += f"; {words}, so {'less sure' if each.line.whole else 'not accepted'}"
    return [
        Stage(caption, _grid(crops), wide=True),
        Stage(
            f"line {number}: lattice, {nodes} steps, {len(arcs)} arcs; weighed readings: {told or 'none'}",
            _lattice(arcs, nodes, best, settings.most_rows),
            wide=True,
        ),
    ]


_ENLARGED = 4


def _strip_stages(number: int, grey: Picture, boxes: list[Box], reader: Reader) -> list[Stage]:
    """Show a line as the strip network takes it, what that says at every step, and its characters again."""
    height, width = grey.shape
    settings = reader.strips.settings
    cut = cut_out(grey, region_of(boxes, (width, height), settings), settings)
    if cut is None:
        return []
    strip, _ = cut
    model = reader.strips.model
    answers = np.exp(model.log_probabilities(strip))
    shown = strip[:, : (_WIDTH - 2 * _MARGIN) // _ENLARGED]
    drawn = _bgr(255 - np.kron(shown, np.ones((_ENLARGED, _ENLARGED), np.uint8)))
    drawn = np.concatenate([drawn, np.full((40, drawn.shape[1], 3), 255, np.uint8)])
    before = len(model.card.labels) - 1
    for step, row in enumerate(answers[: shown.shape[1] // STEP]):
        best = int(np.argmax(row))
        if best not in (before, len(row) - 1):
            x = round(_ENLARGED * STEP * (step + 0.5))
            cv2.line(drawn, (x, 0), (x, drawn.shape[0] - 40), _MAGENTA, 1)
            _write(drawn, model.card.labels[best], (x - 5, drawn.shape[0] - 24), _BLUE, 0.6)
            _write(drawn, f"{float(row[best]):.2f}", (x - 14, drawn.shape[0] - 6), _GREY, 0.4)
        before = best
    hypotheses = best_texts(np.log(answers), 6)
    labels = model.card.labels
    told = "; ".join(
        f"{''.join(labels[k] for k in h.text) or 'nothing'} {h.probability:.3f}" for h in hypotheses
    )
    stages = [
        Stage(f"line {number}: as a strip, {strip.shape[1]} x {HEIGHT}; readings: {told}", drawn, wide=True)
    ]
    verifier = reader.strips.verifier
    text = hypotheses[0].text if hypotheses else ()
    if verifier is not None and text:
        cells = cells_of(spans(np.log(answers), text), strip.shape[1])
        seen = [(label, window(strip, cell)) for label, cell in zip(text, cells, strict=True)]
        rows = verifier.model.probabilities(np.stack([picture for _, picture in seen]))
        own = verifier.model.card.labels
        tiles = [
            _tile(picture, row, own, own[int(np.argmax(row))] == labels[label])
            for (label, picture), row in zip(seen, rows, strict=True)
            if labels[label] in own
        ]
        caption = (
            f"line {number}: the characters of the strip's first reading, one by one; blue: the same again"
        )
        stages.append(Stage(caption, _grid(tiles), wide=True))
    return stages


def _confirming_stages(
    number: int, writing: Writing, hypotheses: LineHypotheses, reader: Reader
) -> list[Stage]:
    """Show the digits of a strip, which the glyph network is asked to confirm."""
    region = region_of(writing.boxes(hypotheses.line), writing.size, reader.strips.settings)
    seen, confirmed = reader.line_reader.see_as_strip(hypotheses, region, writing, Expected())
    if seen is None:
        return []
    labels = reader.model.card.labels
    crops = normalize_all([seen.ink(place) for place in range(len(seen.cells))])
    rows = reader.model.probabilities(crops)
    text = seen.line.readings[0][0]
    tiles = [
        _tile(crop, row, labels, labels[int(np.argmax(row))] == digit)
        for crop, row, digit in zip(crops, rows, text, strict=True)
    ]
    so = "not confirmed" if confirmed is None else "confirmed, and the line is not cut"
    caption = (
        f"line {number}: the digits of {text} as the strip has them, which the glyph network is asked about "
        f"where they touch: {so}"
    )
    return [Stage(caption, _grid(tiles), wide=True)]


_CROP_WIDTH, _CROP_HEIGHT = 68, 92


def _crop(
    ink: Picture, probabilities: NDArray[np.float32] | None, labels: Sequence[str], on_way: bool
) -> Picture:
    """Draw a glyph as the network saw it, and its best answer below."""
    return _tile(normalize(ink), probabilities, labels, on_way)


def _tile(
    seen: Picture, probabilities: NDArray[np.float32] | None, labels: Sequence[str], on_way: bool
) -> Picture:
    """Draw what a network saw (uint8, 28×28, ink bright), and its best answer below."""
    tile = np.full((_CROP_HEIGHT, _CROP_WIDTH, 3), 255, np.uint8)
    enlarged = cv2.resize(seen, (56, 56), interpolation=cv2.INTER_NEAREST)
    tile[6:62, 6:62] = _bgr(255 - np.asarray(enlarged, np.uint8))
    if probabilities is not None:
        k = int(np.argmax(probabilities))
        label = labels[k] if len(labels[k]) == 1 else "no"
        colour = _ORANGE if len(labels[k]) > 1 else _BLUE if on_way else _GREY
        _write(tile, f"{label} {float(probabilities[k]):.3f}", (4, 82), colour, 0.45)
    cv2.rectangle(tile, (3, 3), (_CROP_WIDTH - 4, 64), _BLUE if on_way else _GREY, 2 if on_way else 1)
    return tile


def _grid(tiles: Sequence[Picture]) -> Picture:
    across = max(1, (_WIDTH - 2 * _MARGIN) // _CROP_WIDTH)
    down = -(-len(tiles) // across)
    grid = np.full((max(1, down) * _CROP_HEIGHT, across * _CROP_WIDTH, 3), 255, np.uint8)
    for k, tile in enumerate(tiles):
        y, x = k // across * _CROP_HEIGHT, k % across * _CROP_WIDTH
        grid[y : y + _CROP_HEIGHT, x : x + _CROP_WIDTH] = tile
    return grid


def _lattice(arcs: Sequence[Arc], nodes: int, best: Reading | None, most_rows: int) -> Picture:
    """Draw the arcs as bars from node to node, the best way in the first row, the likelier ones above."""
    width = _WIDTH - 2 * _MARGIN
    step = min(110.0, width / max(1, nodes))
    way = [(arc.start, arc.stop, arc.row, arc.separator) for arc in best.arcs] if best else []
    first = [arc for arc in arcs if (arc.start, arc.stop, arc.row, arc.separator) in way]
    rest = [arc for arc in arcs if (arc.start, arc.stop, arc.row, arc.separator) not in way]
    rest.sort(key=lambda arc: -_score(arc))
    rows: list[list[Arc]] = [[]]
    left_out = 0
    for arc in [*first, *rest]:
        for row in rows:
            if all(arc.stop <= other.start or other.stop <= arc.start for other in row):
                row.append(arc)
                break
        else:
            if len(rows) < most_rows:
                rows.append([arc])
            else:
                left_out += 1
    tall = 22
    drawn = np.full(((len(rows) + 1) * tall + 4, width, 3), 255, np.uint8)
    for node in range(nodes + 1):
        x = min(width - 1, round(node * step))
        cv2.line(drawn, (x, 0), (x, len(rows) * tall), (225, 225, 225), 1)
    for k, row in enumerate(rows):
        for arc in row:
            chosen = (arc.start, arc.stop, arc.row, arc.separator) in way
            left, right = round(arc.start * step) + 2, round(arc.stop * step) - 2
            top = k * tall + 2
            colour = _BLUE if chosen else _GREY
            cv2.rectangle(drawn, (left, top), (right, top + tall - 5), colour, cv2.FILLED if chosen else 1)
            label, score = _name(arc), _score(arc)
            text = label if right - left < 50 else f"{label} {round(score, 1) + 0.0:.1f}"
            if right - left >= 12:
                _write(drawn, text, (left + 3, top + tall - 9), _WHITE if chosen else _BLACK, 0.4)
    told = "log-probability with the prior, nats" + (f"; {left_out} arcs not drawn" if left_out else "")
    _write(drawn, told, (2, len(rows) * tall + 16), _GREY, 0.4)
    return drawn


def _name(arc: Arc) -> str:
    if arc.separator is not None:
        return arc.separator or "dirt"
    return arc.labels[0][0] if arc.labels else "?"


def _score(arc: Arc) -> float:
    return arc.log_prior + (arc.labels[0][1] if arc.labels else 0.0)


# --- the sheet ----------------------------------------------------------------------------------------


def _outlined(image: Picture, outlines: Sequence[Floats]) -> Picture:
    """Return a picture in colour with polygons (N×2, its pixels) drawn on it."""
    thick = max(1, min(image.shape[:2]) // 200)
    corners = [np.rint(outline).astype(np.int32) for outline in outlines]
    return np.asarray(cv2.polylines(_bgr(image).copy(), corners, True, _ORANGE, thick, cv2.LINE_AA), np.uint8)


def _bgr(image: Picture) -> Picture:
    if image.ndim == 3:
        return image.copy()
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)


def _write(on: Picture, text: str, at: tuple[int, int], colour: Colour, size: float) -> None:
    plain = text.encode("ascii", "replace").decode()  # the font has no more
    cv2.putText(on, plain, at, _FONT, size, colour, 1, cv2.LINE_AA)


def _text_row(text: str, width: int = _WIDTH) -> Picture:
    row = np.full((_LINE_HEIGHT, width, 3), 255, np.uint8)
    size = 0.5
    wide = cv2.getTextSize(text.encode("ascii", "replace").decode(), _FONT, size, 1)[0][0]
    while wide > width and len(text) > 8:
        text = text[: int(len(text) * width / wide) - 4] + " ..."
        wide = cv2.getTextSize(text.encode("ascii", "replace").decode(), _FONT, size, 1)[0][0]
    _write(row, text, (0, 17), _BLACK, size)
    return row


def _panel(stage: Stage, width: int) -> Picture:
    """Return a stage under its caption, as wide as the column."""
    picture = stage.picture
    if not stage.wide:
        height, across = picture.shape[:2]
        factor = min((width - 2) / across, (_PANEL_HEIGHT - 2) / height)
        # A small picture is enlarged by a whole number: its pixels are what there is to see.
        factor = float(min(12, int(factor))) if factor >= 1 else factor
        size = (max(1, round(across * factor)), max(1, round(height * factor)))
        mode = cv2.INTER_NEAREST if factor >= 1 else cv2.INTER_AREA
        picture = np.asarray(cv2.resize(picture, size, interpolation=mode), np.uint8)
        picture = cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=_GREY)  # type: ignore[assignment]
    picture = picture[:, :width]
    pad = width - picture.shape[1]
    body = cv2.copyMakeBorder(picture, 0, 0, 0, pad, cv2.BORDER_CONSTANT, value=_WHITE)
    return np.concatenate([_text_row(stage.caption, width), np.asarray(body, np.uint8)])


def _beside(panels: Sequence[Picture]) -> Picture:
    """Return panels side by side, with margins, as wide as the sheet."""
    height = max(panel.shape[0] for panel in panels)
    row = np.full((height + _MARGIN, _WIDTH, 3), 255, np.uint8)
    x = _MARGIN
    for panel in panels:
        row[_MARGIN // 2 : _MARGIN // 2 + panel.shape[0], x : x + panel.shape[1]] = panel
        x += panel.shape[1] + _MARGIN
    return row
