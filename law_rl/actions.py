"""What an action vector means: named heads, each a slice of a flat Box(-1, 1), that together make a directive."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from law_rl.features import check_feature_names
from law_rl.learner import Directive, Learner
from law_rl.weighting import LinearTanh


@dataclass(frozen=True, kw_only=True)
class SampleWeights:
    """A head that weights samples by p_i = 1 + tanh(gain (w . f_i + b)); its entries are w, one a feature, and b.

    LAW's scorer (released code) with bounded parameters; `gain` 10 is the preset for its unbounded linear actor.
    """

    head: ClassVar[str] = "sample_weights"
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

    @property
    def baseline(self) -> tuple[float, ...]:
        """The action of the twin: uniform weights."""
        return (0.0,) * len(self.names)

    def directive(self, action: Sequence[float]) -> Directive:
        """The directive of one action [len(names)]; entries outside [-1, 1] are clipped."""
        *weights, bias = _checked(action, self.names)
        return Directive(
            weighting=LinearTanh(features=self.features, weights=tuple(weights), bias=bias, gain=self.gain)
        )

    def to_json(self) -> dict[str, Any]:
        return {"head": self.head, "features": list(self.features), "gain": self.gain}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "SampleWeights":
        return SampleWeights(features=tuple(value["features"]), gain=float(value["gain"]))


@dataclass(frozen=True, kw_only=True)
class TeacherAnchor:
    """A head of one entry that chooses the teacher: -1 is the first anchor of its route, 1 the converged teacher."""

    head: ClassVar[str] = "teacher_anchor"
    features: ClassVar[tuple[str, ...]] = ()
    names: ClassVar[tuple[str, ...]] = ("teacher anchor",)
    baseline: ClassVar[tuple[float, ...]] = (1.0,)

    def directive(self, action: Sequence[float]) -> Directive:
        """The directive of one action [1]; an entry outside [-1, 1] is clipped."""
        (entry,) = _checked(action, self.names)
        return Directive(anchor=(1.0 + entry) / 2.0)

    def to_json(self) -> dict[str, Any]:
        return {"head": self.head}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "TeacherAnchor":
        return TeacherAnchor()


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """A head that weights the terms of the loss, one entry a term: 0 at -1, `usual` at 0, `most` at 1, linear between.

    `usual` is the learner's own weight, which the twin trains with; a term that it leaves out (0) is on only above 0.
    """

    head: ClassVar[str] = "loss_weights"
    features: ClassVar[tuple[str, ...]] = ()
    terms: tuple[str, ...]
    usual: tuple[float, ...]
    most: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.terms or len(set(self.terms)) < len(self.terms):
            raise ValueError(f"terms are {', '.join(self.terms) or 'empty'}: name each term of the loss once")
        if not len(self.terms) == len(self.usual) == len(self.most):
            raise ValueError(
                f"usual has {len(self.usual)} and most {len(self.most)} weights for {len(self.terms)} terms: give one "
                "each"
            )
        for term, usual, most in zip(self.terms, self.usual, self.most, strict=True):
            if not (0 <= usual <= most < math.inf and most > 0):
                raise ValueError(
                    f"{term} is usually weighted {usual} and at most {most}: give 0 <= usual <= most, and most above 0"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """What each entry of the action is."""
        return tuple(f"loss {term}" for term in self.terms)

    @property
    def baseline(self) -> tuple[float, ...]:
        """The action of the twin: the learner's own weights."""
        return (0.0,) * len(self.terms)

    def directive(self, action: Sequence[float]) -> Directive:
        """The directive of one action [len(names)]; entries outside [-1, 1] are clipped."""
        entries = _checked(action, self.names)
        weights = [
            (1.0 - abs(entry)) * usual + max(entry, 0.0) * most
            for entry, usual, most in zip(entries, self.usual, self.most, strict=True)
        ]
        return Directive(losses=dict(zip(self.terms, weights, strict=True)))

    def to_json(self) -> dict[str, Any]:
        return {"head": self.head, "terms": list(self.terms), "usual": list(self.usual), "most": list(self.most)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "LossWeights":
        terms, usual, most = (tuple(value[key]) for key in ("terms", "usual", "most"))
        return LossWeights(terms=terms, usual=usual, most=most)


Head = SampleWeights | TeacherAnchor | LossWeights


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Several heads as one action: their entries one after the other, in the order of the fields."""

    head: ClassVar[str] = "heads"
    sample_weights: SampleWeights | None = None
    teacher_anchor: TeacherAnchor | None = None
    loss_weights: LossWeights | None = None

    def __post_init__(self) -> None:
        if not list(self):
            raise ValueError("no head is given: name sample_weights, teacher_anchor or loss_weights")

    def __iter__(self) -> Iterator[Head]:
        return (head for head in (self.sample_weights, self.teacher_anchor, self.loss_weights) if head is not None)

    @property
    def features(self) -> tuple[str, ...]:
        """The features that samples are weighted by."""
        return self.sample_weights.features if self.sample_weights else ()

    @property
    def names(self) -> tuple[str, ...]:
        """What each entry of the action is."""
        return tuple(name for head in self for name in head.names)

    @property
    def baseline(self) -> tuple[float, ...]:
        """The action of the twin."""
        return tuple(entry for head in self for entry in head.baseline)

    def directive(self, action: Sequence[float]) -> Directive:
        """The directive of one action [len(names)]; entries outside [-1, 1] are clipped."""
        entries = iter(_checked(action, self.names))
        fields: dict[str, Any] = {}
        for head in self:
            directive = head.directive([next(entries) for _ in head.names])
            fields[_FIELDS[head.head]] = getattr(directive, _FIELDS[head.head])
        return Directive(**fields)

    def to_json(self) -> dict[str, Any]:
        return {"head": self.head, **{head.head: head.to_json() for head in self}}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Heads":
        for name in (name for name, entry in value.items() if isinstance(entry, Mapping)):
            _check_known(name, _FIELDS)
        weights, anchor, losses = (value.get(head.head) for head in (SampleWeights, TeacherAnchor, LossWeights))
        return Heads(
            sample_weights=SampleWeights.from_json(weights) if weights else None,
            teacher_anchor=TeacherAnchor.from_json(anchor) if anchor else None,
            loss_weights=LossWeights.from_json(losses) if losses else None,
        )


Action = Head | Heads
_FIELDS = {"sample_weights": "weighting", "teacher_anchor": "anchor", "loss_weights": "losses"}
_ACTIONS: dict[str, type[Action]] = {
    action.head: action for action in (SampleWeights, TeacherAnchor, LossWeights, Heads)
}


def action_from_json(value: Mapping[str, Any]) -> Action:
    """The head or heads that `to_json` wrote; ValueError for one that this version does not know."""
    _check_known(value["head"], _ACTIONS)
    return _ACTIONS[value["head"]].from_json(value)


def _check_known(head: str, known: Mapping[str, Any]) -> None:
    if head not in known:
        raise ValueError(f"its action has the head {head!r}, which this law-rl does not know: upgrade law-rl")


def heads_of(action: Action) -> Heads:
    """The action as Heads, also where it is a single one."""
    match action:
        case Heads():
            return action
        case SampleWeights():
            return Heads(sample_weights=action)
        case TeacherAnchor():
            return Heads(teacher_anchor=action)
        case LossWeights():
            return Heads(loss_weights=action)


def check_offered(action: Action, learner: Learner) -> None:
    """ValueError with the remedy where the learner does not offer what the action sets."""
    heads = heads_of(action)
    missing = sorted(set(heads.features) - set(learner.feature_names))
    if missing:
        raise ValueError(
            f"the training offers no feature {', '.join(missing)}: "
            f"add --task.training.features {' '.join(heads.features)}"
        )
    if heads.teacher_anchor and not learner.anchors:
        raise ValueError("the training has no teacher, and the action chooses one: leave out the head teacher_anchor")
    if heads.loss_weights:
        _check_terms(heads.loss_weights, learner.loss_weights)


def _check_terms(head: LossWeights, own: Mapping[str, float]) -> None:
    for term, usual in zip(head.terms, head.usual, strict=True):
        if term not in own:
            remedy = f"choose loss_weights.terms from {', '.join(own)}" if own else "leave out the head loss_weights"
            raise ValueError(f"the training has no loss {term}: {remedy}")
        if own[term] != usual:
            raise ValueError(
                f"loss_weights.usual says {usual} for {term}, and the training weights it {own[term]}: "
                "make them equal, so that the action 0 is what the twin does"
            )


def _checked(action: Sequence[float], names: Sequence[str]) -> list[float]:
    """The entries clipped to [-1, 1]; ValueError where their number is wrong."""
    if len(action) != len(names):
        raise ValueError(f"action has {len(action)} entries: give {len(names)}, namely {', '.join(names)}")
    return [min(max(float(entry), -1.0), 1.0) for entry in action]
