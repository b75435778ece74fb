"""`edgedigits read`: pictures and folders of pictures to text, or to the fields of a form."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgedigits.commands.arguments import add_common, add_delegate, add_way
from edgedigits.commands.run import Drawn, Run, fault, sigterm_as_exit
from edgedigits.errors import EdgeDigitsError
from edgedigits.streams import printable

if TYPE_CHECKING:
    from edgedigits.annotate import AnnotatedPictures
    from edgedigits.forms import FormReader
    from edgedigits.forms.outputs import FormOutput
    from edgedigits.frames import Frame
    from edgedigits.reader import Reader

_SAMPLES = Path(__file__).parents[1] / "samples"


def add(commands: Any) -> None:
    """Add the command's arguments."""
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
    add_common(read, ("table", "jsonl", "csv"))
    read.add_argument(
        "--explain",
        metavar="DIR",
        help="write a sheet per picture to this folder that shows every stage of reading it",
    )
    add_delegate(read)
    add_way(read)
    read.set_defaults(perform=perform)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    if not (arguments.paths or arguments.samples):
        arguments.parser.error("name a picture or a folder, or give --samples")
    if arguments.form and arguments.explain:
        arguments.parser.error("--explain shows the way without --form; leave one of them out")
    with sigterm_as_exit():
        _read(arguments, run)


def _read(arguments: argparse.Namespace, run: Run) -> None:
    forms = _form_reader(arguments)
    reader = _reader(arguments) if forms is None else forms.reader
    if reader.model.delegate_failure:
        run.say(reader.model.delegate_failure)
    from edgedigits.frames import Unread, find_pictures, read_pictures

    found = find_pictures(arguments.paths)
    names = {entry: str(entry) for entry in found if not isinstance(entry, Unread)}
    if arguments.samples:
        samples = find_pictures([_SAMPLES])
        found += samples
        names |= {entry: f"samples/{entry.name}" for entry in samples if not isinstance(entry, Unread)}
    filled_in = None
    if forms is None:
        run.open_output(arguments.format, max((len(printable(n)) for n in names.values()), default=0))
    else:
        filled_in = run.open_form_output(arguments.format)
    annotated = run.open_annotated(run.apart(arguments.annotate, arguments.paths, "annotate"), inputs=names)
    explained, folder = None, run.apart(arguments.explain, arguments.paths, "explain")
    if folder is not None:
        from edgedigits.explain import ExplainedPictures

        explained = Drawn(run, lambda: ExplainedPictures(folder, reader, names))
    for entry in found:
        for frame in [entry] if isinstance(entry, Unread) else read_pictures(entry, names[entry]):
            if isinstance(frame, Unread):
                run.complain(frame.error, frame.source)
                continue
            with _at_fault(frame, run, arguments.verbose):
                if forms is not None and filled_in is not None:
                    _read_form(frame, forms, filled_in, annotated, run)
                    continue
                page = reader.read(frame.image, frame.size)
                run.report(frame, page)
                if explained is not None:
                    explained.draw(lambda sheets: sheets.write(frame, page))  # noqa: B023 (drawn at once)


def _read_form(
    frame: Frame,
    forms: FormReader,
    output: FormOutput,
    annotated: Drawn[AnnotatedPictures] | None,
    run: Run,
) -> None:
    from edgedigits.forms.drawing import draw_reading

    try:
        reading = forms.read(frame.image, frame.size)
    except EdgeDigitsError as error:
        run.complain(f"{frame.source}{_page(frame)}: {error}", frame.source)
        return
    output.form(frame, reading)
    if annotated is not None:
        annotated.draw(lambda pictures: pictures.write_drawn(frame, draw_reading(frame.image, reading)))


@contextlib.contextmanager
def _at_fault(frame: Frame, run: Run, verbose: bool) -> Iterator[None]:
    """Have a fault of the program in one picture cost no other."""
    try:
        yield
    except (EdgeDigitsError, BrokenPipeError):
        raise
    except Exception as error:
        if verbose:
            raise
        run.complain(f"{frame.source}{_page(frame)}: {fault(error)}", frame.source)


def _page(frame: Frame) -> str:
    return f" page {frame.page + 1}" if frame.page else ""


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
