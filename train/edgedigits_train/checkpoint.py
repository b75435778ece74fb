"""A checkpoint: everything a run needs to go on as if it had never stopped, in one file.

One `.npz` file, written to a temporary file and renamed into place: at any moment the last whole
checkpoint is there, whatever kills the run.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.errors import EdgeDigitsError
from edgedigits.files import write_atomically
from edgedigits.npz import arrays_of


class CheckpointError(EdgeDigitsError):
    """A checkpoint that can't be used."""


def save(path: Path, arrays: Mapping[str, npt.NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Write named arrays and a JSON-able state; raises `OutputError`, with the old checkpoint untouched."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {f"array {name}": array for name, array in arrays.items()}
    np.savez(buffer, state=np.array(json.dumps(state)), **named)
    write_atomically(path, buffer.getvalue())


def load(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read what `save` wrote: the arrays by name, and the state. Raises `CheckpointError`."""
    try:
        arrays = arrays_of(path.read_bytes())
        state = json.loads(str(arrays.pop("state")))
        if not isinstance(state, dict):
            raise ValueError("its state is none")
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path}: the checkpoint can't be read ({error}); delete the run folder to start again"
        ) from error
    return {name.removeprefix("array "): array for name, array in arrays.items()}, state
