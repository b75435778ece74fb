"""Runs for the characters of strips: their pictures, their models, and what those are compared on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.export.making import write_idx, write_run

from edgedigits.golden import check
from edgedigits.model import Model
from edgedigits_export.cli import main
from edgedigits_export.data import NOT_A_DIGIT, read_characters
from edgedigits_export.errors import DataError

LABELS = (*"0123456789", NOT_A_DIGIT)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `edgedigits-train strip --characters` writes it, of noise."""
    folder = tmp_path_factory.mktemp("data") / "characters"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name, count in (("train", 600), ("t10k", 110)):
        write_idx(folder / f"{name}-images-idx3-ubyte", generator.integers(0, 256, (count, 28, 28), np.uint8))
        write_idx(folder / f"{name}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 11)
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("models")
    run = write_run(
        out / "run", outputs=11, kind="character", labels=LABELS, convolve=True, shape=(28, 28, 1)
    )
    arguments = ["--formats", "float32,int8", "--out", str(out), "--data", str(data)]
    assert main(["convert", str(run), *arguments]) == 0
    return out


def test_a_run_for_characters_becomes_models_for_them(models: Path, data: Path) -> None:
    for name in ("float32", "int8"):
        model = Model(models / f"tiny-{name}.tflite", way="character")
        assert model.card.way == "character"
        assert model.card.labels == LABELS
        assert set(model.card.accuracy) == {"characters-test"}
        assert check(model).passed
    assert model.card.representative["source"] == "characters-train"
    pictures = read_characters("test", data)
    assert pictures.name == "characters-test"
    assert (pictures.truth(model.card.labels) == pictures.labels).all()


def test_they_are_compared_on_characters(
    models: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    float_model, int8 = (str(models / f"tiny-{name}.tflite") for name in ("float32", "int8"))
    main(["validate", float_model, int8, "--data", str(data)])
    assert "characters-test" in capsys.readouterr().out
    # A model for glyphs is no match for one for characters, and a model for characters reads no lines.
    assert main(["validate", float_model, "compact-int8", "--data", str(data)]) == 1
    assert "a model for glyphs, where one for characters is needed" in capsys.readouterr().err
    assert main(["accept", int8, "--lines", str(data)]) == 1
    assert "reads no lines" in capsys.readouterr().err


def test_pictures_of_digits_do_not_calibrate_characters(
    models: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(models / "run"), "--out", str(tmp_path / "out"), "--data", str(data)]
    assert main(["convert", *given, "--representative", str(tmp_path)]) == 1
    assert "--representative: digits are cut out of your pictures" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_where_characters_are_missing_a_line_says_what_writes_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="let edgedigits-train write it"):
        read_characters("test", tmp_path)


def test_the_shipped_model_says_what_it_reads_right() -> None:
    card = Model("character-int8", way="character").card
    assert card.accuracy["characters-test"] > 0.85
