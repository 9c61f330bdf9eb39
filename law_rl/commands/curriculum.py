"""What directs the training of one network, as the flags of a command say."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Protocol

from law_rl.commands.distillation import distillation_task
from law_rl.distillation.learner import LossTerms
from law_rl.evaluate import Follow, check_fits
from law_rl.experiment import Experiment
from law_rl.jobs import Curriculum
from law_rl.learner import Directive, Learner
from law_rl.schedule import Schedule


class Flags(Protocol):
    """The flags of a command that distils."""

    @property
    def seed(self) -> int: ...

    @property
    def resume(self) -> bool: ...

    @property
    def by(self) -> str: ...

    @property
    def losses(self) -> tuple[str, ...]: ...

    @property
    def anchor(self) -> float | None: ...


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """One directive all the way."""

    fixed: Directive
    name: str
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return self.fixed


def choose_curriculum(flags: Flags, experiment: Experiment) -> Curriculum:
    """What directs the training, as the flags say; ValueError for flags that contradict, and for no such curriculum."""
    if flags.losses or flags.anchor is not None:
        if flags.by:
            raise ValueError(f"--by {flags.by} directs the whole training: leave it out, or --losses and --anchor")
        own = distillation_task(experiment).training.losses
        return fixed(flags.losses, 1.0 if flags.anchor is None else flags.anchor, type(own))
    named = {baseline.name: baseline for baseline in experiment.baselines}
    if flags.by.endswith(".safetensors"):
        return Follow(schedule=load_schedule(flags.by))
    if flags.by and flags.by not in named:
        raise ValueError(
            f"by is {flags.by!r}: give {', '.join(named)}, a baseline of {experiment.name}, or the path of a "
            "schedule.safetensors"
        )
    return named[flags.by or experiment.reference]


def fixed(losses: Sequence[str], anchor: float, kind: type[LossTerms]) -> Fixed:
    """A fixed mixture of losses, of those of `kind` (empty: the training's own), with the teacher at one place."""
    terms = [term.name for term in fields(kind)]
    weights = asdict(kind(**(dict.fromkeys(terms, 0.0) | read_losses(losses, terms)))) if losses else {}
    place = "" if anchor == 1.0 else f" at anchor {anchor:g}"
    return Fixed(fixed=Directive(anchor=anchor, losses=weights), name=f"fixed mixture{place}")


def read_losses(losses: Sequence[str], terms: Sequence[str]) -> dict[str, float]:
    """The weights of entries such as kd=0.9, each of one of the terms; ValueError for anything else."""
    weights: dict[str, float] = {}
    for entry in losses:
        term, _, value = entry.partition("=")
        if term not in terms or term in weights:
            raise ValueError(f"losses has {entry!r}: give TERM=WEIGHT, each of {', '.join(terms)} at most once")
        try:
            weights[term] = float(value)
        except ValueError as error:
            raise ValueError(f"losses has {entry!r}: give a number after the =, as {term}=0.5") from error
    return weights


def load_schedule(path: str) -> Schedule:
    """The schedule of a file; ValueError for one that needs more than a training has."""
    schedule = Schedule.load(path)
    if schedule.needs_validation:
        raise ValueError(f"{path} looks at validation data or a twin, which distill has not: learn one without")
    return schedule


def check_offered(curriculum: Curriculum, experiment: Experiment, learner: Learner) -> None:
    """ValueError where the training does not offer what the curriculum sets."""
    if isinstance(curriculum, Follow):
        check_fits(curriculum.schedule, experiment)
    curriculum.directive(learner)  # raises where it asks for anchors that the route has not


def warmup_of(curriculum: Curriculum, experiment: Experiment) -> int:
    """The stages before the curriculum begins: as in an evaluation, but none for what holds all the way."""
    return 0 if isinstance(curriculum, Fixed) else experiment.env.warmup


def schedule_of(curriculum: Curriculum) -> str | None:
    """The hash of the schedule, where it was learned."""
    return curriculum.schedule.hash if isinstance(curriculum, Follow) else None


def directing(curriculum: Curriculum, warmup: int) -> Callable[[Learner], Directive]:
    """The directive of a learner's next stage, as an evaluation gives it: the twin's during warm-up."""
    return lambda learner: Directive() if learner.stage < warmup else curriculum.directive(learner)
