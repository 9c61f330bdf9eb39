"""Distillation of one student that is put out for use."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

import law_rl
from law_rl.commands.curriculum import Flags, check_offered, choose_curriculum, directing, schedule_of, warmup_of
from law_rl.commands.distillation import classification_task, distillation_task, keep_config
from law_rl.commands.distillation_arguments import DistillCommand
from law_rl.commands.experiments import load
from law_rl.distillation.learner import DistillationLearner
from law_rl.distillation.model_card import ModelCard
from law_rl.distillation.student import StageRow, train_student, write_stages
from law_rl.distillation.student_files import put_out
from law_rl.experiment import Experiment
from law_rl.jobs import Curriculum
from law_rl.progress import Progress
from law_rl.run import choose_directory


def distill(command: DistillCommand, overrides: Sequence[str]) -> None:
    """Trains a student, writes its files and its model card, and says how good it is."""
    root, experiment = load(command.experiment, overrides)
    task, curriculum = classification_task(experiment, "distill"), choose_curriculum(command, experiment)
    directory = choose_directory(root, f"{experiment.name}-distill", command.out, resume=command.resume)
    console = Console(stderr=command.json)
    console.print(f"{experiment.name} by {curriculum.name}: results in {directory}", highlight=False, soft_wrap=True)
    with Progress(console) as progress:
        learner, rows = train(command, experiment, curriculum, directory, progress)
    warmup, schedule = warmup_of(curriculum, experiment), schedule_of(curriculum)
    card, missing = put_out(
        task, learner, rows, directory, curriculum=curriculum.name, schedule=schedule, warmup=warmup
    )
    report(command, console, card, missing, directory)


def train(
    flags: Flags,
    experiment: Experiment,
    curriculum: Curriculum,
    directory: Path,
    progress: Progress,
    *,
    private: bool = False,
) -> tuple[DistillationLearner, tuple[StageRow, ...]]:
    """Trains a student in the run directory, or goes on with it; config.json and stages.csv are written.

    Into a `private` training's checkpoints only the owner can look. Raises ValueError, before anything is written,
    where the training does not offer what the curriculum sets.
    """
    task = distillation_task(experiment)
    task.prepare(partial(progress.preparation, experiment.name))
    learner = task.learner(flags.seed)
    check_offered(curriculum, experiment, learner)
    warmup, schedule = warmup_of(curriculum, experiment), schedule_of(curriculum)
    settings = {"by": curriculum.name, "directed": schedule or repr(curriculum), "seed": flags.seed}
    config = {"experiment": experiment.name, "task": task.describe(), "warmup": warmup, "distill": settings}
    keep_config(directory / "config.json", config | {"law_rl": law_rl.__version__}, resume=flags.resume)
    checkpoints = checkpoints_folder(directory, private=private)
    rows = train_student(learner, directing(curriculum, warmup), checkpoints, progress.student)
    write_stages(directory / "stages.csv", rows, task.metric)
    return learner, rows


def checkpoints_folder(directory: Path, *, private: bool) -> Path:
    """The folder of a run's checkpoints, made where it is missing."""
    folder = directory / "checkpoints"
    folder.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    return folder


def report(command: DistillCommand, console: Console, card: ModelCard, missing: str, directory: Path) -> None:
    """Says how good the student is; `missing` is why there is no ONNX graph, if there is none."""
    if missing:
        console.print(f"student.onnx is left out: {missing}", highlight=False, markup=False, soft_wrap=True)
    if command.json:
        print(json.dumps(card.to_json(), indent=2))
    else:
        print_card(console, card, directory)


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
