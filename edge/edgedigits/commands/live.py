"""`edgedigits live`: a camera to events, unattended."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

from edgedigits.commands.arguments import add_common, add_delegate, add_way, positive, seconds
from edgedigits.commands.configuration import FORMER, SOURCES, add_config, add_wait, load, print_config
from edgedigits.commands.run import Run, opened_stdout
from edgedigits.errors import EdgeDigitsError, SourceError

if TYPE_CHECKING:
    from edgedigits.frames import Frame
    from edgedigits.live.config import LiveConfig
    from edgedigits.live.hub import Health
    from edgedigits.page import Page


def add(commands: Any) -> None:
    """Add the command's arguments."""
    live = commands.add_parser(
        "live",
        help="read a camera, a stream, a video or a folder, and report each sheet once",
        description="Watches a camera until Ctrl-C is pressed, and reports each sheet that is held before it "
        "as one event. A camera that goes away is brought back.",
        epilog="Exit status: 0, or 1 if the source can't be had, or a video is damaged. --print-config shows "
        "every setting with its meaning, unit and range; --set and --config change them.",
    )
    live.add_argument("source", nargs="?", metavar="SOURCE", help=SOURCES)
    what = live.add_mutually_exclusive_group()
    what.add_argument(
        "--events", action="store_true", help="one event for each sheet (this is what happens anyway)"
    )
    what.add_argument(
        "--readings", action="store_true", help="what is read in each frame, until the source fails"
    )
    live.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="TO",
        help="send events here, too: FILE.jsonl, FILE.csv, mqtt[s]://HOST/TOPIC, http[s]://…; repeatable. "
        "They are journaled first, and delivered at least once",
    )
    add_config(live)
    add_wait(live)
    live.add_argument("--frames", type=positive, metavar="N", help="stop after so many frames")
    live.add_argument(
        "--every",
        type=seconds,
        metavar="SECONDS",
        help="look at a frame at most so often (in a video file: of the video's time)",
    )
    add_common(live, ("table", "jsonl"))
    add_delegate(live)
    add_way(live)
    live.set_defaults(model=None, perform=perform)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    if arguments.print_config:
        print_config()
        return
    if arguments.source is None and arguments.config is None and not arguments.set:
        arguments.parser.error("name a source, or give --config")
    stop, again, over = threading.Event(), threading.Event(), threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        over.set()
        stop.set()

    def reload(number: int, frame: FrameType | None) -> None:
        again.set()
        stop.set()

    handlers = {signal.SIGINT: end, signal.SIGTERM: end, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        if arguments.readings:
            _readings(arguments, run, stop)
        else:
            _events(arguments, run, stop, again, over)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_annotated(run: Run, folder: str | None, source: str) -> None:
    scheme, _, watched = source.partition(":")
    paths = [watched or "."] if scheme == "watch" else []
    run.open_annotated(run.apart(folder, paths, "annotate"), inputs=[source], moving=True)


def _readings(arguments: argparse.Namespace, run: Run, stop: threading.Event) -> None:
    """Read frame by frame, until the source ends or fails."""
    config = load(arguments)
    from edgedigits.frames.capture import without_password
    from edgedigits.frames.sources import open_source
    from edgedigits.live import watch
    from edgedigits.live.station import open_reader

    general = config.general
    reader = open_reader(general)
    if reader.model.delegate_failure:
        run.say(reader.model.delegate_failure)
    name = without_password(general.source)
    run.open_output(arguments.format, len(name), moving=True)
    _open_annotated(run, arguments.annotate, general.source)
    try:
        source = open_source(general.source, every=general.every, stop=stop, settings=config["capture"])
        try:
            watch(source, reader, run.report, arguments.frames)
        finally:
            run.stuck = not source.close()
    except SourceError as error:
        run.complain(error, name)


def _events(
    arguments: argparse.Namespace,
    run: Run,
    stop: threading.Event,
    again: threading.Event,
    over: threading.Event,
) -> None:
    """Make events, with everything around them; once more with new settings after SIGHUP (`again`).

    `stop` ends the reading for either of the others; `over` says that it is for good.
    """
    from edgedigits.live.notify import notify
    from edgedigits.live.station import open_station
    from edgedigits.log import start_logging
    from edgedigits.outputs import EventLines, EventTable

    config = load(arguments)
    lines = arguments.format == "jsonl"
    stdout = opened_stdout(utf8=lines)
    shown: EventLines | EventTable = EventLines(stdout) if lines else EventTable(stdout)
    _open_annotated(run, arguments.annotate, config.general.source)

    def frame(picture: Frame, page: Page) -> None:
        if isinstance(shown, EventTable):
            shown.begin()
        run.annotate(picture, page)

    def beat(health: Health) -> None:
        notify("WATCHDOG=1", f"STATUS={health.state}")

    def left() -> None:
        run.stuck = True

    former: LiveConfig | None = None
    while True:
        start_logging(config["log"].format, config["log"].level)
        live = None
        try:
            with open_station(
                config, stop=stop, on_event=shown.event, on_frame=frame, beat=beat, left=left
            ) as live:
                notify("READY=1", f"STATUS=opening {live.name}", f"MAINPID={os.getpid()}")
                live.run(arguments.frames)
        except EdgeDigitsError as error:
            if former is None or (live is not None and live.counters().frames):
                raise
            run.say(f"{error} {FORMER}")
            config, former = former, None
            continue
        former = None
        notify("STOPPING=1" if not again.is_set() else "RELOADING=1")
        if not again.is_set():
            return
        again.clear()
        stop.clear()
        if over.is_set():  # told to end while it was ending to begin anew
            return
        try:
            former, config = config, load(arguments)
        except EdgeDigitsError as error:
            run.say(f"{error} {FORMER}")
