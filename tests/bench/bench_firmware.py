"""Instructions, flash and memory of the exported C on emulated Cortex-M boards; peers beside it.

    python tests/bench/bench_firmware.py [--models NAME|FILE …] [--json FILE]
    python tests/bench/bench_firmware.py --peers

Needs `gcc-arm-none-eabi`, `libnewlib-arm-none-eabi` and `qemu-system-arm`. The emulator lets a nanosecond
pass for each instruction, so the figures repeat exactly; they are instructions, not a board's cycles.

With `--peers`, 784-128-10 as it ships (paper-float32, paper-int8) as others would put it on a
microcontroller, each in an environment of its own under `--cache`, made with `python -m venv` and pip where
it is not there:

- emlearn writes C of the float network: built for the same emulated M4, with its floating-point unit and
  without, and for this machine, where it reads MNIST's test pictures;
- TFLite Micro comes as a Python wheel for x86-64 only, without the C++ sources to build for a board. So it is
  timed on this machine, beside the exported C built for this machine, and its arena is that of 64 bits.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.export import board

from edgedigits.card import split_bytes
from edgedigits.model import Model, read_model
from edgedigits_export.data import Pictures, read_mnist
from edgedigits_export.firmware import write_firmware
from edgedigits_export.golden import reference_outputs
from edgedigits_export.graph import read_graph

HERE = Path(__file__).parent
HARD_FLOAT = ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
SOFT_FLOAT = ("-mcpu=cortex-m4", "-mfloat-abi=soft")


def main() -> None:
    """Build, run, print tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=["paper-int8"], metavar="NAME|FILE")
    parser.add_argument("--peers", action="store_true", help="the peers rather than the boards")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgedigits" / "peers"
    parser.add_argument("--cache", type=Path, default=cache, metavar="DIR")
    parser.add_argument("--data", type=Path, metavar="DIR", help="MNIST, as for edgedigits-export")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if board.missing():
        parser.exit(1, f"{board.missing()}\n")
    with tempfile.TemporaryDirectory() as folder:
        if options.peers:
            rows = peers(Path(folder), options.cache, read_mnist("test", options.data))
        else:
            rows = boards(options.models, Path(folder))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def boards(names: list[str], work: Path) -> list[dict[str, Any]]:
    """Run the models on every board."""
    rows: list[dict[str, Any]] = []
    print(f"{'model':20} {'board':5} {'':8} {'instructions':>12} {'flash':>8} {'memory':>7}  golden")
    centring = []
    for name in names:
        sources = write_firmware(name, work / "c").folder
        for board_name, one in board.BOARDS.items():
            for smlad in (False, True) if one.dsp else (False,):
                ran = board.run_on(one, sources, work / "build", smlad=smlad)
                kind = "SMLAD" if smlad else "portable"
                print(
                    f"{Path(name).stem:20} {board_name:5} {kind:8} {ran.instructions:12.0f} {ran.text:8} "
                    f"{ran.memory:7}  {ran.exact} of {ran.golden} exact, {ran.read} of {ran.pictures} read"
                )
                rows.append({"model": Path(name).stem, "board": board_name, "kind": kind})
                rows[-1] |= dataclasses.asdict(ran)
                if not smlad and name == names[0]:
                    centring.append((board_name, ran))
    sides = sorted(centring[0][1].centring)
    heads = " ".join(f"{side:>6}×{side}" for side in sides)
    print(f"\n{'centring a glyph of':20} {heads}    flash  memory")
    for board_name, ran in centring:
        counts = " ".join(f"{ran.centring[side]:9.0f}" for side in sides)
        print(f"{board_name:20} {counts} {ran.centre_text:8} {ran.centre_memory:7}")
    return rows


def peers(work: Path, cache: Path, test: Pictures) -> list[dict[str, Any]]:
    """Run 784-128-10 as the peers have it."""
    sources = write_firmware("paper-int8", work / "c").folder
    model = Model("paper-int8")
    guesses = model.probabilities(test.images).argmax(axis=1)
    rows = []
    for smlad in (False, True):
        ran = board.run_on(board.BOARDS["M4"], sources, work / "build", smlad=smlad)
        row = {"what": f"this export, int8, {'SMLAD' if smlad else 'portable C'}"}
        row |= {"instructions": ran.instructions, "flash": ran.text, "memory": ran.memory}
        rows.append(row | {"accuracy": float((guesses == test.labels).mean())})
    rows += emlearn(work, environment(cache, "emlearn"), sources, test)
    print("on an emulated Cortex-M4, -O2")
    print(f"{'':34} {'instructions':>12} {'flash':>8} {'memory':>7} {'test %':>7}")
    for row in rows:
        print(
            f"{row['what']:34} {row['instructions']:12.0f} {row['flash']:8} {row['memory']:7} "
            f"{100 * row['accuracy']:7.2f}"
        )
    print("\non this machine, CPU time; beside TFLite's reference kernels")
    micro = tflite_micro(work, environment(cache, "tflite-micro"), sources, test)
    for row in micro:
        print(
            f"{row['what']:34} {row['microseconds']:8.1f} µs  {100 * row['exact']:.2f} % exact, "
            f"farthest {row['farthest']} steps{row['note']}"
        )
    return rows + micro


def emlearn(work: Path, python: Path, sources: Path, test: Pictures) -> list[dict[str, Any]]:
    """Build emlearn's float network for the M4 and for this machine."""
    graph = read_graph(split_bytes(read_model("paper-float32"), "paper-float32")[1], "paper-float32")
    layers = [operation for operation in graph.operations if operation.kind == "FULLY_CONNECTED"]
    arrays = {}
    for number, layer in enumerate(layers):
        weights, bias = (graph.tensors[index].data for index in layer.inputs[1:3])
        assert weights is not None
        arrays |= {f"weights{number}": weights.T, f"bias{number}": bias}
    np.savez(work / "network.npz", **arrays)
    headers = run(python, HERE / "peer_emlearn.py", work / "network.npz", work / "net.h").strip()
    places = (f"-I{work}", f"-I{headers}")
    run("gcc", "-O2", "-DPEER_HOST", *places, HERE / "peer_emlearn.c", "-lm", "-o", work / "peer")
    given = subprocess.run(
        [work / "peer"], input=test.images.tobytes(), capture_output=True, check=True
    ).stdout
    accuracy = float((np.frombuffer(given, np.uint8) == test.labels).mean())
    version = run(python, "-m", "pip", "list").split("emlearn")[1].split()[0]
    rows = []
    for flags, what in ((HARD_FLOAT, "float with an FPU"), (SOFT_FLOAT, "float without")):
        gcc = ("arm-none-eabi-gcc", *flags, "-mthumb", "-std=gnu99", "-O2", *places, f"-I{sources}")
        run(*gcc, "-x", "c", "-include", "net.h", "-c", os.devnull, "-o", work / "net.o")
        sizes = run("arm-none-eabi-size", work / "net.o").splitlines()[1].split()
        layout = Path(board.__file__).parent / "board.ld"
        program = work / "peer.elf"
        libraries = ("-lm", "-lc", "-lgcc")
        run(*gcc, "-nostartfiles", "-T", layout, HERE / "peer_emlearn.c", *libraries, "-o", program)
        said = run(
            "qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none",
            "-semihosting-config", "enable=on,target=native", "-icount", "shift=0", "-kernel", program,
        )  # fmt: skip
        ticks = int(said.split("ticks ")[1].split()[0])
        row = {"what": f"emlearn {version}, {what}", "instructions": ticks * board.BOARDS["M4"].nanoseconds}
        row |= {"flash": int(sizes[0]), "memory": int(sizes[1]) + int(sizes[2]), "accuracy": accuracy}
        rows.append(row)
    return rows


def tflite_micro(work: Path, python: Path, sources: Path, test: Pictures) -> list[dict[str, Any]]:
    """Run TFLite Micro's interpreter and the exported C on this machine, both on test pictures and noise."""
    model = Model("paper-int8")
    body = split_bytes(read_model("paper-int8"), "paper-int8")[1]
    noise = np.random.default_rng(0).integers(-128, 128, (1000, 784)).astype(np.int8)
    inputs = np.concatenate([model.tensor(test.images[:1000]).reshape(-1, 784), noise])
    expected = reference_outputs(body, inputs).astype(int)
    (work / "model.tflite").write_bytes(body)
    np.save(work / "inputs.npy", inputs)
    said = run(
        python, HERE / "peer_micro.py", *(work / n for n in ("model.tflite", "inputs.npy", "outputs.npy"))
    )
    arena = int(said.split("Arena allocation total ")[1].split()[0])
    flags = ("gcc", "-std=c99", "-O2", f"-I{sources}")
    run(*flags, HERE / "host_firmware.c", sources / "model.c", "-o", work / "timed")
    run(
        *flags,
        "-DMODEL_STDIN",
        *(sources / f"{n}.c" for n in ("main", "model", "centre")),
        "-o",
        work / "ours",
    )
    ours, timed = (
        subprocess.run([work / name], input=inputs.tobytes(), capture_output=True, check=True).stdout
        for name in ("ours", "timed")
    )
    version = run(python, "-m", "pip", "list").split("tflite_micro")[1].split()[0]
    return [
        {"what": "this export, int8, portable C", "microseconds": float(timed), "note": ""}
        | apart(np.frombuffer(ours, np.int8).reshape(expected.shape), expected),
        {
            "what": f"TFLite Micro {version}",
            "microseconds": float(said.split()[0]),
            "note": f"; arena of {arena} bytes",
        }
        | apart(np.load(work / "outputs.npy"), expected),
    ]


def apart(found: Any, expected: Any) -> dict[str, Any]:
    """Compare raw outputs."""
    steps = np.abs(found.astype(int) - expected)
    return {"exact": float((steps == 0).mean()), "farthest": int(steps.max())}


def environment(cache: Path, package: str) -> Path:
    """Return the Python of an environment that has `package`, made where there is none."""
    folder = cache / package
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        run(python, "-m", "pip", "install", "--quiet", "--pre", "--only-binary=:all:", package)
        (folder / "ready").touch()
    return python


def run(*command: str | Path) -> str:
    """Run a command and return what it says; ends the program where it fails."""
    words = list(map(str, command))
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


if __name__ == "__main__":
    main()
