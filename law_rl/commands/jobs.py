"""Runs on a Ray cluster: sending them, asking after them, stopping them and bringing their results back."""

import dataclasses
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from law_rl import project, shipping
from law_rl.commands.arguments import (
    JobsCommand,
    JobsListCommand,
    JobsLogsCommand,
    JobsPullCommand,
    JobsStatusCommand,
    JobsStopCommand,
    SubmitCommand,
)
from law_rl.commands.printing import print_rows
from law_rl.resources import Resources, size_in_bytes

if TYPE_CHECKING:  # Ray takes seconds to import: only once the arguments are known to be good
    from law_rl.cluster.ray_jobs import Cluster, ClusterJob

NODE_STORAGE = "~/law-rl-runs"


def submit(command: SubmitCommand, overrides: Sequence[str]) -> None:
    """Sends an experiment to a cluster; exits with the job's status where it waits for it."""
    if command.trials is not None and command.tune == "no":
        raise ValueError(f"trials is {command.trials}: only a submit with --tune takes it")
    storage = check_storage(command.storage or NODE_STORAGE)
    from law_rl.commands.experiments import load  # imports torch, which the other commands do without

    root, experiment = load(command.experiment, overrides)
    files = shipping.choose_files(root)
    shipping.check_size(files, size_in_bytes(command.limit, "limit"))
    from law_rl.cluster.ray_jobs import submission_id

    cluster = open_cluster(command.address)
    verb = "search" if command.tune == "no" else "tune"
    identity = submission_id(experiment.name if verb == "search" else f"{experiment.name}-tune")
    out = f"{storage}/{identity}"
    if command.resume:
        out = directory_to_resume(cluster.job(command.resume), verb, experiment.name)
    told = sys.stderr if command.json else sys.stdout
    size = shipping.mebibytes(shipping.total_size(files))
    print(f"sending {len(files)} files, {size}, to {cluster.address}", file=told, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "project.zip"
        shipping.write_package(files, package)
        job = cluster.submit(
            package,
            identity=identity,
            entrypoint=entrypoint(command, from_root(command.experiment, root), out, overrides),
            metadata={"experiment": experiment.name, "verb": verb, "out": out},
        )
    print(f"{job.id}: sent; its results appear in {out} on the cluster", file=told)
    if command.wait:
        wait(cluster, job.id, told, as_json=command.json)
    if command.json:
        print(json.dumps(dataclasses.asdict(job), indent=2))
    else:
        print(f"next: law-rl jobs logs {job.id} -f, law-rl jobs status {job.id}, law-rl jobs pull {job.id}")


def check_storage(storage: str) -> str:
    """The directory for runs on the cluster, without a slash at its end; ValueError for what is no such directory."""
    if not storage.startswith(("/", "~/")):
        raise ValueError(f"storage is {storage}: give a directory that all nodes see, as an absolute path")
    return storage.rstrip("/")


def directory_to_resume(job: "ClusterJob", verb: str, experiment: str) -> str:
    """The run directory of a job that ended early; ValueError where there is nothing to go on with."""
    if not job.over or job.state == "SUCCEEDED":
        what = "succeeded: there is nothing left to do" if job.over else "has not ended: stop it first"
        raise ValueError(f"{job.id} {what}")
    if (job.verb, job.experiment) != (verb, experiment):
        raise ValueError(
            f"{job.id} was a {job.verb} of {job.experiment}, and this is a {verb} of {experiment}: give the same "
            "experiment, and --tune where that job tuned"
        )
    return job.out


def entrypoint(command: SubmitCommand, experiment: str, out: str, overrides: Sequence[str]) -> str:
    """The shell command that the cluster runs in the project."""
    words = ["python", "-m", "law_rl.cli", "search", experiment]
    if command.tune != "no":
        words[3:] = ["tune", experiment, "--algorithm", command.tune]
    for name, value in (("trials", command.trials), ("workers", command.workers)):
        words += [] if value is None else [f"--{name}", str(value)]
    words += [*resource_flags(command.resources), *(["--resume"] if command.resume else [])]
    where = f"~/{shlex.quote(out[2:])}" if out.startswith("~/") else shlex.quote(out)
    return " ".join([shlex.join(words), "--out", where, *map(shlex.quote, overrides)])


def resource_flags(resources: Resources) -> list[str]:
    """The flags that give these resources again."""
    flags = []
    for field in dataclasses.fields(resources):
        value = getattr(resources, field.name)
        if value != field.default:
            flag = f"--{field.name.replace('_', '-')}"
            flags += [flag] if value is True else [flag, str(value)]
    return flags


def from_root(experiment: str, root: Path) -> str:
    """An experiment's name or path as it reads in the project's root."""
    path = Path(experiment)
    return path.resolve().relative_to(root).as_posix() if path.is_file() else experiment


def run(command: JobsCommand) -> None:
    """Runs one of the `jobs` commands."""
    cluster = open_cluster(command.address)
    match command:
        case JobsListCommand():
            print_rows([row(job) for job in cluster.jobs()], as_json=command.json)
        case JobsStatusCommand():
            status(cluster.job(command.id), as_json=command.json)
        case JobsLogsCommand():
            logs(cluster, cluster.job(command.id), follow=command.follow)
        case JobsStopCommand():
            stop(cluster, cluster.job(command.id), wait=command.wait)
        case JobsPullCommand():
            pull(cluster, cluster.job(command.id), command.out, size_in_bytes(command.limit, "limit"))


def open_cluster(address: str) -> "Cluster":
    """The cluster at an address, or at that of the environment."""
    from law_rl.cluster.ray_jobs import Cluster, resolve_address

    return Cluster(resolve_address(address, os.environ))


def row(job: "ClusterJob") -> dict[str, str]:
    """What a list says of a job."""
    fields = {"id": job.id, "state": job.state, "experiment": job.experiment, "verb": job.verb}
    return fields | {"since": when(job.ended or job.started), "results": job.out}


def when(seconds: float | None) -> str:
    """A time of the day, here; empty for none."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""


def status(job: "ClusterJob", *, as_json: bool) -> None:
    """Prints how a job stands; exits with 1 if it failed or was stopped."""
    if as_json:
        print(json.dumps(dataclasses.asdict(job), indent=2))
    else:
        print(describe(job))
    if job.state in ("FAILED", "STOPPED"):
        sys.exit(1)


def describe(job: "ClusterJob") -> str:
    """A job in a paragraph."""
    lines = [line.strip() for line in job.message.splitlines() if line.strip()]
    code = f" with exit status {job.exit_code}" if job.exit_code else ""
    return (
        f"{job.id}: {job.state.lower()}{code} since {when(job.ended or job.started)}. It is a {job.verb} of "
        f"{job.experiment} by law-rl {job.law_rl}; its results are in {job.out} on the cluster."
        + (f" {lines[-1]}" if lines else "")
    )


def logs(cluster: "Cluster", job: "ClusterJob", *, follow: bool) -> None:
    """Prints a job's log; exits with the job's status where it follows it to the end."""
    if follow:
        wait(cluster, job.id, sys.stdout, as_json=False)
    else:
        print(cluster.log(job.id) or describe(job))


def wait(cluster: "Cluster", identity: str, told: TextIO, *, as_json: bool) -> None:
    """Prints a job's log until it ends, and exits with its status."""
    with leaving_it_running(identity):
        for text in cluster.follow(identity):
            print(text, end="", file=told, flush=True)
        job = cluster.job(identity)
    print(describe(job), file=told)
    if as_json:
        print(json.dumps(dataclasses.asdict(job), indent=2))
    sys.exit(0 if job.state == "SUCCEEDED" else job.exit_code or 1)


@contextmanager
def leaving_it_running(identity: str) -> Iterator[None]:
    """For the block, Ctrl-C ends this command with a word on the job, which goes on."""
    try:
        yield
    except KeyboardInterrupt:
        again = f"`law-rl jobs logs {identity} -f` follows it, `law-rl jobs stop {identity}` stops it"
        print(f"\nlaw-rl: {identity} goes on: {again}", file=sys.stderr)
        sys.exit(1)


def stop(cluster: "Cluster", job: "ClusterJob", *, wait: bool) -> None:
    """Stops a job."""
    if job.over:
        print(f"{job.id} had ended already: {job.state.lower()}")
        return
    job = cluster.stop(job.id, wait=wait)
    state = job.state.lower() if job.over else "asked to stop"
    print(f"{job.id}: {state}; `law-rl submit {job.experiment} --resume {job.id}` goes on from there")


def pull(cluster: "Cluster", job: "ClusterJob", out: Path | None, limit: int) -> None:
    """Brings a job's run directory here: from a directory that this machine sees too, else through the cluster."""
    from law_rl.cluster.archive import pack, unpack

    destination = out or project.find_root() / "runs" / job.id
    if destination.exists():
        raise ValueError(f"{destination} is there already: give another --out, or delete it")
    seen_here = Path(job.out).expanduser()
    text = pack(seen_here, limit) if (seen_here / "config.json").is_file() else cluster.fetch(job, limit)
    files = unpack(text, destination, limit)
    so_far = "" if job.over else "; the job has not ended: this is what is there so far"
    print(f"{destination}: {len(files)} files{so_far}")
