"""Imitating features: the loss by its definition, and the adapter."""

import pytest
import torch
from torch import Tensor, nn

from law_rl.counters import torch_generator
from law_rl.distillation.hint import Adapter, mimic_loss


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


def test_embeddings_count_by_their_squared_distance() -> None:
    student, teacher = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[4.0, 6.0], [0.0, 1.0]])
    assert mimic_loss(student, teacher, reduction="none").tolist() == [25.0, 1.0]
    assert mimic_loss(student, teacher) == 13.0


def test_a_map_counts_as_its_positions() -> None:
    student, teacher = draw(3, 4, 2, 5), draw(3, 4, 2, 5, seed=1)
    positions = [
        mimic_loss(student[:, :, i, j], teacher[:, :, i, j], reduction="none") for i in (0, 1) for j in range(5)
    ]
    torch.testing.assert_close(mimic_loss(student, teacher, reduction="none"), torch.stack(positions).mean(0))


def test_maps_in_any_memory_layout() -> None:
    student, teacher = draw(3, 4, 2, 5), draw(3, 4, 2, 5, seed=1)
    last = mimic_loss(student.contiguous(memory_format=torch.channels_last), teacher)
    torch.testing.assert_close(last, mimic_loss(student, teacher))


def test_the_gradient_reaches_the_student_alone() -> None:
    student, teacher = draw(3, 4).requires_grad_(), draw(3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: mimic_loss(x, teacher), (student,))
    mimic_loss(student, teacher).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    torch.testing.assert_close(student.grad, 2 * (student - teacher).detach() / 3)


def test_half_inputs_are_computed_in_float32() -> None:
    student, teacher = torch.full((1, 4), 300.0, dtype=torch.float16), torch.zeros(1, 4, dtype=torch.float16)
    with torch.autocast("cpu", torch.bfloat16):
        assert mimic_loss(student, teacher) == 360000.0  # beyond float16


def test_the_adapter_is_one_map_for_embeddings_and_maps() -> None:
    adapter = Adapter(4, 6, seed=1).double()
    maps = draw(2, 4, 3, 3)
    adapted = adapter(maps)
    assert adapted.shape == (2, 6, 3, 3)
    torch.testing.assert_close(adapted[:, :, 1, 2], adapter(maps[:, :, 1, 2]))
    mimic_loss(adapted, draw(2, 6, 3, 3, seed=1)).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in adapter.parameters())


def test_the_adapter_starts_from_its_seed_alone() -> None:
    state = torch.get_rng_state()
    weights = [Adapter(400, 100, seed=seed).linear.weight for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert weights[0].std().item() == pytest.approx(400**-0.5, rel=0.02)
    assert isinstance(Adapter(1, 1, seed=0), nn.Module)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"width 3 and the teacher's 5: pass the student's through Adapter\(3, 5"):
        mimic_loss(draw(2, 3), draw(2, 5))
    with pytest.raises(ValueError, match="one resolution, or pool"):
        mimic_loss(draw(2, 3, 4, 4), draw(2, 3, 2, 2))
    with pytest.raises(ValueError, match="or both as feature maps"):
        mimic_loss(draw(2, 3, 4, 4), draw(2, 3))
    with pytest.raises(ValueError, match="same batch"):
        mimic_loss(draw(2, 3), draw(1, 3))
    with pytest.raises(ValueError, match=r"this Adapter takes embeddings \[N, 4\]"):
        Adapter(4, 6, seed=0)(torch.zeros(2, 5))
