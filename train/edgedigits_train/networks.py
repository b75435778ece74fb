"""The networks, as TensorFlow modules.

A network takes pixels, float32 [n, pixels] in 0…1 (28×28 flattened row by row), and returns logits,
float32 [n, classes]: what the last layer gives before softmax (or sigmoid) is applied.
"""

from __future__ import annotations

import itertools

import tensorflow as tf

from edgedigits_train import recipe


class Network(tf.Module):
    """What the loop trains: pixels [n, pixels] in, logits [n, classes] out.

    `training` is true for the steps of training only; dropout and batch normalization ask for it.
    All state lies in `variables`, in a fixed order, and follows from the seed alone.
    """

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


def build(settings: recipe.Network, pixels: int, classes: int, seed: int) -> Network:
    """Build the network a recipe describes, with the first values that `seed` gives."""
    return Mlp(settings, pixels, classes, seed)


def parameters(network: Network) -> int:
    """Return how many numbers training adjusts."""
    return sum(int(variable.shape.num_elements()) for variable in network.trainable_variables)
