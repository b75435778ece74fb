"""What is well with this device and what is not, each with what to do about it."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import os
import platform
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edgedigits import __version__
from edgedigits.board import board_name, governor, thermal
from edgedigits.card import split_bytes
from edgedigits.errors import EdgeDigitsError
from edgedigits.fit import Finding, Grade
from edgedigits.frames.capture import CaptureSettings, without_password
from edgedigits.frames.sources import open_source
from edgedigits.golden import check as check_golden
from edgedigits.journal import default_path
from edgedigits.live.config import LiveConfig
from edgedigits.live.station import open_sink
from edgedigits.model import Model, read_model
from edgedigits.outputs.mqtt import Mqtt
from edgedigits.outputs.sinks import DeliveryError
from edgedigits.reader import DEFAULT_MODEL
from edgedigits.strip_model import StripModel

Check = Callable[[LiveConfig], Iterator[Finding]]


def examine(config: LiveConfig) -> Iterator[Finding]:
    """Yield the findings, one check after the other; a check that fails is a finding itself."""
    for check in _CHECKS:
        try:
            yield from check(config)
        except EdgeDigitsError as error:
            what, _, remedy = str(error).partition("; ")
            yield Finding(check.__name__.strip("_"), "bad", what, remedy)
        except Exception as error:
            what = f"the check failed ({type(error).__name__}: {error})"
            yield Finding(check.__name__.strip("_"), "bad", what, "report it")


def _python(config: LiveConfig) -> Iterator[Finding]:
    machine = f"{platform.python_version()}, {platform.machine()}"
    yield Finding("python", "good", f"{machine}, edgedigits {__version__}")
    for name, label, needed in (
        ("numpy", "NumPy", True),
        ("cv2", "OpenCV", True),
        ("PIL", "Pillow", True),
        ("paho.mqtt", "paho-mqtt", False),
        ("picamera2", "Picamera2", False),
    ):
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            grade: Grade = "bad" if needed else "note"
            why = f"{label}: not there" if not needed else f"{label}: {error}"
            yield Finding(
                "packages", grade, why, _PACKAGES.get(name, "pip install --force-reinstall edgedigits")
            )
            continue
        yield Finding("packages", "good", f"{label} {getattr(module, '__version__', '')}".strip())


_PACKAGES = {
    "paho.mqtt": "for MQTT: pip install paho-mqtt",
    "picamera2": "for picamera2: sudo apt install python3-picamera2, and a venv with --system-site-packages",
}


def _model(config: LiveConfig) -> Iterator[Finding]:
    general = config.general
    name, delegate = general.model or DEFAULT_MODEL, general.delegate or None
    way = split_bytes(read_model(name), name)[0].way
    # A model for characters is refused: it reads nothing by itself.
    model = StripModel(name, delegate=delegate) if way == "strip" else Model(name, delegate=delegate)
    kernels = model.delegate or ("XNNPACK" if model.uses_xnnpack else "reference kernels")
    yield Finding("runtime", "good", f"{model.runtime}, {kernels}")
    if model.delegate_failure:
        what, _, remedy = model.delegate_failure.partition("; ")
        yield Finding("delegate", "bad", what, remedy)
    yield Finding("model", "good", f"{model.card.name}, {model.input_dtype} input")
    result = check_golden(model)
    what, _, remedy = str(result).partition("; ")
    yield Finding("self-test", "good" if result.passed else "bad", what, remedy)


def _camera(config: LiveConfig) -> Iterator[Finding]:
    for device in sorted(Path("/dev").glob("video*")):
        if os.access(device, os.R_OK | os.W_OK):
            yield Finding("cameras", "good", f"{device} is there and may be used")
        else:
            yield Finding(
                "cameras",
                "bad",
                f"{device}: no permission",
                "sudo usermod -aG video $USER, and log in again",
            )
    if not list(Path("/dev").glob("video*")):
        yield Finding("cameras", "note", "no /dev/video*", "plug a camera in; demo: works without one")
    if not config.general.source:
        return
    settings: CaptureSettings = config["capture"]
    source = open_source(config.general.source, settings=settings)
    name = without_password(config.general.source)
    if source.stills:
        yield Finding("source", "good", f"{name}: the folder is there")
        return
    try:
        started = time.monotonic()
        count, size, light = 0, (0, 0), 0.0
        for frame in source:
            if not count:
                started = time.monotonic()
            count += 1
            size, light = frame.size, float(frame.image.mean())
            if time.monotonic() - started > 1.5 or count >= 60:
                break
        seconds = max(time.monotonic() - started, 1e-6)
    finally:
        source.close()
    rate = (count - 1) / seconds
    what = f"{name}: {size[0]}×{size[1]}, {rate:.0f} frames/s, mean brightness {light:.0f}"
    if light < 25:
        yield Finding("source", "bad", what, "too dark: take the cap off, or give more light")
    elif light > 245:
        yield Finding("source", "bad", what, "too bright: lower the exposure")
    else:
        yield Finding("source", "good", what)


def _disk(config: LiveConfig) -> Iterator[Finding]:
    path = Path(config["journal"].path or default_path())
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e6
    needed = config["journal"].most_megabytes * 2
    if not os.access(folder, os.W_OK):
        yield Finding(
            "disk", "bad", f"{folder}: can't be written", "choose another place with --journal FILE"
        )
    elif free < needed:
        yield Finding(
            "disk", "bad", f"{free:.0f} MB free at {folder}", f"make room: {needed:.0f} MB are needed"
        )
    else:
        yield Finding("disk", "good", f"{free / 1000:.1f} GB free for the journal ({path})")


def _board(config: LiveConfig) -> Iterator[Finding]:
    now = thermal()
    yield Finding("board", "good", board_name())
    if now.temperature is None:
        yield Finding("temperature", "note", "this board does not tell")
    elif now.temperature >= 80:
        yield Finding(
            "temperature", "bad", f"{now.temperature:.0f} °C", "cool it: a heat sink, a fan, more air"
        )
    else:
        yield Finding("temperature", "good", f"{now.temperature:.0f} °C")
    if now.limits:
        yield Finding(
            "throttling", "bad", ", ".join(now.limits), "a stronger power supply, a shorter cable, cooling"
        )
    elif now.limits is not None:
        yield Finding("throttling", "good", "none")
    mode = governor()
    if mode == "powersave":
        yield Finding("governor", "note", mode, "slower than need be: set it to ondemand or schedutil")
    elif mode:
        yield Finding("governor", "good", mode)


def _clock(config: LiveConfig) -> Iterator[Finding]:
    now = datetime.datetime.now(datetime.UTC)
    # The program cannot be older than itself; a board without a battery wakes up in 1970.
    made = datetime.datetime.fromtimestamp(Path(__file__).stat().st_mtime, datetime.UTC)
    what = now.isoformat(timespec="seconds")
    if now < made - datetime.timedelta(days=1):
        yield Finding("clock", "bad", what, "it is slow: connect to a network, sudo timedatectl set-ntp true")
    elif Path("/run/systemd/timesync").is_dir() and not Path("/run/systemd/timesync/synchronized").exists():
        yield Finding("clock", "note", f"{what}, not synchronized", "sudo timedatectl set-ntp true")
    else:
        yield Finding("clock", "good", what)


def _outputs(config: LiveConfig) -> Iterator[Finding]:
    for settings in config.outputs:
        sink = open_sink(settings)
        try:
            if settings.to.lower().startswith(("http://", "https://")):
                _reach(sink.name)
            elif isinstance(sink, Mqtt):
                sink.probe()
        except DeliveryError as error:
            what, _, remedy = str(error).partition("; ")
            yield Finding("output", "bad", what, remedy)
        else:
            yield Finding("output", "good", f"{sink.name}: reached")
        finally:
            sink.close()


def _reach(name: str) -> None:
    host, _, port = name.partition("://")[2].partition("/")[0].rpartition(":")
    try:
        with contextlib.closing(socket.create_connection((host, int(port)), 5.0)):
            pass
    except OSError as error:
        raise DeliveryError(
            f"{name}: can't be reached ({error.strerror or error}); check the address"
        ) from error


_CHECKS: tuple[Check, ...] = (_python, _model, _board, _clock, _disk, _camera, _outputs)
