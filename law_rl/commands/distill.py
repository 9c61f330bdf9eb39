"""Distillation of one student that is put out for use."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.console import Console

import law_rl
from law_rl.commands.distillation import classification_task, keep_config
from law_rl.commands.distillation_arguments import DistillCommand
from law_rl.commands.experiments import load
from law_rl.distillation.learner import TERMS, LossTerms
from law_rl.distillation.model_card import ModelCard
from law_rl.distillation.student import train_student, write_stages
from law_rl.distillation.student_files import put_out
from law_rl.evaluate import Follow, check_fits
from law_rl.experiment import Experiment
from law_rl.jobs import Curriculum
from law_rl.learner import Directive, Learner
from law_rl.progress import Progress
from law_rl.run import choose_directory
from law_rl.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """One directive all the way."""

    fixed: Directive
    name: str
    needs_mislabelled: ClassVar[bool] = False

    def directive(self, learner: Learner) -> Directive:
        return self.fixed


def distill(command: DistillCommand, overrides: Sequence[str]) -> None:
    """Trains a student, writes its files and its model card, and says how good it is."""
    root, experiment = load(command.experiment, overrides)
    task, curriculum = classification_task(experiment, "distill"), choose_curriculum(command, experiment)
    directory = choose_directory(root, f"{experiment.name}-distill", command.out, resume=command.resume)
    console = Console(stderr=command.json)
    console.print(f"{experiment.name} by {curriculum.name}: results in {directory}", highlight=False, soft_wrap=True)
    with Progress(console) as progress:
        task.prepare(partial(progress.preparation, experiment.name))
        learner = task.learner(command.seed)
        check_offered(curriculum, experiment, learner)
        warmup, schedule = warmup_of(curriculum, experiment), schedule_of(curriculum)
        settings = {"by": curriculum.name, "directed": schedule or repr(curriculum), "seed": command.seed}
        config = {"experiment": experiment.name, "task": task.describe(), "warmup": warmup, "distill": settings}
        keep_config(directory / "config.json", config | {"law_rl": law_rl.__version__}, resume=command.resume)
        rows = train_student(learner, directing(curriculum, warmup), directory / "checkpoints", progress.student)
    write_stages(directory / "stages.csv", rows)
    card, missing = put_out(
        task, learner, rows, directory, curriculum=curriculum.name, schedule=schedule, warmup=warmup
    )
    report(command, console, card, missing, directory)


def report(command: DistillCommand, console: Console, card: ModelCard, missing: str, directory: Path) -> None:
    """Says how good the student is; `missing` is why there is no ONNX graph, if there is none."""
    if missing:
        console.print(f"student.onnx is left out: {missing}", highlight=False, markup=False, soft_wrap=True)
    if command.json:
        print(json.dumps(card.to_json(), indent=2))
    else:
        print_card(console, card, directory)


def choose_curriculum(command: DistillCommand, experiment: Experiment) -> Curriculum:
    """What directs the training, as the flags say; ValueError for flags that contradict, and for no such curriculum."""
    if command.losses or command.anchor is not None:
        if command.by:
            raise ValueError(f"--by {command.by} directs the whole training: leave it out, or --losses and --anchor")
        return fixed(command.losses, 1.0 if command.anchor is None else command.anchor)
    named = {baseline.name: baseline for baseline in experiment.baselines}
    if command.by.endswith(".safetensors"):
        return Follow(schedule=load_schedule(command.by))
    if command.by and command.by not in named:
        raise ValueError(
            f"by is {command.by!r}: give {', '.join(named)}, a baseline of {experiment.name}, or the path of a "
            "schedule.safetensors"
        )
    return named[command.by or experiment.reference]


def fixed(losses: Sequence[str], anchor: float) -> Fixed:
    """A fixed mixture of losses (empty: the training's own) with the teacher at one place of its route."""
    weights = asdict(LossTerms(**(dict.fromkeys(TERMS, 0.0) | read_losses(losses)))) if losses else {}
    place = "" if anchor == 1.0 else f" at anchor {anchor:g}"
    return Fixed(fixed=Directive(anchor=anchor, losses=weights), name=f"fixed mixture{place}")


def read_losses(losses: Sequence[str]) -> dict[str, float]:
    """The weights of entries such as kd=0.9; ValueError for anything else."""
    weights: dict[str, float] = {}
    for entry in losses:
        term, _, value = entry.partition("=")
        if term not in TERMS or term in weights:
            raise ValueError(f"losses has {entry!r}: give TERM=WEIGHT, each of {', '.join(TERMS)} at most once")
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


def print_card(console: Console, card: ModelCard, directory: Path) -> None:
    """The student in a few lines."""
    accuracy, names = card.accuracy, [*card.files, "README.md", "card.json", "stages.csv"]
    lines = [
        f"student: {accuracy.mean:.2f} % of {card.data.test:,} test images (95 % interval {accuracy.low:.2f} to "
        f"{accuracy.high:.2f}); its teacher: {card.teacher.accuracy:.2f} %",
        f"{card.parameters:,} parameters, {card.macs:,} multiply-accumulates and {card.latency.median_ms:.3g} ms an "
        "image on one thread of the CPU",
        f"in {directory}: {', '.join(names)}",
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
