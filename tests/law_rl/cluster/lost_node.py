"""A search on two nodes (raylets of this machine), one of which is lost while it trains; run as a script."""

import dataclasses
import sys
import threading
import time
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from law_rl.cluster.workers import RayWorkers
from law_rl.resources import Resources
from law_rl.search import Search
from tests.conftest import make_tiny_experiment
from tests.law_rl.cluster.faults import FaultyTask, marks

ROOT = Path(__file__).parents[3]


def lose_the_node_of_the_mark(cluster: Cluster, folder: Path) -> None:
    """Waits for a training that hangs, and kills the raylet of its node."""
    while not marks(folder):
        time.sleep(0.1)
    status = Path(f"/proc/{marks(folder)[0]}/stat").read_text()
    parent = int(status.rpartition(")")[2].split()[1])
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.list_all_nodes()}
    cluster.remove_node(raylets[parent], allow_graceful=False)


def main(directory: Path) -> None:
    folder = directory / "marks"
    folder.mkdir()
    base = make_tiny_experiment()
    task = FaultyTask(task=base.task, fault="hangs", marks=str(folder))
    experiment = dataclasses.replace(base, task=task)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    workers = RayWorkers(experiment.setting, count=2, root=ROOT, resources=Resources(placement="spread"))
    threading.Thread(target=lose_the_node_of_the_mark, args=(cluster, folder)).start()
    digest = Search(experiment, workers, directory, observer=lambda search: None).run().hash
    waiting = len(workers._starting)
    workers.close()
    ray.shutdown()
    cluster.shutdown()
    print("workers without a node", waiting, "hash", digest)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
