"""What holds of all heads, and their configuration."""

import copy
import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from law_rl.classification.networks import CosineClassifier
from law_rl.counters import torch_generator
from law_rl.face.heads import Gradient, HeadConfig, HeadName, build_head
from tests.law_rl.face.heads.references import draw, values_and_slopes

NAMES = get_args(HeadName)


def test_softmax_is_the_cosines() -> None:
    batch = draw(4, 3)
    assert torch.equal(build_head(HeadConfig(name="softmax"))(*batch), batch[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_cosines_are_left_as_they_are(name: HeadName) -> None:
    cosines, targets, norms = draw(6, 4)
    before = cosines.clone()
    build_head(HeadConfig(name=name))(cosines, targets, norms)
    assert torch.equal(cosines, before)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"softmax", "adaface"}))
def test_no_margin_leaves_the_own_cosine(name: HeadName) -> None:
    cosines, targets, norms = draw(16, 4)
    own = targets[:, None]
    found = build_head(HeadConfig(name=name, margin=0.0))(cosines, targets, norms)
    torch.testing.assert_close(found.gather(1, own), cosines.gather(1, own), rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"softmax"}))
def test_a_margin_makes_the_own_identity_harder_alone(name: HeadName) -> None:
    cosines, targets, norms = draw(16, 4)
    cosines = cosines.clamp(-0.8, 0.99)
    found = build_head(HeadConfig(name=name, margin=0.3))(cosines, targets, norms)
    own = functional.one_hot(targets, 4).bool()
    assert (found[own] < cosines[own]).all()
    if name != "curricularface":
        assert torch.equal(found[~own], cosines[~own])


@pytest.mark.parametrize("name", NAMES)
def test_double_cosines_are_computed_in_double(name: HeadName) -> None:
    cosines, targets, norms = draw(6, 4)
    head = build_head(HeadConfig(name=name))
    exact = copy.deepcopy(head).double()(cosines.double(), targets, norms.double())
    assert exact.dtype == torch.float64
    torch.testing.assert_close(head(cosines, targets, norms).double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gradient", get_args(Gradient))
@pytest.mark.parametrize("classes", [1, 3])
def test_vectors_that_are_equal_opposite_or_zero_give_finite_losses_and_gradients(
    name: HeadName, gradient: Gradient, classes: int
) -> None:
    head = build_head(HeadConfig(name=name, gradient=gradient if name == "arcface" else "exact"))
    classifier = CosineClassifier(8, classes, 64.0)
    rows = torch.randn(1, 8, generator=torch_generator(0, "rows"))
    with torch.no_grad():
        classifier.weight.copy_(rows.expand(classes, 8))
    embedding = torch.cat([rows, -rows, 0 * rows, 1e20 * rows, 1e-20 * rows]).requires_grad_()
    targets = torch.tensor([0, classes - 1, 0, 0, 0])
    logits = 64 * head(classifier.cosines(embedding), targets, embedding.norm(dim=1))
    loss = functional.cross_entropy(logits, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite() and embedding.grad is not None and classifier.weight.grad is not None
    assert embedding.grad.isfinite().all() and classifier.weight.grad.isfinite().all()
    assert not embedding.grad[2].any()
    assert embedding.grad[:2].norm() < 0.05  # straight towards or away: turning it neither way helps


@pytest.mark.parametrize("name", NAMES)
def test_training_turns_embeddings_as_in_double(name: HeadName) -> None:
    """The gradient to embeddings and classes through cosines, head and cross-entropy, from 3 degrees of a class on.

    Nearer, float32 cosines themselves do not tell the angle.
    """
    classifier = CosineClassifier(8, 5, 64.0)
    torch.nn.init.normal_(classifier.weight, generator=torch_generator(1, "classes"))
    targets = torch.arange(20) % 5
    noise = torch.randn(20, 8, generator=torch_generator(2, "noise"))
    spread = torch.logspace(-1.3, 0.5, 20)[:, None]
    embedding = classifier.weight.detach()[targets] + spread * noise
    head = build_head(HeadConfig(name=name))

    def gradients(dtype: torch.dtype) -> list[Tensor]:
        model, leaf = copy.deepcopy(classifier).to(dtype), embedding.to(dtype).requires_grad_()
        logits = 16 * copy.deepcopy(head).to(dtype)(model.cosines(leaf), targets, leaf.norm(dim=1))
        loss = functional.cross_entropy(logits, targets)
        return [gradient.double() for gradient in torch.autograd.grad(loss, (leaf, model.weight))]

    for found, exact in zip(gradients(torch.float32), gradients(torch.float64), strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_state_survives_a_round_trip(name: HeadName) -> None:
    head, other = build_head(HeadConfig(name=name)), build_head(HeadConfig(name=name))
    for seed in range(3):
        head(*draw(6, 4, seed))
    state = {key: value.clone() for key, value in head.state_dict().items()}
    assert set(state) == {"curricularface": {"t"}, "adaface": {"mean", "std"}}.get(name, set())
    other.load_state_dict(state)
    batch = draw(6, 4, seed=9)
    assert torch.equal(head(*batch), other(*batch))
    assert not list(head.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_input_of_other_shapes_or_dtypes_is_refused(name: HeadName) -> None:
    cosines, targets, norms = draw(6, 4)
    head = build_head(HeadConfig(name=name))
    for bad in (cosines[0], cosines[:0], cosines[:, :0], cosines[None]):
        with pytest.raises(ValueError, match=r"cosines have shape .*: give \[B, C\]"):
            head(bad, targets, norms)
    for dtype in (torch.float16, torch.bfloat16, torch.int64):
        with pytest.raises(ValueError, match=r"cosines are torch\..*: give float32"):
            head(cosines.to(dtype), targets, norms)
    for wrong in (targets[:5], targets[:, None], targets.int(), targets.float()):
        with pytest.raises(ValueError, match=r"targets are torch\..*: give int64 \[6\]"):
            head(cosines, wrong, norms)
    for short in (norms[:5], norms[:, None]):
        with pytest.raises(ValueError, match=r"norms have shape .*: give \[6\]"):
            head(cosines, targets, short)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_samples_does_not_count(name: HeadName) -> None:
    cosines, targets, norms = draw(12, 4)
    order = torch.randperm(12, generator=torch_generator(0, "order"))
    head = build_head(HeadConfig(name=name)).eval()
    found = values_and_slopes(head, cosines, targets, norms)
    shuffled = values_and_slopes(head, cosines[order], targets[order], norms[order])
    for one, other in zip(found, shuffled, strict=True):
        assert np.array_equal(one[order.numpy()], other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "magface"}, "name is 'magface': use one of softmax, arcface"),
        ({"margin": -1}, "margin is -1: give a number from 0 to 1"),
        ({"margin": 1.1}, r"margin is 1\.1"),
        ({"margin": math.nan}, "margin is nan"),
        ({"name": "softmax", "margin": 0.4}, r"margin is 0\.4, but softmax has none"),
        ({"gradient": "none"}, "gradient is 'none': use one of exact, straight_through"),
        ({"name": "cosface", "gradient": "straight_through"}, "gradient is 'straight_through', which only arcface has"),
        ({"sample": 0.0}, r"sample is 0\.0: give the share of identities in \(0, 1\]"),
        ({"sample": 1.5}, r"sample is 1\.5"),
        ({"sample": math.nan}, "sample is nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HeadConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_a_step_on_cuda_agrees_and_waits_for_nothing(name: HeadName) -> None:
    cosines, targets, norms = draw(12, 4)
    expected = build_head(HeadConfig(name=name))(cosines, targets, norms)
    head = build_head(HeadConfig(name=name)).cuda()
    batch = [cosines.cuda().requires_grad_(), targets.cuda(), norms.cuda()]
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = head(*batch)
        found.sum().backward()  # type: ignore[no-untyped-call]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-6)
