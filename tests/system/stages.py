"""What an emulated board runs for its instructions to be counted: `python stages.py PICTURE`.

Prints a JSON array of labels, one for each mark: what has run since the mark before. A mark is a system call
that nothing else makes, at which the plug-in `count.c` notes how much has been executed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

IMPORTS = {
    "import NumPy": "numpy",
    "import OpenCV": "cv2",
    "import LiteRT": "ai_edge_litert.interpreter",
    "import Pillow": "PIL.Image",
    "import edgedigits": "edgedigits.reader",
}

STAGES = {
    "writing.find_ink": "ink",
    "writing.find_lines_in": "glyphs",
    "ways.glyph_reading.normalize_all": "normalize",
    "ways.line_reading.normalize_all": "normalize",
    "ways.glyph_reading.best_readings": "lattice",
    "ways.glyph_reading.decode_digit": "decode",
    "ways.glyph_reading.decode_line": "decode",
}
"""Functions, in the modules that call them, and the stages that they are counted as."""

REST = "of a read: cuts and the rest"

WARM = 10
"""Calls before the one that counts, where they are short: Python specializes code after eight."""

_labels: list[str] = []


def mark(label: str) -> None:
    """Say that what has run since the last mark is `label`; of an empty one nothing is kept."""
    _labels.append(label)
    os.getpgid(0)


def main(picture: str) -> None:
    """Go through the stages; all but the first are warmed up."""
    import importlib

    mark("start Python")
    for label, module in IMPORTS.items():
        importlib.import_module(module)
        mark(label)
    from edgedigits.reader import DEFAULT_MODEL, Reader

    frame = decode(picture)
    for name in models():
        of_model(name, frame)
    for name in models("strip"):
        of_strip_model(name)
    for name in models("character"):
        of_character_model(name)
    reader = Reader(DEFAULT_MODEL)
    reader.read(frame.image, frame.size)
    set_marks(reader)
    mark("")
    reader.read(frame.image, frame.size)
    mark(REST)


def models(way: Any = "glyph") -> list[str]:
    """Return the shipped models for a way of reading that are full-integer int8."""
    from edgedigits.runtime import shipped_models

    return [name for name in shipped_models(way) if name.endswith("-int8")]


def decode(picture: str) -> Any:
    """Decode the picture."""
    from edgedigits.frames import read_pictures

    (frame,) = warmed("decode the picture", 2, lambda: list(read_pictures(picture)))
    return frame


def of_model(name: str, frame: Any) -> None:
    """Open a model, ask it, and read with it."""
    import numpy as np

    from edgedigits.reader import Reader

    reader = warmed(f"open {name}", 1, lambda: Reader(name))
    asked: list[Any] = []
    ask = reader.model.probabilities
    reader.model.probabilities = lambda crops: asked.append(crops) or ask(crops)
    reader.read(frame.image, frame.size)
    del reader.model.probabilities
    digits = np.resize(np.concatenate(asked), (32, 28, 28))
    warmed(f"{name}, 1 digit", WARM, lambda: ask(digits[:1]))
    warmed(f"{name}, 32 digits", 1, lambda: ask(digits))
    warmed(f"read, {name}", 1, lambda: reader.read(frame.image, frame.size))


def of_strip_model(name: str) -> None:
    """Open a model for strips, and ask it about one window."""
    import numpy as np

    from edgedigits.strip_model import StripModel

    model = warmed(f"open {name}", 1, lambda: StripModel(name))
    window = np.zeros((model.height, model.width), np.uint8)
    warmed(f"{name}, {model.width} pixels of a strip", 1, lambda: model.log_probabilities(window))


def of_character_model(name: str) -> None:
    """Open a model for the characters of strips, and ask it about those of a line."""
    import numpy as np

    from edgedigits.model import SIDE, Model

    model = warmed(f"open {name}", 1, lambda: Model(name, way="character"))
    windows = np.zeros((8, SIDE, SIDE), np.uint8)
    warmed(f"{name}, 8 characters", WARM, lambda: model.probabilities(windows))


def warmed(label: str, times: int, call: Callable[[], Any]) -> Any:
    """Call so many times, and once more between two marks."""
    for _ in range(times):
        call()
    mark("")
    result = call()
    mark(label)
    return result


def set_marks(reader: Any) -> None:
    """Set marks around the stages of reading."""

    def around(call: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def marked(*arguments: Any, **more: Any) -> Any:
            mark(REST)
            result = call(*arguments, **more)
            mark(f"of a read: {stage}")
            return result

        return marked

    for place, stage in STAGES.items():
        caller, name = place.rsplit(".", 1)
        module = sys.modules[f"edgedigits.{caller}"]
        setattr(module, name, around(getattr(module, name), stage))
    reader.model.probabilities = around(reader.model.probabilities, "network")


if __name__ == "__main__":
    import gc
    import json

    # When garbage is collected depends on everything before: a small change would move it between stages.
    gc.disable()
    main(sys.argv[1])
    print(json.dumps(_labels))
