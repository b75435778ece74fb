"""The centring in C beside `normalize`: within one grey level on every pixel, whatever is centred."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.export.making import write_network
from tests.export.test_firmware import CLEAN, STRICT, compiled

from edgedigits.glyphs.text_lines import find_lines
from edgedigits.ink import find_ink
from edgedigits.model import Model
from edgedigits.normalize import normalize
from edgedigits_export.calibrate import draw_sample
from edgedigits_export.convert import export_run
from edgedigits_export.data import Pictures
from edgedigits_export.firmware import write_firmware
from edgedigits_export.formats import find_formats
from edgedigits_export.run import read_run

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None, reason="gcc is not installed; run tests/system/setup.sh"
)

Ink = np.ndarray[Any, np.dtype[np.uint8]]
Centre = Callable[[Sequence[Ink]], tuple[list[int], Ink]]
DONE, NO_INK, TOO_LARGE = 0, 1, 2


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Centre:
    """The C under the sanitizers: of glyphs it returns how each went, and what came of them (N×28×28).

    Every glyph is a window in a wider picture, of which nothing else may be looked at.
    """
    folder = write_firmware("paper-int8", tmp_path_factory.mktemp("centring")).folder
    program = folder / "centring"
    sources = [Path(__file__).parent / "centring.c", folder / "centre.c"]
    command = ["gcc", *STRICT, *CLEAN, f"-I{folder}", *sources, "-o", program]
    subprocess.run(list(map(str, command)), check=True)

    def run(inks: Sequence[Ink]) -> tuple[list[int], Ink]:
        given = b""
        for ink in inks:
            around = np.pad(ink, ((0, 0), (0, 3)), constant_values=99)
            given += np.array([*ink.shape[::-1], around.shape[1]], np.int32).tobytes() + around.tobytes()
        done = subprocess.run([program], input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        rows = np.frombuffer(done.stdout, np.uint8).reshape(len(inks), 1 + 28 * 28)
        return rows[:, 0].tolist(), rows[:, 1:].reshape(-1, 28, 28)

    return run


def farthest(centre: Centre, inks: Sequence[Ink]) -> int:
    """Return the largest distance of a pixel from what `normalize` gives."""
    how, found = centre(inks)
    assert set(how) == {DONE}
    expected = np.stack([normalize(ink) for ink in inks])
    return int(np.abs(found.astype(int) - expected).max())


@pytest.mark.parametrize("factor", [0.4, 0.7, 1.0, 1.3, 2.0, 3.7])
def test_mnist_at_several_sizes(centre: Centre, test_pictures: Pictures, factor: float) -> None:
    """400 digits, as wide as they are or half as wide again."""
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    inks = [
        np.asarray(cv2.resize(image, None, fx=factor * stretch, fy=factor, interpolation=mode), np.uint8)
        for images, stretch in ((test_pictures.images[:200], 1), (test_pictures.images[200:400], 1.5))
        for image in images
    ]
    assert farthest(centre, inks) <= 1


def test_mnist_as_it_is_comes_back_unchanged(centre: Centre, test_pictures: Pictures) -> None:
    """But for those whose brightest pixel is 254: that becomes 255."""
    images = test_pictures.images[:2000]
    images = images[images.max(axis=(1, 2)) == 255]
    assert len(images) > 1000
    _, found = centre(list(images))
    assert (found == images).all(axis=(1, 2)).mean() > 0.999


def test_digits_off_photographed_paper(centre: Centre, data_set: Callable[[str], Path]) -> None:
    with np.load(data_set("cells") / "cells.npz") as cells:
        pictures = next(values for values in cells.values() if values.ndim == 3)
    lines = [line for picture in pictures for line in find_lines(find_ink(picture))]
    inks = [np.ascontiguousarray(glyph.ink) for line in lines for glyph in line.glyphs]
    assert len(inks) > 400
    assert farthest(centre, inks) <= 1


def test_shapes_that_no_digit_has(centre: Centre) -> None:
    """A pixel, lines of any length either way, filled squares, noise."""
    shapes = [(1, n) for n in range(1, 90)] + [(n, 1) for n in range(2, 90)] + [(n, n) for n in range(2, 60)]
    assert farthest(centre, [np.full(shape, grey, np.uint8) for shape in shapes for grey in (1, 255)]) == 0
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 80, (300, 2))
    noise = [generator.integers(1, 256, size).astype(np.uint8) for size in sizes]
    assert farthest(centre, noise) <= 1


def test_ink_far_from_the_middle(centre: Centre) -> None:
    """A blob and a hair: the centre of mass can't be brought to the middle without cutting ink off."""
    wide = np.zeros((30, 90), np.uint8)
    wide[15] = 40
    wide[10:20, 80:] = 255
    assert farthest(centre, [wide, wide[:, ::-1].copy(), wide.T.copy(), wide.T[::-1].copy()]) <= 1


def test_the_largest_that_is_taken(centre: Centre) -> None:
    line = np.eye(4096, dtype=np.uint8) * 255
    line[0] = 200
    assert farthest(centre, [line]) <= 1
    assert farthest(centre, [np.full((4096, 4096), 255, np.uint8)]) <= 1  # where the sums are largest
    how, found = centre([np.full((2, 4097), 255, np.uint8)])
    assert how == [TOO_LARGE]
    assert not found.any()


def test_a_large_picture_with_little_ink(centre: Centre, test_pictures: Pictures) -> None:
    page = np.zeros((40, 5000), np.uint8)
    page[6:34, 4900:4928] = test_pictures.images[0]
    assert farthest(centre, [page]) <= 1


def test_no_ink(centre: Centre) -> None:
    how, found = centre([np.zeros(shape, np.uint8) for shape in ((30, 20), (1, 1), (0, 5), (5, 0))])
    assert how == [NO_INK] * 4
    assert not found.any()


def test_another_scale_of_the_input(tmp_path: Path, test_pictures: Pictures) -> None:
    """A network that is calibrated with pale pictures has other codes for the grey levels: those are used."""

    def dense(tf: Any, x: Any, w: Callable[..., Any]) -> Any:
        return tf.reshape(x, [-1, 784]) @ w(784, 10) + w(10)

    run = write_network(tmp_path / "run", dense)
    pale = Pictures("pale", test_pictures.images // 2, test_pictures.labels, "")
    formats = find_formats(["int8"])
    (made,) = export_run(read_run(run), tmp_path / "out", formats, sample=draw_sample(pale, count=100))
    write_firmware(str(made.path), tmp_path / "c")
    model = Model(made.path)
    levels = np.resize(np.arange(256, dtype=np.uint8), (1, 28, 28))
    expected = model.tensor(levels).reshape(-1)[:256]
    assert not np.array_equal(expected, np.arange(-128, 128))
    (listed,) = re.findall(r"MODEL_INPUT_CODES[^{]*\{(.*?)\}", (tmp_path / "c" / "model.h").read_text(), re.S)
    assert [int(code) for code in re.findall(r"-?\d+", listed)] == expected.tolist()
    done = subprocess.run([compiled(tmp_path / "c", *CLEAN)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 of 4 golden pictures" in done.stdout


def test_a_glyph_that_is_centred_otherwise_is_noticed(tmp_path: Path) -> None:
    write_firmware("paper-int8", tmp_path)
    source = tmp_path / "centre.c"
    text = source.read_text()
    assert text.count("CENTRE_SIDE + 1 + 2") == 1
    source.write_text(text.replace("CENTRE_SIDE + 1 + 2", "CENTRE_SIDE + 3 + 2"))  # a pixel aside
    done = subprocess.run([compiled(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "18 of 18 golden outputs" in done.stdout
    assert "0 of 4 golden pictures" in done.stdout


def test_it_has_no_floats_and_no_heap(tmp_path: Path) -> None:
    write_firmware("paper-int8", tmp_path)
    source = (tmp_path / "centre.h").read_text() + (tmp_path / "centre.c").read_text()
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    for word in ("float", "double", "malloc", "stdlib.h", "math.h"):
        assert word not in source
