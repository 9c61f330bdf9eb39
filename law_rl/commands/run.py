"""Searches, evaluations, and what a schedule does."""

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import partial
from pathlib import Path

from rich.console import Console

from law_rl.commands.arguments import EvaluateCommand, ReplayCommand, SearchCommand, ShowCommand, TableCommand
from law_rl.commands.experiments import load
from law_rl.commands.printing import print_result
from law_rl.evaluate import Follow, applicable, check_fits
from law_rl.evaluate import evaluate as run_evaluation
from law_rl.failures import where
from law_rl.files import write_json
from law_rl.jobs import LocalWorkers, Setting, Workers
from law_rl.progress import Progress
from law_rl.replay import Invocation, failed_job, read_failure
from law_rl.report.html import write_report
from law_rl.report.words import describe_schedule
from law_rl.run import choose_directory, execute
from law_rl.schedule import Schedule


def run(
    command: SearchCommand | EvaluateCommand | ReplayCommand | ShowCommand, overrides: Sequence[str], *, started: float
) -> None:
    """Runs one of the commands; `started` is the monotonic time at which it began."""
    match command:
        case SearchCommand():
            search(command, overrides, started=started)
        case EvaluateCommand():
            evaluate(command, overrides)
        case ReplayCommand():
            replay(command.directory)
        case ShowCommand():
            show(command.schedule, as_json=command.json)


def search(command: SearchCommand, overrides: Sequence[str], *, started: float) -> None:
    """Runs the search of an experiment, and its evaluation."""
    root, experiment = load(command.experiment, overrides)
    directory = choose_directory(root, experiment.name, command.out, resume=command.resume)
    console = Console(stderr=command.json)
    console.print(f"{experiment.name}: {experiment.search.episodes} episodes, results in {directory}", highlight=False)
    if command.workers > experiment.search.lag:
        console.print(f"only {experiment.search.lag} episodes run at a time: raise --search.lag to use more workers")
    with Progress(console) as progress:
        experiment.task.prepare(partial(progress.preparation, experiment.name))
        with open_workers(experiment.setting, command, root) as workers:
            result = execute(
                experiment,
                workers,
                directory,
                invocation=Invocation(experiment=command.experiment, overrides=tuple(overrides)),
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


def evaluate(command: EvaluateCommand, overrides: Sequence[str]) -> None:
    """Holds a schedule against the baselines of an experiment."""
    schedule = Schedule.load(command.schedule)
    root, experiment = load(command.experiment, overrides)
    if command.seeds is not None:
        evaluation = dataclasses.replace(experiment.evaluation, seeds=command.seeds)
        experiment = dataclasses.replace(experiment, evaluation=evaluation)
    console = Console(stderr=command.json)
    with Progress(console) as progress:
        experiment.task.prepare(partial(progress.preparation, experiment.name))
        check_fits(schedule, experiment)
        curricula = [*applicable(experiment.baselines, experiment), Follow(schedule=schedule)]
        with open_workers(experiment.setting, command, root) as workers:
            result = run_evaluation(experiment, curricula, workers, observer=progress.evaluation).to_json()
    result = {"experiment": experiment.name, "schedule": schedule.hash, **result}
    if command.out is not None:
        write_json(command.out, result)
    if command.json:
        print(json.dumps(result, indent=2))
    else:
        print_result(console, result)


def replay(directory: Path) -> None:
    """Runs the training that stopped a run once more in this process, and lets it raise."""
    invocation, failure = read_failure(directory)
    _, experiment = load(invocation.experiment, invocation.overrides)
    print(f"{failure.training}, {where(failure)}, raised\n{failure.trace}\nonce more, here:", flush=True)
    workers = LocalWorkers(experiment.setting)
    workers.submit(failure.training, failed_job(failure, experiment, directory))
    list(workers.results())
    print("it did not raise: what stopped the run is not in the seed and the actions alone")


def show(path: Path, *, as_json: bool) -> None:
    """Prints what a schedule does."""
    schedule = Schedule.load(path)
    print(json.dumps(schedule.to_json(), indent=2) if as_json else "\n".join(describe_schedule(schedule)))


@contextmanager
def open_workers(
    setting: Setting, command: SearchCommand | EvaluateCommand | TableCommand, root: Path
) -> Iterator[Workers]:
    """Workers for the block as the command's flags say: Ray actors, or this process where their number is 0."""
    if command.workers == 0:
        yield LocalWorkers(setting)
        return
    from law_rl.cluster.workers import RayWorkers

    workers = RayWorkers(
        setting,
        count=command.workers,
        root=root,
        resources=command.resources,
        deadline=command.deadline,
    )
    aside = redirect_stdout(sys.stderr) if command.json else nullcontext()  # Ray prints what it has to say of deaths
    try:
        with aside:
            yield workers
    finally:
        workers.close()
