"""Bad input, given to the real command: one line each, exit status 1, the rest still read."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edgedigits
from edgedigits.card import split_model

PACKAGE = Path(edgedigits.__file__).parent
SAMPLE = PACKAGE / "samples" / "1-black-pen.jpg"
MODEL = PACKAGE / "models" / "paper-int8.tflite"

Maker = Callable[[Path], object]


def run(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgedigits.cli", "read", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **settings)


def one_line(stderr: str, start: str, *words: str) -> None:
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith(f"edgedigits: {start}: "), stderr
    assert "Traceback" not in stderr
    for word in words:
        assert word in stderr


# --- pictures that can't be read ----------------------------------------------------------------------


def truncated(path: Path) -> None:
    data = SAMPLE.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def bomb(path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    side = 30_000
    squeeze = zlib.compressobj(9)
    body = b"".join(squeeze.compress(bytes(side // 8 + 1)) for _ in range(side)) + squeeze.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


UNREADABLE: dict[str, tuple[str, Maker, str]] = {
    "missing": ("a.png", lambda path: None, "no such file"),
    "empty": ("a.png", lambda path: path.touch(), "empty"),
    "text": ("a.png", lambda path: path.write_text("1234\n"), "not a picture"),
    "truncated": ("a.jpg", truncated, "cut off"),
    "bomb": ("a.png", bomb, "30000×30000 pixels"),
    "pipe": ("a.png", lambda path: os.mkfifo(path), "pipe"),
    "no pictures": ("a", lambda path: path.mkdir(), "no pictures in this folder"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_one_line_and_the_rest_is_read(tmp_path: Path, name: str) -> None:
    file, make, word = UNREADABLE[name]
    path = tmp_path / file
    make(path)
    done = run(SAMPLE, path, SAMPLE, "--format", "jsonl")
    assert done.returncode == 1
    one_line(done.stderr, str(path), word)
    first, error, last = map(json.loads, done.stdout.splitlines())
    assert len(first["lines"]) == len(last["lines"]) == 3
    assert error["source"] == str(path)
    assert word in error["error"]


def test_all_of_them_in_a_folder(tmp_path: Path) -> None:
    kinds = ["empty", "text", "truncated", "bomb", "pipe"]
    for kind in kinds:
        file, make, _ = UNREADABLE[kind]
        make(tmp_path / (kind + Path(file).suffix))
    (tmp_path / "whole.jpg").write_bytes(SAMPLE.read_bytes())
    done = run(tmp_path)
    assert done.returncode == 1
    for kind, line in zip(sorted(kinds), done.stderr.splitlines(), strict=True):
        one_line(line + "\n", str(tmp_path / (kind + Path(UNREADABLE[kind][0]).suffix)), UNREADABLE[kind][2])
    assert done.stdout.count("59605") == 1


def test_a_bomb_costs_no_memory(tmp_path: Path) -> None:
    bomb(tmp_path / "a.png")
    # The peak of this very program; what getrusage tells includes the process it was started from.
    code = (
        "import sys; from edgedigits.cli import main; main(['read', sys.argv[1]]); "
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.splitlines()[-1]) * 1024 < 150e6


# --- pictures without anything to read ----------------------------------------------------------------


def noise(path: Path) -> None:
    values = np.random.default_rng(0).normal(128, 40, (300, 400, 3))
    Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path)


def scenery(path: Path) -> None:
    """Compose a photo without writing: sky, a hill, a house with windows, grain."""
    y, x = np.mgrid[:480, :640]
    picture = np.stack([150 - y / 8, 180 - y / 8, 230 - y / 10], axis=2)
    picture[y > 300 + 60 * np.sin(x / 90)] = (70, 110, 50)
    picture[(y > 180) & (y < 380) & (x > 220) & (x < 470)] = (170, 140, 120)
    picture[(y > 220) & (y < 300) & ((x // 40) % 2 == 0) & (x > 240) & (x < 460)] = (60, 70, 90)
    picture += np.random.default_rng(0).normal(0, 5, picture.shape)
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


BLANK: dict[str, Maker] = {
    "1x1": lambda path: Image.new("L", (1, 1), 128).save(path),
    "all white": lambda path: Image.new("RGB", (640, 480), "white").save(path),
    "all black": lambda path: Image.new("RGB", (640, 480), "black").save(path),
    "long and thin": lambda path: Image.new("L", (5000, 1), 200).save(path),
}


@pytest.mark.parametrize("name", BLANK)
def test_where_nothing_is_written_nothing_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.png"
    BLANK[name](path)
    done = run(path, SAMPLE, "--format", "jsonl", "--annotate", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    page, sample = map(json.loads, done.stdout.splitlines())
    assert page["lines"] == []
    assert len(sample["lines"]) == 3
    assert (tmp_path / "out" / "a-read.png").exists()


@pytest.mark.parametrize("make", [noise, scenery])
def test_hardly_anything_is_accepted_without_digits(tmp_path: Path, make: Maker) -> None:
    """The shipped network knows ten digits and no class for what is none, so some false lines pass."""
    path = tmp_path / "a.png"
    make(path)
    done = run(path, SAMPLE, "--format", "jsonl", "--annotate", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    page, sample = map(json.loads, done.stdout.splitlines())
    accepted = [line["text"] for line in page["lines"] if line["accepted"]]
    assert len(accepted) <= 2
    assert sum(map(len, accepted)) <= 4
    assert len(sample["lines"]) == 3


# --- models that can't be used ------------------------------------------------------------------------


def repack(path: Path, **changes: Any) -> None:
    """Write the shipped model with another card."""
    card, model = split_model(MODEL)
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("card.json", dataclasses.replace(card, **changes).as_json())


def damaged(path: Path) -> None:
    data = bytearray(MODEL.read_bytes())
    data[4000:4100] = bytes(100)
    path.write_bytes(data)


def float_as_int8(path: Path) -> None:
    """Write the float model with the card of the int8 one, its checksum put right."""
    card, _ = split_model(MODEL)
    real, model = split_model(MODEL.with_name("paper-float32.tflite"))
    card = dataclasses.replace(card, model_size=real.model_size, model_sha256=real.model_sha256)
    path.write_bytes(model)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("card.json", card.as_json())


MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.touch(), "not a TFLite model"),
    "not TFLite": (lambda path: path.write_bytes(b"PK" + bytes(5000)), "not a TFLite model"),
    "truncated": (lambda path: path.write_bytes(MODEL.read_bytes()[:50_000]), "cut off"),
    "without card": (lambda path: path.write_bytes(split_model(MODEL)[1]), "no card"),
    "damaged": (damaged, "damaged"),
    "float where int8 is said": (float_as_int8, "int8"),
    "another input shape": (lambda path: repack(path, input_shape=(32, 32)), "32×32"),
    "another number of labels": (lambda path: repack(path, labels=("0", "1", "2")), "3 labels"),
    "another schema": (lambda path: repack(path, schema=99), "schema 99"),
}


@pytest.mark.parametrize("name", MODELS)
def test_model(tmp_path: Path, name: str) -> None:
    make, word = MODELS[name]
    path = tmp_path / "m.tflite"
    make(path)
    done = run(SAMPLE, "--model", path)
    assert done.returncode == 1
    assert done.stdout == ""
    one_line(done.stderr, str(path), word)


def test_an_unknown_model_name() -> None:
    done = run(SAMPLE, "--model", "paper-int9")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "paper-int8" in done.stderr


# --- places that can't be written to ------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "file/inside", "x" * 300], ids=["file", "inside", "long"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    done = run(SAMPLE, SAMPLE, "--annotate", tmp_path / place)
    assert done.returncode == 1
    one_line(done.stderr, str(tmp_path / place), "can't")
    assert done.stdout.count("59605") == 2


def test_annotated_pictures_fail_once_and_reading_goes_on(tmp_path: Path) -> None:
    # A folder stands where the first annotated picture is to go.
    (tmp_path / "1-black-pen-read.jpg").mkdir()
    done = run(SAMPLE, SAMPLE, "--annotate", tmp_path)
    assert done.returncode == 1
    one_line(done.stderr, str(tmp_path / "1-black-pen-read.jpg"), "can't write")
    assert done.stdout.count("59605") == 2
    assert [p.name for p in tmp_path.iterdir()] == ["1-black-pen-read.jpg"]


def test_a_folder_is_not_annotated_into_itself(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(SAMPLE.read_bytes())
    done = run(tmp_path, "--annotate", tmp_path / "." / "")
    assert done.returncode == 1
    one_line(done.stderr, str(tmp_path), "annotate into another")
    assert done.stdout.count("59605") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
