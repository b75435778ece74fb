"""What a quantized model must not fall short of, and the TOML file that says it.

    [gates]
    max_drop = 0.001
    min_agreement = 0.998

Every gate has a default; a gate is switched off by giving it as `false`.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgedigits.errors import EdgeDigitsError

_LARGEST = 1e9
"""Gates lie within ± this, in whatever unit."""


class GatesError(EdgeDigitsError):
    """A gates file that can't be read or says something impossible."""


@dataclass(frozen=True)
class Gates:
    """The limits, each a comparison with the float model on the same pictures; `None` lets all pass."""

    max_drop: float | None = 0.001
    """Largest loss of accuracy, as a share (0.001 is 0.1 point)."""
    min_agreement: float | None = 0.998
    """Smallest share of the pictures on which it says what the float model says."""
    max_class_drop: float | None = 0.01
    """Largest loss of accuracy on the pictures of one class."""
    max_ece_rise: float | None = 0.005
    """Largest rise of the expected calibration error."""
    max_brier_rise: float | None = 0.003
    """Largest rise of the Brier score."""
    max_coverage_loss: float | None = 0.02
    """Largest loss of coverage at 1 % risk, as a share of all digits."""
    min_sqnr: float | None = 20.0
    """Smallest signal to quantization noise ratio of any operation's output, in dB."""
    max_saturated: float | None = 0.01
    """Largest share of saturated values in any operation's output."""
    max_corrupted_drop: float | None = 0.005
    """Largest loss of accuracy under any corruption and severity."""


@dataclass(frozen=True)
class StripGates:
    """The same for models for strips, on each set that they are measured on."""

    max_drop: float | None = 0.005
    """Largest loss of string accuracy, as a share (0.005 is 0.5 point)."""
    min_agreement: float | None = 0.95
    """Smallest share of the strips on which it says what the float model says."""
    max_cer_rise: float | None = 0.002
    """Largest rise of the character error rate."""
    max_read_rate_loss: float | None = 0.05
    """Largest loss of the share that can be accepted with at most 1 % wrong, as a share of all strips."""
    max_corrupted_drop: float | None = 0.05
    """Largest loss of string accuracy under any corruption and severity."""


AnyGates = TypeVar("AnyGates", Gates, StripGates)


def read_gates(path: Path, kind: type[AnyGates]) -> AnyGates:
    """Read a gates file. Raises `GatesError` where it can't be read or names no gate of this kind."""
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # the last one: of lists in lists in lists
        reason = getattr(error, "strerror", None) or str(error)
        raise GatesError(
            f"{path}: can't read the gates ({reason}); see edgedigits-export validate --help"
        ) from error
    known = {field.name for field in dataclasses.fields(kind)}
    table = whole.get("gates")
    if not isinstance(table, dict) or set(whole) != {"gates"}:
        raise GatesError(
            f"{path}: a table [gates] and nothing else is expected; known are {', '.join(sorted(known))}"
        )
    values: dict[str, float | None] = {}
    for name, value in table.items():
        if name not in known:
            raise GatesError(f"{path}: no gate is called {name}; known are {', '.join(sorted(known))}")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        # Whatever is measured passes a gate of `nan`.
        if value is not False and not (number and -_LARGEST <= value <= _LARGEST):
            raise GatesError(f"{path}: {name} must be a number, or false to switch the gate off")
        values[name] = None if value is False else float(value)
    return kind(**values)
