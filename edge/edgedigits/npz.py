"""Reading `.npz` files that may be cut off, changed, or none at all.

Training leaves them to itself and to the export: checkpoints, composed strips.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt


def arrays_of(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an `.npz` file's bytes by their names; pickled ones are refused.

    Raises `ValueError`, whatever is wrong with it.
    """
    file = io.BytesIO(content)
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no whole .npz file")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # a dozen kinds, of `zipfile`, `zlib` and NumPy
        raise ValueError(" ".join(str(error).split())[:100] or type(error).__name__) from error
