"""What the commands of distillation share."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from law_rl.data.sources import DataConfig
from law_rl.distillation.task import DistillationTask
from law_rl.experiment import Experiment
from law_rl.files import write_json
from law_rl.run import RunError
from law_rl.selection import plain


def distillation_task(experiment: Experiment) -> DistillationTask:
    """The experiment's task; ValueError where it has no teacher."""
    if not isinstance(experiment.task, DistillationTask):
        raise ValueError(
            f"{experiment.name} trains a {type(experiment.task).__name__}, which has no teacher: give an experiment "
            "whose task is a law_rl.distillation.task.DistillationTask"
        )
    return experiment.task


def classification_task(experiment: Experiment, verb: str) -> DistillationTask:
    """The experiment's task; ValueError where it has no teacher, or is to find identities again."""
    task = distillation_task(experiment)
    if not isinstance(task.data, DataConfig):
        raise ValueError(f"{experiment.name} is measured by {task.metric}: {verb} is for classifiers alone")
    return task


def keep_config(path: Path, config: Mapping[str, Any], *, resume: bool) -> None:
    """Writes what a run does; RunError where a run to be resumed did something else."""
    config = plain(dict(config))
    if resume:
        try:
            kept = dict(json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError, RecursionError) as error:
            raise RunError(f"{path} is damaged: leave out --resume, and give another --out") from error
        differing = [name for name in config if name != "law_rl" and kept.get(name) != config[name]]
        if differing:
            raise RunError(
                f"{path.parent} is of another run ({', '.join(differing)} differ): give the same flags as then, or "
                "another --out"
            )
    write_json(path, config)
