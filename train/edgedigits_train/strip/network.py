"""The strip network, as a TensorFlow module.

It takes strips, float32 [n, 40, width] in 0…1 (ink 1), and returns logits, float32 [n, steps, labels + 1]:
for every two pixels of width what stands there, the last entry being CTC's blank.
"""

from __future__ import annotations

import tensorflow as tf

from edgedigits.strips import HEIGHT
from edgedigits_train.networks import Convolution
from edgedigits_train.strip import recipe


class StripNetwork(tf.Module):
    """Convolutions that take the strip's height down to one row, convolutions along it, one answer a step.

    Only convolutions with ReLU and one without, so that it quantizes to int8 in full and maps onto an
    Edge TPU; nothing in it depends on the width.
    """

    def __init__(self, settings: recipe.Network, labels: int, seed: int) -> None:
        super().__init__()
        self.precision = tf.as_dtype(settings.precision)
        self.layers: list[Convolution] = []
        channels, rows = 1, HEIGHT
        for number, filters in enumerate(settings.filters[:-1]):
            # The first halves the width, too; each stage halves the height.
            stride = (2, 2) if number == 0 else (2, 1)
            self._add((3, 3, channels, filters), stride, "same", seed)
            channels, rows = filters, -(-rows // 2)
            for _ in range(settings.plain):
                self._add((3, 3, channels, channels), 1, "same", seed)
        self._add((rows, 1, channels, settings.filters[-1]), 1, "valid", seed)
        channels = settings.filters[-1]
        for filters in settings.along:
            self._add((1, settings.reach, channels, filters), 1, "same", seed)
            channels = filters
        shape = (1, 1, channels, labels + 1)
        first = tf.random.stateless_truncated_normal(
            shape, seed=(seed, len(self.layers)), stddev=channels**-0.5, alg="philox"
        )
        self.kernel = tf.Variable(first, name="kernel")
        self.bias = tf.Variable(tf.zeros(labels + 1), name="bias")

    def _add(
        self, shape: tuple[int, int, int, int], stride: int | tuple[int, int], edges: str, seed: int
    ) -> None:
        fan_in = shape[0] * shape[1] * shape[2]
        first = tf.random.stateless_truncated_normal(
            shape, seed=(seed, len(self.layers)), stddev=(2 / fan_in) ** 0.5, alg="philox"
        )
        self.layers.append(Convolution(first, stride, edges))

    def __call__(self, strips: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits [n, steps, labels + 1] of strips [n, 40, width]."""
        return tf.squeeze(self.answers(strips[..., None], training), 1)

    def answers(self, strips: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits [n, 1, steps, labels + 1] of strips [n, 40, width, 1]: no shape is changed."""
        values = tf.cast(strips, self.precision) if training else strips
        for layer in self.layers:
            values = layer(values, training)
        return tf.nn.conv2d(tf.cast(values, tf.float32), self.kernel, 1, "SAME") + self.bias
