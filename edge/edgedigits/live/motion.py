"""Whether anything moves before the camera: what need not be read again saves power."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MotionSettings:
    """When a picture counts as another."""

    enabled: bool = True
    """Whether a scene in which nothing moves is left unread between looks."""
    contrast: float = 0.05
    """A cell of the picture has changed if its brightness against its surroundings did by so much. 0…1."""
    share: float = 0.002
    """Something moves if so many of the cells have changed. 0…1."""
    refresh_seconds: float = 2.0
    """A scene in which nothing moves is read again after so long. Seconds, 0…3600."""


class Motion:
    """Compares pictures with each other, at 80×60 cells, regardless of slow changes of the light."""

    _cells = (80, 60)

    def __init__(self, settings: MotionSettings = MotionSettings()) -> None:
        self._settings = settings
        self._before: NDArray[np.float32] | None = None
        self._known: NDArray[np.float32] | None = None

    def observe(self, image: NDArray[np.uint8]) -> tuple[bool, bool]:
        """Take in a picture, uint8, H×W or H×W×3.

        Returns whether it differs from the one before it, and from the one that was last remembered.
        """
        cells = cv2.resize(image, self._cells, interpolation=cv2.INTER_AREA)
        grey = cells if cells.ndim == 2 else cv2.cvtColor(cells, cv2.COLOR_BGR2GRAY)
        light = grey.astype(np.float32) + 4  # black has noise, too
        # What a lamp or a cloud does is the same for a cell and its surroundings.
        now = np.asarray(light / cv2.blur(light, (15, 15), borderType=cv2.BORDER_REFLECT), np.float32)
        moving, changed = self._differ(now, self._before), self._differ(now, self._known)
        self._before = now
        return moving, changed

    def remember(self) -> None:
        """Make the picture at hand the one that later ones are compared with."""
        self._known = self._before

    def _differ(self, now: NDArray[np.float32], other: NDArray[np.float32] | None) -> bool:
        if other is None:
            return True
        count = np.count_nonzero(np.abs(now - other) > self._settings.contrast)
        return bool(count > self._settings.share * now.size)
