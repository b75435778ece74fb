"""One file that installs edgedigits on a board without a network: a Python archive with all wheels in it.

Made on any machine with `pip`, for a board of another architecture and another Python. The file is run by the
board's own Python (`installer.py` is its main program) and needs nothing else there, not even pip.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from email import message_from_string
from importlib import metadata, resources
from pathlib import Path
from urllib.parse import unquote, urlparse

from edgedigits.errors import EdgeDigitsError, OutputError


class BundleError(EdgeDigitsError):
    """A bundle that can't be made: a model that isn't there, no pip, no wheel for the board."""


@dataclass(frozen=True)
class Target:
    """A board's system, as pip and as the board itself call it."""

    system: str
    machine: str
    """As `uname -m` says it."""
    python: str
    platforms: tuple[str, ...]
    """Tags of the wheels that run there, best first."""


_ARM64 = tuple(f"manylinux{tag}_aarch64" for tag in ("_2_28", "_2_27", "_2_26", "_2_24", "_2_17", "2014"))

TARGETS = {
    "pi-arm64-py311": Target("Raspberry Pi OS 64-bit, bookworm", "aarch64", "3.11", _ARM64),
    "pi-arm64-py313": Target("Raspberry Pi OS 64-bit, trixie", "aarch64", "3.13", _ARM64),
}
"""What a bundle can be made for."""


def make_bundle(
    target_name: str, folder: Path, extras: Sequence[str] = (), models: Sequence[Path] = ()
) -> Path:
    """Write the bundle for a target into `folder` and return its path.

    `extras` are those of the distribution (`forms`, `mqtt`, `pdf`, `web`), `models` further model files that
    are to lie on the board. The wheels come from where pip is set up to take them from.

    Raises `BundleError` where a model isn't there, two of them have one name or a wheel can't be had, and
    `OutputError` where `folder` can't be written.
    """
    target = TARGETS[target_name]
    _check_models(models)  # before minutes of fetching wheels
    with tempfile.TemporaryDirectory() as scratch:
        wheels = Path(scratch)
        own = _own_wheel(wheels)
        requirement = f"edgedigits[{','.join(extras)}] @ {own.as_uri()}" if extras else str(own)
        _pip(
            "download", "--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}",
            *(f"--platform={platform}" for platform in target.platforms),
            f"--dest={wheels}", requirement, "pip",
        )  # fmt: skip
        manifest = {
            "version": metadata.version("edgedigits"),
            "name": target_name,
            "extras": list(extras),
            "models": [model.name for model in models],
            **asdict(target),
        }
        path = folder / f"edgedigits-{manifest['version']}-{target_name}.pyz"
        _write(path, manifest, sorted(wheels.glob("*.whl")), models)
    return path


def _check_models(models: Sequence[Path]) -> None:
    names: set[str] = set()
    for model in models:
        if not model.is_file():
            raise BundleError(f"{model}: there is no such model file; name one that is there")
        if model.name in names:
            raise BundleError(f"{model}: another model of this name is taken along; rename one of them")
        names.add(model.name)


def _write(path: Path, manifest: dict[str, object], wheels: Sequence[Path], models: Sequence[Path]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    installer = resources.files("edgedigits") / "installer.py"
    entries = {
        "__main__.py": installer.read_bytes(),
        "manifest.json": json.dumps(manifest, indent=2).encode(),
    }
    try:
        with partial.open("wb") as file:
            file.write(b"#!/usr/bin/env python3\n")
            with zipfile.ZipFile(file, "w") as archive:  # stored: wheels are packed already
                for name, content in entries.items():
                    archive.writestr(zipfile.ZipInfo(name), content)
                for folder, files in (("wheels", wheels), ("models", models)):
                    for one in files:
                        archive.writestr(zipfile.ZipInfo(f"{folder}/{one.name}"), one.read_bytes())
        partial.chmod(0o755)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        where = error.filename or path
        raise OutputError(
            f"{where}: {error.strerror or error}; name a folder and files that are there"
        ) from error


def _own_wheel(folder: Path) -> Path:
    """Put our own wheel into `folder`: built from the sources, or packed from what is installed."""
    distribution = metadata.distribution("edgedigits")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        _pip("wheel", "--no-deps", f"--wheel-dir={folder}", unquote(urlparse(origin["url"]).path))
        return next(folder.glob("edgedigits-*.whl"))
    path = folder / f"edgedigits-{distribution.version}-py3-none-any.whl"
    tag = message_from_string(distribution.read_text("WHEEL") or "")["Tag"]
    if tag != "py3-none-any":
        raise BundleError(
            f"edgedigits is installed for {tag} only; install it with pip from its wheel or sources"
        )
    # What pip adds when it installs is not part of the wheel; RECORD may list less than the archive holds.
    added = ("INSTALLER", "REQUESTED", "direct_url.json")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in distribution.files or ():
            inside = not file.is_absolute() and ".." not in file.parts
            if inside and file.suffix != ".pyc" and file.name not in added:
                archive.writestr(
                    zipfile.ZipInfo(str(file)), Path(str(file.locate())).read_bytes(), zipfile.ZIP_DEFLATED
                )
    return path


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = (lines or done.stderr.splitlines() or ["no reason given"])[-1].removeprefix("ERROR: ")[:300]
        raise BundleError(
            f"pip can't fetch what the bundle needs ({reason}); see that pip reaches its registry"
        )
