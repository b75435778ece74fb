"""The models for strips that ship: what their files say, and that they come from the published run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.export.making import PUBLISHED

from edgedigits.model import read_model
from edgedigits.runtime import shipped_models
from edgedigits.strip_model import StripModel
from edgedigits_export.edgetpu import check_edgetpu
from edgedigits_export.formats import find_formats
from edgedigits_export.run import read_run
from edgedigits_export.strip_convert import MEASURED, export_strip_run
from edgedigits_export.strip_data import Composed, read_composed
from edgedigits_export.validate_strips import validate_strips

RUN = PUBLISHED.with_name("strip-seed0")
LARGEST = 500_000
"""Bytes of the int8 file."""


@pytest.mark.parametrize("name", shipped_models("strip"))
def test_the_file_says_what_it_is(name: str) -> None:
    card, run = StripModel(name).card, read_run(RUN)
    assert card.name == name
    assert (card.labels[:-1], card.recipe, card.seed, card.data) == (run.labels, run.name, run.seed, run.data)
    assert card.accuracy[MEASURED] > 0.7
    assert 0.5 < card.temperature < 2
    for way in ("strip", "auto"):
        promises = [point.max_error for point in card.operating_points if point.way == way]
        assert 0.01 in promises
        assert promises == sorted(promises, reverse=True)
    for point in card.operating_points:
        assert point.wrong <= point.max_error * point.accepted
        assert point.data == "cheques-tune"


def test_the_integer_model_is_small_and_fits_an_edge_tpu() -> None:
    assert len(read_model("strip-int8")) <= LARGEST
    assert check_edgetpu("strip-int8").ready


def composed_with(seed: int, data_set: object, out: Path) -> Composed:
    from edgedigits_train.cli import main

    assert callable(data_set)
    path = out / f"strips-{seed}.npz"
    folder = data_set("mnist").parent
    assert main(["strip", "--held-out", str(path), "--seed", str(seed), "--data", str(folder)]) == 0
    return read_composed(path)


@pytest.fixture(scope="module")
def composed(data_set: object, tmp_path_factory: pytest.TempPathFactory) -> Composed:
    """The strips that the shipped model was calibrated with, composed again."""
    return composed_with(1, data_set, tmp_path_factory.mktemp("strips"))


@pytest.mark.slow
def test_the_shipped_model_comes_from_the_published_run(
    composed: Composed, data_set: object, tmp_path: Path
) -> None:
    """Converted again, the run gives the same file but for versions and operating points."""
    ours = StripModel("strip-int8")
    formats = find_formats(["float32", "int8"])
    float_, int8 = export_strip_run(read_run(RUN), tmp_path, formats, composed)
    again = StripModel(int8.path)
    assert again.card.temperature == pytest.approx(ours.card.temperature, abs=0.01)
    strips = composed.images[:100]
    windows = np.pad(strips, ((0, 0), (0, 0), (0, ours.width - strips.shape[2])))
    steps = ours.invoke(ours.tensor(windows)).astype(int) - again.invoke(again.tensor(windows))
    assert np.abs(steps).max() <= 2
    # On strips of another seed: those above, the model was calibrated with.
    others = composed_with(2, data_set, tmp_path).as_set("composed")
    validation = validate_strips(float_.path, ["strip-int8"], [others], timed=False)
    assert validation.failures == ()
