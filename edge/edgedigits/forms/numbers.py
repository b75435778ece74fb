"""Digits and the signs between them → the number they mean, or what is wrong with it as a number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgedigits.forms.checks import Rule
from edgedigits.forms.layout import Field


def decimals_in(raw: str, field: Field) -> tuple[int | None, str | None]:
    """Return how many of the digits in `raw` are decimals, and what is wrong with the signs between them.

    A written comma may be read as a point: what a sign parts is told by the digits behind it alone. A sign
    that is passed over would make another number of the digits, as 85 of 8.5; in a code it tells nothing.
    """
    if not field.is_number:
        return None, None
    mark, count = field.decimal, field.decimals
    none_due = mark is None and count is None
    written = raw.lstrip("-$").rstrip("-=")
    parts = re.split(r"([.,]+|[^0-9?])", written)  # a speck beside a point makes two of one
    signs, groups = [part[0] for part in parts[1::2]], [len(part) for part in parts[::2]]
    if signs and not groups[-1] and (none_due or (count is None and len(raw) > len(written))):
        del signs[-1], groups[-1]  # as behind an ordinal number, and before the dash that stands for zeros
    if not signs:
        if mark is None:
            return count, None
        return (0, None) if count is None else (None, f"no '{mark}' where decimals are due")
    behind = f"{counted(groups[-1], 'digit')} behind the '{signs[-1]}'"
    if not groups[-1] and count is None:
        return None, behind
    marks_only = {*signs} <= {".", ","}
    if none_due:
        return None, None if marks_only and _in_thousands(groups) else f"a '{signs[-1]}' in a whole number"
    if count is not None and groups[-1] != count:
        return None, f"{behind} where {counted(count, 'decimal')} are due"
    if count is None and _in_thousands(groups):
        return None, f"{behind} may be decimals or not; set 'decimals' in the form"
    whole = groups[:-1]
    if not (whole[0] and marks_only and (len(whole) == 1 or _in_thousands(whole))):
        return None, "signs between the digits that part neither thousands nor decimals"
    return groups[-1], None


def _in_thousands(groups: Sequence[int]) -> bool:
    """Return whether so many digits between separators are a whole number's, in threes."""
    return 1 <= groups[0] <= 3 and all(size == 3 for size in groups[1:])


def satisfies(raw: str, field: Field) -> bool:
    """Return whether a line that is read so, its separators with it, is what a free field asks for."""
    decimals, error = decimals_in(raw, field)
    if error is not None and field.decimal is not None:
        return False
    text = "".join(c for c in raw if c.isdigit())
    low, high = field.digits
    if not low <= len(text) <= high:
        return False
    value = value_of(text, field, decimals)
    return all(rule.test(told_to(rule, text, value)) for rule in field.rules)


def told_to(rule: Rule, text: str, value: str) -> str:
    """Return what a rule is about: a check digit is of all that is written, its first zeros with it."""
    return text if rule.kind == "check" else value


def value_of(text: str, field: Field, decimals: int | None) -> str:
    """Return what digits mean: a number without leading zeros and with a point, or the code as it is."""
    if not field.is_number:
        return text
    text = text.zfill((decimals or 0) + 1)
    point = len(text) - (decimals or 0)
    whole = text[:point].lstrip("0") or "0"
    return f"{whole}.{text[point:]}" if decimals else whole


def counted(number: int, what: str) -> str:
    """Return so many of something in words."""
    return f"{number} {what}" + ("" if number == 1 else "s")
