"""The command line: which of the `commands` does what is asked.

Exit status: 0 when all went well, 1 when any input failed (the others are still read), 2 for a command
that can't be understood. What goes wrong is one line on standard error each. Nothing heavy is imported
before it is needed: `--help` is there at once, and reading a picture starts as fast as its libraries load.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from edgedigits import __version__
from edgedigits.commands import bench, bundle, doctor, form, live, read, serve, service
from edgedigits.commands.run import Run, say
from edgedigits.quiet import silenced_libraries
from edgedigits.streams import ready_streams

COMMANDS = (read, live, doctor, bench, service, bundle, serve, form)
"""In the order in which `--help` lists them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: that of the process) and return its exit status."""
    if argv is None:
        # The process is ours. No matrix here is worth the threads NumPy would start at import.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    run = Run()
    ready_streams(stdout=False)
    try:
        arguments = _parser().parse_args(argv)
        with contextlib.nullcontext() if arguments.verbose else silenced_libraries():
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        say(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="edgedigits", description="Reads handwritten digits in pictures.")
    parser.add_argument("--version", action="version", version=f"edgedigits {__version__}")
    parser.set_defaults(verbose=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
