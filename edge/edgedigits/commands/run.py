"""One run of a command: what it writes to, and how it went."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TextIO, TypeVar

from edgedigits.errors import EdgeDigitsError, OutputError
from edgedigits.streams import discard_stdout, printable, reconfigure

if TYPE_CHECKING:
    from edgedigits.annotate import AnnotatedPictures
    from edgedigits.forms.outputs import FormOutput
    from edgedigits.frames import Frame
    from edgedigits.outputs import Output
    from edgedigits.page import Page

Pictures = TypeVar("Pictures")


class Run:
    """One run of a command."""

    def __init__(self) -> None:
        self.status = 0
        """The exit status that it has come to."""
        self.stuck = False
        """Whether a driver could not be brought to let go of its device."""
        self._output: Output | None = None
        self._heard: Output | FormOutput | None = None
        self._annotated: Drawn[AnnotatedPictures] | None = None

    def perform(self, arguments: argparse.Namespace) -> None:
        """Run the command; what goes wrong is said and counted, not raised."""
        try:
            arguments.perform(arguments, self)
        except BrokenPipeError:
            discard_stdout()  # as with `| head`: who reads along has enough
        except EdgeDigitsError as error:
            self.complain(error)
            if isinstance(error, OutputError):
                discard_stdout()
        except Exception as error:
            if arguments.verbose:
                raise
            self.complain(fault(error))

    def say(self, message: str) -> None:
        """Say something on standard error; nothing has gone wrong."""
        say(message)

    def complain(self, error: object, source: str | None = None) -> None:
        """Say what went wrong, and count it; about a source also in the output, if it has a place for it."""
        self.status = 1
        say(str(error))
        if source is not None and self._heard is not None:
            self._heard.error(source, str(error))

    def open_output(self, form: str, width: int, moving: bool = False) -> None:
        """Open the output for readings: "table", "jsonl" or "csv"."""
        from edgedigits import outputs

        stdout = opened_stdout(utf8=form != "table")
        if form == "table":
            self._output = outputs.Table(stdout, min(width, 40), sparing=moving)
        else:
            self._output = outputs.JsonLines(stdout) if form == "jsonl" else outputs.Csv(stdout)
        self._heard = self._output

    def open_form_output(self, form: str) -> FormOutput:
        """Open the output for forms: "table", "jsonl" or "csv"."""
        from edgedigits.forms import outputs

        stdout = opened_stdout(utf8=form != "table")
        output: FormOutput
        if form == "table":
            output = outputs.FormTable(stdout)
        else:
            output = outputs.FormJsonLines(stdout) if form == "jsonl" else outputs.FormCsv(stdout)
        self._heard = output
        return output

    def open_annotated(self, folder: str | None, **settings: Any) -> Drawn[AnnotatedPictures] | None:
        """Open the folder for annotated pictures; None: none are drawn."""
        if folder is not None:
            from edgedigits.annotate import AnnotatedPictures

            self._annotated = Drawn(self, lambda: AnnotatedPictures(folder, **settings))
        return self._annotated

    def report(self, frame: Frame, page: Page) -> None:
        """Write what was read in a frame, and draw it where that is asked for."""
        assert self._output is not None
        self._output.page(frame, page)
        self.annotate(frame, page)

    def annotate(self, frame: Frame, page: Page) -> None:
        """Draw what was read in a frame, where that is asked for."""
        if self._annotated is not None:
            self._annotated.draw(lambda pictures: pictures.write(frame, page))

    def apart(self, folder: str | None, paths: Sequence[str], verb: str) -> str | None:
        """Return a folder to draw into, None where pictures are read from it."""
        if folder is not None and os.path.realpath(folder) in map(os.path.realpath, paths):
            # The next run would read what this one has drawn.
            self.complain(f"{folder}: pictures are read from this folder; {verb} into another")
            return None
        return folder

    def close_stdout(self) -> None:
        """Write out what is left, while it can still be said that it failed."""
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            discard_stdout()
        except (OSError, ValueError) as error:
            self.complain(f"standard output: can't write ({error}); make room, or send it elsewhere")
            discard_stdout()


class Drawn(Generic[Pictures]):
    """A folder that is drawn into, as `make` opens it.

    That it can't be written to is said once, and not for every picture: reading goes on.
    """

    def __init__(self, run: Run, make: Callable[[], Pictures]) -> None:
        self._run = run
        self._pictures: Pictures | None = None
        try:
            self._pictures = make()
        except OutputError as error:
            run.complain(error)

    def draw(self, write: Callable[[Pictures], object]) -> None:
        """Have `write` draw into it."""
        if self._pictures is None:
            return
        try:
            write(self._pictures)
        except OutputError as error:
            self._pictures = None
            self._run.complain(error)


def say(message: str) -> None:
    """Say something on standard error, as one line."""
    with contextlib.suppress(OSError, ValueError):
        print(f"edgedigits: {printable(message)}", file=sys.stderr, flush=True)


def fault(error: Exception) -> str:
    """Return what is said of a fault of the program itself."""
    return f"a fault of edgedigits, not of your input ({type(error).__name__}: {error}); please report it"


def opened_stdout(utf8: bool) -> TextIO:
    """Return the standard output, with `utf8` in UTF-8 whatever the locale.

    Raises `OutputError` where it is closed.
    """
    if sys.stdout is None:
        raise OutputError("standard output: it is closed; send it to a file or a program")
    if utf8:
        # A file name that is not even text is escaped.
        reconfigure(sys.stdout, encoding="utf-8", errors="backslashreplace")
    return sys.stdout


@contextlib.contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Have SIGTERM unwind as Ctrl-C does, so that no temporary file is left."""

    def end(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
