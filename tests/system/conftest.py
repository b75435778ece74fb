"""What the system tests share: the edge's wheel, and skipping where the machine lacks something."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

EDGE = Path(__file__).parents[2] / "edge"


@pytest.fixture(scope="session")
def needs() -> Callable[[str], None]:
    """Return a function that skips for a reason, none where it is empty."""

    def check(reason: str) -> None:
        if reason:
            pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def edge_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of edge/ and return its path."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=EDGE, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def unpacked_wheel(edge_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for PYTHONPATH that holds what is in the wheel, and nothing else of the repository."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(edge_wheel) as archive:
        archive.extractall(folder)
    return folder
