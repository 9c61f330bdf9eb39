"""Black-box searchers as agents, so that they get the search's own trainings, order and choice among candidates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import optuna
import torch

from law_rl.actor import TableActor
from law_rl.agent import AgentSpec, Episode
from law_rl.counters import counter_seed


@dataclass(frozen=True, kw_only=True)
class BlackBoxConfig:
    """Optuna's TPE (Bergstra et al. 2011) or uniformly random draws, over a few numbers that make a weighting.

    `weighting` "constant" is one action for the whole training; "two_phase" one action before and one from a stage on
    that is searched too. A trial's value is its episode's final advantage over the twin.
    """

    sampler: Literal["tpe", "random"] = "tpe"
    weighting: Literal["constant", "two_phase"] = "constant"

    name = "black_box"

    def build(self, spec: AgentSpec) -> "BlackBox":
        return BlackBox(self, spec)


class BlackBox:
    """The agent of a BlackBoxConfig.

    A search confirms its best episode's actor and the agent's policy, so the policy is that of the second-best trial.
    """

    def __init__(self, config: BlackBoxConfig, spec: AgentSpec) -> None:
        self._config, self._spec = config, spec
        seed = counter_seed(spec.seed, "black box") % 2**32
        samplers = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="maximize", sampler=samplers[config.sampler](seed=seed))
        self._trials: dict[int, optuna.Trial] = {}
        self._finished: list[tuple[float, int, TableActor]] = []

    def actor(self, episode: int) -> TableActor:
        trial = self._trials[episode] = self._study.ask()
        first = self._action(trial, "first")
        if self._config.weighting == "constant":
            return TableActor(actions=first.unsqueeze(0))
        switch = trial.suggest_int("switch", self._spec.warmup + 1, self._spec.stages - 1)
        second = self._action(trial, "second")
        after = self._spec.stages - switch
        return TableActor(actions=torch.cat([first.expand(switch, -1), second.expand(after, -1)]))

    def _action(self, trial: optuna.Trial, phase: str) -> torch.Tensor:
        return torch.tensor([trial.suggest_float(f"{phase} {name}", -1.0, 1.0) for name in self._spec.action])

    def take(self, index: int, actor: Any, episode: Episode) -> None:
        trial = self._trials.pop(index)
        if episode.failure:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return
        self._study.tell(trial, episode.advantage)
        self._finished.append((-episode.advantage, index, actor))

    def policy(self) -> TableActor:
        best = sorted(self._finished, key=lambda trial: trial[:2])
        if not best:
            return TableActor(actions=torch.tensor([self._spec.baseline]))
        return best[min(1, len(best) - 1)][2]

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        raise RuntimeError("a black-box search keeps no state to resume from: run it anew")
