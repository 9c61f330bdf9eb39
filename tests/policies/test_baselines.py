import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import NetworkConfig
from law_rl.data.dataset import Dataset, Split
from law_rl.learner import Directive
from law_rl.weighting import ByIndex, Focal, KeepLowest, LinearTanh, SelfPaced
from policies.baselines import (
    STANDARD,
    FocalLoss,
    HardMining,
    LinearRamp,
    Oracle,
    RandomWeights,
    SelfPacedPace,
    SmallLoss,
    UniformWeights,
)

STAGES = 5


def make_learner(true_targets: torch.Tensor | None, stages: int = STAGES) -> ClassificationLearner:
    images = (torch.arange(20 * 4) * 3 % 256).to(torch.uint8).view(20, 1, 2, 2)
    targets = torch.arange(20) % 2
    split = Split(images=images, targets=targets, true_targets=true_targets)
    clean = Split(images=images, targets=targets)
    dataset = Dataset(
        name="tiny", class_names=("a", "b"), mean=(120.0,), std=(70.0,), train=split, validation=clean, test=clean
    )
    config = ClassificationConfig(
        network=NetworkConfig(width=4, depth=1), epochs=5, stages=stages, batch_size=10, features=("loss",)
    )
    return ClassificationLearner(config, dataset, seed=0)


@pytest.fixture
def learner() -> ClassificationLearner:
    true_targets = torch.arange(20) % 2
    true_targets[:5] = 1 - true_targets[:5]
    return make_learner(true_targets)


def directives(
    curriculum: Callable[[ClassificationLearner], Directive], learner: ClassificationLearner
) -> list[Directive]:
    """The directive of each stage, trained under itself."""
    given = []
    while learner.stage < learner.stages:
        given.append(curriculum(learner))
        assert not learner.train_stage(given[-1]).failure
    return given


def by_loss(weight: float, bias: float = 0.0) -> Directive:
    return Directive(weighting=LinearTanh(features=("loss",), weights=(weight,), bias=bias, gain=4.0))


def test_uniform_is_the_baseline_directive(learner: ClassificationLearner) -> None:
    assert directives(UniformWeights().directive, learner) == [Directive()] * STAGES


def test_the_oracle_leaves_out_exactly_the_mislabelled(learner: ClassificationLearner) -> None:
    weights = (0.0,) * 5 + (1.0,) * 15
    assert directives(Oracle().directive, learner) == [Directive(weighting=ByIndex(weights=weights))] * STAGES


def test_small_loss_keeps_the_true_share_of_clean_labels(learner: ClassificationLearner) -> None:
    assert directives(SmallLoss().directive, learner) == [Directive(weighting=KeepLowest(share=0.75))] * STAGES


def test_the_self_paced_threshold_rises_geometrically(learner: ClassificationLearner) -> None:
    rules = [directive.weighting for directive in directives(SelfPacedPace().directive, learner)]
    thresholds = [rule.threshold for rule in rules if isinstance(rule, SelfPaced)]
    assert thresholds[0] == pytest.approx(math.log(2)) and thresholds[-1] == pytest.approx(8.0)
    ratios = [later / earlier for earlier, later in pairwise(thresholds)]
    assert ratios == pytest.approx([(8 / math.log(2)) ** (1 / (STAGES - 1))] * (STAGES - 1))


def test_focal_and_hard_mining_stay_the_same(learner: ClassificationLearner) -> None:
    assert FocalLoss().directive(learner) == Directive(weighting=Focal(gamma=2.0))
    assert directives(HardMining().directive, learner) == [by_loss(1.0)] * STAGES


def test_the_ramp_goes_from_uniform_to_suppression_of_high_losses(learner: ClassificationLearner) -> None:
    assert directives(LinearRamp().directive, learner) == [by_loss(-k / (STAGES - 1)) for k in range(STAGES)]


def test_random_weights_are_a_function_of_seed_and_stage() -> None:
    def weights(seed: int) -> list[Directive]:
        return directives(RandomWeights(seed=seed).directive, make_learner(None))

    first = weights(0)
    assert first == weights(0) != weights(1)
    assert len({directive.weighting for directive in first}) == STAGES
    for directive in first:
        rule = directive.weighting
        assert isinstance(rule, LinearTanh) and rule.features == ("loss",)
        assert -1 <= rule.weights[0] <= 1 and -1 <= rule.bias <= 1


@pytest.mark.parametrize("curriculum", STANDARD, ids=lambda curriculum: curriculum.name)
def test_a_training_of_one_stage_can_follow_every_baseline(curriculum: object) -> None:
    assert len(directives(curriculum.directive, make_learner(torch.arange(20) // 2 % 2, stages=1))) == 1  # type: ignore[attr-defined]


def test_those_that_need_true_labels_say_so() -> None:
    unknown = make_learner(None)
    for curriculum in STANDARD:
        if curriculum.needs_mislabelled:
            with pytest.raises(ValueError, match=r"which labels are wrong is not known .* leave out the baselines"):
                curriculum.directive(unknown)
        else:
            curriculum.directive(unknown)


def test_the_standard_baselines_have_different_names_with_uniform_among_them() -> None:
    names = [curriculum.name for curriculum in STANDARD]
    assert "uniform" in names and len(set(names)) == len(names)
