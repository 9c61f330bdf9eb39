"""The gallery estimator: the statistics over the candidates that it was given, kept as tensors."""

import math

import pytest
import torch
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.ida.estimators import Estimator, GalleryEstimator
from law_rl.face.ida.support import SupportConfig, support_statistics

CONFIG = SupportConfig(count=7)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "estimators test"))


def test_a_gallery_gives_the_statistics_over_its_candidates() -> None:
    faces, candidates = drawn(5, 6), drawn(40, 6, seed=1)
    estimator: Estimator = GalleryEstimator(candidates * 9, CONFIG)
    expected = support_statistics(faces, candidates, CONFIG).tensors()
    for name, tensor in estimator.statistics(faces).tensors().items():
        torch.testing.assert_close(tensor, expected[name])


def test_it_is_made_again_from_its_tensors() -> None:
    estimator = GalleryEstimator(drawn(40, 6), CONFIG)
    again = GalleryEstimator.from_tensors(estimator.tensors(), CONFIG)
    for name, tensor in again.statistics(drawn(5, 6, seed=1)).tensors().items():
        torch.testing.assert_close(tensor, estimator.statistics(drawn(5, 6, seed=1)).tensors()[name])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 6 candidates and a support set needs 7"):
        GalleryEstimator(drawn(6, 4), CONFIG)
    with pytest.raises(ValueError, match="candidates hold NaN"):
        GalleryEstimator(drawn(8, 4) * math.nan, CONFIG)
    with pytest.raises(ValueError, match=r"a gallery is the tensor candidates alone, and here are \['weights'\]"):
        GalleryEstimator.from_tensors({"weights": drawn(9, 4)}, CONFIG)
    with pytest.raises(ValueError, match="embeddings have 5 dimensions and candidates 4"):
        GalleryEstimator(drawn(9, 4), CONFIG).statistics(drawn(2, 5))
