"""A search on a cluster of two nodes (raylets of this machine), one of which is lost on the way; run as a script."""

import sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from law_rl.cluster.workers import RayWorkers
from law_rl.resources import Resources
from law_rl.search import Search
from tests.conftest import make_tiny_experiment

ROOT = Path(__file__).parents[3]


def main(directory: Path) -> None:
    experiment = make_tiny_experiment()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)

    def lose_a_node(search: Search) -> None:
        if search.trainings_done == 5:
            cluster.remove_node(second, allow_graceful=False)

    spread = Resources(placement="spread")
    workers = RayWorkers(experiment.setting, count=2, root=ROOT, resources=spread)
    digest = Search(experiment, workers, directory, observer=lose_a_node).run().hash
    waiting = len(workers._starting)
    workers.close()
    ray.shutdown()
    cluster.shutdown()
    print("workers without a node", waiting, "hash", digest)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
