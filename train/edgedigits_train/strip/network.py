"""The strip network, as a TensorFlow module.

It takes strips, float32 [n, 40, width] in 0…1 (ink 1), and returns logits, float32 [n, steps, labels + 1]:
for every two pixels of width what stands there, the last entry being CTC's blank.
"""

from __future__ import annotations

import tensorflow as tf

from edgedigits.strips import HEIGHT
from edgedigits_train.networks import Convolution
from edgedigits_train.strip import recipe


class Context(tf.Module):
    """What stands farther along the strip: how this hand writes, how large, how slanting, how dark.

    Few channels, and windows so long that each channel has one of its own (a depthwise convolution), mixed
    by convolutions of one step: as much as fits beside the rest.
    """

    def __init__(self, settings: recipe.Network, inputs: int, outputs: int, seed: int) -> None:
        super().__init__()
        channels, reach = settings.context, settings.context_reach
        shapes = [(1, 1, inputs, channels)] + [(1, 1, channels, channels)] * settings.context_layers
        self.layers = [
            Convolution(_first(shape, (seed, 100 + number)), 1, "same") for number, shape in enumerate(shapes)
        ]
        self.windows = [
            tf.Variable(
                tf.random.stateless_truncated_normal(
                    (1, reach, channels, 1), seed=(seed, 200 + number), stddev=reach**-0.5, alg="philox"
                ),
                name="window",
            )
            for number in range(settings.context_layers)
        ]
        # From nothing: what a network has learnt without it is not disturbed.
        self.kernel = tf.Variable(tf.zeros((1, 1, channels, outputs)), name="kernel")

    def __call__(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, 1, steps, inputs] → [n, 1, steps, channels], of the type of `values`."""
        first, *others = self.layers
        values = first(values, training)
        for window, layer in zip(self.windows, others, strict=True):
            weights = tf.cast(window, values.dtype)
            values = layer(tf.nn.depthwise_conv2d(values, weights, (1, 1, 1, 1), "SAME"), training)
        return values


def _first(shape: tuple[int, int, int, int], seed: tuple[int, int]) -> tf.Tensor:
    """Return a convolution's first weights (K. He et al. 2015, equation 10)."""
    stddev = (2 / (shape[0] * shape[1] * shape[2])) ** 0.5
    return tf.random.stateless_truncated_normal(shape, seed=seed, stddev=stddev, alg="philox")


class StripNetwork(tf.Module):
    """Convolutions that take the strip's height down to one row, convolutions along it, one answer a step.

    Only convolutions with ReLU and one without, so that it quantizes to int8 in full and maps onto an
    Edge TPU; nothing in it depends on the width. Where the recipe says so, what is farther along the strip
    takes part in the first of those along it.
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
        self.along = len(self.layers)
        self.context = Context(settings, channels, settings.along[0], seed) if settings.context else None
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
        self.layers.append(Convolution(_first(shape, (seed, len(self.layers))), stride, edges))

    def __call__(self, strips: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits [n, steps, labels + 1] of strips [n, 40, width]."""
        return tf.squeeze(self.answers(strips[..., None], training), 1)

    def answers(self, strips: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits [n, 1, steps, labels + 1] of strips [n, 40, width, 1]: no shape is changed."""
        values = tf.cast(strips, self.precision) if training else strips
        for number, layer in enumerate(self.layers):
            beside = None
            if self.context is not None and number == self.along:
                beside = self.context(values, training), self.context.kernel
            values = layer(values, training, beside)
        return tf.nn.conv2d(tf.cast(values, tf.float32), self.kernel, 1, "SAME") + self.bias
