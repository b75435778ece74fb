"""What a number on a form must satisfy: check digits, ranges, patterns.

Check digits and the formats of numbers come from python-stdnum (the extra `forms`), by the name of its
modules: `luhn`, `verhoeff`, `ean`, `isbn`, `iban`, `iso7064.mod_97_10`, `de.idnr`, … A letter prefix that
is printed on the form, as the country of an IBAN, is part of the rule: what is written are digits.
"""

from __future__ import annotations

import functools
import importlib
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from edgedigits.errors import FormError

INSTALL = "pip install python-stdnum"

Test = Callable[[str], bool]
Kind = Literal["check", "range", "pattern"]

_PROBES = 40
"""So many random numbers of a length are offered to a format before the length counts as impossible."""

_LIKE_IT = 0.2
"""Where there is a check digit, at most this part of the numbers that differ in one digit pass: 0 to 0.2 in
nearly all formats of python-stdnum 2.2 that have one, 0.4 to 1 in those that have none."""


@dataclass(frozen=True)
class Rule:
    """One rule: its name as the form gives it, and the test itself, from text to whether it is met."""

    name: str
    kind: Kind
    test: Test

    def proves(self, text: str) -> bool:
        """Return whether a text meets the rule, and hardly any with another digit in one place would.

        So it is with a check digit. A range, a pattern or a format without one lets pass much of what a
        misread digit could make of the text, and proves nothing.
        """
        if self.kind != "check" or not self.test(text):
            return False
        others = [
            text[:place] + digit + text[place + 1 :]
            for place, own in enumerate(text)
            for digit in "0123456789"
            if digit != own
        ]
        return sum(map(self.test, others)) <= _LIKE_IT * len(others)


def check_digit_rule(name: str, prefix: str, lengths: Sequence[int]) -> Rule:
    """Return the rule of a python-stdnum module for numbers of the given lengths.

    `prefix` is put before the digits. Raises `FormError`, without the form's name, where python-stdnum is
    not installed, has no such format, or the format knows no number of any of these lengths.
    """
    try:
        importlib.import_module("stdnum")
    except ImportError as error:
        raise FormError(f"check '{name}' needs python-stdnum; {INSTALL}") from error
    module = _stdnum_module(name)
    if not _any_length_possible(module, prefix, tuple(lengths)):
        with_prefix = f" after '{prefix}'" if prefix else ""
        remedy = "change 'digits', or set 'prefix' to the letters printed before them"
        raise FormError(
            f"check '{name}' is met by no number of {_choice(lengths)} digits{with_prefix}; {remedy}"
        )

    def test(digits: str) -> bool:
        return bool(module.is_valid(prefix + digits))

    return Rule(name, "check", test)


def _stdnum_module(name: str) -> Any:
    module = None
    if re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?", name):
        # A module of that name is asked for and nothing else: the name comes from a file.
        for candidate in (name, f"iso7064.{name}"):
            try:
                module = importlib.import_module(f"stdnum.{candidate}")
            except ImportError:
                continue
            if hasattr(module, "is_valid") and hasattr(module, "validate"):
                return module
    raise FormError(
        f"check '{name}' is no format of python-stdnum; use the name of one of its modules, such as "
        "luhn, verhoeff, ean, isbn, iban or iso7064.mod_97_10"
    )


# The fields of a form are often of one kind, and to try all lengths of one takes up to a second.
@functools.lru_cache(maxsize=256)
def _any_length_possible(module: Any, prefix: str, lengths: tuple[int, ...]) -> bool:
    from stdnum.exceptions import InvalidChecksum, InvalidFormat, InvalidLength, ValidationError

    if module.__name__ == "stdnum.iban" and not re.match("[A-Z]{2}", prefix):
        return False  # it begins with its country
    draw = random.Random(0)
    for length in lengths:
        checksum = False
        for probe in range(_PROBES):
            # The first ones show whether the length will do at all; then the last digits of a few numbers are
            # gone through, so that one of them must have the right check digits.
            digits = "".join(draw.choices("0123456789", k=length))
            if probe == _PROBES - 4 and not checksum:
                break
            for number in [digits] if probe < _PROBES - 4 else _endings(digits):
                try:
                    module.validate(prefix + number)
                except InvalidChecksum:
                    checksum = True
                except (InvalidLength, InvalidFormat):
                    pass  # a wrong structure counts like a wrong length
                except ValidationError:
                    return True  # a part of the number is wrong, such as a date: others will do
                except Exception:  # a format that stumbles over the number does not take it
                    pass
                else:
                    return True
    return False


def _endings(digits: str) -> list[str]:
    count = min(3, len(digits))
    return [f"{digits[:-count]}{k:0{count}}" for k in range(10**count)]


def range_rule(low: Decimal, high: Decimal, most: Decimal, least: Decimal = Decimal(0)) -> Rule:
    """Return the rule that a number lies in `low`…`high`; `least`…`most` is what the field can hold.

    Raises `FormError` for an empty range and for one that the field can't reach.
    """
    if low > high:
        raise FormError(f"range [{low}, {high}] is empty; put the smaller number first")
    if low > most or high < least:
        raise FormError(
            f"range [{low}, {high}] can't be met by a field that holds {least} to {most}; change 'digits'"
        )

    def test(text: str) -> bool:
        # What a model for letters reads need not be a number.
        return text.replace(".", "", 1).isdecimal() and low <= Decimal(text) <= high

    return Rule(f"range {low}…{high}", "range", test)


def pattern_rule(pattern: str, most: int) -> Rule:
    """Return the rule that the whole text, of `most` digits at most, matches a regular expression.

    Raises `FormError` for one that is none, and for one that takes ever longer, as `([0-9]+)+x` does.
    """
    try:
        compiled = re.compile(pattern, re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise FormError(f"pattern '{pattern}' is no regular expression ({error}); mend it") from error
    if not _is_quick(compiled, most):
        raise FormError(
            f"pattern '{pattern}' takes ever longer with each digit; repeat nothing that repeats itself"
        )
    return Rule(f"pattern {pattern}", "pattern", lambda text: compiled.fullmatch(text) is not None)


_LONGEST = 0.05
"""Seconds of processor time that a pattern may take for one text: most take a millionth."""


def _is_quick(compiled: re.Pattern[str], most: int) -> bool:
    """Return whether an expression tells of texts of up to `most` digits in bounded time.

    The time for a backtracking expression doubles with each digit: asked about longer and longer texts, it is
    found before it has become long.
    """
    for count in range(1, most + 1):
        for repeated in (*"0123456789", "12"):
            # What a text fails by, after all that can be repeated, is what makes an expression go back.
            for text in ((repeated * count)[:count], (repeated * count)[:count] + "."):
                started = time.thread_time()
                compiled.fullmatch(text)
                if time.thread_time() - started > _LONGEST:
                    return False
    return True


def _choice(lengths: Sequence[int]) -> str:
    low, high = min(lengths), max(lengths)
    return f"{low}" if low == high else f"{low} to {high}"
