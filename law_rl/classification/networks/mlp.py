"""The multilayer perceptron."""

from math import prod

from torch import nn

from law_rl.classification.networks.layers import Classifier, CounterDropout, Linear


def mlp(image_shape: tuple[int, int, int], classes: int, *, width: int, depth: int, dropout: float) -> Classifier:
    """`depth` hidden ReLU layers of `width` units on the flattened image, dropout after each."""
    body = nn.Sequential(nn.Flatten())
    for layer in range(depth):
        body.append(Linear(prod(image_shape) if layer == 0 else width, width))
        body.append(nn.ReLU())
        if dropout:
            body.append(CounterDropout(dropout))
    return Classifier(body, Linear(width, classes))
