"""Two texts beside each other: the fewest edits that make one the other (V. I. Levenshtein 1966)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many labels of one text are added, left out or changed to make it the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def alignment(a: Sequence[int], b: Sequence[int]) -> list[tuple[int | None, int | None]]:
    """Return pairs of labels, of `a` and of `b`, along the fewest edits; None where one has nothing.

    Of several ways with as few, from the right on, labels that stand beside each other are preferred, then
    those of `a` that stand alone.
    """
    edits = np.zeros((len(a) + 1, len(b) + 1), np.int64)
    edits[:, 0], edits[0] = range(len(a) + 1), range(len(b) + 1)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            edits[i, j] = min(edits[i - 1, j - 1] + (x != y), edits[i - 1, j] + 1, edits[i, j - 1] + 1)
    pairs: list[tuple[int | None, int | None]] = []
    i, j = len(a), len(b)
    while i or j:
        if i and j and edits[i, j] == edits[i - 1, j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((a[i], b[j]))
        elif i and edits[i, j] == edits[i - 1, j] + 1:
            i -= 1
            pairs.append((a[i], None))
        else:
            j -= 1
            pairs.append((None, b[j]))
    return pairs[::-1]
