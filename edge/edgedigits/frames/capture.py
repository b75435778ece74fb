"""Sources that run on: cameras, streams and video files.

A camera does not wait: it is taken in by a thread of its own, and between two readings the older frames are
dropped. A video file does: every frame of it comes, in order.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import SourceAwayError, SourceError
from edgedigits.frames.stills import Frame

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaptureSettings:
    """How a camera is asked for its pictures, and when it is given up."""

    width: int = 0
    """Width asked of the camera; 0: its own. Pixels, 0…20,000."""
    height: int = 0
    """Height asked of the camera; 0: its own. Pixels, 0…20,000."""
    rate: float = 0.0
    """Frames per second asked of the camera; 0: its own. 0…1000."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Turn the picture clockwise: 0, 90, 180 or 270. Degrees."""
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Part of the upright picture that is read: x, y, width, height; all 0: all of it. Pixels."""
    exposure: float = -1.0
    """Exposure in the driver's own unit; negative: automatic. -1…1,000,000."""
    focus: float = -1.0
    """Focus in the driver's own unit; negative: automatic. -1…1,000,000."""
    open_seconds: float = 8.0
    """A camera or stream may take so long to deliver its first frame. Seconds, 0.1…600."""
    stall_seconds: float = 2.5
    """It may then be silent for so long. Seconds, 0.1…600."""
    frozen_seconds: float = 2.5
    """A camera may repeat the same picture to the bit for so long, a stream ten times as long; 0: for ever.
    Seconds, 0…3600."""
    first_pause: float = 0.25
    """Pause before the first attempt to bring a camera back; it doubles with each. Seconds, 0.01…60."""
    longest_pause: float = 1.5
    """… up to so much. Seconds, 0.01…3600."""
    attempts_per_minute: int = 60
    """At most so many attempts a minute. 1…1000."""
    wait: bool = False
    """Whether a camera, stream or folder that is not there at the start is waited for, as on a device that
    may be up before its camera; else that is an error."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a crop that is none, which would be passed over or cut something else."""
        if any(self.crop) and (min(self.crop) < 0 or min(self.crop[2:]) < 1):
            raise ValueError(
                f"crop is x, y, width, height in pixels, not {list(self.crop)}; give a width and a height "
                "above 0, or only zeros for all of the picture"
            )


@dataclass
class CaptureStatus:
    """What a source has to say of itself; written by the source, read by anyone."""

    frames: int = 0
    """Frames that came from it."""
    dropped: int = 0
    """… that a newer one replaced before they were asked for."""
    frozen: int = 0
    """… that were the same to the bit as the one before."""
    reconnects: int = 0
    """How often it was brought back."""
    state: Literal["starting", "reading", "reconnecting", "ended"] = "starting"
    message: str = ""
    heard: float | None = None
    """When it last gave a sign of life, by the monotonic clock."""


class Source(Protocol):
    """Gives frames until it ends or is stopped, or raises `SourceError` where it is missing or fails."""

    status: CaptureStatus
    stills: bool
    """Whether each frame is a sheet of its own, as from a scanner, rather than a look at a scene."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; returns when a video file is at its end, or after the stop event was set."""
        ...

    def close(self) -> bool:
        """Let go of the device or file; False where a driver still holds on to it."""
        ...


def without_password(url: str) -> str:
    """Return a URL fit to be shown: without the user and password that cameras have in theirs.

    Where the query has a password by its name, as in `?user=admin&pwd=…`, its value is left out.
    """
    if "://" not in url:
        return url
    # Of several @ the last one ends the password: not everyone escapes those in it.
    url = re.sub(r"(?<=://)[^/]*@", "", url)
    return re.sub(r"(?i)(?<=[?&])([^=&]*(?:pass|pwd|token|secret|key|auth)[^=&]*)=[^&#]*", r"\1=…", url)


def make_frame(image: Any, source: str, number: int, at: float, settings: CaptureSettings) -> Frame:
    """Return a picture from a driver as a `Frame`: turned and cropped, grey or BGR.

    Raises `SourceError` for a pixel format that is neither, and for a crop outside the picture.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise SourceError(f"{source}: the camera's pixel format can't be used; choose another with v4l2-ctl")
    if image.ndim == 3:
        if image.shape[2] == 1:
            image = image[..., 0]
        elif image.shape[2] == 4:
            image = np.ascontiguousarray(image[..., :3])
        elif image.shape[2] != 3:
            raise SourceError(
                f"{source}: the camera's pixel format ({image.shape[2]} channels) can't be used; choose "
                "YUYV or MJPG with v4l2-ctl"
            )
    if settings.rotate:
        image = np.ascontiguousarray(np.rot90(image, -(settings.rotate // 90)))
    x, y, width, height = settings.crop
    if width and height:
        if x + width > image.shape[1] or y + height > image.shape[0]:
            raise SourceError(
                f"{source}: the crop {width}×{height} at {x},{y} is not inside the picture, which has "
                f"{image.shape[1]}×{image.shape[0]} pixels; change the crop"
            )
        image = np.ascontiguousarray(image[y : y + height, x : x + width])
    return Frame(image, source, number, (image.shape[1], image.shape[0]), at)


class VideoFile:
    """The frames of a video file, in order, none dropped."""

    stills = False

    def __init__(
        self,
        path: str,
        every: float,
        stop: threading.Event,
        settings: CaptureSettings = CaptureSettings(),
    ) -> None:
        self.status = CaptureStatus()
        self._path, self._every, self._stop, self._settings = path, every, stop, settings
        self._capture: Any = None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames from the first to the last; raises `SourceError` where the file is no video."""
        self._capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG)
        rate = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        declared = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        due = 0.0
        number = 0
        while not self._stop.is_set() and self._capture.grab():
            self.status.state, self.status.heard = "reading", time.monotonic()
            self.status.frames += 1
            # Files without time stamps say 0 throughout; then the frame rate has to do.
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 or number / rate
            # A microsecond of grace: times are multiples of 1/rate, rounded.
            if seconds + 1e-6 >= due:
                ok, image = self._capture.retrieve()
                if ok:
                    yield make_frame(image, self._path, number, seconds, self._settings)
                if self._every:
                    due += self._every * (1 + max(0.0, seconds - due) // self._every)
            number += 1
        self.status.state = "ended"
        if self._stop.is_set():
            return
        if number == 0:
            raise SourceError(
                f"{self._path}: not a video that can be read; give an MP4, AVI or MKV file, a camera or a URL"
            )
        if number < 0.9 * declared - 2:  # some formats only estimate their length
            raise SourceError(
                f"{self._path}: ends after {number} of {declared:.0f} frames, it was cut off; copy it again"
            )

    def close(self) -> bool:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
        return True


class Driver(Protocol):
    """A device or stream at the lowest level; used by one thread."""

    def open(self) -> None:
        """Begin."""
        ...

    def read(self) -> NDArray[np.uint8] | None:
        """Wait for the next picture and return it; None when there are no more."""
        ...

    def release(self) -> None:
        """Let go."""
        ...


class OpenCvDriver:
    """V4L2 and FFmpeg through OpenCV."""

    def __init__(self, address: str | int, backend: int, settings: CaptureSettings) -> None:
        self._address, self._backend, self._settings = address, backend, settings
        self._capture: Any = cv2.VideoCapture()

    def open(self) -> None:
        settings = self._settings
        if self._backend == cv2.CAP_FFMPEG:
            # Without these OpenCV sits on a silent stream for half a minute.
            timeouts = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                int(settings.open_seconds * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                int(settings.stall_seconds * 1000),
            ]
            self._capture.open(self._address, self._backend, timeouts)
            return
        self._capture.open(self._address, self._backend)
        wishes = [
            (cv2.CAP_PROP_BUFFERSIZE, 1),  # what waits in the driver's queue is stale
            (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
            (cv2.CAP_PROP_FPS, settings.rate),
        ]
        if settings.exposure >= 0:
            # V4L2's own codes: 1 is manual, 3 automatic with the aperture fixed.
            wishes += [(cv2.CAP_PROP_AUTO_EXPOSURE, 1), (cv2.CAP_PROP_EXPOSURE, settings.exposure)]
        if settings.focus >= 0:
            wishes += [(cv2.CAP_PROP_AUTOFOCUS, 0), (cv2.CAP_PROP_FOCUS, settings.focus)]
        for wish, value in wishes:
            if value or wish in (cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_AUTOFOCUS, cv2.CAP_PROP_FOCUS):
                self._capture.set(wish, value)  # a driver without it says no, which is its right

    def read(self) -> NDArray[np.uint8] | None:
        ok, image = self._capture.read()
        return image if ok else None

    def release(self) -> None:
        self._capture.release()


class PicameraDriver:
    """libcamera through Picamera2: the luminance plane as the sensor's processor makes it."""

    def __init__(self, library: Any, number: int, settings: CaptureSettings) -> None:
        self._library, self._number, self._settings = library, number, settings
        self._camera: Any = None
        self._size = (settings.width or 640, settings.height or 480)

    def open(self) -> None:
        settings = self._settings
        self._camera = self._library(self._number)
        controls: dict[str, Any] = {}
        if settings.rate:
            controls["FrameRate"] = settings.rate
        if settings.exposure >= 0:
            controls |= {"AeEnable": False, "ExposureTime": int(settings.exposure)}
        if settings.focus >= 0:
            controls |= {"AfMode": 0, "LensPosition": settings.focus}
        main = {"size": self._size, "format": "YUV420"}
        self._camera.configure(self._camera.create_video_configuration(main=main, controls=controls))
        self._camera.start()

    def read(self) -> NDArray[np.uint8] | None:
        width, height = self._size
        planes = self._camera.capture_array("main")
        # Y lies above U and V; rows may be padded to a multiple of the hardware's.
        return np.ascontiguousarray(planes[:height, :width])

    def release(self) -> None:
        if self._camera is not None:
            self._camera.stop()
            self._camera.close()


class Camera:
    """The newest frames of a camera or stream, which runs on while the last one is being read.

    A thread takes in whatever comes, so that nothing stale piles up in the driver or on the network. Used
    once: after a failure make another.
    """

    stills = False

    def __init__(
        self,
        driver: Callable[[], Driver],
        name: str,
        kind: Literal["camera", "stream"],
        every: float,
        stop: threading.Event,
        settings: CaptureSettings = CaptureSettings(),
    ) -> None:
        self.status = CaptureStatus()
        self._driver, self._name, self._kind = driver, name, kind
        self._every, self._stop, self._settings = every, stop, settings
        self._frozen_seconds = settings.frozen_seconds * (10 if kind == "stream" else 1)
        self._change = threading.Condition()
        self._newest: tuple[Any, int, float] | None = None
        self._received = 0
        self._heard = self._changed = time.monotonic()
        self._ended_at = 0.0
        self._reason = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._take_in, name=f"capture {name}", daemon=True)

    @property
    def received(self) -> int:
        """Frames that have come."""
        return self._received

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before they were asked for."""
        return self.status.dropped

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame each time; raises `SourceError` where it is missing, stalls or goes away."""
        self._heard = self._changed = time.monotonic()
        self._thread.start()
        due = self._heard
        while not self._stop.is_set():
            wait = due - time.monotonic()
            if wait > 0:
                self._stop.wait(min(wait, 0.25))
                self._check_alive()
                continue
            with self._change:
                if self._newest is None and not self._ended_at:
                    # Python acts on a signal only when a wait is over, so none is long.
                    self._change.wait(0.25)
                newest, self._newest = self._newest, None
            if newest is not None:
                due = max(due + self._every, time.monotonic())
                image, number, at = newest
                self._check_frozen()
                yield make_frame(image, self._name, number, at, self._settings)
            else:
                self._check_alive()

    def _check_frozen(self) -> None:
        still = self._heard - self._changed
        if self._frozen_seconds and still > self._frozen_seconds:
            raise SourceAwayError(
                f"{self._name}: frozen, the same picture for {still:.0f} s; "
                "check the camera, or set frozen_seconds = 0 if it is a still one"
            )

    def _check_alive(self) -> None:
        """Raise `SourceAwayError` where nothing is to be expected any more."""
        with self._change:
            if self._newest is not None and self._ended_at:
                return
            ended, now = bool(self._ended_at), self._ended_at or time.monotonic()
            silence = now - self._heard
        if self._received == 0:
            if not ended and silence <= self._settings.open_seconds:
                return
            why = f"no picture within {silence:.0f} s" if silence > 1 else "it gave no picture"
            if self._reason:
                why = self._reason
            if self._kind == "stream":
                remedy = "check the address, and that the other end is running"
            else:
                remedy = "close other programs that use it, or give another camera"
            raise SourceAwayError(f"{self._name}: can't be opened ({why}); {remedy}")
        # FFmpeg reports its timeout as the end of the stream, a little before or after ours.
        if silence >= 0.9 * self._settings.stall_seconds:
            what = f"stalled, nothing for {silence:.0f} s after {self._received} pictures"
        elif ended:
            what = f"went away after {self._received} pictures"
        else:
            return
        raise SourceAwayError(f"{self._name}: {what}; check the camera and the network, and start again")

    def _take_in(self) -> None:
        """Run in the thread: open, read until the end, keep the newest."""
        driver = None
        last = 0
        try:
            driver = self._driver()
            driver.open()
            while not self._closed.is_set():
                image = driver.read()
                if image is None or self._closed.is_set():
                    break
                now = time.monotonic()
                # Real sensors are never still to the last bit; some rows tell as well as all.
                looked_at = image[::7] if self._frozen_seconds else image[:0]
                mark = zlib.crc32(looked_at.tobytes())
                with self._change:
                    self.status.dropped += self._newest is not None
                    if mark == last and self._received and self._frozen_seconds:
                        self.status.frozen += 1
                    else:
                        self._changed = now
                    last = mark
                    self._newest = image, self._received, now
                    self._received += 1
                    self.status.frames += 1
                    if self.status.state == "starting":
                        self.status.state = "reading"
                    self._heard = self.status.heard = now
                    self._change.notify()
        except cv2.error:
            pass  # as good as no picture; the reason is OpenCV's own and of no use to a person
        except Exception as error:
            # Picamera2 raises nearly anything on a camera that is missing or in use.
            self._reason = " ".join(str(error).split())[:120] or type(error).__name__
        finally:
            with self._change:
                self._ended_at = time.monotonic()
                self._change.notify()
            if driver is not None:
                driver.release()

    def close(self) -> bool:
        """Stop taking in; False where the driver is still blocked in a read after a second."""
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join(1.0)
        return not self._thread.is_alive()
