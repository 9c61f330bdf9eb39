"""The distillation learner: a plain loop as its oracle, teachers, batches by group, adapters and reproducibility."""

import math
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from law_rl.actions import Action, Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import Classifier, NetworkConfig, build_network
from law_rl.classification.optimisation import OptimiserConfig, learning_rate
from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import Dataset, Split, normalise
from law_rl.distillation.hint import Adapter
from law_rl.distillation.learner import (
    RKD_ANGLE,
    TERMS,
    CongruenceConfig,
    DistillationConfig,
    DistillationLearner,
    LossTerms,
)
from law_rl.distillation.relations import rkd_angle_loss, rkd_distance_loss, similarity_preserving_loss
from law_rl.distillation.route import Route
from law_rl.distillation.teacher import TeacherConfig, train_route
from law_rl.distillation.teacher_outputs import TeacherOutputs
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import Focal, LinearTanh

CLASSES, SAMPLES, SEED, SHAPE, T = 3, 26, 5, (1, 3, 3), 3.0
TEACHER = TeacherConfig(
    training=ClassificationConfig(
        network=NetworkConfig(width=12, depth=1, embedding=5),
        optimiser=OptimiserConfig(lr=0.05),
        epochs=6,
        batch_size=8,
    )
)
LAST = 5
"""The index of the converged teacher."""

PLAIN = DistillationConfig(
    network=NetworkConfig(width=8, depth=1, embedding=5),
    optimiser=OptimiserConfig(lr=0.02, milestones=(0.5, 0.8)),
    batch_size=8,
    epochs=4,
    stages=4,
    features=("loss", "teacher_divergence", "teacher_confidence"),
    temperature=T,
)
NARROW = NetworkConfig(width=7, depth=1)
"""A student that embeds in 7 dimensions, where the teacher has 5."""


def split(purpose: str, size: int) -> Split:
    """Random images whose first pixel is the sample's number, and labels that the other pixels say something of."""
    generator = torch_generator(0, purpose)
    images = torch.randint(0, 256, (size, *SHAPE), generator=generator, dtype=torch.uint8)
    targets = images.flatten(1)[:, 1:4].long().argmax(dim=1)
    images[:, 0, 0, 0] = torch.arange(size)
    return Split(images=images, targets=targets)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset(
        name="tiny",
        class_names=tuple("abc"),
        mean=(127.0,),
        std=(74.0,),
        train=split("test train", SAMPLES),
        validation=split("test validation", 12),
        test=split("test test", 11),
    )


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory, data: Dataset) -> Route:
    return train_route(TEACHER, data, tmp_path_factory.mktemp("teacher"))


def teacher_network() -> Classifier:
    return build_network(TEACHER.training.network, image_shape=SHAPE, classes=CLASSES, seed=0)


Make = Callable[..., DistillationLearner]


@pytest.fixture(scope="module")
def make(route: Route, data: Dataset) -> Make:
    """Makes a learner with changes to PLAIN; `losses` are weights of terms, of which those not named are 0."""

    def learner(
        losses: dict[str, float] | None = None,
        *,
        on: Route = route,
        seed: int = SEED,
        groups: torch.Tensor | None = None,
        **changes: Any,
    ) -> DistillationLearner:
        if losses is not None:
            changes["losses"] = LossTerms(**(dict.fromkeys(TERMS, 0.0) | losses))
        config = replace(PLAIN, **changes)
        inputs = None if config.augment.crop else normalise(data.train.images, data.mean, data.std)
        teacher = TeacherOutputs(
            on, teacher_network, "cpu", between=config.between, temperature=config.temperature, inputs=inputs
        )
        return DistillationLearner(config, data, seed, teacher, groups)

    return learner


def train(
    learner: DistillationLearner, until: int | None = None, curriculum: Callable[[int], Directive] | None = None
) -> DistillationLearner:
    while learner.stage < (learner.stages if until is None else until):
        assert not learner.train_stage((curriculum or changing)(learner.stage)).failure
    return learner


def under(learner: DistillationLearner, directive: Directive) -> DistillationLearner:
    return train(learner, curriculum=lambda stage: directive)


def changing(stage: int) -> Directive:
    """Another rule, anchor and mixture each stage."""
    rule = LinearTanh(features=("teacher_divergence", "loss"), weights=(-0.3, 0.2), bias=0.1, gain=1.0)
    directives = (
        Directive(weighting=rule, anchor=0.3, losses={"kd": 0.5}),
        Directive(weighting=Focal(gamma=1.0), anchor=0.0, losses={"ce": 0.0, "cc": 2.0}),
        BASELINE,
        Directive(weighting=rule, anchor=0.7, losses={"hint": 0.02, "kd": 0.0}),
    )
    return directives[stage % len(directives)]


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in (key, *leaves(tree[key]))]
    if isinstance(tree, list | tuple):
        return [leaf for entry in tree for leaf in leaves(entry)]
    return [tree]


def equal(one: Any, other: Any) -> bool:
    first, second = leaves(one), leaves(other)
    return len(first) == len(second) and all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(first, second, strict=True)
    )


def same_bits(one: ClassificationLearner, other: ClassificationLearner) -> bool:
    """Whether two learners are in the same state: networks, optimiser, memory and statistics."""
    return equal(one.snapshot(), other.snapshot())


def same_networks(one: ClassificationLearner, other: ClassificationLearner) -> bool:
    """Whether two learners' networks, adapters and optimisers are the same, whatever their statistics."""
    parts = [
        {name: part for name, part in learner.snapshot().items() if name in ("network", "adapter", "optimiser")}
        for learner in (one, other)
    ]
    return equal(*parts)


# A plain loop as oracle

Weigh = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Weights [B] from cross-entropies [B], the student's logits and the teacher's."""


def uniform(losses: torch.Tensor, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(losses))


def by_hand(
    learner: DistillationLearner,
    losses: list[dict[str, float]],
    *,
    teach: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    weigh: Weigh = uniform,
) -> list[torch.Tensor]:
    """Trains the student of a fresh learner with plain PyTorch, under one mixture of losses an epoch.

    `teach(inputs)` gives the teacher's logits and embedding.
    """
    config, train_set = learner.config, learner.dataset.train
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, config.network.width), torch.nn.ReLU())
    if config.network.embedding:
        body.append(torch.nn.Linear(config.network.width, config.network.embedding))
    width = config.network.embedding or config.network.width
    classifier, adapter = torch.nn.Linear(width, CLASSES), torch.nn.Linear(width, 5)
    parts = [body, classifier, adapter] if width != 5 else [body, classifier]
    parameters = [parameter for part in parts for parameter in part.parameters()]
    for own, value in zip(parameters, learner._parameters, strict=True):
        own.data.copy_(value.detach())
    optimiser = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=5e-4)
    inputs = normalise(train_set.images, learner.dataset.mean, learner.dataset.std)
    batches = [
        (epoch, ids)
        for epoch in range(config.epochs)
        for ids in epoch_batches(epoch_order(SAMPLES, SEED, epoch), config.batch_size)
    ]
    for step, (epoch, ids) in enumerate(batches):
        optimiser.param_groups[0]["lr"] = learning_rate(config.optimiser, step / len(batches))
        mixture, embedding = losses[epoch], body(inputs[ids])
        logits, (teacher_logits, teacher_embedding) = classifier(embedding), teach(inputs[ids])
        cross_entropy = functional.cross_entropy(logits, train_set.targets[ids], reduction="none")

        def adapted(embedding: torch.Tensor = embedding) -> torch.Tensor:
            return adapter(embedding) if width != 5 else embedding

        single = single_losses(cross_entropy, logits, adapted, teacher_logits, teacher_embedding, mixture)
        weights = weigh(cross_entropy.detach(), logits.detach(), teacher_logits)
        total = (weights * single).sum() / weights.sum()
        for term in RELATIONS.keys() & mixture.keys():
            total = total + mixture[term] * RELATIONS[term](adapted(), teacher_embedding)
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return [parameter.detach() for parameter in parameters]


def single_losses(
    cross_entropy: torch.Tensor,
    logits: torch.Tensor,
    embedding: Callable[[], torch.Tensor],
    teacher_logits: torch.Tensor,
    teacher_embedding: torch.Tensor,
    losses: dict[str, float],
) -> torch.Tensor:
    total = losses.get("ce", 0) * cross_entropy
    if losses.get("kd"):
        log_student, teacher = functional.log_softmax(logits / T, 1), functional.softmax(teacher_logits / T, 1)
        total = total + losses["kd"] * T**2 * functional.kl_div(log_student, teacher, reduction="none").sum(1)
    if losses.get("hint"):
        total = total + losses["hint"] * ((embedding() - teacher_embedding) ** 2).sum(1)
    return total


def congruence(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    def kernel(features: torch.Tensor) -> torch.Tensor:
        unit = functional.normalize(features)
        cosines = unit @ unit.T
        return math.exp(-0.8) * (1 + 0.8 * cosines + 0.32 * cosines**2)  # gamma 0.4, order 2

    return ((kernel(student) - kernel(teacher)) ** 2).mean()


def rkd(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    return rkd_distance_loss(student, teacher) + 2 * rkd_angle_loss(student, teacher)


RELATIONS = {"cc": congruence, "rkd": rkd, "sp": similarity_preserving_loss}


def teach_from(route: Route, index: int) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    teacher = teacher_network().eval()
    teacher.load_state_dict(route.state(index))

    @torch.no_grad()
    def teach(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return teacher(inputs), teacher.embed(inputs)

    return teach


def assert_trained_as(learner: DistillationLearner, expected: list[torch.Tensor]) -> None:
    for own, other in zip(learner._parameters, expected, strict=True):
        torch.testing.assert_close(own.detach(), other, rtol=2e-4, atol=2e-5)


MIXTURES: dict[str, dict[str, float]] = {
    "labels": {"ce": 1.0},
    "kd": {"kd": 1.0},
    "hinton": {"ce": 0.3, "kd": 0.7},
    "hint": {"hint": 0.05},
    "congruence": {"ce": 1.0, "cc": 5.0},
    "cckd": {"ce": 0.5, "kd": 0.5, "hint": 0.02, "cc": 3.0},
    "rkd": {"ce": 1.0, "rkd": 2.0},
    "similarity": {"ce": 1.0, "sp": 3.0},
    "all": {"ce": 0.2, "kd": 0.3, "hint": 0.01, "cc": 1.0, "rkd": 0.5, "sp": 0.7},
}


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("network", [PLAIN.network, NARROW], ids=["one width", "two widths"])
def test_training_is_a_plain_loop_over_the_mixture(make: Make, route: Route, name: str, network: NetworkConfig) -> None:
    learner, losses = make(MIXTURES[name], network=network), [MIXTURES[name]] * PLAIN.epochs
    expected = by_hand(learner, losses, teach=teach_from(route, LAST))
    before = [parameter.detach().clone() for parameter in learner._parameters]
    under(learner, BASELINE)
    assert_trained_as(learner, expected)
    moved = [not torch.allclose(own, old, atol=1e-3) for own, old in zip(learner._parameters, before, strict=True)]
    assert any(moved)


@pytest.mark.parametrize("network", [PLAIN.network, NARROW], ids=["one width", "two widths"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_terms_may_come_and_go_from_stage_to_stage(
    make: Make, route: Route, network: NetworkConfig, optimiser: str
) -> None:
    """An adapter that no term uses stands still. Fused SGD would fail where only some parameters have a momentum."""
    losses = [{"ce": 1.0}, {"ce": 0.5, "hint": 0.02, "sp": 1.0}, {"kd": 1.0}, {"ce": 0.3, "kd": 0.2, "cc": 2.0}]
    changes = {} if optimiser == "sgd" else {"optimiser": OptimiserConfig(name="adam", lr=1e-2)}
    learner = make(network=network, **changes)
    if optimiser == "sgd":
        expected = by_hand(learner, losses, teach=teach_from(route, LAST))
    for stage, mixture in enumerate(losses):
        idle = learner.snapshot().get("adapter")
        learner.train_stage(Directive(losses=dict.fromkeys(TERMS, 0.0) | mixture))
        assert network is not NARROW or equal(learner.snapshot()["adapter"], idle) == (stage % 2 == 0)
        restored = make(network=network, **changes)
        restored.restore(learner.snapshot())
        learner = restored
    if optimiser == "sgd":
        assert_trained_as(learner, expected)


def test_the_paper_weighs_rkds_angles_twice() -> None:
    assert RKD_ANGLE == 2.0


def standardised(values: torch.Tensor) -> torch.Tensor:
    return (values - values.mean()) / (values.std(correction=0) + 1e-5)


def weigh_by_divergence(losses: torch.Tensor, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    probabilities = teacher.softmax(1)
    divergence = (probabilities * (probabilities.log() - logits.log_softmax(1))).sum(1)
    return 1 + torch.tanh(2.0 * (-0.5 * standardised(divergence) + 0.3 * standardised(losses) + 0.25))


def weigh_by_confidence(losses: torch.Tensor, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    labels = (logits.log_softmax(1) + losses[:, None]).abs().argmin(1)  # the class whose cross-entropy it is
    return 1 + torch.tanh(2.0 * (0.5 * (2 * teacher.softmax(1)[torch.arange(len(labels)), labels] - 1) - 0.1))


RULES: dict[str, tuple[LinearTanh, Weigh]] = {
    "divergence": (
        LinearTanh(features=("teacher_divergence", "loss"), weights=(-0.5, 0.3), bias=0.25, gain=2.0),
        weigh_by_divergence,
    ),
    "confidence": (
        LinearTanh(features=("teacher_confidence",), weights=(0.5,), bias=-0.1, gain=2.0),
        weigh_by_confidence,
    ),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["labels", "cckd"])
def test_sample_weights_act_on_the_losses_of_single_samples(make: Make, route: Route, rule: str, name: str) -> None:
    weighting, weigh = RULES[rule]
    learner = make(MIXTURES[name])
    expected = by_hand(learner, [MIXTURES[name]] * PLAIN.epochs, teach=teach_from(route, LAST), weigh=weigh)
    assert_trained_as(under(learner, Directive(weighting=weighting)), expected)
    assert not same_networks(learner, under(make(MIXTURES[name]), BASELINE))


@pytest.mark.parametrize("name", MIXTURES)
def test_the_twins_mixture_is_that_of_the_configuration(make: Make, name: str) -> None:
    own, directed = make(MIXTURES[name]), make({"ce": 0.9, "hint": 0.4})
    every = dict.fromkeys(TERMS, 0.0) | MIXTURES[name]
    assert own.loss_weights == every
    assert same_bits(under(own, BASELINE), under(directed, Directive(losses=every)))


def test_terms_that_a_directive_does_not_name_keep_their_own_weights(make: Make) -> None:
    one = under(make({"ce": 0.5, "cc": 2.0}), Directive(losses={"kd": 0.25}))
    assert same_bits(one, under(make({"ce": 0.5, "cc": 2.0, "kd": 0.25}), BASELINE))


def test_a_mixture_holds_for_its_stage_alone(make: Make) -> None:
    one, other = make(), make()
    for learner, losses in ((one, {"kd": 0.0, "ce": 1.0}), (other, {})):
        learner.train_stage(Directive(losses=losses, anchor=0.4 if losses else 1.0))
    snapshot = other.snapshot()
    one.restore(snapshot)
    assert same_bits(train(one, curriculum=lambda stage: BASELINE), train(other, curriculum=lambda stage: BASELINE))


def test_without_a_teachers_term_it_is_a_classifier(make: Make, data: Dataset) -> None:
    names = {name: getattr(PLAIN, name) for name in ClassificationConfig.__dataclass_fields__}
    classifier = ClassificationLearner(ClassificationConfig(**names | {"features": ("loss",)}), data, SEED)
    student = make({"ce": 1.0}, features=("loss",))
    rule = LinearTanh(features=("loss",), weights=(-0.4,), bias=0.2)
    for stage in range(PLAIN.stages):
        directive = Directive(weighting=rule) if stage % 2 else BASELINE
        classifier.train_stage(directive)
        student.train_stage(directive)
    assert same_bits(classifier, student)
    assert classifier.evaluate("test") == student.evaluate("test")


def test_a_teacher_that_no_term_and_no_feature_wants_is_not_asked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    outputs = TeacherOutputs.outputs

    def noting(self: TeacherOutputs, position: float, *arguments: Any) -> Any:
        asked.append(position)
        return outputs(self, position, *arguments)

    monkeypatch.setattr(TeacherOutputs, "outputs", noting)
    make({"ce": 1.0}, features=("loss",)).train_stage(Directive(anchor=0.5))
    assert not asked
    make({"ce": 1.0}).train_stage(Directive(anchor=0.5))
    make({"ce": 1.0, "kd": 1.0}, features=("loss",)).train_stage(Directive(anchor=0.25))
    assert set(asked) == {0.5, 0.25}


# Positions on the route


@pytest.mark.parametrize(
    ("position", "index"),
    [(0.0, 0), (0.09, 0), (0.1, 1), (0.29, 1), (0.5, 3), (0.69, 3), (0.8, 4), (0.95, 5), (1.0, 5)],
)
def test_a_position_takes_the_nearest_anchor(make: Make, route: Route, position: float, index: int) -> None:
    losses = {"ce": 0.2, "kd": 0.5, "hint": 0.02, "cc": 1.0}
    learner = under(make(losses), Directive(anchor=position))
    alone = make(losses, on=route.select([index]))
    assert alone.anchors == 1
    assert same_bits(learner, under(alone, BASELINE))
    others = [k for k in (0, LAST) if k != index]
    assert not any(same_bits(learner, under(make(losses, on=route.select([k])), BASELINE)) for k in others)


def test_between_anchors_teachers_are_mixed(make: Make, route: Route) -> None:
    easier, harder = teach_from(route, 3), teach_from(route, 4)

    def teach(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (low, near), (high, far) = easier(inputs), harder(inputs)
        probabilities = 0.75 * functional.softmax(low / T, 1) + 0.25 * functional.softmax(high / T, 1)
        return T * probabilities.log(), 0.75 * near + 0.25 * far

    losses = {"kd": 0.5, "hint": 0.05}
    learner = make(losses, between="mixed")
    expected = by_hand(learner, [losses] * PLAIN.epochs, teach=teach)
    assert_trained_as(under(learner, Directive(anchor=0.65)), expected)
    assert not same_networks(learner, under(make(losses), Directive(anchor=0.65)))


@pytest.mark.parametrize("anchors", [2, 6])
def test_on_an_anchor_nothing_is_mixed(make: Make, route: Route, anchors: int) -> None:
    short = route.select(range(anchors))
    for index in range(anchors):
        directive = Directive(anchor=index / (anchors - 1))
        learners = [make(on=short, between=between, epochs=1, stages=1) for between in ("mixed", "nearest")]
        assert same_bits(*(under(learner, directive) for learner in learners))


# Batches by group


def batches_of(learner: DistillationLearner) -> list[list[int]]:
    """The samples of each training step, noted while it trains."""
    seen: list[list[int]] = []

    def note(body: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if learner.network.training:
            seen.append((inputs[0][:, 0, 0, 0] * 74 + 127).round().long().tolist())

    learner.network.body.register_forward_pre_hook(note)
    return seen


@pytest.mark.parametrize("of", ["classes", "superclasses"])
def test_batches_by_group_have_so_many_samples_of_each_of_their_groups(make: Make, data: Dataset, of: str) -> None:
    groups = data.train.targets if of == "classes" else torch.arange(SAMPLES) % 5
    learner = make(groups=groups, sampler="class_uniform", per_group=4, epochs=5)
    seen = batches_of(learner)
    under(learner, BASELINE)
    assert len(seen) == 5 * (SAMPLES // 8)
    for batch in seen:
        counts = torch.bincount(groups[torch.tensor(batch)], minlength=int(groups.max()) + 1).tolist()
        assert sorted(counts, reverse=True)[:2] == [4, 4] and sum(counts) == 8
    assert len({tuple(batch) for batch in seen}) == len(seen)
    again = make(groups=groups, sampler="class_uniform", per_group=4, epochs=5)
    repeated = batches_of(again)
    under(again, Directive(losses={"kd": 0.0}))
    assert repeated == seen


def test_batches_by_group_that_do_not_fit_are_refused(make: Make, data: Dataset) -> None:
    with pytest.raises(ValueError, match="batch_size=8 is not a whole number of groups of per_group=3"):
        make(groups=data.train.targets, sampler="class_uniform", per_group=3)


# Adapters


def test_an_adapter_stands_between_where_widths_differ(make: Make) -> None:
    assert make()._adapter is None and "adapter" not in make().snapshot()
    learner = make({"hint": 0.05}, network=NARROW)
    assert learner._adapter is not None
    assert equal(learner._adapter.state_dict(), Adapter(7, 5, seed=SEED).state_dict())
    assert {name for name, _ in learner.network.named_parameters()} == {
        f"{layer}.{part}" for layer in ("body.1", "classifier") for part in ("weight", "bias")
    }


@pytest.mark.parametrize("term", ["hint", "cc", "rkd", "sp"])
def test_an_adapter_is_trained_by_the_terms_that_use_it(make: Make, term: str) -> None:
    learner = make({"ce": 1.0}, network=NARROW)
    begin = learner.snapshot()["adapter"]
    learner.train_stage(BASELINE)
    assert equal(learner.snapshot()["adapter"], begin)
    learner.train_stage(Directive(losses={term: 0.05}))
    trained = learner.snapshot()["adapter"]
    assert not equal(trained, begin)
    other = make({"ce": 1.0}, network=NARROW)
    other.restore(learner.snapshot())
    assert equal(other.snapshot()["adapter"], trained)
    learner.train_stage(Directive(losses={term: 0.05}))
    assert not equal(learner.snapshot()["adapter"], trained) and equal(other.snapshot()["adapter"], trained)


# Reproducibility

AUGMENTED = AugmentConfig(crop=1)
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "adapter": {"losses": {"ce": 0.2, "hint": 0.01, "cc": 1.0, "rkd": 0.5}, "network": NARROW},
    "dropout": {"network": NetworkConfig(width=8, depth=2, dropout=0.3, embedding=5), "between": "mixed"},
    "cnn with Adam, augmented": {
        "network": NetworkConfig(name="cnn", width=4),
        "optimiser": OptimiserConfig(name="adam", lr=1e-2, schedule="cosine"),
        "augment": AUGMENTED,
        "channels_last": True,
        "losses": {"ce": 0.5, "kd": 0.5, "hint": 0.01},
    },
    "bf16": {"precision": "bf16", "losses": {"ce": 0.5, "kd": 0.5, "hint": 0.01, "cc": 1.0, "sp": 0.1}},
    "by group": {"groups": torch.arange(SAMPLES) % 4, "sampler": "class_uniform"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(make: Make, name: str) -> None:
    one, again = train(make(**SETTINGS[name])), train(make(**SETTINGS[name]))
    assert same_bits(one, again) and not same_bits(one, train(make(**SETTINGS[name], seed=SEED + 1)))
    assert one.evaluate("test") == again.evaluate("test")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_learner_restored_in_the_middle_ends_as_one_that_was_not_interrupted(make: Make, name: str) -> None:
    whole = train(make(**SETTINGS[name]))
    for pause in (1, 2, 3):
        first, second = train(make(**SETTINGS[name]), until=pause), train(make(**SETTINGS[name]), until=1)
        snapshot = first.snapshot()
        train(first)
        for _ in range(2):
            second.restore(snapshot)
            assert second.stage == pause
            assert same_bits(train(second), whole)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fork_goes_on_as_its_parent_and_does_not_disturb_it(make: Make, name: str) -> None:
    whole, parent = train(make(**SETTINGS[name])), train(make(**SETTINGS[name]), until=1)
    fork, stray = parent.fork(), parent.fork()
    stray.train_stage(Directive(anchor=0.2, losses={"kd": 0.1}))
    stray.evaluate("validation")
    assert same_bits(fork, parent) and not same_bits(stray, parent)
    assert same_bits(train(parent), whole) and same_bits(train(fork), whole)
    assert fork.dataset.train.images is parent.dataset.train.images and fork.teacher is parent.teacher


@pytest.mark.parametrize("name", SETTINGS)
def test_measuring_changes_nothing(make: Make, name: str) -> None:
    watched, plain = make(**SETTINGS[name]), make(**SETTINGS[name])
    while watched.stage < watched.stages:
        for each in (watched, plain):
            each.train_stage(changing(each.stage))
        watched.evaluate("validation")
    assert same_bits(watched, plain)


def test_global_generators_are_neither_read_nor_advanced(make: Make) -> None:
    learners = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
        learners.append(train(make(**SETTINGS["adapter"]), until=2).fork())
        assert torch.equal(torch.get_rng_state(), before[0])
        assert np.random.get_state()[1].tolist() == before[1]  # type: ignore[index]
        assert random.getstate() == before[2]
    assert same_bits(*learners)


# The twin's action

HEADS: dict[str, Any] = {
    "sample_weights": SampleWeights(features=("teacher_divergence", "loss")),
    "teacher_anchor": TeacherAnchor(),
    "loss_weights": LossWeights(terms=("kd", "cc", "ce"), usual=(0.7, 0.3, 0.2), most=(1.0, 0.3, 3.0)),
}
BASELINE_ACTIONS: dict[str, Action] = {**HEADS, "heads": Heads(**HEADS)}


@pytest.mark.parametrize("name", BASELINE_ACTIONS)
def test_the_twins_action_trains_as_its_directive(make: Make, name: str) -> None:
    action, losses = BASELINE_ACTIONS[name], {"kd": 0.7, "cc": 0.3, "ce": 0.2, "hint": 0.01}
    learner = under(make(losses, network=NARROW), action.directive(action.baseline))
    assert same_networks(learner, under(make(losses, network=NARROW), BASELINE))
    other = [0.7 - entry for entry in action.baseline]
    assert not same_networks(learner, under(make(losses, network=NARROW), action.directive(other)))


# Augmentation and precision


@pytest.mark.parametrize("between", ["nearest", "mixed"])
def test_the_teacher_sees_the_augmented_inputs_of_the_student(make: Make, between: str) -> None:
    learner = make(augment=AUGMENTED, between=between)
    seen: dict[str, list[torch.Tensor]] = {"student": [], "teacher": []}
    for name, network in (("student", learner.network), ("teacher", learner.teacher._network(LAST))):
        note = seen[name]
        network.body.register_forward_pre_hook(lambda body, inputs, note=note: note.append(inputs[0].clone()))
    for _ in range(PLAIN.stages):
        learner.train_stage(BASELINE)
    assert len(seen["student"]) == 4 * PLAIN.epochs
    assert equal(seen["student"], seen["teacher"])
    first = [inputs for inputs in seen["student"] if len(inputs) == 8][::3]
    assert not equal(first[0].sort(0).values, first[1].sort(0).values)


def test_bf16_trains_and_stays_finite(make: Make) -> None:
    settings: dict[str, Any] = {"losses": MIXTURES["all"], "network": NARROW}
    half, full = train(make(**settings, precision="bf16")), train(make(**settings))
    assert not same_networks(half, full)
    for parameter in half._parameters:
        assert parameter.dtype == torch.float32 and bool(parameter.isfinite().all())
    assert half.evaluate("validation")["loss"] == pytest.approx(full.evaluate("validation")["loss"], abs=0.2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_student_trains_on_the_gpu_as_on_the_cpu(route: Route, data: Dataset, precision: Any) -> None:
    def learner(device: str) -> DistillationLearner:
        losses = LossTerms(**MIXTURES["all"])
        config = replace(PLAIN, losses=losses, network=NARROW, device=device, precision=precision, between="mixed")
        teacher = TeacherOutputs(
            route,
            lambda: build_network(TEACHER.training.network, image_shape=SHAPE, classes=CLASSES, seed=0, device=device),
            device,
            between="mixed",
            temperature=T,
            inputs=normalise(data.train.images.to(device), data.mean, data.std),
        )
        return DistillationLearner(config, data, SEED, teacher, data.train.targets.to(device))

    paused = train(learner("cuda"), until=2)
    for trained in (train(paused.fork()), train(learner("cuda"))):
        for own, other in zip(trained._parameters, train(learner("cpu"))._parameters, strict=True):
            torch.testing.assert_close(own.detach().cpu(), other.detach(), rtol=0.1, atol=0.05)


# What a learner measures


# What is refused


def test_what_a_learner_has_not_is_refused_in_one_sentence(make: Make, data: Dataset) -> None:
    classifier = ClassificationLearner(ClassificationConfig(network=NARROW, batch_size=8, epochs=2, stages=2), data, 0)
    cases: list[tuple[ClassificationLearner, Directive, str]] = [
        (make(), Directive(losses={"mood": 1.0}), "weights the loss 'mood', .* name only ce, kd, hint, cc, rkd, sp"),
        (
            classifier,
            Directive(losses={"kd": 1.0}),
            "weights the loss 'kd', which this training has not: name only none",
        ),
        (classifier, Directive(anchor=0.5), "takes the teacher at 0.5, and this training has none"),
    ]
    for learner, directive, message in cases:
        with pytest.raises(ValueError, match=message) as raised:
            learner.train_stage(directive)
        assert "\n" not in str(raised.value) and learner.stage == 0


@pytest.mark.parametrize("name", ["teacher_divergence", "teacher_confidence"])
def test_features_against_a_teacher_need_one(data: Dataset, name: str) -> None:
    config = ClassificationConfig(network=NARROW, batch_size=8, epochs=2, stages=2, features=("loss", name))
    with pytest.raises(ValueError, match=f"features names {name}, and this training has no teacher: leave it out"):
        ClassificationLearner(config, data, SEED)


@pytest.mark.parametrize(
    ("make_config", "message"),
    [
        (lambda: replace(PLAIN, temperature=0.0), "temperature is 0.0: give a finite number above 0"),
        (lambda: replace(PLAIN, temperature=math.inf), "temperature is inf"),
        (lambda: replace(PLAIN, temperature=math.nan), "temperature is nan"),
        (
            lambda: replace(PLAIN, sampler="uniform"),  # type: ignore[arg-type]
            "sampler is 'uniform': use shuffled, class_uniform or superclass_",
        ),
        (
            lambda: replace(PLAIN, between="halves"),  # type: ignore[arg-type]
            "between is 'halves': use nearest or mixed",
        ),
        (lambda: replace(PLAIN, batch_size=1), "batch_size is 1"),
        (lambda: LossTerms(kd=-1.0), "losses weights kd -1.0: give 0 or more each"),
        (lambda: LossTerms(cc=math.nan), "losses weights cc nan"),
        (lambda: LossTerms(ce=0.0, kd=0.0), "all loss weights are 0: weight at least one term"),
        (lambda: CongruenceConfig(gamma=0.0), "gamma is 0.0"),
        (lambda: CongruenceConfig(order=0), "order is 0"),
        (lambda: CongruenceConfig(kernel="cosine"), "kernel is 'cosine'"),  # type: ignore[arg-type]
        (lambda: CongruenceConfig(reduction="none"), "reduction is 'none'"),  # type: ignore[arg-type]
    ],
)
def test_settings_out_of_range_are_refused(make_config: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        make_config()
    assert "\n" not in str(raised.value)


def test_terms_are_the_fields_of_their_weights() -> None:
    assert TERMS == ("ce", "kd", "hint", "cc", "rkd", "sp") == tuple(asdict(LossTerms()))
