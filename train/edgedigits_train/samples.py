"""Sample photographs: handwritten digits of the MNIST test set on paper and on a board.

Each is composed the way a photo comes about: a sheet with its texture, strokes in the colour and grain of
a pen, the sheet laid on a desk and seen at a slant, uneven light and a shadow, the lens, the sensor's
noise, JPEG. The digits are the first that the seed draws; none is chosen by whether it is read well.

    python -m edgedigits_train.samples --out edge/edgedigits/samples

Beside the pictures stands `samples.csv` with their true text: `file`, `line` (from 0), `text` (digits
only), `raw` (with separators). Lengths are in pixels of the photo unless said otherwise.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgedigits.errors import EdgeDigitsError
from edgedigits.files import make_folder, write_atomically
from edgedigits_train import arguments
from edgedigits_train.data import load_mnist

Floats = NDArray[Any]
"""float32, height × width (× 3 for colours), 0…1 unless said otherwise."""
Colour = tuple[float, float, float]
"""Red, green, blue; 0…1 of the light that comes back."""

MAX_BYTES = 57_000
"""Size of one JPEG: six make less than 350 kB of package data."""


@dataclass(frozen=True)
class Scene:
    """One photograph to be composed."""

    name: str
    lines: tuple[str, ...]
    """The text: `d` is any digit, `.` and `-` are written as they stand, a space is a gap."""
    size: tuple[int, int] = (800, 600)
    """Width and height of the upright photo."""
    digit_height: tuple[float, float] = (40, 55)
    """Smallest and largest height of the digits of a line."""
    ink: Colour = (0.08, 0.08, 0.10)
    sheet: Colour = (0.93, 0.92, 0.88)
    desk: Colour = (0.42, 0.28, 0.17)
    grain: float = 0.0
    """How unevenly the pen covers: 0 for ink, up to 1 for pencil and chalk."""
    turn: float = 0.0
    """Rotation of the sheet in degrees, anticlockwise."""
    slant: float = 0.03
    """Perspective: how far the corners are moved, as a part of the picture's width."""
    margin: float = 0.04
    """How much of the desk is seen, as a part of the picture's width; negative where the sheet fills it."""
    shadow: float = 0.3
    """Depth of the shadow that falls across, 0…1."""
    falloff: float = 0.25
    """How much darker the far side is than the side of the lamp, 0…1."""
    smudges: float = 0.0
    """How much wiped-off chalk there is, 0…1."""
    orientation: int = 1
    """Exif orientation it is stored with."""


SCENES = (
    Scene("1-black-pen", ("dddddd", "ddddd", "dddddd"), turn=1.5, digit_height=(48, 58)),
    Scene(
        "2-blue-pen",
        ("ddd dddd", "dddd ddd", "ddd dddd", "dddd ddd"),
        ink=(0.10, 0.16, 0.52),
        sheet=(0.95, 0.95, 0.94),
        desk=(0.25, 0.26, 0.28),
        digit_height=(32, 40),
        turn=-2.5,
        slant=0.04,
        shadow=0.4,
    ),
    Scene(
        "3-amounts",
        ("dddd.dd", "ddd-dddd", "dd.dd"),
        ink=(0.62, 0.10, 0.11),
        sheet=(0.94, 0.90, 0.78),
        desk=(0.55, 0.42, 0.28),
        digit_height=(44, 54),
        turn=1.0,
        falloff=0.4,
    ),
    Scene(
        "4-pencil",
        ("ddddd", "dddddd", "ddddd", "dddddd"),
        ink=(0.33, 0.33, 0.35),
        grain=0.45,
        digit_height=(40, 46),
        turn=-1.0,
        shadow=0.15,
        falloff=0.35,
    ),
    Scene(
        "5-blackboard",
        ("ddddd", "dddddd", "dddd"),
        ink=(0.90, 0.90, 0.86),
        sheet=(0.13, 0.20, 0.17),
        grain=0.35,
        digit_height=(56, 66),
        turn=0.8,
        margin=-0.05,
        shadow=0.0,
        falloff=0.45,
        smudges=0.8,
    ),
    Scene(
        "6-portrait",
        ("dddd", "dddd", "ddddd", "dddd", "ddddd"),
        size=(600, 800),
        ink=(0.07, 0.09, 0.20),
        sheet=(0.90, 0.91, 0.93),
        desk=(0.33, 0.21, 0.15),
        digit_height=(46, 56),
        turn=2.0,
        slant=0.05,
        shadow=0.35,
        orientation=6,
    ),
)


@dataclass(frozen=True)
class Sample:
    """A composed photograph: `jpeg` is the file, `texts` and `raws` the true text of its lines."""

    name: str
    jpeg: bytes
    texts: tuple[str, ...]
    raws: tuple[str, ...]


_FINE = 2  # the sheet is drawn so many times finer than the photo shows it


def compose(
    scene: Scene, images: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> Sample:
    """Compose one photograph.

    `images` uint8 [n, 28, 28], ink bright on 0, and `labels` uint8 [n] are what the digits are drawn from.
    """
    width, height = scene.size
    coverage, raws = _write(scene, images, labels, rng)
    sheet = _sheet(scene, coverage.shape, rng)
    opacity = coverage * (1 - scene.grain * _grain(coverage.shape, rng))
    sheet += opacity[..., None] * (np.asarray(scene.ink, np.float32) - sheet)

    # The sheet on the desk, seen through a lens: the corners go where the camera sees them.
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) * _FINE
    left = top = scene.margin * width
    right, bottom = width - left, height - top
    seen = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    seen += rng.uniform(-scene.slant, scene.slant, (4, 2)).astype(np.float32) * width / 2
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), scene.turn, 1.0)
    seen = seen @ turn[:, :2].T.astype(np.float32) + turn[:, 2].astype(np.float32)
    # Before it is sampled twice as coarsely it is blurred, or fine strokes would turn jagged.
    sheet = cv2.GaussianBlur(sheet, (0, 0), 0.45 * _FINE)
    view = cv2.getPerspectiveTransform(corners, seen)
    photo = cv2.warpPerspective(sheet, view, scene.size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones(sheet.shape[:2], np.float32), view, scene.size, flags=cv2.INTER_LINEAR)
    photo = photo + (1 - mask[..., None]) * _desk(scene, mask, rng)

    photo = photo * _light(scene, rng)[..., None]
    photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.5, 0.8))
    photo = _sensor(photo, rng)
    picture = Image.fromarray(photo)
    raw = tuple(raws)
    texts = tuple("".join(c for c in line if c.isdecimal()) for line in raw)
    return Sample(f"{scene.name}.jpg", _jpeg(picture, scene.orientation), texts, raw)


def _write(
    scene: Scene, images: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Floats, list[str]]:
    """Write the lines on a sheet: how much ink covers each fine pixel (0…1), and the text."""
    width, height = scene.size[0] * _FINE, scene.size[1] * _FINE
    coverage = np.zeros((height, width), np.float32)
    raws = []
    pitch = height * 0.8 / len(scene.lines)
    for number, pattern in enumerate(scene.lines):
        tall = rng.uniform(*scene.digit_height) * _FINE
        x = width * rng.uniform(0.10, 0.28)
        y = height * 0.1 + pitch * (number + 0.5)
        drift = rng.uniform(-0.02, 0.02)
        raw = ""
        for sign in pattern:
            if sign == " ":
                x += 0.7 * tall
                continue
            if sign == "d":
                index = int(rng.integers(len(images)))
                raw += str(labels[index])
                stroke = _digit(images[index], tall * rng.uniform(0.94, 1.06))
                lift = 0.0
            else:
                raw += sign
                stroke = _mark(sign, tall, rng)
                lift = 0.42 * tall if sign == "." else 0.0
            high, wide = stroke.shape
            top = round(y + drift * x + lift + rng.uniform(-0.04, 0.04) * tall - high / 2)
            left = round(x)
            part = coverage[top : top + high, left : left + wide]
            np.maximum(part, stroke, out=part)
            x += wide + tall * rng.uniform(0.12, 0.32)
        raws.append(raw)
    return coverage, raws


def _digit(image: NDArray[np.uint8], tall: float) -> Floats:
    """Return a digit's strokes (0…1) at a size at which MNIST's box of 20 px is `tall`."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    scale = tall / 20
    ink: Floats = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255
    ink = cv2.resize(np.pad(ink, 1), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    # Enlarged greys are a wide ramp; a pen's edge is a narrow one.
    return _smooth_step(cv2.GaussianBlur(ink, (0, 0), 0.2 * scale), 0.3, 0.62)


def _mark(sign: str, tall: float, rng: np.random.Generator) -> Floats:
    """Draw a dot or a dash with a pen as thick as a digit's strokes."""
    thick = max(2, round(tall * 0.11))
    wide = round(tall * rng.uniform(0.3, 0.4)) if sign == "-" else thick
    canvas = np.zeros((4 * thick, wide + 2 * thick), np.uint8)
    rise = round(rng.uniform(-0.5, 0.5) * thick)
    ends = (thick, 2 * thick + rise), (thick + wide - (0 if sign == "-" else thick), 2 * thick - rise)
    cv2.line(canvas, *ends, 255, thick if sign == "-" else round(1.4 * thick), cv2.LINE_AA)
    return cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.12 * thick)


def _smooth_step(values: Floats, low: float, high: float) -> Floats:
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _cloud(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Floats:
    """Return smooth noise of about unit variance with features of about `sigma` pixels."""
    step = max(1, int(sigma / 2))
    small = (shape[0] // step + 2, shape[1] // step + 2)
    noise: Floats = cv2.GaussianBlur(rng.standard_normal(small, np.float32), (0, 0), max(sigma / step, 0.3))
    noise /= noise.std() + 1e-6
    return cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _grain(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return where pencil or chalk misses the tooth of the paper, 0…1."""
    return _smooth_step(_cloud(shape, 1.6, rng) + 0.5 * _cloud(shape, 5, rng), -0.8, 1.6)


def _sheet(scene: Scene, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    texture = 0.006 * _cloud(shape, 1.2, rng) + 0.006 * _cloud(shape, 6, rng) + 0.008 * _cloud(shape, 90, rng)
    sheet = np.asarray(scene.sheet, np.float32) * (1 + texture)[..., None]
    if scene.smudges:
        wiped = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), sigmaX=60, sigmaY=7)
        wiped = _smooth_step(wiped / wiped.std() * 0.6 + _cloud(shape, 120, rng), -0.5, 3.0)
        sheet += scene.smudges * 0.16 * wiped[..., None]
    return np.asarray(sheet, np.float32)


def _desk(scene: Scene, mask: Floats, rng: np.random.Generator) -> Floats:
    """Return the desk: wood with its grain along the picture, darker where the sheet shades it."""
    shape = mask.shape
    rings = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), sigmaX=70, sigmaY=1.2)
    pores = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), sigmaX=9, sigmaY=0.6)
    wood = 0.10 * rings / rings.std() + 0.05 * pores / pores.std() + 0.06 * _cloud(shape, 80, rng)
    shade = 1 - 0.55 * cv2.GaussianBlur(np.roll(mask, (5, 4), (0, 1)), (0, 0), 6)
    return np.asarray(scene.desk, np.float32) * ((1 + wood) * shade)[..., None]


def _light(scene: Scene, rng: np.random.Generator) -> Floats:
    """Return the light on the scene, 0…1: a lamp at one side, a soft shadow, the lens's dark corners."""
    width, height = scene.size
    x, y = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in scene.size))
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 - scene.falloff * (0.5 + 0.5 * (x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2))
    # Whoever takes the picture stands in the light: a shadow from below, rounded like head and shoulders.
    lean = rng.uniform(-0.7, 0.7)
    across, along = x * np.cos(lean) + y * np.sin(lean), y * np.cos(lean) - x * np.sin(lean)
    at, reach = rng.uniform(-0.6, 0.6), rng.uniform(0.0, 0.5)
    edge = along - reach + 0.35 * (across - at) ** 2 + 0.04 * _cloud((height, width), 60, rng)
    light *= 1 - scene.shadow * _smooth_step(edge.astype(np.float32), -0.12, 0.12)
    return np.asarray(light * (1 - 0.12 * (x**2 + y**2)), np.float32)


def _sensor(photo: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Expose, add shot and read noise and white balance, and return 8 bits of RGB."""
    tint = rng.uniform(0.97, 1.03, 3).astype(np.float32)
    photo = np.clip(photo * tint, 0, None)
    photo *= rng.uniform(0.85, 0.95) / max(np.quantile(photo, 0.98), 0.7)  # automatic exposure, up to a limit
    linear = photo**2.2
    noise = rng.standard_normal(photo.shape, np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.6) * 1.6  # demosaicing spreads it
    linear = linear + noise * np.sqrt(0.0002 * linear + 0.000003)
    return np.asarray(np.rint(255 * np.clip(linear, 0, 1) ** (1 / 2.2)), np.uint8)


def _jpeg(upright: Image.Image, orientation: int) -> bytes:
    """Encode a picture as well as `MAX_BYTES` allow, lying as the orientation says (1 or 6)."""
    exif = Image.Exif()
    if orientation == 6:
        upright = upright.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = orientation
    for quality in range(92, 30, -2):
        file = io.BytesIO()
        upright.save(file, "JPEG", quality=quality, optimize=True, exif=exif)
        if file.tell() <= MAX_BYTES:
            break
    return file.getvalue()


def compose_all(images: NDArray[np.uint8], labels: NDArray[np.uint8], seed: int = 0) -> list[Sample]:
    """Compose all `SCENES`; the same pictures, seed and package versions give the same bytes."""
    return [
        compose(scene, images, labels, np.random.default_rng([seed, number]))
        for number, scene in enumerate(SCENES)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the sample pictures and `samples.csv` to a folder.

    Returns 0, or 1 where data or folder can't be used, which one line says.
    """
    parser = argparse.ArgumentParser(prog="edgedigits_train.samples", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--data", type=Path, help="folder with the four MNIST files")
    parser.add_argument("--seed", type=arguments.seed, default=0)
    options = parser.parse_args(argv)
    try:
        _write_all(options.out, options.data, options.seed)
    except EdgeDigitsError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def _write_all(out: Path, data: Path | None, seed: int) -> None:
    mnist = load_mnist(data)
    make_folder(out)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("file", "line", "text", "raw"))
    for sample in compose_all(mnist.test_images, mnist.test_labels, seed):
        write_atomically(out / sample.name, sample.jpeg)
        for number, (text, raw) in enumerate(zip(sample.texts, sample.raws, strict=True)):
            rows.writerow((sample.name, number, text, raw))
        print(f"{sample.name}: {len(sample.jpeg) / 1000:.0f} kB")
    write_atomically(out / "samples.csv", table.getvalue().encode())


if __name__ == "__main__":
    raise SystemExit(main())
