"""What tutorials do, with our network: `python peer_plain.py MODEL resize|mnist`, a peer of `bench_peers.py`.

Grey, blur, Otsu's threshold, outer contours, boxes from left to right; each box is brought to 28×28, either
by a plain resize with a margin or centred as MNIST is. On a page, boxes whose middles lie within another's
height are one line.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
from peer_loop import Lines, serve

from edgedigits.model import Model
from edgedigits.normalize import normalize

LEAST_HEIGHT = 0.02
"""Boxes lower than this part of the picture (but at least 8 pixels) are dirt."""


def boxes_of(mask: np.ndarray) -> list[tuple[int, int, int, int]]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    least = max(8, LEAST_HEIGHT * mask.shape[0])
    return sorted(box for box in map(cv2.boundingRect, contours) if box[3] >= least)


def rows_of(boxes: list[tuple[int, int, int, int]]) -> list[list[tuple[int, int, int, int]]]:
    rows: list[list[tuple[int, int, int, int]]] = []
    for box in sorted(boxes, key=lambda box: box[1] + box[3] / 2):
        middle = box[1] + box[3] / 2
        if rows and rows[-1][0][1] <= middle <= rows[-1][0][1] + rows[-1][0][3]:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row) for row in rows]


def main() -> None:
    name, centring = sys.argv[1:]
    model = Model(name)
    digits = [(k, label) for k, label in enumerate(model.card.labels) if len(label) == 1]

    def glyph(ink: np.ndarray) -> np.ndarray:
        if centring == "mnist":
            return normalize(ink)
        return np.pad(cv2.resize(ink, (20, 20), interpolation=cv2.INTER_AREA), 4)

    def read(image: np.ndarray, kind: str) -> Lines:
        grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (5, 5), 0)
        _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        boxes = boxes_of(mask)
        lines = []
        for row in [boxes] if kind == "strips" else rows_of(boxes):
            if row:
                crops = np.stack([glyph(mask[y : y + h, x : x + w]) for x, y, w, h in row])
                best = [max((float(p[k]), label) for k, label in digits) for p in model.probabilities(crops)]
                lines.append(("".join(d for _, d in best), float(np.prod([p for p, _ in best]))))
        return lines

    serve(f"OpenCV {cv2.__version__}", read)


if __name__ == "__main__":
    main()
