"""The face student: CoupleFace's terms in a plain float64 loop, every bank in the Learner contract, directives."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from law_rl.actions import Heads, LossWeights, SampleWeights, TeacherAnchor, check_offered
from law_rl.actor import MlpActor
from law_rl.batch import Batch
from law_rl.classification.optimisation import OptimiserConfig, learning_rate
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import normalise
from law_rl.distillation.route import Route
from law_rl.distillation.teacher import train_route
from law_rl.distillation.teacher_outputs import TeacherOutputs
from law_rl.face.heads import HeadConfig
from law_rl.face.learner import FaceLearner, FaceLossTerms
from law_rl.face.relation_config import RelationConfig
from law_rl.face.student import FaceStudent
from law_rl.files import load_tree, save_tree
from law_rl.learner import BASELINE, Directive
from law_rl.observation import FOLLOWER
from law_rl.schedule import Schedule
from law_rl.weighting import Focal, KeepLowest, LinearTanh
from tests.law_rl.face.students import (
    CLASSES,
    NARROW,
    PLAIN,
    SEED,
    TEACHER,
    equal,
    faces,
    same_bits,
    same_networks,
    student,
    teacher_network,
    train,
)

Make = Callable[..., FaceStudent]
LAST = 1
"""The index of the converged teacher."""

EVERYTHING = {"ce": 0.7, "kd": 0.1, "hint": 0.02, "fcd": 2.0, "rad": 3.0, "ekd": 1.5, "cc": 0.5, "rkd": 0.3, "sp": 0.2}


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory) -> Route:
    return train_route(TEACHER, faces(), tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def make(route: Route) -> Make:
    return lambda losses=None, **changes: student(changes.pop("on", route), losses, **changes)


# A plain loop in float64 as oracle


class Thresholds:
    """Those of the evaluation-oriented term: of student and teacher the cosines that parts of the negatives reach."""

    def __init__(self) -> None:
        self.kept: list[list[float]] | None = None

    def take_in(self, negatives: list[torch.Tensor]) -> None:
        fresh = [
            [float(values.sort(descending=True).values[len(values) // 10**k]) for k in range(1, 7)]
            for values in negatives
        ]
        self.kept = (
            fresh
            if self.kept is None
            else [
                [0.99 * old + 0.01 * new for old, new in zip(*rows, strict=True)]
                for rows in zip(self.kept, fresh, strict=True)
            ]
        )


class Oracle:
    """CoupleFace's terms from their definitions. Relations are coupled, with entries that stay or that are newest."""

    def __init__(self, learner: FaceStudent, route: Route, anchor: int = LAST) -> None:
        self.config, self.data = learner.config, learner.dataset
        self.network, self.adapter = deepcopy(learner.network).double().train(), deepcopy(learner._adapter)
        if self.adapter is not None:
            self.adapter = self.adapter.double()
        self.inputs = normalise(self.data.train.images, self.data.mean, self.data.std).double()
        self.embedded = self.teach(route, anchor)
        self.entries, self.partners = self.mine(self.teach(route, LAST))
        self.thresholds = Thresholds()

    @torch.no_grad()
    def teach(self, route: Route, anchor: int) -> torch.Tensor:
        teacher = teacher_network().double().eval()
        teacher.load_state_dict(route.state(anchor))
        return teacher.embed(self.inputs)

    def mine(self, embedded: torch.Tensor) -> tuple[torch.Tensor, list[list[int]]]:
        """The mean face of each identity, and the three others that are most alike."""
        units = functional.normalize(embedded)
        means = [units[self.data.train.targets == label].mean(0) for label in range(CLASSES)]
        entries = functional.normalize(torch.stack(means))
        cosines = (entries @ entries.T).tolist()
        order = [sorted(range(CLASSES), key=lambda k: -row[k]) for row in cosines]
        return entries, [[k for k in found if k != own][:3] for own, found in enumerate(order)]

    def terms(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """The losses of a batch: [B] of single samples, [] of all pairs for ekd; and "student", "own" as weights see
        them.
        """
        targets, teacher = self.data.train.targets[ids], functional.normalize(self.embedded[ids])
        embedding = self.network.embed(self.inputs[ids])
        cosines = functional.normalize(embedding) @ functional.normalize(self.network.classifier.weight).T
        adapted = functional.normalize(embedding if self.adapter is None else self.adapter(embedding))
        terms = {
            "ce": self.margin_softmax(cosines, targets),
            "fcd": 2 - 2 * (adapted * teacher).sum(1),
            "rad": torch.stack([self.relations(*row) for row in zip(adapted, teacher, targets.tolist(), strict=True)]),
            "ekd": self.ranks(adapted, teacher, targets),
            "student": (adapted * teacher).sum(1).detach(),
            "own": 16 * cosines.gather(1, targets[:, None])[:, 0].detach(),
        }
        if self.config.relation.bank == "last":
            self.entries = self.entries.clone()
            for row, label in enumerate(targets.tolist()):
                self.entries[label] = teacher[row]
        return terms

    def margin_softmax(self, cosines: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        own = cosines.gather(1, targets[:, None])
        theta = torch.acos(own)
        widened = torch.where(theta < math.pi - 0.5, torch.cos(theta + 0.5), own - 0.5 * math.sin(0.5))
        return functional.cross_entropy(16 * cosines.scatter(1, targets[:, None], widened), targets, reduction="none")

    def relations(self, mine: torch.Tensor, other: torch.Tensor, label: int) -> torch.Tensor:
        """The mean over the partners of the difference of the cosines."""
        partners = self.entries[self.partners[label]]
        return (partners @ mine - partners @ other).abs().mean()

    def ranks(self, student: torch.Tensor, teacher: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        pairs = [(i, j) for i in range(len(targets)) for j in range(i + 1, len(targets))]
        alike = torch.tensor([bool(targets[i] == targets[j]) for i, j in pairs])
        cosines = [torch.stack([each[i] @ each[j] for i, j in pairs]) for each in (student, teacher)]
        self.thresholds.take_in([each[~alike].detach() for each in cosines])
        assert self.thresholds.kept is not None
        ranks = [
            torch.stack([torch.sigmoid((each - threshold) / 0.01) for threshold in row]).sum(0)
            for each, row in zip(cosines, self.thresholds.kept, strict=True)
        ]
        errors = (ranks[0] - ranks[1]).square()
        return 0.02 * errors[alike].mean() + 0.01 * errors[~alike].mean()

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        parts = [self.network] if self.adapter is None else [self.network, self.adapter]
        return [parameter for part in parts for parameter in part.parameters()]


def standardised(values: torch.Tensor) -> torch.Tensor:
    return (values - values.mean()) / (values.std(correction=0) + 1e-5)


RULE = LinearTanh(features=("teacher_cosine", "centre_cosine"), weights=(-0.5, 0.3), bias=0.1, gain=2.0)
COUPLEFACE = {"ce": 0.7, "fcd": 2.0, "rad": 3.0, "ekd": 1.5}
SIMPLE = OptimiserConfig(lr=0.02, momentum=0.0, weight_decay=0.0, milestones=(0.5,))
ORACLES: dict[str, dict[str, Any]] = {
    "one width": {},
    "two widths": {"network": NARROW},
    "newest entries": {"relation": RelationConfig(count=3, bank="last")},
}


@pytest.mark.parametrize("anchor", [0, LAST])
@pytest.mark.parametrize("name", ORACLES)
def test_the_loss_of_a_step_is_the_sum_of_its_terms(make: Make, route: Route, name: str, anchor: int) -> None:
    learner = make(COUPLEFACE, **ORACLES[name])
    learner._direct(Directive(anchor=float(anchor)))
    learner.network.train()
    oracle, ids = Oracle(learner, route, anchor), torch.tensor([3, 40, 0, 17, 29, 8, 1, 41])
    objective = learner._objective(learner._batch_inputs(ids, 0), learner.dataset.train.targets[ids], ids)
    terms = oracle.terms(ids)
    expected = 0.7 * terms["ce"] + 2.0 * terms["fcd"] + 3.0 * terms["rad"]
    assert objective.losses.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    assert [loss.item() for loss in objective.whole] == pytest.approx([1.5 * terms["ekd"].item()], rel=1e-3)
    assert objective.batch.losses.tolist() == pytest.approx(terms["ce"].tolist(), rel=1e-4), "the weights see ce alone"
    assert objective.batch.teacher_cosine is not None and not objective.batch.teacher_cosine.requires_grad
    assert objective.batch.teacher_cosine.tolist() == pytest.approx(terms["student"].tolist(), abs=1e-5)


@pytest.mark.parametrize("rule", [None, RULE], ids=["uniform", "weighted"])
@pytest.mark.parametrize("name", ORACLES)
def test_training_is_a_plain_loop_in_which_weights_act_on_single_samples(
    make: Make, route: Route, name: str, rule: LinearTanh | None
) -> None:
    learner = make(COUPLEFACE, **ORACLES[name], optimiser=SIMPLE)
    oracle = Oracle(learner, route)
    batches = [ids for epoch in range(3) for ids in epoch_batches(epoch_order(42, SEED, epoch), 14)]
    for step, ids in enumerate(batches):
        terms = oracle.terms(ids)
        weights = torch.ones(14)
        if rule is not None:
            score = -0.5 * standardised(terms["student"]) + 0.3 * standardised(terms["own"]) + 0.1
            weights = 1 + torch.tanh(2.0 * score)
        single = 0.7 * terms["ce"] + 2.0 * terms["fcd"] + 3.0 * terms["rad"]
        total = (weights * single).sum() / weights.sum() + 1.5 * terms["ekd"]
        gradients = torch.autograd.grad(total, oracle.parameters)
        for parameter, gradient in zip(oracle.parameters, gradients, strict=True):
            parameter.data -= learning_rate(SIMPLE, step / len(batches)) * gradient
    train(learner, lambda stage: BASELINE if rule is None else Directive(weighting=rule))
    for one, other in zip(learner._parameters, oracle.parameters, strict=True):
        torch.testing.assert_close(one.detach().double(), other.detach(), rtol=2e-3, atol=2e-4)


# Crowding


def test_a_batch_brings_the_crowding_of_its_images_by_the_converged_teacher(make: Make, route: Route) -> None:
    learner = make({"ce": 1.0}, features=("crowding", "loss"))
    learner._direct(Directive(anchor=0.0))
    ids = torch.tensor([3, 40, 0, 17])
    objective = learner._objective(learner._batch_inputs(ids, 0), learner.dataset.train.targets[ids], ids)
    oracle = Oracle(learner, route)
    labels, embedded = learner.dataset.train.targets, functional.normalize(oracle.teach(route, LAST))
    expected = [
        sum(float(oracle.entries[k] @ embedded[i]) for k in range(CLASSES) if k != labels[i]) / (CLASSES - 1)
        for i in ids.tolist()
    ]
    assert objective.batch.crowding is not None
    assert objective.batch.crowding.tolist() == pytest.approx(expected, abs=1e-5)
    assert objective.batch.teacher_logits is None, "of a loss over labels alone the teacher is not asked again"
    assert make()._relations.crowding is None


def test_samples_are_weighted_by_their_crowding(make: Make) -> None:
    """With a twin whose faces are all equally crowded."""
    rule = LinearTanh(features=("crowding",), weights=(0.8,), bias=0.0, gain=1.0)
    learner, even, uniform = (make(COUPLEFACE, features=("crowding",)) for _ in range(3))
    assert learner._relations.crowding is not None
    even._relations = replace(even._relations, crowding=torch.ones_like(learner._relations.crowding))
    weighted, flat = (train(each, lambda stage: Directive(weighting=rule)) for each in (learner, even))
    assert not same_networks(weighted, flat)
    for one, other in zip(flat._parameters, train(uniform)._parameters, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


# The Learner contract

SETTINGS: dict[str, dict[str, Any]] = {
    "softmax, static bank": {"head": HeadConfig(name="softmax")},
    "arcface, random partners": {"relation": RelationConfig(count=3, partners="random", positives=True)},
    "cosface, newest": {
        "head": HeadConfig(name="cosface", margin=0.35),
        "relation": RelationConfig(count=3, bank="last", distance="l2"),
    },
    "curricularface, mean, two widths": {
        "head": HeadConfig(name="curricularface"),
        "relation": RelationConfig(count=2, bank="ema", side="student", momentum=0.5),
        "network": NARROW,
    },
    "adaface, queue": {
        "head": HeadConfig(name="adaface"),
        "relation": RelationConfig(count=2, bank="queue", side="student", queue=2, positives=True),
        "between": "mixed",
        "features": ("crowding", "centre_cosine"),
    },
    "batch": {"relation": RelationConfig(count=4, partners="batch", side="student", distance="hinge")},
    "by identity, queue, bf16": {
        "relation": RelationConfig(count=3, bank="queue"),
        "sampler": "class_uniform",
        "per_group": 2,
        "precision": "bf16",
    },
    "augmented, sampled": {
        "augment": AugmentConfig(flip=True),
        "head": HeadConfig(sample=0.6),
        "features": ("loss", "teacher_cosine"),
        "batch_size": 6,
        "losses": {**COUPLEFACE, "hint": 0.05},
    },
}
BANKS = [name for name in SETTINGS if "queue" in name or "newest" in name or "mean" in name]


def settings(name: str) -> dict[str, Any]:
    return {"losses": EVERYTHING, **SETTINGS[name]}


def changing(learner: FaceStudent) -> Callable[[int], Directive]:
    """Another rule, anchor and mixture each stage."""
    names = learner.feature_names
    rule = LinearTanh(features=names, weights=(0.3,) * len(names), bias=0.1, gain=1.0)
    directives = (
        Directive(weighting=rule, anchor=0.3, losses={"rad": 1.0, "cc": 0.0}),
        Directive(weighting=Focal(gamma=1.0), losses={"ekd": 0.0, "fcd": 0.5}),
        Directive(weighting=KeepLowest(share=0.7), anchor=0.8, losses={"ce": 0.2}),
    )
    return lambda stage: directives[stage % 3]


def trained(learner: FaceStudent, until: int | None = None) -> FaceStudent:
    return train(learner, changing(learner), until)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(make: Make, name: str) -> None:
    one, again = trained(make(**settings(name))), trained(make(**settings(name)))
    assert same_bits(one, again) and not same_bits(one, trained(make(**settings(name), seed=SEED + 1)))
    assert one.evaluate("test") == again.evaluate("test")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_learner_restored_in_the_middle_ends_as_one_that_was_not_interrupted(
    make: Make, tmp_path: Path, name: str
) -> None:
    whole, first = trained(make(**settings(name))), trained(make(**settings(name)), until=1)
    snapshot = first.snapshot()
    save_tree(tmp_path / "snapshot", snapshot)
    trained(first)
    for kept in (snapshot, load_tree(tmp_path / "snapshot")):
        other = trained(make(**settings(name)), until=2)
        other.restore(kept)
        assert other.stage == 1 and equal(other.snapshot(), snapshot)
        assert same_bits(trained(other), whole)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fork_goes_on_as_its_parent_and_does_not_disturb_it(make: Make, name: str) -> None:
    whole, parent = trained(make(**settings(name))), trained(make(**settings(name)), until=1)
    fork, stray = parent.fork(), parent.fork()
    assert type(fork) is FaceStudent
    assert fork.dataset.train.images is parent.dataset.train.images and fork.teacher is parent.teacher
    stray.train_stage(Directive(losses={"rad": 0.5}))
    stray.evaluate("test")
    assert same_bits(fork, parent) and not same_bits(stray, parent)
    assert same_bits(trained(parent), whole) and same_bits(trained(fork), whole)


@pytest.mark.parametrize("name", BANKS)
def test_the_bank_of_a_snapshot_counts(make: Make, name: str) -> None:
    """With the bank as at first the training ends otherwise."""
    learner = make(**settings(name))
    fresh = learner.snapshot()["bank"]
    later = trained(learner, until=2).snapshot()
    assert not equal(later["bank"], fresh)
    ends = []
    for bank in (later["bank"], fresh):
        learner.restore({**later, "bank": bank})
        ends.append(trained(learner).snapshot()["network"])
    assert not equal(*ends)


def test_the_thresholds_of_a_snapshot_count(make: Make) -> None:
    learner = train(make({"ce": 1.0, "ekd": 5.0}), until=2)
    later = learner.snapshot()
    fresh = make({"ce": 1.0, "ekd": 5.0}).snapshot()["ekd"]
    ends = []
    for thresholds in (later["ekd"], fresh):
        learner.restore({**later, "ekd": thresholds})
        ends.append(train(learner).snapshot()["network"])
    assert bool(fresh["thresholds"].isinf().all()) and not equal(*ends)


def test_a_bank_of_another_configuration_is_refused(make: Make) -> None:
    snapshot = make(relation=RelationConfig(count=3, bank="queue", queue=2)).snapshot()
    with pytest.raises(ValueError, match=r"the state holds .* restore with the configuration it had"):
        make(relation=RelationConfig(count=3, bank="queue", queue=3)).restore(snapshot)


def batches_of(learner: FaceStudent, curriculum: Callable[[int], Directive]) -> list[torch.Tensor]:
    """The inputs of each training step."""
    seen: list[torch.Tensor] = []

    def note(body: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if learner.network.training:
            seen.append(inputs[0].clone())

    learner.network.body.register_forward_pre_hook(note)
    train(learner, curriculum)
    return seen


@pytest.mark.parametrize("name", ["softmax, static bank", "by identity, queue, bf16", "augmented, sampled"])
def test_the_twin_sees_the_same_batches(make: Make, name: str) -> None:
    learner, twin = make(**settings(name)), make(**settings(name))
    seen, expected = batches_of(learner, changing(learner)), batches_of(twin, lambda stage: BASELINE)
    assert equal(seen, expected) and len(seen) >= 9 and not same_networks(learner, twin)


def test_global_generators_are_neither_read_nor_advanced(make: Make) -> None:
    learners = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        learners.append(trained(make(**settings("augmented, sampled"))))
        learners[-1].evaluate("test")
        assert torch.equal(torch.get_rng_state(), before)
    assert same_bits(*learners)


# Directives


@pytest.mark.parametrize("term", asdict(FaceLossTerms()))
def test_every_term_changes_the_training(make: Make, term: str) -> None:
    usual = {"ce": 1.0, "fcd": 0.5}
    plain = train(make(usual), until=1)
    assert plain.loss_weights == dict.fromkeys(asdict(FaceLossTerms()), 0.0) | usual
    directed = train(make(usual), lambda stage: Directive(losses={term: 0.8}), until=1)
    assert not same_networks(plain, directed)
    assert same_networks(directed, train(make(usual | {term: 0.8}), until=1))


@pytest.mark.parametrize("term", ["kd", "hint", "fcd", "rad", "ekd"])
def test_the_anchor_changes_the_training(make: Make, route: Route, term: str) -> None:
    losses = {"ce": 1.0, term: 0.5}
    plain, early = train(make(losses)), train(make(losses), lambda stage: Directive(anchor=0.0))
    assert not same_networks(plain, early)
    assert same_networks(plain, train(make(losses), lambda stage: Directive(anchor=0.6))), "the nearest anchor"
    assert plain.anchors == len(route) == 2


def test_a_mixture_holds_for_its_stage_alone(make: Make) -> None:
    learner = make({"ce": 1.0, "fcd": 1.0})
    learner.train_stage(Directive(losses={"fcd": 0.0, "rad": 2.0}, anchor=0.0))
    other = make({"ce": 1.0, "fcd": 1.0})
    other.restore(learner.snapshot())
    assert same_bits(train(learner), train(other))


@pytest.mark.parametrize("name", BANKS)
def test_a_stage_in_which_relations_weigh_nothing_leaves_the_bank(make: Make, name: str) -> None:
    learner = make(**settings(name))
    before = learner.snapshot()
    learner.train_stage(Directive(losses={"rad": 0.0, "ekd": 0.0}))
    after = learner.snapshot()
    assert equal(after["bank"], before["bank"]) and equal(after["ekd"], before["ekd"])
    learner.train_stage(BASELINE)
    assert not equal(learner.snapshot()["bank"], before["bank"])


def test_without_a_teachers_term_it_is_a_face_learner(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: dict[str, Any] = {"features": ("centre_cosine",), "head": HeadConfig(name="adaface")}
    alone = train(FaceLearner(replace(PLAIN, **changes), faces(), SEED))
    monkeypatch.setattr(TeacherOutputs, "outputs", None)  # is not asked
    taught = train(make({"ce": 1.0}, **changes))
    assert same_networks(alone, taught) and equal(alone.snapshot()["head"], taught.snapshot()["head"])
    assert alone.evaluate("test") == taught.evaluate("test")


def test_a_student_learns_to_place_faces_as_its_teacher_does(make: Make) -> None:
    learner = make({"ce": 0.5, "fcd": 3.0, "rad": 3.0}, epochs=20)

    def likeness() -> float:
        data = learner.dataset
        inputs = normalise(data.validation.faces.images, data.mean, data.std)
        teacher = learner.teacher.outputs(1.0, inputs, None).embedding
        mine = learner._embeddings(data.validation.faces.images)
        return float(functional.cosine_similarity(mine, teacher).mean())

    before = likeness()
    train(learner)
    assert likeness() > before + 0.3


def test_what_the_learner_offers_is_what_actions_may_set(make: Make) -> None:
    action = Heads(
        sample_weights=SampleWeights(features=PLAIN.features),
        teacher_anchor=TeacherAnchor(),
        loss_weights=LossWeights(terms=("fcd", "rad", "ekd"), usual=(0.5, 0.0, 0.0), most=(5.0, 5.0, 5.0)),
    )
    learner = make({"ce": 1.0, "fcd": 0.5})
    check_offered(action, learner)
    twin = train(make({"ce": 1.0, "fcd": 0.5}))
    assert same_networks(train(learner, lambda stage: action.directive(action.baseline)), twin)


# Following


def test_a_follower_weights_the_same_batches_as_the_learner(make: Make) -> None:
    head = SampleWeights(features=(*PLAIN.features, "crowding"), gain=1.0)
    generator = torch_generator(1, "test policy")
    actor = MlpActor(
        weights=(torch.randn(6, len(FOLLOWER), generator=generator), torch.randn(5, 6, generator=generator)),
        biases=(torch.randn(6, generator=generator), torch.randn(5, generator=generator)),
        activation="tanh",
    )
    followed = Schedule(
        action=head, actor=actor, stages=3, warmup=0, memory_decay=PLAIN.memory_decay, observation=FOLLOWER
    )
    learner = make(COUPLEFACE, features=head.features)
    seen: list[tuple[Batch, torch.Tensor]] = []
    weigh = learner._weigher.weights

    def noting(batch: Batch) -> torch.Tensor | None:
        weights = weigh(batch)
        assert weights is not None
        seen.append((batch, weights.clone()))
        return weights

    learner._weigher.weights = noting  # type: ignore[method-assign]
    train(learner, lambda stage: followed.directive(learner.view()))
    follower = followed.follow(len(seen))
    for step, (batch, weights) in enumerate(seen):
        given = follower.weights(
            batch.losses,
            logits=batch.logits,
            targets=batch.targets,
            lr=learning_rate(PLAIN.optimiser, step / len(seen)),
            teacher_cosine=batch.teacher_cosine,
            crowding=batch.crowding,
        )
        assert torch.equal(given, weights)
    assert torch.cat([weights for _, weights in seen]).std() > 0.01


# What goes wrong


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_that_diverges_fails(make: Make, name: str) -> None:
    learner = make(**settings(name))
    learner.train_stage(BASELINE)
    with torch.no_grad():
        next(learner.network.parameters()).fill_(math.nan)
    report = learner.train_stage(BASELINE)
    assert report.failure == "the training loss is not finite"
    assert all(math.isnan(value) for value in learner.evaluate("test").values())


def test_what_a_student_has_not_is_refused_in_one_sentence(make: Make) -> None:
    sampled: dict[str, Any] = {"head": HeadConfig(sample=0.5), "features": ("loss",), "batch_size": 3}
    cases: list[tuple[Callable[[], Any], str]] = [
        (
            lambda: make().train_stage(Directive(losses={"mood": 1.0})),
            "weights the loss 'mood', .* name only ce, kd, hint, cc, rkd, sp, fcd, rad, ekd",
        ),
        (
            lambda: make({"ce": 1.0}, **sampled).train_stage(Directive(losses={"kd": 1.0})),
            "give logits .* of the same samples over the same classes",
        ),
        (
            lambda: make(relation=RelationConfig(count=CLASSES)),
            f"count is {CLASSES} and there are {CLASSES} prototypes: ask for .* at most {CLASSES - 1}",
        ),
        (
            lambda: make(relation=RelationConfig(count=CLASSES, partners="random")),
            f"count is {CLASSES}, and an identity has {CLASSES - 1} others",
        ),
    ]
    for attempt, message in cases:
        with pytest.raises(ValueError, match=message) as raised:
            attempt()
        assert "\n" not in str(raised.value)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", SETTINGS)
def test_a_student_trains_on_the_gpu_as_on_the_cpu(make: Make, name: str) -> None:
    def on(device: str) -> FaceStudent:
        return make(**settings(name), device=device)

    paused, cpu = trained(on("cuda"), until=2), trained(on("cpu"))
    for learner in (trained(paused.fork()), trained(on("cuda"))):
        assert learner.evaluate("test").keys() == cpu.evaluate("test").keys()
        if "sampled" not in name:  # whose draws depend on the device
            for own, other in zip(learner._parameters, cpu._parameters, strict=True):
                torch.testing.assert_close(own.detach().cpu(), other.detach(), rtol=0.1, atol=0.1)
