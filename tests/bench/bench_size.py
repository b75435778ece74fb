"""What the edge takes on an arm64 card: its wheel, and every distribution that it brings along.

    python tests/bench/bench_size.py [--json FILE]

Sums what the wheels hold as they lie in the emulated Pis (`tests/system/setup.sh`), without byte code, in
megabytes of 1,000,000 bytes; a file system rounds each file up to its blocks.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.system import pi

EDGE = Path(__file__).parents[2] / "edge"


def wheel_size() -> tuple[int, int]:
    """Build the wheel; return its bytes as it is and unpacked."""
    import zipfile

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=EDGE, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return wheel.stat().st_size, sum(member.file_size for member in archive.infolist())


def installed(site: Path) -> dict[str, int]:
    """Return the bytes of every distribution in a folder, the largest first."""
    sizes = {}
    for found in importlib.metadata.distributions(path=[str(site)]):
        files = [Path(str(found.locate_file(file))) for file in found.files or ()]
        sizes[f"{found.name} {found.version}"] = sum(f.stat().st_size for f in files if f.is_file())
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def main() -> None:
    """Print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    packed, own = wheel_size()
    print(f"the wheel: {packed / 1e6:.2f} MB, unpacked {own / 1e6:.2f} MB")
    result: dict[str, dict[str, int]] = {"edgedigits": {"wheel": packed, "unpacked": own}}
    for system in (pi.BOOKWORM, pi.TRIXIE):
        if system.missing:
            parser.exit(1, f"{system.missing}\n")
        sizes = result[system.name] = {"edgedigits": own, **installed(system.site)}
        whole = sum(sizes.values())
        print(f"\n{system.name}: {whole / 1e6:.0f} MB")
        for name, size in sizes.items():
            print(f"{size / 1e6:8.1f}  {size / whole:6.1%}  {name}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
