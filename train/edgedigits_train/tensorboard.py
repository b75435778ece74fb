"""TensorBoard logs of a run, in its folder `logs/`: what the progress line says, for every epoch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import tensorflow as tf

from edgedigits.errors import OutputError
from edgedigits_train.loop import Epoch
from edgedigits_train.run import Watcher

# What tf.summary.scalar writes; but that needs the package tensorboard, and writing needs none.
SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
)


class TensorBoard:
    """A watcher that logs, and passes on to another watcher.

    A run that goes on after an interruption adds to the logs that are there. Raises `OutputError` where
    they can't be written.
    """

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.writer: Any = None
        self.folder = Path()

    def start(self, what: str, out: Path) -> None:
        """Open the logs of the training of "network" or "twin"."""
        self.folder = out / "logs" / what
        try:
            self.writer = tf.summary.create_file_writer(str(self.folder))
        except tf.errors.OpError as error:
            raise self._refused(error) from error
        self.watcher.start(what, out)

    def epoch(self, row: Epoch) -> None:
        """Log what an epoch gave."""
        values = dataclasses.asdict(row)
        number = values.pop("epoch")
        try:
            with self.writer.as_default(step=number):
                for name, value in values.items():
                    if value is not None:
                        tf.summary.write(name, tf.constant(value, tf.float32), metadata=SCALAR)
            self.writer.flush()
        except tf.errors.OpError as error:
            raise self._refused(error) from error
        self.watcher.epoch(row)

    def _refused(self, error: tf.errors.OpError) -> OutputError:
        return OutputError(
            f"{self.folder}: can't write the logs ({error.message.splitlines()[0]}); make room"
        )
