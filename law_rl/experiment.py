"""Experiments: the typed configuration of a run. A module in `experiments/` holds one as `experiment`."""

from dataclasses import dataclass, field

from law_rl.agent import AgentConfig
from law_rl.jobs import Curriculum, Setting
from law_rl.learner import Task
from law_rl.stage_env import StageEnvConfig

EVALUATION_SEEDS_FROM = 1000


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How a policy is searched.

    `episodes` whole trainings, the last of which run the `candidates` best policies on every seed of the pool, to
    choose among them. Episode i acts with the policy as of update i - lag; with lag at least the number of workers none
    idles for long, twice that is better, and the schedule depends on `lag` but never on the number of workers.
    """

    episodes: int = 60
    candidates: int = 2
    lag: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError(f"episodes is {self.episodes}: give at least 1")
        if self.candidates < 1:
            raise ValueError(f"candidates is {self.candidates}: give at least 1, the policy that the agent ends with")
        if self.lag < 1:
            raise ValueError(
                f"lag is {self.lag}: give at least 1 (every episode waits for the one before), or 2 a worker"
            )


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How schedules are compared: on `seeds` training seeds from 1000 on, which no search may use."""

    seeds: int = 5

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise ValueError(f"seeds is {self.seeds}: give at least 2, an interval needs them (5 is usual)")

    @property
    def training_seeds(self) -> tuple[int, ...]:
        return tuple(range(EVALUATION_SEEDS_FROM, EVALUATION_SEEDS_FROM + self.seeds))


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that a run needs: what is trained, the environment, the agent, the search, and what it is held
    against: baselines, the first of which directs as the twin does.
    """

    name: str
    task: Task
    env: StageEnvConfig
    agent: AgentConfig
    search: SearchConfig = field(default_factory=SearchConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    baselines: tuple[Curriculum, ...]

    def __post_init__(self) -> None:
        if self.env.warmup >= self.task.stages:
            raise ValueError(
                f"env.warmup is {self.env.warmup} of {self.task.stages} stages: leave at least one stage to the policy"
            )
        if max(self.env.seeds) >= EVALUATION_SEEDS_FROM:
            raise ValueError(
                f"env.first_seed and env.pool reach seed {max(self.env.seeds)}: stay below {EVALUATION_SEEDS_FROM}, "
                "where the seeds of the evaluation begin"
            )
        confirming = self.search.candidates * self.env.pool
        if self.search.episodes <= confirming:
            raise ValueError(
                f"search.episodes is {self.search.episodes}, but {self.search.candidates} candidates on "
                f"{self.env.pool} seeds take {confirming}: give more episodes, fewer candidates or a smaller pool"
            )
        names = [baseline.name for baseline in self.baselines]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"baselines are {', '.join(names) or 'empty'}: name each once, the twin's directive first")

    @property
    def reference(self) -> str:
        """The baseline that gains are measured over: the one that directs as the twin does."""
        return self.baselines[0].name

    @property
    def setting(self) -> Setting:
        return Setting(task=self.task, env=self.env)
