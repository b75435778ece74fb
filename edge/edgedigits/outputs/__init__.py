"""Where readings and events go: printed, to files, MQTT and webhooks."""

from edgedigits.outputs.text import (
    Csv,
    EventLines,
    EventTable,
    JsonLines,
    Output,
    Table,
)

__all__ = [
    "Csv",
    "EventLines",
    "EventTable",
    "JsonLines",
    "Output",
    "Table",
]
