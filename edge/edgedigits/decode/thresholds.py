"""From which confidence on a reading is trusted: what a model's card says, and what its user says instead."""

from __future__ import annotations

from dataclasses import dataclass

from edgedigits.card import Card
from edgedigits.decode.line import RejectRule
from edgedigits.errors import ModelError


@dataclass(frozen=True)
class Thresholds:
    """What the user of a model says of thresholds; None: what its card says."""

    min_digit_confidence: float | None
    """A digit whose best guess is below this is rejected. 0…1."""
    min_line_confidence: float | None
    """A line whose confidence is below this is not accepted. 0…1."""
    max_error: float | None
    """At most this share of the accepted lines is to be wrong, as the card promises. Between 0 and 1."""

    def rule_for(self, card: Card, source: str, way: str | None) -> RejectRule:
        """Return the rule for a model and a way of reading; None: `max_error` is another model's business.

        Where both `max_error` and `min_line_confidence` are given, the stricter threshold holds.

        Raises `ModelError`, naming `source`, where the card promises nothing as strict as `max_error` of this
        way, and `ValueError` for what the user said out of its range.
        """
        own = _confidence(self.min_line_confidence, 0.0)
        line = card.min_line_confidence if self.min_line_confidence is None else own
        if self.max_error is not None and way is not None:
            line = max(own, _promised(card, source, way, self.max_error))
        return RejectRule(_confidence(self.min_digit_confidence, card.min_digit_confidence), line)


def _promised(card: Card, source: str, way: str, max_error: float) -> float:
    """Return the threshold for lines at which a card promises no more than such a share of errors."""
    if not 0 < max_error < 1:
        raise ValueError(f"a share of errors lies between 0 and 1, not at {max_error}")
    # Above 1 no threshold kept the promise.
    known = [p for p in card.operating_points if p.way == way and p.min_line_confidence <= 1]
    points = [point for point in known if point.max_error <= max_error]
    if not points:
        promised = ", ".join(f"{point.max_error:g}" for point in known)
        raise ModelError(
            f"{source}: promises no share of errors as low as {max_error:g} "
            f"({promised or 'none at all'}); allow more, or find one with edgedigits-export accept"
        )
    return max(points, key=lambda point: point.max_error).min_line_confidence


def _confidence(value: float | None, otherwise: float) -> float:
    if value is None:
        return otherwise
    if not 0 <= value <= 1:
        raise ValueError(f"a confidence lies in 0…1, not {value}")
    return value
