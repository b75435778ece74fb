"""`edgedigits bundle`: one file that installs edgedigits on a board without a network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgedigits.commands.arguments import add_verbose

if TYPE_CHECKING:
    from edgedigits.commands.run import Run

EXTRAS = ("forms", "mqtt", "pdf", "web")


def add(commands: Any) -> None:
    """Add the command's arguments."""
    bundle = commands.add_parser(
        "bundle",
        help="make one file that installs edgedigits on a board without a network",
        description="Gathers the wheels for a board in one file, which the board's own Python runs: "
        "sudo python3 edgedigits-….pyz.",
    )
    bundle.add_argument(
        "--for", dest="target", required=True, metavar="BOARD", help="pi-arm64-py311 (bookworm) or "
        "pi-arm64-py313 (trixie)",
    )  # fmt: skip
    bundle.add_argument("--out", metavar="DIR", default=".", help="where to write it (default: here)")
    bundle.add_argument(
        "--with",
        dest="extras",
        action="append",
        default=[],
        choices=EXTRAS,
        help="an extra to take along; repeatable",
    )
    bundle.add_argument(
        "--model", dest="models", action="append", default=[], metavar="FILE", type=Path,
        help="a model file to take along; repeatable",
    )  # fmt: skip
    add_verbose(bundle, "show where a fault of the program itself arose")
    bundle.set_defaults(parser=bundle, perform=perform)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    from edgedigits.bundle import TARGETS, make_bundle
    from edgedigits.files import make_folder

    if arguments.target not in TARGETS:
        arguments.parser.error(f"--for {arguments.target}: choose from {', '.join(TARGETS)}")
    out = make_folder(arguments.out)
    path = make_bundle(arguments.target, out, arguments.extras, arguments.models)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB. On the board: sudo python3 {path.name}")
