"""The learned estimator: a small network from one embedding to its neighbour statistics, with no other face at hand."""

import copy
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from law_rl.classification.networks.layers import Linear
from law_rl.counters import torch_generator
from law_rl.face.evaluation.pairs import directions
from law_rl.face.ida.layers import SLOPE, draw_weights
from law_rl.face.ida.operators import LEAST_STD
from law_rl.face.ida.statistics import NeighbourStatistics
from law_rl.face.ida.support import SupportConfig, support_statistics

HIDDEN = (128, 128)
BATCH, RATE = 256, 1e-3

EPOCHS, PATIENCE = 200, 20
"""The most epochs, and after how many without a better one the fit stops."""
NOISY = 4
"""How many noisy copies of each reference are learned from too: a few thousand references say little of a sphere."""
HELD_OUT = 0.1
"""The share of the identities by whose faces epochs are compared."""


class LearnedEstimator:
    """A multilayer perceptron that guesses a face's statistics from its direction alone.

    The count that it gives is the one usual among the faces it was fitted on. Source: learnable IDA-SSE (arXiv
    2103.01559) needs no other image; its network and loss were not available, these are our reading.
    """

    def __init__(self, network: "_Network", config: SupportConfig) -> None:
        self._network = network.requires_grad_(False)
        self.config = config

    @classmethod
    def fit(
        cls, embeddings: Tensor, identities: Tensor, config: SupportConfig, *, seed: int, epochs: int = EPOCHS
    ) -> Self:
        """Fits to reference faces [N, D] of `identities` int64 [N], on their device.

        The statistics of each, and of copies with noise of its own length, over the faces of all other identities are
        learned by smooth L1. One in ten identities is held out to compare epochs: the best is kept, and the fit stops
        where none is better. Draws come from `seed`. Raises what `support_statistics` raises, and ValueError for an
        `epochs` below 1.
        """
        if epochs < 1:
            raise ValueError(f"epochs is {epochs}: give at least 1 ({EPOCHS} is usual)")
        inputs, persons = _with_noise(_inputs(embeddings), seed), identities.repeat(1 + NOISY)
        known = support_statistics(inputs, embeddings, config, identities=persons, candidate_identities=identities)
        targets, held_out = _targets(known), _held_out(persons, seed)
        network = _Network(inputs.shape[1])
        draw_weights(network, seed, "learned statistics")
        network.location.copy_(targets[~held_out].mean(0))
        network.scale.copy_(targets[~held_out].std(0, correction=0).clamp_min(1e-6))
        network.count.copy_(known.count.median())
        network.to(inputs.device)
        _train(network, inputs, (targets - network.location) / network.scale, held_out, seed, epochs)
        return cls(network, config)

    @torch.no_grad()
    def statistics(self, embeddings: Tensor) -> NeighbourStatistics:
        """The statistics of each of `embeddings` [N, D], on their device; ValueError for another width."""
        inputs = _inputs(embeddings)
        if inputs.shape[1] != self._network.width:
            raise ValueError(
                f"embeddings have {inputs.shape[1]} dimensions and the estimator was fitted to {self._network.width}: "
                "use one network for both."
            )
        network = self._network.to(inputs.device)
        mean, log_std, evidence = (network(inputs) * network.scale + network.location).unbind(1)
        return NeighbourStatistics(
            mean=mean.clamp(-1.0, 1.0),
            std=log_std.exp().clamp_max(1.0),
            evidence=evidence,
            count=network.count.expand(len(inputs)).clone(),
        )

    def tensors(self) -> dict[str, Tensor]:
        """What `from_tensors` makes the estimator from again."""
        return dict(self._network.state_dict())

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: SupportConfig) -> Self:
        """ValueError where the tensors are not those of a learned estimator."""
        first = tensors.get(_Network.FIRST)
        if first is None or first.ndim != 2 or not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ValueError(f"a learned estimator has finite weights {_Network.FIRST}, and here are {sorted(tensors)}")
        network = _Network(first.shape[1])
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(f"these are no weights of a learned estimator ({error})") from error
        return cls(network, config)


class _Network(nn.Module):
    """Directions [N, D] to mean, log of the std and evidence [N, 3], standardised by `location` and `scale` [3]."""

    FIRST = "linear.0.weight"
    location: Tensor
    scale: Tensor
    count: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        sizes = (width, *HIDDEN, 3)
        self.linear = nn.ModuleList(Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.register_buffer("location", torch.zeros(3))
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, features: Tensor) -> Tensor:
        *hidden, last = self.linear
        for layer in hidden:
            features = functional.leaky_relu(layer(features), SLOPE)
        outputs: Tensor = last(features)
        return outputs


def _train(network: _Network, inputs: Tensor, targets: Tensor, held_out: Tensor, seed: int, epochs: int) -> None:
    """Trains on the faces that are not held out, and leaves the network as the best epoch had it."""
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    rows, best, state, since = (~held_out).nonzero().flatten(), math.inf, copy.deepcopy(network.state_dict()), 0
    for epoch in range(epochs):
        order = torch.randperm(len(rows), generator=torch_generator(seed, "learned statistics batches", epoch))
        for batch in torch.split(rows[order.to(rows.device)], BATCH):
            _step(network, optimiser, inputs[batch], targets[batch])
        with torch.no_grad():
            loss = float(functional.smooth_l1_loss(network(inputs[held_out]), targets[held_out]))
        if loss < best:
            best, state, since = loss, copy.deepcopy(network.state_dict()), 0
        elif (since := since + 1) >= PATIENCE:
            break
    network.load_state_dict(state)


@torch.enable_grad()
def _step(network: _Network, optimiser: torch.optim.Optimizer, inputs: Tensor, targets: Tensor) -> None:
    optimiser.zero_grad()
    torch.autograd.backward(functional.smooth_l1_loss(network(inputs), targets))
    optimiser.step()


def _inputs(embeddings: Tensor) -> Tensor:
    return directions(embeddings.detach(), "embeddings").float()


def _with_noise(faces: Tensor, seed: int) -> Tensor:
    """Directions [N, D], then NOISY copies of them, each with a Gaussian of length 1 added: [(1 + NOISY) N, D]."""
    generator = torch_generator(seed, "learned statistics noise", device=str(faces.device))
    noise = torch.randn(NOISY, *faces.shape, generator=generator, device=faces.device) / faces.shape[1] ** 0.5
    return torch.cat([faces, _inputs((faces + noise).flatten(0, 1))])


def _targets(known: NeighbourStatistics) -> Tensor:
    return torch.stack([known.mean, known.std.clamp_min(LEAST_STD).log(), known.evidence], 1)


def _held_out(identities: Tensor, seed: int) -> Tensor:
    """Which faces are of the identities held out: bool [N]."""
    persons = torch.unique(identities)
    drawn = torch.randperm(len(persons), generator=torch_generator(seed, "learned statistics held out"))
    return torch.isin(identities, persons[drawn[: max(1, round(HELD_OUT * len(persons)))].to(persons.device)])
