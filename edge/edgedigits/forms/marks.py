"""Marks that say where a page is: solid ones at its corners, and ArUco marks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgedigits.errors import RegistrationError
from edgedigits.geometry import Floats, clockwise, plausible
from edgedigits.shrink import within_side

Grey = NDArray[np.uint8]

_SIDE = 2000
"""Solid marks are looked for in a copy of at most so many pixels a side."""

_MOST = 40
"""So many marks are considered, the largest."""


@dataclass(frozen=True, eq=False)
class Mark:
    """A solid dark square or disc; `centre` (2) and `side` in pixels of the picture."""

    centre: Floats
    side: float


def solid_marks(grey: Grey) -> list[Mark]:
    """Return the solid dark squares and discs of a picture (uint8, H×W), the largest first, 40 at most."""
    small, scale = within_side(grey, _SIDE)
    block = max(51, round(0.12 * max(small.shape))) | 1
    mask = cv2.adaptiveThreshold(small, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, 25)
    # Not the outermost alone: a desk that is dark along the sheet's edges is a ring around them.
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    marks = []
    for contour in contours:
        if len(contour) < 16:
            continue
        _, (w, h), _ = cv2.minAreaRect(contour)
        area = cv2.contourArea(contour)
        if min(w, h) < 5 or max(w, h) > 2.2 * min(w, h) or area < 0.7 * w * h:
            continue
        x0, y0, w0, h0 = cv2.boundingRect(contour)
        own = np.zeros((h0, w0), np.uint8)
        cv2.drawContours(own, [contour], -1, 255, cv2.FILLED, offset=(-x0, -y0))
        solid = cv2.bitwise_and(mask[y0 : y0 + h0, x0 : x0 + w0], own)
        if cv2.countNonZero(solid) < 0.95 * cv2.countNonZero(own):
            continue  # a ring, a zero, a box
        moments = cv2.moments(contour)
        centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
        marks.append(Mark((centre + 0.5) / scale, float(np.sqrt(w * h)) / scale))
    return sorted(marks, key=lambda m: -m.side)[:_MOST]


def quads_of_marks(marks: Sequence[Mark], due: float) -> list[Floats]:
    """Return quadrilaterals (4×2) of marks whose size suits their distance, the most likely first.

    `due` is a mark's side over the distance of the upper two. There are 30 at most of marks of one size, from
    one to half of it; those of the largest come first, for dots and filled letters are many and go together
    in every way.
    """
    fours = np.array(list(itertools.combinations(range(len(marks)), 4)), np.intp).reshape(-1, 4)
    sides = np.array([m.side for m in marks])[fours]
    alike = sides.max(axis=1, initial=0) <= 2 * sides.min(axis=1, initial=np.inf)
    fours, sides = fours[alike], sides[alike]
    quads = clockwise(np.array([m.centre for m in marks]).reshape(-1, 2)[fours])
    possible = plausible(quads)
    quads, sides = quads[possible], np.median(sides[possible], axis=1)
    spans = np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=2)
    misfit = np.abs(np.log(sides[:, None] / spans / due)).min(axis=1, initial=np.inf)
    # The sides of a page opposite one another are seen about as long.
    uneven = np.abs(np.log(spans[:, :2] / spans[:, 2:])).max(axis=1, initial=0)
    suiting = misfit <= np.log(2.2)
    quads, sides, misfit = quads[suiting], sides[suiting], (misfit + uneven)[suiting]
    size = np.floor(np.log2(sides.max(initial=1.0) / sides))
    order = np.lexsort((misfit, size))
    _, first, count = np.unique(size[order], return_index=True, return_counts=True)
    return [quads[k] for a, n in zip(first, count, strict=True) for k in order[a : a + min(n, 30)]]


def detect_aruco(grey: Grey, dictionary: str) -> tuple[list[Floats], list[int]]:
    """Return the corners (4×2, pixels) and the numbers of the ArUco marks in a picture."""
    aruco, words = _aruco(dictionary)
    if hasattr(aruco, "ArucoDetector"):  # OpenCV 4.7 and later
        parameters = aruco.DetectorParameters()
        parameters.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
        corners, numbers, _ = aruco.ArucoDetector(words, parameters).detectMarkers(grey)
    else:
        parameters = aruco.DetectorParameters_create()
        parameters.cornerRefinementMethod = aruco.CORNER_REFINE_SUBPIX
        corners, numbers, _ = aruco.detectMarkers(grey, words, parameters=parameters)
    if numbers is None:
        return [], []
    # A pixel's centre is at its index here, and half a pixel further in ours.
    return [np.asarray(c, np.float64).reshape(4, 2) + 0.5 for c in corners], [int(n) for n in numbers.ravel()]


def draw_aruco(dictionary: str, number: int, wide: int, high: int) -> Grey:
    """Return an upright ArUco mark with its black border, no paper around it: uint8, `high`×`wide`."""
    aruco, words = _aruco(dictionary)
    side = max(wide, high, words.markerSize + 2)
    draw = aruco.generateImageMarker if hasattr(aruco, "generateImageMarker") else aruco.drawMarker
    mark = draw(words, number, side)
    return np.asarray(cv2.resize(mark, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)


def _aruco(dictionary: str) -> tuple[Any, Any]:
    """Return OpenCV's module and its dictionary of that name; raises `RegistrationError` without it."""
    aruco: Any = getattr(cv2, "aruco", None)
    if aruco is None:
        raise RegistrationError(
            "this OpenCV knows no ArUco marks; install opencv-python-headless 4.7 or later, or Debian's "
            "python3-opencv"
        )
    name = "DICT_ARUCO_ORIGINAL" if dictionary == "original" else f"DICT_{dictionary.upper()}"
    return aruco, aruco.getPredefinedDictionary(getattr(aruco, name))
