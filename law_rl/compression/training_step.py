"""One step of training a codec, all on the device: eager, or replayed as one CUDA graph."""

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from law_rl.compression.rd_cost import RDCost
from law_rl.compression.training_config import TrainingConfig
from law_rl.counters import counter_seed, torch_generator

BLOCK = 8
"""Steps that share their learning rate, and between which a training can be stopped and taken up again."""


Network = TypeVar("Network", bound=nn.Module)
Trained = TypeVar("Trained", bound=nn.Module, contravariant=True)


class Objective(Protocol[Trained]):
    """What a network is trained on and for.

    `draws`: uniform numbers that a sample takes; `steady`: whether every step computes the same, so that a CUDA graph
    can hold it; `content_hash` tells data apart.
    """

    draws: int
    steady: bool

    @property
    def device(self) -> torch.device: ...

    @property
    def content_hash(self) -> str: ...

    def cost(self, network: Trained, draws: Tensor, noise: torch.Generator, progress: float) -> RDCost:
        """The costs [B] of a batch that `draws` [B, draws] from [0, 1) choose; never waits for the device."""
        ...

    def state(self) -> Mapping[str, Tensor]:
        """What steps change beside the network; later steps depend on it."""
        ...


class TrainingStep(Generic[Network]):
    """The network, its optimiser and its moving average, and the step that changes all three.

    `sums` adds up, over the steps since it was set to zero: 1, cost, bits per pixel, distortion. A step whose gradient
    is not finite is left out of all.
    """

    def __init__(self, network: Network, objective: Objective[Network], config: TrainingConfig) -> None:
        device = objective.device
        self.network, self.device = network, device
        self._objective, self._config, self._progress = objective, config, 0.0
        self._parameters: list[Tensor] = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.averages = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._rate = torch.tensor(config.learning_rate, device=device)
        self._draws = torch.zeros(BLOCK, config.batch, objective.draws, device=device)
        self._position = torch.zeros(1, dtype=torch.long, device=device)
        self._noise = torch.Generator(device)
        self.sums = torch.zeros(4, device=device)
        self.optimiser = torch.optim.Adam(self._parameters, lr=self._rate, fused=True, capturable=device.type == "cuda")
        for parameter in self._parameters:
            self.optimiser.state[parameter] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        self._graph: torch.cuda.CUDAGraph | None = None

    def run_block(self, draws: Tensor, progress: float, first: int) -> None:
        """The steps `first` and on, one for each of at most `BLOCK` batches of draws [n, B, draws]; returns before the
        device is done with them.
        """
        self._progress = progress
        self._rate.fill_(self._config.learning_rate_at(progress))
        self._draws[: len(draws)].copy_(draws)
        self._position.zero_()
        self._noise.manual_seed(counter_seed(self._config.seed, "codec noise", first))
        for _ in range(len(draws)):
            if self._graph is None:
                self._step()
            else:
                self._graph.replay()

    def capture(self) -> None:
        """Records the step as one CUDA graph, on the current stream; eager steps must have been run before."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._noise)
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            self._step()
        self._graph = graph

    def averaged(self, steps: int) -> list[Tensor]:
        """The moving averages of the parameters after so many steps, freed of their start at zero."""
        return [average / (1 - self._config.average**steps) for average in self.averages]

    def to_tree(self) -> dict[str, list[Tensor]]:
        """All that later steps depend on."""
        states = [self.optimiser.state[parameter] for parameter in self._parameters]
        moments = {name: [state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")}
        kept = {name: [tensor] for name, tensor in self._objective.state().items()}
        return {"parameters": [p.detach() for p in self._parameters], "averages": self.averages, **moments, **kept}

    @torch.no_grad()
    def restore(self, tree: dict[str, list[Tensor]]) -> None:
        """Goes on where `to_tree` was called; before any step only."""
        for name, tensors in self.to_tree().items():
            for tensor, saved in zip(tensors, tree[name], strict=True):
                tensor.copy_(saved)

    def _step(self) -> None:
        config = self._config
        self.optimiser.zero_grad(set_to_none=True)
        draws = self._draws[self._position][0]
        self._position += 1
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bfloat16, cache_enabled=False):
            cost = self._objective.cost(self.network, draws, self._noise, self._progress)
        mean = cost.cost.mean()
        mean.backward()  # type: ignore[no-untyped-call]
        norm = clip_grad_norm_(self._parameters, config.clip)
        skip = (~norm.isfinite()).float()
        self.optimiser.found_inf = skip  # type: ignore[attr-defined]
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self._parameters, 1 - config.average)
            sums = torch.stack([torch.ones_like(mean), mean, cost.bpp.mean(), cost.distortion.mean()])
            self.sums += torch.where(skip > 0, torch.zeros_like(sums), sums)


def batch_draws(seed: int, first: int, batches: int, batch: int, draws: int) -> Tensor:
    """The uniform numbers of batches `first`, `first + 1` ...: float32 [batches, batch, draws], equal everywhere."""
    generators = (torch_generator(seed, "codec crops", number) for number in range(first, first + batches))
    return torch.stack([torch.rand(batch, draws, generator=generator) for generator in generators])
