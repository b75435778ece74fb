"""Frame → ink: strokes told from paper, in light and shadow, and what is printed lifted off."""

from edgedigits.ink.finding import (
    SLENDER,
    Ink,
    InkSettings,
    check_image,
    dark_on_light,
    evenly_lit,
    find_ink,
    longest_side,
    to_grey,
)

__all__ = [
    "SLENDER",
    "Ink",
    "InkSettings",
    "check_image",
    "dark_on_light",
    "evenly_lit",
    "find_ink",
    "longest_side",
    "to_grey",
]
