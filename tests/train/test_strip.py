"""The strip network: composed strings, CTC's loss, and a run that goes on where it stopped."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from edgedigits.strips import HEIGHT
from edgedigits_train.cli import main
from edgedigits_train.data import DataSet, load_mnist
from edgedigits_train.recipe import RecipeError, published
from edgedigits_train.run_folder import RunError
from edgedigits_train.strip import run, sheet
from edgedigits_train.strip.compose import LABELS, Composer, Digits
from edgedigits_train.strip.network import StripNetwork
from edgedigits_train.strip.recipe import (
    SECTIONS,
    Composition,
    Network,
    Start,
    StripRecipe,
    load_strip_recipe,
)
from edgedigits_train.strip.report import make_report
from edgedigits_train.strip.source import _AHEAD, Source, composed
from edgedigits_train.workers import WorkerError

SMALL = """
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
checkpoint = 20

[optimizer]
kind = "adam"
rate = 0.003

[averaging]
decay = 0.9
"""


@pytest.fixture(scope="module")
def data(small_mnist: Path) -> DataSet:
    return load_mnist(small_mnist)


@pytest.fixture(scope="module")
def digits(data: DataSet) -> Digits:
    return Digits.of_pictures(data.train_images[:300], data.train_labels[:300])


@pytest.fixture
def recipe(tmp_path: Path) -> StripRecipe:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return load_strip_recipe(str(path))


# --- strings ------------------------------------------------------------------------------------------


def strips(digits: Digits, settings: Composition, count: int, seed: int = 0) -> list[tuple[np.ndarray, str]]:
    composer, random = Composer(digits, settings), np.random.default_rng(seed)
    made = [composer.strip(128, random) for _ in range(count)]
    return [(image, "".join(LABELS[label] for label in text)) for image, text in made]


def test_a_strip_is_a_function_of_the_generator(digits: Digits) -> None:
    one, again = (strips(digits, Composition(), 20) for _ in range(2))
    other = strips(digits, Composition(), 20, seed=1)
    assert all(np.array_equal(a, b) and s == t for (a, s), (b, t) in zip(one, again, strict=True))
    assert [text for _, text in one] != [text for _, text in other]


def test_strips_have_the_networks_height_and_ink(digits: Digits) -> None:
    for image, text in strips(digits, Composition(empty=0.0), 60):
        assert image.shape == (HEIGHT, 128)
        assert image.dtype == np.uint8
        assert image.max() > 200
        assert any(character.isdigit() for character in text)


def test_settings_do_what_they_say(digits: Digits) -> None:
    plain = Composition(separators=0.0, empty=0.0)
    assert all(text.isdigit() for _, text in strips(digits, plain, 60))
    with_signs = "".join(text for _, text in strips(digits, Composition(separators=1.0), 100))
    assert set(".,-") <= set(with_signs)
    assert all(text == "" for _, text in strips(digits, Composition(empty=1.0), 30))
    # Seen narrow, as much is written within a strip as otherwise in one nearly twice as wide.
    wide, narrow = (strips(digits, replace(plain, narrow=share), 60) for share in (0.0, 1.0))
    assert sum(len(text) for _, text in narrow) > 1.4 * sum(len(text) for _, text in wide)


def test_no_clear_picture_is_blurred(digits: Digits) -> None:
    plain = Composition(background=0.0, rules=0.0, clutter=0.0, empty=0.0)
    steepest = []
    for clear in (0.0, 1.0):
        made = strips(digits, replace(plain, clear=clear), 100)
        edges = [np.abs(np.diff(image.astype(int))).max() for image, _ in made]
        steepest.append(np.percentile(edges, 10))
    assert steepest[1] > 1.05 * steepest[0]


def columns_without_ink(image: np.ndarray) -> int:
    """Count the gaps between the first and the last ink of a strip on plain paper."""
    inked = np.flatnonzero((image > 128).any(axis=0))
    return int((np.diff(inked) > 1).sum())


def test_digits_touch_more_often_where_they_should(digits: Digits) -> None:
    clean = {"background": 0.0, "rules": 0.0, "clutter": 0.0, "empty": 0.0, "separators": 0.0}
    gaps = []
    for touching in (0.0, 1.0):
        made = strips(digits, Composition(touching=touching, **clean), 80)
        gaps.append(sum(columns_without_ink(image) for image, _ in made) / sum(len(t) for _, t in made))
    assert gaps[0] > 1.5 * gaps[1]


# --- the loss and what is measured --------------------------------------------------------------------


def test_zeros_written_in_one_hang_together(digits: Digits) -> None:
    """From top to top, though they stand well apart."""

    def pieces(chained: float) -> float:
        random = np.random.default_rng(0)
        composer = Composer(digits, Composition(touching=0.0, forms=0.0, chained=chained))
        counts = []
        for _ in range(12):
            hand = replace(composer._hand(random), gap=0.3, unsteady=0.0)
            sheet, _, _ = composer._written([0, 0, 0, 0], hand, random)
            counts.append(cv2.connectedComponents((sheet < 0.5).view(np.uint8))[0] - 1)
        return float(np.mean(counts))

    # Some are too far from one another.
    assert pieces(1.0) < pieces(0.0) - 1.0


def test_a_digit_wider_than_its_sheet_is_cut_off(digits: Digits) -> None:
    random = np.random.default_rng(0)
    composer = Composer(digits, Composition())
    hand = replace(composer._hand(random), height=90.0, stretch=0.2, forms=1.0)
    sheet, owners, _ = composer._written([0], replace(hand, stretch=9.0), random)
    assert sheet.shape == owners.shape
    narrow = Composer(digits, Composition())
    narrow._digit = lambda *_: np.full((50, 2000), -1.0, np.float32)  # type: ignore[method-assign]
    sheet, owners, _ = narrow._written([0], hand, random)
    assert (owners == 0).any()


def test_the_loss_is_that_of_all_ways_to_stretch_a_text() -> None:
    logits = np.random.default_rng(0).normal(0, 1, (3, 5, 4)).astype(np.float32)
    labels = np.array([[0, 2, -1], [1, 1, -1], [-1, -1, -1]], np.int32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = []
    for row, text in zip(probabilities, labels, strict=True):
        wanted = tuple(text[text >= 0])
        total = 0.0
        for way in itertools.product(range(4), repeat=5):
            if tuple(k for k, _ in itertools.groupby(way) if k != 3) == wanted:
                total += float(np.prod(row[np.arange(5), way]))
        expected.append(-np.log(total))
    found = run.ctc_losses(tf.constant(logits), tf.constant(labels)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_errors_are_counted_in_characters_and_strips() -> None:
    said = run.Strips(
        np.zeros((3, 1, 1), np.uint8), np.array([[1, 2, 3], [4, -1, -1], [-1, -1, -1]], np.int32)
    )
    assert run.errors([[1, 2, 3], [4], []], said) == (0.0, 1.0)
    assert run.errors([[1, 3], [4, 4], []], said) == (0.5, pytest.approx(1 / 3))


# --- runs ---------------------------------------------------------------------------------------------


class KilledError(Exception):
    """The end of a process, as far as a run is concerned."""


def test_a_run_killed_and_started_again_ends_with_the_same_weights(
    data: DataSet, recipe: StripRecipe, tmp_path: Path
) -> None:
    def kill(row: run.Stretch) -> None:
        if row.step == 40:
            raise KilledError

    run.run(recipe, data, tmp_path / "whole", 0)
    with pytest.raises(KilledError):
        run.run(recipe, data, tmp_path / "killed", 0, on_checkpoint=kill)
    steps: list[int] = []
    report = run.run(recipe, data, tmp_path / "killed", 0, on_checkpoint=lambda row: steps.append(row.step))
    assert steps == [60]
    assert report["labels"] == list(LABELS)
    answers = []
    for name in ("whole", "killed"):
        loaded = tf.saved_model.load(str(tmp_path / name / "model"))
        strip = tf.random.stateless_uniform((2, HEIGHT, 64, 1), (0, 0))
        answers.append(loaded.signatures["logits"](strips=strip)["logits"].numpy())
    assert answers[0].shape == (2, 1, 32, len(LABELS) + 1)
    np.testing.assert_array_equal(*answers)
    assert not list((tmp_path / "killed").glob("checkpoint*"))
    with pytest.raises(RunError, match="finished run"):
        run.run(recipe, data, tmp_path / "killed", 0)


def test_the_command_trains_a_run_folder(
    small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    out = tmp_path / "run"
    arguments = ["strip", str(path), "--data", str(small_mnist.parent), "--out", str(out), "--steps", "20"]
    assert main(arguments) == 0
    assert "step 20/20" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    assert report["kind"] == "strip"
    assert {"recipe.toml", "history.csv", "environment.json", "model"} <= {f.name for f in out.iterdir()}
    assert main(["report", str(out), "--data", str(small_mnist.parent)]) == 0
    assert "held-out strips" in (out / "report.html").read_text()
    assert {f.name for f in (out / "figures").iterdir()} == {"curves.png", "right.png", "wrong.png"}
    counts = json.loads((out / "report.json").read_text())["confusions"]
    assert all(wanted != read and count > 0 for wanted, read, count in counts)


def test_a_network_is_trained_on_from_a_finished_run(
    data: DataSet, recipe: StripRecipe, small_mnist: Path, tmp_path: Path
) -> None:
    first = replace(recipe, training=replace(recipe.training, steps=20))
    run.run(first, data, tmp_path / "first", 0)
    still = replace(
        first,
        start=Start((str(tmp_path / "first"),)),
        optimizer=replace(recipe.optimizer, rate=1e-12),
        averaging=replace(recipe.averaging, decay=0.0),
    )
    run.run(still, data, tmp_path / "second", 1)
    run.run(first, data, tmp_path / "other", 2)
    both = replace(still, start=Start((str(tmp_path / "first"), str(tmp_path / "other"))))
    run.run(replace(both, training=replace(recipe.training, steps=0)), data, tmp_path / "mean", 1)
    with pytest.raises(RunError, match="steps = 0 trains nothing"):
        run.run(replace(recipe, training=replace(recipe.training, steps=0)), data, tmp_path / "none", 1)
    learnt = {
        name: run._parts(tf.saved_model.load(str(tmp_path / name / "model")).network)[0].numpy()
        for name in ("first", "second", "other", "mean")
    }
    np.testing.assert_allclose(learnt["first"], learnt["second"], atol=1e-6)
    np.testing.assert_allclose((learnt["first"] + learnt["other"]) / 2, learnt["mean"], atol=1e-6)
    page = make_report(tmp_path / "mean", small_mnist.parent).read_text()
    assert "begun with the mean of 2 runs. Of" in page
    assert {f.name for f in (tmp_path / "mean" / "figures").iterdir()} == {"right.png", "wrong.png"}
    wider = replace(still, network=replace(recipe.network, along=(16,)))
    with pytest.raises(RunError, match="another shape than the recipe's"):
        run.run(wider, data, tmp_path / "third", 0)
    nowhere = replace(still, start=Start((str(tmp_path / "nowhere"),)))
    with pytest.raises(RunError, match=r"holds no finished run .*; train it first"):
        run.run(nowhere, data, tmp_path / "fourth", 0)
    more = replace(still, data=replace(still.data, validation=still.data.validation + 1))
    with pytest.raises(RunError, match=r"holds out pictures that .*first, which .* has learnt from"):
        run.run(more, data, tmp_path / "fourth", 0)
    assert not (tmp_path / "fourth").exists()  # where the recipe that is put right may run
    report = json.loads((tmp_path / "mean" / "report.json").read_text())
    assert list(report["start"]) == [str(tmp_path / "first"), str(tmp_path / "other")]


@pytest.mark.parametrize("name", published("recipes/strips"))
def test_published_recipes_spell_out_what_they_read(name: str) -> None:
    recipe = load_strip_recipe(name)
    assert all(f"[{section}]" in recipe.to_toml() for section in SECTIONS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("steps = -1", r"line 11: \[training\] steps = -1: must be at least 0"),
        ("stepz = 60", r"line 11: \[training\] stepz: no such setting \(did you mean steps\?\)"),
        ('steps = "many"', r"line 11: \[training\] steps = \"many\": must be a whole number"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(wrong: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(SMALL.replace("steps = 60", wrong).lstrip("\n"))
    with pytest.raises(RecipeError, match=said.replace("line 11", "line 10")):
        load_strip_recipe(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL + '[start]\nruns = ["a", "a"]\n', r"\[start\] runs: 'a' is empty or there twice"),
        (SMALL + '[start]\nruns = [""]\n', r"\[start\] runs: '' is empty"),
        (SMALL.replace("[8]", "[8, 8, 8, 8, 8, 8, 8]"), r"an answer depends on 35 pixels .* overlap by 32"),
        (SMALL.replace("[4, 4, 8, 8, 8]", "[8]"), r"filters = \[8\]: must have at least 2 entries"),
        (SMALL.replace("[64, 96]", "[]"), r"widths = \[\]: must have at least 1 entries"),
        (SMALL.replace("[64, 96]", "[64, 300]"), r"widths = 300: must be at most 192"),
        (SMALL.replace("along", 'precision = "int8"\nalong'), 'choose one of "float32", "bfloat16"'),
        (SMALL.replace("steps = 60", f"steps = {10**400}"), r"a number of 401 digits is too large"),
        (SMALL.replace("rate = 0.003", f"rate = {'9' * 5000}"), "not valid TOML"),
    ],
)
def test_what_no_strip_can_be_read_with_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=said):
        load_strip_recipe(str(path))


@pytest.mark.parametrize(("plain", "along", "reach"), [(0, 1, 5), (2, 2, 7), (1, 1, 4)])
def test_an_answer_depends_on_no_more_than_the_recipe_says(plain: int, along: int, reach: int) -> None:
    settings = Network((4, 4, 4, 4), (4,) * along, plain, reach, precision="float32")
    network = StripNetwork(settings, 3, 0)
    strip = tf.Variable(np.random.default_rng(0).uniform(size=(1, HEIGHT, 192)).astype(np.float32))
    with tf.GradientTape() as tape:
        answer = tf.reduce_sum(network(strip)[0, 48])
    seen = np.flatnonzero(np.abs(tape.gradient(answer, strip).numpy()[0]).sum(axis=0)) - 96
    assert seen[0] >= -settings.seen
    assert seen[-1] <= settings.seen + 2


def test_steps_below_0_are_a_mistake_in_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["strip", "--steps", "-20"])
    assert ended.value.code == 2
    assert "--steps -20 is below 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--sheet", "a.png", "--held-out", "a.npz"], "not allowed with argument --sheet"),
        (["--sheet", "a.png", "--count", "9"], "--count goes with --held-out or --characters"),
        (["--run", "runs/strip-first-seed0"], "--run goes with --characters"),
        (["--seed", "x"], "'x' is no whole number"),
        (["--seed", "-1"], "-1 is not in 0…2147483647"),
    ],
)
def test_what_would_be_passed_over_is_a_mistake_in_the_command(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["strip", *given])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_strings_are_composed_of_all_ten_digits_and_of_nothing_else(
    data: DataSet, recipe: StripRecipe, tmp_path: Path
) -> None:
    letters = replace(data, name="emnist-letters", labels=tuple("ABCDEFGHIJ"))
    few = replace(recipe, data=replace(recipe.data, train=5))
    no_ones = replace(data, train_labels=np.where(data.train_labels == 1, 7, data.train_labels))
    for digits, wanted, said in (
        (letters, recipe, "'emnist-letters' is no set of the ten digits"),
        (data, few, r"train = 5: none of these 5 pictures shows a \d"),
        (no_ones, recipe, r"none of these 1000 pictures shows a 1"),
        (data, replace(recipe, data=replace(recipe.data, validation=1250)), "leaves 47 pictures; lower it"),
        (data, replace(recipe, data=replace(recipe.data, validation=5000)), "leaves 0 pictures; lower it"),
        (data, replace(recipe, data=replace(recipe.data, validation=3)), "validation = 3: none of these 3"),
    ):
        with pytest.raises(RecipeError, match=said):
            run.run(wanted, digits, tmp_path / "run", 0)
        assert not (tmp_path / "run").exists()  # where the recipe that is put right may run
        with pytest.raises(RecipeError, match=said):
            sheet.write(wanted, digits, 0, tmp_path / "sheet.png")


def test_what_a_strip_says_stands_beside_it(digits: Digits) -> None:
    composer, again = Composer(digits, Composition()), np.random.default_rng(3)
    made = composed(composer, 20, 64, np.random.default_rng(3))
    for image, labels in zip(made.images, made.labels, strict=True):
        strip, text = composer.strip(64, again)
        assert np.array_equal(image, strip)
        assert labels.tolist() == text + [-1] * (len(labels) - len(text))


def test_every_block_is_learnt_from_so_often_and_whoever_goes_on_has_the_same(digits: Digits) -> None:
    given = digits, Composition(), (32, 48), 1, 7
    with Source(*given, processes=1) as source:
        learnt = list(source.in_order(0, 60, 2))
        kept = len(source._blocks)
        blocks = [source.block(n).images for n in range(30)]
    assert kept < 20  # a long run does not fill the memory
    assert [block.shape[2] for block in blocks] == [32, 48] * 15
    whole = [strips.images.tobytes() for strips in learnt]
    numbers = {block.tobytes(): n for n, block in enumerate(blocks)}
    assert len(numbers) == 30
    order = [numbers[images] for images in whole]
    assert order[::2] == list(range(30))
    uses = {n: [turn for turn, number in enumerate(order) if number == n] for n in range(1, 20)}
    assert all(len(turns) == 2 and turns[1] - turns[0] > 5 for turns in uses.values())
    assert all(learnt[one] is learnt[other] for one, other in uses.values())  # composed once
    with Source(*given, processes=2) as source:
        assert [strips.images.tobytes() for strips in source.in_order(31, 60, 2)] == whole[31:]
    with Source(*given[:-1], 8, processes=1) as source:
        assert source.block(0).images.tobytes() not in numbers


def test_one_processor_is_enough(digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    with Source(digits, Composition(), (32,), 1, 0) as source:
        assert len(source.block(0)) == 1


def test_a_composing_process_that_is_killed_is_told_in_a_line(digits: Digits) -> None:
    with Source(digits, Composition(), (64,), 4, 0, processes=1) as source:
        assert len(source.block(0)) == 4
        (process,) = source._pool._processes.values()
        process.kill()
        process.join()
        with pytest.raises(WorkerError, match="a process that composes strips was ended from outside"):
            source.block(1 + 2 * _AHEAD)


def test_steps_that_are_no_whole_blocks_are_refused_before_training(
    data: DataSet, recipe: StripRecipe, small_mnist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.toml"
    out = tmp_path / "run"
    arguments = ["strip", str(path), "--data", str(small_mnist.parent), "--out", str(out), "--steps", "50"]
    assert main(arguments) == 1
    assert "steps and checkpoint must be multiples of 20" in capsys.readouterr().err
