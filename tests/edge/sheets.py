"""Readings of sheets for the tests of the live loop, without pictures."""

from __future__ import annotations

from edgedigits.page import REJECTED, Digit, Line, Page


def digit(label: str, confidence: float, x: int, y: int, guess: str = "") -> Digit:
    alternatives = ((guess, confidence),) if label == REJECTED else ()
    return Digit(label, confidence, (x, y, 24, 40), alternatives)


def line(text: str, x: int = 100, y: int = 100, confidence: float = 0.99, guess: str = "7") -> Line:
    digits = tuple(
        digit(label, 0.5 if label == REJECTED else confidence, x + 36 * k, y, guess)
        for k, label in enumerate(text)
    )
    whole = 1.0
    for one in digits:
        whole *= one.confidence
    accepted = REJECTED not in text and whole >= 0.5
    return Line(text, text, whole, accepted, (x, y, 36 * len(text) - 12, 40), digits)


def page(*texts: str, x: int = 100, y: int = 100, confidence: float = 0.99) -> Page:
    """A page of lines below one another; no texts: an empty one."""
    lines = tuple(line(text, x, y + 80 * k, confidence) for k, text in enumerate(texts))
    return Page(lines, (640, 480), 1.0)
