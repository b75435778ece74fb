"""The sample pictures from which quantization learns the ranges of the activations.

The sample is pinned: the same seed and the same data give the same pictures, and the card of a model
records a checksum of their numbers. MNIST's pictures are what the device's pipeline yields for them (its
centring gives them back unchanged); a user's own go through that pipeline here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgedigits_export.data import Pictures
from edgedigits_export.errors import DataError

COUNT = 500
"""How many pictures are drawn unless told otherwise."""
FEWEST = 50
"""With fewer glyphs than this, the ranges are those of a few strokes and not of handwriting."""


@dataclass(frozen=True)
class Sample:
    """Pictures to calibrate with: `images` uint8, N×28×28, and what the card says of where they came from."""

    images: NDArray[np.uint8]
    origin: Mapping[str, Any]


def draw_sample(pictures: Pictures, seed: int = 0, count: int = COUNT) -> Sample:
    """Draw `count` of the pictures, each at most once, with a generator seeded by `seed`.

    Raises `DataError` where there are fewer pictures than that.
    """
    if len(pictures) < count:
        raise DataError(
            f"{pictures.name}: {len(pictures)} pictures where {count} are to be drawn for calibration; "
            "name the whole set"
        )
    indices = np.random.default_rng(seed).choice(len(pictures), count, replace=False).astype("<u4")
    return Sample(
        pictures.images[indices],
        {
            "source": pictures.name,
            "md5": pictures.md5,
            "seed": seed,
            "count": count,
            "indices_sha256": hashlib.sha256(indices.tobytes()).hexdigest(),
        },
    )


def crops_from(folder: Path) -> NDArray[np.uint8]:
    """Return every glyph in the pictures of a folder, as the device would hand it to the network.

    The result is uint8, N×28×28. Raises `DataError` where a picture can't be read or there are too few
    glyphs to calibrate with.
    """
    from edgedigits.frames import Frame, find_pictures, read_pictures
    from edgedigits.glyphs.text_lines import find_lines
    from edgedigits.ink import find_ink
    from edgedigits.normalize import normalize

    crops: list[NDArray[np.uint8]] = []
    for path in find_pictures([folder]):
        frames = read_pictures(path) if isinstance(path, Path) else iter([path])
        for frame in frames:
            if not isinstance(frame, Frame):
                raise DataError(str(frame.error))
            lines = find_lines(find_ink(frame.image))
            crops.extend(normalize(glyph.ink) for line in lines for glyph in line.glyphs)
    if len(crops) < FEWEST:
        raise DataError(
            f"{folder}: {len(crops)} digits are found in its pictures, and {FEWEST} are the fewest to "
            "calibrate with; add pictures, or leave --representative out"
        )
    return np.stack(crops)


def sample_crops(crops: NDArray[np.uint8], seed: int = 0, count: int = COUNT) -> Sample:
    """Draw at most `count` of a user's own crops (uint8, N×28×28), with a generator seeded by `seed`."""
    count = min(count, len(crops))
    indices = np.random.default_rng(seed).choice(len(crops), count, replace=False)
    return Sample(
        crops[indices],
        {
            "source": "own pictures",
            "seed": seed,
            "count": count,
            "of": len(crops),
            "crops_sha256": hashlib.sha256(crops[indices].tobytes()).hexdigest(),
        },
    )


def unlike(crops: NDArray[np.uint8], training: NDArray[np.uint8]) -> tuple[str, ...]:
    """Say in what crops (uint8, N×28×28) do not look like the training pictures (likewise).

    A measure is unlike where the crops' median lies outside the middle nine tenths of the training pictures.
    """
    said = []
    for what, measure in _MEASURES.items():
        low, high = np.percentile(measure(training), [5, 95])
        typical = float(np.median(measure(crops)))
        if not low <= typical <= high:
            said.append(f"{what} {typical:.1f}, where the training pictures have {low:.1f} to {high:.1f}")
    return tuple(said)


def _edge_share(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of the ink's pixels that touch the background, in %: large for thin or ragged strokes."""
    ink = np.pad(crops > 127, ((0, 0), (1, 1), (1, 1)))
    inner = ink[:, :-2, 1:-1] & ink[:, 2:, 1:-1] & ink[:, 1:-1, :-2] & ink[:, 1:-1, 2:]
    ink = ink[:, 1:-1, 1:-1]
    share: NDArray[np.float64] = 100 * (ink & ~inner).sum(axis=(1, 2)) / np.maximum(ink.sum(axis=(1, 2)), 1)
    return share


_MEASURES: Mapping[str, Callable[[NDArray[np.uint8]], NDArray[Any]]] = {
    "pixels of ink": lambda crops: (crops > 127).sum(axis=(1, 2)),
    "% of the pixels grey": lambda crops: 100 * ((crops > 31) & (crops < 224)).mean(axis=(1, 2)),
    "% of the ink at its edge": _edge_share,
}
