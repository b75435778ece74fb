"""Models that were not made here: Keras networks through TensorFlow's own converter, without a card."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.export.making import edited

from edgedigits.card import split_bytes
from edgedigits.errors import ModelError
from edgedigits.model import Model, read_model
from edgedigits_export.cardless import Conventions, infer_card
from edgedigits_export.cli import main
from edgedigits_export.data import Pictures
from edgedigits_export.validate import Scope, validate

BARE = Scope(time=False, memory=False, tensors=False)
RANGE = Conventions(input_range="0-255")


@pytest.fixture(scope="module")
def made(test_pictures: Pictures, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A dense network on pixels of 0…255 (times 0.01 in the graph), softmax at its end, in four formats.

    And one of three outputs, one whose inputs are 0…1, and one without the softmax.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("keras")
    keras.utils.set_random_seed(0)
    x, y = test_pictures.images[:3000, ..., None].astype(np.float32), test_pictures.labels[:3000]

    def network(*, factor: float = 1.0, outputs: int = 10, last: str | None = "softmax") -> Any:
        layers = [
            keras.Input((28, 28, 1)),
            keras.layers.AveragePooling2D(2),
            keras.layers.Rescaling(factor),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(outputs, activation=last),
        ]
        return keras.Sequential(layers)

    def write(name: str, model: Any, scale: float = 1.0, **settings: Any) -> None:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        for key, value in settings.items():
            setattr(converter, key, value)
        if "supported" in name:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([image[None] * scale] for image in x[:200])
        paths[name] = folder / f"{name}.tflite"
        paths[name].write_bytes(converter.convert())

    paths: dict[str, Path] = {}
    model = network(factor=0.01)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=3, verbose=0)
    small = [tf.lite.Optimize.DEFAULT]
    write("float", model)
    write("inside", model, optimizations=small)
    for kind in ("int8", "uint8"):
        types = {f"inference_{end}_type": tf.as_dtype(kind) for end in ("input", "output")}
        write(f"supported-{kind}", model, optimizations=small, **types)
    write("unit", network(), 1 / 255, optimizations=small)
    write("logits", network(last=None), optimizations=small)
    write("sigmoid", network(last="sigmoid"), optimizations=small)
    write("three", network(outputs=3), optimizations=small)
    return paths


def inferred(path: Path, **said: Any) -> Any:
    return infer_card(path.read_bytes(), path.name, Conventions(**said))[0]


def test_two_without_cards(made: dict[str, Path], test_pictures: Pictures) -> None:
    """Read as Keras reads them: the float one well, the quantized ones alike."""
    others = [made[name] for name in ("inside", "supported-int8", "supported-uint8")]
    validation = validate(made["float"], others, test_pictures, scope=BARE, conventions=RANGE)
    assert validation.baseline.accuracy > 0.85
    for comparison in validation.comparisons:
        assert comparison.agreement > 0.98
        assert comparison.model.source == str(made[comparison.model.name])
    assert [c.model.format for c in validation.comparisons] == ["int8-float-io", "int8", "uint8-input"]
    assert len(validation.notes) == 4
    assert "float has no card" in validation.notes[0]
    assert "labels 0 1 2 3 4 5 6 7 8 9 (taken for granted, of ten outputs)" in validation.notes[0]
    assert "input 0-255 (--input-range)" in validation.notes[0]
    assert "outputs probabilities (its last operation is SOFTMAX)" in validation.notes[0]
    assert "input 0-255 (by its quantization)" in validation.notes[2]


def test_beside_a_model_with_a_card(made: dict[str, Path], test_pictures: Pictures) -> None:
    scope = Scope(time=True, memory=True, tensors=True)
    validation = validate("paper-float32", [made["supported-int8"]], test_pictures, scope=scope)
    assert validation.baseline.accuracy == pytest.approx(0.977, abs=0.001)
    (comparison,) = validation.comparisons
    assert comparison.model.accuracy > 0.85
    assert comparison.model.peak_memory is not None
    (note,) = validation.notes
    assert "(the other model's card)" in note


def test_our_own_models_without_their_cards(tmp_path: Path, test_pictures: Pictures) -> None:
    """The same figures as with them: everything but the temperature is found again."""
    bare = []
    for name in ("paper-float32", "paper-int8"):
        bare.append(tmp_path / f"{name}.tflite")
        bare[-1].write_bytes(split_bytes(read_model(name), name)[1])
    said = Conventions(input_range="0-1")
    (own,) = validate("paper-float32", ["paper-int8"], test_pictures, scope=BARE).comparisons
    (bare_one,) = validate(bare[0], bare[1:], test_pictures, scope=BARE, conventions=said).comparisons
    assert (bare_one.drop, bare_one.agreement) == (own.drop, own.agreement)
    assert bare_one.model.format == "int8"
    found, card = inferred(bare[1]), Model("paper-int8").card
    for field in ("labels", "output", "input_shape", "input_scale", "input_dtype", "output_dtype", "format"):
        assert getattr(found, field) == getattr(card, field)


def test_what_the_files_prove(made: dict[str, Path]) -> None:
    assert inferred(made["unit"]).input_scale == 1 / 255
    assert inferred(made["inside"]).input_scale == 1
    assert inferred(made["unit"]).output == "probabilities"
    assert inferred(made["logits"]).output == "logits"


def test_what_they_don_t_prove_is_asked_for(made: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="give --input-range 0-1 or --input-range 0-255"):
        inferred(made["float"])
    assert inferred(made["float"], input_range="0-1").input_scale == 1 / 255
    with pytest.raises(ModelError, match=r"LOGISTIC, .* give --outputs logits or --outputs probabilities"):
        inferred(made["sigmoid"])
    assert inferred(made["sigmoid"], outputs="probabilities").output == "probabilities"
    with pytest.raises(ModelError, match="its 3 outputs stand for; name them with --labels"):
        inferred(made["three"])
    assert inferred(made["three"], labels=("a", "b", "c")).labels == ("a", "b", "c")
    with pytest.raises(ModelError, match="10 outputs, and 2 labels from --labels"):
        inferred(made["logits"], labels=("a", "b"))


def test_a_proof_goes_before_what_is_said(made: dict[str, Path]) -> None:
    card = inferred(made["inside"], input_range="0-1", outputs="logits")
    assert (card.input_scale, card.output) == (1, "probabilities")


def test_an_input_that_reaches_below_0(made: dict[str, Path], tmp_path: Path) -> None:
    """−1…1, as some networks take it, is no convention that a card can say."""

    def shift(model: Any) -> None:
        quantization = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].quantization
        quantization.scale, quantization.zeroPoint = [2 / 255], [0]

    path = tmp_path / "minus.tflite"
    path.write_bytes(edited(made["supported-int8"].read_bytes(), shift))
    with pytest.raises(ModelError, match=r"reaches from -1 to 0\.996, where 0…1 or 0…255 is expected"):
        inferred(path, input_range="0-1")


def test_as_it_is_typed(
    made: dict[str, Path], tmp_path: Path, small_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(made["float"]), str(made["inside"]), "--data", str(small_set)]
    assert main(["validate", *models]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"edgedigits-export: {made['float']}: no card in it")
    assert said.count("\n") == 1
    lenient = ["--max-drop", "1", "--min-agreement", "0", "--json", str(tmp_path / "report.json")]
    main(["validate", *models, "--input-range", "0-255", *lenient])
    assert "inside has no card" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["notes"]) == 2
    assert report["baseline"]["source"] == str(made["float"])
    letters = ["--input-range", "0-255", "--labels", "a,b,c,d,e,f,g,h,i,j"]
    assert main(["validate", *models, *letters]) == 1
    assert "has pictures of '0'" in capsys.readouterr().err
    assert main(["validate", *models, "--input-range", "0-255", "--labels", "0,0"]) == 1
    assert "comes twice" in capsys.readouterr().err


def two_inputs(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.inputs = [*graph.inputs, graph.operators[0].outputs[0]]


def two_outputs(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = [*graph.outputs, graph.operators[0].outputs[0]]


def other_size(model: Any) -> None:
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    tensor.shape, tensor.shapeSignature = [1, 32, 32, 3], [-1, 32, 32, 3]


def no_operations(model: Any) -> None:
    model.subgraphs[0].operators = []


@pytest.mark.parametrize("spoil", [two_inputs, two_outputs, other_size, no_operations])
def test_models_for_something_else(
    made: dict[str, Path],
    tmp_path: Path,
    small_set: Path,
    spoil: Callable[[Any], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "odd.tflite"
    path.write_bytes(edited(made["supported-int8"].read_bytes(), spoil))
    assert main(["validate", "paper-float32", str(path), "--data", str(small_set)]) == 1
    said = capfd.readouterr().err
    assert said.startswith(f"edgedigits-export: {path}: ")
    assert said.count("\n") == 1


def test_cut_off(made: dict[str, Path], tmp_path: Path, test_pictures: Pictures) -> None:
    whole = made["supported-int8"].read_bytes()
    path = tmp_path / "cut.tflite"
    for length in (20, 300, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError) as caught:
            validate("paper-float32", [path], test_pictures)
        assert str(caught.value).startswith(f"{path}: ")
