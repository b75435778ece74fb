"""Recipes: read as written, written as read, and refused with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgedigits_train.recipe import Adam, Mlp, RecipeError, load_recipe, published, recipe_from_text

GOOD = """\
[data]
set = "mnist"
validation = 100

[network]
kind = "mlp"
hidden = [30, 20]
activation = "sigmoid"

[training]
epochs = 3
batch = 10

[optimizer]
kind = "adam"
rate = 0.001
"""


def read(text: str) -> object:
    return recipe_from_text(text, "mine.toml", "mine")


def refusal(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read(text)
    message = str(caught.value)
    assert message.startswith("mine.toml")
    assert "\n" not in message
    return message


def test_the_paper() -> None:
    recipe = load_recipe("paper")
    assert recipe.network == Mlp("mlp", (128,), "relu", "truncated-normal", 0.1, 0.0)
    assert recipe.optimizer == Adam("adam", 0.001)
    assert (recipe.training.epochs, recipe.training.batch, recipe.training.shuffle) == (20, 256, 1024)
    assert recipe.training.loss == "cross-entropy"
    assert recipe.data.validation == 0


@pytest.mark.parametrize("name", published())
def test_published_recipes_survive_being_written(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe_from_text(recipe.to_toml(), "x.toml", name) == recipe


def test_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    recipe = load_recipe(str(path))
    assert recipe.name == "mine"
    assert recipe.network.hidden == (30, 20)
    assert isinstance(recipe.optimizer.rate, float)
    assert load_recipe(str(path)).with_epochs(7).training.epochs == 7


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("batch = 10", "bacth = 10", 12, ["[training] bacth", "did you mean batch?"]),
        ("batch = 10", "batch = 0", 12, ["[training] batch = 0", "at least 1"]),
        ("batch = 10", "batch = -5", 12, ["[training] batch = -5"]),
        ("batch = 10", "batch = 2.5", 12, ["[training] batch = 2.5", "whole number"]),
        ("batch = 10", "batch = true", 12, ["[training] batch = true", "whole number"]),
        ("batch = 10", 'batch = "10"', 12, ['[training] batch = "10"', "whole number"]),
        ("batch = 10", "", 10, ["[training] lacks batch"]),
        ("epochs = 3", "epochs = 0", 11, ["[training] epochs = 0"]),
        ("rate = 0.001", "rate = -0.001", 16, ["[optimizer] rate = -0.001", "above 0"]),
        ("rate = 0.001", "rate = 0", 16, ["[optimizer] rate = 0"]),
        ("rate = 0.001", "rate = nan", 16, ["[optimizer] rate = nan", "finite"]),
        ("rate = 0.001", "rate = inf", 16, ["[optimizer] rate = inf", "finite"]),
        ("rate = 0.001", "rate = [0.1]", 16, ["[optimizer] rate = [0.1]", "a number"]),
        ("rate = 0.001", "rate = 0.001\nmomentum = 0.9", 17, ["[optimizer] momentum", "no such setting"]),
        ('kind = "adam"', 'kind = "adma"', 15, ["[optimizer] kind is 'adma'", "adam, sgd"]),
        ('kind = "adam"', "", 14, ["[optimizer] kind is missing"]),
        ('kind = "mlp"', "kind = ['mlp']", 6, ["[network] kind is ['mlp']"]),
        ("hidden = [30, 20]", "hidden = 30", 7, ["[network] hidden = 30", "list"]),
        ("hidden = [30, 20]", "hidden = [30, 0]", 7, ["[network] hidden = 0", "at least 1"]),
        ('"sigmoid"', '"tanh"', 8, ['[network] activation = "tanh"', '"relu", "sigmoid"']),
        ("batch = 10", 'batch = 10\nshuffle = "some"', 13, ["[training] shuffle", '"full"']),
        ("batch = 10", "batch = 10\nshuffle = 0", 13, ["[training] shuffle = 0"]),
        ("[training]", "[trainign]", 10, ["[trainign]", "did you mean training?"]),
        ("[data]", "speed = 3\n[data]", 1, ["[speed]"]),
        ("[data]", "training = 3\n[data]", 0, ["not valid TOML"]),
        ("batch = 10", "batch = ", 12, ["not valid TOML"]),
        ("validation = 100", "[stopping]\npatience = 3", 4, ["[stopping] patience", "validation"]),
        ("validation = 100", "[schedule]\nkind = 'step'", 4, ["[schedule] kind", '"cosine"']),
        ("validation = 100", "[averaging]\ndecay = 1.0", 4, ["[averaging] decay = 1.0", "below 1"]),
    ],
)  # fmt: skip
def test_refused_with_the_line(old: str, new: str, line: int, words: list[str]) -> None:
    assert old in GOOD
    message = refusal(GOOD.replace(old, new, 1))
    if line:
        assert f"line {line}" in message
    for word in words:
        assert word in message


def test_a_section_missing() -> None:
    assert "[optimizer] is missing" in refusal(GOOD[: GOOD.index("[optimizer]")])


def test_a_section_that_is_none() -> None:
    message = refusal("data = 3\n" + GOOD[GOOD.index("[network]") :])
    assert "mine.toml, line 1: data must be a section" in message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("papr", None, "did you mean paper?"),
        ("nowhere/mine.toml", None, "no such file"),
        ("mine.toml", b"\xff\xfe[", "UTF-8"),
    ],
)
def test_no_recipe_there(
    name: str, content: bytes | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(name)
    assert str(caught.value).startswith(name)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["my recipe.toml", "a(1).toml"])
def test_a_name_that_no_model_can_have_is_refused_before_training(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("[data]\n")
    with pytest.raises(RecipeError, match=r"letters, digits, .* only; rename the file"):
        load_recipe(str(path))
