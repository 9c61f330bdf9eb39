"""StageEnv: a Gymnasium environment in which one step is one stage of training."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

import gymnasium
import numpy as np
import numpy.typing as npt

from law_rl.actions import Action, SampleWeights, check_offered
from law_rl.learner import BASELINE, Directive, Learner, Snapshot, StageReport, Task
from law_rl.observation import ENTRIES, FOLLOWER, check_observation_names, observe
from law_rl.rewards import Progress, Reward, RewardName
from law_rl.stage_weights import WeightSummary
from law_rl.twins import TwinBook

Observation = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class StageEnvConfig:
    """What the policy sets, sees and is paid for.

    `warmup` stages under the twin's directive run inside reset. Training seeds come from a pool of `pool` seeds,
    `first_seed` on. `resync_twin` "stage" restarts the twin from the learner's weights at each stage (twice the cost).
    `penalty` is the reward, in points, of a training that failed.
    """

    action: Action = field(default_factory=SampleWeights)
    observation: tuple[str, ...] = FOLLOWER
    reward: RewardName = "increment"
    resync_twin: Literal["never", "stage"] = "never"
    warmup: int = 1
    pool: int = 5
    first_seed: int = 0
    penalty: float = -100.0

    def __post_init__(self) -> None:
        check_observation_names(self.observation)
        if self.warmup < 0:
            raise ValueError(f"warmup is {self.warmup}: give the number of the twin's stages at the start, at least 0")
        if self.pool < 1 or self.first_seed < 0:
            raise ValueError(
                f"pool is {self.pool} from seed {self.first_seed}: give at least 1 seed, from 0 or more on"
            )
        if not -1e6 < self.penalty < 0:
            raise ValueError(f"penalty is {self.penalty}: give a finite negative reward in points")

    @property
    def seeds(self) -> tuple[int, ...]:
        """The training seeds of the pool."""
        return tuple(range(self.first_seed, self.first_seed + self.pool))


class _EnvSnapshot(TypedDict):
    learner: Snapshot
    training_seed: int
    reward: tuple[float, float]
    last: tuple[float, float]
    failed: bool
    np_random: Mapping[str, Any]


class StageEnv(gymnasium.Env[Observation, Observation]):
    """One episode is one training; one step is one stage under the directive that the action means.

    Observation: float32 [len(config.observation)], named by `observation_names`. Action: Box(-1, 1), named by
    `action_names`. Reward: see `law_rl.rewards`. `reset(seed=s)` trains with the pool's seed s modulo its size,
    `reset()` with one drawn from `np_random`, `reset(options={"training_seed": t})` with t. `info` holds stage,
    training_seed, learner's and twin's metric and their difference, in points; mean weights of clean and mislabelled
    samples where known; after a training that failed also `failure`, the reason.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, task: Task, config: StageEnvConfig, twins: TwinBook | None = None) -> None:
        if config.warmup >= task.stages:
            raise ValueError(
                f"warmup is {config.warmup} of {task.stages} stages: leave at least one stage to the policy"
            )
        self.task, self.config = task, config
        self.twins = twins if twins is not None else TwinBook(task, warmup=config.warmup)
        self.observation_names = config.observation
        self.action_names = config.action.names
        low, high = ([getattr(ENTRIES[n], bound) for n in config.observation] for bound in ("low", "high"))
        self.observation_space = gymnasium.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (len(self.action_names),), np.float32)
        self._reward = Reward(name=config.reward)
        self._learner: Learner | None = None
        self._training_seed, self._failed = config.first_seed, False
        self._last = (0.0, 0.0)
        self.weights = WeightSummary()

    @property
    def learner(self) -> Learner:
        """The learner of the running episode; RuntimeError before the first reset."""
        if self._learner is None:
            raise RuntimeError("no training is running: call reset() first")
        return self._learner

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts a training and runs its warm-up stages."""
        super().reset(seed=seed)
        self._training_seed, self._failed = self._choose_seed(seed, options or {}), False
        self._learner = self.twins.warm_learner(self._training_seed)
        check_offered(self.config.action, self._learner)
        metric, twin = self._metrics()
        self._reward.start(metric, twin)
        self.weights = WeightSummary()
        return self._observe(), self._info()

    def _choose_seed(self, seed: int | None, options: Mapping[str, Any]) -> int:
        if "training_seed" in options:
            return int(options["training_seed"])
        place = seed if seed is not None else int(self.np_random.integers(self.config.pool))
        return self.config.seeds[place % self.config.pool]

    def step(self, action: Observation) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Trains one stage; RuntimeError after the episode's end."""
        if self._failed or self.learner.stage >= self.task.stages:
            raise RuntimeError("the training has ended: call reset()")
        values = np.nan_to_num(np.asarray(action, np.float64)).tolist()
        return self.train(self.config.action.directive(values))

    def train(self, directive: Directive) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """As `step`, under any directive: hand-made baselines run in the same environment."""
        if self.config.resync_twin == "stage":
            self._resynced = self._train_twin()
        report = self.learner.train_stage(directive)
        metric, twin = self._metrics()
        self.weights = report.weights
        failure = report.failure or ("" if np.isfinite(metric) else "the validation metric is not finite")
        reward = self.config.penalty if failure else self._stage_reward(report, metric, twin)
        if not np.isfinite(reward):
            failure, reward = "the reward is not finite", self.config.penalty
        self._failed = bool(failure)
        info = self._info() | ({"failure": failure} if failure else {})
        return self._observe(), reward, self._failed or self.learner.stage >= self.task.stages, False, info

    def _train_twin(self) -> float:
        twin = self.learner.fork()
        twin.train_stage(BASELINE)
        return twin.evaluate("validation")[twin.metric]

    def _metrics(self) -> tuple[float, float]:
        metric = self.learner.evaluate("validation")[self.learner.metric]
        twin = self.twins.curve(self._training_seed)[self.learner.stage]
        self._last = (metric, twin)
        return self._last

    def _stage_reward(self, report: StageReport, metric: float, twin: float) -> float:
        if self.config.resync_twin == "stage":
            twin = self._resynced
            self._reward.start(0.0, 0.0)
        stored = (
            self.twins.mean_curve(self.config.seeds)[self.learner.stage]
            if self.config.reward == "minus_stored"
            else 0.0
        )
        progress = Progress(epoch=report.epoch, epochs=report.epochs)
        return float(self._reward.stage(learner=metric, twin=twin, stored=stored, progress=progress))

    def _observe(self) -> Observation:
        metric, twin = self._last
        view = replace(self.learner.view(), validation=metric, advantage=metric - twin)
        return observe(self.observation_names, view)

    def _info(self) -> dict[str, Any]:
        metric, twin = (value if np.isfinite(value) else 0.0 for value in self._last)
        known = {"weight_clean": self.weights.clean, "weight_mislabelled": self.weights.mislabelled}
        return {
            "stage": self.learner.stage,
            "training_seed": self._training_seed,
            "metric": metric,
            "twin_metric": twin,
            "advantage": metric - twin,
        } | {name: weight for name, weight in known.items() if np.isfinite(weight)}

    def snapshot(self) -> _EnvSnapshot:
        """Everything that the running episode goes on from, as a copy."""
        return {
            "learner": self.learner.snapshot(),
            "training_seed": self._training_seed,
            "reward": self._reward.state(),
            "last": self._last,
            "failed": self._failed,
            "np_random": self.np_random.bit_generator.state,
        }

    def restore(self, snapshot: _EnvSnapshot) -> Observation:
        """Goes on from a snapshot, also one that was in a file, bit for bit, and returns the observation there."""
        self._training_seed = snapshot["training_seed"]
        self._learner = self.task.learner(self._training_seed)
        self._learner.restore(snapshot["learner"])
        self._reward.restore(snapshot["reward"])
        self._last, self._failed = (snapshot["last"][0], snapshot["last"][1]), snapshot["failed"]
        self.np_random.bit_generator.state = dict(snapshot["np_random"])
        self.weights = WeightSummary()
        return self._observe()
