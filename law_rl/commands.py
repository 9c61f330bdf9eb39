"""What each command of law-rl does."""

import dataclasses
import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import tyro
from rich.console import Console
from rich.table import Table

from law_rl import project
from law_rl.evaluate import Evaluation, Follow, applicable, check_fits
from law_rl.evaluate import evaluate as run_evaluation
from law_rl.experiment import Experiment
from law_rl.files import write_json
from law_rl.jobs import LocalWorkers, Workers
from law_rl.progress import Progress
from law_rl.report.html import write_report
from law_rl.report.words import describe_schedule
from law_rl.run import choose_directory, execute
from law_rl.schedule import Schedule
from law_rl.statistics import Interval

if TYPE_CHECKING:
    from law_rl.cli import EvaluateCommand, SearchCommand


def search(command: "SearchCommand", overrides: Sequence[str], *, started: float) -> None:
    """Runs the search of an experiment, and its evaluation."""
    root, experiment = load(command.experiment, overrides)
    directory = choose_directory(root, experiment.name, command.out, resume=command.resume)
    console = Console(stderr=command.json)
    console.print(f"{experiment.name}: {experiment.search.episodes} episodes, results in {directory}", highlight=False)
    if command.workers > experiment.search.lag:
        console.print(f"only {experiment.search.lag} episodes run at a time: raise --search.lag to use more workers")
    with open_workers(experiment, command.workers, root) as workers, Progress(console) as progress:
        result = execute(
            experiment,
            workers,
            directory,
            worker_count=command.workers,
            resume=command.resume,
            started=started,
            progress=progress,
        )
    report = write_report(directory)
    if command.json:
        print(json.dumps(result, indent=2))
        return
    print_result(console, result)
    console.print(
        f"schedule: {directory / 'schedule.safetensors'}\nreport:   {report}", highlight=False, soft_wrap=True
    )


def evaluate(command: "EvaluateCommand", overrides: Sequence[str]) -> None:
    """Holds a schedule against the baselines of an experiment."""
    schedule = Schedule.load(command.schedule)
    root, experiment = load(command.experiment, overrides)
    check_fits(schedule, experiment)
    if command.seeds is not None:
        evaluation = dataclasses.replace(experiment.evaluation, seeds=command.seeds)
        experiment = dataclasses.replace(experiment, evaluation=evaluation)
    console = Console(stderr=command.json)
    curricula = [*applicable(experiment.baselines, experiment), Follow(schedule=schedule)]
    with open_workers(experiment, command.workers, root) as workers, Progress(console) as progress:
        result = run_evaluation(experiment, curricula, workers, observer=progress.evaluation).to_json()
    result = {"experiment": experiment.name, "schedule": schedule.hash, **result}
    if command.out is not None:
        write_json(command.out, result)
    if command.json:
        print(json.dumps(result, indent=2))
    else:
        print_result(console, result)


def show(path: Path, *, as_json: bool) -> None:
    """Prints what a schedule does."""
    schedule = Schedule.load(path)
    print(json.dumps(schedule.to_json(), indent=2) if as_json else "\n".join(describe_schedule(schedule)))


def envs(*, as_json: bool) -> None:
    """Prints the environments that the project registers."""
    import gymnasium

    project.activate(project.find_root())
    importlib.import_module("envs")
    rows = []
    for identity, spec in sorted(gymnasium.registry.items()):
        if str(spec.entry_point).startswith("envs."):
            env = gymnasium.make(identity).unwrapped
            sees, sets = getattr(env, "observation_names", ()), getattr(env, "action_names", ())
            rows.append({"id": f"envs:{identity}", "sees": list(sees), "sets": list(sets)})
    _print_rows(rows, as_json=as_json)


def policies(*, as_json: bool) -> None:
    """Prints the agents, baselines and learned schedules in the project's `policies`."""
    root = project.find_root()
    project.activate(root)
    package = importlib.import_module("policies")
    rows = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"policies.{info.name}")
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and dataclasses.is_dataclass(kind) and hasattr(kind, "name"):
                role = "agent" if hasattr(kind, "build") else "baseline"
                does = (inspect.getdoc(kind) or "").split("\n")[0]
                rows.append(
                    {"role": role, "name": kind.name, "what it does": does, "class": f"{module.__name__}.{name}"}
                )
    for path in sorted((root / "policies" / "learned").glob("*.safetensors")):
        schedule = Schedule.load(path)
        does = f"learned for {schedule.provenance.get('experiment', 'an unnamed experiment')}"
        rows.append({"role": "schedule", "name": path.stem, "what it does": does, "class": str(path.relative_to(root))})
    _print_rows(rows, as_json=as_json)


def new(directory: Path) -> None:
    """Lays out a project."""
    from law_rl.template import create_project

    files = create_project(directory)
    print(f"{directory}: {len(files)} files. Next: cd {directory} && law-rl search experiments/quickstart.py")


def load(name: str, overrides: Sequence[str]) -> tuple[Path, Experiment]:
    """The project's root, and an experiment with fields changed by command-line overrides."""
    root = project.find_root()
    experiment = project.load_experiment(name, root)
    if not isinstance(experiment, Experiment):
        raise ValueError(f"{name} assigns a {type(experiment).__name__} to `experiment`: assign a law_rl Experiment")
    return root, override(experiment, overrides) if overrides else experiment


def override(experiment: Experiment, overrides: Sequence[str]) -> Experiment:
    """The experiment with fields set by flags such as --search.episodes 100; ValueError as the fields' owners say
    it.
    """
    mirror = _mirror(experiment, leave_out=("name", "baselines"))
    mirror.__doc__ = f"The fields of the experiment {experiment.name}, each with the value that it has now."
    changed = tyro.cli(mirror, args=list(overrides), default=mirror(), prog="law-rl ... " + experiment.name)
    rebuilt = _rebuild(experiment, changed)
    assert isinstance(rebuilt, Experiment)
    return rebuilt


def _mirror(value: Any, *, leave_out: Sequence[str] = ()) -> type:
    """A dataclass with the fields and values of `value`, and of dataclasses within, but without their checks."""
    hints = get_type_hints(type(value))
    entries: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(value):
        current = getattr(value, field.name)
        if field.name in leave_out:
            continue
        if dataclasses.is_dataclass(current):
            nested = _mirror(current)
            entries.append((field.name, nested, dataclasses.field(default_factory=nested)))
        else:
            entries.append((field.name, hints[field.name], dataclasses.field(default=current)))
    mirror = dataclasses.make_dataclass(type(value).__name__, entries, kw_only=True)
    mirror.__doc__ = inspect.getdoc(type(value))
    return mirror


def _rebuild(value: Any, changed: Any) -> Any:
    """`value` with the fields of its changed mirror, checked as usual."""
    fields = {field.name: getattr(changed, field.name) for field in dataclasses.fields(changed)}
    nested = {
        name: _rebuild(getattr(value, name), new) for name, new in fields.items() if dataclasses.is_dataclass(new)
    }
    return dataclasses.replace(value, **(fields | nested))


@contextmanager
def open_workers(experiment: Experiment, count: int, root: Path) -> Iterator[Workers]:
    """Workers for the block: Ray actors, or this process where `count` is 0."""
    if count == 0:
        yield LocalWorkers(experiment.setting)
        return
    experiment.task.learner(experiment.env.first_seed)  # what cannot be made fails here, before any worker starts
    from law_rl.cluster.workers import RayWorkers

    workers = RayWorkers(experiment.setting, count=count, root=root)
    try:
        yield workers
    finally:
        workers.close()


def print_result(console: Console, result: dict[str, Any]) -> None:
    """A table of the curricula, best first, and the outcome in a sentence."""
    metric, schedules = result["metric"], result["schedules"]
    table = Table(title=f"{metric} on test data, mean of {len(result['seeds'])} unseen seeds [95 % interval]")
    for heading in ("curriculum", metric, "over uniform"):
        table.add_column(heading, justify="left" if heading == "curriculum" else "right")
    evaluation = Evaluation(
        metric=metric,
        seeds=tuple(result["seeds"]),
        values={name: tuple(entry["values"]) for name, entry in schedules.items()},
    )
    for name in sorted(schedules, key=lambda name: -schedules[name]["mean"]):
        style = "bold" if name == "learned" else ""
        table.add_row(name, str(evaluation.interval(name)), str(evaluation.gain(name)), style=style)
    console.print(table)
    low, high = result["gain"]["ci95"]
    gain = Interval(mean=result["gain"]["mean"], low=low, high=high)
    closed = result["gap_closed"]
    share = f"; {100 * closed:.0f} % of the gap between uniform and oracle closed" if closed is not None else ""
    console.print(f"learned over uniform: {gain} points{share}", highlight=False)
    if "search" in result:
        counts = result["search"]
        console.print(f"search: {counts['trainings']} trainings in {counts['wall_s']:.0f} s", highlight=False)


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(show_lines=True)
    for heading in rows[0] if rows else ["nothing here"]:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(", ".join(value) if isinstance(value, list) else str(value) for value in row.values()))
    Console().print(table)
