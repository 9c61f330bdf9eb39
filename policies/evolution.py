"""Evolution: CMA-ES over the few parameters of a policy that moves linearly with progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from cmaes import CMA

from law_rl.actor import MlpActor, TableActor
from law_rl.agent import AgentSpec, Episode
from law_rl.counters import counter_seed


@dataclass(frozen=True, kw_only=True)
class EvolutionConfig:
    """CMA-ES (Hansen; the `cmaes` library) over action = start + progress (end - start), clipped to [-1, 1].

    It begins at the twin's action with step size `sigma` and updates its distribution every `population` episodes. A
    candidate's score is its episode's final advantage over the twin. The policy at the end is the distribution's mean.
    """

    population: int = 8
    sigma: float = 0.5

    name = "evolution"

    def __post_init__(self) -> None:
        if self.population < 4:
            raise ValueError(f"population is {self.population}: give at least 4 episodes an update (8 is usual)")
        if not 0 < self.sigma <= 2:
            raise ValueError(f"sigma is {self.sigma}: give a step size above 0 and at most 2 (0.5 is usual)")

    def build(self, spec: AgentSpec) -> "Evolution":
        return Evolution(self, spec)


class Evolution:
    """The agent of an EvolutionConfig. Its state is the candidates told so far; the optimiser is replayed from them."""

    def __init__(self, config: EvolutionConfig, spec: AgentSpec) -> None:
        if "progress" not in spec.observation:
            raise ValueError("evolution moves its policy with progress: name 'progress' in env.observation")
        self._config, self._spec = config, spec
        self._told: list[tuple[npt.NDArray[np.float64], float]] = []
        self._optimiser = self._fresh()

    def _fresh(self) -> CMA:
        bounds = np.tile([-1.0, 1.0], (self._size, 1))
        seed = counter_seed(self._spec.seed, "evolution") % 2**32
        return CMA(
            mean=np.tile(self._spec.baseline, 2),
            sigma=self._config.sigma,
            bounds=bounds,
            population_size=self._config.population,
            seed=seed,
        )

    @property
    def _size(self) -> int:
        return 2 * len(self._spec.action)

    def actor(self, episode: int) -> MlpActor:
        self._optimiser.reseed_rng(counter_seed(self._spec.seed, "evolution", episode) % 2**32)
        return self._actor(self._optimiser.ask())

    def take(self, index: int, actor: TableActor | MlpActor, episode: Episode) -> None:
        assert isinstance(actor, MlpActor)
        score = self._penalty if episode.failure else episode.advantage
        self._tell(self._parameters(actor), score)

    _penalty = -100.0

    def _tell(self, parameters: npt.NDArray[np.float64], score: float) -> None:
        self._told.append((parameters, score))
        if len(self._told) % self._config.population == 0:
            generation = self._told[-self._config.population :]
            self._optimiser.tell([(values, -score) for values, score in generation])

    def policy(self) -> MlpActor:
        return self._actor(np.clip(self._optimiser.mean, -1.0, 1.0))

    def _actor(self, parameters: npt.NDArray[np.float64]) -> MlpActor:
        start, end = np.split(parameters, 2)
        weight = np.zeros((len(start), len(self._spec.observation)))
        weight[:, self._spec.observation.index("progress")] = end - start
        layers = torch.from_numpy(weight).float(), torch.from_numpy(start).float()
        return MlpActor(weights=layers[:1], biases=layers[1:], output="clip")

    def _parameters(self, actor: MlpActor) -> npt.NDArray[np.float64]:
        start = actor.biases[0].double().numpy()
        slope = actor.weights[0][:, self._spec.observation.index("progress")].double().numpy()
        return np.concatenate([start, start + slope])

    def state(self) -> dict[str, Any]:
        candidates = [torch.from_numpy(parameters) for parameters, _ in self._told]
        return {"candidates": candidates, "scores": [score for _, score in self._told]}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._told, self._optimiser = [], self._fresh()
        for candidate, score in zip(state["candidates"], state["scores"], strict=True):
            self._tell(candidate.numpy(), score)
