"""Classification networks by name, with initial values that are a function of the seed alone."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from law_rl.classification.networks.cnn import small_cnn
from law_rl.classification.networks.face_cnn import face_cnn
from law_rl.classification.networks.iresnet import iresnet
from law_rl.classification.networks.layers import (
    Body,
    Classifier,
    CosineClassifier,
    CounterDropout,
    initialise,
    seed_dropout,
)
from law_rl.classification.networks.mlp import mlp
from law_rl.classification.networks.mobilefacenet import mobilefacenet
from law_rl.classification.networks.mobilenet import mobilenetv2_half
from law_rl.classification.networks.resnet import cifar_resnet, resnet18, resnet50
from law_rl.classification.networks.wide_resnet import wide_resnet

__all__ = [
    "Classifier",
    "ClassifierKind",
    "CosineClassifier",
    "CounterDropout",
    "NetworkConfig",
    "NetworkName",
    "build_network",
    "seed_dropout",
]

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
    "iresnet18",
    "iresnet50",
    "iresnet100",
    "mobilefacenet",
    "face_cnn",
]

ClassifierKind = Literal["linear", "cosine"]

SCALE = 64.0
"""The scale of cosines in ArcFace (arXiv 1801.07698) and CosFace (1801.09414)."""

_FACE_EMBEDDINGS: dict[NetworkName, int] = {
    "iresnet18": 512,
    "iresnet50": 512,
    "iresnet100": 512,
    "mobilefacenet": 512,
    "face_cnn": 64,
}
"""The networks that end with an embedding themselves, and its usual width."""

_USED_BY: dict[str, tuple[NetworkName, ...]] = {
    "width": ("mlp", "cnn", "face_cnn"),
    "depth": ("mlp", "face_cnn"),
    "dropout": ("mlp", "wrn28_10"),
    "embedding": get_args(NetworkName),
}


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Which network: `width` is the hidden units of the MLP or the channels of the first layer of cnn and face_cnn,
    `depth` the hidden layers of the MLP or the layers of a stage of face_cnn, `dropout` the share of activations
    dropped in the MLP and in WRN-28-10.

    `embedding` puts a linear layer of so many outputs before the classifier of any network; 0 for none. The networks
    for faces (iresnet18, iresnet50, iresnet100, mobilefacenet, face_cnn) end with such a layer themselves: `embedding`
    is its width, and 0 the usual one (face_cnn 64, the others 512). Of the residual networks resnet18 and resnet50 are
    those for ImageNet, iresnet those for faces, the others those for CIFAR. `classifier` is the last layer: linear, or
    `scale` times the cosines between embedding and classes.

    Raises ValueError for a value out of range, and for a setting that the named network does not use.
    """

    name: NetworkName = "mlp"
    width: int = 128
    depth: int = 2
    dropout: float = 0.0
    embedding: int = 0
    classifier: ClassifierKind = "linear"
    scale: float = SCALE

    def __post_init__(self) -> None:
        if self.name not in get_args(NetworkName):
            raise ValueError(f"name is {self.name!r}; use one of {', '.join(get_args(NetworkName))}.")
        if self.width < 1 or self.depth < 1:
            raise ValueError(f"width is {self.width} and depth is {self.depth}; both must be at least 1.")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}; give the share of activations to drop, in [0, 1).")
        if self.embedding < 0:
            raise ValueError(f"embedding is {self.embedding}; give the layer's outputs, or 0 for no such layer.")
        self._check_classifier()
        for field in fields(self):
            value, users = getattr(self, field.name), _USED_BY.get(field.name, (self.name,))
            if value != field.default and self.name not in users:
                raise ValueError(
                    f"{field.name} is {value}, but {self.name} does not use it; leave it at {field.default} "
                    f"or choose {' or '.join(users)}."
                )

    def _check_classifier(self) -> None:
        if self.classifier not in get_args(ClassifierKind):
            raise ValueError(f"classifier is {self.classifier!r}; use one of {', '.join(get_args(ClassifierKind))}.")
        if not 0.0 < self.scale < math.inf:
            raise ValueError(f"scale is {self.scale}; give a finite number above 0 ({SCALE} is usual).")
        if self.classifier != "cosine" and self.scale != SCALE:
            raise ValueError(
                f"scale is {self.scale}, but a {self.classifier} classifier does not use it; leave it at {SCALE} "
                "or choose the cosine classifier."
            )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; `classifier` and `scale` only where they are not the defaults.

        Files that were written before there were cosine classifiers thus keep their meaning and their hash.
        """
        entry = asdict(self)
        if self.classifier == "linear":
            del entry["classifier"], entry["scale"]
        return entry


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
    embedding = 0 if config.name in _FACE_EMBEDDINGS else config.embedding
    scale = config.scale if config.classifier == "cosine" else None
    network = Classifier(_body(config, image_shape), classes, embedding=embedding, scale=scale)
    initialise(network, seed)
    return network.to(device)


def _body(config: NetworkConfig, image_shape: tuple[int, int, int]) -> Body:
    channels, embedding = image_shape[0], config.embedding or _FACE_EMBEDDINGS.get(config.name, 0)
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
        case "iresnet18" | "iresnet50" | "iresnet100":
            return iresnet(image_shape, layers=int(config.name.removeprefix("iresnet")), embedding=embedding)
        case "mobilefacenet":
            return mobilefacenet(image_shape, embedding=embedding)
        case "face_cnn":
            return face_cnn(image_shape, width=config.width, depth=config.depth, embedding=embedding)
