"""The command line: law-rl search, evaluate, show, envs, policies, new."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from law_rl import __version__

STARTED = time.monotonic()
DESCRIPTION = """Learn how to weight the samples of a training, and follow what was learned anywhere.

Start with `law-rl search experiments/quickstart.py`. `law-rl VERB --help` explains a verb; --debug shows where an error
came from; --version prints the version.
"""


@dataclass(frozen=True, kw_only=True)
class SearchCommand:
    """Learn a schedule for an experiment, hold it against the baselines on unseen seeds, and write a report.

    Any field of the experiment can be changed: --search.episodes 100, --task.data.noise.rate 0.2, --env.reward law.
    `law-rl search EXPERIMENT --help` lists them with their values. The run directory gets schedule.safetensors,
    result.json, report.html, episodes.csv, stages.csv and config.json.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment: experiments/quickstart.py, or just quickstart."""
    workers: int = 2
    """Trainings that run side by side, one CPU each; 0 runs them in this process, without Ray."""
    out: Path | None = None
    """The run directory; default runs/NAME in the project, numbered where that is taken."""
    resume: bool = False
    """Go on with a run that was stopped: the one in --out, or the newest of this experiment."""
    json: bool = False
    """Print result.json at the end instead of a table."""


@dataclass(frozen=True, kw_only=True)
class EvaluateCommand:
    """Train with a schedule and with every baseline on unseen seeds; print the table with 95 % intervals.

    The experiment may be another than the one that the schedule was learned for; its fields can be changed as in
    search.
    """

    schedule: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SCHEDULE")]
    """A schedule.safetensors that a search wrote."""
    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment to train: experiments/quickstart.py, or just quickstart."""
    seeds: int | None = None
    """How many unseen seeds; default as the experiment says."""
    workers: int = 2
    """Trainings that run side by side, one CPU each; 0 runs them in this process, without Ray."""
    out: Path | None = None
    """Also write the result to this JSON file."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class ShowCommand:
    """Say what a schedule does and for what it was learned, in words and numbers."""

    schedule: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SCHEDULE")]
    """A schedule.safetensors that a search wrote."""
    json: bool = False
    """Print the file's contents as JSON instead."""


@dataclass(frozen=True, kw_only=True)
class EnvsCommand:
    """List the project's environments: their names, what a policy sees, and what it sets."""

    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class PoliciesCommand:
    """List the project's agents, hand-made baselines and learned schedules."""

    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class NewCommand:
    """Lay out a project in a directory: environments, policies and experiments to run and to change."""

    directory: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """The directory; made where missing."""


Command = (
    Annotated[SearchCommand, tyro.conf.subcommand("search")]
    | Annotated[EvaluateCommand, tyro.conf.subcommand("evaluate")]
    | Annotated[ShowCommand, tyro.conf.subcommand("show")]
    | Annotated[EnvsCommand, tyro.conf.subcommand("envs")]
    | Annotated[PoliciesCommand, tyro.conf.subcommand("policies")]
    | Annotated[NewCommand, tyro.conf.subcommand("new")]
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 failed or stopped, 2 bad input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments == ["--version"]:
        print(__version__)
        sys.exit(0)
    debug = "--debug" in arguments
    sys.exit(_run([entry for entry in arguments if entry != "--debug"], debug=debug))


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        _dispatch(arguments)
    except KeyboardInterrupt:
        return _say("stopped. What was finished is kept; the same command with --resume goes on from there.", 1)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, ImportError) as error:
        if debug:
            raise
        return _say(_sentence(error), 2)
    except RuntimeError as error:
        if debug:
            raise
        return _say(f"{_sentence(error)} (--debug shows where)", 1)
    return 0


def _say(text: str, status: int) -> int:
    print(f"law-rl: {text}", file=sys.stderr)
    return status


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _dispatch(arguments: list[str]) -> None:
    overrides, arguments = split_overrides(arguments)
    command = tyro.cli(Command, args=arguments, prog="law-rl", description=DESCRIPTION)
    if overrides and not isinstance(command, SearchCommand | EvaluateCommand):
        raise ValueError(f"{overrides[0]} changes an experiment: only search and evaluate take it")
    from law_rl import commands

    match command:
        case SearchCommand():
            commands.search(command, overrides, started=STARTED)
        case EvaluateCommand():
            commands.evaluate(command, overrides)
        case ShowCommand():
            commands.show(command.schedule, as_json=command.json)
        case EnvsCommand():
            commands.envs(as_json=command.json)
        case PoliciesCommand():
            commands.policies(as_json=command.json)
        case NewCommand():
            commands.new(command.directory)


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides of experiment fields (--a.b value) and the rest; `verb EXPERIMENT --help` becomes an override too."""
    overrides: list[str] = []
    rest: list[str] = []
    entries = list(arguments)
    while entries:
        entry = entries.pop(0)
        if entry.startswith("--") and "." in entry.split("=")[0]:
            overrides.append(entry)
            while "=" not in entry and entries and not entries[0].startswith("--"):
                overrides.append(entries.pop(0))
        else:
            rest.append(entry)
    asks_fields = len(rest) >= 3 and rest[0] in ("search", "evaluate") and rest[-1] in ("--help", "-h")
    return ([*overrides, "--help"], rest[:-1]) if asks_fields else (overrides, rest)


if __name__ == "__main__":
    main()
