"""From a run to model files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.export.making import PUBLISHED, write_network, write_run

from edgedigits.card import split_bytes
from edgedigits.errors import OutputError
from edgedigits.model import Model
from edgedigits_export.calibrate import draw_sample
from edgedigits_export.convert import Exported, Thresholds, export_run
from edgedigits_export.data import Pictures, read_mnist
from edgedigits_export.errors import ConversionError, RunError
from edgedigits_export.formats import FORMATS, find_formats
from edgedigits_export.run import read_run

DataSet = Callable[[str], Path]

SHIPPED = ("float32", "int8")


def read(model: Model, pictures: Pictures) -> NDArray[np.intp]:
    return model.probabilities(pictures.images).argmax(axis=1)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_what_the_table_says(converted: dict[str, Exported], name: str) -> None:
    row, made = FORMATS[name], converted[name]
    model = Model(made.path)
    assert made.path.name == f"paper-{name}.tflite"
    assert made.path.stat().st_size == made.size
    assert (model.input_dtype.name, model.output_dtype.name) == (row.input_dtype, row.output_dtype)
    assert (model.card.name, model.card.format) == (f"paper-{name}", name)
    run = read_run(PUBLISHED)
    assert (model.card.labels, model.card.temperature, model.card.seed) == (run.labels, run.temperature, 0)
    assert model.card.data == run.data
    assert bool(model.card.representative) == row.representative
    assert model.card.versions["ai-edge-litert"]
    assert model.card.accuracy["mnist-test"] > 0.97


@pytest.mark.parametrize("format_", SHIPPED)
def test_the_shipped_models_come_from_the_published_run(
    converted: dict[str, Exported], test_pictures: Pictures, format_: str
) -> None:
    """Converted again, the run gives the same accuracy, and outputs within one step (float: within 1e-4)."""
    ours, again = Model(f"paper-{format_}"), Model(converted[format_].path)
    assert again.card.labels == ours.card.labels
    assert again.card.temperature == ours.card.temperature
    assert again.card.representative == ours.card.representative
    assert again.input_affine == pytest.approx(ours.input_affine)
    assert again.output_affine == pytest.approx(ours.output_affine)
    pixels = test_pictures.images.reshape(-1, 784)
    tensor = (pixels / np.float32(255)) if format_ == "float32" else (pixels ^ 0x80).view(np.int8)
    first, second = (m.invoke(tensor.astype(m.input_dtype)).astype(np.float64) for m in (ours, again))
    assert np.abs(first - second).max() <= (1e-4 if format_ == "float32" else 1)
    accuracies = [(read(m, test_pictures) == test_pictures.labels).mean() for m in (ours, again)]
    assert accuracies[0] == accuracies[1] == pytest.approx(ours.card.accuracy["mnist-test"])


@pytest.mark.parametrize("format_", SHIPPED)
def test_converting_twice_gives_the_same_bytes(
    converted: dict[str, Exported], tmp_path: Path, test_pictures: Pictures, data_set: DataSet, format_: str
) -> None:
    sample = draw_sample(read_mnist("train", data_set("mnist")))
    (again,) = export_run(
        read_run(PUBLISHED), tmp_path, find_formats([format_]), sample=sample, test=test_pictures
    )
    assert again.path.read_bytes() == converted[format_].path.read_bytes()


@pytest.mark.parametrize("format_", SHIPPED)
def test_another_calibration_seed_makes_little_difference(
    converted: dict[str, Exported], test_pictures: Pictures, tmp_path: Path, data_set: DataSet, format_: str
) -> None:
    sample = draw_sample(read_mnist("train", data_set("mnist")), seed=4)
    (other,) = export_run(read_run(PUBLISHED), tmp_path, find_formats([format_]), sample=sample)
    assert other.card.accuracy == {}
    first, second = (read(Model(made.path), test_pictures) for made in (other, converted[format_]))
    assert (first == second).mean() > 0.998


def test_a_convolutional_network_and_one_with_other_labels(tmp_path: Path, small_set: Path) -> None:
    run = read_run(
        write_run(tmp_path / "run", shape=(28, 28, 1), outputs=3, convolve=True, labels=["a", "b", "c"])
    )
    sample = draw_sample(read_mnist("train", small_set))
    thresholds = Thresholds(min_digit_confidence=0.25, min_line_confidence=0.125)
    made = list(
        export_run(run, tmp_path / "out" / "deeper", find_formats(None), sample=sample, thresholds=thresholds)
    )
    pictures = read_mnist("test", small_set).images[:5]
    expected = Model(made[0].path).probabilities(pictures)
    for exported in made:
        model = Model(exported.path)
        assert model.card.labels == ("a", "b", "c")
        assert model.card.input_shape == (28, 28, 1)
        assert (model.card.min_digit_confidence, model.card.min_line_confidence) == (0.25, 0.125)
        assert np.abs(model.probabilities(pictures) - expected).max() < 0.05


def test_calibration_pictures_are_asked_for(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="int8 needs sample pictures"):
        list(export_run(read_run(tiny_run), tmp_path, find_formats(["int8"])))


def test_a_network_that_has_learnt_nothing_is_refused_in_a_line(tmp_path: Path, small_set: Path) -> None:
    """What it gives is always the same: there is no telling how far another board may be from it."""

    def dead(tf: Any, x: Any, weights: Callable[..., Any]) -> Any:
        values = tf.nn.relu(tf.reshape(x, [-1, 784]) @ weights(784, 10) - 1000.0)
        return values @ weights(10, 10)

    run = read_run(write_network(tmp_path / "run", dead, (784,)))
    sample = draw_sample(read_mnist("train", small_set))
    with pytest.raises(
        ConversionError, match="tiny-int8-float-io: gives the same for every picture"
    ) as caught:
        list(export_run(run, tmp_path / "out", find_formats(["int8-float-io"]), sample=sample))
    assert "\n" not in str(caught.value)


def test_networks_for_something_else(tmp_path: Path) -> None:
    other_shape = read_run(write_run(tmp_path / "shape", shape=(100,)))
    with pytest.raises(RunError, match="takes 100 where 28×28 pixels"):
        list(export_run(other_shape, tmp_path, find_formats(["float32"])))
    other_labels = read_run(write_run(tmp_path / "labels", outputs=7))
    with pytest.raises(RunError, match="7 outputs for the 10 labels"):
        list(export_run(other_labels, tmp_path, find_formats(["float32"])))


def test_a_damaged_network(spoilable_run: Path, tmp_path: Path) -> None:
    (spoilable_run / "model" / "saved_model.pb").write_bytes(b"not a protobuf")
    with pytest.raises(RunError, match="can't be loaded") as caught:
        list(export_run(read_run(spoilable_run), tmp_path, find_formats(["float32"])))
    assert "\n" not in str(caught.value)


def test_a_network_whose_weights_are_gone(spoilable_run: Path, tmp_path: Path) -> None:
    shutil.rmtree(spoilable_run / "model" / "variables")
    with pytest.raises(RunError, match="can't be loaded"):
        list(export_run(read_run(spoilable_run), tmp_path, find_formats(["float32"])))


def test_no_room_to_write(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file of that name"):
        list(export_run(read_run(tiny_run), tmp_path / "file", find_formats(["float32"])))


def test_nothing_else_is_left_in_the_folder(tiny_run: Path, tmp_path: Path) -> None:
    (made,) = export_run(read_run(tiny_run), tmp_path / "out", find_formats(["float32"]))
    assert list((tmp_path / "out").iterdir()) == [made.path]
    card, model = split_bytes(made.path.read_bytes(), "x")
    assert card.model_size == len(model)
