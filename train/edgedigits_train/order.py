"""The order in which an epoch sees its pictures: a pure function of seed and epoch."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt


def epoch_order(count: int, shuffle: int | Literal["full"], seed: int, epoch: int) -> npt.NDArray[np.int32]:
    """Return a permutation of 0…`count` − 1, int32: the order of one epoch (from 1).

    With `shuffle` = "full" every order is equally likely. A number is the size of tf.data's shuffle
    buffer, which is emulated here: of the `shuffle` pictures in the buffer a random one is next, and the
    next picture of the data set takes its place, so that a picture never comes more than `shuffle` − 1
    places too early.
    """
    random = np.random.default_rng((seed, epoch))
    if shuffle == "full" or shuffle >= count:
        return random.permutation(count).astype(np.int32)
    # While the buffer is full every slot is as likely; when the data set has ended the buffer runs empty.
    slots = random.integers(shuffle, size=count - shuffle).tolist()
    buffer = list(range(shuffle))
    order = []
    for entering, slot in enumerate(slots, shuffle):
        order.append(buffer[slot])
        buffer[slot] = entering
    rest = np.array(buffer, np.int32)
    return np.concatenate([np.array(order, np.int32), random.permutation(rest)])
