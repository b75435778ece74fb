"""What stands beside digits and is none: the eleventh class.

Parts of digits, digits that touch or are crossed out, punctuation, letters, pieces of ruled lines, and
pictures of other things. What could be taken for a digit by a person, too (the upper half of an 8 is a 0, a
slash is a 1, a capital O a zero), is left out: it would teach the network to doubt digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from edgedigits.normalize import SIZE, normalize
from edgedigits_train import letter_forms
from edgedigits_train.augment import CANVAS, draw, found_again, photograph
from edgedigits_train.distance_fields import FIELD, fields
from edgedigits_train.recipe import Augmentation
from edgedigits_train.struck import struck_out

LETTERS = "ACEFHKLMNPRUVWXadefhkmnprtuvwx@&%$§"
"""Letters and signs that are no digit's likeness: no O, I, l, Z, S, B, b, G, g, q, T, y, z."""
PRINTED = LETTERS + "BTYcy"
"""With what a hand writes like a digit, and print doesn't."""
MARKS = ".,:;-=+*#?<>~^_{}"
FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Italic.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralItalic.ttf",
    "DejaVuSansMono.ttf",
    "STIXGeneralBolIta.ttf",
)
"""Free fonts that come with matplotlib, so that they are the same on every machine."""

KINDS = {"part": 0.15, "pair": 0.3, "letter": 0.25, "mark": 0.1, "line": 0.2}
"""Share of each kind among what is drawn; negatives come on top."""

PARTS: Mapping[int, str] = {0: "tb", 2: "b", 3: "l", 5: "tb", 8: "l"}
"""Which half of which digit is kept (top, bottom, left): those that are no other digit. The stem of a 4 or
9 and the upper stroke of a 6 are a 1."""


def drawings(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    count: int,
    random: np.random.Generator,
    struck: float = 0.0,
    written: float = 0.0,
) -> npt.NDArray[np.uint8]:
    """Return `count` pictures of what is no digit: uint8, N×56×56, ink bright on 0.

    `images` (uint8, N×28×28) and `labels` are the digits that parts and pairs are made of. The share `struck`
    (0…1) are digits crossed out, the others of `KINDS`. Of the letters the share `written` (0…1) are drawn as
    a hand does, the others in a font: where there are any written ones, those that are so only in print, too.
    """
    names = list(KINDS)
    kinds = random.choice(len(names), size=count, p=np.array(list(KINDS.values())) / sum(KINDS.values()))
    # Where there are none, `random` is not asked, and gives the other kinds as it gave them before.
    crossed = random.random(count) < struck if struck else np.zeros(count, bool)
    by_hand = random.random(count) < written if written else np.zeros(count, bool)
    result = np.zeros((count, FIELD, FIELD), np.uint8)
    for i, kind in enumerate(kinds):
        name = names[kind]
        if crossed[i]:
            chosen = int(random.integers(len(images)))
            picture = struck_out(images[chosen], int(labels[chosen]), random)
        elif name == "part":
            picture = _part(images, labels, random)
        elif name == "pair":
            picture = _pair(images, labels, random)
        elif name == "line":
            picture = _lines(random)
        elif name == "letter" and by_hand[i]:
            picture = letter_forms.letter(random)
        else:
            text = MARKS if name == "mark" else PRINTED if written else LETTERS
            picture = letter(text[random.integers(len(text))], FONTS[random.integers(len(FONTS))])
        result[i] = _fitted(picture)
    return result


def crops(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    negatives: npt.NDArray[np.uint8],
    count: int,
    settings: Augmentation,
    random: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Return `count` pictures of what is no digit as the device crops them: uint8, N×28×28.

    `images` and `labels` are the digits that parts and pairs are made of; `negatives` (uint8, N×28×28,
    things bright on 0; may be none) make up a fifth of what is returned. Whatever is drawn comes from
    `random` alone.
    """
    things = count // 5 if len(negatives) else 0
    pictures = drawings(images, labels, count - things, random, settings.struck, settings.written)
    drawn = draw(fields(pictures), np.full(len(pictures), -1), settings, random)
    seen = [_seen(negatives[random.integers(len(negatives))], settings, random) for _ in range(things)]
    return np.concatenate([drawn, np.array(seen, np.uint8).reshape(-1, SIZE, SIZE)])


def _seen(
    thing: npt.NDArray[np.uint8], settings: Augmentation, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return the device's crop of a thing, mirrored and turned a little, seen in one of three ways."""
    if random.random() < 0.5:
        thing = thing[:, ::-1]
    way = random.integers(3)
    if way == 0:
        return normalize(np.ascontiguousarray(thing))
    side = int(random.integers(24, CANVAS))
    turn = cv2.getRotationMatrix2D((13.5, 13.5), random.uniform(-15, 15), side / SIZE)
    matrix = np.asarray(turn, np.float32)
    matrix[:, 2] += (CANVAS - SIZE) / 2
    large = cv2.warpAffine(np.ascontiguousarray(thing), matrix, (CANVAS, CANVAS), flags=cv2.INTER_LINEAR)
    grey = (
        255 - large
        if way == 1
        else photograph(np.asarray(large, np.float32) / np.float32(255), settings, random)
    )
    glyph = found_again(np.asarray(grey, np.uint8))
    return normalize(np.asarray(large, np.uint8) if glyph is None else glyph)


def _fitted(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Scale the ink to the digits' size, 40 field pixels on its longest side, in the middle of a field."""
    x, y, width, height = cv2.boundingRect(picture)
    field = np.zeros((FIELD, FIELD), np.uint8)
    if not width or not height:
        return field
    # A dot is not blown up to a disc.
    scale = 40 / max(width, height, 10)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(picture[y : y + height, x : x + width], size, interpolation=cv2.INTER_AREA)
    top, left = (FIELD - size[1]) // 2, (FIELD - size[0]) // 2
    field[top : top + size[1], left : left + size[0]] = small
    return field


def _part(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    while True:
        i = int(random.integers(len(images)))
        sides = PARTS.get(int(labels[i]))
        if sides:
            break
    image, side = images[i], sides[random.integers(len(sides))]
    x, y, width, height = cv2.boundingRect(image)
    kept = random.uniform(0.35, 0.55)
    if side == "t":
        return image[y : y + round(height * kept), x : x + width]
    if side == "b":
        return image[y + height - round(height * kept) : y + height, x : x + width]
    return image[y : y + height, x : x + max(2, round(width * kept))]


def _pair(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Two or three digits in a row, touching or nearly so.

    Never two 1s side by side: where they touch they are the 1 with a long up-stroke of half the world.
    """
    wide = np.zeros((SIZE, 3 * SIZE + 12), np.uint8)
    at, before = 2, 0
    for _ in range(2 if random.random() < 0.75 else 3):
        chosen = int(random.integers(len(images)))
        while before == 1 and labels[chosen] == 1:
            chosen = int(random.integers(len(images)))
        image, before = images[chosen], int(labels[chosen])
        x, _, width, _ = cv2.boundingRect(image)
        piece = image[:, x : x + width]
        at = max(0, at)
        place = wide[:, at : at + width]
        np.maximum(place, piece, out=place)
        at += width + int(random.integers(-4, 3))
    return wide


def _lines(random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Pieces of rules and boxes: flat lines, corners, crossings; never a lone upright one, which is a 1."""
    picture = np.zeros((96, 96), np.uint8)
    thick = int(random.integers(2, 9))
    kind = random.integers(4)
    if kind == 0:
        for _ in range(int(random.integers(1, 4))):
            y = int(random.integers(20, 76))
            end = (int(random.integers(60, 92)), y + int(random.integers(-18, 19)))
            cv2.line(picture, (int(random.integers(4, 30)), y), end, 255, thick)
    elif kind == 1:
        x, y = (int(v) for v in random.integers(15, 81, 2))
        cv2.line(picture, (x, 4), (x + int(random.integers(-4, 5)), 91), 255, thick)
        cv2.line(picture, (4, y), (91, y + int(random.integers(-4, 5))), 255, thick)
    elif kind == 2:
        knots = random.integers(6, 90, (int(random.integers(4, 8)), 2)).astype(np.int32)
        cv2.polylines(picture, [knots], False, 255, max(2, thick // 2))
    else:
        for _ in range(int(random.integers(4, 14))):
            x, y = (int(v) for v in random.integers(8, 88, 2))
            cv2.circle(picture, (x, y), int(random.integers(2, 9)), 255, -1)
    return picture


@cache
def letter(text: str, font: str) -> npt.NDArray[np.uint8]:
    """Return a character in one of `FONTS`: uint8, 160×160, ink bright on 0."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / font
    image = Image.new("L", (160, 160))
    ImageDraw.Draw(image).text((80, 80), text, 255, ImageFont.truetype(str(path), 80), anchor="mm")
    return np.asarray(image)
