"""What an action vector means: named heads, each a slice of a flat Box(-1, 1), that together make a directive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from law_rl.features import check_feature_names
from law_rl.learner import Directive
from law_rl.weighting import LinearTanh


@dataclass(frozen=True, kw_only=True)
class SampleWeights:
    """A head that weights samples by p_i = 1 + tanh(gain (w . f_i + b)); its entries are w, one a feature, and b.

    LAW's scorer (released code) with bounded parameters; `gain` 10 is the preset for its unbounded linear actor.
    """

    features: tuple[str, ...] = ("loss", "entropy")
    gain: float = 4.0

    def __post_init__(self) -> None:
        check_feature_names(self.features)
        if not 0 < self.gain <= 100:
            raise ValueError(
                f"gain is {self.gain}: give a number above 0 and at most 100 (4 is usual, 10 LAW's preset)"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What each entry of the action is."""
        return (*(f"weight of {name}" for name in self.features), "bias")

    def directive(self, action: Sequence[float]) -> Directive:
        """The directive of one action [len(names)]; entries outside [-1, 1] are clipped."""
        if len(action) != len(self.names):
            raise ValueError(
                f"action has {len(action)} entries: give {len(self.names)}, namely {', '.join(self.names)}"
            )
        *weights, bias = (min(max(float(entry), -1.0), 1.0) for entry in action)
        return Directive(
            weighting=LinearTanh(features=self.features, weights=tuple(weights), bias=bias, gain=self.gain)
        )

    def to_json(self) -> dict[str, Any]:
        return {"head": "sample_weights", "features": list(self.features), "gain": self.gain}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "SampleWeights":
        return SampleWeights(features=tuple(value["features"]), gain=float(value["gain"]))
