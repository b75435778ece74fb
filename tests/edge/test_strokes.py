"""Pen strokes: taken from JSON, drawn like a scan, and read."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.edge import pen

from edgedigits import Reader
from edgedigits.normalize import normalize
from edgedigits.serve.strokes import (
    LARGEST,
    MOST_POINTS,
    MOST_STROKES,
    PenSettings,
    Stroke,
    read_strokes,
    render,
    strokes_of,
)


@pytest.fixture(scope="module")
def reading() -> Reader:
    return Reader()


def as_strokes(points: list[pen.Points], scale: float = 100.0) -> list[Stroke]:
    return [Stroke(p * scale) for p in points]


def guess(reading: Reader, strokes: list[Stroke]) -> str:
    page = read_strokes(reading, strokes, (800, 400))
    return "".join(
        d.alternatives[0][0] if d.rejected else d.label for line in page.lines for d in line.digits
    )


def test_written_digits_are_read(reading: Reader) -> None:
    """Two hands, ten digits, ten times each: at least 95 in 100 right."""
    wrong = [
        (label, hand, seed)
        for label in "0123456789"
        for hand in (0, 1)
        for seed in range(10)
        if guess(reading, as_strokes(pen.digit(label, hand, seed))) != label
    ]
    assert len(wrong) <= 10, wrong


def test_numbers_are_read_at_any_size_and_place(reading: Reader) -> None:
    for height, at in ((3.0, (0, 0)), (80.0, (500, -20)), (4000.0, (-9000, 9000))):
        strokes = [Stroke(p) for p in pen.number("40723", height, seed=1, at=at)]
        page = read_strokes(reading, strokes, (800, 400))
        assert [line.text for line in page.lines] == ["40723"]
        # The boxes are where the strokes are.
        for box, label in zip([d.box for d in page.lines[0].digits], range(5), strict=True):
            assert abs(box[0] - at[0] - 1.05 * height * label) < 0.5 * height + 2
            assert abs(box[1] - at[1]) < 0.3 * height + 2
            assert abs(box[3] - height) < 0.5 * height + 2


def test_two_lines_are_two_lines(reading: Reader) -> None:
    strokes = [Stroke(p) for p in pen.number("271", 60, at=(20, 20)) + pen.number("604", 60, at=(20, 160))]
    assert [line.text for line in read_strokes(reading, strokes, (800, 400)).lines] == ["271", "604"]


def test_centre_lines_of_scanned_digits_are_read(reading: Reader, data_set: Callable[[str], Path]) -> None:
    """250 MNIST test digits, their centre lines played as strokes: at least 90 % are read as they were."""
    folder = data_set("mnist")
    images = np.frombuffer(
        gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
    )
    labels = np.frombuffer(
        gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8
    )
    chosen = range(0, 10_000, 40)
    right = sum(
        guess(reading, as_strokes(pen.centre_lines(images.reshape(-1, 28, 28)[k]), 10)) == str(labels[k])
        for k in chosen
    )
    assert right >= 0.9 * len(chosen)


def test_the_pen_is_as_wide_as_mnists() -> None:
    """Ink above half in the centred glyph; MNIST's 5, 50 and 95 % quantiles are 52, 101 and 165 pixels."""
    areas = [
        np.count_nonzero(normalize(render(as_strokes(pen.digit(label, hand, seed))).ink) > 127)
        for label in "0123456789"
        for hand in (0, 1)
        for seed in range(5)
    ]
    low, middle, high = np.percentile(areas, [5, 50, 95])
    assert 40 < low < 110
    assert 85 < middle < 130
    assert high < 165


def test_strokes_are_drawn_alike_at_any_size() -> None:
    points = pen.digit("8", 0, 1)
    small, large = render(as_strokes(points, 2)), render(as_strokes(points, 5000))
    assert np.abs(small.ink.astype(int) - large.ink).mean() < 1
    assert small.ink.max() == 255
    assert set(np.unique(small.ink)) - {0, 255}, "no greys: the edges are not anti-aliased"
    assert not small.ink[0].any()
    assert not small.ink[:, -1].any()


def test_pressure_is_width() -> None:
    points = np.array([[0, 0], [0, 100.0]])

    def area(pressure: float | None) -> float:
        given = None if pressure is None else np.full(2, pressure)
        return float(render([Stroke(points, given)]).ink.sum())

    assert area(0.0) < 0.8 * area(0.5) < 0.8 * area(1.0)
    assert area(0.5) == pytest.approx(area(None), rel=0.1)


def test_any_amount_of_writing_fits() -> None:
    settings = PenSettings()
    far = [Stroke(np.array([[x, 0], [x, 1.0]])) for x in (0, 1e6)]
    many = [Stroke(np.random.default_rng(k).uniform(0, 1e4, (50, 2))) for k in range(100)]
    dot = [Stroke(np.array([[3.0, 4.0]]))]
    for strokes in (far, many, dot):
        ink = render(strokes, settings).ink
        assert ink.size <= 1.1 * settings.most_pixels
        assert ink.any()


def test_nothing_written_is_nothing_read(reading: Reader) -> None:
    assert read_strokes(reading, [], (10, 20)).lines == ()
    assert read_strokes(reading, strokes_of([[]]), (10, 20)).size == (10, 20)
    with pytest.raises(ValueError, match="write something"):
        render([])


def test_points_come_with_and_without_pressure_and_time() -> None:
    strokes = strokes_of(
        json.loads("[[[1, 2], [3, 4.5]], [], [[0, 0, 0.25, 17], [1, 1, 1.0, 18]], [[5, 5, null, 9]]]")
    )
    assert [len(stroke.points) for stroke in strokes] == [2, 2, 1]
    assert [stroke.pressure is None for stroke in strokes] == [True, False, True]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (None, "list"),
        ("x", "list"),
        ({"0": []}, "list"),
        ([1], "stroke 1"),
        ([[[1, 2]], [[1]]], "stroke 2"),
        ([[[1, 2, 3, 4, 5]]], "stroke 1"),
        ([[[True, False]]], "stroke 1"),
        ([[["1", "2"]]], "stroke 1"),
        ([[[float("nan"), 1]]], "stroke 1"),
        ([[[float("inf"), 1]]], "stroke 1"),
        ([[[10**400, 1]]], "stroke 1"),
        ([[[2 * LARGEST, 1]]], "stroke 1"),
        ([[[1, 2, 1.5]]], "pressure"),
        ([[[1, 2, "x"]]], "pressure"),
        ([[[0, 0]]] * (MOST_STROKES + 1), f"at most {MOST_STROKES}"),
        ([[[0, 0]] * (MOST_POINTS + 1)], f"more than {MOST_POINTS}"),
    ],
)
def test_what_is_no_stroke_is_refused_in_one_line(values: object, word: str) -> None:
    with pytest.raises(ValueError, match=word) as caught:
        strokes_of(values)
    assert "\n" not in str(caught.value)
