"""The codec learner: its loss and its metric against their definitions, weights, snapshots and what it refuses."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from law_rl.compression.learner import CodecLearner, CodecLearnerConfig, pixels
from law_rl.compression.network.codec_network import CodecOutput
from law_rl.counters import torch_generator
from law_rl.files import load_tree, save_tree
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import ByIndex, KeepLowest, LinearTanh
from tests.law_rl.compression.patch_trainings import CONFIG, dataset, same_networks, train


def make(seed: int = 0, **changes: Any) -> CodecLearner:
    return replace(CONFIG, **changes).learner(dataset(), seed)


def costs(images: torch.Tensor, output: CodecOutput, weight: float) -> torch.Tensor:
    bits = (output.y_bits + output.z_bits).double() / (images.shape[2] * images.shape[3])
    return bits + weight * (output.reconstruction.double() - images.double()).square().mean(dim=(1, 2, 3))


def test_training_lowers_the_cost() -> None:
    learner = make(epochs=30)
    before = learner.evaluate("train")
    after = train(learner).evaluate("train")
    assert after["rd_db"] > before["rd_db"] + 0.3


def test_the_metric_is_the_cost_at_the_target_whatever_is_trained_on() -> None:
    learner = train(make(), Directive(losses={"distortion": 3.0}), until=1)
    measured, images = learner.evaluate("validation"), pixels(dataset().validation)
    with torch.no_grad():
        output = learner.network.eval()(images, None)
    mean = costs(images, output, 256.0).mean().item()
    assert measured["rd_db"] == pytest.approx(10 * math.log10(256.0 / mean), abs=1e-4)
    errors = (output.reconstruction - images).square().mean(dim=(1, 2, 3))
    assert measured["psnr"] == pytest.approx((-10 * errors.log10()).mean().item(), abs=1e-4)
    assert measured["bpp"] == pytest.approx(((output.y_bits + output.z_bits) / 4096).mean().item(), rel=1e-5)
    assert learner.metric == "rd_db"


def test_measuring_draws_nothing_and_moves_nothing() -> None:
    learner = train(make(), until=1)
    before = learner.snapshot()["network"]
    assert learner.evaluate("test") == learner.evaluate("test")
    assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())


@pytest.mark.parametrize("weight", [1.0, 0.0, 2.5])
def test_a_batch_is_trained_on_bits_and_weighted_distortion_and_seen_at_the_target(weight: float) -> None:
    learner, ids = make(), torch.tensor([3, 1, 8])
    learner._direct(Directive(losses={"distortion": weight}))
    objective, images = learner._objective_of(ids, 5), pixels(dataset().train[ids])
    output = learner.network(images, torch_generator(0, "quantisation noise", 5))
    assert torch.allclose(objective.losses.double(), costs(images, output, weight * 256.0), rtol=1e-5)
    batch = objective.batch
    assert torch.allclose(batch.losses.double(), costs(images, output, 256.0), rtol=1e-5)
    assert torch.allclose(batch.losses, batch.given("bits", "") + 256.0 * batch.given("distortion", ""))
    assert torch.equal(batch.given("gradient_energy", ""), learner._energy[ids])
    assert objective.losses.requires_grad and not batch.losses.requires_grad and objective.whole == ()


def test_the_directive_of_the_twin_is_the_training_of_its_own_weights() -> None:
    explicit = Directive(losses={"distortion": 1.0})
    assert same_networks(train(make()), train(make(), explicit))
    assert not same_networks(train(make()), train(make(), Directive(losses={"distortion": 1.1})))


def test_a_term_that_a_directive_does_not_name_has_its_own_weight_again() -> None:
    one, other = make(), make()
    for learner, first in ((one, Directive(losses={"distortion": 2.0})), (other, BASELINE)):
        learner._direct(first)
        learner._direct(BASELINE)
    assert same_networks(train(one), train(other))


@pytest.mark.parametrize("name", CodecLearnerConfig.known)
def test_every_feature_weights_patches(name: str) -> None:
    rule = LinearTanh(features=(name,), weights=(0.5,), bias=0.0, gain=1.0)
    learner = make(features=(name,))
    report = learner.train_stage(Directive(weighting=rule))
    assert not report.failure and report.view.ema_weight > 0
    assert not same_networks(learner, train(make(features=(name,)), until=1))


def test_a_patch_of_no_weight_leaves_no_trace() -> None:
    """Training on six of the patches is the same whatever the others show."""
    kept = tuple(float(i < 6) for i in range(11))
    other = dataset().train.clone()
    other[6:] = 255 - other[6:]
    for directive, same in ((Directive(weighting=ByIndex(weights=kept)), True), (BASELINE, False)):
        ours, theirs = (
            train(CodecLearner(CONFIG, replace(dataset(), train=patches), 0), directive, until=1).network.state_dict()
            for patches in (dataset().train, other)
        )
        assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours) == same


def test_the_lowest_costs_can_be_kept() -> None:
    learner = make(epochs=4)
    report = learner.train_stage(Directive(weighting=KeepLowest(share=0.5)))
    assert not report.failure
    assert learner._losses_of_all().shape == (11,)


def test_a_gradient_is_no_longer_than_the_clip() -> None:
    learner = make(clip=1e-3)
    learner.train_stage(BASELINE)
    norms = [parameter.grad.norm() for parameter in learner.network.parameters() if parameter.grad is not None]
    assert torch.stack(norms).norm().item() <= 1.001e-3


def test_seeds_draw_noise_batches_and_initialisation() -> None:
    assert same_networks(train(make(3)), train(make(3))) and not same_networks(train(make(3)), train(make(4)))


def test_global_generators_are_left_alone() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    train(make())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("through_a_file", [False, True])
def test_training_goes_on_from_a_snapshot_bit_for_bit(precision: str, through_a_file: bool, tmp_path: Path) -> None:
    whole, cut_off = (make(precision=precision) for _ in range(2))
    rule = LinearTanh(features=("bits",), weights=(0.3,), bias=0.0, gain=1.0)
    directive = Directive(weighting=rule, losses={"distortion": 1.5})
    train(whole, directive)
    snapshot = train(cut_off, directive, until=2).snapshot()
    if through_a_file:
        save_tree(tmp_path / "snapshot", snapshot)
        snapshot = load_tree(tmp_path / "snapshot")
    train(cut_off)  # later training does not change the snapshot
    resumed = make(precision=precision)
    resumed.restore(snapshot)
    assert resumed.stage == 2
    assert same_networks(train(resumed, directive), whole) and resumed.view() == whole.view()


def test_a_fork_goes_its_own_way_from_the_same_state() -> None:
    learner = train(make(), until=1)
    fork = learner.fork()
    assert same_networks(fork, learner) and fork.dataset.train is learner.dataset.train
    before = learner.snapshot()["network"]
    train(fork)
    assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())
    assert same_networks(train(learner), fork)


def test_a_training_that_diverges_says_so() -> None:
    learner = make()
    with torch.no_grad():
        next(learner.network.synthesis.parameters()).fill_(math.nan)
    assert learner.train_stage(BASELINE).failure == "the training loss is not finite"
    assert math.isnan(learner.evaluate("validation")["rd_db"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lambda_": 0.0}, "lambda_ is 0.0: give a finite number above 0"),
        ({"clip": math.inf}, "clip is inf: give a finite number above 0"),
        ({"features": ("entropy",)}, "features names entropy, which this codec does not know: choose from loss, "),
        ({"features": ("own_loss",)}, "features names own_loss, which this codec does not know"),
        ({"features": ("motion",)}, "features names motion, which this codec does not know"),
        ({"batch_size": 1}, "batch_size is 1: give at least 2"),
        ({"stages": 100}, "stages is 100, more than the 6 iterations: give fewer stages"),
    ],
)
def test_what_is_no_training_is_refused_in_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        (Directive(losses={"teacher_output": 1.0}), "the directive weights the loss 'teacher_output', which this"),
        (Directive(anchor=0.5), "the directive takes the teacher at 0.5, and this training has none"),
    ],
)
def test_a_directive_for_a_teacher_is_refused_without_one(directive: Directive, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make().train_stage(directive)
