"""Placement: what workers ask for, equal shares of GPUs, and refusals of what a cluster can never hold."""

import pytest
import ray

from law_rl.cluster.placement import bundle, check_fits, with_gpu_share
from law_rl.resources import Resources

GIB = float(2**30)


def test_a_bundle_names_what_is_asked() -> None:
    assert bundle(Resources()) == {"CPU": 1.0}
    asked = Resources(cpus=2, gpus=0.25, memory="1.5GiB")
    assert bundle(asked) == {"CPU": 2.0, "GPU": 0.25, "memory": 1.5 * GIB}


def test_workers_share_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0, "GPU": 2.0})
    assert with_gpu_share(Resources(), "cpu", 4).gpus is None
    assert with_gpu_share(Resources(), "cuda", 4).gpus == 0.5
    assert with_gpu_share(Resources(), "cuda:0", 1).gpus == 1.0
    assert with_gpu_share(Resources(gpus=0.1), "cuda", 4).gpus == 0.1
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0})
    with pytest.raises(ValueError, match="Ray sees no GPU"):
        with_gpu_share(Resources(), "cuda", 2)


@pytest.mark.parametrize(
    ("bundles", "nodes"),
    [
        ([{"CPU": 1.0}] * 4, [{"CPU": 4.0}]),
        ([{"CPU": 2.0}, {"CPU": 1.0}, {"CPU": 1.0}], [{"CPU": 2.0}, {"CPU": 2.0}]),
        ([{"CPU": 0.0}], [{}]),
        ([{"CPU": 1.0, "GPU": 0.25}] * 4, [{"CPU": 8.0, "GPU": 1.0}]),
    ],
)
def test_what_fits_passes(bundles: list[dict[str, float]], nodes: list[dict[str, float]]) -> None:
    check_fits(bundles, nodes, "workers")


@pytest.mark.parametrize(
    ("bundles", "nodes", "words"),
    [
        ([{"CPU": 1.0}] * 3, [{"CPU": 2.0}], "3 CPU in 3 bundles, and the cluster has 2 CPU: ask for fewer workers"),
        ([{"CPU": 3.0}], [{"CPU": 2.0}, {"CPU": 2.0}], "3 CPU in 1 bundles, and the cluster has 2 CPU; 2 CPU on its"),
        ([{"CPU": 1.0, "GPU": 0.5}], [{"CPU": 2.0}], "has 2 CPU, 0 GPU"),
        ([{"CPU": 1.0, "memory": 8 * GIB}], [{"CPU": 2.0, "memory": 4 * GIB}], "4.0 GiB memory"),
        ([{"CPU": 1.0}], [], "no node"),
    ],
)
def test_what_never_fits_is_refused_with_both_sides(
    bundles: list[dict[str, float]], nodes: list[dict[str, float]], words: str
) -> None:
    with pytest.raises(ValueError, match="the workers ask for") as caught:
        check_fits(bundles, nodes, "the workers")
    assert words in str(caught.value)
