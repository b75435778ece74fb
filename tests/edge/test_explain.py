"""`--explain`: a sheet for any picture, every stage on it, and the same reading as without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.edge.drawing import paper, write
from tests.edge.lying import glare

from edgedigits import Reader
from edgedigits.cli import main
from edgedigits.explain import ExplainSettings, compose, explain, stages
from edgedigits.page import REASONS, Reason

BLUE, ORANGE, MAGENTA = (178, 114, 0), (0, 120, 230), (167, 60, 204)


@pytest.fixture(scope="module")
def reading() -> Reader:
    return Reader(way="glyph")


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


def touching() -> np.ndarray:
    """A ruled sheet with four digits on it, two of which touch."""
    image = write(paper(), "25", (60, 120))
    image = write(image, "38", (165, 120), spacing=-10)
    cv2.line(image, (0, 180), (639, 180), (90, 90, 90), 2)
    return image


def test_every_stage_is_there_in_the_order_of_reading(reading: Reader) -> None:
    image = touching()
    page = reading.read(image)
    shown = {stage.caption: stage.picture for stage in stages(image, page, reading)}
    captions = list(shown)
    for caption, expected in zip(
        captions,
        [
            "picture, 640 x 240",
            "flattened",
            "ink: ",
            "lines removed",
            "glyphs: ",
            "lines read: 1",
            "line 1: ",
            "line 1: lattice",
        ],
        strict=True,
    ):
        assert caption.startswith(expected)
    _, flattened, ink, kept, glyphs, _, crops, lattice = shown.values()
    assert flattened[150, 20].min() > 240  # paper …
    assert ink[180, 20].max() == 0  # … and the rule, which is ink
    assert tuple(kept[180, 20]) == ORANGE  # but no glyph
    assert has(kept, (0, 0, 0))
    assert has(glyphs, BLUE)
    assert has(glyphs, MAGENTA)  # the pair that touches is offered cuts
    assert has(crops, BLUE)
    assert has(lattice, BLUE)
    assert page.lines[0].readings[0][0] in captions[-1]


def test_a_shadow_that_is_taken_off_is_shown(reading: Reader) -> None:
    image = np.full((400, 640, 3), 225, np.uint8)
    for y in (120, 220, 320):
        write(image, "3817452", (60, y), thickness=4, spacing=30)
    image[:, 330:] //= 2
    captions = [stage.caption for stage in stages(image, reading.read(image), reading)]
    assert sum(caption.startswith("shadows taken off") for caption in captions) == 1
    plain = touching()
    captions = [stage.caption for stage in stages(plain, reading.read(plain), reading)]
    assert not any(caption.startswith("shadows") for caption in captions)


def test_glare_is_shown(reading: Reader) -> None:
    image = write(np.full((400, 640, 3), 205, np.uint8), "3817452", (60, 220), thickness=4, spacing=30)
    for picture, count in ((glare(image, (400, 200), (60, 40))[0], 1), (image, 0)):
        found = [s for s in stages(picture, reading.read(picture), reading) if s.caption.startswith("glare")]
        assert len(found) == count
        assert all(has(stage.picture, ORANGE) for stage in found)


@pytest.mark.parametrize(
    "image",
    [
        np.full((1, 1), 255, np.uint8),
        np.zeros((3, 1500), np.uint8),
        np.full((1500, 2, 3), 128, np.uint8),
        np.full((400, 600, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (300, 400), np.uint8),
    ],
)
def test_any_picture_has_a_sheet(reading: Reader, image: np.ndarray) -> None:
    sheet = explain(image, reading.read(image), reading)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1:] == (1600, 3)
    assert sheet.shape[0] > 100  # captions at least


def test_a_page_full_of_glyphs_gives_a_bounded_sheet(reading: Reader) -> None:
    image = paper(1600, 1600)
    for y in range(40, 1600, 40):
        write(image, "1747" * 10, (20, y), size=0.7, thickness=1, spacing=8)
    page = reading.read(image)
    assert len(page.lines) > 24
    shown = stages(image, page, reading)
    assert shown[-1].caption == f"... and {len(page.lines) - 24} more lines"
    assert compose(shown).shape[0] <= 12_000
    assert compose(shown, ExplainSettings(most_height=2000)).shape[0] <= 2000


def test_the_command_writes_a_sheet_per_picture_and_reads_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, digits in (("a", "47"), ("b", "538")):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "one two.jpg"), write(paper(), digits, (60, 120)))
    pictures = [str(tmp_path / folder / "one two.jpg") for folder in "ab"]

    def read(*options: str) -> list[dict[str, object]]:
        assert main(["read", *pictures, "--format", "jsonl", *options]) == 0
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [{key: value for key, value in page.items() if key != "elapsed_ms"} for page in found]

    sheets = tmp_path / "why"
    assert read("--explain", str(sheets)) == read()
    assert sorted(path.name for path in sheets.iterdir()) == [
        "one_two-explained-2.png",
        "one_two-explained.png",
    ]
    for path in sheets.iterdir():
        sheet = cv2.imread(str(path))
        assert sheet is not None
        assert sheet.shape[1] == 1600


@pytest.mark.parametrize("where", ["input", "file"])
def test_a_folder_that_cannot_be_is_said_and_the_pictures_are_read_all_the_same(
    tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    cv2.imwrite(str(scans / "a.png"), write(paper(), "47", (60, 120)))
    (tmp_path / "file").write_text("")
    folder = {"input": scans, "file": tmp_path / "file"}[where]
    assert main(["read", str(scans), "--explain", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert "47" in out
    assert len(err.splitlines()) == 1
    assert str(folder) in err
    assert [path.name for path in scans.iterdir()] == ["a.png"]


def test_with_a_form_it_is_a_wrong_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "a.png", "--form", "sudoku", "--explain", "why"]) == 2
    assert "--form" in capsys.readouterr().err


def test_real_strips_have_sheets(reading: Reader, data_set: Callable[[str], Path]) -> None:
    for path in sorted((data_set("cheques") / "images").glob("a_car_0001*.png"))[:5]:
        image = cv2.imread(str(path))
        assert image is not None
        assert has(explain(image, reading.read(image), reading), BLUE)


def test_a_line_read_as_a_strip_has_a_stage_of_its_own() -> None:
    reading = Reader(way="strip")
    image = touching()
    *_, strip, characters = stages(image, reading.read(image), reading)
    assert "line 1: as a strip, " in strip.caption
    assert "line 1: the characters of the strip's first reading, one by one" in characters.caption
    assert has(characters.picture, BLUE)
    alone = Reader(way="strip", character_model=None)
    assert "line 1: as a strip, " in stages(image, alone.read(image), alone)[-1].caption


def test_the_readings_of_a_line_are_those_that_are_told() -> None:
    image = touching()
    for model in (None, "character-int8"):
        reading = Reader(way="glyph", character_model=model)
        page = reading.read(image)
        caption = stages(image, page, reading)[-1].caption
        for text, probability in page.lines[0].readings[:3]:
            assert f"{text} {probability:.3f}" in caption


def test_why_a_line_that_reads_well_is_not_accepted_is_told(reading: Reader) -> None:
    image = write(paper(), "3508", (60, 120))
    x, right = 48, 60 + int(np.ptp(np.flatnonzero((image < 128).any(axis=(0, 2))))) + 14
    struck = cv2.line(image.copy(), (x, 104), (right, 104), (40, 30, 30), 3)
    cut = np.ascontiguousarray(image[:, : right - 28])
    lined = cv2.line(image.copy(), (right - 26, 0), (right - 26, len(image) - 1), (40, 30, 30), 3)
    reasons: list[tuple[Reason, ...]] = [("struck-out",), ("cut-off",), ("stroke-lost",), ()]
    for picture, why in zip((struck, cut, lined, image), reasons, strict=True):
        page = reading.read(picture)
        assert [line.reasons[:1] for line in page.lines] == [why]
        captions = [stage.caption for stage in stages(picture, page, reading)]
        told = [caption for caption in captions if "so not accepted" in caption]
        assert len(told) == bool(why)
        assert all(f"; {REASONS[why[0]]}, so not accepted" in caption for caption in told)
