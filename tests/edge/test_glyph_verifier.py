"""The glyph way's readings, looked at again by the network that knows the characters of strips."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgedigits import Line, Reader
from edgedigits.card import split_bytes
from edgedigits.decode.lattice import Arc, Reading, best_readings
from edgedigits.decode.prior import PriorSettings
from edgedigits.runtime import read_model
from edgedigits.ways.verifier import Verifier


@pytest.fixture(scope="module")
def paper(data_set: Callable[[str], Path]) -> np.ndarray:
    """Grey paper that says 40718, in digits of MNIST's test part."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    row = [mnist.test_images[np.flatnonzero(mnist.test_labels == int(digit))[3]] for digit in "40718"]
    written = 225 - (0.7 * np.hstack(row)).astype(np.uint8)
    large = cv2.resize(written, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.copyMakeBorder(large, 40, 40, 30, 30, cv2.BORDER_CONSTANT, value=(225,)), np.uint8)


def read(
    paper: np.ndarray, texts: dict[str, float], monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Line:
    """Read a line whose lattice holds these texts, with these probabilities, for its glyphs."""

    def readings(*given: Any) -> list[Reading]:
        (best, *_) = best_readings(*given)
        assert len(best.text) == 5
        return [Reading(text, probability, best.arcs) for text, probability in texts.items()]

    monkeypatch.setattr("edgedigits.ways.glyph_reading.best_readings", readings)
    reader = Reader(way="glyph", prior=PriorSettings(weight=0), **settings)
    (line,) = reader.read(paper, upright=True).lines
    return line


@pytest.mark.parametrize("slope", [0.0, 0.12])
def test_of_equally_likely_readings_the_one_that_both_networks_see_is_best(
    paper: np.ndarray, slope: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    height, width = paper.shape
    matrix = np.array([[1.0, 0, 0], [slope, 1.0, -slope * width / 2]])
    level = cv2.warpAffine(paper, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    texts = dict.fromkeys(("90718", "40778", "40718", "46718"), 0.25)
    line = read(np.asarray(level, np.uint8), texts, monkeypatch)
    assert line.text == "40718"
    assert line.readings[0][1] > 5 * line.readings[1][1]
    # Without it nothing tells them apart.
    line = read(np.asarray(level, np.uint8), texts, monkeypatch, character_model=None)
    assert line.readings[0][1] == pytest.approx(line.readings[1][1], rel=0.05)


def test_a_reading_that_is_doubted_is_less_sure_though_there_is_no_other(
    paper: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, least, most in (("40718", 0.97, 1.0), ("40778", 0.1, 0.85), ("90778", 0.05, 0.7)):
        alone = read(paper, {text: 1.0}, monkeypatch, character_model=None)
        looked = read(paper, {text: 1.0}, monkeypatch)
        assert least * alone.confidence < looked.confidence <= most * alone.confidence
        assert looked.text == alone.text


def test_each_reading_is_doubted_by_itself(paper: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a form takes in the place of the best has its own doubt, and not that of the best."""
    alone = dict(read(paper, {"40718": 0.5, "40778": 0.5}, monkeypatch).readings)
    doubted = dict(read(paper, {"40778": 0.5, "90778": 0.5}, monkeypatch).readings)
    assert alone["40718"] + alone["40778"] > 0.97
    assert doubted["40778"] + doubted["90778"] < 0.85


def test_what_is_no_digit_is_looked_at_as_that(paper: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 0, and a scribble in its place: whether that is a digit is asked, too."""
    texts = {"4?718": 0.5, "40718": 0.5}
    written = dict(read(paper, texts, monkeypatch).readings)
    assert written["40718"] > 5 * written["4?718"]
    scribbled = paper.copy()
    random = np.random.default_rng(5)
    scribbled[44:92, 88:140] = 225
    points = np.stack([random.integers(90, 138, 9), random.integers(48, 90, 9)], 1)
    cv2.polylines(scribbled, [points.astype(np.int32)], False, 60, 3, cv2.LINE_AA)
    doubted = dict(read(scribbled, texts, monkeypatch).readings)
    assert doubted["4?718"] > 2 * doubted["40718"]


@pytest.mark.parametrize("other", ["957184071839", "95718407183?"])
def test_what_was_not_looked_into_overtakes_nothing_that_was(
    data_set: Callable[[str], Path], other: str
) -> None:
    """The second reading is so much less likely than the first that it is not looked into."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)
    row = [mnist.test_images[np.flatnonzero(mnist.test_labels == int(digit))[3]] for digit in "407184071840"]
    grey = 225 - (0.7 * np.hstack(row)).astype(np.uint8)
    boxes = [(28 * k + 4, 4, 20, 20) for k in range(12)]
    arcs = tuple(Arc(k, k + 1, box, 0.0, k) for k, box in enumerate(boxes))
    verifier = Reader(way="glyph").line_reader.glyphs.verifier
    assert verifier is not None
    readings = [Reading("957184071833", 0.975, arcs), Reading(other, 0.02, arcs)]
    first, second = verifier.weigh(grey, boxes, (1.0, 1.0), readings)
    assert first.text == "957184071833"
    assert first.probability < 0.7
    assert second.probability <= 0.021 / 0.975 * first.probability


def test_a_glyph_by_itself_is_not_looked_at_again(paper: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(Verifier, "weights", lambda *given: asked.append(given) or {})
    lone = np.ascontiguousarray(paper[:, :90])
    (line,) = Reader(way="glyph").read(lone).lines
    assert line.text == "4"
    assert not asked
    Reader(way="glyph").read(paper)
    assert asked


def test_a_model_for_letters_is_left_to_itself(paper: np.ndarray, tmp_path: Path) -> None:
    """The other network knows digits only."""
    card, body = split_bytes(read_model("compact-int8"), "compact-int8")
    card = dataclasses.replace(card, labels=(*"ABCDEFGHIJ", *card.labels[10:]))
    whole = io.BytesIO(body)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("card.json", card.as_json())
    path = tmp_path / "letters.tflite"
    path.write_bytes(whole.getvalue())
    reader = Reader(path, way="glyph")
    assert reader.line_reader.glyphs.verifier is None
    (line,) = reader.read(paper).lines
    assert line.text == "EAHBI"


def test_what_stands_between_digits_has_a_cell_of_its_own(
    paper: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dot takes room from its neighbours' cells, as it does where strips are learnt from."""
    cells: list[list[float]] = []

    def widths(_: Verifier, strip: np.ndarray, texts: dict[str, Any]) -> dict[str, float]:
        cells.extend([most - least for _, (least, most) in text] for text in texts.values())
        return dict.fromkeys(texts, 1.0)

    monkeypatch.setattr(Verifier, "weights", widths)
    reader = Reader(way="glyph")
    reader.read(paper)
    dotted = paper.copy()
    cv2.circle(dotted, (146, 88), 3, 40, -1)
    (line,) = reader.read(dotted).lines
    assert line.raw == "40.718"
    plain, parted = cells
    assert len(plain) == len(parted) == 5
    assert parted[1] < plain[1]
    assert parted[2] < plain[2]
    assert parted[4] == pytest.approx(plain[4], abs=1)


def test_what_is_too_long_or_no_number_stays_as_it_is() -> None:
    verifier = Reader(way="glyph").line_reader.glyphs.verifier
    assert verifier is not None
    arcs = (Arc(0, 1, (0, 0, 8, 8), 0.0, 0), Arc(1, 2, (8990, 0, 8, 8), 0.0, 1))
    readings = [Reading("12", 0.7, arcs), Reading("1?", 0.3, arcs)]
    boxes = [arc.box for arc in arcs]
    long = np.full((10, 9000), 255, np.uint8)
    assert verifier.weigh(long, boxes, (1.0, 1.0), readings) == readings
    assert verifier.weigh(long, boxes, (1.0, 1.0), readings[1:]) == readings[1:]
    assert verifier.weigh(long, boxes, (1.0, 1.0), []) == []
