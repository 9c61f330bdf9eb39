"""A search ends with the same bits however its jobs were run, and however often it was stopped."""

import dataclasses
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from law_rl.actor import TableActor
from law_rl.agent import Episode
from law_rl.experiment import Experiment, SearchConfig
from law_rl.jobs import Job, LocalWorkers
from law_rl.search import Search
from law_rl.selection import choose
from policies.evolution import EvolutionConfig


class Stopped(Exception):
    """Stands for a driver that was killed."""


class ShuffledWorkers(LocalWorkers):
    """Runs the queued jobs in an order of its own, as many workers would."""

    def __init__(self, experiment: Experiment, seed: int) -> None:
        super().__init__(experiment.setting)
        self._random = random.Random(seed)

    def results(self) -> Iterator[tuple[str, Any]]:
        while self._queue:
            self._random.shuffle(self._queue)
            key, job = self._queue.pop()
            yield key, self._state.run(job)


def ignore(search: Search) -> None:
    pass


def stop_after(jobs: int) -> Callable[[Search], None]:
    seen = 0

    def observer(search: Search) -> None:
        nonlocal seen
        seen += 1
        if seen == jobs:
            raise Stopped

    return observer


def search_hash(experiment: Experiment, directory: Path) -> str:
    return Search(experiment, LocalWorkers(experiment.setting), directory, observer=ignore).run().hash


def test_the_order_of_results_does_not_change_the_schedule(tiny_experiment: Experiment, tmp_path: Path) -> None:
    expected = search_hash(tiny_experiment, tmp_path / "in order")
    for seed in range(3):
        workers = ShuffledWorkers(tiny_experiment, seed)
        search = Search(tiny_experiment, workers, tmp_path / str(seed), observer=ignore)
        assert search.run().hash == expected


@pytest.mark.parametrize("jobs", [1, 2, 3, 5, 9, 11, 13])
def test_a_stopped_search_resumes_to_the_same_schedule(tiny_experiment: Experiment, tmp_path: Path, jobs: int) -> None:
    expected = search_hash(tiny_experiment, tmp_path / "whole")
    directory = tmp_path / "stopped"
    with pytest.raises(Stopped):
        Search(tiny_experiment, ShuffledWorkers(tiny_experiment, 7), directory, observer=stop_after(jobs)).run()
    resumed = Search(tiny_experiment, ShuffledWorkers(tiny_experiment, 8), directory, observer=ignore)
    resumed.resume()
    assert resumed.trainings_done == jobs
    assert resumed.run().hash == expected
    assert resumed.trainings_done == resumed.trainings_total


def test_a_search_that_is_stopped_at_every_job_ends(tiny_experiment: Experiment, tmp_path: Path) -> None:
    expected, directory, schedule = search_hash(tiny_experiment, tmp_path / "whole"), tmp_path / "stopped", None
    for _ in range(50):
        search = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), directory, observer=stop_after(1))
        if search.journal.exists:
            search.resume()
        try:
            schedule = search.run()
            break
        except Stopped:
            continue
    assert schedule is not None
    assert schedule.hash == expected


def test_another_seed_gives_another_schedule(tiny_experiment: Experiment, tmp_path: Path) -> None:
    other = dataclasses.replace(tiny_experiment, search=dataclasses.replace(tiny_experiment.search, seed=1))
    assert search_hash(other, tmp_path / "other") != search_hash(tiny_experiment, tmp_path / "first")


def test_a_checkpoint_of_another_experiment_is_refused(tiny_experiment: Experiment, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path, observer=stop_after(3)).run()
    other = dataclasses.replace(tiny_experiment, agent=EvolutionConfig(sigma=0.1))
    with pytest.raises(ValueError, match="another configuration"):
        Search(other, LocalWorkers(other.setting), tmp_path, observer=ignore).resume()


@pytest.mark.parametrize("damaged", ["search.safetensors", "twins/0.safetensors", "episodes/000000.safetensors"])
def test_a_damaged_journal_is_refused_in_one_sentence(
    tiny_experiment: Experiment, tmp_path: Path, damaged: str
) -> None:
    with pytest.raises(Stopped):
        Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path, observer=stop_after(3)).run()
    search = Search(tiny_experiment, LocalWorkers(tiny_experiment.setting), tmp_path, observer=ignore)
    path = search.journal.directory / damaged
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        search.resume()


def test_episode_i_acts_with_the_policy_of_update_i_minus_lag(tiny_experiment: Experiment, tmp_path: Path) -> None:
    lag = tiny_experiment.search.lag
    events: list[tuple[str, int]] = []

    class Recorder(EvolutionConfig):
        def build(self, spec: Any) -> Any:
            agent = super().build(spec)
            actor, take = agent.actor, agent.take
            agent.actor = lambda episode: events.append(("actor", episode)) or actor(episode)  # type: ignore[func-returns-value,method-assign]
            agent.take = lambda index, *rest: events.append(("take", index)) or take(index, *rest)  # type: ignore[func-returns-value,method-assign]
            return agent

    experiment = dataclasses.replace(tiny_experiment, agent=Recorder(population=4))
    Search(experiment, ShuffledWorkers(experiment, 3), tmp_path, observer=ignore).run()
    for place, (kind, episode) in enumerate(events):
        taken = sum(1 for k, _ in events[:place] if k == "take")
        if kind == "actor":
            assert taken == max(0, episode - lag + 1)
        else:
            assert taken == episode


def test_twins_are_trained_once_a_seed_and_episodes_cost_one_training(
    tiny_experiment: Experiment, tmp_path: Path
) -> None:
    kinds: list[str] = []

    class Counting(LocalWorkers):
        def submit(self, key: str, job: Job) -> None:
            kinds.append(type(job).__name__)
            super().submit(key, job)

    workers = Counting(tiny_experiment.setting)
    Search(tiny_experiment, workers, tmp_path, observer=ignore).run()
    assert kinds.count("TwinJob") == tiny_experiment.env.pool
    assert kinds.count("EpisodeJob") == tiny_experiment.search.episodes
    assert workers._state.env.twins.trained == 0


def test_the_quickstart_pays_at_most_1_1_trainings_an_episode() -> None:
    from experiments.quickstart import experiment

    search = Search(experiment, LocalWorkers(experiment.setting), Path("unused"), observer=ignore)
    assert search.trainings_total / experiment.search.episodes <= 1.1


def test_the_chosen_candidate_has_the_best_gain_on_the_pool(tiny_experiment: Experiment, tmp_path: Path) -> None:
    experiment = dataclasses.replace(tiny_experiment, search=SearchConfig(episodes=14, candidates=3, lag=2))
    search = Search(experiment, LocalWorkers(experiment.setting), tmp_path, observer=ignore)
    schedule = search.run()
    pool = experiment.env.pool
    confirming = search.state.episodes[-3 * pool :]
    means = [sum(e.advantage for e in confirming[k * pool : (k + 1) * pool]) / pool for k in range(3)]
    assert schedule.provenance["validation_gain"]["mean"] == pytest.approx(max(0.0, max(means)))
    assert {search.candidate_of(i) for i in range(14)} == {None, 0, 1, 2}


def episode(advantage: float, seed: int) -> Episode:
    nothing = torch.zeros(3)
    return Episode(
        training_seed=seed,
        observations=torch.zeros(4, 2),
        actions=torch.ones(3, 2),
        rewards=nothing,
        metric=70.0 + advantage,
        twin_metric=70.0,
        failure="",
        weight_clean=nothing,
        weight_mislabelled=nothing,
        weight_by_loss=nothing[:, None],
    )


def candidate(value: float) -> TableActor:
    return TableActor(actions=torch.full((1, 2), value))


def test_the_candidate_with_the_best_mean_gain_is_chosen() -> None:
    confirmed = [[episode(3.0, 0), episode(5.0, 1)], [episode(6.0, 0), episode(7.0, 1)]]
    actor, episodes = choose([candidate(0.1), candidate(0.2)], confirmed, (0.0, 1.0))
    assert torch.equal(actor.act(torch.zeros(2), 0), torch.full((2,), 0.2))
    assert episodes is confirmed[1]


@pytest.mark.parametrize("gains", [(-1.0, -2.0), (0.0, 0.0), (5.0, -4.0)])
@pytest.mark.parametrize("baseline", [(0.0, 0.0), (0.0, 1.0)])
def test_what_was_not_seen_to_help_gives_way_to_the_twins_action(
    gains: tuple[float, float], baseline: tuple[float, float]
) -> None:
    confirmed = [[episode(gain, seed) for seed, gain in enumerate(gains)]]
    actor, episodes = choose([candidate(0.5)], confirmed, baseline)
    assert torch.equal(actor.act(torch.ones(2), 2), torch.tensor(baseline))
    assert [e.advantage for e in episodes] == [0.0, 0.0]
    assert all(torch.equal(e.actions, torch.tensor(baseline).expand(3, 2)) for e in episodes)
