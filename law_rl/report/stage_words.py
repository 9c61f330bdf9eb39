"""What a schedule does in each stage, as lines of text."""

from collections.abc import Iterator, Mapping, Sequence

from law_rl.actions import Heads, LossWeights, SampleWeights, heads_of
from law_rl.learner import Directive
from law_rl.report.effects import loss_weight, rules, sample_weights, typical_actions
from law_rl.report.meanings import LOSSES, MEANINGS
from law_rl.schedule import Schedule
from law_rl.weighting import LinearTanh


def stage_paragraphs(schedule: Schedule) -> Iterator[list[str]]:
    """What the entries of its actions mean, and which they typically are: a paragraph for each of its heads."""
    heads = heads_of(schedule.action)
    if heads.sample_weights:
        yield _features(heads.sample_weights)
    if heads.teacher_anchor:
        yield _TEACHER
    if heads.loss_weights:
        yield _terms(heads.loss_weights)
    actions = typical_actions(schedule)
    if not actions:
        yield ["Its typical actions were not kept: it must be followed to be seen."]
        return
    directed = {schedule.warmup + k: schedule.action.directive(row) for k, row in enumerate(actions)}
    mean = "" if schedule.kind == "table" else ", on average over the trainings that confirmed it"
    if heads.sample_weights:
        yield [f"How it weights samples in each stage{mean}:", *_weighting(heads.sample_weights, rules(directed))]
    if heads.teacher_anchor or heads.loss_weights:
        yield [f"What it sets in each stage{mean}:", *_supervision(directed, heads)]


def _features(head: SampleWeights) -> list[str]:
    width = max(map(len, head.features))
    return [
        f"A sample counts p = 1 + tanh({head.gain:g} (w . f + bias)), from 0 to 2; 1 is ordinary training.",
        "Its features f:",
        *(f"  {name:{width}}  {MEANINGS[name].clause}" for name in head.features),
    ]


_TEACHER = [
    "It chooses the teacher by its place on the teacher's route:",
    "0 is the first anchor, 1 the converged teacher, the usual one.",
]


def _terms(head: LossWeights) -> list[str]:
    width = max(map(len, head.terms))
    return [
        "It weights these terms of the loss, where others keep their usual weight:",
        *(
            f"  {term:{width}}  usually {loss_weight(head, term, usual)}, at most {loss_weight(head, term, most)}"
            + (f"; {LOSSES[term]}" if term in LOSSES else "")
            for term, usual, most in zip(head.terms, head.usual, head.most, strict=True)
        ),
    ]


_HEADER = f"{'w':>6}{'p -1':>6}{'p 1':>6}"


def _weighting(head: SampleWeights, by_stage: Mapping[int, LinearTanh]) -> list[str]:
    widths = {name: max(len(name), len(_HEADER)) for name in head.features}
    return [
        f"  {'':21}" + "".join(f"  {name:>{width}}" for name, width in widths.items()),
        f"  {'stage':>5}{'bias':>8}{'p 0':>8}" + "".join(f"  {_HEADER:>{width}}" for width in widths.values()),
        *(_weighting_line(stage, rule, widths) for stage, rule in by_stage.items()),
        "  p 0: what a sample counts whose features are all 0. Under each feature: w, its weight; p -1 and p 1, what",
        "  a sample counts for which this feature alone is -1 or 1.",
        *(_direction(list(by_stage.values()), name) for name in head.features),
    ]


def _weighting_line(stage: int, rule: LinearTanh, widths: Mapping[str, int]) -> str:
    (middle,) = sample_weights(rule, rule.features[0], [0.0])
    line = f"  {stage:>5}{rule.bias:>z8.2f}{middle:>8.2f}"
    for name, weight in zip(rule.features, rule.weights, strict=True):
        low, high = sample_weights(rule, name, [-1.0, 1.0])
        line += f"  {f'{weight:>z6.2f}{low:>6.2f}{high:>6.2f}':>{widths[name]}}"
    return line


def _direction(by_stage: Sequence[LinearTanh], name: str) -> str:
    column = by_stage[0].features.index(name)
    more = sum(rule.weights[column] > 0 for rule in by_stage)
    less = sum(rule.weights[column] < 0 for rule in by_stage)
    return f"High {name} counts more in {more} of {len(by_stage)} stages, less in {less}."


def _supervision(directed: Mapping[int, Directive], heads: Heads) -> list[str]:
    mixture, terms = heads.loss_weights, heads.loss_weights.terms if heads.loss_weights else ()
    columns = {"stage": [str(stage) for stage in directed]}
    if heads.teacher_anchor:
        columns["teacher"] = [f"{each.anchor:.2f}" for each in directed.values()]
    if mixture:
        columns |= {t: [loss_weight(mixture, t, each.losses[t]) for each in directed.values()] for t in terms}
    widths = [max(map(len, (name, *texts))) for name, texts in columns.items()]
    rows = [tuple(columns), *zip(*columns.values(), strict=True)]
    lines = ["  " + "   ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)) for row in rows]
    if heads.teacher_anchor:
        easier = sum(round(each.anchor, 2) < 1 for each in directed.values())
        lines.append(f"The teacher is easier than the converged one in {easier} of {len(directed)} stages.")
    return [*lines, *(_against_usual(directed, mixture, term) for term in terms if mixture)]


def _against_usual(directed: Mapping[int, Directive], head: LossWeights, term: str) -> str:
    usual, weights = head.usual[head.terms.index(term)], [each.losses[term] for each in directed.values()]
    more, less = sum(weight > usual for weight in weights), sum(weight < usual for weight in weights)
    return f"The loss {term} weighs more than usual in {more} of {len(weights)} stages, less in {less}."
