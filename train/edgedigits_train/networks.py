"""The networks, as TensorFlow modules.

A network takes pixels, float32 [n, pixels] in 0…1 (28×28 flattened row by row), and returns logits,
float32 [n, classes]: what the last layer gives before softmax (or sigmoid) is applied.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import tensorflow as tf

from edgedigits_train import recipe


class Network(tf.Module):
    """What the loop trains: pixels [n, pixels] in, logits [n, classes] out.

    `training` is true for the steps of training only; dropout and batch normalization ask for it.
    All state lies in `variables`, in a fixed order, and follows from the seed alone.
    """

    compiled: bool = True
    """Whether XLA may compile the loop around it (on CPU its convolutions are thirty times slower)."""

    def __call__(self, pixels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits; see the class for the shapes."""
        raise NotImplementedError


class Dense(tf.Module):
    """A fully connected layer: every output is a weighted sum of all inputs plus a bias."""

    def __init__(self, inputs: int, outputs: int, weights: tf.Tensor, bias: tf.Tensor) -> None:
        super().__init__()
        self.weights = tf.Variable(weights, name="weights", shape=(inputs, outputs))
        self.bias = tf.Variable(bias, name="bias", shape=(outputs,))

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """[n, inputs] → [n, outputs]."""
        return values @ self.weights + self.bias


class Mlp(Network):
    """Dense layers one after the other; after each but the last, the activation function.

    With `hidden` = [128] and ReLU this is the paper's network; with one hidden layer of sigmoid neurons
    that of the other source (whose output neurons are sigmoid, too: its loss applies that).
    """

    def __init__(self, settings: recipe.Mlp, pixels: int, classes: int, seed: int) -> None:
        super().__init__()
        draw = {
            "normal": tf.random.stateless_normal,
            "truncated-normal": tf.random.stateless_truncated_normal,
        }[settings.initial]
        self.activation = {"relu": tf.nn.relu, "sigmoid": tf.nn.sigmoid}[settings.activation]
        sizes = (pixels, *settings.hidden, classes)
        self.layers = [
            Dense(
                inputs,
                outputs,
                # The seed of a draw names what it is for: adding a layer leaves the others' values alone.
                draw((inputs, outputs), seed=(seed, 2 * number), stddev=settings.weight_sigma, alg="philox"),
                draw((outputs,), seed=(seed, 2 * number + 1), stddev=settings.bias_sigma, alg="philox"),
            )
            for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
        ]

    def __call__(self, pixels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits [n, classes] of pixels [n, pixels]."""
        *hidden, last = self.layers
        values = pixels
        for layer in hidden:
            values = self.activation(layer(values))
        return last(values)


class Convolution(tf.Module):
    """A convolution with batch normalization and ReLU (S. Ioffe and C. Szegedy 2015, algorithms 1 and 2).

    While training, the batch's own mean and variance normalize, and running ones are kept; afterwards those
    are folded into kernel and bias, so that what is exported is a plain convolution.
    """

    EPSILON = 1e-3
    KEPT = 0.98
    """Share of the running mean and variance kept at each step."""

    def __init__(self, kernel: tf.Tensor, stride: int | tuple[int, int], edges: str) -> None:
        super().__init__()
        filters = kernel.shape[-1]
        self.stride, self.edges = stride, edges.upper()
        self.kernel = tf.Variable(kernel, name="kernel")
        self.gain = tf.Variable(tf.ones(filters), name="gain")
        self.bias = tf.Variable(tf.zeros(filters), name="bias")
        mean = tf.VariableAggregation.MEAN  # of the devices, where there are several
        self.mean = tf.Variable(tf.zeros(filters), name="mean", trainable=False, aggregation=mean)
        self.variance = tf.Variable(tf.ones(filters), name="variance", trainable=False, aggregation=mean)

    def __call__(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[n, height, width, channels] → [n, height', width', filters], of the type of `values`."""
        if not training:
            factor = self.gain * tf.math.rsqrt(self.variance + self.EPSILON)
            values = tf.nn.conv2d(values, self.kernel * factor, self.stride, self.edges)
            return tf.nn.relu(values + (self.bias - self.mean * factor))
        values = tf.nn.conv2d(values, tf.cast(self.kernel, values.dtype), self.stride, self.edges)
        values, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            values, self.gain, self.bias, epsilon=self.EPSILON, is_training=True
        )
        self.mean.assign(self.KEPT * self.mean + (1 - self.KEPT) * mean)
        self.variance.assign(self.KEPT * self.variance + (1 - self.KEPT) * variance)
        return tf.nn.relu(values)


class Cnn(Network):
    """Convolutions one after the other, flattened into one dense layer.

    The pixels are of a square picture. The flatten is a reshape to (−1, n): with the number of pictures
    left open it leaves no shape arithmetic in the exported graph.
    """

    compiled = False

    def __init__(self, settings: recipe.Cnn, pixels: int, classes: int, seed: int) -> None:
        super().__init__()
        self.side = math.isqrt(pixels)
        self.precision = tf.as_dtype(settings.precision)
        self.layers = []
        channels = 1
        for number, (filters, kernel, stride, edges) in enumerate(
            zip(settings.filters, settings.kernels, settings.strides, settings.edges, strict=True)
        ):
            shape = (kernel, kernel, channels, filters)
            first = tf.random.stateless_truncated_normal(
                shape, seed=(seed, number), stddev=(2 / (kernel * kernel * channels)) ** 0.5, alg="philox"
            )
            self.layers.append(Convolution(first, stride, edges))
            channels = filters
        size = side_left(settings, self.side)
        self.flat = size * size * channels
        first = tf.random.stateless_truncated_normal(
            (self.flat, classes), seed=(seed, len(self.layers)), stddev=self.flat**-0.5, alg="philox"
        )
        self.last = Dense(self.flat, classes, first, tf.zeros(classes))

    def __call__(self, pixels: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the logits [n, classes] of pixels [n, pixels]."""
        values = tf.reshape(pixels, (-1, self.side, self.side, 1))
        if training:
            values = tf.cast(values, self.precision)
        for layer in self.layers:
            values = layer(values, training)
        return self.last(tf.cast(tf.reshape(values, (-1, self.flat)), tf.float32))


def side_left(settings: recipe.Cnn, side: int) -> int:
    """Return the side of what a picture of `side` pixels is after all convolutions, in pixels.

    Raises `RecipeError` where nothing is left of it.
    """
    steps = zip(settings.kernels, settings.strides, settings.edges, strict=True)
    for number, (kernel, stride, edges) in enumerate(steps, 1):
        if edges == "valid" and kernel > side:
            raise recipe.RecipeError(
                f"[network] convolution {number} has a window of {kernel} pixels where {side} are left; make "
                'it smaller, or its edges "same"'
            )
        side = -(-(side if edges == "same" else side - kernel + 1) // stride)
    return side


def check(asked: recipe.Recipe, pixels: int) -> None:
    """Raise `RecipeError` where a recipe's network can't be built for square pictures of so many pixels."""
    if isinstance(asked.network, recipe.Cnn):
        try:
            side_left(asked.network, math.isqrt(pixels))
        except recipe.RecipeError as error:
            raise recipe.RecipeError(f"{asked.name}: {error}") from error


def build(settings: recipe.Network, pixels: int, classes: int, seed: int) -> Network:
    """Build the network a recipe describes, with the first values that `seed` gives."""
    if isinstance(settings, recipe.Cnn):
        return Cnn(settings, pixels, classes, seed)
    return Mlp(settings, pixels, classes, seed)


def learnt(network: Any) -> list[tf.Variable]:
    """Return all that a network, maybe a loaded one, has learnt, in a fixed order."""
    layers = [*network.layers, *([network.last] if hasattr(network, "last") else [])]
    names = ("kernel", "gain", "bias", "mean", "variance", "weights")
    return [getattr(layer, name) for layer in layers for name in names if hasattr(layer, name)]


def parameters(network: Network) -> int:
    """Return how many numbers training adjusts."""
    return sum(int(variable.shape.num_elements()) for variable in network.trainable_variables)
