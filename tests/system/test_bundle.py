"""The bundle for boards without a network: what is in it, and installing it on the emulated Pi."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system import pi

from edgedigits import __version__, cli

# Starting a program of the board's from a program of the board's: what the kernel's binfmt_misc would do.
BINFMT = """
import os, subprocess, sys
emulator = {emulator!r}
class Popen(subprocess.Popen):
    def __init__(self, args, *rest, **settings):
        ours = args[0].startswith("/")  # what pip asks by name, such as lsb_release, is the host's
        super().__init__([*emulator, *args] if ours else args, *rest, **settings)
subprocess.Popen = Popen
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    model = Path(cli.__file__).parent / "models" / "paper-float32.tflite"
    command = ["bundle", "--for", "pi-arm64-py311", "--out", str(folder), "--with", "forms"]
    done = subprocess.run(
        [sys.executable, "-m", "edgedigits.cli", *command, "--model", str(model)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    (path,) = folder.iterdir()
    assert done.stdout.startswith(f"{path}: ")
    return path


@pytest.mark.slow
@pytest.mark.network
def test_it_holds_wheels_for_the_board_and_nothing_else(bundle: Path) -> None:
    assert bundle.name == f"edgedigits-{__version__}-pi-arm64-py311.pyz"
    assert bundle.stat().st_mode & 0o111
    assert bundle.stat().st_size < 120e6
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    wheels = [name.removeprefix("wheels/") for name in names if name.startswith("wheels/")]
    assert {"__main__.py", "manifest.json", "models/paper-float32.tflite"} == set(names) - {
        f"wheels/{wheel}" for wheel in wheels
    }
    assert all(wheel.endswith(("aarch64.whl", "-none-any.whl")) for wheel in wheels)
    held = {wheel.partition("-")[0] for wheel in wheels}
    assert {"edgedigits", "numpy", "opencv_python_headless", "pillow", "ai_edge_litert", "pip"} <= held
    assert "python_stdnum" in held
    assert not {"tensorflow", "keras", "torch", "edgedigits_train"} & held


@pytest.mark.slow
@pytest.mark.network
def test_it_installs_and_reads_on_the_emulated_pi(
    bundle: Path, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    system, cpu = pi.BOOKWORM, "cortex-a72"
    needs(system.missing)
    emulator = system.command(cpu, wheels=False)[:-1]
    (tmp_path / "binfmt").mkdir()
    (tmp_path / "binfmt" / "sitecustomize.py").write_text(BINFMT.format(emulator=emulator))
    place = tmp_path / "board"
    done = system.run(cpu, bundle, "--to", place, path=[tmp_path / "binfmt"], wheels=False, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert f"edgedigits {__version__} is installed: {place}/venv/bin/edgedigits" in done.stdout
    assert {path.name for path in place.iterdir()} == {"venv", "models", "edgedigits.service"}
    assert f"ExecStart={place}/venv/bin/edgedigits live" in (place / "edgedigits.service").read_text()
    python = place / "venv" / "bin" / "python"
    model = place / "models" / "paper-float32.tflite"
    read = ("-m", "edgedigits.cli", "read", "--samples", "--format", "jsonl", "--model", str(model))
    there = subprocess.run(
        [*emulator, str(python), *read], capture_output=True, text=True, check=False, timeout=600
    )
    here = subprocess.run([sys.executable, *read], capture_output=True, text=True, check=False, timeout=600)
    assert there.returncode == here.returncode == 0, there.stderr
    assert texts(there.stdout) == texts(here.stdout)


def texts(printed: str) -> list[tuple[str, list[str]]]:
    pages = [json.loads(line) for line in printed.splitlines()]
    return [(page["source"], [line["text"] for line in page["lines"]]) for page in pages]


@pytest.mark.slow
@pytest.mark.network
def test_on_a_machine_it_is_not_for_it_says_so_in_one_line(
    bundle: Path, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    done = subprocess.run(
        [sys.executable, bundle, "--to", tmp_path / "x"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("edgedigits: this bundle does not fit: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "x").exists()
    needs(pi.TRIXIE.missing)
    other = pi.TRIXIE.run("cortex-a72", bundle, "--to", tmp_path / "x", wheels=False)
    assert other.returncode == 1
    assert "it is for Python 3.11, and this is Python 3.13" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--for", "pi-zero"], 2, "choose from pi-arm64-py311, pi-arm64-py313"),
        (["--for", "pi-arm64-py311", "--out", "file/x"], 1, "can't make the folder"),
        (
            ["--for", "pi-arm64-py311", "--model", "gone.tflite"],
            1,
            "gone.tflite: there is no such model",
        ),
        (
            ["--for", "pi-arm64-py311", "--model", "file", "--model", "x/../file"],
            1,
            "another model of this name",
        ),
    ],
)
def test_what_it_refuses(
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "x").mkdir()
    assert cli.main(["bundle", *arguments]) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_without_a_registry_it_says_what_pip_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # its own way of saying true
    assert cli.main(["bundle", "--for", "pi-arm64-py313", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("edgedigits: pip can't fetch what the bundle needs (")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
