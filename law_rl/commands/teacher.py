"""The teacher of a distillation experiment: trained, shown, or imported."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from law_rl.commands.distillation import distillation_task
from law_rl.commands.distillation_arguments import TeacherCommand
from law_rl.commands.experiments import load
from law_rl.distillation.import_route import import_route
from law_rl.distillation.route import Route
from law_rl.distillation.route_metrics import route_metrics
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import teacher_network, teacher_route
from law_rl.progress import Progress
from law_rl.run import RunError


def teacher(command: TeacherCommand, overrides: Sequence[str]) -> None:
    """Trains the teacher where that has not been done, or imports one, and shows its route."""
    if (command.import_from is None) != (command.out is None):
        raise ValueError(
            "--import-from and --out go together: give where the checkpoints are, and where the route goes"
        )
    _, experiment = load(command.experiment, overrides)
    task = distillation_task(experiment)
    console = Console(stderr=command.json)
    if command.import_from is not None and command.out is not None:
        route = import_teacher(task, command.import_from, command.out)
    else:
        with Progress(console) as progress:
            route = teacher_route(task.teacher, task.dataset, partial(progress.preparation, experiment.name))
    if command.json:
        print(json.dumps(summary(experiment.name, task.metric, route), indent=2))
        return
    print_route(console, experiment.name, task.metric, route)
    if command.out is not None:
        place = command.out.absolute()
        console.print(
            f'imported; to distil from it, set task.teacher.route to "{place}" in the experiment, or give\n'
            f"  --task.teacher.route {place}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def import_teacher(task: DistillationTask, source: Path, out: Path) -> Route:
    """The route of a folder of PyTorch checkpoints, with their validation metrics; `out` appears once it is whole.

    Raises ValueError, one sentence, for what `import_route` refuses, and for checkpoints of another network.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is not an empty folder: give a new one")
    dataset, config = task.dataset, task.teacher
    network = teacher_network(config.training.network, dataset)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        whole = Path(folder) / "route"
        route = import_route(source, whole, network=network, data=dataset.content_hash(), half=config.half)
        values = route_metrics(config, dataset, route, "validation", range(len(route)))
        measured = (replace(anchor, accuracy=value) for anchor, value in zip(route.anchors, values, strict=True))
        replace(route, anchors=tuple(measured)).write_index()
        whole.replace(out)
    return Route.load(out)


def summary(name: str, metric: str, route: Route) -> dict[str, Any]:
    """The route as JSON values."""
    return {
        "experiment": name,
        "directory": str(route.directory.absolute()),
        "sha256": route.anchors[-1].sha256,
        "network": dict(route.network),
        "data": route.data,
        "metric": metric,
        "anchors": [
            {"epoch": a.epoch, "validation": a.accuracy, "bytes": size(route, a.file), "sha256": a.sha256}
            for a in route.anchors
        ],
    }


def size(route: Route, file: str) -> int:
    """The bytes of an anchor's file."""
    return (route.directory / file).stat().st_size


def print_route(console: Console, name: str, metric: str, route: Route) -> None:
    """A table of the anchors, where they lie, and the hash of the converged teacher."""
    table = Table(title=f"the teacher of {name}: {route.network['name']}, {len(route)} anchors")
    for heading in ("anchor", "epoch", f"validation {metric}, %", "bytes"):
        table.add_column(heading, justify="right")
    for index, anchor in enumerate(route.anchors):
        value = "unknown" if anchor.accuracy is None else f"{anchor.accuracy:.2f}"
        table.add_row(str(index), str(anchor.epoch), value, f"{size(route, anchor.file):,}")
    console.print(table)
    lines = f"in {route.directory}\nhash of the last anchor, the converged teacher: {route.anchors[-1].sha256}"
    console.print(lines, highlight=False, markup=False, soft_wrap=True)
