"""The multilayer perceptron."""

from math import prod

from torch import nn

from law_rl.classification.networks.layers import Body, CounterDropout, Linear


def mlp(image_shape: tuple[int, int, int], *, width: int, depth: int, dropout: float) -> Body:
    """`depth` hidden ReLU layers of `width` units on the flattened image, dropout after each."""
    body = nn.Sequential(nn.Flatten())
    for layer in range(depth):
        body.append(Linear(prod(image_shape) if layer == 0 else width, width))
        body.append(nn.ReLU())
        if dropout:
            body.append(CounterDropout(dropout))
    return body, width
