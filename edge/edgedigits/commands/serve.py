"""`edgedigits serve`: a camera, and the pages on which to watch it, write, and draw forms."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from edgedigits.commands.arguments import add_delegate, add_verbose, add_way, probability
from edgedigits.commands.configuration import FORMER, SOURCES, add_config, add_wait, load
from edgedigits.commands.run import Run, opened_stdout
from edgedigits.errors import EdgeDigitsError

if TYPE_CHECKING:
    from edgedigits.live.config import LiveConfig
    from edgedigits.live.hub import Health, Hub
    from edgedigits.serve.settings import ServeSettings

INSTALL = "pip install starlette uvicorn"


def add(commands: Any) -> None:
    """Add the command's arguments."""
    serve = commands.add_parser(
        "serve",
        help="watch a camera in a browser; write on a pad, read pictures, draw forms there",
        description="Serves the live view, a writing pad, a form editor and a REST interface on this "
        "machine. With --host 0.0.0.0 others reach it too, with the token that is printed.",
        epilog="Exit status: 0, or 1 if the source or the port can't be had. --print-config shows every "
        "setting; those of the pages stand in the table [serve].",
    )
    serve.add_argument("source", nargs="?", metavar="SOURCE", help=SOURCES)
    serve.add_argument("--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, metavar="N", help="port to listen on (default: 8000; 0: any)")
    serve.add_argument(
        "--token-file",
        metavar="FILE",
        help="the token that clients need (default: EDGEDIGITS_TOKEN, else a new one where others reach it)",
    )
    serve.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name under which it may be asked for, as of a proxy before it; repeatable",
    )
    serve.add_argument("--form", metavar="FILE.toml", help="the form that the form editor shows and saves")
    serve.add_argument(
        "--out", action="append", default=[], metavar="TO", help="send events here, too; see live --help"
    )
    add_config(serve)
    add_wait(serve)
    serve.add_argument("--model", metavar="NAME|FILE", help="default: the one that comes along")
    serve.add_argument(
        "--min-confidence",
        type=probability,
        metavar="P",
        help="accept a line from this confidence on, 0 to 1",
    )
    add_delegate(serve)
    add_way(serve)
    add_verbose(serve)
    serve.set_defaults(parser=serve, perform=perform)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"'{text}' is not a port, 0 to 65535")
    return int(text)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise EdgeDigitsError(f"the pages need Starlette and uvicorn ({error}); {INSTALL}") from error
    from edgedigits.serve.settings import ServeTable

    if arguments.print_config:
        from edgedigits.live.config import describe
        from edgedigits.settings import as_toml

        print(describe())
        print(f"# {(ServeTable.__doc__ or '').splitlines()[0]}\n[serve]\n{as_toml(ServeTable)}", end="")
        return
    if arguments.source is None and arguments.config is None and not arguments.set:
        arguments.parser.error("name a source, or give --config")
    stop, again = threading.Event(), threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    def reload(number: int, frame: FrameType | None) -> None:
        again.set()

    handlers = {signal.SIGINT: end, signal.SIGTERM: end, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        _serve(arguments, run, stop, again)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(arguments: argparse.Namespace, run: Run, stop: threading.Event, again: threading.Event) -> None:
    import asyncio

    from edgedigits.live.hub import Hub
    from edgedigits.live.station import open_reader
    from edgedigits.log import start_logging
    from edgedigits.serve.app import Web
    from edgedigits.serve.fields import form_file
    from edgedigits.serve.server import address_of, bound_socket, serve

    stdout = opened_stdout(utf8=False)
    config = load(arguments)
    settings = _settings(arguments, config)
    start_logging(config["log"].format, config["log"].level)
    hub = Hub()
    with contextlib.closing(bound_socket(settings)) as listening:
        web = Web(hub, settings, lambda: open_reader(config.general), form_file(settings.form))
        station = _Station(lambda: load(arguments), config, hub, run, stop, again)
        station.start()
        while not station.opened.wait(0.2):  # a signal is acted on between two waits
            pass
        try:
            if station.error is None:
                address = address_of(listening, settings)
                print(f"edgedigits: {address}{_key(settings)} (Ctrl-C ends it)", file=stdout, flush=True)
                asyncio.run(serve(web, listening, settings, stop))
        finally:
            stop.set()
            station.join(3.0)
            run.stuck = run.stuck or station.is_alive()
    if station.error is not None:
        raise station.error


def _settings(arguments: argparse.Namespace, config: LiveConfig) -> ServeSettings:
    from edgedigits.serve.settings import is_local, new_token, settings_from, token_from

    given = {"host": arguments.host, "port": arguments.port, "token_file": arguments.token_file}
    given |= {"form": arguments.form}
    settings = settings_from(
        config.serve, **{key: value for key, value in given.items() if value is not None}
    )
    token = token_from(settings.token_file)
    if not token and not is_local(settings.host):
        token = new_token()
    return dataclasses.replace(settings, token=token, names=(*settings.names, *arguments.allow_host))


def _key(settings: ServeSettings) -> str:
    """Return what makes the printed address open: the token, where it stands nowhere else."""
    from edgedigits.serve.settings import token_from

    if not settings.token or token_from(settings.token_file):
        return ""
    # After the # it is never sent, so no log has it.
    return f"login#token={settings.token}"


class _Station(threading.Thread):
    """The live loop beside the server; once more with new settings after SIGHUP."""

    def __init__(
        self,
        load_again: Callable[[], LiveConfig],
        config: LiveConfig,
        hub: Hub,
        run: Run,
        stop: threading.Event,
        again: threading.Event,
    ) -> None:
        super().__init__(name="live", daemon=True)
        self._load, self._config, self._hub, self._run_of_command = load_again, config, hub, run
        self._former: LiveConfig | None = None
        self._stop_all, self._again = stop, again
        self.opened = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Read until the end; an error ends the server too."""
        try:
            while self._once():
                pass
        except BaseException as error:
            self.error = error
            self._stop_all.set()
        finally:
            self.opened.set()

    def _once(self) -> bool:
        """Read until the source ends; returns whether to begin anew."""
        from edgedigits.live.notify import notify
        from edgedigits.live.station import open_station

        ended = threading.Event()
        follow = threading.Thread(target=self._end_with, args=(ended,), daemon=True)

        def beat(health: Health) -> None:
            notify("WATCHDOG=1", f"STATUS={health.state}")

        def left() -> None:
            self._run_of_command.stuck = True

        live = None
        try:
            with open_station(self._config, stop=ended, hub=self._hub, beat=beat, left=left) as live:
                follow.start()
                self.opened.set()
                notify("READY=1", f"STATUS=reading {live.name}")
                live.run()
        except EdgeDigitsError as error:
            if self._former is None or (live is not None and live.counters().frames):
                raise
            self._run_of_command.say(f"{error} {FORMER}")
            self._config, self._former = self._former, None
            return True
        finally:
            ended.set()
        self._former = None
        if self._again.is_set() and not self._stop_all.is_set():
            self._again.clear()
            notify("RELOADING=1")
            try:
                self._former, self._config = self._config, self._load()
            except EdgeDigitsError as error:
                self._run_of_command.say(f"{error} {FORMER}")
            return True
        return False

    def _end_with(self, ended: threading.Event) -> None:
        """End the reading when everything is to end, or to begin anew."""
        while not ended.wait(0.1):
            if self._stop_all.is_set() or self._again.is_set():
                ended.set()
