"""Run programs on an emulated Raspberry Pi: the root file systems that `setup_pi.sh` makes, and QEMU.

QEMU translates the instructions and passes system calls on, so nothing needs a chroot. What the processor is
must always be said: with its own default, QEMU 7.2 gives wrong int8 results without a word. Its milliseconds
say nothing about a Pi's.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgedigits" / "pi"


@dataclass(frozen=True)
class System:
    """A root file system, the emulator for it and where things lie in it."""

    name: str
    python: str
    emulator: str = "qemu-aarch64-static"
    libraries: tuple[str, ...] = ()
    """Folders of libraries that Debian's alternatives would point to."""

    @property
    def root(self) -> Path:
        return CACHE / self.name

    @property
    def site(self) -> Path:
        """Where the wheels are."""
        return self.root / "opt" / "site"

    def command(
        self,
        cpu: str,
        *arguments: object,
        path: Sequence[Path] = (),
        wheels: bool = True,
        options: Sequence[str] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> list[str]:
        """Return the command line for this machine that runs the emulated Python with `arguments`.

        `path` goes into PYTHONPATH, with the folder of the wheels after it unless `wheels` is false.
        `options` are for the emulator; `environment` is what else the program's environment has.
        """
        settings = {
            "PYTHONPATH": ":".join(map(str, [*path, self.site] if wheels else path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": ":".join(f"{self.root}{folder}" for folder in self.libraries),
            **environment,
        }
        given = [part for key, value in settings.items() if value for part in ("-E", f"{key}={value}")]
        emulator = [self.emulator, *options, "-cpu", cpu, "-L", str(self.root), *given]
        return [*emulator, f"{self.root}/usr/bin/{self.python}", *map(str, arguments)]

    def run(
        self,
        cpu: str,
        *arguments: object,
        path: Sequence[Path] = (),
        wheels: bool = True,
        timeout: float = 1200,
    ) -> subprocess.CompletedProcess[str]:
        """Run the emulated Python."""
        return subprocess.run(
            self.command(cpu, *arguments, path=path, wheels=wheels),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    @functools.cached_property
    def missing(self) -> str:
        """What is not there for it, empty where everything is."""
        if shutil.which(self.emulator) is None:
            return f"{self.emulator} is not installed; run tests/system/setup.sh"
        made = self.root / "recipe"
        if not made.is_file():
            return f"no emulated {self.name}; run tests/system/setup.sh"
        if made.read_text().strip() != _recipe():
            return f"the emulated {self.name} is out of date; run tests/system/setup.sh"
        return ""


@functools.cache
def _recipe() -> str:
    """Return what `setup_pi.sh` notes: which recipe and which dependencies a file system was made with."""
    digest = hashlib.sha256()
    for file in (HERE / "setup_pi.sh", HERE.parents[1] / "edge" / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


BOOKWORM = System("bookworm-arm64", "python3.11")
TRIXIE = System("trixie-arm64", "python3.13")
BOOKWORM_32 = System(
    "bookworm-armhf",
    "python3.11",
    "qemu-arm-static",
    ("/usr/lib/arm-linux-gnueabihf/blas", "/usr/lib/arm-linux-gnueabihf/lapack"),
)
