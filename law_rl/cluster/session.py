"""Ray itself: joining one or starting one, and what its processes find in their environment."""

import getpass
import logging
import os
import tempfile
from pathlib import Path

import ray

from law_rl.data.places import NODE_CACHE
from law_rl.resources import Resources


def start_ray(cpus: int) -> None:
    """Joins the Ray at RAY_ADDRESS, or starts one of this machine: no dashboard, its messages kept off the terminal.

    ConnectionError in one sentence where RAY_ADDRESS names no Ray that can be reached.
    """
    if address := os.environ.get("RAY_ADDRESS"):
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError) as error:
            raise ConnectionError(
                f"no Ray answers at RAY_ADDRESS={address} ({error}): start it, or unset RAY_ADDRESS"
            ) from error
        return
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)


def worker_environment(root: Path, resources: Resources) -> dict[str, str]:
    """Environment variables of worker processes: they find the project, and use as many threads as CPUs."""
    path = os.pathsep.join(entry for entry in (str(root), os.environ.get("PYTHONPATH", "")) if entry)
    return {"PYTHONPATH": path, "OMP_NUM_THREADS": str(resources.cpus)}


def share_decoded_data() -> None:
    """This process decodes data sets once for all of the user's processes on the node, unless told otherwise."""
    folder = Path(tempfile.gettempdir()) / f"law_rl-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault(NODE_CACHE, str(folder))
