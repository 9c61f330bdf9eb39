"""The sections of a report on what the schedule does, as far as its actions set it: plots with captions."""

import math
from collections.abc import Iterator
from functools import partial

from law_rl.actions import LossWeights, SampleWeights, heads_of
from law_rl.report import curriculum_plots as plots
from law_rl.report.effects import directives, loss_weight, rules
from law_rl.report.elements import figure, meanings, note, section
from law_rl.report.meanings import LOSSES, MEANINGS
from law_rl.report.run_directory import Run
from law_rl.stage_weights import BINS

_UNKNOWN = "No stage of this schedule has a known action."
_MEAN = "on average over the trainings that confirmed the policy"


def curriculum_sections(run: Run) -> Iterator[str]:
    """Sections on how samples are weighted, which teacher is chosen and how losses are mixed, each only if it is so."""
    heads = heads_of(run.schedule.action)
    if heads.sample_weights:
        yield _weights(run, heads.sample_weights)
        yield _by_loss(run)
        yield _shares(run)
    if heads.teacher_anchor:
        yield _teacher(run)
    if heads.loss_weights:
        yield _mixture(run, heads.loss_weights)


def _weights(run: Run, head: SampleWeights) -> str:
    title = "What the schedule does with a sample"
    known = rules(directives(run.schedule.action, run.stages))
    if not known:
        return section(title, note(_UNKNOWN))
    alt = (
        f"Sample weight against {', '.join(head.features)}, one curve for each of the stages {min(known)} to "
        f"{max(known)}. The table of the schedule below has the numbers."
    )
    caption = (
        f"How much a sample counts, p = 1 + tanh({head.gain:g} (w · f + bias)), against each of its features f while "
        "its others are 0; one curve a stage, from dark (early) to light (late). 1 is ordinary training, 0 leaves a "
        "sample out. Only ratios matter: the loss is divided by the sum of the weights, so flat curves at any height "
        "are ordinary training."
    )
    draw = partial(plots.draw_weights, rules=known)
    height = 0.4 + 2.7 * plots.panel_rows(len(head.features))
    clauses = {name: MEANINGS[name].clause for name in head.features}
    return section(title, figure(draw, height, name="weights", alt=alt, caption=caption) + meanings(clauses))


def _by_loss(run: Run) -> str:
    title = "Weight against loss"
    rows = [row for row in run.stages if any(math.isfinite(row.get(name, math.nan)) for name in BINS)]
    if not rows:
        return section(title, note("No stage of this schedule weighted its samples, so this plot is left out."))
    alt = f"Mean sample weight by the sample's loss, one line for each of {len(rows)} stages."
    caption = f"What samples of each range of losses counted in each stage, {_MEAN}; from dark (early) to light (late)."
    draw = partial(plots.draw_weight_by_loss, stages=rows)
    return section(title, figure(draw, 3.2, name="weight-by-loss", alt=alt, caption=caption))


def _shares(run: Run) -> str:
    title = "Who gets the weight"
    known = [
        row for row in run.stages if math.isfinite(row["weight_clean"]) or math.isfinite(row["weight_mislabelled"])
    ]
    if not known:
        return section(
            title, note("It is not known which samples of this data are mislabelled, so this plot is left out.")
        )
    last = known[-1]
    alt = (
        f"Mean weight of correctly labelled and of mislabelled samples by stage; in stage {last['stage']:.0f} "
        f"{last['weight_clean']:.2f} and {last['weight_mislabelled']:.2f}."
    )
    caption = (
        "The mean weight that samples with correct and with wrong labels had in each stage. The schedule is not told "
        "which is which: the wider the gap between the lines, the better it tells them apart."
    )
    draw = partial(plots.draw_shares, stages=run.stages)
    return section(title, figure(draw, 3.2, name="shares", alt=alt, caption=caption))


def _teacher(run: Run) -> str:
    title = "The teacher, stage by stage"
    anchors = {stage: each.anchor for stage, each in directives(run.schedule.action, run.stages).items()}
    if not anchors:
        return section(title, note(_UNKNOWN))
    first, last = min(anchors), max(anchors)
    alt = (
        "The place of each stage's teacher on the route, where 0 is the first anchor and 1 the converged teacher: "
        f"{anchors[first]:.2f} in stage {first}, {anchors[last]:.2f} in stage {last}, {min(anchors.values()):.2f} at "
        "the lowest."
    )
    caption = (
        f"Which of the teacher's checkpoints taught each stage, {_MEAN}: 0 is the first anchor of its route, the "
        "easiest to follow, 1 the converged teacher. The dotted line is what the twin learns from. A place between two "
        "anchors means the nearer one or a mixture of both, as the training is configured."
    )
    draw = partial(plots.draw_teacher, anchors=anchors)
    return section(title, figure(draw, 2.8, name="teacher", alt=alt, caption=caption))


def _mixture(run: Run, head: LossWeights) -> str:
    title = "The mixture of losses, stage by stage"
    losses = {stage: each.losses for stage, each in directives(run.schedule.action, run.stages).items()}
    if not losses:
        return section(title, note(_UNKNOWN))
    first, last = min(losses), max(losses)
    paths = "; ".join(
        f"{term} {loss_weight(head, term, losses[first][term])} and {loss_weight(head, term, losses[last][term])}, "
        f"usually {loss_weight(head, term, usual)}"
        for term, usual in zip(head.terms, head.usual, strict=True)
    )
    alt = f"Weight of each term of the loss by stage, in stages {first} and {last}: {paths}."
    caption = (
        f"How much each term of the loss counted in each stage, {_MEAN}. Each panel reaches from 0 to the most that "
        "the schedule can give its term. The dotted lines are the usual weights, those of the twin; terms that are not "
        "shown keep theirs."
    )
    draw = partial(plots.draw_mixture, head=head, losses=losses)
    height = 0.4 + 2.0 * plots.panel_rows(len(head.terms))
    clauses = {term: LOSSES[term] for term in head.terms if term in LOSSES}
    explained = meanings(clauses) if clauses else ""
    return section(title, figure(draw, height, name="mixture", alt=alt, caption=caption) + explained)
