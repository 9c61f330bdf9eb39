"""A generator of faces in training against a discriminator, iteration by iteration."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from law_rl.classification.optimisation import restore_optimiser
from law_rl.classification.staged_learner import copy_tree
from law_rl.counters import torch_generator
from law_rl.face.data.images import check_images
from law_rl.face.ida.discriminator import Discriminator, discriminator_loss, generator_loss, gradient_penalty
from law_rl.face.ida.generator import FaceGenerator, GeneratorConfig

PENALTY_EVERY = 16
"""Iterations between two penalties, each of which counts for all of them (lazy regularisation, arXiv 1912.04958)."""


@dataclass(frozen=True, kw_only=True)
class GanConfig:
    """How a generator is trained: by Adam with betas 0 and 0.99, at one learning rate for both networks.

    `penalty` is gamma of R1 (arXiv 1801.04406) for images in [-1, 1]; `average` is the share that the moving mean of
    the generator's weights, which is what a training gives, keeps in an iteration.
    """

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    iterations: int = 3000
    batch_size: int = 64
    lr: float = 1e-3
    penalty: float = 1.0
    average: float = 0.99

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"iterations is {self.iterations}: give at least 1")
        if self.batch_size < 2:
            raise ValueError(f"batch_size is {self.batch_size}: give at least 2 images, their spread is looked at")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr is {self.lr}: give a finite learning rate above 0")
        if not 0 <= self.penalty < math.inf:
            raise ValueError(f"penalty is {self.penalty}: give a finite number of at least 0")
        if not 0 <= self.average < 1:
            raise ValueError(f"average is {self.average}: give a share from 0 to below 1")


class GanTraining:
    """Trains on `images` uint8 [N, C, S, S], on their device; `average` is the generator to use.

    The loss is the one that does not saturate (arXiv 1406.2661) with R1 (1801.04406). Each real image is mirrored or
    not by chance. All draws come from (seed, purpose, iteration). Raises ValueError for images of another shape.
    """

    def __init__(self, images: Tensor, config: GanConfig, *, seed: int) -> None:
        check_images("images", images)
        if not len(images) or tuple(images.shape[1:]) != config.generator.image_shape:
            raise ValueError(
                f"images is {tuple(images.shape)} and the generator makes {config.generator.image_shape}: give at "
                "least 1 image of that shape"
            )
        self.images, self.config, self.seed, self.iteration = images, config, seed, 0
        self.generator = FaceGenerator(config.generator, seed=seed).to(images.device)
        self.discriminator = Discriminator(config.generator, seed=seed).to(images.device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self._weights: dict[str, list[Tensor]] = {
            "generator": list(self.generator.parameters()),
            "discriminator": list(self.discriminator.parameters()),
        }
        fused = images.device.type in ("cpu", "cuda")
        self._optimisers = {
            name: torch.optim.Adam(weights, lr=config.lr, betas=(0.0, 0.99), fused=fused)
            for name, weights in self._weights.items()
        }

    def step(self) -> Tensor:
        """One iteration: the discriminator learns from real and generated images, then the generator from it.

        Returns the losses [2] of the discriminator, without its penalty, and of the generator.
        """
        shape = self.config.batch_size, self.config.generator.noise_width
        noise = torch.randn(shape, generator=self._draws("gan noise"), device=self.images.device)
        fakes = self.generator.pixels(noise)
        critic_loss = self._teach_discriminator(self._reals(), fakes.detach())
        own_loss = generator_loss(self.discriminator(fakes))
        self._descend("generator", own_loss)
        self._update_average()
        self.iteration += 1
        return torch.stack([critic_loss.detach(), own_loss.detach()])

    def _teach_discriminator(self, reals: Tensor, fakes: Tensor) -> Tensor:
        penalised = self.config.penalty > 0 and self.iteration % PENALTY_EVERY == 0
        scores = self.discriminator(reals.requires_grad_(penalised))
        loss = discriminator_loss(scores, self.discriminator(fakes))
        weight = 0.5 * self.config.penalty * PENALTY_EVERY
        self._descend("discriminator", loss + weight * gradient_penalty(reals, scores) if penalised else loss)
        return loss

    def _descend(self, name: str, loss: Tensor) -> None:
        self._optimisers[name].zero_grad()
        torch.autograd.backward(loss, inputs=self._weights[name])
        self._optimisers[name].step()

    @torch.no_grad()
    def _update_average(self) -> None:
        averages: list[Tensor] = list(self.average.parameters())
        torch._foreach_lerp_(averages, self._weights["generator"], 1 - self.config.average)

    def _reals(self) -> Tensor:
        """A batch of images, each mirrored or not, in [-1, 1]."""
        draws, size, device = self._draws("gan images"), (self.config.batch_size,), self.images.device
        images = self.images.index_select(0, torch.randint(len(self.images), size, generator=draws, device=device))
        mirrored = torch.rand(size, generator=draws, device=device) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        return images.float().div_(127.5).sub_(1.0)

    def _draws(self, purpose: str) -> torch.Generator:
        return torch_generator(self.seed, purpose, self.iteration, device=str(self.images.device))

    def snapshot(self) -> dict[str, Any]:
        """The iteration reached, the networks and the state of their optimisers: a tree of tensors, as copies."""
        tree = {
            "iteration": torch.tensor(self.iteration),
            "networks": {name: network.state_dict() for name, network in self._networks().items()},
            "optimisers": {name: optimiser.state_dict()["state"] for name, optimiser in self._optimisers.items()},
        }
        copied: dict[str, Any] = copy_tree(tree)
        return copied

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Goes on from a snapshot of a training with the same configuration, images and seed, bit for bit."""
        snapshot = copy_tree(snapshot)
        for name, network in self._networks().items():
            network.load_state_dict(snapshot["networks"][name])
        for name, optimiser in self._optimisers.items():
            restore_optimiser(optimiser, {**optimiser.state_dict(), "state": snapshot["optimisers"][name]})
        self.iteration = int(snapshot["iteration"])

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "average": self.average}
