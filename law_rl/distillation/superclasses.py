"""Superclasses for the SUR sampler of CCKD (1904.01802): clusters of a teacher's features of the training samples."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

from law_rl.counters import counter_seed
from law_rl.data.node_cache import Content, cache_key, load_once


def superclasses(
    features: Callable[[], torch.Tensor], *, teacher: str, data: str, clusters: int, seed: int, folder: Path
) -> torch.Tensor:
    """The cluster of every training sample, int64 [N], as `cluster` finds it.

    Kept in `folder` as a safetensors file, under a hash of `teacher` and `data` (content hashes that say which features
    these are), `clusters` and `seed`; `features` is called only where there is no whole file of that hash.
    """

    def build() -> Content:
        return Content(tensors={"superclasses": cluster(features(), clusters, seed)}, texts={})

    key = cache_key(("superclasses", teacher, data, clusters, seed), ())
    return load_once(folder, key, build).tensors["superclasses"]


def cluster(features: torch.Tensor, clusters: int, seed: int) -> torch.Tensor:
    """K-means of the L2-normalised features [N, D] by scikit-learn, on one thread so that equal features, seed and
    versions give equal clusters: int64 [N] in [0, clusters), none of them empty.

    Raises ValueError for features that are not finite, and where there are fewer different samples than clusters.
    """
    from sklearn.cluster import KMeans  # half a second to import
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if features.dim() != 2 or not features.is_floating_point():
        raise ValueError(f"features must be floating [N, D], not {features.dtype} {tuple(features.shape)}.")
    if not 2 <= clusters <= len(features):
        raise ValueError(f"clusters is {clusters}: give at least 2 and at most the {len(features)} samples.")
    if not features.isfinite().all():
        raise ValueError("features hold values that are not finite: check the teacher's weights and its inputs.")
    rows = functional.normalize(features.detach().cpu().float(), dim=1).numpy()
    state = counter_seed(seed, "superclasses") % 2**32
    with threadpool_limits(limits=1):
        labels = KMeans(clusters, n_init=1, random_state=state).fit(rows).labels_
    found = len(set(labels.tolist()))
    if found < clusters:
        raise ValueError(f"clusters is {clusters}, but the features take only {found} directions: give fewer clusters.")
    return torch.from_numpy(labels).long()
