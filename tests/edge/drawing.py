"""Pictures of digits for tests: in OpenCV's font, and of pictures of digits in a row and in tables."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Digits = tuple[NDArray[np.uint8], NDArray[np.integer]]
"""MNIST's pictures and labels."""


def paper(height: int = 240, width: int = 640, level: int = 225) -> NDArray[np.uint8]:
    """Return an empty sheet, H×W×3."""
    return np.full((height, width, 3), level, np.uint8)


def write(
    image: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    size: float = 1.5,
    ink: tuple[int, int, int] = (40, 30, 30),
    thickness: int = 3,
    spacing: int = 14,
) -> NDArray[np.uint8]:
    """Write `text` character by character, baseline and left end at `at` (x, y), well spaced."""
    x, y = at
    for character in text:
        (width, _), _ = cv2.getTextSize(character, cv2.FONT_HERSHEY_SIMPLEX, size, thickness)
        cv2.putText(image, character, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, thickness, cv2.LINE_AA)
        x += width + spacing
    return image


def printed(letter: str) -> NDArray[np.uint8]:
    """Return a character in print, as high as MNIST's digits: 28×28, ink bright on 0."""
    picture = np.zeros((28, 28), np.uint8)
    cv2.putText(picture, letter, (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2, cv2.LINE_AA)
    return picture


def in_a_row(pictures: Sequence[NDArray[np.uint8]], gap: int) -> NDArray[np.uint8]:
    """Return pictures (28×28, ink bright), `gap` pixels apart, on a strip of paper, three times as large."""
    inks = [picture[:, x : x + w] for picture in pictures for x, _, w, _ in [cv2.boundingRect(picture)]]
    paper = np.zeros((40, 20 + sum(ink.shape[1] + gap for ink in inks)), np.uint8)
    x = 10
    for ink in inks:
        place = paper[6:34, x : x + ink.shape[1]]
        np.maximum(place, ink, out=place)
        x += ink.shape[1] + gap
    large = cv2.resize(paper, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    return np.asarray(225 - 0.8 * large.astype(np.float32), np.float32).astype(np.uint8)


def number(
    digits: Digits,
    random: np.random.Generator,
    count: int,
    gap: int = 3,
) -> tuple[str, NDArray[np.uint8]]:
    """Return the text of a number of `count` of MNIST's digits (pictures, labels), and its ink, 56 high."""
    images, labels = digits
    chosen = random.integers(len(images), size=count)
    ink = np.zeros((28, 40 * count), np.uint8)
    x = 0
    for k in chosen:
        left, _, width, _ = cv2.boundingRect(images[k])
        ink[:, x : x + width] = images[k][:, left : left + width]
        x += width + gap
    large = cv2.resize(ink[:, : x - gap], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return "".join(str(labels[k]) for k in chosen), np.asarray(large, np.uint8)


def in_rows(
    digits: Digits,
    random: np.random.Generator,
    rows: int,
    count: int,
    slender: float = 1.0,
) -> NDArray[np.uint8]:
    """Return rows of numbers of `count` of MNIST's digits (pictures, labels), so many times as wide."""
    inks = [number(digits, random, count, int(random.integers(2, 8)))[1] for _ in range(rows)]
    apart = int(56 * random.uniform(1.0, 1.6))
    page = np.zeros((apart * (rows - 1) + 56 + 60, max(ink.shape[1] for ink in inks) + 60), np.uint8)
    for k, ink in enumerate(inks):
        place = page[30 + k * apart :, 30:][:56, : ink.shape[1]]
        np.maximum(place, ink, out=place)
    page = np.asarray(cv2.resize(page, None, fx=slender, fy=1, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(225 - 0.7 * page.astype(np.float32), np.float32).astype(np.uint8)


_S = [(27, 9), (20, 1), (8, 1), (1, 8), (2, 16), (14, 24), (26, 31), (27, 40), (20, 47), (7, 47), (0, 39)]


def with_signs(
    text: str, digits: Digits, random: np.random.Generator, beyond: float = 0.15, wide: float = 0.5
) -> NDArray[np.uint8]:
    """Return a strip with a text of digits (pictures, labels) and of any of these signs: / - . , : $

    Slashes reach so far above and below the digits, and are so wide, in heights of these.
    """
    images, labels = digits
    tall, gap = 48, 9
    ink = np.zeros((3 * tall, 2 * tall * (len(text) + 2)), np.uint8)
    x = tall
    base, middle = 2 * tall, tall + tall // 2
    strokes = {
        "/": [((0, round(base + beyond * tall)), (round(wide * tall), round(tall - beyond * tall)))],
        "-": [((0, middle), (tall // 2, middle - 1))],
        ".": [((2, base - 3), (2, base - 2))],
        ",": [((4, base - 4), (0, base + 8))],
        ":": [((2, base - 12), (2, base - 11)), ((2, tall + 14), (2, tall + 15))],
        "$": [*itertools.pairwise((x, tall + y) for x, y in _S), ((14, tall - 7), (14, base + 7))],
    }
    for sign in text:
        if sign.isdigit():
            image = images[int(random.choice(np.flatnonzero(labels == int(sign))))]
            left, above, w, h = cv2.boundingRect(image)
            width = max(4, round(w * tall / h))
            ink[tall:base, x : x + width] = cv2.resize(
                image[above : above + h, left : left + w], (width, tall)
            )
        else:
            for (x1, y1), (x2, y2) in strokes[sign]:
                cv2.line(ink, (x + x1, y1), (x + x2, y2), 255, 5, cv2.LINE_AA)
            width = max(max(x1, x2) for (x1, _), (x2, _) in strokes[sign])
        x += width + gap
    return np.asarray(225 - 0.7 * ink[:, : x + tall].astype(np.float32), np.float32).astype(np.uint8)


IN_ROWS: dict[str, tuple[int, int, float]] = {
    "a digit": (1, 1, 1.0),
    "a slender digit": (1, 1, 0.6),
    "two digits": (1, 2, 1.0),
    "three digits": (1, 3, 1.0),
    "four digits": (1, 4, 1.0),
    "two in a column": (2, 1, 1.0),
    "three in a column": (3, 1, 1.0),
    "two rows of two": (2, 2, 1.0),
}
"""Short numbers and columns, as people write them: rows, digits in each, and how wide they are."""


def table(
    digits: Digits,
    random: np.random.Generator,
    grey: int,
    thick: int,
    level: bool,
    margin: int = 14,
    longest: int = 4,
) -> tuple[NDArray[np.float64], list[str]]:
    """Return a table of six rows and four columns of numbers, light 0…255, and the numbers.

    They have two to `longest` digits, and stand `margin` pixels from the line to the right. The lines are as
    bright as `grey`, `thick` pixels thick, and go down alone where the table has no `level` ones.
    """
    numbers = [
        [number(digits, random, int(random.integers(2, longest + 1))) for _ in range(4)] for _ in range(6)
    ]
    wide = [max(row[k][1].shape[1] for row in numbers) + 2 * margin for k in range(4)]
    edges = np.cumsum([60, *wide])
    page = np.full((60 + 6 * 84 + 60, int(edges[-1]) + 60), 228.0)
    for x in edges.tolist():
        cv2.line(page, (x, 40), (x, len(page) - 40), grey, thick)
    for y in range(60, len(page), 84) if level else ():
        cv2.line(page, (40, y), (page.shape[1] - 40, y), grey, thick)
    for j, row in enumerate(numbers):
        for k, (_, ink) in enumerate(row):
            x, y = int(edges[k + 1]) - margin - ink.shape[1], 60 + 84 * j + 14
            place = page[y : y + len(ink), x : x + ink.shape[1]]
            np.minimum(place, 228 - 0.8 * ink, out=place)
    return page, [text for row in numbers for text, _ in row]


def lines_down(
    digits: Digits,
    random: np.random.Generator,
    grey: int,
    thick: int,
    pitch: int,
    level: bool,
) -> tuple[NDArray[np.float64], list[str]]:
    """Return a page of six numbers of three to five digits, light 0…255, and the numbers.

    They stand anywhere on lines that go down `pitch` pixels apart, 0 for one alone, and across, if `level`.
    """
    page = np.full((620, 760), 228.0)
    middle = int(random.integers(200, 420))
    for x in range(20, 750, pitch) if pitch else (middle,):
        cv2.line(page, (x, 0), (x, len(page)), grey, thick)
    for y in range(30, len(page), pitch or 80) if level else ():
        cv2.line(page, (0, y), (page.shape[1], y), grey, thick)
    texts = []
    for k in range(6):
        text, ink = number(digits, random, int(random.integers(3, 6)), gap=7)
        x, y = int(random.integers(60, 300)), 46 + 92 * k
        if not pitch:
            x = middle - int(random.integers(30, ink.shape[1] - 30))
        place = page[y : y + len(ink), x : x + ink.shape[1]]
        np.minimum(place, 228 - 0.8 * ink, out=place)
        texts.append(text)
    return page, texts


def photo(page: NDArray[np.float64], turn: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a page (light 0…255) as a photo of it, turned by some degrees."""
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1)
    seen = cv2.warpAffine(page, matrix, (width, height), borderValue=(228,))
    noisy = cv2.GaussianBlur(seen, (0, 0), 0.8) + random.normal(0, 3, page.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)
