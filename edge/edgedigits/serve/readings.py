"""Pictures and strokes sent by a client → what is read in them.

The live loop's reader is its own; these are read by another, in one thread beside it, in the order in which
they come. So many may wait and no more: a device that is asked for too much says so at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import math
import os
import secrets
import tempfile
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edgedigits.errors import PictureError
from edgedigits.frames import Frame, Unread, read_pictures
from edgedigits.reader import Reader
from edgedigits.serve.guard import Buckets
from edgedigits.serve.metrics import Requests
from edgedigits.serve.problem import Problem, body_of, json_of
from edgedigits.serve.settings import ServeSettings
from edgedigits.serve.strokes import LARGEST, read_strokes, strokes_of
from edgedigits.serve.views import jpeg

SCHEMA = 1

T = TypeVar("T")

_BODIES = 4
"""So many of the largest pictures that a client may send are held in memory at a time."""

_BUSY = "busy with other pictures; try again in a moment"

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP")


class Workshop:
    """The one thread that works for clients, and its reader, which is opened when it is first needed."""

    def __init__(self, open_reader: Callable[[], Reader], settings: ServeSettings) -> None:
        self._open_reader, self._settings = open_reader, settings
        self._thread = ThreadPoolExecutor(1, "edgedigits-web-reader")
        self._waiting = 0
        self._room = _BODIES * settings.largest_body
        self._reader: Reader | None = None
        self._rate = Buckets(settings.reading_rate, settings.reading_burst)

    def admit(self, request: Request) -> None:
        """Let a client's reading in; raises `Problem` where it or all together ask for too much."""
        wait = self._rate.take(request.client.host if request.client else "")
        if wait:
            raise Problem(
                429, "too much to read at once; slow down", retry=max(1, round(wait + 0.5)), close=True
            )
        if self._waiting >= self._settings.waiting:
            raise Problem(429, _BUSY, retry=1, close=True)

    @contextlib.contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Give what takes room in memory for so many bytes, until the block ends.

        It raises `Problem` where all clients together would hold more than a small board has.
        """
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if count > self._room:
                raise Problem(429, _BUSY, retry=1, close=True)
            self._room -= count
            taken += count

        try:
            yield take
        finally:
            self._room += taken

    async def run(self, work: Callable[[Reader], T]) -> T:
        """Do `work` with the reader, after whatever waits already."""
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._with_reader, work)
        finally:
            self._waiting -= 1

    def _with_reader(self, work: Callable[[Reader], T]) -> T:
        if self._reader is None:
            self._reader = self._open_reader()
        return work(self._reader)

    def close(self) -> None:
        """Finish what is being read, leave what waits."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class Album:
    """Pictures kept for a while, by a number nobody can guess, so that a form can be laid over them.

    In memory only: at most `most`, each for at most `seconds`.
    """

    def __init__(self, most: int = 6, seconds: float = 1800.0) -> None:
        self._most, self._seconds = most, seconds
        self._frames: OrderedDict[str, tuple[float, Frame]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, frame: Frame) -> str:
        """Keep a picture; returns its number."""
        number = secrets.token_urlsafe(12)
        with self._lock:
            self._frames[number] = (time.monotonic() + self._seconds, frame)
            while len(self._frames) > self._most:
                self._frames.popitem(last=False)
        return number

    def get(self, number: str) -> Frame:
        """Return a picture; raises `Problem` where it is not there (any more)."""
        now = time.monotonic()
        with self._lock:
            for key in [key for key, (until, _) in self._frames.items() if until < now]:
                del self._frames[key]
            if number not in self._frames:
                raise Problem(404, "no such picture, or not any more; send it again")
            return self._frames[number][1]


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """Give bytes a path for as long as the block lasts, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("upload", os.MFD_CLOEXEC)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile(prefix="edgedigits-") as file:
            file.write(data)
            file.flush()
            yield file.name


def pictures_in(data: bytes, settings: ServeSettings) -> Iterator[Frame | Unread]:
    """Yield the pictures of an uploaded file: of at most `settings.most_pages` pages, and no more pixels.

    Where there are more, an `Unread` that says so comes in place of the rest. Raises `PictureError`, one
    line, where the first of them has too many pixels.
    """
    pixels = list(itertools.accumulate(_pixels(data, settings.most_pages + 1)))
    million = settings.most_pixels // 1_000_000
    if pixels and pixels[0] > settings.most_pixels:
        raise PictureError(f"more than the {million} million pixels allowed here; scale it down")
    fitting = sum(total <= settings.most_pixels for total in pixels[: settings.most_pages])
    # What the heads don't tell of, such as a PDF's pages, is shrunk as it is rendered.
    most = fitting if len(pixels) > fitting else settings.most_pages
    with _as_file(data) as path:
        pictures = read_pictures(path, "picture")
        yield from itertools.islice(pictures, most)
        if len(pixels) > most or (not pixels and next(pictures, None) is not None):
            limits = f"at most {settings.most_pages} of together {million} million pixels are"
            why = f"the pages from {most + 1} on are not read; {limits}, send the others by themselves"
            yield Unread("picture", PictureError(why))


def _pixels(data: bytes, most: int) -> list[float]:
    """Return how many pixels the heads of a picture file's pages claim, of at most so many pages.

    Of a file that is none there are none: what is wrong with it is said later.
    """
    found: list[float] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                for page in range(most if picture.format == "TIFF" else 1):
                    picture.seek(page)
                    found.append(picture.width * picture.height)
    except Image.DecompressionBombError:
        found.append(math.inf)
    except Exception:
        pass  # the last page, or one that can't be had
    return found


def without_source(error: PictureError) -> str:
    """Return an error about an upload without the name that stands for it."""
    return str(error).removeprefix("picture: ")


class Readings:
    """The handlers."""

    def __init__(
        self,
        workshop: Workshop,
        album: Album,
        newest: Callable[[], Frame | None],
        requests: Requests,
        settings: ServeSettings,
    ) -> None:
        self.workshop, self.album, self._newest = workshop, album, newest
        self._requests, self._settings = requests, settings

    async def read(self, request: Request) -> Response:
        """POST /api/read: an uploaded picture's pages and what is read in them."""

        def work(reader: Reader) -> list[dict[str, Any]]:
            pages: list[dict[str, Any]] = []
            for frame in pictures_in(data, self._settings):
                if isinstance(frame, Unread):
                    pages.append({"page": len(pages), "error": without_source(frame.error)})
                else:
                    pages.append({"page": frame.page, **reader.read(frame.image, frame.size).as_dict()})
            return pages

        with self.workshop.room() as take:
            data = await self._picture(request, take)
            pages = await self.timed("picture", work)
        if len(pages) == 1 and "error" in pages[0]:
            raise Problem(422, str(pages[0]["error"]))
        return JSONResponse({"schema": SCHEMA, "pages": pages})

    async def strokes(self, request: Request) -> Response:
        """POST /api/strokes: pen strokes and what is read in them."""
        self.workshop.admit(request)
        values = await json_of(request, self._settings.largest_text, self._settings.body_seconds)
        if not isinstance(values, dict) or not values.keys() <= {"size", "strokes"}:
            raise Problem(422, "send an object with 'size' and 'strokes'")
        size = values.get("size", [0, 0])
        if not (
            isinstance(size, list)
            and len(size) == 2
            and all(type(n) is int and 0 <= n <= LARGEST for n in size)
        ):
            raise Problem(422, "'size' is width and height of the pad, two whole numbers")
        try:
            strokes = strokes_of(values.get("strokes"))
        except ValueError as error:
            raise Problem(422, str(error)) from None
        page = await self.timed(
            "strokes", lambda reader: read_strokes(reader, strokes, (int(size[0]), int(size[1]))).as_dict()
        )
        return JSONResponse({"schema": SCHEMA, **page})

    async def keep(self, request: Request) -> Response:
        """POST /api/pictures: keep an uploaded picture, or the newest frame, to lay a form over it."""
        if request.query_params.get("from") == "live":
            frame = self._newest()
            if frame is None:
                raise Problem(404, "no frame has come yet; wait for the camera")
        else:

            def work(_: Reader) -> Frame | Unread | None:
                return next(pictures_in(data, self._settings), None)

            with self.workshop.room() as take:
                data = await self._picture(request, take)
                found = await self.timed("picture", work)
            if found is None or isinstance(found, Unread):
                raise Problem(422, "no picture" if found is None else without_source(found.error))
            frame = found
        height, width = frame.image.shape[:2]
        return JSONResponse({"id": self.album.add(frame), "size": [width, height]}, 201)

    async def kept(self, request: Request) -> Response:
        """GET /api/pictures/{id}: a kept picture as a JPEG."""
        frame = self.album.get(request.path_params["id"])
        data = await asyncio.to_thread(jpeg, frame.image, 2000, 85)
        return Response(data, media_type="image/jpeg")

    async def _picture(self, request: Request, take: Callable[[int], None]) -> bytes:
        self.workshop.admit(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith("image/") and kind != "application/octet-stream":
            raise Problem(
                415, "send the picture itself, with Content-Type: image/jpeg or the like", close=True
            )
        data = await body_of(request, self._settings.largest_body, self._settings.body_seconds, take)
        if not data:
            raise Problem(422, "the picture is empty; send its bytes as the body")
        return data

    async def timed(self, kind: str, work: Callable[[Reader], T]) -> T:
        """Do `work` in the workshop and count it; a picture it can't be done with becomes a `Problem`."""
        started = time.perf_counter()
        try:
            return await self.workshop.run(work)
        except PictureError as error:
            raise Problem(422, without_source(error)) from None
        finally:
            self._requests.count_reading(kind, time.perf_counter() - started)
