import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from law_rl.data.batches import epoch_batches, epoch_order


def test_epoch_order_is_a_permutation_fixed_by_its_arguments() -> None:
    order = epoch_order(50, seed=1, epoch=2)
    assert order.dtype == torch.int64
    assert sorted(order.tolist()) == list(range(50))
    torch.manual_seed(3)
    assert torch.equal(order, epoch_order(50, seed=1, epoch=2, device="cpu"))
    others = [epoch_order(50, seed=1, epoch=3), epoch_order(50, seed=2, epoch=2)]
    assert all(not torch.equal(order, other) for other in others)


def test_first_place_is_uniform_over_epochs() -> None:
    firsts = torch.tensor([int(epoch_order(4, seed=0, epoch=epoch)[0]) for epoch in range(2000)])
    counts = torch.bincount(firsts, minlength=4)
    assert (counts - 500).abs().max() < 5 * (2000 * 0.25 * 0.75) ** 0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_order_is_the_same_on_every_device() -> None:
    order = epoch_order(100, seed=1, epoch=2, device="cuda")
    assert order.is_cuda and torch.equal(order.cpu(), epoch_order(100, seed=1, epoch=2))


@given(size=st.integers(0, 60), batch_size=st.integers(2, 20), drop_last=st.booleans())
def test_batches_cover_the_order(size: int, batch_size: int, drop_last: bool) -> None:
    order = torch.arange(size).flip(0)
    batches = [batch.tolist() for batch in epoch_batches(order, batch_size, drop_last)]
    trailing = size % batch_size
    dropped = trailing if drop_last or trailing == 1 else 0
    assert [index for batch in batches for index in batch] == order.tolist()[: size - dropped]
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert all(2 <= len(batch) <= batch_size for batch in batches)


def test_a_batch_size_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size=1"):
        epoch_batches(torch.arange(4), 1)
