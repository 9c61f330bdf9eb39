"""What all networks are made of: layers without a random start, counter-seeded dropout, initialisation."""

from typing import Literal, cast

import torch
from torch import Tensor, nn

from law_rl.counters import torch_generator

Body = tuple[nn.Sequential, int]
"""A network from images [N, C, H, W] up to its features [N, D], and their width D."""

IMAGENET_FROM = 64  # pixels of the shorter side


def large_images(image_shape: tuple[int, int, int]) -> bool:
    """Whether images (C, H, W) have at least 64 pixels a side, for which networks are built as for ImageNet."""
    return min(image_shape[1:]) >= IMAGENET_FROM


class Conv2d(nn.Conv2d):
    """A bias-free convolution that keeps the image size at stride 1; its values are left to `initialise`."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False)

    def reset_parameters(self) -> None:
        """Draws nothing, unlike the base class, which reads the global generator."""


class Linear(nn.Linear):
    """A linear layer whose values are left to `initialise`."""

    def reset_parameters(self) -> None:
        """Draws nothing, unlike the base class, which reads the global generator."""


class GlobalAveragePool(nn.Module):
    """The mean over all positions: [N, C, H, W] -> [N, C]."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=(2, 3))


class CounterDropout(nn.Module):
    """Dropout whose mask comes from its own generator, which `seed_dropout` must set before each training step.

    Keeps an activation with probability 1 - share and divides it by that. The identity in evaluation mode.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: torch.Generator | None = None

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return features
        if self.generator is None:
            raise RuntimeError("Dropout has no random stream; call seed_dropout(network, ...) before a training step.")
        mask = torch.empty_like(features).bernoulli_(1.0 - self.share, generator=self.generator)
        return features * mask.div_(1.0 - self.share)


def seed_dropout(network: nn.Module, seed: int, stage: int, iteration: int) -> None:
    """Starts the dropout masks of one iteration: a function of (seed, stage, iteration, layer) and the device type."""
    device = str(next(network.parameters()).device)
    layers = (module for module in network.modules() if isinstance(module, CounterDropout))
    for index, layer in enumerate(layers):
        layer.generator = torch_generator(seed, "dropout", stage, iteration, index, device=device)


class Classifier(nn.Module):
    """A body from images [N, C, H, W] to features, an embedding layer where one is wanted, and a linear classifier.

    The embedding layer is linear, of `embedding` outputs, with no activation after it; 0 leaves it out, so that the
    features are the embedding. It is as in CCKD (arXiv 1904.01802, section 3.6). `width` is the embedding's width D.
    Images of any floating dtype are taken: they are cast to the dtype of the parameters, and autocast applies as usual.
    """

    def __init__(self, body: Body, classes: int, *, embedding: int = 0) -> None:
        super().__init__()
        self.body, features = body
        self.embedding = Linear(features, embedding) if embedding else nn.Identity()
        self.width = embedding or features
        self.classifier = Linear(self.width, classes)

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings [N, width] of images [N, C, H, W]: what the classifier sees."""
        return cast(Tensor, self.embedding(self.body(images.to(self.classifier.weight.dtype))))

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.embed(images)))


@torch.no_grad()
def initialise(network: Classifier, seed: int) -> None:
    """Sets the starting values of all convolutions and linear layers, layer i from (seed, "initialisation", i).

    Convolutions: Kaiming-normal, fan out, which of a grouped convolution is that of one group. Hidden linear layers:
    Kaiming-normal, fan in. The embedding layer, which no ReLU follows: N(0, 1 / fan in). The classifier: N(0, 0.01^2),
    as in LAW (1905.11058). Biases: 0. Batch normalisation is built with scale 1 and shift 0.
    """
    layers = (module for module in network.modules() if isinstance(module, (Conv2d, Linear)))
    for index, layer in enumerate(layers):
        generator = torch_generator(seed, "initialisation", index)
        if layer is network.classifier:
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
        elif isinstance(layer, Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            layer.weight.mul_(layer.groups**0.5)
        else:
            after: Literal["linear", "relu"] = "linear" if layer is network.embedding else "relu"
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity=after, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
