"""Rewards of a stage, from the validation metric of the learner and of its twin (in points, 0 to 100)."""

import math
from dataclasses import dataclass
from typing import Literal

RewardName = Literal["increment", "law", "raw", "minus_stored", "minus_own_average"]

OWN_AVERAGE_DECAY = 0.8


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a stage ended: the epoch reached (counted from 0, as in LAW's released code) of `epochs`."""

    epoch: float
    epochs: int


@dataclass(kw_only=True)
class Reward:
    """The reward of each stage of one episode, in order.

    increment: the stage's gain in advantage over the twin, so an episode's return is its final advantage and nothing is
    counted twice (a potential-based form of the duplicate-network reward). law: the released code's duplicate-network
    reward 2 exp(5 epoch / epochs - 5) (learner - twin) / 10, whose differences accumulate. raw: the learner's metric.
    minus_stored: the learner minus the mean curve of the pool's twins. minus_own_average: the learner minus the average
    0.8 old + 0.2 new of its own metric. All but `law` are in points.
    """

    name: RewardName
    _advantage: float = 0.0
    _average: float = math.nan

    def start(self, learner: float, twin: float) -> None:
        """Begins an episode at the metrics after warm-up."""
        self._advantage, self._average = learner - twin, learner

    def stage(self, *, learner: float, twin: float, stored: float, progress: Progress) -> float:
        """The reward of the stage that just ended with these metrics."""
        advantage, before = learner - twin, self._advantage
        average, self._advantage = self._average, advantage
        self._average = OWN_AVERAGE_DECAY * average + (1 - OWN_AVERAGE_DECAY) * learner
        match self.name:
            case "increment":
                return advantage - before
            case "law":
                return law_factor(progress) * advantage
            case "raw":
                return learner
            case "minus_stored":
                return learner - stored
            case "minus_own_average":
                return learner - average

    def state(self) -> tuple[float, float]:
        return self._advantage, self._average

    def restore(self, state: tuple[float, float]) -> None:
        self._advantage, self._average = state


def law_factor(progress: Progress) -> float:
    """LAW's time factor per point: 2 exp(5 epoch / epochs - 5) / 10, `epoch` being whole epochs done before the last
    step.
    """
    return 2.0 * math.exp(5.0 * math.floor(progress.epoch) / progress.epochs - 5.0) / 10.0
