"""Filled-in forms for tests: printed from their form file, written on with MNIST digits, photographed."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.forms.form_file import load_form
from edgedigits.forms.layout import ArucoMarks, CornerMarks, Form, Frame, Reference

Picture = NDArray[np.uint8]

SCALE = 8
"""Pixels per millimetre (or, for a form in fractions, per thousandth of its height)."""


MARKED = load_form("meter-card")
MARKED = replace(
    MARKED,
    name="marked",
    finder=CornerMarks(((0.05, 0.07), (0.95, 0.07), (0.95, 0.93), (0.05, 0.93)), 0.03),
)
"""A form that is found by marks at its corners."""


class Pens:
    """MNIST's test digits by label."""

    def __init__(self, folder: Path) -> None:
        with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
            self._images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
        with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
            self._labels = np.frombuffer(file.read(), np.uint8, offset=8)

    def digit(self, label: str, draw: np.random.Generator) -> Picture:
        """Return some digit of that label: 28×28, 255 full ink."""
        return self._images[draw.choice(np.flatnonzero(self._labels == int(label)))]


def page_size(form: Form) -> tuple[int, int]:
    """Return width and height of a printed form in pixels."""
    assert form.size is not None
    unit = 1.0 if max(form.size) > 20 else 100 / form.size[1]
    return round(form.size[0] * unit * SCALE), round(form.size[1] * unit * SCALE)


def print_form(form: Form, level: int = 235, line: int = 3) -> Picture:
    """Return the blank form, H×W grey: everything its file says is printed, and some words."""
    w, h = page_size(form)
    page = np.full((h, w), level, np.uint8)

    def point(x: float, y: float) -> tuple[int, int]:
        return round(x * (w - 1)), round(y * (h - 1))

    if isinstance(form.finder, Frame):
        x, y, fw, fh = form.finder.box
        cv2.rectangle(page, point(x, y), point(x + fw, y + fh), 40, line + 2, cv2.LINE_AA)
    if isinstance(form.finder, CornerMarks):
        half = form.finder.side / 2 * w
        for x, y in form.finder.centres:
            low = (round(x * w - half), round(y * h - half))
            cv2.rectangle(page, low, (round(x * w + half), round(y * h + half)), 30, cv2.FILLED)
    if isinstance(form.finder, ArucoMarks):
        words = cv2.aruco.getPredefinedDictionary(
            getattr(cv2.aruco, f"DICT_{form.finder.dictionary.upper()}")
        )
        for number, corners in form.finder.corners.items():
            (left, top), (right, _) = point(*corners[0]), point(*corners[1])
            side = right - left
            if hasattr(cv2.aruco, "generateImageMarker"):
                mark = cv2.aruco.generateImageMarker(words, number, side)
            else:
                mark = cv2.aruco.drawMarker(words, number, side)
            page[top : top + side, left : left + side] = np.maximum(mark, 30)
    for x, y, bw, bh in form.printed:
        cv2.rectangle(page, point(x, y), point(x + bw, y + bh), 60, line, cv2.LINE_AA)
    for field in form.fields:
        boxes = form.cell_boxes(field) if field.printed == "boxes" else [field.box]
        for x, y, bw, bh in boxes:
            if field.printed == "line":
                cv2.line(page, point(x, y + bh), point(x + bw, y + bh), 60, line, cv2.LINE_AA)
            elif field.printed != "none":
                cv2.rectangle(page, point(x, y), point(x + bw, y + bh), 60, line, cv2.LINE_AA)
    return page


def referenced(folder: Path) -> tuple[Form, Picture]:
    """Return a form that is found by a picture of the blank page, and that page: boxes, words, a logo."""
    form = replace(load_form("meter-card"), name="referenced")
    page = print_form(replace(form, finder=MARKED.finder))
    draw = np.random.default_rng(5)
    for row in range(9):
        words = " ".join("".join(chr(c) for c in draw.integers(97, 123, n)) for n in draw.integers(3, 9, 6))
        cv2.putText(page, words, (90, 120 + 75 * row), cv2.FONT_HERSHEY_COMPLEX, 0.9, 60, 2, cv2.LINE_AA)
    cv2.imwrite(str(folder / "blank.png"), cv2.resize(page, None, fx=0.7, fy=0.7))
    return replace(form, finder=Reference(folder / "blank.png")), page


def fill_in(page: Picture, form: Form, values: Mapping[str, str], pens: Pens, seed: int) -> Picture:
    """Return the page with values written into its fields; a space leaves a cell blank, a `.` is a dot."""
    draw = np.random.default_rng(seed)
    page = page.copy()
    h, w = page.shape
    for field in form.fields:
        text = values.get(field.name, "")
        x, y, bw, bh = field.box
        high = bh * h
        if field.style == "comb":
            places = [(bx + cw / 2) * w for bx, _, cw, _ in form.cell_boxes(field)]
            size = min(0.95 * high, 1.15 * w * form.cell_boxes(field)[0][2])
        else:
            size = 0.85 * high
            step = min(0.62 * size, 0.9 * bw * w / max(1, len(text)))
            places = [x * w + 0.06 * bw * w + (k + 0.5) * step for k in range(len(text))]
        for character, middle in zip(text, places, strict=False):
            # MNIST's digit is 20 of 28 pixels high.
            side = round(size * draw.uniform(0.95, 1.1))
            across = round(middle - side / 2 + draw.uniform(-0.03, 0.03) * size)
            down = round((y + bh / 2) * h - side / 2 + draw.uniform(-0.04, 0.04) * size)
            if character == ".":
                cv2.circle(
                    page, (round(middle), round(down + 0.82 * side)), max(3, round(0.045 * size)), 50, -1
                )
            elif character != " ":
                _write(page, pens.digit(character, draw), across, down, side)
    return page


def _write(page: Picture, digit: Picture, left: int, top: int, side: int) -> None:
    ink = cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    ink = np.clip(cv2.GaussianBlur(ink, (0, 0), side / 90), 0, 1)
    ink = ink[max(0, -top) :, max(0, -left) :]
    area = page[max(0, top) : top + side, max(0, left) : left + side]
    area[:] = (area * (1 - 0.8 * ink[: area.shape[0], : area.shape[1]])).astype(np.uint8)


def photograph(
    page: Picture,
    seed: int,
    size: tuple[int, int] = (1120, 840),
    desk: int = 90,
    tilt: float = 0.06,
    share: float = 0.78,
    bow: float = 0.004,
    turn: float = 0.0,
) -> tuple[Picture, NDArray[np.float64]]:
    """Return a phone's picture of a page on a desk, H×W×3: perspective, a bow, light from one side, noise.

    `size` is (width, height), `share` the part of it that the page takes up, `turn` degrees clockwise. The
    page's corners in the picture come with it, 4×2, from the upright page's top left clockwise.
    """
    draw = np.random.default_rng(seed)
    h, w = page.shape
    wide, high = size
    angle = np.radians(turn + draw.uniform(-3, 3))
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = (np.array([[0, 0], [w, 0], [w, h], [0, h]]) - [w / 2, h / 2]) @ spin.T
    extent = np.ptp(corners, axis=0)
    scale = share * min(wide / extent[0], high / extent[1])
    there = corners * scale + [wide / 2, high / 2]
    there += draw.uniform(-tilt, tilt, (4, 2)) * extent * scale / 2
    matrix = cv2.getPerspectiveTransform(
        np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32), there.astype(np.float32)
    )
    inverse = np.linalg.inv(matrix)
    grid = np.stack(np.meshgrid(np.arange(wide), np.arange(high)), axis=-1).reshape(-1, 2)
    lifted = np.column_stack([grid, np.ones(len(grid))]) @ inverse.T
    own = lifted[:, :2] / lifted[:, 2:]
    own[:, 1] += bow * h * np.sin(np.pi * own[:, 0] / w)
    x, y = (own[:, k].reshape(high, wide).astype(np.float32) for k in (0, 1))
    smooth = cv2.GaussianBlur(page, (0, 0), max(0.3, 0.5 / scale))
    seen = cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    grain = cv2.GaussianBlur(draw.normal(0, 12, (high, wide)).astype(np.float32), (0, 0), 2.5)
    picture = np.where(inside, seen, desk + 3 * grain).astype(np.float32)
    u, v = np.meshgrid(np.linspace(-1, 1, wide), np.linspace(-1, 1, high))
    a, b = draw.uniform(-0.18, 0.18, 2)
    light = 0.85 + a * u + b * v
    light -= 0.25 / (1 + np.exp(-(u * draw.choice([-1, 1]) + 0.4 * v - 0.2) * 14))  # someone's shadow
    colour = picture[..., None] * light[..., None] * np.array([0.93, 0.98, 1.0])
    colour += draw.normal(0, 2.5, colour.shape)
    picture = cv2.GaussianBlur(np.clip(colour, 0, 255).astype(np.uint8), (0, 0), 0.7)
    _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8), there


def photograph_apart(
    pages: Sequence[Picture],
    places: Sequence[tuple[float, float, float, float]],
    desk: int,
    seed: int,
    shadow: bool = True,
) -> Picture:
    """Return a picture of pages that lie beside one another, 1080×1440×3, a soft `shadow` over some of it.

    A place is the page's middle (x, y) and its width in fractions of the picture's, and its turn in degrees.
    """
    draw = np.random.default_rng(seed)
    high, wide = 1080, 1440
    picture = desk + 3 * cv2.GaussianBlur(draw.normal(0, 12, (high, wide)).astype(np.float32), (0, 0), 2.5)
    for page, (x, y, share, turn) in zip(pages, places, strict=True):
        h, w = page.shape
        scale = share * wide / w
        own = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
        angle = np.radians(turn)
        spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        there = (own - [w / 2, h / 2]) @ spin.T * scale + [x * wide, y * high]
        there += draw.uniform(-0.03, 0.03, (4, 2)) * np.ptp(there, axis=0)
        matrix = cv2.getPerspectiveTransform(own, there.astype(np.float32))
        smooth = cv2.GaussianBlur(page, (0, 0), max(0.3, 0.5 / scale))
        covered = cv2.warpPerspective(np.full_like(page, 255), matrix, (wide, high)) / 255.0
        picture = picture * (1 - covered) + cv2.warpPerspective(smooth, matrix, (wide, high)) * covered
    u, v = np.meshgrid(np.linspace(-1, 1, wide), np.linspace(-1, 1, high))
    light = 0.9 + 0.1 * u - shadow * 0.35 / (1 + np.exp(-(u + 0.4 * v - 0.1) * 14))
    seen = (picture * light)[..., None] * np.array([0.93, 0.98, 1.0])
    seen += draw.normal(0, 2.5, seen.shape)
    return np.asarray(cv2.GaussianBlur(np.clip(seen, 0, 255).astype(np.uint8), (0, 0), 0.7), np.uint8)
