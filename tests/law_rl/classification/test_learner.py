import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

import law_rl.classification.learner
from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import CounterDropout, NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig, learning_rate
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import Dataset, Split, normalise
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import ByIndex, Focal, KeepLowest, LinearTanh, gradient_weights

CLASSES, SAMPLES, SEED = 3, 26, 5
MEMORY = ("loss", "own_loss", "own_agreement")


def split(purpose: str, size: int, side: int, channels: int, wrong: int = 0) -> Split:
    """Random images whose first pixel is the sample's number, and labels of which the first `wrong` are wrong."""
    generator = torch_generator(0, purpose)
    images = torch.randint(0, 256, (size, channels, side, side), generator=generator, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(size)
    true_targets = torch.randint(0, CLASSES, (size,), generator=generator)
    targets = true_targets.clone()
    targets[:wrong] = (targets[:wrong] + 1) % CLASSES
    return Split(images=images, targets=targets, true_targets=true_targets if wrong else None)


def dataset(size: int = SAMPLES, side: int = 3, channels: int = 1, wrong: int = 0) -> Dataset:
    return Dataset(
        name="tiny",
        class_names=tuple("abc"),
        mean=(127.0,) * channels,
        std=(74.0,) * channels,
        train=split("test train", size, side, channels, wrong),
        validation=split("test validation", 12, side, channels),
        test=split("test test", 11, side, channels),
    )


PLAIN = ClassificationConfig(
    network=NetworkConfig(width=8, depth=1),
    batch_size=8,
    epochs=6,
    stages=5,
    features=MEMORY,
    optimiser=OptimiserConfig(milestones=(0.5, 0.8)),
)
ADAM = OptimiserConfig(name="adam", lr=1e-2, schedule="cosine")
AUGMENTED = AugmentConfig(flip=True, crop=1)
CONFIGS: dict[str, tuple[ClassificationConfig, Dataset]] = {
    "mlp": (PLAIN, dataset()),
    "mlp with dropout": (replace(PLAIN, network=NetworkConfig(width=8, depth=2, dropout=0.3)), dataset()),
    "cnn with Adam, augmented": (
        replace(PLAIN, network=NetworkConfig(name="cnn", width=4), optimiser=ADAM, augment=AUGMENTED, epochs=3),
        dataset(side=6, channels=3),
    ),
    "resnet20": (
        replace(PLAIN, network=NetworkConfig(name="resnet20"), epochs=2, stages=3),
        dataset(size=16, side=4, channels=3),
    ),
}
NAMES = list(CONFIGS)


def make(name: str = "mlp", seed: int = SEED, **changes: Any) -> ClassificationLearner:
    config, data = CONFIGS[name]
    return ClassificationLearner(replace(config, **changes), data, seed)


def directive(stage: int) -> Directive:
    """Another rule each stage."""
    features = LinearTanh(features=("own_loss", "loss"), weights=(-0.3, 0.2), bias=0.1, gain=1.0)
    rules = (features, Focal(gamma=1.0), KeepLowest(share=0.6), features)
    return Directive(weighting=rules[stage % len(rules)])


def train(learner: ClassificationLearner, until: int | None = None) -> ClassificationLearner:
    while learner.stage < (learner.stages if until is None else until):
        learner.train_stage(directive(learner.stage))
    return learner


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in (key, *leaves(tree[key]))]
    if isinstance(tree, list | tuple):
        return [leaf for entry in tree for leaf in leaves(entry)]
    return [tree]


def same_bits(one: ClassificationLearner, other: ClassificationLearner) -> bool:
    """Whether two learners are in the same state: network, buffers, optimiser, memory and statistics."""
    pairs = zip(leaves(one.snapshot()), leaves(other.snapshot()), strict=True)
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


# Reproducibility


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    one, again, other = train(make(name)), train(make(name)), train(make(name, seed=SEED + 1))
    assert same_bits(one, again) and not same_bits(one, other)
    assert one.evaluate("test") == again.evaluate("test")


@pytest.mark.parametrize("name", NAMES)
def test_a_learner_restored_in_the_middle_ends_as_one_that_was_not_interrupted(name: str) -> None:
    whole = train(make(name))
    for pause in (1, 2):
        first, second = train(make(name), until=pause), train(make(name, seed=SEED), until=1)
        second.restore(first.snapshot())
        assert same_bits(first, second)
        assert same_bits(train(second), whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_fork_goes_on_as_its_parent_and_does_not_disturb_it(name: str) -> None:
    whole, parent = train(make(name)), train(make(name), until=1)
    fork, stray = parent.fork(), parent.fork()
    assert same_bits(fork, parent) and fork.stage == parent.stage == 1
    stray.train_stage(Directive(weighting=Focal(gamma=5.0)))
    stray.evaluate("validation")
    assert same_bits(fork, parent) and not same_bits(stray, parent)
    assert same_bits(train(parent), whole) and same_bits(train(fork), whole)
    assert fork.dataset.train.images is parent.dataset.train.images


PLAIN_CNN = {"augment": AugmentConfig(), "precision": "bf16", "channels_last": True}


@pytest.mark.parametrize(("name", "changes"), [*((name, {}) for name in NAMES), (NAMES[2], PLAIN_CNN)])
def test_inputs_kept_and_inputs_normalised_anew_give_the_same_bits(
    name: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = make(name, **changes)
    assert (kept._inputs is None) == (kept.config.augment == AUGMENTED)
    monkeypatch.setattr(law_rl.classification.learner, "INPUTS_LIMIT", 0)
    anew = make(name, **changes)
    assert anew._inputs is None and anew.fork()._inputs is None
    assert same_bits(train(kept), train(anew))


@pytest.mark.parametrize("augment", [AugmentConfig(flip=True), AugmentConfig(crop=1), AugmentConfig(mask=0.5)])
def test_inputs_that_change_are_not_kept(augment: AugmentConfig) -> None:
    assert make(augment=augment)._inputs is None


def test_inputs_are_kept_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 4 * SAMPLES * 3 * 3
    for limit, keeps in ((size, True), (size - 1, False)):
        monkeypatch.setattr(law_rl.classification.learner, "INPUTS_LIMIT", limit)
        assert (make()._inputs is not None) == keeps


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_is_a_copy_that_can_be_used_again(name: str) -> None:
    learner = train(make(name), until=1)
    snapshot = learner.snapshot()
    train(learner)
    for _ in range(2):
        other = make(name)
        other.restore(snapshot)
        assert other.stage == 1
        assert same_bits(train(other), learner)


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_changes_nothing(name: str) -> None:
    watched, plain = make(name), make(name)
    while watched.stage < watched.stages:
        for each in (watched, plain):
            each.train_stage(directive(each.stage))
        assert watched.evaluate("validation") == watched.evaluate("validation")
    assert same_bits(watched, plain)


@pytest.mark.parametrize("name", NAMES)
def test_global_generators_are_neither_read_nor_advanced(name: str) -> None:
    learners = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
        learners.append(train(make(name), until=2).fork())
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]
        assert random.getstate() == before[2]
    assert same_bits(*learners)


def inputs_of(learner: ClassificationLearner) -> list[torch.Tensor]:
    """The images of each training step, noted while it trains."""
    seen: list[torch.Tensor] = []

    def note(network: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if network.training:
            seen.append(inputs[0].clone())

    learner.network.body.register_forward_pre_hook(note)
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_sees_the_same_batches_as_its_learner(name: str) -> None:
    learner, twin = make(name), make(name)
    seen = [inputs_of(each) for each in (learner, twin)]
    train(learner)
    while twin.stage < twin.stages:
        twin.train_stage(BASELINE)
    assert len(seen[0]) == len(seen[1]) > 0
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))
    assert not same_bits(learner, twin)


def test_augmentation_and_dropout_are_drawn_anew_each_iteration() -> None:
    network = NetworkConfig(width=8, depth=1, dropout=0.5)
    config = replace(PLAIN, network=network, augment=AugmentConfig(crop=2), batch_size=8, epochs=4, stages=1)
    one_batch = dataset(8)
    same = one_batch.train.images[:1].expand(8, -1, -1, -1).contiguous()
    data = replace(one_batch, train=replace(one_batch.train, images=same))
    learner = ClassificationLearner(config, data, SEED)
    seen, masks = inputs_of(learner), []
    dropout = next(module for module in learner.network.modules() if isinstance(module, CounterDropout))
    dropout.register_forward_hook(lambda module, inputs, output: masks.append((output == 0).flatten().tolist()))
    learner.train_stage(BASELINE)
    views = [tuple(sorted(map(tuple, images.flatten(1).tolist()))) for images in seen]
    assert len(set(views)) == len({tuple(mask) for mask in masks}) == 4


@settings(max_examples=25, deadline=None)
@given(
    epochs=st.integers(1, 4),
    stages=st.integers(1, 9),
    batch_size=st.integers(2, 15),
    size=st.integers(18, 26),
)
def test_stages_cover_every_batch_of_every_epoch_exactly_once(
    epochs: int, stages: int, batch_size: int, size: int
) -> None:
    config = replace(PLAIN, epochs=epochs, stages=stages, batch_size=batch_size, features=("loss",))
    per_epoch = size // batch_size + (size % batch_size > 1)
    if stages > per_epoch * epochs:
        with pytest.raises(ValueError, match=f"stages is {stages}, more than the {per_epoch * epochs} iterations"):
            ClassificationLearner(config, dataset(size), SEED)
        return
    learner = ClassificationLearner(config, dataset(size), SEED)
    seen, done = inputs_of(learner), 0
    for stage in range(stages):
        report = learner.train_stage(BASELINE)
        done += report.iterations
        assert len(seen) == done == round((stage + 1) * per_epoch * epochs / stages)
        assert report.epoch == pytest.approx((done - 1) / per_epoch) and report.epochs == epochs
        assert report.view == learner.view() and report.view.stage == stage + 1
    ids = [(images[:, 0, 0, 0] * 74 + 127).round().long().tolist() for images in seen]
    for epoch in range(epochs):
        of_epoch = [i for batch in ids[epoch * per_epoch : (epoch + 1) * per_epoch] for i in batch]
        assert len(of_epoch) == len(set(of_epoch)) == size - (size % batch_size == 1)


# What training does

Weigh = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def by_hand(learner: ClassificationLearner, weigh: Weigh, *, relative: bool = True) -> list[torch.Tensor]:
    """Trains an MLP of PLAIN with plain PyTorch; `weigh(ids, losses, losses of the whole set at the epoch's start)`."""
    config, train_set = learner.config, learner.dataset.train
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(9, 8), torch.nn.ReLU(), torch.nn.Linear(8, CLASSES)
    )
    for own, value in zip(network.parameters(), learner.network.parameters(), strict=True):
        own.data.copy_(value.detach())
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    inputs = normalise(train_set.images, learner.dataset.mean, learner.dataset.std)
    per_epoch = math.ceil(SAMPLES / config.batch_size)
    for epoch in range(config.epochs):
        with torch.no_grad():
            whole = functional.cross_entropy(network(inputs), train_set.targets, reduction="none")
        for place, ids in enumerate(epoch_batches(epoch_order(SAMPLES, SEED, epoch), config.batch_size)):
            progress = (epoch * per_epoch + place) / (config.epochs * per_epoch)
            optimiser.param_groups[0]["lr"] = learning_rate(config.optimiser, progress)
            losses = functional.cross_entropy(network(inputs[ids]), train_set.targets[ids], reduction="none")
            weights = weigh(ids, losses.detach(), whole)
            optimiser.zero_grad()
            total = weights.sum().clamp_min(1e-8) if relative else len(ids)
            ((weights * losses).sum() / total).backward()
            optimiser.step()
    return [parameter.detach() for parameter in network.parameters()]


def keep_lowest(ids: torch.Tensor, losses: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    kept = set(sorted(range(SAMPLES), key=lambda i: float(whole[i]))[: round(0.6 * SAMPLES)])
    return torch.tensor([float(i in kept) for i in ids.tolist()])


def linear_tanh(ids: torch.Tensor, losses: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    z = (losses - losses.mean()) / (losses.std(correction=0) + 1e-5)
    return 1 + torch.tanh(2.0 * (-0.5 * z + 0.25))


INDEXED = tuple(float(i % 4) / 2 for i in range(SAMPLES))
RULES: dict[str, tuple[Directive, Weigh]] = {
    "uniform": (BASELINE, lambda ids, losses, whole: torch.ones(len(ids))),
    "keep_lowest": (Directive(weighting=KeepLowest(share=0.6)), keep_lowest),
    "linear_tanh": (
        Directive(weighting=LinearTanh(features=("loss",), weights=(-0.5,), bias=0.25, gain=2.0)),
        linear_tanh,
    ),
    "focal": (Directive(weighting=Focal()), lambda ids, losses, whole: (1 - torch.exp(-losses)) ** 2),
    "by_index": (Directive(weighting=ByIndex(weights=INDEXED)), lambda ids, losses, whole: torch.tensor(INDEXED)[ids]),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("stages", [1, 3])
def test_training_is_a_plain_loop_over_the_weighted_loss(name: str, stages: int) -> None:
    """With stages of whole epochs; `keep_lowest` ranks the whole set at the start of each epoch."""
    rule, weigh = RULES[name]
    learner = make(stages=stages)
    expected = by_hand(learner, weigh, relative=name != "focal")
    while learner.stage < learner.stages:
        learner.train_stage(rule)
    for own, other in zip(learner.network.parameters(), expected, strict=True):
        torch.testing.assert_close(own.detach(), other, rtol=1e-4, atol=1e-5)


def test_gradient_weights_are_the_gradient_of_the_weighted_loss() -> None:
    generator = torch_generator(0, "test losses")
    losses = torch.rand(9, generator=generator, dtype=torch.float64).requires_grad_()
    weights = torch.rand(9, generator=generator, dtype=torch.float64) * 2
    ((weights * losses).sum() / weights.sum()).backward()
    assert losses.grad is not None
    torch.testing.assert_close(gradient_weights(losses.detach(), weights), losses.grad, rtol=1e-14, atol=0)
    losses.grad = None
    ((weights * losses).sum() / 9).backward()
    absolute = gradient_weights(losses.detach(), weights, relative=False)
    torch.testing.assert_close(absolute, losses.grad, rtol=1e-14, atol=0)
    uniform = gradient_weights(losses.detach(), None)
    assert uniform.tolist() == pytest.approx([1 / 9] * 9, rel=1e-15)


def test_a_batch_of_no_weight_has_no_gradient() -> None:
    assert gradient_weights(torch.ones(4), torch.zeros(4)).tolist() == [0.0] * 4
    learner = make()
    report = learner.train_stage(Directive(weighting=ByIndex(weights=(0.0,) * SAMPLES)))
    assert not report.failure
    assert all(bool(parameter.isfinite().all()) for parameter in learner.network.parameters())


def test_mean_weights_of_clean_and_mislabelled_samples() -> None:
    learner = ClassificationLearner(replace(PLAIN, epochs=4, stages=4), dataset(wrong=7), SEED)
    assert learner.mislabelled is not None
    weights = tuple(float(i) for i in range(SAMPLES))
    report = learner.train_stage(Directive(weighting=ByIndex(weights=weights)))
    assert report.weights.mislabelled == pytest.approx(sum(range(7)) / 7)
    assert report.weights.clean == pytest.approx(sum(range(7, SAMPLES)) / (SAMPLES - 7))
    oracle = tuple((~learner.mislabelled).float().tolist())
    report = learner.train_stage(Directive(weighting=ByIndex(weights=oracle)))
    assert (report.weights.clean, report.weights.mislabelled) == (1.0, 0.0)
    report = learner.train_stage(BASELINE)
    assert math.isnan(report.weights.clean) and math.isnan(report.weights.mislabelled)


def test_mean_weights_are_unknown_where_labels_are_not_known_to_be_wrong() -> None:
    learner = make()
    assert learner.mislabelled is None
    report = learner.train_stage(Directive(weighting=ByIndex(weights=INDEXED)))
    assert math.isnan(report.weights.clean) and math.isnan(report.weights.mislabelled)


def test_the_oracle_ignores_what_the_mislabelled_samples_look_like() -> None:
    data = dataset(wrong=7)
    images = data.train.images.clone()
    images[:7] = 255 - images[:7]
    other = replace(data, train=replace(data.train, images=images))
    oracle = Directive(weighting=ByIndex(weights=(0.0,) * 7 + (1.0,) * (SAMPLES - 7)))
    learners = [ClassificationLearner(PLAIN, each, SEED) for each in (data, other)]
    for learner in learners:
        while learner.stage < learner.stages:
            learner.train_stage(oracle)
    for one, two in zip(learners[0].network.parameters(), learners[1].network.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_a_view_is_what_a_follower_could_know() -> None:
    learner = make()
    view = learner.view()
    assert (view.stage, view.stages, view.lr, view.lr0, view.ema_loss, view.ema_weight) == (0, 5, 0.1, 0.1, 2.3, 0.0)
    learner.train_stage(BASELINE)
    assert learner.view().ema_weight == 0.0 and learner.view().ema_loss != 2.3
    train(learner)
    view = learner.view()
    assert view.stage == 5 and view.lr == pytest.approx(0.1 * 0.1**2) and view.ema_weight > 0
    assert math.isnan(view.validation) and math.isnan(view.advantage)


def test_evaluation_is_accuracy_in_percent_and_mean_loss() -> None:
    learner = train(make(), until=2)
    learner.network.eval()
    for name in ("train", "validation", "test"):
        part = getattr(learner.dataset, name)
        logits = learner.network(normalise(part.images, learner.dataset.mean, learner.dataset.std))
        right = sum(int(row.argmax()) == int(label) for row, label in zip(logits, part.targets, strict=True))
        got = learner.evaluate(name)
        assert got["accuracy"] == pytest.approx(100 * right / len(part))
        assert got["loss"] == pytest.approx(functional.cross_entropy(logits, part.targets).item(), rel=1e-5)
    assert learner.metric in got


def test_bf16_and_channels_last_train_on_the_cpu() -> None:
    settings: dict[str, Any] = {"precision": "bf16", "channels_last": True}
    name = "cnn with Adam, augmented"
    one, again, plain = train(make(name, **settings)), train(make(name, **settings)), train(make(name))
    assert same_bits(one, again) and not same_bits(one, plain)
    assert all(parameter.dtype == torch.float32 for parameter in one.network.parameters())
    assert one.evaluate("validation")["loss"] == pytest.approx(plain.evaluate("validation")["loss"], abs=0.3)


@pytest.mark.parametrize("name", ["mlp", "cnn with Adam, augmented"])
def test_a_loss_that_is_not_finite_is_reported_as_a_failure(name: str) -> None:
    config, data = CONFIGS[name]
    if name == "mlp":
        optimiser = OptimiserConfig(lr=1e6)
        learner = ClassificationLearner(replace(config, optimiser=optimiser, epochs=40), data, SEED)
    else:
        learner = ClassificationLearner(config, data, SEED)
        with torch.no_grad():
            next(learner.network.parameters()).fill_(math.nan)
    reports = [learner.train_stage(BASELINE) for _ in range(learner.stages)]
    assert reports[-1].failure == "the training loss is not finite"
    assert math.isfinite(learner.evaluate("validation")["accuracy"])


def test_a_training_that_goes_well_reports_no_failure() -> None:
    learner = make()
    assert [learner.train_stage(directive(k)).failure for k in range(5)] == [""] * 5


def test_a_finished_training_is_not_trained_further() -> None:
    learner = train(make())
    with pytest.raises(ValueError, match="all 5 stages are trained: make a new learner, or restore a snapshot"):
        learner.train_stage(BASELINE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 1}, "batch_size is 1: give at least 2"),
        ({"stages": 0}, "stages is 0: give at least 1"),
        ({"epochs": 0}, "epochs is 0: give at least 1"),
        ({"features": ("colour",)}, "features names 'colour'"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PLAIN, **settings)
