"""Lines read glyph by glyph, as strips, and in both ways; strips that no camera should ever give."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edgedigits
from edgedigits.card import BLANK, OperatingPoint, split_bytes
from edgedigits.cli import main
from edgedigits.decode import RejectRule
from edgedigits.decode.consistency import ConsistencySettings
from edgedigits.decode.lattice import Reading, best_readings
from edgedigits.decode.prior import PriorSettings
from edgedigits.errors import ModelError
from edgedigits.model import Model
from edgedigits.page import Digit, Line
from edgedigits.reader import Reader
from edgedigits.runtime import read_model, shipped_models
from edgedigits.strip_model import StripModel
from edgedigits.strips import prepare
from edgedigits.ways.combine import combine_lines, combine_readings
from edgedigits.ways.ctc import Hypothesis, best_texts
from edgedigits.ways.expected import Expected
from edgedigits.ways.line_reading import READING_WAYS
from edgedigits.ways.strip_cutting import StripSettings, region_of
from edgedigits.ways.strip_reading import SeenLine, StripReader
from edgedigits_export.accept import with_points

SAMPLES = Path(edgedigits.__file__).parent / "samples"


@pytest.fixture(scope="module")
def model() -> StripModel:
    return StripModel()


@pytest.fixture(scope="module")
def readers() -> dict[str, Reader]:
    return {way: Reader(way=way) for way in READING_WAYS}


@pytest.fixture(scope="module")
def digits(data_set: Callable[[str], Path]) -> Callable[[str], list[np.ndarray]]:
    """Return a function from a text to pictures of its digits, of MNIST's test part, dark on 255."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)

    def pictures(text: str) -> list[np.ndarray]:
        found = []
        for number, digit in enumerate(text):
            which = np.flatnonzero(mnist.test_labels == int(digit))[3 * number]
            found.append(255 - mnist.test_images[which])
        return found

    return pictures


def written(pictures: list[np.ndarray], gap: int, scale: int = 3) -> np.ndarray:
    """Return digits in a row on light paper; with a gap below 0 their boxes overlap."""
    inks = []
    for picture in pictures:
        x, y, w, _ = cv2.boundingRect(255 - picture)
        inks.append((picture[:, x : x + w], y))
    width = 16 + sum(ink.shape[1] + gap for ink, _ in inks)
    paper = np.full((28, width), 225, np.uint8)
    x = 8
    for ink, _ in inks:
        place = paper[:, x : x + ink.shape[1]]
        np.minimum(place, np.maximum(ink, 40), out=place, where=ink < 225)
        x += ink.shape[1] + gap
    return cv2.resize(paper, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


# --- the model ----------------------------------------------------------------------------------------


def test_the_shipped_model_for_strips_says_so_and_is_small(model: StripModel) -> None:
    assert "strip-int8" in shipped_models("strip")
    assert not set(shipped_models("strip")) & set(shipped_models())
    assert model.card.way == "strip"
    assert model.card.labels[-1] == BLANK
    assert len(read_model("strip-int8")) <= 500_000


def test_windows_of_a_long_strip_are_as_one(
    model: StripModel, digits: Callable[[str], list[np.ndarray]]
) -> None:
    strip = prepare(written(digits("1234567890" * 3), 4))
    assert strip.shape[1] > 3 * model.width
    answers = model.log_probabilities(strip)
    assert answers.shape == (-(-strip.shape[1] // 2), len(model.card.labels))
    np.testing.assert_allclose(np.exp(answers).sum(axis=1), 1, rtol=1e-4)
    # The same pixels, seen from a window that begins elsewhere.
    shifted = model.log_probabilities(strip[:, 100:])
    np.testing.assert_array_equal(answers[100:180].argmax(axis=1), shifted[50:130].argmax(axis=1))


@pytest.mark.parametrize("width", [1, 40, 64, 65, 88, 96, 97, 120, 128, 152, 160, 184, 192])
def test_a_narrow_window_says_what_the_whole_one_does(
    width: int, model: StripModel, digits: Callable[[str], list[np.ndarray]]
) -> None:
    strip = prepare(written(digits("1234567890"), 1))[:, 20 : 20 + width]
    assert strip.shape[1] == width
    whole = np.zeros((1, model.height, model.width), np.uint8)
    whole[0, :, :width] = strip
    raw = model.invoke(model.tensor(whole))[0, : -(-width // 2)]
    answers = model.log_probabilities(strip)
    assert answers.shape == raw.shape
    # Logits differ from log probabilities by a number of their own at each step.
    relative = raw.astype(float) - raw[:, -1:]
    unit = (answers - answers[:, -1:])[relative != 0] / relative[relative != 0]
    np.testing.assert_allclose(unit, unit.mean(), rtol=1e-3)


@pytest.mark.parametrize(
    ("opener", "name", "said"),
    [
        (StripModel, "compact-int8", "a model for glyphs, where one for strips is needed"),
        (Model, "strip-int8", "a model for strips, where one for glyphs is needed"),
    ],
)
def test_a_model_for_the_other_way_is_refused(opener: type, name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        opener(name)


# --- reading ------------------------------------------------------------------------------------------


def test_digits_that_touch_are_read(
    readers: dict[str, Reader], digits: Callable[[str], list[np.ndarray]]
) -> None:
    texts = ("2905", "80364", "5172", "640", "38295", "7046")
    right = dict.fromkeys(READING_WAYS, 0)
    for text in texts:
        for way in right:
            lines = readers[way].read(written(digits(text), -1)).lines
            right[way] += [line.text for line in lines] == [text]
    assert right["strip"] >= 5
    assert right["auto"] >= max(right["strip"], right["glyph"]) - 1


def test_a_text_that_one_look_does_not_list_is_asked_of_it(
    model: StripModel, digits: Callable[[str], list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How two texts compare hangs on what both looks hold of them, not on what the second one lists."""
    strips = StripReader(model, RejectRule(0.5, 0.5), settings=StripSettings(sure=1.1))
    grey = written(digits("80364"), -3)
    region = region_of([(0, 0, grey.shape[1], grey.shape[0])], (grey.shape[1], grey.shape[0]))
    whole = strips.read(grey, region)
    calls = 0

    def second_lists_one(*given: Any) -> list[Hypothesis]:
        nonlocal calls
        calls += 1
        return best_texts(*given)[: 1 if calls == 2 else None]

    monkeypatch.setattr("edgedigits.ways.strip_reading.best_texts", second_lists_one)
    less = strips.read(grey, region)
    assert calls == 2
    assert whole is not None
    assert less is not None
    held, told = dict(whole.readings), dict(less.readings)
    best, second, third = (text for text, _ in less.readings[:3])
    assert told[second] / told[best] == pytest.approx(held[second] / held[best], rel=1e-6)
    assert told[third] / told[best] == pytest.approx(held[third] / held[best], rel=1e-6)


def test_the_glyphs_are_asked_for_what_the_strip_was_read_as(
    readers: dict[str, Reader],
    digits: Callable[[str], list[np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grey = written(digits("38295"), -7)
    (strip,) = readers["strip"].read(grey, upright=True).lines
    asked: list[list[str]] = []

    def noted(*given: Any) -> list[Reading]:
        *lattice, wanted = given
        asked.append(list(wanted))
        return best_readings(*lattice, asked[-1])

    monkeypatch.setattr("edgedigits.ways.glyph_reading.best_readings", noted)
    readers["auto"].read(grey, upright=True)
    assert len(strip.readings) > 1
    assert [text for text, _ in strip.readings] in asked
    asked.clear()
    readers["glyph"].read(grey, upright=True)
    assert asked
    assert not any(asked)


@pytest.mark.parametrize("way", READING_WAYS)
def test_boxes_stand_where_the_digits_are(
    way: str, readers: dict[str, Reader], digits: Callable[[str], list[np.ndarray]]
) -> None:
    pictures = digits("4072")
    grey = written(pictures, 3)
    (line,) = readers[way].read(grey).lines
    assert line.text == "4072"
    x = 8 * 3.0
    for digit, picture in zip(line.digits, pictures, strict=True):
        width = 3.0 * cv2.boundingRect(255 - picture)[2]
        middle = digit.box[0] + digit.box[2] / 2
        assert x - 6 <= middle <= x + width + 6
        assert digit.box[3] > 40
        x += width + 9.0


def test_a_line_that_slopes_is_cut_out_along_its_slope() -> None:
    boxes = [(20 + 40 * k, 50 + 8 * k, 24, 36) for k in range(8)]
    region = region_of(boxes, (600, 300))
    assert region.angle == pytest.approx(np.arctan(0.2), abs=0.01)
    assert region.height < 75
    assert region.holds(boxes)
    assert not region.holds([(20, 200, 24, 36)])


def test_a_line_in_no_doubt_is_read_as_a_strip_too_where_it_fills_its_picture(
    data_set: Callable[[str], Path],
    readers: dict[str, Reader],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edgedigits_train.data import load_mnist

    images = load_mnist(data_set("mnist").parent).test_images[:200]
    sure = readers["auto"].model.probabilities(images)
    chosen = [int(sure[:, digit].argmax()) for digit in (3, 0, 6, 1, 7)]
    read_as_strips = []

    def seen(strips: StripReader, grey: np.ndarray, *given: Any, **named: Any) -> Iterator[SeenLine]:
        read_as_strips.append(grey.shape)
        return original(strips, grey, *given, **named)

    original = StripReader.seen
    monkeypatch.setattr(StripReader, "seen", seen)
    strip = written([255 - images[which] for which in chosen], 6)
    page = np.full((5 * strip.shape[0], strip.shape[1]), 225, np.uint8)
    page[strip.shape[0] : 2 * strip.shape[0]] = strip
    for picture in (page, strip):
        (line,) = readers["auto"].read(picture).lines
        assert line.text == "30617"
    assert read_as_strips == [strip.shape]


@pytest.mark.parametrize(("way", "least_right"), [("strip", 20), ("auto", 21)])
def test_the_samples_are_read(way: str, least_right: int, readers: dict[str, Reader]) -> None:
    """Six sheets, 22 lines; the last 9 of the second sheet might as well be a 4."""
    with (SAMPLES / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    right = 0
    for path in sorted(SAMPLES.glob("*.jpg")):
        image = cv2.imread(str(path))
        assert image is not None
        true = [row["text"] for row in rows if row["file"] == path.name]
        lines = readers[way].read(image.astype(np.uint8, copy=False)).lines
        assert len(lines) == len(true)
        right += sum(line.text == text for line, text in zip(lines, true, strict=True))
    assert right >= least_right


# --- bad input ----------------------------------------------------------------------------------------


def strange_strips() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    noise = random.normal(200, 3, (60, 300)).clip(0, 255).astype(np.uint8)
    word = np.full((60, 300), 230, np.uint8)
    cv2.putText(word, "Kaufhaus", (10, 42), cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 1.3, 40, 2)
    wave = (200 + 30 * np.sin(np.arange(300) / 5)[None, :] + np.zeros((60, 1))).astype(np.uint8)
    return {"blank": np.full((60, 300), 240, np.uint8), "noise": noise, "word": word, "wave": wave}


@pytest.mark.parametrize("name", strange_strips())
@pytest.mark.parametrize("way", READING_WAYS)
def test_no_number_is_invented(name: str, way: str, readers: dict[str, Reader]) -> None:
    assert not [line.text for line in readers[way].read(strange_strips()[name]).lines if line.accepted]


@pytest.mark.parametrize("shape", [(3, 120), (1, 1), (40, 10_000), (3, 10_000), (400, 6)])
@pytest.mark.parametrize("way", READING_WAYS)
def test_strips_of_odd_shapes_have_an_answer(
    shape: tuple[int, int], way: str, readers: dict[str, Reader]
) -> None:
    grey = np.full(shape, 220, np.uint8)
    grey[shape[0] // 3 : 2 * shape[0] // 3 + 1, :: max(2, shape[0] // 2)] = 60
    page = readers[way].read(grey)
    assert page.size == (shape[1], shape[0])


def test_a_wide_strip_is_read_to_its_end(
    digits: Callable[[str], list[np.ndarray]], readers: dict[str, Reader]
) -> None:
    text = "6047" * 12
    lines = readers["strip"].read(written(digits(text), 5)).lines
    assert sum(len(line.text) for line in lines) == len(text)


@pytest.mark.parametrize("way", ["strip", "auto"])
@pytest.mark.parametrize("length", [16, 64])
def test_a_digit_of_a_long_line_is_as_sure_as_one_of_a_short_line(
    way: str, length: int, digits: Callable[[str], list[np.ndarray]], readers: dict[str, Reader]
) -> None:
    """Of so many digits one may well be wrong; that makes none of them unreadable."""
    text = ("0123456789" * 7)[:length]
    (line,) = readers[way].read(written(digits(text), 6), upright=True).lines
    assert line.readings[0][0] == text
    assert line.text == line.raw == text
    assert min(digit.confidence for digit in line.digits) > 0.7
    assert np.mean([digit.confidence for digit in line.digits]) > 0.97


def test_a_digit_in_doubt_is_told_from_a_line_in_doubt(
    model: StripModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = np.full((40, 400), 235, np.uint8)
    labels = model.card.labels

    def told(*texts: tuple[str, float]) -> Line:
        found = [Hypothesis(tuple(map(labels.index, text)), p) for text, p in texts]
        held = {hypothesis.text: hypothesis.probability for hypothesis in found}
        monkeypatch.setattr("edgedigits.ways.strip_reading.best_texts", lambda *given: found)
        monkeypatch.setattr(
            "edgedigits.ways.strip_reading.probabilities_of",
            lambda _, texts, signs: [held[each] for each in texts],
        )
        none = PriorSettings(weight=0), ConsistencySettings(weight=0)
        strips = StripReader(model, RULE, None, StripSettings(), *none)
        line = strips.read(grey, region_of([(0, 0, 400, 40)], (400, 40)))
        assert line is not None
        assert line.confidence == pytest.approx(texts[0][1], abs=0.01)
        return line

    # The texts that are listed hold a third, and differ in one digit: it alone can't be read.
    line = told(*((f"7418529630{last}", 0.05) for last in "012345"), ("741852963", 0.03))
    assert line.text == "7418529630?"
    assert [digit.confidence for digit in line.digits[:-1]] == pytest.approx([0.3 ** (1 / 11)] * 10, abs=0.01)
    assert line.digits[-1].confidence == pytest.approx(0.3 ** (1 / 11) / 6, abs=0.01)
    assert line.digits[-1].alternatives[0][0] == "0"
    assert not line.accepted
    assert line.doubtful == tuple(range(11))
    # Nothing but one digit is in doubt where there is no other.
    (lone,) = told(("7", 0.4), ("1", 0.2), ("17", 0.2)).digits
    assert lone.rejected
    assert lone.confidence == pytest.approx(0.4, abs=0.01)
    assert [label for label, _ in lone.alternatives] == ["7", "1"]
    # If all digits are right, so is the line.
    sure = told(("741", 0.51))
    assert sure.doubtful == ()
    assert sure.accepted
    assert np.prod([digit.confidence for digit in sure.digits]) == pytest.approx(sure.confidence)


def test_a_line_so_long_that_no_look_holds_anything_of_it_is_read(
    model: StripModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two thousand digits the probability is less than the least floating-point number."""
    grey = np.full((40, 400), 235, np.uint8)
    labels = model.card.labels
    said = iter(["741", "147"])

    def best(*given: Any) -> list[Hypothesis]:
        return [Hypothesis(tuple(map(labels.index, next(said))), 0.0)]

    monkeypatch.setattr("edgedigits.ways.strip_reading.best_texts", best)
    monkeypatch.setattr(
        "edgedigits.ways.strip_reading.probabilities_of", lambda _, texts, signs: [0.0] * len(texts)
    )
    strips = StripReader(model, RULE, None, StripSettings(), PriorSettings())
    line = strips.read(grey, region_of([(0, 0, 400, 40)], (400, 40)))
    assert line is not None
    assert line.readings[0][0] == "147"  # the likelier beginning, and only the second look lists it
    assert not line.accepted


def test_two_lines_are_two_strips(
    digits: Callable[[str], list[np.ndarray]], readers: dict[str, Reader]
) -> None:
    upper, lower = written(digits("4972"), 3), written(digits("6350"), 3)
    grey = np.full((upper.shape[0] * 2 + 40, max(upper.shape[1], lower.shape[1])), 225, np.uint8)
    grey[: upper.shape[0], : upper.shape[1]] = upper
    grey[-lower.shape[0] :, : lower.shape[1]] = lower
    assert [line.text for line in readers["strip"].read(grey).lines] == ["4972", "6350"]


# --- what is expected ---------------------------------------------------------------------------------


def test_texts_that_pass_a_check_are_found_behind_those_that_fail(
    model: StripModel, digits: Callable[[str], list[np.ndarray]]
) -> None:
    strips = StripReader(model, RULE)
    grey = written(digits("80364"), -1)
    region = region_of([(0, 12, grey.shape[1], 60)], (grey.shape[1], grey.shape[0]))
    plain = strips.read(grey, region)
    assert plain is not None
    told = [text for text, _ in plain.readings]

    def rare(raw: str) -> bool:
        return len(raw) == 5 and raw.isdigit() and raw not in told

    assert told[0] == "80364"
    checked = strips.read(grey, region, Expected(check=rare))
    assert checked is not None
    # The line is what was read, whatever it should have been, and what is told is told of all texts.
    assert dataclasses.replace(checked, readings=()) == dataclasses.replace(plain, readings=())
    added = set(checked.readings) - set(plain.readings)
    assert set(plain.readings) < set(checked.readings)
    assert all(rare(text) for text, _ in added)
    assert [p for _, p in checked.readings] == sorted((p for _, p in checked.readings), reverse=True)
    assert sum(p for _, p in checked.readings) < 1.01
    assert strips.read(grey, region, Expected(check=lambda raw: raw == "80364")) == plain


# --- two readings of a line ---------------------------------------------------------------------------


def line_of(*readings: tuple[str, float]) -> Line:
    digits = tuple(Digit(label, 0.9, (10 * k, 0, 8, 12)) for k, label in enumerate(readings[0][0]))
    return Line(readings[0][0], readings[0][0], readings[0][1], True, (0, 0, 40, 12), digits, readings)


RULE = RejectRule(0.5, 0.5)


def test_readers_that_agree_are_surer_than_each() -> None:
    both = combine_lines(line_of(("12", 0.8), ("17", 0.1)), line_of(("12", 0.7), ("72", 0.2)), RULE)
    assert both is not None
    assert both.text == "12"
    assert both.confidence > 0.9


def test_what_one_reader_alone_found_is_its_line() -> None:
    one = line_of(("12", 0.8))
    assert combine_lines(one, None, RULE) == one
    assert combine_lines(None, one, RULE) == one


def test_a_line_that_is_just_as_sure_as_is_asked_for_is_accepted() -> None:
    """Thresholds are chosen among the confidences of lines that were read."""
    lines = line_of(("12", 0.8), ("17", 0.1)), line_of(("12", 0.7), ("72", 0.2))
    both = combine_lines(*lines, RULE)
    assert both is not None
    for least, accepted in ((both.confidence, True), (both.confidence + 1e-9, False)):
        told = combine_lines(*lines, RejectRule(0.5, least))
        assert told is not None
        assert told.accepted == accepted


def test_readers_that_differ_are_less_sure() -> None:
    agreed = combine_lines(line_of(("17", 0.9)), line_of(("17", 0.8)), RULE)
    differ = combine_lines(line_of(("12", 0.9)), line_of(("17", 0.8)), RULE)
    assert agreed is not None
    assert differ is not None
    assert differ.text == "17"
    assert differ.confidence < agreed.confidence


def test_a_line_that_is_cut_off_is_not_accepted_on_the_strip_s_word() -> None:
    """The glyphs tell it by readings that hold nothing."""
    of_glyphs = dataclasses.replace(line_of(("72", 0.0)), confidence=0.0, accepted=False)
    both = combine_lines(of_glyphs, line_of(("12", 0.99)), RULE)
    assert both is not None
    assert (both.text, both.accepted, both.confidence) == ("12", False, 0.0)
    assert all(probability == 0.0 for _, probability in both.readings)


@pytest.mark.parametrize(
    ("glyphs", "read", "tall", "accepted"),
    [
        ("5720", "5720", 24, True),
        ("?720", " 720", 24, True),  # a currency sign
        ("572?", "572 ", 24, True),
        ("6?20", "  20", 24, False),
        ("?72?", " 72 ", 24, False),
        ("5?20", "5 20", 24, False),  # a letter
        ("5?20", "5 20", 14, True),  # a speck
    ],
)
def test_a_line_is_not_accepted_that_passes_over_glyphs(
    glyphs: str, read: str, tall: int, accepted: bool
) -> None:
    """Of a word, or of digits of another kind, the strip says no more than what it knows."""

    def standing(text: str) -> Line:
        """Return a line of the digits of a text in their places; those that are rejected are `tall`."""
        digits = [
            Digit(label, 0.9, (20 * k, 0, 16, tall if label == "?" else 24), (("8", 0.4),))
            for k, label in enumerate(text)
            if label != " "
        ]
        return dataclasses.replace(line_of((text.replace(" ", ""), 0.95)), digits=tuple(digits))

    both = combine_lines(standing(glyphs), standing(read), RULE)
    assert both is not None
    assert both.text == read.replace(" ", "")
    assert both.accepted == accepted
    assert (both.confidence > 0.5) == accepted
    # Where any confidence will do, there is a reason against it still.
    whatever = combine_lines(standing(glyphs), standing(read), RejectRule(0.5, 0.0))
    assert whatever is not None
    assert whatever.accepted == accepted


def test_what_a_reader_doubts_is_not_accepted_on_the_other_s_word() -> None:
    """The glyph way could not read a glyph; the strip has it, but would as soon say another line, or none."""
    of_glyphs = line_of(("125", 0.6), ("128", 0.3))
    refused = dataclasses.replace(of_glyphs.digits[2], label="?", alternatives=(("5", 0.6),))
    of_glyphs = dataclasses.replace(of_glyphs, text="12?", digits=(*of_glyphs.digits[:2], refused))
    of_strip = line_of(("125", 0.4))
    doubted = dataclasses.replace(of_strip, doubtful=(0, 1, 2))
    for strip, accepted in ((of_strip, True), (doubted, False)):
        both = combine_lines(of_glyphs, strip, RULE)
        assert both is not None
        assert both.confidence > 0.9
        assert both.accepted == accepted
    # What both say is looked at with the digits of the one that doubts none of them.
    sure = combine_lines(line_of(("125", 0.6)), doubted, RULE)
    assert sure is not None
    assert sure.accepted
    # Of the best of both together only the digits that stay the strip's are still doubted by it.
    one, other = line_of(("12", 0.5), ("17", 0.45)), line_of(("77", 0.4), ("17", 0.35), ("127", 0.2))
    changed = combine_lines(other, dataclasses.replace(one, doubtful=(0, 1)), RULE)
    assert changed is not None
    assert (changed.text, changed.doubtful, changed.accepted) == ("17", (0,), False)


def test_what_both_readers_have_second_is_told_with_its_own_digits() -> None:
    """17 is likelier than either's best: its second digit is new, its first and the boxes are a reader's."""
    one = line_of(("12", 0.5), ("17", 0.45))
    one = dataclasses.replace(one, raw="1.2")
    other = line_of(("77", 0.4), ("17", 0.35), ("127", 0.2))
    for both in (combine_lines(one, other, RULE), combine_lines(other, one, RULE)):
        assert both is not None
        assert both.text == both.readings[0][0] == "17"
        assert both.raw in ("17", "1.7")
        assert [digit.box for digit in both.digits] == [digit.box for digit in one.digits]
        assert all(digit.confidence <= 1 for digit in both.digits)
    doubtful = combine_lines(one, other, RejectRule(0.99, 0.5))
    assert doubtful is not None
    assert not doubtful.accepted
    assert "?" in doubtful.text


def test_what_neither_reader_has_digits_for_is_told_behind_what_one_has() -> None:
    """128 is likelier than either's best, but nobody can say where its three digits stand."""
    one = line_of(("1200", 0.5), ("128", 0.45))
    other = line_of(("12", 0.4), ("128", 0.35))
    for both in (combine_lines(one, other, RULE), combine_lines(other, one, RULE)):
        assert both is not None
        assert both.text == both.readings[0][0] in ("1200", "12")
        assert both.readings[1][0] == "128"
        assert both.confidence == both.readings[0][1] < 0.05
        assert not both.accepted
        assert len(both.digits) == len(both.text)


def test_readings_are_probabilities_best_first() -> None:
    told = combine_readings([("1", 0.6), ("7", 0.4)], [("7", 0.9)])
    assert told[0][0] == "7"
    assert [p for _, p in told] == sorted((p for _, p in told), reverse=True)
    assert sum(p for _, p in told) <= 1
    assert combine_lines(None, None, RULE) is None


# --- the promise --------------------------------------------------------------------------------------


def test_a_promise_is_kept_by_the_models_threshold(tmp_path: Path) -> None:
    points = [
        OperatingPoint(e, t, 10, 0, 100, "some lines", "glyph")
        for e, t in ((0.05, 0.8), (0.01, 0.97), (0.001, 2.0))
    ]
    path = tmp_path / "promising.tflite"
    path.write_bytes(with_points(read_model("compact-int8"), points, "compact-int8"))
    assert Reader(path, way="glyph", max_error=0.02).rule.min_line_confidence == 0.97
    assert Reader(path, way="glyph", max_error=0.2).rule.min_line_confidence == 0.8
    with pytest.raises(ModelError, match=r"promises no share of errors as low as 0.001 \(0.05, 0.01\)"):
        Reader(path, way="glyph", max_error=0.001)


@pytest.mark.parametrize("way", READING_WAYS)
def test_of_a_promise_and_a_threshold_the_stricter_holds(way: str) -> None:
    promised = Reader(way=way, max_error=0.01).rule.min_line_confidence
    lenient = Reader(way=way, max_error=0.01, min_line_confidence=0.1)
    strict = Reader(way=way, max_error=0.01, min_line_confidence=0.999)
    for reader, expected in ((lenient, promised), (strict, 0.999)):
        assert reader.rule.min_line_confidence == expected
        if way != "glyph":
            assert reader.strips.rule.min_line_confidence == expected
    assert Reader(way=way, min_line_confidence=0.1).rule.min_line_confidence == 0.1


@pytest.mark.parametrize("share", [-0.5, 0.0, 1.0])
def test_a_share_of_errors_that_is_none(share: float) -> None:
    with pytest.raises(ValueError, match="a share of errors lies between 0 and 1"):
        Reader(way="glyph", max_error=share)


def test_what_is_promised_of_both_ways_is_promised_of_the_default_model() -> None:
    """The lines that the thresholds come from were read with it."""
    for model in ("paper-int8", "paper-robust-int8"):
        with pytest.raises(
            ModelError, match=f"{model}: no share of errors is promised of it on the way auto"
        ):
            Reader(model, max_error=0.01)
    assert Reader("compact-float32", max_error=0.01).rule == Reader(max_error=0.01).rule
    assert Reader("paper-int8", way="strip", max_error=0.01).rule.min_line_confidence > 0.5


def test_the_shipped_model_promises_what_its_card_says() -> None:
    card = split_bytes(read_model("strip-int8"), "strip-int8")[0]
    point = next(p for p in card.operating_points if p.way == "auto" and p.max_error == 0.01)
    assert point.wrong <= 0.01 * point.accepted
    assert Reader(way="auto", max_error=0.01).rule.min_line_confidence == point.min_line_confidence
    assert dataclasses.asdict(point)["data"]


@pytest.mark.parametrize("share", ["0", "1", "-0.5", "some"])
def test_a_share_of_errors_lies_between_0_and_1(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--samples", "--max-error", share]) == 2
    assert f"'{share}' is not a share between 0 and 1" in capsys.readouterr().err


@pytest.mark.parametrize("way", READING_WAYS)
def test_the_command_reads_in_every_way(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(sorted(SAMPLES.glob("*.jpg"))[0]), "--way", way, "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("\n") > 1
