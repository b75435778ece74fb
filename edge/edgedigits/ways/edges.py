"""An edge between light and dark that passes for a stroke: of a door, a shadow, a table.

Around a stroke there is paper, on either side of it. Beside an edge one side is as dark as what passes for
ink, and where light falls off slowly all around it is hardly lighter.

Pure functions: nothing here knows of a model file.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.page import Box


@dataclass(frozen=True)
class EdgeSettings:
    """When a glyph is an edge.

    Chosen on MNIST's training digits and drawn edges, as `tests/bench/bench_edges.py` has them.
    """

    around: float = 0.12
    """What is so near to a glyph is around it, in parts of its longer side. 0.01…1."""
    darkest: float = 0.25
    """Of that this part, the darkest, is looked at. 0…1."""
    least: float = 0.2
    """It is lighter than the ink by this part of what is between the picture's light and its dark. 0…1."""


def is_edge(
    grey: NDArray[np.uint8], box: Box, ink: NDArray[np.uint8], settings: EdgeSettings = EdgeSettings()
) -> bool:
    """Return whether what passes for a glyph is an edge between light and dark.

    `grey` is the picture (uint8, H×W, ink dark), `box` the glyph's x, y, width, height in its pixels, `ink`
    its ink (uint8, 0 paper … 255 full ink, of any size: it is stretched over the box).
    """
    x, y, w, h = box
    reach = max(2, round(settings.around * max(w, h)))
    left, top = max(0, x - reach), max(0, y - reach)
    seen = grey[top : y + h + reach, left : x + w + reach]
    own = np.zeros(seen.shape, np.uint8)
    place = own[y - top : y - top + h, x - left : x - left + w]
    place[:] = cv2.resize(ink, place.shape[::-1], interpolation=cv2.INTER_AREA)
    if max(seen.shape) > _SIDE:
        scale = _SIDE / max(seen.shape)
        size = max(1, round(scale * seen.shape[1])), max(1, round(scale * seen.shape[0]))
        seen, own = (
            np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            for image in (seen, own)
        )
        reach = max(2, round(scale * reach))
    inked = (own > 0).view(np.uint8)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    around = seen[(cv2.dilate(inked, disk) > 0) & (inked == 0)]
    full = seen[own >= _FULL]
    if not full.size or not around.size:
        return False
    step = max(1, round((grey.size / _LOOKED_AT) ** 0.5))
    dark, light = np.percentile(grey[::step, ::step], (2, 98))
    lighter = np.percentile(around, 100 * settings.darkest) - np.median(full)
    return bool(lighter < settings.least * max(1.0, light - dark))


_SIDE = 128
"""A large glyph is looked at in so many pixels a side."""
_FULL = 128
"""Of ink: what is more than half dark."""
_LOOKED_AT = 40_000
"""So many of a picture's pixels tell how light and how dark it is."""
