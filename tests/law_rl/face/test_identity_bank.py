"""The identity bank against a plain reading in Python."""

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.distillation.vectors import unit
from law_rl.face.identity_bank import IdentityBank, prototypes
from law_rl.face.relation_config import Bank, RelationConfig

MOVING: tuple[Bank, ...] = ("last", "ema", "queue")
IDENTITIES, WIDTH = 5, 3


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


def config(bank: Bank) -> RelationConfig:
    side = "coupled" if bank == "static" else "student"
    return RelationConfig(side=side, bank=bank, count=2, momentum=0.7, queue=3)


def batches(seed: int, number: int = 6, size: int = 4) -> list[tuple[Tensor, Tensor, Tensor]]:
    generator = torch_generator(seed, "targets")
    return [
        (
            draw(size, WIDTH, seed=seed + 2 * n + 1),
            draw(size, WIDTH, seed=seed + 2 * n + 2),
            torch.randint(IDENTITIES - 1, (size,), generator=generator),
        )
        for n in range(number)
    ]


def by_hand(initial: Tensor, features: list[tuple[Tensor, Tensor]], bank: Bank) -> Tensor:
    """Entries after batches of (features, targets), one identity after another."""
    entries = []
    for identity, start in enumerate(unit(initial)):
        seen = []
        for rows, targets in features:
            own = [row for row, target in zip(rows, targets.tolist(), strict=True) if target == identity]
            seen += [own[-1] / own[-1].norm()] if own else []
        entry = start
        if seen and bank == "last":
            entry = seen[-1]
        if seen and bank == "queue":
            entry = torch.stack(seen[-3:]).sum(0)
        if seen and bank == "ema":
            entry = seen[0]
            for newer in seen[1:]:
                entry = 0.7 * entry + 0.3 * newer
                entry = entry / entry.norm()
        entries.append(entry / entry.norm())
    return torch.stack(entries)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
@pytest.mark.parametrize("bank", MOVING)
def test_entries_follow_the_last_sample_of_each_batch(bank: Bank, seed: int) -> None:
    initial, steps = draw(IDENTITIES, WIDTH, seed=seed), batches(seed)
    made = IdentityBank(initial, config(bank))
    for student, teacher, targets in steps:
        made.update(student, teacher, targets)
    torch.testing.assert_close(made.student, by_hand(initial, [(s, y) for s, _, y in steps], bank))
    torch.testing.assert_close(made.teacher, by_hand(initial, [(t, y) for _, t, y in steps], bank))


@pytest.mark.parametrize("bank", MOVING)
def test_before_an_update_both_sides_are_the_prototypes(bank: Bank) -> None:
    initial = draw(IDENTITIES, WIDTH)
    made = IdentityBank(initial, config(bank))
    assert torch.equal(made.student, unit(initial)) and torch.equal(made.teacher, unit(initial))
    made.update(draw(2, WIDTH), draw(2, WIDTH, seed=1), torch.tensor([0, 3]))
    untouched = torch.tensor([1, 2, 4])
    assert torch.equal(made.student[untouched], unit(initial)[untouched])
    assert not torch.equal(made.student[0], made.teacher[0])


def test_a_static_bank_stays_and_has_no_state() -> None:
    initial = draw(IDENTITIES, WIDTH)
    made = IdentityBank(initial, config("static"))
    made.update(draw(2, WIDTH), draw(2, WIDTH, seed=1), torch.tensor([0, 3]))
    assert torch.equal(made.teacher, unit(initial)) and made.student.data_ptr() == made.teacher.data_ptr()
    assert made.state_dict() == {}
    made.load_state_dict({})


def test_a_coupled_bank_keeps_the_teachers_entries_alone() -> None:
    made = IdentityBank(draw(IDENTITIES, WIDTH), RelationConfig(bank="last", count=2))
    teacher = draw(2, WIDTH, seed=1)
    made.update(draw(2, WIDTH), teacher, torch.tensor([0, 3]))
    torch.testing.assert_close(made.student[[0, 3]], unit(teacher))
    assert len(made.state_dict()["entries"]) == 1


@pytest.mark.parametrize("bank", MOVING)
def test_the_place_of_other_identities_in_the_batch_does_not_change_a_bit(bank: Bank) -> None:
    initial = draw(IDENTITIES, 67).float()
    first, second = IdentityBank(initial, config(bank)), IdentityBank(initial, config(bank))
    for step in range(5):
        features = draw(9, 67, seed=step).float()
        targets = torch.randint(IDENTITIES, (9,), generator=torch_generator(step, "targets"))
        order = targets.argsort(stable=True)
        first.update(features, 2 * features, targets)
        second.update(features[order], 2 * features[order], targets[order])
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize("bank", MOVING)
def test_samples_of_one_identity_may_be_written_in_any_order(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GPU does, which keeps any one of the values that go to one place."""
    first, second = IdentityBank(draw(4, WIDTH), config(bank)), IdentityBank(draw(4, WIDTH), config(bank))
    forwards, steps = Tensor.index_copy_, batches(0, size=9)
    for step in steps:
        first.update(*step)
    monkeypatch.setattr(
        Tensor, "index_copy_", lambda to, dim, places, values: forwards(to, dim, places.flip(0), values.flip(0))
    )
    for step in steps:
        second.update(*step)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize("bank", MOVING)
def test_a_restored_bank_goes_on_bit_for_bit(bank: Bank) -> None:
    initial, steps = draw(IDENTITIES, WIDTH), batches(0)
    made, restored = IdentityBank(initial, config(bank)), IdentityBank(0 * initial, config(bank))
    for step in steps[:3]:
        made.update(*step)
    state = made.state_dict()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    restored.load_state_dict(state)
    for step in steps[3:]:
        made.update(*step)
        restored.update(*step)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in state.items())
    assert all(torch.equal(tensor, restored.state_dict()[name]) for name, tensor in made.state_dict().items())
    with pytest.raises(ValueError, match="restore with the configuration it had"):
        IdentityBank(draw(IDENTITIES, WIDTH + 1), config(bank)).load_state_dict(state)
    with pytest.raises(ValueError, match="restore with the configuration it had"):
        restored.load_state_dict({})


@pytest.mark.parametrize("bank", MOVING)
def test_odd_vectors_leave_entries_finite(bank: Bank) -> None:
    made = IdentityBank(torch.zeros(3, 2), config(bank))
    x = torch.tensor([[1.0, 0.0]])
    for row in (x, -x, 0 * x, 1e30 * x, 1e-30 * x):
        made.update(row.requires_grad_(), row, torch.tensor([1]))
        assert made.student.isfinite().all() and not made.student.requires_grad
    assert not made.student[0].any()


@pytest.mark.parametrize("bank", get_args(Bank))
def test_a_bank_in_float32_takes_half_features(bank: Bank) -> None:
    made = IdentityBank(draw(3, 2).half(), config(bank))
    made.update(draw(1, 2).bfloat16(), draw(1, 2).bfloat16(), torch.tensor([1]))
    assert made.student.dtype == torch.float32


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="there is 1 identity"):
        IdentityBank(draw(1, 3), RelationConfig(count=1))
    with pytest.raises(ValueError, match="there is 1 identity"):
        IdentityBank(draw(1, 3), RelationConfig(partners="batch", positives=True))
    with pytest.raises(ValueError, match="count is 100, and an identity has 4 others"):
        IdentityBank(draw(5, 3), RelationConfig())
    IdentityBank(draw(5, 3), RelationConfig(partners="batch", positives=True))
    with pytest.raises(ValueError, match=r"give \[C, D\]"):
        IdentityBank(draw(5), RelationConfig(count=1))
    made = IdentityBank(draw(5, 3), config("last"))
    with pytest.raises(ValueError, match="4 dimensions and the bank's entries 3"):
        made.update(draw(2, 4), draw(2, 4), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"targets \(3,\): give \[B, D\], \[B\]"):
        made.update(draw(2, 3), draw(2, 3), torch.tensor([0, 1, 2]))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), identities=st.integers(1, 5), extra=st.integers(0, 9))
def test_prototypes_are_normalised_means_of_directions(seed: int, identities: int, extra: int) -> None:
    generator = torch_generator(seed, "targets")
    targets = torch.cat([torch.arange(identities), torch.randint(identities, (extra,), generator=generator)])
    targets = targets[torch.randperm(len(targets), generator=generator)]
    embeddings = 3 * draw(len(targets), 4, seed=seed)
    made = prototypes(embeddings, targets, identities)
    for identity in range(identities):
        mean = sum(row / row.norm() for row in embeddings[targets == identity])
        assert isinstance(mean, Tensor)
        torch.testing.assert_close(made[identity], mean / mean.norm())
    assert prototypes(embeddings.half(), targets, identities).dtype == torch.float32


def test_prototypes_of_odd_samples() -> None:
    x = draw(1, 3)
    made = prototypes(torch.cat([x, -x, 0 * x, 1e200 * x]).requires_grad_(), torch.tensor([0, 0, 1, 1]), 2)
    assert not made[0].any() and not made.requires_grad
    torch.testing.assert_close(made[1:], unit(x))
    with pytest.raises(ValueError, match="identity 1 has no sample"):
        prototypes(draw(2, 3), torch.tensor([0, 2]), 3)
    with pytest.raises(ValueError, match="identity 0 has no sample"):
        prototypes(draw(0, 3), torch.tensor([], dtype=torch.int64), 3)
    with pytest.raises(ValueError, match="targets run from 0 to 3: give numbers from 0 to 2"):
        prototypes(draw(2, 3), torch.tensor([0, 3]), 3)
    with pytest.raises(ValueError, match="targets run from -1"):
        prototypes(draw(2, 3), torch.tensor([0, -1]), 3)
    with pytest.raises(ValueError, match=r"give \[N, D\] and \[N\]"):
        prototypes(draw(2, 3), torch.tensor([0]), 3)
    for wrong in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match="embedding of identity 1 is not finite"):
            prototypes(torch.tensor([[1.0, 0.0], [wrong, 1.0]]), torch.tensor([0, 1]), 2)
