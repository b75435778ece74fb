"""Operating points: thresholds that keep a promise on labelled pictures."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgedigits import Reader
from edgedigits.card import OperatingPoint, split_model
from edgedigits.errors import ModelError
from edgedigits.model import read_model
from edgedigits.ways.line_reading import ReadingWay
from edgedigits_export.accept import NEVER, ReadLine, _judged, _point, find_points, open_reader, with_points
from edgedigits_export.cli import main
from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError
from edgedigits_export.strip_data import LabelledPicture, labelled_pictures, read_lines

COUNT = 12
MODEL = "compact-int8"


@pytest.fixture(scope="module")
def lines(test_pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of four digits in a line, in two parts; the label of `3.png` is not what it says."""
    folder = tmp_path_factory.mktemp("lines")
    (folder / "images").mkdir()
    rows = ["file,text,part"]
    for number in range(COUNT):
        chosen = slice(4 * number, 4 * number + 4)
        ink = np.pad(np.hstack(list(test_pictures.images[chosen])), 20)
        paper = cv2.resize(255 - ink, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), paper)
        text = "".join(map(str, test_pictures.labels[chosen]))
        wrong = text[:-1] + str((int(text[-1]) + 1) % 10)
        part = "tune" if number < 8 else "test"
        rows.append(f"{number}.png,{wrong if number == 3 else text},{part}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def count_accepted(reader: Reader, folder: Path) -> int:
    """Return how many lines a reader accepts in the pictures of a folder."""
    accepted = 0
    for picture in labelled_pictures(folder):
        image = cv2.imread(str(picture.path))
        assert image is not None
        accepted += sum(line.accepted for line in reader.read(np.asarray(image, np.uint8)).lines)
    return accepted


def test_the_points_keep_their_promise_and_name_the_disputed_label(lines: Path) -> None:
    found = find_points(
        open_reader(MODEL, "glyph", "glyph"), MODEL, "glyph", labelled_pictures(lines), "lines", (0.05, 0.2)
    )
    assert (found.pictures, found.lines) == (COUNT, COUNT)
    assert found.exact >= COUNT - 3
    assert [row.point.max_error for row in found.points] == [0.2, 0.05]
    for row in found.points:
        assert row.point.wrong <= row.point.max_error * row.point.accepted
        assert row.error <= row.point.max_error < row.error_bound
    lenient = found.points[0].point
    assert lenient.accepted >= COUNT - 3
    assert lenient.wrong == len(found.disputed)
    assert "3.png" in {line.file for line in found.disputed}


def test_the_card_gets_the_points_and_all_else_stays(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(read_model(MODEL))
    card, body = split_model(path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist() if name != "card.json"}
    arguments = ["accept", str(path), "--lines", str(lines), "--max-errors", "0.2"]
    assert main([*arguments, "--write", "--report", str(tmp_path / "report")]) == 0
    assert "12 pictures, 12 lines" in capsys.readouterr().out
    changed, same = split_model(path)
    assert same == body
    (point,) = changed.operating_points
    assert (point.max_error, point.lines, point.data, point.way) == (0.2, COUNT, lines.name, "glyph")
    assert changed.model_sha256 == card.model_sha256
    assert changed.accuracy == card.accuracy
    with zipfile.ZipFile(path) as archive:
        assert {name: archive.read(name) for name in archive.namelist() if name != "card.json"} == entries
    once = path.read_bytes()
    assert main([*arguments, "--write"]) == 0
    assert path.read_bytes() == once

    report = json.loads((tmp_path / "report" / "accept.json").read_text())
    assert report["points"][0]["point"]["accepted"] == point.accepted
    assert "3.png" in (tmp_path / "report" / "disputed.csv").read_text()

    # What the edge accepts at that promise is what was counted.
    reader = Reader(path, max_error=0.2, way="glyph")
    assert count_accepted(reader, lines) == point.accepted


@pytest.mark.parametrize("way", ["strip", "auto"])
def test_the_points_of_a_model_for_strips_are_of_lines_that_it_reads(
    way: ReadingWay, lines: Path, tmp_path: Path
) -> None:
    path = tmp_path / "strips.tflite"
    path.write_bytes(read_model("strip-int8"))
    opened = open_reader(str(path), "strip", way)
    assert (opened.strips.model.source, opened.rule.min_line_confidence) == (str(path), 0.0)
    arguments = ["accept", str(path), "--lines", str(lines), "--way", way, "--max-errors", "0.2", "--write"]
    assert main(arguments) == 0
    (point,) = [point for point in split_model(path)[0].operating_points if point.way == way]
    assert (point.lines, point.data) == (COUNT, lines.name)
    assert point.accepted >= COUNT - 3
    reader = Reader(strip_model=path, max_error=0.2, way=way)
    assert count_accepted(reader, lines) == point.accepted


def test_points_of_other_ways_stay(lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    other = OperatingPoint(0.01, 0.9, accepted=5, wrong=0, lines=9, data="elsewhere", way="auto")
    path.write_bytes(with_points(read_model(MODEL), [other], MODEL))
    arguments = [
        "accept",
        str(path),
        "--lines",
        str(lines),
        "--part",
        "test",
        "--max-errors",
        "0.2",
        "--write",
    ]
    assert main(arguments) == 0
    points = split_model(path)[0].operating_points
    assert other in points
    assert [point.way for point in points] == ["auto", "glyph"]


def test_only_the_part_is_read(lines: Path) -> None:
    assert len(labelled_pictures(lines, "test")) == COUNT - 8
    strips = read_lines(lines, "test")
    assert (len(strips), strips.digits_only, strips.name) == (COUNT - 8, True, f"{lines.name}-test")


def test_lines_are_put_beside_their_labels() -> None:
    picture = LabelledPicture(Path("a.png"), "a.png", ("12", "34", "56"))
    read = [("34", 0.9, True), ("17", 0.8, True), ("56", 0.7, True), ("8", 0.6, True), ("9", 0.5, True)]
    judged = _judged(picture, read)
    assert [(line.label, line.text) for line in judged] == [
        ("34", "34"), ("12", "17"), ("56", "56"), ("", "8"), ("", "9")
    ]  # fmt: skip
    assert [line.right for line in judged] == [True, False, True, False, False]


def test_a_promise_made_twice_is_one_point_and_an_empty_picture_no_line(lines: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    shutil.copy(lines / "images" / "0.png", tmp_path / "images")
    cv2.imwrite(str(tmp_path / "images" / "empty.png"), np.full((80, 200), 255, np.uint8))
    first = (lines / "labels.csv").read_text().splitlines()[1].split(",")[1]
    (tmp_path / "labels.csv").write_text(f"file,text\n0.png,{first}\nempty.png,\n")
    reader, pictures = open_reader(MODEL, "glyph", "glyph"), labelled_pictures(tmp_path)
    found = find_points(reader, MODEL, "glyph", pictures, "lines", (0.2, 0.05, 0.2))
    assert (found.pictures, found.lines) == (2, 1)
    assert [row.point.max_error for row in found.points] == [0.2, 0.05]


def test_a_wrong_line_that_is_just_accepted_is_counted() -> None:
    read = [ReadLine(f"{k}.png", "1", "1", 0.9, True) for k in range(5)]
    row = _point([*read, ReadLine("b.png", "2", "7", 0.5, True)], 8, "lines", "glyph", 0.2)
    assert (row.point.accepted, row.point.wrong, row.point.lines) == (6, 1, 8)
    assert row.point.min_line_confidence == 0.5
    assert row.error == pytest.approx(1 / 6)


def test_where_no_threshold_keeps_the_promise_nothing_is_accepted() -> None:
    wrong = [ReadLine("a.png", "1", "7", 0.99, True), ReadLine("b.png", "2", "2", 0.5, True)]
    row = _point(wrong, 2, "lines", "glyph", 0.1)
    assert (row.point.accepted, row.point.wrong, row.point.min_line_confidence) == (0, 0, NEVER)
    assert row.error_bound == 1.0


def test_impossible_wishes_are_refused(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match="--way glyph"):
        open_reader(MODEL, "glyph", "strip")
    with pytest.raises(ModelError, match="not a TFLite model"):
        with_points(b"nothing of the kind", [], "x.tflite")
    assert main(["accept", MODEL, "--lines", str(lines), "--part", "test", "--write"]) == 1
    assert "--write needs a model's file" in capsys.readouterr().err
    file = tmp_path / "file"
    file.write_text("")
    assert main(["accept", MODEL, "--lines", str(lines), "--report", str(file)]) == 1
    assert capsys.readouterr().out == ""  # before anything is read
    with pytest.raises(DataError, match="no labelled pictures"):
        find_points(open_reader(MODEL, "glyph", "glyph"), MODEL, "glyph", [], "lines")
    assert main(["accept", MODEL, "--lines", str(tmp_path)]) == 1
    assert "labels.csv" in capsys.readouterr().err
    for shares, said in (("0,1", "0,1 is not shares between 0 and 1"), ("0.01,x", "'x' is no number")):
        with pytest.raises(SystemExit):
            main(["accept", MODEL, "--lines", str(lines), "--max-errors", shares])
        assert said in capsys.readouterr().err
