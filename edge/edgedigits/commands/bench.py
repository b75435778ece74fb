"""`edgedigits bench`: how fast this board reads."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from edgedigits.commands.arguments import add_delegate, add_verbose, positive

if TYPE_CHECKING:
    from edgedigits.commands.run import Run


def add(commands: Any) -> None:
    """Add the command's arguments."""
    bench = commands.add_parser(
        "bench",
        help="time motion, reading and tracking on this board",
        description="Reads frames of the virtual camera, ten digits each, as fast as this board can, and "
        "prints the row for the table of boards in firmware_notes/.",
    )
    bench.add_argument("--model", metavar="NAME|FILE")
    add_delegate(bench)
    bench.add_argument("--frames", type=positive, default=200, metavar="N", help="default: 200")
    bench.add_argument("--row", metavar="FILE", help="append this board's row to a table, such as boards.md")
    bench.add_argument("--json", action="store_true", help="an object for programs")
    add_verbose(bench)
    bench.set_defaults(parser=bench, perform=perform)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    from edgedigits.bench import COLUMNS, append_row, measure
    from edgedigits.reader import DEFAULT_MODEL, Reader

    reader = Reader(arguments.model or DEFAULT_MODEL, delegate=arguments.delegate)
    if reader.model.delegate_failure:
        run.say(reader.model.delegate_failure)
    result = measure(reader, arguments.frames)
    if arguments.row is not None:
        append_row(result, arguments.row)
    if arguments.json:
        print(result.as_json())
        return
    print(f"{result.board}, Python {result.python}, model {result.model}")
    print(f"{result.frames} frames of 640×480 with {result.digits:.1f} digits: {result.rate:.1f} frames/s")
    print(f"{'stage':<8} {'p50 ms':>8} {'p99 ms':>8}")
    for name, (p50, p99) in result.stages.items():
        print(f"{name:<8} {p50:8.2f} {p99:8.2f}")
    degrees = "" if result.temperature is None else f", {result.temperature:.0f} °C"
    print(f"memory {result.megabytes:.0f} MB{degrees}")
    print(f"\n| {' | '.join(COLUMNS)} |\n{result.row()}")
