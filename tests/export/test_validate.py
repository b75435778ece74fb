"""The validator: the gate that the shipped models pass, and that broken ones don't."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgedigits.card import split_model
from edgedigits.errors import ModelError
from edgedigits.model import Model
from edgedigits_export.convert import Exported
from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError
from edgedigits_export.formats import FORMATS
from edgedigits_export.pack import pack
from edgedigits_export.validate import Gates, table, validate


def rewritten(path: Path, to: Path, **changes: Any) -> Path:
    """Write a model again with another card."""
    card, model = split_model(path)
    to.write_bytes(pack(model, dataclasses.replace(card, **changes)))
    return to


def test_the_shipped_int8_model_passes_the_gate(test_pictures: Pictures) -> None:
    """On MNIST's 10,000 test pictures it drops by at most 0.1 point and agrees on at least 99.8 %."""
    assert Gates() == Gates(max_drop=0.001, min_agreement=0.998)
    validation = validate("paper-float32", ["paper-int8"], test_pictures, timed=False)
    assert validation.count == 10_000
    assert validation.failures == ()
    (comparison,) = validation.comparisons
    assert comparison.drop <= 0.001
    assert comparison.agreement >= 0.998
    assert comparison.drop_interval[0] <= comparison.drop <= comparison.drop_interval[1]


def test_every_format_passes_its_gate(converted: dict[str, Exported], test_pictures: Pictures) -> None:
    """All but the one of four bits pass what the shipped model passes; that one loses half a point at most."""
    quantized = {name: made.path for name, made in converted.items() if FORMATS[name].quantized}
    coarse = quantized.pop("int4-weights")
    float_model = converted["float32"].path
    assert validate(float_model, list(quantized.values()), test_pictures, timed=False).failures == ()
    gates = Gates(max_drop=0.005, min_agreement=0.985)
    assert validate(float_model, [coarse], test_pictures, gates, timed=False).failures == ()


def test_figures_are_what_they_are_called(test_pictures: Pictures) -> None:
    """Counted here again, from the models' own outputs."""
    validation = validate("paper-float32", ["paper-int8"], test_pictures, timed=False)
    models = Model("paper-float32"), Model("paper-int8")
    first, second = (model.probabilities(test_pictures.images).argmax(axis=1) for model in models)
    truth = test_pictures.labels
    (c,) = validation.comparisons
    assert validation.baseline.accuracy == np.mean(first == truth)
    assert c.model.accuracy == np.mean(second == truth)
    assert c.drop == pytest.approx(np.mean(first == truth) - np.mean(second == truth))
    assert c.agreement == np.mean(first == second)
    assert c.lost == np.sum((first == truth) & (second != truth))
    assert c.gained == np.sum((first != truth) & (second == truth))
    for index, figures in enumerate(c.model.per_class):
        assert figures.label == str(index)
        assert figures.pictures == np.sum(truth == index)
        assert figures.right == np.sum((truth == index) & (second == index))
    assert c.model.size == Model("paper-int8").card.model_size


def test_json_and_table_say_the_same(test_pictures: Pictures) -> None:
    part = dataclasses.replace(
        test_pictures, images=test_pictures.images[:200], labels=test_pictures.labels[:200]
    )
    validation = validate("paper-float32", ["paper-int8"], part)
    values = json.loads(validation.as_json())
    assert values["passed"] is True
    assert values["comparisons"][0]["agreement"] == validation.comparisons[0].agreement
    timing = validation.comparisons[0].model.timing
    assert timing is not None
    assert 0 < timing.batch < timing.single
    assert f"{100 * validation.baseline.accuracy:.2f}" in table(validation)
    assert "paper-int8" in table(validation)


def test_a_class_without_pictures_is_said(test_pictures: Pictures) -> None:
    keep = test_pictures.labels != 7
    part = dataclasses.replace(
        test_pictures, images=test_pictures.images[keep][:90], labels=test_pictures.labels[keep][:90]
    )
    validation = validate("paper-float32", ["paper-int8"], part, timed=False)
    assert validation.baseline.per_class[7].pictures == 0
    assert "none" in table(validation)
    low, high = validation.comparisons[0].drop_interval
    assert high - low > 0.02  # 90 pictures prove little, and the interval says so


@pytest.mark.parametrize(
    "gates", [Gates(max_drop=0.001, min_agreement=None), Gates(max_drop=None, min_agreement=0.998)]
)
def test_a_model_of_other_weights_fails_either_gate(
    test_pictures: Pictures, converted: dict[str, Exported], tmp_path: Path, gates: Gates
) -> None:
    """The int8 model with a tenth of its weights set to nothing: it loads, it answers, it is worse."""
    card, model = split_model(converted["int8"].path)
    broken = bytearray(model)
    places = np.random.default_rng(0).choice(np.arange(20_000, 90_000), 10_000, replace=False)
    for place in places:
        broken[place] = 0
    path = tmp_path / "broken.tflite"
    path.write_bytes(pack(bytes(broken), card))
    validation = validate(converted["float32"].path, [path], test_pictures, gates, timed=False)
    (failure,) = validation.failures
    assert failure.startswith("paper-int8: ")
    assert "\n" not in failure


def test_gates_are_met_by_equality(test_pictures: Pictures) -> None:
    (c,) = validate("paper-float32", ["paper-int8"], test_pictures, timed=False).comparisons
    just = Gates(max_drop=max(c.drop, 0.0), min_agreement=c.agreement)
    assert validate("paper-float32", ["paper-int8"], test_pictures, just, timed=False).failures == ()
    above = Gates(max_drop=1.0, min_agreement=c.agreement + 0.0001)
    assert len(validate("paper-float32", ["paper-int8"], test_pictures, above, timed=False).failures) == 1


def test_labels_that_differ(converted: dict[str, Exported], tmp_path: Path, test_pictures: Pictures) -> None:
    swapped = rewritten(converted["int8"].path, tmp_path / "s.tflite", labels=tuple("1023456789"))
    with pytest.raises(ModelError, match=r"reads 1 0 2 .* compare models with the same labels"):
        validate("paper-float32", [swapped], test_pictures)


def test_a_float_model_where_a_quantized_one_is_expected(test_pictures: Pictures) -> None:
    with pytest.raises(ModelError, match="float32 where a quantized model is expected"):
        validate("paper-int8", ["paper-float32"], test_pictures)


def test_no_pictures(test_pictures: Pictures) -> None:
    none = dataclasses.replace(
        test_pictures, images=test_pictures.images[:0], labels=test_pictures.labels[:0]
    )
    with pytest.raises(DataError, match="no pictures"):
        validate("paper-float32", ["paper-int8"], none)


def test_pictures_of_a_class_the_models_do_not_read(
    converted: dict[str, Exported], tmp_path: Path, test_pictures: Pictures
) -> None:
    letters: tuple[str, ...] = tuple("ABCDEFGHIJ")
    paths = [
        rewritten(converted[name].path, tmp_path / f"{name}.tflite", labels=letters)
        for name in ("float32", "int8")
    ]
    with pytest.raises(DataError, match="pictures of '0'"):
        validate(paths[0], paths[1:], test_pictures)
