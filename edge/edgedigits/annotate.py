"""Pictures with what was read drawn into them.

An accepted line has a solid blue box, a doubtful one a dashed orange box: the two differ in colour (of the
Okabe–Ito palette, told apart with any kind of colour vision), in lightness and in shape. Lines have a
light rim and text a plate behind it, so that they can be read on paper and on a blackboard.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import OutputError
from edgedigits.files import make_folder, write_atomically
from edgedigits.frames import Frame
from edgedigits.page import Line, Page

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[int, int]
Corners = tuple[int, int, int, int]  # left, top, right, bottom

_BLUE: Colour = (178, 114, 0)  # BGR
_ORANGE: Colour = (0, 159, 230)
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX

_LEGIBLE = 40  # height in pixels that digits are enlarged to, for the labels to find room
_MAX_ENLARGED_PIXELS = 4_000_000


def annotate(image: Picture, page: Page) -> Picture:
    """Return a BGR copy of a picture, H×W×3 uint8, with boxes, labels and confidences drawn into it.

    `image` is what was read, H×W or H×W×3 uint8, `page` the reading; where the image is a reduced copy, the
    boxes are brought to its size. Small pictures are enlarged, by a whole number, until labels are legible.
    """
    canvas = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    across = image.shape[1] / page.size[0]
    heights = [digit.box[3] * across for line in page.lines for digit in line.digits]
    digit_height = float(np.median(heights)) if heights else float(_LEGIBLE)
    enlarged = max(1, min(4, round(_LEGIBLE / max(digit_height, 1))))
    while enlarged > 1 and image.shape[0] * image.shape[1] * enlarged**2 > _MAX_ENLARGED_PIXELS:
        enlarged -= 1
    if enlarged > 1:
        canvas = cv2.resize(canvas, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC)
    pen = _Pen(np.asarray(canvas, np.uint8), across * enlarged, digit_height * enlarged)
    for line in page.lines:
        pen.boxes(line)
    for line in page.lines:
        pen.label(line)
    return pen.canvas


class _Pen:
    """Draws into a canvas at its scale, and remembers what is not to be covered."""

    def __init__(self, canvas: NDArray[np.uint8], scale: float, digit_height: float) -> None:
        self.canvas = np.ascontiguousarray(canvas, np.uint8)
        self._scale = scale
        self._text_height = int(np.clip(digit_height * 0.4, 10, 60))
        self._stroke = max(1, round(self._text_height / 10))
        self._taken: list[Corners] = []

    def boxes(self, line: Line) -> None:
        """Draw the box of a line and of its digits, with their labels underneath."""
        corners = self._corners(line)
        self._taken.append(corners)
        for digit in line.digits:
            colour, ink = (_ORANGE, _BLACK) if digit.rejected else (_BLUE, _WHITE)
            x, y, w, h = (round(v * self._scale) for v in digit.box)
            thin = max(1, self._stroke // 2)
            cv2.rectangle(self.canvas, (x, y), (x + w, y + h), colour, thin, cv2.LINE_AA)
            self._plate(digit.label, (x, corners[3] + self._stroke), colour, ink)
        colour = _BLUE if line.accepted else _ORANGE
        left, top, right, bottom = corners
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
        sides = list(zip(points, points[1:] + points[:1], strict=True))
        if not line.accepted:
            sides = [dash for side in sides for dash in _dashes(*side, 6 * self._stroke)]
        for extra, tone in ((2, _WHITE), (0, colour)):
            for start, end in sides:
                cv2.line(self.canvas, start, end, tone, self._stroke + extra, cv2.LINE_AA)

    def label(self, line: Line) -> None:
        """Write the text of a line and its confidence, where they cover no other line if there is room."""
        colour, ink = (_BLUE, _WHITE) if line.accepted else (_ORANGE, _BLACK)
        # Rounded down: 100 % is said of nothing that is less.
        text = f"{line.raw}  {int(line.confidence * 100)}%" + ("" if line.accepted else " ?")
        left, top, right, bottom = self._corners(line)
        wide, tall = self._plate_size(text)
        gap = 2 * self._stroke
        middle = (top + bottom - tall) // 2
        above = (left, top - gap - tall)
        places = [(right + gap, middle), (left - gap - wide, middle), above]
        self._plate(text, next(filter(lambda at: self._is_free(at, wide, tall), places), above), colour, ink)

    def _corners(self, line: Line) -> Corners:
        gap = 2 * self._stroke
        x, y, w, h = (round(v * self._scale) for v in line.box)
        return x - gap, y - gap, x + w + gap, y + h + gap

    def _is_free(self, at: Point, wide: int, tall: int) -> bool:
        left, top, right, bottom = *at, at[0] + wide, at[1] + tall
        rows, columns = self.canvas.shape[:2]
        inside = left >= 0 and top >= 0 and right < columns and bottom < rows
        return inside and not any(
            left < taken[2] and taken[0] < right and top < taken[3] and taken[1] < bottom
            for taken in self._taken
        )

    def _font(self) -> tuple[float, int, int]:
        """Return the scale, weight and margin of text."""
        scale = self._text_height / cv2.getTextSize("0", _FONT, 1.0, 1)[0][1]
        return scale, max(1, round(self._stroke * 1.2)), max(2, self._text_height // 5)

    def _plate_size(self, text: str) -> tuple[int, int]:
        scale, weight, margin = self._font()
        (width, height), _ = cv2.getTextSize(text, _FONT, scale, weight)
        return width + 2 * margin, height + 2 * margin

    def _plate(self, text: str, at: Point, colour: Colour, ink: Colour) -> None:
        """Write a text on a plate whose top left corner is at a point, or as near as the picture allows."""
        scale, weight, margin = self._font()
        wide, tall = self._plate_size(text)
        rows, columns = self.canvas.shape[:2]
        left = int(np.clip(at[0], 0, max(0, columns - 1 - wide)))
        top = int(np.clip(at[1], 0, max(0, rows - 1 - tall)))
        right, bottom = left + wide, top + tall
        cv2.rectangle(self.canvas, (left, top), (right, bottom), colour, cv2.FILLED)
        cv2.rectangle(self.canvas, (left, top), (right, bottom), _WHITE, 1)
        at = (left + margin, bottom - margin)
        cv2.putText(self.canvas, text, at, _FONT, scale, ink, weight, cv2.LINE_AA)


def _dashes(start: Point, end: Point, length: int) -> list[tuple[Point, Point]]:
    """Cut a side into dashes that begin and end at its corners."""
    (x0, y0), (x1, y1) = start, end
    count = max(1, round(max(abs(x1 - x0), abs(y1 - y0)) / (2 * length)))
    stops = [k / (2 * count + 1) for k in range(2 * count + 2)]
    points = [(round(x0 + t * (x1 - x0)), round(y0 + t * (y1 - y0))) for t in stops]
    return list(zip(points[::2], points[1::2], strict=True))


class AnnotatedPictures:
    """A folder that annotated pictures are written to, each atomically and under a name of its own.

    `a.png` becomes `a-read.png`, JPEG stays JPEG, all else becomes PNG. Later pages have their number
    (`scan-page2-read.png`), frames of a camera or video (`moving`) always and with leading zeros. Where a
    name would come twice in a run, as from two folders, the second is numbered; `inputs` are never
    overwritten. An earlier run's pictures are. `ending` takes the place of `read`, and `png` makes all PNG.

    Raises `OutputError` where the folder can't be made.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        inputs: Iterable[str | os.PathLike[str]] = (),
        moving: bool = False,
        ending: str = "read",
        png: bool = False,
    ) -> None:
        self.folder = make_folder(folder)
        self._moving, self._ending, self._png = moving, ending, png
        self._inputs = {os.path.realpath(path) for path in inputs}
        self._taken: set[str] = set()

    def write(self, frame: Frame, page: Page) -> Path:
        """Write a frame with its reading; returns the file. Raises `OutputError` where it can't."""
        return self.write_drawn(frame, annotate(frame.image, page))

    def write_drawn(self, frame: Frame, drawn: Picture) -> Path:
        """Write what was drawn of a frame (H×W×3 uint8), under the frame's name, as `write` does."""
        source = Path(frame.source)
        jpeg = self._moving or source.suffix.lower() in (".jpg", ".jpeg", ".jpe")
        jpeg = jpeg and not self._png
        suffix = ".jpg" if jpeg else ".png"
        path = self.folder / self._name(source, frame.page, suffix)
        # A fast compression: these are looked at, not kept.
        settings = [cv2.IMWRITE_JPEG_QUALITY, 90] if jpeg else [cv2.IMWRITE_PNG_COMPRESSION, 3]
        try:
            ok, data = cv2.imencode(suffix, drawn, settings)
        except cv2.error as error:
            raise OutputError(f"{path}: can't be written as {suffix[1:]}; scale the picture down") from error
        if not ok:
            raise OutputError(f"{path}: can't be written as {suffix[1:]}; scale the picture down")
        write_atomically(path, data.tobytes())
        return path

    def _name(self, source: Path, page: int, suffix: str) -> str:
        # Kept short and plain: a source may be an address, and file systems differ in what they take.
        stem = re.sub(r"[^\w.-]+", "_", source.stem)[:60].strip(".") or "picture"
        if self._moving:
            stem += f"-frame{page:06d}"
        elif page:
            stem += f"-page{page + 1}"
        number = 1
        while True:
            name = f"{stem}-{self._ending}" + (f"-{number}{suffix}" if number > 1 else suffix)
            fresh = name.casefold() not in self._taken
            if fresh and os.path.realpath(self.folder / name) not in self._inputs:
                self._taken.add(name.casefold())
                return name
            number += 1
