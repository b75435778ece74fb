"""Candidates and their probabilities → the best reading of a line, and what is not trusted."""

from edgedigits.decode.line import (
    RejectRule,
    Separator,
    as_read,
    best_guess,
    decode_digit,
    decode_line,
    digit_at,
    if_sure,
    is_character,
    is_drawing,
    refuse_turned,
    reject,
    with_digits,
    with_signs,
)

__all__ = [
    "RejectRule",
    "Separator",
    "as_read",
    "best_guess",
    "decode_digit",
    "decode_line",
    "digit_at",
    "if_sure",
    "is_character",
    "is_drawing",
    "refuse_turned",
    "reject",
    "with_digits",
    "with_signs",
]
