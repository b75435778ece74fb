"""A model's card: read back as it was written, refused where it lies."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from edgedigits.card import (
    Card,
    OperatingPoint,
    associated_file,
    card_from_json,
    read_card,
    split_bytes,
    split_model,
)
from edgedigits.errors import ModelError
from edgedigits.model import shipped_models

BODY = b"\x1c\0\0\0TFL3" + bytes(range(200))
CARD = Card(
    name="a-int8",
    format="int8",
    labels=("0", "1"),
    output="logits",
    model_size=len(BODY),
    model_sha256=hashlib.sha256(BODY).hexdigest(),
)

POINT: dict[str, Any] = dataclasses.asdict(
    OperatingPoint(0.01, 0.9, accepted=80, wrong=0, lines=100, data="lines")
)


def packed(card: str, body: bytes = BODY) -> bytes:
    whole = io.BytesIO()
    whole.write(body)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("card.json", card)
    return whole.getvalue()


def changed(**values: object) -> str:
    return json.dumps(dataclasses.asdict(CARD) | values)


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    never = OperatingPoint(0.001, 2.0, accepted=0, wrong=0, lines=100, data="lines")
    card = dataclasses.replace(
        CARD,
        accuracy={"mnist-test": 0.9},
        representative={"seed": 3},
        recipe="ä",
        operating_points=(OperatingPoint(**POINT), never),
    )
    assert card_from_json(card.as_json(), "x") == card
    assert split_bytes(packed(CARD.as_json()), "x") == (CARD, BODY)
    path = tmp_path / "a.tflite"
    path.write_bytes(packed(card.as_json()))
    assert read_card(path) == card


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert card_from_json(changed(from_the_future=1), "x") == CARD


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("[]", "not a JSON object"),
        ("{", "can't be used"),
        ("[" * 100_000, "can't be used"),
        ('{"schema": 1}', "missing"),
        (changed(schema=2), "schema 2"),
        (changed(labels=[]), "labels are missing"),
        (changed(labels=["0", 1]), "labels are missing"),
        (changed(labels=7), "can't be used"),
        (changed(labels=["0", "0"]), "two labels are the same"),
        (changed(output="words"), "unknown output convention"),
        (changed(input_shape=[28, "28"]), "input_shape"),
        (changed(input_shape=[-784]), "input_shape"),
        (changed(input_dtype="complex64"), "input_dtype"),
        (changed(output_dtype=None), "output_dtype"),
        (changed(temperature=0), "temperature"),
        (changed(temperature=float("nan")), "temperature"),
        (changed(input_scale=float("inf")), "input_scale"),
        (changed(temperature="1"), "can't be used"),
        (changed(way="word"), "unknown way"),
        (changed(min_digit_confidence=1.5), "min_digit_confidence"),
        (changed(min_line_confidence=-0.5), "min_line_confidence"),
        (changed(operating_points=[POINT | {"max_error": 0}]), "an operating point is out of range"),
        (changed(operating_points=[POINT | {"max_error": 1}]), "an operating point is out of range"),
        (changed(operating_points=[POINT | {"min_line_confidence": -0.1}]), "is out of range"),
        (changed(operating_points=[{"max_error": 0.01}]), "can't be used"),
        (changed(model_size="9"), "model_size"),
        (changed(model_size=10**9), "damaged"),
        (changed(model_size=-1), "damaged"),
        (changed(model_sha256="0" * 64), "damaged"),
    ],
)
def test_a_card_that_lies_is_refused_in_one_line(card: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        split_bytes(packed(card), "bad.tflite")
    assert str(caught.value).startswith("bad.tflite: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a TFLite model"),
        (b"hello", "not a TFLite model"),
        (BODY, "no card"),
        (packed(CARD.as_json())[:-30], "no card"),
        (BODY[:50] + b"?" + packed(CARD.as_json())[51:], "damaged"),
        (
            packed(CARD.as_json()).replace(b"a-int8", b"b-int8"),
            "its card.json is damaged; copy the file again",
        ),
    ],
)
def test_a_file_that_is_no_good_is_refused_in_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=said) as caught:
        read_card(path)
    assert "\n" not in str(caught.value)


def test_a_card_that_is_not_text_is_refused() -> None:
    whole = io.BytesIO()
    whole.write(BODY)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("card.json", b"\xff\xfe")
    with pytest.raises(ModelError, match="not UTF-8"):
        split_bytes(whole.getvalue(), "bad.tflite")


def test_a_card_of_gigabytes_is_not_unpacked() -> None:
    whole = io.BytesIO()
    whole.write(BODY)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", b" " * (64 << 20))
    with pytest.raises(ModelError, match="too large"):
        split_bytes(whole.getvalue(), "bad.tflite")


def test_missing_files_and_entries() -> None:
    with pytest.raises(ModelError, match="no such file"):
        split_model("/nowhere/a.tflite")
    assert associated_file(packed(CARD.as_json()), "golden.npz", "x") is None


@pytest.mark.parametrize("name", shipped_models())
def test_every_change_of_a_byte_of_a_shipped_model_is_noticed(name: str) -> None:
    data = (resources.files("edgedigits") / "models" / f"{name}.tflite").read_bytes()
    card, body = split_bytes(data, name)
    assert card.name == name
    for place in [*range(0, len(body), 4001), *range(len(body), len(data), 7)]:
        broken = bytearray(data)
        broken[place] ^= 0x55
        with contextlib.suppress(ModelError):
            # Unused bytes of the zip's own headers may differ; then the contents are what they were.
            assert split_bytes(bytes(broken), name) == (card, body)
            assert place >= len(body)
