"""Tesseract 5 as a peer of `bench_peers.py`: `python peer_tesseract.py LIBRARY PSM`, by its C interface.

Digits only, the model (`eng`) loaded once; on a strip the page segmentation mode is the one given, too.
Strips are enlarged until they are `STRIP_HEIGHT` high, and get a white margin, as its manual asks.
"""

from __future__ import annotations

import ctypes
import sys

import cv2
import numpy as np
from peer_loop import Lines, serve

STRIP_HEIGHT = 100
TEXT_LINE = 2  # RIL_TEXTLINE

Pointer = ctypes.c_void_p


def load(file: str) -> ctypes.CDLL:
    library = ctypes.CDLL(file)
    for name, result, arguments in [
        ("TessVersion", ctypes.c_char_p, []),
        ("TessBaseAPICreate", Pointer, []),
        ("TessBaseAPIInit3", ctypes.c_int, [Pointer, ctypes.c_char_p, ctypes.c_char_p]),
        ("TessBaseAPISetVariable", ctypes.c_int, [Pointer, ctypes.c_char_p, ctypes.c_char_p]),
        ("TessBaseAPISetPageSegMode", None, [Pointer, ctypes.c_int]),
        ("TessBaseAPISetImage", None, [Pointer, ctypes.c_char_p] + [ctypes.c_int] * 4),
        ("TessBaseAPISetSourceResolution", None, [Pointer, ctypes.c_int]),
        ("TessBaseAPIRecognize", ctypes.c_int, [Pointer, Pointer]),
        ("TessBaseAPIGetIterator", Pointer, [Pointer]),
        ("TessResultIteratorGetUTF8Text", Pointer, [Pointer, ctypes.c_int]),
        ("TessResultIteratorConfidence", ctypes.c_float, [Pointer, ctypes.c_int]),
        ("TessResultIteratorNext", ctypes.c_int, [Pointer, ctypes.c_int]),
        ("TessResultIteratorDelete", None, [Pointer]),
        ("TessDeleteText", None, [Pointer]),
    ]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main() -> None:
    library = load(sys.argv[1])
    api = library.TessBaseAPICreate()
    if library.TessBaseAPIInit3(api, None, b"eng"):
        raise SystemExit("Tesseract: its model for English is missing (Debian: tesseract-ocr-eng)")
    library.TessBaseAPISetVariable(api, b"tessedit_char_whitelist", b"0123456789")
    library.TessBaseAPISetPageSegMode(api, int(sys.argv[2]))

    def read(image: np.ndarray, kind: str) -> Lines:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if kind == "strips":
            factor = max(1.0, STRIP_HEIGHT / grey.shape[0])
            grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
            grey = cv2.copyMakeBorder(grey, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=255)
        height, width = grey.shape
        library.TessBaseAPISetImage(api, np.ascontiguousarray(grey).tobytes(), width, height, 1, width)
        library.TessBaseAPISetSourceResolution(api, 300)
        if library.TessBaseAPIRecognize(api, None):
            return []
        lines: list[tuple[str, float]] = []
        found = library.TessBaseAPIGetIterator(api)
        while found:
            text = library.TessResultIteratorGetUTF8Text(found, TEXT_LINE)
            if text:
                value = (ctypes.cast(text, ctypes.c_char_p).value or b"").decode()
                lines.append((value, library.TessResultIteratorConfidence(found, TEXT_LINE) / 100))
                library.TessDeleteText(text)
            if not library.TessResultIteratorNext(found, TEXT_LINE):
                break
        if found:
            library.TessResultIteratorDelete(found)
        return lines

    serve(library.TessVersion().decode(), read)


if __name__ == "__main__":
    main()
