"""`edgedigits service install`: a systemd unit, printed or written."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgedigits.commands.arguments import add_verbose

if TYPE_CHECKING:
    from edgedigits.commands.run import Run


def add(commands: Any) -> None:
    """Add the command's arguments."""
    service = commands.add_parser(
        "service",
        help="print or write a systemd unit that runs this device unattended",
        description="Makes a systemd unit: its own user, a watchdog tied to the flow of frames, restarts, "
        "hardening.",
    )
    actions = service.add_subparsers(dest="action", required=True, metavar="ACTION")
    install = actions.add_parser("install", help="print the unit; with --write, write it")
    install.add_argument(
        "--config", default="/etc/edgedigits.toml", metavar="FILE.toml", help="the configuration it reads"
    )
    install.add_argument("--user", default="", help="run as this user (default: one made by systemd)")
    install.add_argument("--serve", action="store_true", help="run the web face, too")
    install.add_argument(
        "--write",
        nargs="?",
        const="/etc/systemd/system/edgedigits.service",
        metavar="UNIT",
        help="write it to this file (default: /etc/systemd/system/edgedigits.service)",
    )
    for parser in (service, install):
        add_verbose(parser, "show where a fault of the program itself arose")
    service.set_defaults(parser=service, perform=perform)


def perform(arguments: argparse.Namespace, run: Run) -> None:
    """Run the command."""
    from edgedigits.service import ServiceSettings, unit, write_unit

    if arguments.user and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", arguments.user):
        arguments.parser.error(f"--user {arguments.user}: no name that a user can have")
    config = str(Path(arguments.config).absolute())
    if not config.isprintable():
        arguments.parser.error(f"--config {config}: a unit can't name such a file; choose another name")
    text = unit(ServiceSettings(config=config, user=arguments.user, serve=arguments.serve))
    if arguments.write is None:
        print(text, end="")
        return
    path = Path(arguments.write)
    write_unit(text, path)
    print(f"{path}: written. Now: systemctl daemon-reload && systemctl enable --now {path.name}")
    if not Path(config).exists():
        print(f"{config}: not there yet; begin with: edgedigits live --print-config > {config}")
