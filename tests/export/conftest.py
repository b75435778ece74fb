"""What the export tests share: the published run, models made of it, small data sets, small networks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.export.making import PUBLISHED, write_idx, write_run

from edgedigits_export.calibrate import draw_sample
from edgedigits_export.convert import Exported, export_run
from edgedigits_export.data import Pictures, read_mnist
from edgedigits_export.formats import FORMATS
from edgedigits_export.run import read_run

DataSet = Callable[[str], Path]


@pytest.fixture(scope="session")
def test_pictures(data_set: DataSet) -> Pictures:
    """MNIST's 10,000 test pictures."""
    return read_mnist("test", data_set("mnist"))


@pytest.fixture(scope="session")
def converted(
    data_set: DataSet, test_pictures: Pictures, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Exported]:
    """The published run, converted again to every format there is, by the format's name."""
    sample = draw_sample(read_mnist("train", data_set("mnist")))
    out = tmp_path_factory.mktemp("converted")
    made = export_run(read_run(PUBLISHED), out, tuple(FORMATS.values()), sample=sample, test=test_pictures)
    return {exported.format.name: exported for exported in made}


@pytest.fixture
def small_set(tmp_path: Path) -> Path:
    """A data folder in MNIST's form, of noise: 600 training and 120 test pictures."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, count in (("train", 600), ("t10k", 120)):
        write_idx(folder / f"{name}-images-idx3-ubyte", generator.integers(0, 256, (count, 28, 28), np.uint8))
        write_idx(folder / f"{name}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 10)
    return folder.parent


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained run of one dense layer; not to be changed."""
    return write_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture
def spoilable_run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))
