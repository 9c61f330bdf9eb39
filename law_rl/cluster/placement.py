"""Placement: the bundles that workers ask of a cluster, and whether it can ever hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, get_current_placement_group, placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from law_rl.resources import Resources

Bundle = dict[str, float]


def bundle(resources: Resources) -> Bundle:
    """What one worker asks for, in Ray's words."""
    asked: Bundle = {"CPU": float(resources.cpus)}
    if resources.gpus:
        asked["GPU"] = resources.gpus
    if resources.memory_bytes:
        asked["memory"] = float(resources.memory_bytes)
    return asked


def with_gpu_share(resources: Resources, device: str, workers: int) -> Resources:
    """The resources with GPUs filled in where none are named: an equal share of all for trainings on CUDA, else none.

    ValueError for a training on CUDA where Ray sees no GPU.
    """
    if resources.gpus is not None or not device.startswith("cuda"):
        return resources
    gpus = float(ray.cluster_resources().get("GPU", 0.0))  # type: ignore[no-untyped-call]
    if gpus == 0:
        raise ValueError(f"the training's device is {device}, but Ray sees no GPU: set --task.training.device cpu")
    return replace(resources, gpus=gpus / workers if gpus < workers else 1.0)


def check_fits(bundles: Sequence[Bundle], nodes: Sequence[Mapping[str, float]], whose: str) -> None:
    """ValueError where nodes with these resources can never hold the bundles at once; `whose` names who asks.

    First fit, the largest bundles first.
    """
    free = [dict(node) for node in nodes]
    for asked in sorted(bundles, key=lambda asked: sorted(asked.items()), reverse=True):
        place = next((node for node in free if _holds(node, asked)), None)
        if place is None:
            raise ValueError(_refusal(bundles, nodes, whose))
        for name, amount in asked.items():
            place[name] = place.get(name, 0.0) - amount


def _holds(node: Mapping[str, float], asked: Bundle) -> bool:
    return all(node.get(name, 0.0) + 1e-6 >= amount for name, amount in asked.items())


def _refusal(bundles: Sequence[Bundle], nodes: Sequence[Mapping[str, float]], whose: str) -> str:
    names = sorted({name for asked in bundles for name, amount in asked.items() if amount})
    wanted = _amounts({name: sum(asked.get(name, 0.0) for asked in bundles) for name in names})
    there = "; ".join(_amounts({name: node.get(name, 0.0) for name in names}) for node in nodes)
    return (
        f"{whose} ask for {wanted} in {len(bundles)} bundles, and the cluster has {there or 'no node'}"
        f"{' on its nodes' if len(nodes) > 1 else ''}: ask for fewer workers, or for less with --cpus, --gpus and "
        "--memory, or add --elastic where the cluster adds nodes by itself"
    )


def _amounts(amounts: Mapping[str, float]) -> str:
    words = {name: f"{amount / 2**30:.1f} GiB memory" for name, amount in amounts.items() if name == "memory"}
    return ", ".join(words.get(name, f"{amount:g} {name}") for name, amount in amounts.items())


def cluster_nodes() -> list[dict[str, float]]:
    """The resources of every node that is alive, whatever runs there now."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


class Placement:
    """Places for `count` workers: the last bundles of the placement group that this process is in, else a group of its
    own.
    """

    def __init__(self, resources: Resources, count: int) -> None:
        current = get_current_placement_group()
        self._first, self._own = 0, current is None
        if current is not None:
            self._group: PlacementGroup = current
            self._first = current.bundle_count - count  # none before ours where the caller's process asks for nothing
            return
        bundles = [bundle(resources)] * count
        if not resources.elastic:
            check_fits(bundles, cluster_nodes(), f"{count} workers")
        self._group = placement_group(bundles, strategy=resources.placement.upper())

    def options(self, worker: int) -> dict[str, Any]:
        """The scheduling options of a worker's actor."""
        strategy = PlacementGroupSchedulingStrategy(
            placement_group=self._group,
            placement_group_bundle_index=self._first + worker,
            placement_group_capture_child_tasks=True,
        )
        return {"scheduling_strategy": strategy}

    def close(self) -> None:
        """Gives the places back where they were asked for here."""
        if self._own:
            ray.util.remove_placement_group(self._group)
