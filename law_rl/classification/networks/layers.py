"""What all networks are made of: layers without a random start, counter-seeded dropout, initialisation."""

import math
from contextlib import nullcontext
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.counters import torch_generator

Body = tuple[nn.Sequential, int]
"""A network from images [N, C, H, W] up to its features [N, D], and their width D."""

IMAGENET_FROM = 64  # pixels of the shorter side

SHORTEST = 1e-12
"""Vectors whose length is not above this have no direction."""


def large_images(image_shape: tuple[int, int, int]) -> bool:
    """Whether images (C, H, W) have at least 64 pixels a side, for which networks are built as for ImageNet."""
    return min(image_shape[1:]) >= IMAGENET_FROM


class Conv2d(nn.Conv2d):
    """A bias-free convolution, of `size` pixels a side that keeps the image size at stride 1; of (height, width) pixels
    without padding, as for a whole image. Its values are left to `initialise`."""

    def __init__(
        self, inputs: int, outputs: int, size: int | tuple[int, int], stride: int = 1, groups: int = 1
    ) -> None:
        padding = size // 2 if isinstance(size, int) else 0
        super().__init__(inputs, outputs, size, stride, padding=padding, groups=groups, bias=False)

    def reset_parameters(self) -> None:
        """Draws nothing, unlike the base class, which reads the global generator."""


class Linear(nn.Linear):
    """A linear layer whose values are left to `initialise`."""

    def reset_parameters(self) -> None:
        """Draws nothing, unlike the base class, which reads the global generator."""


class CosineClassifier(Linear):
    """`scale` times the cosine of the angle between an embedding and the weight [classes, width] of each class.

    No bias. In float32 also under autocast, as the margins of face recognition need it; float64 stays. A vector of
    length 0 has cosine 0 with all others, and gets no gradient. Source: Wang et al., NormFace, arXiv 1704.06369.
    """

    def __init__(self, width: int, classes: int, scale: float) -> None:
        super().__init__(width, classes, bias=False)
        self.scale = scale

    def forward(self, embedding: Tensor) -> Tensor:
        return self.scale * self.cosines(embedding)

    def cosines(self, embedding: Tensor, classes: Tensor | None = None) -> Tensor:
        """Cosines [N, classes] of embeddings [N, width]; with `classes` int64 [M] those of these classes, [N, M]."""
        weight = self.weight if classes is None else self.weight.index_select(0, classes)
        device = embedding.device.type
        with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
            return functional.linear(_directions(embedding), _directions(weight))


def _directions(vectors: Tensor) -> Tensor:
    """Vectors [N, D] at length 1, in float32 at least; one without a direction becomes 0 and gets no gradient."""
    vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    square = vectors.square().sum(1, keepdim=True)
    return vectors * square.masked_fill(square <= SHORTEST**2, math.inf).rsqrt()


class GlobalAveragePool(nn.Module):
    """The mean over all positions: [N, C, H, W] -> [N, C]."""

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(dim=(2, 3))


class GlobalDepthwise(nn.Sequential):
    """The sum over all positions of a map of height x width, [N, C, H, W] -> [N, C], each weighted for each channel.

    Unlike the mean it keeps where things are. Normalised, without activation. Source: Chen et al., arXiv 1804.07573,
    section 3.2.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__(Conv2d(channels, channels, size, groups=channels), nn.BatchNorm2d(channels), nn.Flatten())


def halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    """The height and width of a map after so many convolutions of stride 2, each of which rounds up."""
    return (-(-size[0] // 2**times), -(-size[1] // 2**times))


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
    """A body from images [N, C, H, W] to features, an embedding layer where one is wanted, and a classifier.

    The embedding layer is linear, of `embedding` outputs, with no activation after it; 0 leaves it out, so that the
    features are the embedding. It is as in CCKD (arXiv 1904.01802, section 3.6). `width` is the embedding's width D.
    The classifier is linear, or where `scale` is given a `CosineClassifier` of that scale.
    Images of any floating dtype are taken: they are cast to the dtype of the parameters, and autocast applies as usual.
    """

    def __init__(self, body: Body, classes: int, *, embedding: int = 0, scale: float | None = None) -> None:
        super().__init__()
        self.body, features = body
        self.embedding = Linear(features, embedding) if embedding else nn.Identity()
        self.width = embedding or features
        self.classifier = Linear(self.width, classes) if scale is None else CosineClassifier(self.width, classes, scale)

    def embed(self, images: Tensor) -> Tensor:
        """Embeddings [N, width] of images [N, C, H, W]: what the classifier sees."""
        return cast(Tensor, self.embedding(self.body(images.to(next(self.body.parameters()).dtype))))

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
