"""The verbs of the command line with their flags. Importing this is cheap; nothing here does the work."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from law_rl.commands.codec_arguments import CodecCommand
from law_rl.commands.distillation_arguments import AnchorsCommand, DistillCommand, TeacherCommand
from law_rl.commands.face_arguments import FaceCommand
from law_rl.resources import Resources


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
    """Trainings that run side by side on Ray; 0 runs them in this process, without Ray."""
    resources: Annotated[Resources, tyro.conf.arg(name="")] = field(default_factory=Resources)
    deadline: float = 0.0
    """Seconds after which a training counts as hung and begins anew on another worker; 0: ten times the longest so
    far, and a minute more."""
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
    """Trainings that run side by side on Ray; 0 runs them in this process, without Ray."""
    resources: Annotated[Resources, tyro.conf.arg(name="")] = field(default_factory=Resources)
    deadline: float = 0.0
    """Seconds after which a training counts as hung and begins anew on another worker; 0: ten times the longest so
    far, and a minute more."""
    out: Path | None = None
    """Also write the result to this JSON file."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class ReplayCommand:
    """Run the training again that stopped a run, here and alone, to see why: same seed, same actions, same error."""

    directory: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run directory; it holds failure.json."""


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


@dataclass(frozen=True, kw_only=True)
class TuneCommand:
    """Find the configuration with which the search of an experiment does best: each trial is a whole search on Ray.

    The experiment's module says in its `space` what varies; fields given here (--search.episodes 20) hold for all
    trials. The run directory gets trials.csv, trials.svg, result.json, the best trial's schedule.safetensors, and the
    best configuration as an experiment module.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment: experiments/quickstart_space.py, or just quickstart_space."""
    algorithm: Literal["grid", "random", "asha", "pbt", "optuna"] = "random"
    """grid: every combination of choices; random: drawn by --seed; asha: random, and poor trials are stopped early;
    pbt: random, and poor trials go on from a copy of a good one with a changed agent; optuna: each draw learns from the
    trials before (tree-structured Parzen estimator)."""
    trials: int = 8
    """How many configurations are tried; grid tries all."""
    seed: int = 0
    """Draws the configurations, and all else that the algorithm draws; each search keeps its own --search.seed."""
    workers: int = 1
    """Trainings that run side by side in each trial; 0 runs them in the trial's own process. As many trials run at a
    time as the CPUs and GPUs allow."""
    resources: Annotated[Resources, tyro.conf.arg(name="")] = field(default_factory=Resources)
    storage: str = ""
    """Where trials keep checkpoints and results: a directory that all nodes see, or a URI (s3://bucket/folder); default
    the run directory."""
    out: Path | None = None
    """The run directory; default runs/NAME-tune in the project, numbered where that is taken."""
    resume: bool = False
    """Go on with a run that was stopped: the one in --out, or the newest of this experiment."""
    json: bool = False
    """Print result.json at the end instead of a table."""


@dataclass(frozen=True, kw_only=True)
class TableCommand:
    """Make a table: train every row on unseen seeds, hold each against its control, and say how sure the gains are.

    The module assigns its rows to `table`: law_rl.table.Table(name=..., title=..., rows=(Row(name=..., task=...,
    curriculum=..., over=CONTROL), ...)). A row's curriculum is a hand-made one, or Learned(experiment=...), whose
    schedule is searched first. A row takes as many epochs as its control, or says why not. Every finished training is
    kept: --resume repeats none, also after rows or seeds were added. The run directory gets table.md, table.csv,
    table.svg, table.json with the values of every seed, and the searches.
    """

    table: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TABLE")]
    """The module of the table: experiments/rco_table.py, or just rco_table."""
    rows: tuple[str, ...] = ()
    """Make only these rows and those that they are held against; default all."""
    seeds: int | None = None
    """How many unseen seeds; default as the table says."""
    workers: int = 2
    """Trainings that run side by side on Ray; 0 runs them in this process, without Ray."""
    resources: Annotated[Resources, tyro.conf.arg(name="")] = field(default_factory=Resources)
    deadline: float = 0.0
    """Seconds after which a training counts as hung and begins anew on another worker; 0: ten times the longest so
    far, and a minute more."""
    out: Path | None = None
    """The run directory; default runs/NAME in the project, numbered where that is taken."""
    resume: bool = False
    """Go on with a run that was stopped: the one in --out, or the newest of this table."""
    json: bool = False
    """Print table.json at the end instead of a table."""


@dataclass(frozen=True, kw_only=True)
class SubmitCommand:
    """Send an experiment to a Ray cluster and search there: the project goes along, without its runs/ and data/.

    Fields of the experiment can be changed as in search. The cluster has torch, Ray and whatever else the project
    imports; law_rl goes along. A cluster with a token finds it as Ray does: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN,
    RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment: experiments/quickstart.py, or just quickstart."""
    address: str = ""
    """The cluster's dashboard, http://HOST:8265; default $RAY_API_SERVER_ADDRESS, or $RAY_ADDRESS where it is a
    URL."""
    wait: bool = False
    """Follow the log until the job ends, and exit with its status; Ctrl-C leaves the job running."""
    tune: Literal["no", "grid", "random", "asha", "pbt", "optuna"] = "no"
    """Tune the experiment with this algorithm instead of searching once."""
    trials: int | None = None
    """How many configurations --tune tries; default as in tune."""
    workers: int | None = None
    """Workers on the cluster, with --tune those of each trial; default as in search and tune."""
    resources: Annotated[Resources, tyro.conf.arg(name="")] = field(default_factory=Resources)
    storage: str = ""
    """A directory that all nodes of the cluster see; the run gets a new one in it. Default ~/law-rl-runs on the node
    that runs the job."""
    resume: str = ""
    """Go on with the run of this job, which ended early: same experiment, same fields."""
    limit: str = "100MiB"
    """Refuse a project larger than this."""
    json: bool = False
    """Print the job as JSON; with --wait at its end, the log goes to stderr."""


JobIdentity = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ID")]


@dataclass(frozen=True, kw_only=True)
class JobsListCommand:
    """List the jobs that law-rl sent to the cluster, newest first."""

    address: str = ""
    """The cluster's dashboard, http://HOST:8265; default as in submit."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class JobsStatusCommand:
    """Say how a job stands. Exits with 0 while it waits or runs and once it succeeded, with 1 if it failed or was
    stopped.
    """

    id: JobIdentity = ""
    """The job; default the newest."""
    address: str = ""
    """The cluster's dashboard, http://HOST:8265; default as in submit."""
    json: bool = False
    """Print JSON instead of a sentence."""


@dataclass(frozen=True, kw_only=True)
class JobsLogsCommand:
    """Print what a job has printed so far."""

    id: JobIdentity = ""
    """The job; default the newest."""
    address: str = ""
    """The cluster's dashboard, http://HOST:8265; default as in submit."""
    follow: Annotated[bool, tyro.conf.arg(aliases=["-f"])] = False
    """Go on printing until the job ends, and exit with its status; Ctrl-C leaves the job running."""


@dataclass(frozen=True, kw_only=True)
class JobsStopCommand:
    """Stop a job. What it finished is kept: `law-rl submit EXPERIMENT --resume ID` goes on from there."""

    id: JobIdentity = ""
    """The job; default the newest."""
    address: str = ""
    """The cluster's dashboard, http://HOST:8265; default as in submit."""
    wait: bool = True
    """Wait until it has stopped."""


@dataclass(frozen=True, kw_only=True)
class JobsPullCommand:
    """Bring a job's run directory here, its checkpoints too; of a job that still runs, what is there so far."""

    id: JobIdentity = ""
    """The job; default the newest."""
    address: str = ""
    """The cluster's dashboard, http://HOST:8265; default as in submit."""
    out: Path | None = None
    """The directory to make; default runs/ID in the project."""
    limit: str = "256MiB"
    """Refuse a run larger than this."""


JobsCommand = (
    Annotated[JobsListCommand, tyro.conf.subcommand("list")]
    | Annotated[JobsStatusCommand, tyro.conf.subcommand("status")]
    | Annotated[JobsLogsCommand, tyro.conf.subcommand("logs")]
    | Annotated[JobsStopCommand, tyro.conf.subcommand("stop")]
    | Annotated[JobsPullCommand, tyro.conf.subcommand("pull")]
)


Command = (
    Annotated[SearchCommand, tyro.conf.subcommand("search")]
    | Annotated[EvaluateCommand, tyro.conf.subcommand("evaluate")]
    | Annotated[ReplayCommand, tyro.conf.subcommand("replay")]
    | Annotated[ShowCommand, tyro.conf.subcommand("show")]
    | Annotated[EnvsCommand, tyro.conf.subcommand("envs")]
    | Annotated[PoliciesCommand, tyro.conf.subcommand("policies")]
    | Annotated[TuneCommand, tyro.conf.subcommand("tune")]
    | Annotated[TableCommand, tyro.conf.subcommand("table")]
    | Annotated[SubmitCommand, tyro.conf.subcommand("submit")]
    | Annotated[DistillCommand, tyro.conf.subcommand("distill")]
    | Annotated[TeacherCommand, tyro.conf.subcommand("teacher")]
    | Annotated[AnchorsCommand, tyro.conf.subcommand("anchors")]
    | Annotated[
        FaceCommand,
        tyro.conf.subcommand("face", description="Train face networks, measure them, and find faces with them."),
    ]
    | Annotated[
        CodecCommand,
        tyro.conf.subcommand("codec", description="Compress photographs and videos, and measure what is lost."),
    ]
    | Annotated[JobsCommand, tyro.conf.subcommand("jobs", description="Ask after the jobs that submit sent.")]
    | Annotated[NewCommand, tyro.conf.subcommand("new")]
)
