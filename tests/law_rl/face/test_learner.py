"""The face learner: its loss by hand, every head in the Learner contract, sampled classes, and what it measures."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig, learning_rate
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import normalise
from law_rl.distillation.teacher import TeacherConfig, train_route
from law_rl.face import learner as learner_module
from law_rl.face.evaluation.folds import fold_accuracy
from law_rl.face.evaluation.pairs import listed_scores
from law_rl.face.evaluation.verification import verification_metrics
from law_rl.face.heads import HeadConfig, HeadName
from law_rl.face.heads.sampled_classes import sample_classes
from law_rl.face.learner import FaceConfig, FaceLearner, FaceLossTerms
from law_rl.files import load_tree, save_tree
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import Focal, KeepLowest, LinearTanh
from tests.law_rl.face.students import CLASSES, PLAIN, SEED, equal, faces, same_bits, train

ALONE = replace(PLAIN, features=("centre_cosine", "margin"), losses=FaceLossTerms())
HEADS: tuple[HeadName, ...] = ("softmax", "arcface", "cosface", "curricularface", "adaface")
SETTINGS: dict[str, dict[str, Any]] = {
    **{name: {"head": HeadConfig(name=name)} for name in HEADS},
    "straight through": {"head": HeadConfig(gradient="straight_through")},
    "sampled": {"head": HeadConfig(name="adaface", sample=0.6), "features": ("loss", "own_loss"), "batch_size": 6},
    "bf16, augmented": {
        "precision": "bf16",
        "channels_last": True,
        "augment": AugmentConfig(flip=True, mask=0.5),
        "optimiser": OptimiserConfig(name="adam", lr=1e-2),
    },
}


def make(seed: int = SEED, **changes: Any) -> FaceLearner:
    return FaceLearner(replace(ALONE, **changes), faces(), seed)


def changing(learner: FaceLearner) -> Callable[[int], Directive]:
    """Another rule each stage."""
    names = learner.feature_names
    rule = LinearTanh(features=names, weights=(0.4,) * len(names), bias=0.1, gain=1.0)
    return lambda stage: Directive(weighting=(rule, Focal(gamma=1.0), KeepLowest(share=0.7))[stage % 3])


def trained(learner: FaceLearner, until: int | None = None) -> FaceLearner:
    return train(learner, changing(learner), until)


# The loss


def margin_cosine(cosine: float, margin: float = 0.5) -> float:
    """cos(theta + m), and beyond pi - m the line that falls on."""
    theta = math.acos(max(-1.0, min(1.0, cosine)))
    return math.cos(theta + margin) if theta < math.pi - margin else cosine - margin * math.sin(margin)


def by_hand(learner: FaceLearner, ids: torch.Tensor) -> tuple[list[float], np.ndarray]:
    """ArcFace's losses [B] and the logits without margin [B, C] in float64, from the definition."""
    network, data = deepcopy(learner.network).double().train(), learner.dataset
    inputs = normalise(data.train.images[ids], data.mean, data.std).double()
    with torch.no_grad():
        embedding = network.embed(inputs).numpy()
    centres = network.classifier.weight.detach().numpy()
    unit, centres = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (embedding, centres))
    cosines, losses = unit @ centres.T, []
    for row, label in zip(cosines.tolist(), data.train.targets[ids].tolist(), strict=True):
        scaled = [16.0 * (margin_cosine(c) if k == label else c) for k, c in enumerate(row)]
        losses.append(math.log(math.fsum(math.exp(s) for s in scaled)) - scaled[label])
    return losses, 16.0 * cosines


@pytest.mark.parametrize("stages", [0, 2])
def test_the_loss_is_arcfaces_and_features_see_the_logits_without_the_margin(stages: int) -> None:
    learner, ids = trained(make(), until=stages), torch.tensor([3, 40, 0, 17, 29, 8])
    learner.network.train()
    objective = learner._objective(learner._batch_inputs(ids, 0), learner.dataset.train.targets[ids], ids)
    losses, logits = by_hand(learner, ids)
    assert objective.losses.tolist() == pytest.approx(losses, rel=1e-4)
    assert objective.batch.losses.tolist() == objective.losses.tolist() and not objective.batch.losses.requires_grad
    np.testing.assert_allclose(objective.batch.logits.numpy(), logits, atol=1e-3)
    assert objective.whole == ()


def test_training_is_a_plain_loop() -> None:
    learner = make(optimiser=OptimiserConfig(lr=0.05, momentum=0.0, weight_decay=0.0), epochs=2, stages=1)
    rule = LinearTanh(features=("centre_cosine",), weights=(-0.3,), bias=0.1, gain=2.0)
    network, data = deepcopy(learner.network).double().train(), learner.dataset
    inputs = normalise(data.train.images, data.mean, data.std).double()
    batches = [ids for epoch in range(2) for ids in epoch_batches(epoch_order(42, SEED, epoch), 14)]
    for step, ids in enumerate(batches):
        embedding, targets = network.embed(inputs[ids]), data.train.targets[ids]
        cosines = functional.normalize(embedding) @ functional.normalize(network.classifier.weight).T
        target = cosines.gather(1, targets[:, None])
        widened = torch.cos(torch.acos(target) + 0.5)
        widened = torch.where(torch.acos(target) < math.pi - 0.5, widened, target - 0.5 * math.sin(0.5))
        losses = functional.cross_entropy(16 * cosines.scatter(1, targets[:, None], widened), targets, reduction="none")
        own = target.detach()[:, 0] * 16
        weights = 1 + torch.tanh(2 * (-0.3 * (own - own.mean()) / (own.std(correction=0) + 1e-5) + 0.1))
        gradients = torch.autograd.grad((weights * losses).sum() / weights.sum(), list(network.parameters()))
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.data -= learning_rate(learner.config.optimiser, step / 6) * gradient
    train(learner, lambda stage: Directive(weighting=rule))
    for one, other in zip(learner.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(one.detach().double(), other.detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_learns(name: HeadName) -> None:
    learner = make(head=HeadConfig(name=name), epochs=12)
    first = learner.evaluate("train")
    train(learner)
    assert learner.evaluate("train")["loss"] < first["loss"] - 0.5
    assert learner.evaluate("train")["accuracy"] > first["accuracy"] + 30


def test_the_margin_is_for_training_alone() -> None:
    """Heads of other margins measure the same network alike."""
    one, other = make(), make(head=HeadConfig(margin=0.1))
    for split in ("train", "validation", "test"):
        assert one.evaluate(split) == other.evaluate(split)
    assert not same_bits(train(one), train(other))


# The Learner contract


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    one, again = trained(make(**SETTINGS[name])), trained(make(**SETTINGS[name]))
    assert same_bits(one, again) and not same_bits(one, trained(make(SEED + 1, **SETTINGS[name])))
    assert one.evaluate("test") == again.evaluate("test")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_learner_restored_in_the_middle_ends_as_one_that_was_not_interrupted(tmp_path: Path, name: str) -> None:
    whole, first = trained(make(**SETTINGS[name])), trained(make(**SETTINGS[name]), until=1)
    snapshot = first.snapshot()
    save_tree(tmp_path / "snapshot", snapshot)
    trained(first)
    for kept in (snapshot, load_tree(tmp_path / "snapshot")):
        other = trained(make(**SETTINGS[name]), until=2)
        other.restore(kept)
        assert other.stage == 1 and equal(other.snapshot(), snapshot)
        assert same_bits(trained(other), whole)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fork_goes_on_as_its_parent_and_does_not_disturb_it(name: str) -> None:
    whole, parent = trained(make(**SETTINGS[name])), trained(make(**SETTINGS[name]), until=1)
    fork, stray = parent.fork(), parent.fork()
    assert type(fork) is FaceLearner and fork.dataset.train.images is parent.dataset.train.images
    stray.train_stage(Directive(weighting=Focal(gamma=5.0)))
    stray.evaluate("test")
    assert same_bits(fork, parent) and not same_bits(stray, parent)
    assert same_bits(trained(parent), whole) and same_bits(trained(fork), whole)


@pytest.mark.parametrize(
    ("name", "starts"), [("curricularface", {"t": 0.0}), ("adaface", {"mean": 20.0, "std": 100.0}), ("arcface", {})]
)
def test_what_a_head_keeps_of_its_training_is_in_the_snapshot(name: HeadName, starts: dict[str, float]) -> None:
    """And it counts: with the head as at first the training ends otherwise."""
    learner = make(head=HeadConfig(name=name))
    fresh = learner.snapshot()["head"]
    assert {key: float(value) for key, value in fresh.items()} == starts
    later = train(learner, until=2).snapshot()
    assert all(float(later["head"][key]) != value for key, value in starts.items())
    ends = []
    for head in (later["head"], fresh):
        learner.restore({**later, "head": head})
        ends.append(train(learner).snapshot()["network"])
    assert equal(*ends) == (not starts)


def test_measuring_and_ranking_move_no_head() -> None:
    learner = train(make(head=HeadConfig(name="adaface")), until=1)
    before = learner.snapshot()["head"]
    for split in ("train", "validation", "test"):
        learner.evaluate(split)
    learner._losses_of_all()
    assert equal(learner.snapshot()["head"], before)


def batches_of(learner: FaceLearner, curriculum: Callable[[int], Directive]) -> list[torch.Tensor]:
    """The inputs of each training step."""
    seen: list[torch.Tensor] = []

    def note(body: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if learner.network.training:
            seen.append(inputs[0].clone())

    learner.network.body.register_forward_pre_hook(note)
    train(learner, curriculum)
    return seen


@pytest.mark.parametrize("name", ["arcface", "bf16, augmented"])
def test_the_twin_sees_the_same_batches(name: str) -> None:
    learner, twin = make(**SETTINGS[name]), make(**SETTINGS[name])
    seen, expected = batches_of(learner, changing(learner)), batches_of(twin, lambda stage: BASELINE)
    assert len(seen) == 9 and equal(seen, expected) and not same_bits(learner, twin)


# Sampled classes


def test_sampled_classes_are_drawn_by_counters_and_the_same_for_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[list[int], list[int]]] = []

    def noting(targets: torch.Tensor, *arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        kept, positions = sample_classes(targets, *arguments)
        drawn.append((kept.tolist(), targets.tolist()))
        return kept, positions

    monkeypatch.setattr(learner_module, "sample_classes", noting)
    settings: dict[str, Any] = {"head": HeadConfig(sample=0.6), "features": ("loss",), "batch_size": 4}
    train(make(**settings), lambda stage: Directive(weighting=Focal(gamma=2.0)))
    first, drawn[:] = list(drawn), []
    train(make(**settings))
    assert drawn == first and len(first) == 33
    assert all(len(kept) == 4 and set(targets) <= set(kept) for kept, targets in first)
    assert len({tuple(kept) for kept, _ in first}) > 10
    for step, (kept, targets) in enumerate(first):
        generator = torch_generator(SEED, "sampled classes", step)
        assert kept == sample_classes(torch.tensor(targets), CLASSES, 0.6, generator)[0].tolist()


def test_a_step_compares_with_the_sampled_classes_alone() -> None:
    settings: dict[str, Any] = {"features": ("loss",), "batch_size": 2}
    sampled, whole = make(head=HeadConfig(sample=0.3), **settings), make(**settings)
    ids = torch.tensor([5, 41])
    targets = sampled.dataset.train.targets[ids]
    objectives = [each._objective(each._batch_inputs(ids, 0), targets, ids) for each in (sampled, whole)]
    kept, positions = sample_classes(targets, CLASSES, 0.3, torch_generator(SEED, "sampled classes", 0))
    assert len(kept) == 2
    logits = objectives[1].batch.logits[:, kept].double()
    margins = [
        [16 * margin_cosine(c / 16) if k == p else c for k, c in enumerate(row)]
        for row, p in zip(logits.tolist(), positions.tolist(), strict=True)
    ]
    expected = functional.cross_entropy(torch.tensor(margins, dtype=torch.float64), positions, reduction="none")
    assert objectives[0].losses.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    objectives[0].losses.sum().backward()  # type: ignore[no-untyped-call]
    touched = sampled._classifier.weight.grad.abs().sum(1) > 0  # type: ignore[union-attr]
    assert touched.nonzero().flatten().tolist() == kept.tolist()


def test_training_with_sampled_classes_learns() -> None:
    learner = make(head=HeadConfig(sample=0.5), features=("loss", "own_loss", "label_prior"), batch_size=3, epochs=6)
    first = learner.evaluate("train")["loss"]
    trained(learner)
    assert learner.evaluate("train")["loss"] < first - 0.3


# What it measures


def test_what_is_measured_is_verification_of_persons_held_out() -> None:
    learner = train(make())
    data = learner.dataset
    network = learner.network.eval()

    @torch.no_grad()
    def embeddings(images: torch.Tensor) -> torch.Tensor:
        return network.embed(normalise(images, data.mean, data.std))

    assert torch.equal(learner.embed(data.validation.faces.images), embeddings(data.validation.faces.images))
    found = learner.evaluate("validation")
    assert learner.metric == "TAR@0.1"
    masked = {f"masked TAR@{far}" for far in (0.001, 0.01, 0.1)}
    assert set(found) == {"TAR@0.001", "TAR@0.01", "TAR@0.1", "EER", "rank_1", *masked}
    faces, mask = data.validation.faces, data.validation.masked
    assert mask is not None
    expected = verification_metrics(
        embeddings(faces.images), faces.targets, fars=(0.1, 0.01, 0.001), masked=embeddings(mask)
    )
    assert found == pytest.approx(expected)
    tested = learner.evaluate("test")
    assert set(tested) == {*found, "accuracy"}
    protocol, mask = data.test.protocol, data.test.masked
    assert protocol is not None and mask is not None
    crossed = verification_metrics(
        embeddings(data.test.faces.images), data.test.faces.targets, fars=(0.1, 0.01, 0.001), masked=embeddings(mask)
    )
    scores = listed_scores(embeddings(protocol.images), protocol.pairs)
    crossed["accuracy"] = 100 * fold_accuracy(scores, protocol.same.numpy(), protocol.fold.numpy()).mean
    assert tested == pytest.approx(crossed)
    assert all(0 <= value <= 100 for value in (*found.values(), *tested.values()))


def test_the_training_persons_are_measured_as_classes() -> None:
    learner = train(make())
    data = learner.dataset
    with torch.no_grad():
        logits = learner.network.eval()(normalise(data.train.images, data.mean, data.std))
    found = learner.evaluate("train")
    assert found["accuracy"] == pytest.approx(100 * (logits.argmax(1) == data.train.targets).float().mean().item())
    assert found["loss"] == pytest.approx(functional.cross_entropy(logits, data.train.targets).item(), rel=1e-5)


@pytest.mark.parametrize("far", [0.001, 0.01, 0.25])
def test_the_metric_is_among_what_is_measured(far: float) -> None:
    learner = FaceLearner(ALONE, replace(faces(), far=far), SEED)
    assert learner.metric == f"TAR@{far}" and learner.metric in learner.evaluate("validation")
    assert len(learner.evaluate("validation")) == (8 if far == 0.25 else 6)


def test_a_training_that_diverges_fails_and_measures_nothing() -> None:
    learner = make()
    learner.train_stage(BASELINE)
    with torch.no_grad():
        next(learner.network.parameters()).fill_(math.nan)
    report = learner.train_stage(BASELINE)
    assert report.failure == "the training loss is not finite"
    for split in ("validation", "test"):
        found = learner.evaluate(split)
        assert found.keys() == make().evaluate(split).keys()
        assert all(math.isnan(value) for value in found.values()), split


# The teacher's training


def test_a_teacher_is_trained_by_its_head_and_goes_on_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TeacherConfig(training=replace(ALONE, head=HeadConfig(name="curricularface"), epochs=4, batch_size=14))
    route = train_route(config, faces(), tmp_path / "whole")
    learner = train(FaceLearner(replace(config.training, stages=4), faces(), 0))
    assert route.anchors[-1].accuracy == learner.evaluate("validation")["TAR@0.1"]
    assert equal(dict(sorted(route.state(3).items())), dict(sorted(learner.network.state_dict().items())))

    class Killed(Exception):
        pass

    stages, kill = FaceLearner.train_stage, Killed()

    def interrupted(self: FaceLearner, directive: Directive) -> Any:
        if self.stage == 2:
            raise kill
        return stages(self, directive)

    with monkeypatch.context() as patch:
        patch.setattr(FaceLearner, "train_stage", interrupted)
        with pytest.raises(Killed):
            train_route(config, faces(), tmp_path / "killed")
    again = train_route(config, faces(), tmp_path / "killed")
    assert [anchor.sha256 for anchor in again.anchors] == [anchor.sha256 for anchor in route.anchors]


def test_the_configuration_makes_its_learner() -> None:
    learner = ALONE.learner(faces(), SEED)
    assert type(learner) is FaceLearner and learner.loss_weights == {} and learner.anchors == 0
    assert same_bits(learner, make())


# What is refused

SAMPLED = HeadConfig(sample=0.5)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a linear classifier": (
        lambda: FaceConfig(network=NetworkConfig(name="face_cnn")),
        "network.classifier is 'linear': use cosine, the margins of faces act on cosines",
    ),
    "logits of sampled classes": (
        lambda: replace(ALONE, head=SAMPLED),
        "features names centre_cosine, which .* and head.sample is 0.5: name some of loss",
    ),
    "classes of sampled classes": (
        lambda: replace(ALONE, head=SAMPLED, features=("loss", "loss_in_class")),
        "features names loss_in_class",
    ),
    "KD of sampled classes": (
        lambda: replace(ALONE, head=SAMPLED, features=("loss",), losses=FaceLossTerms(kd=0.5)),
        "losses.kd is 0.5 and head.sample 0.5: KD compares all classes, leave out one of the two",
    ),
    "no term": (lambda: FaceLossTerms(ce=0.0), "all loss weights are 0: weight at least one term"),
    "a negative term": (lambda: FaceLossTerms(rad=-1.0), "losses weights rad -1.0: give 0 or more each"),
    "cosines to a teacher": (
        lambda: make(features=("teacher_cosine",)),
        "features names teacher_cosine, and this training has no teacher: leave it out",
    ),
    "crowds that a teacher sees": (
        lambda: make(features=("loss", "crowding")),
        "features names crowding, and this training has no teacher: leave it out",
    ),
    "terms of a teacher": (
        lambda: make().train_stage(Directive(losses={"rad": 1.0})),
        "the directive weights the loss 'rad', which this training has not",
    ),
    "a place on a route": (
        lambda: make().train_stage(Directive(anchor=0.5)),
        "takes the teacher at 0.5, and this training has none",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(name: str) -> None:
    make_it, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as raised:
        make_it()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "feature", ["loss", "loss_rank", "own_loss", "own_loss_in_class", "own_confidence", "label_prior"]
)
def test_features_of_losses_and_labels_go_with_sampled_classes(feature: str) -> None:
    learner = make(head=HeadConfig(sample=0.3), features=(feature,), batch_size=3, epochs=1, stages=2)
    train(learner, lambda stage: Directive(weighting=LinearTanh(features=(feature,), weights=(0.5,), bias=0.0)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", SETTINGS)
def test_faces_train_on_the_gpu_as_on_the_cpu(name: str) -> None:
    paused = trained(make(**SETTINGS[name] | {"device": "cuda"}), until=2)
    learners = [trained(each) for each in (paused.fork(), make(**SETTINGS[name] | {"device": "cuda"}))]
    cpu = trained(make(**SETTINGS[name]))
    for learner in learners:
        assert learner.evaluate("test").keys() == cpu.evaluate("test").keys()
        if name not in ("sampled", "bf16, augmented"):  # whose draws depend on the device
            for own, other in zip(learner.network.parameters(), cpu.network.parameters(), strict=True):
                torch.testing.assert_close(own.detach().cpu(), other.detach(), rtol=0.1, atol=0.05)
