"""A packed model is a model with a zip behind it, the same bytes each time."""

from __future__ import annotations

import dataclasses
import io
import time
import zipfile

import pytest

from edgedigits.card import Card, split_bytes
from edgedigits_export.pack import pack

MODEL = b"\x1c\0\0\0TFL3" + bytes(100)
CARD = Card("a-int8", "int8", ("zero", "one"), "logits")


def test_what_goes_in_comes_out() -> None:
    packed = pack(MODEL, CARD, {"extra.bin": b"\0\1"})
    assert packed.startswith(MODEL)
    card, model = split_bytes(packed, "x")
    assert model == MODEL
    assert dataclasses.replace(card, model_size=0, model_sha256="") == CARD
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"zero\none\n"
        assert archive.read("extra.bin") == b"\0\1"
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack(MODEL, CARD)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert pack(MODEL, CARD) == first
