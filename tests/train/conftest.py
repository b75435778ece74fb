"""A small data set of real digits, in the layout of MNIST, for tests that don't need MNIST itself."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from edgedigits_train.fetch import MNIST
from edgedigits_train.idx import idx_bytes


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 1,297 training and 500 test pictures: scikit-learn's 8×8 digits, enlarged to 28×28."""
    digits = load_digits()
    grey = (digits.images * (255 / 16)).astype(np.uint8)
    images = np.pad(np.kron(grey, np.ones((1, 3, 3), np.uint8)), ((0, 0), (2, 2), (2, 2)))
    labels = digits.target.astype(np.uint8)
    folder = tmp_path_factory.mktemp("small") / "mnist"
    folder.mkdir()
    for name, values in zip(MNIST, (images[:1297], labels[:1297], images[1297:], labels[1297:]), strict=True):
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(values), mtime=0))
    return folder


@pytest.fixture(scope="module")
def uncompiled() -> Iterator[None]:
    """Loops are left to TensorFlow's graphs: compiling them would take longer than the tests' few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgedigits_train.networks.Network.compiled", False)
        yield
