"""Classification networks by name, with initial values that are a function of the seed alone."""

from dataclasses import dataclass, fields
from typing import Literal, get_args

from law_rl.classification.networks.cnn import small_cnn
from law_rl.classification.networks.layers import Body, Classifier, CounterDropout, initialise, seed_dropout
from law_rl.classification.networks.mlp import mlp
from law_rl.classification.networks.mobilenet import mobilenetv2_half
from law_rl.classification.networks.resnet import cifar_resnet, resnet18, resnet50
from law_rl.classification.networks.wide_resnet import wide_resnet

__all__ = ["Classifier", "CounterDropout", "NetworkConfig", "NetworkName", "build_network", "seed_dropout"]

NetworkName = Literal[
    "mlp",
    "cnn",
    "resnet8",
    "resnet14",
    "resnet20",
    "resnet32",
    "resnet56",
    "resnet110",
    "resnet18",
    "resnet50",
    "wrn28_10",
    "mobilenetv2_x0_5",
]

_USED_BY: dict[str, tuple[NetworkName, ...]] = {
    "width": ("mlp", "cnn"),
    "depth": ("mlp",),
    "dropout": ("mlp", "wrn28_10"),
    "embedding": get_args(NetworkName),
}


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Which network: `width` is the hidden units of the MLP or the channels of the small CNN's first layer, `depth` the
    hidden layers of the MLP, `dropout` the share of activations dropped in the MLP and in WRN-28-10.

    `embedding` puts a linear layer of so many outputs before the classifier of any network; 0 for none. Of the residual
    networks resnet18 and resnet50 are those for ImageNet, the others those for CIFAR.

    Raises ValueError for a value out of range, and for a setting that the named network does not use.
    """

    name: NetworkName = "mlp"
    width: int = 128
    depth: int = 2
    dropout: float = 0.0
    embedding: int = 0

    def __post_init__(self) -> None:
        if self.name not in get_args(NetworkName):
            raise ValueError(f"name is {self.name!r}; use one of {', '.join(get_args(NetworkName))}.")
        if self.width < 1 or self.depth < 1:
            raise ValueError(f"width is {self.width} and depth is {self.depth}; both must be at least 1.")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}; give the share of activations to drop, in [0, 1).")
        if self.embedding < 0:
            raise ValueError(f"embedding is {self.embedding}; give the layer's outputs, or 0 for no such layer.")
        for field in fields(self)[1:]:
            value, users = getattr(self, field.name), _USED_BY[field.name]
            if value != field.default and self.name not in users:
                raise ValueError(
                    f"{field.name} is {value}, but {self.name} does not use it; leave it at {field.default} "
                    f"or choose {' or '.join(users)}."
                )


def build_network(
    config: NetworkConfig, *, image_shape: tuple[int, int, int], classes: int, seed: int, device: str = "cpu"
) -> Classifier:
    """A float32 network on `device`, in training mode, from images [N, C, H, W] to logits [N, classes].

    `image_shape` is (C, H, W). The initial values are drawn on the CPU from (seed, "initialisation", layer), so they
    are the same on every device, and torch's global generators are neither read nor advanced.
    Raises ValueError for an empty image or fewer than two classes.
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(f"image_shape is {image_shape}; give (channels, height, width), each at least 1.")
    if classes < 2:
        raise ValueError(f"classes is {classes}; a classifier needs at least 2.")
    network = Classifier(_body(config, image_shape), classes, embedding=config.embedding)
    initialise(network, seed)
    return network.to(device)


def _body(config: NetworkConfig, image_shape: tuple[int, int, int]) -> Body:
    channels = image_shape[0]
    match config.name:
        case "mlp":
            return mlp(image_shape, width=config.width, depth=config.depth, dropout=config.dropout)
        case "cnn":
            return small_cnn(channels, width=config.width)
        case "resnet8" | "resnet14" | "resnet20" | "resnet32" | "resnet56" | "resnet110":
            return cifar_resnet(channels, blocks=int(config.name.removeprefix("resnet")) // 6)
        case "resnet18":
            return resnet18(image_shape)
        case "resnet50":
            return resnet50(image_shape)
        case "wrn28_10":
            return wide_resnet(channels, blocks=4, widen=10, dropout=config.dropout)
        case "mobilenetv2_x0_5":
            return mobilenetv2_half(image_shape)
