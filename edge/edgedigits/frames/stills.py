"""Pictures from files and folders, and the `Frame` that every source gives.

Whatever the origin, what comes out is a `Frame`: upright, 8 bits a channel, grey or BGR. `read_pictures`
takes a file apart into its pictures (a TIFF has pages). What can't be read comes as an `Unread` in its
place, so that one bad page does not cost the others. Cameras and videos are in `capture`.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgedigits.errors import PictureError
from edgedigits.ink import InkSettings, longest_side

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".bmp", ".pdf"})
"""What counts as a picture when a folder is read. A file named outright is judged by its content alone."""

LONGEST_SIDE = InkSettings.longest_side
"""Pixels of the longer side to which larger pictures are shrunk as they are decoded; what is longer than 2:1
keeps more, as `ink.longest_side` says. A `Reader` looks at no more unless its settings say so, and a photo of
50 megapixels fits into the memory of a small board."""

MAX_PIXELS = 100_000_000
"""More than this is refused before anything is decoded."""

MAX_BASELINE_JPEG_PIXELS = 250_000_000
"""A baseline JPEG is reduced while it is decoded, so that a larger one costs time but no memory."""

PDF_DPI = 200
"""Pixels per inch that the pages of a PDF are rendered at, or fewer where no more is kept of pictures."""

MAX_PAGES = 10_000
"""Pages read of one TIFF or PDF; a longer one is a damaged or a hostile one."""

MAX_AMISS = 25
"""So many pages of a PDF in a row that can't be read are the end of it: it has none, whatever it says."""

_STRIP = 256  # rows converted at a time, so that a large picture is not held in memory three times


Stamp = tuple[int, int]
"""What tells a file from a later one of its name: time of its last change in nanoseconds, size in bytes."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture on its way to be read.

    `image` is uint8, H×W grey or H×W×3 BGR, upright. `source` is where it came from, as a person would
    name it; `page` counts from 0 the pages of a file or the frames of a video or camera. `size` is width
    and height in pixels of the upright picture in full, of which `image` may be a reduced copy. `at` is
    when it was taken, in seconds on the source's own clock: the monotonic one for a camera, from its
    beginning for a video. `stamp` is that of the file in a watched folder.
    """

    image: NDArray[np.uint8]
    source: str
    page: int
    size: tuple[int, int]
    at: float = 0.0
    stamp: Stamp | None = None


@dataclass(frozen=True)
class Unread:
    """What stands in the place of a picture that can't be read; `error` names the source and says why.

    `passing` tells that it may be read another time: the system would not open the file, or not hand out what
    is in it, whatever that is.
    """

    source: str
    error: PictureError
    passing: bool = False


# --- files and folders --------------------------------------------------------------------------------


def find_pictures(paths: Iterable[str | os.PathLike[str]]) -> list[Path | Unread]:
    """Return the files to read: files as given, folders as the pictures in them.

    In a folder the pictures are known by their suffix (`SUFFIXES`, any case), hidden files and folders
    inside are passed over, and the order is that of a person: page2 before page10. A folder that can't be
    listed or has no pictures gives an `Unread`.
    """
    found: list[Path | Unread] = []
    for path in map(Path, paths):
        if not _is_folder(path):
            found.append(path)
            continue
        try:
            files = pictures_in(path)
        except OSError as error:
            found.append(_unread(path, f"can't list the folder ({error.strerror}); check its permissions"))
            continue
        if not files:
            remedy = "put PNG, JPEG, TIFF, WebP, BMP or PDF files into it, or name a folder inside"
            found.append(_unread(path, f"no pictures in this folder; {remedy}"))
        found.extend(files)
    return found


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures in a folder as `find_pictures` does; raises `OSError` where it can't be listed."""
    inside = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "."]
    return sorted((p for p in inside if not _is_folder(p)), key=_natural)


def _is_folder(path: Path) -> bool:
    # What can't even be looked at is told of when it is opened; the others in its folder are not to suffer.
    try:
        return path.is_dir()
    except OSError:
        return False


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    # The digits are compared as numbers, the rest without regard to case; the name itself breaks ties.
    parts = re.split(r"([0-9]+)", path.name)
    return [(int(p), "") if i % 2 else (0, p.casefold()) for i, p in enumerate(parts)], path.name


def _unread(source: str | os.PathLike[str], why: object, passing: bool = False) -> Unread:
    return Unread(os.fspath(source), PictureError(f"{os.fspath(source)}: {why}"), passing)


def _may_pass(error: Exception) -> bool:
    """Return whether an error, or what it was raised for, is the system's and not the file's."""
    cause = error if isinstance(error, OSError) else error.__cause__
    # Decoders raise OSErrors of their own, without a number, and seek where no file can be.
    return isinstance(cause, OSError) and cause.errno not in (None, errno.EINVAL)


def read_pictures(path: str | os.PathLike[str], source: str | None = None) -> Iterator[Frame | Unread]:
    """Yield the pictures of a file: one, or the pages of a TIFF or PDF, each decoded when it is asked for.

    PNG, JPEG, TIFF, WebP, BMP and, with the extra `pdf`, PDF, known by their content; 1, 8 and 16 bits;
    grey, RGB, palette, CMYK, with or without transparency. Exif orientation is obeyed. Deeper than 8 bits
    is stretched between the darkest and the brightest value, since 10 or 12 bits are often kept in 16. A
    transparent picture is laid on the background that shows its ink. `source` is the name the frames bear
    (default: the path).

    Raises nothing on account of the file: what can't be read whole is an `Unread` in its place.
    """
    path = Path(path)
    source = str(path) if source is None else source
    try:
        file = _open_regular(path)
    except OSError as error:
        yield _unread(source, why_not_opened(error), _may_pass(error))
        return
    with file:
        try:
            kind = _kind(file.read(_HEAD))
            file.seek(0)
            if kind == "PDF":
                yield from _render(file, source)
            else:
                yield from _decode(file, kind, path, source)
        except (PictureError, OSError) as error:
            yield _unread(source, error, _may_pass(error))


def _open_regular(path: Path) -> IO[bytes]:
    # A FIFO would wait for a writer for ever, and opening some devices has effects: looked at first, and
    # opened without waiting in case it changes in between.
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not stat.S_ISREG(mode):
        raise OSError("it is a pipe or a device")
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb")


def why_not_opened(error: OSError) -> str:
    """Return why a file can't be opened and what to do, for a message that names it."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file; check the name"
    if isinstance(error, IsADirectoryError):
        return "it is a folder; name a picture file"
    if isinstance(error, PermissionError):
        return "no permission to read it; check its owner and mode"
    return f"can't be opened ({error.strerror or error}); name a picture file"


_DECODERS = {
    # Only the plug-in at hand is loaded: Pillow's own search loads some forty, which on a small board
    # takes longer than reading the picture. It also keeps the decoders for unusual formats shut.
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
}

_HEAD = 1024
"""Bytes at the beginning of a file that tell its format: so far in may a PDF begin."""

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
)


def _kind(head: bytes) -> str:
    """Return the format (a key of `_DECODERS`, or PDF) of a file that begins so; raises `PictureError`."""
    if not head:
        raise PictureError("the file is empty; copy it again")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if b"%PDF-" in head:  # behind what a mail or a scanner put before it
        return "PDF"
    what = "not a picture of a known format"
    if head[4:8] == b"ftyp":
        what = "a HEIC or AVIF picture or a video, which is not read"
    elif head.startswith(b"GIF8"):
        what = "a GIF, which is not read"
    raise PictureError(f"{what}; convert it to PNG, JPEG, TIFF, WebP or BMP")


def _decode(file: IO[bytes], kind: str, path: Path, source: str) -> Iterator[Frame | Unread]:
    module, name = _DECODERS[kind]
    picture = _guarded(getattr(importlib.import_module(module), name), file)
    for page in range(MAX_PAGES if kind == "TIFF" else 1):
        try:
            if page and not _guarded(_turn_to, picture, page):
                return
            image, size = _guarded(_upright, picture, kind, path, page)
        except PictureError as error:
            alone = page == 0 and not getattr(picture, "is_animated", False)
            yield _unread(source, error if alone else f"page {page + 1}: {error}", _may_pass(error))
            if picture.tell() < page:
                return  # the directory of this page can't be read, and with it the way to the next is lost
        else:
            yield Frame(image, source, page, size)


def _render(file: IO[bytes], source: str) -> Iterator[Frame | Unread]:
    """Render the pages of a PDF: at `PDF_DPI`, or in as many pixels as are kept of pictures."""
    try:
        import pypdfium2 as pdfium
    except ImportError as error:
        raise PictureError("a PDF; to read PDFs, pip install pypdfium2") from error
    try:
        document = pdfium.PdfDocument(file)
        count = len(document)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise PictureError("a PDF locked with a password; save it without one") from error
        raise PictureError("a damaged or cut off PDF; copy it again") from error
    try:
        if not count:
            raise PictureError("a PDF without pages; export it again")
        amiss = 0
        for number in range(min(count, MAX_PAGES)):
            try:
                image = _guarded(_rendered, document, number)
            except PictureError as error:
                yield _unread(source, error if count == 1 else f"page {number + 1}: {error}")
                amiss += 1
                if amiss == MAX_AMISS and number + 1 < count:
                    left = count - number - 1
                    why = f"{amiss} pages in a row are damaged, {left} more not tried; copy it again"
                    yield _unread(source, why)
                    return
            else:
                amiss = 0
                yield Frame(image, source, number, (image.shape[1], image.shape[0]))
    finally:
        document.close()


def _rendered(document: Any, number: int) -> NDArray[np.uint8]:
    page = document[number]
    try:
        width, height = page.get_size()  # in points, 1/72 inch, as the page is to be seen
        if not (width > 0 and height > 0):
            raise PictureError("a page without size; export it again")
        scale = min(PDF_DPI / 72, longest_side(width, height) / max(width, height))
        bitmap = page.render(scale=scale, draw_annots=True)
        try:
            image = bitmap.to_numpy()
            return np.ascontiguousarray(image[..., :3] if image.ndim == 3 else image)
        finally:
            bitmap.close()
    finally:
        page.close()


def _turn_to(picture: Image.Image, page: int) -> bool:
    """Go to a page of a TIFF; False where there are no more."""
    try:
        picture.seek(page)
    except EOFError:
        return False
    return True


def _guarded(do: Callable[..., Any], *arguments: Any) -> Any:
    """Call a decoder; whatever it stumbles over becomes a `PictureError` that does not name the source."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and of large pictures: not the user's to mend, and judged here.
            warnings.simplefilter("ignore")
            return do(*arguments)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("not enough memory for a picture of this size; scale it down") from error
    except Exception as error:
        # Decoders raise nearly anything on bytes that are not what they seem (OSError, SyntaxError,
        # struct.error, KeyError, …), and none of it is a fault of the program.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"damaged or cut off ({reason}); copy it again") from error


def _upright(
    picture: Image.Image, kind: str, path: Path, page: int
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Decode the picture at hand; return its image as a `Frame` has it, and its size in full."""
    width, height = picture.size
    pixels = width * height
    # A progressive JPEG keeps its coefficients in memory in full, whatever it is decoded to.
    reducible = kind == "JPEG" and not picture.info.get("progressive")
    limit = MAX_BASELINE_JPEG_PIXELS if reducible else MAX_PIXELS
    if pixels > limit:
        million = limit // 1_000_000
        raise PictureError(f"{width}×{height} pixels, more than the {million} million allowed; scale it down")
    least = longest_side(width, height) / max(width, height)
    if kind == "JPEG" and least < 1:
        picture.draft(None, (round(width * least), round(height * least)))
    picture.load()
    if kind != "JPEG":
        width, height = picture.size  # a TIFF has been turned upright by being loaded
    # Pillow turns TIFFs, and leaves the rest to us.
    turn = 1 if kind == "TIFF" else _orientation(picture)
    shallow = _in_eight_bits(picture, kind, path, page)
    image = _as_array(shallow, turn)
    return image, (width, height) if turn < 5 else (height, width)


def _orientation(picture: Image.Image) -> int:
    value = picture.getexif().get(0x0112, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _in_eight_bits(picture: Image.Image, kind: str, path: Path, page: int) -> Image.Image:
    """Return the loaded picture in mode L, RGB or RGBA, values of more than 8 bits stretched to 0…255."""
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_stretched(np.asarray(picture)))
    if kind == "PNG" or kind == "TIFF":
        deep = _deep_colour(picture, kind, path, page)
        if deep is not None:
            return deep
    return picture


def _deep_colour(picture: Image.Image, kind: str, path: Path, page: int) -> Image.Image | None:
    """Read 16 bits a channel of a colour picture, of which Pillow keeps the upper 8; None where it has 8."""
    if kind == "PNG":
        with path.open("rb") as file:
            bits = file.read(25)[24]  # the header is always the first chunk
    else:
        bits = max(picture.tag_v2.get(258, (8,)))  # type: ignore[attr-defined]
    if bits <= 8 or picture.mode not in ("RGB", "RGBA", "LA"):
        return None
    # Pillow has read it through by now, so that a part is not taken for the whole.
    if kind == "PNG":
        pages = [cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)]
    else:
        pages = list(cv2.imreadmulti(str(path), page, 1, flags=cv2.IMREAD_UNCHANGED)[1])
    deep = pages[0] if pages else None
    if deep is None or deep.dtype == np.uint8 or deep.shape[1::-1] != picture.size or deep.ndim != 3:
        return None  # OpenCV can't: the upper 8 bits are better than nothing
    colour = _stretched(deep[..., 2::-1])
    if deep.shape[2] == 3:
        return Image.fromarray(colour)
    alpha = (deep[..., 3:] // 257).astype(np.uint8)
    return Image.fromarray(np.concatenate([colour, alpha], axis=2))


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Map the smallest finite value to 0 and the largest to 255; a constant becomes 0 or 255 by its sign."""
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, values[finite].min() if finite.any() else 0)
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.full(values.shape, 255 if high > 0 else 0, np.uint8)
    result = np.empty(values.shape, np.uint8)
    for y in range(0, len(values), _STRIP):
        strip = np.asarray(values[y : y + _STRIP], np.float64)
        result[y : y + _STRIP] = np.rint((strip - low) * (255 / (high - low)))
    return result


def _as_array(picture: Image.Image, turn: int) -> NDArray[np.uint8]:
    """Convert a loaded picture to grey or BGR, upright, its longer side at most what `longest_side` says."""
    transparent = picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info
    mode = "L" if picture.mode in ("1", "L") and not transparent else "RGB"
    background = _background(picture) if transparent else 0
    most, longest = longest_side(*picture.size), max(picture.size)
    shrink = min(1.0, most / longest)
    exact = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
    if shrink < 1 and picture.mode in ("L", "RGB", "CMYK") and not transparent:
        factor, (width, height) = 1, exact
        strips = _shrunk_strips(picture, exact)
    else:
        # What can't be averaged as it is, such as a palette, is converted first, strip by strip.
        factor = int(longest / most) or 1
        width, height = -(-picture.width // factor), -(-picture.height // factor)
        strips = _strips(picture, _STRIP * factor)
    shape = (width, height) if turn >= 5 else (height, width)
    image = np.empty(shape if mode == "L" else (*shape, 3), np.uint8)
    # The strips are written through a view that lies as the file does.
    lying = _UNTURN[turn](image)
    for y, strip in strips:
        if transparent:
            below = Image.new("RGBA", strip.size, (background,) * 3)
            strip = Image.alpha_composite(below, strip.convert("RGBA"))
        rows = np.asarray(strip.convert(mode).reduce(factor))
        lying[y // factor : y // factor + len(rows)] = rows if mode == "L" else rows[..., ::-1]
    if lying.shape[1::-1] != exact:
        size = exact if turn < 5 else exact[::-1]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image


_UNTURN: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    # From the upright picture back to how it lies in the file, by Exif orientation; views, no copies.
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def _strips(picture: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    for y in range(0, picture.height, rows):
        yield y, picture.crop((0, y, picture.width, min(y + rows, picture.height)))


def _shrunk_strips(picture: Image.Image, size: tuple[int, int]) -> Iterator[tuple[int, Image.Image]]:
    width, height = size
    step = picture.height / height
    for y in range(0, height, _STRIP):
        rows = min(_STRIP, height - y)
        box = (0, y * step, picture.width, min((y + rows) * step, picture.height))
        yield y, picture.resize((width, rows), Image.Resampling.BOX, box)


def _background(picture: Image.Image) -> int:
    """Choose black (0) or white (255) to lay a transparent picture on.

    Where most of it is opaque, the picture has a background of its own, which is continued. Else what is
    opaque is the ink, and the background is the one it stands out from.
    """
    weight = light = 0.0
    for _, strip in _strips(picture, _STRIP):
        *_, alpha = strip.convert("RGBA").split()
        opacity = np.asarray(alpha, np.float32) / 255
        weight += float(opacity.sum())
        light += float((opacity * np.asarray(strip.convert("RGBA").convert("RGB").convert("L"))).sum())
    if weight == 0:
        return 255
    bright = light / weight >= 128
    continued = weight > picture.width * picture.height / 2
    return 255 if bright == continued else 0
