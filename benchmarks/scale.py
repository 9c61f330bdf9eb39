"""How long workers wait when many share one search: the real driver and its journal, workers in virtual time.

Each case runs the exploring phase of a search with made-up episodes of ten stages of 30 s, each worker dying in one of
fifty. Counted is the time of all workers from when the search has handed out its first `lag` episodes to when it hands
out its last; restarts are not waiting, but lost, as are the parts of episodes that a death cut short. A worker waits
for the driver where a driver that needs no time would have had an episode for it, else for the order: all episodes that
the lag allows have begun, and the oldest has not ended.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from benchmarks.running import Bar, bar
from benchmarks.simulation import Clock, Duplicates, FleetConfig, SimulatedWorkers, waiting
from benchmarks.tables import RESULTS, Kept, markdown_table
from experiments.law_digits import experiment as law_digits
from experiments.quickstart import experiment as quickstart
from law_rl.actor import MlpActor, TableActor
from law_rl.agent import Agent, AgentConfig, AgentSpec, Episode
from law_rl.counters import numpy_generator
from law_rl.experiment import Experiment
from law_rl.files import save_tree
from law_rl.jobs import EpisodeJob
from law_rl.journal import SHARE_OF_TIME, Journal
from law_rl.observation import ENTRIES
from law_rl.search import Search
from law_rl.stage_weights import BINS

EXPERIMENTS = {"CMA-ES": quickstart, "LAW's DDPG": law_digits}
WARM_UPDATES = 64
"""Updates after which LAW's buffer is full and each takes as long as the one before."""


PLANS: tuple[tuple[int, int, Duplicates], ...] = (
    (16, 2, "never"),
    (64, 2, "never"),
    (256, 1, "never"),
    (256, 2, "never"),
    (256, 4, "never"),
    (1000, 2, "never"),
    (1000, 2, "blocking"),
    (1000, 2, "reruns"),
    (1000, 4, "never"),
)
"""Workers, lag over workers, and which episodes run twice."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is simulated."""

    fresh: bool = False
    """Measure again what an earlier run has measured."""
    largest: int = 1000
    """Leave out cases of more workers."""
    agents: tuple[str, ...] = tuple(EXPERIMENTS)
    rounds: int = 12
    """Episodes a worker."""
    update_sample: int = 100
    """One of so many updates of LAW's agent is computed, the others take as long as the one before."""
    save_sample: int = 10
    """The same of saves of the state."""
    out: Path = RESULTS


@dataclass(frozen=True, kw_only=True)
class Case:
    """One search; `update_sample` and `save_sample` as in Options."""

    agent: str
    fleet: FleetConfig
    lag: int
    episodes: int
    update_sample: int = 1
    save_sample: int = 1


class SampledAgent:
    """An agent of whose later updates one in `every` is computed; the others only take their time."""

    def __init__(self, agent: Agent, clock: Clock, every: int) -> None:
        self._agent, self._clock, self._every = agent, clock, every
        self._seconds = 0.0
        self.actor, self.policy, self.state = agent.actor, agent.policy, agent.state

    def take(self, index: int, actor: TableActor | MlpActor, episode: Episode) -> None:
        if index >= WARM_UPDATES and index % self._every:
            self._clock.work(self._seconds)
            return
        begun = self._clock.now()
        self._agent.take(index, actor, episode)
        self._seconds = self._clock.now() - begun

    def restore(self, state: Mapping[str, Any]) -> None:
        self._agent.restore(state)


@dataclass(frozen=True, kw_only=True)
class SampledConfig:
    """Of a SampledAgent."""

    agent: AgentConfig
    clock: Clock
    every: int

    name = "sampled"

    def build(self, spec: AgentSpec) -> SampledAgent:
        return SampledAgent(self.agent.build(spec), self.clock, self.every)


class SampledJournal(Journal):
    """A journal in virtual time; one save of the state in `every` is made, the others only take its time."""

    def __init__(self, directory: Path, clock: Clock, every: int) -> None:
        super().__init__(directory)
        self._clock, self._every = clock, every
        self._saves, self._seconds, self._due = 0, 0.0, 0.0
        self.seconds = 0.0

    @property
    def is_due(self) -> bool:
        return self._clock.now() >= self._due

    def save_state(self, state: Mapping[str, Any]) -> None:
        if self._saves % self._every:
            self._clock.work(self._seconds)
        else:
            begun = self._clock.now()
            save_tree(self.directory / "search.safetensors", state)
            self._seconds = self._clock.now() - begun
        self._saves += 1
        self.seconds += self._seconds
        self._due = self._clock.now() + self._seconds / SHARE_OF_TIME


class EpisodeMaker:
    """Makes episodes up: of the right shapes, with the actor's own actions, and numbers drawn from counters."""

    def __init__(self, experiment: Experiment) -> None:
        self._names = experiment.env.observation
        self._stages = range(experiment.env.warmup, experiment.task.stages)
        self._low, self._high = (np.array([getattr(ENTRIES[n], b) for n in self._names]) for b in ("low", "high"))

    def __call__(self, index: int, job: EpisodeJob) -> Episode:
        generator = numpy_generator(0, "made-up episode", index)
        steps, total = len(self._stages), self._stages.stop
        observations = generator.uniform(self._low, self._high, (steps + 1, len(self._names))).astype(np.float32)
        for name, values in (
            ("stage", np.arange(total - steps, total + 1)),
            ("progress", np.linspace(0, 1, steps + 1)),
        ):
            if name in self._names:
                observations[:, self._names.index(name)] = values
        seen = torch.from_numpy(observations)
        unknown = torch.full((steps,), torch.nan)
        return Episode(
            training_seed=job.training_seed,
            observations=seen,
            actions=torch.stack([job.actor.act(seen[k], stage) for k, stage in enumerate(self._stages)]),
            rewards=torch.from_numpy(generator.normal(size=steps).astype(np.float32)),
            metric=70.0 + float(generator.normal()),
            twin_metric=70.0,
            failure="",
            weight_clean=unknown,
            weight_mislabelled=unknown,
            weight_by_loss=unknown[:, None].expand(-1, len(BINS)),
        )


class Explored(Exception):
    """The exploring phase is over."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Shares of the workers' time; milliseconds of the driver an episode, and of them those spent on saving its state;
    virtual hours.
    """

    waiting_for_driver: float
    waiting_for_order: float
    lost: float
    driver_ms: float
    saving_ms: float
    hours: float
    deaths: int


def simulate(case: Case, line: Bar | None = None) -> Result:
    """Runs the exploring phase of a case."""
    clock = Clock()
    experiment = experiment_of(case, clock)
    workers = SimulatedWorkers(case.fleet, clock, EpisodeMaker(experiment))
    driver_s: list[float] = []

    def observe(search: Search) -> None:
        with clock.aside():
            driver_s.append(clock.driver_s)
            if line is not None:
                line.show(len(driver_s))
            if len(search.state.episodes) == case.episodes:
                raise Explored

    with tempfile.TemporaryDirectory() as directory:
        search = Search(experiment, workers, Path(directory), observer=observe)
        journal = search.journal = SampledJournal(Path(directory), clock, case.save_sample)
        search.state.curves.update(dict.fromkeys(experiment.env.seeds, (70.0,) * (case.fleet.stages + 1)))
        with suppress(Explored):
            search.run()
    begin, end = workers.submitted[case.lag - 1], workers.submitted[case.episodes - 1]
    shares = waiting(workers.changes, case.fleet, lag=case.lag, episodes=case.episodes, begin=begin, end=end)
    return Result(
        waiting_for_driver=shares.driver,
        waiting_for_order=shares.order,
        lost=workers.lost_s / (case.fleet.workers * clock.now()),
        driver_ms=1000 * (driver_s[-1] - driver_s[0]) / (case.episodes - 1),
        saving_ms=1000 * journal.seconds / case.episodes,
        hours=clock.now() / 3600,
        deaths=workers.deaths,
    )


def experiment_of(case: Case, clock: Clock) -> Experiment:
    base = EXPERIMENTS[case.agent]
    search = replace(base.search, episodes=case.episodes + base.search.candidates * base.env.pool, lag=case.lag)
    return replace(base, agent=SampledConfig(agent=base.agent, clock=clock, every=case.update_sample), search=search)


def cases(options: Options) -> list[Case]:
    return [
        Case(
            agent=agent,
            fleet=FleetConfig(workers=count, stages=EXPERIMENTS[agent].task.stages, duplicates=duplicates),
            lag=lag * count,
            episodes=options.rounds * count,
            update_sample=1 if agent == "CMA-ES" else options.update_sample,
            save_sample=options.save_sample,
        )
        for agent in options.agents
        for count, lag, duplicates in PLANS
        if count <= options.largest
    ]


def table(results: Sequence[tuple[Case, Result]]) -> str:
    header = (
        *("agent", "workers", "lag", "episodes", "run twice", "waiting", "for the driver", "for the order", "lost"),
        *("driver, ms/episode", "of it saving, ms"),
    )
    rows = []
    for case, result in results:
        parts = (result.waiting_for_driver, result.waiting_for_order)
        shares = (f"{100 * share:.2f} %" for share in (sum(parts), *parts, result.lost))
        size = (case.agent, case.fleet.workers, case.lag, case.episodes, case.fleet.duplicates)
        rows.append((*size, *shares, f"{result.driver_ms:.1f}", f"{result.saving_ms:.1f}"))
    return markdown_table(header, rows)


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    kept = Kept(options.out, "scale", fresh=options.fresh)
    for case in cases(options):
        if kept.has(part_name(case), case):
            continue
        with bar(part_name(case), case.episodes) as line:
            kept.put(part_name(case), vars(simulate(case, line)), case)
        kept.write(table(measured(kept, options)))
    print(table(measured(kept, options)))


def part_name(case: Case) -> str:
    twice = "" if case.fleet.duplicates == "never" else f", {case.fleet.duplicates} twice"
    return f"{case.agent}, {case.fleet.workers} workers, lag {case.lag}{twice}"


def measured(kept: Kept, options: Options) -> list[tuple[Case, Result]]:
    """All cases that are done, those of earlier runs too, in the order of the plans."""
    everything = cases(replace(options, agents=tuple(EXPERIMENTS), largest=max(count for count, *_ in PLANS)))
    done = ((case, kept.parts[part_name(case)]) for case in everything if kept.has(part_name(case), case))
    return [(case, Result(**{field.name: part[field.name] for field in fields(Result)})) for case, part in done]


if __name__ == "__main__":
    main()
