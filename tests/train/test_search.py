"""The search: finds what is better, goes on, shares its trials, and never looks at the test part."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import optuna
import pytest

from edgedigits.errors import EdgeDigitsError
from edgedigits_train import cli
from edgedigits_train.data import DataSet, load_mnist
from edgedigits_train.recipe import Adam, Data, Mlp, Recipe, RecipeError, Start, Training, load_recipe
from edgedigits_train.search import SearchError, Varied, search, usual, varied

RECIPE = Recipe("tiny", Data("mnist"), Mlp("mlp", (16,)), Training(3, 64), Adam("adam", 0.001))

pytestmark = pytest.mark.usefixtures("uncompiled")


@pytest.fixture(scope="module")
def digits(small_mnist: Path) -> DataSet:
    return load_mnist(small_mnist)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.rate=0.001..0.1", Varied("optimizer", "rate", 0.001, 0.1)),
        ("optimizer.rate=1..2.5", Varied("optimizer", "rate", 1.0, 2.5)),
        ("training.batch=16..256", Varied("training", "batch", 16, 256)),
        ("training.batch=16, 32,64", Varied("training", "batch", choices=("16", "32", "64"))),
        ("network.hidden=[16],[32, 8]", Varied("network", "hidden", choices=("[16]", "[32, 8]"))),
        (
            'schedule.kind="constant","cosine"',
            Varied("schedule", "kind", choices=('"constant"', '"cosine"')),
        ),
    ],
)
def test_what_is_varied(text: str, expected: Varied) -> None:
    assert varied(text) == expected


@pytest.mark.parametrize(
    "text", ["rate=1..2", "optimizer.rate", "optimizer.rate=2..1", "a.b=x..y", "a.b=true..2", "a.b=relu"]
)
def test_what_can_not_be_varied(text: str) -> None:
    with pytest.raises(SearchError, match=r"^--vary") as caught:
        varied(text)
    assert "\n" not in str(caught.value)


def test_usual() -> None:
    assert usual(RECIPE) == [
        Varied("optimizer", "rate", 0.0001, 0.01),
        Varied("training", "batch", choices=("32", "64", "128", "256")),
    ]


def refused(digits: DataSet, out: Path, space: list[Varied], storage: str) -> str:
    with pytest.raises(EdgeDigitsError) as caught:
        search(RECIPE, digits, space, 1, storage, out, 0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refused_before_any_trial(digits: DataSet, tmp_path: Path) -> None:
    journal, out = str(tmp_path / "j"), tmp_path / "best.toml"
    assert "[optimizer] speed" in refused(digits, out, [Varied("optimizer", "speed", 1, 2)], journal)
    assert "rate = -1.0" in refused(digits, out, [Varied("optimizer", "rate", -1.0, 2.0)], journal)
    rate = [Varied("optimizer", "rate", 0.1, 0.2)]
    assert "storage" in refused(digits, out, rate, "nonsense://x")
    (tmp_path / "file").write_text("")
    assert "can't make the folder" in refused(digits, out, rate, str(tmp_path / "file" / "j"))
    out.write_text("# my own recipe\n")
    assert "no search wrote it" in refused(digits, out, rate, journal)
    assert out.read_text() == "# my own recipe\n"
    assert not Path(journal).exists()


@pytest.mark.parametrize("epochs", [0, 2])
def test_trials_do_not_start_from_what_may_have_seen_their_pictures(
    digits: DataSet, tmp_path: Path, epochs: int
) -> None:
    recipe = dataclasses.replace(RECIPE.with_epochs(epochs), start=Start(("run",)))
    with pytest.raises(SearchError, match=r"tiny: .* leave out \[start\]"):
        search(recipe, digits, usual(recipe), 1, str(tmp_path / "j"), tmp_path / "best.toml", 0)
    assert not (tmp_path / "j").exists()


def test_it_finds_the_better_goes_on_and_never_tests(digits: DataSet, tmp_path: Path) -> None:
    """The test part is made useless: were it looked at, no rate would be better than another."""
    blind = dataclasses.replace(digits, test_images=digits.test_images * 0)
    space = [varied("optimizer.rate=0.00001,0.01"), varied("network.hidden=[8],[24]")]
    storage, out = f"sqlite:///{tmp_path}/s.db", tmp_path / "sub" / "best.toml"
    search(RECIPE, blind, space, 3, storage, out, 0)
    (study,) = optuna.get_all_study_names(storage)
    assert len(optuna.load_study(study_name=study, storage=storage).trials) == 3
    found = search(RECIPE, blind, space, 8, storage, out, 0)
    trials = optuna.load_study(study_name=study, storage=storage).trials
    assert len(trials) == 8
    assert found.optimizer.rate == 0.01
    assert load_recipe(str(out)) == dataclasses.replace(found, name="best")
    assert out.read_text().startswith(
        "# Found by a search: 8 trials of tiny with optimizer.rate, network.hid"
    )
    # What is not varied is the recipe's own.
    assert found.training == RECIPE.training
    assert found.data == RECIPE.data
    # Enough trials: nothing more is tried, and the same is found.
    assert search(RECIPE, blind, space, 8, storage, out, 0) == found
    assert len(optuna.load_study(study_name=study, storage=storage).trials) == 8


def test_settings_that_diverge_are_only_bad(digits: DataSet, tmp_path: Path) -> None:
    space = [varied("optimizer.rate=1e38,0.01")]
    found = search(RECIPE, digits, space, 6, str(tmp_path / "j"), tmp_path / "best.toml", 0)
    assert found.optimizer.rate == 0.01
    only = [varied("optimizer.rate=1e38,1e37")]
    with pytest.raises(SearchError, match="no trial came to an end"):
        search(RECIPE, digits, only, 2, str(tmp_path / "j"), tmp_path / "none.toml", 0)


def test_the_command(
    small_mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE.to_toml())
    monkeypatch.chdir(tmp_path)
    arguments = ["tiny.toml", "--trials", "2", "--epochs", "1", "--data", str(small_mnist)]
    assert cli.main(["search", *arguments, "--vary", "optimizer.rate=0.001..0.01"]) == 0
    out, err = capsys.readouterr()
    assert "runs/tiny-best.toml" in out
    assert err.count("trial ") == 2
    assert load_recipe("runs/tiny-best.toml").training.epochs == 1
    with pytest.raises(RecipeError, match="no recipe of that name"):
        load_recipe("tiny-best")
