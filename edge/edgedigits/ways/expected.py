"""What is known of a line before it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """What is known of a line before it is read, as on a form."""

    count: tuple[int, int] | None = None
    """The fewest and the most digits."""
    check: Callable[[str], bool] | None = None
    """Whether a text, digits and separators, can be what was written."""
