"""Writes that matter: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from edgedigits.errors import OutputError


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder, are synced to the disk and renamed into place;
    the folder's own entry is synced too, so that the rename survives a power cut.

    Raises `OutputError` where the folder is missing or can't be written, or the disk is full; what stood
    at `path` before is then untouched.
    """
    path = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private (0600); a written one follows the user's umask as any other would.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        os.replace(temporary, path)  # noqa: PTH105 (a rename, said plainly)
    except BaseException as error:
        # An interrupt, too, must not leave the half-written file behind.
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        if not isinstance(error, OSError):
            raise
        if isinstance(error, IsADirectoryError):
            raise OutputError(f"{path}: can't write (it is a folder); name a file in it") from error
        reason = error.strerror or str(error)
        raise OutputError(
            f"{path}: can't write ({reason}); choose a folder that exists and is writable"
        ) from error
    with contextlib.suppress(OSError):  # some file systems can't sync a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and its parents, if they are not there; raises `OutputError` where that can't be."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file of that name is there" if isinstance(error, FileExistsError) else error.strerror
        raise OutputError(f"{path}: can't make the folder ({reason}); choose another") from error
    return path
