"""`Reader` reads: the façade on drawn and on real digits, with the shipped model."""

from __future__ import annotations

import csv
import doctest
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from tests.edge.drawing import paper, write
from tests.edge.junk import printed

import edgedigits
from edgedigits import PictureError, Reader, reader
from edgedigits.decode.prior import PriorSettings
from edgedigits.frames import Frame, read_pictures
from edgedigits.frames.demo import digits
from edgedigits.glyphs import GlyphSettings
from edgedigits.ink import InkSettings
from edgedigits.ink.shadows import ShadowSettings
from edgedigits.sheet import SheetSettings
from edgedigits.ways.confirm import ConfirmSettings
from edgedigits.ways.strip_cutting import StripSettings

DESK = (38, 34, 30)
"""Colour around the photographed sheets, BGR."""


@pytest.fixture(scope="module")
def reading() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def photographs(data_set: Callable[[str], Path]) -> list[tuple[str, NDArray[np.uint8], list[str]]]:
    """Return name, picture and true lines of the photographed sheets."""
    folder = data_set("pages")
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        image = cv2.imread(str(folder / "images" / row["file"]))
        assert image is not None
        found.append((row["file"], image.astype(np.uint8, copy=False), row["text"].split("\n")))
    return found


@pytest.mark.parametrize(("model", "most_errors"), [("paper-int8", 0.08), ("compact-int8", 0.0)])
def test_photographed_sheets(
    photographs: list[tuple[str, NDArray[np.uint8], list[str]]], model: str, most_errors: float
) -> None:
    """3 photographs, 73 digits: every line with the right number of digits, and few character errors."""
    reading = Reader(model)
    errors = total = 0
    for name, image, true in photographs:
        guesses = [
            "".join(d.alternatives[0][0] if d.rejected else d.label for d in line.digits)
            for line in reading.read(image).lines
        ]
        assert [len(text) for text in guesses] == [len(text) for text in true], name
        errors += sum(Levenshtein.distance(a, b) for a, b in zip(guesses, true, strict=True))
        total += sum(map(len, true))
    assert total == 73
    assert errors / total <= most_errors


@pytest.mark.parametrize("turn", [-6, 6])
@pytest.mark.parametrize("factor", [0.75, 1.0, 2.5])
def test_tilt_and_size_change_nothing_much(
    reading: Reader,
    photographs: list[tuple[str, NDArray[np.uint8], list[str]]],
    turn: float,
    factor: float,
) -> None:
    """The same sheets turned by 6° and at other resolutions: the lines stay whole, ≤ 12 % errors."""
    errors = total = 0
    for name, image, true in photographs:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1)
        turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=DESK)
        turned = cv2.resize(
            turned,
            None,
            fx=factor,
            fy=factor,
            interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC,
        )
        guesses = [
            "".join(d.alternatives[0][0] if d.rejected else d.label for d in line.digits)
            for line in reading.read(turned.astype(np.uint8, copy=False)).lines
        ]
        assert len(guesses) == len(true), (name, guesses)
        errors += sum(Levenshtein.distance(a, b) for a, b in zip(guesses, true, strict=True))
        total += sum(map(len, true))
    assert errors / total <= 0.12


def test_boxes_are_in_pixels_of_the_full_picture(reading: Reader) -> None:
    """A picture decoded at half size gives the same boxes, given the size of the whole."""
    image = write(paper(480, 1280), "2468", (100, 300), size=3, thickness=6, spacing=30)
    whole = reading.read(image)
    half = reading.read(
        np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8),
        size=(1280, 480),
    )
    assert half.size == whole.size == (1280, 480)
    for a, b in zip(whole.lines[0].digits, half.lines[0].digits, strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=4)


def till_roll(lines: int, height: int) -> NDArray[np.uint8]:
    """Return a paper 630 pixels wide with lines of 6 of MNIST's digits, 24 pixels high, one below another."""
    roll = np.full((height, 630), 245, np.uint8)
    for k in range(lines):
        y = 60 + k * (height - 120) // lines
        for place in range(6):
            tile = np.asarray(cv2.resize(digits()[(k + place) % 10, k % 10], (34, 34)), np.uint8)
            seen = roll[y : y + 34, 120 + 34 * place : 154 + 34 * place]
            np.minimum(seen, 255 - tile, out=seen)
    return roll


@pytest.mark.parametrize("level", [False, True])
def test_a_long_picture_is_read(level: bool, reading: Reader, tmp_path: Path) -> None:
    """Digits of a till roll, or of a long strip, are small for its length, but no smaller than a page's."""
    image = till_roll(20, 7900)
    if level:
        image = np.hstack([image[y - 20 : y + 60] for y in range(60, 7840, 389)])
    cv2.imwrite(str(tmp_path / "long.png"), image)
    (frame,) = read_pictures(tmp_path / "long.png")
    assert isinstance(frame, Frame)
    expected = ["".join(str((k + place) % 10) for place in range(6)) for k in range(20)]
    for page in (reading.read(image), reading.read(frame.image, frame.size)):
        assert page.size == image.shape[::-1]
        assert [line.text for line in page.lines] == expected
        assert all(line.accepted for line in page.lines)


def test_a_line_that_slopes_is_read_far_along_a_long_picture() -> None:
    image = np.full((700, 40_000), 230, np.uint8)
    for k, digit in enumerate("2468135"):
        cv2.putText(image, digit, (36_000 + 90 * k, 300 + 20 * k), cv2.FONT_HERSHEY_SIMPLEX, 3, 20, 7)
    (line,) = Reader(way="strip").read(image).lines
    assert line.text == "2468135"
    assert line.box == pytest.approx((36_000, 235, 600, 190), abs=15)


def test_threads_that_share_a_reader_read_what_each_would(reading: Reader) -> None:
    images = [write(paper(120, 640), text, (20, 90), spacing=-6) for text in ("24680", "1357", "90817263")]
    alone = [reading.read(image).lines for image in images]
    with ThreadPoolExecutor(len(images)) as pool:
        together = list(pool.map(lambda k: reading.read(images[k % 3]).lines, range(90)))
    assert together == 30 * alone


def test_thresholds_decide_what_is_accepted() -> None:
    image = write(paper(), "1", (40, 120))
    assert Reader(min_digit_confidence=0, min_line_confidence=0).read(image).lines[0].accepted
    strict = Reader(min_digit_confidence=1.0, min_line_confidence=1.0).read(image).lines[0]
    assert not strict.accepted
    assert strict.text == "?"
    assert strict.digits[0].alternatives
    with pytest.raises(ValueError, match="0…1"):
        Reader(min_digit_confidence=1.5)


def test_how_sure_lines_are_does_not_depend_on_what_is_accepted() -> None:
    """Digits in the midst of print: those that are not accepted are no surer for it."""
    image = printed(1).copy()
    write(image, "47", (200, 200), size=2, thickness=4, spacing=20)
    told = [
        [line.confidence for line in Reader(min_line_confidence=least).read(image, upright=True).lines]
        for least in (0.0, 0.5, 1.0)
    ]
    assert len(told[0]) > 3
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 10), np.uint8),
        np.zeros((10, 10), np.float32),
        np.zeros((10, 10, 4), np.uint8),
        "picture.png",
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(reading: Reader, image: object) -> None:
    with pytest.raises(PictureError) as caught:
        reading.read(image)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(-5, 3), (0, 0), (float("nan"), 1), (640,), (64.5, 48), "ab", 640])
def test_a_size_that_no_picture_has_is_refused(reading: Reader, size: Any) -> None:
    with pytest.raises(ValueError, match=r"^size is width and height in pixels, .*, not "):
        reading.read(write(paper(), "27", (40, 120)), size=size)


@pytest.mark.parametrize("count", [(2, None), (5, 3), (0, 0), (-1, 4), (1.5, 2), (3,), 3])
def test_a_number_of_digits_that_cannot_be_is_refused(reading: Reader, count: Any) -> None:
    with pytest.raises(ValueError, match=r"^count is the fewest and the most digits, .*, not "):
        reading.read(write(paper(), "27", (40, 120)), count=count)


def test_sizes_and_counts_of_any_kind_of_whole_numbers_are_taken(reading: Reader) -> None:
    image = write(paper(), "27", (40, 120))
    plain = reading.read(image)
    told = reading.read(image, size=(np.int64(640), np.uint16(240)), count=(np.int64(0), 2))
    assert told.lines == plain.lines


@pytest.mark.parametrize("most", [-1, 2.5, None, True])
def test_a_number_of_strips_that_cannot_be_is_refused(most: Any) -> None:
    with pytest.raises(ValueError, match=r"^max_strips is a whole number from 0 on, not "):
        Reader(max_strips=most)


def strips_looked_at(reader: Reader, image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many of the two lines of a picture are read as strips."""
    seen, asked = reader.strips.seen, []

    def noted(*given: Any, **named: Any) -> Any:
        asked.append(given)
        return seen(*given, **named)

    monkeypatch.setattr(reader.strips, "seen", noted)
    assert len(reader.read(image, upright=True).lines) == 2
    return len(asked)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_more_lines_than_asked_for_are_read_as_strips(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = write(write(paper(), "2468", (40, 80)), "1357", (40, 200))
    assert strips_looked_at(Reader(max_strips=most, thorough=True), image, monkeypatch) == most


def test_a_long_line_counts_as_several_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    image = paper(240, 2600)
    for y, size in ((90, 1.6), (190, 1.5)):
        write(image, "2468135790" * 5, (40, y), size=size)
    assert strips_looked_at(Reader(max_strips=2, thorough=True), image, monkeypatch) == 1


def test_lines_beyond_what_is_looked_at_in_a_picture_are_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two lines whose digits touch, the second is read as it stands: there is no time for its cuts."""
    image = paper(300, 640)
    for y in (100, 220):
        write(image, "2468", (40, y), spacing=-6)
    reader = Reader(way="glyph")
    whole = reader.read(image, upright=True).lines
    assert [line.accepted for line in whole] == [True, True]
    monkeypatch.setattr("edgedigits.ways.glyph_reading.MOST_PARTS", 1)
    first, second = reader.read(image, upright=True).lines
    assert first.accepted
    assert not second.accepted


@pytest.mark.parametrize("level", [20, 100, 160, 230])
@pytest.mark.parametrize("noise", [3, 8, 15, 25])
def test_the_grain_of_a_picture_is_no_writing(reading: Reader, level: int, noise: int) -> None:
    """Nothing is read in a frame of noise, and what is written in it is."""
    grain = np.random.default_rng(1).normal(0, noise, (480, 640, 3))
    assert reading.read(np.clip(level + grain, 0, 255).astype(np.uint8)).lines == ()
    if level >= 100:
        written = write(paper(480, 640, level), "2468", (100, 240), size=2.0, thickness=4)
        lines = reading.read(np.clip(written + grain, 0, 255).astype(np.uint8)).lines
        assert [line.text for line in lines] == ["2468"]


@pytest.mark.parametrize(
    "settings",
    [
        {"ink": InkSettings(least_contrast=math.nan)},
        {"ink": InkSettings(longest_side=0)},
        {"ink": InkSettings(thickest_stroke=-3)},
        {"ink": InkSettings(strip_height=200.5)},  # type: ignore[arg-type]
        {"ink": InkSettings(shadows=ShadowSettings(plain=math.inf))},
        {"ink": InkSettings(shadows=ShadowSettings(as_deep=0.01))},
        {"glyphs": GlyphSettings(least_height=0)},
        {"glyphs": GlyphSettings(line_gap="wide")},  # type: ignore[arg-type]
        {"sheet": SheetSettings(least_share=2)},
        {"strip": StripSettings(looks=(0.0,))},
        {"confirm": ConfirmSettings(sure=math.nan)},
        {"prior": PriorSettings(weight=math.nan)},
        {"prior": PriorSettings(weight=1000)},
        {"prior": PriorSettings(by_chance=0)},
    ],
    ids=str,
)
def test_settings_out_of_their_range_are_refused_in_one_line(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(settings))}.* (lies in|is a) .*, not .*; ") as caught:
        Reader(**settings)
    assert "\n" not in str(caught.value)


def test_settings_within_their_range_are_taken() -> None:
    image = write(paper(), "27", (40, 120))
    ink = InkSettings(longest_side=np.int64(640), least_contrast=np.float64(0.1))  # type: ignore[arg-type]
    reader = Reader(ink=ink, glyphs=GlyphSettings(widest=7), prior=PriorSettings(weight=3, of_glyphs=3))
    assert [line.text for line in reader.read(image).lines] == ["27"]


def test_a_network_needs_a_thread() -> None:
    with pytest.raises(ValueError, match="threads must be at least 1"):
        Reader(threads=0)


def test_the_page_is_the_output_contract(reading: Reader) -> None:
    page = reading.read(write(paper(), "27", (40, 120))).as_dict()
    assert list(page) == ["size", "lines", "elapsed_ms"]
    (line,) = page["lines"]
    assert list(line) == ["text", "raw", "confidence", "accepted", "reasons", "turned", "box", "digits"]
    assert list(line["digits"][0]) == ["label", "confidence", "box", "alternatives"]
    assert page["size"] == [640, 240]
    assert page["elapsed_ms"] > 0


def test_documented_examples_run() -> None:
    result = doctest.testmod(reader, extraglobs={"Reader": Reader})
    assert result.attempted >= 3
    assert not result.failed


def test_the_stable_api_is_what_the_package_exports() -> None:
    for name in edgedigits.__all__:
        assert getattr(edgedigits, name).__name__ == name
    with pytest.raises(AttributeError):
        edgedigits.nonsense  # noqa: B018


@pytest.mark.parametrize(("times", "bolder", "least"), [(4, 1, 99), (10, 1, 99), (10, 3, 98), (10, 4, 98)])
def test_one_digit_that_fills_the_picture_is_read(
    times: int, bolder: int, least: int, reading: Reader
) -> None:
    """Of the 100 sample digits so many, in chalk as in ink: large, and bold, as one paints them on a pad."""
    right = 0
    for label, tiles in enumerate(digits()[:, :10]):
        for tile in tiles:
            drawn = cv2.dilate(tile, np.ones((bolder, bolder), np.uint8))
            drawn = cv2.resize(drawn, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
            image = np.asarray(drawn, np.uint8)
            texts = [[line.text for line in reading.read(each).lines] for each in (image, 255 - image)]
            assert texts[0] == texts[1]
            right += texts[0] == [str(label)]
    assert right >= least


@pytest.mark.parametrize("side", [28, 64, 300])
def test_a_1_that_the_picture_is_cut_to_is_read(side: int, reading: Reader) -> None:
    """From edge to edge in the middle it is a 1; at the side of the picture it is what is left of a box."""
    image = np.zeros((side, side), np.uint8)
    bar = max(2, side // 8)
    middle = (side - bar) // 2
    image[:, middle : middle + bar] = 255
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), side / 40), np.uint8)
    assert [line.text for line in reading.read(image).lines] == ["1"]
    assert [line.text for line in reading.read(255 - image).lines] == ["1"]
    if side >= 64:
        assert not reading.read(np.roll(image, round(0.4 * side), axis=1)).lines
        beside = ((0, 0), (side // 5, side // 5))
        assert not reading.read(np.pad(image, beside)).lines  # as a camera sees a cable


@pytest.mark.parametrize("count", [2, 3])
def test_bold_digits_that_fill_the_picture_are_read(count: int, reading: Reader) -> None:
    """Side by side, as large as a poster's, in chalk as in ink: 47 of 50 at least."""
    rng = np.random.default_rng(count)
    right = 0
    for _ in range(50):
        labels = rng.integers(0, 10, count)
        row = np.concatenate([digits()[label, rng.integers(10)][:, 3:-3] for label in labels], axis=1)
        row = cv2.dilate(np.pad(row, ((2, 2), (4, 4))), np.ones((2, 2), np.uint8))
        image = np.asarray(cv2.resize(row, None, fx=12, fy=12, interpolation=cv2.INTER_CUBIC), np.uint8)
        texts = [[line.text for line in reading.read(each).lines] for each in (image, 255 - image)]
        assert texts[0] == texts[1]
        right += texts[0] == ["".join(map(str, labels))]
    assert right >= 47


def test_a_reader_takes_how_strips_are_read() -> None:
    """Looked at once and confirmed by nobody, a line is read all the same."""
    image = write(paper(), "1357", (40, 120))
    plain = Reader(thorough=True).read(image).lines[0]
    once = Reader(thorough=True, strip=StripSettings(looks=(1.0,)), confirm=ConfirmSettings(sure=1.0))
    assert once.strips.settings.looks == (1.0,)
    (line,) = once.read(image).lines
    assert line.text == plain.text == "1357"
    assert line.confidence != plain.confidence


def on_page(text: str, at: tuple[int, int], page: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return a page with MNIST's digits on it, 40 pixels high, and slashes, brackets and plus signs."""
    rng = np.random.default_rng(seed)
    x, y = at
    page = page.copy()
    for sign in text:
        if sign.isdigit():
            tile = np.asarray(cv2.resize(digits()[int(sign), rng.integers(10)], (56, 56)), np.uint8)
            columns = np.flatnonzero(tile.max(axis=0) > 60)
            tile = tile[:, columns[0] : columns[-1] + 1]
            seen = page[y - 8 : y + 48, x : x + tile.shape[1]]
            np.minimum(seen, 235 - (0.8 * tile).astype(np.uint8), out=seen)
            x += tile.shape[1] + 9
            continue
        strokes = {
            "/": [[(14, -5), (0, 45)]],
            "(": [[(9, -6), (1, 10), (1, 30), (9, 46)]],
            ")": [[(1, -6), (9, 10), (9, 30), (1, 46)]],
            "+": [[(0, 22), (20, 22)], [(10, 12), (10, 32)]],
        }[sign]
        for stroke in strokes:
            cv2.polylines(page, [np.add(stroke, (x, y))], False, 50, 4, cv2.LINE_AA)
        x += max(place for stroke in strokes for place, _ in stroke) + 10
    return page


@pytest.mark.parametrize("text", ["(089)", "+4930", "38+25"])
def test_signs_among_digits_are_no_digits(text: str, reading: Reader) -> None:
    """Brackets and sums are not accepted as numbers with more digits; the number below them is."""
    for seed in range(4):
        page = on_page(text, (60, 90), np.full((400, 640), 235, np.uint8), seed)
        sums, plain = reading.read(on_page("26807", (60, 240), page, seed)).lines
        assert (plain.text, plain.accepted) == ("26807", True)
        assert not sums.accepted
        assert len(sums.text) == len(text)
        assert [a == "?" for a in sums.text] == [not b.isdigit() for b in text]


@pytest.mark.parametrize("way", ["auto", "glyph"])
def test_a_number_that_the_picture_cuts_off_is_not_accepted(way: reader.ReadingWay) -> None:
    """Of any of its digits a part may be missing, or all of the next."""
    read = Reader(way=way)
    page = on_page("26807", (100, 100), np.full((400, 640), 235, np.uint8), 0)
    page = on_page("351", (100, 220), page, 1)
    first, _ = read.read(page).lines
    assert first.accepted
    for digit in first.digits[3:]:
        x, _, wide, _ = digit.box
        for share in (0.2, 0.5, 0.9):
            cut = read.read(np.ascontiguousarray(page[:, : round(x + share * wide)])).lines
            assert [(line.text, line.accepted) for line in cut if line.accepted] == [("351", True)]
    for row in (108, 115, 125):
        below = read.read(np.ascontiguousarray(page[row:])).lines
        assert [line.text for line in below if line.accepted] == ["351"]


def barred(rows: tuple[float, float], wave: float = 0.0) -> NDArray[np.uint8]:
    """Return a page with 26807, a bar from one row of it to another, in heights of a digit, and 351 below."""
    page = on_page("351", (60, 240), np.full((400, 640), 235, np.uint8), 1)
    page = on_page("26807", (100, 90), page, 0)
    x = np.arange(88, 112 + _WIDE)
    y = 90 + 40 * np.interp(x, x[[0, -1]], rows) + wave * np.sin(x / 9)
    cv2.polylines(page, [np.stack([x, y], axis=1).round().astype(np.int32)], False, 60, 4, cv2.LINE_AA)
    return page


_WIDE = 205
"""So many columns 26807 takes."""


@pytest.mark.parametrize("way", reader.READING_WAYS)
@pytest.mark.parametrize(
    ("rows", "wave"), [((0.5, 0.5), 0), ((0.35, 0.42), 0), ((0.9, 0.1), 0), ((0.5, 0.45), 4)]
)
def test_a_number_struck_out_is_not_accepted(
    rows: tuple[float, float], wave: float, way: reader.ReadingWay
) -> None:
    found = Reader(way=way).read(barred(rows, wave=wave)).lines
    assert [line.text for line in found if line.accepted] == ["351"]


@pytest.mark.parametrize("way", reader.READING_WAYS)
@pytest.mark.parametrize("row", [0.98, 1.04, 1.1])
def test_a_number_underlined_is_read(row: float, way: reader.ReadingWay) -> None:
    found = Reader(way=way).read(barred((row, row + 0.04))).lines
    assert [(line.text, line.accepted) for line in found] == [("26807", True), ("351", True)]
