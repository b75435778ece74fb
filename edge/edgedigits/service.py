"""A systemd unit for an unattended device."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from edgedigits.errors import OutputError
from edgedigits.files import write_atomically

UNIT = Path("/etc/systemd/system/edgedigits.service")


@dataclass(frozen=True)
class ServiceSettings:
    """What the unit is to run, and as whom."""

    config: str = "/etc/edgedigits.toml"
    """The configuration it reads."""
    user: str = ""
    """Its user; empty: one of its own, made by systemd for as long as it runs."""
    command: str = ""
    """The program's path; empty: the one at hand."""
    serve: bool = False
    """Whether the web face runs, too."""
    watchdog_seconds: int = 60
    """It is started anew if no frame has come for so long. Seconds, 20…3600."""


def unit(settings: ServiceSettings = ServiceSettings()) -> str:
    """Return the text of the unit."""
    program = _escaped(settings.command or own_program())
    action = "serve" if settings.serve else "live"
    start = f"{program} {action} --wait --config {_escaped(shlex.quote(settings.config))}"
    who = f"User={settings.user}" if settings.user else "DynamicUser=yes\nUser=edgedigits"
    address = "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
    return f"""\
[Unit]
Description=edgedigits reads handwritten digits before a camera
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target time-sync.target
# It never gives up: whoever plugs the camera in again finds it reading.
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
# Fed while frames flow, not while the process merely lives.
WatchdogSec={settings.watchdog_seconds}
Restart=always
RestartSec=3
TimeoutStartSec=60
TimeoutStopSec=10
{who}
SupplementaryGroups=video
StateDirectory=edgedigits
StandardOutput=null
StandardError=journal
Environment=PYTHONUNBUFFERED=1

# It reads a camera, writes its state and talks to the network; nothing else.
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies={address}
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
DeviceAllow=/dev/vchiq rw

[Install]
WantedBy=multi-user.target
"""


def _escaped(command: str) -> str:
    """Return a part of a command as systemd has it as it is: it puts something in place of % and $."""
    return command.replace("%", "%%").replace("$", "$$")


def own_program() -> str:
    """Return the absolute path of the program that is running, or how Python would run it."""
    beside = Path(sys.executable).with_name("edgedigits")
    found = str(beside) if beside.exists() else shutil.which("edgedigits")
    return shlex.quote(found) if found else f"{shlex.quote(sys.executable)} -m edgedigits.cli"


def write_unit(text: str, path: Path = UNIT) -> None:
    """Write the unit; raises `OutputError` where that needs root."""
    try:
        write_atomically(path, text.encode())
    except OutputError as error:
        raise OutputError(
            f"{path}: can't write the unit; run it with sudo, or print it and copy it"
        ) from error
