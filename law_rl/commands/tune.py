"""Tuning: the configuration with which an experiment's search does best."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from law_rl import project
from law_rl.commands.arguments import TuneCommand
from law_rl.commands.experiments import load
from law_rl.experiment import Experiment
from law_rl.files import write_atomic, write_json
from law_rl.progress import Progress
from law_rl.report.trials import tuned_module, write_plot, write_trials
from law_rl.run import RunError, choose_directory, resolved
from law_rl.selection import plain
from law_rl.trials import Trial, ranked
from law_rl.tuning import Space, changed_fields

if TYPE_CHECKING:
    from law_rl.cluster.tuning import Tuned, Tuning

METRIC = "mean validation gain over the twin on the pool's seeds, points"


def tune(command: TuneCommand, overrides: Sequence[str]) -> None:
    """Tunes an experiment and prints the trials, the best first."""
    root, experiment = load(command.experiment, overrides)
    module = project.load_module(command.experiment, root)
    space = space_of(module, experiment)
    from law_rl.cluster.tuning import Tuning, run_tuning

    tuning = Tuning(
        experiment=experiment,
        space=space,
        algorithm=command.algorithm,
        trials=command.trials,
        seed=command.seed,
        workers=command.workers,
        resources=command.resources,
    )
    directory = choose_directory(root, f"{experiment.name}-tune", command.out, resume=command.resume).absolute()
    keep_settings(directory / "config.json", tuning, resume=command.resume)
    console = Console(stderr=command.json)
    storage = choose_storage(command, directory)
    console.print(f"{experiment.name}: {tuning.total} trials, results in {directory}", highlight=False, soft_wrap=True)
    with Progress(console) as progress:
        experiment.task.prepare(partial(progress.preparation, experiment.name))
        tuned = run_tuning(
            tuning,
            storage,
            root=root,
            observer=lambda trials: progress.tuning(trials, tuning.total, experiment.search.episodes),
        )
    result = write_outcome(directory, tuning, tuned, module)
    if command.json:
        print(json.dumps(result, indent=2))
        return
    print_trials(console, tuned.trials)
    print_next(console, directory, module)


def space_of(module: ModuleType, experiment: Experiment) -> Space:
    """The module's `space`; ValueError where it has none, or where flags change what it varies."""
    space = getattr(module, "space", None)
    if not isinstance(space, Space):
        raise ValueError(
            f"{module.__file__} says nothing of what to vary: assign a law_rl.tuning.Space to `space`, as "
            "experiments/quickstart_space.py does"
        )
    given = [name for name in changed_fields(module.experiment, experiment) if name in space.fields]
    if given:
        raise ValueError(f"--{given[0]} is in the space of {module.__name__}: leave out the flag, or the field there")
    return space


def keep_settings(path: Path, tuning: "Tuning", *, resume: bool) -> None:
    """Writes what is tuned; ValueError where a resumed run was of something else."""
    ranges = {name: repr(range) for name, range in tuning.space.fields.items()}
    settings = {"algorithm": tuning.algorithm, "trials": tuning.trials, "seed": tuning.seed, "space": ranges}
    config: dict[str, Any] = plain(resolved(tuning.experiment) | {"tuning": settings})
    if resume:
        kept = json.loads(path.read_text(encoding="utf-8"))
        differing = [name for name in config if name != "law_rl" and kept.get(name) != config[name]]
        if differing:
            raise RunError(
                f"{path.parent} is of another tuning ({', '.join(differing)} differ): give the same flags as then, or "
                "another --out"
            )
    write_json(path, config)


def choose_storage(command: TuneCommand, directory: Path) -> str:
    """Where trials are kept; ValueError where another run keeps its trials."""
    if not command.storage:
        return str(directory / "trials")
    from law_rl.cluster.storage import Storage

    storage = Storage(command.storage) / directory.name
    if not command.resume and storage.folders():
        raise RunError(
            f"{storage.uri} holds the trials of another run: add --resume if it is this one, or give another --storage "
            "or --out"
        )
    return storage.uri


def write_outcome(directory: Path, tuning: "Tuning", tuned: "Tuned", module: ModuleType) -> dict[str, Any]:
    """Writes the files of the run directory; returns result.json."""
    best, name = tuned.best, tuned_name(module)
    assert best.gain is not None
    result = {
        "experiment": tuning.experiment.name,
        "algorithm": tuning.algorithm,
        "seed": tuning.seed,
        "metric": METRIC,
        "trials": [trial.to_json() for trial in ranked(tuned.trials)],
        "best": best.to_json(),
    }
    write_trials(directory / "trials.csv", tuned.trials)
    write_plot(directory / "trials.svg", tuned.trials, best)
    write_atomic(directory / "schedule.safetensors", tuned.schedule)
    fields = changed_fields(module.experiment, tuning.experiment) | best.fields
    source = tuned_module(module.__name__, name, fields, trials=len(tuned.trials), gain=best.gain)
    write_atomic(directory / f"{name}.py", source.encode())
    write_json(directory / "result.json", result)
    return result


def tuned_name(module: ModuleType) -> str:
    """The name of the best configuration's experiment and module."""
    return module.__name__.rpartition(".")[2] + "_tuned"


def print_trials(console: Console, trials: Sequence[Trial]) -> None:
    table = Table(title="validation gain over the twin on the pool's seeds, points")
    failed = any(trial.error for trial in trials)
    for heading in ("trial", *trials[0].fields, "gain", "episodes", "status", *(["error"] if failed else [])):
        table.add_column(heading, justify="right" if heading in ("gain", "episodes") else "left", overflow="fold")
    for place, trial in enumerate(ranked(trials)):
        gain = "" if trial.gain is None else f"{trial.gain:+.2f}"
        values = [f"{value:g}" if isinstance(value, float) else str(value) for value in trial.fields.values()]
        error = [trial.error] if failed else []
        cells = [trial.name, *values, gain, str(trial.episodes), trial.status, *error]
        table.add_row(*cells, style="bold" if place == 0 else "")
    console.print(table)


def print_next(console: Console, directory: Path, module: ModuleType) -> None:
    """How to go on from here."""
    name, schedule = tuned_name(module), directory / "schedule.safetensors"
    lines = [
        f"schedule: {schedule}",
        f"plot:     {directory / 'trials.svg'}",
        "these gains are in validation, on the seeds of the search; on unseen seeds and test data:",
        f"  cp {directory / name}.py experiments/",
        f"  law-rl evaluate {schedule} {name}",
        f"the same configuration searched anew: law-rl search {name}",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
