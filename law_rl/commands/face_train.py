"""One face network that is put out for use, trained by labels alone or with a teacher."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console

import law_rl
from law_rl.commands.curriculum import Fixed, choose_curriculum, schedule_of, warmup_of
from law_rl.commands.distill import checkpoints_folder, train
from law_rl.commands.distillation import keep_config
from law_rl.commands.experiments import load
from law_rl.commands.face_arguments import FaceDistillCommand, FaceTrainCommand
from law_rl.distillation.student import train_student, write_stages
from law_rl.experiment import Experiment
from law_rl.face.embedder_files import NAME, put_out
from law_rl.face.learner import FaceConfig, FaceLearner, FaceLossTerms
from law_rl.face.model_card import FaceCard
from law_rl.face.task import FaceTask
from law_rl.features import WITH_TEACHER
from law_rl.learner import BASELINE
from law_rl.progress import Progress
from law_rl.run import choose_directory

ALONE = "labels alone"


def train_alone(command: FaceTrainCommand, overrides: Sequence[str]) -> None:
    """Trains the experiment's network without its teacher, writes its files, and says how good it is."""
    root, experiment = load(command.experiment, overrides)
    task = face_task(experiment)
    directory = choose_directory(root, f"{experiment.name}-face-train", command.out, resume=command.resume)
    console = _announce(command.json, f"{experiment.name} by {ALONE}", directory)
    training = by_labels_alone(task.training)
    learner = training.learner(task.dataset, command.seed)
    config = {"experiment": experiment.name, "task": _described(task, training), "face train": {"seed": command.seed}}
    keep_config(directory / "config.json", config | {"law_rl": law_rl.__version__}, resume=command.resume)
    with Progress(console) as progress:
        checkpoints = checkpoints_folder(directory, private=True)
        rows = train_student(learner, lambda _: BASELINE, checkpoints, progress.network)
    write_stages(directory / "stages.csv", rows, task.metric)
    card, missing = put_out(task, learner, rows, directory, curriculum=ALONE)
    _report(command.json, console, card, missing, directory)


def distill_face(command: FaceDistillCommand, overrides: Sequence[str]) -> None:
    """Trains the experiment's network with its teacher, writes its files, and says how good it is."""
    root, experiment = load(command.experiment, overrides)
    task, curriculum = face_task(experiment), choose_curriculum(command, experiment)
    if isinstance(curriculum, Fixed) and curriculum.fixed.losses:
        replace(task.training, losses=FaceLossTerms(**curriculum.fixed.losses))  # which checks them
    directory = choose_directory(root, f"{experiment.name}-face-distill", command.out, resume=command.resume)
    console = _announce(command.json, f"{experiment.name} by {curriculum.name}", directory)
    with Progress(console) as progress:
        learner, rows = train(command, experiment, curriculum, directory, progress, private=True)
    assert isinstance(learner, FaceLearner)
    schedule, warmup = schedule_of(curriculum), warmup_of(curriculum, experiment)
    card, missing = put_out(
        task, learner, rows, directory, curriculum=curriculum.name, schedule=schedule, warmup=warmup
    )
    _report(command.json, console, card, missing, directory)


def face_task(experiment: Experiment) -> FaceTask:
    """The experiment's task; ValueError where it is not about faces."""
    if not isinstance(experiment.task, FaceTask):
        raise ValueError(
            f"{experiment.name} trains a {type(experiment.task).__name__}: give an experiment whose task is a "
            "law_rl.face.task.FaceTask"
        )
    return experiment.task


def by_labels_alone(training: FaceConfig) -> FaceConfig:
    """The training with the loss over the labels alone, without features that need a teacher."""
    nothing = {term.name: 0.0 for term in fields(FaceLossTerms)}
    features = tuple(name for name in training.features if name not in WITH_TEACHER)
    return replace(training, losses=FaceLossTerms(**(nothing | {"ce": 1.0})), features=features or ("loss",))


def _described(task: FaceTask, training: FaceConfig) -> dict[str, Any]:
    """Configuration without paths, and the content hash of the data."""
    data, kept = asdict(task.data), asdict(training)
    del data["root"], kept["device"]
    return {"name": task.data.name, "hash": task.dataset.content_hash(), "data": data, "training": kept}


def _announce(as_json: bool, what: str, directory: Path) -> Console:
    console = Console(stderr=as_json)
    console.print(f"{what}: results in {directory}", highlight=False, markup=False, soft_wrap=True)
    return console


def _report(as_json: bool, console: Console, card: FaceCard, missing: str, directory: Path) -> None:
    """Says how good the network is; `missing` is why there is no ONNX graph, if there is none."""
    if missing:
        console.print(f"{NAME}.onnx is left out: {missing}", highlight=False, markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps(card.to_json(), indent=2))
        return
    teacher = "" if card.teacher is None else f"; its teacher: {card.metric} {card.teacher.metric:.2f} %"
    lines = [
        f"network: {', '.join(f'{name} {card.words(name)}' for name in card.metrics)}{teacher}",
        f"on {card.data.test} (95 % intervals over persons); {card.parameters:,} parameters, {card.macs:,} "
        "multiply-accumulates an image",
        f"in {directory}: {', '.join([*card.files, 'README.md', 'metrics.json', 'stages.csv'])}",
    ]
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
