from pathlib import Path

import pytest
import torch

from law_rl.distillation.superclasses import cluster, superclasses


def blobs(count: int = 60, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features [N, 3] along three directions, of lengths from 0.1 to 100, and which direction each has."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.arange(count) % 3
    lengths = 10 ** (torch.rand(count, 1, generator=generator) * 3 - 1)
    return (torch.eye(3)[direction] + 0.05 * torch.randn(count, 3, generator=generator)) * lengths, direction


def same_partition(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.equal(first[:, None] == first[None], second[:, None] == second[None])


def test_clusters_are_of_directions_not_of_lengths() -> None:
    features, direction = blobs()
    found = cluster(features, 3, seed=0)
    assert found.dtype == torch.int64 and set(found.tolist()) == {0, 1, 2}
    assert same_partition(found, direction)


def test_clusters_are_a_function_of_the_seed() -> None:
    noise = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    first = cluster(noise, 10, seed=0)
    assert torch.equal(first, cluster(noise.double(), 10, seed=0))
    assert not same_partition(first, cluster(noise, 10, seed=1))


def test_one_cluster_a_sample_where_asked() -> None:
    assert sorted(cluster(torch.eye(5), 5, seed=0).tolist()) == [0, 1, 2, 3, 4]


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> torch.Tensor:
        self.calls += 1
        return blobs()[0]


def test_features_are_computed_once_for_a_teacher_data_clusters_and_seed(tmp_path: Path) -> None:
    features = Counted()
    key = {"teacher": "t", "data": "d", "clusters": 3, "seed": 0, "folder": tmp_path}
    first = superclasses(features, **key)  # type: ignore[arg-type]
    again = superclasses(features, **key)  # type: ignore[arg-type]
    assert features.calls == 1
    assert torch.equal(first, again) and torch.equal(first, cluster(blobs()[0], 3, seed=0))
    changes: list[dict[str, object]] = [{"teacher": "u"}, {"data": "e"}, {"clusters": 4}, {"seed": 1}]
    for calls, change in enumerate(changes, start=2):
        superclasses(features, **{**key, **change})  # type: ignore[arg-type]
        assert features.calls == calls


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    features = Counted()
    key = {"teacher": "t", "data": "d", "clusters": 3, "seed": 0, "folder": tmp_path}
    first = superclasses(features, **key).clone()  # type: ignore[arg-type]
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-5])
    assert torch.equal(first, superclasses(features, **key))  # type: ignore[arg-type]
    assert features.calls == 2


@pytest.mark.parametrize(
    ("features", "clusters", "message"),
    [
        (torch.eye(4), 5, "at most the 4 samples"),
        (torch.eye(4), 1, "give at least 2"),
        (torch.full((4, 2), float("nan")), 2, "not finite"),
        (torch.ones(4), 2, r"floating \[N, D\]"),
        (torch.eye(4).long(), 2, r"floating \[N, D\]"),
    ],
)
def test_what_cannot_be_clustered_is_refused(features: torch.Tensor, clusters: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cluster(features, clusters, seed=0)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_fewer_directions_than_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="only 2 directions: give fewer clusters"):
        cluster(torch.eye(2).repeat(5, 1) * torch.arange(1.0, 11)[:, None], 3, seed=0)
