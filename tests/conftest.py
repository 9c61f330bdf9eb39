"""Shared by all tests: one thread, the real data where present, one local Ray."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from law_rl.actions import SampleWeights
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.task import ClassificationTask
from law_rl.data.noise import NoiseConfig
from law_rl.data.sources import DataConfig
from law_rl.experiment import EvaluationConfig, Experiment, SearchConfig
from law_rl.stage_env import StageEnvConfig
from policies.baselines import STANDARD
from policies.evolution import EvolutionConfig

CPUS = 2
"""Of the Ray of the tests."""

torch.set_num_threads(1)
os.environ["RAY_AUTH_MODE"] = "disabled"  # read when Ray is first imported
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let what they start in the background ignore it


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets: `LAW_RL_DATA`, else `shared/data` beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LAW_RL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set LAW_RL_DATA")
    return folder


@pytest.fixture(scope="session")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for NODE_CACHE that all processes of the run share, so that one of them decodes a large pack."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "decoded"


@pytest.fixture(scope="session")
def tiny_experiment() -> Experiment:
    return make_tiny_experiment()


def make_tiny_experiment() -> Experiment:
    """A search of 14 trainings of a few milliseconds each."""
    data = DataConfig(name="digits", train=120, validation=60, noise=NoiseConfig(kind="uniform", rate=0.4))
    features = ("own_confidence_in_class", "loss")
    training = ClassificationConfig(
        network=NetworkConfig(width=8), epochs=4, stages=4, batch_size=32, features=features
    )
    return Experiment(
        name="tiny",
        task=ClassificationTask(data=data, training=training),
        env=StageEnvConfig(action=SampleWeights(features=features), pool=2),
        agent=EvolutionConfig(population=4),
        search=SearchConfig(episodes=12, candidates=2, lag=3),
        evaluation=EvaluationConfig(seeds=2),
        baselines=STANDARD,
    )


@pytest.fixture(scope="session")
def ray_end() -> Iterator[None]:
    import ray

    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def ray_session(ray_end: None) -> ModuleType:
    """The Ray of all modules, or a new one where the last module left some of its CPUs taken."""
    import ray

    if ray.is_initialized() and not all_free(ray):
        ray.shutdown()
    if not ray.is_initialized():
        ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False)
    return ray


def all_free(ray: ModuleType) -> bool:
    """Whether no CPU is taken; those of actors that were just killed come back within moments."""
    until = time.monotonic() + 5
    while not (free := ray.available_resources().get("CPU") == CPUS) and time.monotonic() < until:
        time.sleep(0.1)
    return free
