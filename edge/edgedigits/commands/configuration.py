"""The configuration of an unattended device, as the arguments of a command name and change it."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgedigits.live.config import LiveConfig

# Who mistypes a setting at night must not stop the device with it.
FORMER = "(the former settings stay in force)"

SOURCES = "0, /dev/video0, picamera2:, rtsp://…, http://…, video.mp4, watch:DIR, demo:"


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add what says where the settings of an unattended device come from."""
    parser.add_argument("--config", metavar="FILE.toml", help="settings; read again on SIGHUP")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting, as in capture.rotate=180; repeatable",
    )
    parser.add_argument("--print-config", action="store_true", help="print every setting and what it means")
    parser.add_argument("--journal", metavar="FILE", help="keep events here until they are delivered")


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add what says that the source may come later."""
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for a camera, stream or folder that is not there yet, as a service does",
    )


def print_config() -> None:
    """Print every setting and what it means."""
    from edgedigits.live.config import describe

    print(describe(), end="")


def load(arguments: argparse.Namespace) -> LiveConfig:
    """Return the configuration that the arguments name, with what they change; raises `SettingsError`."""
    from edgedigits.live.config import load_config
    from edgedigits.outputs.settings import OutputSettings

    config = load_config(arguments.config, arguments.set)
    general: dict[str, object] = {}
    if arguments.source is not None:
        general["source"] = arguments.source
    if arguments.model is not None:
        general["model"] = arguments.model
    if arguments.min_confidence is not None:
        general["min_confidence"] = arguments.min_confidence
    for option in ("delegate", "way", "strip_model", "max_error"):
        if getattr(arguments, option, None) is not None:
            general[option] = getattr(arguments, option)
    if getattr(arguments, "every", None) is not None:
        general["every"] = arguments.every
    tables = dict(config.tables)
    if arguments.journal is not None:
        tables["journal"] = dataclasses.replace(config["journal"], path=arguments.journal)
    if getattr(arguments, "wait", False):
        tables["capture"] = dataclasses.replace(config["capture"], wait=True)
    more = tuple(OutputSettings(to=to) for to in getattr(arguments, "out", ()))
    return dataclasses.replace(
        config,
        general=dataclasses.replace(config.general, **general),  # type: ignore[arg-type]
        tables=tables,
        outputs=config.outputs + more,
    )
