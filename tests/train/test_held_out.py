"""Strips of digits that are not trained on, in a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgedigits.strips import HEIGHT
from edgedigits_train.cli import main
from edgedigits_train.data import load_mnist
from edgedigits_train.distance_fields import fields
from edgedigits_train.strip.compose import LABELS
from edgedigits_train.strip.recipe import load_strip_recipe
from edgedigits_train.strip.source import held_out_digits, learnt_digits

RECIPE = """
[data]
set = "mnist"
validation = 297

[network]
filters = [4, 4, 8, 8, 8]
along = [8]

[training]
steps = 60
batch = 4
widths = [64, 96]

[optimizer]
kind = "adam"
rate = 0.003
"""


def test_the_seed_says_which_strips(
    small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)

    def written(name: str, seed: int) -> Path:
        path = tmp_path / name
        given = ["--data", str(small_mnist.parent), "--seed", str(seed), "--count", "12"]
        assert main(["strip", str(recipe), *given, "--held-out", str(path)]) == 0
        return path

    first, again, other = written("a.npz", 1), written("b.npz", 1), written("c.npz", 2)
    assert "12 strips, seed 1" in capsys.readouterr().out
    assert first.read_bytes() == again.read_bytes()
    with np.load(first) as file, np.load(other) as differs:
        images, labels, about = file["images"], file["labels"], json.loads(str(file["about"]))
        assert (images.dtype, images.shape) == (np.uint8, (12, HEIGHT, 96))
        assert (labels.dtype, len(labels)) == (np.int32, 12)
        assert labels.min() >= -1
        assert labels.max() < len(LABELS)
        assert (about["seed"], about["labels"]) == (1, list(LABELS))
        assert len(about["checksums"]) == 4
        assert not np.array_equal(images, differs["images"])


@pytest.mark.parametrize("train", [0, 600])
def test_no_digit_of_a_held_out_strip_is_learnt(train: int, small_mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(RECIPE.replace("validation", f"train = {train}\nvalidation"))
    recipe, data = load_strip_recipe(str(tmp_path / "small.toml")), load_mnist(small_mnist)
    shapes = [shape.tobytes() for shape in fields(data.train_images).inside]
    held_out = [shape.tobytes() for shape in held_out_digits(data, recipe).fields.inside]
    assert held_out == shapes[-297:]
    learnt = [shape.tobytes() for shape in learnt_digits(data, recipe, seed=1).fields.inside]
    assert len(learnt) == (train or 1000)
    assert set(learnt) <= set(shapes[:-297])
    other = [shape.tobytes() for shape in learnt_digits(data, recipe, seed=2).fields.inside]
    assert (other == learnt) is (train == 0)


def test_no_strips_are_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["strip", "--held-out", str(tmp_path / "a.npz"), "--count", "0"])
    assert "--count 0 is below 1" in capsys.readouterr().err


def test_a_folder_is_no_file(small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    given = ["--data", str(small_mnist.parent), "--count", "2", "--held-out", str(tmp_path)]
    assert main(["strip", str(recipe), *given]) == 1
    assert f"{tmp_path}: can't write (it is a folder); name a file in it" in capsys.readouterr().err
