"""`edgedigits doctor`: one page on this device, each line good, bad or a note, with what to do."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgedigits.commands.arguments import add_delegate, add_verbose
from edgedigits.commands.configuration import SOURCES, add_config, load, print_config

if TYPE_CHECKING:
    from edgedigits.commands.run import Run
    from edgedigits.fit import Finding

_SIGNS = {"good": "ok ", "note": " - ", "bad": "BAD"}


def add(commands: Any) -> None:
    """Add the command's arguments."""
    doctor = commands.add_parser(
        "doctor",
        help="examine this device: packages, model, camera, disk, temperature, clock, outputs",
        description="Examines this device and says what to do where something is not well.",
        epilog="Exit status: 0, or 1 if anything is bad.",
    )
    doctor.add_argument("source", nargs="?", metavar="SOURCE", help=f"a source to try: {SOURCES}")
    doctor.add_argument(
        "--out", action="append", default=[], metavar="TO", help="an output to try; repeatable"
    )
    add_config(doctor)
    doctor.add_argument("--model", metavar="NAME|FILE", help="the model to test")
    add_delegate(doctor)
    doctor.add_argument("--json", action="store_true", help="an object for programs, rather than a page")
    add_verbose(doctor)
    doctor.set_defaults(parser=doctor, perform=perform, min_confidence=None)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    if arguments.print_config:
        print_config()
        return
    findings = []
    for finding in _findings(arguments):
        findings.append(finding)
        if not arguments.json:
            remedy = f"; {finding.remedy}" if finding.remedy else ""
            print(f"{_SIGNS[finding.grade]}  {finding.part:<12} {finding.what}{remedy}", flush=True)
    bad = any(finding.grade == "bad" for finding in findings)
    if arguments.json:
        values = {"schema": 1, "ok": not bad, "findings": [dataclasses.asdict(f) for f in findings]}
        print(json.dumps(values, ensure_ascii=False))
    run.status = int(bad)


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    from edgedigits.fit import misfits

    hopeless = False
    for misfit in misfits():
        # Without its accelerator a board still reads; without the rest nothing more can be examined.
        hopeless |= misfit.part != "edge tpu"
        yield misfit
    if not hopeless:
        from edgedigits.doctor import examine

        yield from examine(load(arguments))
