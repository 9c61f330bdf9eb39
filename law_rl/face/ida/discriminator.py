"""The critic of generated faces, and the losses of the game between the two."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.classification.networks.layers import Linear
from law_rl.face.ida.generator import GeneratorConfig
from law_rl.face.ida.layers import SLOPE, Halving, draw_weights


class Discriminator(nn.Module):
    """Three convolutions of stride 2 with leaky rectifiers, and a linear layer: images [N, C, S, S] to scores [N].

    Images lie in [-1, 1]; a higher score means more real. The linear layer also sees how far the features spread over
    the batch, so that a generator of one face is found out: scores depend on the whole batch.
    Source: DCGAN (arXiv 1511.06434); the spread over the batch from 1710.10196.
    """

    def __init__(self, config: GeneratorConfig, *, seed: int) -> None:
        super().__init__()
        width = config.width
        self.layers = nn.ModuleList(
            [Halving(config.channels, width), Halving(width, 2 * width), Halving(2 * width, 4 * width)]
        )
        self.last = Linear((4 * width + 1) * config.base**2, 1)
        draw_weights(self, seed, "discriminator")

    def forward(self, images: Tensor) -> Tensor:
        for layer in self.layers:
            images = functional.leaky_relu(layer(images), SLOPE)
        return cast(Tensor, self.last(torch.cat([images, _spread(images)], 1).flatten(1)).squeeze(1))


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """mean -log sigmoid(real) + mean -log(1 - sigmoid(fake)) of scores [N] each."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """mean -log sigmoid(fake) of scores [N], the loss that does not saturate. Source: arXiv 1406.2661, section 3."""
    return functional.softplus(-fake).mean()


def gradient_penalty(images: Tensor, scores: Tensor) -> Tensor:
    """The mean over real images [N, C, S, S] of the squared length of the gradient of their scores [N] to them (R1).

    Can be differentiated again. Source: arXiv 1801.04406, equation (9), without its factor of gamma / 2.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def _spread(features: Tensor) -> Tensor:
    """The standard deviation over the batch, in the mean over all entries of features [N, C, H, W]: [N, 1, H, W]."""
    spread = (features.var(0, correction=0) + 1e-8).sqrt().mean()
    return spread.expand(len(features), 1, *features.shape[2:])
