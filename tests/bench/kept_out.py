"""Digits of MNIST that choices may be made by: of the training part, and not trained on.

That holds for the networks that read by default, `paper` learns from all. Their temperatures are fitted on
these digits, drawn anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgedigits_train.data import load_mnist

COUNT = 2000
"""The last ones, as `[data] validation` of these recipes says."""


def kept_out_digits() -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Return pictures (uint8, 2000×28×28, ink bright on 0) and labels (2000), from EDGEDIGITS_DATA.

    Raises SystemExit with one line that says so, if that is not set.
    """
    folder = os.environ.get("EDGEDIGITS_DATA")
    if not folder:
        raise SystemExit("set EDGEDIGITS_DATA to the folder that holds the sets")
    mnist = load_mnist(Path(folder))
    return mnist.train_images[-COUNT:], mnist.train_labels[-COUNT:]
