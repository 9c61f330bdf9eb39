"""Shared by all tests: one thread, the real data where present, one local Ray."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

torch.set_num_threads(1)
os.environ["RAY_AUTH_MODE"] = "disabled"  # read when Ray is first imported


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets: `LAW_RL_DATA`, else `shared/data` beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("LAW_RL_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set LAW_RL_DATA")
    return folder


@pytest.fixture(scope="session")
def ray_session() -> Iterator[ModuleType]:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()
