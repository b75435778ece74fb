"""The edge's wheel by itself: what it asks for, how large it is, and that it works where nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

DEPENDENCIES = {"ai-edge-litert", "numpy", "opencv-python-headless", "pillow"}
EXTRAS = {
    "forms": {"python-stdnum"},
    "mqtt": {"paho-mqtt"},
    "pdf": {"pypdfium2"},
    "web": {"starlette", "uvicorn"},
}
SIZE = 2_500_000
"""Bytes; what is in it goes onto every board."""


def test_what_it_asks_for(edge_wheel: Path) -> None:
    with zipfile.ZipFile(edge_wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    asked: dict[str, set[str]] = {}
    for line in metadata.get_all("Requires-Dist", []):
        requirement, _, marker = line.partition(";")
        package = requirement.strip().split("<")[0].split(">")[0].split("=")[0].split("[")[0].strip()
        asked.setdefault(marker.partition("==")[2].strip().strip("'\""), set()).add(package)
    assert asked.pop("") == DEPENDENCIES
    assert asked == EXTRAS
    assert metadata["Requires-Python"] == ">=3.11"


def test_what_is_in_it(edge_wheel: Path) -> None:
    assert edge_wheel.name.endswith("-py3-none-any.whl")
    assert edge_wheel.stat().st_size <= SIZE
    with zipfile.ZipFile(edge_wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"edgedigits"}
    assert "edgedigits/models/paper-int8.tflite" in names
    assert not [name for name in names if "__pycache__" in name or "/test" in name]


def test_importing_all_of_it_loads_nothing_of_the_host() -> None:
    """In this environment TensorFlow can be imported, so that whoever imported it would be seen."""
    program = """
import importlib, importlib.util, json, pkgutil, sys
import edgedigits
for module in pkgutil.walk_packages(edgedigits.__path__, "edgedigits."):
    importlib.import_module(module.name)
there = [n for n in ("tensorflow", "edgedigits_train", "edgedigits_export") if importlib.util.find_spec(n)]
print(json.dumps({"loaded": sorted({name.partition(".")[0] for name in sys.modules}), "there": there}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["there"] == ["tensorflow", "edgedigits_train", "edgedigits_export"]
    assert "cv2" in found["loaded"]
    host = {"tensorflow", "keras", "edgedigits_train", "edgedigits_export", "matplotlib", "scipy"}
    assert not host & set(found["loaded"])


@pytest.mark.slow
@pytest.mark.network
def test_it_reads_in_an_empty_environment(edge_wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    done = subprocess.run([*pip, str(edge_wheel)], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    read = subprocess.run(
        [environment / "bin" / "edgedigits", "read", "--samples", "--format", "jsonl"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert read.returncode == 0, read.stderr
    assert read.stderr == ""
    pages = [json.loads(line) for line in read.stdout.splitlines()]
    samples = Path(__file__).parents[2] / "edge" / "edgedigits" / "samples"
    assert [page["source"] for page in pages] == [
        f"samples/{path.name}" for path in sorted(samples.glob("*.jpg"))
    ]
    assert all(page["lines"] for page in pages)
    listed = subprocess.run(
        [*pip[:5], "list", "--format", "json"], capture_output=True, text=True, check=True, timeout=120
    )
    installed = {entry["name"].lower() for entry in json.loads(listed.stdout)}
    assert installed >= {*DEPENDENCIES, "edgedigits"}
    assert not {"tensorflow", "keras", "edgedigits-train", "edgedigits-export"} & installed
