"""The command line: `edgedigits read`, and which of the `commands` does what else is asked.

Exit status: 0 when all went well, 1 when any input failed (the others are still read), 2 for a command
that can't be understood. What goes wrong is one line on standard error each. Nothing heavy is imported
before it is needed: `--help` is there at once, and reading a picture starts as fast as its libraries load.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edgedigits import __version__
from edgedigits.commands import bench, bundle, doctor, live, serve, service
from edgedigits.errors import EdgeDigitsError, OutputError
from edgedigits.streams import printable, reconfigure

if TYPE_CHECKING:
    from edgedigits.annotate import AnnotatedPictures
    from edgedigits.explain import ExplainedPictures
    from edgedigits.forms import FormReader
    from edgedigits.forms.outputs import FormOutput
    from edgedigits.frames import Frame
    from edgedigits.outputs import Output
    from edgedigits.page import Page
    from edgedigits.reader import Reader

# The Reader's own default; to import it from there would load OpenCV for --help.
_DEFAULT_MODEL = "compact-int8"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: that of the process) and return its exit status."""
    if argv is None:
        # The process is ours. No matrix here is worth the threads NumPy would start at import.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    run = Run()
    _ready_streams()
    try:
        arguments = _parser().parse_args(argv)
        if arguments.command == "read" and not (arguments.paths or arguments.samples):
            arguments.parser.error("name a picture or a folder, or give --samples")
        if arguments.command == "read" and arguments.form and arguments.explain:
            arguments.parser.error("--explain shows the way without --form; leave one of them out")
        with contextlib.nullcontext() if arguments.verbose else _silenced_libraries():
            run.perform(arguments)
    except SystemExit as end:
        run.status = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        run.status = 130
    run.close_stdout()
    if run.stuck and argv is None:
        # A driver blocked in a read would bring the interpreter down when it wakes up in its ruins.
        os._exit(run.status)
    return run.status


class Run:
    """One run of a command: what it writes to and how it went."""

    def __init__(self) -> None:
        self.status = 0
        self.stuck = False
        self._output: Output | None = None
        self._form_output: FormOutput | None = None
        self._annotated: AnnotatedPictures | None = None
        self._explained: ExplainedPictures | None = None

    def perform(self, arguments: argparse.Namespace) -> None:
        """Run a command; what goes wrong is said and counted, not raised."""
        try:
            if arguments.command == "read":
                with _sigterm_as_exit():
                    self._read(arguments)
            elif arguments.command == "form":
                with _sigterm_as_exit():
                    self._form(arguments)
            else:
                arguments.perform(arguments, self)
        except BrokenPipeError:
            _discard_stdout()  # as with `| head`: who reads along has enough
        except EdgeDigitsError as error:
            self.complain(error)
            if isinstance(error, OutputError):
                _discard_stdout()
        except Exception as error:
            if arguments.verbose:
                raise
            what = f"{type(error).__name__}: {error}"
            self.complain(f"a fault of edgedigits, not of your input ({what}); please report it")

    def close_stdout(self) -> None:
        """Write out what is left, while it can still be said that it failed."""
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:
            _discard_stdout()
        except (OSError, ValueError) as error:
            self.complain(f"standard output: can't write ({error}); make room, or send it elsewhere")
            _discard_stdout()

    def _read(self, arguments: argparse.Namespace) -> None:
        forms = _form_reader(arguments)
        reader = _reader(arguments) if forms is None else forms.reader
        if reader.model.delegate_failure:
            self.say(reader.model.delegate_failure)
        from edgedigits.frames import Unread, find_pictures, read_pictures

        found = find_pictures(arguments.paths)
        names = {entry: str(entry) for entry in found if not isinstance(entry, Unread)}
        if arguments.samples:
            samples = find_pictures([Path(__file__).parent / "samples"])
            found += samples
            names |= {entry: f"samples/{entry.name}" for entry in samples if not isinstance(entry, Unread)}
        if forms is None:
            self.open_output(arguments.format, max((len(printable(n)) for n in names.values()), default=0))
        else:
            self._open_form_output(arguments.format)
        self.open_annotated(self.apart(arguments.annotate, arguments.paths, "annotate"), inputs=names)
        self._open_explained(self.apart(arguments.explain, arguments.paths, "explain"), reader, names)
        for entry in found:
            for frame in [entry] if isinstance(entry, Unread) else read_pictures(entry, names[entry]):
                if isinstance(frame, Unread):
                    self.complain(frame.error, frame.source)
                    continue
                with self._at_fault(frame, arguments.verbose):
                    if forms is not None:
                        self._report_form(frame, forms)
                        continue
                    page = reader.read(frame.image, frame.size)
                    self.report(frame, page)
                    self._explain(frame, page)

    @contextlib.contextmanager
    def _at_fault(self, frame: Frame, verbose: bool) -> Iterator[None]:
        """Have a fault of the program in one picture cost no other."""
        try:
            yield
        except (EdgeDigitsError, BrokenPipeError):
            raise
        except Exception as error:
            if verbose:
                raise
            page = f" page {frame.page + 1}" if frame.page else ""
            what = f"{type(error).__name__}: {error}"
            self.complain(
                f"{frame.source}{page}: a fault of edgedigits, not of your input ({what}); please report it",
                frame.source,
            )

    def apart(self, folder: str | None, paths: Sequence[str], verb: str) -> str | None:
        """Return a folder to draw into, None where pictures are read from it."""
        if folder is not None and os.path.realpath(folder) in map(os.path.realpath, paths):
            # The next run would read what this one has drawn.
            self.complain(f"{folder}: pictures are read from this folder; {verb} into another")
            return None
        return folder

    def _open_explained(self, folder: str | None, reader: Reader, inputs: Iterable[Path]) -> None:
        if folder is None:
            return
        from edgedigits.explain import ExplainedPictures

        try:
            self._explained = ExplainedPictures(folder, reader, inputs)
        except OutputError as error:
            self.complain(error)

    def _explain(self, frame: Frame, page: Page) -> None:
        if self._explained is None:
            return
        try:
            self._explained.write(frame, page)
        except OutputError as error:
            # As with annotated pictures: said once.
            self._explained = None
            self.complain(error)

    def report(self, frame: Frame, page: Page) -> None:
        """Write what was read in a frame, and draw it where that is asked for."""
        assert self._output is not None
        self._output.page(frame, page)
        self.annotate(frame, page)

    def annotate(self, frame: Frame, page: Page) -> None:
        """Draw what was read in a frame, where that is asked for."""
        if self._annotated is not None:
            try:
                self._annotated.write(frame, page)
            except OutputError as error:
                # Reading goes on; that it can't be drawn is said once and not for every picture.
                self._annotated = None
                self.complain(error)

    def _report_form(self, frame: Frame, forms: FormReader) -> None:
        from edgedigits.forms.drawing import draw_reading

        assert self._form_output is not None
        try:
            reading = forms.read(frame.image, frame.size)
        except EdgeDigitsError as error:
            page = f" page {frame.page + 1}" if frame.page else ""
            self.complain(f"{frame.source}{page}: {error}", frame.source)
            return
        self._form_output.form(frame, reading)
        if self._annotated is not None:
            try:
                self._annotated.write_drawn(frame, draw_reading(frame.image, reading))
            except OutputError as error:
                self._annotated = None
                self.complain(error)

    def _form(self, arguments: argparse.Namespace) -> None:
        from edgedigits.commands import forms as form_commands

        if sys.stdout is None:
            raise OutputError("standard output: it is closed; send it to a file or a program")
        if arguments.action == "list":
            lines = form_commands.list_forms()
        elif arguments.action == "new":
            form, picture, fields = form_commands.new_form(arguments.picture, arguments.out)
            lines = [f"{form}: {fields} fields, drawn in {picture}"]
        elif arguments.action == "print":
            lines = [form_commands.print_form(arguments.form, arguments.out, arguments.dpi, arguments.width)]
        elif arguments.picture is None:
            lines = form_commands.describe(arguments.form)
        else:
            shown = form_commands.show_form(arguments.form, arguments.picture, arguments.out)
            lines = [f"{shown}: the fields as they are found in {arguments.picture}"]
        print("\n".join(lines))

    def _open_form_output(self, form: str) -> None:
        from edgedigits.forms import outputs as form_outputs

        if sys.stdout is None:
            raise OutputError("standard output: it is closed; send it to a file or a program")
        if form == "table":
            self._form_output = form_outputs.FormTable(sys.stdout)
            return
        reconfigure(sys.stdout, encoding="utf-8", errors="backslashreplace")
        kind = form_outputs.FormJsonLines if form == "jsonl" else form_outputs.FormCsv
        self._form_output = kind(sys.stdout)

    def say(self, message: str) -> None:
        """Say something on standard error; nothing has gone wrong."""
        _say(message)

    def reconfigure_stdout(self) -> None:
        """Have standard output take UTF-8 whatever the locale."""
        reconfigure(sys.stdout, encoding="utf-8", errors="backslashreplace")

    def open_output(self, form: str, width: int, moving: bool = False) -> None:
        """Open the output for readings: "table", "jsonl" or "csv"."""
        from edgedigits import outputs

        if sys.stdout is None:
            raise OutputError("standard output: it is closed; send it to a file or a program")
        if form == "table":
            self._output = outputs.Table(sys.stdout, min(width, 40), sparing=moving)
        else:
            # Both are UTF-8 whatever the locale; a file name that is not even text is escaped.
            reconfigure(sys.stdout, encoding="utf-8", errors="backslashreplace")
            self._output = outputs.JsonLines(sys.stdout) if form == "jsonl" else outputs.Csv(sys.stdout)

    def open_annotated(self, folder: str | None, **settings: Any) -> None:
        """Open the folder for annotated pictures; None: none are drawn."""
        if folder is None:
            return
        from edgedigits.annotate import AnnotatedPictures

        try:
            self._annotated = AnnotatedPictures(folder, **settings)
        except OutputError as error:
            self.complain(error)

    def complain(self, error: object, source: str | None = None) -> None:
        """Say what went wrong, and count it; about a source also in the output, if it has a place for it."""
        self.status = 1
        _say(str(error))
        output = self._output or self._form_output
        if source is not None and output is not None:
            output.error(source, str(error))


def _reader(arguments: argparse.Namespace) -> Reader:
    from edgedigits.reader import DEFAULT_WAY, Reader

    return Reader(
        arguments.model,
        min_line_confidence=arguments.min_confidence,
        delegate=arguments.delegate,
        way=arguments.way or DEFAULT_WAY,
        strip_model=arguments.strip_model,
        max_error=arguments.max_error,
    )


def _form_reader(arguments: argparse.Namespace) -> FormReader | None:
    if arguments.form is None:
        return None
    from edgedigits.forms import FormReader
    from edgedigits.forms.form_file import load_form

    return FormReader(load_form(arguments.form), _reader(arguments))


# --- the two standard streams -------------------------------------------------------------------------


def _say(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"edgedigits: {printable(message)}", file=sys.stderr, flush=True)


def _ready_streams() -> None:
    """Have both streams take any text, and have a standard error even where the caller closed it."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 (it lives as long as the process)
    for stream in (sys.stdout, sys.stderr):
        reconfigure(stream, errors="backslashreplace")


@contextlib.contextmanager
def _silenced_libraries() -> Iterator[None]:
    """Keep what OpenCV, FFmpeg, libtiff and the runtime write to standard error from the user.

    They write to the file descriptor, so that is pointed at nothing, and our own words go to a copy of it.
    """
    try:
        ours = sys.stderr.fileno() == 2
    except (OSError, ValueError):
        ours = False
    if not ours:
        yield
        return
    stderr, saved = sys.stderr, os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        with open(saved, "w", errors="backslashreplace", closefd=False) as sys.stderr:
            yield
    finally:
        sys.stderr = stderr
        os.dup2(saved, 2)
        os.close(saved)


def _discard_stdout() -> None:
    """Point standard output at nothing, or the interpreter stumbles again over what it can't write."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


@contextlib.contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Have SIGTERM unwind as Ctrl-C does, so that no temporary file is left."""

    def end(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# --- arguments ----------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _say(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="edgedigits", description="Reads handwritten digits in pictures.")
    parser.add_argument("--version", action="version", version=f"edgedigits {__version__}")
    parser.set_defaults(verbose=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    read = commands.add_parser(
        "read",
        help="read pictures and folders of pictures",
        description="Reads pictures: PNG, JPEG, WebP, BMP, TIFF and PDF with any number of pages.",
        epilog="Exit status: 0, or 1 if any of them could not be read.",
    )
    read.add_argument("paths", nargs="*", metavar="PATH", help="a picture, or a folder (its own pictures)")
    read.add_argument("--samples", action="store_true", help="read the sample pictures that come along")
    read.add_argument(
        "--form",
        metavar="NAME|FILE",
        help="read the fields of this form: a form file (.toml), or one of `edgedigits form list`",
    )
    _common(read, ("table", "jsonl", "csv"))
    read.add_argument(
        "--explain",
        metavar="DIR",
        help="write a sheet per picture to this folder that shows every stage of reading it",
    )
    live.add_delegate(read)
    live.add_way(read)

    live.add(commands, _common, _positive, _seconds)
    doctor.add(commands)
    bench.add(commands, _positive)
    service.add(commands)
    bundle.add(commands)
    serve.add(commands, _probability)
    _form_commands(commands)
    return parser


def _form_commands(commands: Any) -> None:
    form = commands.add_parser(
        "form",
        help="print a form's blank page, start a form file from a picture, show or list forms",
        description="A form file names the fields of a page and says how the page is found in a picture. "
        "Print the blank page of one, fill it in, photograph it, and read it with `edgedigits read --form`.",
    )
    actions = form.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser(
        "new",
        help="write a starter form file for a picture of a (blank) form, and a picture of it",
        description="Looks for printed boxes and lines and writes a form file to start from.",
    )
    new.add_argument("picture", metavar="PICTURE", help="a photo or scan of the form, blank at best")
    new.add_argument("--out", metavar="FORM.toml", help="default: the picture's name, in this folder")
    show = actions.add_parser(
        "show",
        help="say what a form asks for, or draw its fields where they are found in a picture",
        description="Says what a form asks for; with a picture, draws its fields where they are found.",
    )
    show.add_argument("form", metavar="NAME|FILE")
    show.add_argument("picture", nargs="?", metavar="PICTURE")
    show.add_argument("--out", metavar="PNG", help="default: both names, in this folder")
    blank = actions.add_parser(
        "print",
        help="write the blank page of a form as PDF or PNG, to be printed and filled in",
        description="Draws what the form file says is printed, and the fields' names where there is room. "
        "Print it at 100 %, not fitted to the paper, and photograph the whole of it.",
    )
    blank.add_argument("form", metavar="NAME|FILE")
    blank.add_argument("--out", metavar="PDF|PNG", help="default: the form's name with .pdf, in this folder")
    blank.add_argument(
        "--dpi", type=_resolution, default=300, metavar="N", help="pixels per inch, 72 to 1200 (default: 300)"
    )
    blank.add_argument(
        "--width",
        type=_millimetres,
        metavar="MM",
        help="the page's width, 5 to 2000, for a form in fractions of the page",
    )
    actions.add_parser("list", help="list the forms that come along")
    for parser in (form, *actions.choices.values()):
        parser.set_defaults(parser=parser)
        parser.add_argument(
            "--verbose",
            action="store_true",
            help="show the libraries' own messages, and where a fault arose",
        )


def _common(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    parser.set_defaults(parser=parser)
    parser.add_argument(
        "--model", default=_DEFAULT_MODEL, metavar="NAME|FILE", help=f"default: {_DEFAULT_MODEL}"
    )
    parser.add_argument(
        "--min-confidence",
        type=_probability,
        metavar="P",
        help="accept a line from this confidence on, 0 to 1 (default: what the model says)",
    )
    parser.add_argument(
        "--format",
        choices=formats,
        default="table",
        help="jsonl: an object per picture; csv: a row per line" if "csv" in formats else None,
    )
    parser.add_argument(
        "--annotate", metavar="DIR", help="write the pictures to this folder, with what was read drawn in"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show the libraries' own messages, and where a fault arose"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    return _number(text, 86_400, "a number of seconds from 0 to a day")


def _probability(text: str) -> float:
    return _number(text, 1, "a number from 0 to 1")


def _resolution(text: str) -> int:
    if not text.isdecimal() or not 72 <= int(text[:9]) <= 1200:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 72 to 1200")
    return int(text)


def _millimetres(text: str) -> float:
    return _number(text, 2000, "a number of millimetres from 5 to 2000", 5)


def _number(text: str, most: float, what: str, least: float = 0) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is not {what}")
    return value


if __name__ == "__main__":
    sys.exit(main())
