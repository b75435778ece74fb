"""Named fields on a form: the page registered, its fields cut out, read, and held against their rules."""

from edgedigits.forms.reading import (
    FieldReading,
    FormReader,
    FormReading,
    trouble_in,
)

__all__ = [
    "FieldReading",
    "FormReader",
    "FormReading",
    "trouble_in",
]
