"""A checkpoint: everything a run needs to go on as if it had never stopped, in one file.

One `.npz` file, written to a temporary file and renamed into place: at any moment the last whole
checkpoint is there, whatever kills the run.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.errors import EdgeDigitsError
from edgedigits.files import write_atomically


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
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(str(file["state"]))
            arrays = {name.removeprefix("array "): file[name] for name in file.files if name != "state"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path}: the checkpoint can't be read ({error}); delete the run folder to start again"
        ) from error
    return arrays, state
