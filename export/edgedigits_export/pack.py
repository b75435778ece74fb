"""Put the card, and whatever else belongs to a model, into its file.

The files travel in a zip archive behind the model proper, where TFLite metadata keeps its associated
files: `zipfile` finds them from the end of the file, the runtimes read from the start and see the model
alone. The same inputs give the same bytes: entries have a fixed time and are stored, not deflated.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Mapping

from edgedigits.card import CARD_NAME, LABELS_NAME, Card

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can say


def pack(model: bytes, card: Card, files: Mapping[str, bytes] | None = None) -> bytes:
    """Return `model` (a TFLite model without a zip) with its card, its labels and `files` behind it.

    The card's `model_size` and `model_sha256` are filled in here. `files` are further entries by name.
    """
    card = dataclasses.replace(card, model_size=len(model), model_sha256=hashlib.sha256(model).hexdigest())
    entries = {
        CARD_NAME: card.as_json().encode(),
        LABELS_NAME: "".join(f"{label}\n" for label in card.labels).encode(),
        **(files or {}),
    }
    whole = io.BytesIO()
    whole.write(model)
    with zipfile.ZipFile(whole, "a") as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return whole.getvalue()
