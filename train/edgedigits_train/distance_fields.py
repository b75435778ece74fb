"""A digit taken apart into distances: how far inside its stroke a pixel lies, how far from its middle line.

From the one follows the digit with a thinner or bolder stroke, from the other the same digit drawn anew with
a pen of any width.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgedigits.normalize import SIZE

FINE = 2
"""Field pixels per pixel of the picture: fields are finer than the pictures they are made from."""
FIELD = FINE * SIZE
"""Side of a distance field in its pixels."""
UNIT = 8
"""Codes per field pixel of distance: a field is uint8, 128 on the edge, `UNIT` more for each pixel inside."""


@dataclass(frozen=True)
class Fields:
    """The distance fields of pictures: uint8, N×56×56, in the code of `UNIT`.

    `inside` is the distance to the stroke's edge, positive inside; `middle` that to the stroke's middle
    line, counted downwards from 128 on the line. `width` is the stroke's mean width, float32 [N], in field
    pixels; `smooth` says where the middle line tells the shape, bool [N] (not where a loop is filled).
    """

    inside: npt.NDArray[np.uint8]
    middle: npt.NDArray[np.uint8]
    width: npt.NDArray[np.float32]
    smooth: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.inside)


def fields(images: npt.NDArray[np.uint8]) -> Fields:
    """Take pictures apart into distances; `images` is uint8, N×28×28 or N×56×56, ink bright on 0."""
    count = len(images)
    masks = np.empty((count, FIELD, FIELD), np.uint8)
    for mask, image in zip(masks, images, strict=True):
        large = image
        if len(image) != FIELD:
            large = np.asarray(cv2.resize(image, (FIELD, FIELD), interpolation=cv2.INTER_CUBIC), np.uint8)
        mask[:] = large > 110
    lines = thin(masks)
    inside = np.empty((count, FIELD, FIELD), np.uint8)
    middle = np.empty_like(inside)
    width = np.zeros(count, np.float32)
    smooth = np.zeros(count, bool)
    for i in range(count):
        mask, line = masks[i], lines[i]
        deep = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # A pixel just inside the edge is 1 from the nearest one outside, and half a pixel from the edge.
        signed = np.where(mask > 0, deep - 0.5, 0.5 - outside)
        inside[i] = code(cv2.GaussianBlur(signed.astype(np.float32), (0, 0), 0.7))
        away = cv2.distanceTransform(1 - line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        middle[i] = code(-cv2.GaussianBlur(away, (0, 0), 0.8) + 0.4)
        halves = deep[line > 0]
        if halves.size:
            width[i] = 2 * halves.mean() - 1
            smooth[i] = halves.max() < 2.2 * np.median(halves) and halves.size > 8
    return Fields(inside, middle, width, smooth)


def code(distance: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return distances in field pixels, positive inside, as a field has them."""
    return np.clip(np.rint(128 + UNIT * distance), 0, 255).astype(np.uint8)


def _neighbours(code: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (code[:, None] >> np.arange(8)) & 1


def _removable() -> npt.NDArray[np.bool_]:
    """Return, for both passes, which of the 256 neighbourhoods let a pixel go (Zhang and Suen 1984)."""
    p = _neighbours(np.arange(256))  # clockwise from the north
    count = p.sum(axis=1)
    rises = ((p == 0) & (np.roll(p, -1, axis=1) == 1)).sum(axis=1)
    north, east, south, west = p[:, 0], p[:, 2], p[:, 4], p[:, 6]
    common = (count >= 2) & (count <= 6) & (rises == 1)
    first = common & (north * east * south == 0) & (east * south * west == 0)
    second = common & (north * east * west == 0) & (north * south * west == 0)
    return np.stack([first, second])


_REMOVABLE = _removable()
_AT_ONCE = 500  # masks: as many as stay in a processor's cache
_AROUND = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))


def thin(masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the middle lines of masks, both uint8, N×H×W, 0 or 1.

    T. Y. Zhang and C. Y. Suen, "A fast parallel algorithm for thinning digital patterns", 1984.
    """
    result = np.empty_like(masks)
    for start in range(0, len(masks), _AT_ONCE):
        padded = np.pad(masks[start : start + _AT_ONCE], ((0, 0), (1, 1), (1, 1)))
        inner = padded[:, 1:-1, 1:-1]
        height, width = inner.shape[1:]
        changed = True
        while changed:
            changed = False
            for removable in _REMOVABLE:
                code = np.zeros(inner.shape, np.uint8)
                for bit, (dy, dx) in enumerate(_AROUND):
                    code |= padded[:, dy : dy + height, dx : dx + width] << bit
                gone = removable[code] & (inner > 0)
                if gone.any():
                    changed = True
                    inner[gone] = 0
        result[start : start + _AT_ONCE] = inner
    return result
