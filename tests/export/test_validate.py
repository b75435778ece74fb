"""The validator: the gate that the shipped models pass, and that broken ones don't."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.export.making import edited

from edgedigits.card import split_bytes, split_model
from edgedigits.errors import ModelError
from edgedigits.model import Model, read_model
from edgedigits_export.convert import Exported
from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError
from edgedigits_export.formats import FORMATS
from edgedigits_export.gates import Gates
from edgedigits_export.html import html
from edgedigits_export.junit import junit
from edgedigits_export.pack import pack
from edgedigits_export.tables import table
from edgedigits_export.validate import Scope, validate

BARE = Scope(time=False, memory=False, tensors=False)
SHIPPED = ("paper", "compact")
"""Networks that ship in float and in int8."""
"""What can be counted, nothing more."""


def part(pictures: Pictures, count: int) -> Pictures:
    return dataclasses.replace(pictures, images=pictures.images[:count], labels=pictures.labels[:count])


def rewritten(path: Path, to: Path, **changes: Any) -> Path:
    """Write a model again with another card."""
    card, model = split_model(path)
    to.write_bytes(pack(model, dataclasses.replace(card, **changes)))
    return to


@pytest.mark.parametrize("network", SHIPPED)
def test_the_shipped_int8_models_pass_the_gate(test_pictures: Pictures, network: str) -> None:
    """On MNIST's 10,000 test pictures it drops by at most 0.1 point and agrees on at least 99.8 %."""
    assert (Gates().max_drop, Gates().min_agreement) == (0.001, 0.998)
    validation = validate(f"{network}-float32", [f"{network}-int8"], test_pictures, scope=BARE)
    assert validation.count == 10_000
    assert validation.failures == ()
    (comparison,) = validation.comparisons
    assert comparison.drop <= 0.001
    assert comparison.agreement >= 0.998
    assert comparison.drop_interval[0] <= comparison.drop <= comparison.drop_interval[1]


def test_every_format_passes_its_gate(converted: dict[str, Exported], test_pictures: Pictures) -> None:
    """All but the one of four bits pass what the shipped model passes; that one loses half a point."""
    quantized = {name: made.path for name, made in converted.items() if FORMATS[name].quantized}
    coarse = quantized.pop("int4-weights")
    float_model = converted["float32"].path
    assert validate(float_model, list(quantized.values()), test_pictures, scope=BARE).failures == ()
    gates = Gates(max_drop=0.005, min_agreement=0.985, max_class_drop=0.02, max_brier_rise=0.01)
    assert validate(float_model, [coarse], test_pictures, gates, scope=BARE).failures == ()


def test_figures_are_what_they_are_called(test_pictures: Pictures) -> None:
    """Counted here again, from the models' own outputs."""
    validation = validate("paper-float32", ["paper-int8"], test_pictures, scope=BARE)
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


def test_all_reports_say_the_same(test_pictures: Pictures) -> None:
    few = part(test_pictures, 300)
    gates = Gates(min_agreement=1.0, max_drop=None, min_sqnr=99.0)
    validation = validate("paper-float32", ["paper-int8"], few, gates, Scope(corruptions=True))
    (c,) = validation.comparisons
    values = json.loads(validation.as_json())
    assert values["passed"] is False
    assert values["comparisons"][0]["agreement"] == c.agreement
    timing, memory = c.model.timing, c.model.peak_memory
    assert timing is not None
    assert 0 < timing.batch < timing.p50 <= timing.p99
    assert memory is not None
    assert 20e6 < memory < 300e6
    text, page = table(validation), html(validation, few)
    for said in (f"{100 * validation.baseline.accuracy:.2f}", "paper-int8", "FULLY_CONNECTED", "ruled line"):
        assert said in text
        assert said in page
    assert page.count("data:image/png;base64,") == len(c.flips)
    assert page.count("<circle") == len(c.corrupted) == 36
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # nothing is fetched from anywhere
    for drawing in re.findall(r"<svg.*?</svg>", page):
        ElementTree.fromstring(drawing)
    suite = ElementTree.fromstring(junit(validation))
    cases = {case.attrib["name"]: [child.tag for child in case] for case in suite}
    assert cases["max_drop"] == ["skipped"]
    assert cases["min_sqnr"] == ["failure"]
    assert cases["max_class_drop"] in ([], ["failure"])
    failed = [name for name, tags in cases.items() if tags == ["failure"]]
    assert suite.attrib["failures"] == str(len(failed))
    assert set(failed) == {failure.gate for failure in c.failures}


def test_what_is_not_measured_is_skipped_in_junit(test_pictures: Pictures) -> None:
    suite = ElementTree.fromstring(
        junit(validate("paper-float32", ["paper-int8"], part(test_pictures, 100), scope=BARE))
    )
    skipped = {case.attrib["name"] for case in suite if [child.tag for child in case] == ["skipped"]}
    assert skipped == {"min_sqnr", "max_saturated", "max_corrupted_drop"}


def test_a_class_without_pictures_is_said(test_pictures: Pictures) -> None:
    keep = test_pictures.labels != 7
    others = dataclasses.replace(
        test_pictures, images=test_pictures.images[keep], labels=test_pictures.labels[keep]
    )
    validation = validate("paper-float32", ["paper-int8"], part(others, 90), scope=BARE)
    assert validation.baseline.per_class[7].pictures == 0
    assert "none" in table(validation)
    low, high = validation.comparisons[0].drop_interval
    assert high - low > 0.02  # 90 pictures prove little, and the interval says so


def wrong_zero_point(model: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].quantization.zeroPoint = [0]


def output_scale_doubled(model: Any) -> None:
    quantization = model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]].quantization
    quantization.scale = [2 * quantization.scale[0]]


def weight_scales_doubled(model: Any) -> None:
    quantization = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].inputs[1]].quantization
    quantization.scale = [2 * scale for scale in quantization.scale]


def channel_scale_doubled(model: Any) -> None:
    quantization = model.subgraphs[0].tensors[model.subgraphs[0].operators[1].inputs[1]].quantization
    quantization.scale = [2 * quantization.scale[0], *quantization.scale[1:]]


def weights_of_a_sibling(model: Any) -> None:
    """Weights as good as these, and not these: a few codes up or down, at random."""
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].inputs[1]]
    weights = np.array(model.buffers[tensor.buffer].data, np.uint8).view(np.int8).astype(int)
    weights += np.random.default_rng(0).integers(-12, 13, weights.shape)
    model.buffers[tensor.buffer].data = np.clip(weights, -127, 127).astype(np.int8).view(np.uint8)


@pytest.mark.parametrize(
    ("spoil", "gates"),
    [
        (wrong_zero_point, {"min_agreement", "min_sqnr"}),
        (output_scale_doubled, {"min_agreement"}),
        (weight_scales_doubled, {"max_ece_rise", "min_sqnr", "max_saturated"}),
        (channel_scale_doubled, {"max_drop", "min_agreement", "max_class_drop"}),
        (weights_of_a_sibling, {"min_agreement"}),
    ],
)
def test_a_broken_model_fails_a_gate(
    test_pictures: Pictures, tmp_path: Path, spoil: Callable[[Any], None], gates: set[str]
) -> None:
    card, body = split_bytes(read_model("paper-int8"), "paper-int8")
    path = tmp_path / "broken.tflite"
    path.write_bytes(pack(edited(body, spoil), card))
    scope = Scope(time=False, memory=False)
    (c,) = validate("paper-float32", [path], test_pictures, scope=scope).comparisons
    assert gates <= {failure.gate for failure in c.failures}, c.failures
    assert all("\n" not in failure.line for failure in c.failures)


def test_swapped_labels_fail_a_gate(test_pictures: Pictures, tmp_path: Path) -> None:
    card, body = split_bytes(read_model("paper-int8"), "paper-int8")
    path = tmp_path / "swapped.tflite"
    path.write_bytes(pack(body, dataclasses.replace(card, labels=tuple("1023456789"))))
    (c,) = validate("paper-float32", [path], test_pictures, scope=BARE).comparisons
    assert {"max_drop", "min_agreement"} <= {failure.gate for failure in c.failures}


def test_labels_in_another_order_are_the_same_labels(test_pictures: Pictures, tmp_path: Path) -> None:
    """A model whose outputs and labels are both turned about is the same model."""
    card, body = split_bytes(read_model("paper-int8"), "paper-int8")

    def turn(model: Any) -> None:
        operator = model.subgraphs[0].operators[1]
        for index in operator.inputs[1:]:
            tensor = model.subgraphs[0].tensors[index]
            data = np.array(model.buffers[tensor.buffer].data, np.uint8).reshape(10, -1)
            model.buffers[tensor.buffer].data = data[::-1].copy().reshape(-1)
            tensor.quantization.scale = tensor.quantization.scale[::-1]

    path = tmp_path / "turned.tflite"
    path.write_bytes(pack(edited(body, turn), dataclasses.replace(card, labels=card.labels[::-1])))
    (c,) = validate("paper-float32", [path], test_pictures, scope=BARE).comparisons
    (same,) = validate("paper-float32", ["paper-int8"], test_pictures, scope=BARE).comparisons
    # Ties go to the other of the two labels now, which is all that may differ.
    assert abs(c.agreement - same.agreement) < 0.002


def test_gates_are_met_by_equality(test_pictures: Pictures) -> None:
    (c,) = validate("paper-float32", ["paper-int8"], test_pictures, scope=BARE).comparisons
    just = Gates(max_drop=max(c.drop, 0.0), min_agreement=c.agreement)
    assert validate("paper-float32", ["paper-int8"], test_pictures, just, scope=BARE).failures == ()
    above = Gates(max_drop=1.0, min_agreement=c.agreement + 0.0001)
    assert len(validate("paper-float32", ["paper-int8"], test_pictures, above, scope=BARE).failures) == 1


def test_labels_that_differ(converted: dict[str, Exported], tmp_path: Path, test_pictures: Pictures) -> None:
    other = rewritten(converted["int8"].path, tmp_path / "s.tflite", labels=tuple("A123456789"))
    with pytest.raises(ModelError, match=r"reads A 1 2 .* compare models with the same labels"):
        validate("paper-float32", [other], test_pictures)


def test_a_float_model_where_a_quantized_one_is_expected(test_pictures: Pictures) -> None:
    with pytest.raises(ModelError, match="float32 where a quantized model is expected"):
        validate("paper-int8", ["paper-float32"], test_pictures)
    scope = dataclasses.replace(BARE, any_format=True)
    assert validate("paper-int8", ["paper-float32"], test_pictures, scope=scope).count == 10_000


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


@pytest.mark.parametrize("network", ["paper", pytest.param("compact", marks=pytest.mark.slow)])
def test_the_shipped_int8_models_hold_under_every_corruption(test_pictures: Pictures, network: str) -> None:
    """On the worst of them they lose at most half a point more than the float model itself."""
    scope = dataclasses.replace(BARE, corruptions=True)
    (c,) = validate(f"{network}-float32", [f"{network}-int8"], test_pictures, scope=scope).comparisons
    assert len(c.corrupted) == 36
    assert max(row.drop for row in c.corrupted) <= 0.005
    assert all(not failure.gate.startswith("max_corrupted") for failure in c.failures)
