"""Never a number where there is none: pictures without a digit, of kinds that training never saw.

What is counted is what a user would take for a reading: accepted lines, with the thresholds that ship. The
bounds leave a little beyond what was measured (`tests/bench/bench_junk.py`); a lone stroke or ring is a 1 or
a 0 for a person, too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.edge.drawing import write
from tests.edge.junk import KINDS, barcode, clothes, drawn_face, edge, printed

from edgedigits import Line, Reader

PICTURES = 6

MOST_PICTURES = {"drawing": 2, "photograph": 1, "specks": 1, "letters": 1}
"""So many of the pictures of a kind may have any accepted line; of others none."""


@pytest.fixture(scope="module")
def reading() -> Reader:
    return Reader()


def accepted(reading: Reader, image: np.ndarray) -> list[Line]:
    return [line for line in reading.read(image).lines if line.accepted]


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_no_number(reading: Reader, kind: str) -> None:
    found = [accepted(reading, KINDS[kind](seed)) for seed in range(PICTURES)]
    texts = [[line.text for line in lines] for lines in found]
    assert sum(map(bool, found)) <= MOST_PICTURES.get(kind, 0), texts
    assert sum(map(len, found)) <= 2 * MOST_PICTURES.get(kind, 0), texts
    assert not any(len(line.text) >= 3 for lines in found for line in lines), texts


def test_clothes_are_no_digits(reading: Reader, data_set: Callable[[str], Path]) -> None:
    """40 pictures of clothes, not among those trained on: at most 6 are taken for one (trousers for 11)."""
    pictures = clothes(data_set("negatives"), 40)
    assert sum(bool(accepted(reading, image)) for image in pictures) <= 6


def test_an_edge_between_light_and_dark_is_no_stroke(reading: Reader) -> None:
    """Of 240 pictures of nothing else at most 6 are taken for a digit; where edges are not known, 16 are."""
    lines = [line for seed in range(240) for line in reading.read(edge(seed)).lines]
    assert sum(line.accepted for line in lines) <= 6
    told = [line for line in lines if "edge" in line.reasons]
    assert len(told) >= 30
    assert all(line.confidence <= 0.1 for line in told)


def test_an_edge_is_as_little_believed_at_any_threshold() -> None:
    for least in (0.0, 0.99):
        (line,) = Reader(min_line_confidence=least).read(edge(78)).lines
        assert (line.accepted, line.reasons[0]) == (False, "edge")
        assert line.confidence <= 0.1


def test_a_digit_beside_an_edge_and_one_in_soft_light_are_read(reading: Reader) -> None:
    light = np.linspace(1.0, 0.55, 320)[None, :, None]
    soft = (
        write(np.full((240, 320, 3), 230, np.uint8), "4", (130, 150), size=2, thickness=5) * light
    ).astype(np.uint8)
    halved = np.full((240, 320, 3), 230, np.uint8)
    halved[:, 250:] = 60
    beside = write(halved, "4", (110, 150), size=2, thickness=5)
    for image in (soft, beside):
        assert [line.text for line in accepted(reading, image)] == ["4"]


def test_a_number_on_a_sheet_of_junk_is_still_read(reading: Reader) -> None:
    """The doubt that surroundings cast does not reach what stands apart, nor what is sure and long."""
    image = np.ascontiguousarray(np.vstack([printed(1)[:200], np.full((280, 640, 3), 225, np.uint8)]))
    alone = write(image.copy(), "2478", (200, 420), size=2, thickness=4, spacing=20)
    assert "2478" in [line.text for line in accepted(reading, alone)]


def test_a_digit_beside_a_face_is_read_and_the_face_is_not(reading: Reader) -> None:
    image = write(drawn_face(3), "4", (30, 90), size=2, thickness=5)
    assert [line.text for line in accepted(reading, image)] in (["4"], [])
    assert not any(line.text == "0" for line in accepted(reading, image))


@pytest.mark.parametrize("seed", [100, 108])
def test_barcodes_that_the_network_takes_for_ones(reading: Reader, seed: int) -> None:
    assert not accepted(reading, barcode(seed))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_photograph_of_50_megapixels_is_read_in_bounded_memory(tmp_path: Path, suffix: str) -> None:
    """A sheet of 8688×5792 with four digits; the process stays below 400 MB (the pixels alone are 151 MB)."""
    sheet = np.full((1448, 2172, 3), 210, np.uint8)
    write(sheet, "5274", (500, 800), size=8, thickness=18, spacing=60)
    path = tmp_path / f"large{suffix}"
    whole = cv2.resize(sheet, (8688, 5792), interpolation=cv2.INTER_LINEAR)
    Image.fromarray(whole[..., ::-1]).save(path)
    del whole
    # Not what `wait4` says: that includes what this process held when it started the other.
    code = (
        "import sys; from pathlib import Path; from edgedigits.cli import main; status = main(sys.argv[1:]);"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, "read", str(path), "--format", "csv"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "5274" in out
    assert int(out.split()[-1]) * 1024 < 400e6
