"""What the commands' arguments may be: types for `argparse`, which says whatever is wrong in one line."""

from __future__ import annotations

import argparse

SEEDS = 2**31
"""Seeds are below this."""
MOST = 10_000
"""Seeds of one series: whoever names more has mistyped."""


def whole(text: str) -> int:
    """Return a whole number; raises `ArgumentTypeError` where the text is none."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number") from None


def positive(text: str) -> int:
    """Return a whole number from 1 on; raises as `whole`."""
    value = whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def seed(text: str) -> int:
    """Return a seed, 0…`SEEDS` − 1; raises as `whole`."""
    value = whole(text)
    if not 0 <= value < SEEDS:
        raise argparse.ArgumentTypeError(f"{text} is not in 0…{SEEDS - 1}")
    return value


def seeds(text: str) -> list[int]:
    """Return seeds, each once, of "0-4" or "0,2,5"; raises as `whole`."""
    found: list[int] = []
    for piece in text.split(","):
        first, dash, last = piece.partition("-")
        named = range(seed(first), seed(last if dash else first) + 1)
        if len(named) > MOST:
            raise argparse.ArgumentTypeError(f"{text} names more than {MOST} seeds")
        found += named
    if not found or len(set(found)) != len(found):
        raise argparse.ArgumentTypeError(f"{text} names no seed, or one twice")
    return found


def folds(text: str) -> int:
    """Return a number of folds, from 2 on; raises as `whole`."""
    value = whole(text)
    if value < 2:
        raise argparse.ArgumentTypeError(f"{text} is not at least 2")
    return value
