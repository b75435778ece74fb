"""Reading and writing idx files, the format in which MNIST and EMNIST are published.

An idx file is four bytes of magic (two zeros, a type code, the number of dimensions), one big-endian
32-bit length per dimension, then the values. Source: Y. LeCun, "The MNIST database of handwritten
digits", section "File formats".
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgedigits.errors import EdgeDigitsError

UNSIGNED_BYTE = 0x08
LARGEST = 1 << 32
"""More values than this in one file are taken for a damaged header, not for data (4 GiB)."""


class DataError(EdgeDigitsError):
    """A data set that is missing, damaged or not what its file name says."""


def read_idx(path: Path, dimensions: int) -> tuple[npt.NDArray[np.uint8], str]:
    """Read an idx file of unsigned bytes, gzip-compressed or not.

    Returns the array, with `dimensions` dimensions (3: pictures [n, height, width]; 1: labels [n]), and
    the MD5 of the file's uncompressed bytes. Raises `DataError` where the file can't be read, is no idx
    file, holds something else (labels where pictures are expected, say), or is shorter or longer than
    its header says.
    """
    raw = _uncompressed(path)
    if len(raw) < 4 or raw[:2] != b"\0\0":
        raise DataError(
            f"{path}: not an idx file (magic number {raw[:4].hex() or 'missing'}); fetch the file again"
        )
    kind, found = raw[2], raw[3]
    if kind != UNSIGNED_BYTE:
        raise DataError(
            f"{path}: holds values of idx type 0x{kind:02x} where unsigned bytes (0x08) are expected; "
            "fetch the file again"
        )
    if found != dimensions:
        raise DataError(
            f"{path}: holds {_content(found)} where {_content(dimensions)} are expected; "
            "check that the files for pictures and labels are not swapped"
        )
    start = 4 + 4 * dimensions
    if len(raw) < start:
        raise DataError(f"{path}: cut off within its header ({len(raw)} bytes); fetch the file again")
    shape = struct.unpack(f">{dimensions}I", raw[4:start])
    expected = start + math.prod(shape)
    if len(raw) != expected:
        what = "cut off" if len(raw) < expected else "longer than its header says"
        raise DataError(f"{path}: {what} ({len(raw)} of {expected} bytes); fetch the file again")
    values = np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
    return values, hashlib.md5(raw, usedforsecurity=False).hexdigest()


def idx_bytes(values: npt.NDArray[np.uint8]) -> bytes:
    """Return the idx file, uncompressed, of an array of unsigned bytes."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, UNSIGNED_BYTE, values.ndim, *values.shape)
    return header + np.ascontiguousarray(values, np.uint8).tobytes()


def _content(dimensions: int) -> str:
    return {1: "labels", 3: "pictures"}.get(dimensions, f"{dimensions}-dimensional values")


def _uncompressed(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not compressed:
                return file.read(LARGEST)
            with gzip.open(file) as stream:
                # A read bounded by what idx headers can mean: a gzip bomb ends here, not in the swap.
                return stream.read(LARGEST)
    except EOFError as error:
        raise DataError(f"{path}: cut off (its gzip stream has no end); fetch the file again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: damaged ({error}); fetch the file again") from error
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else (error.strerror or str(error))
        raise DataError(f"{path}: can't read the file ({reason}); check the data folder") from error
