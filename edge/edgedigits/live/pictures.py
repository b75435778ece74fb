"""Pictures of doubtful readings, kept to be labelled later; off unless asked for, as privacy wants it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import OutputError
from edgedigits.event import Event
from edgedigits.files import make_folder, write_atomically


@dataclass(frozen=True)
class PictureSettings:
    """Which pictures are kept."""

    folder: str = ""
    """Folder for the pictures of readings that were not accepted; empty: none is kept."""
    most: int = 500
    """The oldest picture goes when there are more. 1…1,000,000."""
    days: float = 30.0
    """… or when it is older. Days, 0.01…36,500."""


_NAME = re.compile(r"[0-9a-f]{12}-[0-9]+\.png")
"""What a picture is called: an event's id is the journal's name and a number (see `journal`). Whatever else
lies in the folder is somebody else's."""


class KeptPictures:
    """A folder of pictures, each `ID.png` with what was read beside it in `ID.json`.

    Raises `OutputError` where the folder can't be made.
    """

    def __init__(self, settings: PictureSettings, clock: Callable[[], float] = time.time) -> None:
        self.folder = make_folder(settings.folder)
        self._settings, self._clock = settings, clock

    def keep(self, image: NDArray[np.uint8], event: Event) -> None:
        """Keep the picture (H×W or H×W×3) an event was read in; raises `OutputError` where it can't."""
        ok, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        path = self.folder / f"{event.id}.png"
        if not ok:
            raise OutputError(f"{path}: the picture can't be written as PNG; report it")
        write_atomically(path, data.tobytes())
        write_atomically(path.with_suffix(".json"), (event.as_json() + "\n").encode())
        self._tidy(event.journal)

    def _tidy(self, journal: str) -> None:
        """Remove the oldest pictures; `journal` is the name of the one at hand."""
        found = []
        for path in self.folder.glob("*-*.png"):
            if _NAME.fullmatch(path.name):
                name, _, sequence = path.stem.partition("-")
                with contextlib.suppress(OSError):
                    found.append((name == journal, int(sequence), path.stat().st_mtime, path))
        # By the clock, which may have been set back, the newest would be the first to go. Those of earlier
        # journals are older than any of this one.
        found.sort(key=lambda one: (one[0], one[1] if one[0] else one[2]))
        old = self._clock() - self._settings.days * 86_400
        surplus = len(found) - self._settings.most
        for number, (_, _, written, path) in enumerate(found):
            if number < surplus or written < old:
                for file in (path, path.with_suffix(".json")):
                    with contextlib.suppress(OSError):
                        file.unlink()
