"""Pictures of every kind come out upright, 8 bits deep, whole or not at all."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from edgedigits.errors import SourceError
from edgedigits.frames import (
    LONGEST_SIDE,
    Frame,
    Unread,
    find_pictures,
    read_pictures,
)
from edgedigits.frames.capture import without_password
from edgedigits.frames.sources import open_source

W, H = 60, 40


def pattern() -> np.ndarray:
    """White paper, 40×60, with a black mark at the top left and a grey one at the top right."""
    image = np.full((H, W), 255, np.uint8)
    image[4:12, 4:20] = 0
    image[4:12, 50:56] = 100
    return image


def only(path: Path) -> Frame:
    frames = list(read_pictures(path))
    assert len(frames) == 1
    frame = frames[0]
    assert isinstance(frame, Frame), frame
    assert frame.source == str(path)
    assert frame.page == 0
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    return frame


def why(path: Path) -> str:
    """Return the only error of a file, after checking that it is one line that names the file first."""
    found = list(read_pictures(path))
    assert [type(f) for f in found] == [Unread], found
    assert isinstance(found[0], Unread)
    text = str(found[0].error)
    assert found[0].source == str(path)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def grey(frame: Frame) -> np.ndarray:
    image = frame.image
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def near(frame: Frame, expected: np.ndarray, tolerance: int) -> bool:
    return grey(frame).shape == expected.shape and bool(
        (np.abs(grey(frame).astype(int) - expected) <= tolerance).all()
    )


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_formats(tmp_path: Path, suffix: str, mode: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(pattern()).convert(mode).save(path, quality=95)
    frame = only(path)
    assert frame.size == (W, H)
    assert near(frame, pattern(), 0 if suffix in (".png", ".tif", ".bmp") else 40)


def test_colour_is_bgr(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), (200, 100, 50)).save(tmp_path / "a.png")
    assert only(tmp_path / "a.png").image[0, 0].tolist() == [50, 100, 200]


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "1"), ("a.tif", "1"), ("a.png", "P"), ("a.bmp", "P"), ("a.tif", "CMYK"), ("a.jpg", "CMYK")],
)
def test_modes(tmp_path: Path, name: str, mode: str) -> None:
    image = np.where(pattern() > 128, 255, 0).astype(np.uint8)
    picture = Image.fromarray(image)
    picture.convert("RGB").convert(mode).save(tmp_path / name, quality=95)
    assert near(only(tmp_path / name), image, 0 if mode in "1P" else 40)


@pytest.mark.parametrize("compression", [None, "group4", "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_tiff_compressions(tmp_path: Path, compression: str | None) -> None:
    picture = Image.fromarray(np.where(pattern() > 128, 255, 0).astype(np.uint8))
    picture = picture.convert("1") if compression == "group4" else picture
    picture.save(tmp_path / "a.tif", compression=compression)
    assert near(
        only(tmp_path / "a.tif"), np.asarray(picture.convert("L")), 40 if compression == "jpeg" else 0
    )


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_twelve_bits_in_sixteen_are_not_crushed(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = (pattern().astype(np.uint16) * 16).repeat(channels).reshape(H, W, channels)
    assert cv2.imwrite(str(tmp_path / f"a{suffix}"), deep)
    assert near(only(tmp_path / f"a{suffix}"), pattern(), 1)


def test_sixteen_bits_with_transparency(tmp_path: Path) -> None:
    deep = np.zeros((H, W, 4), np.uint16)
    deep[4:12, 4:20] = (0, 0, 4000, 65535)  # red ink, in BGR
    assert cv2.imwrite(str(tmp_path / "a.png"), deep)
    image = only(tmp_path / "a.png").image
    assert image[6, 6].tolist() == [0, 0, 255]
    assert image[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (65535, 255)])
def test_a_deep_picture_of_one_value(tmp_path: Path, value: int, expected: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 5), value, np.uint16))
    assert (only(tmp_path / "a.png").image == expected).all()


def test_float_tiff_with_holes(tmp_path: Path) -> None:
    values = pattern().astype(np.float32) / 255
    values[20, 20] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    expected = pattern()
    expected[20, 20] = 0
    assert near(only(tmp_path / "a.tif"), expected, 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
@pytest.mark.parametrize("ink", [10, 245])
def test_transparent_ink_stands_out(tmp_path: Path, mode: str, ink: int) -> None:
    # The hidden colour under the transparency is the ink's own, the worst case.
    picture = Image.new("LA", (W, H), (ink, 0))
    picture.paste((ink, 255), (4, 4, 20, 12))
    path = tmp_path / "a.png"
    if mode in ("RGBA", "LA"):
        picture.convert(mode).save(path)
    elif mode == "P":
        indexed = Image.new("P", (W, H), 0)
        indexed.putpalette([ink] * 6)
        indexed.paste(1, (4, 4, 20, 12))
        indexed.save(path, transparency=0)
    else:
        plain = Image.new("RGB", (W, H), (ink ^ 1,) * 3)
        plain.paste((ink,) * 3, (4, 4, 20, 12))
        plain.save(path, transparency=(ink ^ 1,) * 3)
    image = grey(only(path))
    assert abs(int(image[6, 6]) - ink) <= 1
    assert abs(int(image[0, 0]) - int(image[6, 6])) > 200


def test_transparent_corners_continue_the_paper(tmp_path: Path) -> None:
    picture = Image.fromarray(pattern()).convert("RGBA")
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.save(tmp_path / "a.png")
    assert grey(only(tmp_path / "a.png"))[0, 0] == 255


def test_wholly_transparent(tmp_path: Path) -> None:
    Image.new("RGBA", (W, H)).save(tmp_path / "a.png")
    assert (only(tmp_path / "a.png").image == 255).all()


_LYING: dict[int, Any] = {
    # How the camera stores an upright picture for each Exif orientation.
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(np.transpose(a), 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    picture = Image.fromarray(np.ascontiguousarray(_LYING[orientation](pattern())))
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        picture.save(path, tiffinfo={0x0112: orientation})
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(path, quality=95, exif=exif)
    frame = only(path)
    assert frame.size == (W, H)
    assert near(frame, pattern(), 40)


@pytest.mark.parametrize("orientation", [1, 2, 3, 4])
def test_orientation_of_a_deep_tiff(tmp_path: Path, orientation: int) -> None:
    lying = np.ascontiguousarray(_LYING[orientation](pattern()))
    deep = (lying.astype("<u2") * 16)[..., None].repeat(3, axis=2)
    # Neither Pillow nor OpenCV writes such a file: width, height, bits, photometric, data, orientation, …
    entries = [
        (256, 3, 1, W),
        (257, 3, 1, H),
        (258, 3, 3, 8),
        (262, 3, 1, 2),
        (273, 4, 1, 150),
        (274, 3, 1, orientation),
        (277, 3, 1, 3),
        (278, 3, 1, H),
        (279, 4, 1, deep.nbytes),
    ]
    data = struct.pack("<2sHI3HH", b"II", 42, 16, 16, 16, 16, 0) + struct.pack("<H", len(entries))
    data += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    (tmp_path / "a.tif").write_bytes(data.ljust(150, b"\0") + deep.tobytes())
    assert near(only(tmp_path / "a.tif"), pattern(), 1)


def test_pages_come_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    pages = [Image.new("L", (10 + k, 8), 50 * k) for k in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    frames = list(read_pictures(path, "my scan"))
    assert all(isinstance(f, Frame) for f in frames)
    assert [(f.page, f.source, f.size, int(f.image[0, 0])) for f in frames] == [
        (k, "my scan", (10 + k, 8), 50 * k) for k in range(3)
    ]


def test_a_damaged_page_does_not_cost_the_others(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    pages = [Image.fromarray(noise)] * 3
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    with Image.open(path) as picture:
        picture.seek(1)
        start, size = picture.tag_v2[273][0], picture.tag_v2[279][0]
    data = bytearray(path.read_bytes())
    data[start : start + size] = b"\xff" * size
    path.write_bytes(data)
    first, second, third = read_pictures(path)
    assert isinstance(first, Frame)
    assert isinstance(second, Unread)
    assert str(second.error).startswith(f"{path}: page 2: damaged")
    assert isinstance(third, Frame)
    assert third.page == 2
    assert np.array_equal(third.image, noise)


def test_a_tiff_that_points_to_itself_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.new("L", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    path.write_bytes(data)
    assert len(list(read_pictures(path))) == 1


def test_a_large_jpeg_is_shrunk(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    large = Image.new("L", (8001, 6001), 255)
    large.paste(0, (800, 600, 1600, 1200))
    exif = Image.Exif()
    exif[0x0112] = 6
    large.save(path, exif=exif)
    frame = only(path)
    assert frame.size == (6001, 8001)
    assert frame.image.shape == (2000, 1500)
    # Turned a quarter to the right: what lay at (x, y) is at (6000 − y, x).
    dark = cv2.boundingRect((frame.image < 128).astype(np.uint8))
    assert dark == pytest.approx(((6001 - 1200) / 4, 200, 150, 200), abs=2)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize(
    ("size", "longest"),
    [
        ((2001, 1100), 2000),
        ((3999, 2000), 2000),
        ((900, 4600), 4522),
        ((6000, 1500), 4000),
        ((40, 9040), 9040),
    ],
)
def test_a_large_png_is_shrunk(tmp_path: Path, mode: str, size: tuple[int, int], longest: int) -> None:
    path = tmp_path / "a.png"
    large = Image.new("L", size, 255)
    x, y = size[0] // 4, size[1] // 2
    large.paste(0, (x, y, 2 * x, y + 100))
    if mode == "I;16":
        cv2.imwrite(str(path), np.asarray(large).astype(np.uint16) * 16)
    else:
        large.convert("RGB").convert(mode).save(path)
    frame = only(path)
    assert frame.size == size
    scale = longest / max(size)
    assert max(frame.image.shape[:2]) == longest
    assert frame.image.shape[1::-1] == pytest.approx((size[0] * scale, size[1] * scale), abs=0.51)
    dark = cv2.boundingRect((grey(frame) < 128).astype(np.uint8))
    assert dark == pytest.approx((x * scale, y * scale, x * scale, min(100, size[1] - y) * scale), abs=2)


@pytest.mark.parametrize("size", [(30_000_000, 1), (1, 9_000_000), (200_000, 250)])
def test_a_picture_of_any_shape_keeps_few_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    Image.new("1", size, 1).save(path)
    frame = only(path)
    assert frame.size == size
    assert frame.image.size <= LONGEST_SIDE**2
    assert max(frame.image.shape) <= 32_000


def test_a_long_jpeg_is_shrunk_less(tmp_path: Path) -> None:
    """A till roll: its digits are small for its length."""
    path = tmp_path / "a.jpg"
    Image.new("L", (900, 16_000), 255).save(path)
    assert only(path).image.shape == (8433, 474)


def test_a_progressive_jpeg_of_many_pixels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("L", (16, 16)).save(path, progressive=True)
    data = bytearray(path.read_bytes())
    struct.pack_into(">HH", data, data.find(b"\xff\xc2") + 5, 12_000, 12_000)
    path.write_bytes(data)
    assert "12000×12000 pixels" in why(path)


def test_missing(tmp_path: Path) -> None:
    assert "no such file" in why(tmp_path / "a.png")


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert "empty" in why(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("head", "word"),
    [(b"1234\n", "convert"), (b"%PDF-1.7\n", "PDF"), (b"GIF89a", "GIF"), (b"\0\0\0\x18ftypheic", "HEIC")],
)
def test_not_a_picture(tmp_path: Path, head: bytes, word: str) -> None:
    (tmp_path / "a.png").write_bytes(head)
    assert word in why(tmp_path / "a.png")


@pytest.mark.parametrize("part", [0.02, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_cut_off(tmp_path: Path, suffix: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert "cut off" in why(path)


def bomb(path: Path, width: int, height: int) -> None:
    """Write a valid one-bit PNG of any size: kilobytes that decode to gigabytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    squeeze = zlib.compressobj(9)
    body = b"".join(squeeze.compress(bytes(width // 8 + 1)) for _ in range(height)) + squeeze.flush()
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def test_decompression_bomb(tmp_path: Path) -> None:
    bomb(tmp_path / "a.png", 20_000, 20_000)
    assert (tmp_path / "a.png").stat().st_size < 100_000
    assert "20000×20000 pixels" in why(tmp_path / "a.png")


def test_an_enormous_jpeg_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("L", (16, 16)).save(path)
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, 60_000, 60_000)
    path.write_bytes(data)
    assert "60000×60000 pixels" in why(path)


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert "pipe" in why(tmp_path / "a.png")
    assert "device" in why(Path("/dev/zero"))


def test_a_folder_is_sorted_as_a_person_would(tmp_path: Path) -> None:
    for name in ["page10.png", "page2.JPG", ".hidden.png", "notes.txt", "Page1.tiff", "b.webp"]:
        (tmp_path / name).touch()
    (tmp_path / "inner.png").mkdir()
    found = find_pictures([tmp_path])
    names = [p.name for p in found if isinstance(p, Path)]
    assert names == [
        "b.webp",
        "Page1.tiff",
        "page2.JPG",
        "page10.png",
    ]


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    found = find_pictures(["first.png", tmp_path, "last"])
    assert found[0] == Path("first.png")
    assert found[2] == Path("last")
    assert isinstance(found[1], Unread)
    assert str(found[1].error).startswith(f"{tmp_path}: no pictures in this folder; ")


def test_passwords_are_not_shown() -> None:
    assert without_password("rtsp://me:secret@cam/1?a=b@c") == "rtsp://cam/1?a=b@c"
    assert without_password("http://cam/a@b") == "http://cam/a@b"
    assert without_password("rtsp://me:p@ss@cam/1") == "rtsp://cam/1"
    shown = "http://cam/v?channel=1&user=me&pwd=…&apiKey=…"
    assert without_password("http://cam/v?channel=1&user=me&pwd=secret&apiKey=x%3Dy") == shown


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    for name, word in [
        ("97", "no such camera"),
        ("/dev/video97", "no such camera"),
        (str(tmp_path / "a.mp4"), "no such file"),
        (str(tmp_path), "folder"),
    ]:
        with pytest.raises(SourceError, match=word) as caught:
            open_source(name)
        assert str(caught.value).startswith(f"{name}: ")
