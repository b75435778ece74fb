"""A sheet on a desk is found and flattened, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.edge.drawing import paper, write
from tests.edge.junk import KINDS

from edgedigits import Reader
from edgedigits.explain import stages
from edgedigits.sheet import SheetSettings, find_sheets

LINES = ("2478", "9035", "6142")


def sheet() -> np.ndarray:
    image = paper(600, 850)
    for k, text in enumerate(LINES):
        write(image, text, (150, 170 + 160 * k), size=2.6, thickness=6, spacing=45)
    return image


def on_desk(
    page: np.ndarray, tilt: tuple[float, float], turn: float, light: float = 60
) -> tuple[np.ndarray, np.ndarray]:
    """Photograph a sheet on a dark desk, tilted and turned by degrees: 1280×960, and the matrix."""
    height, width = page.shape[:2]
    a, b, c = np.radians([*tilt, turn])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    flat = np.column_stack([corners - (width / 2, height / 2), np.zeros(4)])
    x, y, z = about_z @ about_x @ about_y @ flat.T
    seen = np.column_stack([x, y]) / (z[:, None] + 2 * width) * 1.9 * width + (640, 480)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32))
    desk = np.random.default_rng(0).normal(light, 6, (960, 1280, 3)).clip(0, 255).astype(np.uint8)
    cv2.warpPerspective(
        page, matrix, (1280, 960), desk, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    return cv2.GaussianBlur(desk, (3, 3), 0), matrix


@pytest.fixture(scope="module")
def reading() -> Reader:
    return Reader()


@pytest.mark.parametrize(
    ("tilt", "turn"), [((30, 0), 0), ((0, -30), 8), ((25, 25), -12), ((-35, 10), 15), ((0, 0), 20)]
)
def test_a_sheet_at_an_angle_is_read_like_a_level_one(
    reading: Reader, tilt: tuple[float, float], turn: float
) -> None:
    image, matrix = on_desk(sheet(), tilt, turn)
    level = reading.read(sheet())
    page = reading.read(image)
    assert [line.text for line in page.lines] == [line.text for line in level.lines] == list(LINES)
    assert page.size == (1280, 960)
    for line, flat in zip(page.lines, level.lines, strict=True):
        for digit, own in zip(line.digits, flat.digits, strict=True):
            x, y, w, h = own.box
            middle = np.array([[[x + w / 2, y + h / 2]]], np.float32)
            at = cv2.perspectiveTransform(middle, matrix).ravel()
            left, top, wide, high = digit.box
            assert np.hypot(left + wide / 2 - at[0], top + high / 2 - at[1]) < 8


@pytest.mark.parametrize(("tilt", "turn"), [((30, 0), 0), ((25, 25), -12), ((0, 0), 6)])
def test_the_flattened_sheet_has_no_desk_along_its_edges(tilt: tuple[float, float], turn: float) -> None:
    (found,) = find_sheets(on_desk(sheet(), tilt, turn)[0])
    picture = found.picture
    along = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    assert all(np.percentile(side, 2) > 180 for side in along)  # paper is 225, the desk 60


def test_what_it_is_for(reading: Reader) -> None:
    """The same pictures, as they are, are read worse."""
    as_is = Reader(sheet=SheetSettings(search=False))
    right = {"flattened": 0, "as it is": 0}
    for turn in (-20, -12, 12, 20):
        image, _ = on_desk(sheet(), (25, -20), turn)
        for name, reader in (("flattened", reading), ("as it is", as_is)):
            found = [line.text for line in reader.read(image).lines]
            right[name] += sum(text in found for text in LINES)
    assert right["flattened"] == 12
    assert right["as it is"] < 10


@pytest.mark.parametrize(
    ("tilt", "turn", "towards"),
    [((0, 0), 0, 0.3), ((30, 0), 0, 2.2), ((25, 25), -12, 1.2), ((0, 0), 20, 4.0)],
)
@pytest.mark.parametrize("soft", [0.7, 6.0])
def test_a_shadow_across_sheet_and_desk_hides_nothing(
    reading: Reader, tilt: tuple[float, float], turn: float, towards: float, soft: float
) -> None:
    """Neither is the part in the light taken for the sheet, nor is a number read that ends at the shadow."""
    image, _ = on_desk(sheet(), tilt, turn)
    y, x = np.mgrid[:960, :1280]
    shade = ((x - 700) * np.cos(towards) + (y - 460) * np.sin(towards) > 0).astype(np.float32)
    light = 1 - 0.55 * cv2.GaussianBlur(shade, (0, 0), soft)
    lines = reading.read((image * light[..., None]).astype(np.uint8)).lines
    assert tuple(line.text for line in lines if line.accepted) == LINES


def test_a_sheet_on_a_desk_that_is_not_much_darker_is_found() -> None:
    image, matrix = on_desk(sheet(), (25, 0), 10, light=140)
    (found,) = find_sheets(image)
    corners = np.array([[(0, 0), (850, 0), (850, 600), (0, 600)]], np.float32)
    height, width = found.picture.shape[:2]
    own = cv2.perspectiveTransform(
        np.array([[(0, 0), (width, 0), (width, height), (0, height)]], np.float32), found.matrix
    )
    assert np.abs(own - cv2.perspectiveTransform(corners, matrix)).max() < 14


@pytest.mark.parametrize("light", [60, 130])
@pytest.mark.parametrize("turns", [(0, 0), (12, 0), (0, -12)])
def test_several_sheets_are_read_one_after_the_other(
    reading: Reader, light: float, turns: tuple[float, float]
) -> None:
    desk = np.random.default_rng(0).normal(light, 6, (960, 1280, 3)).clip(0, 255).astype(np.uint8)
    for texts, turn, middle in ((("2478", "9035"), turns[0], 330), (("6142", "7718"), turns[1], 950)):
        page = paper(400, 540)
        for k, text in enumerate(texts):
            write(page, text, (60, 150 + 140 * k), size=2.2, thickness=5, spacing=35)
        matrix = cv2.getRotationMatrix2D((270, 200), turn, 1.0)
        matrix[:, 2] += (middle - 270, 480 - 200)
        cv2.warpAffine(page, matrix, (1280, 960), desk, borderMode=cv2.BORDER_TRANSPARENT)
    lines = reading.read(desk).lines
    assert [line.text for line in lines if line.accepted] == ["2478", "9035", "6142", "7718"]
    assert [line.box[0] > 640 for line in lines] == [False, False, True, True]


def _laid(desk: np.ndarray, page: np.ndarray, middle: tuple[int, int], turn: float = 0) -> None:
    """Lay a page onto a desk, turned by degrees."""
    height, width = page.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    matrix[:, 2] += (middle[0] - width / 2, middle[1] - height / 2)
    cv2.warpAffine(page, matrix, desk.shape[1::-1], desk, borderMode=cv2.BORDER_TRANSPARENT)


def _desk(light: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(light, 6, (960, 1280, 3)).clip(0, 255).astype(np.uint8)


def _card(text: str, width: int = 360, height: int = 220) -> np.ndarray:
    page = paper(height, width)
    write(page, text, (40, height // 2 + 40), size=2.2, thickness=5, spacing=30)
    return page


def test_sheets_that_are_small_each_are_found_together(reading: Reader) -> None:
    desk = _desk(60)
    texts = ["247", "903", "614", "558", "571", "382"]
    for k, text in enumerate(texts):
        _laid(desk, _card(text), (215 + k % 3 * 420, 280 + k // 3 * 380), turn=4 * (k % 3) - 6)
    assert [line.text for line in reading.read(desk).lines if line.accepted] == texts


def test_notes_around_a_bare_middle_of_the_desk_are_found(reading: Reader) -> None:
    image = np.full((960, 1280, 3), 60, np.uint8)
    for k, (x, y) in enumerate([(60, 70), (940, 40), (90, 640), (900, 660)]):
        note = write(np.full((250, 250, 3), 190, np.uint8), "427", (50, 140), thickness=4)
        turn = cv2.getRotationMatrix2D((125, 125), (-8, 6, 5, -9)[k], 1)
        turn[:, 2] += (x, y)
        size = image.shape[1::-1]
        lies = cv2.warpAffine(np.ones((250, 250), np.uint8), turn, size) > 0
        image[lies] = cv2.warpAffine(note, turn, size, borderMode=cv2.BORDER_REPLICATE)[lies]
    assert len(find_sheets(image)) == 4
    assert [line.text for line in reading.read(image).lines if line.accepted] == ["427"] * 4


def test_a_sheet_askew_on_another_is_flattened_by_its_own_edges(reading: Reader) -> None:
    desk, board = _desk(40), np.full((800, 900, 3), (100, 125, 140), np.uint8)
    _laid(board, cv2.resize(sheet(), (680, 480), interpolation=cv2.INTER_AREA), (450, 400), turn=8)
    _laid(desk, board, (640, 480))
    (found,) = find_sheets(desk)
    assert 660 < found.picture.shape[1] < 690
    assert tuple(line.text for line in reading.read(desk).lines) == LINES


def test_what_is_written_beside_level_sheets_is_read_too(reading: Reader) -> None:
    page = np.full((960, 1280, 3), 120, np.uint8)
    write(page, "71946", (420, 150), size=2.2, thickness=5, spacing=30)
    _laid(page, _card("247", 480, 300), (330, 560))
    _laid(page, _card("903", 480, 300), (930, 560))
    assert [line.text for line in reading.read(page).lines if line.accepted] == ["247", "903", "71946"]


def test_what_is_written_beside_a_sheet_at_an_angle_is_read_too(reading: Reader) -> None:
    page = np.full((960, 1280, 3), 120, np.uint8)
    write(page, "71946", (760, 300), size=2.2, thickness=5, spacing=30)
    write(page, "5", (900, 700), size=2.2, thickness=5)  # as a coin or a pen looks like
    _laid(page, sheet()[:, :600], (370, 500), turn=9)
    lines = reading.read(page).lines
    assert [line.text for line in lines if line.accepted] == [*LINES, "71946"]


@pytest.mark.parametrize("turn", [-13, 14])
def test_a_second_sheet_that_runs_out_of_the_picture_is_read_as_it_lies(reading: Reader, turn: float) -> None:
    desk = _desk(60)
    _laid(desk, sheet()[:, :600], (330, 480), turn=-6)
    second = paper(560, 800)
    for k, text in enumerate(("352", "814")):
        write(second, text, (70, 220 + 170 * k), size=2.2, thickness=5, spacing=30)
    _laid(desk, second, (1080, 480), turn)
    assert {line.text for line in reading.read(desk).lines if line.accepted} == {*LINES, "352", "814"}


def _pair(apart: float, turns: tuple[float, float], seam: float = 12, below: int = 0) -> np.ndarray:
    """Lay two sheets on a desk, the second over the first or beside it, a little darker."""
    desk = _desk(60)
    first, second = paper(420, 520), paper(420, 520)
    for page, texts in ((first, ("2478", "9035", "6142")), (second, ("7718", "3546"))):
        for k, text in enumerate(texts):
            write(page, text, (90, 110 + 130 * k), size=2, thickness=5, spacing=30)
    _laid(desk, first, (640 - round(apart / 2), 480), turns[0])
    _laid(desk, (second - seam).astype(np.uint8), (640 + round(apart / 2), 480 + below), turns[1])
    return cv2.GaussianBlur(desk, (3, 3), 0)


@pytest.mark.parametrize(("turn", "below"), [(0, 0), (0, 90), (9, 0)])
def test_sheets_side_by_side_are_two(reading: Reader, turn: float, below: int) -> None:
    pair = _pair(520, (0, 0), below=below)
    matrix = cv2.getRotationMatrix2D((640, 480), turn, 1.0)
    pair = cv2.warpAffine(pair, matrix, (1280, 960), borderMode=cv2.BORDER_REFLECT)
    assert len(find_sheets(pair)) == 2
    read = [line.text for line in reading.read(pair).lines if line.accepted]
    assert sorted(read) == sorted(["2478", "9035", "6142", "7718", "3546"])


@pytest.mark.parametrize(("apart", "turns"), [(370, (0, 12)), (330, (-5, 9)), (310, (4, -8)), (300, (0, 0))])
def test_a_sheet_on_another_is_read_and_what_it_covers_is_not_taken_for_whole(
    reading: Reader, apart: float, turns: tuple[float, float]
) -> None:
    """The first sheet's numbers go on under the second one, or end close to it."""
    accepted = [line.text for line in reading.read(_pair(apart, turns)).lines if line.accepted]
    assert {"7718", "3546"} <= set(accepted) <= {"2478", "9035", "6142", "7718", "3546"}


def test_a_line_across_a_sheet_does_not_part_it() -> None:
    """It is ruled, or folded where its halves are not two sheets side by side."""
    page = sheet()
    for y in range(60, 600, 60):
        page[y : y + 3] = 180
    image, _ = on_desk(page, (20, 10), 6)
    assert len(find_sheets(image)) == 1


def test_bold_strokes_in_a_shadow_are_no_shadows(reading: Reader) -> None:
    page = paper(600, 850)
    write(page, "352", (150, 400), size=7, thickness=60, spacing=70)
    image, _ = on_desk(page, (0, 0), 0)
    shade = np.arange(1280) > 700
    lines = reading.read((image * (1 - 0.5 * shade)[None, :, None]).astype(np.uint8)).lines
    assert all(line.text == "352" for line in lines if line.accepted)


def test_boxes_are_in_pixels_of_the_full_picture(reading: Reader) -> None:
    image, _ = on_desk(sheet(), (25, 20), 10)
    whole = reading.read(image)
    half = reading.read(
        np.asarray(cv2.resize(image, (640, 480), interpolation=cv2.INTER_AREA), np.uint8), (1280, 960)
    )
    assert half.size == whole.size
    for a, b in zip(whole.lines, half.lines, strict=True):
        np.testing.assert_allclose(a.box, b.box, atol=10)


def test_a_till_roll_on_a_desk_keeps_its_small_digits(reading: Reader) -> None:
    texts = [str(24780 + 137 * k) for k in range(30)]
    roll = paper(4000, 760)
    for k, text in enumerate(texts):
        write(roll, text, (150, 150 + 128 * k), size=1.3, thickness=3, spacing=20)
    desk = np.random.default_rng(0).normal(60, 6, (4600, 1400, 3)).clip(0, 255).astype(np.uint8)
    _laid(desk, roll, (700, 2300), turn=5)
    (found,) = find_sheets(desk)
    assert found.picture.shape[0] > 3800
    read = [line.text for line in reading.read(desk).lines]
    assert sum(text in read for text in texts) >= 28


def test_a_large_picture_gives_a_bounded_sheet() -> None:
    image, _ = on_desk(sheet(), (25, 20), 10)
    large = cv2.resize(image, (5120, 3840), interpolation=cv2.INTER_LINEAR)
    (found,) = find_sheets(np.asarray(large, np.uint8))
    assert max(found.picture.shape) == 2000
    x, y, w, h = found.to_picture(
        (0, 0, found.picture.shape[1], found.picture.shape[0]), (1, 1), (5120, 3840)
    )
    light = cv2.boundingRect((large[..., 0] > 150).astype(np.uint8))
    # What it leaves out along its edges is under two pixels of 400, 25 of 5120.
    np.testing.assert_allclose((x, y, w, h), light, atol=50)


@pytest.mark.parametrize(
    ("tilt", "turn", "light", "away"),
    [
        ((0, 0), 0, 60, 0),  # level: nothing to do
        ((0, 0), 2, 60, 0),
        ((25, 20), 10, 200, 0),  # a desk nearly as light as the sheet
        ((25, 20), 10, 60, 400),  # cut off by the picture's edge
    ],
)
def test_other_pictures_are_left_as_they_are(
    tilt: tuple[float, float], turn: float, light: float, away: int
) -> None:
    image, _ = on_desk(sheet(), tilt, turn, light)
    assert find_sheets(np.ascontiguousarray(image[:, away:])) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "photograph"])
def test_no_junk_is_a_sheet(kind: str) -> None:
    assert all(find_sheets(KINDS[kind](seed)) == [] for seed in range(4))


@pytest.mark.parametrize("shape", [(1, 1), (99, 4000), (4000, 101), (100, 100, 3)])
def test_pictures_of_any_shape_are_taken(shape: tuple[int, ...]) -> None:
    assert find_sheets(np.zeros(shape, np.uint8)) == []
    assert find_sheets(np.random.default_rng(0).integers(0, 256, shape, np.uint8)) == []


def test_real_sheets_that_fill_the_picture_are_left_alone(data_set: Callable[[str], Path]) -> None:
    for path in sorted((data_set("pages") / "images").iterdir()):
        image = cv2.imread(str(path))
        assert image is not None
        assert find_sheets(np.asarray(image, np.uint8)) == []


def test_the_flattened_sheet_is_among_what_is_explained(reading: Reader) -> None:
    image, _ = on_desk(sheet(), (25, 20), 10)
    captions = [stage.caption for stage in stages(image, reading.read(image), reading)]
    assert "the sheet on the desk, flattened, in even light" in captions
