"""What RCO's greedy search (1904.09149) chooses from: how far students of each anchor are from all anchors."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from law_rl.data.dataset import Dataset, normalise
from law_rl.distillation.kd import kd_loss
from law_rl.distillation.learner import TERMS, DistillationLearner
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher_outputs import CHUNK, TeacherOutputs
from law_rl.files import write_json
from law_rl.learner import Directive

KD_ALONE = {**dict.fromkeys(TERMS, 0.0), "kd": 1.0}


def measure_divergences(
    task: DistillationTask,
    seed: int,
    observer: Callable[[int, int], None],
    *,
    indices: Sequence[int] | None = None,
    kept: Path | None = None,
) -> Tensor:
    """H float64 [E, E] for `greedy_search`: H[i, j] is the mean KL(anchor j || student of anchor i) on validation.

    In nats at temperature 1, over `indices` of the route, by default all. The student of anchor i begins as all of them
    do, from `seed`, and learns from that anchor by KD alone with the task's training and temperature (our reading: the
    paper could not be had). Students are measured in float32. `observer(done, total)` counts stages of all students.

    With `kept`, finished rows are kept in that JSON file, and those in it of the same task, seed and anchors are not
    measured again. Raises ValueError where a student's loss is not finite.
    """
    learner = task.learner(seed)
    route, stages = learner.teacher.route, learner.stages
    chosen = list(range(len(route)) if indices is None else indices)
    origin = _origin(learner, [route.anchors[index].sha256 for index in chosen])
    rows = _read(kept, origin)
    total = len(chosen) * stages
    observer(len(rows) * stages, total)
    inputs = _validation_inputs(learner)
    teachers = [_teacher_logits(learner.teacher, index, inputs) for index in chosen]
    for index in chosen:
        if str(index) in rows:
            continue
        learner = task.learner(seed)
        _teach(learner, index, partial(_add, observer, len(rows) * stages, total))
        rows[str(index)] = _divergences(learner, inputs, teachers)
        if kept is not None:
            write_json(kept, {**origin, "rows": rows})
    return torch.tensor([rows[str(index)] for index in chosen], dtype=torch.float64)


def every_kth(anchors: int, every: int) -> tuple[int, ...]:
    """Indices of each `every`-th of so many anchors, the last among them; ValueError where fewer than two are left."""
    if every < 1 or anchors <= every:
        raise ValueError(
            f"every is {every} on a route of {anchors} anchors: give at least 1, and so few that two anchors are left"
        )
    return tuple(range((anchors - 1) % every, anchors, every))


def _teach(learner: DistillationLearner, index: int, observer: Callable[[int], None]) -> None:
    position = index / max(len(learner.teacher.route) - 1, 1)
    while learner.stage < learner.stages:
        failure = learner.train_stage(Directive(anchor=position, losses=KD_ALONE)).failure
        if failure:
            raise ValueError(
                f"student of anchor {index}: {failure} in stage {learner.stage - 1}: lower "
                f"--task.training.optimiser.lr, now {learner.config.optimiser.lr}"
            )
        observer(learner.stage)


def _add(observer: Callable[[int, int], None], before: int, total: int, done: int) -> None:
    observer(before + done, total)


def _validation_inputs(learner: DistillationLearner) -> list[Tensor]:
    dataset = learner.dataset
    assert isinstance(dataset, Dataset)
    return [normalise(part, dataset.mean, dataset.std) for part in torch.split(dataset.validation.images, CHUNK)]


def _teacher_logits(teacher: TeacherOutputs, index: int, inputs: Sequence[Tensor]) -> Tensor:
    return torch.cat([teacher.of_anchor(index, part).logits for part in inputs])


@torch.no_grad()
def _divergences(learner: DistillationLearner, inputs: Sequence[Tensor], teachers: Sequence[Tensor]) -> list[float]:
    network = learner.network.eval()
    student = torch.cat([network(part) for part in inputs]).double()
    return [kd_loss(student, teacher.double(), 1.0).item() for teacher in teachers]


def _origin(learner: DistillationLearner, anchors: list[str]) -> dict[str, Any]:
    """What the rows depend on; anchors are named by their hashes."""
    data = learner.dataset.content_hash()
    return {"training": repr(learner.config), "data": data, "seed": learner.seed, "anchors": anchors}


def _read(kept: Path | None, origin: dict[str, Any]) -> dict[str, list[float]]:
    """The rows of a file of the same origin; none where there is no such file."""
    if kept is None or not kept.is_file():
        return {}
    try:
        content = dict(json.loads(kept.read_text(encoding="utf-8")))
        rows = dict(content.pop("rows"))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{kept} is damaged: delete it to measure again, or restore a copy") from error
    return rows if content == origin else {}
