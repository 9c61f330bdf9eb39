"""The metrics of a route's anchors."""

from dataclasses import replace
from pathlib import Path

import pytest

from law_rl.classification.networks import NetworkConfig
from law_rl.distillation.route_metrics import route_metrics
from law_rl.distillation.teacher import train_route
from tests.law_rl.distillation.students import TASK

CONFIG = replace(TASK.teacher, seed=8)


def test_they_are_what_training_measured(tmp_path: Path) -> None:
    route = train_route(CONFIG, TASK.dataset, tmp_path)
    noted = [anchor.accuracy for anchor in route.anchors]
    assert len(set(noted)) > 1
    assert route_metrics(CONFIG, TASK.dataset, route, "validation", range(4)) == noted
    assert route_metrics(CONFIG, TASK.dataset, route, "validation", [2]) == noted[2:3]


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            NetworkConfig(width=8, depth=1),
            r"weight is \(16, 64\) in its anchor of epoch 1 and \(8, 64\) in the network",
        ),
        (NetworkConfig(width=16, depth=2), r"missing in its anchor of epoch 1"),
    ],
)
def test_another_network_is_refused(tmp_path: Path, network: NetworkConfig, said: str) -> None:
    route = train_route(CONFIG, TASK.dataset, tmp_path)
    other = replace(CONFIG, training=replace(CONFIG.training, network=network))
    with pytest.raises(ValueError, match=said):
        route_metrics(other, TASK.dataset, route, "validation", [0])
