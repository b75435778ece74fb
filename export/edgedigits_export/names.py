"""What things are called in reports, messages and cards: text that any of them can hold."""

from __future__ import annotations


def printable(name: object) -> str:
    """Return a name, of a file perhaps, with whatever is no text in it, or would break a line, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))
