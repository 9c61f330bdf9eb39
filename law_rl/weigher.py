"""The weigher: turns each batch into sample weights under the stage's rule. One code for learners and for followers."""

from collections.abc import Mapping
from typing import Any

import torch

from law_rl.batch import Batch
from law_rl.features import Features
from law_rl.observation import TrainingStatistics
from law_rl.weighting import (
    ByIndex,
    Focal,
    KeepLowest,
    LinearTanh,
    SelfPaced,
    Uniform,
    Weighting,
    focal,
    linear_tanh,
    self_paced,
)


class Weigher:
    """Sample weights of one training, batch by batch, and the statistics that observations are made of."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self.statistics = TrainingStatistics()
        self.rule: Weighting = Uniform()
        self._by_index: torch.Tensor | None = None

    def set_rule(self, rule: Weighting) -> None:
        """The rule from now on."""
        self.rule, self._by_index = rule, None

    def rank(self, losses: torch.Tensor) -> None:
        """Tells a whole-set rule (`keep_lowest`) the current losses [N] of the whole training set."""
        if isinstance(self.rule, KeepLowest):
            kept = losses.argsort(stable=True)[: max(1, round(self.rule.share * len(losses)))]
            self._by_index = torch.zeros_like(losses).index_fill_(0, kept, 1.0)

    @property
    def needs_ranking(self) -> bool:
        """Whether `rank` is wanted at the start of each epoch."""
        return isinstance(self.rule, KeepLowest)

    @torch.no_grad()
    def weights(self, batch: Batch) -> torch.Tensor | None:
        """Sample weights [B], None for uniform; remembers the batch's losses."""
        self._features.remember(batch)
        weights = self._apply(batch)
        self.statistics.record(batch.losses, weights)
        return weights

    def _apply(self, batch: Batch) -> torch.Tensor | None:
        rule = self.rule
        if isinstance(rule, Uniform):
            return None
        if isinstance(rule, LinearTanh):
            return linear_tanh(rule, self._features.compute(rule.features, batch))
        if isinstance(rule, Focal):
            return focal(rule, batch.losses)
        if isinstance(rule, SelfPaced):
            return self_paced(rule, batch.losses)
        if batch.ids is None:
            raise ValueError(
                f"the rule {rule.rule} weights samples by index: pass ids, the samples' places in the training set"
            )
        if isinstance(rule, ByIndex) and self._by_index is None:
            self._by_index = batch.losses.new_tensor(rule.weights)
        assert self._by_index is not None, "keep_lowest needs rank() before the first batch"
        return self._by_index.index_select(0, batch.ids)

    def state_dict(self) -> dict[str, Any]:
        """Memory and statistics; not the rule, which a directive or a follower sets."""
        return {"features": self._features.state_dict(), "statistics": self.statistics.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._features.load_state_dict(state["features"])
        self.statistics.load_state_dict(state["statistics"])
