"""edgedigits reads handwritten digits on small computers.

What this module exports is the stable API, nothing else is:

    from edgedigits import Reader
    page = Reader().read(image)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgedigits.errors import (
        EdgeDigitsError,
        FormError,
        ModelError,
        OutputError,
        PictureError,
        RegistrationError,
        SourceError,
    )
    from edgedigits.forms import FieldReading, FormReader, FormReading
    from edgedigits.forms.form_file import load_form
    from edgedigits.page import Digit, Line, Page
    from edgedigits.reader import Reader

__version__ = "0.1.0"

__all__ = [
    "Digit",
    "EdgeDigitsError",
    "FieldReading",
    "FormError",
    "FormReader",
    "FormReading",
    "Line",
    "ModelError",
    "OutputError",
    "Page",
    "PictureError",
    "Reader",
    "RegistrationError",
    "SourceError",
    "load_form",
]

_HOME = {
    **dict.fromkeys(["Digit", "Line", "Page"], "edgedigits.page"),
    **dict.fromkeys(["FieldReading", "FormReader", "FormReading"], "edgedigits.forms"),
    "Reader": "edgedigits.reader",
    "load_form": "edgedigits.forms.form_file",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the trainer takes the pure preprocessing from here without waking a runtime,
    # and `edgedigits --help` need not wait for OpenCV.
    if name in __all__:
        return getattr(importlib.import_module(_HOME.get(name, "edgedigits.errors")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
