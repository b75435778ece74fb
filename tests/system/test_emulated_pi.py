"""The edge on emulated Raspberry Pis: Debian for ARM, the wheels a Pi would take, three processors.

`tests/system/setup.sh` makes the systems. An int8 model must compute there, byte for byte, what it computes
on this machine, and the sample pictures must give the same texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.edge.test_model import crops
from tests.system import on_board, pi

from edgedigits.model import Model, shipped_models

SYSTEMS = (pi.BOOKWORM, pi.TRIXIE)
CPUS = ("cortex-a53", "cortex-a72", "cortex-a76")
"""Those of a Pi 3 and a Zero 2 W, of a Pi 4, and of a Pi 5."""

COUNT = 64
Found = tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]


def read_results(printed: str, out: Path) -> Found:
    with np.load(out) as arrays:
        return json.loads(printed), dict(arrays)


@pytest.fixture(scope="session")
def crops_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("crops") / "crops.npy"
    np.save(file, crops(COUNT))
    return file


@pytest.fixture(scope="session")
def here(crops_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What this machine finds."""
    out = tmp_path_factory.mktemp("here") / "out.npz"
    return read_results(json.dumps(on_board.examine(str(crops_file), str(out))), out)


@pytest.fixture(scope="session")
def there(
    crops_file: Path,
    unpacked_wheel: Path,
    needs: Callable[[str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[pi.System, str], Found]:
    """Return a function that has an emulated board find the same, once for each system and processor."""
    known: dict[tuple[str, str], Found] = {}

    def examine(system: pi.System, cpu: str) -> Found:
        needs(system.missing)
        if (system.name, cpu) not in known:
            out = tmp_path_factory.mktemp("there") / "out.npz"
            done = system.run(cpu, on_board.__file__, crops_file, out, path=[unpacked_wheel])
            assert done.returncode == 0, done.stderr
            known[system.name, cpu] = read_results(done.stdout, out)
        return known[system.name, cpu]

    return examine


@pytest.mark.slow
@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_64_bit_computes_and_reads_as_this_machine_does(
    system: pi.System, cpu: str, here: Found, there: Callable[[pi.System, str], Found]
) -> None:
    (found, outputs), (expected, expected_outputs) = there(system, cpu), here
    assert f"python{found['python']}".startswith(system.python)
    assert found["machine"] == "aarch64"
    assert found["models"].keys() == set(shipped_models())
    for name, model in found["models"].items():
        assert model["runtime"] == "ai_edge_litert"
        assert model["xnnpack"], f"{name}: XNNPACK was off; is {system.root}/proc/cpuinfo there?"
        assert model["passed"], model["golden"]
        assert outputs[name].shape == (COUNT, len(Model(name).card.labels))
        if model["integers"]:
            assert model["exact"], model["golden"]
            assert np.array_equal(outputs[name], expected_outputs[name])
        else:
            # Sums come in another order there, and round otherwise.
            largest = np.abs(expected_outputs[name]).max()
            np.testing.assert_allclose(outputs[name], expected_outputs[name], rtol=0, atol=1e-5 * largest)
    assert found["files"].keys() == {
        file.relative_to(on_board.MODELS).as_posix() for file in on_board.MODELS.rglob("*.tflite")
    }
    for name, xnnpack in found["files"].items():
        assert xnnpack is True, f"{name}: {xnnpack}"
        if outputs[name].dtype.kind != "f":
            assert np.array_equal(outputs[name], expected_outputs[name]), name
        else:
            largest = np.abs(expected_outputs[name]).max()
            np.testing.assert_allclose(outputs[name], expected_outputs[name], rtol=0, atol=1e-5 * largest)
    assert found["read"] == expected["read"] == 0
    assert found["texts"] == expected["texts"]
    assert sum(map(len, found["texts"].values())) >= len(found["texts"])
    said = {finding["part"]: (finding["grade"], finding["what"]) for finding in found["findings"]}
    assert said["python"][1].startswith(f"{found['python']}, aarch64")
    assert said["runtime"] == ("good", "ai_edge_litert, XNNPACK")
    assert said["self-test"][0] == "good"
    assert "exact" in said["self-test"][1]


@pytest.mark.slow
def test_32_bit_reads_as_this_machine_does(here: Found, there: Callable[[pi.System, str], Found]) -> None:
    """With `tflite-runtime` and Debian's own NumPy and OpenCV, whose kernels are allowed a step."""
    (found, _), (expected, _) = there(pi.BOOKWORM_32, "cortex-a7"), here
    for name, model in found["models"].items():
        assert model["runtime"] == "tflite_runtime", name
        assert not model["exact_expected"]
        assert model["passed"], model["golden"]
    assert not [said for said in found["files"].values() if isinstance(said, str)]
    # A step may take a digit that is as good as refused over the threshold, and nothing else.
    assert found["texts"].keys() == expected["texts"].keys()
    refused = 0
    for name, texts in expected["texts"].items():
        assert list(map(len, found["texts"][name])) == list(map(len, texts)), name
        pairs = [*zip("".join(found["texts"][name]), "".join(texts), strict=True)]
        assert all(one == other or "?" in (one, other) for one, other in pairs), name
        refused += sum(one != other for one, other in pairs)
    assert refused <= 1
