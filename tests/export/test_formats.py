"""The table of formats."""

from __future__ import annotations

import pytest

from edgedigits.card import DTYPES
from edgedigits_export.errors import ConversionError
from edgedigits_export.formats import FORMATS, TARGETS, find_formats


def test_every_row_is_sound() -> None:
    assert next(iter(FORMATS)) == "float32"
    for name, row in FORMATS.items():
        assert row.name == name
        assert {row.input_dtype, row.output_dtype} <= set(DTYPES)
        # Ranges of integer activations can only come from pictures.
        assert row.representative == row.activations.startswith("int")
        assert row.quantized == (name != "float32")
        assert row.description


def test_finding_formats() -> None:
    assert [row.name for row in find_formats(None)] == ["float32", "float16", "dynamic", "int8"]
    assert [row.name for row in find_formats(["int8", "float32"])] == ["float32", "int8"]
    assert find_formats(["all"]) == tuple(FORMATS.values())
    with pytest.raises(ConversionError, match="int7: no such format; choose from float32"):
        find_formats(["int8", "int7"])
    with pytest.raises(ConversionError, match="--formats: names none; choose from float32"):
        find_formats([])


def test_targets_are_given_formats_that_exist() -> None:
    assert {target.format for target in TARGETS} <= set(FORMATS)
