"""PDF files, page by page."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.edge.drawing import paper, write

from edgedigits.frames import LONGEST_SIDE, Frame, Unread, find_pictures, read_pictures
from edgedigits.reader import Reader

pdfium = pytest.importorskip("pypdfium2", reason="the extra 'pdf' is not installed")


def _pdf(path: Path, texts: list[str]) -> Path:
    pages = [Image.fromarray(write(paper(400, 900), text, (60, 220), size=3, thickness=6)) for text in texts]
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=100)
    return path


def _error(path: Path) -> str:
    (unread,) = read_pictures(path)
    assert isinstance(unread, Unread)
    message = str(unread.error)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def _locked(path: Path) -> Path:
    """Write a PDF that asks for a password: the standard security handler, revision 2."""

    def rc4(key: bytes, data: bytes) -> bytes:
        s, j, out = list(range(256)), 0, bytearray()
        for i in range(256):
            j = (j + s[i] + key[i % len(key)]) % 256
            s[i], s[j] = s[j], s[i]
        i = j = 0
        for byte in data:
            i = (i + 1) % 256
            j = (j + s[i]) % 256
            s[i], s[j] = s[j], s[i]
            out.append(byte ^ s[(s[i] + s[j]) % 256])
        return bytes(out)

    padding = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
    user, owner, name = (b"secret" + padding)[:32], (b"owner" + padding)[:32], b"0123456789abcdef"
    o = rc4(hashlib.md5(owner).digest()[:5], user)
    key = hashlib.md5(user + o + (2**32 - 4).to_bytes(4, "little") + name).digest()[:5]
    u = rc4(key, padding)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % (o.hex().encode(), u.hex().encode()),
    ]
    data, offsets = b"%PDF-1.4\n", []
    for number, value in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, value)
    start = len(data)
    data += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    identity = name.hex().encode()
    data += b"trailer\n<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<%s><%s>]>>\n" % (identity, identity)
    path.write_bytes(data + b"startxref\n%d\n%%%%EOF\n" % start)
    return path


def test_pages_come_one_by_one_and_are_read(tmp_path: Path) -> None:
    frames = list(read_pictures(_pdf(tmp_path / "scan.pdf", ["2024", "58"])))
    assert [frame.page for frame in frames if isinstance(frame, Frame)] == [0, 1]
    reader = Reader()
    texts = []
    for frame in frames:
        assert isinstance(frame, Frame)
        assert frame.image.shape[:2] == (frame.size[1], frame.size[0])
        assert max(frame.size) <= LONGEST_SIDE
        texts.append([line.text for line in reader.read(frame.image, frame.size).lines])
    assert texts == [["2024"], ["58"]]


def test_a_page_is_upright_and_in_its_own_colours(tmp_path: Path) -> None:
    picture = np.full((300, 200, 3), 255, np.uint8)
    picture[:100, :100] = (255, 0, 0)  # RGB: red at the top left
    Image.fromarray(picture).save(tmp_path / "red.pdf", resolution=72)
    (frame,) = read_pictures(tmp_path / "red.pdf")
    assert isinstance(frame, Frame)
    height, width = frame.image.shape[:2]
    assert height / width == pytest.approx(1.5, abs=0.02)
    blue, green, red = (int(v) for v in frame.image[height // 6, width // 4])
    assert red > 200
    assert max(blue, green) < 60


def test_large_pages_are_rendered_at_a_bounded_size(tmp_path: Path) -> None:
    document = pdfium.PdfDocument.new()
    for size in ((14400, 14400), (14400, 3), (3, 3), (200, 14400)):
        document.new_page(*size)
    document.save(tmp_path / "large.pdf")
    frames = list(read_pictures(tmp_path / "large.pdf"))
    shapes = [frame.image.shape[:2] for frame in frames if isinstance(frame, Frame)]
    assert len(shapes) == 4
    # What is much longer than wide keeps more of its length, and no more pixels.
    assert max(max(shape) for shape in shapes[:3]) <= LONGEST_SIDE
    assert max(shapes[3]) == pytest.approx(LONGEST_SIDE * 72**0.5, abs=1)
    assert shapes[3][0] * shapes[3][1] == pytest.approx(LONGEST_SIDE**2, rel=0.01)


def test_pdfs_in_a_folder_are_found(tmp_path: Path) -> None:
    _pdf(tmp_path / "scan.PDF", ["1"])
    assert find_pictures([tmp_path]) == [tmp_path / "scan.PDF"]


def test_damaged_empty_and_locked_files(tmp_path: Path) -> None:
    whole = _pdf(tmp_path / "whole.pdf", ["123"]).read_bytes()
    for name, data in (
        ("cut.pdf", whole[: len(whole) // 3]),
        ("head.pdf", b"%PDF-1.7\n"),
        ("zeros.pdf", b"%PDF" + bytes(999)),
    ):
        (tmp_path / name).write_bytes(data)
        assert "damaged or cut off PDF; copy it again" in _error(tmp_path / name)
    empty = pdfium.PdfDocument.new()
    empty.save(tmp_path / "empty.pdf")
    assert "PDF" in _error(tmp_path / "empty.pdf")
    assert "locked with a password; save it without one" in _error(_locked(tmp_path / "locked.pdf"))


def test_a_pdf_may_begin_behind_other_bytes(tmp_path: Path) -> None:
    path = _pdf(tmp_path / "scan.pdf", ["2024"])
    path.write_bytes(b"\r\n--boundary\r\n" + path.read_bytes())
    (frame,) = read_pictures(path)
    assert isinstance(frame, Frame)


def test_pages_that_are_not_there_are_not_all_listed(tmp_path: Path) -> None:
    path = tmp_path / "none.pdf"
    data = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    data += b"2 0 obj<</Type/Pages/Kids[]/Count 9000>>endobj\n"
    start = len(data)
    data += b"xref\n0 3\n0000000000 65535 f \n%010d 00000 n \n%010d 00000 n \n" % (
        data.index(b"1 0 obj"),
        data.index(b"2 0 obj"),
    )
    path.write_bytes(data + b"trailer<</Size 3/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % start)
    unread = list(read_pictures(path))
    assert len(unread) == 26
    assert isinstance(unread[-1], Unread)
    assert str(unread[-1].error).endswith("25 pages in a row are damaged, 8975 more not tried; copy it again")


def test_without_pypdfium2_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _pdf(tmp_path / "scan.pdf", ["123"])
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    assert "pip install pypdfium2" in _error(path)
