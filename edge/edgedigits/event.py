"""`Event`: a sheet was read. What is kept in the journal, sent to the outputs and shown on the pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = 1
"""Version of the JSON object. It changes when a key changes its meaning or goes, not when one is added."""


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold: what of a file's name is no text, a lone surrogate, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def harmless(name: str) -> str:
    """Return a source's name as a cell of a table that spreadsheets take for text.

    What begins like a formula is the path of a file in the working folder, which has another way to say it.
    """
    return f"./{name}" if name.startswith(("=", "+", "-", "@")) else name


@dataclass(frozen=True)
class Event:
    """One event as it is delivered.

    `sequence` counts the events of a journal from 1, without gaps; `id` is unique among all journals and
    the same whenever the event is delivered again. `source` is the name of the camera, `time` the wall
    clock's (ISO 8601, UTC), which may jump: order is told by `sequence`. `body` is the JSON object's rest.
    """

    sequence: int
    id: str
    source: str
    time: str
    body: Mapping[str, Any]

    @property
    def journal(self) -> str:
        """The name of the journal that numbers it."""
        return self.id.partition("-")[0]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of the output contract.

        Of a sheet that was read: `schema`, `event` ("reading"), `id`, `sequence`, `source`, `time`, `text`
        (the lines' texts, joined by newlines), `confidence` that all of it is right (0…1), `accepted`,
        `frames` that voted, `page` (number of the last of them), `size` and `lines` as `read` gives them.

        Of events that had to be dropped before they were delivered: `event` ("dropped"), `count`, `first`
        and `last` (sequence numbers).
        """
        return {
            "schema": SCHEMA,
            "event": self.body.get("event", "reading"),
            "id": self.id,
            "sequence": self.sequence,
            "source": self.source,
            "time": self.time,
            **self.body,
        }

    def as_json(self) -> str:
        """Return the object in one line without its newline."""
        return json.dumps(self.as_dict(), ensure_ascii=False)
