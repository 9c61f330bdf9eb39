"""One step of training a codec, all on the device: eager, or replayed as one CUDA graph."""

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from law_rl.compression.network.codec_network import CodecNetwork
from law_rl.compression.photographs import DRAWS, Photographs
from law_rl.compression.rd_cost import rd_cost
from law_rl.compression.training_config import TrainingConfig
from law_rl.counters import counter_seed

BLOCK = 8
"""Steps that share their learning rate, and between which a training can be stopped and taken up again."""


class TrainingStep:
    """The network, its optimiser and its moving average, and the step that changes all three.

    `sums` adds up, over the steps since it was set to zero: 1, cost, bits per pixel, distortion. A step whose gradient
    is not finite is left out of all.
    """

    def __init__(self, network: CodecNetwork, photographs: Photographs, config: TrainingConfig) -> None:
        device = photographs.device
        self.network, self.device = network, device
        self._photographs, self._config = photographs, config
        self._parameters: list[Tensor] = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.averages = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._rate = torch.tensor(config.learning_rate, device=device)
        self._lambda = torch.tensor(config.lambda_, device=device)
        self._draws = torch.zeros(BLOCK, config.batch, DRAWS, device=device)
        self._position = torch.zeros(1, dtype=torch.long, device=device)
        self._noise = torch.Generator(device)
        self.sums = torch.zeros(4, device=device)
        self.optimiser = torch.optim.Adam(self._parameters, lr=self._rate, fused=True, capturable=device.type == "cuda")
        self._graph: torch.cuda.CUDAGraph | None = None

    def run_block(self, draws: Tensor, progress: float, first: int) -> None:
        """The steps `first` and on, one for each of at most `BLOCK` batches of draws [n, B, 5]; returns before the
        device is done with them.
        """
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
        return {"parameters": [p.detach() for p in self._parameters], "averages": self.averages, **moments}

    @torch.no_grad()
    def restore(self, tree: dict[str, list[Tensor]]) -> None:
        """Goes on where `to_tree` was called; before any step only."""
        for parameter in self._parameters:
            self.optimiser.state[parameter] = {
                "step": torch.zeros((), device=self.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        for name, tensors in self.to_tree().items():
            for tensor, saved in zip(tensors, tree[name], strict=True):
                tensor.copy_(saved)

    def _step(self) -> None:
        config = self._config
        self.optimiser.zero_grad(set_to_none=True)
        images = self._photographs.crops(self._draws[self._position][0])
        self._position += 1
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bfloat16, cache_enabled=False):
            output = self.network(images, self._noise)
        cost = rd_cost(images, output, self._lambda, config.distortion)
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
