import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from law_rl.batch import EPSILON, Batch
from law_rl.counters import torch_generator
from law_rl.features import FEATURE_NAMES, OF_CODECS, STATELESS, WITH_TEACHER, Features, check_feature_names
from law_rl.sample_memory import REMEMBERING, SampleMemory, class_moments

CLASSES, SAMPLES = 4, 30


def targets_of_the_set() -> torch.Tensor:
    return torch.randint(0, CLASSES, (SAMPLES,), generator=torch_generator(0, "test targets"))


def batch(seed: int, size: int = 12) -> Batch:
    generator = torch_generator(seed, "test batch")
    ids = torch.randperm(SAMPLES, generator=generator)[:size]
    logits = torch.randn(size, CLASSES, generator=generator) * 2
    targets = targets_of_the_set()[ids]
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    teacher = torch.randn(size, CLASSES, generator=generator) * 3
    cosine = torch.rand(size, generator=generator) * 2 - 1
    return Batch(
        losses=losses,
        logits=logits,
        targets=targets,
        ids=ids,
        teacher_logits=teacher,
        teacher_cosine=cosine,
        crowding=torch.rand(size, generator=generator) * 2 - 1,
        bits=torch.rand(size, generator=generator) * 3,
        distortion=torch.rand(size, generator=generator) * 0.1,
        gradient_energy=-8 * torch.rand(size, generator=generator),
        motion=2 * torch.randn(size, generator=generator),
    )


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def spread(values: list[float]) -> float:
    return math.sqrt(mean([(v - mean(values)) ** 2 for v in values]))


def standardised(values: list[float]) -> list[float]:
    return [(v - mean(values)) / (spread(values) + EPSILON) for v in values]


def softmax(logits: list[list[float]]) -> list[list[float]]:
    rows = [[math.exp(v - max(row)) for v in row] for row in logits]
    return [[v / sum(row) for v in row] for row in rows]


def entropies(logits: list[list[float]]) -> list[float]:
    probabilities = softmax(logits)
    return [-sum(p * math.log(p) for p in row if p > 0) for row in probabilities]


def entropy_by_loss(b: Batch) -> list[float]:
    values = entropies(b.logits.tolist())
    return [(v - mean(values)) / (spread(b.losses.tolist()) + EPSILON) for v in values]


def loss_rank(b: Batch) -> list[float]:
    losses = b.losses.tolist()
    return [2.0 * sum(other < loss for other in losses) / (len(losses) - 1) - 1.0 for loss in losses]


def loss_in_class(b: Batch) -> list[float]:
    def peers(label: int) -> list[float]:
        return [loss for loss, other in zip(b.losses.tolist(), b.targets.tolist(), strict=True) if other == label]

    pairs = zip(b.losses.tolist(), b.targets.tolist(), strict=True)
    return [(loss - mean(peers(label))) / (spread(peers(label)) + EPSILON) for loss, label in pairs]


def margin_of(row: list[float], label: int) -> float:
    return row[label] - max(v for j, v in enumerate(row) if j != label)


def margin(b: Batch) -> list[float]:
    return standardised([margin_of(*pair) for pair in zip(b.logits.tolist(), b.targets.tolist(), strict=True)])


def centre_cosine(b: Batch) -> list[float]:
    return standardised([row[label] for row, label in zip(b.logits.tolist(), b.targets.tolist(), strict=True)])


def teacher_cosine(b: Batch) -> list[float]:
    assert b.teacher_cosine is not None
    return standardised(b.teacher_cosine.tolist())


def crowding(b: Batch) -> list[float]:
    assert b.crowding is not None
    return standardised(b.crowding.tolist())


def of_teacher(b: Batch) -> list[list[float]]:
    assert b.teacher_logits is not None
    return softmax(b.teacher_logits.tolist())


def teacher_divergence(b: Batch) -> list[float]:
    pairs = zip(of_teacher(b), softmax(b.logits.tolist()), strict=True)
    return standardised([sum(q * math.log(q / p) for q, p in zip(*rows, strict=True)) for rows in pairs])


def teacher_confidence(b: Batch) -> list[float]:
    return [2.0 * row[label] - 1.0 for row, label in zip(of_teacher(b), b.targets.tolist(), strict=True)]


ORACLES: dict[str, Callable[[Batch], list[float]]] = {
    "loss": lambda b: standardised(b.losses.tolist()),
    "entropy": entropy_by_loss,
    "entropy_own_std": lambda b: standardised(entropies(b.logits.tolist())),
    "loss_rank": loss_rank,
    "loss_in_class": loss_in_class,
    "margin": margin,
    "centre_cosine": centre_cosine,
    "teacher_divergence": teacher_divergence,
    "teacher_confidence": teacher_confidence,
    "teacher_cosine": teacher_cosine,
    "crowding": crowding,
    "bits": lambda b: standardised(b.bits.tolist()),
    "distortion": lambda b: standardised([math.log(max(error, 1e-8)) for error in b.distortion.tolist()]),
    "gradient_energy": lambda b: standardised(b.gradient_energy.tolist()),
    "motion": lambda b: standardised(b.motion.tolist()),
}


def stateless(name: str, b: Batch) -> torch.Tensor:
    return Features((name,), classes=CLASSES, targets=None, memory_decay=0.8).compute((name,), b)[0]


def test_every_stateless_feature_has_an_oracle() -> None:
    assert {*STATELESS, *WITH_TEACHER, *OF_CODECS} == set(ORACLES)


def test_a_student_that_equals_its_teacher_is_at_no_distance() -> None:
    b = batch(0)
    assert stateless("teacher_divergence", replace(b, teacher_logits=b.logits)).abs().max() < 0.02
    with_confidence = stateless("teacher_confidence", replace(b, teacher_logits=b.logits))
    assert with_confidence.tolist() == pytest.approx((2.0 * torch.exp(-b.losses) - 1.0).tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "wanted", "why"),
    [
        ("teacher_divergence", "teacher_logits", "compares with a teacher"),
        ("teacher_confidence", "teacher_logits", "compares with a teacher"),
        ("teacher_cosine", "teacher_cosine", "compares embeddings with a teacher's"),
        ("crowding", "crowding", "says how alike a teacher finds a face and others' faces"),
        ("entropy", "logits", "looks at a classifier's answer"),
        ("margin", "targets", "looks at a classifier's labels"),
        ("bits", "bits", "says how many bits a codec spends on an image"),
        ("distortion", "distortion", "says how far a codec's picture is from the image"),
        ("gradient_energy", "gradient_energy", "says how busy an image is"),
        ("motion", "motion", "says how far a frame of video moved"),
    ],
)
def test_a_feature_asks_for_what_it_is_made_from(name: str, wanted: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"{name} {why}: give {wanted}, or leave it out of the") as raised:
        stateless(name, replace(batch(0), **{wanted: None}))  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    others = dict.fromkeys({"teacher_logits", "teacher_cosine", "crowding", "bits"} - {wanted})
    assert len(stateless(name, replace(batch(0), **others))) == 12  # type: ignore[arg-type]


def test_codecs_have_features_without_a_classifiers_answer() -> None:
    b = batch(0)
    told = {name: getattr(b, name) for name in ("losses", *OF_CODECS)}
    of_a_codec = Batch(**told)
    names = ("loss", "loss_rank", *OF_CODECS)
    features = Features(names, classes=0, targets=None, memory_decay=0.0)
    features.remember(of_a_codec)
    for name, value in zip(names, features.compute(names, of_a_codec), strict=True):
        assert torch.equal(value, stateless(name, b))


def test_a_picture_without_any_error_has_a_finite_feature() -> None:
    b = replace(batch(0), distortion=torch.tensor([0.0, 0.01] * 6))
    assert bool(stateless("distortion", b).isfinite().all())


def test_the_cosine_to_the_centre_does_not_depend_on_the_scale_of_the_classifier() -> None:
    """Of a cosine classifier the logits are its scale times the cosines."""
    generator = torch_generator(0, "test directions")
    faces, centres = (functional.normalize(torch.randn(n, 5, generator=generator), dim=1) for n in (12, CLASSES))
    targets = torch.arange(12) % CLASSES
    expected = standardised((faces * centres[targets]).sum(1).tolist())
    for scale in (16.0, 64.0):
        b = Batch(losses=torch.zeros(12), logits=scale * faces @ centres.T, targets=targets)
        assert stateless("centre_cosine", b).tolist() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("size", [2, 3, 30])
def test_a_feature_of_the_batch_is_its_definition(name: str, size: int) -> None:
    for seed in range(3):
        b = batch(seed, size)
        feature = stateless(name, b)
        assert feature.dtype == torch.float32 and feature.shape == (size,)
        # Two equal values, or one alone in its class, divide a rounding error by EPSILON: hence the absolute tolerance.
        assert feature.tolist() == pytest.approx(ORACLES[name](b), rel=1e-3, abs=5e-2 if size == 2 else 2e-2)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 50, width=32), min_size=1, max_size=8),
    st.floats(0, 1e4, width=32),
    st.integers(0, 1000),
)
def test_features_of_the_batch_are_finite(losses: list[float], scale: float, seed: int) -> None:
    generator = torch_generator(seed, "test logits")
    b = Batch(
        losses=torch.tensor(losses),
        logits=torch.randn(len(losses), CLASSES, generator=generator) * scale,
        targets=torch.randint(0, CLASSES, (len(losses),), generator=generator),
        teacher_logits=torch.randn(len(losses), CLASSES, generator=generator) * scale,
        teacher_cosine=torch.rand(len(losses), generator=generator) * 2 - 1,
        crowding=torch.rand(len(losses), generator=generator) * 2 - 1,
        bits=torch.rand(len(losses), generator=generator) * scale,
        distortion=torch.rand(len(losses), generator=generator) * scale,
        gradient_energy=torch.rand(len(losses), generator=generator) * -scale,
        motion=torch.rand(len(losses), generator=generator) * scale,
    )
    for name in (*STATELESS, *WITH_TEACHER, *OF_CODECS):
        assert bool(stateless(name, b).isfinite().all()), name


def test_moments_within_classes_are_zero_where_a_class_has_no_sample() -> None:
    values, targets = torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 2])
    means, stds = class_moments(values, targets, CLASSES)
    assert means.tolist() == [2.0, 0.0, 5.0, 0.0]
    assert stds.tolist() == [1.0, 0.0, 0.0, 0.0]


class NaiveMemory:
    """The definition of a memory in float64 loops."""

    def __init__(self, quantity: str, norm: str, decay: float) -> None:
        self.quantity, self.norm, self.decay = quantity, norm, decay
        self.targets = targets_of_the_set().tolist()
        ignorant = {"loss": math.log(CLASSES), "confidence": 1 / CLASSES, "agreement": 1 / CLASSES, "margin": 0.0}
        self.values = [ignorant[quantity]] * SAMPLES
        self.batches = 0

    def moments(self, label: int) -> tuple[float, float]:
        pairs = zip(self.values, self.targets, strict=True)
        peers = [value for value, other in pairs if self.norm == "all" or other == label]
        return mean(peers), spread(peers)

    def update(self, b: Batch) -> list[float]:
        if self.batches % SampleMemory.REFRESH == 0:
            self.kept = [self.moments(label) for label in range(CLASSES)]
        self.batches += 1
        assert b.ids is not None
        return [
            self.visit(i, loss, row)
            for i, loss, row in zip(b.ids.tolist(), b.losses.tolist(), b.logits.tolist(), strict=True)
        ]

    def visit(self, i: int, loss: float, row: list[float]) -> float:
        label = self.targets[i]
        quantities = {
            "loss": loss,
            "confidence": math.exp(-loss),
            "agreement": float(row.index(max(row)) == label),
            "margin": margin_of(row, label),
        }
        self.values[i] = self.decay * self.values[i] + (1 - self.decay) * quantities[self.quantity]
        if self.norm == "none":
            return 2 * self.values[i] - 1
        centre, std = self.kept[label]
        return (self.values[i] - centre) / (std + EPSILON) if std > EPSILON else 0.0


def remembering(names: tuple[str, ...], decay: float = 0.8) -> Features:
    return Features(names, classes=CLASSES, targets=targets_of_the_set(), memory_decay=decay)


@pytest.mark.parametrize("name", REMEMBERING)
@pytest.mark.parametrize("decay", [0.0, 0.8, 0.95])
def test_a_memory_is_its_definition(name: str, decay: float) -> None:
    features, oracle = remembering((name,), decay), NaiveMemory(*REMEMBERING[name], decay)
    for step in range(4 * SampleMemory.REFRESH + 3):
        b = batch(step)
        features.remember(b)
        expected = oracle.update(b)
        assert features.compute((name,), b)[0].tolist() == pytest.approx(expected, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("name", [name for name, (_, norm) in REMEMBERING.items() if norm != "none"])
def test_a_memory_says_nothing_before_it_knows_a_spread(name: str) -> None:
    features = remembering((name,))
    features.remember(batch(0))
    assert features.compute((name,), batch(0))[0].abs().max() == 0


def test_a_memory_goes_on_while_no_rule_asks_for_it() -> None:
    asked, silent = remembering(("own_loss",)), remembering(("own_loss",))
    for step in range(20):
        asked.remember(batch(step))
        asked.compute(("own_loss",), batch(step))
        silent.remember(batch(step))
    assert torch.equal(asked.compute(("own_loss",), batch(19))[0], silent.compute(("own_loss",), batch(19))[0])


def test_the_label_prior_is_the_log_of_relative_frequency() -> None:
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])  # class 3 is never seen and counts as once
    features = Features(("label_prior",), classes=CLASSES, targets=targets, memory_decay=0.0)
    b = Batch(losses=torch.zeros(4), logits=torch.zeros(4, CLASSES), targets=torch.tensor([3, 2, 1, 0]))
    features.remember(b)
    expected = [math.log(count * CLASSES / 10) for count in (1, 1, 3, 6)]
    assert features.compute(("label_prior",), b)[0].tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_features_are_detached_and_change_nothing_of_the_batch(name: str) -> None:
    b = batch(0)
    before = Batch(losses=b.losses.clone(), logits=b.logits.clone(), targets=b.targets.clone())
    features = remembering((name,))
    features.remember(b)
    assert not features.compute((name,), b)[0].requires_grad
    assert torch.equal(b.losses, before.losses) and torch.equal(b.logits, before.logits)


def test_features_come_in_the_order_of_their_names() -> None:
    features, b = remembering(FEATURE_NAMES), batch(1)
    features.remember(b)
    forward = features.compute(FEATURE_NAMES, b)
    backward = features.compute(FEATURE_NAMES[::-1], b)
    for one, other in zip(forward, backward[::-1], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("steps", [0, 3, SampleMemory.REFRESH, 13])
def test_a_restored_memory_goes_on_bit_for_bit(steps: int) -> None:
    names = (*REMEMBERING, "label_prior")
    features, restored = remembering(names), remembering(names)
    for step in range(steps):
        features.remember(batch(step))
    state = features.state_dict()
    restored.remember(batch(99))
    restored.load_state_dict(state)
    for step in range(steps, steps + 2 * SampleMemory.REFRESH):
        for one in (features, restored):
            one.remember(batch(step))
        pairs = zip(features.compute(names, batch(step)), restored.compute(names, batch(step)), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


def test_a_state_does_not_change_with_later_training() -> None:
    features = remembering(("own_loss",))
    for step in range(3):
        features.remember(batch(step))
    state = features.state_dict()
    kept = state["own_loss"]["values"].clone()
    for step in range(3, 20):
        features.remember(batch(step))
    assert torch.equal(state["own_loss"]["values"], kept)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: check_feature_names(("loss", "gloss")), "features names 'gloss': choose one or more of loss, "),
        (lambda: check_feature_names(()), "features names nothing: choose one or more of loss, "),
        (lambda: check_feature_names(("loss", "loss")), "features are loss, loss: name each feature once"),
        (lambda: remembering(("own_loss",), 1.0), r"memory_decay is 1.0: give a number from 0 .* to below 1"),
        (lambda: remembering(("own_loss",), -0.1), "memory_decay is -0.1"),
        (lambda: stateless("own_loss", batch(0)), "own_loss look at the whole training set: give targets"),
        (lambda: stateless("label_prior", batch(0)), "label_prior look at the whole training set: give targets"),
        (lambda: remembering(("loss",)).compute(("own_loss",), batch(0)), "own_loss remembers single samples"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_sentence(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_a_memory_without_ids_is_refused_in_one_sentence() -> None:
    b = batch(0)
    without = Batch(losses=b.losses, logits=b.logits, targets=b.targets)
    with pytest.raises(ValueError, match="own_loss remember single samples: give ids, their places in the training"):
        remembering(("own_loss", "loss")).remember(without)
    remembering(("loss", "label_prior")).remember(without)
