"""The characters of composed strips: what is cut out of them, and that it is a data set to train on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgedigits.errors import OutputError
from edgedigits_train.cli import main
from edgedigits_train.data import NOT_A_DIGIT, DataError, load, load_mnist
from edgedigits_train.recipe import RecipeError, load_recipe
from edgedigits_train.run_folder import RunError
from edgedigits_train.strip.characters import aligned, write
from edgedigits_train.strip.recipe import load_strip_recipe

PUBLISHED = Path(__file__).parents[2] / "train" / "published" / "strip-seed0"


@pytest.mark.parametrize(
    ("text", "truth", "found"),
    [
        ("123", "123", [1, 2, 3]),
        ("173", "123", [1, 2, 3]),
        ("13", "123", [1, 3]),
        ("1223", "123", [1, None, 2, 3]),
        ("9", "", [None]),
        ("", "12", []),
    ],
)
def test_every_character_of_a_text_has_its_place_in_truth(
    text: str, truth: str, found: list[int | None]
) -> None:
    got = aligned([int(c) for c in text], [int(c) for c in truth])
    # Of two that are alike either may be the one too many.
    if text == "1223":
        assert sorted(got, key=str) == sorted(found, key=str)
    else:
        assert got == found


def made(small_mnist: Path, folder: Path) -> dict[str, int]:
    recipe = load_strip_recipe("strip")
    recipe = replace(recipe, data=replace(recipe.data, validation=297))
    return write(recipe, load_mnist(small_mnist), PUBLISHED, 0, 300, folder, held_out=60, test=80)


@pytest.fixture(scope="module")
def folder(small_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("characters") / "characters"
    assert made(small_mnist, out) == {"train": 360, "test": 80}
    return out


def test_characters_are_a_data_set(folder: Path) -> None:
    data = load("characters", folder)
    assert data.labels == (*"0123456789", NOT_A_DIGIT)
    assert data.train_images.shape == (360, 28, 28)
    assert data.test_images.shape == (80, 28, 28)
    assert len(np.unique(data.train_labels)) >= 10
    # Most of a strip's characters are digits, and a window shows ink in its middle.
    assert (data.train_labels < 10).mean() > 0.8
    assert (data.train_images[:, 8:20, 8:20].max(axis=(1, 2)) > 60).mean() > 0.95
    recipe = load_recipe("character")
    assert recipe.data.set == "characters"


def test_the_same_seed_gives_the_same_characters(folder: Path, small_mnist: Path, tmp_path: Path) -> None:
    made(small_mnist, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == sorted(file.name for file in folder.iterdir())
    assert all(file.read_bytes() == (folder / file.name).read_bytes() for file in files)


def test_strips_without_characters_are_refused(small_mnist: Path, tmp_path: Path) -> None:
    recipe = load_strip_recipe("strip")
    recipe = replace(recipe, composition=replace(recipe.composition, empty=1.0))
    with pytest.raises(RecipeError, match="empty = 1 leaves strips no characters"):
        write(recipe, load_mnist(small_mnist), PUBLISHED, 0, 10, tmp_path / "out")


def test_without_a_run_or_a_folder_a_line_says_what_to_do(
    small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RunError, match="holds no finished run"):
        write(load_strip_recipe("strip"), load_mnist(small_mnist), tmp_path, 0, 10, tmp_path / "out")
    glyphs = PUBLISHED.with_name("paper-seed0")
    with pytest.raises(RunError, match="is no run of a strip network"):
        write(load_strip_recipe("strip"), load_mnist(small_mnist), glyphs, 0, 10, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.delenv("EDGEDIGITS_DATA", raising=False)
    with pytest.raises(DataError, match="edgedigits-train strip --characters"):
        load("characters")
    assert main(["character", "--data", str(tmp_path)]) == 1
    assert "train-images-idx3-ubyte" in capsys.readouterr().err


def test_the_data_set_itself_is_not_written_over(small_mnist: Path) -> None:
    before = {file.name: file.read_bytes() for file in small_mnist.iterdir()}
    with pytest.raises(OutputError, match="holds mnist itself; name another folder"):
        made(small_mnist, small_mnist)
    assert {file.name: file.read_bytes() for file in small_mnist.iterdir()} == before
