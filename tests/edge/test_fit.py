"""What can't run on this machine is named before anything of it is loaded."""

from __future__ import annotations

import json
import platform
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgedigits import fit

OWN = Path(sys.executable).resolve().read_bytes()[:20]
TAG = "cpython-{}{}".format(*sys.version_info)


def elf(machine: int) -> bytes:
    return OWN[:18] + struct.pack("<H", machine)


def other_machine() -> int:
    return 183 if platform.machine() != "aarch64" else 62


def package(folder: Path, name: str, content: bytes, tag: str = TAG) -> None:
    (folder / name / "core").mkdir(parents=True)
    (folder / name / "core" / f"_module.{tag}-linux-gnu.so").write_bytes(content)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Packages that fit."""
    for name, _ in (*fit.PACKAGES, fit.RUNTIMES[0]):
        package(tmp_path / "site", name, OWN)
    return tmp_path / "site"


def found(site: Path, root: Path) -> list[fit.Finding]:
    return list(fit.misfits([str(site)], root))


def test_what_fits_is_not_mentioned(site: Path, tmp_path: Path) -> None:
    assert found(site, tmp_path) == []
    assert list(fit.misfits()) == []


def test_a_file_of_a_package_s_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tflite_runtime.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(fit.misfits()) == []


def break_architecture(site: Path) -> None:
    for file in (site / "numpy").rglob("*.so"):
        file.write_bytes(elf(other_machine()))


def break_version(site: Path) -> None:
    for file in (site / "PIL").rglob("*.so"):
        file.rename(file.with_name("_module.cpython-39-x86_64-linux-gnu.so"))


def break_runtime(site: Path) -> None:
    (site / "ai_edge_litert").rename(site / "gone")


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        (break_architecture, "NumPy in .* is built for (aarch64|x86-64), and this Python is", "reinstall"),
        (break_version, "Pillow in .* is built for Python 3.9, and this is 3", "make it anew"),
        (break_runtime, "no TFLite runtime .Python 3", "too new for its wheels|32-bit route"),
    ],
)
def test_packages_that_cannot_work(
    site: Path, tmp_path: Path, change: Callable[[Path], None], what: str, remedy: str
) -> None:
    change(site)
    (misfit,) = found(site, tmp_path)
    assert re.search(what, misfit.what)
    assert re.search(remedy, misfit.remedy)


@pytest.mark.parametrize(("size", "remedy"), [(8, "pip install ai-edge-litert"), (4, "32-bit route")])
def test_without_a_runtime_the_remedy_suits_the_board(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, remedy: str
) -> None:
    break_runtime(site)
    monkeypatch.setattr(struct, "calcsize", lambda kind: size)
    (misfit,) = found(site, tmp_path)
    assert f", {8 * size}-bit, " in misfit.what
    assert remedy in misfit.remedy


def test_what_is_no_library_tells_nothing_of_the_machine(site: Path, tmp_path: Path) -> None:
    for content in (b"", b"INPUT(libopenblas.so.0) /* a linker's script */"):
        (site / "numpy" / "core" / "_first.so").write_bytes(content)
        assert found(site, tmp_path) == []


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "lacking"),
    [
        ("x86_64", "flags\t\t: fpu sse sse2 ssse3 cx16 popcnt\n", "sse4_1, sse4_2"),
        ("aarch64", "processor\t: 0\nFeatures\t: fp crc32\n", "asimd"),
        ("armv7l", "Features\t: half thumb vfp vfpv3d16\n", "neon"),
    ],
)
def test_a_processor_without_the_instructions(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, cpuinfo: str, lacking: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(cpuinfo)
    (misfit,) = found(site, tmp_path)
    assert misfit.part == "processor"
    assert f"({lacking})" in misfit.what
    (tmp_path / "proc" / "cpuinfo").write_text(cpuinfo.rstrip() + " sse4_1 sse4_2 asimd neon\n")
    assert found(site, tmp_path) == []


def test_an_old_pi(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "armv6l")
    (misfit,) = found(site, tmp_path)
    assert misfit.what == "armv6l: no TFLite runtime is built for it"


@pytest.mark.parametrize("product", ["089a", "0000"])
def test_an_accelerator_without_its_library(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: str
) -> None:
    monkeypatch.setattr(fit, "EDGE_TPU_LIBRARY", "libnowhere-to-be-found.so.1")
    device = tmp_path / "sys/bus/usb/devices/1-1"
    device.mkdir(parents=True)
    (device / "idVendor").write_text("1a6e\n")
    (device / "idProduct").write_text(f"{product}\n")
    misfits = found(site, tmp_path)
    assert [misfit.part for misfit in misfits] == (["edge tpu"] if product == "089a" else [])


def test_doctor_names_a_wrong_package_without_loading_it(tmp_path: Path) -> None:
    package(tmp_path, "numpy", elf(other_machine()))
    (tmp_path / "numpy" / "__init__.py").write_text("raise ImportError('of another machine')\n")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from edgedigits import cli; "
    done = subprocess.run(
        [sys.executable, "-c", f"{program}sys.exit(cli.main(['doctor', '--json']))"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["grade"] == "bad"
    assert finding["what"].startswith("NumPy in ")
