"""What the directives of a schedule set, in the numbers and phrases that its plots, tables and texts share."""

import math
from collections.abc import Mapping, Sequence

import torch

from law_rl.actions import Action, LossWeights, heads_of
from law_rl.learner import Directive
from law_rl.schedule import Schedule
from law_rl.weighting import LinearTanh, linear_tanh


def sample_weights(rule: LinearTanh, feature: str, values: Sequence[float]) -> list[float]:
    """What samples count under a rule whose `feature` has these values and whose other features are 0."""
    column = torch.tensor(values, dtype=torch.float64)
    features = [column if name == feature else torch.zeros_like(column) for name in rule.features]
    return linear_tanh(rule, features).tolist()


def typical_actions(schedule: Schedule) -> list[list[float]]:
    """One action a stage after warm-up: a table's own, a policy's mean over the trainings that confirmed it or []."""
    if schedule.kind == "table":
        blind = torch.zeros(len(schedule.observation))
        return [schedule.actor.act(blind, stage).tolist() for stage in range(schedule.warmup, schedule.stages)]
    return [list(row) for row in schedule.provenance.get("typical_actions", [])]


def directives(action: Action, stages: Sequence[Mapping[str, float]]) -> dict[int, Directive]:
    """What the mean actions of a run's stages mean; stages without a known action are left out."""
    rows = {int(row["stage"]): [row[name] for name in action.names] for row in stages}
    return {stage: action.directive(row) for stage, row in rows.items() if all(map(math.isfinite, row))}


def rules(directed: Mapping[int, Directive]) -> dict[int, LinearTanh]:
    """The rules that weight samples, of the stages that have one."""
    weightings = {stage: directive.weighting for stage, directive in directed.items()}
    return {stage: rule for stage, rule in weightings.items() if isinstance(rule, LinearTanh)}


def usual(action: Action) -> str:
    """What the twin trains with instead of what the action sets, to stand after "with"."""
    heads = heads_of(action)
    phrases = [
        phrase
        for head, phrase in (
            (heads.sample_weights, "equal sample weights"),
            (heads.teacher_anchor, "the converged teacher"),
            (heads.loss_weights, "the usual loss weights"),
        )
        if head
    ]
    return " and ".join(part for part in (", ".join(phrases[:-1]), phrases[-1]) if part)


def loss_weight(head: LossWeights, term: str, weight: float) -> str:
    """The weight of a term with three significant digits of its largest, and at least two decimals."""
    most = head.most[head.terms.index(term)]
    return f"{weight:.{max(2, 2 - math.floor(math.log10(most)))}f}"
