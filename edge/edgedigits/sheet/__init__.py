"""Sheets of paper on a darker desk: found, and flattened."""

from edgedigits.sheet.finding import (
    SheetSettings,
    find_sheets,
    has_room_beside,
)

__all__ = [
    "SheetSettings",
    "find_sheets",
    "has_room_beside",
]
