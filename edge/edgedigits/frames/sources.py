"""What a source's name means: `open_source`."""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
from pathlib import Path

import cv2

from edgedigits.errors import SourceAwayError, SourceError
from edgedigits.frames.capture import (
    Camera,
    CaptureSettings,
    OpenCvDriver,
    PicameraDriver,
    Source,
    VideoFile,
    without_password,
)
from edgedigits.frames.folder import Memory, WatchedFolder
from edgedigits.frames.stills import why_not_opened


def open_source(
    name: str,
    *,
    every: float = 0.0,
    stop: threading.Event | None = None,
    settings: CaptureSettings = CaptureSettings(),
    memory: Memory | None = None,
) -> Source:
    """Return the source that `name` means.

    `0` or `/dev/video0`: a camera (V4L2); `picamera2:` or `picamera2:1`: one of libcamera's; a URL or a
    named pipe: a stream; `watch:DIR`: a folder in which scans appear; `demo:` or `demo:SEED`: the virtual
    camera; else a video file.

    At most one frame per `every` seconds is given: of the clock for cameras and streams, of the video's
    own time for a file. Setting `stop` ends the frames within half a second. `memory` knows the files of a
    folder that earlier runs have read.

    Raises `SourceError` at once where there is no such file, device or permission, and its `SourceAwayError`
    where the device or folder may yet come; the rest is found out when the first frame is asked for.
    """
    stop = stop or threading.Event()
    scheme, _, rest = name.partition(":")
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", name):
        return _stream(name, without_password(name), every, stop, settings)
    if scheme == "demo":
        from edgedigits.frames.demo import DemoCamera

        return DemoCamera(name, rest, every, stop, settings)
    if scheme == "watch":
        return WatchedFolder(name, rest, every, stop, settings, memory)
    if scheme == "picamera2":
        return _picamera(name, rest, every, stop, settings)
    index = int(name) if re.fullmatch(r"[0-9]{1,3}", name) else None
    if index is not None and not sys.platform.startswith("linux"):
        return Camera(
            lambda: OpenCvDriver(index, cv2.CAP_ANY, settings), name, "camera", every, stop, settings
        )
    path = Path(f"/dev/video{index}") if index is not None else Path(name)
    device = index is not None or path.is_char_device() or name.startswith("/dev/video")
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if device:
            raise SourceAwayError(f"{name}: {_no_device(path)}") from error
        raise SourceError(f"{name}: {why_not_opened(error)}") from error
    if not os.access(path, os.R_OK):
        if device:  # a device just plugged in is for root alone, until udev has seen to it
            remedy = "add yourself to the group 'video' and log in again"
            raise SourceAwayError(f"{name}: no permission to read {path}; {remedy}")
        raise SourceError(f"{name}: no permission to read {path}; check its mode")
    if stat.S_ISDIR(mode):
        raise SourceError(f"{name}: it is a folder; watch:{name} reads what is put into it")
    if device:
        return Camera(
            lambda: OpenCvDriver(str(path), cv2.CAP_V4L2, settings), name, "camera", every, stop, settings
        )
    if stat.S_ISFIFO(mode):
        return _stream(name, name, every, stop, settings)
    return VideoFile(name, every, stop, settings)


def _stream(
    address: str, name: str, every: float, stop: threading.Event, settings: CaptureSettings
) -> Camera:
    return Camera(
        lambda: OpenCvDriver(address, cv2.CAP_FFMPEG, settings), name, "stream", every, stop, settings
    )


def _picamera(
    name: str, number: str, every: float, stop: threading.Event, settings: CaptureSettings
) -> Camera:
    if number and not number.isdecimal():
        raise SourceError(f"{name}: '{number}' is not the number of a camera; give picamera2: or picamera2:1")
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        raise SourceError(
            f"{name}: Picamera2 is not there ({error}); sudo apt install python3-picamera2, and make the "
            "environment with python3 -m venv --system-site-packages"
        ) from error
    return Camera(
        lambda: PicameraDriver(Picamera2, int(number or 0), settings), name, "camera", every, stop, settings
    )


def _no_device(path: Path) -> str:
    others = sorted(str(p) for p in Path("/dev").glob("video*"))
    here = f"there are {', '.join(others)}" if others else "none is there"
    return f"no such camera ({path} is not there; {here}); plug it in, or give another number"
