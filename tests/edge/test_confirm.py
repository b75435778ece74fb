"""Lines that two networks agree on are not cut; what the glyph network refuses is not read as a digit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgedigits.decode import RejectRule, with_digits
from edgedigits.decode.lattice import best_readings
from edgedigits.page import Box, Digit, Line
from edgedigits.reader import Reader
from edgedigits.ways.confirm import ConfirmSettings, Seen, confirmed, doubted, standing_alone

from .drawing import in_a_row, printed

RULE = RejectRule(0.5, 0.5)
COLUMNS = {str(digit): digit for digit in range(10)}
NO_DIGIT = 10
NOTHING = np.zeros(11, np.float32)


def line(text: str, confidence: float = 0.97, *others: tuple[str, float]) -> Line:
    """Return a line of digits 20 pixels wide and 30 high, side by side, as a strip is read."""
    digits = tuple(Digit(label, confidence, (20 * k, 10, 20, 30)) for k, label in enumerate(text))
    return Line(
        text, text, confidence, True, (0, 10, 20 * len(text), 30), digits, ((text, confidence), *others)
    )


def rows(*labels: int, sure: float = 0.98) -> np.ndarray:
    """Return what a network says that takes digits for these classes."""
    found = np.full((len(labels), 11), (1 - sure) / 10, np.float32)
    found[range(len(labels)), labels] = sure
    return found


def test_a_line_that_both_networks_read_alike_is_confirmed_and_surer() -> None:
    both = confirmed(line("480", 0.97, ("430", 0.02)), rows(4, 8, 0), (), COLUMNS, RULE)
    assert both is not None
    assert both.confidence > 0.995
    assert both.accepted
    assert [text for text, _ in both.readings] == ["480", "430"]
    assert both.readings[0][1] == both.confidence
    for least, accepted in ((both.confidence, True), (both.confidence + 1e-9, False)):
        rule = RejectRule(0.5, least)
        told = confirmed(line("480", 0.97, ("430", 0.02)), rows(4, 8, 0), (), COLUMNS, rule)
        assert told is not None
        assert told.accepted == accepted


@pytest.mark.parametrize(
    ("seen", "labels"),
    [
        (line("480", 0.97, ("430", 0.02)), (4, 3, 0)),
        (line("480", 0.97), (4, 3, 0)),
        (line("480", 0.6, ("430", 0.3)), (4, 8, 0)),
        (line("480", 0.97), (4, NO_DIGIT, 0)),
        (line("4", 0.99), (4,)),
    ],
    ids=["another digit", "one that no reading has", "not sure enough", "no digit", "a lone digit"],
)
def test_a_line_in_any_doubt_is_not_confirmed(seen: Line, labels: tuple[int, ...]) -> None:
    assert standing_alone(seen, []) is None or confirmed(seen, rows(*labels), (), COLUMNS, RULE) is None


@pytest.mark.parametrize(
    ("box", "is_confirmed", "is_doubted"),
    [
        ((22, 10, 16, 30), False, True),
        ((0, 8, 38, 34), True, False),
        ((22, 30, 16, 8), True, False),
        ((80, 10, 16, 30), False, False),
    ],
    ids=["one digit", "two that touch", "a piece of one", "a sign behind"],
)
def test_a_refused_glyph_is_a_doubt_where_it_is_one_digit(
    box: Box, is_confirmed: bool, is_doubted: bool
) -> None:
    seen = line("480")
    assert (standing_alone(seen, [Seen(box, NOTHING, 0.97)]) is not None) == is_confirmed
    held = doubted(seen, [Seen(box, NOTHING, 0.97)])
    if not is_doubted:
        assert held == seen
        return
    assert held.text == held.raw == "4?0"
    assert not held.accepted
    assert held.confidence == pytest.approx(0.03)
    assert held.digits[1].alternatives[0][0] == "8"
    assert held.digits[1].confidence == pytest.approx(0.03)
    assert held.readings == seen.readings
    assert doubted(seen, [Seen(box, NOTHING, 0.6)]) == seen


def test_a_line_that_says_nothing_of_a_glyph_is_not_confirmed_whatever_the_glyph_is() -> None:
    seen = line("48")
    assert standing_alone(seen, [Seen((0, 10, 16, 30), NOTHING, 0.0)]) is not None
    assert standing_alone(seen, [Seen((50, 10, 16, 30), NOTHING, 0.0)]) is None


def test_a_line_that_the_strip_network_doubts_in_part_is_not_confirmed() -> None:
    seen = line("480")
    assert standing_alone(seen, []) == {}
    assert standing_alone(dataclasses.replace(seen, doubtful=(1,)), []) is None
    refused = dataclasses.replace(seen.digits[1], label="?", alternatives=(("8", 0.4),))
    assert standing_alone(with_digits(seen, [seen.digits[0], refused, seen.digits[2]]), []) is None


def test_of_another_digit_only_what_the_glyph_network_is_sure_of_is_heard() -> None:
    seen = line("480")
    for sure, heard in ((0.6, ["480"]), (0.96, ["480", "430"])):
        said = rows(4, 3, 0, sure=sure)
        said[1, 8] = 1 - sure - said[1, 0]
        both = confirmed(seen, said, (), COLUMNS, RULE, ConfirmSettings(sure=0.0))
        assert both is not None
        assert [text for text, _ in both.readings] == heard


def test_a_digit_stands_alone_where_one_glyph_covers_it_and_no_other() -> None:
    seen = line("4807")
    boxes: list[Box] = [(0, 10, 16, 30), (22, 10, 36, 30), (62, 10, 16, 30), (65, 12, 10, 25), (61, 30, 3, 4)]
    glyphs = [Seen(box, NOTHING, 0.0) for box in boxes]
    assert standing_alone(seen, glyphs) == {0: 0}
    assert standing_alone(seen, glyphs[:3]) == {0: 0, 3: 2}


def test_what_is_said_of_a_glyph_that_stands_alone_counts_for_more_than_of_a_cell() -> None:
    seen = line("480", 0.9, ("430", 0.05))
    doubtful = rows(4, 8, 0, sure=0.9)
    doubtful[1, 3] = 0.08
    as_cell = confirmed(seen, doubtful, (), COLUMNS, RULE, ConfirmSettings(sure=0.0))
    as_glyph = confirmed(seen, doubtful, (0, 1, 2), COLUMNS, RULE, ConfirmSettings(sure=0.0))
    assert as_cell is not None
    assert as_glyph is not None
    assert as_glyph.confidence > as_cell.confidence


# --- in pictures ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digit(data_set: Callable[[str], Path]) -> Callable[[int, int], np.ndarray]:
    """Return a function to MNIST's test digits: a digit and which of them."""
    from edgedigits_train.data import load_mnist

    mnist = load_mnist(data_set("mnist").parent)

    def picture(label: int, which: int) -> np.ndarray:
        found: np.ndarray = mnist.test_images[np.flatnonzero(mnist.test_labels == label)[which]]
        return found

    return picture


def test_most_plain_lines_are_not_cut_and_all_readings_are_told(
    reader: Reader, digit: Callable[[int, int], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[object] = []
    monkeypatch.setattr(
        "edgedigits.ways.glyph_reading.best_readings",
        lambda *given: cut.append(given) or best_readings(*given),
    )
    texts = ["4071", "2938", "65402", "318", "907"]
    right = 0
    for number, text in enumerate(texts):
        picture = in_a_row([digit(int(label), 7 * number + k) for k, label in enumerate(text)], 2)
        (read,) = reader.read(picture, upright=True).lines
        right += read.text == text and read.accepted
        assert read.readings[0] == (read.text, read.confidence)
    assert right >= 4
    assert len(cut) <= 2


@pytest.mark.parametrize("letter", "ABCEFKLNPRUXYadefknptu")
def test_a_letter_among_digits_is_no_digit(
    letter: str, reader: Reader, digit: Callable[[int, int], np.ndarray]
) -> None:
    picture = in_a_row([digit(1, 0), digit(2, 0), printed(letter), digit(4, 0)], 4)
    lines = reader.read(picture, upright=True).lines
    assert not any(read.accepted and len(read.text) > 2 for read in lines)
