"""The search: learns a policy from many episodes, and ends with the same bits however its jobs were run."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from law_rl.actor import MlpActor, TableActor, actor_from_tree
from law_rl.agent import Agent, AgentSpec, Episode
from law_rl.experiment import Experiment
from law_rl.jobs import EpisodeJob, TwinJob, Workers
from law_rl.journal import Journal
from law_rl.observation import ENTRIES
from law_rl.schedule import Schedule
from law_rl.selection import choose, make_schedule
from law_rl.twins import Curve


@dataclass
class SearchState:
    """Where a search stands; episodes [0, explored) explore, the rest confirm candidates.

    `actors` holds those of episodes begun and not yet taken, `arrived` results that wait for their turn.
    """

    curves: dict[int, Curve] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)
    actors: dict[int, TableActor | MlpActor] = field(default_factory=dict)
    arrived: dict[int, Episode] = field(default_factory=dict)
    leaders: list[tuple[float, int, TableActor | MlpActor]] = field(default_factory=list)

    def to_tree(self) -> dict[str, Any]:
        """What the finished trainings do not tell."""
        return {
            "taken": len(self.episodes),
            "actors": {str(index): actor.to_tree() for index, actor in self.actors.items()},
            "leaders": [[score, index, actor.to_tree()] for score, index, actor in self.leaders],
        }

    @staticmethod
    def from_tree(tree: dict[str, Any], curves: dict[int, Curve], episodes: dict[int, Episode]) -> "SearchState":
        taken = tree["taken"]
        return SearchState(
            curves=curves,
            episodes=[episodes[index] for index in range(taken)],
            actors={int(index): actor_from_tree(actor) for index, actor in tree["actors"].items()},
            arrived={index: episode for index, episode in episodes.items() if index >= taken},
            leaders=[(score, index, actor_from_tree(actor)) for score, index, actor in tree["leaders"]],
        )


class Search:
    """Learns a schedule for an experiment with the given workers, keeping a journal in `directory`/checkpoints.

    `observer` is called after each job: it sees the search (`trainings_done`, `trainings_total`, `state`).
    """

    def __init__(
        self,
        experiment: Experiment,
        workers: Workers,
        directory: Path,
        *,
        observer: Callable[["Search"], None],
        started: float | None = None,
    ) -> None:
        self.experiment, self._workers, self._observer = experiment, workers, observer
        self.journal = Journal(directory / "checkpoints")
        self._started = time.monotonic() if started is None else started
        self._wall_before = self.searched_s = 0.0
        self.confirmed: list[Episode] = []
        self.state = SearchState()
        self._agent: Agent = experiment.agent.build(agent_spec(experiment))
        config = experiment.search
        self._explored = config.episodes - config.candidates * experiment.env.pool

    @property
    def trainings_done(self) -> int:
        return len(self.state.curves) + len(self.state.episodes) + len(self.state.arrived)

    @property
    def trainings_total(self) -> int:
        return self.experiment.env.pool + self.experiment.search.episodes

    def resume(self, *, adopt: bool = False) -> None:
        """Goes on from the journal; ValueError if it is of another experiment.

        With `adopt` the agent alone may differ: a search goes on from where another stands, with its own settings.
        """
        tree, identity = self.journal.load_state(), search_identity(self.experiment)
        differing = {name for name in identity if tree["experiment"].get(name) != identity[name]}
        if differing - ({"agent"} if adopt else set()):
            raise ValueError(
                f"{self.journal.directory} is of another configuration ({', '.join(sorted(differing))} differ): give "
                "the same overrides as then, or another --out"
            )
        self.state = SearchState.from_tree(tree["state"], self.journal.twins(), self.journal.episodes())
        self._agent.restore(tree["agent"])
        self._wall_before = tree["wall_s"]

    def wall_s(self) -> float:
        """Seconds spent on this search so far, those before a resume included."""
        return self._wall_before + time.monotonic() - self._started

    def run(self) -> Schedule:
        """Runs the search to its end and returns the schedule."""
        self.save()
        self._train_twins()
        self._explore()
        schedule = self._confirm()
        self.searched_s = self.wall_s()
        self.save()
        return schedule

    def save(self) -> None:
        """Saves the agent's state; finished trainings are saved as they come."""
        self.journal.save_state(
            {
                "experiment": search_identity(self.experiment),
                "state": self.state.to_tree(),
                "agent": self._agent.state(),
                "wall_s": self.wall_s(),
            }
        )

    def _train_twins(self) -> None:
        for seed in self.experiment.env.seeds:
            if seed not in self.state.curves:
                self._workers.submit(f"twin {seed}", TwinJob(seed=seed))
        for key, curve in self._workers.results():
            seed = int(key.split()[1])
            self.journal.add_twin(seed, curve)
            self.state.curves[seed] = curve
            self._observer(self)

    def _explore(self) -> None:
        for index in range(len(self.state.episodes), min(len(self.state.episodes) + self._lag, self._explored)):
            self._begin(index)
        self._take_in_order()
        for key, episode in self._workers.results():
            self._arrive(key, episode)
            self._take_in_order()
            if self.journal.is_due:
                self.save()
            self._observer(self)

    def _arrive(self, key: str, episode: Episode) -> None:
        index = int(key.split()[1])
        self.journal.add_episode(index, episode)
        self.state.arrived[index] = episode

    @property
    def _lag(self) -> int:
        return self.experiment.search.lag

    def _begin(self, index: int) -> None:
        if index not in self.state.actors:
            self.state.actors[index] = self._agent.actor(index)
        if index not in self.state.arrived:
            self._submit(index, self.state.actors[index])

    def _submit(self, index: int, actor: TableActor | MlpActor) -> None:
        seeds = self.experiment.env.seeds
        job = EpisodeJob(actor=actor, training_seed=seeds[index % len(seeds)], curves=self.state.curves)
        self._workers.submit(f"episode {index}", job)

    def _take_in_order(self) -> None:
        while (index := len(self.state.episodes)) in self.state.arrived and index < self._explored:
            episode, actor = self.state.arrived.pop(index), self.state.actors.pop(index)
            self._agent.take(index, actor, episode)
            self.state.episodes.append(episode)
            self._note_leader(index, actor, episode)
            if index + self._lag < self._explored:
                self._begin(index + self._lag)

    def _note_leader(self, index: int, actor: TableActor | MlpActor, episode: Episode) -> None:
        score = -math.inf if episode.failure else episode.advantage
        leaders = [*self.state.leaders, (score, index, actor)]
        leaders.sort(key=lambda leader: (-leader[0], leader[1]))
        self.state.leaders = leaders[: self.experiment.search.candidates - 1]

    def candidates(self) -> list[TableActor | MlpActor]:
        """The policy that the agent ends with, and those of the best episodes, without exploration."""
        return [self._agent.policy(), *(without_exploration(actor) for _, _, actor in self.state.leaders)]

    def _confirm(self) -> Schedule:
        candidates, pool = self.candidates(), self.experiment.env.pool
        done = len(self.state.episodes) - self._explored
        for place in range(done, len(candidates) * pool):
            index = self._explored + place
            if index not in self.state.arrived:
                actor = candidates[place // pool]
                seed = self.experiment.env.seeds[place % pool]
                self._workers.submit(
                    f"episode {index}", EpisodeJob(actor=actor, training_seed=seed, curves=self.state.curves)
                )
        self._collect()
        for key, episode in self._workers.results():
            self._arrive(key, episode)
            self._collect()
            self._observer(self)
        confirmed = [self.state.episodes[self._explored + k * pool :][:pool] for k in range(len(candidates))]
        actor, self.confirmed = choose(candidates, confirmed, self.experiment.env.action.baseline)
        return make_schedule(self.experiment, actor, self.confirmed)

    def candidate_of(self, index: int) -> int | None:
        """Which candidate episode `index` confirms; None while exploring."""
        return (index - self._explored) // self.experiment.env.pool if index >= self._explored else None

    def _collect(self) -> None:
        while (index := len(self.state.episodes)) in self.state.arrived:
            self.state.episodes.append(self.state.arrived.pop(index))


def without_exploration(actor: TableActor | MlpActor) -> TableActor | MlpActor:
    """The same policy, acting at its best knowledge."""
    return actor.greedy() if isinstance(actor, MlpActor) else actor


def agent_spec(experiment: Experiment) -> AgentSpec:
    """The problem of an experiment as its agent is told it."""
    names = experiment.env.observation
    return AgentSpec(
        observation=names,
        low=tuple(ENTRIES[name].low for name in names),
        high=tuple(ENTRIES[name].high for name in names),
        action=experiment.env.action.names,
        baseline=experiment.env.action.baseline,
        stages=experiment.task.stages,
        warmup=experiment.env.warmup,
        seed=experiment.search.seed,
    )


def search_identity(experiment: Experiment) -> dict[str, str]:
    """Texts that are equal for equal searches: everything but the evaluation."""
    parts = {name: getattr(experiment, name) for name in ("name", "task", "env", "agent", "search")}
    return {name: repr(part) for name, part in parts.items()}
