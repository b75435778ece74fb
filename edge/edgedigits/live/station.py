"""An unattended device put together from its configuration: `open_station` makes a `Live` of it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from edgedigits.event import Event
from edgedigits.frames import Frame
from edgedigits.frames.capture import without_password
from edgedigits.frames.reconnect import Reconnecting
from edgedigits.journal import Journal, default_path
from edgedigits.live.config import GeneralSettings, LiveConfig
from edgedigits.live.delivery import Delivery
from edgedigits.live.hub import Health, Hub
from edgedigits.live.loop import Live
from edgedigits.live.pictures import KeptPictures
from edgedigits.outputs.settings import OutputSettings
from edgedigits.outputs.sinks import CsvFile, JsonLinesFile, Sink
from edgedigits.page import Page
from edgedigits.reader import DEFAULT_MODEL, DEFAULT_WAY, Reader
from edgedigits.settings import SettingsError
from edgedigits.track import Tracker

log = logging.getLogger(__name__)


@contextlib.contextmanager
def open_station(
    config: LiveConfig,
    *,
    stop: threading.Event,
    hub: Hub | None = None,
    reader: Reader | None = None,
    keep: bool = False,
    on_frame: Callable[[Frame, Page], None] = lambda frame, page: None,
    on_event: Callable[[Event], None] = lambda event: None,
    beat: Callable[[Health], None] = lambda health: None,
    left: Callable[[], None] = lambda: None,
) -> Iterator[Live]:
    """Open all that a configuration names and give a `Live` whose `run` reads until `stop` is set.

    The journal is a file where there are outputs to deliver to, where the configuration names one, or with
    `keep`; else it lasts as long as the run. `left` is called in the end if a driver can't be brought to
    let go of its device.

    Raises `EdgeDigitsError` for whatever can't be had: source, model, journal, output, folder.
    """
    general = config.general
    if not general.source:
        raise SettingsError(
            "no source; name one, as in: edgedigits live 0 (or demo: to try it out), or set it in the "
            'configuration: source = "0"'
        )
    reader = reader or open_reader(general)
    if reader.model.delegate_failure:
        log.warning("%s", reader.model.delegate_failure)
    with contextlib.ExitStack() as stack:
        sinks = []
        for output in config.outputs:
            sink = open_sink(output)
            # It holds nothing until it delivers, and is closed by the thread that does.
            sinks.append(sink)
            if [other.name for other in sinks].count(sink.name) > 1:
                # They would share one place in the journal, and each lack what the other took.
                raise SettingsError(
                    f"output '{sink.name}' is there twice; take one out, or give them addresses that differ "
                    "before any question mark"
                )
        path: str | Path | None = config["journal"].path or None
        if path is None and (sinks or keep):
            path = default_path()
        journal = Journal(path, config["journal"])
        stack.callback(journal.close)
        deliveries = [Delivery(sink, journal, config["delivery"]) for sink in sinks]
        _check_apart(general.source, config["pictures"].folder)
        pictures = KeptPictures(config["pictures"]) if config["pictures"].folder else None
        source = Reconnecting(
            general.source, every=general.every, stop=stop, settings=config["capture"], memory=journal
        )

        def close_source() -> None:
            if not source.close():
                left()

        stack.callback(close_source)
        yield Live(
            source,
            reader,
            Tracker(reader.rule, config["track"]),
            journal,
            name=general.name or without_password(general.source),
            hub=hub,
            deliveries=deliveries,
            motion=config["motion"],
            health=config["health"],
            pictures=pictures,
            on_frame=on_frame,
            on_event=on_event,
            beat=beat,
        )


def _check_apart(source: str, folder: str) -> None:
    """Raise `SettingsError` where pictures are kept in the watched folder: each would be read again."""
    scheme, _, watched = source.partition(":")
    if folder and scheme == "watch" and os.path.realpath(folder) == os.path.realpath(watched or "."):
        raise SettingsError(f"[pictures] folder = '{folder}': this folder is watched; name another")


def open_reader(general: GeneralSettings) -> Reader:
    """Return the reader that settings describe; raises `ModelError`."""
    minimum = general.min_confidence if general.min_confidence >= 0 else None
    return Reader(
        general.model or DEFAULT_MODEL,
        min_line_confidence=minimum,
        delegate=general.delegate or None,
        way=general.way or DEFAULT_WAY,
        strip_model=general.strip_model or None,
        max_error=general.max_error or None,
        max_strips=general.max_strips,
    )


def open_sink(settings: OutputSettings) -> Sink:
    """Return the output that settings describe; raises `SettingsError` or `OutputError`."""
    to = settings.to
    scheme = to.partition("://")[0].lower() if "://" in to else ""
    if scheme in ("mqtt", "mqtts"):
        from edgedigits.outputs.mqtt import Mqtt

        return Mqtt(settings)
    if scheme in ("http", "https"):
        from edgedigits.outputs.webhook import Webhook

        return Webhook(settings)
    suffix = Path(to).suffix.lower()
    if not scheme and suffix in (".jsonl", ".ndjson"):
        return JsonLinesFile(to)
    if not scheme and suffix == ".csv":
        return CsvFile(to)
    raise SettingsError(
        f"output '{without_password(to)}': unknown; give FILE.jsonl, FILE.csv, mqtt://HOST/TOPIC, "
        "mqtts://HOST/TOPIC or https://…"
    )
