"""Annotated pictures: what is drawn, how it differs, and what the files are called."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgedigits.annotate import AnnotatedPictures, annotate
from edgedigits.errors import OutputError
from edgedigits.frames import Frame
from edgedigits.page import Digit, Line, Page

BLUE, ORANGE = (178, 114, 0), (0, 159, 230)


def page(accepted: bool, size: tuple[int, int] = (400, 300), label: str = "7") -> Page:
    digits = (Digit("1", 0.99, (150, 120, 20, 50)), Digit(label, 0.9, (190, 120, 30, 50), (("7", 0.9),)))
    line = Line(f"1{label}", f"1{label}", 0.89, accepted, (150, 120, 70, 50), digits)
    return Page((line,), size, 1.0)


def has(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(image.astype(int) - colour).max(axis=2) <= 8).any())


@pytest.mark.parametrize("paper", [0, 128, 255])
def test_accepted_and_doubtful_lines_differ_on_any_background(paper: int) -> None:
    image = np.full((300, 400), paper, np.uint8)
    sure, doubtful = annotate(image, page(True)), annotate(image, page(False))
    assert sure.shape == doubtful.shape == (300, 400, 3)
    assert has(sure, BLUE)
    assert not has(sure, ORANGE)
    assert has(doubtful, ORANGE)
    # The upper side of the line's box is whole for one and broken for the other.
    top = 120 - 2 * 2 - 1
    whole = (sure[top - 3 : top + 4, 150:220].astype(int) != paper).any(axis=(0, 2))
    broken = (doubtful[top - 3 : top + 4, 150:220].astype(int) != paper).any(axis=(0, 2))
    assert whole.all()
    assert not broken.all()
    assert broken.any()


def test_a_rejected_digit_stands_out_in_its_line() -> None:
    image = np.full((300, 400), 255, np.uint8)
    assert not has(annotate(image, page(True)), ORANGE)
    assert has(annotate(image, page(True, label="?")), ORANGE)


def test_the_picture_itself_is_left_alone() -> None:
    image = np.full((300, 400, 3), 255, np.uint8)
    annotate(image, page(True))
    assert (image == 255).all()


def test_boxes_follow_a_reduced_picture() -> None:
    reduced = annotate(np.full((300, 400), 255, np.uint8), page(True, size=(400, 300)))
    whole = annotate(np.full((300, 400), 255, np.uint8), scaled_page(10))
    assert np.array_equal(reduced, whole)


def scaled_page(by: int) -> Page:
    def up(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        return box[0] * by, box[1] * by, box[2] * by, box[3] * by

    (line,) = page(True).lines
    digits = tuple(Digit(d.label, d.confidence, up(d.box), d.alternatives) for d in line.digits)
    line = Line(line.text, line.raw, line.confidence, line.accepted, up(line.box), digits)
    return Page((line,), (400 * by, 300 * by), 1.0)


@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (20, 300), (300, 20, 3)])
def test_small_and_narrow_pictures(shape: tuple[int, ...]) -> None:
    image = np.zeros(shape, np.uint8)
    digit = Digit("?", 0.4, (0, 0, shape[1], shape[0]), (("3", 0.4),))
    found = Page((Line("?", "?", 0.4, False, digit.box, (digit,)),), (shape[1], shape[0]), 1.0)
    drawn = annotate(image, found)
    assert drawn.shape[0] % shape[0] == 0
    assert has(drawn, ORANGE)


def test_a_page_without_lines_is_the_picture() -> None:
    image = np.full((30, 40), 200, np.uint8)
    assert (annotate(image, Page((), (40, 30), 1.0)) == 200).all()


def frame(source: str, number: int = 0) -> Frame:
    return Frame(np.full((300, 400), 255, np.uint8), source, number, (400, 300))


def test_names_never_collide(tmp_path: Path) -> None:
    pictures = AnnotatedPictures(tmp_path / "out")
    sources = ["a.png", "a.jpg", "b/a.png", "a.tif", "A.PNG", "c/a.JPEG"]
    names = [pictures.write(frame(s), page(True)).name for s in sources]
    names += [pictures.write(frame("a.tif", k), page(True)).name for k in (1, 2)]
    assert names[:3] == ["a-read.png", "a-read.jpg", "a-read-2.png"]
    assert names[6:] == ["a-page2-read.png", "a-page3-read.png"]
    assert len({n.casefold() for n in names}) == len(names)
    files = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert files == sorted(names)  # and nothing temporary is left
    for name in names:
        decoded = cv2.imread(str(tmp_path / "out" / name))
        assert decoded.shape == (300, 400, 3)
        jpeg = (tmp_path / "out" / name).read_bytes().startswith(b"\xff\xd8")
        assert jpeg == name.endswith(".jpg")


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a-read.png").write_bytes(b"mine")
    pictures = AnnotatedPictures(tmp_path, inputs=[tmp_path / "a.png", tmp_path / "a-read.png"])
    assert pictures.write(frame(str(tmp_path / "a.png")), page(True)).name == "a-read-2.png"
    assert (tmp_path / "a-read.png").read_bytes() == b"mine"


def test_frames_of_a_camera_are_numbered(tmp_path: Path) -> None:
    pictures = AnnotatedPictures(tmp_path, moving=True)
    assert pictures.write(frame("0", 7), page(True)).name == "0-frame000007-read.jpg"
    assert pictures.write(frame("http://cam:80/a b?c=/../d", 8), page(True)).parent == tmp_path


@pytest.mark.parametrize("source", ["..", "/", "ä\n" * 200 + ".png", "-x.png"])
def test_odd_names_stay_in_the_folder(tmp_path: Path, source: str) -> None:
    path = AnnotatedPictures(tmp_path).write(frame(source), page(True))
    assert path.parent == tmp_path
    assert path.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't make the folder"):
        AnnotatedPictures(tmp_path / "file")
