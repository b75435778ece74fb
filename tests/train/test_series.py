"""Cross-validation: every picture is held out once, by networks that have not seen it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgedigits_train.data import load_mnist
from edgedigits_train.recipe import Adam, Calibration, Data, Mlp, Recipe, Start, Training
from edgedigits_train.run_folder import RunError
from edgedigits_train.series import as_text, fold_data, fold_numbers, run_folds

pytestmark = pytest.mark.usefixtures("uncompiled")


class Silent:
    """Watches, and says nothing."""

    def start(self, what: str, out: Path) -> None: ...

    def epoch(self, row: object) -> None: ...


def test_folds_are_stratified_and_disjoint() -> None:
    labels = np.random.default_rng(0).choice(10, 1003, p=np.arange(1, 11) / 55)
    number = fold_numbers(labels, 5, seed=1)
    sizes = np.bincount(number, minlength=5)
    assert sizes.sum() == 1003
    assert np.ptp(sizes) <= 1
    for label in range(10):
        assert np.ptp(np.bincount(number[labels == label], minlength=5)) <= 1
    np.testing.assert_array_equal(fold_numbers(labels, 5, seed=1), number)
    assert (fold_numbers(labels, 5, seed=2) != number).mean() > 0.5


def test_a_class_too_small() -> None:
    with pytest.raises(RunError, match="class 1 has only 2 pictures"):
        fold_numbers(np.array([0] * 9 + [1] * 2), 3, seed=0)


def test_every_picture_is_held_out_once(small_mnist: Path) -> None:
    data = load_mnist(small_mnist)
    numbered = data.train_images.copy()
    numbered.reshape(len(numbered), -1)[:, :2] = (
        np.arange(len(numbered)).astype(">u2").view(np.uint8).reshape(-1, 2)
    )
    data = type(data)(**{**vars(data), "train_images": numbered})

    def numbers(images: np.ndarray) -> list[int]:
        return [int(n) for n in images.reshape(len(images), -1)[:, :2].copy().view(">u2").ravel()]

    held_out: list[int] = []
    for fold in (1, 2, 3):
        part = fold_data(data, 3, fold, seed=4)
        held_out += numbers(part.test_images)
        assert sorted(numbers(part.train_images) + numbers(part.test_images)) == list(range(1297))
    assert sorted(held_out) == list(range(1297))


def test_the_table(small_mnist: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        "tiny",
        Data("mnist"),
        Mlp("mlp", (8,)),
        Training(2, 100),
        Adam("adam", 0.005),
        calibration=Calibration(100),
    )
    table = run_folds(recipe, load_mnist(small_mnist), tmp_path / "f", 2, 0, Silent())
    assert [row["fold"] for row in table["rows"]] == [1, 2]
    accuracies = [row["test_accuracy"] for row in table["rows"]]
    assert table["mean"]["test_accuracy"] == pytest.approx(sum(accuracies) / 2, abs=1e-6)
    assert len(as_text(table).splitlines()) == 5
    assert (tmp_path / "f" / "folds.json").exists()


def test_folds_are_not_measured_with_what_may_have_seen_them(small_mnist: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        "on", Data("mnist"), Mlp("mlp", (8,)), Training(1, 100), Adam("adam", 0.005), start=Start(("run",))
    )
    with pytest.raises(RunError, match=r"on: --folds .* leave out \[start\]"):
        run_folds(recipe, load_mnist(small_mnist), tmp_path / "f", 2, 0, Silent())
    assert not (tmp_path / "f").exists()
