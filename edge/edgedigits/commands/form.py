"""`edgedigits form`: blank pages to print, starter form files, forms shown and listed."""

from __future__ import annotations

import argparse
from typing import Any

from edgedigits.commands.arguments import add_verbose, millimetres, resolution
from edgedigits.commands.run import Run, opened_stdout, sigterm_as_exit
from edgedigits.streams import printable


def add(commands: Any) -> None:
    """Add the command's arguments."""
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
        "--dpi", type=resolution, default=300, metavar="N", help="pixels per inch, 72 to 1200 (default: 300)"
    )
    blank.add_argument(
        "--width",
        type=millimetres,
        metavar="MM",
        help="the page's width, 5 to 2000, for a form in fractions of the page",
    )
    actions.add_parser("list", help="list the forms that come along")
    for parser in (form, *actions.choices.values()):
        parser.set_defaults(parser=parser, perform=perform)
        add_verbose(parser)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    stdout = opened_stdout(utf8=False)
    with sigterm_as_exit():
        # A file's name may hold what steers a terminal.
        print("\n".join(map(printable, _lines(arguments))), file=stdout)


def _lines(arguments: argparse.Namespace) -> list[str]:
    """Do what is asked, and return what is said of it."""
    from edgedigits.forms import files

    if arguments.action == "list":
        lines = files.list_forms()
    elif arguments.action == "new":
        form, picture, fields = files.new_form(arguments.picture, arguments.out)
        lines = [f"{form}: {fields} fields, drawn in {picture}"]
    elif arguments.action == "print":
        lines = [files.print_form(arguments.form, arguments.out, arguments.dpi, arguments.width)]
    elif arguments.picture is None:
        lines = files.describe(arguments.form)
    else:
        shown = files.show_form(arguments.form, arguments.picture, arguments.out)
        lines = [f"{shown}: the fields as they are found in {arguments.picture}"]
    return lines
