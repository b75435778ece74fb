"""`demo:`, the virtual camera: sheets of digits are laid on a desk and taken away, under moving light.

Everything follows from the seed. Even and odd seeds are worlds apart: they share no digit, no paper and no
way of moving a sheet, so that what was tuned in one can be measured in the other. The digits are MNIST's
(see NOTICE).
"""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgedigits.errors import SourceError
from edgedigits.frames import Frame
from edgedigits.frames.capture import CaptureSettings, CaptureStatus, make_frame

RATE = 30.0
"""Frames per second of the world's own time."""

SIZE = (640, 480)

_Colour = tuple[int, int, int]  # blue, green, red

_PAPERS: tuple[tuple[_Colour, ...], tuple[_Colour, ...]] = (
    ((236, 238, 240), (205, 226, 238)),
    ((190, 230, 236), (232, 222, 205), (206, 212, 212)),
)
_INKS: tuple[tuple[_Colour, ...], tuple[_Colour, ...]] = (
    ((28, 24, 24), (120, 46, 30)),
    ((60, 50, 48), (36, 30, 120), (96, 70, 20)),
)
_DESKS: tuple[_Colour, _Colour] = ((92, 124, 150), (142, 140, 136))


@dataclass(frozen=True)
class Sheet:
    """One sheet: its text, and when it comes, lies, leaves and is gone, in seconds of the world's time."""

    lines: tuple[str, ...]
    comes: float
    lies: float
    leaves: float
    gone: float

    @property
    def text(self) -> str:
        """The lines, joined by newlines."""
        return "\n".join(self.lines)


@dataclass(frozen=True)
class _Way:
    """How a sheet moves: where from and where to (in widths of the picture), turned by how many degrees."""

    start: tuple[float, float]
    end: tuple[float, float]
    turn: float
    swing: float


class World:
    """What the camera sees, frame by frame, and what there is to be read."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._kind = seed % 2
        self._sheets: list[Sheet] = []
        rng = np.random.default_rng([seed, 2**31])
        self._desk = _desk(_DESKS[self._kind], rng)
        noise = cv2.GaussianBlur(rng.normal(0, 1, (SIZE[1] + 64, SIZE[0] + 64)), (0, 0), 0.7)
        noise *= 1.2 / noise.std()
        # A look-up of noise: to draw it anew for each frame would cost more than reading the frame.
        self._noise = np.repeat(np.rint(noise).astype(np.int8)[..., None], 3, axis=2)
        self._lamp = rng.uniform(0, 2 * math.pi)
        self._drawn: tuple[int, NDArray[np.uint8], tuple[float, float, float], _Way] | None = None

    def sheet(self, number: int) -> Sheet:
        """Return a sheet, counted from 0."""
        while len(self._sheets) <= number:
            rng = self._rng(len(self._sheets), 0)
            before = self._sheets[-1].gone if self._sheets else 0.0
            comes = before + rng.uniform(0.8, 1.4)
            lies = comes + rng.uniform(0.5, 1.0)
            leaves = lies + rng.uniform(1.4, 2.4)
            gone = leaves + rng.uniform(0.4, 0.8)
            lines = tuple("".join(str(d) for d in rng.integers(0, 10, 5)) for _ in range(2))
            self._sheets.append(Sheet(lines, comes, lies, leaves, gone))
        return self._sheets[number]

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Return a frame, counted from 0: uint8, 480×640×3 BGR."""
        now = number / RATE
        canvas = self._desk.copy()
        k = 0
        while self.sheet(k).gone < now:
            k += 1
        if self.sheet(k).comes <= now:
            self._lay(canvas, k, now)
        light = self._light(now)
        lit = cv2.multiply(canvas, light, scale=1 / 255)
        rng = self._rng(number, 1)
        x, y = (int(v) for v in rng.integers(0, 64, 2))
        noise = self._noise[y : y + SIZE[1], x : x + SIZE[0]]
        return np.asarray(cv2.add(lit, noise, dtype=cv2.CV_8U), np.uint8)

    def _rng(self, number: int, what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number, what])

    def _lay(self, canvas: NDArray[np.uint8], k: int, now: float) -> None:
        """Draw the sheet where it is now."""
        sheet = self.sheet(k)
        if self._drawn is None or self._drawn[0] != k:
            rng = self._rng(k, 2)
            place = rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55), rng.uniform(-4, 4)
            self._drawn = k, _draw(sheet, self._kind, rng), place, self._way(rng)
        _, drawing, (x, y, turn), way = self._drawn
        if now < sheet.lies:
            far = 1 - _ease((now - sheet.comes) / (sheet.lies - sheet.comes))
            towards = way.start
        else:
            far = _ease((now - sheet.leaves) / (sheet.gone - sheet.leaves))
            towards = way.end
        x, y = (x + far * towards[0]) * SIZE[0], (y + far * towards[1]) * SIZE[1]
        turn += far * way.turn + way.swing * math.sin(9 * now) * far
        high, wide = drawing.shape[:2]
        matrix = cv2.getRotationMatrix2D((wide / 2, high / 2), turn, 1.0)
        matrix[:, 2] += (x - wide / 2, y - high / 2)
        cv2.warpAffine(
            drawing,
            matrix,
            SIZE,
            dst=canvas,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )

    def _way(self, rng: np.random.Generator) -> _Way:
        side = 1.0 if rng.random() < 0.5 else -1.0
        if self._kind == 0:  # pushed in from left or right, pulled out towards the viewer
            return _Way((1.1 * side, 0.0), (0.0, 1.3), 0.0, 0.0)
        # handed in from above or below, with a turn of the wrist
        return _Way((0.2 * side, 1.3 * side), (-1.2 * side, 0.3), 25 * side, 4.0)

    def _light(self, now: float) -> NDArray[np.uint8]:
        """Return the light at each pixel, 0…255: a lamp that swings, clouds that pass."""
        angle = self._lamp + 0.15 * now
        cloud = 0.92 + 0.08 * math.sin(0.4 * now + self._lamp)
        x = np.linspace(-1, 1, 16, dtype=np.float32)
        y = np.linspace(-0.75, 0.75, 12, dtype=np.float32)[:, None]
        slope = 0.18 * (x * math.cos(angle) + y * math.sin(angle))
        small = np.clip(255 * cloud * (0.8 + slope), 0, 255).astype(np.uint8)
        return np.asarray(cv2.cvtColor(cv2.resize(small, SIZE), cv2.COLOR_GRAY2BGR), np.uint8)


def _ease(t: float) -> float:
    """Go from 0 to 1 as a hand does: slowly at both ends."""
    t = min(1.0, max(0.0, t))
    return t * t * (3 - 2 * t)


@functools.cache
def digits() -> NDArray[np.uint8]:
    """Return the digits that come along: uint8 [10, n, 28, 28], ink bright."""
    with Image.open(Path(__file__).parent / "digits.png") as picture:
        tiles = np.asarray(picture.convert("L"))
    columns = tiles.shape[1] // 28
    return tiles.reshape(10, 28, columns, 28).transpose(0, 2, 1, 3)


def _draw(sheet: Sheet, kind: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a sheet as it lies: uint8, H×W×3."""
    wide, high = 560, 380
    paper = np.asarray(_PAPERS[kind][rng.integers(len(_PAPERS[kind]))], np.float32)
    ink = np.asarray(_INKS[kind][rng.integers(len(_INKS[kind]))], np.float32)
    every = digits()
    half = every.shape[1] // 2
    cover = np.zeros((high, wide), np.float32)
    for number, line in enumerate(sheet.lines):
        x = rng.uniform(60, 120)
        y = 120 + 130 * number + rng.uniform(-12, 12)
        tall = rng.uniform(44, 54)
        for digit in line:
            tile = every[int(digit), kind * half + int(rng.integers(half))]
            rows, columns = np.flatnonzero(tile.any(axis=1)), np.flatnonzero(tile.any(axis=0))
            cut = tile[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255
            # MNIST's box of 20 pixels becomes as tall as this line's digits are.
            stroke = cv2.resize(
                np.pad(cut, 1), None, fx=tall / 20, fy=tall / 20, interpolation=cv2.INTER_CUBIC
            )
            stroke = np.clip((cv2.GaussianBlur(stroke, (0, 0), 0.01 * tall) - 0.3) / 0.35, 0, 1)
            h, w = stroke.shape
            top, left = round(y - h / 2 + rng.uniform(-2, 2)), round(x)
            part = cover[top : top + h, left : left + w]
            np.maximum(part, stroke, out=part)
            x += w + tall * rng.uniform(0.22, 0.42)
    texture = cv2.GaussianBlur(rng.normal(0, 1, (high, wide)).astype(np.float32), (0, 0), 1.2)
    drawing = paper * (1 + 0.012 * texture[..., None])
    drawing += cover[..., None] * (ink - drawing)
    return np.asarray(np.clip(drawing, 0, 255), np.uint8)


def _desk(colour: _Colour, rng: np.random.Generator) -> NDArray[np.uint8]:
    shape = SIZE[::-1]
    rings = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=60, sigmaY=6)
    grain = 0.04 * rings / rings.std()
    desk = np.asarray(colour, np.float32) * (1 + grain)[..., None]
    return np.asarray(np.clip(desk, 0, 255), np.uint8)


class DemoCamera:
    """The virtual camera as a source: frames as time goes by, or faster (`rate` above 30)."""

    stills = False

    def __init__(
        self,
        name: str,
        seed: str,
        every: float,
        stop: threading.Event,
        settings: CaptureSettings = CaptureSettings(),
    ) -> None:
        if seed and not (seed.isdecimal() and len(seed) < 10):
            raise SourceError(f"{name}: '{seed}' is no seed; give demo: or demo:NUMBER")
        self.status = CaptureStatus()
        self.world = World(int(seed or 0))
        self._name, self._every, self._stop, self._settings = name, every, stop, settings

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time; a slow reader misses some, as with any camera."""
        rate = self._settings.rate or RATE
        started = time.monotonic()
        number, due = 0, started
        while not self._stop.is_set():
            wait = due - time.monotonic()
            if wait > 0:
                self._stop.wait(min(wait, 0.25))
                continue
            image = self.world.frame(number)
            self.status.state, self.status.heard = "reading", time.monotonic()
            self.status.frames += 1
            yield make_frame(image, self._name, number, number / RATE, self._settings)
            if rate > RATE:
                number += 1  # in a hurry: every frame counts
                due = max(due + 1 / rate, time.monotonic())
                continue
            after = max(number + 1, math.ceil((time.monotonic() - started) * rate))
            after = max(after, number + math.ceil(self._every * rate))
            self.status.dropped += after - number - 1 if not self._every else 0
            number = after
            due = started + number / rate

    def close(self) -> bool:
        """Nothing is held."""
        return True
