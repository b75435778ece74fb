"""The main program of a bundle (`edgedigits bundle` makes it): installs edgedigits on the board that runs it.

Nothing but Python's own library, and nothing newer than the message needs that says a Python is too old.
"""

from __future__ import annotations

import argparse
import json
import platform
import struct
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path
from typing import Any, Dict, List  # noqa: UP035 (see above)

Manifest = Dict[str, Any]  # noqa: UP006


def misfit(manifest: Manifest) -> str:
    """Return why the wheels don't run on this machine, empty where they do."""
    python = "{}.{}".format(*sys.version_info)
    if python != manifest["python"]:
        return (
            f"it is for Python {manifest['python']}, and this is Python {python}; "
            "make one for the system of this board with: edgedigits bundle --for"
        )
    # A 32-bit system runs under a 64-bit kernel, too, and uname tells the kernel's word.
    machine, bits = platform.machine(), 8 * struct.calcsize("P")
    if machine != manifest["machine"] or bits != 64:
        return (
            f"it is for 64-bit {manifest['machine']}, and this is a {bits}-bit system on {machine}; "
            "make one for the system of this board with: edgedigits bundle --for"
        )
    return ""


def install(archive: zipfile.ZipFile, manifest: Manifest, folder: Path) -> List[str]:  # noqa: UP006
    """Install the wheels into a virtual environment in `folder`; return what to say, nothing if it failed."""
    environment = folder / "venv"
    python = str(environment / "bin" / "python")
    # Without pip: Debian keeps that part of venv in a package of its own. The bundle has a pip.
    venv.create(environment, symlinks=True, clear=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        names = [name for name in archive.namelist() if name.startswith("wheels/")]
        archive.extractall(scratch, names)
        pip = next(name for name in names if name.startswith("wheels/pip-"))
        extras = f"[{','.join(manifest['extras'])}]" if manifest["extras"] else ""
        command = [python, f"{scratch}/{pip}/pip", "install", "--no-index", "--no-cache-dir", "--quiet"]
        command += ["--disable-pip-version-check", "--find-links", f"{scratch}/wheels", f"edgedigits{extras}"]
        if subprocess.run(command, check=False).returncode:
            return []
    archive.extractall(folder, [name for name in archive.namelist() if name.startswith("models/")])
    command = [python, "-m", "edgedigits.cli", "service", "install"]
    unit = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if unit.returncode:
        return []
    service = folder / "edgedigits.service"
    service.write_bytes(unit.stdout)
    program = environment / "bin" / "edgedigits"
    return [
        f"edgedigits {manifest['version']} is installed: {program}",
        f"To see that it works: {program} read --samples; {program} doctor",
        "To have it start by itself:",
        f"  {program} live --print-config | sudo tee /etc/edgedigits.toml    (and edit it)",
        f"  sudo cp {service} /etc/systemd/system/ && sudo systemctl enable --now edgedigits",
    ]


def main() -> int:
    """Run the installer; returns the exit status."""
    parser = argparse.ArgumentParser(description="Installs edgedigits; needs no network.")
    parser.add_argument("--to", default="/opt/edgedigits", metavar="DIR", help="default: /opt/edgedigits")
    folder = Path(parser.parse_args().to).absolute()
    with zipfile.ZipFile(sys.argv[0]) as archive:
        manifest = json.loads(archive.read("manifest.json").decode())
        problem = misfit(manifest)
        if problem:
            print(f"edgedigits: this bundle does not fit: {problem}", file=sys.stderr)
            return 1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = install(archive, manifest, folder)
        except OSError as error:
            print(
                f"edgedigits: {error.filename or folder}: can't install there ({error.strerror or error}); "
                "run it with sudo, make room, or name another folder with --to",
                file=sys.stderr,
            )
            return 1
    print("\n".join(lines))
    return 0 if lines else 1


if __name__ == "__main__":
    sys.exit(main())
