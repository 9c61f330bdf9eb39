"""A network of a file at work: it turns faces into embeddings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from law_rl.classification.network_file import NetworkFacts, load_network, network_hash
from law_rl.classification.networks import Classifier
from law_rl.data.dataset import normalise
from law_rl.devices import find_device
from law_rl.face.evaluation.folds import with_mirror


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedder:
    """A network in evaluation mode on `device`; `hash` is that of its file, which names it in files of embeddings.

    `mirrored`: the embedding of an image is the sum of its own and that of its mirror image.
    """

    network: Classifier
    facts: NetworkFacts
    hash: str
    device: torch.device
    mirrored: bool = False

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", *, mirrored: bool = False) -> Self:
        """The network of a file that `save_network` wrote, an embedder or a classifier.

        Raises what `load_network` raises, and ValueError for a device that is not there and for a network whose images
        are not square, grey or RGB.
        """
        place = find_device(device)
        network, facts = load_network(path)
        channels, height, width = facts.image_shape
        if channels not in (1, 3) or height != width:
            raise ValueError(
                f"{path} takes images {facts.image_shape}: give a network of faces, square and with 1 or 3 channels"
            )
        name = network_hash(network, facts)
        return cls(network=network.to(place), facts=facts, hash=name, device=place, mirrored=mirrored)

    @property
    def width(self) -> int:
        """The entries of an embedding."""
        return self.network.width

    @property
    def size(self) -> int:
        """The side of its images in pixels."""
        return self.facts.image_shape[2]

    @property
    def channels(self) -> int:
        return self.facts.image_shape[0]

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Embeddings float32 [B, D] on the device, of images uint8 [B, C, S, S] on any."""
        images = images.to(self.device, non_blocking=True)
        return with_mirror(self._embedded, images) if self.mirrored else self._embedded(images)

    def _embedded(self, images: Tensor) -> Tensor:
        return self.network.embed(normalise(images, self.facts.mean, self.facts.std)).float()
